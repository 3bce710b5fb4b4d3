"""On a GPU: tokens and questions a second by batch size, and how busy it is kept.

Batch sizes are doubled until one has no room. Model FLOPs are counted as in
`benchmarks.tuning`; their utilisation is against the rate that the maker states and
against the rate of products that is measured in the same run. Without a GPU there is
nothing to measure.
"""

import os
import sys
import warnings

import torch
from torch.profiler import ProfilerActivity, profile
from transformers import TrainerCallback

from benchmarks.paired import save
from benchmarks.problems import flan_t5_base_shape, smollm2_on_svamp
from benchmarks.tuning import Problem, matrix_product_rate, now, ours, trainer_of_ours
from cotnb.evaluation import Asking, generate, prompts_for
from cotnb.tasks import load_task
from cotnb.training.batching import TOKENS_SETTING

PROBLEMS = {"smollm2": smollm2_on_svamp, "flan-t5-base": flan_t5_base_shape}
ROWS = tuple(2**i for i in range(4, 11))  # of a tuning's step, and asked at a time
TOKENS = 2**16  # put through at once, where nothing shortens a step into parts
STEPS = 10  # timed
QUESTIONS = 1024
NEW_TOKENS = 96
# dense bf16 products, TFLOP/s, as NVIDIA's data sheets state them
STATED = {"H100": 989, "H200": 989, "A100": 312, "L4 ": 121, "L40S": 362}


def stated_tflops(name: str) -> float | None:
    """Of a GPU by its name; None where it is not known."""
    return next((rate for known, rate in STATED.items() if known in f"{name} "), None)


def by_rows(measured, rows=ROWS) -> list[dict]:
    """What was measured with so many rows, until there is no room for more."""
    found = []
    for count in rows:
        try:
            row = {"rows": count, **measured(count), **_peak()}
        except torch.OutOfMemoryError:
            print(f"{count} rows: no room", flush=True)
            break
        print(row, flush=True)
        found.append(row)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return found


def tuning(problem: Problem, rows: int, products: float) -> dict:
    """One turn with so many rows a step. products: GFLOP/s, of the same machine."""
    problem.batch = rows
    turn = ours(problem, number=1)
    rate = turn["tflop"] / turn["seconds"]
    found = {
        "tokens_a_second": turn["tokens_a_second"],
        "target_tokens_a_second": turn["target_tokens_a_second"],
        "tflops": round(rate, 2),
        "of_products": round(1e3 * rate / products, 3),
    }
    if torch.cuda.is_available() and (stated := stated_tflops(_gpu())):
        found["of_stated"] = round(rate / stated, 3)
    return found


def asking(problem: Problem, rows: int, questions: int = QUESTIONS) -> dict:
    """Questions a second of the untuned student, each to its end or NEW_TOKENS."""
    examples = load_task("micro_world_multi_step", "test", questions)
    prompts = prompts_for(examples, Asking("zero_shot_cot"))
    asked = {"max_new_tokens": NEW_TOKENS, "batch_size": rows, "precision": "bf16"}
    generate(problem.student, prompts[:rows], **asked)
    begun = now()
    written = generate(problem.student, prompts, **asked)
    seconds = now() - begun
    return {
        "questions_a_second": round(len(prompts) / seconds, 1),
        "new_tokens_a_second": round(sum(n for _, n in written) / seconds, 1),
    }


class _Busy(TrainerCallback):
    """Watches all steps but the first: waits for the device, and its busy time."""

    def __init__(self):
        self.activity = profile(activities=[ProfilerActivity.CUDA])
        self.begun = self.seconds = 0.0

    def on_step_end(self, args, state, *_, **__):
        if state.global_step == 1:
            self.begun = now()
            torch.cuda.set_sync_debug_mode("warn")
            self.activity.start()
        if state.global_step == state.max_steps:
            torch.cuda.set_sync_debug_mode("default")
            self.seconds = now() - self.begun
            self.activity.stop()


def busy(problem: Problem, rows: int) -> dict:
    """Operations a step that the host waits for, and the share that the GPU works."""
    problem.batch = rows
    watch = _Busy()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with trainer_of_ours(problem, number=2) as (trainer, _):
            # reading the loss is what it logs for, and waits
            trainer.args.logging_steps = trainer.state.logging_steps = 10**6
            trainer.add_callback(watch)
            trainer.train()
    waits = [x for x in told if "synchronizing CUDA operation" in str(x.message)]
    events = watch.activity.key_averages()
    micros = sum(event.self_device_time_total for event in events)
    return {
        "rows": rows,
        "waits_a_step": len(waits) / problem.steps,
        "busy": round(micros / 1e6 / watch.seconds, 3),
    }


def _gpu() -> str:
    return torch.cuda.get_device_name()


def _peak() -> dict:
    if not torch.cuda.is_available():
        return {}
    peak = torch.cuda.max_memory_allocated() / 2**30
    torch.cuda.reset_peak_memory_stats()
    return {"peak_gib": round(peak, 2)}


def measure(kind: str) -> None:
    """One student: tuning, asking, and a look at how busy the GPU is kept."""
    os.environ[TOKENS_SETTING] = str(TOKENS)
    problem = Problem(kind, "full", *PROBLEMS[kind](), STEPS, ROWS[0])
    products = matrix_product_rate(problem, tokens=2**14)["gflops"]
    tuned = by_rows(lambda rows: tuning(problem, rows, products))
    best = max(tuned, key=lambda row: row["tokens_a_second"])["rows"]
    measured = {
        "problem": problem.student.name,
        "products_gflops": products,
        "stated_tflops": stated_tflops(_gpu()),
        "tuning": tuned,
        "busy": busy(problem, best),
        "asking": by_rows(lambda rows: asking(problem, rows)),
    }
    save(f"gpu-{kind}", measured)


if __name__ == "__main__":
    if torch.cuda.is_available():
        measure(*sys.argv[1:])
    else:
        print("no GPU here: nothing to measure")
