"""Records are whole or not there; tables made of them are the same every time."""

import errno
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cotnb.errors import UserError
from cotnb.paths import project_folder
from cotnb.results import aggregate, pool_seeds, tidy
from cotnb.results.completeness import missing_pairs
from cotnb.results.records import Score, read_records, write_record
from cotnb.results.report import is_current, update_readme
from cotnb.results.tables import COLUMNS
from cotnb.statistics import wilson_interval

CLAIMS = project_folder() / "notebooks" / "claims.yaml"


def _score(condition="cot", seed=0, outcomes="0110", **changed):
    fields = {
        "student": "toy",
        "parameters": 1000,
        "condition": condition,
        "seed": seed,
        "task": "micro_world",
        "prompt_format": "zero_shot_cot",
        "step": 10,
        "outcomes": outcomes,
        "questions": "abc",
    }
    return Score(**(fields | changed))


def _write(results, run, scores, profile="smoke"):
    return write_record(
        Path(results) / profile / "records" / f"{run}.json",
        run=run,
        notebook="08_cot_vs_answer_only",
        profile=profile,
        parameters={"epochs": 3},
        seed=0,
        scores=scores,
        started=time.time() - 5,
    )


def _change(path, **changed):
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def test_a_score_counts():
    score = _score(outcomes="01101")
    assert (score.n, score.correct, score.accuracy) == (5, 3, 0.6)
    assert score.interval == wilson_interval(3, 5)


@pytest.mark.parametrize("outcomes", ["", "012", "0 1"])
def test_a_score_refuses_other_outcomes(outcomes):
    with pytest.raises(ValueError, match="outcomes"):
        _score(outcomes=outcomes)


def test_a_record_comes_back_as_it_was(tmp_path):
    path = _write(tmp_path, "a", [_score(), _score(seed=1)])
    record = read_records(tmp_path / "smoke")[0]
    assert record["scores"] == [_score(), _score(seed=1)]
    assert record["parameters"] == {"epochs": 3}
    assert 5 <= record["wall_seconds"] < 60
    assert set(record["versions"]) >= {"python", "torch", "cotnb"}
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]


@pytest.mark.parametrize("failing", ["replace", "fsync"])
def test_a_full_disk_leaves_the_old_record(tmp_path, monkeypatch, failing):
    path = _write(tmp_path, "a", [_score()])
    before = path.read_bytes()

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(UserError, match="No space left on device") as caught:
        _write(tmp_path, "a", [_score(outcomes="1111")])
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"seed": "zero"}, "seed"),
        ({"scores": [{"student": "toy"}]}, r"scores\.0\.parameters"),
        ({"finished": "yesterday"}, "finished"),
        ({"schema": 2}, "schema"),
        ({"colour": "red"}, "colour"),
        ({"run": "b"}, "run"),
    ],
)
def test_a_malformed_record_is_named_with_its_field(tmp_path, changed, field):
    _change(_write(tmp_path, "a", [_score()]), **changed)
    with pytest.raises(UserError, match=rf"a\.json: {field}: "):
        read_records(tmp_path / "smoke")


def test_half_a_file_is_named(tmp_path):
    path = _write(tmp_path, "a", [_score()])
    path.write_text(path.read_text()[:200])
    with pytest.raises(UserError, match=r"a\.json"):
        read_records(tmp_path / "smoke")


def test_a_missing_folder_is_the_users_mistake(tmp_path):
    with pytest.raises(UserError, match="records"):
        read_records(tmp_path / "smoke")


def test_the_newest_of_two_records_counts_score_by_score(tmp_path, caplog):
    old = _write(tmp_path, "z", [_score(outcomes="0000"), _score(seed=1)])
    _write(tmp_path, "a", [_score(outcomes="1111")])
    _change(old, finished="2020-01-01T00:00:00.000+00:00")
    frame = tidy(read_records(tmp_path / "smoke"))
    assert list(frame["run"]) == ["a", "z"]
    assert list(frame["seed"]) == [0, 1]
    assert frame["accuracy"][0] == 1
    assert "a.json replaces z.json" in caplog.text


def test_one_record_with_a_score_twice_is_refused(tmp_path):
    _write(tmp_path, "a", [_score(), _score(outcomes="1111")])
    with pytest.raises(UserError, match="twice"):
        read_records(tmp_path / "smoke")


def test_completeness_names_what_is_missing(tmp_path):
    _write(tmp_path, "a", [_score(), _score("answer_only", 1)])
    frame = tidy(read_records(tmp_path / "smoke"))
    assert list(frame) == list(COLUMNS)
    missing = missing_pairs(frame, ["cot", "answer_only"], [0, 1])
    assert missing == [("cot", 1), ("answer_only", 0)]


def test_pooling_takes_the_last_step_and_counts_seeds(tmp_path):
    scores = [_score(seed=s, outcomes="0" * 50 + "1" * 50) for s in range(3)]
    scores += [_score(seed=s, step=5, outcomes="0" * 100) for s in range(3)]
    _write(tmp_path, "a", scores)
    pooled = pool_seeds(tidy(read_records(tmp_path / "smoke")))
    row = pooled.iloc[0]
    assert len(pooled) == 1
    assert (row["step"], row["n"], row["seeds"], row["accuracy"]) == (10, 100, 3, 0.5)
    assert 0.38 < row["ci_low"] < 0.42 and 0.58 < row["ci_high"] < 0.62


def test_the_same_records_give_the_same_bytes(tmp_path):
    for seed in range(3):
        _write(tmp_path, f"r{seed}", _contrast(seed))
    first = {
        name: path.read_bytes()
        for name, path in aggregate(tmp_path, "smoke", CLAIMS).items()
    }
    again = aggregate(tmp_path, "smoke", CLAIMS)
    assert {name: path.read_bytes() for name, path in again.items()} == first
    assert b"reproduced" in first["claims"] and b"not run" in first["claims"]


def _contrast(seed):
    answer_only = {"prompt_format": "zero_shot_answer_only"}
    return [
        _score("cot", seed, "1" * 80 + "0" * 20),
        _score("answer_only", seed, "1" * 30 + "0" * 70, **answer_only),
    ]


@pytest.mark.alone
def test_5000_records_are_aggregated_in_seconds(tmp_path):
    template = json.loads(_write(tmp_path, "r0", _contrast(0)).read_text())
    folder = tmp_path / "smoke" / "records"
    for number in range(5000):
        scores = [score | {"seed": number} for score in template["scores"]]
        record = template | {"run": f"r{number}", "seed": number, "scores": scores}
        (folder / f"r{number}.json").write_text(json.dumps(record))
    started = time.perf_counter()
    table = aggregate(tmp_path, "smoke", CLAIMS)["scores"]
    assert time.perf_counter() - started < 10
    assert len(table.read_text().splitlines()) == 10_001


def test_the_readme_follows_the_results(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- results:begin -->\n<!-- results:end -->\nb\n")
    results = tmp_path / "results"
    assert is_current(readme, results)
    settings = {"task": "svamp", "student": "SmolLM2-135M"}
    scores = [replace(score, **settings) for score in _contrast(0)]
    _write(results, "a", scores, "smol")
    aggregate(results, "smol", CLAIMS)
    assert not is_current(readme, results)
    update_readme(readme, results)
    text = readme.read_text()
    assert is_current(readme, results)
    assert text.startswith("a\n") and text.endswith("\nb\n")
    assert (
        "Profile `smol`" in text
        and "results/smol/scores.csv" in text
        and "+50.0" in text
    )
    update_readme(readme, results)
    assert readme.read_text() == text


def test_a_readme_without_marks_is_named(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("no marks")
    with pytest.raises(UserError, match=r"results:begin"):
        update_readme(readme, tmp_path)
