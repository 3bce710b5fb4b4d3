"""A model on this machine as teacher: one of the ladder, a tuned student, any other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch

from cotnb.evaluation import generate
from cotnb.formats import Pair
from cotnb.progress import Progress
from cotnb.rationales.teachers import Asked, Reply, Sampling
from cotnb.students import Student
from cotnb.training.batching import (
    Encoded,
    encode_pairs,
    encode_prompt,
    pad_pairs,
    pad_prompts,
)
from cotnb.training.matching import taught_tokens

AT_ONCE = 512  # texts between two times that replies are handed over
LOGITS_AT_ONCE = 2**25  # numbers, when likeliest tokens are told
MOST_TOKENS = 2**16  # of a pair: what a model has no room for it says itself


@dataclass
class LocalTeacher:
    """A student that teaches. batch_size: prompts continued together."""

    student: Student
    batch_size: int = 64

    @property
    def name(self) -> str:
        """The student's, and which weights: another tuning is another teacher."""
        return f"{self.student.name}-{self.student.fingerprint[:8]}"

    def replies(
        self, asked: Sequence[Asked], sampling: Sampling
    ) -> Iterator[tuple[int, Reply]]:
        """As `Teacher` says; each sample's randomness is its own."""
        tokenizer = self.student.tokenizer
        for begin in range(0, len(asked), AT_ONCE):
            some = asked[begin : begin + AT_ONCE]
            written = generate(
                self.student,
                [one.prompt for one in some],
                max_new_tokens=sampling.max_new_tokens,
                batch_size=self.batch_size,
                temperature=sampling.temperature,
                seed=[one.seed for one in some],
            )
            likeliest: list = [None] * len(some)
            if sampling.top_logprobs:
                said = [
                    Pair(one.prompt, text)
                    for one, (text, _) in zip(some, written, strict=True)
                ]
                likeliest = [
                    [list(token.likeliest) for token in pair.taught]
                    for pair in self.teach(said, sampling.top_logprobs)
                ]
            for i, (text, count) in enumerate(written):
                read = encode_prompt(
                    tokenizer, some[i].prompt, self.student.is_encoder_decoder
                )
                yield begin + i, Reply(text, len(read), count, likeliest[i])

    def teach(self, pairs: Sequence[Pair], count: int = 5) -> list[Pair]:
        """The pairs with the teacher's tokens and the `count` likeliest of each place.

        It reads the pair's own prompt, and its target word by word: what it would have
        written next, given what is written. Raises what `encode_pairs` does.
        """
        student = self.student
        rows = encode_pairs(
            student.tokenizer, pairs, student.is_encoder_decoder, MOST_TOKENS
        )
        progress = Progress(len(rows), "telling likeliest tokens, pairs")
        taught: list[Pair | None] = [None] * len(pairs)
        for numbers in self._batches(rows):
            found = self._likeliest([rows[i] for i in numbers], count)
            for i, likeliest in zip(numbers, found, strict=True):
                tokens = taught_tokens(
                    student.tokenizer,
                    pairs[i],
                    rows[i].target,
                    student.is_encoder_decoder,
                    likeliest,
                )
                taught[i] = replace(pairs[i], taught=tokens)
            progress.advance(len(numbers))
        progress.close()
        return taught

    def _batches(self, rows: Sequence[Encoded]) -> Iterator[list[int]]:
        """Numbers of rows of like length, few enough for their logits to be held."""
        lengths = [len(row.prompt) + len(row.target) for row in rows]
        order = sorted(range(len(rows)), key=lambda i: -lengths[i])
        size = self.student.model.config.vocab_size
        while order:
            most = LOGITS_AT_ONCE // (size * lengths[order[0]])
            few = max(1, min(self.batch_size, most))
            yield order[:few]
            order = order[few:]

    def _likeliest(self, rows: Sequence[Encoded], count: int) -> list[list[list]]:
        """For each row and target token: (id, log-probability) of the likeliest."""
        student, lengths = self.student, [len(row.target) for row in rows]
        model, pad = student.model, student.tokenizer.pad_token_id
        if student.is_encoder_decoder:
            batch, begins = pad_pairs(rows, pad), [0] * len(rows)
        else:
            batch = pad_prompts([row.prompt + row.target for row in rows], pad, True)
            begins = [len(row.prompt) - 1 for row in rows]
        batch = {name: x.to(student.device) for name, x in batch.items()}
        with torch.inference_mode():
            logits = model(**batch, use_cache=False).logits
        places = [slice(b, b + n) for b, n in zip(begins, lengths, strict=True)]
        own = torch.cat([of_row[at] for of_row, at in zip(logits, places, strict=True)])
        top = own.float().log_softmax(-1).topk(count)
        found = [
            [(number, round(value, 5)) for number, value in zip(*at, strict=True)]
            for at in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        ]
        ends = list(accumulate(lengths))
        return [found[end - n : end] for end, n in zip(ends, lengths, strict=True)]
