"""Half precision where a device multiplies in halves, fp32 where it does not."""

from dataclasses import replace

import pytest
import torch

from cotnb import precision
from cotnb.evaluation import generate
from cotnb.formats import Pair
from cotnb.precision import computed_in
from cotnb.recipes import Recipe
from cotnb.students import load_student
from cotnb.training import tune, tuning_history

CPU = torch.device("cpu")
PAIRS = [Pair(f"Q: {n}+1\nA:", f"{n + 1}.") for n in range(8)]
QUICK = Recipe(epochs=1, batch_size=4, learning_rate=1e-3)


@pytest.fixture
def no_halves(monkeypatch):
    monkeypatch.setattr(precision, "multiplies_halves", lambda device_type: False)


def test_halves_are_fp32_where_a_device_does_not_multiply_them(no_halves):
    assert computed_in("bf16", CPU) == computed_in("fp32", CPU) == "fp32"


def test_halves_are_halves_where_it_does(monkeypatch):
    monkeypatch.setattr(precision, "multiplies_halves", lambda device_type: True)
    assert computed_in("bf16", CPU) == "bf16"
    assert computed_in("fp32", CPU) == "fp32"


def test_a_processor_without_avx_512_does_not():
    """On x86; others are taken at oneDNN's word."""
    if not torch.cpu.get_capabilities().get("avx2"):
        pytest.skip("no x86 processor with AVX2")
    wide = torch.cpu.get_capabilities()["avx512_bw"]
    assert precision.multiplies_halves("cpu") == wide


@pytest.mark.parametrize("method", ["full", "lora"])
def test_there_a_tuning_in_halves_is_the_one_in_fp32(no_halves, method):
    """It is computed in fp32, and the same student is not trained a second time."""
    half, full = (
        tune("toy-llama", PAIRS, replace(QUICK, method=method, precision=asked))
        for asked in ("bf16", "fp32")
    )
    assert tuning_history(half)["computed_in"] == "fp32"
    assert half.fingerprint == full.fingerprint
    assert {p.dtype for p in half.model.parameters()} == {torch.float32}


def test_there_texts_in_halves_are_those_in_fp32(no_halves):
    student = load_student("toy-llama")
    prompts = [pair.prompt for pair in PAIRS]
    half, full = (
        generate(student, prompts, max_new_tokens=8, precision=asked)
        for asked in ("bf16", "fp32")
    )
    assert half == full
