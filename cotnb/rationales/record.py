"""The record that every teacher writes: one solution of one question."""

import re
from dataclasses import asdict, dataclass, fields

from cotnb.answers import (
    ANSWER_MARK,
    before_next_question,
    extract_answer,
    in_digits,
    is_correct,
)
from cotnb.tasks.example import Example

NEEDED = ("question", "rationale", "prediction", "answer", "teacher", "style")
_LEADS_IN = re.compile(
    r"(?:\b(?:so|thus|hence|therefore))?,?\s*(?:\b(?:the|my|our|his|her))?"
    r"\s*(?:\b(?:final|correct|right))?$",
    re.I,
)
_LONGEST_LEAD = 40  # characters: of more, blanks between words would take minutes
_MARKS = "*_#"  # Markdown's, around a sentence that states an answer


_KINDS = {
    "id": str,
    "prompt": str,
    "temperature": int | float,
    "max_new_tokens": int,
    "sample": int,
    "prompt_tokens": int,
    "new_tokens": int,
    "top_logprobs": list,
}


@dataclass(frozen=True)
class Rationale:
    """One solution that a teacher wrote for a question.

    prediction: the answer that the teacher came to, "" where none could be read.
    correct: whether it is right. style: how the teacher was asked, such as a level of
    detail or a paper's recipe. id: the question's. prompt: all that the teacher read.
    temperature, max_new_tokens, sample: how it was drawn, how long it might have grown
    (0 where not told), and as which of several, from 0.
    prompt_tokens, new_tokens: what was read and written, 0 where not told.
    top_logprobs: for each token written, its likeliest ones as (token, natural
    logarithm of its probability), where they were asked for.
    """

    question: str
    rationale: str
    prediction: str
    answer: str
    correct: bool
    teacher: str
    style: str
    id: str = ""
    prompt: str = ""
    temperature: float = 0.0
    max_new_tokens: int = 0
    sample: int = 0
    prompt_tokens: int = 0
    new_tokens: int = 0
    top_logprobs: list | None = None

    def row(self) -> dict:
        """The record as JSON holds it, without what was not told."""
        return {k: v for k, v in asdict(self).items() if v is not None}


def read_row(row: dict) -> Rationale:
    """A record from a JSON object; `correct` is prediction == answer where not given.

    A prediction of null is none. Fields that a record does not have, and ones not
    needed that are null or of another kind than `Rationale`'s, are left out. Raises
    KeyError and TypeError where a needed one is missing or is no text or number, where
    `correct` is not true or false, or the row no object.
    """
    known = {f.name for f in fields(Rationale)} - {*NEEDED, "correct"}
    told = {key: value for key, value in row.items() if value is not None}
    values = {key: value for key, value in told.items() if key in known}
    for key in {"id", "prompt"} & values.keys():
        values[key] = _as_text(values[key])
    values = {key: _whole(value) for key, value in values.items()}
    values = {k: v for k, v in values.items() if isinstance(v, _KINDS[k])}
    if "prediction" in row:
        told.setdefault("prediction", "")
    values |= {field: _as_text(told[field]) for field in NEEDED}
    correct = told.get("correct", values["prediction"] == values["answer"])
    if not isinstance(correct, bool):
        raise TypeError(f"correct is {correct!r}")
    return Rationale(**values, correct=correct)


def _whole(value):
    """A count that a table has made a number with a point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _as_text(value) -> str:
    if not isinstance(value, str | int | float):
        raise TypeError(f"{value!r} is no text")
    return in_digits(value) if isinstance(value, float) else str(value).strip()


def _without_lead(text: str) -> str:
    """A text without what leads into the sentence that states an answer."""
    bare = _without_marks(text)
    kept, lead = bare[:-_LONGEST_LEAD], bare[-_LONGEST_LEAD:]
    return _without_marks(kept + _LEADS_IN.sub("", lead, count=1))


def _without_marks(text: str) -> str:
    end = len(text)
    while end and (text[end - 1].isspace() or text[end - 1] in _MARKS):
        end -= 1
    return text[:end]


def read_reply(text: str, example: Example) -> tuple[str, str, bool]:
    """What a teacher's text holds: rationale, prediction ("" for none), correct.

    The rationale is what stands before the sentence that states the answer; a text
    that states none is all rationale. A next question and what follows it are no part.
    """
    text = before_next_question(text)
    prediction = extract_answer(text, example.answer_type)
    correct = is_correct(prediction, example.answer, example.answer_type)
    rationale, marks = text, list(ANSWER_MARK.finditer(text))
    if marks:
        before = text[: marks[-1].start()]
        rationale = _without_lead(before) or text
    return rationale.strip(), prediction or "", correct
