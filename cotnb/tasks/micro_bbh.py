"""Micro-BBH: fifteen procedural tasks in the forms of BIG-Bench Hard.

The kinds of question and the forms of the answers are those of Suzgun et al. 2022,
"Challenging BIG-Bench Tasks and Whether Chain-of-Thought Can Solve Them" (arXiv
2210.09261); sentences, words and numbers are our own, few and short, so that a very
small model can learn them. A student's general ability is measured on them.

Every task has more than 5,000 questions, most have millions. Alone, a few of the lowest
difficulties have fewer: dyck_languages 3,904, boolean_expressions 4,320, and navigate
864 that lead back to the start.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cotnb.errors import UserError
from cotnb.tasks import (
    micro_bbh_logic,
    micro_bbh_numbers,
    micro_bbh_state,
    micro_bbh_words,
)
from cotnb.tasks.example import Example
from cotnb.tasks.micro_bbh_problem import LETTERS, Problem, pick, sample
from cotnb.tasks.micro_world import split_of

MICRO_BBH_SPLITS = ("train", "dev", "test")
USUAL = (1, 2)  # difficulties, unless others are asked for: a small model learns them
_TRIES = 2_000
_YES_NO, _ABC, _ANY = ("yes", "no"), tuple(LETTERS), (None,)


@dataclass(frozen=True)
class MicroTask:
    """One task.

    generate: makes a problem from (rng, difficulty, answer).
    answer_type: one of `cotnb.tasks.ANSWER_TYPES`.
    hardest: the difficulties are 1 to this.
    answers: each of them is the answer equally often, at every difficulty; (None,)
        where the answers are too many for that.
    """

    generate: Callable[[np.random.Generator, int, str | None], Problem]
    answer_type: str
    hardest: int
    answers: tuple[str | None, ...]


MICRO_BBH = {
    "boolean_expressions": MicroTask(
        micro_bbh_logic.boolean_expressions, "true_false", 3, ("true", "false")
    ),
    "date_understanding": MicroTask(
        micro_bbh_numbers.date_understanding, "choice", 2, _ABC
    ),
    "dyck_languages": MicroTask(micro_bbh_state.dyck_languages, "brackets", 3, _ANY),
    "formal_fallacies": MicroTask(
        micro_bbh_logic.formal_fallacies, "valid_invalid", 2, ("valid", "invalid")
    ),
    "hyperbaton": MicroTask(micro_bbh_words.hyperbaton, "choice", 3, ("A", "B")),
    "logical_deduction": MicroTask(
        micro_bbh_logic.logical_deduction, "choice", 3, _ABC
    ),
    "multistep_arithmetic": MicroTask(
        micro_bbh_numbers.multistep_arithmetic, "number", 2, _ANY
    ),
    "navigate": MicroTask(micro_bbh_state.navigate, "yes_no", 3, _YES_NO),
    "object_counting": MicroTask(micro_bbh_numbers.object_counting, "number", 3, _ANY),
    "penguins_in_a_table": MicroTask(
        micro_bbh_numbers.penguins_in_a_table, "choice", 3, _ABC
    ),
    "reasoning_about_colored_objects": MicroTask(
        micro_bbh_words.reasoning_about_colored_objects, "choice", 3, _ABC
    ),
    "temporal_sequences": MicroTask(
        micro_bbh_state.temporal_sequences, "choice", 2, _ABC
    ),
    "tracking_shuffled_objects": MicroTask(
        micro_bbh_state.tracking_shuffled_objects, "choice", 3, _ABC
    ),
    "web_of_lies": MicroTask(micro_bbh_logic.web_of_lies, "yes_no", 3, _YES_NO),
    "word_sorting": MicroTask(micro_bbh_words.word_sorting, "text", 3, _ANY),
}


def load_micro_bbh(
    task: str,
    split: str,
    size: int,
    seed: int = 0,
    difficulty: Sequence[int] | None = None,
) -> list[Example]:
    """The first `size` questions of one split of a task.

    task: a name in `MICRO_BBH`. split: "train", "dev" or "test". size: how many. seed:
    another seed gives other questions of the same split. difficulty: the difficulties
    to draw from, equally often as long as they have new questions; None is `USUAL`.
    Returns examples with exact steps, these joined as rationale, and the difficulty as
    template ("difficulty_2"). The same arguments give the same list, and a smaller size
    gives its beginning. No question is in two splits, whatever sizes and seeds: a hash
    of its text before the options says which split it belongs to.
    Raises UserError for an unknown task, split or difficulty, for a size below 1, and
    for more questions than the split has.
    """
    name = f"micro_bbh_{task}"
    made = _checked(task, split, size, difficulty)
    rng = np.random.default_rng(list(f"{name}/{split}/{seed}".encode()))
    levels = list(difficulty or USUAL)
    problems: list[tuple[Problem, int]] = []
    seen: set[str] = set()
    while len(problems) < size:
        level = pick(rng, levels)
        block = _block(made, split, level, rng, seen)
        if block is None:
            levels.remove(level)
            if not levels:
                raise UserError(
                    f"{name}: {split} has about {len(problems)} questions, not {size}; "
                    "ask for fewer"
                )
            continue
        seen |= {problem.body for problem in block}
        problems += [(problem, level) for problem in block]
    return [
        Example(
            task=name,
            split=split,
            index=index,
            question=problem.question,
            answer=problem.answer,
            answer_type=made.answer_type,
            steps=problem.steps,
            rationale=" ".join(problem.steps),
            template=f"difficulty_{level}",
        )
        for index, (problem, level) in enumerate(problems[:size])
    ]


def load_all_micro_bbh(split: str, size: int, seed: int = 0) -> list[Example]:
    """The first `size` questions of all tasks in turn: question i is of task i mod 15.

    split and seed: as `load_micro_bbh` takes them, and what it raises.
    """
    a_task = -(-size // len(MICRO_BBH))
    drawn = [load_micro_bbh(task, split, a_task, seed=seed) for task in MICRO_BBH]
    in_turn = [example for examples in zip(*drawn, strict=True) for example in examples]
    return in_turn[:size]


def _checked(
    task: str, split: str, size: int, difficulty: Sequence[int] | None
) -> MicroTask:
    if task not in MICRO_BBH:
        raise UserError(f"micro-BBH has no task {task!r}; it has {sorted(MICRO_BBH)}")
    name, hardest = f"micro_bbh_{task}", MICRO_BBH[task].hardest
    if isinstance(difficulty, int):
        raise UserError(f"{name}: difficulty is {difficulty}; expected a list of them")
    if split not in MICRO_BBH_SPLITS:
        raise UserError(
            f"{name}: no split {split!r}; expected one of {MICRO_BBH_SPLITS}"
        )
    if size < 1:
        raise UserError(f"{name}: size is {size}; expected 1 or more")
    if difficulty is not None and not (
        difficulty and set(difficulty) <= set(range(1, hardest + 1))
    ):
        raise UserError(
            f"{name}: difficulty is {difficulty}; expected numbers from 1 to {hardest}"
        )
    return MICRO_BBH[task]


def _block(
    task: MicroTask, split: str, level: int, rng: np.random.Generator, seen: set[str]
) -> list[Problem] | None:
    """A new problem of the split for each answer; None where there seems to be none."""
    block: list[Problem] = []
    for answer in sample(rng, task.answers, len(task.answers)):
        for _ in range(_TRIES):
            problem = task.generate(rng, level, answer)
            taken = problem.body in seen or problem.body in {p.body for p in block}
            if not taken and split_of(problem.body) == split:
                block.append(problem)
                break
        else:
            return None
    return block
