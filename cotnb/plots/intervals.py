"""How a claim's verdict is drawn: the expected side, the estimate, its interval."""

from matplotlib.axes import Axes

from cotnb.plots.style import VERDICT_COLOURS

EXPECTED_SIDE = "#DDEEF7"
MARKS = (
    "Mark: difference paired on questions and seeds; filled: reproduced, cross: "
    "contradicted, hollow: inconclusive. Whisker: its 95% interval, seeds and "
    "questions resampled, of one seed questions alone. Shaded: the side of 0 that is "
    "expected. n: questions."
)
# of a mark, and whether it is filled
MARKERS = {
    "reproduced": ("o", True),
    "contradicted": ("X", True),
    "inconclusive": ("o", False),
}


def draw_interval(axes: Axes, y: int, claim, limit: float) -> None:
    """One claim's row, its words aside.

    claim: a row of `evaluate_claims`'s table. limit: where the shade of the expected
    side ends, in percentage points.
    """
    side = (0, limit) if claim.expected == "positive" else (-limit, 0)
    axes.fill_betweenx([y - 0.43, y + 0.43], *side, color=EXPECTED_SIDE, zorder=0)
    if claim.verdict == "not run":
        return
    estimate, low, high = (
        100 * value for value in (claim.estimate, claim.ci_low, claim.ci_high)
    )
    colour = VERDICT_COLOURS[claim.verdict]
    marker, filled = MARKERS[claim.verdict]
    axes.errorbar(
        estimate,
        y,
        xerr=[[max(estimate - low, 0)], [max(high - estimate, 0)]],
        fmt=marker,
        color=colour,
        markerfacecolor=colour if filled else "white",
        markersize=6,
        capsize=3,
        linewidth=1.5,
    )
