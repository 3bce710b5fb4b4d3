"""Which of a teacher's rationales are kept, and which question each belongs to."""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from cotnb.errors import UserError
from cotnb.rationales.record import Rationale
from cotnb.tasks.example import Example
from cotnb.tasks.verifier import verify


def by_teacher(
    rationales: Iterable[Rationale], teacher: str, style: str
) -> list[Rationale]:
    """One teacher's rationales of one style; UserError naming what there is instead."""
    rationales = list(rationales)
    chosen = [r for r in rationales if (r.teacher, r.style) == (teacher, style)]
    if not chosen:
        there = sorted({f"{r.teacher}/{r.style}" for r in rationales})
        raise UserError(
            f"no rationales by {teacher}/{style}; there are {', '.join(there)}"
        )
    return chosen


def keep_correct(rationales: Iterable[Rationale]) -> list[Rationale]:
    """The answer filter: rationales that come to the right answer (Ho et al. 2022)."""
    return [r for r in rationales if r.correct]


def keep_verified(
    rationales: Iterable[Rationale], examples: Iterable[Example]
) -> list[Rationale]:
    """Those whose every step holds, by `verify`; of the examples' questions alone."""
    by_question = {plain(example.question): example for example in examples}
    kept = []
    for r in rationales:
        example = by_question.get(plain(r.question))
        if example and r.correct and not verify(example, r.rationale).error_kind:
            kept.append(r)
    return kept


def keep_checkable(
    rationales: Iterable[Rationale], examples: Iterable[Example]
) -> list[Rationale]:
    """Those with an equation that `verify` can check; of the examples' questions."""
    by_question = {plain(example.question): example for example in examples}
    return [
        r
        for r in rationales
        if (example := by_question.get(plain(r.question)))
        and example.answer_type == "number"
        and verify(example, r.rationale).equations
    ]


def keep_distinct(rationales: Iterable[Rationale]) -> list[Rationale]:
    """The first of those that differ in case and spacing alone."""
    kept = {}
    for r in rationales:
        key = (plain(r.question), plain(r.rationale))
        kept.setdefault(key, r)
    return list(kept.values())


def match(
    examples: Sequence[Example],
    rationales: Iterable[Rationale],
    per_question: int = 1,
    seed: int = 0,
    as_written: bool = False,
) -> list[tuple[Example, str]]:
    """(example, rationale) pairs: up to `per_question` for each example.

    Matched by the question's text. Where a question has more, a seeded draw of them;
    examples without any are left out. as_written: whether a wrong rationale's example
    gets the teacher's wrong answer, as it does where nobody checks; wrong ones without
    any answer are then left out.
    """
    by_question = defaultdict(list)
    for r in rationales:
        if not as_written or r.correct or r.prediction:
            by_question[plain(r.question)].append(r)
    pairs = []
    for example in examples:
        known = by_question.get(plain(example.question), [])
        if len(known) > per_question:
            known = random.Random(f"{seed}/{example.id}").sample(known, per_question)
        for r in known:
            mended = r.correct or not as_written
            told = example if mended else replace(example, answer=r.prediction)
            pairs.append((told, r.rationale))
    return pairs


def match_by_style(
    examples: Sequence[Example], rationales: Iterable[Rationale], teacher: str
) -> dict[str, list[tuple[Example, str]]]:
    """For each of a teacher's styles, (example, rationale) pairs, one an example.

    Of the examples that have one in every style, so that styles differ in nothing else.
    Raises UserError where the teacher has no rationales.
    """
    own = [r for r in rationales if r.teacher == teacher]
    if not own:
        raise UserError(f"no rationales by {teacher!r} to compare the styles of")
    styles = sorted({r.style for r in own})
    matched = {s: match(examples, [r for r in own if r.style == s]) for s in styles}
    shared = set.intersection(*({e.id for e, _ in matched[s]} for s in styles))
    return {s: [pair for pair in matched[s] if pair[0].id in shared] for s in styles}


def plain(text: str) -> str:
    """A text without what does not tell questions apart: its spacing and its case."""
    return " ".join(text.split()).lower()
