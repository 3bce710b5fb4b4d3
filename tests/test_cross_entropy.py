"""Cross-entropy in pieces: the loss and the gradient of torch's own."""

import pytest
import torch
import torch.nn.functional as F

from cotnb.training.cross_entropy import IGNORED, summed_cross_entropy


@pytest.mark.parametrize("at_once", [1, 13 * 3, 2**20])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_loss_and_gradient_are_those_of_torch(at_once, dtype, monkeypatch):
    """Row by row, in uneven pieces, all at once; with labels that do not count."""
    monkeypatch.setattr("cotnb.training.loss_in_parts.LOGITS_AT_ONCE", {"cpu": at_once})
    generator = torch.Generator().manual_seed(0)
    logits = 30 * torch.randn(8, 13, generator=generator)
    labels = torch.tensor([0, 12, IGNORED, 5, 5, IGNORED, 7, 1])

    ours = logits.to(dtype).requires_grad_()
    found = summed_cross_entropy(ours * 1, labels)  # a leaf must not be overwritten
    (found / 6).backward()
    theirs = logits.to(dtype).float().requires_grad_()
    expected = F.cross_entropy(theirs, labels, ignore_index=IGNORED, reduction="sum")
    (expected / 6).backward()

    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    precision = 1e-7 if dtype == torch.float32 else 2**-8
    assert torch.allclose(ours.grad.float(), theirs.grad, atol=precision)
    assert not ours.grad[labels == IGNORED].any()
