"""Tuning: pairs as batches, their losses, and a student tuned once a recipe."""

from cotnb.training.tuning import (
    build_trainer,
    tune,
    tune_in_steps,
    tuning_history,
)

__all__ = ["build_trainer", "tune", "tune_in_steps", "tuning_history"]
