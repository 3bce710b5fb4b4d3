"""A user's file of questions, read and checked; every line left out is named."""

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cotnb.answers import in_digits
from cotnb.errors import UserError
from cotnb.files import UNREADABLE, read_packed
from cotnb.rationales.filters import plain
from cotnb.tasks.example import ANSWER_TYPES, Example
from cotnb.your_task.answer_types import (
    can_be_read,
    detect_answer_type,
    is_long,
    read_answer,
)
from cotnb.your_task.own_rationales import states_answer

TASK = "your_task"
FEWEST = 20  # questions: with fewer there is nothing to tune on and nothing to test
FEW = 100  # questions: with fewer an interval is wider than most gains
SUCH_AS = {  # by type of answer, where it is no number
    "choice": ("2 + 3? (A) 4 (B) 5", "B"),
    "yes_no": ("Is 2 + 3 five?", "yes"),
    "true_false": ("2 + 3 = 5", "true"),
    "valid_invalid": ("All a are b. So all b are a.", "invalid"),
    "brackets": ("Close: ( [", "] )"),
}
NAMED = 8  # line numbers that a remark names
LARGEST = 10**100  # a number beyond is no answer that anybody writes
UTF16 = (b"\xff\xfe", b"\xfe\xff")  # how such a file begins
LEFT_OUT = {
    "not_utf8": "not UTF-8: save the file as UTF-8",
    "malformed": "no JSON object",
    "no_question": 'no text under "question"',
    "no_answer": 'no text, number or truth value under "answer"',
    "empty_answer": "an empty answer",
    "other_type": "an answer of another kind",
    "unreadable": 'an answer that is not read back from "The answer is …"',
    "duplicate": "a question that came before, with the same answer",
    "conflicting": "a question that has different answers: none of them is used",
}


@dataclass(frozen=True)
class Checked:
    """What a file holds.

    path: the file. examples: the usable questions, in the file's order, all of split
    "train" until they are split. answer_type: one of `ANSWER_TYPES`. type_share: the
    share, 0 to 1, of answers that told it; 1 where it was stated. lines: how many were
    read.
    left_out: the numbers (from 1) of lines not used, by a key of LEFT_OUT.
    contradicting: those of lines whose rationale states another answer than theirs.
    """

    path: Path
    examples: list[Example]
    answer_type: str
    type_share: float
    lines: int
    left_out: dict[str, list[int]] = field(default_factory=dict)
    contradicting: list[int] = field(default_factory=list)

    @property
    def rationales(self) -> int:
        """How many questions come with a rationale."""
        return sum(example.rationale is not None for example in self.examples)

    def remarks(self) -> list[str]:
        """What a user should know of the file, a line each."""
        said = [
            f"{self.path.name}: {len(self.examples):,} of {self.lines:,} lines are "
            f"usable questions, {self.rationales:,} with a rationale",
            f"kind of answer: {self.answer_type}{self._how_sure()}",
        ]
        for reason, numbers in self.left_out.items():
            said.append(
                f"{len(numbers):,} left out, {LEFT_OUT[reason]}: {named(numbers)}"
            )
        if self.contradicting:
            said.append(
                f"{len(self.contradicting):,} of the rationales state another answer "
                f"than their line's, and are not taught: {named(self.contradicting)}"
            )
        if self.answer_type == "text" and is_long([e.answer for e in self.examples]):
            said.append(
                "answers are long texts, and an answer counts when it is equal word by "
                'word: put the working under "rationale", the result under "answer"'
            )
        if FEWEST <= len(self.examples) < FEW:
            said.append(
                f"{len(self.examples)} questions are few: expect intervals of 20 "
                "points or more either side"
            )
        return said

    def _how_sure(self) -> str:
        if self.type_share == 1:
            return ""
        share = math.floor(100 * self.type_share)
        return f", as {share}% are; state another where that is wrong"


@dataclass(frozen=True)
class _Row:
    line: int
    question: str
    answer: str
    rationale: str | None


def read_questions(path: str | Path, answer_type: str = "") -> Checked:
    """A JSONL or JSONL.gz file's questions, checked; what is no use is named.

    A line is an object with "question", "answer" and, where there is one, "rationale".
    answer_type: of the answers, one of `ANSWER_TYPES`; empty: as most of them are.
    An example's index is a hash of its question: it stays the same where the file grows
    or is shuffled, and what a teacher wrote of it is found again.
    Raises UserError where the file cannot be read, has no usable line, or where
    answer_type is none.
    """
    path = Path(path).expanduser()
    if answer_type and answer_type not in ANSWER_TYPES:
        raise UserError(f"answer type {answer_type!r}: expected one of {ANSWER_TYPES}")
    left_out: dict[str, list[int]] = defaultdict(list)
    lines = [line for line in enumerate(_read_lines(path), 1) if line[1].strip()]
    if lines and lines[0][1].lstrip()[:1] + lines[-1][1].rstrip()[-1:] == b"[]":
        raise UserError(
            f"{path}: this is one JSON list; write an object a line instead"
        )
    rows = []
    for number, line in lines:
        row = _read_row(number, line)
        if isinstance(row, str):
            left_out[row].append(number)
        else:
            rows.append(row)
    share = 1.0
    if not answer_type:
        answer_type, share = detect_answer_type([row.answer for row in rows])
    examples, contradicting = _examples(rows, answer_type, left_out)
    ordered = {reason: left_out[reason] for reason in LEFT_OUT if left_out[reason]}
    count = len(lines)
    checked = Checked(path, examples, answer_type, share, count, ordered, contradicting)
    if not examples:
        raise UserError(_nothing_usable(checked))
    return checked


def check_enough(checked: Checked) -> None:
    """Raises UserError where there are too few questions to tune on and to test."""
    count = len(checked.examples)
    if count < FEWEST:
        raise UserError(
            f"{checked.path}: {count} usable questions, {FEWEST} or more are needed to "
            "tune on some and to test on others; write more, or show these as "
            "demonstrations to a large model (notebook 03)"
        )


def named(numbers: Sequence[int]) -> str:
    """ "line 3", or "lines 3, 5, 8, …"."""
    shown = ", ".join(map(str, numbers[:NAMED]))
    more = ", …" if len(numbers) > NAMED else ""
    return f"line{'s' if len(numbers) > 1 else ''} {shown}{more}"


def _read_lines(path: Path) -> list[bytes]:
    try:
        lines = read_packed(path)
    except UNREADABLE as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"{path}: unreadable ({reason}); name a JSONL file of questions"
        ) from error
    if lines and lines[0].startswith(UTF16):
        raise UserError(f"{path}: this is UTF-16; save it as UTF-8")
    return lines


def _read_row(number: int, line: bytes) -> _Row | str:
    """A line's row, or the key of LEFT_OUT that says why there is none."""
    try:
        values = json.loads(line.decode())
        json.dumps(values, ensure_ascii=False).encode()  # half a surrogate is no text
    except UnicodeDecodeError:
        return "not_utf8"
    except (ValueError, RecursionError):
        return "malformed"
    if not isinstance(values, dict):
        return "malformed"
    question, rationale = values.get("question"), values.get("rationale")
    if not isinstance(question, str) or not question.strip():
        return "no_question"
    answer = _as_text(values.get("answer"))
    if answer is None:
        return "no_answer"
    if not answer.strip():
        return "empty_answer"
    if not isinstance(rationale, str) or not rationale.strip():
        rationale = None
    return _Row(
        number, question.strip(), answer.strip(), rationale and rationale.strip()
    )


def _as_text(value) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return in_digits(value)
    if isinstance(value, int) and abs(value) < LARGEST:
        return str(value)
    return None


def _examples(
    rows: list[_Row], answer_type: str, left_out
) -> tuple[list[Example], list[int]]:
    """An example a question, and the lines whose rationale contradicts their answer.

    Duplicates, conflicts and other types are noted in left_out.
    """
    by_question: dict[str, list[tuple[_Row, str]]] = defaultdict(list)
    for row in rows:
        answer = read_answer(row.answer, answer_type)
        if answer is None:
            left_out["other_type"].append(row.line)
        elif not can_be_read(answer, answer_type):
            left_out["unreadable"].append(row.line)
        else:
            by_question[plain(row.question)].append((row, answer))
    examples, contradicting = [], []
    for question, same in by_question.items():
        lines = [row.line for row, _ in same]
        if len({plain(answer) for _, answer in same}) > 1:
            left_out["conflicting"] += lines
            continue
        left_out["duplicate"] += lines[1:]
        rationale = next((row.rationale for row, _ in same if row.rationale), None)
        row, answer = same[0]
        examples.append(
            Example(
                task=TASK,
                split="train",
                index=_number(question),
                question=row.question,
                answer=answer,
                answer_type=answer_type,
                rationale=rationale,
            )
        )
        if rationale and states_answer(examples[-1]) is False:
            contradicting += [row.line for row, _ in same if row.rationale][:1]
    for reason in ("conflicting", "duplicate"):
        left_out[reason].sort()
    return examples, sorted(contradicting)


def _number(question: str) -> int:
    return int.from_bytes(hashlib.sha256(question.encode()).digest()[:6], "big")


def _nothing_usable(checked: Checked) -> str:
    question, answer = SUCH_AS.get(checked.answer_type, ("2 + 3?", "5"))
    line = {"question": question, "answer": answer}
    expected = f"expected a line such as {json.dumps(line)}"
    if not checked.lines:
        return f"{checked.path}: the file is empty; {expected}"
    reasons = ", ".join(
        f"{len(numbers)} with {LEFT_OUT[reason]} ({named(numbers)})"
        for reason, numbers in checked.left_out.items()
    )
    return f"{checked.path}: no usable question: {reasons}; {expected}"
