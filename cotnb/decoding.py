"""Batched decoding: rows that have ended leave, and the cache has room to grow.

What `transformers.generate` does with a batch, done so that a token costs little more
than the reading of weights: keys and values are appended in place, rows that have ended
are dropped every few tokens, and on a CPU attention is written out.
"""

from collections.abc import Sequence

import torch
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    DynamicCache,
    EncoderDecoderCache,
    PreTrainedModel,
)
from transformers.cache_utils import Cache, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from cotnb.batching import pad_prompts
from cotnb.packed_attention import PECULIAR
from cotnb.students import Student

NAME = "cotnb_decoding"
LOOK_EVERY = 4  # tokens between two looks at which rows have ended
ROWS_BUCKET = 16  # rows leave in such numbers, so that shapes stay few
ROOM = 64  # tokens that a cache grows by


class RoomyLayer(DynamicLayer):
    """One layer's keys and values, (rows, heads, tokens, width), with room for more.

    `keys` and `values` are views of what is filled.
    """

    def lazy_initialization(self, key_states, value_states) -> None:
        super().lazy_initialization(key_states, value_states)
        self._roomy = [key_states[:, :, :0], value_states[:, :, :0]]

    def update(self, key_states, value_states, *_, **__):
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        begin = self.get_seq_length()
        end = begin + key_states.shape[2]
        if end > self._roomy[0].shape[2]:
            self._roomy = [_with_room(x, begin, end + ROOM) for x in self._roomy]
        for roomy, new in zip(self._roomy, (key_states, value_states), strict=True):
            roomy[:, :, begin:end] = new
        self.keys, self.values = (roomy[:, :, :end] for roomy in self._roomy)
        return self.keys, self.values

    def batch_select_indices(self, indices) -> None:
        length = self.get_seq_length()
        self._roomy = [roomy[indices] for roomy in self._roomy]
        self.keys, self.values = (roomy[:, :, :length] for roomy in self._roomy)


class RoomyCache(DynamicCache):
    """A cache of RoomyLayers, one for each of a model's layers."""

    def __init__(self):
        Cache.__init__(self, layer_class_to_replicate=RoomyLayer)


def _with_room(filled, length: int, room: int):
    roomy = filled.new_empty(*filled.shape[:2], room, filled.shape[3])
    roomy[:, :, :length] = filled[:, :, :length]
    return roomy


def decode(
    student: Student,
    model: PreTrainedModel,
    rows: Sequence[list[int]],
    max_new_tokens: int,
    choose,
    has_ended,
) -> list[list[int]]:
    """Continue prompts, token by token.

    model: the student's own, or a copy at another precision. rows: token ids of the
    prompts. choose: (logits (rows, vocabulary), numbers of the rows (rows,), step) ->
    tokens (rows,). has_ended: new tokens (rows, n) of all that was written so far ->
    (rows,) bool; asked every LOOK_EVERY tokens. Returns the new token ids of each row,
    up to LOOK_EVERY - 1 of them past its end.
    """
    state = _Decoder(student, model, rows, max_new_tokens)
    left = torch.arange(len(rows), device=student.device)
    written = left.new_full((len(rows), max_new_tokens), student.tokenizer.pad_token_id)
    tokens = state.first_tokens()
    for step in range(max_new_tokens):
        tokens = choose(state.logits(tokens), left, step)
        written[left, step] = tokens
        if (step + 1) % LOOK_EVERY == 0:
            ended = has_ended(written[left, : step + 1])
            if ended.all():
                break
            staying = _staying(ended)
            if len(staying) < len(left):
                state.keep(staying)
                left, tokens = left[staying], tokens[staying]
    return written[:, : step + 1].tolist()


def _staying(ended):
    """Numbers of the rows that go on, with some that have ended to fill a bucket."""
    going = int((~ended).sum())
    size = min(len(ended), -(-going // ROWS_BUCKET) * ROWS_BUCKET)
    return ended.long().argsort(stable=True)[:size].sort().values


class _Decoder:
    """The model with all that it has read so far."""

    def __init__(self, student: Student, model, rows, max_new_tokens: int):
        tokenizer, self.encoder_decoder = student.tokenizer, student.is_encoder_decoder
        batch = pad_prompts(rows, tokenizer.pad_token_id, self.encoder_decoder)
        batch = {name: tensor.to(student.device) for name, tensor in batch.items()}
        self.model, self.prompts, self.mask = model, *batch.values()
        if self.encoder_decoder:
            self.encoded = model.get_encoder()(**batch)
            self.start = model.config.decoder_start_token_id
            self.cache = EncoderDecoderCache(RoomyCache(), DynamicCache())
        else:
            self.cache = RoomyCache()
            # what is written is always seen: one mask for all steps, read in part
            room = self.mask.new_ones(len(rows), max_new_tokens)
            self.mask = torch.cat([self.mask, room], dim=1)
            self.positions = (self.mask.cumsum(1) - 1).clamp(min=0)

    def first_tokens(self):
        """What the decoder reads first, (rows, tokens)."""
        if not self.encoder_decoder:
            return self.prompts
        return torch.full_like(self.prompts[:, :1], self.start)

    def logits(self, tokens):
        """Of the next token, (rows, vocabulary), once these are read."""
        if tokens.dim() == 1:
            tokens = tokens[:, None]
        if self.encoder_decoder:
            given = {
                "encoder_outputs": self.encoded,
                "attention_mask": self.mask,
                "decoder_input_ids": tokens,
            }
        else:
            begin = self.cache.get_seq_length()
            end = begin + tokens.shape[1]
            given = {
                "input_ids": tokens,
                "attention_mask": self.mask[:, :end],
                "position_ids": self.positions[:, begin:end],
                "logits_to_keep": 1,
            }
        output = self.model(**given, past_key_values=self.cache, use_cache=True)
        return output.logits[:, -1].float()

    def keep(self, staying) -> None:
        """Go on with the rows of these numbers alone."""
        self.cache.batch_select_indices(staying)
        self.mask = self.mask[staying]
        if self.encoder_decoder:
            hidden = self.encoded.last_hidden_state[staying]
            self.encoded = type(self.encoded)(last_hidden_state=hidden)
        else:
            self.positions = self.positions[staying]


def decode_fast(model: PreTrainedModel) -> None:
    """Have a decoder-only model attend as `decoding_attention` does, where it can."""
    plain = model._supports_attention_backend and not model.config.is_encoder_decoder
    if plain and model.device.type == "cpu":
        model.set_attn_implementation(NAME)


def decoding_attention(module, query, key, value, attention_mask, **given):
    """Attention of one new token to all before it, written out; else by SDPA.

    query: (rows, heads, 1, width). key and value: (rows, key heads, tokens, width).
    attention_mask: (rows, 1, 1, tokens) bool, or None where all is seen. Returns the
    attended values, (rows, 1, heads, width), and no weights.
    """
    peculiar = any(given.get(name) is not None for name in PECULIAR)
    if query.shape[2] > 1 or peculiar:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, **given
        )
    rows, heads, _, width = query.shape
    groups = query.view(rows, key.shape[1], -1, width) * given["scaling"]
    weights = groups @ key.transpose(2, 3)
    if attention_mask is not None:
        weights = weights.masked_fill(~attention_mask, -torch.inf)
    weights = weights.float().softmax(-1).to(value.dtype)
    return (weights @ value).view(rows, 1, heads, width), None


AttentionInterface.register(NAME, decoding_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
