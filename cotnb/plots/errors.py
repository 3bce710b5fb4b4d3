"""Kinds of error, as shares of what was asked."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from cotnb.plots.stacked import stacked_bars
from cotnb.plots.style import ERROR_KINDS, WIDTH, Drawing, frame_text, look, nothing_yet

ONE_LINE = 80  # characters of labels that a legend has room for in one line


def error_kinds(
    shares: pd.DataFrame,
    title: str = "What goes wrong, by the student's size",
    kinds: Mapping[str, tuple[str, str, str]] = ERROR_KINDS,
    label: str = "share of questions",
) -> Figure:
    """Stacked bars of the kinds of error, one bar a row of the table.

    shares: index: what a bar is called; columns: names of `kinds`, others are left out;
    values: shares, 0 to 1, that add up to 1 in each row. kinds: `ERROR_KINDS`, or
    `FLOW_KINDS`. label: what they are shares of.
    """
    if shares.empty:
        return nothing_yet(title)
    with look():
        height = 1.5 + 0.45 * len(shares)
        figure = Drawing(figsize=(WIDTH, height), layout="constrained")
        axes = figure.subplots()
        stacked_bars(axes, shares, kinds)
        axes.set_xlabel(label)
        labels = [text for text, _, _ in kinds.values()]
        columns = 5 if sum(map(len, labels)) <= ONE_LINE else 3
        figure.legend(loc="outside lower center", ncols=columns, frameon=False)
        frame_text(figure, title, "")
    return figure
