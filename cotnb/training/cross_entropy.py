"""The loss of a tuning: cross-entropy whose gradient is found on the way forwards.

A vocabulary of 50,000 makes logits the largest thing that a step holds. Taken a few
rows at a time they stay in a processor's cache, and neither fp32 logits nor fp32
probabilities are ever whole (as in Liger Kernel, Hsu et al. 2024, for GPUs).
"""

import torch

IGNORED = -100
LOGITS_AT_ONCE = {"cpu": 2**21, "cuda": 2**27}  # numbers that are fp32 at one time


def summed_cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The sum over tokens of their cross-entropy, (), in nats.

    logits: (tokens, vocabulary), of any precision; their gradient is written over them.
    labels: (tokens,), IGNORED where there is none. The backward pass can be gone
    through once.
    """
    return _SummedCrossEntropy.apply(logits, labels)


class _SummedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, labels):
        gradient = logits.detach()
        loss = logits.new_zeros((), dtype=torch.float32)
        rows = max(1, LOGITS_AT_ONCE[logits.device.type] // logits.shape[1])
        for begin in range(0, len(logits), rows):
            part = slice(begin, begin + rows)
            loss += _part(logits[part], labels[part], gradient[part])
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx, scale):
        (gradient,) = ctx.saved_tensors
        return gradient.mul_(scale), None


def _part(logits, labels, gradient):
    """Loss of a few rows, and its gradient: probabilities less one at the label."""
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
