"""What a notebook shows of results/: its own rows, and nothing where there is none."""

import pytest

from cotnb.plots import (
    accuracy_by_checkpoint,
    accuracy_by_condition,
    accuracy_by_number_of_steps,
    accuracy_by_size,
    error_kinds,
    verdict_board,
)
from cotnb.results import outcomes_frame, split_by_part
from cotnb.results.committed import (
    committed_claims,
    committed_records,
    committed_scores,
)
from cotnb.results.records import Score

OWN = "08_cot_vs_answer_only"


def test_a_notebook_sees_its_own_rows_alone():
    assert set(committed_scores("smol", OWN)["notebook"]) == {OWN}
    assert set(committed_claims("smol", OWN)["notebook"]) == {OWN}
    assert {record["notebook"] for record in committed_records("smol", OWN)} == {OWN}
    assert committed_scores("smol", "05_scale").empty
    assert committed_records("smol", "05_scale") == []


@pytest.mark.parametrize(
    "draw",
    [
        accuracy_by_checkpoint,
        accuracy_by_condition,
        accuracy_by_number_of_steps,
        accuracy_by_size,
        error_kinds,
    ],
)
def test_a_profile_without_results_says_so_and_is_drawn_as_such(draw, capsys):
    scores = committed_scores("none-yet", OWN)
    assert "results/none-yet/scores.csv: not there yet" in capsys.readouterr().out
    [axes] = draw(scores).axes
    assert axes.texts[0].get_text() == "No results yet."
    assert not axes.lines and not axes.patches


def test_no_verdicts_and_no_records_are_drawn_as_such():
    [axes] = verdict_board(committed_claims("none-yet", OWN)).axes
    assert axes.texts[0].get_text() == "No results yet."
    outcomes = outcomes_frame(committed_records("none-yet", OWN))
    assert split_by_part(outcomes, ["a", "b"]).empty


def test_a_part_that_no_question_is_of_has_no_score():
    fields = {"student": "s", "parameters": 1, "condition": "cot", "seed": 0, "step": 9}
    asked = {"task": "micro_bbh", "prompt_format": "zero_shot_cot", "questions": "q"}
    record = {"run": "r", "notebook": OWN, "commit": "c"}
    record["scores"] = [Score(**fields, **asked, outcomes="10")]
    parts = split_by_part(outcomes_frame([record]), ["a", "b", "c"])
    assert dict(zip(parts["task"], parts["accuracy"], strict=True)) == {"a": 1, "b": 0}
