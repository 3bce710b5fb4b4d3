"""Micro-world problems that come again with other numbers, as in many a user's file."""

import random
import re
from dataclasses import replace

from cotnb.errors import UserError
from cotnb.tasks.example import Example
from cotnb.tasks.micro_templates import OPERAND_WORDS
from cotnb.tasks.micro_world import (
    AMBIGUOUS,
    LARGEST,
    OPERATIONS,
    load_micro_world,
    split_of,
)

TRIES = 2_000  # draws of a problem's numbers; most are not whole or too large
SPARE = 8  # problems drawn for each one that is needed: not all can be renumbered
_SMALL, _MOST = 12, 40  # what numbers up to the first, and what others, may become
_NUMBER = re.compile(r"\d+")
_EQUATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")


def load_renumbered(
    split: str, size: int, copies: int, seed: int = 0, steps: tuple[int, ...] = (2, 3)
) -> list[Example]:
    """`size` problems, `copies` side by side that differ in their numbers alone.

    split, seed, steps: as `load_micro_world` takes them; each copy is of that split and
    has its own exact steps and answer. Problems in which two numbers are equal are left
    out, as it could not be told which of them a step takes: of many steps few are left.
    Raises UserError as `load_micro_world` does, for fewer than one copy, and where too
    few problems can be renumbered.
    """
    if copies < 1:
        raise UserError(f"copies={copies}: expected 1 or more")
    rng = random.Random(f"micro_world_renumbered/{split}/{seed}")
    examples: list[Example] = []
    for one in load_micro_world(split, SPARE * -(-size // copies), seed, steps):
        alike = _copies(one, copies, rng)
        examples += alike if len(alike) == copies else []
        if len(examples) >= size:
            return [replace(e, index=i) for i, e in enumerate(examples[:size])]
    raise UserError(
        f"{len(examples)} renumbered problems of {steps} steps, not {size}: ask for "
        "fewer copies or fewer steps"
    )


def _copies(example: Example, count: int, rng: random.Random) -> list[Example]:
    """The problem itself first; fewer than `count` where no others were found."""
    found = {example.question: example}
    for _ in range(TRIES if _numbers_differ(example) else 0):
        if len(found) == count:
            break
        other = _renumbered(example, rng)
        if other and example.split in ("test_ood", split_of(other.question)):
            found.setdefault(other.question, other)
    return list(found.values())


def _numbers_differ(example: Example) -> bool:
    """Whether no two of its numbers, results and words for numbers are equal."""
    words = set(re.findall("[a-z]+", example.question.lower()))
    numbers = [
        *map(int, _NUMBER.findall(example.question)),
        *(int(_EQUATION.search(step)[4]) for step in example.steps),
        *{number for word, number in OPERAND_WORDS.items() if word in words},
    ]
    return len(set(numbers)) == len(numbers)


def _renumbered(example: Example, rng: random.Random) -> Example | None:
    """The problem with numbers drawn anew, solved; None where one does not fit."""
    new = {}  # old number -> new one
    for number in _NUMBER.findall(example.question):
        new[number] = str(rng.randint(2, _SMALL if int(number) <= _SMALL else _MOST))
    for step in example.steps:
        left, op, right, result = _EQUATION.search(step).groups()
        # an operand that is not new stands in the question as a word, such as "half"
        a, b = (int(new.get(number, number)) for number in (left, right))
        value = OPERATIONS[op](a, b)
        whole = op != "/" or value * b == a
        if not whole or (a, op, b) in AMBIGUOUS or not 2 <= value <= LARGEST:
            return None
        new[result] = str(value)

    def told(text: str) -> str:
        return _NUMBER.sub(lambda number: new.get(number[0], number[0]), text)

    steps = tuple(map(told, example.steps))
    return replace(
        example,
        question=told(example.question),
        answer=new[example.answer],
        steps=steps,
        rationale=" ".join(steps),
    )
