"""Figures show what the table says, and nothing of matplotlib's state changes."""

import re

import matplotlib
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from cotnb.errors import UserError
from cotnb.formats import PROMPT_FORMATS
from cotnb.paths import project_folder
from cotnb.plots import (
    FORMAT_LABELS,
    STYLE,
    accuracy_by_condition,
    learning_curve,
    verdict_board,
    verdicts_by_profile,
)
from cotnb.results import tidy
from cotnb.results.claims import COLUMNS as CLAIM_COLUMNS
from cotnb.results.claims import load_claims
from cotnb.results.records import Score

PAPERS = pd.DataFrame(
    {
        "paper": ["ho2023", "fu2023", "fu2023"],
        "student": ["small", "base", "base"],
        "task": ["svamp", "svamp", "gsm8k"],
        "condition": ["cot", "cot", "cot"],
        "prompt_format": ["zero_shot_cot"] * 3,
        "value": [5.7, 90.0, 1.0],
        "status": ["found", "memory, unverified", "found"],
    }
)


def _scores(condition="cot", student="toy"):
    scores = [
        Score(student, 1000, condition, seed, task, "zero_shot_cot", 1, outcomes, "q")
        for seed, outcomes in enumerate(["1" * 40 + "0" * 60, "1" * 50 + "0" * 50])
        for task in ("svamp", "multiarith")
    ]
    return tidy([{"run": "r", "notebook": "08", "commit": "c", "scores": scores}])


def _texts(figure):
    own = [figure.get_suptitle(), figure.get_supxlabel()]
    for axes in figure.axes:
        own += [text.get_text() for text in axes.texts]
        own += [axes.get_title(loc="left"), *_labels(axes)]
    return "\n".join(own)


def _labels(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def _inside(figure):
    """No text lies beyond the figure's edge."""
    FigureCanvasAgg(figure).draw()
    box = figure.bbox.padded(2)
    texts = [t for axes in figure.axes for t in axes.texts if t.get_text()]
    texts += [axes._left_title for axes in figure.axes]
    texts += [figure._suptitle, figure._supxlabel]
    extents = [text.get_window_extent() for text in texts if text is not None]
    return all(
        box.x0 <= e.x0 and e.x1 <= box.x1 and box.y0 <= e.y0 and e.y1 <= box.y1
        for e in extents
    )


def test_accuracy_shows_mean_n_and_seeds():
    figure = accuracy_by_condition(_scores(), title="A claim of many words " * 7)
    text = _texts(figure)
    assert len(figure.axes) == 2
    assert "45.0%" in text and "n = 100" in text and "2 seeds" in text
    assert "CoT tuning" in text and "A claim" in text
    assert [bar.get_width() for bar in figure.axes[0].patches] == [pytest.approx(45)]
    assert _inside(figure)


def test_panels_that_the_claim_is_not_about_have_plain_titles():
    def weights(judged):
        figure = accuracy_by_condition(_scores(), judged=judged)
        titles = [axes._left_title for axes in figure.axes]
        return [title.get_fontweight() for title in titles], _texts(figure)

    told, text = weights({"svamp"})
    assert told == ["normal", "bold"] and "Bold: what the claim is about" in text
    for everything in ((), {"svamp", "multiarith"}):
        told, text = weights(everything)
        assert told == ["bold", "bold"] and "Bold" not in text


def test_unverified_numbers_are_hollow_and_said_to_be():
    figure = accuracy_by_condition(_scores(), PAPERS)
    diamonds = {
        float(line.get_xdata()[0]): line.get_markerfacecolor()
        for axes in figure.axes
        for line in axes.lines
        if line.get_marker() == "D"
    }
    assert diamonds == {5.7: "black", 90.0: "white"}
    assert "b: fu2023, base (hollow: from memory, unverified)" in _texts(figure)
    [reach] = {axes.get_xlim()[1] for axes in figure.axes}  # one for all panels
    assert reach > 90


def test_students_stand_side_by_side_and_five_panels_in_two_lines():
    other = _scores(student="other").assign(parameters=10)
    figure = accuracy_by_condition(pd.concat([_scores(), other]))
    titles = [axes.get_title(loc="left").split("\n")[0] for axes in figure.axes]
    assert titles == ["other", "other", "toy", "toy"]
    assert len({axes.get_subplotspec().rowspan.start for axes in figure.axes}) == 1
    third = other.assign(task="gsm8k")
    figure = accuracy_by_condition(pd.concat([_scores(), other, third]))
    shown = [axes for axes in figure.axes if axes.get_visible()]
    lines = [axes.get_subplotspec().rowspan.start for axes in shown]
    assert lines == [0, 0, 0, 1, 1] and _inside(figure)


def test_five_tasks_of_one_student_stand_three_and_two_with_all_of_their_titles():
    coin = "micro_coin_flip"
    tasks = (coin, f"{coin}_ood", f"{coin}_told", f"{coin}_ood_told", "micro_bbh")
    one = _scores("math_mixed")
    one = one[one["task"] == "svamp"]
    figure = accuracy_by_condition(pd.concat(one.assign(task=task) for task in tasks))
    shown = [axes for axes in figure.axes if axes.get_visible()]
    lines = [axes.get_subplotspec().rowspan.start for axes in shown]
    assert lines == [0, 0, 0, 1, 1] and _inside(figure)


def test_frames_that_cannot_be_drawn_are_refused():
    with pytest.raises(UserError, match="strange"):
        accuracy_by_condition(_scores("strange"))


def _claims():
    rows = [
        ("positive", 0.12, 0.05, 0.2, "", 3, 300, "reproduced"),
        ("negative", 0.12, 0.05, 0.2, "step", 3, 300, "contradicted"),
        ("positive", None, None, None, "", 0, 0, "not run"),
    ]
    table = [
        (f"claim_{i}", "08", f"Statement {i}", "ho2023", *row, "")
        for i, row in enumerate(rows)
    ]
    return pd.DataFrame(table, columns=list(CLAIM_COLUMNS))


def test_the_board_keeps_every_claim_in_percentage_points():
    figure = verdict_board(_claims())
    text = _texts(figure)
    for word in ("reproduced", "contradicted", "not run", "Statement 2"):
        assert word in text
    assert "+12.0 [+5.0, +20.0]\n" in text and "seeds 3, n 300" in text
    assert "+12.0 [+5.0, +20.0] per step" in text
    assert _inside(figure)


def test_the_board_of_nothing_run_is_drawn():
    assert "not run" in _texts(verdict_board(_claims().iloc[[2]]))


def test_the_board_has_a_column_a_profile_and_a_row_a_claim():
    both = pd.concat(
        [_claims().assign(profile="tiny"), _claims().iloc[:1].assign(profile="smol")]
    )
    figure = verdicts_by_profile(both, "Board")
    tiny, smol = figure.axes
    assert [a.get_title(loc="left") for a in (tiny, smol)] == [
        "the ladder\nprofile tiny",
        "SmolLM2-135M\nprofile smol",
    ]
    told = [text.get_text() for text in tiny.texts]
    assert [t for t in told if "\n" not in t] == [
        "reproduced",
        "contradicted",
        "not run",
    ]
    assert "+12.0 [+5.0, +20.0]\nseeds 3, n 300" in told
    assert _labels(tiny) == ["08", "Statement 0", "Statement 1", "Statement 2"]
    assert len(smol.texts) == 2 and _inside(figure)


def test_further_profiles_of_a_student_stand_below_the_first():
    claims = _claims().iloc[:2]
    frame = pd.concat(
        [
            claims.iloc[:1].assign(profile="tiny"),
            claims.iloc[:1].assign(profile="smol"),
            claims.iloc[:1].assign(profile="smol_word_problems"),
            claims.iloc[1:].assign(profile="smol_dates"),
        ]
    )
    figure = verdicts_by_profile(frame, "Board")
    tiny, smol = figure.axes
    assert _labels(tiny) == ["08", "Statement 0", "word problems", "Statement 1\ndates"]
    assert (len(tiny.texts), len(smol.texts)) == (2, 6) and _inside(figure)


def test_a_verdict_is_told_by_the_mark_as_well():
    rows = _claims().iloc[[0, 1, 0]].assign(profile="tiny")
    rows["claim"], rows["verdict"] = (
        ["a", "b", "c"],
        [*rows["verdict"][:2], "inconclusive"],
    )
    [axes] = verdicts_by_profile(rows, "Board").axes
    marks = [x for x in axes.lines if x.get_marker() in ("o", "X")]
    looks = [(x.get_marker(), x.get_markerfacecolor() == "white") for x in marks]
    assert looks == [("o", False), ("X", False), ("o", True)]


def test_a_board_of_no_claims_says_so():
    [axes] = verdicts_by_profile(_claims().iloc[:0].assign(profile=""), "Board").axes
    assert axes.texts[0].get_text() == "No results yet."


def test_the_curve_leaves_out_rows_without_a_loss():
    history = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}, {"runtime": 3}]
    line = learning_curve(history).axes[0].lines[0]
    assert list(line.get_xdata()) == [1, 2] and list(line.get_ydata()) == [2, 1]


def test_matplotlib_is_left_as_it_was():
    before = dict(matplotlib.rcParams)
    accuracy_by_condition(_scores(), PAPERS)
    verdict_board(_claims())
    learning_curve([{"step": 1, "loss": 2.0}])
    assert dict(matplotlib.rcParams) == before


def test_styles_of_a_notebook_are_distinct_and_every_format_has_a_label():
    shown = {}
    for claim in load_claims(project_folder() / "notebooks" / "claims.yaml"):
        names = {re.sub(r"_\d+$", "", term.condition) for term in claim.terms}
        shown.setdefault(claim.notebook, {"before_tuning"}).update(names)
    assert len(shown) >= 9
    for names in shown.values():
        styles = [STYLE[name] for name in names]
        assert len({style.colour for style in styles}) == len(styles)
        assert len({style.marker for style in styles}) == len(styles)
    assert set(FORMAT_LABELS) == set(PROMPT_FORMATS)


def test_every_style_can_be_drawn_as_a_bar():
    frame = pd.concat([_scores(condition) for condition in STYLE])
    marks = [line.get_marker() for line in accuracy_by_condition(frame).axes[0].lines]
    assert {style.marker for style in STYLE.values()} <= set(marks)
