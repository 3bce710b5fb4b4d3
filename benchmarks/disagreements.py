"""Why our verdict on an answer and lm-evaluation-harness's differ."""

from fractions import Fraction

from cotnb.answers import ANSWER_MARK

NOTHING = "[invalid]"  # what the harness reads where its pattern does not match
WHY = {
    "texts": "the texts differ: in greedy decoding two tokens were all but equal",
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
    if name == "strict-match":
        if read != NOTHING:
            return ""
        mark = list(ANSWER_MARK.finditer(text))
        return "unit" if mark and text[mark[-1].end() :].strip() else "unstated"
    if _value(read) is None:
        return "punctuation"
    return "last" if text.rfind(read) >= 0 and mine is not None else ""


def _value(read: str) -> Fraction | None:
    try:
        return Fraction(read.replace(",", "").replace("$", "").rstrip("."))
    except (ValueError, ZeroDivisionError):
        return None
