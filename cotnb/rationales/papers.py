"""How four papers have a teacher write rationales, and what of it they keep."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cotnb.answers import stated
from cotnb.errors import UserError
from cotnb.formats import DemonstrationPool, build_prompt, is_few_shot
from cotnb.rationales.collecting import Wanted, collect
from cotnb.rationales.filters import keep_correct, keep_distinct, keep_verified, plain
from cotnb.rationales.record import Rationale
from cotnb.rationales.teachers import Asked, Sampling, Teacher
from cotnb.tasks.example import Example


@dataclass(frozen=True)
class PaperRecipe:
    """One paper's way to rationales.

    name: author and year, as in papers.csv. prompt_format: how the teacher is asked.
    samples: how many a question, at which temperature (0: greedy). hint: whether the
    prompt tells the answer. distinct: whether equal ones are dropped. What comes to a
    wrong answer is dropped by all four. Kim et al.'s differs from Magister et al.'s in
    its questions, which are of many tasks.
    """

    name: str
    prompt_format: str
    samples: int
    temperature: float
    hint: bool = False
    distinct: bool = False

    def without_hint(self) -> "PaperRecipe":
        """The same with the answer not told: what a hint does is the difference."""
        return replace(self, name=f"{self.name}, no hint", hint=False)


# Samples and temperatures as the papers state them; Fu et al. state no temperature that
# is at hand, and are given Ho et al.'s.
PAPER_RECIPES = {
    recipe.name: recipe
    for recipe in (
        PaperRecipe("fu2023", "few_shot_cot", samples=40, temperature=0.7),
        PaperRecipe(
            "magister2022", "few_shot_cot", samples=1, temperature=0.0, hint=True
        ),
        PaperRecipe(
            "ho2023", "zero_shot_cot", samples=8, temperature=0.7, distinct=True
        ),
        PaperRecipe("kim2023", "few_shot_cot", samples=1, temperature=0.0, hint=True),
    )
}


def sample_rationales(
    teacher: Teacher,
    examples: Sequence[Example],
    recipe: PaperRecipe,
    path: Path,
    *,
    pool: Sequence[tuple[Example, str]] = (),
    demonstrations: int = 3,
    max_new_tokens: int = 256,
    seed: int = 0,
    prices: tuple[float, float] | None = None,
) -> list[Rationale]:
    """All that a teacher writes for examples by a recipe, nothing filtered yet.

    path: the file that replies are kept in as they come. pool: (training example,
    rationale) pairs that few-shot prompts draw `demonstrations` from with `seed`.
    prices: as `collect` takes them, and what it raises.
    """
    drawn_from = DemonstrationPool(pool if is_few_shot(recipe.prompt_format) else ())
    wanted = [
        Wanted(example, Asked(prompt, sample))
        for example in examples
        for prompt in [_prompt(example, recipe, drawn_from, demonstrations, seed)]
        for sample in range(recipe.samples)
    ]
    sampling = Sampling(recipe.temperature, max_new_tokens)
    return collect(teacher, wanted, path, sampling, recipe.name, prices)


def keep(recipe: PaperRecipe, written: Sequence[Rationale]) -> list[Rationale]:
    """What the paper keeps: right answers, and of equal rationales one."""
    right = keep_correct(written)
    return keep_distinct(right) if recipe.distinct else right


def yields(written: Sequence[Rationale], examples: Sequence[Example]) -> dict:
    """What a recipe cost and yielded.

    Keys: questions, samples, tokens_read, tokens_written; shares from 0 to 1: right
    (of samples, those with the right answer), covered (of questions, those with one),
    distinct (of right ones, those that differ), and wrong_step (of right ones, those
    with a step that does not hold, by `verify`; None where answers are no numbers).
    Raises UserError where nothing was written.
    """
    if not written:
        raise UserError("nothing was written: ask the teacher for one sample or more")
    right = keep_correct(written)
    numbers = all(example.answer_type == "number" for example in examples)
    verified = keep_verified(right, examples) if numbers else []
    return {
        "questions": len(examples),
        "samples": len(written),
        "tokens_read": sum(r.prompt_tokens for r in written),
        "tokens_written": sum(r.new_tokens for r in written),
        "right": len(right) / len(written),
        "covered": len({plain(r.question) for r in right}) / len(examples),
        "distinct": len(keep_distinct(right)) / len(right) if right else 0.0,
        "wrong_step": 1 - len(verified) / len(right) if right and numbers else None,
    }


def _prompt(
    example: Example,
    recipe: PaperRecipe,
    pool: DemonstrationPool,
    demonstrations: int,
    seed: int,
) -> str:
    shown = ()
    if is_few_shot(recipe.prompt_format):
        shown = pool.draw(example, demonstrations, seed)
    hint = stated(example.answer, example.answer_type) if recipe.hint else None
    return build_prompt(example.question, recipe.prompt_format, shown, hint=hint)
