"""The loss of distribution matching: a divergence from a teacher's probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from cotnb.training.cross_entropy import IGNORED
from cotnb.training.loss_in_parts import loss_in_parts


@dataclass(frozen=True)
class Soft:
    """What a student is to learn at each target token: probabilities, most of them one.

    ids: (targets, k), the tokens that have their own. above: (targets, k), how far each
    lies above `rest`, 0 for an id that only fills the row. rest: (targets,), of every
    token of the vocabulary else. entropy: (targets,), of it all, in nats. temperature:
    (targets,), at which a student's probabilities are compared with these.
    """

    ids: np.ndarray
    above: np.ndarray
    rest: np.ndarray
    entropy: np.ndarray
    temperature: np.ndarray

    def __len__(self) -> int:
        return len(self.rest)


def lay_out(rows: Sequence[Soft], labels: torch.Tensor) -> dict[str, torch.Tensor]:
    """The rows' fields as tensors, (tokens, ...), as a batch's labels lie.

    labels: of any shape, IGNORED where there is none; there nothing is to be learnt.
    """
    known = (labels.flatten() != IGNORED).numpy()
    most = max(row.ids.shape[1] for row in rows)
    laid = {}
    for field, filler in (
        ("ids", 0), ("above", 0), ("rest", 0), ("entropy", 0), ("temperature", 1),
    ):  # fmt: skip
        own = [getattr(row, field) for row in rows]
        if own[0].ndim == 2:
            own = [np.pad(x, ((0, 0), (0, most - x.shape[1]))) for x in own]
        values = np.concatenate(own)
        whole = np.full((len(known), *values.shape[1:]), filler, values.dtype)
        whole[known] = values
        laid[field] = torch.as_tensor(whole)
    return laid


def summed_divergence(
    logits: torch.Tensor, soft: dict[str, torch.Tensor]
) -> torch.Tensor:
    """The sum over tokens of T^2 KL(teacher || student), (), in nats.

    logits: (tokens, vocabulary), of any precision; their gradient is written over them.
    soft: as `lay_out` gives it. A student's probabilities are softmax(logits / T), and
    T^2 keeps gradients alike (Hinton et al. 2015). Where all of the probability is one
    token's, this is its cross-entropy. The backward pass can be gone through once.
    """
    return loss_in_parts(logits, soft, _part)


def _part(logits, soft, gradient):
    """Divergence of a few rows, and its gradient: T (mass student - teacher)."""
    heat, rest = soft["temperature"], soft["rest"]
    scaled = logits.float() / heat[:, None]
    scaled -= scaled.amax(1, keepdim=True)
    learnt = (soft["above"] * scaled.gather(1, soft["ids"])).sum(1)
    learnt += rest * scaled.sum(1)
    mass = soft["above"].sum(1) + rest * scaled.shape[1]
    student = scaled.exp_()
    total = student.sum(1)
    student *= (mass / total)[:, None]
    student -= rest[:, None]
    student.scatter_add_(1, soft["ids"], -soft["above"])
    gradient.copy_(student.mul_(heat[:, None]))
    divergence = mass * total.log() - learnt - soft["entropy"]
    return (heat.square() * divergence).sum()
