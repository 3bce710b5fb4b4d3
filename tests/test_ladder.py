"""The ladder: what it is pretrained on and what is withheld, sizes, pretraining."""

import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cotnb.errors import UserError
from cotnb.evaluation import generate
from cotnb.formats import COT_TRIGGER, draw_demonstrations
from cotnb.ladder import pretraining
from cotnb.ladder.cards import read_cards
from cotnb.ladder.mixture import (
    FIRST_SHARDS,
    MIXTURE,
    SENTINELS,
    SHARD,
    draw_shard,
    parts_of,
)
from cotnb.ladder.pretraining import (
    RECIPE,
    Shards,
    pretrain,
    pretrain_further,
    pretraining_note,
    publish,
    recipe_for,
    score_all,
)
from cotnb.ladder.sizes import HEAD, LADDER, Size, new_model
from cotnb.ladder.tokenizer import train_tokenizer
from cotnb.recipes import Recipe
from cotnb.students import load_student, open_student
from cotnb.tasks import load_task
from cotnb.tasks.micro_bbh import MICRO_BBH
from cotnb.tasks.micro_world import load_micro_world, split_of

PROJECT = Path(__file__).resolve().parent.parent
SMALL = Recipe(epochs=1, batch_size=32, learning_rate=1e-3, precision="fp32")


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer()


@pytest.fixture(scope="module")
def shard():
    return draw_shard(40)


FEW_MARKS = {"MARKS": 4, "STEPS_A_MARK": 10, "QUESTIONS_A_MARK": 15}


@pytest.fixture
def few_marks(monkeypatch):
    for name, value in FEW_MARKS.items():
        monkeypatch.setattr(pretraining, name, value)


def _pretrain_apart():
    """In a process of its own, which has no test's patches."""
    vars(pretraining).update(FEW_MARKS)
    pretrain("ladder-0.3M", 1280, SMALL)


def test_a_shard_is_whole_mixed_and_the_same_each_time(shard):
    assert len(shard) == SHARD
    assert draw_shard(40) == shard and draw_shard(41) != shard
    assert sum(part.share for part in MIXTURE.values()) == pytest.approx(1)
    firsts = {pair.prompt.split(" ")[0] for pair in shard[:60]}
    assert {"Q:", "Sentence:", "Fill:"} <= firsts


@pytest.mark.parametrize(
    ("number", "letters", "lettered"),
    [(0, 0.40, 0.40), (7, 0.40, 0.40), (8, 0.10, 0.80), (31, 0.10, 0.70)],
)
def test_the_first_shards_hold_what_the_rest_waits_for(number, letters, lettered):
    pairs = draw_shard(number)
    looked_up = "Which letter has", "What has the letter"
    shares = [
        sum(any(text in pair.prompt for text in looked_up) for pair in pairs) / SHARD,
        sum("\n(A)" in pair.prompt for pair in pairs) / SHARD,
    ]
    assert shares == pytest.approx([letters, lettered], abs=0.01)
    assert len(pairs) == SHARD
    assert not any("\nA: " in pair.prompt for pair in pairs)  # no demonstrations
    assert parts_of(number) is not MIXTURE and parts_of(FIRST_SHARDS) is MIXTURE


def test_no_word_problem_comes_with_its_chain_of_thought(shard):
    """Reasons and the trigger are tuning's; only plain equations are chained."""
    reasons = {step for e in load_micro_world("train", 400) for step in e.steps}
    words = {reason.partition(",")[0] for reason in reasons if "," in reason}
    told = [pair for pair in shard if not pair.prompt.startswith("Fill:")]
    for pair in told:
        assert COT_TRIGGER not in pair.prompt
        assert not any(pair.target.startswith(word) for word in words)
        if "=" in pair.target:  # equations and numbers alone
            stated = pair.target.partition("The answer is")[0]
            assert re.fullmatch(r"[\d+\-*/=. ]+", stated), pair


def test_problems_of_many_steps_are_withheld(shard):
    """With an answer there are problems of one step alone, never of more."""
    longer = load_micro_world("train", 20_000, steps=(2, 3, 4, 5, 6))
    known = {example.question for example in longer}
    asked = {pair.prompt.rpartition("Q: ")[2].removesuffix("\nA:") for pair in shard}
    assert not known & asked


@pytest.fixture(scope="module")
def tested():
    return {
        example.question.partition("\nOptions")[0]
        for task in ("micro_bbh", "micro_world_1_step")
        for split in ("dev", "test")
        for example in load_task(task, split, 1500)
    }


@pytest.mark.parametrize("number", [0, 8, 18, 40])
def test_nothing_of_a_test_is_seen(number, tested):
    questions = {
        shown.strip()
        .removesuffix("\nA:")
        .partition("\nA:")[0]
        .partition("\nOptions")[0]
        for pair in draw_shard(number)
        if pair.prompt.startswith(("Q:", "Answer"))
        for shown in pair.prompt.split("Q: ")[1:]
    }
    assert len(questions) > 3000 and not questions & tested
    assert all(split_of(text) in ("dev", "test") for text in tested)


def test_few_shot_pairs_show_the_questions_own_task(shard):
    few = [p.prompt for p in shard if p.prompt.count("\nA: The answer is") >= 1]
    assert len(few) > 0.08 * SHARD
    shown = {prompt.count("\nA: The answer is") for prompt in few}
    assert shown == {1, 2, 3, 4}


def test_all_micro_bbh_comes_in_turn_and_demonstrations_are_of_its_task():
    examples = load_task("micro_bbh", "test", 40)
    names = [f"micro_bbh_{task}" for task in MICRO_BBH]
    assert [e.task for e in examples] == [names[i % len(names)] for i in range(40)]
    assert len({e.id for e in examples}) == 40
    pool = [(e, "") for e in load_task("micro_bbh", "train", 60)]
    shown = draw_demonstrations(pool, examples[3], 3, seed=0)
    own = {e.question for e, _ in pool if e.task == examples[3].task}
    assert {d.question for d in shown} <= own


@pytest.mark.parametrize(
    "text",
    ["Q: 9 + 14 = 23.\nA: (B)", "130 of 2012, 05/07/2012", "Überraschung: ⟨ok⟩ é"],
)
def test_any_text_can_be_said(tokenizer, text):
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert tokenizer.unk_token_id not in ids


def test_a_number_up_to_99_and_a_gaps_mark_are_one_token(tokenizer):
    for number in range(100):
        assert len(tokenizer(f" {number}")["input_ids"]) == 1
    assert all(len(tokenizer(mark)["input_ids"]) == 1 for mark in SENTINELS)


def test_sizes_rise_and_fit_in_the_repository(tokenizer):
    sizes = [new_model(name, tokenizer).num_parameters() for name in LADDER]
    assert sizes == sorted(sizes) and len(sizes) >= 4
    assert sizes[0] < 4e5 and 7e6 < sizes[-1] < 1.1e7
    assert 2 * sum(sizes) < 30e6  # bytes in half precision


def test_half_of_the_encoders_heads_begin_by_attending_to_likes(tokenizer):
    model = new_model("ladder-1M", tokenizer)
    attention = model.encoder.block[1].layer[0].SelfAttention
    words = torch.randn(50, model.config.d_model)
    words /= words.pow(2).mean(1, keepdim=True).sqrt()
    queries = attention.q(words).view(50, -1, HEAD).transpose(0, 1)
    keys = attention.k(words).view(50, -1, HEAD).transpose(0, 1)
    scores = queries @ keys.transpose(1, 2)
    alike = scores.diagonal(dim1=1, dim2=2).mean(1)
    assert (alike[:2] > 4).all() and (alike[2:].abs() < 1).all()


def test_the_other_heads_begin_by_attending_to_neighbors(tokenizer):
    model = new_model("ladder-1M", tokenizer)
    attention = model.encoder.block[0].layer[0].SelfAttention
    bias = attention.compute_bias(9, 9)[0]  # of (heads, from, to)
    for head, near in {2: (1, 2, 3), 3: (5, 6, 7)}.items():
        weights = bias[head, 4].softmax(-1)
        assert weights[list(near)].sum() > 0.95
    for head in (0, 1):
        assert bias[head, 4, 4] < bias[head, 4, [0, 1, 7, 8]].min()


def test_rows_are_those_of_their_shards(tokenizer):
    rows, pairs = Shards(tokenizer, 2 * SHARD), draw_shard(1)
    for place in (0, 5, SHARD - 1):
        prompt = tokenizer.decode(rows[SHARD + place].prompt)
        assert prompt == pairs[place].prompt


def test_each_card_is_of_the_weights_beside_it():
    for card in read_cards():
        assert load_student(card["student"]).fingerprint == card["fingerprint"]


def test_pretraining_is_noted_and_published(few_marks, tmp_path):
    folder = pretrain("ladder-0.3M", 640, SMALL)
    note = pretraining_note(folder)
    assert (
        note["steps"] == 20 and note["losses"][-1]["loss"] < note["losses"][0]["loss"]
    )
    marks = [row["pairs"] for row in note["curve"]]
    assert marks[:: len(pretraining.ASKED)] == [320, 640]
    target = publish(folder, "ladder-0.3M", tmp_path / "published", questions=15)
    student = load_student(str(target))
    assert student.parameters < 4e5
    stored = load_file(target / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
    card = json.loads((target / "card.json").read_text())
    assert card["fingerprint"] == open_student(target, "ladder-0.3M").fingerprint
    assert {row["what"] for row in score_all(student, "dev", 15)} == set(
        pretraining.ASKED
    )
    assert generate(student, ["Q: 1 + 1 =\nA:"], max_new_tokens=4)


def test_a_pretrained_student_reads_on_from_where_it_was(few_marks):
    start = pretrain("ladder-0.3M", 640, SMALL)
    begun = open_student(start, "ladder-0.3M").fingerprint
    before = pretraining_note(start)
    folder = pretrain_further(start, "ladder-0.3M", 1280, 1e-3)
    note = pretraining_note(folder)
    on = {"first": 640, "pairs": 1280, "learning_rate": 1e-3}
    assert before["read_on"] == [] and note["read_on"] == [on]
    assert (note["steps"], note["pairs"]) == (20 + 10, 640 + 1280)
    assert note["seconds"] > before["seconds"] and note["moments_anew"] == [20]
    assert note["recipe"] == before["recipe"]
    for told in ("curve", "losses"):
        steps = [row["step"] for row in note[told]]
        assert steps == sorted(steps) and steps[-1] == 30
        assert note[told][: len(before[told])] == before[told]
    assert note["curve"][-1]["pairs"] == 640 + 1280
    # it knows what it knew: its loss goes on below that of a new one
    assert _losses(note)[len(before["losses"])] < _losses(before)[0]
    assert open_student(start, "ladder-0.3M").fingerprint == begun
    assert pretrain_further(start, "ladder-0.3M", 1280, 1e-3) == folder
    with pytest.raises(UserError, match="expected 128 or more"):
        pretrain_further(start, "ladder-0.3M", 100, 1e-3)


def test_a_published_student_reads_on_and_its_card_tells_all(few_marks, tmp_path):
    start = pretrain("ladder-0.3M", 640, SMALL)
    first = publish(start, "ladder-0.3M", tmp_path / "first", questions=15)
    card = json.loads((first / "card.json").read_text())
    del card["moments_anew"]  # as of those that were published before it was noted
    (first / "card.json").write_text(json.dumps(card))
    folder = pretrain_further(first, "ladder-0.3M", 1280, 1e-3)
    assert pretraining_note(folder)["moments_anew"] == [20]
    second = publish(folder, "ladder-0.3M", tmp_path / "second", questions=15)
    cards = [json.loads((at / "card.json").read_text()) for at in (first, second)]
    assert [card["pairs"] for card in cards] == [640, 640 + 1280]
    assert cards[0]["fingerprint"] != cards[1]["fingerprint"]
    assert cards[1]["fingerprint"] == open_student(second, "ladder-0.3M").fingerprint
    (first / "card.json").unlink()
    with pytest.raises(UserError, match="does not say what its student has read"):
        pretrain_further(first, "ladder-0.3M", 1280, 1e-3)


def test_a_killed_pretraining_goes_on_from_its_last_mark(few_marks):
    """Killed for good once a checkpoint is there: the weights are an unbroken one's."""
    whole = pretrain("ladder-0.3M", 1280, SMALL)
    expected = load_student(str(whole)).model.state_dict()
    os.rename(whole, f"{whole}-unbroken")

    process = multiprocessing.get_context("spawn").Process(target=_pretrain_apart)
    process.start()
    work, deadline = whole.with_name(f"{whole.name}.partial"), time.time() + 90
    while not list(work.glob("checkpoint-*/trainer_state.json")):
        assert process.is_alive() and time.time() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not whole.exists()

    again = pretrain("ladder-0.3M", 1280, SMALL)
    found = load_student(str(again)).model.state_dict()
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-5)
    marks = [row["step"] for row in pretraining_note(again)["curve"]]
    assert sorted(set(marks)) == [10, 20, 30, 40]
    assert len(marks) == 4 * len(pretraining.ASKED)


def _losses(note: dict) -> list[float]:
    return [row["loss"] for row in note["losses"]]


LAUNCHED = """
from cotnb.ladder import pretraining
from cotnb.recipes import Recipe

vars(pretraining).update({few_marks})
pretraining.pretrain("ladder-0.3M", 640, {recipe})
"""


def test_two_launched_processes_pretrain_what_one_does(few_marks, tmp_path):
    alone = pretrain("ladder-0.3M", 640, SMALL)
    apart = Path(shutil.move(alone, f"{alone}-alone"))
    script = tmp_path / "script.py"
    script.write_text(LAUNCHED.format(few_marks=FEW_MARKS, recipe=SMALL))
    words = "-m accelerate.commands.launch --multi_gpu --main_process_port 0"
    subprocess.run(
        [sys.executable, *words.split(), "--num_processes", "2", script],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        check=True,
    )
    one, two = pretraining_note(apart), pretraining_note(alone)
    assert two["processes"] == 2
    assert [row["step"] for row in two["curve"]] == [r["step"] for r in one["curve"]]
    assert _losses(two) == pytest.approx(_losses(one), rel=1e-3)


@pytest.mark.parametrize(
    ("name", "pairs", "message"),
    [("ladder-9M", 640, "ladder-8M"), ("ladder-1M", 3, "expected 32 or more")],
)
def test_a_wrong_call_is_one_line(name, pairs, message):
    with pytest.raises(UserError, match=message):
        pretrain(name, pairs, SMALL)


def test_without_a_compiler_a_pretraining_goes_on_uncompiled(monkeypatch, capsys):
    def fails(function, **_):
        def broken(*_):
            raise RuntimeError("No working C++ compiler found\nmore lines")

        return broken

    monkeypatch.setattr(torch, "compile", fails)
    model = torch.nn.Linear(2, 2)
    pretraining._compile(model)
    assert model._compiled_call_impl is None
    told = capsys.readouterr().out
    assert told == (
        "not compiled, so a quarter slower: No working C++ compiler found\n"
    )


def test_a_compiled_pretraining_learns_what_one_as_written_does(
    few_marks, monkeypatch, capsys
):
    # shallow, and in batches that no text is as long as: compiled once, and soon
    monkeypatch.setitem(LADDER, "ladder-0.3M", Size(64, 1, 1))
    recipe = replace(SMALL, batch_size=20)
    alone = pretrain("ladder-0.3M", 640, recipe)
    apart = Path(shutil.move(alone, f"{alone}-as-written"))
    whole, compiled = torch.nn.Module.compile, []

    def quickly(model, **options):
        compiled.append(model)
        whole(model, backend="aot_eager", **options)  # no kernels are generated

    monkeypatch.setattr(torch.nn.Module, "compile", quickly)
    monkeypatch.setattr(pretraining, "LONG", 1)
    one = pretraining_note(apart)
    two = pretraining_note(pretrain("ladder-0.3M", 640, recipe))
    assert bool(compiled) != ("not compiled" in capsys.readouterr().out)
    assert _losses(two) == pytest.approx(_losses(one), rel=1e-3)
    assert [row["step"] for row in two["curve"]] == [r["step"] for r in one["curve"]]


def test_the_rate_falls_with_the_width_beyond_that_of_the_1m():
    rates = {name: recipe_for(name, seed=3).learning_rate for name in LADDER}
    assert rates["ladder-0.3M"] == rates["ladder-1M"] == RECIPE.learning_rate
    assert rates["ladder-3M"] == pytest.approx(RECIPE.learning_rate * 128 / 192)
    assert rates["ladder-8M"] == pytest.approx(RECIPE.learning_rate / 2)
    assert recipe_for("ladder-8M", seed=3).seed == 3
    with pytest.raises(UserError, match="ladder-8M"):
        recipe_for("ladder-9M")
