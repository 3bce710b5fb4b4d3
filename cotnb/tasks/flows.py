"""Does a rationale go through its steps in the order that was demonstrated?

A flow is the order of named steps: "History: a fall." is a step that is named history.
Which ones are required, and in which order, the example's exact steps say; any task
whose steps are written so can be scored.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

from cotnb.errors import UserError
from cotnb.tasks.example import Example

_NAME = re.compile(r"(\w+)\s*:")


@dataclass(frozen=True)
class FlowVerdict:
    """What `verify_flow` found in a rationale.

    required: the names of the exact solution's steps, in the demonstrated order.
    written: the names of these steps in the text's order, one as often as it is there.
    facts_right: every required step is written and says what the exact one says.
    """

    required: tuple[str, ...]
    written: tuple[str, ...]
    facts_right: bool

    @property
    def completeness(self) -> float:
        """The share of required steps that are written, 0 to 1."""
        return len(set(self.written)) / len(self.required)

    @property
    def out_of_order(self) -> int:
        """How many pairs of required steps do not stand in the flow's order.

        Where a step was first written counts. A pair that lacks a step is not in order.
        With all steps written, so many swaps of neighbours lead to the flow.
        """
        place = {name: self.written.index(name) for name in set(self.written)}
        return sum(
            not (a in place and b in place and place[a] < place[b])
            for a, b in combinations(self.required, 2)
        )

    @property
    def order(self) -> float:
        """The share of pairs of required steps that stand in the flow's order, 0 to 1.

        With all steps written, this is (1 + Kendall's tau) / 2.
        """
        pairs = comb(len(self.required), 2)
        return (pairs - self.out_of_order) / pairs

    @property
    def followed(self) -> bool:
        """The required steps, each once, in the flow's order, whatever they say."""
        return self.written == self.required


def verify_flow(example: Example, rationale: str) -> FlowVerdict:
    """Checks which steps a rationale writes, and in which order.

    example: its exact steps are each "Name: what it says." rationale: any text; a step
    is one of these names, in capitals or not, with a colon after it, and what it says
    ends at the next full stop.
    Raises UserError for an example with fewer than two steps of this form, or with two
    of one name.
    """
    required = flow_of(example)
    names = "|".join(map(re.escape, required))
    step = re.compile(rf"\b({names})\s*:([^.\n]*)", re.IGNORECASE)
    written = _steps(step, rationale)
    exact = dict(_steps(step, " ".join(example.steps)))
    return FlowVerdict(
        required=required,
        written=tuple(name for name, _ in written),
        facts_right=set(written) == set(exact.items()),
    )


def flow_of(example: Example) -> tuple[str, ...]:
    """The names of an example's exact steps, in order and in small letters.

    Raises UserError as `verify_flow` does.
    """
    found = [_NAME.match(step) for step in example.steps or ()]
    names = tuple(name[1].lower() for name in found if name)
    if len(names) < 2 or len(names) < len(found) or len(set(names)) < len(names):
        raise UserError(
            f"{example.id}: expected two or more exact steps 'Name: what it says.', "
            "each with a name of its own; write its steps so"
        )
    return names


def follows_flow(example: Example, text: str) -> bool:
    """Whether a text has the required steps, each once, in the demonstrated order."""
    return verify_flow(example, text).followed


def flow_shares(
    examples: Sequence[Example],
    texts: Sequence[str],
    tuned: Collection[tuple[str, ...]] = (),
) -> dict[str, float]:
    """What became of the demonstrated flows: shares of the texts, and two means.

    texts: one an example. tuned: flows that the student was tuned on.
    Shares that add up to 1, those of 0 left out: "right", the flow followed and every
    step as in the exact solution; "wrong_fact", followed, but some step says another
    thing; "tuned_flow", every step once, in another order, one of `tuned`;
    "other_order", likewise, but not one of `tuned`; "incomplete", a step is missing or
    comes twice. "completeness" and "order" are means of `FlowVerdict`'s.
    """
    verdicts = [verify_flow(*pair) for pair in zip(examples, texts, strict=True)]
    kinds = Counter(_kind(verdict, tuned) for verdict in verdicts)
    count = len(verdicts)
    shares = {kind: number / count for kind, number in sorted(kinds.items())}
    for mean in ("completeness", "order"):
        shares[mean] = sum(getattr(verdict, mean) for verdict in verdicts) / count
    return shares


def _kind(verdict: FlowVerdict, tuned: Collection[tuple[str, ...]]) -> str:
    if verdict.followed:
        return "right" if verdict.facts_right else "wrong_fact"
    if Counter(verdict.written) != Counter(verdict.required):
        return "incomplete"
    return "tuned_flow" if verdict.written in tuned else "other_order"


def _steps(step: re.Pattern, text: str) -> list[tuple[str, str]]:
    """(name, what it says) of every step in a text, in small letters."""
    found = step.findall(text)
    return [(name.lower(), " ".join(fact.lower().split())) for name, fact in found]
