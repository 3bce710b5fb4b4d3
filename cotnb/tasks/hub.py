"""GSM8K, SVAMP, MultiArith and BBH, from the Hugging Face Hub or a local mirror.

The environment variable COTNB_MIRROR names a folder laid out as the hub's own
repositories are (`<mirror>/openai/gsm8k/main/test.jsonl`, ...).
"""

import random
import re
from collections.abc import Sequence
from itertools import chain, zip_longest
from pathlib import Path

from cotnb.answers import canonical
from cotnb.errors import UserError, first_line
from cotnb.paths import named_folder
from cotnb.tasks.example import Example

DEV_QUESTIONS = 100
BBH_ANSWER_TYPES = {
    "boolean_expressions": "true_false",
    "causal_judgement": "yes_no",
    "date_understanding": "choice",
    "disambiguation_qa": "choice",
    "dyck_languages": "brackets",
    "formal_fallacies": "valid_invalid",
    "geometric_shapes": "choice",
    "hyperbaton": "choice",
    "logical_deduction_five_objects": "choice",
    "logical_deduction_seven_objects": "choice",
    "logical_deduction_three_objects": "choice",
    "movie_recommendation": "choice",
    "multistep_arithmetic_two": "number",
    "navigate": "yes_no",
    "object_counting": "number",
    "penguins_in_a_table": "choice",
    "reasoning_about_colored_objects": "choice",
    "ruin_names": "choice",
    "salient_translation_error_detection": "choice",
    "snarks": "choice",
    "sports_understanding": "yes_no",
    "temporal_sequences": "choice",
    "tracking_shuffled_objects_five_objects": "choice",
    "tracking_shuffled_objects_seven_objects": "choice",
    "tracking_shuffled_objects_three_objects": "choice",
    "web_of_lies": "yes_no",
    "word_sorting": "text",
}


def load_rows(
    repository: str, config: str | None, split: str, columns: Sequence[str] = ()
) -> list[dict]:
    """One split of a hub dataset as a list of rows.

    repository: the hub's id, such as "openai/gsm8k"; config: its configuration.
    columns: what every row must have.
    Read from the folder that COTNB_MIRROR names where it is set, else from the hub.
    Raises UserError where neither can be had, and for a row that lacks a column.
    """
    mirror = named_folder("COTNB_MIRROR")
    rows = (
        _from_mirror(mirror, repository, config, split)
        if mirror
        else _from_hub(repository, config, split)
    )
    for number, row in enumerate(rows):
        if absent := [name for name in columns if row.get(name) is None]:
            raise UserError(
                f"{repository}, {split}, row {number}: no {absent[0]}; fetch it again"
            )
    return rows


def _from_hub(repository: str, config: str | None, split: str) -> list[dict]:
    from datasets import load_dataset

    try:
        return list(load_dataset(repository, config, split=split))
    except Exception as error:
        reason = first_line(error)
        raise UserError(
            f"{repository} could not be loaded from the hub ({reason}); connect, "
            "or set COTNB_MIRROR to a folder laid out like the hub"
        ) from error


def _from_mirror(
    mirror: Path, repository: str, config: str | None, split: str
) -> list[dict]:
    source = mirror / repository
    folder = source / config if config else source
    # as the hub lays them out: test.jsonl, test-00000-of-00002.parquet
    found = {kind: _of_split(folder, split, kind) for kind in ("jsonl", "parquet")}
    files = found["jsonl"] or found["parquet"]
    if not files:
        raise UserError(
            f"COTNB_MIRROR: no {split}.jsonl or .parquet, nor {split}-….jsonl or "
            f".parquet in {folder}; copy {repository} there as the hub lays it out"
        )
    return _read_files(files, repository, split)


def _of_split(folder: Path, split: str, kind: str) -> list[Path]:
    return sorted({*folder.glob(f"{split}.{kind}"), *folder.glob(f"{split}-*.{kind}")})


def _read_files(files: list[Path], repository: str, split: str) -> list[dict]:
    from datasets import load_dataset
    from datasets.utils.logging import disable_progress_bar

    disable_progress_bar()
    kind = "json" if files[0].suffix == ".jsonl" else "parquet"
    try:
        rows = load_dataset(kind, data_files={split: [str(f) for f in files]})
    except Exception as error:
        raise UserError(
            f"{files[0]}: not readable as {kind} rows of {repository}; fetch it again"
        ) from error
    return list(rows[split])


def load_gsm8k(split: str) -> list[Example]:
    """GSM8K (Cobbe et al. 2021): openai/gsm8k, main. Splits train, dev, test.

    The human solution becomes the rationale, its calculator marks taken out; its lines
    are the exact steps, marks left in, since some say what the words leave out.
    """
    rows, offset = _split_rows("openai/gsm8k", "main", split, "question", "answer")
    return [
        _example("gsm8k", split, offset + i, row["question"], *_gsm8k_solution(row, i))
        for i, row in enumerate(rows)
    ]


def _gsm8k_solution(row: dict, index: int) -> tuple[str, str, tuple[str, ...]]:
    """The answer, the rationale and the steps."""
    solution, mark, answer = row["answer"].partition("####")
    if not mark:
        raise UserError(f"openai/gsm8k row {index}: the answer has no '####' mark")
    steps = tuple(solution.strip().splitlines())
    return answer.strip(), re.sub(r"<<.*?>>", "", solution).strip(), steps


def load_svamp(split: str) -> list[Example]:
    """SVAMP (Patel et al. 2021): ChilleD/SVAMP. Splits train, dev, test."""
    columns = "question_concat", "Answer"
    rows, offset = _split_rows("ChilleD/SVAMP", None, split, *columns)
    return [
        _example("svamp", split, offset + i, r["question_concat"], r["Answer"])
        for i, r in enumerate(rows)
    ]


def load_multiarith(split: str) -> list[Example]:
    """MultiArith (Roy and Roth 2015): ChilleD/MultiArith. Splits train, dev, test."""
    columns = "question", "final_ans"
    rows, offset = _split_rows("ChilleD/MultiArith", None, split, *columns)
    return [
        _example("multiarith", split, offset + i, r["question"], r["final_ans"])
        for i, r in enumerate(rows)
    ]


def load_bbh(task: str, split: str = "test") -> list[Example]:
    """One of BBH's 27 tasks (Suzgun et al. 2022): lukaemon/bbh, for testing alone."""
    if task not in BBH_ANSWER_TYPES:
        raise UserError(f"BBH has no task {task!r}; it has {sorted(BBH_ANSWER_TYPES)}")
    if split != "test":
        raise UserError(
            f"BBH has the split test alone, not {split!r}: never train on it"
        )
    rows = load_rows("lukaemon/bbh", task, "test", ("input", "target"))
    return [_bbh_example(task, i, row) for i, row in enumerate(rows)]


def load_all_bbh(split: str = "test") -> list[Example]:
    """All 27 tasks of BBH in turn, each shuffled in a fixed way, for testing alone.

    The first 27 k are k of each task, up to k = 146, which the smallest has.
    """
    tasks = []
    for task in BBH_ANSWER_TYPES:
        examples = load_bbh(task, split)
        tasks.append(random.Random(task).sample(examples, len(examples)))
    return [e for e in chain(*zip_longest(*tasks)) if e is not None]


def _bbh_example(task: str, index: int, row: dict) -> Example:
    """Three of BBH's choice items are answered in words: they are read as text."""
    kind = BBH_ANSWER_TYPES[task]
    if canonical(row["target"], kind) is None:
        kind = "text"
    return Example(
        task=f"bbh_{task}",
        split="test",
        index=index,
        question=row["input"],
        answer=canonical(row["target"], kind),
        answer_type=kind,
        template=task,
    )


def _split_rows(repository: str, config: str | None, split: str, *columns: str):
    """Rows and the index of the first: dev is the last 100 of the hub's train split."""
    if split not in ("train", "dev", "test"):
        raise UserError(f"{repository}: no split {split!r}; it has train, dev and test")
    stored = "test" if split == "test" else "train"
    rows = load_rows(repository, config, stored, columns)
    if split == "train":
        return rows[:-DEV_QUESTIONS], 0
    if split == "dev":
        return rows[-DEV_QUESTIONS:], len(rows) - DEV_QUESTIONS
    return rows, 0


def _example(
    task, split, index, question, answer, rationale=None, steps=None
) -> Example:
    number = canonical(str(answer), "number")
    if number is None or not question.strip():
        raise UserError(f"{task}, {split} row {index}: no question or no number answer")
    return Example(
        task=task,
        split=split,
        index=index,
        question=" ".join(question.split()),
        answer=number,
        answer_type="number",
        rationale=rationale,
        steps=steps,
    )
