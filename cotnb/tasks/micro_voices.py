"""Several ways to word the same exact steps of a micro-world problem.

A step of the micro-world is a reason and an equation. Teachers word steps differently
from one solution to the next, which is what several rationales a question are sampled
for (Ho et al. 2022); the equations, and so what `verify` finds, stay as they are.
"""

import random
import re
from collections.abc import Callable

from cotnb.errors import UserError
from cotnb.tasks.example import Example
from cotnb.tasks.micro_templates import PEOPLE

_STEP = re.compile(r"(?P<reason>.+), so (?P<equation>\d+ [-+*/] \d+ = \d+)\.")
_FIRST, _NEXT, _LAST = "First", "Then", "In the end"


def _reason_first(reason: str, equation: str, lead: str) -> str:
    return f"{reason}, so {equation}."


def _equation_first(reason: str, equation: str, lead: str) -> str:
    return f"{equation}, as {_within(reason)}."


def _equation_alone(reason: str, equation: str, lead: str) -> str:
    return f"{equation}."


def _with_lead(reason: str, equation: str, lead: str) -> str:
    return f"{lead} {_within(reason)}: {equation}."


# from (reason, equation, a word of order) to a step; the first is the exact solution's
VOICES: tuple[Callable[[str, str, str], str], ...] = (
    _reason_first,
    _equation_first,
    _equation_alone,
    _with_lead,
)


def voiced(example: Example, rng: random.Random, voices: int = len(VOICES)) -> str:
    """The exact solution with each step in one of the first `voices`, drawn by `rng`.

    Raises UserError for an example whose steps are not the micro-world's, and for a
    number of voices that there is not.
    """
    if not 1 <= voices <= len(VOICES):
        raise UserError(f"voices={voices}: expected 1 to {len(VOICES)}")
    told = []
    for number, step in enumerate(example.steps or ()):
        parts = _STEP.fullmatch(step)
        if not parts:
            raise UserError(
                f"{example.id}: its steps have one wording; ask for 1 voice"
            )
        last = number == len(example.steps) - 1
        lead = _LAST if last and number else (_NEXT if number else _FIRST)
        told.append(rng.choice(VOICES[:voices])(parts[1], parts[2], lead))
    return " ".join(told)


def _within(reason: str) -> str:
    """A reason inside a sentence: a name keeps its capital, other words lose it."""
    first, space, rest = reason.partition(" ")
    return f"{first if first in PEOPLE else first.lower()}{space}{rest}"
