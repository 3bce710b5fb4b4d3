"""One extractor for each answer type: from a generated text to a canonical answer."""

import re
from decimal import Decimal
from fractions import Fraction

ANSWER_MARK = re.compile(r"answer\s*(?:is|:|=)\s*:?", re.IGNORECASE)
NEXT_QUESTION = re.compile(r"(?:^|\s)(?:Q|Question)\s*:")
NUMBER = re.compile(
    r"(?<![\w.])"  # not inside a word
    # "10-3" holds no minus three, and a dash that stands apart is none
    r"(?:(?<!\d)(?<!\d )(?P<sign>[-\u2212]\s?|\u2013(?!\s)))?"
    r"[$\u00a3\u20ac]?\s?"
    r"(?P<signed>[-\u2212\u2013])?"
    r"(?P<value>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
    r"(?:\s?/\s?(?P<denominator>\d+)(?![\d.]*\d*/))?"
    r"(?![\d]|,\d{3}|\.\d|[A-Za-z]\d)"
)
EQUATION = re.compile(r"[\d.,$\u00a3\u20ac%()\s+\-\u2212*/\u00d7\u00f7x=]*")
OPERATOR = re.compile(r"[\d)%]\s*[-+\u2212*/\u00d7\u00f7x]\s*[$\u00a3\u20ac(]*\s*\d")
BULLET = re.compile(r"\s*\n\s*[-*\u2022]\s+")
# A and I may be words, unless it is said that they are options
NAMED_LETTER = re.compile(
    r"\s*(?:(?:[Oo]ption|[Cc]hoice)\s+([A-Z])|([B-HJ-Z]))\b(?!['\u2019])"
)
DENIED = {"valid": "invalid", "true": "false", "false": "true"}  # "not valid"
LONGEST_NUMBER = 500  # characters; longer ones are a text that has run wild
LABELS = {
    "yes_no": ("yes", "no"),
    "true_false": ("true", "false"),
    "valid_invalid": ("valid", "invalid"),
}


def extract_answer(text: str, answer_type: str) -> str | None:
    """The canonical answer that a generated text states, or None where it has none.

    The text is cut where a next question begins. What follows the last "answer is"
    is read first; without that mark the whole text is read, and its last candidate
    counts, as is usual for chains of thought (Fu et al. 2023; Kojima et al. 2022).
    """
    text = _clean(text)
    marks = list(ANSWER_MARK.finditer(text))
    for mark in reversed(marks):
        found = _candidates(text[mark.end() :], answer_type, after_mark=True)
        if found:
            return found[0]
    if marks and answer_type in ("brackets", "text"):
        return None
    found = _candidates(text, answer_type, after_mark=False)
    return found[-1] if found else None


def before_next_question(text: str) -> str:
    """A text cut where a next question begins, unless it begins with one."""
    following = NEXT_QUESTION.search(text)
    if following and text[: following.start()].strip():
        return text[: following.start()]
    return text


def canonical(answer: str, answer_type: str) -> str | None:
    """A bare answer in canonical form: "$1,000.00" is "1000", "(b)" is "B".

    None where the answer is not of that type.
    """
    found = _candidates(_clean(answer), answer_type, after_mark=True)
    return found[0] if found else None


def in_digits(value: float) -> str:
    """A number as people write it, never as "5e-05"; a whole one without a point."""
    return str(int(value)) if value.is_integer() else f"{Decimal(repr(value)):f}"


def stated(answer: str, answer_type: str) -> str:
    """An answer as a text states it: a letter in brackets, as in BBH, all else bare."""
    return f"({answer})" if answer_type == "choice" else answer


def is_correct(prediction: str | None, answer: str, answer_type: str) -> bool:
    """Whether a canonical prediction equals the exact answer (exact match)."""
    return prediction is not None and prediction == canonical(answer, answer_type)


def _clean(text: str) -> str:
    text = re.sub(r"\*\*|__|`", "", text)
    text = re.sub(r"\\boxed\s*\{([^{}]*)\}", r"\1", text)
    return before_next_question(text).strip()


def _candidates(text: str, answer_type: str, after_mark: bool) -> list[str]:
    if answer_type == "number":
        if after_mark:
            text = _after_equation(BULLET.sub("", text, count=1))
        found = NUMBER.finditer(text)
        return [_number(match) for match in found if len(match[0]) <= LONGEST_NUMBER]
    if answer_type == "choice":
        return _choices(text, after_mark)
    if answer_type == "brackets":
        return _brackets(text, after_mark)
    if answer_type == "text":
        return _free_text(text, after_mark)
    labels = "|".join(LABELS[answer_type])
    found = re.findall(rf"\b(not\s+)?({labels})\b", text, re.IGNORECASE)
    stated = [(bool(denied), label.lower()) for denied, label in found]
    return [DENIED.get(label, label) if denied else label for denied, label in stated]


def _after_equation(text: str) -> str:
    """What stands after the last "=" of an equation that a text begins with.

    "54 - 48 = 6" states 6; "5 = 500 cents", where nothing is worked out, states 5.
    """
    left, equals, _ = EQUATION.match(text)[0].rpartition("=")
    right = text[len(left) + 1 :].lstrip() if equals else ""
    return right if OPERATOR.search(left) and NUMBER.match(right) else text


def _number(match: re.Match) -> str:
    value = Fraction(match["value"].replace(",", ""))
    if match["denominator"] and int(match["denominator"]):
        value /= int(match["denominator"])
    if match["sign"] or match["signed"]:
        value = -value
    return _decimal(value)


def _decimal(value: Fraction) -> str:
    """An exact decimal where there is one, else a fraction in lowest terms."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if value.denominator == 1 or rest != 1:
        return str(value)
    digits = 0
    while (value * 10**digits).denominator != 1:
        digits += 1
    whole, part = divmod(
        abs(value.numerator) * 10**digits // value.denominator, 10**digits
    )
    return f"{'-' if value < 0 else ''}{whole}.{part:0{digits}d}"


def _choices(text: str, after_mark: bool) -> list[str]:
    bare = r"\s*([A-Z])\s*(?:\)|\.|,|:|$|\n)"  # "A ." as some tokenizers decode it
    start = re.match(bare, text)
    if start and after_mark:  # "is B. (A) is too early" says B
        return [start[1]]
    # and so does "is B because (A) is too early"; A and I may be words
    if after_mark and (goes_on := NAMED_LETTER.match(text)):
        return [goes_on[1] or goes_on[2]]
    bracketed = re.findall(r"\(\s?([A-Za-z])\s?\)", text)
    if bracketed:
        return [letter.upper() for letter in bracketed]
    if start:
        return [start[1]]
    if after_mark:
        return []
    return re.findall(r"(?:^|\s)([A-Z])(?:\)|\.(?:\s|$))", text)


def _brackets(text: str, after_mark: bool) -> list[str]:
    pattern = r"[\[\](){}<>](?:\s*[\[\](){}<>])*"
    if after_mark:
        match = re.match(rf"[\s:]*({pattern})", text)
        found = [match[1]] if match else []
    else:
        found = re.findall(pattern, text)
    return [" ".join(re.sub(r"\s", "", run)) for run in found]


def _free_text(text: str, after_mark: bool) -> list[str]:
    line = text.strip().splitlines()
    if not line:
        return []
    words = line[0 if after_mark else -1].strip().strip("\"'\u201c\u201d")
    words = re.sub(r"[.\"'\u201c\u201d]+$", "", words).lower()
    return [" ".join(words.split())] if words else []
