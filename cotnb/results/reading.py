"""The tables in results/, read: scores and verdicts, and the papers' numbers."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cotnb.errors import UserError
from cotnb.results.claims import COLUMNS as CLAIM_COLUMNS
from cotnb.results.claims import NO_TEXT
from cotnb.results.tables import COLUMNS as SCORE_COLUMNS
from cotnb.results.tables import COMMAND


def read_scores(results: Path, profile: str) -> pd.DataFrame:
    """The tidy table results/<profile>/scores.csv; UserError where there is none."""
    return _read(results, profile, "scores", SCORE_COLUMNS)


def read_claims(results: Path, profile: str) -> pd.DataFrame:
    """The verdicts results/<profile>/claims.csv; UserError where there are none."""
    return _read(results, profile, "claims", CLAIM_COLUMNS).fillna(NO_TEXT)


def _read(results: Path, profile: str, name: str, columns) -> pd.DataFrame:
    path = Path(results) / profile / f"{name}.csv"
    if not path.exists():
        command = COMMAND.format(profile=profile)
        raise UserError(f"{path}: no such table; make it with {command}")
    return read_table(path, columns)


def read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A table that `aggregate` made; UserError where it is none, or has no such column.

    columns: what it should have.
    """
    command = COMMAND.format(profile=path.parent.name)
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:  # pandas' own are ValueErrors
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path}: no table ({reason}); make it with {command}"
        ) from error
    if absent := [name for name in columns if name not in table]:
        raise UserError(f"{path}: no column {absent[0]}; make it with {command}")
    return table


def read_papers(results: Path) -> pd.DataFrame | None:
    """The papers' numbers, results/papers.csv; None without it."""
    path = Path(results) / "papers.csv"
    return pd.read_csv(path) if path.exists() else None
