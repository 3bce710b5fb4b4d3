"""Kinds of error, as shares of what was asked."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from cotnb.plots.style import ERROR_KINDS, WIDTH, Drawing, frame_text, look, nothing_yet


def error_kinds(
    shares: pd.DataFrame, title: str = "What goes wrong, by the student's size"
) -> Figure:
    """Stacked bars of the kinds of error, one bar a row of the table.

    shares: index: what a bar is called; columns: names of `ERROR_KINDS`; values: shares
    of all questions, 0 to 1, that add up to 1 in each row.
    """
    if shares.empty:
        return nothing_yet(title)
    with look():
        height = 1.5 + 0.45 * len(shares)
        figure = Drawing(figsize=(WIDTH, height), layout="constrained")
        axes = figure.subplots()
        left = pd.Series(0.0, index=shares.index)
        for kind, (label, colour, hatch) in ERROR_KINDS.items():
            share = 100 * shares.get(kind, pd.Series(0.0, index=shares.index))
            bars = axes.barh(
                range(len(shares)),
                share,
                left=left,
                height=0.7,
                color=colour,
                hatch=hatch,
                label=label,
            )
            texts = [f"{value:.0f}%" if value >= 6 else "" for value in share]
            dark = {"color": "white"} if kind == "right" else {}
            axes.bar_label(bars, texts, label_type="center", fontsize=8, **dark)
            left = left + share
        axes.set_yticks(range(len(shares)), shares.index)
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.xaxis.set_major_formatter(PercentFormatter(decimals=0))
        axes.set_xlabel("share of questions")
        axes.grid(False, axis="y")
        figure.legend(loc="outside lower center", ncols=5, frameon=False)
        frame_text(figure, title, "")
    return figure
