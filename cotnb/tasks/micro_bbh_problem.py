"""What every micro-BBH task is made with: a problem, its options, random draws.

A generator is a function of (rng, difficulty, answer): a numpy Generator, an integer
from 1 up, and the answer that the problem is to have, None where any will do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")

LETTERS = "ABC"
OPTIONS = "\nOptions:\n"
YES_OR_NO = f"{OPTIONS}- Yes\n- No"
VALID_OR_INVALID = f"{OPTIONS}- valid\n- invalid"


@dataclass(frozen=True)
class Problem:
    """A question, its canonical answer and the sentences that lead to it."""

    question: str
    answer: str
    steps: tuple[str, ...]

    @property
    def body(self) -> str:
        """The question without its options: it decides the split."""
        return self.question.partition(OPTIONS)[0]


def choice_problem(
    text: str, correct: str, wrong: Sequence[str], letter: str, steps: Sequence[str]
) -> Problem:
    """A problem whose lettered options are `wrong` in order and `correct` at `letter`.

    Raises ValueError where two options are the same.
    """
    options = [str(option) for option in wrong]
    options.insert(LETTERS.index(letter), str(correct))
    if len(set(options)) < len(options):
        raise ValueError(f"an option comes twice: {options}")
    lines = [
        f"({name}) {option}" for name, option in zip(LETTERS, options, strict=False)
    ]
    return Problem(text + OPTIONS + "\n".join(lines), letter, tuple(steps))


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    """One of the items."""
    return items[int(rng.integers(len(items)))]


def sample(rng: np.random.Generator, items: Sequence[T], count: int) -> list[T]:
    """`count` different ones of the items, in random order."""
    return [items[int(i)] for i in rng.permutation(len(items))[:count]]


def listing(items: Sequence[str]) -> str:
    """ "a", "a and b", "a, b, and c"."""
    if len(items) < 3:
        return " and ".join(items)
    return f"{', '.join(items[:-1])}, and {items[-1]}"


def with_article(noun: str) -> str:
    """ "a pen", "an apple"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def sentence(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[0].upper() + text[1:]
