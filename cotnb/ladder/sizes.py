"""The ladder's sizes by name, and their models before pretraining."""

from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

HEAD = 32  # width of an attention head
# where heads that attend to neighbors begin to look, by how many tokens back or ahead:
# a list's letter stands three tokens before its word's end
NEIGHBORS = ((-1, -2, -3), (1, 2, 3), (-1,), (1,))
TO_NEIGHBORS = 5.0  # added to a score before the softmax
LESS_TO_ITSELF = 3.0


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


def new_model(
    name: str, tokenizer: PreTrainedTokenizerFast
) -> T5ForConditionalGeneration:
    """A ladder student's model with random weights, shaped for looking things up.

    Half of the heads that read the prompt begin alike in what they seek and what they
    are found by: a token attends to its likes, less to itself. The others begin by
    attending to a token's neighbors. All of the encoder's pass on what they find (after
    Trockman and Kolter 2023, "Mimetic initialization"). Looking a word up in a list,
    which needs one of either kind after the other, is then learnt in 400 steps in
    place of thousands.
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
            attention = block.layer[0].SelfAttention
            _attend_to_likes(attention)
            attention.o.weight[:] = attention.v.weight.T
        for block in model.decoder.block:
            attention = block.layer[1].EncDecAttention
            _attend_to_likes(attention)
            alike = slice(0, attention.n_heads // 2 * HEAD)
            attention.o.weight[:, alike] = attention.v.weight[alike].T
        # one table of distances serves all layers of the encoder
        _attend_to_neighbors(model.encoder.block[0].layer[0].SelfAttention)
    return model


def _attend_to_likes(attention: T5Attention) -> None:
    alike = slice(0, attention.n_heads // 2 * HEAD)
    # T5 draws queries smaller than keys, in place of scaling their products
    attention.k.weight[alike] = attention.q.weight[alike] * HEAD**0.5


def _attend_to_neighbors(attention: T5Attention) -> None:
    bias = attention.relative_attention_bias.weight  # of (distances, heads)
    half = attention.n_heads // 2
    bias[0, :half] -= LESS_TO_ITSELF
    for number, head in enumerate(range(half, attention.n_heads)):
        for distance in NEIGHBORS[number % len(NEIGHBORS)]:
            bias[_bucket(distance, attention), head] += TO_NEIGHBORS


def _bucket(distance: int, attention: T5Attention) -> int:
    """The row of T5's table for a short distance: those ahead come after those back."""
    ahead = attention.relative_attention_num_buckets // 2
    return ahead + distance if distance > 0 else -distance
