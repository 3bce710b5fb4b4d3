"""Bars of parts that add up to a whole."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

LEAST_TOLD = 6  # percent: a smaller part has no room for its number


def stacked_bars(
    axes: Axes, shares: pd.DataFrame, parts: Mapping[str, tuple[str, str, str]]
) -> None:
    """A bar a row of the table, a piece a part, with its percentage where it fits.

    shares: values 0 to 1. parts: column -> (label, colour, hatch), in order; the first
    has light numbers. Columns that are missing or all 0 are not drawn.
    """
    left = pd.Series(0.0, index=shares.index)
    for number, (part, (label, colour, hatch)) in enumerate(parts.items()):
        share = 100 * shares.get(part, pd.Series(0.0, index=shares.index))
        if not share.any():
            continue
        bars = axes.barh(
            range(len(shares)),
            share,
            left=left,
            height=0.65,
            color=colour,
            hatch=hatch,
            label=label,
        )
        texts = [f"{value:.0f}%" if value >= LEAST_TOLD else "" for value in share]
        light = {"color": "white"} if number == 0 else {}
        behind = {"facecolor": colour, "edgecolor": "none", "pad": 1}
        axes.bar_label(
            bars, texts, label_type="center", fontsize=8, bbox=behind, **light
        )
        left = left + share
    axes.set_yticks(range(len(shares)), shares.index)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.xaxis.set_major_formatter(PercentFormatter(decimals=0))
    axes.grid(False, axis="y")
