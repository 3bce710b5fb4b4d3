"""A model on this machine as teacher: one of the ladder, a tuned student, any other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from cotnb.batching import encode_prompt
from cotnb.evaluation import generate
from cotnb.rationales.teachers import Asked, Reply, Sampling
from cotnb.students import Student

AT_ONCE = 512  # texts between two times that replies are handed over


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
            for number, (one, (text, count)) in enumerate(
                zip(some, written, strict=True), start=begin
            ):
                read = encode_prompt(
                    tokenizer, one.prompt, self.student.is_encoder_decoder
                )
                likeliest = None
                if sampling.top_logprobs:
                    likeliest = self._likeliest(read, text, sampling.top_logprobs)
                yield number, Reply(text, len(read), count, likeliest)

    def _likeliest(self, prompt: list[int], text: str, count: int) -> list:
        """For each token of the text and the end mark: the likeliest `count` there."""
        student, tokenizer = self.student, self.student.tokenizer
        written = tokenizer(text, add_special_tokens=False)["input_ids"]
        written = [*written, tokenizer.eos_token_id]
        device = student.device
        with torch.inference_mode():
            if student.is_encoder_decoder:
                logits = student.model(
                    input_ids=torch.tensor([prompt], device=device),
                    labels=torch.tensor([written], device=device),
                ).logits[0]
            else:
                both = torch.tensor([prompt + written], device=device)
                logits = student.model(both).logits[0, len(prompt) - 1 : -1]
        top = logits.float().log_softmax(-1).topk(count)
        return [
            [
                (tokenizer.decode([token]), round(value, 5))
                for token, value in zip(tokens, values, strict=True)
            ]
            for tokens, values in zip(
                top.indices.tolist(), top.values.tolist(), strict=True
            )
        ]
