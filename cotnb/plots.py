"""Figures: one function each; takes a table, returns a matplotlib Figure."""

from collections.abc import Iterable
from io import BytesIO
from string import ascii_lowercase
from textwrap import fill
from typing import NamedTuple

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from cotnb.errors import UserError
from cotnb.formats import PROMPT_FORMATS
from cotnb.results import pool_seeds


class Style(NamedTuple):
    """How a condition looks in every figure."""

    label: str
    colour: str
    marker: str
    hatch: str


# Okabe and Ito's colour-blind safe palette; the hues differ in luminance as well.
STYLE = {
    "before_tuning": Style("before tuning", "#BBBBBB", "s", ""),
    "answer_only": Style("answer-only tuning", "#E69F00", "^", "////"),
    "cot": Style("CoT tuning", "#0072B2", "o", ""),
}
FORMAT_LABELS = {
    "few_shot_cot": "few-shot CoT",
    "zero_shot_cot": "zero-shot CoT",
    "few_shot_answer_only": "few-shot answer-only",
    "zero_shot_answer_only": "zero-shot answer-only",
}
VERDICT_COLOURS = {
    "reproduced": "#0072B2",
    "contradicted": "#D55E00",
    "inconclusive": "#666666",
    "not run": "#666666",
}
EXPECTED_SIDE = "#DDEEF7"
WIDTH = 9.0  # inches; at 100 dpi a figure is 900 pixels wide
READING = {
    "figure.dpi": 100,
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "hatch.color": "white",
    "hatch.linewidth": 1.2,
}


class Drawing(Figure):
    """A Figure that a notebook shows, whatever backend matplotlib has there."""

    def _repr_png_(self) -> bytes:
        png = BytesIO()
        self.savefig(png, format="png", metadata={"Software": None})
        return png.getvalue()


def accuracy_by_condition(
    frame: pd.DataFrame,
    papers: pd.DataFrame | None = None,
    title: str = "Accuracy by how the student was tuned and how it is asked",
) -> Figure:
    """Accuracy after the last step, a panel a task, a bar a condition and format.

    frame: tidy scores of one student. A bar is the mean over seeds, its whisker the 95%
    interval of `pool_seeds`, a small mark one seed. papers: rows of results/papers.csv
    to show as diamonds, hollow where the number is from memory and unverified.
    Raises ValueError for several students, UserError for a condition without STYLE.
    """
    if frame["student"].nunique() != 1:
        raise ValueError("one student a figure: filter the frame by student")
    if unknown := set(frame["condition"]) - set(STYLE):
        raise UserError(
            f"condition {sorted(unknown)}: add a row to STYLE in cotnb/plots.py"
        )
    pooled = pool_seeds(frame)
    asked = set(zip(pooled["condition"], pooled["prompt_format"], strict=True))
    rows = [(c, f) for c in STYLE for f in PROMPT_FORMATS if (c, f) in asked]
    tasks = list(dict.fromkeys(pooled["task"]))
    letters = _paper_letters(papers, tasks, rows)
    caption = _accuracy_caption(pooled, frame["student"].iloc[0], letters)
    height = 1.1 + 0.42 * len(rows) + 0.19 * caption.count("\n")
    with _look():
        figure = Drawing(figsize=(WIDTH, height + 0.9), layout="constrained")
        panels = figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
        for axes, task in zip(panels, tasks, strict=True):
            of_task = frame[frame["task"] == task]
            _draw_bars(axes, of_task, pooled[pooled["task"] == task], rows)
            _draw_papers(axes, letters, task, rows)
        labels = [f"{STYLE[c].label}\nasked {FORMAT_LABELS[f]}" for c, f in rows]
        panels[0].set_yticks(range(len(rows)), labels)
        panels[0].invert_yaxis()
        _frame_text(figure, title, caption)
    return figure


def learning_curve(
    history: pd.DataFrame | Iterable[dict],
    title: str = "Training loss falls with optimiser steps",
) -> Figure:
    """Loss on target tokens over optimiser steps.

    history: rows with step and loss, and a condition where several students are drawn;
    a Trainer's log history serves. Rows without a loss are left out.
    """
    history = pd.DataFrame(history).dropna(subset=["loss"])
    if "condition" not in history:
        history = history.assign(condition="cot")
        labelled = False
    else:
        labelled = True
    with _look():
        figure = Drawing(figsize=(WIDTH, 3.6), layout="constrained")
        axes = figure.subplots()
        for condition, curve in history.groupby("condition", sort=False):
            style = STYLE[condition]
            axes.plot(
                curve["step"],
                curve["loss"],
                color=style.colour,
                marker=style.marker,
                markevery=max(1, len(curve) // 12),
                markersize=5,
                label=style.label,
            )
        if labelled:
            axes.legend(frameon=False)
        axes.set(xlabel="optimiser step", ylabel="loss a target token (nats)")
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _frame_text(figure, title, "")
    return figure


def verdict_board(
    claims_frame: pd.DataFrame, title: str = "What these runs say about each claim"
) -> Figure:
    """Each claim's contrast with its 95% interval, in percentage points, and verdict.

    claims_frame: `evaluate_claims`'s table. The expected side of 0 is shaded.
    """
    count = len(claims_frame)
    with _look():
        figure = Drawing(figsize=(WIDTH, 1.5 + 0.75 * count), layout="constrained")
        axes = figure.subplots()
        reach = 100 * np.nanmax(
            np.abs(claims_frame[["ci_low", "ci_high"]].to_numpy(dtype=float)),
            initial=0.05,
        )
        limit = 1.15 * reach
        for y, claim in enumerate(claims_frame.itertuples()):
            _draw_claim(axes, y, claim, limit)
        statements = [fill(text, 42) for text in claims_frame["statement"]]
        axes.set_yticks(range(count), statements, fontsize=9)
        axes.set_ylim(count - 0.5, -0.5)
        axes.set_xlim(-limit, limit)
        axes.axvline(0, color="black", linewidth=1)
        axes.set_xlabel("difference in accuracy, percentage points")
        axes.grid(False, axis="y")
        caption = (
            "Dot: difference paired on questions and seeds. Whisker: its 95% interval, "
            "seeds and questions resampled. Shaded: the side that the paper leads one "
            "to expect. n: questions."
        )
        _frame_text(figure, title, fill(caption, 135))
    return figure


def _look():
    return rc_context(sns.axes_style("whitegrid") | READING)


def _frame_text(figure: Figure, title: str, caption: str) -> None:
    figure.suptitle(fill(title, 84), x=0.01, ha="left", fontsize=12, fontweight="bold")
    if caption:
        figure.supxlabel(caption, x=0.01, ha="left", fontsize=8.5, color="#444444")


def _draw_bars(axes: Axes, scores: pd.DataFrame, pooled: pd.DataFrame, rows) -> None:
    for bar in pooled.itertuples():
        y = rows.index((bar.condition, bar.prompt_format))
        style = STYLE[bar.condition]
        axes.barh(
            y,
            100 * bar.accuracy,
            height=0.6,
            color=style.colour,
            hatch=style.hatch,
            alpha=0.75,
        )
        below, above = bar.accuracy - bar.ci_low, bar.ci_high - bar.accuracy
        axes.errorbar(
            100 * bar.accuracy,
            y,
            xerr=[[100 * max(below, 0)], [100 * max(above, 0)]],
            color="black",
            capsize=3,
            linewidth=1.2,
        )
        axes.annotate(
            f"{100 * bar.accuracy:.1f}%",
            (100 * bar.ci_high, y),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    last = scores.sort_values("step").groupby(["condition", "prompt_format", "seed"])
    for one in last.tail(1).itertuples():
        y = rows.index((one.condition, one.prompt_format))
        marker = STYLE[one.condition].marker
        axes.plot(
            100 * one.accuracy,
            y + 0.2,
            marker,
            color="white",
            markeredgecolor="black",
            markersize=4,
        )
    axes.set_title(f"{pooled['task'].iloc[0]} (n = {_span(pooled['n'])})")
    axes.set_xlim(0, min(100, 120 * pooled["ci_high"].max() + 8))
    axes.xaxis.set_major_formatter(PercentFormatter(decimals=0))
    axes.set_xlabel("accuracy")
    axes.grid(False, axis="y")


def _paper_letters(papers: pd.DataFrame | None, tasks, rows) -> pd.DataFrame | None:
    """The papers' rows that the figure has a place for, a letter each student."""
    if papers is None:
        return None
    places = pd.MultiIndex.from_frame(papers[["condition", "prompt_format"]])
    shown = papers[papers["task"].isin(tasks) & places.isin(rows)]
    names = shown["paper"] + ", " + shown["student"]
    letters = dict(zip(names.unique(), ascii_lowercase, strict=False))
    return shown.assign(
        name=names,
        letter=names.map(letters),
        unverified=shown["status"].str.contains("unverified"),
    )


def _draw_papers(axes: Axes, letters: pd.DataFrame | None, task: str, rows) -> None:
    if letters is None:
        return
    for number in letters[letters["task"] == task].itertuples():
        y = rows.index((number.condition, number.prompt_format)) - 0.33
        value = float(number.value)
        face, text = ("white", "black") if number.unverified else ("black", "white")
        axes.plot(
            value, y, "D", color=face, markeredgecolor="black", markersize=10, zorder=5
        )
        axes.text(
            value,
            y,
            number.letter,
            color=text,
            fontsize=8,
            ha="center",
            va="center_baseline",
            zorder=6,
        )
        axes.set_xlim(right=max(axes.get_xlim()[1], value + 5))


def _accuracy_caption(pooled: pd.DataFrame, student: str, letters) -> str:
    seeds = _span(pooled["seeds"]) + (
        " seed" if pooled["seeds"].max() == 1 else " seeds"
    )
    lines = [
        f"{student}, {seeds}, after the last step. Bar: mean "
        "over seeds. Whisker: 95% interval, seeds and questions resampled. White mark: "
        "one seed. n: questions."
    ]
    if letters is not None and len(letters):
        unique = letters.drop_duplicates(["letter", "unverified"]).sort_values("letter")
        lines += [
            "Diamonds, the papers' own students: "
            + "; ".join(
                f"{one.letter}: {one.name}"
                + (" (hollow: from memory, unverified)" if one.unverified else "")
                for one in unique.itertuples()
            )
        ]
    return "\n".join(fill(line, 135) for line in lines)


def _draw_claim(axes: Axes, y: int, claim, limit: float) -> None:
    side = (0, limit) if claim.expected == "positive" else (-limit, 0)
    axes.fill_betweenx([y - 0.45, y + 0.45], *side, color=EXPECTED_SIDE, zorder=0)
    colour = VERDICT_COLOURS[claim.verdict]
    details = ""
    if claim.verdict != "not run":
        estimate, low, high = (
            100 * value for value in (claim.estimate, claim.ci_low, claim.ci_high)
        )
        axes.errorbar(
            estimate,
            y,
            xerr=[[max(estimate - low, 0)], [max(high - estimate, 0)]],
            fmt="o",
            color=colour,
            capsize=4,
            linewidth=2,
        )
        details = (
            f"\n{estimate:+.1f} [{low:+.1f}, {high:+.1f}]\n"
            f"seeds {claim.seeds}, n {claim.n}"
        )
    axes.annotate(
        claim.verdict,
        (1, y),
        xycoords=("axes fraction", "data"),
        xytext=(8, 13 if details else 0),
        textcoords="offset points",
        color=colour,
        fontweight="bold",
        va="center",
    )
    axes.annotate(
        details,
        (1, y),
        xycoords=("axes fraction", "data"),
        xytext=(8, 0),
        textcoords="offset points",
        fontsize=8.5,
        va="center",
    )


def _span(numbers: pd.Series) -> str:
    low, high = numbers.min(), numbers.max()
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
