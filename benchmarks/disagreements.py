"""Why our verdict on an answer and lm-evaluation-harness's differ."""

import re
from fractions import Fraction

from cotnb.answers import ANSWER_MARK

BEFORE_NUMBER = re.compile(r"\s*[^\s\d.,-]+\s?\d")  # a sign of money, say
NOTHING = "[invalid]"  # what the harness reads where its pattern does not match
WHY = {
    "texts": "the texts differ",
    "form": "the same number in another form, such as 14.00 for 14",
    "unstated": "strict: the text has no sentence of the form that it asks for",
    "unit": "strict: a sign or a unit stands before the number",
    "last": "flexible: the last number of the text is not the stated answer",
    "punctuation": "flexible: punctuation is read along with the number",
}


def explain(name: str, text: str, same: bool, read: str, mine: str | None) -> str:
    """A key of `WHY`, or "" where none of them holds.

    name: one of `FILTERS`. text: the harness's. same: whether ours is the same. read:
    what the harness read in its text, mine: what we read in ours.
    """
    if not same:
        return "texts"
    if mine is not None and _value(read) == Fraction(mine):
        return "form"
    stated = [text[mark.end() :] for mark in ANSWER_MARK.finditer(text)]
    if name == "strict-match":
        if read != NOTHING:
            return ""
        return "unit" if stated and BEFORE_NUMBER.match(stated[-1]) else "unstated"
    if _value(read) is None:
        return "" if read == NOTHING else "punctuation"
    return "last" if stated else ""


def _value(read: str) -> Fraction | None:
    try:
        return Fraction(read.replace(",", "").replace("$", "").rstrip("."))
    except (ValueError, ZeroDivisionError):
        return None
