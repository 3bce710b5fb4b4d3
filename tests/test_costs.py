"""Costs: what tunings took, and what the cache saved of it."""

import pytest

from cotnb.results.costs import tuning_costs


def record(*tunings: tuple[str, bool, float]) -> dict:
    keys = ("tuning", "trained", "seconds")
    return {"extra": {"tunings": [dict(zip(keys, x, strict=True)) for x in tunings]}}


def test_a_tuning_that_two_runs_need_is_paid_once():
    records = [
        record(("a", True, 30.0), ("b", True, 10.0)),
        record(("a", False, 30.0), ("c", True, 10.0)),
        {"extra": {}},
    ]
    costs = tuning_costs(records)
    assert (costs.asked, costs.trained) == (4, 3)
    assert costs.saved == pytest.approx(30 / 80)
    assert costs.line() == (
        "tunings: 4 asked for, 3 trained; the cache saved 38% of 0.02 h"
    )


def test_records_that_tuned_nothing_saved_nothing():
    assert tuning_costs([]).saved == 0
    assert tuning_costs([record(("a", True, 0.0))]).saved == 0
