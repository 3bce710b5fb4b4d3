"""A user's own rationales: what answer they state, if any."""

import re

from cotnb.answers import ANSWER_MARK, NEXT_QUESTION
from cotnb.formats import ANSWER_LEAD
from cotnb.rationales.record import Rationale, read_reply
from cotnb.tasks.example import Example
from cotnb.your_task.answer_types import read_answer

GSM8K_MARK = "####"  # stands before an answer there


def states_answer(example: Example) -> bool | None:
    """Whether a rationale states the right answer; None where it states none.

    It states one after "answer is", as a reply does, or after GSM8K's "####" where
    nothing but an answer follows: elsewhere that is a heading of Markdown's.
    """
    return _read(example)[2]


def judged(example: Example) -> Rationale:
    """A user's rationale, wrong only where it states another answer itself."""
    text, prediction, right = _read(example)
    return Rationale(
        question=example.question,
        rationale=text,
        prediction=example.answer if right is None else prediction,
        answer=example.answer,
        correct=right is not False,
        teacher="own",
        style="own",
        id=example.id,
    )


def _read(example: Example) -> tuple[str, str, bool | None]:
    marked = _with_lead(example)
    text, prediction, correct = read_reply(marked, example)
    stated = ANSWER_MARK.search(marked) and prediction
    return text, prediction, correct if stated else None


def _with_lead(example: Example) -> str:
    """A rationale with its answer stated in words, and none of it a next question.

    A student's text ends where it begins a next question, so "Question:" within a
    rationale becomes "Question.".
    """
    text = NEXT_QUESTION.sub(_as_sentence, example.rationale)
    before, mark, stated = text.rpartition(GSM8K_MARK)
    one_line = "\n" not in stated.strip()
    if mark and one_line and read_answer(stated, example.answer_type):
        return f"{before}{ANSWER_LEAD}{stated}"
    return text


def _as_sentence(mark: re.Match) -> str:
    return f"{mark[0][:-1].rstrip()}."
