"""What is missing of a grid is named, and so is what is malformed or out of date."""

import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest

from cotnb.grid.profiles import load_profile, published_profiles
from cotnb.ladder.cards import read_cards
from cotnb.paths import project_folder
from cotnb.results import aggregate
from cotnb.results.claims import load_claims
from cotnb.results.committed import committed_records
from cotnb.results.completeness import check_profile, strangers
from cotnb.results.figures import read_found

NOTEBOOKS = project_folder() / "notebooks"
CLAIMS = NOTEBOOKS / "claims.yaml"
OWN = "08_cot_vs_answer_only"


@pytest.fixture
def results(tmp_path):
    """A copy of the committed results of smol; one notebook is looked at."""
    committed = project_folder() / "results" / "smol"
    copied = tmp_path / "results"
    shutil.copytree(committed, copied / "smol")
    for path in (copied / "smol" / "records").iterdir():
        if not path.name.startswith(OWN):
            path.unlink()
    aggregate(copied, "smol", CLAIMS)
    return copied


def _plan():
    """The profile smol with one notebook alone, whose runs are all there."""
    plan = load_profile("smol")
    return plan.model_copy(update={"notebooks": {OWN: plan.notebooks[OWN]}})


def _check(results, name="smol", plan=None):
    plan = plan or _plan()
    return check_profile(results, name, plan, NOTEBOOKS, load_claims(CLAIMS))


def _record(results, seed):
    [path] = (results / "smol" / "records").glob(f"*-s{seed}-*.json")
    return path


def _change(path, change):
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def test_the_committed_results_have_no_fault():
    for name, plan in published_profiles().items():
        assert not _check(project_folder() / "results", name, plan).faults


def test_a_complete_profile_lacks_nothing(results):
    check = _check(results)
    assert check.complete
    assert check.lines() == ["smol: 3 of 3 runs are there"]


def test_a_missing_run_lacks_all_its_conditions(results):
    _record(results, 1).unlink()
    check = _check(results)
    assert (check.runs, check.done) == (3, 2)
    pairs = set(zip(check.missing["condition"], check.missing["seed"], strict=True))
    assert pairs == {("cot", 1), ("answer_only", 1), ("before_tuning", 1)}
    assert f"{OWN}: no record" in check.lines()[-1] and "seed 1" in check.lines()[-1]


def test_a_missing_pair_is_named(results):
    def drop(record):
        scores = record["scores"]
        record["scores"] = [s for s in scores if s["condition"] != "answer_only"]

    _change(_record(results, 2), drop)
    check = _check(results)
    assert check.done == 3
    assert check.missing.to_dict("records") == [
        {
            "notebook": OWN,
            "setting": "",
            "condition": "answer_only",
            "seed": 2,
            "run": False,
        }
    ]
    assert check.lines()[-1] == f"  {OWN}: no scores of answer_only, seed 2"


def test_a_malformed_record_is_named_with_its_field_and_counts_as_missing(results):
    path = _record(results, 0)
    _change(path, lambda record: record["scores"][0].update(seed="zero"))
    check = _check(results)
    [fault] = check.faults
    assert fault.startswith(f"results/smol/records/{path.name}: scores.0.seed: ")
    assert check.done == 2 and set(check.missing["seed"]) == {0}


def test_a_record_that_has_a_score_twice_is_named(results):
    path = _record(results, 0)
    _change(path, lambda record: record["scores"].append(record["scores"][0]))
    [fault] = _check(results).faults
    assert path.name in fault and "twice" in fault


def test_a_record_of_other_settings_is_of_no_run(results):
    path = _record(results, 0)
    _change(path, lambda record: record["parameters"].update(epochs=1.0))
    check = _check(results)
    [fault] = check.faults
    assert path.name in fault and "of no run" in fault
    assert check.done == 2


def test_a_trial_with_other_settings_is_kept_out_of_the_tables(results):
    def found():
        return strangers(results, "smol")

    path, count = _record(results, 0), len(list((results / "smol/records").iterdir()))
    assert found() == []
    _change(path, lambda record: record.update(seed=9))  # one seed more
    assert found() == []
    _change(path, lambda record: record["parameters"].update(epochs=1.0))
    assert found() == [path.stem]
    scores = pd.read_csv(aggregate(results, "smol", CLAIMS, found())["scores"])
    assert path.stem not in set(scores["run"]) and scores["run"].nunique() == count - 1
    for other in (results / "smol/records").iterdir():
        _change(other, lambda record: record["parameters"].update(epochs=1.0))
    assert found() == []  # all are trials, so that nothing is mixed


def test_a_trial_with_a_setting_that_the_profile_leaves_alone_is_kept_out(results):
    [plan] = _plan().notebooks.values()
    assert "demonstrations" not in {**plan.parameters, **plan.grid}
    path = _record(results, 0)
    _change(path, lambda record: record["parameters"].update(demonstrations=5))
    assert strangers(results, "smol") == [path.stem]
    assert _check(results).done == 2


def test_a_grid_of_notebooks_that_are_elsewhere_has_no_strangers(results, tmp_path):
    path = _record(results, 0)
    _change(path, lambda record: record["parameters"].update(epochs=1.0))
    assert strangers(results, "smol") == [path.stem]
    assert strangers(results, "smol", tmp_path) == []


def test_what_is_kept_out_of_the_tables_is_not_drawn_either(results, monkeypatch):
    monkeypatch.setattr("cotnb.results.committed.RESULTS", results)

    def seen():
        drawn = {record["run"] for record in read_found(results, ["smol"]).records}
        shown = {record["run"] for record in committed_records("smol", OWN)}
        assert drawn == shown
        return drawn

    path = _record(results, 0)
    assert path.stem in seen()
    _change(path, lambda record: record["parameters"].update(epochs=1.0))
    assert seen() == {p.stem for p in (results / "smol/records").iterdir()} - {
        path.stem
    }


def test_a_record_of_weights_that_were_made_anew_is_named(results):
    [card, *_] = read_cards()
    student, path = card["student"], _record(results, 0)

    def of(fingerprint):
        told = {"students": {student: fingerprint, "SmolLM2-135M": "another"}}
        _change(path, lambda record: record["extra"].update(told))

    of(card["fingerprint"])
    assert _check(results).faults == []
    of("0" * 16)
    [fault] = _check(results).faults
    assert path.name in fault and f"of other weights of {student}" in fault


def test_records_without_tables_and_newer_than_them_are_told(results):
    path = _record(results, 0)
    text = path.read_text()
    path.unlink()
    aggregate(results, "smol", CLAIMS)
    path.write_text(text)
    [late] = _check(results).faults
    assert "scores.csv: 1 record is newer" in late and path.stem in late
    (results / "smol" / "claims.csv").unlink()
    assert any("claims.csv: not there yet" in fault for fault in _check(results).faults)


def _flip(record):
    outcomes = record["scores"][0]["outcomes"]
    record["scores"][0]["outcomes"] = outcomes.translate(str.maketrans("01", "10"))


def test_a_record_that_was_made_again_is_told(results):
    """Its run's name, made of settings, is as before."""
    path = _record(results, 0)
    _change(path, _flip)
    [fault] = _check(results).faults
    assert "scores.csv: 1 record is newer" in fault and path.stem in fault
    claims = (results / "smol" / "claims.csv").read_text()
    aggregate(results, "smol", CLAIMS)
    assert _check(results).complete
    (results / "smol" / "claims.csv").write_text(claims)
    [fault] = _check(results).faults
    assert "claims.csv: not what records and claims.yaml give" in fault


def _rewrite(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_table_that_was_changed_by_hand_is_told(results):
    folder = results / "smol"
    whole = {name: (folder / name).read_text() for name in ("scores.csv", "claims.csv")}
    row = whole["scores.csv"].splitlines()[-1]
    for name, old, new, said in (
        ("claims.csv", ",reproduced,", ",contradicted,", "not what records and claims"),
        ("scores.csv", f"{row}\n", f"{row}\n{row}\n", "1 more rows than"),
        ("scores.csv", ",SmolLM2-135M,", ",SmolLM2-9B,", "1 record is newer"),
    ):
        _rewrite(folder / name, old, new)
        [fault] = _check(results).faults
        assert said in fault, name
        (folder / name).write_text(whole[name])
    assert _check(results).complete


def test_a_profile_s_axis_that_a_record_cannot_tell_is_not_done(results):
    plan = _plan()
    ways = {"grid": {"method": ["full", "lora"]}}
    grid = plan.notebooks[OWN].model_copy(update=ways)
    plan = plan.model_copy(update={"notebooks": {OWN: grid}})
    _change(_record(results, 0), lambda record: record["parameters"].pop("method"))
    assert _check(results, "smol", plan).done == 2


def test_what_is_shown_beside_a_run_is_no_setting_of_it(results):
    path = _record(results, 0)
    _change(path, lambda record: record["parameters"].update(committed="mine"))
    assert strangers(results, "smol") == [] and _check(results).complete


def test_a_table_of_claims_with_other_terms_is_told(results):
    claims = load_claims(CLAIMS)
    own = next(c for c in claims if "smol" in c.profiles and c.notebook == OWN)
    doubled = [replace(term, weight=2 * term.weight) for term in own.terms]
    changed = [replace(c, terms=tuple(doubled)) if c is own else c for c in claims]
    [fault] = check_profile(results, "smol", _plan(), NOTEBOOKS, changed).faults
    assert "claims.csv: not what records and claims.yaml give" in fault
    assert own.id in fault


def test_a_table_of_other_columns_is_told(results):
    table = results / "smol" / "claims.csv"
    table.write_text(table.read_text().replace("verdict", "opinion", 1))
    [fault] = _check(results).faults
    assert "claims.csv" in fault and "it lacks verdict" in fault


def test_a_table_that_cannot_be_read_is_told(results):
    (results / "smol" / "claims.csv").write_text("")
    [fault] = _check(results).faults
    assert fault.startswith("results/smol/claims.csv: no table (No columns to parse")


def test_a_table_of_claims_that_have_changed_since_is_told(results):
    claims = load_claims(CLAIMS)
    gone, *rest = [c for c in claims if "smol" in c.profiles]
    reworded = replace(rest[0], statement="Otherwise.")
    for changed in (rest, [gone, reworded, *rest[1:]]):
        [fault] = check_profile(results, "smol", _plan(), NOTEBOOKS, changed).faults
        assert "claims.csv: claims.yaml says otherwise" in fault
        assert (gone.id if changed is rest else reworded.id) in fault


def test_of_nothing_every_run_is_missing(tmp_path):
    check = _check(tmp_path)
    assert (check.runs, check.done, check.faults) == (3, 0, [])
    assert set(check.missing["seed"]) == {0, 1, 2} and check.missing["run"].all()


def test_settings_of_a_grid_are_told_apart(results):
    plan = _plan()
    ways = {"grid": {"method": ["full", "lora"]}}
    grid = plan.notebooks[OWN].model_copy(update=ways)
    plan = plan.model_copy(update={"notebooks": {OWN: grid}})
    check = _check(results, "smol", plan)
    assert (check.runs, check.done) == (6, 3)
    assert set(check.missing["setting"]) == {"lora"}
    assert f"{OWN} (lora): no record" in check.lines()[-1]
