"""Figures: one function each; takes a table, returns a matplotlib Figure."""

from cotnb.plots.board import verdicts_by_profile
from cotnb.plots.conditions import accuracy_by_condition
from cotnb.plots.curves import learning_curve, pretraining_curve
from cotnb.plots.errors import error_kinds
from cotnb.plots.lines import (
    accuracy_by_amount,
    accuracy_by_checkpoint,
    accuracy_by_number_of_steps,
    accuracy_by_size,
)
from cotnb.plots.one_run import before_and_after
from cotnb.plots.style import FLOW_KINDS, FORMAT_LABELS, STYLE, as_png, task_label
from cotnb.plots.verdicts import verdict_board
from cotnb.plots.yields import recipe_yields

__all__ = [
    "FLOW_KINDS",
    "FORMAT_LABELS",
    "STYLE",
    "accuracy_by_amount",
    "accuracy_by_checkpoint",
    "accuracy_by_condition",
    "accuracy_by_number_of_steps",
    "accuracy_by_size",
    "as_png",
    "before_and_after",
    "error_kinds",
    "learning_curve",
    "pretraining_curve",
    "recipe_yields",
    "task_label",
    "verdict_board",
    "verdicts_by_profile",
]
