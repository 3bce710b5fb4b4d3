"""Agreement: one tuned student, the same prompts, scored by lm-evaluation-harness too.

The harness asks and judges as in its own task gsm8k_cot, whose filters and metric are
taken from the installed package. What is kept names questions and numbers read, never
a sentence.
"""

import json
import tempfile
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import lm_eval
import yaml
from lm_eval.models.huggingface import HFLM

from benchmarks.disagreements import WHY, explain
from benchmarks.evaluation import ASKING, LONGEST, NEW_TOKENS, ours, tune_into
from benchmarks.paired import in_own_process, save
from benchmarks.problems import questions_to_ask
from cotnb.answers import extract_answer, is_correct
from cotnb.evaluation import prompts_for
from cotnb.formats import STOP_TEXT
from cotnb.students import default_device, load_student

QUESTIONS = 300
BATCH = 16
FILTERS = ("strict-match", "flexible-extract")
TASK = "cotnb_agreement"


def harness_task(folder: Path, prompts: list[str], answers: list[str]) -> dict:
    """The harness's gsm8k_cot with other questions, which are put into folder."""
    package = Path(lm_eval.__file__).parent
    theirs = yaml.safe_load((package / "tasks/gsm8k/gsm8k-cot.yaml").read_text())
    rows = [{"prompt": p, "answer": a} for p, a in zip(prompts, answers, strict=True)]
    file = folder / "questions.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {
        "task": TASK,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(file)}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{prompt}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {
            "until": [STOP_TEXT],
            "max_gen_toks": NEW_TOKENS,
            "do_sample": False,
        },
        "metric_list": theirs["metric_list"],
        "filter_list": theirs["filter_list"],
        "num_fewshot": 0,
    }


def ask_harness(folder: str, prompts: list[str], answers: list[str], _: int) -> dict:
    """{"texts": [...], filter: [(what it read, whether it is right), ...]}"""
    model = HFLM(
        pretrained=folder,
        dtype="float32",
        batch_size=BATCH,
        max_length=LONGEST,
        device=default_device().type,
    )
    task = harness_task(Path(folder), prompts, answers)
    found = lm_eval.simple_evaluate(model, tasks=[task], bootstrap_iters=0)
    told: dict = {name: [("", False)] * len(prompts) for name in FILTERS}
    told["texts"] = [""] * len(prompts)
    for sample in found["samples"][TASK]:
        place, [[text]] = sample["doc_id"], sample["resps"]
        told["texts"][place] = text.strip()
        [read] = sample["filtered_resps"]
        told[sample["filter"]][place] = read, bool(sample["exact_match"])
    return told


def ask_ours(folder: str, prompts: list[str], _: int) -> list[str]:
    """Our texts, at the harness's precision."""
    return ours(load_student(folder), prompts, replace(ASKING, precision="fp32"))


def measure() -> None:
    """Ask both, and list every question on which a verdict differs, and why."""
    with tempfile.TemporaryDirectory() as folder:
        problem = in_own_process(partial(tune_into, folder))(1)["problem"]
        examples = questions_to_ask(problem, QUESTIONS)
        prompts = prompts_for(examples, ASKING)
        answers = [example.answer for example in examples]
        theirs = in_own_process(partial(ask_harness, folder, prompts, answers))(0)
        texts = in_own_process(partial(ask_ours, folder, prompts))(0)
    read = [
        extract_answer(x, e.answer_type) for x, e in zip(texts, examples, strict=True)
    ]
    right = [
        is_correct(r, e.answer, e.answer_type)
        for r, e in zip(read, examples, strict=True)
    ]
    same = [a == b for a, b in zip(texts, theirs["texts"], strict=True)]
    apart = []
    for name in FILTERS:
        for place, (their_read, their_right) in enumerate(theirs[name]):
            if their_right == right[place]:
                continue
            text = theirs["texts"][place]
            key = explain(name, text, same[place], their_read, read[place])
            apart.append(
                {
                    "question": examples[place].id,
                    "filter": name,
                    "answer": answers[place],
                    "ours_read": read[place],
                    "theirs_read": their_read,
                    "ours_right": right[place],
                    "why": WHY.get(key, "not explained"),
                }
            )
    measured = {
        "problem": problem,
        "questions": len(prompts),
        "same_texts": sum(same),
        "right": {"cotnb": sum(right)}
        | {name: sum(ok for _, ok in theirs[name]) for name in FILTERS},
        "verdicts_apart": {
            name: Counter(x["why"] for x in apart if x["filter"] == name)
            for name in FILTERS
        },
        "apart": apart,
    }
    save("agreement", measured)


if __name__ == "__main__":
    measure()
