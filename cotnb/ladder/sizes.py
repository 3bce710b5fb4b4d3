"""The ladder's students by name: shapes, and where their weights are."""

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

HEAD = 32  # width of an attention head


@dataclass(frozen=True)
class Size:
    """A T5's shape: its width, and how many layers encode and decode."""

    width: int
    encoder_layers: int
    decoder_layers: int


LADDER = {
    "ladder-0.3M": Size(64, 2, 2),
    "ladder-1M": Size(128, 3, 2),
    "ladder-3M": Size(192, 4, 2),
    "ladder-8M": Size(256, 6, 4),
}


def ladder_folder(name: str) -> Path:
    """Where a ladder student's weights, tokenizer and card are committed."""
    return Path(__file__).with_name("students") / name


def new_model(
    name: str, tokenizer: PreTrainedTokenizerFast
) -> T5ForConditionalGeneration:
    """A ladder student's model with random weights.

    Half of the heads that read the prompt begin alike in what they seek and what they
    are found by, and in what they read and what they write: a token attends to its
    likes and passes on what it finds (after Trockman and Kolter 2023, "Mimetic
    initialization"). Looking a word up in a list is then learnt several times sooner.
    """
    size = LADDER[name]
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=size.width,
        d_kv=HEAD,
        d_ff=2 * size.width,
        num_layers=size.encoder_layers,
        num_decoder_layers=size.decoder_layers,
        num_heads=size.width // HEAD,
        feed_forward_proj="gated-gelu",
        relative_attention_max_distance=256,
        dropout_rate=0.0,
        decoder_start_token_id=tokenizer.pad_token_id,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = T5ForConditionalGeneration(config)
    with torch.no_grad():
        for block in model.encoder.block:
            _begin_alike(block.layer[0].SelfAttention)
        for block in model.decoder.block:
            _begin_alike(block.layer[1].EncDecAttention)
    return model


def _begin_alike(attention: T5Attention) -> None:
    alike = slice(0, attention.n_heads // 2 * HEAD)
    # T5 draws queries smaller than keys, in place of scaling their products
    attention.k.weight[alike] = attention.q.weight[alike] * HEAD**0.5
    attention.o.weight[:, alike] = attention.v.weight[alike].T
