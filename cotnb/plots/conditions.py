"""Accuracy by how a student was tuned and how it is asked: a bar each."""

from collections.abc import Collection
from itertools import zip_longest
from math import ceil
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator, PercentFormatter

from cotnb.formats import PROMPT_FORMATS
from cotnb.plots.papers import draw_diamond, lettered, papers_caption
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
    write_share,
)
from cotnb.results.tables import pool_seeds

ACROSS = 4  # panels beside each other, at most
BESIDE = {"fontweight": "normal", "color": "#555555"}  # titles of further panels


def accuracy_by_condition(
    frame: pd.DataFrame,
    papers: pd.DataFrame | None = None,
    title: str = "Accuracy by how the student was tuned and how it is asked",
    label: str = "accuracy",
    judged: Collection[str] = (),
) -> Figure:
    """Accuracy after the last step, a panel a student and task, a bar an asking.

    frame: tidy scores; students stand side by side, the smallest first. A bar is the
    mean over seeds, its whisker the 95% interval of `pool_seeds`, a small mark one
    seed. papers: rows of results/papers.csv to show as diamonds, hollow where the
    number is from memory and unverified. label: what the scores are shares of, where
    not of right answers. judged: the tasks that the title is about, whose panels alone
    have bold titles; empty: all of them.
    Raises UserError for a condition without STYLE.
    """
    if frame.empty:
        return nothing_yet(title)
    checked_conditions(frame["condition"])
    pooled = pool_seeds(frame).sort_values(["parameters", "student"], kind="stable")
    asked = set(zip(pooled["condition"], pooled["prompt_format"], strict=True))
    rows = [(c, f) for c in STYLE for f in PROMPT_FORMATS if (c, f) in asked]
    letters = lettered(papers, set(pooled["task"]), rows)
    apart = not set(judged) >= set(pooled["task"]) and len(judged) > 0
    caption = _caption(pooled, letters, apart)
    lines = _lines(pooled[["student", "task"]].drop_duplicates())
    across = max(map(len, lines))
    height = len(lines) * (1.1 + 0.42 * len(rows)) + 0.19 * caption.count("\n") + 0.9
    with look():
        figure = Drawing(figsize=(WIDTH, height), layout="constrained")
        grid = figure.subplots(
            len(lines), across, sharex=True, sharey=True, squeeze=False
        )
        for axes, place in _placed(grid, lines):
            if place is None:
                axes.set_visible(False)
                continue
            of_place = [_of(table, place) for table in (frame, pooled)]
            _draw_bars(axes, *of_place, rows)
            named = pooled["student"].nunique() > 1
            title_of = _set_title(axes, of_place[1], named, across)
            if apart and place[1] not in judged:
                title_of.set(**BESIDE)
            axes.set_xlabel(label)
            axes.tick_params(labelbottom=True)
            _draw_papers(axes, letters, place[1], rows)
        labels = [f"{STYLE[c].label}\nasked {FORMAT_LABELS[f]}" for c, f in rows]
        grid[0, 0].set_yticks(range(len(rows)), labels)
        grid[0, 0].set_ylim(len(rows) - 0.4, -0.6)
        _set_reach(grid[0, 0], pooled, letters, across)
        frame_text(figure, title, caption)
    return figure


def _lines(places: pd.DataFrame) -> list[list[tuple[str, str]]]:
    """Lines of (student, task): one where all have room, else a student begins one."""
    pairs = list(places.itertuples(index=False, name=None))
    if len(pairs) <= ACROSS:
        return [pairs]
    students = places["student"].unique()
    own = [[pair for pair in pairs if pair[0] == student] for student in students]
    # five stand three and two, not four and one
    most = max(map(len, own))
    across = ceil(most / ceil(most / ACROSS))
    return [of[i : i + across] for of in own for i in range(0, len(of), across)]


def _placed(grid, lines: list[list]):
    """Each panel of the grid with what it shows; None: nothing."""
    for panels, line in zip(grid, lines, strict=True):
        yield from zip_longest(panels, line)


def _of(table: pd.DataFrame, place: tuple[str, str]) -> pd.DataFrame:
    return table[(table["student"] == place[0]) & (table["task"] == place[1])]


def _set_title(axes: Axes, pooled: pd.DataFrame, named: bool, across: int) -> Text:
    task, n = task_label(pooled["task"].iloc[0]), f"(n = {span(pooled['n'])})"
    lines = [pooled["student"].iloc[0]] * named
    lines += [f"{task} {n}"] if len(task) + len(n) < 66 // across else [task, n]
    text = "\n".join(fill(line, max(22, 66 // across)) for line in lines)
    return axes.set_title(text, fontsize=9 if across == ACROSS else None)


def _set_reach(
    axes: Axes, pooled: pd.DataFrame, letters: pd.DataFrame | None, across: int
) -> None:
    """One reach for all panels, which share it: room for the numbers beside the bars
    and for the papers' diamonds, and no tick above 100%.
    """
    right = 100 * pooled["ci_high"].max() * (1.05 + 0.12 * across) + 8
    if letters is not None:
        right = max(right, letters["value"].max() + 5)
    ticks = MaxNLocator(max(3, 7 - across), steps=[1, 2, 2.5, 5, 10]).tick_values(
        0, right
    )
    axes.set_xticks([tick for tick in ticks if tick <= min(100, right)])
    axes.set_xlim(0, right)


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
        write_share(axes, bar.accuracy, bar.ci_high, y)
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
    axes.xaxis.set_major_formatter(PercentFormatter(decimals=0))
    axes.grid(False, axis="y")


def _draw_papers(axes: Axes, letters: pd.DataFrame | None, task: str, rows) -> None:
    if letters is None:
        return
    for number in letters[letters["task"] == task].itertuples():
        y = rows.index((number.condition, number.prompt_format)) - 0.42
        draw_diamond(axes, number.value, y, number)


def _caption(pooled: pd.DataFrame, letters: pd.DataFrame | None, apart: bool) -> str:
    students = ", ".join(pooled["student"].unique())
    seeds = span(pooled["seeds"])
    when = ", after the last step" if pooled["step"].max() else ""
    if pooled["seeds"].max() == 1:
        told = f"1 seed{when}. Whisker: 95% interval, questions resampled."
    else:
        told = (
            f"{seeds} seeds{when}. Bar: mean over seeds. Whisker: 95% interval, seeds "
            "and questions resampled. White mark: one seed."
        )
    lines = [
        f"{students}, {told} n: questions." + " Bold: what the claim is about." * apart,
        papers_caption(letters),
    ]
    return "\n".join(fill(line, 135) for line in lines if line)
