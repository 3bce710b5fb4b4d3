"""Attention a few rows at a time: the same values and gradients as written out."""

import pytest
import torch
from transformers.models.t5.modeling_t5 import eager_attention_forward

from cotnb.attention import rows as row_attention
from cotnb.students import load_student


class Module:
    training = True


def attend(function, dtype=torch.float32, mask=True, queries=7, scaling=1.0):
    """The attended values and the gradients of query, key, value and position bias."""
    told = torch.Generator().manual_seed(0)
    shapes = [(3, 2, n, 4) for n in (queries, 9, 9)] + [(1, 2, queries, 9)]
    given = [torch.randn(shape, generator=told) for shape in shapes]
    given = [x.to(dtype).requires_grad_() for x in given[:3]] + [
        given[3].requires_grad_()
    ]
    hidden = torch.zeros(3, 1, 1, 9)
    hidden[1:, :, :, -2:] = torch.finfo(torch.float32).min
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        found, _ = function(
            Module(),
            *given[:3],
            hidden if mask else None,
            scaling=scaling,
            position_bias=given[3],
        )
    found.float().square().sum().backward()
    return [found, *(x.grad for x in given)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.parametrize(("queries", "scaling"), [(9, 1.0), (4, 0.5)])
@pytest.mark.parametrize("rows", [1, 2, 3])
def test_values_and_gradients_are_those_written_out(
    dtype, mask, queries, scaling, rows, monkeypatch
):
    monkeypatch.setattr(row_attention, "LARGE", 0)
    monkeypatch.setattr(row_attention, "AT_ONCE", rows * 2 * queries * 9 + 1)
    parts = list(row_attention._parts(torch.empty(3, 2, queries, 9)))
    assert len(parts) == -(-3 // rows)
    asked = {"dtype": dtype, "mask": mask, "queries": queries, "scaling": scaling}
    ours = attend(row_attention.row_attention, **asked)
    theirs = attend(eager_attention_forward, **asked)
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == other.dtype and one.shape == other.shape
        torch.testing.assert_close(one, other)


def test_short_rows_and_dropout_are_left_to_transformers(monkeypatch):
    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr(row_attention._RowAttention, "apply", refuse)
    attend(row_attention.row_attention)
    monkeypatch.setattr(row_attention, "LARGE", 0)
    with pytest.raises(AssertionError):
        attend(row_attention.row_attention)
    attend(lambda *a, **k: row_attention.row_attention(*a, **k, dropout=0.1))


def test_a_t5s_loss_and_gradients_do_not_change(monkeypatch):
    """Encoder, decoder and what the one reads of the other, padding among it."""
    student, found = load_student("toy-t5"), {}
    tokens = torch.arange(2, 26).view(2, 12) % len(student.tokenizer)
    mask = torch.ones_like(tokens)
    mask[1, 8:] = 0
    for name, large in (("rows", 0), ("written out", 2**40)):
        monkeypatch.setattr(row_attention, "LARGE", large)
        row_attention.attend_by_rows(student.model)
        assert student.model.config._attn_implementation == row_attention.NAME
        student.model.zero_grad()
        loss = student.model(
            input_ids=tokens, attention_mask=mask, labels=tokens[:, :5].contiguous()
        ).loss
        loss.backward()
        gradients = [p.grad.clone() for p in student.model.parameters()]
        found[name] = [loss, *gradients]
    for one, other in zip(*found.values(), strict=True):
        torch.testing.assert_close(one, other)
