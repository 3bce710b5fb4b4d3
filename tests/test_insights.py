"""Every insight has its figure, drawn in one way, and is told while it has none."""

import json
from dataclasses import replace

import nbformat
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from cotnb.errors import UserError
from cotnb.paths import project_folder
from cotnb.plots import STYLE
from cotnb.results import mean_extra, scores_frame
from cotnb.results.claims import load_claims
from cotnb.results.figures import (
    draw,
    draw_insight,
    drawn_insights,
    read_found,
    table_of,
    title_of,
)
from cotnb.results.insights import INSIGHTS, insights_of, mean_yields
from cotnb.results.records import Score

PROJECT = project_folder()
CLAIMS = load_claims(PROJECT / "notebooks" / "claims.yaml")
FOUND = read_found(PROJECT / "results", ["smol"])
EIGHT = "08_cot_vs_answer_only"


def _found(scores, notebook=EIGHT):
    frame = scores_frame(scores, notebook).assign(profile="mine")
    return FOUND.__class__(frame, FOUND.claims.iloc[:0], [], FOUND.papers)


def _score(student, condition, task="micro_world_multi_step", **changed):
    asked = "zero_shot_answer_only" if condition == "answer_only" else "zero_shot_cot"
    fields = {"parameters": 3_000_000, "seed": 0, "step": 9, "outcomes": "1100"}
    fields |= {"prompt_format": asked, "questions": "q"} | changed
    return Score(student=student, condition=condition, task=task, **fields)


def _named(name):
    [one] = [one for one in INSIGHTS if one.name == name]
    return one


def test_every_claimed_notebook_has_a_figure_and_every_title_a_claim():
    assert {claim.notebook for claim in CLAIMS} == {one.notebook for one in INSIGHTS}
    ids = {claim.id: claim.notebook for claim in CLAIMS}
    for one in INSIGHTS:
        assert one.title if not one.claim else ids[one.claim] == one.notebook
    names = [one.name for one in INSIGHTS]
    assert len(set(names)) == len(names)
    assert all(insights_of(one.notebook)[0].name == one.notebook for one in INSIGHTS)


def test_the_notebook_draws_every_figure():
    notebook = nbformat.read(PROJECT / "notebooks" / "90_figures.ipynb", as_version=4)
    source = "\n".join(c.source for c in notebook.cells if c.cell_type == "code")
    for one in INSIGHTS:
        assert f'draw_insight("{one.name}", found, claims)' in source


def test_what_is_not_there_is_said_in_a_line(capsys):
    assert draw_insight("05_scale", FOUND, CLAIMS) is None
    assert capsys.readouterr().out.startswith("05_scale: no results yet. The larger")
    drawn = drawn_insights(FOUND)
    assert EIGHT in [one.name for one in drawn]
    assert {one.notebook for one in drawn} == set(FOUND.scores["notebook"])
    with pytest.raises(UserError, match="no figure '5'"):
        draw_insight("5", FOUND, CLAIMS)


def test_nothing_at_all_is_no_error(tmp_path):
    nothing = read_found(tmp_path, ["smol"])
    assert nothing.scores.empty and nothing.claims.empty and nothing.papers is None
    assert drawn_insights(nothing) == []
    for one in INSIGHTS:
        [axes] = draw(one, nothing, CLAIMS).axes
        assert axes.texts[0].get_text() == "No results yet."


def test_a_title_is_the_claim_with_the_verdict_of_each_profile_that_is_drawn():
    told = FOUND.claims.assign(profile="tiny", verdict="contradicted")
    unseen = FOUND.claims.assign(profile="smol_gsm8k")  # not in the figure
    both = pd.concat([told, FOUND.claims, unseen])
    scores = [FOUND.scores.assign(profile=name) for name in ("tiny", "smol")]
    found = FOUND.__class__(pd.concat(scores), both, [], None)
    title = title_of(_named(EIGHT), found, CLAIMS).replace("\u00a0", " ")
    assert title == (
        "On the tuned task, tuning on rationales beats tuning on answers alone "
        "(tiny: contradicted; smol: reproduced)"
    )


def test_the_ladder_and_the_real_student_stand_side_by_side():
    scores = [
        _score("SmolLM2-135M", "cot", "svamp", parameters=135_000_000),
        _score("ladder-3M", "cot"),
        _score("ladder-3M", "answer_only"),
        _score("ladder-8M", "cot", parameters=8_000_000),
        _score("ladder-3M", "cot", "micro_world_3_step"),
    ]
    figure = draw(_named(EIGHT), _found(scores), CLAIMS)
    titles = [axes.get_title(loc="left").split("\n")[0] for axes in figure.axes]
    assert titles == ["ladder-3M", "SmolLM2-135M"]
    left, right = (len(axes.patches) for axes in figure.axes)
    assert (left, right) == (2, 1)


def test_a_real_student_s_data_sets_stand_apart():
    """Tuned on GSM8K and on SVAMP and asked SVAMP: two panels, not seeds of one."""
    real = {"parameters": 135_000_000}
    records = [
        {
            "notebook": EIGHT,
            "profile": profile,
            "parameters": {"train_task": task},
            "run": profile,
            "commit": "c",
            "scores": [_score("SmolLM2-135M", "cot", asked, **real) for asked in sets],
        }
        for profile, task, sets in (
            ("smol", "svamp", ["svamp"]),
            ("smol_gsm8k", "gsm8k", ["gsm8k", "svamp"]),
        )
    ]
    one = _named(f"{EIGHT}-by-data")
    alone, found = (replace(FOUND, records=own) for own in (records[:1], records))
    assert table_of(one, alone).empty
    titles = {axes.get_title(loc="left") for axes in draw(one, found, CLAIMS).axes}
    told = {title.replace("\n", " ") for title in titles}
    assert told == {"GSM8K (n = 4)", "SVAMP (n = 4)", "SVAMP, tuned on GSM8K (n = 4)"}


def test_a_folder_of_ones_own_may_have_any_name():
    """Of the published profiles one with a "_" is another data set of a student's."""
    one = _score("SmolLM2-135M", "cot", "svamp", parameters=135_000_000)
    found = _found([one])
    for profile, drawn in (("smol", 1), ("my_runs", 1), ("smol_gsm8k", 0)):
        own = replace(found, scores=found.scores.assign(profile=profile))
        assert len(table_of(_named(EIGHT), own)) == drawn, profile


def test_the_ladder_and_a_real_student_before_tuning_have_a_figure_each():
    scores = [
        _score("SmolLM2-135M", "before_tuning", "gsm8k", parameters=135_000_000),
        _score("ladder-3M", "before_tuning"),
        _score("ladder-8M", "before_tuning", parameters=8_000_000),
    ]
    found = _found(scores, "04_before_tuning")
    names = ("04_before_tuning", "04_before_tuning-real")
    ladder, real = (
        [axes.get_title(loc="left") for axes in draw(_named(n), found, CLAIMS).axes]
        for n in names
    )
    assert ladder == ["micro-world, 2 to 6 steps"]
    assert [title.split("\n")[0] for title in real] == ["GSM8K (n = 4)"]


def test_after_few_examples_every_step_and_the_answer_have_a_figure_each():
    """The sentences of tuning stand before the new ones."""
    ends = ("", "_ood", "_told", "_ood_told")
    scores = [
        _score("ladder-1M", f"adapted_{number}", f"micro_coin_flip{end}")
        for number in (16, 32)
        for end in ends
    ]
    found = _found([*scores, _score("ladder-1M", "one_task")], "12_two_stage")
    titles = {
        end: [
            axes.get_title(loc="left").replace("\n", " ")
            for axes in draw(_named(f"12_two_stage-few{end}"), found, CLAIMS).axes
        ]
        for end in ("", "-answers")
    }
    assert titles == {
        "": ["coin flip, every side right", "new sentences, every side right"],
        "-answers": ["coin flip", "new sentences"],
    }


def test_a_notebook_that_the_table_does_not_know_is_drawn_too():
    scores = [_score("toy", "cot"), _score("toy", "right_125")]
    found = _found(scores, "mine")
    assert [one.name for one in drawn_insights(found)] == ["mine", "mine-by-amount"]
    for one in drawn_insights(found):
        FigureCanvasAgg(draw(one, found, CLAIMS)).draw()


def test_errors_are_of_records_the_smallest_student_first():
    records = [
        {
            "notebook": "05_scale",
            "scores": [_score(student, "cot", parameters=size)],
            "extra": {"error_shares": {"right": share, "misread": 1 - share}},
        }
        for student, size, share in (
            ("ladder-8M", 8_000_000, 0.9),
            ("ladder-0.3M", 300_000, 0.1),
            ("ladder-0.3M", 300_000, 0.3),
        )
    ]
    found = FOUND.__class__(FOUND.scores, FOUND.claims, records, None)
    table = table_of(_named("05_scale-errors"), found)
    assert list(table.index) == ["ladder-0.3M", "ladder-8M"]
    assert table.loc["ladder-0.3M", "right"] == pytest.approx(0.2)
    assert json.dumps(table["misread"].round(3).to_list()) == "[0.8, 0.1]"


def test_yields_are_means_over_the_records_that_have_samples():
    """A real student's grid has no hint, and must not spoil the ladder's mean."""
    told = [{"hinted": {"right": share, "wrong_step": None}} for share in (0.2, 0.6)]
    extras = [*({"yields": one} for one in told), {"yields": {}}, {}]
    records = [{"scores": ["one"], "extra": extra} for extra in extras]
    table = mean_yields(records)
    assert list(table.index) == [STYLE["hinted"].label]
    assert table["right"].to_list() == pytest.approx([0.4])
    assert table["wrong_step"].isna().all()
    assert mean_yields(records[2:]).empty


def test_a_kind_that_a_seed_has_none_of_counts_as_none():
    kinds = [{"cot": {"right": 0.5}}, {"cot": {"right": 0.3, "misread": 0.4}}]
    records = [{"scores": ["one"], "extra": {"kinds": one}} for one in kinds]
    mean = mean_extra(records, "kinds").loc["cot"].to_dict()
    assert mean == pytest.approx({"right": 0.4, "misread": 0.2})
    left_out = mean_extra(records, "kinds", absent=None).loc["cot"].to_dict()
    assert left_out == pytest.approx({"right": 0.4, "misread": 0.4})
    assert mean_extra(records, "other").empty
