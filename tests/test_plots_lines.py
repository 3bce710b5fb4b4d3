"""Lines over size, steps and checkpoints; bars of errors; a pretraining's curve."""

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from cotnb.ladder.pretraining import ASKED
from cotnb.plots import (
    FLOW_KINDS,
    accuracy_by_amount,
    accuracy_by_checkpoint,
    accuracy_by_number_of_steps,
    accuracy_by_size,
    error_kinds,
    pretraining_curve,
    recipe_yields,
)
from cotnb.plots.style import ERROR_KINDS
from cotnb.results import outcomes_frame, split_by_part, tidy
from cotnb.results.records import Score

LETTERS = "abcdefghijk"
SIZES = {"small": 300_000, "large": 8_000_000}


def _record(scores):
    return [{"run": "r", "notebook": "05", "commit": "c", "scores": scores}]


def _score(student, right, task="math", condition="cot", seed=0, step=9):
    outcomes = "1" * right + "0" * (10 - right)
    asked = "zero_shot_cot"
    return Score(
        student, SIZES[student], condition, seed, task, asked, step, outcomes, "q"
    )


def _points(axes):
    """What each line of a panel shows: (x, y) by colour."""
    return {
        line.get_color(): list(zip(*line.get_data(), strict=True))
        for line in axes.lines
        if line.get_marker() not in ("None", None, "_", "|")
        and len(line.get_xdata()) > 0
        and line.get_linestyle() != "None"
    }


def _drawn(figure):
    FigureCanvasAgg(figure).draw()
    return figure


def test_accuracy_by_size_has_a_point_a_size_that_is_the_mean_over_seeds():
    scores = [
        _score(student, right + seed, seed=seed)
        for student, right in (("small", 2), ("large", 7))
        for seed in (0, 2)
    ]
    axes = _drawn(accuracy_by_size(tidy(_record(scores)))).axes[0]
    [points] = _points(axes).values()
    assert points == [(300_000, pytest.approx(30)), (8_000_000, pytest.approx(80))]
    ticks = [label.get_text() for label in axes.get_xticklabels()]
    assert ticks == ["0.3M", "8.0M"]
    assert axes.get_xscale() == "log"


def _papers(*rows):
    columns = ["student", "task", "condition", "value", "status"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(paper="ho2023", prompt_format="zero_shot_cot")


def test_papers_points_by_size_are_hollow_where_unverified():
    papers = _papers(
        ("t5 250M", "svamp", "cot", "14.2", "memory, unverified"),
        ("gpt3-6.7b", "svamp", "cot", "12.7", "found"),
        ("gpt3-6.7b", "math", "cot", "33.0", "found"),
        ("flan-t5-small", "svamp", "cot", "5.7", "found"),  # of no told size
        ("gpt3-6.7b", "svamp", "answer_only", "20.7", "found"),  # not asked of ours
    )
    frame = tidy(_record([_score(name, 5) for name in SIZES]))
    ours, theirs = _drawn(accuracy_by_size(frame, papers=papers)).axes
    assert theirs.get_title(loc="left") == "papers' students: SVAMP"
    diamonds = [line for line in theirs.lines if line.get_marker() == "D"]
    places = [
        (*(float(v[0]) for v in line.get_data()), line.get_markerfacecolor() == "white")
        for line in diamonds
    ]
    assert places == [(250e6, 14.2, True), (6.7e9, 12.7, False)]
    assert [t.get_text() for t in ours.texts] == ["a"]
    low, high = theirs.get_xlim()
    assert low < 250e6 and high > 6.7e9


def test_papers_points_of_one_size_stand_side_by_side():
    papers = _papers(
        ("t5 11B", "math", "cot", "22.0", "found"),
        ("t5 11B", "math", "cot", "18.4", "found"),  # another teacher
    )
    frame = tidy(_record([_score(name, 5) for name in SIZES]))
    axes = _drawn(accuracy_by_size(frame, papers=papers)).axes[0]
    places = [
        tuple(float(v[0]) for v in line.get_data())
        for line in axes.lines
        if line.get_marker() == "D"
    ]
    (lower, first), (upper, second) = places
    assert (first, second) == (18.4, 22.0)
    assert lower < 11e9 < upper and lower * upper == pytest.approx(11e9**2)


def test_several_students_have_panels_of_their_own():
    scores = [
        _score(name, 5, condition=f"diverse_{amount}")
        for name in ("large", "small")
        for amount in (1, 4)
    ]
    figure = accuracy_by_amount(tidy(_record(scores)), "rationales")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["small: math", "large: math"]


def test_only_other_tasks_are_nothing_to_draw_by_steps():
    [axes] = accuracy_by_number_of_steps(tidy(_record([_score("small", 1)]))).axes
    assert axes.texts[0].get_text() == "No results yet."


def test_accuracy_by_number_of_steps_reads_them_from_the_task():
    scores = [_score("small", 9 - k, f"micro_world_{k}_step") for k in (1, 2, 6)]
    scores.append(_score("small", 0, "micro_world_ood"))
    [axes] = _drawn(accuracy_by_number_of_steps(tidy(_record(scores)))).axes
    [points] = _points(axes).values()
    assert [x for x, _ in points] == [1, 2, 6]
    assert [y for _, y in points] == [pytest.approx(10 * (9 - k)) for k in (1, 2, 6)]


def test_accuracy_by_checkpoint_begins_before_tuning():
    scores = [_score("small", 1, condition="before_tuning", step=0)]
    for condition, gain in (("cot", 2), ("cot_lora", 1)):
        scores += [
            _score("small", 1 + gain * k, condition=condition, step=5 * k)
            for k in (1, 2)
        ]
    [axes] = _drawn(accuracy_by_checkpoint(tidy(_record(scores)))).axes
    lines = list(_points(axes).values())
    assert len(lines) == 2
    assert all(line[0] == (0, pytest.approx(10)) for line in lines)
    assert sorted(line[-1][1] for line in lines) == pytest.approx([30, 50])


def test_accuracy_by_amount_reads_it_from_the_condition():
    scores = [
        _score("small", right, condition=f"{name}_{amount}")
        for name, rights in (("diverse", (2, 5, 6)), ("fewer_questions", (2, 1, 0)))
        for amount, right in zip((1, 4, 16), rights, strict=True)
    ]
    scores.append(_score("small", 9, condition="before_tuning", step=0))
    frame = tidy(_record(scores))
    [axes] = _drawn(accuracy_by_amount(frame, "rationales per question")).axes
    lines = sorted(_points(axes).values())
    assert [[x for x, _ in line] for line in lines] == [[1, 4, 16]] * 2
    assert [line[-1][1] for line in lines] == pytest.approx([0, 60])
    ticks = [label.get_text() for label in axes.get_xticklabels()]
    assert ticks == ["1", "4", "16"]
    assert axes.get_ylabel() == "accuracy"
    [axes] = accuracy_by_amount(frame, "flows", share="flow followed").axes
    assert axes.get_ylabel() == "flow followed"


@pytest.mark.parametrize(("right", "reach"), [(5, 15), (15, 30), (30, 50), (50, 100)])
def test_an_axis_ends_early_where_all_is_near_the_floor(right, reach):
    outcomes = "1" * right + "0" * (100 - right)
    scores = [
        Score("small", 1, f"diverse_{n}", 0, "math", "zero_shot_cot", 9, outcomes, "q")
        for n in (1, 2)
    ]
    [axes] = accuracy_by_amount(tidy(_record(scores)), "rationales").axes
    assert axes.get_ylim()[1] == pytest.approx(1.03 * reach)


def test_many_panels_are_wrapped_and_empty_ones_hidden():
    scores = [_score("small", 5, f"task {x}", step=k) for x in LETTERS for k in (0, 9)]
    figure = _drawn(accuracy_by_checkpoint(tidy(_record(scores))))
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown) == 11 and len(figure.axes) == 12
    titles = [axes.get_title(loc="left") for axes in shown]
    assert titles == [f"task {x}" for x in LETTERS]


def test_the_parts_of_a_test_set_are_told_apart_by_turn():
    score = Score("small", 1, "cot", 0, "all", "zero_shot_cot", 1, "110100", "q")
    parts = split_by_part(outcomes_frame(_record([score])), ["a", "b", "c"])
    assert parts.set_index("task")["accuracy"].to_dict() == {
        "a": 1.0,
        "b": 0.5,
        "c": 0.0,
    }
    assert set(parts["n"]) == {2}


def test_bars_of_errors_add_up():
    shares = pd.DataFrame({"right": [0.5, 0.2], "misread": [0.5, 0.8]}, ["a", "b"])
    axes = _drawn(error_kinds(shares)).axes[0]
    ends = [bar.get_x() + bar.get_width() for bar in axes.patches]
    assert max(ends) == pytest.approx(100)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]


def test_bars_of_flows_have_kinds_of_their_own():
    rows = {"right": [0.5, 0.2], "tuned_flow": [0.5, 0.8], "order": [0.9, 0.9]}
    figure = _drawn(error_kinds(pd.DataFrame(rows, ["a", "b"]), kinds=FLOW_KINDS))
    ends = [bar.get_x() + bar.get_width() for bar in figure.axes[0].patches]
    assert max(ends) == pytest.approx(100)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [FLOW_KINDS[kind][0] for kind in ("right", "tuned_flow")]


@pytest.mark.parametrize("kinds", [ERROR_KINDS, FLOW_KINDS])
def test_a_legend_of_all_kinds_has_room(kinds):
    shares = pd.DataFrame({kind: [0.2] for kind in kinds}, ["a"])
    figure = _drawn(error_kinds(shares, kinds=kinds))
    extent = figure.legends[0].get_window_extent()
    assert figure.bbox.x0 <= extent.x0 and extent.x1 <= figure.bbox.x1


def test_bars_of_yields_add_up_and_tell_what_is_covered():
    told = {"questions": 10, "samples": 40, "tokens_written": 2000, "right": 0.5}
    table = pd.DataFrame(
        {
            "fu2023": told | {"covered": 0.8, "wrong_step": 0.2},
            "kim2023": told | {"covered": 0.5, "wrong_step": None},
        }
    ).T
    axes = _drawn(recipe_yields(table)).axes[0]
    widths = {
        bars.get_label(): [bar.get_width() for bar in bars] for bars in axes.containers
    }
    assert widths == {
        "right, every step holds": pytest.approx([40, 0]),
        "right, steps not checked": pytest.approx([0, 50]),
        "right, but a step is wrong": pytest.approx([10, 0]),
        "wrong answer: dropped": pytest.approx([50, 50]),
    }
    texts = [text.get_text() for text in axes.texts]
    assert "80% of questions,\n250 tokens\nwritten each" in texts


def test_a_pretrainings_curve_has_a_line_for_all_that_is_asked():
    curve = [
        {"step": k, "pairs": 256 * k, "what": what, "accuracy": 0.1 * k, "n": 10}
        for k in (1, 2)
        for what in ASKED
    ]
    card = {"student": "ladder-1M", "parameters": 10**6, "curve": curve}
    [axes] = _drawn(pretraining_curve([card])).axes
    assert len(axes.lines) == len(ASKED)
    assert axes.get_xlabel() == "thousand pairs read"
    assert list(axes.lines[0].get_ydata()) == pytest.approx([10, 20])


def test_a_pretrainings_curve_marks_where_the_whole_mixture_begins():
    asked = {"what": "looking up a letter", "accuracy": 0.5, "n": 10}
    curve = [asked | {"step": k, "pairs": 200_000 * k} for k in (1, 2)]
    card = {"student": "ladder-1M", "parameters": 10**6, "curve": curve}
    [axes] = _drawn(pretraining_curve([card])).axes
    [mark] = [line for line in axes.lines if line.get_label() != "looking up a letter"]
    assert list(mark.get_xdata()) == pytest.approx([0.262144] * 2)
