"""A user's own rationales: what answer they state, if any."""

from cotnb.answers import ANSWER_MARK
from cotnb.formats import ANSWER_LEAD
from cotnb.rationales.record import Rationale, read_reply
from cotnb.tasks.example import Example

GSM8K_MARK = "####"  # stands before an answer there


def states_answer(example: Example) -> bool | None:
    """Whether a rationale states the right answer; None where it states none.

    It states one after "answer is", as a reply does, or after GSM8K's "####".
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
    marked = example.rationale.replace(GSM8K_MARK, ANSWER_LEAD)
    text, prediction, correct = read_reply(marked, example)
    stated = ANSWER_MARK.search(marked) and prediction
    return text, prediction, correct if stated else None
