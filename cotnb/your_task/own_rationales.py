"""A user's own rationales: what answer they state, if any."""

from cotnb.answers import ANSWER_MARK, NEXT_QUESTION
from cotnb.formats import ANSWER_LEAD
from cotnb.rationales.record import Rationale, read_reply
from cotnb.tasks.example import Example
from cotnb.your_task.answer_types import is_bare

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
    """A rationale with its answer stated in words, and none of it a next question."""
    text = _own_part(example.rationale)
    before, mark, after = text.rpartition(GSM8K_MARK)
    stated, _, rest = after.strip().partition("\n")
    # of free text anything might be an answer: then nothing may follow
    alone = not rest if example.answer_type == "text" else True
    if mark and alone and is_bare(stated, example.answer_type):
        return f"{before}{ANSWER_LEAD} {stated}"
    return text


def _own_part(text: str) -> str:
    """A text up to a question after its answer; before, "Question:" is "Question.".

    A student's text ends where it begins a next question, which none of it may seem.
    """
    for mark in NEXT_QUESTION.finditer(text):
        before = text[: mark.start()]
        if ANSWER_MARK.search(before) or GSM8K_MARK in before:
            text = before
            break
    return NEXT_QUESTION.sub(lambda mark: f"{mark[0][:-1].rstrip()}.", text)
