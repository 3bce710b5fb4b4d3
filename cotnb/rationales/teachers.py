"""What a teacher is: something that continues prompts, and tells what it cost."""

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Sampling:
    """How a teacher is to write.

    temperature: 0 is greedy. max_new_tokens: the longest text. top_logprobs: of how
    many likeliest tokens the logarithms of probabilities are asked for, 0 for none.
    """

    temperature: float = 0.7
    max_new_tokens: int = 256
    top_logprobs: int = 0


@dataclass(frozen=True)
class Asked:
    """One text to be written: the prompt, and which of its samples this is, from 0."""

    prompt: str
    sample: int = 0

    @property
    def seed(self) -> int:
        """Of this sample alone, whatever else is asked with it."""
        named = f"{self.sample}/{self.prompt}".encode()
        return int.from_bytes(hashlib.sha256(named).digest()[:4], "big")


@dataclass(frozen=True)
class Reply:
    """A text that a teacher wrote; the other fields as `Rationale` has them."""

    text: str
    prompt_tokens: int = 0
    new_tokens: int = 0
    top_logprobs: list | None = None


class Teacher(Protocol):
    """Anything with a name that replies to prompts.

    `replies` yields (number of the one asked, its reply) as they come, in any order,
    and raises UserError where it cannot go on; what was yielded by then counts. It is
    closed by who reads it.
    """

    name: str

    def replies(
        self, asked: Sequence[Asked], sampling: Sampling
    ) -> Generator[tuple[int, Reply]]: ...
