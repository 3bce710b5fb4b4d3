"""Attention for decoding, on a CPU written out: SDPA is slow on so few queries."""

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from cotnb.attention.gpu import never_wait
from cotnb.attention.packed import PECULIAR

NAME = "cotnb_decoding"
WRITTEN_OUT = 512  # tokens of a prompt up to which its attention is written out


def decode_fast(model: PreTrainedModel) -> None:
    """Have a model attend as `decoding_attention` does, or on a GPU as `never_wait` has

    it, where it can; an encoder-decoder on a CPU stays as it is, and so does a family
    that SDPA, which longer prompts are left to, cannot serve.
    """
    able = model._supports_attention_backend and model._supports_sdpa
    if model.device.type != "cpu":
        never_wait(model)
    elif able and not model.config.is_encoder_decoder:
        model.set_attn_implementation(NAME)


def decoding_attention(module, query, key, value, attention_mask, **given):
    """Attention of one new token or a short prompt, written out; else by SDPA.

    query: (rows, heads, new, width). key and value: (rows, key heads, tokens, width).
    attention_mask: (rows, 1, new, tokens) bool, or None where all is seen. Returns the
    attended values, (rows, new, heads, width), and no weights.
    """
    rows, heads, new, width = query.shape
    peculiar = any(given.get(name) is not None for name in PECULIAR)
    if peculiar or new > WRITTEN_OUT or (new > 1 and attention_mask is None):
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, **given
        )
    # queries that share a key head go through one product
    grouped = query.reshape(rows, key.shape[1], -1, width) * given["scaling"]
    weights = (grouped @ key.transpose(2, 3)).view(rows, heads, new, -1)
    if attention_mask is not None:
        # a finite number: what is padding sees nothing, and must not become a NaN
        weights = weights.masked_fill(~attention_mask, torch.finfo(weights.dtype).min)
    weights = weights.float().softmax(-1).to(value.dtype)
    attended = weights.view(*grouped.shape[:3], -1) @ value
    return attended.view(rows, heads, new, width).transpose(1, 2), None


AttentionInterface.register(NAME, decoding_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
