"""The loss of a tuning: cross-entropy, its gradient found on the way forwards."""

import torch

from cotnb.training.loss_in_parts import loss_in_parts

IGNORED = -100


def summed_cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The sum over tokens of their cross-entropy, (), in nats.

    logits: (tokens, vocabulary), of any precision; their gradient is written over them.
    labels: (tokens,), IGNORED where there is none. The backward pass can be gone
    through once.
    """
    return loss_in_parts(logits, {"labels": labels}, _part)


def _part(logits, targets, gradient):
    """Loss of a few rows, and its gradient: probabilities less one at the label."""
    labels = targets["labels"]
    known = labels != IGNORED
    label = labels.clamp(min=0)[:, None]
    shifted = logits.float() - logits.amax(1, keepdim=True)
    wanted = shifted.gather(1, label)[:, 0]
    probabilities = shifted.exp_()
    total = probabilities.sum(1, keepdim=True)
    probabilities /= total
    probabilities.scatter_add_(1, label, torch.full_like(total, -1.0))
    probabilities *= known[:, None]
    gradient.copy_(probabilities)
    return ((total[:, 0].log() - wanted) * known).sum()
