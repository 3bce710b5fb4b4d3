"""What of a profile's grid is there, and what is missing, malformed or out of date."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from cotnb.errors import UserError
from cotnb.grid.profiles import Profile, load_profile, profile_names
from cotnb.grid.runs import Run, expand
from cotnb.ladder.cards import read_cards
from cotnb.notebook_parameters import NOT_SETTINGS, RUN_PARAMETERS
from cotnb.paths import project_folder
from cotnb.results.claims import COLUMNS as CLAIM_COLUMNS
from cotnb.results.claims import Claim, decide_verdict, estimate_claims
from cotnb.results.reading import read_table
from cotnb.results.records import sift_records
from cotnb.results.tables import COLUMNS as SCORE_COLUMNS
from cotnb.results.tables import COMMAND, DECIMALS, as_csv, outcomes_frame, tidy

NOTEBOOKS = project_folder() / "notebooks"
TABLES = {"scores.csv": SCORE_COLUMNS, "claims.csv": CLAIM_COLUMNS}
SHOWN = 6  # conditions that a line names
COLUMNS = ("notebook", "setting", "condition", "seed", "run")


@dataclass(frozen=True)
class Check:
    """What was found of one profile.

    runs, done: how many its grid has, and how many of these left a record. missing:
    `COLUMNS`, a row a (condition, seed) that a setting of a notebook has no score of;
    run: whether its record is missing altogether. faults: a line each on what does
    not fit: a malformed record, one of no run of the grid, a table out of date.
    """

    profile: str
    runs: int
    done: int
    missing: pd.DataFrame
    faults: list[str]

    @property
    def complete(self) -> bool:
        return self.missing.empty and not self.faults

    def lines(self) -> list[str]:
        """All of it for a reader, the seeds of one gap in one line."""
        told = f"{self.profile}: {self.done} of {self.runs} runs are there"
        return [told, *self.faults, *_gaps(self.missing)]


def check_profile(
    results: Path,
    name: str,
    profile: Profile,
    notebooks: Path,
    contrasts: Sequence[Claim],
) -> Check:
    """Compare results/<name> with what the profile's grid would run.

    A notebook should have the conditions that its claims name, and those that any of
    its records has. A record is of a run when notebook, seed and all settings agree.
    Raises UserError as `expand` does.
    """
    records, faults = sift_records(results / name)
    faults = [fault.replace(f"{results.parent}/", "") for fault in faults]
    gaps, known, runs, done = [], set(), 0, 0
    for stem, plan in profile.notebooks.items():
        grid = _expand(name, profile, stem, notebooks, results)
        own = [record for record in records if record["notebook"] == stem]
        conditions = _conditions(own, contrasts, stem, name)
        by_setting: dict[str, list[tuple[Run, list[dict]]]] = {}
        for run in grid:
            of_run = [
                one for one in own if _is_of(one, run, plan.parameters, plan.grid)
            ]
            known |= {one["run"] for one in of_run}
            runs, done = runs + 1, done + bool(of_run)
            setting = ", ".join(str(run.parameters[key]) for key in plan.grid)
            by_setting.setdefault(setting, []).append((run, of_run))
        for setting, members in by_setting.items():
            gaps += _missing(stem, setting, members, conditions)
    strangers = [one["run"] for one in records if one["run"] not in known]
    faults += [
        f"results/{name}/records/{run}.json: of no run of the grid as it is now; its "
        "settings are others, so delete it or run the grid again"
        for run in strangers
    ]
    faults += _weights_faults(records, name)
    faults += _table_faults(results, name, records, contrasts)
    if not faults and not gaps:  # else the tables may be of more records than these
        faults += _old_rows(results, name, records)
        faults += _verdict_faults(results, name, records, contrasts)
    missing = pd.DataFrame(gaps, columns=list(COLUMNS))
    return Check(name, runs, done, missing, faults)


def strangers(results: Path, name: str, notebooks: Path = NOTEBOOKS) -> list[str]:
    """Names of runs with other settings than the grid's, of notebooks that have both.

    name: a profile; one's own runs may be of none, and then none is a stranger.
    Together they would be taken for one setting. Runs of a notebook that has none of
    the grid's, such as all with `-p` of another student, are no strangers, nor are
    those of a notebook that is not there, whose grid nobody can tell.
    Raises UserError as `load_profile` and `expand` do.
    """
    if name not in profile_names():
        return []
    profile = load_profile(name)
    records, _ = sift_records(Path(results) / name)
    found = []
    for stem, plan in profile.notebooks.items():
        own = [record for record in records if record["notebook"] == stem]
        if not own or not (notebooks / f"{stem}.ipynb").is_file():
            continue
        grid = _expand(name, profile, stem, notebooks, results)
        others = [
            record["run"]
            for record in own
            if not any(_alike(record, run, plan.parameters, plan.grid) for run in grid)
        ]
        found += others if len(others) < len(own) else []
    return found


def missing_pairs(
    frame: pd.DataFrame,
    expected_conditions: Iterable[str],
    expected_seeds: Iterable[int],
) -> list[tuple[str, int]]:
    """The (condition, seed) pairs that were expected and have no score."""
    present = set(zip(frame["condition"], frame["seed"], strict=True))
    expected = product(expected_conditions, expected_seeds)
    return [pair for pair in expected if pair not in present]


def _expand(name, profile, stem: str, notebooks: Path, results: Path) -> list[Run]:
    alone = profile.model_copy(update={"notebooks": {stem: profile.notebooks[stem]}})
    return expand(name, alone, notebooks=notebooks, results=results, runs=results)


def _conditions(own, contrasts, stem: str, profile: str) -> list[str]:
    claimed = [
        term.condition
        for claim in contrasts
        if claim.notebook == stem and claim.profiles.get(profile)
        for term in claim.terms
    ]
    seen = [score.condition for record in own for score in record["scores"]]
    return list(dict.fromkeys(claimed + seen))


def _is_of(record: dict, run: Run, *given: dict) -> bool:
    """Whether a record is of a run: as `_alike` says, and with its seed."""
    return record["seed"] == run.parameters["seed"] and _alike(record, run, *given)


def _alike(record: dict, run: Run, *given: dict) -> bool:
    """Whether a record has a run's settings, seed and places aside.

    given: what the profile sets; a record that does not tell it is of other runs. What
    the profile leaves to the notebook counts where the record tells it: the notebook
    may not have had it when the record was made.
    """
    told, stand = record["parameters"], run.parameters
    names = (told.keys() & stand.keys()).union(*given)
    names -= {*RUN_PARAMETERS, *NOT_SETTINGS}
    return all(name in told and told[name] == stand[name] for name in names)


def _missing(stem, setting, members, conditions) -> list[tuple]:
    """Rows of `COLUMNS`; where no conditions are known, the runs that are missing."""
    there = [record for _, of_run in members for record in of_run]
    seeds = [run.parameters["seed"] for run, _ in members]
    done = {run.parameters["seed"] for run, of_run in members if of_run}
    pairs = missing_pairs(outcomes_frame(there), conditions, seeds)
    if not conditions:
        pairs = [("", seed) for seed in seeds if seed not in done]
    return [(stem, setting, *pair, pair[1] not in done) for pair in pairs]


def _weights_faults(records: list[dict], name: str) -> list[str]:
    """Records of ladder students whose weights have been made anew since."""
    committed = {card["student"]: card["fingerprint"] for card in read_cards()}
    return [
        f"results/{name}/records/{one['run']}.json: of other weights of {student} than "
        "are committed; delete it and run the grid again"
        for one in records
        for student, fingerprint in one["extra"].get("students", {}).items()
        if committed.get(student, fingerprint) != fingerprint
    ]


def _table_faults(
    results: Path, name: str, records: list[dict], contrasts: Sequence[Claim]
) -> list[str]:
    faults, command = [], f"make it with {COMMAND.format(profile=name)}"
    for file, columns in TABLES.items():
        path = results / name / file
        if not path.exists():
            faults += [f"results/{name}/{file}: not there yet; {command}"] * bool(
                records
            )
            continue
        try:
            table = read_table(path, ())
        except UserError as error:
            faults.append(str(error).replace(str(path), f"results/{name}/{file}"))
            continue
        if list(table) != list(columns):
            lacks = set(columns) - set(table)
            which = f"it lacks {', '.join(sorted(lacks))}" if lacks else "more or moved"
            faults.append(f"results/{name}/{file}: other columns, {which}; {command}")
        elif file == "scores.csv":
            if late := _changed_runs(table, records):
                count = "1 record is" if len(late) == 1 else f"{len(late)} records are"
                count += f" newer, {min(late)} for one"
                faults.append(f"results/{name}/{file}: {count}; {command}")
        elif changed := _changed_claims(table, name, contrasts):
            faults.append(
                f"results/{name}/{file}: claims.yaml says otherwise, of "
                f"{min(changed)} for one; {command}"
            )
    return faults


def _changed_runs(table: pd.DataFrame, records: list[dict]) -> set[str]:
    """Runs of which the scores' table lacks a row, or has another."""
    made = tidy(records)
    told, stand = (as_csv(rows).splitlines()[1:] for rows in (table, made))
    there, pairs = set(told), zip(made["run"], stand, strict=True)
    return {run for run, line in pairs if line not in there}


def _old_rows(results: Path, name: str, records: list[dict]) -> list[str]:
    """Whether the scores' table has rows that no record has."""
    path, rows = results / name / "scores.csv", len(tidy(records))
    more = len(read_table(path, ())) - rows if path.exists() else 0
    return [
        f"results/{name}/scores.csv: {more} more rows than the records have; make it "
        f"with {COMMAND.format(profile=name)}"
    ] * (more > 0)


def _verdict_faults(
    results: Path, name: str, records: list[dict], contrasts: Sequence[Claim]
) -> list[str]:
    """Whether the claims' table has the estimates that the records give now,

    and verdicts that follow from its intervals. How wide these are is not looked at.
    """
    path = results / name / "claims.csv"
    if not path.exists():
        return []
    claims = [claim for claim in contrasts if claim.profiles.get(name)]
    try:
        stand = estimate_claims(outcomes_frame(records), claims, name)
    except UserError as error:
        return [f"results/{name}/claims.csv: cannot be made anew: {error}"]
    told = read_table(path, ()).set_index("claim")
    late = [
        claim
        for claim, numbers in stand.items()
        if not _tells(told.loc[claim], *numbers)
    ]
    return [
        f"results/{name}/claims.csv: not what records and claims.yaml give, of "
        f"{claim} for one; make it with {COMMAND.format(profile=name)}"
        for claim in late[:1]
    ]


def _tells(row: pd.Series, *numbers: float) -> bool:
    """Whether a claim's row has these (estimate, seeds, n), and their verdict."""
    told, rounding = row[["estimate", "seeds", "n"]].astype(float), 10**-DECIMALS
    if not np.allclose(told, numbers, 0, rounding, equal_nan=True):
        return False
    if not row["seeds"]:
        return row["verdict"] == "not run"
    low, high = row["ci_low"], row["ci_high"]
    near = min(abs(low), abs(high)) <= rounding  # then either verdict may be meant
    verdict = decide_verdict(low, high, row["expected"])
    holds = low - rounding <= row["estimate"] <= high + rounding
    return holds and (near or row["verdict"] == verdict)


def _changed_claims(table: pd.DataFrame, name: str, contrasts: Sequence[Claim]) -> set:
    """Names of claims that a table tells otherwise than they stand, lacks or has on."""
    told = set(table[["claim", "statement", "expected"]].itertuples(index=False))
    stand = {(c.id, c.statement, c.expected) for c in contrasts if name in c.profiles}
    return {claim for claim, *_ in {tuple(row) for row in told} ^ stand}


def _gaps(missing: pd.DataFrame) -> list[str]:
    """A line a gap: what the same seeds of a notebook's settings lack together."""
    settings: dict[tuple[str, str], list[str]] = {}
    for (stem, setting, run), own in missing.groupby(
        ["notebook", "setting", "run"], sort=False
    ):
        seeds = own.groupby("condition", sort=False)["seed"].agg(tuple)
        for lacking in dict.fromkeys(seeds):
            together = seeds.index[seeds == lacking]
            names = ", ".join(together[:SHOWN])
            more = f" and {len(together) - SHOWN} more" * (len(together) > SHOWN)
            nothing = "no record" + (", so no scores of " if names else "")
            what = f"{nothing if run else 'no scores of '}{names}{more}"
            plural = "seed" if len(lacking) == 1 else "seeds"
            gap = f"{what}, {plural} {', '.join(map(str, lacking))}"
            settings.setdefault((stem, gap), []).append(setting)
    return [
        f"  {stem}{f' ({of})' if (of := ', '.join(filter(None, own))) else ''}: {gap}"
        for (stem, gap), own in settings.items()
    ]
