"""Divergence: by hand, by finite differences, as cross-entropy where it must be."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cotnb.recipes import Recipe
from cotnb.training.cross_entropy import IGNORED, summed_cross_entropy
from cotnb.training.divergence import Soft, lay_out, summed_divergence
from cotnb.training.matching import soft_target

SIZE = 7
LABELS = [2, 0, 4, 6]
# of a teacher's three likeliest tokens; nothing where its token is not the student's
CARRIED = [{2: 0.5, 3: 0.2, 5: 0.1}, {0: 0.9}, {}, {6: 0.25, 4: 0.75}]
OPTIONS = [
    (mass, heat)
    for mass in ("dropped", "renormalised", "spread")
    for heat in (1.0, 2.0, 0.5)
]


def recipe(missing_mass: str, temperature: float) -> Recipe:
    return Recipe(
        matching="distribution", missing_mass=missing_mass, temperature=temperature
    )


def logits() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 3 * torch.randn(len(LABELS), SIZE, generator=generator)


def laid(missing_mass: str, temperature: float) -> dict[str, torch.Tensor]:
    soft = soft_target(LABELS, CARRIED, SIZE, recipe(missing_mass, temperature))
    return lay_out([soft], torch.tensor(LABELS))


def teacher(place: int, missing_mass: str, temperature: float) -> list[float]:
    """What is to be learnt at a place, written out over the whole vocabulary."""
    found = CARRIED[place]
    if not found:
        return [float(token == LABELS[place]) for token in range(SIZE)]
    missing, others = 1 - sum(found.values()), SIZE - len(found)
    rest = missing / others if missing_mass == "spread" else 0.0
    whole = sum(found.values()) if missing_mass == "dropped" else 1.0
    hot = [found.get(token, rest) ** (1 / temperature) for token in range(SIZE)]
    return [whole * value / sum(hot) for value in hot]


@pytest.mark.parametrize(("missing_mass", "temperature"), OPTIONS)
def test_it_is_the_divergence_written_out(missing_mass, temperature):
    found = summed_divergence(logits(), laid(missing_mass, temperature)).item()
    expected = 0.0
    for place, row in enumerate(logits().tolist()):
        heat = temperature if CARRIED[place] else 1.0
        total = sum(math.exp(value / heat) for value in row)
        for value, p in zip(
            row, teacher(place, missing_mass, temperature), strict=True
        ):
            if p > 0:
                student = math.exp(value / heat) / total
                expected += heat**2 * p * math.log(p / student)
    assert found == pytest.approx(expected, rel=1e-5)


def test_a_position_by_hand():
    """KL of (1/2, 1/4, 1/4) from (1/4, 1/4, 1/2): log(2)/2 - log(2)/4."""
    soft = soft_target([0], [{0: 0.5, 1: 0.25, 2: 0.25}], 3, recipe("dropped", 1.0))
    student = torch.tensor([[0.25, 0.25, 0.5]]).log()
    found = summed_divergence(student, lay_out([soft], torch.tensor([0])))
    assert found.item() == pytest.approx(math.log(2) / 4)


@pytest.mark.parametrize(("missing_mass", "temperature"), OPTIONS)
def test_the_gradient_is_that_of_finite_differences(missing_mass, temperature):
    soft = laid(missing_mass, temperature)
    own = logits().requires_grad_()
    (summed_divergence(own * 1, soft) / 4).backward()  # a leaf must not be overwritten
    step = 1e-2
    for place in range(len(LABELS)):
        for token in range(SIZE):
            nudge = torch.zeros(len(LABELS), SIZE)
            nudge[place, token] = step
            above, below = (
                summed_divergence(logits() + sign * nudge, soft).item()
                for sign in (1, -1)
            )
            expected = (above - below) / (2 * step) / 4
            assert own.grad[place, token].item() == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("at_once", [1, 3 * SIZE, 2**20])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_is_cross_entropy_where_nothing_is_carried(at_once, dtype, monkeypatch):
    """Row by row, in uneven pieces, all at once; with labels that do not count."""
    monkeypatch.setattr("cotnb.training.loss_in_parts.LOGITS_AT_ONCE", {"cpu": at_once})
    labels = torch.tensor([2, IGNORED, 4, 6])
    soft = soft_target([2, 4, 6], [{}] * 3, SIZE, recipe("spread", 2.0))
    values = []
    for loss, asked in (
        (summed_divergence, lay_out([soft], labels)),
        (summed_cross_entropy, labels),
    ):
        own = logits().to(dtype).requires_grad_()
        found = loss(own * 1, asked)
        found.backward()
        values.append((found.item(), own.grad))
    assert values[0][0] == pytest.approx(values[1][0], rel=1e-5)
    torch.testing.assert_close(values[0][1], values[1][1])
    assert not values[0][1][1].any()


def test_rows_lie_as_their_batchs_labels_do():
    """Two pairs, padded to one width: what is to be learnt stands at its label."""
    rows = [
        soft_target(own, [{own[0]: 0.5, 1: 0.25}, {}], SIZE, recipe("spread", 2.0))
        for own in ([3, 5], [4, 6])
    ]
    labels = torch.tensor([[3, 5, IGNORED], [4, 6, IGNORED]])
    found = lay_out(rows, labels)
    assert found["ids"][:, 0].tolist() == [3, 5, 0, 4, 6, 0]
    assert found["temperature"].tolist() == [2, 1, 1, 2, 1, 1]
    assert found["above"][2].tolist() == found["above"][5].tolist() == [0, 0]


def test_the_least_divergence_is_where_the_student_is_the_teacher():
    """And it is 0 but where mass was dropped, which no student can match."""
    for missing_mass in ("renormalised", "spread"):
        soft = laid(missing_mass, 1.0)
        same = torch.tensor([teacher(i, missing_mass, 1.0) for i in range(4)])
        found = summed_divergence(same.clamp(min=1e-30).log(), soft)
        assert found.item() == pytest.approx(0, abs=1e-5)


def test_a_soft_target_adds_up_to_what_is_kept():
    for missing_mass, sums in (("dropped", 0.8), ("renormalised", 1), ("spread", 1)):
        soft: Soft = soft_target(LABELS, CARRIED, SIZE, recipe(missing_mass, 3.0))
        mass = soft.above.sum(1) + SIZE * soft.rest
        np.testing.assert_allclose(mass[0], sums, rtol=1e-6)
    uniform = F.softmax(torch.zeros(SIZE), 0).numpy()
    hot = soft_target([0], [{0: 1e-3}], SIZE, recipe("spread", 1e6))
    np.testing.assert_allclose(hot.above + hot.rest, uniform[:1][None], rtol=1e-4)
