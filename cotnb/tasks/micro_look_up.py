"""Looking a word up in a list: which letter has it?

The part that every lettered choice of micro-BBH waits for, asked by itself, over the
options of its questions and without what they ask.
"""

import random
import re

from cotnb.tasks.example import Example
from cotnb.tasks.micro_bbh import MICRO_BBH, load_micro_bbh
from cotnb.tasks.micro_bbh_problem import LETTERS, OPTIONS

CHOICES = tuple(t for t, task in MICRO_BBH.items() if task.answer_type == "choice")


def load_micro_look_up(split: str, size: int, seed: int = 0) -> list[Example]:
    """The first `size` questions of one split, in turn over the tasks with letters.

    split, size, seed: as `load_micro_bbh` takes them, and what it raises. Lists are
    those of the split's questions of micro-BBH; short ones come in other splits too, so
    this tells whether a student has the skill, not what it makes of a new list.
    """
    rng = random.Random(f"micro_look_up/{split}/{seed}")
    a_task = -(-size // len(CHOICES))
    drawn = [load_micro_bbh(task, split, a_task, seed=seed) for task in CHOICES]
    in_turn = [example for examples in zip(*drawn, strict=True) for example in examples]
    return [
        _ask(rng, split, index, example) for index, example in enumerate(in_turn[:size])
    ]


def draw_option(rng: random.Random, question: str) -> tuple[str, str, str]:
    """A letter of a question's list, what it has, and the list itself."""
    listed = question.partition(OPTIONS)[2]
    named = dict(re.findall(r"\((\w)\) (.*)", listed))
    letter = rng.choice([x for x in LETTERS if x in named])
    return letter, named[letter], listed


def which_letter(option: str) -> str:
    """How an option's letter is asked for."""
    return f"Which letter has {option}?"


def _ask(rng: random.Random, split: str, index: int, example: Example) -> Example:
    letter, option, listed = draw_option(rng, example.question)
    return Example(
        task="micro_look_up",
        split=split,
        index=index,
        question=f"{which_letter(option)}{OPTIONS}{listed}",
        answer=letter,
        answer_type="choice",
        template=example.task,
    )
