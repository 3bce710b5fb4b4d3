"""What a model has read, in slots: rows leave and join a batch while others go on.

All rows write to the same column, the window's end: a row that joins late has its
prompt put right before that column, and a mask hides what lies left of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import DynamicCache, EncoderDecoderCache, PreTrainedModel
from transformers.cache_utils import Cache, DynamicLayer
from transformers.modeling_outputs import BaseModelOutput


@dataclass
class Window:
    """What is in use of a store: slots below `rows`; tokens go to column `end`.

    A store has no more `columns` than it needs: what attention reads is then one piece
    of memory, where a CPU's products would copy a part of one.
    """

    rows: int
    columns: int = 0
    end: int = 0


class SlotLayer(DynamicLayer):
    """One layer's keys and values, each (slots, heads, columns, width).

    A token is written in place at the window's end; whoever decodes moves the window
    on, once all layers have written. What lies to the right of it, a mask hides.
    """

    def __init__(self, window: Window, like: DynamicLayer):
        super().__init__()
        self.window, self.is_initialized = window, True
        _, heads, _, width = like.keys.shape
        # zeros: what a mask hides is still multiplied by nought, and must be finite
        self.stores = [
            tensor.new_zeros(window.rows, heads, window.columns, width)
            for tensor in (like.keys, like.values)
        ]

    def get_seq_length(self) -> int:
        return self.window.end

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.window.columns, 0

    def update(self, key_states, value_states, *_, **__):
        rows, end = self.window.rows, self.window.end
        for store, new in zip(self.stores, (key_states, value_states), strict=True):
            store[:rows, :, end : end + 1] = new
        return tuple(store[:rows] for store in self.stores)


class SlotCache(Cache):
    """A SlotLayer for each layer of a model, all behind one window."""

    def __init__(self, window: Window, like: DynamicCache):
        super().__init__(layers=[SlotLayer(window, x) for x in like.layers])

    def put(self, slots: Sequence[int], read: DynamicCache, begin: int) -> None:
        """What was read of other rows, into slots, from a column on."""
        for layer, source in zip(self.layers, read.layers, strict=True):
            end = begin + source.keys.shape[2]
            new_ones = (source.keys, source.values)
            for store, new in zip(layer.stores, new_ones, strict=True):
                store[slots, :, begin:end] = new

    def move(self, sources: Sequence[int], targets: Sequence[int]) -> None:
        """What some slots hold, into others."""
        for layer in self.layers:
            for store in layer.stores:
                store[targets] = store[sources]

    def shift(self, first: int, end: int, columns: int) -> None:
        """Columns from first to end, into stores of so many columns."""
        for layer in self.layers:
            layer.stores = [
                shift_columns(store, first, end, columns, dim=2)
                for store in layer.stores
            ]


def shift_columns(
    store: torch.Tensor, first: int, end: int, columns: int, dim: int, filler: int = 0
) -> torch.Tensor:
    """A store of so many columns that begins with those from first to end."""
    kept = store.narrow(dim, first, end - first)
    if columns == store.shape[dim]:
        kept, shifted = kept.clone(), store
    else:
        shape = list(store.shape)
        shape[dim] = columns
        shifted = store.new_empty(shape)
    shifted.narrow(dim, 0, end - first).copy_(kept)
    shifted.narrow(dim, end - first, columns - (end - first)).fill_(filler)
    return shifted


class DecoderSlots:
    """What a decoder-only model has read, and its next logits."""

    joins_late = True

    def __init__(self, model: PreTrainedModel, window: Window):
        self.model, self.window, self.cache = model, window, None

    def read(self, prompts: dict) -> tuple:
        """Prompts (rows, tokens) that are to join: see `EncoderDecoderSlots.read`."""
        mask, fresh = prompts["attention_mask"], DynamicCache()
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        # by number: of a slice, F.linear would copy the vocabulary's weights a row
        last = torch.tensor([-1], device=mask.device)
        logits = self.model(
            **prompts,
            position_ids=positions,
            cache=fresh,
            use_cache=True,
            logits_to_keep=last,
        ).logits[:, -1]
        return logits.float(), mask, fresh

    def put(self, slots, fresh: DynamicCache, begin: int) -> None:
        """What was read into slots, from column begin on."""
        if self.cache is None:
            self.cache = SlotCache(self.window, fresh)
        self.cache.put(slots, fresh, begin)

    def move(self, sources, targets) -> None:
        """What some slots hold, into others."""
        self.cache.move(sources, targets)

    def shift(self, first: int, end: int, columns: int) -> None:
        """Columns from first to end, into stores of so many columns."""
        self.cache.shift(first, end, columns)

    def logits(self, tokens, mask, positions):
        """Of the next tokens, (rows, vocabulary), once these (rows,) are read.

        mask: (rows, columns), what each row sees. positions: (rows,), of the tokens.
        """
        logits = self.model(
            input_ids=tokens[:, None],
            attention_mask=mask,
            position_ids=positions[:, None],
            cache=self.cache,
            use_cache=True,
        ).logits
        return logits[:, -1].float()


class EncoderDecoderSlots:
    """What an encoder-decoder has read and written, and its next logits."""

    def __init__(self, model: PreTrainedModel, window: Window):
        self.model, self.window, self.cache = model, window, None
        # a decoder that counts from its batch's beginning cannot be joined later
        self.joins_late = hasattr(model.config, "relative_attention_num_buckets")

    def read(self, prompts: dict) -> tuple:
        """Prompts (rows, tokens) that are to join.

        Returns first logits (rows, vocabulary), what the decoder sees of what it has
        read (rows, columns), and what `put` takes.
        """
        mask = prompts["attention_mask"]
        start = self.model.config.decoder_start_token_id
        begun = torch.full_like(mask[:, :1], start)
        fresh = EncoderDecoderCache(DynamicCache(), DynamicCache())
        logits = self.model(
            encoder_outputs=self.model.get_encoder()(**prompts),
            attention_mask=mask,
            decoder_input_ids=begun,
            cache=fresh,
            use_cache=True,
        ).logits[:, -1]
        return logits.float(), torch.ones_like(begun), (fresh, mask)

    def put(self, slots, read: tuple, begin: int) -> None:
        """What was read into slots, from column begin on."""
        fresh, mask = read
        own, encoded = fresh.self_attention_cache, fresh.cross_attention_cache
        length = mask.shape[1]
        if self.cache is None:
            # the first prompts are the longest: the others fit in as many columns
            self.encoded = SlotCache(Window(self.window.rows, length), encoded)
            self.mask = mask.new_zeros(self.window.rows, length)
            self.cache = EncoderDecoderCache(SlotCache(self.window, own), self.encoded)
            self.cache.is_updated = dict.fromkeys(range(len(own.layers)), True)
        self.cache.self_attention_cache.put(slots, own, begin)
        self.encoded.put(slots, encoded, 0)
        self.mask[slots] = 0
        self.mask[slots, :length] = mask

    def move(self, sources, targets) -> None:
        """What some slots hold, into others."""
        self.cache.self_attention_cache.move(sources, targets)
        self.encoded.move(sources, targets)
        self.mask[targets] = self.mask[sources]

    def shift(self, first: int, end: int, columns: int) -> None:
        """Columns that the decoder has written, into stores of so many columns."""
        self.cache.self_attention_cache.shift(first, end, columns)

    def logits(self, tokens, mask, positions):
        """Of the next tokens: see `DecoderSlots.logits`; T5 needs no positions."""
        rows = len(tokens)
        for layer in self.encoded.layers:
            layer.keys, layer.values = (store[:rows] for store in layer.stores)
        # keys and values of what was encoded are kept: of this the shape alone is read
        shape = (rows, self.mask.shape[1], self.model.config.d_model)
        encoded = mask.new_zeros(1, 1, 1, dtype=self.model.dtype).expand(shape)
        logits = self.model(
            encoder_outputs=BaseModelOutput(last_hidden_state=encoded),
            attention_mask=self.mask[:rows],
            decoder_input_ids=tokens[:, None],
            decoder_attention_mask=mask,
            cache=self.cache,
            use_cache=True,
        ).logits
        return logits[:, -1].float()
