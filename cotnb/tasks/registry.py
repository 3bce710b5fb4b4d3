"""The one table of tasks: a name, its loader, its splits."""

from functools import partial

from cotnb.errors import UserError
from cotnb.tasks.example import Example
from cotnb.tasks.gsm_symbolic import load_gsm_symbolic
from cotnb.tasks.ho_et_al import HO_ET_AL_TASKS, load_ho_et_al
from cotnb.tasks.hub import (
    BBH_ANSWER_TYPES,
    load_all_bbh,
    load_bbh,
    load_gsm8k,
    load_multiarith,
    load_svamp,
)
from cotnb.tasks.micro_bbh import MICRO_BBH, load_all_micro_bbh, load_micro_bbh
from cotnb.tasks.micro_coin_flip import load_micro_coin_flip
from cotnb.tasks.micro_look_up import load_micro_look_up
from cotnb.tasks.micro_triage import SIX_STEPS, load_micro_triage
from cotnb.tasks.micro_world import MAX_STEPS, load_micro_world

MULTI_STEP = tuple(range(2, MAX_STEPS + 1))
GENERATED = {
    "micro_world": load_micro_world,
    "micro_world_multi_step": partial(load_micro_world, steps=MULTI_STEP),
    **{
        f"micro_world_{n}_step": partial(load_micro_world, steps=(n,))
        for n in range(1, MAX_STEPS + 1)
    },
    "micro_bbh": load_all_micro_bbh,
    "micro_coin_flip": load_micro_coin_flip,
    "micro_look_up": load_micro_look_up,
    "micro_triage": load_micro_triage,
    "micro_triage_six": partial(load_micro_triage, facts=len(SIX_STEPS)),
    "gsm_symbolic": load_gsm_symbolic,
    **{f"micro_bbh_{task}": partial(load_micro_bbh, task) for task in MICRO_BBH},
}
STORED = {
    "gsm8k": load_gsm8k,
    "svamp": load_svamp,
    "multiarith": load_multiarith,
    "bbh": load_all_bbh,
}
GENERATED_SIZE = 500


def task_names() -> list[str]:
    """Every name that `load_task` knows."""
    bbh = [f"bbh_{task}" for task in BBH_ANSWER_TYPES]
    ho = [f"ho_{task}" for task in HO_ET_AL_TASKS]
    return [*GENERATED, *STORED, *ho, *bbh]


def task_list(text: str, left_out: str = "") -> list[str]:
    """The tasks of "micro_world, micro_bbh", micro_bbh as the fifteen that it is.

    left_out: those of micro_bbh that are not wanted: "web_of_lies, navigate".
    Raises UserError where one of these is not micro_bbh's.
    """
    unwanted = listed(left_out)
    if unknown := set(unwanted) - set(MICRO_BBH):
        raise UserError(
            f"left_out: micro_bbh has no {', '.join(sorted(unknown))}; "
            f"it has {', '.join(MICRO_BBH)}"
        )
    parts = [f"micro_bbh_{task}" for task in MICRO_BBH if task not in unwanted]
    of_each = [parts if name == "micro_bbh" else [name] for name in listed(text)]
    return [name for names in of_each for name in names]


def load_task(
    name: str, split: str, size: int | None = None, seed: int = 0
) -> list[Example]:
    """Examples of one split of a task, in a fixed order.

    name: one of `task_names()`. split: "train", "dev", "test" or a task's own.
    size: how many, from the first; None is all of a stored task and 500 of a
    generated one. seed: of a generated task; a stored one has a single order.
    Raises UserError for an unknown task or split and for a size that is not there.
    """
    if name not in task_names():
        raise UserError(f"no task {name!r}; there are {', '.join(task_names())}")
    if size is not None and size < 1:
        raise UserError(f"{name}: size is {size}; expected 1 or more")
    if name in GENERATED:
        return GENERATED[name](split, size or GENERATED_SIZE, seed=seed)
    examples = _stored(name, split)
    if size is not None and size > len(examples):
        raise UserError(f"{name}: {split} has {len(examples)} questions, not {size}")
    return examples[:size]


def listed(text: str) -> list[str]:
    """The names in a text that commas separate."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _stored(name: str, split: str) -> list[Example]:
    if name in STORED:
        return STORED[name](split)
    family, _, task = name.partition("_")
    return load_bbh(task, split) if family == "bbh" else load_ho_et_al(task, split)
