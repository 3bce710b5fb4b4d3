"""Families of decoders that cannot be asked or tuned here are refused in one line."""

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma2Config, GPTNeoConfig, Lfm2Config

from cotnb.attention.decoding import decode_fast
from cotnb.attention.families import refuse_other_memories
from cotnb.attention.packed import read_packed_rows
from cotnb.errors import UserError
from cotnb.evaluation import generate
from cotnb.students import load_student

SMALL = {"vocab_size": 40, "hidden_size": 16, "num_attention_heads": 2}


def lfm2():
    config = Lfm2Config(
        **SMALL,
        intermediate_size=16,
        num_hidden_layers=2,
        num_key_value_heads=2,
        layer_types=["conv", "full_attention"],
    )
    return AutoModelForCausalLM.from_config(config)


def gpt_neo():
    config = GPTNeoConfig(
        vocab_size=40,
        hidden_size=16,
        num_heads=2,
        num_layers=2,
        attention_types=[[["global", "local"], 1]],
    )
    return AutoModelForCausalLM.from_config(config)


@pytest.mark.parametrize("make", [lfm2, gpt_neo])
def test_what_remembers_otherwise_is_neither_asked_nor_tuned(make):
    student = load_student("toy-llama")
    student.model = make()
    for refused in (
        lambda: refuse_other_memories(student.model),
        lambda: read_packed_rows(student.model),
        lambda: generate(student, ["Q: 1\nA:"], max_new_tokens=2),
    ):
        with pytest.raises(UserError, match="neither asked nor tuned here") as told:
            refused()
        assert "\n" not in str(told.value)


def test_plain_decoders_are_not_refused():
    refuse_other_memories(load_student("toy-llama").model)


def test_a_family_that_sdpa_cannot_serve_attends_in_its_own_way():
    """Gemma 2 caps its scores, which SDPA cannot."""
    config = Gemma2Config(
        **SMALL,
        intermediate_size=16,
        num_hidden_layers=2,
        num_key_value_heads=1,
        head_dim=8,
        sliding_window=8,
    )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    tokens = torch.arange(12)[None]
    expected = model(tokens).logits
    decode_fast(model)
    torch.testing.assert_close(model(tokens).logits, expected)
