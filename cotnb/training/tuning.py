"""Tuning a student on pairs through `transformers.Trainer`, once a recipe."""

import copy
import json
import os
import shutil
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)
from transformers.activations import GELUTanh, NewGELUActivation
from transformers.utils import logging as transformers_logging

from cotnb.attention.gpu import never_wait
from cotnb.attention.packed import read_packed_rows
from cotnb.attention.rows import attend_by_rows
from cotnb.errors import UserError
from cotnb.files import refusals_told
from cotnb.formats import Pair
from cotnb.launching import processes_wanted, train_in_processes
from cotnb.memory import keep_freed_memory
from cotnb.paths import cache_folder
from cotnb.precision import computed_in
from cotnb.processes import (
    is_main,
    locked,
    process_count,
    refuse_parts_of_models,
    state,
    wait_for_all,
)
from cotnb.recipes import Recipe, recipe_hash
from cotnb.students import (
    Student,
    check_room,
    default_device,
    load_student,
    tuned,
)
from cotnb.training.adapted_products import AdaptedLinear
from cotnb.training.batching import Encoded, encode_pairs, plan_batches
from cotnb.training.checkpoints import last_checkpoint
from cotnb.training.matching import soften
from cotnb.training.pair_trainer import PairTrainer
from cotnb.training.progress import TrainingProgress

# peft asks for it under its old name
warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
# two checkpoints within a second are told apart by their numbers, and it says so
transformers_logging.get_logger("transformers.trainer_utils").setLevel("ERROR")

CHECKPOINTS_A_TUNING = 4
DONE = "tuning.json"
FINISHED = "finished"  # what is put in place in the end, within a work folder
KEPT = "kept"  # students on the way, within what is put in place
_asked: list[dict] = []


def tune(student: str | Student, pairs: Sequence[Pair], recipe: Recipe) -> Student:
    """A student tuned on pairs by a recipe, trained now or read from the cache.

    student: a name, as `load_student` takes it, or a student that was tuned before, for
    a second stage: it stays as it is, and its fingerprint is part of the new one's.
    Two runs that ask for the same student at the same time train it once: the second
    waits. After a kill the same call goes on from the last checkpoint. COTNB_PROCESSES
    has it trained on several devices, and under `accelerate launch` it is trained by
    all processes that call this alike.
    Raises UserError where there are no pairs, or one is longer than max_length or than
    the student has room for.
    """
    base, folder = _tuned_folder(student, pairs, recipe, kept=0)
    return _load_tuned(base, folder, folder.name)


def tune_in_steps(
    student: str | Student, pairs: Sequence[Pair], recipe: Recipe, count: int
) -> Iterator[tuple[int, Student]]:
    """(optimiser steps, student) at `count` evenly spaced steps of one tuning.

    The last is what `tune` gives, the others are on the way there. Raises UserError as
    `tune` does, and where count is below 1 or the tuning has fewer steps than that.
    """
    if count < 1:
        raise UserError(f"{count} checkpoints: expected 1 or more")
    base, folder = _tuned_folder(student, pairs, recipe, kept=count)
    name = folder.name.partition("-")[0]
    for kept in sorted((folder / KEPT).iterdir(), key=lambda path: int(path.name)):
        step = int(kept.name)
        # a copy, as an adapter is merged into its base
        yield step, _load_tuned(_fresh(base), kept, f"{name}-{step}")


def _fresh(student: str | Student) -> Student:
    """One that may be changed in place, as training and merging do."""
    if isinstance(student, str):
        return load_student(student)
    return replace(student, model=copy.deepcopy(student.model))


def _tuned_folder(
    student: str | Student, pairs, recipe: Recipe, kept: int
) -> tuple[Student, Path]:
    """The untuned student, and where the tuned one is, once it has been trained."""
    if not pairs:
        raise UserError("no pairs to tune on: did a filter drop every rationale?")
    base = _fresh(student)
    computed = computed_in(recipe.precision, base.device)
    name = recipe_hash(base.fingerprint, pairs, replace(recipe, precision=computed))
    folder = cache_folder() / "students" / (f"{name}-kept{kept}" if kept else name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(Path(f"{folder}.lock")):
        trained = not (folder / DONE).is_file()
        if not trained:  # what a kill right after the end has left
            shutil.rmtree(work_folder(folder), ignore_errors=True)
        if trained and (count := processes_wanted()) > 1:
            base.model.to("cpu")  # its device is for those who train
            train_in_processes(count, folder, student, pairs, recipe, kept)
            base.model.to(default_device())
        elif trained:
            train_on_pairs(folder, base, pairs, recipe, kept)
            base = _fresh(student)  # training changed this one in place
    seconds = json.loads((folder / DONE).read_text())["seconds"]
    _asked.append({"tuning": name, "trained": trained, "seconds": seconds})
    return base, folder


def tunings_asked() -> list[dict]:
    """What `tune` was asked for in this process, in order, for a run's record.

    Keys: tuning, its name; trained, or else read from the cache; seconds, that training
    it took whenever that was.
    """
    return list(_asked)


def tuning_history(student: Student) -> dict:
    """What was noted of a tuned student's training.

    Keys: steps, seconds (since the last start), pairs, target_tokens, computed_in (bf16
    or fp32), and losses, a list of {"step", "epoch", "loss", "learning_rate"}; carried,
    of distribution matching, with the fields of `matching.Carried`; processes, where
    several trained.
    For a student that `tune` gave: those of `tune_in_steps` have none of their own.
    """
    path = cache_folder() / "students" / student.fingerprint / DONE
    return json.loads(path.read_text())


def _load_tuned(base: Student, folder: Path, fingerprint: str) -> Student:
    if (folder / "adapter_config.json").is_file():
        model = PeftModel.from_pretrained(base.model, folder)
        model = model.merge_and_unload()
    else:
        model = type(base.model).from_pretrained(folder, dtype=torch.float32)
    model.to(default_device()).eval()
    return tuned(base, model, fingerprint)


def train_on_pairs(folder: Path, base: Student, pairs, recipe, kept: int) -> None:
    """Tune a student, in place, on pairs, and put what it became in a folder.

    kept: how many students on the way are kept in the folder too. Raises UserError as
    `tune_in_steps` does.
    """
    encoded = encode_pairs(
        base.tokenizer, pairs, base.is_encoder_decoder, recipe.max_length
    )
    for one in encoded:
        check_room(base, len(one.prompt), len(one.target))
    about = {
        "pairs": len(encoded),
        "target_tokens": sum(len(e.target) for e in encoded),
        "recipe": recipe.settings(),
    }
    if recipe.matching == "distribution":
        encoded, carried = soften(base, pairs, encoded, recipe)
        about |= {"carried": asdict(carried)}
    plan = plan_batches(
        encoded,
        recipe.batch_size,
        recipe.epochs,
        recipe.seed,
        by_length=base.is_encoder_decoder,
    )
    if not plan:
        raise UserError(f"epochs={recipe.epochs} of {len(pairs)} pairs: not one step")
    if kept > len(plan):
        raise UserError(f"{kept} checkpoints of a tuning of {len(plan)} steps")
    trainer = build_trainer(base, encoded, plan, recipe, work_folder(folder))
    about["computed_in"] = "bf16" if trainer.bf16 else "fp32"
    if kept:
        steps = {round(len(plan) * (i + 1) / kept) for i in range(kept)}
        trainer.add_callback(_Keep(work_folder(folder) / FINISHED / KEPT, steps))
    train_into(folder, trainer, base.tokenizer, about)


def train_into(folder: Path, trainer: PairTrainer, tokenizer, about: dict) -> None:
    """Train, from the last checkpoint if there is one, and put a folder in place.

    The folder holds model, tokenizer, and in DONE what was noted of the training:
    about, with steps, seconds (since the last start) and losses. Of several processes
    that train together one writes, and all return once it has.
    Raises UserError where it cannot be written; the same call then goes on from there.
    """
    work, started = work_folder(folder), time.time()
    with refusals_told(
        f"{work}: the student could not be written",
        "make room and run again: it goes on from its last checkpoint",
    ):
        last = last_checkpoint(work)
        trainer.train(resume_from_checkpoint=str(last) if last else None)
        if is_main():
            finished = work / FINISHED
            trainer.model.save_pretrained(finished)
            tokenizer.save_pretrained(finished)
            note = {
                "steps": trainer.state.global_step,
                "seconds": round(time.time() - started, 1),
                **about,
                **({"processes": process_count()} if process_count() > 1 else {}),
                "losses": _losses(trainer),
            }
            (finished / DONE).write_text(json.dumps(note, indent=1))
            os.replace(finished, folder)
    if is_main():
        shutil.rmtree(work)
    wait_for_all()


def work_folder(folder: Path) -> Path:
    """Where a student's checkpoints are, until it is finished."""
    return folder.with_name(f"{folder.name}.partial")


def _losses(trainer: Trainer) -> list[dict]:
    return [
        {key: row[key] for key in ("step", "epoch", "loss", "learning_rate")}
        for row in trainer.state.log_history
        if "loss" in row
    ]


class _Keep(TrainerCallback):
    """Keeps the student after some of a training's steps."""

    def __init__(self, folder: Path, steps: set[int]):
        self.folder, self.steps = folder, steps

    def on_step_end(self, args, state, control, model=None, **_):
        if state.is_world_process_zero and state.global_step in self.steps:
            model.save_pretrained(self.folder / str(state.global_step))


def build_trainer(
    base: Student, encoded: list[Encoded], plan, recipe: Recipe, work: Path
) -> PairTrainer:
    """The Trainer that tunes a student, in place, over planned batches.

    plan: the rows of each optimiser step. work: where its checkpoints go.
    """
    set_seed(recipe.seed)
    keep_freed_memory()
    model = base.model
    half = computed_in(recipe.precision, base.device) == "bf16"
    if not base.is_encoder_decoder:
        read_packed_rows(model)
    elif base.device.type == "cpu":
        # SDPA is slower there
        attend_by_rows(model)
    else:
        never_wait(model)
    _fuse_activations(model)
    if recipe.method == "lora":
        model = get_peft_model(model, _lora(base, recipe))
        if half:
            _freeze_in_bf16(model)
    model.train()
    arguments = TrainingArguments(
        output_dir=str(work),
        max_steps=len(plan),
        per_device_train_batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=int(recipe.warmup_ratio * len(plan)),
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.clip,
        use_cpu=not torch.cuda.is_available(),
        logging_steps=max(1, len(plan) // 50),
        logging_nan_inf_filter=False,  # a loss that is lost shows, and no step waits
        save_steps=max(10, len(plan) // CHECKPOINTS_A_TUNING),
        save_total_limit=1,
        seed=recipe.seed,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    # without a launch one device tunes, whatever others there are
    arguments._n_gpu = min(arguments.n_gpu, 1)
    trainer = PairTrainer(
        model=model,
        args=arguments,
        encoded=encoded,
        plan=plan,
        student=base,
        bf16=half,
        callbacks=[TrainingProgress()],
    )
    trainer.remove_callback(PrinterCallback)
    refuse_parts_of_models(trainer.accelerator.distributed_type)
    if process_count() > 1:
        set_seed(recipe.seed + state().process_index)  # each drops out its own
    return trainer


def _fuse_activations(model) -> None:
    """T5's GELU in one kernel: written out it is seven, in fp32 under autocast."""
    for module in model.modules():
        if isinstance(getattr(module, "act", None), NewGELUActivation):
            module.act = GELUTanh()


def _lora(base: Student, recipe: Recipe) -> LoraConfig:
    kind = "SEQ_2_SEQ_LM" if base.is_encoder_decoder else "CAUSAL_LM"
    config = LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=2 * recipe.lora_rank,
        target_modules="all-linear",
        task_type=kind,
    )
    config._register_custom_module({torch.nn.Linear: AdaptedLinear})
    return config


def _freeze_in_bf16(model) -> None:
    """Frozen matrices as autocast would round them, once and not in every step."""
    for module in model.modules():
        if isinstance(module, torch.nn.Linear) and not module.weight.requires_grad:
            module.weight.data = module.weight.data.bfloat16()
