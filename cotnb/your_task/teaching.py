"""Rationales for training questions: the file's own, another file's, a teacher's."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cotnb.answers import ANSWER_MARK, canonical, is_correct
from cotnb.errors import UserError
from cotnb.files import write_whole
from cotnb.rationales.collecting import dollars, kept_replies
from cotnb.rationales.endpoint_teacher import EndpointTeacher
from cotnb.rationales.files import teacher_file
from cotnb.rationales.filters import (
    keep_checkable,
    keep_correct,
    keep_distinct,
    keep_verified,
    match,
    plain,
)
from cotnb.rationales.local_teacher import LocalTeacher
from cotnb.rationales.papers import PAPER_RECIPES, sample_rationales, yields
from cotnb.rationales.record import Rationale
from cotnb.rationales.teachers import Teacher
from cotnb.students import load_student
from cotnb.tasks.example import Example
from cotnb.your_task.answer_types import read_answer
from cotnb.your_task.own_rationales import judged, states_answer

LOCAL = "local:"
FEWEST_WORDS = 3  # before an answer, for a text to be a rationale
DEMONSTRATIONS = 3  # that a teacher is shown, where so many rationales are there


@dataclass(frozen=True)
class Source:
    """What came from one place: all that was written, for which questions.

    paid: whether it was written for this task, by a teacher that has a price.
    """

    name: str
    written: list[Rationale]
    examples: list[Example]
    paid: bool = False


@dataclass(frozen=True)
class Taught:
    """All rationales, and the ones to tune on.

    sources: where they came from. solved: (training example, rationale) pairs: right
    ones, equal ones once. bare: how many right ones were left out, as they are nothing
    but an answer. unstated: how many of the file's own state no answer, and count as
    right for that. prices: dollars per million tokens read and written.
    """

    sources: list[Source]
    solved: list[tuple[Example, str]]
    bare: int = 0
    unstated: int = 0
    prices: tuple[float, float] | None = None

    @property
    def questions(self) -> int:
        """How many questions have a rationale to tune on."""
        return len({example.id for example, _ in self.solved})

    def table(self) -> list[dict]:
        """Yields and cost of each source, as `papers.yields` names them.

        wrong_step is of the right ones with an equation, with_equations of them: a
        user's rationale in words alone has no step that could be checked.
        """
        rows = []
        for source in self.sources:
            row = {"source": source.name, **yields(source.written, source.examples)}
            right = keep_correct(source.written)
            checked = keep_checkable(right, source.examples)
            row["with_equations"] = len(checked)
            if row["wrong_step"] is not None:
                sound = len(keep_verified(checked, source.examples))
                row["wrong_step"] = 1 - sound / len(checked) if checked else None
            if self.prices and source.paid:
                row["dollars"] = dollars(source.written, self.prices)
            rows.append(row)
        return rows

    def remarks(self) -> list[str]:
        """What a user should know of the rationales, a line each."""
        if not self.sources:
            return [
                "no rationales: none in the file, no rationale file, no teacher; only "
                "answers can be taught"
            ]
        said = [
            f"{len(self.solved):,} rationales to tune on, for {self.questions:,} "
            "training questions",
            *map(_yield_line, self.table()),
        ]
        if self.unstated:
            said.append(
                f"{self.unstated:,} of the file's own state no answer: nothing says "
                "whether they come to it, and they count as right"
            )
        if self.bare:
            said.append(f"{self.bare:,} right ones left out: an answer, no rationale")
        return said


def open_teacher(name: str) -> Teacher:
    """A teacher by name: "local:" and a student's name or folder, or an endpoint's.

    The endpoint is OPENAI_BASE_URL's, asked with OPENAI_API_KEY.
    Raises UserError where the student cannot be had, or no endpoint is set.
    """
    if name.startswith(LOCAL):
        return LocalTeacher(load_student(name.removeprefix(LOCAL)))
    teacher = EndpointTeacher(name)
    _ = teacher.client  # says now, and not after an hour, that there is no endpoint
    return teacher


def gather(
    train: Sequence[Example],
    *,
    rationale_file: str = "",
    teacher: Teacher | None = None,
    samples: int = 4,
    most_asked: int = 1000,
    max_new_tokens: int = 256,
    prices: tuple[float, float] | None = None,
    seed: int = 0,
) -> Taught:
    """Rationales for training questions, from all places that are named.

    Those of the questions' own file first, then those of `rationale_file`; a teacher is
    asked about questions that are still without a right one, `most_asked` at most, with
    `samples` each: as Fu et al. 2023 ask, with demonstrations, where there are enough
    rationales to show, else as Ho et al. 2022, without. A question's rationales to tune
    on are as many as `samples` at most.
    Raises UserError as the file and the teacher do.
    """
    sources = [_own(train)]
    if rationale_file:
        sources.append(_of_file(train, rationale_file))
    if teacher:
        right, _ = _to_teach(sources)
        solved = {plain(r.question) for r in right}
        lacking = [e for e in train if plain(e.question) not in solved]
        # in an order that a shuffled file has too
        lacking = sorted(lacking, key=lambda example: example.index)[:most_asked]
        if lacking:
            print(
                f"asking {teacher.name} about {len(lacking):,} questions, {samples} "
                f"times each, for {max_new_tokens} tokens at most"
            )
            pool = _shown(match(train, right, seed=seed))
            recipe = replace(_way(pool), samples=samples)
            written = sample_rationales(
                teacher,
                lacking,
                recipe,
                kept_replies(teacher, "your_task"),
                pool=pool,
                demonstrations=DEMONSTRATIONS,
                max_new_tokens=max_new_tokens,
                seed=seed,
                prices=prices,
            )
            sources.append(Source(teacher.name, written, lacking, paid=True))
    kept, bare = _to_teach(sources)
    solved = match(train, kept, per_question=samples, seed=seed)
    sources = [source for source in sources if source.written]
    unstated = sum(bool(e.rationale) and states_answer(e) is None for e in train)
    return Taught(sources, solved, bare, unstated, prices)


def _to_teach(sources: Sequence[Source]) -> tuple[list[Rationale], int]:
    """Right rationales, equal ones once, and how many more are a bare answer."""
    written = [r for source in sources for r in source.written]
    right = keep_distinct(keep_correct(written))
    kept = [r for r in right if not _is_bare(r.rationale)]
    return kept, len(right) - len(kept)


def save_rationales(taught: Taught, path: Path) -> None:
    """All that was written, right or wrong, a record a line."""
    rows = [r.row() for source in taught.sources for r in source.written]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_whole(path, lines)


def _own(train: Sequence[Example]) -> Source:
    with_one = [example for example in train if example.rationale]
    return Source("the file's own", [judged(e) for e in with_one], with_one)


def _is_bare(rationale: str) -> bool:
    """Whether a text does no more than state an answer: "So the answer is 3."."""
    mark = ANSWER_MARK.search(rationale)
    return bool(mark) and len(rationale[: mark.start()].split()) < FEWEST_WORDS


def _of_file(train: Sequence[Example], path: str) -> Source:
    """A file's rationales of training questions, judged by the questions' answers."""
    examples = {plain(example.question): example for example in train}
    written = []
    for r in teacher_file(path):
        if example := examples.get(plain(r.question)):
            kind = example.answer_type
            said = canonical(read_answer(r.prediction, kind) or r.prediction, kind)
            correct = is_correct(said, example.answer, kind)
            written.append(replace(r, correct=correct, answer=example.answer))
    if not written:
        raise UserError(
            f"{path}: no rationale of a training question; a rationale is found by its "
            "question's text"
        )
    asked = {plain(r.question) for r in written}
    return Source(Path(path).name, written, [examples[name] for name in asked])


def _shown(pool: list[tuple[Example, str]]) -> list[tuple[Example, str]]:
    """The ones that a teacher is shown before every question, as Fu et al. show theirs.

    By their hashes: a file that is shuffled shows the same, and one that has grown
    often does, so that what a teacher wrote is seldom asked for anew.
    """
    return sorted(pool, key=lambda pair: pair[0].index)[:DEMONSTRATIONS]


def _way(pool: Sequence[tuple[Example, str]]):
    return PAPER_RECIPES["fu2023" if len(pool) == DEMONSTRATIONS else "ho2023"]


def _yield_line(row: dict) -> str:
    line = (
        f"{row['source']}: {row['samples']:,} for {row['questions']:,} questions, "
        f"{row['right']:.0%} right, {row['covered']:.0%} of the questions with one"
    )
    if row["wrong_step"] is not None:
        line += (
            f", {row['wrong_step']:.0%} of {row['with_equations']:,} right ones with "
            "equations have a doubtful step"
        )
    if not row["tokens_written"]:
        return line
    line += f"; {row['tokens_read']:,} tokens read, {row['tokens_written']:,} written"
    return line + (f", ${row['dollars']:.2f}" if "dollars" in row else "")
