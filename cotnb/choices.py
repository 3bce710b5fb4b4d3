"""From an option to its letter: what a chain of thought comes to, and what it names.

A question with lettered options asks two things: which option, and then which letter
stands before it. A text may have the first right and the second wrong.
"""

import re
from collections.abc import Sequence

from cotnb.answers import extract_answer
from cotnb.tasks.example import Example

OPTION = re.compile(r"\(([A-Z])\)\s*(.+?)[\s.,;]*(?=\([A-Z]\)|\Z)", re.DOTALL)
SENTENCE = re.compile(r"(?<=[.!?])\s+|\n")


def options_of(question: str) -> dict[str, str]:
    """The words of each lettered option, by letter; empty where there is no "(A)"."""
    start = question.rfind("(A)")
    return dict(OPTION.findall(question[start:])) if start >= 0 else {}


def option_told(text: str, options: dict[str, str]) -> str | None:
    """The letter of the option whose words a text tells last.

    None where it tells none, or two in one sentence. Which letter the text itself names
    does not count.
    """
    for sentence in reversed(SENTENCE.split(text)):
        told = [letter for letter, words in options.items() if _told(words, sentence)]
        if told:
            return told[0] if len(told) == 1 else None
    return None


def _told(words: str, sentence: str) -> bool:
    pattern = rf"(?<!\w){re.escape(words)}(?!\w)"
    return re.search(pattern, sentence, re.IGNORECASE) is not None


def option_counts(examples: Sequence[Example], texts: Sequence[str]) -> dict[str, int]:
    """How many texts tell an option, and how the letter goes on from there.

    examples: questions with lettered options. texts: what was written for each. Keys:
    texts; of these `tell an option`, as `option_told` has it; of these `the right one`,
    `name its letter`, that of the option they tell, and `name the right letter`.
    """
    found = dict.fromkeys(
        (
            "texts",
            "tell an option",
            "the right one",
            "name its letter",
            "name the right letter",
        ),
        0,
    )
    for example, text in zip(examples, texts, strict=True):
        found["texts"] += 1
        told = option_told(text, options_of(example.question))
        if told is None:
            continue
        named = extract_answer(text, example.answer_type)
        found["tell an option"] += 1
        found["the right one"] += told == example.answer
        found["name its letter"] += told == named
        found["name the right letter"] += named == example.answer
    return found
