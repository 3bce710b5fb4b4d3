"""The run record: what one finished run leaves behind, written whole or not at all."""

import json
import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from cotnb.cores import usable_cores
from cotnb.errors import UserError
from cotnb.files import write_whole
from cotnb.formats import PROMPT_FORMATS
from cotnb.statistics import wilson_interval
from cotnb.versions import current_commit, package_versions

KEY = (
    "notebook",
    "student",
    "condition",
    "seed",
    "task",
    "prompt_format",
    "step",
)


@dataclass(frozen=True)
class Score:
    """One student's answers to one test set, asked in one way.

    parameters: the student's size. condition: how it was tuned, "before_tuning" where
    it was not. step: optimiser steps taken, 0 before tuning. outcomes: "1" for a
    correct answer and "0" for another, one a question, in the test set's order.
    questions: a short hash of the ordered questions; equal hashes can be paired.
    Raises ValueError for outcomes that are empty or not of "0" and "1".
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    student: str
    parameters: int
    condition: str
    seed: int
    task: str
    prompt_format: Literal[PROMPT_FORMATS]
    step: int
    outcomes: str
    questions: str

    def __post_init__(self):
        if not self.outcomes or set(self.outcomes) - {"0", "1"}:
            raise ValueError("outcomes: expected one 0 or 1 a question, one or more")

    @property
    def n(self) -> int:
        return len(self.outcomes)

    @property
    def correct(self) -> int:
        return self.outcomes.count("1")

    @property
    def accuracy(self) -> float:
        return self.correct / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval over questions, (low, high) within 0 to 1."""
        return wilson_interval(self.correct, self.n)


@dataclass(frozen=True)
class Record:
    """What one finished run leaves behind: one JSON file."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    schema: Literal[1]
    run: str
    notebook: str
    profile: str
    parameters: dict
    seed: int
    commit: str
    versions: dict[str, str]
    device: str
    wall_seconds: float
    finished: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$")]
    scores: list[Score]
    extra: dict


RECORD = TypeAdapter(Record)


def write_record(
    path: Path,
    *,
    run: str,
    notebook: str,
    profile: str,
    parameters: dict,
    seed: int,
    scores: Sequence[Score],
    started: float,
    extra: dict | None = None,
) -> Path:
    """Write a run's record to `path`, named <run>.json, the last act of a run.

    parameters: the notebook's parameters cell. started: time.time() at the run's
    start. extra: what else the run wants kept, JSON values only.
    Raises UserError where the file cannot be written; an older one then stays as it is.
    """
    record = Record(
        schema=1,
        run=run,
        notebook=notebook,
        profile=profile,
        parameters=parameters,
        seed=seed,
        commit=current_commit(),
        versions=package_versions(),
        device=_device(),
        wall_seconds=round(time.time() - started, 1),
        finished=datetime.now(UTC).isoformat(timespec="milliseconds"),
        scores=list(scores),
        extra=extra or {},
    )
    text = json.dumps(asdict(record), indent=1, ensure_ascii=False)
    return write_whole(Path(path), text + "\n")


def read_records(folder: Path, left_out: Collection[str] = ()) -> list[dict]:
    """The records of one profile, each a dict of `Record`'s fields.

    folder: results/<profile>; the files are records/<run>.json in it. left_out: names
    of runs that are not read. Where two records score the same thing (`KEY`), the
    newest one's score stays and a warning is logged.
    Raises UserError for a missing folder and for a malformed file, naming its field.
    """
    files = Path(folder) / "records"
    if not files.is_dir():
        raise UserError(f"{files}: no such folder; make records with a run first")
    records = [_read_record(path) for path in _record_files(folder, left_out)]
    return newest_scores(records)


def sift_records(
    folder: Path, left_out: Collection[str] = ()
) -> tuple[list[dict], list[str]]:
    """The records of one profile that can be read, and what is wrong with the others.

    A record is as `read_records` gives it, but with all its scores; a fault is one
    line that names the file and the field. A missing folder has neither. left_out: as
    for `read_records`.
    """
    records, faults = [], []
    for path in _record_files(folder, left_out):
        try:
            records += newest_scores([_read_record(path)])
        except UserError as error:
            faults.append(str(error))
    return records, faults


def newest_scores(records: list[dict]) -> list[dict]:
    """The same records, a score in the newest one only, as `read_records` says.

    Raises UserError for a score that comes twice in one record.
    """
    newest: dict[tuple, dict] = {}
    for record in sorted(records, key=lambda r: (r["finished"], r["run"])):
        for score in record["scores"]:
            key = _key(record, score)
            older = newest.get(key)
            if older is record:
                raise UserError(
                    f"{record['run']}.json: scores: {'/'.join(map(str, key))} comes "
                    "twice; expected once, run it again"
                )
            if older is not None:
                logging.warning(
                    "%s.json replaces %s.json in %s",
                    record["run"],
                    older["run"],
                    "/".join(map(str, key)),
                )
            newest[key] = record
    return [
        record
        | {"scores": [s for s in record["scores"] if newest[_key(record, s)] is record]}
        for record in records
    ]


def _record_files(folder: Path, left_out: Collection[str]) -> list[Path]:
    paths = sorted((Path(folder) / "records").glob("*.json"))
    return [path for path in paths if path.stem not in left_out]


def _key(record: dict, score: Score) -> tuple:
    return (record["notebook"], *(getattr(score, name) for name in KEY[1:]))


def _device() -> str:
    import torch  # here, as reading results needs no torch and starts faster without

    from cotnb.precision import multiplies_halves

    gpu = torch.cuda.is_available()
    name = torch.cuda.get_device_name() if gpu else "cpu"
    halves = "" if multiplies_halves("cuda" if gpu else "cpu") else ", all in fp32"
    return f"{name}, {usable_cores()} cores{halves}"


def _read_record(path: Path) -> dict:
    try:
        record = vars(RECORD.validate_json(path.read_bytes()))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UserError(
            f"{path}: {field}: {first['msg']}; mend the file or delete it and run again"
        ) from None
    if record["run"] != path.stem:
        raise UserError(
            f"{path}: run: {record['run']!r}, expected the file's name; rename the file"
        )
    return record
