"""Micro-BBH, logic: boolean expressions, web of lies, logical deduction, fallacies."""

from itertools import permutations, product

import numpy as np

from cotnb.tasks.micro_bbh_problem import (
    VALID_OR_INVALID,
    Problem,
    choice_problem,
    listing,
    pick,
    sample,
    sentence,
)
from cotnb.tasks.micro_templates import OBJECTS, PEOPLE

_NAMES = list(PEOPLE)

# -- boolean expressions

_NOTS = (0, 0, 0, 1, 1, 2)
_BOOLEAN_STEP = "{expression} is {value}."


def boolean_expressions(
    rng: np.random.Generator, difficulty: int, answer: str
) -> Problem:
    """ "not True and ( False or True ) is": `difficulty` + 1 of "and" and "or"."""
    while True:
        tokens = _expression(rng, difficulty + 1)
        steps = []
        if _reduce(list(tokens), steps) == answer.capitalize():
            return Problem(" ".join([*tokens, "is"]), answer, tuple(steps))


def _expression(rng: np.random.Generator, operators: int) -> list[str]:
    operands = [
        ["not"] * pick(rng, _NOTS) + [pick(rng, ("True", "False"))]
        for _ in range(operators + 1)
    ]
    signs = [[pick(rng, ("and", "or"))] for _ in range(operators)]
    if rng.random() < 0.5:  # brackets around two neighbours, now and then negated
        first = int(rng.integers(operators))
        negation = ["not"] * pick(rng, (0, 0, 1))
        operands[first] = [*negation, "(", *operands[first]]
        operands[first + 1] = [*operands[first + 1], ")"]
    parts = [operands[0]]
    for sign, operand in zip(signs, operands[1:], strict=True):
        parts += [sign, operand]
    return [token for part in parts for token in part]


def _reduce(tokens: list[str], steps: list[str]) -> str:
    """The value of an expression; brackets go first, then not, and, or."""

    def replace(start: int, end: int, value: str) -> None:
        expression = " ".join(tokens[start:end])
        steps.append(_BOOLEAN_STEP.format(expression=expression, value=value))
        tokens[start:end] = [value]

    if "(" in tokens:
        start, end = tokens.index("("), tokens.index(")")
        tokens[start : end + 1] = [_reduce(tokens[start + 1 : end], steps)]
    while "not" in tokens:
        start = tokens.index("not")
        end = next(i for i in range(start, len(tokens)) if tokens[i] != "not")
        negated = (end - start) % 2 == 1
        replace(start, end + 1, str((tokens[end] == "True") != negated))
    for sign, function in (("and", all), ("or", any)):
        while sign in tokens:
            i = tokens.index(sign)
            value = function(tokens[j] == "True" for j in (i - 1, i + 1))
            replace(i - 1, i + 2, str(value))
    return tokens[0]


# -- web of lies

_FIRST = "{a} {does}."
_SAYS = "{a} says {b} {does}"
_SAID_SO = "{says}, so {a} {does}."
_ASK_TRUTH = "Does {a} tell the truth?"
_DOES = {True: "tells the truth", False: "lies"}


def web_of_lies(rng: np.random.Generator, difficulty: int, answer: str) -> Problem:
    """Each of `difficulty` + 1 people speaks of the one before; is the last honest?"""
    people = sample(rng, _NAMES, difficulty + 1)
    honest = [bool(rng.integers(2)) for _ in range(difficulty)] + [answer == "yes"]
    said = [_FIRST.format(a=people[0], does=_DOES[honest[0]])]
    steps = list(said)
    for i in range(1, len(people)):
        claim = _DOES[honest[i] == honest[i - 1]]
        says = _SAYS.format(a=people[i], b=people[i - 1], does=claim)
        said.append(f"{says}.")
        steps.append(_SAID_SO.format(says=says, a=people[i], does=_DOES[honest[i]]))
    question = " ".join([*said, _ASK_TRUTH.format(a=people[-1])])
    return Problem(question, answer, tuple(steps))


# -- logical deduction

# Opening, "is before", "is after", the places in order, "who", the things and
# the article that a statement gives them.
_ORDERS = (
    (
        "{things} ran a race.",
        "finished before",
        "finished after",
        ("finished first", "finished second", "finished third", "finished last"),
        "Who",
        _NAMES,
        "",
    ),
    (
        "{things} sit in a row.",
        "sits left of",
        "sits right of",
        (
            "sits leftmost",
            "sits second from the left",
            "sits third from the left",
            "sits rightmost",
        ),
        "Who",
        _NAMES,
        "",
    ),
    (
        "{things} are friends.",
        "is shorter than",
        "is taller than",
        ("is shortest", "is second shortest", "is third shortest", "is tallest"),
        "Who",
        _NAMES,
        "",
    ),
    (
        "{things} are friends.",
        "is younger than",
        "is older than",
        ("is youngest", "is second youngest", "is third youngest", "is oldest"),
        "Who",
        _NAMES,
        "",
    ),
    (
        "A shop sells {things}.",
        "cost less than",
        "cost more than",
        ("cost least", "are second cheapest", "are third cheapest", "cost most"),
        "Which",
        list(OBJECTS),
        "the ",
    ),
)
_ORDER_STEP = "The order is {order}."


def logical_deduction(
    rng: np.random.Generator, difficulty: int, answer: str
) -> Problem:
    """Three things in an order (four at difficulty 3), told by just enough statements.

    Difficulty 1 compares two things at a time, difficulty 2 states one place, and
    difficulty 3 may do so. The place that is asked for is never stated.
    """
    opening, before, after, places, who, things, the = pick(rng, _ORDERS)
    count = 4 if difficulty == 3 else 3
    places = places if count == 4 else (*places[:2], places[3])
    order = sample(rng, things, count)
    named = [f"{the}{thing}" for thing in order]
    told, steps, asked = [], [], set(range(count))
    for low, high in _facts(
        rng, count, placed={1: (0,), 2: (1,), 3: (0, 1)}[difficulty]
    ):
        if high is None:
            asked.remove(low)
            told.append(sentence(f"{named[low]} {places[low]}."))
            steps.append(told[-1])
            continue
        forward, backward = (low, before, high), (high, after, low)
        a, comes, b = pick(rng, (forward, backward))
        told.append(sentence(f"{named[a]} {comes} {named[b]}."))
        steps.append(f"{order[low]} < {order[high]}.")
    place = pick(rng, sorted(asked))
    steps.append(_ORDER_STEP.format(order=" < ".join(order)))
    steps.append(sentence(f"{named[place]} {places[place]}."))
    shown = opening.format(things=listing(sample(rng, order, count)))
    text = " ".join([shown, *told, f"{who} {places[place]}?"])
    wrong = sample(rng, [thing for thing in order if thing != order[place]], 2)
    return choice_problem(text, order[place], wrong, answer, steps)


def _facts(
    rng: np.random.Generator, count: int, placed: tuple[int, ...]
) -> list[tuple[int, int | None]]:
    """`count` - 1 facts that only the order 0, 1, 2, ... fulfils.

    A fact is (low, high), low comes before high, or (thing, None), thing is in its
    place; `placed` says how many there may be of these.
    """
    pairs = [(i, j) for j in range(count) for i in range(j)]
    everything = pairs + [(i, None) for i in range(count)]
    while True:
        facts = sample(rng, everything, count - 1)
        if sum(high is None for _, high in facts) not in placed:
            continue
        fitting = [p for p in permutations(range(count)) if _fulfils(p, facts)]
        if len(fitting) == 1:
            return facts


def _fulfils(positions: tuple[int, ...], facts: list) -> bool:
    """Whether the things at these positions fulfil every fact."""
    return all(
        positions[low] == low if high is None else positions[low] < positions[high]
        for low, high in facts
    )


# -- formal fallacies

_RELATIONS = ("friend", "cousin", "neighbor", "student", "teacher")
_ALL, _NONE = "Every {a} is a {b}.", "No {a} is a {b}."
_IS, _IS_NOT = "{who} is a {a}", "{who} is not a {a}"
_SO, _ASK_VALID = "So {fact}.", "Is this argument valid or invalid?"
_FOLLOWS = {True: "The conclusion follows.", False: "The conclusion does not follow."}


def formal_fallacies(rng: np.random.Generator, difficulty: int, answer: str) -> Problem:
    """`difficulty` rules about all of a kind, a fact about a person, a conclusion."""
    rules, premise, conclusion = _argument(rng, difficulty, answer == "valid")
    *names, who = sample(rng, _NAMES, difficulty + 2)
    kinds = [f"{pick(rng, _RELATIONS)} of {name}" for name in names]

    def say(fact: tuple[int, bool]) -> str:
        return (_IS if fact[1] else _IS_NOT).format(who=who, a=kinds[fact[0]])

    told = [
        (_ALL if positive else _NONE).format(a=kinds[i], b=kinds[j])
        for i, j, positive in sample(rng, rules, difficulty)
    ]
    told += [f"{say(premise)}.", _SO.format(fact=say(conclusion))]
    steps = [
        f"{say(premise)}.",
        *(_SO.format(fact=say(fact)) for fact in _consequences(rules, premise)),
        _FOLLOWS[answer == "valid"],
    ]
    question = " ".join([*told, _ASK_VALID]) + VALID_OR_INVALID
    return Problem(question, answer, tuple(steps))


def _argument(rng: np.random.Generator, length: int, valid: bool) -> tuple:
    """Rules, premise and conclusion of a valid or an invalid argument.

    A rule (i, j, positive) says: every i is a j, or no i is a j. A fact (i, positive)
    says: the person is an i, or is none.
    """
    while True:
        rules = [(i, i + 1, bool(rng.random() < 0.6)) for i in range(length)]
        premise, conclusion = (
            (kind, bool(rng.integers(2))) for kind in sample(rng, (0, length), 2)
        )
        if _entails(rules, premise, conclusion) == valid:
            return rules, premise, conclusion


def _entails(rules: list, premise: tuple[int, bool], conclusion: tuple) -> bool:
    """Whether nobody can fulfil rules and premise without the conclusion."""
    worlds = product((False, True), repeat=len(rules) + 1)
    return all(
        world[conclusion[0]] == conclusion[1]
        for world in worlds
        if world[premise[0]] == premise[1]
        and all(not world[i] or world[j] == positive for i, j, positive in rules)
    )


def _consequences(rules: list, premise: tuple[int, bool]) -> list[tuple[int, bool]]:
    """The facts that follow from the premise by rules and their contrapositives."""
    facts = []
    kind, is_one = premise
    # From the first kind the rules are followed forward, from the last one backward.
    for i, j, positive in rules if kind == 0 else reversed(rules):
        if kind == i and is_one:
            kind, is_one = j, positive
        elif kind == j and is_one != positive:
            kind, is_one = i, False
        else:
            break
        facts.append((kind, is_one))
    return facts
