"""The tables made of records: scores, one row each, and what is pooled of them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd

from cotnb.files import write_whole
from cotnb.results.claims import evaluate_claims, load_claims
from cotnb.results.records import KEY, Score, read_records
from cotnb.statistics import pooled_interval, wilson_interval

COMMAND = "python -m cotnb aggregate --profile {profile}"  # makes the tables
DECIMALS = 4
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
    their number, as micro_bbh's are. Returns one row a score and part, task the part;
    a part that no question is of has none.
    """
    rows = []
    for row in outcomes.to_dict("records"):
        for number, part in enumerate(parts):
            own = row["outcomes"][number :: len(parts)]
            if not own:  # fewer questions than parts
                continue
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


def mean_extra(
    records: list[dict], key: str, absent: float | None = 0.0
) -> pd.DataFrame:
    """Mean over records of a table that each keeps beside its scores.

    key: of `extra`, where the table is {row: {column: number}}; records without it are
    left out. absent: what a column that a record lacks counts as; None: it is left out
    of the mean. Empty where no record has the table.
    """
    kept = [
        pd.DataFrame(record["extra"][key]).T.astype(float)
        for record in records
        if record["scores"] and record["extra"].get(key)
    ]
    if not kept:
        return pd.DataFrame()
    whole = pd.concat(kept)
    whole = whole if absent is None else whole.fillna(absent)
    return whole.groupby(level=0, sort=False).mean()


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


def aggregate(
    results: Path, profile: str, claims_file: Path, left_out: Collection[str] = ()
) -> dict[str, Path]:
    """Write results/<profile>/scores.csv and claims.csv; the same records, same bytes.

    Claims that name no contrast for the profile are left out, and so are the runs that
    `left_out` names. Returns the files' paths
    under "scores" and "claims". Raises UserError as `read_records`,
    `load_claims` and `evaluate_claims` do.
    """
    folder = Path(results) / profile
    frame = outcomes_frame(read_records(folder, left_out))
    claims = [c for c in load_claims(claims_file) if c.profiles.get(profile)]
    tables = {
        "scores": frame[list(COLUMNS)],
        "claims": evaluate_claims(frame, claims, profile),
    }
    return {
        name: write_whole(folder / f"{name}.csv", as_csv(table))
        for name, table in tables.items()
    }


def as_csv(table: pd.DataFrame) -> str:
    """A table as it is committed: numbers of DECIMALS digits."""
    return table.to_csv(index=False, float_format=f"%.{DECIMALS}f", lineterminator="\n")
