"""What a student has room for: pairs to be tuned on, and questions to be asked."""

from collections.abc import Sequence

from cotnb.formats import Pair
from cotnb.students import Student, has_room
from cotnb.training.batching import encode_prompt


def pairs_that_fit(
    student: Student, pairs: Sequence[Pair], max_length: int
) -> list[bool]:
    """Whether each pair is short enough, with an end mark and a space to spare."""
    read = lengths(student, [pair.prompt for pair in pairs])
    written = lengths(student, [pair.target for pair in pairs])
    return [
        max(prompt, target) + 2 < max_length
        and has_room(student, prompt + 2, target + 2)
        for prompt, target in zip(read, written, strict=True)
    ]


def prompts_that_fit(
    student: Student, prompts: Sequence[str], new_tokens: int
) -> list[bool]:
    """Whether there is room for each prompt and so many tokens after it."""
    kind = student.is_encoder_decoder
    return [
        has_room(student, len(encode_prompt(student.tokenizer, one, kind)), new_tokens)
        for one in prompts
    ]


def lengths(student: Student, texts: list[str]) -> list[int]:
    """Of texts, in tokens, without an end mark."""
    encoded = student.tokenizer(texts, add_special_tokens=False)["input_ids"]
    return [len(tokens) for tokens in encoded]
