"""How large models err: GPT-3's own solutions, and errors that Wei et al. sorted.

GPT-3's solutions of GSM8K's test questions are published with it by Cobbe et al. 2021
(arXiv 2110.14168): 6B and 175B weights, fine-tuned on its training questions, one
solution a question.
"""

import gzip
import json
import zlib
from pathlib import Path

import pandas as pd

from cotnb.errors import UserError
from cotnb.paths import beside_mirror
from cotnb.tasks.example import Example

REFERENCE = "GSM8K's own"  # solutions, which are right: what the rule faults is a miss
SIZES = {"GPT-3 6B": "6b_finetuning", "GPT-3 175B": "175b_finetuning"}
LAST_LINE = "\nA: "
# what Wei et al. 2022 (appendix) found in PaLM 62B's errors on GSM8K, as kinds of ours
WEI_KINDS = {
    "GSM8K semantic understanding": "misread",
    "GSM8K one step missing": "missing_step",
    "GSM8K other": "other",
}


def find_gpt3_solutions(name: str | Path) -> Path | None:
    """The file by path, or in `model_outputs` beside COTNB_MIRROR; None: not there."""
    places = [Path(name).expanduser()]
    if folder := beside_mirror("model_outputs"):
        places.append(folder / name)
    return next((place for place in places if place.is_file()), None)


def load_gpt3_solutions(path: str | Path) -> dict[str, list[tuple[Example, str]]]:
    """(question, solution) pairs of "GPT-3 6B", "GPT-3 175B" and `REFERENCE`.

    path: `example_model_solutions.jsonl` of openai/grade-school-math, or the same
    packed with gzip. Raises UserError where it is not there or is another file.
    """
    path = Path(path).expanduser()
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        examples = [(_example(i, row), row) for i, row in _valid(rows)]
        found = {
            name: [(example, row[key]["solution"]) for example, row in examples]
            for name, key in SIZES.items()
        }
        found[REFERENCE] = [(e, "\n".join(e.steps)) for e, _ in examples]
        return found
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: not GPT-3's solutions of GSM8K ({error!r}); take "
            "example_model_solutions.jsonl of openai/grade-school-math"
        ) from error


def _valid(rows: list[dict]) -> list[tuple[int, dict]]:
    return [(i, row) for i, row in enumerate(rows) if LAST_LINE in row["ground_truth"]]


def _example(index: int, row: dict) -> Example:
    solution, _, answer = row["ground_truth"].rpartition(LAST_LINE)
    return Example(
        task="gsm8k",
        split="test",
        index=index,
        question=row["question"],
        answer=answer.strip().replace(",", ""),
        answer_type="number",
        steps=tuple(solution.strip().splitlines()),
    )


def wei_errors(results: Path) -> dict[str, float]:
    """Shares of the kinds of error among the 45 of PaLM 62B that Wei et al. sorted.

    results: the folder of papers.csv.
    """
    papers = pd.read_csv(Path(results) / "papers.csv")
    own = papers[(papers["paper"] == "wei2022") & (papers["student"] == "palm-62b")]
    counts = own[own["metric"] == "count of 45"].set_index("evaluation")["value"]
    named = counts.astype(float).rename(WEI_KINDS)
    return (named / named.sum()).to_dict()
