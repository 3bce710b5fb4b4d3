"""The board of verdicts: each claim's contrast against the side that is expected."""

from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cotnb.plots.intervals import MARKS, draw_interval
from cotnb.plots.style import (
    VERDICT_COLOURS,
    WIDTH,
    Drawing,
    frame_text,
    look,
    nothing_yet,
)
from cotnb.results.claims import in_points


def verdict_board(
    claims_frame: pd.DataFrame, title: str = "What these runs say about each claim"
) -> Figure:
    """Each claim's contrast with its 95% interval, in percentage points, and verdict.

    claims_frame: `evaluate_claims`'s table. The expected side of 0 is shaded.
    """
    if claims_frame.empty:
        return nothing_yet(title)
    count = len(claims_frame)
    with look():
        figure = Drawing(figsize=(WIDTH, 1.5 + 0.75 * count), layout="constrained")
        axes = figure.subplots()
        reach = 100 * np.nanmax(
            np.abs(claims_frame[["ci_low", "ci_high"]].to_numpy(dtype=float)),
            initial=0.05,
        )
        limit = 1.15 * reach
        for y, claim in enumerate(claims_frame.itertuples()):
            draw_interval(axes, y, claim, limit)
            _tell(axes, y, claim)
        statements = [fill(text, 42) for text in claims_frame["statement"]]
        axes.set_yticks(range(count), statements, fontsize=9)
        axes.set_ylim(count - 0.5, -0.5)
        axes.set_xlim(-limit, limit)
        axes.axvline(0, color="black", linewidth=1)
        axes.set_xlabel("difference in accuracy, percentage points")
        axes.grid(False, axis="y")
        frame_text(figure, title, fill(MARKS, 135))
    return figure


def _tell(axes: Axes, y: int, claim) -> None:
    """A claim's verdict and numbers, to the right of its row."""
    details = ""
    if claim.verdict != "not run":
        details = f"\n{in_points(claim)}\nseeds {claim.seeds}, n {claim.n:,}"
    place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    axes.annotate(
        claim.verdict,
        (1, y),
        xytext=(8, 13 if details else 0),
        color=VERDICT_COLOURS[claim.verdict],
        fontweight="bold",
        va="center",
        **place,
    )
    axes.annotate(details, (1, y), xytext=(8, 0), fontsize=8.5, va="center", **place)
