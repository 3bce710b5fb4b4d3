"""Results: a run's record, the tables, claims and figures that are made of records."""

from cotnb.results.tables import (
    aggregate,
    errors_by_size,
    mean_extra,
    outcomes_frame,
    pool_seeds,
    scores_frame,
    split_by_part,
    tidy,
)

__all__ = [
    "aggregate",
    "errors_by_size",
    "mean_extra",
    "outcomes_frame",
    "pool_seeds",
    "scores_frame",
    "split_by_part",
    "tidy",
]
