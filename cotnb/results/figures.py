"""Results read and drawn as `insights` says, for notebook 90 and for files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from cotnb.errors import UserError
from cotnb.plots import accuracy_by_condition, verdicts_by_profile
from cotnb.results.claims import COLUMNS as CLAIM_COLUMNS
from cotnb.results.claims import NO_TEXT, Claim, claims_of, tasks_of
from cotnb.results.completeness import strangers
from cotnb.results.insights import INSIGHTS, Insight, insights_of
from cotnb.results.reading import read_papers, read_table
from cotnb.results.records import newest_scores, sift_records
from cotnb.results.tables import COLUMNS

BOARDS = {  # of verdicts: whether on our own claims, and the title
    "verdicts": (False, "What papers and rules of thumb claim, and what our runs say"),
    "verdicts-own": (True, "What we claim ourselves, and what our runs say"),
}
PAPER_STUDENTS = ("flan-t5-small", "flan-t5-base 250M")  # the nearest in size to ours


@dataclass(frozen=True)
class Found:
    """What figures are drawn of.

    scores, claims: the profiles' tables, with a column profile. records: theirs, those
    that can be read, without `strangers`. papers: results/papers.csv, None without it.
    """

    scores: pd.DataFrame
    claims: pd.DataFrame
    records: list[dict]
    papers: pd.DataFrame | None


def read_found(results: Path, profiles: Sequence[str]) -> Found:
    """The results of these profiles; a profile without tables has no part in it."""
    results = Path(results)
    tables = {"scores": list(COLUMNS), "claims": list(CLAIM_COLUMNS)}
    read = {name: [pd.DataFrame(columns=[*c, "profile"])] for name, c in tables.items()}
    records = []
    for profile in profiles:
        for name in tables:
            path = results / profile / f"{name}.csv"
            if path.exists():
                table = read_table(path, tables[name]).assign(profile=profile)
                read[name].append(table.fillna(NO_TEXT))
        left_out = strangers(results, profile)
        records += newest_scores(sift_records(results / profile, left_out)[0])
    scores, claims = (_joined(own) for own in read.values())
    return Found(scores, claims, records, read_papers(results))


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    full = [table for table in tables if len(table)]
    return pd.concat(full, ignore_index=True) if full else tables[0]


def papers_near(papers: pd.DataFrame | None) -> pd.DataFrame | None:
    """The numbers of the papers' students that are near ours in size."""
    if papers is None:
        return None
    return papers[papers["student"].isin(PAPER_STUDENTS)]


def drawn_insights(found: Found) -> list[Insight]:
    """The figures that there is something to draw of, in the notebooks' order."""
    scored = set(found.scores["notebook"])
    recorded = {record["notebook"] for record in found.records}
    return [
        insight
        for notebook in sorted(scored | recorded)
        for insight in insights_of(notebook)
        if not table_of(insight, found).empty
    ]


def table_of(insight: Insight, found: Found) -> pd.DataFrame:
    """What the insight's figure is drawn of; empty while there is nothing."""
    if insight.table:
        own = [one for one in found.records if one["notebook"] == insight.notebook]
        return insight.table(own)
    scores = found.scores[found.scores["notebook"] == insight.notebook]
    return scores if scores.empty else insight.rows(scores)


def title_of(insight: Insight, found: Found, claims: Sequence[Claim]) -> str:
    """The claim with its verdict in each profile that is drawn, or the own title."""
    statements = {claim.id: claim.statement for claim in claims}
    if not insight.claim:
        return insight.title or insight.notebook
    if insight.claim not in statements:
        raise UserError(
            f"claim {insight.claim}: not in claims.yaml; it is the title of the figure "
            f"{insight.name} in cotnb/results/insights.py"
        )
    own = found.claims[found.claims["claim"] == insight.claim]
    table = table_of(insight, found)
    if len(table) and "profile" in table:
        own = own[own["profile"].isin(table["profile"])]
    verdicts = [f"{one.profile}:\u00a0{one.verdict}" for one in own.itertuples()]
    told = f" ({'; '.join(verdicts)})" if verdicts else ""
    return statements[insight.claim].rstrip(".") + told


def draw(insight: Insight, found: Found, claims: Sequence[Claim]) -> Figure:
    """The insight's figure; "No results yet." while there is nothing to draw."""
    options = dict(insight.options)
    if insight.papers:
        nearest = insight.papers == "nearest"
        options["papers"] = papers_near(found.papers) if nearest else found.papers
    title, table = title_of(insight, found, claims), table_of(insight, found)
    if insight.claim and insight.plot is accuracy_by_condition:
        drawn = table.get("profile", found.scores["profile"]).unique()
        [claim] = [claim for claim in claims if claim.id == insight.claim]
        options["judged"] = tasks_of(claim, drawn)
    return insight.plot(table, title=title, **options)


def draw_board(name: str, found: Found) -> Figure:
    """One of `BOARDS`: each of its claims with its verdict, by profile."""
    own, title = BOARDS[name]
    return verdicts_by_profile(claims_of(found.claims, own), title)


def draw_insight(name: str, found: Found, claims: Sequence[Claim]) -> Figure | None:
    """The figure of this name; while there is nothing to draw, a line says so.

    Raises UserError for a name that no figure has.
    """
    named = {one.name: one for one in INSIGHTS}
    if name not in named:
        raise UserError(f"no figure {name!r}; there are {', '.join(named)}")
    if table_of(named[name], found).empty:
        print(f"{name}: no results yet. {title_of(named[name], found, claims)}.")
        return None
    return draw(named[name], found, claims)
