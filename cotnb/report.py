"""The README's tables and the figures, made of results/<profile> alone."""

from pathlib import Path

import pandas as pd

from cotnb.errors import UserError
from cotnb.files import write_whole
from cotnb.plots import (
    FORMAT_LABELS,
    STYLE,
    accuracy_by_amount,
    accuracy_by_condition,
    verdict_board,
)
from cotnb.profiles import load_profile, profile_names
from cotnb.results import pool_seeds

BEGIN = "<!-- results:begin -->"
END = "<!-- results:end -->"
COMMAND = "python -m cotnb aggregate --profile {profile}"
PAPER_STUDENTS = ("flan-t5-small", "flan-t5-base 250M")  # the nearest in size to ours
SCORE_COLUMNS = {
    "student": "student",
    "task": "task",
    "condition": "condition",
    "prompt_format": "asked",
    "accuracy": "accuracy",
    "interval": "95% interval",
    "n": "n",
    "seeds": "seeds",
}


def markdown_table(frame: pd.DataFrame) -> str:
    """Tidy scores as a Markdown table: a row a setting, pooled over seeds, in %."""
    pooled = pool_seeds(frame)
    order = {name: place for place, name in enumerate([*STYLE, *FORMAT_LABELS])}
    pooled = pooled.sort_values(
        ["student", "task", "condition", "prompt_format"],
        key=lambda names: names.map(lambda name: (order.get(name, -1), name)),
    )
    shown = pooled.assign(
        condition=[_condition_label(name) for name in pooled["condition"]],
        prompt_format=pooled["prompt_format"].map(FORMAT_LABELS),
        accuracy=[f"{100 * value:.1f}%" for value in pooled["accuracy"]],
        interval=[
            f"{100 * low:.1f} to {100 * high:.1f}"
            for low, high in zip(pooled["ci_low"], pooled["ci_high"], strict=True)
        ],
    )
    return as_markdown(shown[list(SCORE_COLUMNS)].rename(columns=SCORE_COLUMNS))


def verdict_table(claims: pd.DataFrame) -> str:
    """`evaluate_claims`'s table as Markdown: contrasts in percentage points."""
    rows = [
        {
            "claim": claim.statement,
            "paper": claim.paper,
            "expected": claim.expected,
            "difference, points": _points(claim),
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
            f"{_points(claim)} points, 95% interval, seeds: {claim.seeds}, n: {claim.n}"
            if claim.verdict != "not run"
            else f"missing {claim.missing}"
        )
        for claim in read_claims(results, profile).itertuples()
    ]


def update_readme(readme: Path, results: Path) -> Path:
    """Put the generated tables between the README's two result marks.

    Raises UserError where the README has no such marks or cannot be written.
    """
    before, _, after = _split(readme)
    return write_whole(Path(readme), before + generate_results(results) + after)


def is_current(readme: Path, results: Path) -> bool:
    """Whether the README's tables are those that the results make."""
    return _split(readme)[1] == generate_results(results)


def generate_results(results: Path) -> str:
    """The README's part on results: every published profile that has a claims.csv."""
    profiles = [
        name
        for name in profile_names()
        if load_profile(name).published
        and (Path(results) / name / "claims.csv").exists()
    ]
    return "\n" + "\n".join(_section(results, profile) for profile in profiles)


def save_figures(results: Path, profile: str) -> list[Path]:
    """Draw a profile's figures to results/<profile>/figures/*.png; their paths."""
    scores, claims = read_scores(results, profile), read_claims(results, profile)
    folder = Path(results) / profile / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"verdicts": verdict_board(claims)}
    papers = read_papers(results)
    for (notebook, student), own in scores.groupby(["notebook", "student"]):
        name = f"accuracy-{notebook}-{Path(student).name}"
        title = _title(claims, notebook)
        with_amount = own["condition"].str.contains(r"_\d+$")
        if not with_amount.all():
            plain = own[~with_amount]
            figures[name] = accuracy_by_condition(plain, papers, title)
        if with_amount.any():
            figures[f"{name}-by-amount"] = accuracy_by_amount(own, "rationales", title)
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], metadata={"Software": None})
    return paths


def _title(claims: pd.DataFrame, notebook: str) -> str:
    """The notebook's first claim with its verdict, or the notebook's name."""
    own = claims[claims["notebook"] == notebook]
    for claim in own.itertuples():
        return f"{claim.statement.rstrip('.')} ({claim.verdict})"
    return notebook


def _section(results: Path, profile: str) -> str:
    scores, claims = read_scores(results, profile), read_claims(results, profile)
    commits = sorted({short_commit(commit) for commit in scores["commit"]})
    made = ", ".join(f"`{commit}`" for commit in commits) or "none"
    return "\n".join(
        [
            f"### Profile `{profile}`",
            "",
            f"Runs made at commit {made}; tables made by "
            f"`{COMMAND.format(profile=profile)}`. Differences are paired on questions "
            "and seeds; every interval is a 95% one that resamples both.",
            "",
            verdict_table(claims),
            "",
            markdown_table(scores),
            "",
        ]
    )


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
    return _read_csv(results, profile, "scores")


def read_claims(results: Path, profile: str) -> pd.DataFrame:
    """The verdicts results/<profile>/claims.csv; UserError where there are none."""
    claims = _read_csv(results, profile, "claims")
    return claims.assign(missing=claims["missing"].fillna(""))


def _read_csv(results: Path, profile: str, name: str) -> pd.DataFrame:
    path = Path(results) / profile / f"{name}.csv"
    if not path.exists():
        command = COMMAND.format(profile=profile)
        raise UserError(f"{path}: no such table; make it with {command}")
    return pd.read_csv(path)


def read_papers(results: Path) -> pd.DataFrame | None:
    """Rows of results/papers.csv on students near ours in size; None without it."""
    path = Path(results) / "papers.csv"
    if not path.exists():
        return None
    papers = pd.read_csv(path)
    return papers[papers["student"].isin(PAPER_STUDENTS)]


def as_markdown(table: pd.DataFrame) -> str:
    """A table as Markdown, numbers as they are spelt."""
    return table.to_markdown(index=False, disable_numparse=True)


def _condition_label(condition: str) -> str:
    return STYLE[condition].label if condition in STYLE else condition


def _points(claim) -> str:
    if claim.verdict == "not run":
        return ""
    estimate, low, high = (
        100 * value for value in (claim.estimate, claim.ci_low, claim.ci_high)
    )
    return f"{estimate:+.1f} [{low:+.1f}, {high:+.1f}]"


def short_commit(commit: str) -> str:
    """A commit's first seven digits, with what is added after them."""
    name, plus, changes = commit.partition("+")
    return name[:7] + plus + changes
