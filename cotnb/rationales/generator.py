"""The generator itself as teacher: exact solutions, or with slips as teachers make."""

import random
from collections.abc import Iterable

from cotnb.errors import UserError
from cotnb.rationales.record import Rationale
from cotnb.tasks.example import Example
from cotnb.tasks.micro_voices import voiced


def from_generator(
    examples: Iterable[Example],
    error_rate: float = 0.0,
    seed: int = 0,
    voices: int = 1,
) -> list[Rationale]:
    """The generator itself as teacher: its exact solutions.

    error_rate: the share, 0 to 1, whose last result is miscalculated, so that the
    answer is wrong too; for number answers. voices: in how many ways steps are worded,
    drawn step by step; more than one for the micro-world alone. Raises UserError for an
    example whose solution is not known or has one wording.
    """
    generator = random.Random(seed)
    return [
        _solve(e, generator, error_rate, _worded(e, voices, seed)) for e in examples
    ]


def _worded(example: Example, voices: int, seed: int) -> str | None:
    if voices == 1:
        return example.rationale
    return voiced(example, random.Random(f"{seed}/{example.id}"), voices)


def _solve(
    example: Example, generator: random.Random, error_rate: float, text: str | None
) -> Rationale:
    if not text:
        raise UserError(
            f"{example.id}: no solution is known; name a rationale file instead"
        )
    prediction = example.answer
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
