"""The generator itself as teacher: exact solutions, or with slips as teachers make."""

import itertools
import random
import re
from collections.abc import Iterable

from cotnb.errors import UserError
from cotnb.rationales.record import Rationale
from cotnb.tasks.example import Example
from cotnb.tasks.micro_voices import voiced
from cotnb.tasks.micro_world import LARGEST

SLIPS = (-10, -1, 1, 10)  # by how much a result is miscalculated
_EQUATION = re.compile(r"(\d+) [-+*/] (\d+) = (\d+)")
_RESULT = 3  # of its groups; the others are the operands


def from_generator(
    examples: Iterable[Example],
    error_rate: float = 0.0,
    seed: int = 0,
    voices: int = 1,
    hidden_error_rate: float = 0.0,
) -> list[Rationale]:
    """The generator itself as teacher: its exact solutions.

    error_rate: the share, 0 to 1, whose last result is miscalculated, so that the
    answer is wrong too; for whole numbers. hidden_error_rate: of the others, the share
    that come to the right answer by wrong steps: an earlier result is miscalculated,
    and the step that builds on it goes on from the wrong number to the right result.
    Teachers do so where they know or guess what is to come out; Ho et al. 2022 found
    a fault by hand in 47 of 170 right answers on dates. Solutions of one step have no
    room for it. voices: in how many ways steps are worded, drawn step by step; more
    than one for the micro-world alone. Raises UserError for an example whose solution
    is not known or has one wording, and for errors in an answer that is no number.
    """
    generator = random.Random(seed)
    rates = (error_rate, hidden_error_rate)
    return [_solve(e, generator, rates, _worded(e, voices, seed)) for e in examples]


def _worded(example: Example, voices: int, seed: int) -> str | None:
    if voices == 1:
        return example.rationale
    return voiced(example, random.Random(f"{seed}/{example.id}"), voices)


def _solve(
    example: Example,
    generator: random.Random,
    rates: tuple[float, float],
    text: str | None,
) -> Rationale:
    if not text:
        raise UserError(
            f"{example.id}: no solution is known; name a rationale file instead"
        )
    error_rate, hidden_error_rate = rates
    if any(rates) and example.answer_type != "number":
        raise UserError(f"{example.id}: errors are made in numbers, and it has none")
    prediction = example.answer
    if generator.random() < error_rate:
        prediction = str(_miscalculated(int(example.answer), generator))
        text = _ending_in(prediction, text, example.answer)
    elif hidden_error_rate and generator.random() < hidden_error_rate:
        text = _with_slips_that_cancel(text, generator)
    return Rationale(
        question=example.question,
        rationale=text,
        prediction=prediction,
        answer=example.answer,
        correct=prediction == example.answer,
        teacher="generator",
        style="erring" if any(rates) else "exact",
    )


def _ending_in(wrong: str, text: str, answer: str) -> str:
    """The text with the answer wrong where it last is a result, or last stands."""
    results = [m for m in _EQUATION.finditer(text) if m[_RESULT] == answer]
    begin, end = results[-1].span(_RESULT) if results else (0, 0)
    if not results and (begin := text.rfind(answer)) >= 0:
        end = begin + len(answer)
    return text[:begin] + wrong + text[end:] if end else text


def _miscalculated(result: int, generator: random.Random, least: int = 0) -> int:
    """The result after a slip, which goes the other way where it would show.

    It would where the right one cannot be: below `least`, or beyond the micro-world's
    largest number. A right one that is there itself sets no bound.
    """
    slip = generator.choice(SLIPS)
    wrong = result + slip
    shows = wrong < least <= result or wrong > LARGEST >= result
    return result - slip if shows else wrong


def _with_slips_that_cancel(text: str, generator: random.Random) -> str:
    """One result miscalculated, and carried wrong into the next step that takes it.

    That step keeps its right result, so that neither of the two equations holds. The
    text as it is where no step builds on another.
    """
    taken: dict[tuple[int, int], tuple[int, int]] = {}
    equations = _EQUATION.finditer(text)
    for one, later in itertools.combinations(equations, 2):
        for operand in (1, 2):
            if later[operand] == one[_RESULT]:
                taken.setdefault(one.span(_RESULT), later.span(operand))
    if not taken:
        return text
    stated, carried = generator.choice(list(taken.items()))
    result = int(text[slice(*stated)])
    wrong = _miscalculated(result, generator, least=2)  # as every result midway
    for begin, end in (carried, stated):
        text = f"{text[:begin]}{wrong}{text[end:]}"
    return text
