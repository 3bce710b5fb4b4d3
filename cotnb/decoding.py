"""Batched decoding: a row that has ended makes room for a prompt that waits.

What `transformers.generate` does with a batch, done so that a token costs little more
than the reading of weights: rows leave as they end and others join in their place, and
keys and values are written in place.
"""

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from cotnb.slots import DecoderSlots, EncoderDecoderSlots, Window, shift_columns
from cotnb.students import Student
from cotnb.training.batching import bucket_rows, pad_prompts

LOOK_EVERY = 4  # tokens between two looks at which rows have ended
JOIN = 8  # rows that join together: one prompt alone would read all weights for itself
ROWS_LEFT_BUCKET = 16  # rows leave in such numbers, so that shapes stay few
ROOM = 32  # columns beyond those in use: so often are columns shifted
NOT_WRITTEN = -1


def decode(
    student: Student,
    model: PreTrainedModel,
    rows: Sequence[list[int]],
    *,
    max_new_tokens: int,
    batch_size: int,
    choose: Callable,
    has_ended: Callable,
    advance: Callable[[int], None] = lambda count: None,
) -> list[list[int]]:
    """Continue prompts, token by token, batch_size of them at a time.

    model: the student's own, or a copy at another precision. rows: token ids of the
    prompts. choose: (logits (rows, vocabulary), numbers of the prompts (rows,), tokens
    that each has so far (rows,)) -> tokens (rows,). has_ended: new tokens (rows, n),
    NOT_WRITTEN before a row's own -> (rows,) bool; asked every LOOK_EVERY tokens.
    advance: told how many prompts are done. Returns the new token ids of each prompt,
    up to LOOK_EVERY - 1 of them past its end.
    """
    # the longest first: the others then fit wherever these have been
    waiting = deque(sorted(range(len(rows)), key=lambda i: -len(rows[i])))
    written: list[list[int]] = [[] for _ in rows]
    if not waiting:
        return written
    batch = _Batch(student, model, min(batch_size, len(rows)), max_new_tokens, choose)
    while waiting or batch.alive.any():
        for numbers in batch.room_for(waiting):
            batch.join(numbers, [rows[i] for i in numbers])
        batch.write(LOOK_EVERY)
        ended = batch.take_ended(has_ended)
        for number, tokens in ended:
            written[number] = tokens
        advance(len(ended))
        if not waiting:
            batch.shrink()
    return written


class _Batch:
    """Rows in slots, all at the same column, each with a beginning of its own.

    On the device: `ids` (slots, columns), tokens written; `mask`, columns seen;
    `numbers`, `counts`, `positions` (slots,): a row's prompt, the tokens that it has
    written, the position of the last. On the host: `alive`, which slots are in use;
    `written`, `spans`, how many tokens a row has written, and has in all.
    """

    def __init__(self, student, model, slots: int, most: int, choose):
        kind = EncoderDecoderSlots if student.is_encoder_decoder else DecoderSlots
        self.student, self.most, self.choose = student, most, choose
        self.window = Window(slots)
        self.slots = kind(model, self.window)
        self.alive = np.zeros(slots, dtype=bool)
        self.written, self.spans = np.zeros((2, slots), dtype=int)
        self.numbers, self.counts, self.positions = torch.zeros(
            (3, slots), dtype=torch.long, device=student.device
        )
        self.ids = self.mask = None

    def room_for(self, waiting: deque):
        """Prompts off the queue that join together, while slots are free for them."""
        free = int((~self.alive).sum())
        enough = free >= min(JOIN, len(self.alive), len(waiting))
        if enough and (self.slots.joins_late or not self.alive.any()):
            while free and waiting:
                size = min(free, len(waiting), JOIN)
                free -= size
                yield [waiting.popleft() for _ in range(size)]

    def join(self, numbers: list[int], prompts: list[list[int]]) -> None:
        """Read prompts into free slots, and write their first tokens."""
        student, window = self.student, self.window
        slots = np.flatnonzero(~self.alive)[: len(numbers)]
        batch = pad_prompts(
            prompts, student.tokenizer.pad_token_id, student.is_encoder_decoder
        )
        batch = {name: tensor.to(student.device) for name, tensor in batch.items()}
        logits, seen, read = self.slots.read(batch)
        width = seen.shape[1]
        if self.ids is None:
            self._make_room(width, seen)
        if not self.alive.any():
            window.end = 0
        window.end = max(window.end, width)
        begin = window.end - width
        self.slots.put(slots, read, begin)
        self.mask[slots] = 0
        self.mask[slots, begin : window.end] = seen
        self.alive[slots], self.written[slots] = True, 1
        self.spans[slots] = spans = seen.sum(1).cpu().numpy()
        self.positions[slots] = torch.as_tensor(spans - 1, device=student.device)
        self.numbers[slots] = torch.tensor(numbers, device=student.device)
        self.counts[slots] = 0
        self.ids[slots] = NOT_WRITTEN
        self.ids[slots, window.end] = self.choose(
            logits, self.numbers[slots], self.counts[slots]
        )
        self.counts[slots] = 1

    def write(self, tokens: int) -> None:
        """So many tokens to every row, or as many as the first to be full has left."""
        left = self.most - self.written[self.alive].max()
        for _ in range(min(tokens, left)):
            self._write_one()

    def take_ended(self, has_ended) -> list[tuple[int, list[int]]]:
        """Numbers and new tokens of rows that have ended, which leave."""
        rows, end = self.window.rows, self.window.end + 1
        recent = self.ids[:rows, end - self.written[self.alive].max() : end]
        ended = has_ended(recent).cpu().numpy() | (self.written >= self.most)
        leaving = np.flatnonzero(self.alive & ended)
        numbers = self.numbers[leaving].tolist()
        own = [self.ids[i, end - self.written[i] : end].tolist() for i in leaving]
        self.alive &= ~ended
        # slots that are free go on writing, each on its own column alone
        free = np.flatnonzero(~self.alive)
        for of_slot in (self.written, self.spans, self.counts, self.positions):
            of_slot[free] = 0
        self.mask[free] = 0
        self.ids[free, : self.window.end] = NOT_WRITTEN
        return list(zip(numbers, own, strict=True))

    def shrink(self) -> None:
        """Go on with fewer rows, where a whole bucket of slots is free."""
        size = bucket_rows(int(self.alive.sum()), ROWS_LEFT_BUCKET)
        if not 0 < size < self.window.rows:
            return
        sources = size + np.flatnonzero(self.alive[size:])
        targets = np.flatnonzero(~self.alive[:size])[: len(sources)]
        self.slots.move(sources, targets)
        for name in ("ids", "mask", "numbers", "counts", "positions",
                     "alive", "written", "spans"):  # fmt: skip
            of_slot = getattr(self, name)
            of_slot[targets] = of_slot[sources]
            setattr(self, name, of_slot[:size])
        self.window.rows = size

    def _make_room(self, width: int, like) -> None:
        """Columns for the longest prompt and some that follow it."""
        self.widest, self.window.columns = width, width + ROOM
        self.mask = like.new_zeros(self.window.rows, self.window.columns)
        self.ids = torch.full_like(self.mask, NOT_WRITTEN)

    def _write_one(self) -> None:
        window = self.window
        if window.end + 1 == window.columns:
            self._shift()
        now = window.end
        self.mask[:, now] = 1
        self.positions += 1
        logits = self.slots.logits(
            self.ids[:, now].clamp(min=0),  # a free slot may have nothing to read
            self.mask,
            self.positions,
        )
        window.end += 1
        counts = self.counts.clamp(max=self.most - 1)
        self.ids[:, window.end] = self.choose(logits, self.numbers, counts)
        self.counts += 1
        self.written += 1
        self.spans += 1

    def _shift(self) -> None:
        """Forget columns that no row sees, all but as many as a prompt may need."""
        window = self.window
        kept = max(self.spans[self.alive].max(), self.widest)
        first, columns = window.end - kept, (kept // ROOM + 2) * ROOM
        self.slots.shift(first, window.end, columns)
        end = window.end + 1  # what was written last has not been read
        self.mask = shift_columns(self.mask, first, end, columns, 1)
        self.ids = shift_columns(self.ids, first, end, columns, 1, NOT_WRITTEN)
        window.end, window.columns = kept, columns
