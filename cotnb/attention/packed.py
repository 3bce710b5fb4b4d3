"""Rows of a decoder-only student laid end to end: no padding outside attention.

A model that reads (1, tokens) spends nothing on padding in its matrix products, which
are nearly all of its work. Attention alone needs rows apart: it takes them out of the
line into (rows, longest), and puts what it finds back. A row's tokens look back only,
so what fills its end is never seen and no mask of padding is needed.
"""

import torch
import torch.nn.functional as F
from transformers import AttentionInterface, PreTrainedModel

from cotnb.attention.families import refuse_other_memories
from cotnb.errors import UserError

NAME = "cotnb_packed"
PECULIAR = ("softcap", "s_aux")  # what some families ask of attention


def read_packed_rows(model: PreTrainedModel) -> None:
    """Have a model's attention read packed rows, as `pack_pairs` lays them out.

    Raises UserError where the model's family has an attention of its own.
    """
    refuse_other_memories(model)
    window = getattr(model.config, "sliding_window", None)
    if not model._supports_attention_backend or window:
        raise UserError(
            f"{model.config.model_type}: students of this family cannot be tuned on "
            "packed rows; choose a plain decoder such as Llama, Qwen2 or SmolLM2"
        )
    model.set_attn_implementation(NAME)


def packed_attention(
    module,
    query,
    key,
    value,
    attention_mask,
    *,
    scaling: float,
    rows,
    places,
    dropout: float = 0.0,
    **asked,
):
    """Causal attention within each row of a packed line.

    query: (1, heads, tokens, width); key and value: with as many heads or a divisor.
    rows: (rows, longest), where in the line each row's tokens are. places: (tokens,),
    where in the flattened rows each token of the line is. Returns the attended values,
    (1, tokens, heads, width), and no weights.
    """
    if refused := [name for name in PECULIAR if asked.get(name) is not None]:
        raise UserError(f"attention with {', '.join(refused)} cannot read packed rows")
    groups = query.shape[1] // key.shape[1]
    query, key, value = (_apart(x, rows) for x in (query, key, value))
    key, value = (x.repeat_interleave(groups, 1) for x in (key, value))
    if query.is_cuda:
        found = F.scaled_dot_product_attention(
            query, key, value, dropout_p=dropout, is_causal=True, scale=scaling
        )
    else:
        found = _explicit(query, key, value, scaling, dropout)
    together = found.transpose(1, 2).flatten(0, 1)
    return together.index_select(0, places)[None], None


def _apart(line, rows):
    """(1, heads, tokens, width) to (rows, heads, longest, width)."""
    tokens = line[0].transpose(0, 1).flatten(1)
    taken = tokens.index_select(0, rows.flatten())
    return taken.view(*rows.shape, line.shape[1], line.shape[3]).transpose(1, 2)


def _explicit(query, key, value, scaling: float, dropout: float):
    """Written out: on rows this short a CPU does it three times faster than SDPA."""
    batch, heads, length, width = query.shape
    query, key, value = (x.reshape(-1, length, width) for x in (query, key, value))
    later = query.new_full((length, length), -torch.inf).triu_(1)
    weights = torch.baddbmm(later, query, key.transpose(1, 2), alpha=scaling)
    weights = F.dropout(weights.softmax(-1), dropout)
    return torch.bmm(weights, value).view(batch, heads, length, width)


# no mask is registered: transformers then makes none, nor looks for packed rows
AttentionInterface.register(NAME, packed_attention)
