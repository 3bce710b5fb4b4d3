"""The run record, written whole or not at all, and the tables made of records."""

import json
import logging
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from cotnb.claims import evaluate_claims, load_claims
from cotnb.cores import usable_cores
from cotnb.errors import UserError
from cotnb.files import current_commit, write_whole
from cotnb.formats import PROMPT_FORMATS
from cotnb.statistics import pooled_interval, wilson_interval

PACKAGES = ("cotnb", "torch", "transformers", "datasets", "peft")
DECIMALS = 4
KEY = (
    "notebook",
    "student",
    "condition",
    "seed",
    "task",
    "prompt_format",
    "step",
)
COLUMNS = (
    "run",
    "notebook",
    "student",
    "parameters",
    "condition",
    "seed",
    "task",
    "prompt_format",
    "step",
    "n",
    "correct",
    "accuracy",
    "ci_low",
    "ci_high",
    "commit",
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
        versions=_versions(),
        device=_device(),
        wall_seconds=round(time.time() - started, 1),
        finished=datetime.now(UTC).isoformat(timespec="milliseconds"),
        scores=list(scores),
        extra=extra or {},
    )
    text = json.dumps(asdict(record), indent=1, ensure_ascii=False)
    return write_whole(Path(path), text + "\n")


def read_records(folder: Path) -> list[dict]:
    """The records of one profile, each a dict of `Record`'s fields.

    folder: results/<profile>; the files are records/<run>.json in it. Where two records
    score the same thing (`KEY`), the newest one's score stays and a warning is logged.
    Raises UserError for a missing folder and for a malformed file, naming its field.
    """
    files = Path(folder) / "records"
    if not files.is_dir():
        raise UserError(f"{files}: no such folder; make records with a run first")
    records = [_read_record(path) for path in sorted(files.glob("*.json"))]
    return newest_scores(records)


def sift_records(folder: Path) -> tuple[list[dict], list[str]]:
    """The records of one profile that can be read, and what is wrong with the others.

    A record is as `read_records` gives it, but with all its scores; a fault is one
    line that names the file and the field. A missing folder has neither.
    """
    records, faults = [], []
    for path in sorted((Path(folder) / "records").glob("*.json")):
        try:
            records += newest_scores([_read_record(path)])
        except UserError as error:
            faults.append(str(error))
    return records, faults


def tidy(records: Iterable[dict]) -> pd.DataFrame:
    """One row a score, `COLUMNS`; accuracy and Wilson's 95% interval within 0 to 1."""
    return outcomes_frame(records)[list(COLUMNS)]


def scores_frame(scores: Sequence[Score], notebook: str) -> pd.DataFrame:
    """`tidy` of scores just made, before there is a record of them."""
    record = {"run": "this run", "notebook": notebook, "commit": "", "scores": scores}
    return tidy([record])


def outcomes_frame(records: Iterable[dict]) -> pd.DataFrame:
    """`tidy` with outcomes and questions, for statistics in memory."""
    named = [field.name for field in fields(Score)]
    rows = [
        {name: getattr(score, name) for name in named}
        | {
            "run": record["run"],
            "notebook": record["notebook"],
            "commit": record["commit"],
            "n": score.n,
            "correct": score.correct,
            "accuracy": score.accuracy,
            "ci_low": score.interval[0],
            "ci_high": score.interval[1],
        }
        for record in records
        for score in record["scores"]
    ]
    frame = pd.DataFrame(rows, columns=[*COLUMNS, "outcomes", "questions"])
    return frame.sort_values([*KEY, "run"], ignore_index=True)


def split_by_part(outcomes: pd.DataFrame, parts: Sequence[str]) -> pd.DataFrame:
    """Tidy scores of the parts of a test set whose questions come in turn.

    outcomes: rows of `outcomes_frame` of one task whose question i is of part i modulo
    their number, as micro_bbh's are. Returns one row a score and part, task the part.
    """
    rows = []
    for row in outcomes.to_dict("records"):
        for number, part in enumerate(parts):
            own = row["outcomes"][number :: len(parts)]
            low, high = wilson_interval(own.count("1"), len(own))
            changed = {
                "task": part,
                "n": len(own),
                "correct": own.count("1"),
                "accuracy": own.count("1") / len(own),
                "ci_low": low,
                "ci_high": high,
            }
            rows.append({**row, **changed})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def errors_by_size(records: list[dict]) -> pd.DataFrame:
    """Mean over seeds of each student's kinds of error, the smallest student first.

    records: of notebooks that keep `error_shares`; others are left out. Below the
    students stand the large models that the records tell of. Values: shares, 0 to 1.
    """
    rows = [
        record["extra"]["error_shares"]
        | {"student": record["scores"][0].student}
        | {"parameters": record["scores"][0].parameters}
        for record in records
        if record["scores"] and "error_shares" in record["extra"]
    ]
    if not rows:
        return pd.DataFrame()
    mean = pd.DataFrame(rows).fillna(0.0).groupby(["parameters", "student"]).mean()
    large = {}
    for record in records:
        large |= record["extra"].get("large_error_shares", {})
    return pd.concat([mean.droplevel("parameters"), pd.DataFrame(large).T]).fillna(0.0)


def pool_seeds(frame: pd.DataFrame) -> pd.DataFrame:
    """A tidy table's last steps, one row over all seeds of a setting.

    Columns: notebook, student, parameters, condition, task, prompt_format, step, n (the
    fewest questions that a seed was asked), seeds, accuracy, ci_low, ci_high; the
    interval is `pooled_interval`'s, 95%.
    """
    setting = ["notebook", "student", "parameters", "condition", "task"]
    setting += ["prompt_format"]
    by_seed = frame.sort_values("step").groupby([*setting, "seed"], sort=True).tail(1)
    rows = []
    for key, group in by_seed.groupby(setting, sort=True):
        seeds = group.sort_values("seed")
        n = int(seeds["n"].min())
        generator = np.random.default_rng(0)
        accuracy, low, high = pooled_interval(
            seeds["accuracy"].to_numpy(), n, generator
        )
        step, count = int(seeds["step"].max()), len(seeds)
        rows.append((*key, step, n, count, accuracy, low, high))
    columns = [*setting, "step", "n", "seeds", "accuracy", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=columns)


def completeness(
    frame: pd.DataFrame,
    expected_conditions: Iterable[str],
    expected_seeds: Iterable[int],
) -> list[tuple[str, int]]:
    """The (condition, seed) pairs that were expected and have no score."""
    present = set(zip(frame["condition"], frame["seed"], strict=True))
    expected = product(expected_conditions, expected_seeds)
    return [pair for pair in expected if pair not in present]


def aggregate(results: Path, profile: str, claims_file: Path) -> dict[str, Path]:
    """Write results/<profile>/scores.csv and claims.csv; the same records, same bytes.

    Claims that name no contrast for the profile are left out. Returns the files' paths
    under "scores" and "claims". Raises UserError as `read_records`,
    `load_claims` and `evaluate_claims` do.
    """
    folder = Path(results) / profile
    frame = outcomes_frame(read_records(folder))
    claims = [c for c in load_claims(claims_file) if c.profiles.get(profile)]
    tables = {
        "scores": frame[list(COLUMNS)],
        "claims": evaluate_claims(frame, claims, profile),
    }
    return {
        name: write_whole(folder / f"{name}.csv", _csv(table))
        for name, table in tables.items()
    }


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def _device() -> str:
    import torch  # here, as reading results needs no torch and starts faster without

    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return f"{name}, {usable_cores()} cores"


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


def _key(record: dict, score: Score) -> tuple:
    return (record["notebook"], *(getattr(score, name) for name in KEY[1:]))


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, float_format=f"%.{DECIMALS}f", lineterminator="\n")
