"""Of which type a file's answers are, and each answer in that type's form."""

import re
from collections.abc import Callable, Sequence

from cotnb.answers import LABELS, NUMBER, canonical, extract_answer, stated
from cotnb.formats import ANSWER_LEAD

ENOUGH = 0.9  # the share of answers that must be of a type for it to be the file's
LONG_ANSWER = 12  # words: a text this long is hardly ever written again word by word
_LETTER = re.compile(r"\(?[A-Za-z]\)?[.)]?")
_BRACKETS = re.compile(r"[\[\](){}<>](?:\s*[\[\](){}<>])*")
_MINUS = re.compile(r"(?:minus|negative)\s+[$\u00a3\u20ac]?\.?\d", re.I)
_LEAD = re.compile(
    r"(?:(?:so|thus|hence|therefore),?\s+)?(?:(?:the|my)\s+)?(?:(?:final|correct)\s+)?"
    r"answer\s*(?:is|:|=)\s*:?",
    re.I,
)
_UNIT = re.compile(r"\s*[%\u00b0]?\s*[A-Za-z]*\.?")  # "18 dollars", "5 km.", "20%"


def detect_answer_type(answers: Sequence[str]) -> tuple[str, float]:
    """The type of most answers, and the share, 0 to 1, that is of it.

    The first type that holds for 9 in 10 of them, else "text", which holds for all.
    """
    for answer_type, fits in _FITS.items():
        share = sum(fits(_plain(answer)) for answer in answers) / max(1, len(answers))
        if share >= ENOUGH:
            return answer_type, share
    return "text", 1.0


def read_answer(answer: str, answer_type: str) -> str | None:
    """A bare answer as an `Example` holds it, or None where it is not of that type.

    "$1,000.00" is "1000", "(b)" is "B"; a text keeps its case and loses its full stop.
    Of "The answer is 5" it is the 5. "minus 5" is no number, as no text is read so.
    """
    answer = _plain(answer)
    if answer_type == "text":
        bare = " ".join(answer.split()).rstrip(".").strip()
        return bare if canonical(bare, "text") else None
    if answer_type == "number" and (
        _MINUS.search(answer) or len(list(NUMBER.finditer(answer))) != 1
    ):
        return None
    if answer_type == "choice":
        return canonical(answer.upper(), answer_type) if _is_letter(answer) else None
    return canonical(answer, answer_type)


def is_bare(answer: str, answer_type: str) -> bool:
    """Whether a text is an answer of that type and nothing else."""
    return _FITS.get(answer_type, bool)(_plain(answer))


def can_be_read(answer: str, answer_type: str) -> bool:
    """Whether a text that states an answer is read as stating it."""
    text = f"{ANSWER_LEAD} {stated(answer, answer_type)}."
    return extract_answer(text, answer_type) == canonical(answer, answer_type)


def _plain(answer: str) -> str:
    """An answer without "The answer is" before it."""
    lead = _LEAD.match(answer.strip())
    return answer.strip()[lead.end() if lead else 0 :].strip()


def is_long(answers: Sequence[str]) -> bool:
    """Whether most answers are long texts, such as whole solutions."""
    long = sum(len(answer.split()) >= LONG_ANSWER for answer in answers)
    return long > len(answers) / 2


def _is_number(answer: str) -> bool:
    found = NUMBER.match(answer.strip())
    return bool(found) and bool(_UNIT.fullmatch(answer.strip()[found.end() :]))


def _is_letter(answer: str) -> bool:
    return bool(_LETTER.fullmatch(answer.strip()))


def _is_brackets(answer: str) -> bool:
    return bool(_BRACKETS.fullmatch(answer.strip()))


def _is_label(labels: tuple[str, ...]) -> Callable[[str], bool]:
    return lambda answer: answer.strip().rstrip(".").lower() in labels


_FITS = {
    **{kind: _is_label(labels) for kind, labels in LABELS.items()},
    "choice": _is_letter,
    "number": _is_number,
    "brackets": _is_brackets,
}
