"""Loaders: a mirror laid out like the hub, task files, and generated problems."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from cotnb.errors import UserError
from cotnb.paths import cache_folder, named_folder, project_folder
from cotnb.rationales import keep_correct, match, teacher_rationales
from cotnb.tasks import load_task, task_list, task_names
from cotnb.tasks.hub import BBH_ANSWER_TYPES, DEV_QUESTIONS
from cotnb.tasks.verifier import verify

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "hub"
needs_real_data = pytest.mark.skipif(
    not (os.environ.get("COTNB_MIRROR") or REAL_DATA.is_dir()),
    reason="no real data here: set COTNB_MIRROR to a folder laid out like the hub",
)


def write(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    hub = tmp_path / "hub"
    solved = "Two <<1+1=2>>2 and 3 <<2+3=5>>5.\n#### 1,005"
    gsm8k = [{"question": f"q{i}  here", "answer": solved} for i in range(120)]
    svamp = [{"question_concat": f"s{i}", "Answer": "29.0"} for i in range(120)]
    write(hub / "openai/gsm8k/main/train.jsonl", gsm8k)
    write(hub / "openai/gsm8k/main/test.jsonl", gsm8k[:7])
    write(hub / "ChilleD/SVAMP/test.jsonl", svamp[:5])
    write(hub / "lukaemon/bbh/navigate/test.jsonl", [{"input": "a", "target": "No"}])
    choices = [{"input": "a", "target": "(C)"}, {"input": "b", "target": "Some Film"}]
    write(hub / "lukaemon/bbh/ruin_names/test.jsonl", choices)
    index = {"index": 4, "question": "coin?", "answer": "yes", "split": "test"}
    write(tmp_path / "tasks/coin_flip.jsonl", [index, {**index, "split": "train"}])
    monkeypatch.setenv("COTNB_MIRROR", str(hub))
    return hub


def test_a_mirror_serves_the_hubs_ids(mirror):
    example = load_task("gsm8k", "test")[0]
    assert (example.answer, example.question) == ("1005", "q0 here")
    assert example.rationale == "Two 2 and 3 5."
    numbered = replace(example, question="1 and 3")  # its steps are known, too
    assert verify(numbered, "1 + 1 = 2.").error_kind == "missing_step"
    assert load_task("svamp", "test", 3)[2].answer == "29"
    assert load_task("bbh_navigate", "test")[0].answer == "no"
    assert load_task("ho_coin_flip", "train")[0].index == 4


def test_a_split_by_template_is_another_of_the_same_questions(mirror):
    splits = {"split": "train", "template_split": "train"}
    rows = [{"index": i, "question": f"q{i}", "answer": i, **splits} for i in range(2)]
    rows[1]["template_split"] = "test"
    write(mirror.parent / "tasks/multiarith.jsonl", rows)
    assert len(load_task("ho_multiarith", "train")) == 2
    assert [e.index for e in load_task("ho_multiarith", "train_by_template")] == [0]
    [example] = load_task("ho_multiarith", "test_by_template")
    assert (example.index, example.split) == (1, "test_by_template")
    write(mirror.parent / "tasks/coin_flip.jsonl", [rows[0] | {"template_split": None}])
    with pytest.raises(UserError, match=r"no split 'train_by_template'; it has train$"):
        load_task("ho_coin_flip", "train_by_template")


def test_choices_are_laid_out_as_the_teacher_was_asked_them(mirror):
    lead, listed = "Who has the\nWhich choice is true? Answer choices:", "(A) x, (B) y."
    row = {"index": 0, "question": f"{lead} {listed}", "answer": "B", "split": "train"}
    write(mirror.parent / "tasks/tracking_shuffled_objects.jsonl", [row])
    [example] = load_task("ho_tracking_shuffled_objects", "train")
    asked = "Who has the Which choice is true ? Answer Choices: (A) x. (B) y."
    assert (example.question, example.answer) == (asked, "B")


def test_a_choice_item_answered_in_words_is_text(mirror):
    kinds = [e.answer_type for e in load_task("bbh_ruin_names", "test")]
    assert kinds == ["choice", "text"]


def test_dev_is_cut_from_train(mirror):
    train, dev = load_task("gsm8k", "train"), load_task("gsm8k", "dev")
    assert len(dev) == DEV_QUESTIONS and len(train) == 20
    assert not {e.question for e in train} & {e.question for e in dev}


@pytest.mark.parametrize(
    ("name", "split", "size", "message"),
    [
        ("gsm9k", "test", None, "no task 'gsm9k'"),
        ("gsm8k", "validation", None, "it has train, dev and test"),
        ("gsm8k", "test", 8, "test has 7 questions, not 8"),
        ("gsm8k", "test", 0, "expected 1 or more"),
        ("svamp", "train", None, "no train"),
        ("bbh_navigate", "train", None, "never train on it"),
        ("gsm_symbolic", "tset", None, "no split 'tset'"),
        ("ho_multiarith", "test", None, "not there; set COTNB_TASK_FILES"),
        ("ho_coin_flip", "dev", None, "no split 'dev'; it has test, train"),
    ],
)
def test_bad_requests_get_one_line(mirror, name, split, size, message):
    with pytest.raises(UserError, match=message) as caught:
        load_task(name, split, size)
    assert "\n" not in str(caught.value)


def test_malformed_rows_are_named(mirror):
    write(mirror / "openai/gsm8k/main/test.jsonl", [{"question": "q", "answer": "5"}])
    with pytest.raises(UserError, match="row 0: the answer has no '####'"):
        load_task("gsm8k", "test")
    write(mirror / "openai/gsm8k/main/test.jsonl", [{"question": "q", "text": "5"}])
    with pytest.raises(UserError, match="openai/gsm8k, test, row 0: no answer"):
        load_task("gsm8k", "test")
    write(mirror / "lukaemon/bbh/navigate/test.jsonl", [{"input": "a"}])
    with pytest.raises(UserError, match="lukaemon/bbh, test, row 0: no target"):
        load_task("bbh_navigate", "test")
    (mirror / "ChilleD/SVAMP/test.jsonl").write_text("{broken\n")
    with pytest.raises(UserError, match="not readable as json"):
        load_task("svamp", "test")
    lines = b'\n{"index": 1, "question": "a\xe2\x80\xa8b", "answer": "yes"'
    lines += b', "split": "test"}\n'
    (mirror.parent / "tasks/coin_flip.jsonl").write_bytes(lines)
    assert load_task("ho_coin_flip", "test")[0].question == "a b"
    (mirror.parent / "tasks/coin_flip.jsonl").write_bytes(lines + b"\xff\n")
    with pytest.raises(UserError, match=r"coin_flip\.jsonl, line 3: expected index"):
        load_task("ho_coin_flip", "test")
    for wrong in ({"answer": "perhaps"}, {"question": ""}):
        row = {"index": 1, "question": "q", "answer": "yes", "split": "test", **wrong}
        write(mirror.parent / "tasks/coin_flip.jsonl", [row])
        with pytest.raises(UserError, match=r"index 1: no question or no yes_no answ"):
            load_task("ho_coin_flip", "test")
    (mirror.parent / "tasks/coin_flip.jsonl").write_text('{"index": 1}\n')
    with pytest.raises(UserError, match=r"coin_flip\.jsonl, line 1: expected index"):
        load_task("ho_coin_flip", "test")


def test_a_list_of_tasks_has_those_of_micro_bbh_one_by_one():
    names = task_list("micro_world, micro_bbh, micro_triage", "web_of_lies, navigate")
    assert (len(names), names[0], names[-1]) == (15, "micro_world", "micro_triage")
    assert set(names) <= set(task_names()) - {"micro_bbh"}
    assert not {"micro_bbh_web_of_lies", "micro_bbh_navigate"} & set(names)
    assert task_list("svamp", "web_of_lies") == ["svamp"]
    assert len(task_list("micro_bbh")) == 15
    with pytest.raises(UserError, match="micro_bbh has no coin_flip"):
        task_list("micro_bbh", "coin_flip")


def test_gsm_symbolic_keeps_templates_and_questions_apart():
    sets = {
        split: load_task("gsm_symbolic", split, 60)
        for split in ("train", "dev", "test", "test_same_templates")
    }
    templates = {split: {e.template for e in sets[split]} for split in sets}
    assert not templates["test"] & templates["train"]
    assert templates["test_same_templates"] & templates["train"]
    texts = [e.question for examples in sets.values() for e in examples]
    assert len(texts) == len(set(texts))
    assert load_task("gsm_symbolic", "train", 20) == sets["train"][:20]
    assert all(e.rationale and e.answer in e.rationale for e in sets["test"])


@needs_real_data
@pytest.mark.parametrize(
    ("task", "right"),
    [
        ("tracking_shuffled_objects", 282),
        ("coin_flip", 320),
        ("last_letter_concatenation", 205),
        ("date_understanding", 176),
        ("svamp", 272),
    ],
)
def test_the_teachers_right_rationales_are_found_by_their_questions(
    task, right, monkeypatch
):
    if not os.environ.get("COTNB_MIRROR"):
        monkeypatch.setenv("COTNB_MIRROR", str(REAL_DATA))
    questions = load_task("svamp" if task == "svamp" else f"ho_{task}", "train")
    file = f"text_davinci_002/{task}.jsonl.gz"
    found = keep_correct(
        teacher_rationales(questions, file, "text-davinci-002", "zero-shot-cot")
    )
    assert len(match(questions, found)) == right


@needs_real_data
def test_the_real_data_is_read_whole(monkeypatch):
    if not os.environ.get("COTNB_MIRROR"):
        monkeypatch.setenv("COTNB_MIRROR", str(REAL_DATA))
    sizes = {"gsm8k": 1319, "svamp": 300, "multiarith": 180}
    assert {name: len(load_task(name, "test")) for name in sizes} == sizes
    bbh = sum(len(load_task(f"bbh_{task}", "test")) for task in BBH_ANSWER_TYPES)
    assert (len(BBH_ANSWER_TYPES), bbh) == (27, 6511)
    whole = load_task("bbh", "test")
    assert len({e.id for e in whole}) == 6511 and whole == load_task("bbh", "test")
    in_turn = [e.template for e in whole[: 27 * 146]]
    assert in_turn == list(BBH_ANSWER_TYPES) * 146
    assert [e.index for e in whole[: 27 * 3 : 27]] != [0, 1, 2]
    assert all(
        e.answer
        for n in task_names()
        if n[:3] in ("bbh", "ho_")
        for e in load_task(n, "test")
    )


@needs_real_data
def test_gsm8ks_own_solutions_are_right_but_for_few(monkeypatch):
    """What `verify` cannot read: unknowns by letters, mixed fractions, other routes."""
    if not os.environ.get("COTNB_MIRROR"):
        monkeypatch.setenv("COTNB_MIRROR", str(REAL_DATA))
    examples = load_task("gsm8k", "test")
    faults = [e.id for e in examples if verify(e, "\n".join(e.steps)).error_kind]
    assert len(faults) < 0.07 * len(examples)


def test_a_relative_folder_is_found_from_a_notebooks_folder_too(tmp_path, monkeypatch):
    monkeypatch.setenv("COTNB_MIRROR", "notebooks")
    monkeypatch.chdir(tmp_path)
    assert named_folder("COTNB_MIRROR") == project_folder() / "notebooks"
    monkeypatch.setenv("COTNB_CACHE", "notebooks")
    assert cache_folder() == project_folder() / "notebooks"
    (tmp_path / "notebooks").mkdir()
    assert named_folder("COTNB_MIRROR") == tmp_path / "notebooks"
    monkeypatch.delenv("COTNB_MIRROR")
    assert named_folder("COTNB_MIRROR") is None
