"""An encoder-decoder's attention on a CPU, a few rows at a time where it is large.

Scores of all rows at once, (rows, heads, tokens, tokens), are larger than a core's
cache, and every step of their way, the position bias, the mask, the softmax, reads and
writes them whole. Those of a few rows fit. The mathematics is that of attention written
out; the backward pass makes the weights again rather than keep them.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import eager_mask
from transformers.models.t5.modeling_t5 import eager_attention_forward

NAME = "cotnb_rows"
LARGE = 5 * 2**20  # scores from which on rows are taken in parts
AT_ONCE = 2**20  # scores of a part


def attend_by_rows(model: PreTrainedModel) -> None:
    """Have a T5 attend as `row_attention` does; another family as it is written out."""
    model.set_attn_implementation(NAME if model.config.model_type == "t5" else "eager")


def row_attention(
    module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    dropout: float = 0.0,
    position_bias: Tensor,
    **given,
):
    """T5's attention with its position bias.

    query: (rows, heads, queries, width). key and value: (rows, heads, tokens, width).
    attention_mask: added to scores, (rows, 1, queries or 1, tokens), or None.
    position_bias: (1, heads, queries, tokens). Returns the attended values, (rows,
    queries, heads, width), and no weights; short rows and dropout are left to
    transformers.
    """
    rows, heads, queries, _ = query.shape
    if dropout or rows * heads * queries * key.shape[2] < LARGE:
        return eager_attention_forward(
            module,
            query,
            key,
            value,
            attention_mask,
            scaling=scaling,
            dropout=dropout,
            position_bias=position_bias,
        )
    if attention_mask is None:
        attention_mask = query.new_zeros(rows, 1, 1, 1)
    attention_mask = attention_mask.expand(rows, -1, -1, -1)
    found = _RowAttention.apply(
        query, key, value, position_bias, attention_mask, scaling
    )
    return found.transpose(1, 2).contiguous(), None


class _RowAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query, key, value, bias, mask, scaling):
        scores = query.new_empty(*query.shape[:3], key.shape[2])
        found = query.new_empty(query.shape)
        for some in _parts(scores):
            torch.matmul(query[some], key[some].transpose(2, 3), out=scores[some])
            weights = _weights(scores[some], bias, mask[some], scaling)
            torch.matmul(weights.to(value.dtype), value[some], out=found[some])
        ctx.save_for_backward(query, key, value, bias, mask, scores)
        ctx.scaling = scaling
        return found

    @staticmethod
    def backward(ctx, gradient):
        query, key, value, bias, mask, scores = ctx.saved_tensors
        of_query, of_key, of_value = (x.new_empty(x.shape) for x in (query, key, value))
        of_bias = torch.zeros_like(bias) if ctx.needs_input_grad[3] else None
        for some in _parts(scores):
            weights = _weights(scores[some], bias, mask[some], ctx.scaling)
            told, low = gradient[some].contiguous(), weights.to(value.dtype)
            torch.matmul(low.transpose(2, 3), told, out=of_value[some])
            of_weights = (told @ value[some].transpose(2, 3)).to(weights.dtype)
            of_scores = torch._softmax_backward_data(
                of_weights, weights, -1, weights.dtype
            )
            if of_bias is not None:
                of_bias += of_scores.sum(0, keepdim=True)
            low = of_scores.to(query.dtype)
            if ctx.scaling != 1.0:
                low *= ctx.scaling
            torch.matmul(low, key[some], out=of_query[some])
            torch.matmul(low.transpose(2, 3), query[some], out=of_key[some])
        return of_query, of_key, of_value, of_bias, None, None


def _parts(scores: Tensor) -> Iterator[slice]:
    """The rows of scores, as many at once as `AT_ONCE` allows, one or more."""
    rows, size = scores.shape[0], max(1, AT_ONCE // scores[0].numel())
    return (slice(first, first + size) for first in range(0, rows, size))


def _weights(scores: Tensor, bias: Tensor, mask: Tensor, scaling: float) -> Tensor:
    """(rows, heads, queries, tokens), in single precision or better."""
    if scaling != 1.0:
        scores = scores * scaling
    # cast first: a CPU adds tensors of two precisions several times as slowly
    scores = scores.to(torch.promote_types(bias.dtype, torch.float32))
    scores = scores + bias
    if mask.any():
        scores += mask
    return scores.softmax(-1)


AttentionInterface.register(NAME, row_attention)
AttentionMaskInterface.register(NAME, eager_mask)
