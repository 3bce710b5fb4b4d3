"""Pretraining a ladder student: the mixture, a shard at a time, and what it learns.

The same recipe for every size. The curve says at each mark what the student can do by
then, on dev questions; the card says what the finished one can, on test questions.
"""

import hashlib
import json
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path

import torch
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase, TrainerCallback

from cotnb.errors import UserError
from cotnb.evaluation import Asking, ask
from cotnb.experiment import demonstration_pool
from cotnb.ladder.cards import CARD
from cotnb.ladder.mixture import SHARD, draw_shard
from cotnb.ladder.sizes import LADDER, new_model
from cotnb.ladder.tokenizer import train_tokenizer
from cotnb.paths import cache_folder
from cotnb.processes import locked
from cotnb.recipes import Recipe
from cotnb.students import Student, default_device, open_student
from cotnb.tasks import load_task
from cotnb.tasks.micro_bbh import MICRO_BBH
from cotnb.training.batching import Encoded, encode_pairs
from cotnb.training.tuning import DONE, build_trainer, train_into, work_folder

PAIRS = 1_500_000
RECIPE = Recipe(
    epochs=1,
    batch_size=128,
    learning_rate=7e-4,  # up to a width of `WIDTH_AT_RATE`, see `recipe_for`
    warmup_ratio=0.02,
    weight_decay=0.0,
    max_length=512,
)
WIDTH_AT_RATE = 128
# embeddings begin at a scale of 1, a layer's matrices below 0.1: Adam's steps know no
# scale, and at one rate would hardly move them
EMBEDDINGS_FASTER = 15
LONG = 1000  # steps from which on compiling, a minute or two, pays
MARKS = 20  # points of the curve, and checkpoints that a kill may fall back to
FURTHER_MARKS = 5  # where one that was pretrained reads on
STEPS_A_MARK = 30  # or more: a short pretraining has fewer marks
QUESTIONS_A_MARK = 150  # of each kind
PRETRAINING_VERSION = 7  # raised when a change of code changes what is learnt
# what a curve and a card tell: a name, the task, how it is asked
ASKED = {
    "looking up a letter": ("micro_look_up", "zero_shot_answer_only"),
    "micro-BBH, zero-shot": ("micro_bbh", "zero_shot_answer_only"),
    "micro-BBH, few-shot": ("micro_bbh", "few_shot_answer_only"),
    "one-step word problems": ("micro_world_1_step", "zero_shot_answer_only"),
    "multi-step, asked directly": ("micro_world_multi_step", "zero_shot_answer_only"),
    "multi-step, zero-shot CoT": ("micro_world_multi_step", "zero_shot_cot"),
    "multi-step, few-shot CoT": ("micro_world_multi_step", "few_shot_cot"),
}


# what a card tells of the weights beside it, apart from how they were made
_OF_WEIGHTS = {"student", "parameters", "fingerprint", "scores", "micro_bbh"}
_pool = lru_cache(demonstration_pool)


class Shards(Dataset):
    """The mixture's pairs as token ids; the shard that is read is held in memory."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, size: int):
        self.tokenizer, self.size = tokenizer, size
        self._shard = lru_cache(maxsize=2)(self._encode)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Encoded:
        number, place = divmod(index, SHARD)
        return self._shard(number)[place]

    def _encode(self, number: int) -> list[Encoded]:
        pairs = draw_shard(number)
        return encode_pairs(self.tokenizer, pairs, True, RECIPE.max_length)


def recipe_for(name: str, seed: int = 0) -> Recipe:
    """The ladder's one recipe as a size takes it; seed: of its weights at first.

    The wider a student, the smaller the steps that its matrices bear: beyond a width of
    `WIDTH_AT_RATE` the rate falls with it (after Yang et al. 2022, "Tensor Programs
    V"). At one rate for all, the widest forgets in the second stage how to look up.
    Raises UserError for an unknown size.
    """
    if name not in LADDER:
        raise UserError(f"no ladder student {name!r}; there are {', '.join(LADDER)}")
    rate = RECIPE.learning_rate * min(1, WIDTH_AT_RATE / LADDER[name].width)
    return replace(RECIPE, learning_rate=rate, seed=seed)


def pretrain(name: str, pairs: int = PAIRS, recipe: Recipe | None = None) -> Path:
    """The folder of a ladder student pretrained on so many pairs, made or found.

    name: one of `LADDER`. recipe: None for the size's own. After a kill the same call
    goes on from the last mark.
    Raises UserError for an unknown size and fewer pairs than a step takes.
    """
    folder, recipe = _planned(name, pairs, recipe)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(Path(f"{folder}.lock")):
        if not (folder / DONE).is_file():
            torch.manual_seed(recipe.seed)
            model = new_model(name, train_tokenizer()).to(default_device())
            student = Student(name, model, train_tokenizer(), folder.name)
            _pretrain_into(folder, student, pairs, recipe, None)
    return folder


def pretrain_further(
    start: Path, name: str, pairs: int, rate: float, seed: int = 0
) -> Path:
    """The folder of a student that was pretrained and reads on, made or found.

    start: a folder of `pretrain`, `pretrain_further` or `publish`, which stays as it
    is. pairs: to read of those that follow what it has read. rate: to which the
    learning rate rises once more, in a recipe that is the size's own otherwise, before
    it falls; the optimiser's moments begin anew. After a kill the same call goes on.
    Raises UserError as `pretrain` does, and where start holds no such student.
    """
    recipe = replace(recipe_for(name, seed), learning_rate=rate)
    _refuse_too_few(pairs, recipe)
    begun, read = open_student(start, name), _note_in(start)
    named = {"start": begun.fingerprint, "first": read["pairs"]}
    folder = _folder(name, pairs, recipe, **named)
    with locked(Path(f"{folder}.lock")):
        if not (folder / DONE).is_file():
            _pretrain_into(folder, begun, pairs, recipe, read)
    return folder


def pretraining_note(folder: Path) -> dict:
    """What was noted of a pretraining, all that was read on included.

    Keys: steps, seconds (since the last start), pairs, device, recipe, losses, as
    `tuning_history` has them, curve: rows of {"step", "pairs", "what", "accuracy",
    "n"}, moments_anew: the steps, if any, at which it was read on (once, of the 8M, it
    went on on another machine), and read_on: for each time that it was read on,
    {"first", "pairs", "learning_rate"}.
    """
    note = json.loads((folder / DONE).read_text())
    earlier = note.pop("earlier", None)
    alone = {"moments_anew": [], "read_on": []}
    return _joined(earlier, note) if earlier else alone | note


def publish(folder: Path, name: str, target: Path, questions: int = 500) -> Path:
    """A finished student in half precision with its card, put into another folder.

    The card's scores are of the weights as rounded. questions: of each test set.
    """
    student = open_student(folder, name)
    student.model.half().save_pretrained(target)
    student.tokenizer.save_pretrained(target)
    rounded = open_student(target, name)
    rounded.model.to(default_device())
    card = {
        "student": name,
        "parameters": rounded.parameters,
        "fingerprint": rounded.fingerprint,
        **pretraining_note(folder),
        "scores": score_all(rounded, "test", questions),
        "micro_bbh": score_tasks(rounded, "test", questions),
    }
    (target / CARD).write_text(json.dumps(card, indent=1) + "\n")
    return target


def score_all(student: Student, split: str, questions: int) -> list[dict]:
    """{"what", "accuracy", "n"} for each of `ASKED`, on so many questions of each."""
    rows = []
    for what, (task, prompt_format) in ASKED.items():
        asking = Asking(prompt_format, max_new_tokens=96)
        right = ask(student, load_task(task, split, questions), asking, _pool(task))
        share = sum(p.correct for p in right) / len(right)
        rows.append({"what": what, "accuracy": round(share, 4), "n": len(right)})
    return rows


def score_tasks(student: Student, split: str, questions: int) -> dict[str, float]:
    """Accuracy on each task of micro-BBH, asked directly, on so many questions each."""
    asking, found = Asking("zero_shot_answer_only", max_new_tokens=32), {}
    for task in MICRO_BBH:
        examples = load_task(f"micro_bbh_{task}", split, questions)
        right = sum(p.correct for p in ask(student, examples, asking))
        found[task] = round(right / questions, 4)
    return found


def _planned(name: str, pairs: int, recipe: Recipe | None) -> tuple[Path, Recipe]:
    """Where a pretraining's student is once it is finished, and its recipe."""
    own = recipe_for(name)  # also where another is given: it knows the names
    recipe = recipe or own
    _refuse_too_few(pairs, recipe)
    return _folder(name, pairs, recipe), recipe


def _note_in(folder: Path) -> dict:
    """The note of a student that was pretrained, or the card of a published one."""
    if (folder / DONE).is_file():
        return pretraining_note(folder)
    try:
        card = json.loads((folder / CARD).read_text())
    except OSError:
        raise UserError(f"{folder} does not say what its student has read") from None
    return {key: told for key, told in card.items() if key not in _OF_WEIGHTS}


def _joined(earlier: dict, note: dict) -> dict:
    """One note of a pretraining and of what was read after it."""
    steps = earlier["steps"]
    on = {"first": earlier["pairs"], "pairs": note["pairs"]}
    on["learning_rate"] = note["recipe"]["learning_rate"]
    later = {
        key: [row | {"step": steps + row["step"]} for row in note[key]]
        for key in ("losses", "curve")
    }
    return earlier | {
        **{key: earlier[key] + note[key] for key in ("steps", "seconds", "pairs")},
        **{key: earlier[key] + rows for key, rows in later.items()},
        "moments_anew": [*earlier.get("moments_anew", []), steps],
        "read_on": [*earlier.get("read_on", []), on],
    }


def _refuse_too_few(pairs: int, recipe: Recipe) -> None:
    if pairs < recipe.batch_size:
        raise UserError(f"{pairs} pairs: expected {recipe.batch_size} or more")


def _folder(name: str, pairs: int, recipe: Recipe, **begun) -> Path:
    """Where such a pretraining's student is; begun: what it went on from, if so."""
    named = [PRETRAINING_VERSION, asdict(LADDER[name]), pairs, recipe.settings()]
    told = json.dumps([*named, begun] if begun else named)
    key = hashlib.sha256(told.encode()).hexdigest()[:16]
    return cache_folder() / "ladder" / f"{name}-{key}"


def _pretrain_into(
    folder: Path, student: Student, pairs: int, recipe: Recipe, earlier: dict | None
) -> None:
    """earlier: the note of what the student has read before, if anything."""
    first = earlier["pairs"] if earlier else 0
    size, end = recipe.batch_size, first + pairs
    plan = [range(i, i + size) for i in range(first, end - size + 1, size)]
    shards = Shards(student.tokenizer, end)
    trainer = build_trainer(student, shards, plan, recipe, work_folder(folder))
    trainer.optimizer = _optimizer(student.model, recipe)
    marks = _marks(len(plan), MARKS if not first else FURTHER_MARKS)
    trainer.args.save_steps = max(1, len(plan) // marks)
    if len(plan) >= LONG:
        _compile(student.model)
    if torch.cuda.is_available():
        trainer.args.dataloader_num_workers = 2
    named = replace(student, fingerprint=folder.name)  # of it, not what it began as
    curve = _Curve(named, len(plan), marks, first, size)
    trainer.add_callback(curve)
    about = {
        "pairs": pairs,
        "device": str(default_device()),
        "recipe": recipe.settings(),
        "curve": curve.rows,
    }
    if earlier:
        about["earlier"] = earlier
    train_into(folder, trainer, student.tokenizer, about)


def _compile(model) -> None:
    """Make the model's forward a quarter faster, where there is a C++ compiler."""
    try:
        torch.compile(lambda x: x.square() + 1)(torch.ones(8))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        print(f"not compiled, so a quarter slower: {reason}", flush=True)
        return
    model.set_attn_implementation("eager")  # rows one at a time do not compile
    model.compile(dynamic=True)


def _optimizer(model, recipe: Recipe) -> torch.optim.AdamW:
    faster, rest = [], []
    for name, weights in model.named_parameters():
        embeds = name.endswith(("shared.weight", "relative_attention_bias.weight"))
        (faster if embeds else rest).append(weights)
    rate = recipe.learning_rate
    groups = [{"params": rest}, {"params": faster, "lr": EMBEDDINGS_FASTER * rate}]
    return torch.optim.AdamW(groups, lr=rate, weight_decay=recipe.weight_decay)


class _Curve(TrainerCallback):
    """Asks the student at marks of its pretraining; rows are kept with checkpoints."""

    def __init__(self, student: Student, steps: int, marks: int, first: int, size: int):
        self.student, self.first, self.batch_size = student, first, size
        self.marks = {round(steps * (i + 1) / marks) for i in range(marks)}
        self.rows: list[dict] = []

    def on_train_begin(self, args, state, control, **_):
        logs = state.log_history
        self.rows[:] = [row for logged in logs for row in logged.get("curve", [])]

    def on_step_end(self, args, state, control, **_):
        step = state.global_step
        if step not in self.marks or not state.is_world_process_zero:
            return
        now = replace(self.student, fingerprint=f"{self.student.fingerprint}-{step}")
        at = {"step": step, "pairs": self.first + step * self.batch_size}
        # uncompiled: what is asked has other shapes at every token
        with torch.compiler.set_stance("force_eager"):
            rows = [at | row for row in score_all(now, "dev", QUESTIONS_A_MARK)]
        print(", ".join(f"{r['what']} {r['accuracy']:.0%}" for r in rows), flush=True)
        state.log_history.append({"step": step, "curve": rows})
        self.rows += rows


def _marks(steps: int, most: int) -> int:
    return min(most, max(1, steps // STEPS_A_MARK))
