"""A teacher made here: tuned on exact solutions, it errs as teachers do."""

from collections.abc import Sequence

from cotnb.experiment import build_pairs
from cotnb.rationales.local_teacher import LocalTeacher
from cotnb.recipes import Recipe
from cotnb.tasks.example import Example
from cotnb.training import tune


def tuned_teacher(
    student: str,
    solved: Sequence[tuple[Example, str]],
    recipe: Recipe,
    demonstrations: int = 3,
) -> LocalTeacher:
    """A local teacher that can be asked with demonstrations, without, and with hints.

    solved: (example, rationale) pairs; each is learnt in the three ways. The recipe
    decides how good a teacher it is. Raises what `build_pairs` and `tune` raise.
    """
    shown = {"demonstrations": demonstrations, "seed": recipe.seed}
    pairs = [
        *build_pairs(solved, "zero_shot_cot"),
        *build_pairs(solved, "few_shot_cot", **shown),
        *build_pairs(solved, "few_shot_cot", hinted=True, **shown),
    ]
    return LocalTeacher(tune(student, pairs, recipe))
