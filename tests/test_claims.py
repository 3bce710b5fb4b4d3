"""Verdicts: the rule each way, the pairing, and what is missing."""

import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from cotnb.errors import UserError
from cotnb.paths import project_folder
from cotnb.results import aggregate, outcomes_frame
from cotnb.results.claims import (
    NO_PAPER,
    decide_verdict,
    estimate_claims,
    evaluate_claims,
    in_points,
    load_claims,
)
from cotnb.results.records import Score

NOTEBOOK = "08"
CLAIM = {
    "id": "cot_beats_answer_only",
    "notebook": NOTEBOOK,
    "statement": "CoT tuning beats answer-only tuning.",
    "paper": "magister2022",
    "expected": "positive",
    "terms": [
        {"weight": 1, "condition": "cot", "prompt_format": "zero_shot_cot"},
        {"weight": -1, "condition": "answer_only", "prompt_format": "zero_shot_cot"},
    ],
    "profiles": {"smoke": {"task": "micro_world"}},
}


def _claims(tmp_path, *entries):
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump(list(entries)))
    return load_claims(path)


def _score(condition, seed, correct, n=100, **changed):
    fields = {
        "student": "toy",
        "parameters": 1000,
        "condition": condition,
        "seed": seed,
        "task": "micro_world",
        "prompt_format": "zero_shot_cot",
        "step": 10,
        "outcomes": "1" * correct + "0" * (n - correct),
        "questions": "same",
    }
    return Score(**(fields | changed))


def _frame(*scores):
    record = {"run": "r", "notebook": NOTEBOOK, "commit": "c", "scores": scores}
    return outcomes_frame([record])


def _verdict(tmp_path, frame, **changed):
    claims = _claims(tmp_path, CLAIM | changed)
    return evaluate_claims(frame, claims, "smoke").iloc[0]


@pytest.mark.parametrize(
    ("low", "high", "expected", "verdict"),
    [
        (0.01, 0.2, "positive", "reproduced"),
        (0.01, 0.2, "negative", "contradicted"),
        (-0.2, -0.01, "positive", "contradicted"),
        (-0.2, -0.01, "negative", "reproduced"),
        (-0.1, 0.1, "positive", "inconclusive"),
        (0.0, 0.1, "positive", "inconclusive"),
        (-0.1, 0.0, "negative", "inconclusive"),
    ],
)
def test_the_rule(low, high, expected, verdict):
    assert decide_verdict(low, high, expected) == verdict


@pytest.mark.parametrize(
    ("cot", "answer_only", "verdict"),
    [(60, 30, "reproduced"), (30, 60, "contradicted"), (41, 40, "inconclusive")],
)
def test_a_claim_is_judged_by_its_scores(tmp_path, cot, answer_only, verdict):
    scores = [
        _score(condition, seed, correct)
        for seed in range(3)
        for condition, correct in (("cot", cot), ("answer_only", answer_only))
    ]
    row = _verdict(tmp_path, _frame(*scores))
    assert row["verdict"] == verdict
    assert row["estimate"] == pytest.approx((cot - answer_only) / 100)
    assert (row["seeds"], row["n"], row["missing"]) == (3, 100, "")


def test_pairing_on_questions_narrows_the_interval(tmp_path):
    cot = _score("cot", 0, 0, outcomes="1" * 55 + "0" * 45)
    nested = _score("answer_only", 0, 0, outcomes="1" * 45 + "0" * 55)
    apart = _score("answer_only", 0, 0, outcomes="0" * 55 + "1" * 45)
    assert _verdict(tmp_path, _frame(cot, nested))["verdict"] == "reproduced"
    assert _verdict(tmp_path, _frame(cot, apart))["verdict"] == "inconclusive"


def test_different_questions_are_refused(tmp_path):
    frame = _frame(
        _score("cot", 0, 60), _score("answer_only", 0, 30, questions="other")
    )
    with pytest.raises(UserError, match=r"cot_beats_answer_only.*different questions"):
        _verdict(tmp_path, frame)


def test_seeds_that_not_all_terms_have_are_left_out_and_named(tmp_path):
    frame = _frame(
        _score("cot", 0, 60), _score("cot", 1, 60), _score("answer_only", 0, 30)
    )
    row = _verdict(tmp_path, frame)
    assert (row["seeds"], row["verdict"]) == (1, "reproduced")
    assert row["missing"] == "answer_only asked zero_shot_cot on micro_world, seed 1"


def test_a_claim_without_scores_is_not_run_and_says_why(tmp_path):
    row = _verdict(tmp_path, _frame(_score("cot", 0, 60)))
    assert row["verdict"] == "not run"
    assert "answer_only asked zero_shot_cot on micro_world" in row["missing"]
    assert np.isnan(row["estimate"]) and row["seeds"] == 0
    other = evaluate_claims(_frame(), _claims(tmp_path, CLAIM), "paper").iloc[0]
    assert other["verdict"] == "not run" and "profile paper" in other["missing"]


def test_a_term_may_be_of_another_task(tmp_path):
    frame = _frame(
        _score("cot", 0, 60),
        _score("cot", 0, 10, task="ood"),
        _score("answer_only", 0, 30),
    )
    terms = [CLAIM["terms"][0] | {"task": "ood"}, CLAIM["terms"][1]]
    row = _verdict(tmp_path, frame, terms=terms)
    assert row["estimate"] == pytest.approx(-0.2) and row["n"] == 200


def test_estimates_alone_are_those_of_the_verdicts(tmp_path):
    conditions = (("cot", 60), ("answer_only", 30))
    frame = _frame(
        *(_score(c, s, right + s) for s in range(3) for c, right in conditions)
    )
    claims = _claims(tmp_path, CLAIM, CLAIM | {"id": "no_scores", "notebook": "09"})
    whole = evaluate_claims(frame, claims, "smoke").set_index("claim")
    for claim, numbers in estimate_claims(frame, claims, "smoke").items():
        told = whole.loc[claim, ["estimate", "seeds", "n"]].tolist()
        assert numbers == pytest.approx(told, nan_ok=True)


def test_the_committed_tables_are_what_the_records_give(tmp_path):
    committed = project_folder() / "results" / "smol_dates"
    shutil.copytree(committed, tmp_path / "smol_dates")
    claims = project_folder() / "notebooks" / "claims.yaml"
    for name, path in aggregate(tmp_path, "smol_dates", claims).items():
        assert path.read_bytes() == (committed / f"{name}.csv").read_bytes()


def test_scores_of_another_notebook_are_not_taken(tmp_path):
    frame = _frame(_score("cot", 0, 60), _score("answer_only", 0, 30))
    row = _verdict(tmp_path, frame.assign(notebook="09"))
    assert row["verdict"] == "not run"


def test_the_last_step_counts_unless_a_term_names_one(tmp_path):
    frame = _frame(
        _score("cot", 0, 60),
        _score("cot", 0, 10, step=5),
        _score("answer_only", 0, 30),
    )
    assert _verdict(tmp_path, frame)["estimate"] == pytest.approx(0.3)
    terms = [CLAIM["terms"][0] | {"step": 5}, CLAIM["terms"][1]]
    row = _verdict(tmp_path, frame, terms=terms)
    assert row["estimate"] == pytest.approx(-0.2)


def _before_claim():
    before = {"condition": "before_tuning", "shared_over_seeds": True}
    return [CLAIM["terms"][0], CLAIM["terms"][1] | before]


def test_a_score_shared_over_seeds_serves_them_all(tmp_path):
    frame = _frame(
        _score("cot", 1, 60), _score("cot", 2, 70), _score("before_tuning", 0, 5)
    )
    row = _verdict(tmp_path, frame, terms=_before_claim())
    assert (row["seeds"], row["missing"]) == (2, "")
    assert row["estimate"] == pytest.approx(0.6)


def test_equal_shared_scores_count_as_one_seed(tmp_path):
    scores = [_score("before_tuning", seed, 5) for seed in range(3)]
    term = _before_claim()[1]
    row = _verdict(tmp_path, _frame(*scores), terms=[term])
    assert row["seeds"] == 1


def test_each_seed_may_have_questions_of_its_own(tmp_path):
    frame = _frame(
        *(
            _score(condition, seed, correct, questions=f"seed {seed}")
            for seed in range(2)
            for condition, correct in (("cot", 60), ("answer_only", 30))
        )
    )
    row = _verdict(tmp_path, frame)
    assert (row["n"], row["seeds"], row["verdict"]) == (200, 2, "reproduced")


def test_several_students_need_a_name(tmp_path):
    frame = _frame(
        _score("cot", 0, 60),
        _score("cot", 0, 60, student="other"),
        _score("answer_only", 0, 30),
    )
    with pytest.raises(UserError, match="student: name one of other, toy"):
        _verdict(tmp_path, frame)
    profiles = {"smoke": {"task": "micro_world", "student": "toy"}}
    assert _verdict(tmp_path, frame, profiles=profiles)["verdict"] == "reproduced"


def test_another_claim_leaves_an_interval_as_it_was(tmp_path):
    frame = _frame(_score("cot", 0, 60), _score("answer_only", 0, 30))
    alone = evaluate_claims(frame, _claims(tmp_path, CLAIM), "smoke")
    claims = _claims(tmp_path, CLAIM | {"id": "other"}, CLAIM)
    beside = evaluate_claims(frame, claims, "smoke").iloc[[1]]
    pd.testing.assert_frame_equal(alone, beside.reset_index(drop=True))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"expected": "upwards"}, "expected"),
        ({"colour": "red"}, "colour"),
        ({"terms": []}, "terms"),
        ({"terms": [{"weight": 1, "condition": "cot"}]}, "terms.0.prompt_format"),
        ({"terms": [CLAIM["terms"][0] | {"weight": "one"}]}, "terms.0.weight"),
        ({"profiles": {"smoke": {"tusk": "svamp"}}}, "profiles.smoke.tusk"),
    ],
)
def test_a_wrong_field_is_named_with_its_claim(tmp_path, changed, field):
    with pytest.raises(UserError, match=f"claim cot_beats_answer_only: {field}"):
        _claims(tmp_path, CLAIM | changed)


def test_a_missing_field_and_a_second_id_are_named(tmp_path):
    short = {key: value for key, value in CLAIM.items() if key != "paper"}
    with pytest.raises(UserError, match="claim cot_beats_answer_only: paper"):
        _claims(tmp_path, short)
    with pytest.raises(UserError, match="comes twice"):
        _claims(tmp_path, CLAIM, CLAIM)


def test_the_committed_claims_name_papers_that_are_listed():
    claims = load_claims(project_folder() / "notebooks" / "claims.yaml")
    papers = pd.read_csv(project_folder() / "results" / "papers.csv")
    assert {claim.paper for claim in claims} <= {*papers["paper"], NO_PAPER}


@pytest.mark.parametrize(
    ("interval", "told"),
    [
        ((0.1, 0.05, 0.15), "+10.0 [+5.0, +15.0]"),
        ((0.0, 0.0, 0.0), "+0.0, alike on every question"),
        ((1.0, 1.0, 1.0), "+100.0 [+100.0, +100.0]"),
        ((-0.0, -0.0003, 0.002), "+0.0 [-0.0, +0.2]"),
    ],
)
def test_a_contrast_in_points(interval, told):
    row = dict(zip(("estimate", "ci_low", "ci_high"), interval, strict=True))
    assert in_points(SimpleNamespace(**row, per="")) == told
