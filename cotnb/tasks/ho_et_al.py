"""The task files of Ho et al. 2022 (itsnamgyu/reasoning-teacher), one JSONL a task.

A row: index, question, answer, split, and for some tasks template_split, in which no
template stands on both sides.
"""

import json
from pathlib import Path

from cotnb.answers import canonical
from cotnb.errors import UserError
from cotnb.paths import beside_mirror, named_folder
from cotnb.tasks.example import Example

BY_TEMPLATE = "_by_template"  # ends the name of a split that keeps templates apart
HO_ET_AL_TASKS = {
    "multiarith": "number",
    "date_understanding": "choice",
    "tracking_shuffled_objects": "choice",
    "coin_flip": "yes_no",
    "last_letter_concatenation": "text",
}


def load_ho_et_al(name: str, split: str) -> list[Example]:
    """One split of a task of Ho et al. 2022: "train" or "test".

    name: a key of HO_ET_AL_TASKS. "train_by_template" and "test_by_template", which
    MultiArith and dates have, keep templates apart: it is another split of the same
    questions. The folder is COTNB_TASK_FILES, or `tasks` beside the mirror's folder.
    Questions are laid out as text-davinci-002 was asked them (Kojima et al. 2022), so
    that its rationales are found by them; but dates it was asked with the choices in
    another order, which `teacher_rationales` sets right.
    Raises UserError where the file is not there, has no such split, or is malformed.
    """
    path = _folder() / f"{name}.jsonl"
    if not path.is_file():
        raise UserError(
            f"{path}: not there; set COTNB_TASK_FILES to the folder with {name}.jsonl"
        )
    rows = _rows(path)
    part = split.removesuffix(BY_TEMPLATE)
    field = "split" if part == split else "template_split"
    own = [_example(name, split, row, path) for row in rows if row.get(field) == part]
    if not own:
        there = {row["split"] for row in rows}
        by_template = {row.get("template_split") for row in rows} - {None}
        there |= {f"{one}{BY_TEMPLATE}" for one in by_template}
        raise UserError(
            f"ho_{name}: no split {split!r}; it has {', '.join(sorted(there))}"
        )
    return own


def _folder() -> Path:
    if folder := named_folder("COTNB_TASK_FILES"):
        return folder
    if folder := beside_mirror("tasks"):
        return folder
    raise UserError(
        "the task files of Ho et al. are not on the hub: set COTNB_TASK_FILES to "
        "their folder"
    )


def _rows(path: Path) -> list[dict]:
    rows = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            row["question"], row["answer"], row["index"], row["split"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path}, line {number}: expected index, question, answer and split"
            ) from error
        rows.append(row)
    return rows


def _example(name: str, split: str, row: dict, path: Path) -> Example:
    kind = HO_ET_AL_TASKS[name]
    question = " ".join(str(row["question"]).split())
    answer = canonical(str(row["answer"]), kind)
    if not question or answer is None:
        raise UserError(
            f"{path}, index {row['index']}: no question or no {kind} answer"
        )
    if name == "tracking_shuffled_objects":
        question = _as_asked(question)
    return Example(
        task=f"ho_{name}",
        split=split,
        index=row["index"],
        question=question,
        answer=answer,
        answer_type=kind,
    )


def _as_asked(question: str) -> str:
    asked, lead, choices = question.partition("Which choice is true? Answer choices: ")
    if not lead:
        return question
    listed = choices.replace(", (", ". (")
    return f"{asked}Which choice is true ? Answer Choices: {listed}"
