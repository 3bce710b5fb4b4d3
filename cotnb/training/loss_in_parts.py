"""A loss summed over tokens, a few rows at a time, its gradient found on the way.

A vocabulary of 50,000 makes logits the largest thing that a step holds. Taken a few
rows at a time they stay in a processor's cache, and neither fp32 logits nor fp32
probabilities are ever whole (as in Liger Kernel, Hsu et al. 2024, for GPUs).
"""

from collections.abc import Callable

import torch

LOGITS_AT_ONCE = {"cpu": 2**21, "cuda": 2**27}  # numbers that are fp32 at one time

Targets = dict[str, torch.Tensor]  # each (tokens, ...)
Part = Callable[[torch.Tensor, Targets, torch.Tensor], torch.Tensor]


def loss_in_parts(logits: torch.Tensor, targets: Targets, part: Part) -> torch.Tensor:
    """The sum of the parts' losses, (), in fp32.

    logits: (tokens, vocabulary), of any precision; their gradient is written over them.
    part: given the logits and the targets of a few rows, and where their gradient goes,
    it returns their loss; it may write the gradient over the logits, which are the
    same memory, once it has read them. The backward pass can be gone through once.
    """
    return _LossInParts.apply(logits, targets, part)


class _LossInParts(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, targets, part):
        gradient = logits.detach()
        loss = logits.new_zeros((), dtype=torch.float32)
        at_once = max(1, LOGITS_AT_ONCE[logits.device.type] // logits.shape[1])
        for begin in range(0, len(logits), at_once):
            rows = slice(begin, begin + at_once)
            own = {name: values[rows] for name, values in targets.items()}
            loss += part(logits[rows], own, gradient[rows])
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx, scale):
        (gradient,) = ctx.saved_tensors
        return gradient.mul_(scale), None, None
