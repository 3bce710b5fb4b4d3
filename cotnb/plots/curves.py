"""Curves over optimiser steps: of a tuning, of a pretraining."""

from collections.abc import Iterable

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from cotnb.ladder.mixture import FIRST_SHARDS, SHARD
from cotnb.plots.style import STYLE, WIDTH, Drawing, frame_text, look

# of the rows of a curve, in their order: colour, marker, dashes
PRETRAINING_LINES = (
    ("#000000", "x", "dotted"),
    ("#0072B2", "o", "solid"),
    ("#56B4E9", "D", "dashed"),
    ("#009E73", "s", "solid"),
    ("#E69F00", "^", "solid"),
    ("#D55E00", "v", "dotted"),
    ("#CC79A7", "P", "dashed"),
)
WHOLE_MIXTURE = FIRST_SHARDS * SHARD  # pairs of the first stages


def learning_curve(
    history: pd.DataFrame | Iterable[dict],
    title: str = "Training loss falls with optimiser steps",
) -> Figure:
    """Loss on target tokens over optimiser steps.

    history: rows with step and loss, and a condition where several students are drawn;
    a Trainer's log history serves. Rows without a loss are left out.
    """
    history = pd.DataFrame(history).dropna(subset=["loss"])
    if "condition" not in history:
        history = history.assign(condition="cot")
        labelled = False
    else:
        labelled = True
    with look():
        figure = Drawing(figsize=(WIDTH, 3.6), layout="constrained")
        axes = figure.subplots()
        for condition, curve in history.groupby("condition", sort=False):
            style = STYLE[condition]
            axes.plot(
                curve["step"],
                curve["loss"],
                color=style.colour,
                marker=style.marker,
                markevery=max(1, len(curve) // 12),
                markersize=5,
                label=style.label,
            )
        if labelled:
            axes.legend(frameon=False)
        axes.set(xlabel="optimiser step", ylabel="loss per target token (nats)")
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        frame_text(figure, title, "")
    return figure


def pretraining_curve(
    cards: Iterable[dict],
    title: str = "What each size learns, and when",
) -> Figure:
    """Accuracy on dev questions over the pairs that were read, a panel a student.

    A vertical line marks where the first stages end and the whole mixture begins.
    cards: `card.json` of several students, or notes of `pretraining_note` with a
    "student" and "parameters".
    """
    cards = list(cards)
    read = max(row["pairs"] for card in cards for row in card["curve"])
    unit, named = (1e6, "million pairs") if read >= 1e5 else (1e3, "thousand pairs")
    marked = (
        " Vertical line: the first stages, without word problems, end; the whole "
        "mixture begins."
        if read > WHOLE_MIXTURE
        else ""
    )
    with look():
        figure = Drawing(figsize=(WIDTH, 4.4), layout="constrained")
        panels = figure.subplots(1, len(cards), sharey=True, squeeze=False)[0]
        for axes, card in zip(panels, cards, strict=True):
            curve = pd.DataFrame(card["curve"])
            for (what, line), look_of in zip(
                curve.groupby("what", sort=False), PRETRAINING_LINES, strict=False
            ):
                colour, marker, dashes = look_of
                axes.plot(
                    line["pairs"] / unit,
                    100 * line["accuracy"],
                    color=colour,
                    marker=marker,
                    linestyle=dashes,
                    markersize=4,
                    label=what,
                )
            axes.set_title(f"{card['student']}\n{card['parameters']:,} weights")
            axes.set_xlabel(f"{named} read")
            if curve["pairs"].max() > WHOLE_MIXTURE:
                axes.axvline(WHOLE_MIXTURE / unit, color="#999999", linewidth=1)
            axes.set_ylim(-3, 103)
            axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
        panels[0].set_ylabel("accuracy on dev questions")
        handles, labels = panels[0].get_legend_handles_labels()
        asked = ", ".join(map(str, sorted({n for card in cards for n in _asked(card)})))
        figure.legend(
            handles,
            labels,
            loc="outside lower left",
            ncols=3,
            frameon=False,
            title=f"n: {asked} dev questions per point.{marked}",
            title_fontproperties={"size": 8.5},
            alignment="left",
        )
        frame_text(figure, title, "")
    return figure


def _asked(card: dict) -> set[int]:
    return {row["n"] for row in card["curve"]}
