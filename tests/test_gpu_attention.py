"""What a GPU would wait for, counted on a CPU: reads of what a device has computed."""

import traceback
from collections import Counter

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from cotnb import decoding, evaluation
from cotnb.attention.gpu import NAME, never_wait
from cotnb.evaluation import generate
from cotnb.formats import Pair
from cotnb.recipes import Recipe
from cotnb.students import load_student
from cotnb.training import build_trainer
from cotnb.training.batching import encode_pairs, plan_batches

READS = {"_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select"}
# where the Trainer reads once a tuning: its generator's state, and the mean loss
ONCE = {"_finalize_training", "__iter__"}


class Reads(TorchDispatchMode):
    """Counts operations whose outcome the host has to wait for, by who asks."""

    def __init__(self):
        super().__init__()
        self.by = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.overloadpacket.__name__ in READS:
            frames = traceback.extract_stack()[:-1]
            outside = [x for x in frames if "site-packages/torch/" not in x.filename]
            self.by[outside[-1].name] += 1
        return function(*args, **(kwargs or {}))


PAIRS = [Pair("Two and two?", "Four."), Pair("One and one, again?", "Two, I say.")] * 8


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("name", ["toy-t5", "toy-llama"])
def test_no_step_of_a_tuning_waits_for_the_device(name, method, monkeypatch, tmp_path):
    monkeypatch.setattr(
        "cotnb.training.tuning.attend_by_rows", never_wait
    )  # as on a GPU
    student = load_student(name)
    reads = {}
    for steps in (2, 6):
        encoded = encode_pairs(
            student.tokenizer, PAIRS, student.is_encoder_decoder, 512
        )
        plan = plan_batches(encoded, 8, steps / 2, 0, by_length=True)
        recipe = Recipe(method=method, batch_size=8)
        trainer = build_trainer(student, encoded, plan, recipe, tmp_path / str(steps))
        trainer.args.save_strategy = "no"
        trainer.args.logging_steps = trainer.state.logging_steps = 100
        with Reads() as counted:
            trainer.train()
        assert trainer.state.global_step == steps
        reads[steps] = counted.by
        student = load_student(name)
    assert reads[2] == reads[6] and set(reads[6]) <= ONCE


def test_the_count_sees_a_look_at_a_mask():
    """Left to transformers, a T5 looks at its masks in each step."""
    student = load_student("toy-t5")
    tokens = torch.arange(2, 26).view(2, 12)
    asked = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
    for attention, looks in (("sdpa", 2), (NAME, 0)):
        student.model.set_attn_implementation(attention)
        with Reads() as counted:
            student.model(**asked, labels=tokens)
        assert sum(counted.by.values()) == looks


@pytest.mark.parametrize("name", ["toy-t5", "toy-llama"])
def test_asking_waits_only_where_it_looks_which_rows_have_ended(name, monkeypatch):
    monkeypatch.setattr(evaluation, "decode_fast", never_wait)
    prompts = ["One.", "Two and two are", "Three and"]
    with Reads() as counted:
        written = generate(load_student(name), prompts, max_new_tokens=24, batch_size=4)
    longest = max(tokens for _, tokens in written)
    assert 0 < sum(counted.by.values()) <= longest / decoding.LOOK_EVERY + 1
    assert set(counted.by) == {"__call__"}  # of `_Ends`


@pytest.mark.parametrize("name", ["toy-t5", "toy-llama"])
def test_masks_that_are_always_made_change_no_text(name, monkeypatch):
    prompts = ["One.", "Two and two are", "Three and"]
    asked = {"max_new_tokens": 24, "batch_size": 2}
    plain = generate(load_student(name), prompts, **asked)
    monkeypatch.setattr(evaluation, "decode_fast", never_wait)
    assert generate(load_student(name), prompts, **asked) == plain


def test_loss_and_gradients_of_a_t5_do_not_change():
    """Padding among its rows, and rows without any."""
    student = load_student("toy-t5")
    tokens = torch.arange(2, 26).view(2, 12)
    padded = torch.ones_like(tokens)
    padded[1, 8:] = 0
    for mask in (padded, torch.ones_like(tokens)):
        found = []
        for attention in (NAME, "eager"):
            student.model.set_attn_implementation(attention)
            student.model.zero_grad()
            loss = student.model(
                input_ids=tokens, attention_mask=mask, labels=tokens[:, :5].contiguous()
            ).loss
            loss.backward()
            gradients = [p.grad.clone() for p in student.model.parameters()]
            found.append([loss, *gradients])
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other)
