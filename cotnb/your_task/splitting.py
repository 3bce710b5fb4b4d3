"""Training and test questions; questions of one template stay on one side."""

import hashlib
import json
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cotnb.errors import UserError
from cotnb.files import write_whole
from cotnb.tasks.example import Example
from cotnb.tasks.leaks import leaks

WAYS = ("template", "random")
FEWEST_TEST = 10  # questions
_COUNTED = (
    "zero one two three four five six seven eight nine ten eleven twelve twenty thirty "
    "forty fifty sixty hundred thousand"
)
_NAME = re.compile(r"\b[A-Z][\w'\u2019-]*(?:\s+[A-Z][\w'\u2019-]*)*")
_PRONOUN = re.compile(r"\b(?:he|she|his|her|hers|him|himself|herself)\b")
_NUMBER = re.compile(rf"\d[\d.,:/]*|\b(?:{'|'.join(_COUNTED.split())})\b")


@dataclass(frozen=True)
class Split:
    """Training and test questions.

    way: one of WAYS. templates: how many all questions have, and how many the largest
    one has questions. leaked: as `cotnb.tasks.leaks.leaks` tells it.
    """

    train: list[Example]
    test: list[Example]
    way: str
    templates: int
    largest: int
    leaked: dict[str, float]

    def remarks(self) -> list[str]:
        """What a user should know of the split, a line each."""
        how = "template" if self.way == "template" else "chance"
        said = [
            f"{len(self.train):,} training and {len(self.test):,} test questions, by "
            f"{how}; {self.templates:,} templates, the commonest of {self.largest:,} "
            "questions",
            "of the test set, training holds: "
            + ", ".join(f"{share:.0%} {name}" for name, share in self.leaked.items()),
        ]
        if self.leaked["same template"]:
            said.append(
                "LEAKAGE: test scores partly measure questions that were trained on, "
                "with other names and numbers"
            )
        return said


def template_of(question: str) -> str:
    """A question without its numbers, names and pronouns, so that like ones are equal.

    A name is any word that begins with a capital letter. Questions that differ in other
    words, such as pears for apples, are told apart.
    """
    text = _NAME.sub("@", question)
    text = _NUMBER.sub("#", text.lower())
    return " ".join(_PRONOUN.sub("@", text).split())


def split_questions(
    examples: Sequence[Example],
    share: float = 0.2,
    most: int = 200,
    way: str = "template",
    seed: int = 0,
) -> Split:
    """Splits questions by template or by chance, the same for the same questions.

    share: of all questions that become test questions, within 0 to 1. most: test
    questions at most. way: "template", so that no test question's template is in
    training, or "random".
    Raises UserError for another way, and where so few templates have so many questions
    that no test set can be had of them.
    """
    if way not in WAYS:
        raise UserError(f"split {way!r}: expected one of {WAYS}")
    if not 0 < share < 1 or most < FEWEST_TEST:
        raise UserError(
            f"test share {share} of at most {most} questions: expected a share within "
            f"0 to 1, and {FEWEST_TEST} questions or more"
        )
    named = [replace(e, template=_short(template_of(e.question))) for e in examples]
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in named:
        key = example.template if way == "template" else example.id
        groups[key].append(example)
    wanted = min(most, len(named) // 2, max(FEWEST_TEST, round(share * len(named))))
    chosen = _draw(groups, wanted, seed)
    train = [e for e in named if e.id not in chosen]
    test = [replace(e, split="test") for e in named if e.id in chosen]
    sizes = defaultdict(int)
    for example in named:
        sizes[example.template] += 1
    found = leaks(test, train)
    leaked = {
        "same but for numbers": found["same question"],
        "same template": found["same templates"],
        "of its sentences": found["same sentence"],
    }
    return Split(train, test, way, len(sizes), max(sizes.values()), leaked)


def save_split(split: Split, folder: Path) -> None:
    """Writes train.jsonl and test.jsonl; UserError where the disk refuses."""
    for name, examples in (("train", split.train), ("test", split.test)):
        rows = [
            {k: v for k, v in asdict(example).items() if v is not None}
            for example in examples
        ]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        write_whole(Path(folder) / f"{name}.jsonl", lines)


def _draw(groups: dict[str, list[Example]], wanted: int, seed: int) -> set[str]:
    """The ids of whole groups, drawn until `wanted` questions are reached."""
    names = sorted(groups)
    random.Random(seed).shuffle(names)
    chosen: set[str] = set()
    for name in names:
        if len(chosen) + len(groups[name]) <= wanted:
            chosen |= {example.id for example in groups[name]}
    if len(chosen) < wanted / 2:
        raise UserError(
            f"{len(groups)} template{'s' if len(groups) > 1 else ''}, and those small "
            "enough to keep back have "
            f"{len(chosen)} of the {wanted} test questions wanted: a split by chance "
            "(--split random) is left, whose test tells nothing of new templates"
        )
    return chosen


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
