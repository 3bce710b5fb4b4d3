"""Where the committed students are, and the card beside each one's weights."""

import json
from pathlib import Path

CARD = "card.json"
_STUDENTS = Path(__file__).with_name("students")


def ladder_folder(name: str) -> Path:
    """Where a ladder student's weights, tokenizer and card are committed."""
    return _STUDENTS / name


def read_cards() -> list[dict]:
    """The cards of the committed students, from the smallest to the largest.

    A card says what a student was trained on, for how long, what it can and which
    weights it is of: the keys of `pretraining_note`, and student, parameters,
    fingerprint, as `Student` has it, scores and micro_bbh.
    """
    cards = [json.loads(path.read_text()) for path in _STUDENTS.glob(f"*/{CARD}")]
    return sorted(cards, key=lambda card: card["parameters"])
