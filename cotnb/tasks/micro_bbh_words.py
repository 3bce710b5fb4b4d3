"""Micro-BBH, words: sorting, the order of adjectives, colored objects."""

import numpy as np

from cotnb.tasks.micro_bbh_problem import (
    Problem,
    choice_problem,
    listing,
    pick,
    sample,
    with_article,
)
from cotnb.tasks.micro_templates import OBJECTS

_ITEMS = list(OBJECTS.values())
COLORS = ("red", "blue", "green", "yellow", "black", "white")

# -- word sorting

_MORE_WORDS = """
bean cat cow dog duck drum fig flute frog goat harp horn leek lemon onion potato bank
beach cinema library market museum park zoo friend cousin teacher table yellow
"""
WORDS = (*_ITEMS, *_MORE_WORDS.split())
_SORT = "Put these words in alphabetical order: List: {words}"
_COMES_FIRST, _LEFT = "Of {words}, {first} comes first.", "Only {last} is left."


def word_sorting(rng: np.random.Generator, difficulty: int, answer: None) -> Problem:
    """`difficulty` + 2 words to put in alphabetical order."""
    words = sample(rng, WORDS, difficulty + 2)
    left, steps = list(words), []
    while len(left) > 1:
        first = min(left)
        steps.append(_COMES_FIRST.format(words=" ".join(left), first=first))
        left.remove(first)
    steps.append(_LEFT.format(last=left[0]))
    answer = " ".join(sorted(words))
    return Problem(_SORT.format(words=" ".join(words)), answer, tuple(steps))


# -- hyperbaton

# In the order in which English puts adjectives.
ADJECTIVES = {
    "opinion": ("lovely", "ugly", "silly", "nice"),
    "size": ("big", "small", "tiny", "huge"),
    "age": ("old", "new", "ancient", "modern"),
    "shape": ("round", "square", "flat", "oval"),
    "color": COLORS,
    "origin": ("French", "Greek", "Indian", "Polish"),
    "material": ("wooden", "glass", "steel", "paper"),
}
_WHICH_ORDER = "The {noun} is {adjectives}. Which adjective order is right?"
_KIND, _KINDS_IN_ORDER = "{adjective} is {kind}.", "The order is {kinds}."
_RIGHT = "{phrase} is right."


def hyperbaton(rng: np.random.Generator, difficulty: int, answer: str) -> Problem:
    """Which of two phrases has its `difficulty` + 1 adjectives in the right order?"""
    places = sorted(sample(rng, range(len(ADJECTIVES)), difficulty + 1))
    kinds = [list(ADJECTIVES)[place] for place in places]
    adjectives = [pick(rng, ADJECTIVES[kind]) for kind in kinds]
    noun = pick(rng, _ITEMS)
    shuffled = adjectives
    while shuffled == adjectives:
        shuffled = sample(rng, adjectives, len(adjectives))
    right, wrong = (" ".join([*words, noun]) for words in (adjectives, shuffled))
    # Sorted, so that the same adjectives make the same body: one split has them all.
    text = _WHICH_ORDER.format(noun=noun, adjectives=listing(sorted(adjectives)))
    steps = [
        _KIND.format(adjective=a, kind=k)
        for a, k in zip(adjectives, kinds, strict=True)
    ]
    steps += [
        _KINDS_IN_ORDER.format(kinds=", ".join(kinds)),
        _RIGHT.format(phrase=right),
    ]
    return choice_problem(text, right, [wrong], answer, steps)


# -- reasoning about colored objects

_ROW = "In a row from left to right lie {things}."
_ASK_COLOR, _HAS_COLOR = "What color is the {item}?", "The {item} is {color}."
_ASK_SIDE = "What color is the item just {side} of the {item}?"
_AT_SIDE = "Just {side} of the {item} is the {other}."
_ASK_COUNT, _IN_ALL = "How many items are not {color}?", "That makes {count}."
_NOT_COLOR, _NO_ITEM = "Not {color}: {items}.", "none"
_SIDES = {"left": -1, "right": 1}


def reasoning_about_colored_objects(
    rng: np.random.Generator, difficulty: int, answer: str
) -> Problem:
    """A row of three items, four from difficulty 2.

    Difficulty 1 asks for an item's color, 2 for a neighbor's, 3 for a count.
    """
    ask = {1: _ask_color, 2: _ask_side, 3: _ask_count}[difficulty]
    row, question, correct, wrong, steps = ask(rng)
    told = _ROW.format(things=listing([with_article(" ".join(pair)) for pair in row]))
    wrong = sample(rng, wrong, 2)
    return choice_problem(f"{told} {question}", correct, wrong, answer, steps)


def _row(rng: np.random.Generator, colors: list[str]) -> list[tuple[str, str]]:
    """Items of these colors as (color, item), in random order."""
    count = len(colors)
    return list(
        zip(sample(rng, colors, count), sample(rng, _ITEMS, count), strict=True)
    )


def _ask_color(rng: np.random.Generator) -> tuple:
    row = _row(rng, sample(rng, COLORS, 3))
    color, item = pick(rng, row)
    wrong = [other for other, _ in row if other != color]
    steps = [_HAS_COLOR.format(item=item, color=color)]
    return row, _ASK_COLOR.format(item=item), color, wrong, steps


def _ask_side(rng: np.random.Generator) -> tuple:
    colors = sample(rng, COLORS, 3)
    row = _row(rng, [*colors, pick(rng, colors)])
    side = pick(rng, list(_SIDES))
    places = range(1, len(row)) if side == "left" else range(len(row) - 1)
    place = pick(rng, places)
    item, (color, other) = row[place][1], row[place + _SIDES[side]]
    wrong = [name for name in colors if name != color]
    steps = [
        _AT_SIDE.format(side=side, item=item, other=other),
        _HAS_COLOR.format(item=other, color=color),
    ]
    return row, _ASK_SIDE.format(side=side, item=item), color, wrong, steps


def _ask_count(rng: np.random.Generator) -> tuple:
    color, *rest = sample(rng, COLORS, 4)
    count = int(rng.integers(4))
    row = _row(rng, [color] * (4 - count) + [pick(rng, rest) for _ in range(count)])
    others = ", ".join(item for other, item in row if other != color)
    wrong = [n for n in range(5) if n != count]
    steps = [
        _NOT_COLOR.format(color=color, items=others or _NO_ITEM),
        _IN_ALL.format(count=count),
    ]
    return row, _ASK_COUNT.format(color=color), count, wrong, steps
