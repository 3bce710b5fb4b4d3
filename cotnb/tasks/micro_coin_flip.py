"""Micro coin flip: does the coin still lie as it did, after one to six people?

The task is the symbolic one of Wei et al. 2022, "Chain-of-Thought Prompting Elicits
Reasoning in Large Language Models" (arXiv 2201.11903), section 5, in our own wording. A
guess is right half the time here, so a right answer says little about a rationale: each
stated side of the coin is checked.
"""

import random
import re
from dataclasses import dataclass
from itertools import pairwise

from cotnb.answers import extract_answer, is_correct
from cotnb.errors import UserError
from cotnb.tasks.example import Example
from cotnb.tasks.micro_templates import PEOPLE
from cotnb.tasks.micro_world import balanced, check_arguments, unique_examples

OTHER_SIDE = {"heads": "tails", "tails": "heads"}

# Kind -> texts; {side} is the side that lies up, {N} a person, {asked} the side asked
# for. The second list of each kind is held out for the split "test_ood".
_TEXTS = {
    "start": (
        [
            "A coin lies {side} up.",
            "A coin is {side} up.",
            "A coin lies {side} up on a desk.",
            "At first a coin is {side} up.",
        ],
        ["At first a coin lies {side} up.", "A coin is {side} up on a desk."],
    ),
    "flip": (
        [
            "{N} flips the coin.",
            "{N} turns the coin over.",
            "Then {N} flips it.",
            "{N} takes the coin and turns it over.",
        ],
        ["Then {N} turns it over.", "{N} takes it and flips it."],
    ),
    "keep": (
        [
            "{N} does not flip the coin.",
            "{N} leaves the coin as it is.",
            "{N} looks at the coin but does not turn it over.",
            "Then {N} does not flip it.",
        ],
        ["Then {N} leaves it as it is.", "{N} looks at it but does not flip the coin."],
    ),
    "ask": (
        [
            "Is the coin {asked} up now?",
            "Does the coin lie {asked} up in the end?",
            "In the end, is the coin {asked} up?",
        ],
        ["Is the coin {asked} up in the end?", "Does the coin now lie {asked} up?"],
    ),
    "ask_still": (
        ["Is the coin still {asked} up?", "Does the coin still lie {asked} up?"],
        ["In the end, is the coin still {asked} up?"],
    ),
}
_FLIP_STEP = "{N} flips the coin, so it is {side} up."
_KEEP_STEP = "{N} does not flip the coin, so it is still {side} up."

_AT_THE_START = re.compile(
    r"\b(?:start\w*|began|begins|initially|originally|at first)\b[^.]{0,20}?"
    r"\b(?:heads|tails)\b",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"\b(?:not|\w+n't|no longer)\s+(?:(?:be|lie|still|facing|showing)\s+)*"
    r"(heads|tails)\b",
    re.IGNORECASE,
)
_TIMES = {"once": 1, "twice": 2, "one": 1, "two": 2, "three": 3, "four": 4}
_TIMES |= {"zero": 0, "no": 0, "five": 5, "six": 6}
_COUNT = re.compile(
    r"\bflipped\s+(?:(once|twice)|(\d+|[a-z]+)\s+times?)\b", re.IGNORECASE
)


def load_micro_coin_flip(
    split: str, size: int, seed: int = 0, steps: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
) -> list[Example]:
    """The first `size` coin-flip questions of one split.

    split: "train", "dev", "test", or "test_ood", whose sentences are all held out from
    the other three. size: how many. seed: another seed gives other questions of the
    same split. steps: the numbers of people to draw from, each equally often.
    Returns examples with "yes" or "no" for an answer, one of each in every two, and a
    step a person. The same arguments give the same list, and a smaller size gives its
    beginning; no question is in two splits.
    Raises UserError for an unknown split, a size below 1, steps outside 1 to 6, and for
    more questions than a split has: with `steps=(1,)`, "test" has about 1,850.
    """
    check_arguments("micro_coin_flip", split, size, steps)
    rng = random.Random(f"micro_coin_flip/{split}/{seed}")
    answer, people = balanced(rng, ("yes", "no")), balanced(rng, steps)

    def draw(index: int) -> Example:
        return _question(rng, split, index, people(index), answer(index))

    return unique_examples("micro_coin_flip", split, size, draw)


def _question(
    rng: random.Random, split: str, index: int, people: int, answer: str
) -> Example:
    """A question with the given number of people and the given answer."""

    def say(kind: str, **slots) -> None:
        texts = _TEXTS[kind][split == "test_ood"]
        number = rng.randrange(len(texts))
        sentences.append(texts[number].format(**slots))
        templates.append(f"{'ood_' if split == 'test_ood' else ''}{kind}_{number}")

    sentences, templates, steps = [], [], []
    start = side = rng.choice(list(OTHER_SIDE))
    say("start", side=side)
    for name in rng.sample(list(PEOPLE), people):
        flips = rng.random() < 0.5
        side = OTHER_SIDE[side] if flips else side
        say("flip" if flips else "keep", N=name)
        steps.append((_FLIP_STEP if flips else _KEEP_STEP).format(N=name, side=side))
    asked = side if answer == "yes" else OTHER_SIDE[side]
    still = asked == start and rng.random() < 0.5
    say("ask_still" if still else "ask", asked=asked)
    return Example(
        task="micro_coin_flip",
        split=split,
        index=index,
        question=" ".join(sentences),
        answer=answer,
        answer_type="yes_no",
        steps=tuple(steps),
        rationale=" ".join(steps),
        template="+".join(templates),
    )


@dataclass(frozen=True)
class CoinVerdict:
    """What `verify_coin_flip` found in a rationale.

    stated: the side that lies up after each person, as the rationale has it.
    sides_correct: every stated side, and every stated number of flips, is right.
    complete: a side is stated after everyone who flips, or the number of flips is.
    answer_correct: the last side that is stated gives the example's answer.
    """

    stated: tuple[tuple[str, str], ...]
    sides_correct: bool
    complete: bool
    answer_correct: bool

    @property
    def error_kind(self) -> str | None:
        """None for a right rationale, else the first kind of error that applies.

        "no_steps": no side is stated. "wrong_side": a side or a number of flips is
        wrong. "missing_step": somebody flips and the rationale passes over it. (Wei et
        al. 2022, appendix D, call these symbol mapping errors and one step missing.)
        "wrong_answer": the steps are right, the last stated side is not the final one.
        """
        if not self.stated:
            return "no_steps"
        if not self.sides_correct:
            return "wrong_side"
        if not self.complete:
            return "missing_step"
        return None if self.answer_correct else "wrong_answer"


def verify_coin_flip(example: Example, rationale: str) -> CoinVerdict:
    """Checks every side of the coin that a rationale states.

    example: of the task micro_coin_flip. rationale: any text; a side belongs to the
    person named last before it, the last one before the next name counts, and "not
    heads" is tails. People who leave the coin may be passed over. A rationale that
    counts instead ("the coin was flipped 2 times, so it is still heads up") is right
    where the number and the side are. Raises UserError for another task's example.
    """
    if example.task != "micro_coin_flip":
        raise UserError(f"{example.id}: verify_coin_flip reads micro_coin_flip alone")
    exact = _sides_after(" ".join(example.steps), list(PEOPLE))
    people = list(exact)
    named = re.findall("heads|tails", example.question)
    start, asked = named[0], named[-1]
    sides = pairwise([start, *exact.values()])
    flippers = {
        name for name, (up, then) in zip(people, sides, strict=True) if up != then
    }
    counts = _flip_counts(rationale)
    stated = _sides_after(rationale, people, unnamed=people[-1] if counts else None)
    return CoinVerdict(
        stated=tuple(stated.items()),
        sides_correct=all(exact[name] == side for name, side in stated.items())
        and all(count == len(flippers) for count in counts),
        complete=flippers <= stated.keys() or len(counts) > 0,
        answer_correct=bool(stated)
        and (list(stated.values())[-1] == asked) == (example.answer == "yes"),
    )


def tells_every_side(example: Example, text: str) -> bool:
    """Whether a text has every side of the coin right, and the right answer.

    A yes or no alone, such as a guess, is not enough. Sides are read, and errors
    raised, as by `verify_coin_flip`.
    """
    verdict = verify_coin_flip(example, text)
    found = extract_answer(text, example.answer_type)
    right = is_correct(found, example.answer, example.answer_type)
    return right and verdict.error_kind is None


def _sides_after(
    text: str, people: list[str], unnamed: str | None = None
) -> dict[str, str]:
    """The side that lies up after each of the people, in the order of last mention.

    unnamed: whom a side belongs to that is stated before any name; None drops it.
    """
    text = _AT_THE_START.sub("", text)
    text = _NEGATED.sub(lambda match: OTHER_SIDE[match[1].lower()], text)
    sides, person = {}, unnamed
    for word in re.findall(r"[A-Za-z]+", text):
        if word in people:
            person = word
        elif word.lower() in OTHER_SIDE and person is not None:
            sides.pop(person, None)
            sides[person] = word.lower()
    return sides


def _flip_counts(text: str) -> list[int]:
    """The numbers in "flipped twice", "flipped 3 times", ..."""
    words = [once or number for once, number in _COUNT.findall(text.lower())]
    return [
        int(word) if word.isdigit() else _TIMES[word]
        for word in words
        if word.isdigit() or word in _TIMES
    ]
