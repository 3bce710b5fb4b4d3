"""The README's tables and the figures, made of results/<profile> alone."""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from PIL import Image

from cotnb.errors import UserError
from cotnb.files import short_commit, write_whole
from cotnb.grid.profiles import published_profiles
from cotnb.paths import project_folder
from cotnb.plots import as_png, verdicts_by_profile
from cotnb.results.claims import COLUMNS as CLAIM_COLUMNS
from cotnb.results.claims import (
    NO_PAPER,
    NO_TEXT,
    SAYING,
    VERDICTS,
    in_points,
    load_claims,
)
from cotnb.results.figures import (
    Found,
    draw,
    drawn_insights,
    read_found,
    read_table,
    table_of,
    title_of,
)
from cotnb.results.tables import COLUMNS as SCORE_COLUMNS
from cotnb.results.tables import COMMAND

BEGIN = "<!-- results:begin -->"
END = "<!-- results:end -->"
CLAIMS = project_folder() / "notebooks" / "claims.yaml"
FIGURES = "figures"  # in the results' folder: the published profiles'
FIGURES_HEAD = """### Figures

Drawn of these numbers by the same command with `--readme README.md`;
[`90_figures`](notebooks/90_figures.ipynb) draws them all and says what is missing."""
BOARD = "verdicts"  # the figure of all claims
MADE_OF = "Made of"  # in a figure's file: a hash of its numbers


def verdict_table(claims: pd.DataFrame) -> str:
    """`evaluate_claims`'s table as Markdown: contrasts in percentage points."""
    if claims.empty:
        return "No claim has been put to the test yet."
    rows = [
        {
            "claim": claim.statement,
            "paper": claim.paper,
            "expected": claim.expected,
            "difference, points": (
                in_points(claim) if claim.verdict != "not run" else ""
            ),
            "n": claim.n or "",
            "seeds": claim.seeds or "",
            "verdict": f"**{claim.verdict}**",
            "missing": claim.missing,
        }
        for claim in claims.itertuples()
    ]
    table = pd.DataFrame(rows)
    if not claims["missing"].any():
        table = table.drop(columns="missing")
    return as_markdown(table)


def verdict_lines(results: Path, profile: str) -> list[str]:
    """A profile's verdicts as lines for a terminal: one a claim."""
    return [
        f"{claim.verdict:13} {claim.claim}: "
        + (
            f"points: {in_points(claim)}, 95% interval, "
            f"seeds: {claim.seeds}, n: {claim.n}"
            if claim.verdict != "not run"
            else f"missing {claim.missing}"
        )
        for claim in read_claims(results, profile).itertuples()
    ]


def update_readme(readme: Path, results: Path) -> Path:
    """Put the generated tables between the README's two result marks.

    Raises UserError where the README has no such marks or cannot be written, and where
    there are no results to put there.
    """
    before, _, after = _split(readme)
    if not profiles_with_results(results):
        raise UserError(f"{results}: no tables of a published profile; {readme} stays")
    return write_whole(Path(readme), before + generate_results(results) + after)


def is_current(readme: Path, results: Path) -> bool:
    """Whether the README's tables are those that the results make."""
    return _split(readme)[1] == generate_results(results)


def generate_results(results: Path) -> str:
    """The README's part on results: the published profiles' verdicts and figures."""
    profiles = profiles_with_results(results)
    if not profiles:
        return "\n"
    found, claims = read_found(results, profiles), load_claims(CLAIMS)
    sections = [_section(results, profile) for profile in profiles]
    pictures = [
        _picture(one.name, title_of(one, found, claims))
        for one in drawn_insights(found)
        if one.name == one.notebook
    ]
    pictures.append(_picture(BOARD, "every claim by profile, with its verdict"))
    return "\n" + "\n".join([*sections, FIGURES_HEAD, "", *pictures])


def _picture(name: str, title: str) -> str:
    return f"![{title}](results/{FIGURES}/{name}.png)\n"


def save_figures(results: Path, profiles: Sequence[str], folder: Path) -> list[Path]:
    """Draw what these profiles' results show to <folder>/*.png; their paths.

    A figure an insight that has results, and the board of verdicts. Each file says of
    which numbers it is made, so that `stale_figures` can tell.
    """
    found, claims = read_found(results, profiles), load_claims(CLAIMS)
    figures = {BOARD: lambda: verdicts_by_profile(found.claims)}
    for insight in drawn_insights(found):
        figures[insight.name] = partial(draw, insight, found, claims)
    digests = _digests(found)
    paths = []
    for name, make in figures.items():
        png = as_png(make(), {MADE_OF: digests[name]})
        paths.append(write_whole(folder / f"{name}.png", png))
    return paths


def save_published_figures(results: Path) -> list[Path]:
    """Draw the published profiles' figures, side by side, to results/figures."""
    profiles = profiles_with_results(results)
    return save_figures(results, profiles, Path(results) / FIGURES)


def stale_figures(results: Path) -> list[str]:
    """Which of results/figures are not there or are made of other numbers."""
    digests = _digests(read_found(results, profiles_with_results(results)))
    return [
        name
        for name, digest in digests.items()
        if _made_of(Path(results) / FIGURES / f"{name}.png") != digest
    ]


def profiles_with_results(results: Path) -> list[str]:
    """The published profiles that have both tables."""
    published = published_profiles()
    tables = ("claims.csv", "scores.csv")
    return [
        name
        for name in published
        if all((Path(results) / name / table).exists() for table in tables)
    ]


def _digests(found: Found) -> dict[str, str]:
    """Of each figure that there should be: a hash of the numbers that it is made of."""
    papers = "" if found.papers is None else found.papers.to_csv()
    texts = {BOARD: found.claims.to_csv()}
    for one in drawn_insights(found):
        own = found.claims[found.claims["claim"] == one.claim]
        texts[one.name] = table_of(one, found).to_csv(float_format="%.6f")
        texts[one.name] += own["verdict"].to_csv()
        texts[one.name] += papers if one.papers else ""
    return {
        name: hashlib.sha256(text.encode()).hexdigest()[:16]
        for name, text in texts.items()
    }


def _made_of(path: Path) -> str | None:
    if not path.exists():
        return None
    with Image.open(path) as picture:
        return picture.info.get(MADE_OF)


def _section(results: Path, profile: str) -> str:
    scores, claims = read_scores(results, profile), read_claims(results, profile)
    commits = sorted({short_commit(commit) for commit in scores["commit"]})
    made = ", ".join(f"`{commit}`" for commit in commits) or "none"
    waiting = claims[claims["verdict"] == "not run"]
    run = claims[claims["verdict"] != "not run"]
    told = []
    if len(waiting):
        own = ", ".join(dict.fromkeys(f"`{name}`" for name in waiting["notebook"]))
        told = [
            f"Not run yet, in whole or in part: {len(waiting)} claims, of {own}.",
            "",
        ]
    return "\n".join(
        [
            f"### Profile `{profile}`",
            "",
            f"Runs made at commit {made}; tables made by "
            f"`{COMMAND.format(profile=profile)}`.",
            "",
            f"{_tally(run)}.",
            "",
            verdict_table(run),
            "",
            *told,
            f"Every score, seed by seed: [`scores.csv`](results/{profile}/scores.csv).",
            "",
        ]
    )


def _tally(run: pd.DataFrame) -> str:
    """Verdicts counted, of what papers claim, of what is said and of what we claim."""
    sources = {NO_PAPER: "claims of our own", SAYING: "rules of thumb"}
    whose, told = run["paper"].map(sources).fillna("claims of papers"), []
    for kind in ("claims of papers", *reversed(sources.values())):
        counts = run[whose == kind]["verdict"].value_counts()
        named = ", ".join(f"{counts.get(name, 0)} {name}" for name in VERDICTS)
        told += [f"{counts.sum()} {kind}: {named}"] if counts.sum() else []
    return f"Put to the test: {'; '.join(told) or 'none yet'}"


def _split(readme: Path) -> tuple[str, str, str]:
    """The README up to and with the first mark, between the marks, and the rest."""
    text = Path(readme).read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise UserError(f"{readme}: expected one line {BEGIN} and one line {END}")
    before, _, rest = text.partition(BEGIN)
    block, _, after = rest.partition(END)
    return before + BEGIN, block, END + after


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


def as_markdown(table: pd.DataFrame) -> str:
    """A table as Markdown, numbers as they are spelt."""
    return table.to_markdown(index=False, disable_numparse=True)
