"""A teacher made here: tuned on exact solutions, it errs as teachers do."""

from collections.abc import Sequence

from cotnb.experiment import build_pairs
from cotnb.formats import is_few_shot
from cotnb.rationales.local_teacher import LocalTeacher
from cotnb.recipes import Recipe
from cotnb.tasks.example import Example
from cotnb.training.tuning import tune


def tuned_teacher(
    student: str,
    solved: Sequence[tuple[Example, str]],
    recipe: Recipe,
    demonstrations: int = 3,
    formats: Sequence[str] = ("zero_shot_cot", "few_shot_cot"),
) -> LocalTeacher:
    """A local teacher that can be asked with demonstrations, without, and with hints.

    solved: (example, rationale) pairs, learnt once in every format, and few-shot ones
    once more with a hint. The recipe decides how good a teacher it is. formats: the
    prompt formats that it will be asked in. Few-shot prompts are the long ones: a
    teacher that is asked without demonstrations alone costs a fraction. Another
    choice is another teacher, of another name.
    Raises what `build_pairs` and `tune` raise.
    """
    shown = {"demonstrations": demonstrations, "seed": recipe.seed}
    pairs = []
    for prompt_format in formats:
        pairs += build_pairs(solved, prompt_format, **shown)
        if is_few_shot(prompt_format):
            pairs += build_pairs(solved, prompt_format, hinted=True, **shown)
    return LocalTeacher(tune(student, pairs, recipe))
