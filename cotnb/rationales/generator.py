"""The generator itself as teacher: exact solutions, or with slips as teachers make."""

import random
from collections.abc import Iterable

from cotnb.errors import UserError
from cotnb.rationales.record import Rationale
from cotnb.tasks.example import Example


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
