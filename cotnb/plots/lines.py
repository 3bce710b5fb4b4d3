"""Accuracy along an axis: by size of the student, by steps of a problem, by checkpoint.

A line is a way of tuning and a way of asking: its colour and marker say the first, its
dashes the second; where all were tuned in one way, colours say the second as well. A
point is the mean over seeds, its whisker the 95% interval.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    PercentFormatter,
)

from cotnb.plots.papers import draw_diamond, lettered, papers_caption, with_sizes
from cotnb.plots.style import (
    FORMAT_COLOURS,
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
    task_place,
)
from cotnb.results.tables import pool_seeds

REACHES = (15, 30, 50)  # per cent that an axis ends at where no point is higher
DASHES = {
    "few_shot_cot": (0, (5, 1.5)),
    "zero_shot_cot": "solid",
    "few_shot_answer_only": (0, (3, 1.5, 1, 1.5)),
    "zero_shot_answer_only": (0, (1, 1.5)),
}
THEIRS = "papers' students: "  # begins a panel without ours
ONE_LINE = 85  # characters of labels that a legend has room for in one line


def accuracy_by_size(
    frame: pd.DataFrame,
    title: str = "Accuracy by the student's size",
    papers: pd.DataFrame | None = None,
) -> Figure:
    """Accuracy over the number of weights, a panel a task.

    frame: tidy scores of students of several sizes, their last steps. papers: rows of
    results/papers.csv; those of students of a known size that were tuned and asked as
    ours are diamonds, hollow where unverified, on tasks of their own in further panels.
    """
    if frame.empty:
        return nothing_yet(title)
    pooled = pool_seeds(frame).assign(panel=lambda rows: rows["task"].map(task_label))
    asked = set(zip(pooled["condition"], pooled["prompt_format"], strict=True))
    letters = lettered(with_sizes(papers), None, asked, by_student=False)
    if letters is not None:
        labels = letters["task"].map(task_label)
        ours = letters["task"].isin(pooled["task"])
        letters = letters.assign(panel=labels.where(ours, THEIRS + labels))

    def finish(axes: Axes, sizes: list[float]) -> None:
        apart = all(high >= 2 * low for low, high in pairwise(sizes))
        axes.set_xscale("log")
        axes.set_xlim(sizes[0] / 1.5, sizes[-1] * 1.7)
        axes.xaxis.set_major_locator(FixedLocator(sizes) if apart else LogLocator())
        axes.xaxis.set_minor_locator(FixedLocator([]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _weights(x)))

    return _draw(pooled, "parameters", "weights of the student", title, finish, letters)


def accuracy_by_number_of_steps(
    frame: pd.DataFrame, title: str = "Accuracy by the steps that a problem takes"
) -> Figure:
    """Accuracy over the exact solution's steps, a panel a student.

    frame: tidy scores of tasks "..._<n>_step"; rows of other tasks are left out.
    """
    if frame.empty:
        return nothing_yet(title)
    steps = frame["task"].str.extract(r"_(\d+)_step$")[0]
    own = frame[steps.notna()]
    pooled = pool_seeds(own)
    number = pooled["task"].str.extract(r"_(\d+)_step$")[0].astype(int)
    pooled = pooled.assign(steps=number, panel=pooled["student"])
    by_size = pooled.sort_values(["parameters", "steps"])

    def finish(axes: Axes, _: list[float]) -> None:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))

    return _draw(by_size, "steps", "steps of the exact solution", title, finish)


def accuracy_by_checkpoint(
    frame: pd.DataFrame,
    title: str = "Accuracy along a tuning",
) -> Figure:
    """Accuracy over optimiser steps, a panel a student and task.

    frame: tidy scores at several steps. Rows of "before_tuning" are drawn as step 0 of
    every other condition. Tasks stand as they come first.
    """
    if frame.empty:
        return nothing_yet(title)
    tasks = list(dict.fromkeys(frame["task"]))
    frame = _with_beginnings(frame)
    steps = sorted(frame["step"].unique())
    pooled = pd.concat([pool_seeds(frame[frame["step"] == step]) for step in steps])
    places = pooled["task"].map(tasks.index)
    pooled = pooled.assign(panel=_panels(pooled), place=places)
    pooled = pooled.sort_values(["parameters", "place"], kind="stable")

    def finish(axes: Axes, _: list[float]) -> None:
        axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))

    return _draw(pooled, "step", "optimiser steps", title, finish)


def accuracy_by_amount(
    frame: pd.DataFrame,
    label: str,
    title: str = "Accuracy by the amount of data",
    doublings: bool = True,
    share: str = "accuracy",
) -> Figure:
    """Accuracy over an amount that conditions name, "diverse_16" for one.

    frame: tidy scores; a line is the part of its condition before the amount, a panel a
    student and task. label: what the amount is of. Other conditions are left out.
    doublings: whether amounts are evenly spaced where each is twice the one before.
    share: what the scores are shares of, where not of right answers.
    """
    if frame.empty:
        return nothing_yet(title)
    pooled = pool_seeds(frame[frame["condition"].str.contains(r"_\d+$")])
    named = pooled["condition"].str.extract(r"(?P<condition>.+)_(?P<amount>\d+)$")
    pooled = pooled.assign(
        condition=named["condition"],
        amount=named["amount"].astype(int),
        panel=_panels(pooled),
        place=pooled["task"].map(task_place),
    ).sort_values(["parameters", "place"], kind="stable")

    def finish(axes: Axes, amounts: list[float]) -> None:
        if doublings:
            axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(FixedLocator(amounts))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))

    return _draw(pooled, "amount", label, title, finish, share=share)


def _panels(pooled: pd.DataFrame) -> pd.Series:
    """What each row's panel is called: its task, with the student where several are."""
    tasks = pooled["task"].map(task_label)
    several = pooled["student"].nunique() > 1
    return pooled["student"] + ": " + tasks if several else tasks


def _with_beginnings(frame: pd.DataFrame) -> pd.DataFrame:
    before = frame["condition"] == "before_tuning"
    beginnings = []
    for (student, condition), rows in frame[~before].groupby(["student", "condition"]):
        own = before & (frame["student"] == student)
        asked = frame[own & frame["prompt_format"].isin(rows["prompt_format"])]
        beginnings.append(asked.assign(condition=condition))
    return pd.concat([frame[~before], *beginnings], ignore_index=True)


def _draw(
    pooled: pd.DataFrame,
    x: str,
    label: str,
    title: str,
    finish: Callable[[Axes, list[float]], None],
    letters: pd.DataFrame | None = None,
    share: str = "accuracy",
) -> Figure:
    """letters: rows of `lettered` with a panel and an `x`, to be drawn as diamonds."""
    if pooled.empty:
        return nothing_yet(title)
    checked_conditions(pooled["condition"])
    letters = pooled.head(0) if letters is None else letters
    panels = list(dict.fromkeys([*pooled["panel"], *letters["panel"]]))
    across = _across(len(panels))
    down = -(-len(panels) // across)
    by_asking = pooled["condition"].nunique() == 1
    reach = _reach([*(100 * pooled["ci_high"]), *letters.get("value", [])])
    with look():
        figure = Drawing(figsize=(WIDTH, 1.9 + 2.5 * down), layout="constrained")
        grid = figure.subplots(down, across, sharey=True, squeeze=False).flat
        for panel, axes in zip(panels, grid, strict=False):
            rows = pooled[pooled["panel"] == panel]
            theirs = letters[letters["panel"] == panel]
            _draw_lines(axes, rows, x, by_asking)
            _draw_papers(axes, theirs, x, by_asking)
            finish(axes, sorted({*rows[x], *theirs[x]}))
            axes.set_title(fill(panel, max(16, 84 // across)))
            axes.set_xlabel(label)
            axes.set_ylim(-0.03 * reach, 1.03 * reach)
        for axes in list(grid):
            axes.set_visible(False)
        for axes in figure.axes[::across]:
            axes.set_ylabel(share)
        handles = _handles(pooled, by_asking)
        wide = sum(len(handle.get_label()) for handle in handles) > ONE_LINE
        figure.legend(
            handles=handles,
            loc="outside lower left",
            ncols=3 if wide else len(handles),
            frameon=False,
            title=_caption(pooled, letters),
            title_fontproperties={"size": 8.5},
            alignment="left",
        )
        frame_text(figure, title, "")
    return figure


def _reach(points: Sequence[float]) -> int:
    """Where the axis ends: at 100 per cent, or less where all is near the floor."""
    return next((top for top in REACHES if max(points) < 0.9 * top), 100)


def _across(panels: int) -> int:
    """How many panels lie beside each other."""
    if panels <= 4:
        return panels
    return 3 if panels <= 9 else 4 if panels <= 12 else 5


def _colour(condition: str, prompt_format: str, by_asking: bool) -> str:
    return FORMAT_COLOURS[prompt_format] if by_asking else STYLE[condition].colour


def _draw_lines(axes: Axes, rows: pd.DataFrame, x: str, by_asking: bool) -> None:
    for (condition, asked), line in rows.groupby(["condition", "prompt_format"]):
        line, style = line.sort_values(x), STYLE[condition]
        below = (line["accuracy"] - line["ci_low"]).clip(lower=0)
        above = (line["ci_high"] - line["accuracy"]).clip(lower=0)
        axes.errorbar(
            line[x],
            100 * line["accuracy"],
            yerr=[100 * below, 100 * above],
            color=_colour(condition, asked, by_asking),
            marker=style.marker,
            markersize=5,
            markeredgecolor="black",
            markeredgewidth=0.4,
            linestyle=DASHES[asked],
            linewidth=1.6,
            elinewidth=1,
            capsize=2,
        )
    axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))


def _draw_papers(axes: Axes, theirs: pd.DataFrame, x: str, by_asking: bool) -> None:
    """Those of one size side by side: by tuning, by asking, then by number."""
    conditions, ways = list(STYLE), list(FORMAT_LABELS)
    for at, here in theirs.groupby(x):
        ordered = sorted(
            here.itertuples(),
            key=lambda one: (
                conditions.index(one.condition),
                ways.index(one.prompt_format),
                one.value,
            ),
        )
        for place, one in enumerate(ordered):
            beside = at * 1.22 ** (place - (len(ordered) - 1) / 2)
            colour = _colour(one.condition, one.prompt_format, by_asking)
            draw_diamond(axes, beside, one.value, one, colour, size=8.5)


def _handles(pooled: pd.DataFrame, by_asking: bool) -> list[Line2D]:
    """One of each way of tuning, then one of each way of asking."""
    tuned = [c for c in STYLE if c in set(pooled["condition"])]
    asked = [f for f in FORMAT_LABELS if f in set(pooled["prompt_format"])]
    tunings = [
        _handle(STYLE[c].label, STYLE[c].colour, STYLE[c].marker, "none") for c in tuned
    ]
    askings = [
        _handle(
            f"asked {FORMAT_LABELS[f]}",
            FORMAT_COLOURS[f] if by_asking else "black",
            "",
            DASHES[f],
        )
        for f in asked
    ]
    return askings if by_asking else tunings + askings


def _handle(label: str, colour: str, marker: str, dashes) -> Line2D:
    return Line2D(
        [],
        [],
        color=colour,
        marker=marker,
        markeredgecolor="black",
        markeredgewidth=0.4,
        linestyle=dashes,
        label=label,
    )


def _caption(pooled: pd.DataFrame, letters: pd.DataFrame) -> str:
    seeds = span(pooled["seeds"])
    only = STYLE[pooled["condition"].iloc[0]].label
    what = f"All: {only}. " if pooled["condition"].nunique() == 1 else ""
    alone = pooled["seeds"].max() == 1
    point = "one seed" if alone else f"mean over seeds ({seeds})"
    text = (
        f"{what}Point: {point}. Whisker: 95% interval, {'' if alone else 'seeds and '}"
        f"questions resampled. n: {span(pooled['n'])} questions per point."
    )
    told = [text]
    if not letters.empty:
        told.append(f"{papers_caption(letters)}. Those of one size stand side by side.")
    return "\n".join(fill(line, 135) for line in told)


def _weights(count: float) -> str:
    """ "0.3M", "135M", "11B"."""
    if count < 1e7:
        return f"{count / 1e6:.1f}M"
    return f"{count / 1e6:.0f}M" if count < 1e9 else f"{count / 1e9:.3g}B"
