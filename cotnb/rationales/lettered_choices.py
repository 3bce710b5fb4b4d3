"""Rationales of lettered questions whose choices stand in another order than ours."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from cotnb.rationales.filters import plain
from cotnb.rationales.record import Rationale
from cotnb.tasks.example import Example

_LETTER = re.compile(r"\(([A-Z])\)")
_CHOICE = re.compile(r"\(([A-Z])\)\s*(.+?)[,.]?\s*(?=\([A-Z]\)|$)")
_LEAD = re.compile(r"(?:which choice is true ?\? )?answer choices:$")


def reletter(
    examples: Sequence[Example], rationales: Iterable[Rationale]
) -> list[Rationale]:
    """The rationales, with letters that mean what they mean in the examples.

    Where an example has a rationale's question and choices, and the choices in another
    order, the question becomes the example's and every letter in brackets the one that
    stands for the same choice there. All others stay as they are.
    """
    known, lettered = set(), {}
    for example in examples:
        known.add(plain(example.question))
        if example.answer_type == "choice":
            lettered[_key(example.question)] = example
    changed = []
    for r in rationales:
        example = None
        if lettered and plain(r.question) not in known:
            example = lettered.get(_key(r.question))
        changed.append(_as_in(example, r) if example else r)
    return changed


def _key(question: str) -> tuple[str, frozenset[str]]:
    """The question without its choices, and these in no order."""
    asked = plain(_LETTER.split(question)[0])
    return _LEAD.sub("", asked).strip(), frozenset(_choices(question).values())


def _choices(question: str) -> dict[str, str]:
    return {letter: plain(choice) for letter, choice in _CHOICE.findall(question)}


def _as_in(example: Example, rationale: Rationale) -> Rationale:
    ours = {choice: letter for letter, choice in _choices(example.question).items()}
    letters = {
        theirs: ours[choice] for theirs, choice in _choices(rationale.question).items()
    }

    def renamed(text: str) -> str:
        return _LETTER.sub(lambda m: f"({letters.get(m[1], m[1])})", text)

    return replace(
        rationale,
        question=example.question,
        rationale=renamed(rationale.rationale),
        prediction=letters.get(rationale.prediction, renamed(rationale.prediction)),
        answer=letters.get(rationale.answer, renamed(rationale.answer)),
    )
