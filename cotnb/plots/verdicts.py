"""The board of verdicts: each claim's contrast against the side that is expected."""

from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cotnb.claims import in_points
from cotnb.plots.style import (
    EXPECTED_SIDE,
    VERDICT_COLOURS,
    WIDTH,
    Drawing,
    frame_text,
    look,
    nothing_yet,
)


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
        frame_text(figure, title, fill(caption, 135))
    return figure


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
        details = f"\n{in_points(claim)}\nseeds {claim.seeds}, n {claim.n}"
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
