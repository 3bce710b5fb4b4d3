"""A pretraining that goes on on another machine, from what is small enough to commit.

Of its last checkpoint are kept the weights, in half precision, and where it stood.
Adam's moments, four times their size, are left behind and begin anew.
"""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME, TRAINER_STATE_NAME
from transformers.utils import CONFIG_NAME, SAFE_WEIGHTS_NAME

from cotnb.errors import UserError
from cotnb.training.checkpoints import last_checkpoint

UNFINISHED = Path(__file__).with_name("unfinished")
ANEW = "moments_anew"  # a key of what the Trainer logs: the step at which they began


def pack(work: Path, target: Path) -> Path:
    """The last checkpoint of a work folder, packed into a folder of the same name.

    target: where that folder goes, in place of one from before. Raises UserError where
    there is no checkpoint yet.
    """
    checkpoint = last_checkpoint(work)
    if checkpoint is None:
        raise UserError(f"{work}: no checkpoint to hand over yet")
    shutil.rmtree(target, ignore_errors=True)
    packed = target / checkpoint.name
    packed.mkdir(parents=True)
    weights = load_file(checkpoint / SAFE_WEIGHTS_NAME)
    weights = {name: tensor.half() for name, tensor in weights.items()}
    save_file(weights, packed / SAFE_WEIGHTS_NAME, metadata={"format": "pt"})
    optimizer = torch.load(checkpoint / OPTIMIZER_NAME, weights_only=True)
    torch.save(optimizer | {"state": {}}, packed / OPTIMIZER_NAME)
    for name in (SCHEDULER_NAME, CONFIG_NAME):
        shutil.copy(checkpoint / name, packed / name)
    state = json.loads((checkpoint / TRAINER_STATE_NAME).read_text())
    step = state["global_step"]
    state["log_history"].append({"step": step, ANEW: step})
    (packed / TRAINER_STATE_NAME).write_text(json.dumps(state, indent=1) + "\n")
    return target


def unpack(source: Path, work: Path) -> None:
    """Put what was packed into a work folder, unless that has a checkpoint of its own.

    source: the folder that `pack` made; nothing is done where there is none.
    """
    if source.is_dir() and last_checkpoint(work) is None:
        shutil.copytree(source, work, dirs_exist_ok=True)
