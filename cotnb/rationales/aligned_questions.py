"""Rationales whose questions are an example's in other punctuation or another order.

Data sets go around in versions: one has lost a full stop, another lists a question's
choices otherwise, and a teacher was asked what is not quite at hand.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from cotnb.choices import options_of
from cotnb.rationales.filters import plain
from cotnb.rationales.record import Rationale
from cotnb.tasks.example import Example

# not what makes a number another, nor signs of arithmetic
_PUNCTUATION = re.compile(r"[\s;:?!'\"\u2018\u2019]+|[.,](?!\d)|(?<!\d)[.,]")
_LETTER = re.compile(r"\(([A-Z])\)")
_LEAD = re.compile(r"(?:which choice is true ?\? )?answer choices:$")


def align_questions(
    examples: Sequence[Example], rationales: Iterable[Rationale]
) -> list[Rationale]:
    """The rationales, with an example's own question where it is the same one.

    It is where both differ in case, spacing and punctuation alone; and where an example
    has a rationale's question and choices, the choices in another order: each letter in
    brackets then becomes the one that stands for the same choice there. All other
    rationales stay as they are.
    """
    known = {plain(example.question) for example in examples}
    bare = {_bare(example.question): example for example in examples}
    lettered = {_key(e.question): e for e in examples if e.answer_type == "choice"}
    aligned = []
    for r in rationales:
        if plain(r.question) in known:
            aligned.append(r)
        elif same := bare.get(_bare(r.question)):
            aligned.append(replace(r, question=same.question))
        elif lettered and (other := lettered.get(_key(r.question))):
            aligned.append(_as_in(other, r))
        else:
            aligned.append(r)
    return aligned


def _bare(text: str) -> str:
    return _PUNCTUATION.sub("", text).lower()


def _key(question: str) -> tuple[str, frozenset[str]]:
    """The question without its choices, and these in no order."""
    asked = plain(_LETTER.split(question)[0])
    return _LEAD.sub("", asked).strip(), frozenset(_choices(question).values())


def _choices(question: str) -> dict[str, str]:
    return {letter: plain(words) for letter, words in options_of(question).items()}


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
