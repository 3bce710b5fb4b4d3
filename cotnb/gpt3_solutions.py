"""GPT-3's solutions of GSM8K's test questions, for errors by size in large models.

Published with GSM8K by Cobbe et al. 2021 (arXiv 2110.14168): GPT-3 of 6B and of 175B
weights, fine-tuned on its training questions, one solution a question.
"""

import gzip
import json
from pathlib import Path

from cotnb.errors import UserError
from cotnb.tasks.example import Example

SIZES = {"GPT-3 6B": "6b_finetuning", "GPT-3 175B": "175b_finetuning"}
ANSWER_MARK = "\nA: "


def load_gpt3_solutions(path: str | Path) -> dict[str, list[tuple[Example, str]]]:
    """(question, solution) pairs by model, "GPT-3 6B" and "GPT-3 175B".

    path: `example_model_solutions.jsonl` of openai/grade-school-math, or the same
    packed with gzip. Raises UserError where it is not there or is another file.
    """
    path = Path(path).expanduser()
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        return {
            name: [(_example(i, row), row[key]["solution"]) for i, row in _valid(rows)]
            for name, key in SIZES.items()
        }
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: not GPT-3's solutions of GSM8K ({error!r}); take "
            "example_model_solutions.jsonl of openai/grade-school-math"
        ) from error


def _valid(rows: list[dict]) -> list[tuple[int, dict]]:
    return [
        (i, row) for i, row in enumerate(rows) if ANSWER_MARK in row["ground_truth"]
    ]


def _example(index: int, row: dict) -> Example:
    solution, _, answer = row["ground_truth"].rpartition(ANSWER_MARK)
    return Example(
        task="gsm8k",
        split="test",
        index=index,
        question=row["question"],
        answer=answer.strip().replace(",", ""),
        answer_type="number",
        steps=tuple(solution.strip().splitlines()),
    )
