"""GSM-Symbolic (Mirzadeh et al. 2024) as reasoning_gym generates it, with solutions.

Offline and endless: each problem is drawn from one of a hundred GSM8K templates.
"""

import hashlib
import re

from cotnb.answers import canonical
from cotnb.errors import UserError
from cotnb.tasks.example import Example

SPLITS = ("train", "dev", "test", "test_same_templates")
HELD_OUT = 5  # one template in five is kept for test
BOILERPLATE = "Give the result as your final answer. Do not include units."


def load_gsm_symbolic(split: str, size: int, seed: int = 0) -> list[Example]:
    """`size` problems of one split.

    "test" holds templates that the other splits never show; "test_same_templates"
    holds train's templates with new numbers. No question stands in two splits.
    """
    if split not in SPLITS:
        raise UserError(f"gsm_symbolic: no split {split!r}; it has {', '.join(SPLITS)}")
    if size < 1:
        raise UserError(f"gsm_symbolic: size is {size}; expected 1 or more")
    examples, seen = [], set()
    for question, entry, template in _problems(split, seed):
        if question in seen:
            continue
        seen.add(question)
        examples.append(_example(split, len(examples), question, entry, template))
        if len(examples) == size:
            return examples
    raise UserError(f"gsm_symbolic: {split} has {len(examples)} problems, not {size}")


def _problems(split: str, seed: int):
    from reasoning_gym import create_dataset

    stream = 1_000_000 * (1 + 10 * seed + SPLITS.index(split))
    data = create_dataset("gsm_symbolic", size=100_000, seed=stream)
    for index in range(100_000):
        template = data.task_indices[index]
        if (template % HELD_OUT == 0) != (split == "test"):
            continue
        entry = data[index]
        question = " ".join(entry["question"].replace(BOILERPLATE, "").split())
        if split in ("test", _bucket(question)):
            yield question, entry, template


def _bucket(question: str) -> str:
    """The split of a question over a shared template: a stable hash of its text."""
    digest = hashlib.sha256(question.encode()).digest()[0]
    return "train" if digest < 192 else "dev" if digest < 224 else SPLITS[3]


def _example(split, index, question, entry, template) -> Example:
    solution = entry["metadata"]["answer_cot"].partition("####")[0]
    lines = [_sentence(line) for line in solution.splitlines()]
    lines = [line for line in lines if line]
    return Example(
        task="gsm_symbolic",
        split=split,
        index=index,
        question=question,
        answer=canonical(entry["answer"], "number"),
        answer_type="number",
        rationale=" ".join(lines),
        template=f"gsm_symbolic_{template:02d}",
    )


def _sentence(line: str) -> str:
    """A line of the worked solution without its bullet, ended with a full stop."""
    line = re.sub(r"^\s*(?:[\u2022*-]|\d+[.)])\s*", "", line).strip()
    if not line or "step by step" in line.lower():
        return ""
    return line if line[-1] in ".:" else f"{line}."
