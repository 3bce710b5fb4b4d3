"""Processes that tune one student together, as `accelerate launch` starts them.

Each runs the same program. They split every optimiser step's pairs; only the first one
writes, and only it takes locks, for all of them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import DistributedType, PartialState
from accelerate.utils import broadcast_object_list
from filelock import FileLock, Timeout

from cotnb.errors import UserError

LOOK_SECONDS = 1  # from one try of a lock to the next, while others wait for us
WHOLE_MODELS = (
    DistributedType.NO,
    DistributedType.MULTI_CPU,
    DistributedType.MULTI_GPU,
)


def process_count() -> int:
    """How many processes tune together; 1 where none were launched."""
    if "LOCAL_RANK" not in os.environ:
        return 1
    return int(os.environ.get("WORLD_SIZE", 1))


def state() -> PartialState:
    """Which of the launched processes this is, and its device."""
    return PartialState(cpu=not torch.cuda.is_available())


def is_main() -> bool:
    """Whether this is the process that writes."""
    return process_count() == 1 or state().is_main_process


def wait_for_all() -> None:
    """Come here together, or fail together where one of them is gone."""
    if process_count() > 1:
        state().wait_for_everyone()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """A file's lock, taken by the main process; the others go on once it has it."""
    lock = FileLock(path)
    if process_count() == 1:
        with lock:
            yield
        return
    while not _told(is_main() and _taken(lock)):
        pass
    try:
        yield
    finally:
        lock.release()


def _taken(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=LOOK_SECONDS)
    except Timeout:
        return False
    return True


def _told(answer: bool) -> bool:
    """The main process's answer, in all of them."""
    state()
    return broadcast_object_list([answer])[0]


def refuse_parts_of_models(kind: DistributedType) -> None:
    """Raises UserError where processes would each hold a part of the student."""
    if kind not in WHOLE_MODELS:
        raise UserError(
            f"accelerate's {kind.value}: a student is tuned whole on every device; "
            "launch with --multi_gpu, and for a student too large choose method=lora"
        )
