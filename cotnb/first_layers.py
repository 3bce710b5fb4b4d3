"""A model cut to its first layers: sizes of one family where the hub has no others.

What is cut off has taken part in all that the rest has learnt, so that a cut model is a
poor one until it has been tuned. A family of one's own sizes is the better choice.
"""

import re

from transformers import PreTrainedModel

from cotnb.errors import UserError

_NAMED = re.compile(r"(.+)\+first-(\d+)-layers")


def split_name(name: str) -> tuple[str, int | None]:
    """("SmolLM2-135M", 10) of "SmolLM2-135M+first-10-layers"; None for all layers."""
    named = _NAMED.fullmatch(name)
    return (named[1], int(named[2])) if named else (name, None)


def keep_first_layers(model: PreTrainedModel, count: int) -> None:
    """Cut a decoder-only model, in place, to its first `count` layers.

    Final norm and head stay. Raises UserError for an encoder-decoder and for a count
    that the model does not have.
    """
    decoder = model.get_decoder() if not model.config.is_encoder_decoder else None
    layers = getattr(decoder, "layers", None)
    if layers is None:
        raise UserError("only a decoder-only model can be cut to its first layers")
    if not 1 <= count <= len(layers):
        raise UserError(f"first {count} layers: the model has {len(layers)}")
    del layers[count:]
    model.config.num_hidden_layers = count
    if kinds := getattr(model.config, "layer_types", None):
        model.config.layer_types = kinds[:count]
