"""The README's tables and the figures, made of results/<profile> alone."""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from PIL import Image

from cotnb.errors import UserError
from cotnb.files import write_whole
from cotnb.grid.profiles import family_of, published_profiles, setting_of
from cotnb.paths import project_folder
from cotnb.plots import as_png, task_label
from cotnb.results.claims import (
    NO_PAPER,
    SAYING,
    VERDICTS,
    Claim,
    claims_of,
    in_points,
    load_claims,
)
from cotnb.results.figures import (
    BOARDS,
    Found,
    draw,
    draw_board,
    drawn_insights,
    read_found,
    table_of,
    title_of,
)
from cotnb.results.insights import INSIGHTS
from cotnb.results.reading import read_claims, read_scores
from cotnb.results.tables import COMMAND
from cotnb.versions import short_commit

BEGIN = "<!-- results:begin -->"
END = "<!-- results:end -->"
CLAIMS = project_folder() / "notebooks" / "claims.yaml"
FIGURES = "figures"  # in the results' folder: the published profiles'
GLANCE_HEAD = """### At a glance

One claim of each notebook, that of its first figure: the difference in percentage
points and its 95% interval. All claims, with the number of questions and seeds, are in
the tables below. Empty: the claim is not of that student.
"""
FIGURES_HEAD = """### Figures

Drawn of these numbers by the same command with `--readme README.md`;
[`90_figures`](notebooks/90_figures.ipynb) draws them all and says what is missing."""
MADE_OF = "Made of"  # in a figure's file: a hash of its numbers


def verdict_table(claims: pd.DataFrame) -> str:
    """`evaluate_claims`'s table as Markdown: contrasts in percentage points."""
    if claims.empty:
        return "No claim has been put to the test yet."
    rows = [
        {
            "claim": claim.statement,
            **({"paper": claim.paper} if "paper" in claims else {}),
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


def check_readme(readme: Path) -> None:
    """Raises UserError where the README has not the two result marks."""
    _split(readme)


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
    pictures = [
        _picture(one.name, title_of(one, found, claims))
        for one in drawn_insights(found)
        if one.name == one.notebook
    ]
    sections = [
        GLANCE_HEAD,
        at_a_glance(found, claims),
        *(_section(results, profile) for profile in profiles),
    ]
    pictures += [_picture(name, title) for name, (_, title) in BOARDS.items()]
    return "\n" + "\n".join([*sections, FIGURES_HEAD, "", *pictures])


def _picture(name: str, title: str) -> str:
    return f"![{title}](results/{FIGURES}/{name}.png)\n"


def save_figures(results: Path, profiles: Sequence[str], folder: Path) -> list[Path]:
    """Draw what these profiles' results show to <folder>/*.png; their paths.

    A figure an insight that has results, and the boards of verdicts. Each file says of
    which numbers it is made, so that `stale_figures` can tell.
    """
    found, claims = read_found(results, profiles), load_claims(CLAIMS)
    figures = {name: partial(draw_board, name, found) for name in BOARDS}
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
    texts = {
        name: claims_of(found.claims, own).to_csv(index=False)
        for name, (own, _) in BOARDS.items()
    }
    for one in drawn_insights(found):
        own = found.claims[found.claims["claim"] == one.claim]
        texts[one.name] = table_of(one, found).to_csv(float_format="%.6f")
        texts[one.name] += own["verdict"].to_csv(index=False)
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
        count = f"{len(waiting)} claim{'s' if len(waiting) > 1 else ''}"
        told = [
            f"Not run yet, in whole or in part: {count}, of {own}.",
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
            *_tables(run),
            *told,
            f"Every score, seed by seed: [`scores.csv`](results/{profile}/scores.csv).",
            "",
        ]
    )


def _tables(run: pd.DataFrame) -> list[str]:
    """Papers' and sayings' claims as a table, and our own as one that is folded up."""
    others, own = claims_of(run, own=False), claims_of(run, own=True)
    lines = [] if others.empty and len(own) else [verdict_table(others), ""]
    if len(own):
        summary = f"<summary>{_counts(own, 'claims of our own')}</summary>"
        table = verdict_table(own.drop(columns="paper"))
        lines += ["<details>", summary, "", table, "", "</details>", ""]
    return lines


def at_a_glance(found: Found, claims: Sequence[Claim]) -> str:
    """A Markdown row for each notebook's first figure: its claim, and what runs say.

    A column a student or a ladder of them; what a profile such as "smol_dates" says
    stands under "smol". Verdicts that share a cell are named by their task.
    """
    known = {claim.id: claim for claim in claims}
    families = dict.fromkeys(map(family_of, found.claims["profile"]))
    rows = []
    for one in INSIGHTS:
        told = found.claims[found.claims["claim"] == one.claim]
        if one.name != one.notebook or told.empty:
            continue
        claim, number = known[one.claim], one.notebook.partition("_")[0]
        link = f"[{number}](notebooks/{one.notebook}.ipynb)"
        row = {"notebook": link, "claim": claim.statement, "paper": claim.paper}
        for family in families:
            here = told[told["profile"].map(family_of) == family]
            row[f"`{family}`"] = _told_in_short(here, claim)
        rows.append(row)
    return as_markdown(pd.DataFrame(rows)) + "\n"


def _told_in_short(rows: pd.DataFrame, claim: Claim) -> str:
    lines = []
    for row in rows.itertuples():
        run = row.verdict != "not run"
        told = f"**{row.verdict}**, {in_points(row)}" if run else row.verdict
        chosen = claim.profiles.get(row.profile)  # none in a table of older claims
        task = (chosen and chosen.task) or setting_of(row.profile)
        lines.append(f"{task_label(task)}: {told}" if len(rows) > 1 else told)
    return "<br>".join(lines)


def _counts(run: pd.DataFrame, what: str) -> str:
    """How many claims, and their verdicts."""
    counts = run["verdict"].value_counts()
    named = ", ".join(f"{counts.get(name, 0)} {name}" for name in VERDICTS)
    return f"{counts.sum()} {what}: {named}"


def _tally(run: pd.DataFrame) -> str:
    """Verdicts counted, of what papers claim, of what is said and of what we claim."""
    sources = {NO_PAPER: "claims of our own", SAYING: "rules of thumb"}
    kinds, told = run["paper"].map(sources).fillna("claims of papers"), []
    for kind in ("claims of papers", *reversed(sources.values())):
        own = run[kinds == kind]
        told += [_counts(own, kind)] if len(own) else []
    return f"Put to the test: {'; '.join(told) or 'none yet'}"


def _split(readme: Path) -> tuple[str, str, str]:
    """The README up to and with the first mark, between the marks, and the rest."""
    text = Path(readme).read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise UserError(f"{readme}: expected one line {BEGIN} and one line {END}")
    before, _, rest = text.partition(BEGIN)
    block, _, after = rest.partition(END)
    return before + BEGIN, block, END + after


def as_markdown(table: pd.DataFrame) -> str:
    """A table as Markdown, numbers as they are spelt."""
    return table.to_markdown(index=False, disable_numparse=True)
