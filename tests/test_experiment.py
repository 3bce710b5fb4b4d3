"""What notebooks do with students and test sets: pairs in several formats, errors."""

import gzip
import json
from collections import Counter

import pytest
from tiny_grid import PARAMETERS, write_notebook

from cotnb.errors import UserError
from cotnb.experiment import (
    build_pairs,
    demonstration_pool,
    error_shares,
    general_pairs,
    load_test_sets,
    one_a_pass,
    record_run,
    repeated,
    take,
    trials_of_splits,
    trials_of_templates,
)
from cotnb.formats import COT_INSTRUCTION, COT_TRIGGER, PROMPT_FORMATS, Pair
from cotnb.large_models import find_gpt3_solutions, load_gpt3_solutions, wei_errors
from cotnb.paths import project_folder
from cotnb.rationales import from_generator, match
from cotnb.tasks import load_task


@pytest.fixture(scope="module")
def solved():
    questions = load_task("micro_world", "train", 24)
    return match(questions, from_generator(questions))


def test_formats_take_turns_and_demonstrations_are_not_the_question(solved):
    pairs = build_pairs(solved, *PROMPT_FORMATS, demonstrations=2, seed=3)
    for number, (pair, (example, rationale)) in enumerate(
        zip(pairs, solved, strict=True)
    ):
        prompt_format = PROMPT_FORMATS[number % 4]
        assert pair.prompt.count("Q: ") == (3 if "few" in prompt_format else 1)
        assert pair.prompt.count(example.question) == 1
        assert pair.target.startswith(rationale) == prompt_format.endswith("cot")
    assert pairs == build_pairs(solved, *PROMPT_FORMATS, demonstrations=2, seed=3)
    assert pairs != build_pairs(solved, *PROMPT_FORMATS, demonstrations=2, seed=4)


def test_an_instruction_leads_the_prompt(solved):
    [first, *_] = build_pairs(solved, "zero_shot_cot", instruction=True)
    assert first.prompt.startswith(COT_INSTRUCTION)
    assert first.prompt.endswith(COT_TRIGGER)


def test_general_pairs_are_answered_directly():
    pairs = general_pairs(30, seed=1)
    assert len(pairs) == 30 and pairs != general_pairs(30, seed=2)
    assert all(pair.target.startswith("The answer is") for pair in pairs)


def test_a_pool_of_several_tasks_has_their_own_rationales():
    pool = demonstration_pool("micro_world, micro_bbh", 20)
    assert [e.task.startswith("micro_world") for e, _ in pool] == 20 * [True] + 20 * [
        False
    ]
    assert (
        all(e.split == "train" for e, _ in pool) and pool[0][1] == pool[0][0].rationale
    )
    assert demonstration_pool("") == []
    with pytest.raises(UserError, match="no task 'micro_word'"):
        demonstration_pool("micro_word")


def test_test_sets_have_labels_of_their_own():
    text = "micro_world:test:2, micro_world:test_ood:2, micro_world:dev:2"
    sets = load_test_sets(text)
    assert list(sets) == ["micro_world", "micro_world_ood", "micro_world_dev"]
    with pytest.raises(UserError, match="micro_world:test comes twice"):
        load_test_sets("micro_world:test:2, micro_world:test:3")


def test_error_shares_add_up_and_name_what_is_wrong(solved):
    examples = [example for example, _ in solved[:4]]
    right = [text for _, text in solved[:2]]
    shares = error_shares(examples, [*right, "It is 7.", "1 + 1 = 3."])
    assert shares == {"no_equations": 0.25, "right": 0.5, "wrong_calculation": 0.25}


def test_gpt3s_solutions_are_read_and_another_file_is_refused(tmp_path):
    row = {
        "question": "Ann has 3 pens and buys 4. How many has she?",
        "ground_truth": "She has 3 + 4 = <<3+4=7>>7 pens.\nA: 7",
        "6b_finetuning": {"solution": "3 + 4 = <<3+4=8>>8\nA: 8"},
        "175b_finetuning": {"solution": "3 + 4 = <<3+4=7>>7\nA: 7"},
    }
    path = tmp_path / "solutions.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(row).encode()))
    found = load_gpt3_solutions(path)
    shares = {name: error_shares(*zip(*x, strict=True)) for name, x in found.items()}
    assert shares == {
        "GPT-3 6B": {"wrong_calculation": 1},
        "GPT-3 175B": {"right": 1},
        "GSM8K's own": {"right": 1},
    }
    other = tmp_path / "other.jsonl"
    other.write_text("{}\n")
    damaged = bytearray(path.read_bytes())
    damaged[20:40] = b"\xff" * 20
    (tmp_path / "damaged.jsonl.gz").write_bytes(damaged)
    for wrong in (other, tmp_path / "none.jsonl", tmp_path / "damaged.jsonl.gz"):
        with pytest.raises(UserError, match=r"example_model_solutions\.jsonl"):
            load_gpt3_solutions(wrong)


def test_gpt3s_solutions_are_found_beside_the_mirror(tmp_path, monkeypatch):
    monkeypatch.setenv("COTNB_MIRROR", str(tmp_path / "hub"))
    assert find_gpt3_solutions("solutions.jsonl") is None
    (tmp_path / "model_outputs").mkdir()
    beside = tmp_path / "model_outputs" / "solutions.jsonl"
    beside.touch()
    assert find_gpt3_solutions("solutions.jsonl") == beside
    assert find_gpt3_solutions(beside) == beside


def test_wei_et_als_errors_are_shares_of_all_45():
    shares = wei_errors(project_folder() / "results")
    assert set(shares) == {"misread", "missing_step", "other"}
    assert shares["misread"] == 20 / 45 and sum(shares.values()) == pytest.approx(1)


def test_pairs_are_repeated_whole_orders_at_a_time():
    pairs = [Pair(str(n), "") for n in range(5)]
    drawn = repeated(pairs, 12, seed=0)
    assert len(drawn) == 12 and drawn == repeated(pairs, 12, seed=0)
    assert drawn != repeated(pairs, 12, seed=1)
    for begin in (0, 5):
        assert sorted(p.prompt for p in drawn[begin : begin + 5]) == list("01234")
    assert len(set(drawn[10:])) == 2
    with pytest.raises(UserError, match="no pairs to tune on"):
        repeated([], 3, seed=0)


def test_questions_weigh_alike_however_many_rationales_they_have(solved):
    few, many = solved[0], solved[1][0]
    pairs = [few, *((many, text) for text in "abc")]
    drawn = one_a_pass(pairs, 13, seed=0)
    assert drawn == one_a_pass(pairs, 13, seed=0) != one_a_pass(pairs, 13, seed=1)
    for begin in range(0, 12, 2):
        assert {example.id for example, _ in drawn[begin : begin + 2]} == {
            few[0].id,
            many.id,
        }
    assert Counter(drawn[:12]) == {few: 6} | {(many, text): 2 for text in "abc"}
    assert Counter(one_a_pass(solved, 48, seed=0)) == dict.fromkeys(solved, 2)
    with pytest.raises(UserError, match="5 pairs are 2 passes over 2 questions, one"):
        one_a_pass(pairs, 5, seed=0)
    with pytest.raises(UserError, match="no pairs to tune on"):
        one_a_pass([], 5, seed=0)


def test_fewer_than_are_wanted_are_not_taken_for_as_many(solved):
    assert take(solved, 3) == solved[:3] and len(take(solved, 24)) == 24
    with pytest.raises(UserError, match="25 rationales wanted, 24 there"):
        take(solved, 25)


def test_both_splits_of_a_task_get_equally_many_right_rationales(tmp_path, monkeypatch):
    monkeypatch.setenv("COTNB_TASK_FILES", str(tmp_path))
    parts = ["train"] * 5 + ["test"] * 3
    rows = [
        {"index": i, "question": f"{i} and 1?", "answer": i + 1, "split": part}
        | {"template_split": other}
        for i, (part, other) in enumerate(
            zip(parts, parts[2:] + parts[:2], strict=True)
        )
    ]
    (tmp_path / "multiarith.jsonl").write_text("\n".join(map(json.dumps, rows)))
    taught = [
        {"question": r["question"], "rationale": "Sure.", "answer": str(r["answer"])}
        | {"prediction": str(r["answer"]), "teacher": "ada", "style": "plain"}
        for r in rows[:5]
    ]
    with gzip.open(tmp_path / "multiarith.jsonl.gz", "wt") as file:
        file.write("\n".join(map(json.dumps, taught)))
    beside = str(tmp_path / "svamp.jsonl.gz")
    random, template = trials_of_splits("ho_multiarith", beside, "ada", "plain", 0)
    assert [name for name, *_ in (random, template)] == [
        "random_split",
        "template_split",
    ]
    assert [len(pairs) for _, pairs, _ in (random, template)] == [3, 3]
    assert {e.split for e, _ in template[1]} == {"train_by_template"}
    assert list(random[2]) == ["ho_multiarith"] and len(random[2]["ho_multiarith"]) == 3
    [(label, tests)] = template[2].items()
    assert (label, len(tests)) == ("ho_multiarith_by_template", 3)
    several = "ho_multiarith, ho_multiarith"
    again = trials_of_splits(several, beside, "ada", "plain", 1)
    assert len(again) == 4 and again[0][1] != random[1]


def test_a_generated_task_is_split_with_templates_kept_back_and_without():
    task, seed = "micro_world_multi_step", 3
    questions = load_task(task, "train", 40)
    solved = match(questions, from_generator(questions))
    # the very questions that the second student would be taught
    tests = {task: load_task(task, "test", 5), "new": load_task(task, "test_ood", 5, 3)}
    back, none = trials_of_templates(task, solved, tests, 21, seed)
    assert [name for name, *_ in (back, none)] == ["template_split", "random_split"]
    assert back[1] == solved[:21] and back[2] == none[2] == tests
    assert none[1][:11] == solved[:11] and len(none[1]) == 21
    assert {e.split for e, _ in none[1][11:]} == {"test_ood"}
    assert all(rationale == e.rationale for e, rationale in none[1])
    asked = {e.question for examples in tests.values() for e in examples}
    assert not asked & {e.question for e, _ in none[1]}
    with pytest.raises(UserError, match="41 rationales wanted, 40 there"):
        trials_of_templates(task, solved, tests, 41, seed)


def test_a_notebook_is_recorded_from_the_folder_that_it_works_in(tmp_path, monkeypatch):
    write_notebook(tmp_path / "99_draft.ipynb", PARAMETERS)
    monkeypatch.chdir(tmp_path)
    names = {"profile": "smoke", "seed": 3, "record": "r.json", "name": "x"}
    names |= {"output": "", "wait": 0.5, "flag": True}
    record_run("99_draft", names, [], 0.0)
    kept = json.loads((tmp_path / "r.json").read_text())
    assert (kept["notebook"], kept["seed"]) == ("99_draft", 3)
    assert kept["parameters"]["wait"] == 0.5
