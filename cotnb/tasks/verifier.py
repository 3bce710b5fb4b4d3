"""Is a rationale right, step by step, and not in its last number alone?

A rationale can reach the right answer by a wrong step, and a wrong answer by one small
slip. Wei et al. 2022, "Chain-of-Thought Prompting Elicits Reasoning in Large Language
Models" (arXiv 2201.11903), appendix D, read rationales by hand and sorted what was
wrong into calculator errors, symbol mapping errors, one step missing, and semantic
understanding. `verify` does it by rule for rationales that state equations.
"""

import ast
import itertools
import operator
import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from cotnb.answers import LONGEST_NUMBER
from cotnb.errors import UserError
from cotnb.tasks.example import Example

_COUNTED = "zero one two three four five six seven eight nine ten eleven twelve"
_NUMBER_WORDS = {word: number for number, word in enumerate(_COUNTED.split())}
# Numbers that a question gives by a word; those of units are known by everybody.
_IMPLIED = {
    "once": (1,),
    "twice": (2,),
    "double": (2,),
    "doubled": (2,),
    "doubles": (2,),
    "pair": (2,),
    "couple": (2,),
    "both": (2,),
    "half": (2, Fraction(1, 2)),
    "thrice": (3,),
    "triple": (3,),
    "third": (3, Fraction(1, 3)),
    "quarter": (4, Fraction(1, 4)),
    "dozen": (12,),
    "percent": (100,),
    "week": (7,),
    "hour": (60,),
    "minute": (60,),
    "day": (24,),
    "year": (12, 52, 365),
    "foot": (12,),
    "feet": (12,),
    "dollar": (100,),
}
_OPERATORS = {"plus": "+", "minus": "-", "times": "*", "equals": "="}
_PLAIN_SIGNS = str.maketrans("\u2212\u2013\u00d7\u00b7\u00f7\u2019", "--**/'")
_TOKEN = re.compile(
    r"(?P<number>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)(?P<percent>\s?%)?"
    r"|(?P<word>[A-Za-z]+(?:'[a-z]+)?)|(?P<mark>[-+*/=()$])|(?P<end>[^\s\w])"
)
_MARKED = re.compile(r"<<([^<>]*=\s*([^<>=]*))>>\s*(\S*)")
_MOST_UNIT_WORDS = 4


@dataclass(frozen=True)
class Equation:
    """One statement "expression = result" of a rationale.

    text: the expression and the result, numbers and operators alone.
    operands: the numbers in the expression, in order.
    values: the exact value of the expression and of each part of it.
    result: the number that the rationale states.
    correct: whether the result is the value, or that value rounded to the decimal
        places that the result has.
    """

    text: str
    operands: tuple[Fraction, ...]
    values: tuple[Fraction, ...]
    result: Fraction
    correct: bool


@dataclass(frozen=True)
class Verdict:
    """What `verify` found in a rationale.

    equations: the equations, in the text's order.
    arithmetic_correct: every equation holds.
    follows: every operand is a number of the question (as digits or as a word: "twice",
        "half", "dozen", "one" to "twelve"), one that the exact solution knows without
        having worked it out, or the result of an earlier equation.
    complete: the exact solution's results are all reached, in any order and as often
        as there, or another route uses every number that it uses, as often, in no fewer
        operations, ends at its answer and leaves no result lying; True where the steps
        are not known.
    answer_correct: the last equation's result is the answer.
    skips_only: every operand from nowhere is a result of the exact solution.
    too_short: fewer operations than the exact solution has.
    """

    equations: tuple[Equation, ...]
    arithmetic_correct: bool
    follows: bool
    complete: bool
    answer_correct: bool
    skips_only: bool = False
    too_short: bool = False

    @property
    def error_kind(self) -> str | None:
        """The first kind of error that applies, None for a right rationale.

        "no_equations": nothing to check.
        "wrong_calculation": an equation does not hold (Wei et al.: calculator error).
        "missing_step": a result is used that was never worked out, or there are fewer
            operations than the problem needs (one step missing).
        "misread": true equations that do not solve this question: a number that it does
            not give, a wrong operation, a step too many (semantic understanding, and
            symbol mapping).
        """
        if not self.equations:
            return "no_equations"
        if not self.arithmetic_correct:
            return "wrong_calculation"
        if not self.follows:
            return "missing_step" if self.skips_only else "misread"
        if not self.complete:
            return "missing_step" if self.too_short else "misread"
        return None if self.answer_correct else "misread"


def verify(example: Example, rationale: str) -> Verdict:
    """Checks the equations of a rationale against its question.

    example: a question whose answer is a number; its exact `steps` are used where they
    are known. rationale: any text.

    A solution may be cut up in another way than the exact one. Such a route counts as
    right when its equations are true and grounded, use all the numbers that the exact
    solution uses, as often as it does and in no fewer operations, end at its answer,
    and use every result that is worked out on the way. Two wrong operations that happen
    to give the answer from the same numbers pass, as no rule on equations alone can see
    it: 2 of 7,430 micro-world solutions with the first operation exchanged did (split
    "test", seeds 0 to 9).
    Raises UserError for an example whose answer is not a number.
    """
    if example.answer_type != "number":
        raise UserError(
            f"{example.id}: verify reads answers of type 'number', "
            f"not {example.answer_type!r}"
        )
    answer = Fraction(example.answer.replace(",", ""))
    equations = find_equations(rationale)
    exact = find_equations("\n".join(example.steps)) if example.steps else ()
    known = _given(example.question) | set(_unfounded(_given(example.question), exact))
    unfounded = _unfounded(known, equations)
    exact_results = Counter(equation.result for equation in exact)
    answer_correct = bool(equations) and equations[-1].result == answer
    reached = Counter(value for equation in equations for value in equation.values)
    return Verdict(
        equations=equations,
        arithmetic_correct=all(equation.correct for equation in equations),
        follows=not unfounded,
        complete=exact_results <= reached
        or (answer_correct and _other_route(example.question, equations, exact)),
        answer_correct=answer_correct,
        skips_only=set(unfounded) <= set(exact_results),
        too_short=_operations(equations) < _operations(exact),
    )


def find_equations(text: str) -> tuple[Equation, ...]:
    """Every equation that a text states, in order.

    Reads + - * / and their typographic forms, a lone x, "plus", "minus", "times",
    "divided by", "equals"; brackets; commas in numbers; $ and %; unit words after a
    number ("5 apples + 3 apples = 8 apples"); number words to twelve; "2(3 + 4)";
    chains ("5 + 3 = 8 - 2 = 6" is read as 5 + 3 = 8 and 8 - 2 = 6); and the marks of
    GSM8K, "48/2 = <<48/2=24>>24" (Cobbe et al. 2021, arXiv 2110.14168). Of "2x" and its
    like nothing is read. A number alone before "=" is
    no equation, and "20% of 50 = 10" is not read.
    """
    found = []
    for segment in _segments(_without_marks(text)):
        sides = _split(segment, "=")
        for left, right in itertools.pairwise(sides):
            equation = _equation(left, right)
            if equation is not None:
                found.append(equation)
    return tuple(found)


def _other_route(
    question: str, equations: tuple[Equation, ...], exact: tuple[Equation, ...]
) -> bool:
    """Whether the equations use all the exact solution's numbers and lead on."""
    if _operations(equations) < _operations(exact):
        return False
    used = Counter(o for equation in equations for o in equation.operands)
    for equation in equations[:-1]:
        if used[equation.result] == 0:
            return False
        used[equation.result] -= 1
    needed = Counter(o for equation in exact for o in equation.operands)
    needed.subtract(equation.result for equation in exact[:-1])
    given = _given(question)
    return all(used[n] >= times for n, times in needed.items() if n in given)


def _operations(equations: tuple[Equation, ...]) -> int:
    return sum(len(equation.operands) - 1 for equation in equations)


def _unfounded(given: set[Fraction], equations: tuple[Equation, ...]) -> list[Fraction]:
    """Operands that are neither given nor what an earlier equation comes to."""
    known, unfounded = set(given), []
    for equation in equations:
        unfounded += [o for o in equation.operands if o not in known]
        known |= {*equation.values, equation.result}
    return unfounded


def _given(question: str) -> set[Fraction]:
    """The numbers that a question gives, in digits or words."""
    given = set()
    for token in _TOKEN.finditer(question):
        if token["number"]:
            number = Fraction(token["number"].replace(",", ""))
            given.add(number)
            if token["percent"]:
                given |= {number / 100, Fraction(100)}
        elif token["word"]:
            word = token["word"].lower()
            given |= {Fraction(n) for n in _IMPLIED.get(word, ())}
            given |= {Fraction(n) for n in _IMPLIED.get(word.removesuffix("s"), ())}
            if word in _NUMBER_WORDS:
                given.add(Fraction(_NUMBER_WORDS[word]))
    for above, below in re.findall(r"(\d+)/(\d*[1-9]\d*)", question):
        given.add(Fraction(int(above), int(below)))
    return given


# -- reading; a number is a token (value, decimal places), all others are strings


def _without_marks(text: str) -> str:
    """GSM8K's <<48/2=24>>24 as 24, or as 48/2=24 where no expression precedes it."""

    def plain(mark: re.Match) -> str:
        if text[: mark.start()].rstrip().endswith("="):
            return mark[3]
        return f" ; {mark[1]} {mark[3].removeprefix(mark[2])}"

    return _MARKED.sub(plain, text)


def _segments(text: str) -> list[list]:
    """The tokens between two punctuation marks, a list a segment."""
    text = text.translate(_PLAIN_SIGNS).replace("divided by", "/")
    text = re.sub(r"(?m)^\s*[-*]\s+", "", text)  # a list's bullet is no operator
    text = re.sub(r"/(?=\s*[A-Za-z])", " ", text)  # nor is "miles/hour"
    text = re.sub(r"(?<=[\d)\s])[xX](?=\s*[\d($])", "*", text)
    text = re.sub(r"(?<=[\d)])(?=\()", "*", text)  # "2(3 + 4)"
    text = re.sub(r"\b[\d.]*[xyz]\b", "unknown", text)  # "2x + 30" is no number yet
    segments = []
    for line in text.splitlines():
        segments.append([])
        for token in _TOKEN.finditer(line):
            word = (token["word"] or "").lower()
            if token["end"]:
                segments.append([])
            elif token["number"]:
                readable = len(token["number"]) <= LONGEST_NUMBER
                segments[-1].append(_number(token) if readable else "word")
            elif word in _NUMBER_WORDS:
                segments[-1].append((Fraction(_NUMBER_WORDS[word]), 0))
            elif word:
                segments[-1].append(_OPERATORS.get(word, "word"))
            elif token["mark"] != "$":
                segments[-1].append(token["mark"])
    return segments


def _number(token: re.Match) -> tuple[Fraction, int]:
    digits = token["number"].replace(",", "")
    decimals = len(digits.partition(".")[2])
    if token["percent"]:
        return Fraction(digits) / 100, decimals + 2
    return Fraction(digits), decimals


def _split(tokens: list, mark: str) -> list[list]:
    sides = [[]]
    for token in tokens:
        if token == mark:
            sides.append([])
        else:
            sides[-1].append(token)
    return sides


def _equation(left: list, right: list) -> Equation | None:
    """The equation of the longest expression before "=" and the number after it."""
    stated = _stated(right)
    left = _without_units(left)
    for start in range(len(left)):
        operands, values = _evaluate(left[start:])
        if not values or stated is None:
            continue
        result, decimals = stated
        rewritten = _evaluate(_without_units(right))[1]
        if rewritten[-1:] == values[-1:] != [None]:  # "2 * 3 + 4 = 6 + 4 = 10"
            result = values[-1]
        slack = Fraction(1, 2 * 10**decimals) if decimals else 0
        correct = values[-1] is not None and abs(values[-1] - result) <= slack
        return Equation(
            text=f"{_text(left[start:])} = {_plain(result)}",
            operands=operands,
            values=tuple(value for value in values if value is not None),
            result=result,
            correct=correct,
        )
    return None


def _stated(right: list) -> tuple[Fraction, int] | None:
    """The number right after "=", with its sign and its decimal places."""
    sign, tokens = (-1, right[1:]) if right[:1] == ["-"] else (1, right)
    if not tokens or not isinstance(tokens[0], tuple):
        return None
    value, decimals = tokens[0]
    return sign * value, decimals


def _without_units(tokens: list) -> list:
    """Drops the words after a number; any other word cuts off what precedes it."""
    kept, words = [], 0
    for token in tokens:
        if token != "word":
            words = 0
            kept.append(token)
            continue
        words += 1
        after_number = kept and (isinstance(kept[-1], tuple) or kept[-1] == ")")
        if not after_number or words > _MOST_UNIT_WORDS:
            kept = []
    return kept


def _evaluate(tokens: list) -> tuple[tuple[Fraction, ...], list[Fraction | None]]:
    """The operands of an expression and the values of its parts, the whole one last.

    No values where the tokens are no expression with an operation; [None] where it
    divides by zero.
    """
    operands = [token[0] for token in tokens if isinstance(token, tuple)]
    names = (f"n{i}" for i in range(len(operands)))
    source = " ".join(next(names) if isinstance(t, tuple) else t for t in tokens)
    values = []

    def value(node: ast.expr) -> Fraction:
        chain = []  # a sum of a thousand terms leans left, too deep to recurse into
        while isinstance(node, ast.BinOp) and type(node.op) in _EVALUATE:
            chain.append(node)
            node = node.left
        total = single(node)
        for step in reversed(chain):
            total = _EVALUATE[type(step.op)](total, value(step.right))
            values.append(total)
        return total

    def single(node: ast.expr) -> Fraction:
        if isinstance(node, ast.Name):
            return operands[int(node.id[1:])]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -value(node.operand)
        raise SyntaxError

    try:
        value(ast.parse(source.strip(), mode="eval").body)
    except (SyntaxError, RecursionError):  # the latter: brackets a hundred deep
        return (), []
    except ZeroDivisionError:
        return tuple(operands), [None]
    return tuple(operands), values


_EVALUATE = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def _text(tokens: list) -> str:
    return " ".join(_plain(t[0]) if isinstance(t, tuple) else t for t in tokens)


def _plain(number: Fraction) -> str:
    try:
        return str(number) if number.denominator == 1 else f"{float(number):g}"
    except OverflowError:  # of hundreds of digits, as a student may run on
        return str(number)
