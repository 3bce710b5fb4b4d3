"""Intervals hold what they promise: known values, and coverage on simulated data."""

import numpy as np
import pytest

from cotnb.statistics import (
    _t_end,
    bootstrap_sum,
    hierarchical_bootstrap,
    pooled_interval,
    wilson_interval,
)

TRUTH = 0.1


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (81, 263, 0.2553, 0.3662),  # Newcombe (1998), table I
    ],
)
def test_wilson_gives_known_values(correct, n, low, high):
    assert wilson_interval(correct, n) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize("n", [0, 3])
def test_wilson_refuses_counts_that_cannot_be(n):
    with pytest.raises(ValueError):
        wilson_interval(4, n)


def _simulate(generator, seeds, questions, shared, spread=0.05):
    """Differences with a true mean of TRUTH: seeds vary, and questions do."""
    of_seed = generator.normal(0, spread, (seeds, 1))
    of_question = generator.normal(0, 0.4, (1 if shared else seeds, questions))
    rest = generator.normal(0, 0.2, (seeds, questions))
    differences = TRUTH + of_seed + of_question + rest
    return differences if shared else list(differences)


# of seeds: far below, like, and far above that of sixty questions
@pytest.mark.parametrize("spread", [0.01, 0.05, 0.5])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("seeds", [3, 5])
def test_a_bootstrap_interval_covers_the_truth_19_times_in_20(
    seeds, shared, spread, monkeypatch
):
    monkeypatch.setattr("cotnb.statistics.RESAMPLES", 500)
    generator = np.random.default_rng(seeds)
    held = 0
    for _ in range(200):
        differences = _simulate(generator, seeds, 60, shared, spread)
        _, low, high = hierarchical_bootstrap(differences, generator)
        held += low <= TRUTH <= high
    # above 0.95 where each seed has questions of its own: these are counted twice
    assert 0.90 <= held / 200 <= 0.995


@pytest.mark.parametrize("seeds", [3, 5])
def test_normal_tails_would_cover_too_little_where_seeds_differ(seeds, monkeypatch):
    """The broken variant: the test above can tell it from the right one."""
    monkeypatch.setattr("cotnb.statistics._t_end", lambda *_: 0.0)
    monkeypatch.setattr("cotnb.statistics.RESAMPLES", 500)
    generator = np.random.default_rng(seeds)
    held = 0
    for _ in range(200):
        differences = _simulate(generator, seeds, 60, True, 0.5)
        _, low, high = hierarchical_bootstrap(differences, generator)
        held += low <= TRUTH <= high
    assert held / 200 < 0.90


def test_shared_questions_drawn_seed_by_seed_would_cover_too_little(monkeypatch):
    """The broken variant: the test above can tell it from the right one."""
    monkeypatch.setattr("cotnb.statistics.RESAMPLES", 500)
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        differences = list(_simulate(generator, 5, 60, shared=True))
        _, low, high = hierarchical_bootstrap(differences, generator)
        held += low <= TRUTH <= high
    assert held / 200 < 0.90


def test_one_seed_resamples_questions_alone():
    differences = np.random.default_rng(0).normal(size=(1, 400))
    estimate, low, high = hierarchical_bootstrap(differences, np.random.default_rng(1))
    assert estimate == pytest.approx(differences.mean())
    error = differences.std() / 20
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.05)


def test_the_seeds_spread_widens_the_interval():
    level = np.zeros((3, 200))
    spread = level + np.array([[-0.2], [0.0], [0.2]])
    assert hierarchical_bootstrap(level, np.random.default_rng(0)) == (0, 0, 0)
    _, low, high = hierarchical_bootstrap(spread, np.random.default_rng(0))
    assert low < -0.15 and high > 0.15


# of the t distribution's table: 2.5% beyond, by degrees of freedom
@pytest.mark.parametrize(("seeds", "t"), [(2, 12.706), (3, 4.303), (5, 2.776)])
def test_where_seeds_alone_vary_the_interval_is_students(seeds, t):
    means = np.arange(seeds) / 10
    differences = np.repeat(means[:, None], 50, axis=1)
    estimate, low, high = hierarchical_bootstrap(differences, np.random.default_rng(0))
    assert estimate == pytest.approx(means.mean())
    reach = t * means.std(ddof=1) / np.sqrt(seeds)
    assert (high - low) / 2 == pytest.approx(reach, rel=0.03)


def test_degrees_of_freedom_grow_as_the_seeds_part_shrinks():
    # two seeds, 1 apart: 0.25 of the variance of their mean
    assert _t_end(np.array([0.0, 1.0]), 0.25, 0.025) == pytest.approx(12.706, abs=1e-3)
    # half of all: Welch and Satterthwaite's 1 / 0.5 ** 2 degrees of freedom
    assert _t_end(np.array([0.0, 1.0]), 0.5, 0.025) == pytest.approx(2.776, abs=1e-3)


def test_the_same_generator_gives_the_same_interval_at_any_chunk_size(monkeypatch):
    differences = np.random.default_rng(0).normal(size=(3, 50))
    first = hierarchical_bootstrap(differences, np.random.default_rng(1))
    assert first == hierarchical_bootstrap(differences, np.random.default_rng(1))
    monkeypatch.setattr("cotnb.statistics.CELLS_AT_ONCE", 53 * 100)
    small = hierarchical_bootstrap(differences, np.random.default_rng(1))
    assert small == pytest.approx(first, abs=0.05)


def test_two_tasks_vary_on_their_own():
    block = np.random.default_rng(0).normal(size=(1, 300))
    one = bootstrap_sum([block], np.random.default_rng(1))
    two = bootstrap_sum([block, -block], np.random.default_rng(1))
    assert two[0] == pytest.approx(0)
    ratio = (two[2] - two[1]) / (one[2] - one[1])
    assert ratio == pytest.approx(np.sqrt(2), rel=0.05)


def test_blocks_need_the_same_seeds_and_questions():
    with pytest.raises(ValueError, match="same seeds"):
        bootstrap_sum([np.ones((2, 3)), np.ones((3, 3))], np.random.default_rng(0))
    with pytest.raises(ValueError, match="no questions"):
        hierarchical_bootstrap(np.ones((2, 0)), np.random.default_rng(0))


@pytest.mark.parametrize(("share", "right"), [(0.0, 0), (1.0, 24)])
def test_none_or_all_right_is_not_certain(share, right):
    found = pooled_interval(np.full(3, share), 24, np.random.default_rng(0))
    assert found == (share, *wilson_interval(right, 24))


def test_pooling_equal_seeds_does_not_pass_for_more_questions():
    one = pooled_interval(np.array([0.3]), 100, np.random.default_rng(0))
    five = pooled_interval(np.full(5, 0.3), 100, np.random.default_rng(0))
    assert five[0] == pytest.approx(0.3)
    assert five[2] - five[1] == pytest.approx(one[2] - one[1], rel=0.05)
    assert one[1:] == pytest.approx(wilson_interval(30, 100), abs=0.02)
