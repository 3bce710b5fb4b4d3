"""One run's accuracies before and after tuning, with Wilson's intervals."""

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
    task_label,
    write_share,
)


def before_and_after(
    frame: pd.DataFrame, title: str = "Accuracy before and after tuning"
) -> Figure:
    """A panel a task, a row a condition and way of asking; a dot and its interval.

    frame: tidy scores of one student and one seed, whose whiskers are `ci_low` and
    `ci_high`, Wilson's 95% interval over questions. The task that was asked in the most
    ways comes first. Raises UserError for a condition without STYLE.
    """
    if frame.empty:
        return nothing_yet(title)
    checked_conditions(frame["condition"])
    tasks = list(frame["task"].value_counts().index)
    rows = {task: _rows(frame[frame["task"] == task]) for task in tasks}
    heights = [len(own) + 0.8 for own in rows.values()]
    with look():
        size = (WIDTH, 1.2 + 0.36 * sum(heights))
        figure = Drawing(figsize=size, layout="constrained")
        panels = figure.subplots(
            len(tasks), 1, sharex=True, squeeze=False, height_ratios=heights
        )
        for axes, task in zip(panels[:, 0], tasks, strict=True):
            _draw(axes, rows[task])
            n = rows[task]["n"].iloc[0]
            axes.set_title(f"{task_label(task)} (n = {n:,})")
        last = panels[-1, 0]
        last.set_xlim(0, min(100, 108 * frame["ci_high"].max() + 6))
        last.xaxis.set_major_formatter(PercentFormatter(decimals=0))
        last.set_xlabel("accuracy")
        caption = (
            f"{frame['student'].iloc[0]}, one seed. Whisker: Wilson's 95% interval "
            "over questions; it says nothing about other seeds. n: questions."
        )
        frame_text(figure, title, fill(caption, 135))
    return figure


def _rows(scores: pd.DataFrame) -> pd.DataFrame:
    """In the order of STYLE, and within a condition of the prompt formats."""
    order = {name: place for place, name in enumerate([*STYLE, *PROMPT_FORMATS])}
    return scores.sort_values(
        ["condition", "prompt_format"], key=lambda names: names.map(order)
    )


def _draw(axes: Axes, rows: pd.DataFrame) -> None:
    for y, row in enumerate(rows.itertuples()):
        style = STYLE[row.condition]
        axes.plot(
            [100 * row.ci_low, 100 * row.ci_high],
            [y, y],
            color=style.colour,
            linewidth=3,
            solid_capstyle="round",
        )
        axes.plot(
            100 * row.accuracy,
            y,
            style.marker,
            color=style.colour,
            markeredgecolor="black",
            markersize=8,
        )
        write_share(axes, row.accuracy, row.ci_high, y)
    labels = [
        f"{STYLE[r.condition].label}, asked {FORMAT_LABELS[r.prompt_format]}"
        for r in rows.itertuples()
    ]
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(False, axis="y")
