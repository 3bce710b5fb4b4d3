"""Attention on a GPU that never has the host wait: SDPA whose mask is always made.

transformers looks whether a mask could be left out. On a GPU that look waits until the
device has come to it, once or twice a token of a text and twice a part of a T5's step,
and the host cannot queue what follows; a mask costs less.
"""

from functools import wraps

from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "cotnb_gpu"


def never_wait(model: PreTrainedModel) -> None:
    """Have a model attend by SDPA with masks that are made unseen, where it can."""
    if model._supports_sdpa:
        model.set_attn_implementation(NAME)


@wraps(sdpa_mask)
def whole_mask(*given, **asked):
    return sdpa_mask(
        *given,
        **asked | {"allow_is_causal_skip": False, "allow_is_bidirectional_skip": False},
    )


AttentionInterface.register(NAME, sdpa_attention_forward)
AttentionMaskInterface.register(NAME, whole_mask)
