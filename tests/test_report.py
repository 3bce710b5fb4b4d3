"""Figures as files: none is lost, and one that is out of date is found."""

import shutil
import sys
from dataclasses import replace

import pandas as pd
import pytest

from cotnb import cli
from cotnb.errors import UserError
from cotnb.paths import project_folder
from cotnb.results import figures, scores_frame
from cotnb.results.claims import COLUMNS, VERDICTS, load_claims
from cotnb.results.figures import BOARDS, draw_board, read_found
from cotnb.results.records import Score
from cotnb.results.report import (
    BEGIN,
    END,
    at_a_glance,
    generate_results,
    read_claims,
    save_figures,
    save_published_figures,
    stale_figures,
    update_readme,
    verdict_table,
)

RESULTS = project_folder() / "results"
CLAIMS = load_claims(project_folder() / "notebooks" / "claims.yaml")


def _figures(folder, *conditions):
    scores = [
        Score("toy", 1000, name, 0, "micro_world", "zero_shot_cot", 9, "10", "q")
        for name in conditions
    ]
    (folder / "mine").mkdir()
    frame = scores_frame(scores, notebook="ten")
    frame.to_csv(folder / "mine" / "scores.csv", index=False)
    empty = pd.DataFrame(columns=list(COLUMNS))
    empty.to_csv(folder / "mine" / "claims.csv", index=False)
    return [path.stem for path in save_figures(folder, ["mine"], folder / "figures")]


def test_conditions_with_an_amount_are_drawn_by_amount(tmp_path):
    drawn = _figures(tmp_path, "cot", "right_125", "right_250")
    assert drawn == [*BOARDS, "ten", "ten-by-amount"]


def test_a_kind_of_condition_that_is_not_there_has_no_figure(tmp_path):
    assert _figures(tmp_path, "right_125") == [*BOARDS, "ten-by-amount"]


def test_a_full_disk_is_one_line_and_leaves_the_old_figure(copied, monkeypatch):
    before = (copied / "figures" / "verdicts.png").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cotnb.files.os.replace", full)
    with pytest.raises(UserError, match=r"verdicts\.png: not written \(No space left"):
        save_published_figures(copied)
    assert (copied / "figures" / "verdicts.png").read_bytes() == before


def test_the_committed_figures_are_current():
    assert stale_figures(RESULTS) == [], "run: python -m cotnb figures"


def test_a_verdict_that_is_no_slope_says_per_nothing():
    claims = read_found(RESULTS, ["tiny", "smol"]).claims
    assert (claims["per"] == "").any() and not claims["per"].isna().any()


@pytest.fixture
def copied(tmp_path):
    shutil.copytree(RESULTS, tmp_path / "results")
    return tmp_path / "results"


def test_a_figure_of_other_numbers_is_found(copied):
    scores = copied / "smol" / "scores.csv"
    table = pd.read_csv(scores)
    own = table["notebook"] == "08_cot_vs_answer_only"
    table.loc[own, "correct"] += 1
    table.to_csv(scores, index=False)
    assert stale_figures(copied) == ["08_cot_vs_answer_only"]
    save_published_figures(copied)
    assert stale_figures(copied) == []


def test_a_claim_more_leaves_the_figures_of_others_current(copied):
    path = copied / "smol" / "claims.csv"
    table = pd.read_csv(path)
    more = table.iloc[:1].assign(claim="another", paper="none")
    pd.concat([more, table]).to_csv(path, index=False)
    assert stale_figures(copied) == ["verdicts-own"]


def test_what_papers_claim_is_tabled_and_our_own_claims_are_folded():
    text = generate_results(RESULTS).partition("### Profile `smol`")[0]
    shown, _, folded = text.partition("### Profile `tiny`")[2].partition("<details>")
    folded, _, after = folded.partition("</details>")
    run = read_claims(RESULTS, "tiny")
    run = run[run["verdict"] != "not run"]
    for claim in run.itertuples():
        cell = f"| {claim.statement} "
        own = claim.paper == "none"
        assert (cell in shown, cell in folded, cell in after) == (not own, own, False)
    counts = run[run["paper"] == "none"]["verdict"].value_counts()
    told = ", ".join(f"{counts[name]} {name}" for name in VERDICTS)
    summary = f"<summary>{counts.sum()} claims of our own: {told}</summary>"
    assert folded.startswith(f"\n{summary}\n\n| claim ")


def test_at_a_glance_a_notebook_is_a_row_and_settings_stand_under_their_student():
    found = read_found(RESULTS, ["tiny", "smol", "smol_dates"])
    claims = found.claims.copy()
    mine = (claims["claim"] == "cot_beats_answer_only").to_numpy()
    claims.loc[mine, "verdict"] = ["reproduced", "not run", "contradicted"]
    claims.loc[mine, ["estimate", "ci_low", "ci_high"]] = [0.2, 0.1, 0.3]
    told = at_a_glance(replace(found, claims=claims), CLAIMS)
    heads, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in told.strip().splitlines()
    ]
    assert heads == ["notebook", "claim", "paper", "`tiny`", "`smol`"]
    with_claims = (*range(4, 14), 15)
    assert [row[0][1:3] for row in rows] == [f"{n:02}" for n in with_claims]
    [row] = [row for row in rows if row[0].startswith("[08]")]
    contrast = "+20.0 [+10.0, +30.0]"
    assert row[2:4] == ["magister2022", f"**reproduced**, {contrast}"]
    assert row[4] == (
        f"SVAMP: not run<br>dates, random split: **contradicted**, {contrast}"
    )
    [row] = [row for row in rows if row[0].startswith("[05]")]
    assert row[3].endswith(" per doubling of weights") and row[4] == ""


def test_a_profile_that_a_claim_no_longer_names_is_called_by_its_setting():
    found = read_found(RESULTS, ["smol"])
    older = found.claims.assign(profile="smol_gone", verdict="not run")
    told = at_a_glance(replace(found, claims=pd.concat([found.claims, older])), CLAIMS)
    assert "<br>gone: not run" in told and "SVAMP: **reproduced**" in told


def test_a_board_has_the_claims_of_its_title(monkeypatch):
    found, drawn = read_found(RESULTS, ["tiny", "smol"]), {}
    monkeypatch.setattr(
        figures, "verdicts_by_profile", lambda rows, title: drawn.update({title: rows})
    )
    for name in BOARDS:
        draw_board(name, found)
    others, own = drawn.values()
    assert set(own["paper"]) == {"none"} and "none" not in set(others["paper"])
    assert len(own) + len(others) == len(found.claims)
    assert [("ourselves" in title) for title in drawn] == [False, True]


def test_no_claim_is_told_as_such():
    none = read_claims(RESULTS, "smol").iloc[:0]
    assert verdict_table(none) == "No claim has been put to the test yet."


def test_a_figure_that_is_not_there_is_found(copied):
    (copied / "figures" / "verdicts.png").unlink()
    assert stale_figures(copied) == ["verdicts"]


def test_a_readme_stays_where_there_are_no_results(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"{BEGIN}old{END}")
    with pytest.raises(UserError, match="no tables of a published profile"):
        update_readme(readme, tmp_path)
    assert readme.read_text() == f"{BEGIN}old{END}"


def test_a_folder_in_place_of_a_readme_is_one_line(copied, monkeypatch, capsys):
    before = (copied / "smol" / "claims.csv").stat().st_mtime_ns
    words = ["aggregate", "--profile", "smol", "--results", copied, "--readme", copied]
    monkeypatch.setattr(sys, "argv", ["cotnb", *map(str, words)])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as refused:
        cli.main()
    assert refused.value.code == 2
    assert capsys.readouterr().err == f"cotnb: error: {copied}: Is a directory\n"
    after = (copied / "smol" / "claims.csv").stat().st_mtime_ns
    assert after == before, "it is said before anything is made"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("scores.csv", "", "no table (No columns to parse from file)"),
        ("scores.csv", "one,two\n1,2\n", "no column run"),
        ("claims.csv", "one,two\n1,2\n", "no column claim"),
    ],
)
def test_a_table_that_is_none_is_one_line(copied, name, content, reason):
    (copied / "smol" / name).write_text(content)
    with pytest.raises(UserError) as refused:
        save_published_figures(copied)
    assert str(refused.value) == (
        f"{copied}/smol/{name}: {reason}; make it with "
        "python -m cotnb aggregate --profile smol"
    )


@pytest.mark.parametrize("words", [["list"], ["render", "--check"]])
def test_a_folder_without_notebooks_is_one_line(tmp_path, monkeypatch, capsys, words):
    words = [*words, "--notebooks", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["cotnb", *words])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as refused:
        cli.main()
    assert refused.value.code == 2
    assert capsys.readouterr().err == (
        f"cotnb: error: {tmp_path}: no notebook such as 00_start_here.ipynb in it\n"
    )


def test_without_a_word_the_help_is_printed(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["cotnb"])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    said = capsys.readouterr()
    assert "Usage: " in said.out and "\n  tune " in said.out and said.err == ""


def test_claims_that_wait_are_counted_and_not_tabled(tmp_path):
    shutil.copytree(RESULTS / "smol", tmp_path / "smol")
    path = tmp_path / "smol" / "claims.csv"
    claims = pd.read_csv(path)
    claims.loc[0, "verdict"] = "not run"
    claims.to_csv(path, index=False)
    text = generate_results(tmp_path).partition("### Figures")[0]
    assert claims["statement"][0] not in text
    assert claims["statement"][1] in text
    waiting = (claims["verdict"] == "not run").sum()
    assert f"Not run yet, in whole or in part: {waiting} claims" in text
    run = claims[claims["verdict"] != "not run"]
    run = run[run["paper"] != "none"]
    counts = run["verdict"].value_counts()
    named = ", ".join(f"{counts.get(name, 0)} {name}" for name in VERDICTS)
    assert f"Put to the test: {len(run)} claims of papers: {named}; " in text


def test_own_claims_are_counted_apart(tmp_path):
    shutil.copytree(RESULTS / "smol", tmp_path / "smol")
    path = tmp_path / "smol" / "claims.csv"
    claims = pd.read_csv(path)
    run = claims[claims["verdict"] != "not run"].index
    claims.loc[run, "paper"] = "ho2023"
    claims.loc[run[0], ["paper", "verdict"]] = ["none", "contradicted"]
    claims.loc[run[1], ["paper", "verdict"]] = ["rule_of_thumb", "reproduced"]
    claims.to_csv(path, index=False)
    text = generate_results(tmp_path).partition("### Figures")[0]
    assert f"Put to the test: {len(run) - 2} claims of papers: " in text
    assert "; 1 rules of thumb: 1 reproduced, 0 contradicted, 0 incon" in text
    assert "; 1 claims of our own: 0 reproduced, 1 contradicted, 0 incon" in text


def test_a_table_of_an_older_version_is_one_line(tmp_path):
    (tmp_path / "mine").mkdir()
    older = pd.DataFrame(columns=[name for name in COLUMNS if name != "per"])
    older.to_csv(tmp_path / "mine" / "claims.csv", index=False)
    with pytest.raises(UserError, match="no column per; make it with python"):
        read_claims(tmp_path, "mine")
