"""Tuning: learns, once a recipe, resumes after a kill, counts targets alone."""

import json
import multiprocessing
import os
import resource
import signal
import time
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoModelForCausalLM, T5Config, T5ForConditionalGeneration
from transformers.activations import GELUTanh, NewGELUActivation

from cotnb.attention.packed import read_packed_rows
from cotnb.errors import UserError
from cotnb.formats import Pair
from cotnb.paths import cache_folder
from cotnb.recipes import Recipe, recipe_hash
from cotnb.students import Student, load_student
from cotnb.training import (
    build_trainer,
    pair_trainer,
    tune,
    tune_in_steps,
    tuning_history,
)
from cotnb.training.batching import PADDED_AT_ONCE, encode_pairs
from cotnb.training.checkpoints import last_checkpoint
from cotnb.training.tuning import DONE, work_folder

PAIRS = [Pair(f"Q: {i}\nA:", f"The answer is {i % 3}.") for i in range(48)]
QUICK = Recipe(epochs=4, learning_rate=3e-3, batch_size=8, precision="fp32")


@pytest.mark.parametrize("name", ["toy-t5", "toy-llama"])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_tuning_learns(name, method):
    recipe = Recipe(**{**vars(QUICK), "method": method})
    student = tune(name, PAIRS, recipe)
    losses = [row["loss"] for row in tuning_history(student)["losses"]]
    assert losses[-1] < 0.95 * losses[0]
    base = load_student(name)
    changed = [
        not torch.equal(a, b)
        for a, b in zip(
            student.model.parameters(), base.model.parameters(), strict=True
        )
    ]
    assert any(changed)


def test_the_trainer_is_given_the_recipe(tmp_path):
    recipe = replace(
        QUICK, weight_decay=0.3, clip=0.5, warmup_ratio=0.5, learning_rate=1e-4
    )
    plan = [[0]] * 10
    given = build_trainer(load_student("toy-t5"), [], plan, recipe, tmp_path).args
    assert (given.weight_decay, given.max_grad_norm) == (0.3, 0.5)
    assert (given.learning_rate, given.warmup_steps, given.max_steps) == (1e-4, 5, 10)
    assert given.lr_scheduler_type == "linear"


@pytest.mark.parametrize("name", ["toy-t5", "toy-llama"])
def test_loss_and_gradients_are_those_of_rows_alone(name, monkeypatch):
    """Against transformers' own loss on unpadded rows, one after the other."""
    # in parts, a decoder's rows and an encoder's
    monkeypatch.setattr("cotnb.training.batching.TOKENS_AT_ONCE", 50)
    monkeypatch.setitem(PADDED_AT_ONCE, "cpu", 96)
    student = load_student(name)
    rows = encode_pairs(
        student.tokenizer,
        [Pair(f"Q: {'9' * i}\nA:", "7" * (7 - i) + ".") for i in range(1, 6)],
        student.is_encoder_decoder,
        max_length=99,
    )
    summed = sum(_loss_alone(student, row) * len(row.target) for row in rows)
    expected = summed / sum(len(row.target) for row in rows)
    expected.backward()
    gradients = [p.grad.clone() for p in student.model.parameters()]
    student.model.zero_grad()

    trainer = build_trainer(
        student, rows, [[*range(5)]], QUICK, cache_folder() / "none"
    )
    trainer.current_gradient_accumulation_steps = 1
    step = trainer._collate(rows)
    assert len(step["parts"]) == 2
    loss = trainer.training_step(student.model, step)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)
    for p, gradient in zip(student.model.parameters(), gradients, strict=True):
        torch.testing.assert_close(p.grad, gradient, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("name", ["toy-t5", "toy-llama"])
def test_in_half_precision_weights_are_cast_once_and_logits_stay_half(
    name, monkeypatch
):
    """And gradients of a step of several parts are those of the same step in one."""
    found, casts, dtypes, loss = [], [], set(), pair_trainer.summed_cross_entropy
    monkeypatch.setattr(
        pair_trainer,
        "summed_cross_entropy",
        lambda logits, labels: dtypes.add(logits.dtype) or loss(logits, labels),
    )
    monkeypatch.setattr("cotnb.precision.multiplies_halves", lambda device_type: True)
    half = replace(QUICK, precision="bf16")
    for at_once in (10**6, 40):
        student = load_student(name)
        monkeypatch.setenv("COTNB_TOKENS_AT_ONCE", str(at_once))
        rows = encode_pairs(
            student.tokenizer, PAIRS[:8], student.is_encoder_decoder, 64
        )
        trainer = build_trainer(
            student, rows, [[*range(8)]], half, cache_folder() / "none"
        )
        trainer.current_gradient_accumulation_steps = 1
        step = trainer._collate(rows)
        assert (len(step["parts"]) == 1) == (at_once > 40)
        with _Casts({p.data_ptr() for p in student.model.parameters()}) as counted:
            trainer.training_step(student.model, step)
        casts.append(counted.count)
        found.append([p.grad.clone() for p in student.model.parameters()])
        trainer.train()
    assert dtypes == {torch.bfloat16}
    assert 0 < casts[0] == casts[1] <= len(found[0])
    for one, several in zip(*found, strict=True):
        assert (one - several).norm() <= 0.01 * one.norm()


class _Casts(TorchDispatchMode):
    """Counts how often one of these tensors is copied to another precision."""

    def __init__(self, addresses):
        super().__init__()
        self.addresses, self.count = addresses, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten._to_copy.default:
            self.count += args[0].data_ptr() in self.addresses
        return function(*args, **(kwargs or {}))


def _loss_alone(student, row):
    prompt, target = torch.tensor([row.prompt]), torch.tensor([row.target])
    if student.is_encoder_decoder:
        return student.model(input_ids=prompt, labels=target).loss
    labels = torch.cat([torch.full_like(prompt, -100), target], 1)
    whole = torch.cat([prompt, target], 1)
    return student.model(input_ids=whole, labels=labels).loss


def test_t5s_activation_is_one_kernel_with_the_same_values(tmp_path):
    config = T5Config(
        vocab_size=300, d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4,
        feed_forward_proj="gated-gelu", decoder_start_token_id=0,
    )  # fmt: skip
    model = T5ForConditionalGeneration(config).eval()
    given = {"input_ids": torch.tensor([[5, 9, 1]]), "labels": torch.tensor([[7, 1]])}
    expected = model(**given).logits
    tokenizer = load_student("toy-t5").tokenizer
    trainer = build_trainer(
        Student("t5", model, tokenizer, ""), [], [], QUICK, tmp_path
    )
    kinds = {type(module) for module in trainer.model.modules()}
    assert GELUTanh in kinds and NewGELUActivation not in kinds
    found = trainer.model.eval()(**given).logits
    assert torch.allclose(found, expected, atol=1e-5)


def test_a_family_with_an_attention_of_its_own_is_refused():
    student = load_student("toy-llama")
    student.model.config.sliding_window = 64
    with pytest.raises(UserError, match="cannot be tuned on packed rows"):
        read_packed_rows(student.model)


def test_the_same_recipe_is_trained_once_and_gives_the_same_weights():
    first = tune("toy-t5", PAIRS, QUICK)
    done = cache_folder() / "students" / first.fingerprint / DONE
    written = done.stat().st_mtime_ns
    again = tune("toy-t5", PAIRS, QUICK)
    assert done.stat().st_mtime_ns == written
    for a, b in zip(first.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_whatever_changes_a_student_changes_its_name():
    names = {
        recipe_hash("a", PAIRS, QUICK),
        recipe_hash("b", PAIRS, QUICK),
        recipe_hash("a", PAIRS[1:], QUICK),
        recipe_hash("a", [Pair(PAIRS[0].prompt, "x"), *PAIRS[1:]], QUICK),
        recipe_hash("a", PAIRS, Recipe(**{**vars(QUICK), "seed": 1})),
        recipe_hash("a", PAIRS, Recipe(**{**vars(QUICK), "epochs": 5})),
    }
    assert len(names) == 6
    as_float = Recipe(**{**vars(QUICK), "epochs": 4.0})
    assert recipe_hash("a", PAIRS, as_float) == recipe_hash("a", PAIRS, QUICK)
    other_rank = Recipe(**{**vars(QUICK), "lora_rank": 4})
    assert recipe_hash("a", PAIRS, other_rank) == recipe_hash("a", PAIRS, QUICK)


def _tune_slowly(epochs: int) -> None:
    tune("toy-t5", PAIRS, Recipe(**{**vars(QUICK), "epochs": epochs, "seed": 7}))


def _start(epochs: int) -> multiprocessing.Process:
    process = multiprocessing.get_context("spawn").Process(
        target=_tune_slowly, args=(epochs,)
    )
    process.start()
    return process


def test_a_killed_tuning_goes_on_from_its_checkpoint():
    recipe = Recipe(**{**vars(QUICK), "epochs": 60, "seed": 7})
    base = load_student("toy-t5")
    name = recipe_hash(base.fingerprint, PAIRS, recipe)
    work = cache_folder() / "students" / f"{name}.partial"
    process = _start(60)
    deadline = time.time() + 60
    while not list(work.glob("checkpoint-*/trainer_state.json")):
        assert process.is_alive() and time.time() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not (work.parent / name / DONE).exists()
    resumed = tune("toy-t5", PAIRS, recipe)
    history = tuning_history(resumed)
    assert history["steps"] == 60 * 6 and not work.exists()
    os.rename(work.parent / name, work.parent / "resumed")
    whole = tune("toy-t5", PAIRS, recipe)
    for a, b in zip(resumed.model.parameters(), whole.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("student", "method"),
    [("toy-t5", "full"), ("toy-t5", "lora"), ("toy-llama", "full")],
)
def test_students_on_the_way_are_kept_and_the_last_is_the_tuned_one(student, method):
    recipe = replace(QUICK, method=method, seed=5)
    on_the_way = list(tune_in_steps(student, PAIRS, recipe, 4))
    assert [step for step, _ in on_the_way] == [6, 12, 18, 24]
    weights = [one.model.state_dict() for _, one in on_the_way]
    expected = tune(student, PAIRS, recipe).model.state_dict()
    assert all(torch.equal(weights[-1][name], expected[name]) for name in expected)
    name = max(expected, key=lambda key: (weights[0][key] - expected[key]).abs().max())
    gaps = [(w[name] - expected[name]).abs().max().item() for w in weights]
    assert gaps == sorted(gaps, reverse=True) and gaps[-2] > 0
    assert len({one.fingerprint for _, one in on_the_way}) == 4
    with pytest.raises(UserError, match="0 checkpoints: expected 1 or more"):
        list(tune_in_steps(student, PAIRS, recipe, 0))
    with pytest.raises(UserError, match="25 checkpoints of a tuning of 24 steps"):
        next(tune_in_steps(student, PAIRS, recipe, 25))


@pytest.mark.parametrize("name", ["toy-t5", "toy-llama"])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_second_stage_goes_on_from_the_first(name, method):
    recipe = replace(QUICK, method=method, seed=3)
    first = tune(name, PAIRS[:24], recipe)
    before = {key: value.clone() for key, value in first.model.state_dict().items()}
    second = tune(first, PAIRS[24:], recipe)
    assert second.name == name and second.model is not first.model
    assert second.fingerprint == recipe_hash(first.fingerprint, PAIRS[24:], recipe)
    after = first.model.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)

    folder = cache_folder() / "written" / first.fingerprint
    first.model.save_pretrained(folder)
    first.tokenizer.save_pretrained(folder)
    expected = tune(str(folder), PAIRS[24:], recipe).model.state_dict()
    found = second.model.state_dict()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    again = tune(first, PAIRS[24:], recipe).model.state_dict()
    assert all(torch.equal(again[key], expected[key]) for key in expected)


def test_a_second_stage_on_the_way_ends_as_the_whole_one():
    first = tune("toy-t5", PAIRS[:24], QUICK)
    [*_, (step, last)] = tune_in_steps(first, PAIRS[24:], QUICK, 3)
    expected = tune(first, PAIRS[24:], QUICK).model.state_dict()
    found = last.model.state_dict()
    assert step == 12 and all(torch.equal(found[k], expected[k]) for k in expected)


def test_two_at_once_train_once():
    both = [_start(8), _start(8)]
    for process in both:
        process.join(120)
        assert process.exitcode == 0
    recipe = Recipe(**{**vars(QUICK), "epochs": 8, "seed": 7})
    student = tune("toy-t5", PAIRS, recipe)
    assert tuning_history(student)["steps"] == 48


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "lore"}, "method='lore': expected one of"),
        ({"epochs": 0}, r"epochs=0\.0: expected above 0"),
        ({"precision": "int8"}, "precision='int8'"),
        ({"warmup_ratio": 1.5}, "warmup_ratio=1.5"),
        ({"batch_size": 16.0}, "batch_size=16.0: expected a whole number"),
        ({"max_length": 0}, "max_length=0: expected above 0"),
        ({"weight_decay": float("nan")}, "weight_decay=nan: expected 0 or above"),
        ({"seed": 0.5}, "seed=0.5: expected 0 up to"),
    ],
)
def test_a_bad_recipe_is_refused(change, message):
    with pytest.raises(UserError, match=message):
        Recipe(**change)


def test_no_pairs_and_long_pairs_are_named():
    with pytest.raises(UserError, match="no pairs to tune on"):
        tune("toy-t5", [], QUICK)
    long = Recipe(**{**vars(QUICK), "max_length": 12})
    with pytest.raises(UserError, match=r"pair 0: .* max_length is 12"):
        tune("toy-t5", PAIRS, long)


def test_as_many_tokens_as_there_may_be_are_read_and_one_more_is_not():
    tokenizer, [pair, *_] = load_student("toy-t5").tokenizer, PAIRS
    [row] = encode_pairs(tokenizer, [pair], True, 1000)
    longest = max(len(row.prompt), len(row.target))
    assert encode_pairs(tokenizer, [pair], True, longest) == [row]
    with pytest.raises(UserError, match=f"max_length is {longest - 1}"):
        encode_pairs(tokenizer, [pair], True, longest - 1)
    both = Pair("a", "b" * (longest - 1))  # with its end mark
    assert encode_pairs(tokenizer, [both], True, longest)
    with pytest.raises(UserError, match="max_length"):
        encode_pairs(tokenizer, [Pair("a", "b" * longest)], True, longest)


def test_a_pair_that_a_decoder_has_no_room_for_is_named():
    student = load_student("toy-llama")
    student.model.config.max_position_embeddings = 20
    with pytest.raises(UserError, match="has room for 20 tokens, not for a prompt of"):
        tune(student, PAIRS, replace(QUICK, seed=20))


def test_an_unknown_student_is_one_line():
    with pytest.raises(UserError, match="student 'toy-t6': neither a folder") as caught:
        load_student("toy-t6")
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_one_line_and_loses_no_checkpoint(monkeypatch):
    recipe = Recipe(**{**vars(QUICK), "seed": 11})

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("cotnb.training.tuning.os.replace", full)
        with pytest.raises(UserError, match=r"No space left on device.*make room"):
            tune("toy-t5", PAIRS, recipe)
    assert tuning_history(tune("toy-t5", PAIRS, recipe))["steps"] == 24


def test_a_file_that_grows_no_further_is_one_line_and_the_same_call_goes_on():
    recipe = Recipe(**{**vars(QUICK), "seed": 12})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        with pytest.raises(UserError, match=r"could not be written .*make room"):
            tune("toy-t5", PAIRS, recipe)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert tuning_history(tune("toy-t5", PAIRS, recipe))["steps"] == 24


def test_what_a_kill_right_after_the_end_has_left_is_cleared():
    recipe = Recipe(**{**vars(QUICK), "seed": 13})
    folder = cache_folder() / "students" / tune("toy-t5", PAIRS, recipe).fingerprint
    left = work_folder(folder)
    left.mkdir()
    (left / "file").touch()
    tune("toy-t5", PAIRS, recipe)
    assert not left.exists() and (folder / DONE).is_file()


@pytest.mark.parametrize("state", [None, "", "{", '{"global_step": 19}'])
def test_a_checkpoint_that_was_cut_short_is_passed_over(tmp_path, state):
    for step in (9, 10, 20):
        (tmp_path / f"checkpoint-{step}").mkdir()
    assert last_checkpoint(tmp_path) is None
    for step in (9, 10):
        text = json.dumps({"global_step": step})
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(text)
    if state is not None:
        (tmp_path / "checkpoint-20" / "trainer_state.json").write_text(state)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    assert last_checkpoint(tmp_path / "missing") is None


def test_a_kill_within_the_first_checkpoint_begins_anew():
    recipe = Recipe(**{**vars(QUICK), "seed": 13})
    name = recipe_hash(load_student("toy-t5").fingerprint, PAIRS, recipe)
    cut = cache_folder() / "students" / f"{name}.partial" / "checkpoint-10"
    cut.mkdir(parents=True)
    (cut / "model.safetensors").write_bytes(b"cut short")
    assert tuning_history(tune("toy-t5", PAIRS, recipe))["steps"] == 24
    assert not cut.parent.exists()


def test_a_tuned_student_opens_with_transformers_alone():
    student = tune("toy-llama", PAIRS, QUICK)
    folder = cache_folder() / "students" / student.fingerprint
    opened = AutoModelForCausalLM.from_pretrained(folder)
    for a, b in zip(opened.parameters(), student.model.parameters(), strict=True):
        assert torch.equal(a, b)
