"""Evaluation: questions a second against lm-evaluation-harness's Hugging Face backend.

The same tuned student is asked the same prompts, greedily, up to the same count of new
tokens. The harness gets the batch size that its own automatic search finds; the search
is not timed.
"""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from benchmarks.paired import (
    in_own_process,
    median,
    peak_gib,
    ratios,
    save,
    take_turns,
)
from benchmarks.problems import questions_to_ask, smollm2_on_svamp
from cotnb.answers import extract_answer
from cotnb.attention.decoding import decode_fast
from cotnb.decoding import decode
from cotnb.evaluation import Asking, generate, prompts_for
from cotnb.formats import STOP_TEXT
from cotnb.recipes import Recipe
from cotnb.students import load_student
from cotnb.training import tune
from cotnb.training.batching import encode_prompt

QUESTIONS = 200
WARMING = 32  # of them in the turn that does not count
NEW_TOKENS = 160
LONGEST = 320  # prompt and answer: what the harness's search for a batch size tries
PRECISIONS = {"defaults": "auto", "by hand": "bfloat16"}  # of the harness
ASKING = Asking("zero_shot_cot", max_new_tokens=NEW_TOKENS, precision="bf16")


class Harness:
    """lm-evaluation-harness with a student, at one precision.

    The batch size that its search finds is kept beside the student.
    """

    def __init__(self, folder: str, dtype: str):
        found = Path(folder) / f"batch size in {dtype}"
        self.model = HFLM(
            pretrained=folder,
            dtype=dtype,
            batch_size=int(found.read_text()) if found.is_file() else "auto",
            max_length=LONGEST,
            device="cuda" if torch.cuda.is_available() else "cpu",
        )
        if not found.is_file():
            found.write_text(str(self.model._detect_batch_size()))
            self.model.batch_size_per_gpu = int(found.read_text())
        print(f"harness, {dtype}: batches of {self.model.batch_size}", flush=True)

    def texts(self, prompts: list[str]) -> list[str]:
        settings = {
            "until": [STOP_TEXT],
            "max_gen_toks": NEW_TOKENS,
            "do_sample": False,
        }
        asked = [Instance("generate_until", {}, (x, settings), 0) for x in prompts]
        return [x.strip() for x in self.model.generate_until(asked, disable_tqdm=True)]


def ours(student, prompts, asking: Asking) -> list[str]:
    written = generate(
        student,
        prompts,
        max_new_tokens=NEW_TOKENS,
        batch_size=asking.batch_size,
        precision=asking.precision,
    )
    return [text for text, _ in written]


def decoding_bound(student, prompts) -> list[dict]:
    """Seconds of a decoding step by rows, and of reading its weights and cache once."""
    model = student.model.to(torch.bfloat16)
    decode_fast(model)
    bandwidth = _read_bandwidth()
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    config = model.config
    heads = config.num_key_value_heads / config.num_attention_heads
    a_token = 2 * 2 * config.num_hidden_layers * config.hidden_size * heads
    encoded = [encode_prompt(student.tokenizer, x, False) for x in prompts]
    found = []
    for rows in (1, 16, 64):
        asked = encoded[:rows]
        short, long = (_seconds(student, model, asked, n) for n in (1, 33))
        cache = a_token * rows * (max(map(len, asked)) + 17)
        found.append(
            {
                "rows": rows,
                "seconds_a_step": round((long - short) / 32, 4),
                "bound": round((weights + cache) / bandwidth, 4),
            }
        )
    return found


def _seconds(student, model, rows, new_tokens: int) -> float:
    def greedy(logits, *_):
        return logits.argmax(-1)

    def never(written):
        return torch.zeros(len(written), dtype=torch.bool)

    times = []
    with torch.inference_mode():
        for _ in range(4):
            begun = time.perf_counter()
            decode(
                student,
                model,
                rows,
                max_new_tokens=new_tokens,
                batch_size=len(rows),
                choose=greedy,
                has_ended=never,
            )
            times.append(time.perf_counter() - begun)
    return sorted(times[1:])[1]


def _read_bandwidth() -> float:
    """Bytes a second of reading 512 MB once."""
    numbers = torch.ones(2**27)
    times = []
    for _ in range(6):
        begun = time.perf_counter()
        numbers.sum()
        times.append(time.perf_counter() - begun)
    return numbers.numel() * 4 / sorted(times)[2]


def contestant(name: str, folder: str) -> Callable[[list[str]], list[str]]:
    """Who answers prompts, from a student's folder."""
    if name == "cotnb":
        return partial(ours, load_student(folder), asking=ASKING)
    return Harness(folder, PRECISIONS[name]).texts


def take_turn(name: str, folder: str, prompts: list[str], number: int) -> dict:
    """Ask all prompts, some of them in turn 0, and keep the texts in folder."""
    texts = contestant(name, folder)
    asked = prompts if number else prompts[:WARMING]
    begun = time.perf_counter()
    written = texts(asked)
    seconds = time.perf_counter() - begun
    _texts_of(name, folder).write_text(json.dumps(written))
    return {
        "questions_a_second": round(len(asked) / seconds, 3),
        "peak_gib": peak_gib(),
    }


def tune_into(folder: str, epochs: int) -> dict:
    """Save a student that is tuned to answer; what it was tuned on."""
    base, pairs = smollm2_on_svamp()
    student = tune("SmolLM2-135M", pairs, Recipe(epochs=epochs))
    student.model.save_pretrained(folder)
    student.tokenizer.save_pretrained(folder)
    return {"problem": base.name}


def measure() -> None:
    """Turns, agreement of texts and answers, and the bound on decoding."""
    names = ["cotnb", *PRECISIONS]
    with tempfile.TemporaryDirectory() as folder:
        # apart, as a tuning's memory would stay with this process
        problem = in_own_process(partial(tune_into, folder))(1)["problem"]
        examples = questions_to_ask(problem, QUESTIONS)
        prompts = prompts_for(examples, ASKING)
        turns = take_turns(
            {n: in_own_process(partial(take_turn, n, folder, prompts)) for n in names}
        )
        kept = {n: json.loads(_texts_of(n, folder).read_text()) for n in names}
        student = load_student(folder)
    exact = ours(student, prompts, replace(ASKING, precision="fp32"))
    measured = {
        "problem": problem,
        "questions": len(prompts),
        "turns": turns,
        "median": {n: median(t, "questions_a_second") for n, t in turns.items()},
        "right": {name: _right(texts, examples) for name, texts in kept.items()},
        "against": {
            name: ratios(turns, "cotnb", name, "questions_a_second")
            for name in PRECISIONS
        },
        "same_answers": {
            "fp32 and the harness's defaults": _same(exact, kept["defaults"]),
            "bf16 and the harness's bf16": _same(kept["cotnb"], kept["by hand"]),
            "bf16 and the harness's defaults": _same(kept["cotnb"], kept["defaults"]),
        },
        "decoding": decoding_bound(student, prompts),
    }
    save("evaluation", measured)


def _texts_of(name: str, folder: str) -> Path:
    return Path(folder) / f"texts of {name}.json"


def _right(texts, examples) -> int:
    pairs = zip(texts, examples, strict=True)
    return sum(extract_answer(x, e.answer_type) == e.answer for x, e in pairs)


def _same(ours, theirs) -> dict:
    pairs = list(zip(ours, theirs, strict=True))
    read = [[extract_answer(text, "number") for text in pair] for pair in pairs]
    return {
        "texts": sum(a == b for a, b in pairs),
        "answers": sum(a == b for a, b in read),
        "of": len(pairs),
    }


if __name__ == "__main__":
    measure()
