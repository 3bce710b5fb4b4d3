"""What a teacher's samples come to: how many are right, and right for a reason."""

import pandas as pd
from matplotlib.figure import Figure

from cotnb.plots.stacked import stacked_bars
from cotnb.plots.style import WIDTH, Drawing, frame_text, look, nothing_yet

# a label, a colour and a hatch for each part of a recipe's samples
PARTS = {
    "sound": ("right, every step holds", "#0072B2", ""),
    "unchecked": ("right, steps not checked", "#56B4E9", ".."),
    "wrong_step": ("right, but a step is wrong", "#E69F00", "//"),
    "wrong": ("wrong answer: dropped", "#BBBBBB", ""),
}


def recipe_yields(
    yields: pd.DataFrame, title: str = "What four recipes yield"
) -> Figure:
    """A bar a recipe: what share of a teacher's samples can be used.

    yields: index: what a bar is called; columns as `rationales.papers.yields` names
    its keys, shares from 0 to 1. At a bar's end: the share of questions that have a
    right rationale, and the tokens written for each of these questions.
    """
    if yields.empty:
        return nothing_yet(title)
    parts = _parts(yields)
    with look():
        height = 1.8 + 0.5 * len(yields)
        figure = Drawing(figsize=(WIDTH, height), layout="constrained")
        axes = figure.subplots()
        stacked_bars(axes, parts, PARTS)
        for y, row in enumerate(yields.itertuples()):
            covered = max(1, round(row.covered * row.questions))
            axes.annotate(
                f"{100 * row.covered:.0f}% of questions,\n"
                f"{row.tokens_written / covered:,.0f} tokens\nwritten each",
                (101, y),
                va="center",
                fontsize=8,
                annotation_clip=False,
            )
        axes.set_xlabel("share of samples")
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        frame_text(figure, title, "")
    return figure


def _parts(yields: pd.DataFrame) -> pd.DataFrame:
    checked = yields["wrong_step"].notna()
    wrong_step = yields["wrong_step"].astype(float).fillna(0.0)
    right = yields["right"]
    return pd.DataFrame(
        {
            "sound": (right * (1 - wrong_step)).where(checked, 0.0),
            "unchecked": right.where(~checked, 0.0),
            "wrong_step": (right * wrong_step).where(checked, 0.0),
            "wrong": 1 - right,
        }
    )
