"""What every notebook does with students and test sets, in few lines."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cotnb.errors import UserError
from cotnb.evaluation import Asking, ask, save_predictions, score
from cotnb.formats import Pair, build_pair
from cotnb.notebook_parameters import values
from cotnb.paths import project_folder
from cotnb.results import Score, write_record
from cotnb.students import Student
from cotnb.tasks import Example, load_task
from cotnb.training import tunings_asked


def load_test_sets(
    text: str, size: int | None = None, seed: int = 0
) -> dict[str, list[Example]]:
    """Test sets by label, from "svamp:test, gsm_symbolic:test_same_templates".

    size: questions of each; None is all. A label is the task's name and what its split
    is called beyond "test": "svamp", "gsm_symbolic_same_templates".
    Raises UserError where the text is of another form or a split is for training.
    """
    sets = {}
    for part in text.split(","):
        task, colon, split = part.strip().partition(":")
        if not colon or not split.startswith(("test", "dev")):
            raise UserError(
                f"test_tasks {text!r}: expected task:split, with split test… or dev, "
                "separated by commas"
            )
        label = task + split.removeprefix("test")
        sets[label] = load_task(task, split, size, seed=seed)
    return sets


def build_pairs(
    solved: Sequence[tuple[Example, str]], prompt_format: str
) -> list[Pair]:
    """Zero-shot training pairs of (example, rationale) pairs, in their order."""
    return [build_pair(example, prompt_format, text) for example, text in solved]


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
) -> list[Score]:
    """Scores of one student on every test set, asked in every format.

    condition: how the student was tuned, step: for how many optimiser steps, seed: with
    which seed. pool: what few-shot prompts draw from. output: a folder that predictions
    are kept in, as
    <condition>-<task>-<prompt_format>.jsonl; empty keeps none.
    """
    scores = []
    for prompt_format in prompt_formats:
        for task, examples in test_sets.items():
            asked = replace(asking, prompt_format=prompt_format)
            predictions = ask(student, examples, asked, pool)
            if output:
                name = f"{condition}-{task}-{prompt_format}.jsonl"
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


def record_run(
    notebook: str, names: dict, scores: Sequence[Score], started: float
) -> None:
    """Write a run's record, as its last act, where its parameter `record` says so.

    notebook: the file's name without .ipynb. names: the notebook's globals().
    started: time.time() at its beginning. Opened by hand a notebook has no record to
    write, and nothing is done. Raises UserError where the record cannot be written.
    """
    if not names["record"]:
        return
    path = Path(names["record"])
    write_record(
        path,
        run=path.stem,
        notebook=notebook,
        profile=names["profile"],
        parameters=values(project_folder() / "notebooks" / f"{notebook}.ipynb", names),
        seed=names["seed"],
        scores=scores,
        started=started,
        extra={"tunings": tunings_asked()},
    )
