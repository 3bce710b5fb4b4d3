"""How every figure looks: the one table of colours and markers, and its frame."""

from collections.abc import Mapping
from io import BytesIO
from textwrap import fill
from typing import NamedTuple

import pandas as pd
import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cotnb.errors import UserError


class Style(NamedTuple):
    """How a condition looks in every figure."""

    label: str
    colour: str
    marker: str
    hatch: str


# Okabe and Ito's colour-blind safe palette first, then Tol's muted one; the hues differ
# in luminance as well. What stands in one notebook's figures is never alike.
STYLE = {
    "before_tuning": Style("before tuning", "#BBBBBB", "s", ""),
    "answer_only": Style("answer-only tuning", "#E69F00", "^", "////"),
    "cot": Style("CoT tuning", "#0072B2", "o", ""),
    "few_shot_cot": Style("few-shot-CoT tuning", "#009E73", "D", "\\\\"),
    "few_shot_any_flow": Style("few-shot CoT, any flows", "#CC79A7", "X", "//"),
    "mixture": Style("four formats mixed", "#CC79A7", "P", "xx"),
    "cot_instruction": Style("CoT tuning, instructed", "#56B4E9", "v", ".."),
    "cot_replay": Style("CoT tuning, 10% general data", "#D55E00", "X", "--"),
    "cot_lora": Style("CoT tuning, LoRA", "#222222", "*", "||"),
    # with an amount after it, as in "diverse_16"
    "diverse": Style("all questions, so many rationales each", "#332288", "H", "oo"),
    "fewer_questions": Style(
        "fewer questions, so many rationales each", "#999933", "<", "OO"
    ),
    "detail": Style("one teacher, so detailed", "#CC6677", "v", "xx"),
    "right": Style("right rationales alone", "#117733", ">", "++"),
    "with_wrong": Style("with wrong ones among them", "#882255", "p", "**"),
    "unfiltered": Style("unfiltered rationales", "#CC6677", "X", "///"),
    "answer_filtered": Style("right answers alone", "#DDCC77", "d", "\\\\\\"),
    "step_verified": Style("right steps alone", "#44AA99", "8", "..."),
    "template_split": Style("some templates held out of tuning", "#88CCEE", "h", "---"),
    "random_split": Style("all templates in tuning", "#AA4499", "H", "xxx"),
    "unhinted": Style("teacher not told the answer", "#6699CC", "*", "++"),
    "hinted": Style("teacher told the answer", "#661100", "P", "|||"),
    "samples": Style("teacher's samples", "#44AA99", "h", "//"),
    "distribution": Style("teacher's distribution", "#882255", "d", ""),
    "samples_other": Style("samples, other tokenizer", "#DDCC77", "8", "\\\\"),
    "distribution_other": Style("distribution, other tokenizer", "#661100", "p", ".."),
    "renormalised_other": Style("renormalised, other tokenizer", "#6699CC", "P", "||"),
    "one_task": Style("this task alone", "#E69F00", "^", "////"),
    "two_stages": Style("other tasks, then this one", "#0072B2", "o", ""),
    "answers_first": Style("others' answers, then this task", "#AA4499", "*", "oo"),
    "reverse_order": Style("this task, then the others", "#CC79A7", "v", "xx"),
    "math_mixed": Style("math mixed into this task", "#009E73", "D", "\\\\"),
    "first_stage": Style("the other tasks alone", "#56B4E9", "P", ".."),
    "answers_stage": Style("the other tasks' answers alone", "#DDCC77", "d", "OO"),
    "adapted": Style("other tasks, then examples", "#332288", "h", "--"),
    "few_alone": Style("examples alone, as often", "#D55E00", "X", "++"),
    "few_longer": Style("examples alone, for longer", "#117733", "p", "||"),
    "flows": Style("few-shot-CoT tuning on so many flows", "#009E73", "D", "\\\\"),
}
FORMAT_LABELS = {
    "few_shot_cot": "few-shot CoT",
    "zero_shot_cot": "zero-shot CoT",
    "few_shot_answer_only": "few-shot answer-only",
    "zero_shot_answer_only": "zero-shot answer-only",
}
# of an asking where a figure has one condition, so that colours can tell askings apart
FORMAT_COLOURS = {
    "few_shot_cot": "#009E73",
    "zero_shot_cot": "#0072B2",
    "few_shot_answer_only": "#CC79A7",
    "zero_shot_answer_only": "#E69F00",
}
TASK_LABELS = {
    "gsm8k": "GSM8K",
    "gsm_symbolic": "GSM-Symbolic",
    "gsm_symbolic_same_templates": "GSM-Symbolic, templates of training",
    "svamp": "SVAMP",
    "multiarith": "MultiArith",
    "micro_world": "micro-world",
    "micro_bbh": "micro-BBH",
    "micro_world_multi_step": "micro-world, 2 to 6 steps",
    "micro_world_multi_step_ood": "2 to 6 steps, new templates",
    "teachers_rationales": "the teacher's own rationales",
    "micro_world_1_step": "micro-world, 1 step",
    "micro_world_ood": "micro-world, unseen templates",
    "micro_coin_flip": "coin flip",
    "micro_coin_flip_ood": "new sentences",
    "micro_coin_flip_told": "coin flip, every side right",
    "micro_coin_flip_ood_told": "new sentences, every side right",
    "ho_coin_flip": "coin flip",
    "ho_tracking_shuffled_objects": "shuffled objects",
    "ho_last_letter_concatenation": "last letters",
    "ho_date_understanding": "dates, random split",
    "ho_date_understanding_by_template": "dates, split by template",
    "ho_multiarith": "MultiArith, random split",
    "ho_multiarith_by_template": "MultiArith, split by template",
    "bbh": "BBH",
    "micro_triage": "new flows",
    "micro_triage_same_flows": "flows of tuning",
    "micro_triage_ood": "new wording too",
    "micro_triage_followed": "new flows",
    "micro_triage_same_flows_followed": "flows of tuning",
    "micro_triage_ood_followed": "new wording too",
    "micro_triage_six": "new flows",
    "micro_triage_six_same_flows": "flows of tuning",
    "micro_triage_six_ood": "new wording too",
    "micro_triage_six_followed": "new flows",
    "micro_triage_six_same_flows_followed": "flows of tuning",
    "micro_triage_six_ood_followed": "new wording too",
}
# a label, a colour and a hatch for what `cotnb.tasks.verifier` finds; Wei et al. 2022
# have others as well
ERROR_KINDS = {
    "right": ("every step right", "#0072B2", ""),
    "wrong_calculation": ("wrong calculation", "#E69F00", ""),
    "missing_step": ("a step missing", "#56B4E9", "//"),
    "misread": ("misread", "#CC79A7", "\\\\"),
    "no_equations": ("no equations", "#BBBBBB", ""),
    "other": ("other kinds", "#DDCC77", ".."),
}
# a label, a colour and a hatch for what `cotnb.tasks.flows` finds
FLOW_KINDS = {
    "right": ("the case's flow, every fact right", "#0072B2", ""),
    "wrong_fact": ("the case's flow, a fact wrong", "#56B4E9", "//"),
    "tuned_flow": ("another flow, of tuning", "#E69F00", ""),
    "other_order": ("another order, never tuned on", "#CC79A7", "\\\\"),
    "incomplete": ("a step missing or twice", "#BBBBBB", ""),
}
VERDICT_COLOURS = {
    "reproduced": "#0072B2",
    "contradicted": "#D55E00",
    "inconclusive": "#666666",
    "not run": "#666666",
}
WIDTH = 9.0  # inches; at 100 dpi a figure is 900 pixels wide
READING = {
    "figure.dpi": 100,
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "hatch.color": "white",
    "hatch.linewidth": 1.2,
}


class Drawing(Figure):
    """A Figure that a notebook shows, whatever backend matplotlib has there."""

    def _repr_png_(self) -> bytes:
        return as_png(self)


def as_png(figure: Figure, metadata: Mapping[str, str] | None = None) -> bytes:
    """A figure as a PNG file's content, a third the size of what matplotlib writes.

    In 256 colours, which a figure of flat ones has no need to go beyond. metadata: the
    file's text chunks; nothing in it names a version of matplotlib.
    """
    drawn, png, texts = BytesIO(), BytesIO(), PngInfo()
    figure.savefig(drawn, format="png")
    for key, text in (metadata or {}).items():
        texts.add_text(key, text)
    with Image.open(drawn) as picture:
        flat = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    flat.save(png, "PNG", optimize=True, pnginfo=texts, dpi=(figure.dpi, figure.dpi))
    return png.getvalue()


def look():
    """The settings that a figure is drawn under."""
    return rc_context(sns.axes_style("whitegrid") | READING)


def task_place(task: str) -> int:
    """Where a task stands among others: as `TASK_LABELS` has them, others last."""
    names = list(TASK_LABELS)
    return names.index(task) if task in TASK_LABELS else len(names)


def nothing_yet(title: str) -> Figure:
    """What is drawn of an empty table."""
    with look():
        figure = Drawing(figsize=(WIDTH, 1.2), layout="constrained")
        axes = figure.subplots()
        axes.set_axis_off()
        axes.text(0, 0.5, "No results yet.")
        frame_text(figure, title, "")
    return figure


def frame_text(figure: Figure, title: str, caption: str) -> None:
    """The claim as title, and below the figure what its marks mean."""
    wrapped = fill(title, 84, break_on_hyphens=False)
    figure.suptitle(wrapped, x=0.01, ha="left", fontsize=12, fontweight="bold")
    if caption:
        figure.supxlabel(caption, x=0.01, ha="left", fontsize=8.5, color="#444444")


def write_share(axes: Axes, share: float, right_of: float, y: float) -> None:
    """A share from 0 to 1 in per cent, beside its whisker's right end."""
    axes.annotate(
        f"{100 * share:.1f}%",
        (100 * right_of, y),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
    )


def task_label(task: str) -> str:
    """What a panel calls a task; one of micro-BBH by its own name."""
    own = task.removeprefix("micro_bbh_").replace("_", " ")
    return TASK_LABELS.get(task, own)


def span(numbers: pd.Series) -> str:
    """ "300", or "180 to 300"."""
    low, high = numbers.min(), numbers.max()
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def checked_conditions(conditions: pd.Series) -> None:
    """Raises UserError for a condition that has no row in STYLE."""
    if unknown := set(conditions) - set(STYLE):
        raise UserError(
            f"condition {sorted(unknown)}: add a row to STYLE in cotnb/plots/style.py"
        )
