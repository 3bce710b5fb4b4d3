"""The whole way, from a file of questions to a folder with a student and a report."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from cotnb.errors import UserError
from cotnb.evaluation import save_predictions
from cotnb.experiment import load_test_sets
from cotnb.rationales.teachers import Teacher
from cotnb.students import load_student
from cotnb.tasks import load_task
from cotnb.tasks.example import Example
from cotnb.training.tuning import tune, tuning_history
from cotnb.your_task.comparing import (
    BEFORE,
    Examined,
    build_exam,
    check_questions,
    contrasts,
    examine,
)
from cotnb.your_task.exporting import PREDICTIONS, claim_folder, export_student
from cotnb.your_task.fitting import fitting, too_long, with_general
from cotnb.your_task.recommending import advise
from cotnb.your_task.report import Findings, headline, not_asked, write_report
from cotnb.your_task.splitting import Split, save_split
from cotnb.your_task.teaching import Taught, gather, open_teacher, save_rationales
from cotnb.your_task.wishes import Wishes, check_and_split, check_settings, tell


def tune_your_task(
    path: str | Path,
    wishes: Wishes,
    output: str | Path,
    say: Callable[[str], None] = print,
) -> Findings:
    """All steps; called again after a kill it goes on where it was.

    output: a new folder, or one that an earlier call made. It gets train.jsonl and
    test.jsonl, rationales.jsonl, predictions/, the tuned student in student/, and
    report.md with its figure; what was made there with other settings goes to earlier/.
    What can be wrong is looked at before anything is paid.
    Raises UserError as the steps do.
    """
    checked, split = check_and_split(path, wishes, say)
    check_settings(wishes, len(split.train))
    general = _general(wishes, split, checked.answer_type)
    untuned = load_student(wishes.student)
    check_questions(untuned, split)
    teacher = open_teacher(wishes.teacher) if wishes.teacher else None
    kept = {"questions": str(checked.path.resolve()), **asdict(wishes)}
    folder = claim_folder(Path(output), kept, read=wishes.files(checked.path))
    save_split(split, folder)
    taught = _gather(checked.answer_type, split, teacher, wishes)
    save_rationales(taught, folder / "rationales.jsonl")
    tell(taught.remarks(), say)
    plan = wishes.plan(len(split.train), taught.questions, untuned.parameters)
    tell([f"{r['setting']} {r['value']}: {r['reason']}" for r in plan.table()], say)

    recipe = plan.recipe(wishes.precision, wishes.seed)
    what = (split.train, taught.solved, plan.teach)
    fits = fitting(untuned, *what, recipe.max_length, wishes.seed)
    replayed = (plan.replayed, wishes.replayed_task, wishes.seed)
    pairs = with_general(fits.pairs, *replayed)
    if fits.too_long:
        say(too_long(fits.too_long))
    told = (general, wishes.demonstrations, wishes.seed, plan.teach)
    exam = build_exam(split, taught.solved, fits.longest, *told)
    examined = [examine(untuned, BEFORE, exam)]
    tell(not_asked(examined, untuned.name), say)
    for condition, own in pairs.items():
        tuned = tune(wishes.student, own, recipe)
        history = tuning_history(tuned)
        examined.append(examine(tuned, condition, exam, history["steps"]))
        if condition == plan.teach:
            exported, seconds = export_student(tuned, folder), history["seconds"]
    _save_predictions(examined, folder / PREDICTIONS)

    found = Findings(
        checked=checked,
        split=split,
        taught=taught,
        plan=plan,
        student=untuned,
        exported=exported,
        examined=examined,
        contrasts=contrasts(examined, plan.teach),
        seconds=seconds,
        too_long=fits.too_long,
    )
    tell([headline(found), str(write_report(found, folder))], say)
    return found


def _gather(
    answer_type: str, split: Split, teacher: Teacher | None, wishes: Wishes
) -> Taught:
    return gather(
        split.train,
        rationale_file=wishes.rationale_file,
        teacher=teacher,
        samples=_samples(wishes, answer_type),
        most_asked=wishes.most_asked,
        max_new_tokens=wishes.teacher_tokens,
        prices=wishes.prices,
        seed=wishes.seed,
    )


def _samples(wishes: Wishes, answer_type: str) -> int:
    return wishes.samples or advise(answer_type).samples


def _save_predictions(examined: Sequence[Examined], folder: Path) -> None:
    for one in examined:
        for way, predictions in one.predictions.items():
            save_predictions(folder / f"{one.condition}-{way}.jsonl", predictions)


def _general(
    wishes: Wishes, split: Split, answer_type: str
) -> dict[str, list[Example]]:
    """Its test sets; that there is what is to be replayed is looked at as well."""
    if share := wishes.replayed:
        given = wishes.teacher or wishes.rationale_file
        most = len(split.train) * (_samples(wishes, answer_type) if given else 1)
        wanted = round(most * share / (1 - share)) if share < 1 else 1
        load_task(wishes.replayed_task, "train", max(1, wanted))
    if not wishes.general:
        return {}
    if wishes.general_questions < 1:
        raise UserError("general questions: expected 1 or more, or no general test set")
    try:
        return load_test_sets(wishes.general, wishes.general_questions, wishes.seed)
    except UserError as error:
        raise UserError(f"general test sets: {error}") from error
