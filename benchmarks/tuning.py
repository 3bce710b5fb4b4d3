"""Tuning: tokens a second against TRL's SFTTrainer and transformers' Seq2SeqTrainer.

Each turn starts from the same weights and trains a few optimiser steps on the same
pairs; the first is not timed. Tokens are the pairs' own: padding does not count.
"""

import copy
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import (
    DataCollatorForSeq2Seq,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    TrainerCallback,
)
from trl import SFTConfig, SFTTrainer

from benchmarks.paired import in_own_process, peak_gib, ratios, save, take_turns
from benchmarks.problems import smollm2_on_svamp, t5_on_micro_world
from cotnb.recipes import Recipe
from cotnb.students import Student, default_device
from cotnb.training import build_trainer
from cotnb.training.batching import encode_pairs, plan_batches

STEPS = {"smollm2": 2, "t5": 10}  # timed in a turn
BATCH = {"smollm2": 16, "t5": 64}
PROBLEMS = {"smollm2": smollm2_on_svamp, "t5": t5_on_micro_world}
SHARED = {"learning_rate": 1e-4, "report_to": [], "save_strategy": "no"}
QUIET = {"disable_tqdm": True, "logging_steps": 1}


class Clock(TrainerCallback):
    """Seconds of all optimiser steps but the first, and of what is between them."""

    def __init__(self):
        self.begun = self.seconds = 0.0

    def on_step_end(self, args, state, *_, **__):
        if state.global_step == 1:
            self.begun = now()
        if state.global_step == state.max_steps:
            self.seconds = now() - self.begun


def now() -> float:
    """Seconds by a clock, once a GPU has done all that it was told to."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


@dataclass
class Problem:
    """A student, its pairs, and how it is tuned here."""

    kind: str
    method: str
    student: Student
    pairs: list
    steps: int  # timed in a turn
    batch: int  # rows of a step

    def __post_init__(self):
        self.encoded = encode_pairs(
            self.student.tokenizer, self.pairs, self.student.is_encoder_decoder, 512
        )

    def rows_of(self, number: int) -> list[int]:
        """The rows of a turn: other ones each time, the same for each contestant."""
        count, rng = (self.steps + 1) * self.batch, np.random.default_rng(number)
        rounds = -(-count // len(self.encoded))  # more than there are: once more
        orders = [rng.permutation(len(self.encoded)) for _ in range(rounds)]
        return np.concatenate(orders)[:count].tolist()

    def model(self):
        return copy.deepcopy(self.student.model)

    def lora(self) -> LoraConfig | None:
        if self.method == "full":
            return None
        kind = "SEQ_2_SEQ_LM" if self.student.is_encoder_decoder else "CAUSAL_LM"
        return LoraConfig(
            r=16, lora_alpha=32, target_modules="all-linear", task_type=kind
        )

    def measured(self, trainer, clock: Clock, order: list[list[int]]) -> dict:
        """Train, and give the tokens a second of all steps but the first."""
        trainer.add_callback(clock)
        trainer.train()
        timed = [self.encoded[row] for step in order[1:] for row in step]
        targets = sum(len(row.target) for row in timed)
        tokens = targets + sum(len(row.prompt) for row in timed)
        seconds = clock.seconds
        losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
        return {
            "tokens_a_second": round(tokens / seconds, 1),
            "target_tokens_a_second": round(targets / seconds, 1),
            "tflop": round(self.flop(timed) / 1e12, 3),
            "seconds": round(seconds, 2),
            "losses": [round(float(loss), 4) for loss in losses],
        }

    def flop(self, rows) -> float:
        """Of a step over rows: two for each weight a token meets, forwards, and twice

        that backwards, or as much again where weights are frozen; the head counts
        for target tokens, attention for the tokens that a token sees.
        """
        model, backwards = self.student.model, 2 if self.method == "full" else 1
        config = model.config
        head = config.vocab_size * config.hidden_size
        if self.student.is_encoder_decoder:
            encoder, decoder = _weights(model.encoder), _weights(model.decoder)
            cross = config.num_decoder_layers * 2 * config.d_model**2
            decoder -= cross  # keys and values of what the encoder read
            forwards = sum(
                (encoder + cross) * len(r.prompt) + (decoder + head) * len(r.target)
                for r in rows
            )
        else:
            weights = _weights(model.model)
            width = config.num_hidden_layers * config.hidden_size
            lengths = np.array([len(r.prompt) + len(r.target) for r in rows])
            seen = float((lengths * (lengths + 1) / 2).sum())
            targets = sum(len(r.target) for r in rows)
            forwards = weights * lengths.sum() + head * targets + 2 * width * seen
        return 2.0 * forwards * (1 + backwards)


def _weights(module) -> int:
    linear = [m for m in module.modules() if isinstance(m, torch.nn.Linear)]
    return sum(m.weight.numel() for m in linear)


def ours(problem: Problem, number: int, own_batches: bool = True) -> dict:
    """As `tune` does it; own_batches: as it plans them, or as theirs."""
    with trainer_of_ours(problem, number, own_batches) as (trainer, order):
        return problem.measured(trainer, Clock(), order)


@contextmanager
def trainer_of_ours(problem: Problem, number: int, own_batches: bool = True):
    """The trainer of a turn, and the rows of each of its steps."""
    rows, size = problem.rows_of(number), problem.batch
    encoded = [problem.encoded[row] for row in rows]
    plan = [list(range(i, i + size)) for i in range(0, len(rows), size)]
    if own_batches:
        packed = not problem.student.is_encoder_decoder
        plan = plan_batches(encoded, size, 1, number, by_length=not packed)
    student = copy.copy(problem.student)
    student.model = problem.model()
    recipe = Recipe(method=problem.method, batch_size=size, learning_rate=1e-4)
    with tempfile.TemporaryDirectory() as work:
        trainer = build_trainer(student, encoded, plan, recipe, Path(work))
        trainer.args.logging_steps = trainer.state.logging_steps = 1
        trainer.args.save_strategy = "no"
        yield trainer, [[rows[i] for i in step] for step in plan]


def theirs(problem: Problem, number: int, by_hand: bool) -> dict:
    """As the documentation sets it up, or with every option that is for speed."""
    rows, size = problem.rows_of(number), problem.batch
    order = [rows[i : i + size] for i in range(0, len(rows), size)]
    model = problem.model()
    if by_hand:
        model.set_attn_implementation("eager")  # the faster one on rows this short
        rows = [
            row
            for step in order
            for row in sorted(step, key=lambda i: len(problem.encoded[i].prompt))
        ]
    build = _seq2seq if problem.student.is_encoder_decoder else _sft
    with tempfile.TemporaryDirectory() as work:
        common = {
            "output_dir": work,
            "per_device_train_batch_size": size,
            "max_steps": len(order),
            "use_cpu": not torch.cuda.is_available(),
            # the rows of a turn as they come, so that its tokens are known
            "train_sampling_strategy": "sequential",
            **SHARED,
            **QUIET,
        }
        trainer = build(problem, model, rows, common, by_hand)
        return problem.measured(trainer, Clock(), order)


def _sft(problem, model, rows, common, by_hand: bool) -> SFTTrainer:
    fast = {"gradient_checkpointing": False, "pad_to_multiple_of": 16}
    pairs = [problem.pairs[row] for row in rows]
    data = [{"prompt": pair.prompt, "completion": f" {pair.target}"} for pair in pairs]
    return SFTTrainer(
        model=model,
        args=SFTConfig(**common, **(fast if by_hand else {})),
        train_dataset=Dataset.from_list(data),
        processing_class=problem.student.tokenizer,
        peft_config=problem.lora(),
    )


def _seq2seq(problem, model, rows, common, by_hand: bool) -> Seq2SeqTrainer:
    encoded = [problem.encoded[row] for row in rows]
    data = [{"input_ids": row.prompt, "labels": row.target} for row in encoded]
    if problem.method == "lora":
        model = get_peft_model(model, problem.lora())
    padding = {"pad_to_multiple_of": 16} if by_hand else {}
    return Seq2SeqTrainer(
        model=model,
        args=Seq2SeqTrainingArguments(**common, bf16=by_hand),
        train_dataset=Dataset.from_list(data),
        data_collator=DataCollatorForSeq2Seq(
            problem.student.tokenizer, problem.student.model, **padding
        ),
    )


def matrix_product_rate(problem: Problem, tokens: int = 2048) -> dict:
    """GFLOP/s of bf16 products at the student's shapes, forwards and backwards."""
    model, total, seconds = problem.student.model, 0.0, 0.0
    shapes = [tuple(p.shape) for p in model.parameters() if p.dim() == 2]
    for shape in sorted(set(shapes)):
        weight, x, y = (
            torch.randn(size, dtype=torch.bfloat16, device=default_device())
            for size in (shape, (tokens, shape[1]), (tokens, shape[0]))
        )

        def products(x=x, y=y, weight=weight):
            F.linear(x, weight), y @ weight, y.T @ x

        products()
        begun = now()
        for _ in range(3):
            products()
        count = shapes.count(shape)
        seconds += count * (now() - begun) / 3
        total += count * 6.0 * tokens * weight.numel()
    return {"gflops": round(total / seconds / 1e9, 1)}


def problem_of(kind: str, method: str) -> Problem:
    return Problem(kind, method, *PROBLEMS[kind](), STEPS[kind], BATCH[kind])


def take_turn(kind: str, method: str, name: str, number: int) -> dict:
    """A contestant's turn; "cotnb, their batches" is for the losses alone."""
    problem = problem_of(kind, method)
    if name.startswith("cotnb"):
        measured = ours(problem, number, own_batches=name == "cotnb")
    else:
        measured = theirs(problem, number, by_hand=name == "by hand")
    return {**measured, "peak_gib": peak_gib()}


def measure(kind: str, method: str) -> None:
    """One problem: turns, peak memory of each, loss curves on the same rows."""
    names = ["cotnb", "defaults", "by hand"]
    problem, turn = problem_of(kind, method), partial(take_turn, kind, method)
    contestants = {name: in_own_process(partial(turn, name)) for name in names}
    contestants["products"] = lambda _: matrix_product_rate(problem)
    turns = take_turns(contestants)
    alike = in_own_process(partial(turn, "cotnb, their batches"))(1)["losses"]
    of_products = [
        1e3 * turn["tflop"] / turn["seconds"] / rate["gflops"]
        for turn, rate in zip(turns["cotnb"], turns["products"], strict=True)
    ]
    measured = {
        "problem": problem.student.name,
        "method": method,
        "turns": turns,
        "against": {
            name: ratios(turns, "cotnb", name, "tokens_a_second") for name in names[1:]
        },
        "of_products": round(float(np.median(of_products)), 3),
        "losses_on_the_same_batches": {
            "cotnb": alike,
            "defaults": turns["defaults"][0]["losses"],
        },
        "peak_gib": {name: max(t["peak_gib"] for t in turns[name]) for name in names},
    }
    save(f"tuning-{kind}-{method}", measured)


if __name__ == "__main__":
    measure(*sys.argv[1:])
