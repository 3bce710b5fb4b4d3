"""The board of verdicts: a row a claim, a column a student or a ladder of them.

Profiles that are called alike up to a "_" share a column: what "smol_dates" says of a
claim stands below what "smol" says of it.
"""

from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cotnb.grid.profiles import family_of, setting_of
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

ROW = 0.44  # inches that a claim takes
STATEMENTS, COLUMN = 5.4, 2.8  # inches of width
FAMILIES = {"tiny": "the ladder\n", "smol": "SmolLM2-135M\n"}  # of published profiles


def verdicts_by_profile(claims_frame: pd.DataFrame, title: str) -> Figure:
    """Each claim's contrast, interval and verdict in each profile that has it.

    claims_frame: `evaluate_claims`'s tables with a column profile. Claims stand under
    their notebook's name; the side of 0 that is expected is shaded.
    """
    if claims_frame.empty:
        return nothing_yet(title)
    families = claims_frame["profile"].map(family_of)
    columns = list(dict.fromkeys(families))
    labels, places = _rows(claims_frame)
    limit = 115 * np.nanmax(
        np.abs(claims_frame[["ci_low", "ci_high"]].to_numpy(dtype=float)), initial=0.05
    )
    with look():
        width = max(WIDTH, STATEMENTS + COLUMN * len(columns))
        size = (width, 1.6 + ROW * len(labels))
        figure = Drawing(figsize=size, layout="constrained")
        panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
        for axes, family in zip(panels, columns, strict=True):
            for claim in claims_frame[families == family].itertuples():
                place = places[claim.claim, setting_of(claim.profile)]
                draw_interval(axes, place, claim, limit)
                _tell(axes, place, claim, 1.15 * limit)
            axes.set_title(FAMILIES.get(family, "") + f"profile {family}")
            axes.set_xlim(-limit, 2.7 * limit)
            axes.axvline(0, color="black", linewidth=0.8)
            ticks = _ticks(limit)
            axes.set_xticks(ticks, [f"{tick:+g}" if tick else "0" for tick in ticks])
            axes.set_xlabel("difference in accuracy,\npercentage points", loc="left")
            axes.grid(False)
        panels[0].set_ylim(len(labels) - 0.5, -0.5)
        panels[0].set_yticks(range(len(labels)), labels, fontsize=8)
        for y, label in enumerate(panels[0].get_yticklabels()):
            label.set_fontweight("normal" if y in places.values() else "bold")
        frame_text(figure, title, fill(MARKS, int(15 * width)))
    return figure


def _rows(claims_frame: pd.DataFrame) -> tuple[list[str], dict[tuple[str, str], int]]:
    """What each row is called, and the row of each (claim, setting).

    A notebook's name has a row of its own. A claim's further settings stand below it,
    and a claim that has no others has its statement there.
    """
    labels, places = [], {}
    for notebook, of_notebook in claims_frame.groupby("notebook", sort=True):
        labels.append(notebook)
        for claim, own in of_notebook.groupby("claim", sort=False):
            settings = sorted({setting_of(profile) for profile in own["profile"]})
            for number, setting in enumerate(settings):
                places[claim, setting] = len(labels)
                label = "" if number else fill(own["statement"].iloc[0], 86)
                named = setting.replace("_", " ")
                labels.append("\n".join(filter(None, (label, named))))
    return labels, places


def _ticks(limit: float) -> list[float]:
    """0 and one round number on either side of it."""
    size = 10 ** np.floor(np.log10(limit))
    reach = max(step * size for step in (1, 2, 5) if step * size <= limit)
    return [-reach, 0, reach]


def _tell(axes: Axes, y: int, claim, x: float) -> None:
    """A claim's verdict and numbers, from x on."""
    colour = VERDICT_COLOURS[claim.verdict]
    text = {"va": "center", "fontsize": 7.5}
    if claim.verdict == "not run":
        axes.text(x, y, "not run", color=colour, **text)
        return
    numbers = fill(in_points(claim), 26)  # a slope's unit may need a line of its own
    lines = [*numbers.split("\n"), f"seeds {claim.seeds}, n {claim.n:,}"]
    above = 0.13 * len(lines)
    axes.text(x, y - above, claim.verdict, color=colour, weight="bold", **text)
    axes.text(x, y + 0.12, "\n".join(lines), **text, linespacing=1.05)
