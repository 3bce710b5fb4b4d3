"""A training's checkpoints: which one is whole."""

import json
from pathlib import Path

from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR


def last_checkpoint(work: Path) -> Path | None:
    """The newest whole checkpoint in a Trainer's folder; None where there is none.

    A Trainer writes its state last, so that one that a kill or a full disk cut short
    has none that can be read.
    """
    found = work.glob(f"{PREFIX_CHECKPOINT_DIR}-*") if work.is_dir() else ()
    by_step = {_step(path): path for path in found}
    whole = [step for step, path in by_step.items() if step and _is_whole(path)]
    return by_step[max(whole)] if whole else None


def _step(path: Path) -> int:
    number = path.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def _is_whole(path: Path) -> bool:
    try:
        state = json.loads((path / TRAINER_STATE_NAME).read_text())
    except (OSError, ValueError):
        return False
    return isinstance(state, dict) and state.get("global_step") == _step(path)
