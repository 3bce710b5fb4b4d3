"""Rationales: the record that teachers share, files of them, and filters."""

import gzip
import json
import os
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cotnb.errors import UserError
from cotnb.tasks.example import Example

FIELDS = ("question", "rationale", "prediction", "answer", "teacher", "style")


@dataclass(frozen=True)
class Rationale:
    """One solution that a teacher wrote for a question.

    prediction: the answer that the teacher came to. correct: whether it is right.
    style: how the teacher was asked, such as a level of detail.
    """

    question: str
    rationale: str
    prediction: str
    answer: str
    correct: bool
    teacher: str
    style: str


@dataclass(frozen=True)
class RationaleFile:
    """The rationales of a file and the numbers of its malformed lines, skipped."""

    rationales: list[Rationale]
    malformed_lines: list[int]


def from_generator(
    examples: Iterable[Example], error_rate: float = 0.0, seed: int = 0
) -> list[Rationale]:
    """The generator itself as teacher: its exact solutions.

    error_rate: the share, 0 to 1, whose last result is miscalculated, so that the
    answer is wrong too; for number answers. Raises UserError for an example whose
    solution is not known.
    """
    generator = random.Random(seed)
    return [_solve(e, generator, error_rate) for e in examples]


def _solve(example: Example, generator: random.Random, error_rate: float) -> Rationale:
    if not example.rationale:
        raise UserError(
            f"{example.id}: no solution is known; name a rationale file instead"
        )
    text, prediction = example.rationale, example.answer
    if generator.random() < error_rate:
        prediction = str(int(example.answer) + generator.choice([-10, -1, 1, 10]))
        before, found, after = text.rpartition(example.answer)
        text = before + prediction + after if found else text
    return Rationale(
        question=example.question,
        rationale=text,
        prediction=prediction,
        answer=example.answer,
        correct=prediction == example.answer,
        teacher="generator",
        style="erring" if error_rate else "exact",
    )


def teacher_rationales(
    examples: Sequence[Example],
    rationale_file: str = "",
    teacher: str = "",
    style: str = "",
) -> list[Rationale]:
    """A teacher's rationales for examples: of a file, or without one the exact ones."""
    if not rationale_file:
        return from_generator(examples)
    return by_teacher(from_file(rationale_file).rationales, teacher, style)


def from_file(path: str | Path) -> RationaleFile:
    """A JSONL or JSONL.gz file of rationales, one object a line.

    Fields: question, rationale, prediction, answer, teacher, style; `correct` where it
    is not given is prediction == answer. Rows of split "test" are left out. Malformed
    lines are skipped and their numbers (from 1) kept. Raises UserError where the file
    is not there or no line of it is a rationale.
    """
    path = find_file(str(path))
    rationales, malformed = [], []
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    row = json.loads(line)
                    if row.get("split") != "test":
                        rationales.append(_read(row))
                except (ValueError, KeyError, TypeError, AttributeError):
                    malformed.append(number)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: unreadable ({error}); fetch it again") from error
    if not rationales:
        raise UserError(f"{path}: no line holds {', '.join(FIELDS)}")
    return RationaleFile(rationales, malformed)


def _read(row: dict) -> Rationale:
    values = {field: str(row[field]).strip() for field in FIELDS}
    if not values["question"] or not values["rationale"]:
        raise ValueError("empty question or rationale")
    correct = row.get("correct", values["prediction"] == values["answer"])
    return Rationale(correct=bool(correct), **values)


def find_file(name: str) -> Path:
    """A rationale file by path, or by name in the folder of rationale files.

    That folder is COTNB_RATIONALES, or `rationales` beside the mirror's folder.
    Raises UserError naming every place that was looked at.
    """
    places = [Path(name).expanduser()]
    if folder := os.environ.get("COTNB_RATIONALES"):
        places.append(Path(folder).expanduser() / name)
    if mirror := os.environ.get("COTNB_MIRROR"):
        places.append(Path(mirror).expanduser().parent / "rationales" / name)
    for place in places:
        if place.is_file():
            return place
    looked = ", ".join(str(place) for place in places)
    raise UserError(
        f"rationale file {name}: not at {looked}; set COTNB_RATIONALES to its folder"
    )


def by_teacher(
    rationales: Iterable[Rationale], teacher: str, style: str
) -> list[Rationale]:
    """One teacher's rationales of one style; UserError naming what there is instead."""
    rationales = list(rationales)
    chosen = [r for r in rationales if (r.teacher, r.style) == (teacher, style)]
    if not chosen:
        there = sorted({f"{r.teacher}/{r.style}" for r in rationales})
        raise UserError(
            f"no rationales by {teacher}/{style}; there are {', '.join(there)}"
        )
    return chosen


def keep_correct(rationales: Iterable[Rationale]) -> list[Rationale]:
    """The answer filter: rationales that come to the right answer (Ho et al. 2022)."""
    return [r for r in rationales if r.correct]


def keep_distinct(rationales: Iterable[Rationale]) -> list[Rationale]:
    """The first of those that differ in case and spacing alone."""
    kept = {}
    for r in rationales:
        key = (_plain(r.question), _plain(r.rationale))
        kept.setdefault(key, r)
    return list(kept.values())


def match(
    examples: Sequence[Example],
    rationales: Iterable[Rationale],
    per_question: int = 1,
    seed: int = 0,
) -> list[tuple[Example, str]]:
    """(example, rationale) pairs: up to `per_question` for each example.

    Matched by the question's text. Where a question has more, a seeded draw of them;
    examples without any are left out.
    """
    by_question = defaultdict(list)
    for r in rationales:
        by_question[_plain(r.question)].append(r.rationale)
    pairs = []
    for example in examples:
        known = by_question.get(_plain(example.question), [])
        if len(known) > per_question:
            known = random.Random(f"{seed}/{example.id}").sample(known, per_question)
        pairs += [(example, rationale) for rationale in known]
    return pairs


def _plain(text: str) -> str:
    return " ".join(text.split()).lower()
