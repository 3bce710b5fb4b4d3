"""Files of rationales: JSONL, plain or gzipped, one record a line."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cotnb.errors import UserError
from cotnb.files import UNREADABLE, read_packed
from cotnb.paths import beside_mirror, named_folder
from cotnb.rationales.aligned_questions import align_questions
from cotnb.rationales.filters import by_teacher
from cotnb.rationales.generator import from_generator
from cotnb.rationales.record import NEEDED, Rationale, read_row
from cotnb.tasks.example import Example

# what a line raises that is no record; one not in UTF-8 is a ValueError
MALFORMED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True)
class RationaleFile:
    """The rationales of a file and the numbers of its malformed lines, skipped."""

    rationales: list[Rationale]
    malformed_lines: list[int]


def teacher_rationales(
    examples: Sequence[Example],
    rationale_file: str = "",
    teacher: str = "",
    style: str = "",
) -> list[Rationale]:
    """A teacher's rationales for examples: of a file, or without one the exact ones.

    Malformed lines of the file are told of in a line. Questions are the examples'
    own where they are the same, as `align_questions` finds.
    """
    if not rationale_file:
        return from_generator(examples)
    chosen = by_teacher(teacher_file(rationale_file), teacher, style)
    return align_questions(examples, chosen)


def teacher_file(rationale_file: str) -> list[Rationale]:
    """A file's rationales; its malformed lines are told of in a line."""
    read = from_file(rationale_file)
    if skipped := read.malformed_lines:
        shown = ", ".join(map(str, skipped[:10])) + (", …" if len(skipped) > 10 else "")
        print(f"{rationale_file}: {len(skipped)} malformed lines skipped: {shown}")
    return read.rationales


def from_file(path: str | Path) -> RationaleFile:
    """A JSONL or JSONL.gz file of rationales, one object a line.

    Fields: question, rationale, prediction, answer, teacher, style; `correct` where it
    is not given is prediction == answer. Rows of split "test" are left out. Malformed
    lines are skipped and their numbers (from 1) kept. Raises UserError where the file
    is not there or no line of it is a rationale.
    """
    path = find_file(str(path))
    rationales, malformed = [], []
    try:
        lines = read_packed(path)
    except UNREADABLE as error:
        raise UserError(f"{path}: unreadable ({error}); fetch it again") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode())
            if row.get("split") != "test":
                rationales.append(_read(row))
        except MALFORMED:
            malformed.append(number)
    if not rationales:
        raise UserError(f"{path}: no line holds {', '.join(NEEDED)}")
    return RationaleFile(rationales, malformed)


def _read(row: dict) -> Rationale:
    rationale = read_row(row)
    if not rationale.question or not rationale.rationale:
        raise ValueError("empty question or rationale")
    json.dumps(rationale.row(), ensure_ascii=False).encode()  # half a letter is none
    return rationale


def find_file(name: str) -> Path:
    """A rationale file by path, or by name in the folder of rationale files.

    That folder is COTNB_RATIONALES, or `rationales` beside the mirror's folder.
    Raises UserError naming every place that was looked at.
    """
    places = [Path(name).expanduser()]
    if folder := named_folder("COTNB_RATIONALES"):
        places.append(folder / name)
    if folder := beside_mirror("rationales"):
        places.append(folder / name)
    for place in places:
        if place.is_file():
            return place
    if places[0].is_dir():
        raise UserError(f"rationale file {name}: this is a folder; name a file in it")
    looked = ", ".join(str(place) for place in places)
    raise UserError(
        f"rationale file {name}: not at {looked}; set COTNB_RATIONALES to its folder"
    )
