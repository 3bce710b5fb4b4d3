"""Pairs as token ids, and batches of few shapes.

A kernel is built for every new shape on a CPU, so lengths are rounded up to a multiple
of BUCKET and rows of like length share a batch. An encoder-decoder student reads padded
rows; a decoder-only one reads rows packed end to end, prompt and target in one line.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from cotnb.errors import UserError
from cotnb.formats import Pair
from cotnb.training.cross_entropy import IGNORED
from cotnb.training.divergence import Soft

BUCKET = 16  # of prompts
TARGET_BUCKET = 8  # an answer asked directly is no longer
ROWS_BUCKET = 8  # of an encoder-decoder's rows
TOKENS_BUCKET = 128  # of a line of packed rows, and of its targets
TOKENS_SETTING = "COTNB_TOKENS_AT_ONCE"
TOKENS_AT_ONCE = 2304  # a step of more is done in parts, so that memory stays bounded
PADDED_AT_ONCE = {"cpu": 4096, "cuda": 2**16}  # the same of an encoder-decoder's rows
PART_COST = 1 / 16  # the work of having one more, as a share of the most tokens of one
SORTING_WINDOW = 32  # batches whose rows are sorted by length together


@dataclass(frozen=True)
class Encoded:
    """Token ids of one pair; `target` holds the end mark.

    soft: what is to be learnt at each target token, if it is more than the token.
    """

    prompt: list[int]
    target: list[int]
    soft: Soft | None = None


def encode_prompt(
    tokenizer: PreTrainedTokenizerBase, prompt: str, encoder_decoder: bool
) -> list[int]:
    """Token ids of a prompt; an encoder reads its end mark, a decoder goes on."""
    return tokenizer(prompt, add_special_tokens=encoder_decoder)["input_ids"]


def target_text(target: str, encoder_decoder: bool) -> str:
    """A target as it is read: a decoder's goes on after the prompt, with a space."""
    return target if encoder_decoder else f" {target}"


def encode_pairs(
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[Pair],
    encoder_decoder: bool,
    max_length: int,
) -> list[Encoded]:
    """Token ids of pairs, in their order.

    max_length: the most tokens of a prompt, and of a target with its end mark.
    Raises UserError naming the first pair that is longer: nothing is cut silently.
    """
    prompts = tokenizer(
        [pair.prompt for pair in pairs], add_special_tokens=encoder_decoder
    )["input_ids"]
    targets = tokenizer(
        [target_text(pair.target, encoder_decoder) for pair in pairs],
        add_special_tokens=False,
    )["input_ids"]
    encoded = []
    for number, (prompt, target) in enumerate(zip(prompts, targets, strict=True)):
        if max(len(prompt), len(target) + 1) > max_length:
            raise UserError(
                f"pair {number}: {len(prompt)} prompt and {len(target)} target tokens, "
                f"max_length is {max_length}; raise it or drop the pair"
            )
        encoded.append(Encoded(prompt, [*target, tokenizer.eos_token_id]))
    return encoded


def plan_batches(
    encoded: Sequence[Encoded],
    batch_size: int,
    epochs: float,
    seed: int,
    by_length: bool = True,
) -> list[list[int]]:
    """The rows of every optimiser step, over all epochs.

    Each epoch is a fresh shuffle. by_length: within windows of it rows are sorted by
    length, cut into batches, and the batches shuffled, so that padding is little; rows
    that are packed need none of it, and steps of like size take less memory. A last
    short batch is kept. A part of an epoch (epochs = 0.5) is the first part of its
    shuffle.
    """
    generator = np.random.default_rng(seed)
    lengths = np.array([[_bucket(len(e.prompt)), len(e.target)] for e in encoded])
    plan: list[list[int]] = []
    remaining = round(epochs * len(encoded))
    while remaining > 0:
        order = generator.permutation(len(encoded))[:remaining]
        remaining -= len(order)
        window = SORTING_WINDOW * batch_size
        batches = []
        for start in range(0, len(order), window):
            rows = order[start : start + window]
            if by_length:
                rows = rows[np.lexsort(lengths[rows].T[::-1])]
            batches += [
                rows[i : i + batch_size].tolist()
                for i in range(0, len(rows), batch_size)
            ]
        plan += [batches[i] for i in generator.permutation(len(batches))]
    return plan


def _bucket(length: int, size: int = BUCKET) -> int:
    return -(-length // size) * size


def bucket_rows(rows: int, size: int = ROWS_BUCKET) -> int:
    """How many rows are computed for so many: a multiple of size or a power of two."""
    if rows > size // 2:
        return _bucket(rows, size)
    return 1 << (rows - 1).bit_length()


def pad_pairs(
    rows: Sequence[Encoded], pad_token_id: int, count: int | None = None
) -> dict[str, torch.Tensor]:
    """A batch for an encoder-decoder: tensors (rows, length).

    Lengths are multiples of BUCKET, or of TARGET_BUCKET for `labels`, which hold
    IGNORED where there is padding. count: of rows, more than there are, of which the
    last is repeated without labels.
    """
    more = (count or len(rows)) - len(rows)
    rows = [*rows, *[Encoded(rows[-1].prompt, [])] * more]
    prompt = _pad([r.prompt for r in rows], pad_token_id)
    target = _pad([r.target for r in rows], pad_token_id, TARGET_BUCKET)
    target_mask = _mask([len(r.target) for r in rows], target, left=False)
    return {
        "input_ids": prompt,
        "attention_mask": _mask([len(r.prompt) for r in rows], prompt, left=False),
        "labels": target.masked_fill(target_mask == 0, IGNORED),
    }


def pack_pairs(rows: Sequence[Encoded], pad_token_id: int) -> dict[str, torch.Tensor]:
    """A batch for a decoder: rows end to end, in a line of a few possible lengths.

    `input_ids` and `position_ids`: (1, tokens). `rows` and `places`: see
    `packed_attention`. `logits_to_keep`: (targets,), the positions that predict a
    target token; `labels`: (targets,), that token, or IGNORED in what fills the end.
    """
    lines = [(row.prompt + row.target)[:-1] for row in rows]
    lengths = np.array([len(line) for line in lines])
    starts = lengths.cumsum() - lengths
    width = _bucket(lengths.max())
    inside = np.minimum(np.arange(width), lengths[:, None] - 1)
    kept = [
        start + np.arange(len(row.prompt) - 1, length)
        for row, start, length in zip(rows, starts, lengths, strict=True)
    ]
    places = [width * i + np.arange(length) for i, length in enumerate(lengths)]
    ids = np.concatenate(lines)
    batch = {
        "input_ids": _fill(ids, pad_token_id)[None],
        "position_ids": _fill(np.concatenate([np.arange(n) for n in lengths]), 0)[None],
        "rows": starts[:, None] + inside,
        "places": _fill(np.concatenate(places), 0),
        "logits_to_keep": _fill(np.concatenate(kept), 0),
        "labels": _fill(np.concatenate([row.target for row in rows]), IGNORED),
    }
    return {name: torch.as_tensor(array) for name, array in batch.items()}


def tokens_at_once(encoder_decoder: bool, device: str) -> int:
    """The most tokens that are put through a student at once, or a single row.

    A step of more is done in parts whose gradients add up, so this bounds memory and
    changes nothing that is learnt. device: "cpu" or "cuda". COTNB_TOKENS_AT_ONCE sets
    it for a large student; raises UserError where that is no number from 1.
    """
    if asked := os.environ.get(TOKENS_SETTING, "").strip():
        if not asked.isdecimal() or int(asked) < 1:
            raise UserError(f"{TOKENS_SETTING}={asked}: expected a number, 1 or more")
        return int(asked)
    return PADDED_AT_ONCE[device] if encoder_decoder else TOKENS_AT_ONCE


def own_rows(rows: Sequence[Encoded], process: int, processes: int) -> list[Encoded]:
    """A process's share of a step's rows; all processes' shares are of like lengths.

    Alone it has them all, as they are; it has none where there are fewer rows.
    """
    if processes == 1:
        return list(rows)
    by_length = sorted(rows, key=lambda row: (-len(row.prompt), -len(row.target)))
    return by_length[process::processes]


def sort_step(rows: Sequence[Encoded], tokens: int) -> list[list[Encoded]]:
    """A step's rows in parts of like shape, cut where that takes the least work.

    Work is tokens, padding and rows to `bucket_rows` included, and so many more for
    every part. tokens: the most that a part has, or it is a single row.
    """
    shapes = [
        (_bucket(len(row.target), TARGET_BUCKET), _bucket(len(row.prompt)))
        for row in rows
    ]
    order = sorted(range(len(rows)), key=shapes.__getitem__, reverse=True)
    targets, prompts = np.array(shapes)[order].T
    least = np.zeros(len(order) + 1)  # the work of the first so many rows
    begin = np.zeros(len(order) + 1, dtype=int)  # of the last part of these
    counts = np.array([bucket_rows(n) for n in range(1, len(order) + 1)])
    for end in range(1, len(order) + 1):
        # of parts of 1, 2, ... rows that end here
        prompt = np.maximum.accumulate(prompts[end - 1 :: -1][:end])
        target = np.maximum.accumulate(targets[end - 1 :: -1][:end])
        work = counts[:end] * (prompt + target)
        fits = max(1, np.searchsorted(work, tokens, side="right"))
        whole = least[end - fits : end][::-1] + work[:fits]
        begin[end] = end - 1 - whole.argmin()
        least[end] = whole.min() + tokens * PART_COST
    parts: list[list[Encoded]] = []
    end = len(order)
    while end:
        parts.insert(0, [rows[i] for i in order[begin[end] : end]])
        end = begin[end]
    return parts


def split_step(rows: Sequence[Encoded], tokens: int) -> list[list[Encoded]]:
    """A step's rows in parts, each of at most so many tokens or a single row."""
    parts: list[list[Encoded]] = []
    room = 0
    for row in rows:
        size = len(row.prompt) + len(row.target)
        if size > room:
            parts.append([])
            room = tokens
        parts[-1].append(row)
        room -= size
    return parts


def _fill(values: np.ndarray, filler: int) -> np.ndarray:
    """Values, and a filler up to a multiple of TOKENS_BUCKET."""
    return np.pad(values, (0, -len(values) % TOKENS_BUCKET), constant_values=filler)


def pad_prompts(
    prompts: Sequence[list[int]], pad_token_id: int, encoder_decoder: bool
) -> dict[str, torch.Tensor]:
    """Prompts alone, (rows, length), for generation: a decoder's padded on the left."""
    left = not encoder_decoder
    padded = _pad(prompts, pad_token_id, left=left)
    mask = _mask([len(p) for p in prompts], padded, left)
    return {"input_ids": padded, "attention_mask": mask}


def _pad(
    rows: Sequence[list[int]], pad_token_id: int, size: int = BUCKET, left: bool = False
) -> torch.Tensor:
    width = _bucket(max(len(row) for row in rows), size)
    padded = torch.full((len(rows), width), pad_token_id)
    for i, row in enumerate(rows):
        start = width - len(row) if left else 0
        padded[i, start : start + len(row)] = torch.tensor(row)
    return padded


def _mask(lengths: list[int], padded: torch.Tensor, left: bool) -> torch.Tensor:
    width = padded.shape[1]
    position = torch.arange(width).expand(len(lengths), width)
    length = torch.tensor(lengths)[:, None]
    mask = position >= width - length if left else position < length
    return mask.long()
