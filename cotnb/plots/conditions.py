"""Accuracy by how a student was tuned and how it is asked: a bar each."""

from string import ascii_lowercase
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from cotnb.formats import PROMPT_FORMATS
from cotnb.plots.style import (
    FORMAT_LABELS,
    STYLE,
    WIDTH,
    Drawing,
    checked_conditions,
    frame_text,
    look,
    nothing_yet,
    span,
    task_label,
)
from cotnb.results import pool_seeds


def accuracy_by_condition(
    frame: pd.DataFrame,
    papers: pd.DataFrame | None = None,
    title: str = "Accuracy by how the student was tuned and how it is asked",
    label: str = "accuracy",
) -> Figure:
    """Accuracy after the last step, a panel a task, a bar a condition and format.

    frame: tidy scores of one student. A bar is the mean over seeds, its whisker the 95%
    interval of `pool_seeds`, a small mark one seed. papers: rows of results/papers.csv
    to show as diamonds, hollow where the number is from memory and unverified. label:
    what the scores are shares of, where not of right answers.
    Raises ValueError for several students, UserError for a condition without STYLE.
    """
    if frame.empty:
        return nothing_yet(title)
    if frame["student"].nunique() != 1:
        raise ValueError("one student a figure: filter the frame by student")
    checked_conditions(frame["condition"])
    pooled = pool_seeds(frame)
    asked = set(zip(pooled["condition"], pooled["prompt_format"], strict=True))
    rows = [(c, f) for c in STYLE for f in PROMPT_FORMATS if (c, f) in asked]
    tasks = list(dict.fromkeys(pooled["task"]))
    letters = _paper_letters(papers, tasks, rows)
    caption = _accuracy_caption(pooled, frame["student"].iloc[0], letters)
    height = 1.1 + 0.42 * len(rows) + 0.19 * caption.count("\n")
    with look():
        figure = Drawing(figsize=(WIDTH, height + 0.9), layout="constrained")
        panels = figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
        for axes, task in zip(panels, tasks, strict=True):
            of_task = frame[frame["task"] == task]
            _draw_bars(axes, of_task, pooled[pooled["task"] == task], rows)
            name = f"{task_label(task)} (n = {span(of_task['n'])})"
            axes.set_title(fill(name, 78 // len(tasks)))
            axes.set_xlabel(label)
            _draw_papers(axes, letters, task, rows)
        labels = [f"{STYLE[c].label}\nasked {FORMAT_LABELS[f]}" for c, f in rows]
        panels[0].set_yticks(range(len(rows)), labels)
        panels[0].invert_yaxis()
        frame_text(figure, title, caption)
    return figure


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
        axes.plot(
            100 * one.accuracy,
            y + 0.2,
            marker=STYLE[one.condition].marker,
            linestyle="none",
            color="white",
            markeredgecolor="black",
            markersize=4,
        )
    axes.set_xlim(0, min(100, 120 * pooled["ci_high"].max() + 8))
    axes.xaxis.set_major_formatter(PercentFormatter(decimals=0))
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
    seeds = span(pooled["seeds"]) + (
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
