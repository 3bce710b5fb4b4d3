"""What every notebook does with students and test sets, in few lines."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import TypeVar

from cotnb.errors import UserError
from cotnb.evaluation import Asking, ask, save_predictions, score
from cotnb.formats import DemonstrationPool, Pair, build_pair, is_few_shot
from cotnb.notebook_parameters import values
from cotnb.paths import project_folder
from cotnb.rationales import keep_correct, match, teacher_rationales
from cotnb.results.records import Score, write_record
from cotnb.students import Student, students_loaded
from cotnb.tasks import Example, load_task
from cotnb.tasks.ho_et_al import BY_TEMPLATE
from cotnb.tasks.registry import listed
from cotnb.tasks.verifier import verify
from cotnb.training.tuning import tunings_asked

T = TypeVar("T")


def load_test_sets(
    text: str, size: int | None = None, seed: int = 0
) -> dict[str, list[Example]]:
    """Test sets by label, from "svamp:test, gsm_symbolic:test_same_templates".

    size: questions of each; None is all. A set that is to have another number names it:
    "gsm8k:test:500". A label is the task's name and what its split is called beyond
    "test": "svamp", "gsm_symbolic_same_templates", "svamp_dev".
    Raises UserError where the text is of another form, a split is for training or a
    set comes twice.
    """
    sets = {}
    for part in text.split(","):
        task, split, own = (*part.strip().split(":"), "", "")[:3]
        named = part.count(":") == 1 or (part.count(":") == 2 and own.isdecimal())
        if not named or not split.startswith(("test", "dev")):
            raise UserError(
                f"test_tasks {text!r}: expected task:split, with split test… or dev, "
                "or task:split:questions, separated by commas"
            )
        beyond = split.removeprefix("test").removeprefix("_")
        label = f"{task}_{beyond}" if beyond else task
        if label in sets:
            raise UserError(f"test_tasks {text!r}: {task}:{split} comes twice")
        sets[label] = load_task(task, split, int(own) if own else size, seed=seed)
    return sets


def build_pairs(
    solved: Sequence[tuple[Example, str]],
    *prompt_formats: str,
    demonstrations: int = 3,
    instruction: bool = False,
    hinted: bool = False,
    seed: int = 0,
) -> list[Pair]:
    """Training pairs of (example, rationale) pairs, in their order.

    prompt_formats: one, or several that take turns from pair to pair, as Fu et al. 2023
    mix them. demonstrations: how many a few-shot prompt shows, of `solved` itself,
    drawn with `seed`. instruction: whether prompts begin with theirs. hinted: whether
    they tell the answer, as a teacher's may.
    Raises UserError for a format that there is not, and as `DemonstrationPool` does.
    """
    pool = DemonstrationPool(solved if any(map(is_few_shot, prompt_formats)) else ())
    pairs = []
    for number, (example, text) in enumerate(solved):
        prompt_format = prompt_formats[number % len(prompt_formats)]
        shown = ()
        if is_few_shot(prompt_format):
            shown = pool.draw(example, demonstrations, seed)
        pairs.append(
            build_pair(example, prompt_format, text, shown, instruction, hinted)
        )
    return pairs


def take(solved: Sequence[T], count: int) -> Sequence[T]:
    """The first `count`; UserError where there are fewer, so that none goes unsaid."""
    if len(solved) < count:
        raise UserError(
            f"{count} rationales wanted, {len(solved)} there: ask the teacher about "
            "more questions, or want fewer"
        )
    return solved[:count]


def repeated(pairs: Sequence[T], count: int, seed: int) -> list[T]:
    """`count` pairs: all of them in one order after another, the last one cut short.

    So that tunings on more and on fewer pairs take equally many optimiser steps.
    Raises UserError where there are none.
    """
    if not pairs:
        raise UserError("no pairs to tune on: ask the teacher for more, or filter less")
    rng, drawn = random.Random(seed), []
    while len(drawn) < count:
        drawn += rng.sample(pairs, len(pairs))
    return drawn[:count]


def one_a_pass(
    solved: Sequence[tuple[Example, str]], count: int, seed: int
) -> list[tuple[Example, str]]:
    """`count` (example, rationale) pairs: one of each question, pass after pass.

    A question's own rationales take turns, so that all questions weigh alike, however
    many rationales they have. The last pass is cut short.
    Raises UserError where there are none, and where passes are too few for the question
    that has most to show all of its own.
    """
    rng, by_question = random.Random(seed), defaultdict(list)
    for pair in solved:
        by_question[pair[0].id].append(pair)
    passes = count // max(1, len(by_question))
    most = max(map(len, by_question.values()), default=0)
    if passes < most:
        raise UserError(
            f"{count} pairs are {passes} passes over {len(by_question)} questions, one "
            f"of which has {most} rationales: tune for more steps, or draw fewer"
        )
    turns = [cycle(rng.sample(own, len(own))) for own in by_question.values()]
    return [next(own) for own in repeated(turns, count, seed)]


# a condition, its training pairs, the test sets that its student is asked
Trial = tuple[str, list[tuple[Example, str]], dict[str, list[Example]]]


def trials_of_templates(
    task: str,
    solved: Sequence[tuple[Example, str]],
    tests: dict[str, list[Example]],
    number: int,
    seed: int,
) -> list[Trial]:
    """A generated task's two splits: some templates kept back from tuning, or none.

    solved: (example, rationale) pairs of the task's training templates. Both students
    get `number` pairs and are asked all of `tests`. Half of the second one's pairs are
    new exact ones of split "test_ood", drawn with `seed`: no question of a test.
    Raises UserError as `load_task` and `take` do.
    """
    tested = {example.question for asked in tests.values() for example in asked}
    drawn = load_task(task, "test_ood", number, seed=seed)
    others = [example for example in drawn if example.question not in tested]
    half = number // 2
    both = [
        *take(solved, number - half),
        *take(match(others, teacher_rationales(others)), half),
    ]
    return [
        ("template_split", list(take(solved, number)), tests),
        ("random_split", both, tests),
    ]


def trials_of_splits(
    tasks: str, rationale_file: str, teacher: str, style: str, seed: int
) -> list[Trial]:
    """Each task's two splits, made by others: at random, and by template.

    tasks: of Ho et al. 2022, such as "ho_multiarith, ho_date_understanding".
    rationale_file: one of those that lie together, named after their tasks,
    "multiarith.jsonl.gz". Each split is trained on and tested on its own, equally many
    right rationales in both, drawn with `seed`. Raises UserError as `load_task` and
    `teacher_rationales` do.
    """
    trials = []
    for task in listed(tasks):
        own = f"{task.removeprefix('ho_')}.jsonl.gz"
        file = str(Path(rationale_file).with_name(own))
        trials += _trials_of_a_task(task, file, teacher, style, seed)
    return trials


def _trials_of_a_task(task, rationale_file, teacher, style, seed) -> list[Trial]:
    trials = []
    for condition, by in (("random_split", ""), ("template_split", BY_TEMPLATE)):
        asked = load_task(task, f"train{by}")
        taught = teacher_rationales(asked, rationale_file, teacher, style)
        pairs = match(asked, keep_correct(taught))
        trials.append((condition, pairs, load_test_sets(f"{task}:test{by}")))
    fewest = min(len(pairs) for _, pairs, _ in trials)
    return [
        (condition, random.Random(seed).sample(pairs, fewest), tests)
        for condition, pairs, tests in trials
    ]


def demonstration_pool(tasks: str, size: int = 300) -> list[tuple[Example, str]]:
    """Training examples with their own rationales, for few-shot prompts to draw from.

    tasks: names separated by commas; empty for none. size: examples of each.
    Raises UserError as `load_task` does.
    """
    examples = [e for name in listed(tasks) for e in load_task(name, "train", size)]
    return [(example, example.rationale or "") for example in examples]


def general_pairs(count: int, seed: int, task: str = "micro_bbh") -> list[Pair]:
    """A task answered directly: general data to replay while a student is tuned."""
    examples = load_task(task, "train", count, seed=seed)
    return build_pairs([(e, "") for e in examples], "zero_shot_answer_only")


def measure(
    student: Student,
    test_sets: dict[str, list[Example]],
    prompt_formats: Sequence[str],
    asking: Asking,
    *,
    condition: str,
    step: int,
    seed: int,
    pool: Sequence[tuple[Example, str]] = (),
    output: str = "",
    judge: Callable[[Example, str], bool] | None = None,
) -> list[Score]:
    """Scores of one student on every test set, asked in every format.

    condition: how the student was tuned, step: for how many optimiser steps, seed: with
    which seed. pool: what few-shot prompts draw from. output: a folder that predictions
    are kept in, as <condition>-<step>-<task>-<prompt_format>.jsonl; empty keeps none.
    judge: whether a text counts as correct; None: it does where its answer is right.
    What is judged in two ways needs two labels in `test_sets`. Raises UserError as
    `ask` does, and where predictions cannot be written.
    """
    scores = []
    for prompt_format in prompt_formats:
        for task, examples in test_sets.items():
            asked = replace(asking, prompt_format=prompt_format)
            predictions = ask(student, examples, asked, pool)
            if judge:
                predictions = [
                    replace(p, correct=judge(example, p.text))
                    for example, p in zip(examples, predictions, strict=True)
                ]
            if output:
                name = f"{condition}-{step}-{task}-{prompt_format}.jsonl"
                save_predictions(Path(output) / name, predictions)
            scores.append(
                score(
                    student,
                    predictions,
                    task=task,
                    condition=condition,
                    seed=seed,
                    prompt_format=prompt_format,
                    step=step,
                )
            )
    return scores


def error_shares(examples: Sequence[Example], texts: Sequence[str]) -> dict:
    """Shares of the kinds of error that `verify` tells apart, "right" among them.

    examples: questions with a number for an answer. texts: what was written for each.
    The kinds are those of Wei et al. 2022, appendix D.
    """
    found = Counter(
        verify(example, text).error_kind or "right"
        for example, text in zip(examples, texts, strict=True)
    )
    return {kind: count / len(examples) for kind, count in sorted(found.items())}


def record_run(
    notebook: str,
    names: dict,
    scores: Sequence[Score],
    started: float,
    extra: dict | None = None,
) -> None:
    """Write a run's record, as its last act, where its parameter `record` says so.

    notebook: the file's name without .ipynb. names: the notebook's globals().
    started: time.time() at its beginning. extra: what else the record is to keep.
    Opened by hand a notebook has no record to write, and nothing is done. The file is
    looked for where the notebook works, then in the project's notebooks.
    Raises UserError where the record cannot be written.
    """
    if not names["record"]:
        return
    path, file = Path(names["record"]), Path(f"{notebook}.ipynb")
    if not file.is_file():
        file = project_folder() / "notebooks" / file
    write_record(
        path,
        run=path.stem,
        notebook=notebook,
        profile=names["profile"],
        parameters=values(file, names),
        seed=names["seed"],
        scores=scores,
        started=started,
        extra={
            "students": students_loaded(),
            "tunings": tunings_asked(),
            **(extra or {}),
        },
    )
