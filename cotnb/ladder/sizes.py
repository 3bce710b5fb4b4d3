"""The ladder's students by name: shapes, and where their weights are."""

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

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

    Half of the encoder's heads begin with keys like their queries, so that a token
    attends to its likes (Trockman and Kolter 2023, "Mimetic initialization"): looking
    a word up in a list is then learnt in hundreds of steps and not in many thousands.
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
    alike = config.num_heads // 2 * HEAD
    with torch.no_grad():
        for block in model.encoder.block:
            attention = block.layer[0].SelfAttention
            # T5 draws queries smaller than keys, in place of scaling their products
            attention.k.weight[:alike] = attention.q.weight[:alike] * HEAD**0.5
    return model
