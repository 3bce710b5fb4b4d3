"""How much of a test set is in the training set, short of the very questions.

A random split tests on new numbers and names in sentences that were trained on; a
template split keeps whole sentences back. Ho et al. 2022 split a task by template for
this reason.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from cotnb.errors import UserError
from cotnb.tasks.example import Example


def leaks(test: Sequence[Example], train: Sequence[Example]) -> dict[str, float]:
    """Shares, 0 to 1, of a test set that a training set holds already.

    Keys, first of test questions, the last of their sentences: "same question", equal
    but for its numbers; "same templates", of as many, in the same order; "known
    templates", all of them trained on; "same sentence", equal but for its numbers.
    Those of templates are there where every question's are named.
    Raises UserError where there is no test question.
    """
    if not test:
        raise UserError("no test questions: their share in training cannot be told")
    questions = {_without_numbers(e.question) for e in train}
    sentences = {s for e in train for s in _sentences(e)}
    shares = {
        "same question": _share(
            _without_numbers(e.question) in questions for e in test
        ),
    }
    if all(e.template for e in (*test, *train)):
        orders = {tuple(_templates(e)) for e in train}
        known = {name for order in orders for name in order}
        shares["same templates"] = _share(tuple(_templates(e)) in orders for e in test)
        shares["known templates"] = _share(
            known.issuperset(_templates(e)) for e in test
        )
    same = _share(s in sentences for e in test for s in _sentences(e))
    return {**shares, "same sentence": same}


def _templates(example: Example) -> list[str]:
    return example.template.split("+")


def _sentences(example: Example) -> Iterator[str]:
    for sentence in re.split(r"(?<=[.?])\s+", example.question):
        yield _without_numbers(sentence)


def _without_numbers(text: str) -> str:
    return re.sub(r"\d+", "#", text)


def _share(found: Iterable[bool]) -> float:
    found = list(found)
    return sum(found) / len(found)
