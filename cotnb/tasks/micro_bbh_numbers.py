"""Micro-BBH, numbers: arithmetic, counting, dates and a small table."""

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np

from cotnb.tasks.micro_bbh_problem import (
    Problem,
    choice_problem,
    listing,
    pick,
    sample,
    with_article,
)
from cotnb.tasks.micro_templates import PEOPLE
from cotnb.tasks.micro_world import OPERATIONS

_NAMES = list(PEOPLE)

# -- multistep arithmetic

_SMALLEST, _LARGEST = -20, 60
_FORMS = {
    1: ("{} {} {} {} {}", "({} {} {}) {} {}", "{} {} ({} {} {})"),
    2: ("({} {} {}) {} ({} {} {})",),
}
_EQUATION = "{left} {sign} {right} = {result}."


def multistep_arithmetic(
    rng: np.random.Generator, difficulty: int, answer: None
) -> Problem:
    """ "(3 + 4) * 2 =": `difficulty` + 1 of + - *, at most one of them *.

    The numbers are from 1 to 9, every result on the way is from -20 to 60.
    """
    while True:
        signs = [pick(rng, "+-*") for _ in range(difficulty + 1)]
        numbers = [int(rng.integers(1, 10)) for _ in range(difficulty + 2)]
        parts = [str(numbers[0])]
        for sign, number in zip(signs, numbers[1:], strict=True):
            parts += [sign, str(number)]
        text = pick(rng, _FORMS[difficulty]).format(*parts)
        steps: list[str] = []
        results: list[int] = []
        value = _evaluate(_tokens(text), steps, results)
        in_range = min(results) >= _SMALLEST and max(results) <= _LARGEST
        if signs.count("*") < 2 and in_range:
            return Problem(f"{text} =", str(value), tuple(steps))


def _tokens(text: str) -> list:
    marks = text.replace("(", "( ").replace(")", " )").split()
    return [int(mark) if mark.isdigit() else mark for mark in marks]


def _evaluate(tokens: list, steps: list[str], results: list[int]) -> int:
    """The value of an expression; brackets go first, then *, then + and -."""
    while "(" in tokens:
        start, end = tokens.index("("), tokens.index(")")
        value = _evaluate(tokens[start + 1 : end], steps, results)
        tokens = [*tokens[:start], value, *tokens[end + 1 :]]
    while len(tokens) > 1:
        i = tokens.index("*") if "*" in tokens else 1
        left, sign, right = tokens[i - 1 : i + 2]
        results.append(OPERATIONS[sign](left, right))
        steps.append(
            _EQUATION.format(left=left, sign=sign, right=right, result=results[-1])
        )
        tokens = [*tokens[: i - 1], results[-1], *tokens[i + 2 :]]
    return tokens[0]


# -- object counting

# Kind -> singular to plural.
KINDS = {
    "fruits": "apple:apples pear:pears plum:plums lemon:lemons peach:peaches fig:figs",
    "animals": "dog:dogs cat:cats cow:cows frog:frogs goat:goats duck:ducks",
    "instruments": "drum:drums flute:flutes harp:harps piano:pianos horn:horns",
    "vegetables": "onion:onions carrot:carrots leek:leeks potato:potatoes bean:beans",
}
_PLURALS = {
    kind: dict(pair.split(":") for pair in pairs.split())
    for kind, pairs in KINDS.items()
}
_COUNT_WORDS = {2: "two", 3: "three", 4: "four"}
_I_OWN, _HOW_MANY = "I own {things}.", "How many {kind} do I own?"
_COUNTED = "{things}: {count}."


def object_counting(rng: np.random.Generator, difficulty: int, answer: None) -> Problem:
    """How many things of one kind are among `difficulty` + 2 sorts of two kinds?"""
    kind, other = sample(rng, list(_PLURALS), 2)
    sorts = difficulty + 2
    wanted = int(rng.integers(2, sorts))
    things = [(s, kind) for s in sample(rng, list(_PLURALS[kind]), wanted)]
    things += [(s, other) for s in sample(rng, list(_PLURALS[other]), sorts - wanted)]
    told, steps, total = [], [], 0
    for singular, sort in sample(rng, things, sorts):
        count = int(rng.integers(1, 5))
        plural = _PLURALS[sort][singular]
        told.append(
            with_article(singular) if count == 1 else f"{_COUNT_WORDS[count]} {plural}"
        )
        if sort == kind:
            name = singular if count == 1 else plural
            steps.append(_COUNTED.format(things=name, count=count))
            if total:
                steps.append(
                    _EQUATION.format(
                        left=total, sign="+", right=count, result=total + count
                    )
                )
            total += count
    text = f"{_I_OWN.format(things=listing(told))} {_HOW_MANY.format(kind=kind)}"
    return Problem(text, str(total), tuple(steps))


# -- date understanding

_YEAR = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
MONTHS = _YEAR.split()
_FIRST_DAY, _DAYS = date(2011, 1, 1), 10 * 365
_KNOWN = {"Today is {day}.": 0, "Yesterday was {day}.": 1, "Tomorrow is {day}.": -1}
_ASK_DATE = "What is the date {when} in MM/DD/YYYY?"
_TODAY, _RESULT = "Today is {day}.", "The date {when} is {day}."


def _months_later(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    return day.replace(year=day.year + years, month=month + 1)


def _days_later(days: int) -> Callable[[date], date]:
    return lambda day: day + timedelta(days=days)


# Words -> the date that they mean, from today's date.
_WHEN: dict[str, Callable[[date], date]] = {
    "tomorrow": _days_later(1),
    "yesterday": _days_later(-1),
    "a week from today": _days_later(7),
    "a week ago": _days_later(-7),
    "10 days from today": _days_later(10),
    "10 days ago": _days_later(-10),
    "a month from today": lambda day: _months_later(day, 1),
    "a month ago": lambda day: _months_later(day, -1),
    "a year from today": lambda day: _months_later(day, 12),
    "a year ago": lambda day: _months_later(day, -12),
}


def date_understanding(
    rng: np.random.Generator, difficulty: int, answer: str
) -> Problem:
    """What date is some days, months or years from today?

    Difficulty 1 says what today is, difficulty 2 what yesterday was or tomorrow is.
    Today is in 2011 to 2020 and no later than the 28th; the wrong options are dates
    that other words than the asked ones would mean.
    """
    today = _FIRST_DAY + timedelta(days=int(rng.integers(_DAYS)))
    today = today.replace(day=min(today.day, 28))
    known = "Today is {day}." if difficulty == 1 else pick(rng, list(_KNOWN)[1:])
    told = today - timedelta(days=_KNOWN[known])
    day = f"{MONTHS[told.month - 1]} {told.day}, {told.year}"
    asked, *others = sample(rng, list(_WHEN), 3)
    dates = [_WHEN[words](today).strftime("%m/%d/%Y") for words in (asked, *others)]
    steps = [
        _TODAY.format(day=today.strftime("%m/%d/%Y")),
        _RESULT.format(when=asked, day=dates[0]),
    ]
    text = f"{known.format(day=day)} {_ASK_DATE.format(when=asked)}"
    return choice_problem(text, dates[0], dates[1:], answer, steps)


# -- penguins in a table

_TABLE = "A table of penguins: name, age, height. {rows}."
_ROW = "{name}, {age}, {height}"
# Words -> the column and whether the largest is meant.
_MOST = {
    "oldest": (1, True),
    "youngest": (1, False),
    "tallest": (2, True),
    "shortest": (2, False),
}
_COLUMNS = {"age": 1, "height": 2}
_ASK_CELL, _CELL = "What is the {column} of {name}?", "The {column} of {name} is {n}."
_ASK_MOST, _IS_MOST = "Which penguin is the {most}?", "The {most} is {name}."
_ASK_OVER, _OVER = "How many have {column} over {n}?", "{a} is over {b}."
_NOT_OVER, _THAT_MAKES = "{a} is not over {b}.", "That makes {count}."


def penguins_in_a_table(
    rng: np.random.Generator, difficulty: int, answer: str
) -> Problem:
    """A table of three penguins: a cell, the oldest (tallest, ...), how many above."""
    names = sample(rng, _NAMES, 3)
    ages, heights = sample(rng, range(4, 20), 3), sample(rng, range(40, 80), 3)
    rows = list(zip(names, ages, heights, strict=True))
    told = "; ".join(_ROW.format(name=n, age=a, height=h) for n, a, h in rows)
    ask = {1: _ask_cell, 2: _ask_most, 3: _ask_over}[difficulty]
    question, correct, wrong, steps = ask(rng, rows)
    text = f"{_TABLE.format(rows=told)} {question}"
    return choice_problem(text, correct, sample(rng, wrong, 2), answer, steps)


def _ask_cell(rng: np.random.Generator, rows: list) -> tuple[str, int, list, list]:
    column, row = pick(rng, list(_COLUMNS)), pick(rng, rows)
    n = row[_COLUMNS[column]]
    wrong = [other[_COLUMNS[column]] for other in rows if other != row]
    steps = [_CELL.format(column=column, name=row[0], n=n)]
    return _ASK_CELL.format(column=column, name=row[0]), n, wrong, steps


def _ask_most(rng: np.random.Generator, rows: list) -> tuple[str, str, list, list]:
    most = pick(rng, list(_MOST))
    place, largest = _MOST[most]
    column = list(_COLUMNS)[place - 1]
    best = (max if largest else min)(rows, key=lambda row: row[place])
    steps = [_CELL.format(column=column, name=r[0], n=r[place]) for r in rows]
    steps.append(_IS_MOST.format(most=most, name=best[0]))
    wrong = [row[0] for row in rows if row != best]
    return _ASK_MOST.format(most=most), best[0], wrong, steps


def _ask_over(rng: np.random.Generator, rows: list) -> tuple[str, int, list, list]:
    column = pick(rng, list(_COLUMNS))
    values = [row[_COLUMNS[column]] for row in rows]
    count = int(rng.integers(len(rows) + 1))
    ends = [max(values) + 3, *sorted(values, reverse=True), min(values) - 3]
    n = int(rng.integers(ends[count + 1], ends[count]))
    steps = [(_OVER if v > n else _NOT_OVER).format(a=v, b=n) for v in values]
    steps.append(_THAT_MAKES.format(count=count))
    wrong = [other for other in range(len(rows) + 1) if other != count]
    return _ASK_OVER.format(column=column, n=n), count, wrong, steps
