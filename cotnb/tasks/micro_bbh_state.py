"""Micro-BBH, state: brackets, navigation, shuffled objects, a day's times."""

from itertools import pairwise

import numpy as np

from cotnb.tasks.micro_bbh_problem import (
    YES_OR_NO,
    Problem,
    choice_problem,
    listing,
    pick,
    sample,
    with_article,
)
from cotnb.tasks.micro_templates import OBJECTS, PEOPLE

_NAMES = list(PEOPLE)

# -- dyck languages

CLOSING = {"[": "]", "(": ")", "{": "}", "<": ">"}
_DEEPEST = 4
_CLOSE = "Complete the sequence so that all its brackets are closed in order. Input:"
_STACK, _CLOSED = "{symbol} gives {stack}.", "So {stack} needs {answer}."
_EMPTY = "empty"


def dyck_languages(rng: np.random.Generator, difficulty: int, answer: None) -> Problem:
    """Brackets to close: `difficulty` stay open, two or three pairs do not."""
    symbols, steps, stack = [], [], []
    for opens in _openings(rng, difficulty, pairs=pick(rng, (2, 3, 3))):
        if opens:
            symbols.append(pick(rng, list(CLOSING)))
            stack.append(symbols[-1])
        else:
            symbols.append(CLOSING[stack.pop()])
        left = " ".join(stack) or _EMPTY
        steps.append(_STACK.format(symbol=symbols[-1], stack=left))
    needed = " ".join(CLOSING[symbol] for symbol in reversed(stack))
    steps.append(_CLOSED.format(stack=" ".join(stack), answer=needed))
    return Problem(" ".join([_CLOSE, *symbols]), needed, tuple(steps))


def _openings(rng: np.random.Generator, still_open: int, pairs: int) -> list[bool]:
    """Whether each symbol opens; never more than _DEEPEST are open, nor below none."""
    symbols = [True] * (still_open + pairs) + [False] * pairs
    while True:
        symbols = sample(rng, symbols, len(symbols))
        depths = np.cumsum([1 if opens else -1 for opens in symbols])
        if depths.min() >= 0 and depths.max() <= _DEEPEST:
            return symbols


# -- navigate

# Clockwise, so that a turn is a difference of positions in this order.
_MOVES = {"forward": (0, 1), "right": (1, 0), "backward": (0, -1), "left": (-1, 0)}
_DIRECTIONS = list(_MOVES)
_TURNS = {0: "", 1: "Turn right.", 2: "Turn around.", 3: "Turn left."}
_LONGEST = 9
_ASK_RETURN = "Do these moves lead back to the start?"
_FACING = "Always face forward."
_TAKE, _TAKE_TO = "Take {count} {steps}.", "Take {count} {steps} {direction}."
_AT = "{count} {direction}: ({x}, {y})."
_BACK = {"yes": "({x}, {y}) is the start.", "no": "({x}, {y}) is not the start."}


def navigate(rng: np.random.Generator, difficulty: int, answer: str) -> Problem:
    """Do `difficulty` + 2 moves, with turns or without, lead back to the start?

    Every way that does not lead back is one move away from a way that does, so that a
    look at the directions alone does not tell them apart.
    """
    while True:
        moves = _way_back(rng, difficulty + 2)
        if answer == "no":
            place = int(rng.integers(len(moves)))
            moves[place] = _other_move(rng, moves[place])
        steps, x, y = [], 0, 0
        for direction, count in moves:
            x += count * _MOVES[direction][0]
            y += count * _MOVES[direction][1]
            steps.append(_AT.format(count=count, direction=direction, x=x, y=y))
        if ((x, y) == (0, 0)) == (answer == "yes"):
            break
    steps.append(_BACK[answer].format(x=x, y=y))
    tell = _told_with_turns if rng.random() < 0.5 else _told_facing_forward
    return Problem(f"{_ASK_RETURN} {tell(moves)}{YES_OR_NO}", answer, tuple(steps))


def _move(rng: np.random.Generator) -> tuple[str, int]:
    return pick(rng, _DIRECTIONS), int(rng.integers(1, _LONGEST + 1))


def _other_move(rng: np.random.Generator, move: tuple[str, int]) -> tuple[str, int]:
    """The move with another direction or another count."""
    other = _move(rng)
    return (other[0], move[1]) if rng.random() < 0.5 else (move[0], other[1])


def _way_back(rng: np.random.Generator, count: int) -> list[tuple[str, int]]:
    """`count` moves, the last of which leads to the start, in random order."""
    while True:
        moves = [_move(rng) for _ in range(count - 1)]
        x, y = (sum(n * _MOVES[d][axis] for d, n in moves) for axis in (0, 1))
        distance = abs(x + y)
        if 0 in (x, y) and 0 < distance <= _LONGEST:
            home = (-x // distance, -y // distance)
            last = next(d for d, step in _MOVES.items() if step == home)
            return sample(rng, [*moves, (last, distance)], count)


def _told_facing_forward(moves: list[tuple[str, int]]) -> str:
    told = [
        _TAKE_TO.format(count=n, steps="step" if n == 1 else "steps", direction=d)
        for d, n in moves
    ]
    return " ".join([_FACING, *told])


def _told_with_turns(moves: list[tuple[str, int]]) -> str:
    """At the start one faces forward; every turn is from where one faces then."""
    told, facing = [], 0
    for direction, n in moves:
        turned = _DIRECTIONS.index(direction)
        told.append(_TURNS[(turned - facing) % len(_DIRECTIONS)])
        told.append(_TAKE.format(count=n, steps="step" if n == 1 else "steps"))
        facing = turned
    return " ".join(text for text in told if text)


# -- tracking shuffled objects

_ITEMS = list(OBJECTS.values())
_OWN = ("{a} has {item}", "{a} {item}")
_SWAPS = ("First {a} and {b} swap.", "Then {a} and {b} swap.", "Last {a} and {b} swap.")
_IN_THE_END, _FINALLY = "In the end {a} has the", "In the end {a} has the {item}."
_SWAPPED = "{a} and {b} swap, so {a} has the {x} and {b} has the {y}."


def tracking_shuffled_objects(
    rng: np.random.Generator, difficulty: int, answer: str
) -> Problem:
    """Three people own an item each and swap `difficulty` times; who has what?"""
    people, items = sample(rng, _NAMES, 3), sample(rng, _ITEMS, 3)
    owns = dict(zip(people, items, strict=True))
    told = [
        _OWN[place > 0].format(a=a, item=with_article(item))
        for place, (a, item) in enumerate(owns.items())
    ]
    told, steps = [f"{listing(told)}."], []
    for place in range(difficulty):
        a, b = sample(rng, people, 2)
        owns[a], owns[b] = owns[b], owns[a]
        told.append(_SWAPS[place].format(a=a, b=b))
        steps.append(_SWAPPED.format(a=a, b=b, x=owns[a], y=owns[b]))
    item = items["ABC".index(answer)]
    asked = next(a for a in people if owns[a] == item)
    steps.append(_FINALLY.format(a=asked, item=item))
    text = " ".join([*told, _IN_THE_END.format(a=asked)])
    wrong = [other for other in items if other != item]
    return choice_problem(text, item, wrong, answer, steps)


# -- temporal sequences

PLACES = ("zoo", "park", "bank", "library", "museum", "beach", "market", "cinema")
_OPEN = "The {place} is open {start} to {end}."
_SEEN = ("{b} saw {a} work {span}", "{b} {span}")
_SPAN, _SLOT = "from {start} to {end}", "{start} to {end}"
_ASK_WHEN = "When could {a} go?"
_AWAKE = "{a} could go from {start} to {end}."
_FREE = "Nobody saw {a} work from {start} to {end}."


def temporal_sequences(
    rng: np.random.Generator, difficulty: int, answer: str
) -> Problem:
    """When could somebody go, who was seen to work at `difficulty` + 1 times?

    The hours run from 5 to 21, without "am" and "pm": shorter than in BBH.
    """
    start = int(rng.integers(5, 10))
    lengths = [int(rng.integers(1, 4)) for _ in range(difficulty + 2)]
    hours = [start + sum(lengths[:i]) for i in range(len(lengths) + 1)]
    slots = list(pairwise(hours))
    free = slots.pop(int(rng.integers(len(slots))))
    a, *witnesses = sample(rng, _NAMES, len(slots) + 1)
    seen = []
    for place, (b, (first, last)) in enumerate(zip(witnesses, slots, strict=True)):
        span = _SPAN.format(start=first, end=last)
        seen.append(_SEEN[place > 0].format(a=a, b=b, span=span))
    end = hours[-1]
    text = " ".join(
        [
            _OPEN.format(place=pick(rng, PLACES), start=start, end=end),
            f"{listing(seen)}.",
            _ASK_WHEN.format(a=a),
        ]
    )
    steps = [
        _AWAKE.format(a=a, start=start, end=end),
        *(
            _SEEN[0].format(a=a, b=b, span=_SPAN.format(start=first, end=last)) + "."
            for b, (first, last) in zip(witnesses, slots, strict=True)
        ),
        _FREE.format(a=a, start=free[0], end=free[1]),
    ]
    correct = _SLOT.format(start=free[0], end=free[1])
    wrong = [_SLOT.format(start=s, end=e) for s, e in sample(rng, slots, 2)]
    return choice_problem(text, correct, wrong, answer, steps)
