"""The papers' own numbers beside ours: a diamond each, hollow where unverified."""

from collections.abc import Collection
from string import ascii_lowercase

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

SIZE = r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[mb])$"  # as in "flan-t5-xl 3B"
UNITS = {"m": 1e6, "b": 1e9}
LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue


def lettered(
    papers: pd.DataFrame | None,
    tasks: Collection[str] | None,
    askings: Collection[tuple[str, str]],
    by_student: bool = True,
) -> pd.DataFrame | None:
    """The rows of results/papers.csv that a figure has a place for, each with a letter.

    tasks: those of the figure; None: whichever the papers have. askings: (condition,
    prompt format). by_student: a letter a paper's student, else a letter a paper. Adds
    name, letter and unverified; None where there are no such rows.
    """
    if papers is None:
        return None
    places = pd.MultiIndex.from_frame(papers[["condition", "prompt_format"]])
    shown = papers[papers["task"].notna() & places.isin(list(askings))]
    shown = shown if tasks is None else shown[shown["task"].isin(tasks)]
    if shown.empty:
        return None
    names = shown["paper"] + (", " + shown["student"] if by_student else "")
    letters = dict(zip(names.unique(), ascii_lowercase, strict=False))
    return shown.assign(
        name=names,
        letter=names.map(letters),
        value=shown["value"].astype(float),
        unverified=shown["status"].str.contains("unverified"),
    )


def with_sizes(papers: pd.DataFrame | None) -> pd.DataFrame | None:
    """Rows whose student's name ends in its size, with the weights as parameters."""
    if papers is None:
        return None
    found = papers["student"].str.lower().str.extract(SIZE)
    weights = found["number"].astype(float) * found["unit"].map(UNITS)
    return papers.assign(parameters=weights)[weights.notna()]


def draw_diamond(
    axes: Axes, x: float, y: float, number, colour: str = "black", size: float = 10
) -> None:
    """One of the papers' numbers, a row of `lettered`, with its letter in it."""
    light = sum(c * w for c, w in zip(to_rgb(colour), LUMINANCE, strict=True)) > 0.5
    if number.unverified and light:  # a rim, as its edge alone is weak
        axes.plot(
            x, y, "D", color="black", markersize=size + 2, zorder=5, clip_on=False
        )
    axes.plot(
        x,
        y,
        "D",
        color="white" if number.unverified else colour,
        markeredgecolor=colour if number.unverified else "black",
        markeredgewidth=1.6 if number.unverified else 0.8,
        markersize=size,
        zorder=5,
        clip_on=False,
    )
    axes.text(
        x,
        y,
        number.letter,
        color="black" if number.unverified or light else "white",
        fontsize=0.8 * size,
        ha="center",
        va="center_baseline",
        zorder=6,
    )


def papers_caption(letters: pd.DataFrame | None) -> str:
    """What the diamonds are; empty where there are none."""
    if letters is None:
        return ""
    named = []
    for letter, own in letters.groupby("letter"):
        told = f"{letter}: {own['name'].iloc[0]}"
        if own["unverified"].all():
            told += " (hollow: from memory, unverified)"
        elif own["unverified"].any():
            told += " (where hollow: from memory, unverified)"
        named.append(told)
    return f"Diamonds, the papers' own students: {'; '.join(named)}"
