"""What a notebook shows of results/<profile>: its own scores, verdicts and records.

While a profile has none yet, such as in the first runs of its grid, each is empty and
says so in a line; figures of an empty table say so too.
"""

import hashlib

import pandas as pd
from matplotlib.figure import Figure

from cotnb.paths import project_folder
from cotnb.results import claims, tables
from cotnb.results.completeness import strangers
from cotnb.results.figures import draw_insight, papers_near, read_found
from cotnb.results.reading import read_claims, read_papers, read_scores
from cotnb.results.report import CLAIMS, profiles_with_results

RESULTS = project_folder() / "results"
SHOWS_ALL = "90_figures"


def committed_scores(profile: str, notebook: str) -> pd.DataFrame:
    """A notebook's rows of scores.csv; empty where there is no table yet."""
    if not _is_there(profile, "scores.csv"):
        return pd.DataFrame(columns=list(tables.COLUMNS))
    return _own(read_scores(RESULTS, profile), notebook)


def committed_claims(profile: str, notebook: str) -> pd.DataFrame:
    """A notebook's rows of claims.csv; empty where there is no table yet."""
    if not _is_there(profile, "claims.csv"):
        return pd.DataFrame(columns=list(claims.COLUMNS))
    return _own(read_claims(RESULTS, profile), notebook)


def committed_records(profile: str, notebook: str) -> list[dict]:
    """A notebook's records, as `aggregate` makes its tables of; none while none are.

    Raises UserError for a malformed one.
    """
    if not _is_there(profile, "records"):
        return []
    left_out = strangers(RESULTS, profile)
    records = tables.read_records(RESULTS / profile, left_out)
    return [record for record in records if record["notebook"] == notebook]


def committed_papers() -> pd.DataFrame | None:
    """The numbers of the papers' students near ours in size; None without a table."""
    return papers_near(read_papers(RESULTS))


def committed_figure(name: str) -> Figure | None:
    """A figure of notebook 90, of all published results; none while it has no data."""
    found = read_found(RESULTS, profiles_with_results(RESULTS))
    return draw_insight(name, found, claims.load_claims(CLAIMS))


def results_hash(notebook: str) -> str:
    """16 hex digits of the committed records and verdicts that a notebook shows.

    notebook: the file's name without .ipynb; SHOWS_ALL shows those of all notebooks.
    """
    of_all = notebook == SHOWS_ALL
    found = hashlib.sha256()
    for profile in profiles_with_results(RESULTS):
        records = (RESULTS / profile / "records").glob("*.json")
        for path in sorted(records):
            if of_all or path.name.startswith(f"{notebook}-"):
                found.update(path.read_bytes())
        verdicts = read_claims(RESULTS, profile)
        verdicts = verdicts if of_all else _own(verdicts, notebook)
        found.update(verdicts.to_csv(index=False).encode())
    return found.hexdigest()[:16]


def _own(table: pd.DataFrame, notebook: str) -> pd.DataFrame:
    return table[table["notebook"] == notebook]


def _is_there(profile: str, name: str) -> bool:
    there = (RESULTS / profile / name).exists()
    if not there:
        print(f"results/{profile}/{name}: not there yet")
    return there
