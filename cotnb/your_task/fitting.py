"""Pairs to tune on: rationales or answers alone, as many of each, none too long."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cotnb.errors import UserError
from cotnb.experiment import build_pairs, general_pairs, repeated
from cotnb.formats import Pair
from cotnb.students import Student
from cotnb.tasks.example import Example
from cotnb.your_task.room import lengths, pairs_that_fit

DIRECT = "zero_shot_answer_only"


@dataclass(frozen=True)
class Fitting:
    """Pairs to tune on by condition, of how many questions some were too long,

    and the longest target.
    """

    pairs: dict[str, list[Pair]]
    too_long: int
    longest: int


def training_pairs(
    train: Sequence[Example],
    solved: Sequence[tuple[Example, str]],
    teach: str,
    seed: int,
) -> dict[str, list[Pair]]:
    """The pairs of each tuning, by condition: "cot" where there are rationales.

    Where rationales are what is taught, answers are those of the same questions, shown
    as often, so that both tunings take equally many steps. Else they are all.
    """
    if teach != "cot":
        return {"answer_only": build_pairs([(e, "") for e in train], DIRECT)}
    cot = build_pairs(solved, "zero_shot_cot")
    once = list({example.id: (example, "") for example, _ in solved}.values())
    answers = repeated(build_pairs(once, DIRECT), len(cot), seed)
    return {"cot": cot, "answer_only": answers}


def with_general(
    pairs: Mapping[str, Sequence[Pair]], share: float, task: str, seed: int
) -> dict[str, list[Pair]]:
    """Each tuning's pairs and general ones on top, so that these are `share` of all.

    share: 0 to below 1. task: whose training questions they are, answered directly.
    Raises UserError as `load_task` does.
    """
    mixed = {}
    for condition, own in pairs.items():
        count = round(len(own) * share / (1 - share))
        mixed[condition] = [*own, *(general_pairs(count, seed, task) if count else [])]
    return mixed


def fitting(
    student: Student,
    train: Sequence[Example],
    solved: Sequence[tuple[Example, str]],
    teach: str,
    max_length: int,
    seed: int,
) -> Fitting:
    """`training_pairs` of what is not too long to be tuned on, as many of each tuning.

    max_length: as `Recipe` has it. Raises UserError where nothing is left.
    """
    asked = list(solved) if teach == "cot" else [(example, "") for example in train]
    ways = ["zero_shot_cot", DIRECT] if teach == "cot" else [DIRECT]
    fit = [pairs_that_fit(student, build_pairs(asked, way), max_length) for way in ways]
    fits = [
        one
        for one, in_all in zip(asked, zip(*fit, strict=True), strict=True)
        if all(in_all)
    ]
    if not fits:
        raise UserError(
            f"every question or rationale is too long for {student.name} or for "
            f"max_length, {max_length} tokens: shorten them"
        )
    left = {example.id: example for example, _ in fits}
    pairs = training_pairs(list(left.values()), fits, teach, seed)
    targets = [pair.target for own in pairs.values() for pair in own]
    lost = {example.id for example, _ in asked} - set(left)
    return Fitting(pairs, len(lost), max(lengths(student, targets)))


def too_long(questions: int) -> str:
    """What is said of training questions that did not fit."""
    return (
        f"{questions:,} training questions, or rationales of theirs, are too long for "
        "a step and were left out"
    )
