"""Micro-world: word problems of one to six steps over whole numbers from 0 to 99.

Every problem comes with its exact steps, so that a rationale can be checked step by
step (`cotnb.tasks.verifier`), and the words are few, so that a very small model can
learn it. The generator is our own; it borrows the idea of a procedural world with a
controlled number of operations from Ye et al. 2024, "Physics of Language Models: Part
2.1" (arXiv 2407.20311), and of templates with names and numbers filled in from
Mirzadeh et al. 2024, "GSM-Symbolic" (arXiv 2410.05229).
"""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from cotnb.errors import UserError
from cotnb.tasks.example import Example
from cotnb.tasks.micro_templates import (
    CONTAINERS,
    GROUPS,
    OBJECTS,
    PEOPLE,
    TEMPLATES,
    Template,
)

T = TypeVar("T")

SPLITS = ("train", "dev", "test", "test_ood")
MAX_STEPS = 6
LARGEST = 99
OPERATIONS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a // b,
}
# Two operations give the same result here: it would not tell them apart.
AMBIGUOUS = {(2, "+", 2), (2, "*", 2), (4, "-", 2), (4, "/", 2)}
_BY_PLACE: dict[tuple[str, str, bool], list[Template]] = {}
for _template in TEMPLATES:
    _key = (_template.kind, _template.setting, _template.held_out)
    _BY_PLACE.setdefault(_key, []).append(_template)


class _DeadEnd(Exception):
    """A story that cannot go on within 0 to 99; another one is drawn."""


def load_micro_world(
    split: str, size: int, seed: int = 0, steps: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
) -> list[Example]:
    """The first `size` problems of one split.

    split: "train", "dev", "test", or "test_ood", whose sentences are all held out from
    the other three. size: how many. seed: another seed gives other problems of the same
    split. steps: the numbers of steps to draw from, each equally often.
    Returns examples with a number for an answer, exact steps, these joined as rationale
    and the names of the templates joined by "+". The same arguments give the same list,
    and a smaller size gives its beginning. No question is in two splits, whatever the
    seeds: a hash of its text says which split it belongs to.
    Raises UserError for an unknown split, a size below 1 and steps outside 1 to 6.
    """
    check_arguments("micro_world", split, size, steps)
    rng = random.Random(f"micro_world/{split}/{seed}")
    length = balanced(rng, steps)

    def draw(index: int) -> Example:
        story = _draw_story(rng, split == "test_ood", length(index))
        return Example(
            task="micro_world",
            split=split,
            index=index,
            question=" ".join(story.sentences),
            answer=str(story.answer),
            answer_type="number",
            steps=tuple(story.steps),
            rationale=" ".join(story.steps),
            template="+".join(story.templates),
        )

    return unique_examples("micro_world", split, size, draw)


def split_of(question: str) -> str:
    """The split "train" (8 in 10), "dev" or "test" that a question's text falls in."""
    bucket = int(hashlib.sha256(question.encode()).hexdigest(), 16) % 10
    return {8: "dev", 9: "test"}.get(bucket, "train")


def check_arguments(task: str, split: str, size: int, steps: tuple[int, ...]) -> None:
    """Raises UserError where a generated task cannot make such a list."""
    if split not in SPLITS:
        raise UserError(f"{task}: no split {split!r}; expected one of {SPLITS}")
    if size < 1:
        raise UserError(f"{task}: size is {size}; expected 1 or more")
    if not steps or not set(steps) <= set(range(1, MAX_STEPS + 1)):
        raise UserError(
            f"{task}: steps are {steps}; expected numbers from 1 to {MAX_STEPS}"
        )


def balanced(rng: random.Random, items: Sequence[T]) -> Callable[[int], T]:
    """A function of the index 0, 1, 2, ... that gives each item equally often.

    Each run of len(items) indices has every item once, in an order drawn from `rng`.
    """
    drawn: list[T] = []

    def item(index: int) -> T:
        while len(drawn) <= index:
            drawn.extend(rng.sample(items, len(items)))
        return drawn[index]

    return item


def unique_examples(
    task: str, split: str, size: int, draw: Callable[[int], Example]
) -> list[Example]:
    """`size` examples from `draw(index)` that are new and belong to the split.

    `draw` gets the index that its example will have. Raises UserError where 20,000
    draws in a row bring nothing new.
    """
    examples, seen, failures = [], set(), 0
    while len(examples) < size:
        example = draw(len(examples))
        elsewhere = split != "test_ood" and split_of(example.question) != split
        if elsewhere or example.question in seen:
            failures += 1
            if failures == 20_000:
                raise UserError(
                    f"{task}: {split} with these steps has about {len(examples)} "
                    f"questions, not {size}; ask for fewer or for more step counts"
                )
            continue
        failures = 0
        seen.add(example.question)
        examples.append(example)
    return examples


def _draw_story(rng: random.Random, held_out: bool, length: int) -> "_Story":
    while True:
        try:
            return _Story(rng, held_out, length)
        except _DeadEnd:
            continue


@dataclass
class _Quantity:
    """How many objects somebody owns or a container holds."""

    owner: str
    objects: str
    value: int


_ADDED_OR_TAKEN = {"+": "These are added", "-": "These are taken away"}


@dataclass
class _Story:
    """One problem, written from its first sentence to its question."""

    rng: random.Random
    held_out: bool
    length: int
    sentences: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)

    def __post_init__(self):
        rng = self.rng
        self.setting = rng.choices(["person", "place"], [3, 1])[0]
        self.container = rng.choice(CONTAINERS)
        # No kind of group comes twice: "how many bags are there?" means the new ones.
        self.groups = rng.sample(list(GROUPS), MAX_STEPS)
        self.other: _Quantity | None = None
        self.last_op = ""
        self.offset = False  # whether the second number is the first plus or minus one
        self.ending = rng.choice(["ask", "ask", *self._last_steps()])
        self._open()
        last = 0 if self.ending == "ask" else 1
        joins_at = rng.randint(0, self.length - last - len(self.steps))
        while (left := self.length - last - len(self.steps)) > 0:
            if self.ending == "ask_join" and self.other is None and left <= joins_at:
                self._meet(left)
            else:
                self._middle(left)
        if self.ending == "ask_join" and self.other is None:
            self._meet(0)
        self._ask()

    def _last_steps(self) -> list[str]:
        endings = ["ask_share", "ask_cost"]
        return [*endings, "ask_join"] if self.setting == "person" else endings

    # -- the parts of a story

    def _open(self) -> None:
        rng = self.rng
        owner = rng.choice(list(PEOPLE)) if self.setting == "person" else self.container
        self.now = _Quantity(owner, rng.choice(list(OBJECTS)), 0)
        last = self.ending != "ask"
        if self.length > last and rng.random() < 0.2:
            template = self._pick("open_groups")
            groups, size = rng.randint(2, 9), rng.randint(2, 9)
            slots = self._tell(template, k=groups, m=size)
            self.now.value = self._step(template.reason, groups, "*", size, slots)
        else:
            self.now.value = rng.randint(2, 40)
            self._tell(self._pick("open"), v=self.now.value)

    def _middle(self, left: int) -> None:
        """One more change of the quantity at hand, of one or two steps."""
        draw = self.rng.random()
        if left >= 2 and draw < 0.2:
            self._groups()
        elif self.setting == "person" and self.other is None and draw < 0.4:
            self._compare()
        else:
            self._change(last=left == 1 and self.ending == "ask")

    def _change(self, last: bool) -> None:
        template, operand = self._feasible("change", last)
        slots = self._tell(template, n=operand)
        value = self._step(template.reason, self.now.value, template.op, operand, slots)
        objects = slots["u"] if template.trades else self.now.objects
        self.now = _Quantity(self.now.owner, objects, value)

    def _groups(self) -> None:
        template = self._pick("groups")
        groups, size = self.rng.randint(2, 9), self.rng.randint(2, 9)
        total = groups * size
        if not 2 <= OPERATIONS[template.op](self.now.value, total) <= LARGEST:
            raise _DeadEnd
        slots = self._tell(template, k=groups, m=size)
        self._step(template.reason, groups, "*", size, slots)
        reason = _ADDED_OR_TAKEN[template.op]
        self.now.value = self._step(reason, self.now.value, template.op, total, slots)

    def _compare(self) -> None:
        """A second person, whose number follows from the first one's."""
        template, operand = self._feasible("compare", False)
        self._second_person(0)
        now = " has now" if len(self.sentences) > 1 else ""
        slots = self._tell(template, n=operand, now=now)
        value = self._step(
            template.reason, self.other.value, template.op, operand, slots
        )
        self.now.value = value
        self.offset = template.op in "+-"

    def _meet(self, left: int) -> None:
        """A second person, who has a number of their own or follows from the first."""
        if left > 0 and self.rng.random() < 0.5:
            self._compare()
            return
        self._second_person(self.rng.randint(2, 40))
        self._tell(self._pick("meet"), n=self.now.value)

    def _second_person(self, value: int) -> None:
        names = [name for name in PEOPLE if name != self.now.owner]
        self.other = self.now
        self.now = _Quantity(self.rng.choice(names), self.now.objects, value)

    def _ask(self) -> None:
        if self.ending == "ask":
            left = self.last_op == "-" and self.rng.random() < 0.4
            self._tell(self._pick("ask_left" if left else "ask"))
            self.answer = self.now.value
            return
        if self.ending == "ask_join":
            self._ask_join()
            return
        template, operand = self._feasible(self.ending, True)
        slots = self._tell(template, n=operand)
        self.answer = self._step(
            template.reason, self.now.value, template.op, operand, slots
        )

    def _ask_join(self) -> None:
        template = self._pick("ask_join")
        if template.op == "-" and self.offset:
            raise _DeadEnd  # "3 more than Ann": the first number would cancel out
        first, second = self.other, self.now
        if template.op == "-" and first.value < second.value:
            first, second = second, first
        value = OPERATIONS[template.op](first.value, second.value)
        if not 0 < value <= LARGEST:
            raise _DeadEnd
        slots = self._tell(template, hi=first.owner, lo=second.owner)
        self.answer = self._step(
            template.reason, first.value, template.op, second.value, slots
        )

    # -- drawing and writing

    def _pick(self, kind: str) -> Template:
        return self.rng.choice(_BY_PLACE[kind, self.setting, self.held_out])

    def _feasible(self, kind: str, last: bool) -> tuple[Template, int]:
        """A template whose result is a whole number from 2 (last: 0) to 99."""
        templates = _BY_PLACE[kind, self.setting, self.held_out]
        operations = sorted({template.op for template in templates})
        op = self.rng.choice(operations)
        may_trade = self.other is None
        template = self.rng.choice(
            [t for t in templates if t.op == op and (may_trade or not t.trades)]
        )
        operands = self._operands(op, last)
        if template.operand is not None:
            operands = [n for n in operands if n == template.operand]
        if not operands:
            raise _DeadEnd
        return template, self.rng.choice(operands)

    def _operands(self, op: str, last: bool) -> list[int]:
        value, least = self.now.value, 0 if last else 2
        if op == "+":
            return list(range(2, min(40, LARGEST - value) + 1))
        if op == "-":
            return list(range(2, value - least + 1))
        if op == "*":
            return list(range(2, min(12, LARGEST // value) + 1))
        return [
            n for n in range(2, 13) if value % n == 0 and value // n >= max(least, 1)
        ]

    def _tell(self, template: Template, **slots) -> dict:
        """Writes the template's sentence; returns its slots, for the step's reason."""
        rng, now = self.rng, self.now
        actor = now.owner if now.owner in PEOPLE else rng.choice(list(PEOPLE))
        subject, object_, possessive = PEOPLE[actor]
        named = self.other is not None or len(self.sentences) == 0
        name = actor if named or rng.random() < 0.4 else subject
        traded = rng.choice([o for o in OBJECTS if o != now.objects])
        group = self.groups.pop() if "{g" in template.text else ""
        slots = {
            "N": actor,
            "S": name.capitalize(),
            "s": name,
            "O": actor if name == actor else object_,
            "h": subject,
            "P": possessive,
            "A": self.other.owner if self.other else actor,
            "B": actor,
            "o": now.objects,
            "u": traded,
            "u1": OBJECTS[traded],
            "c": self.container,
            "g": group,
            "g1": GROUPS.get(group),
        } | slots
        self.sentences.append(template.text.format(**slots))
        self.templates.append(template.name)
        return slots

    def _step(self, reason: str, left: int, op: str, right: int, slots: dict) -> int:
        if (left, op, right) in AMBIGUOUS:
            raise _DeadEnd
        result = OPERATIONS[op](left, right)
        equation = f"{left} {op} {right} = {result}"
        self.steps.append(f"{reason.format(**slots)}, so {equation}.")
        self.last_op = op
        return result
