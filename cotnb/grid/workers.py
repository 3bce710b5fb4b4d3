"""What a Dask worker does: one run, in the client's folders or in one of its own."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import dask
from dask.system import CPU_COUNT
from distributed import Status, Worker, get_worker

import cotnb
from cotnb.cores import share_cores
from cotnb.grid.batch import LOCK, Outcome, run_one
from cotnb.grid.executors import tokens, without_outputs
from cotnb.grid.runs import Run
from cotnb.versions import current_commit, short_commit

LEAVING = (Status.closing, Status.closed, Status.failed)


def code() -> str:
    """Which cotnb is here: its version and commit."""
    return f"{cotnb.__version__} at {short_commit(current_commit())}"


def run_for_client(
    run: Run, patient: bool, deadline: float, batch: str, files: dict[str, bytes]
) -> Outcome:
    """`run_one` on a worker, until the client gives the run up or goes away.

    batch: the client's name for its call, told when the run begins. files: the notebook
    and what lies beside it, by name. A worker that finds the client's tokens and
    notebook at the client's paths shares its folders and runs there, as any runner
    does; another runs in a folder of its own, and the outcome holds what it left there.
    """
    worker = get_worker()
    key = worker.get_current_task()

    def stopped() -> bool:
        task = worker.state.tasks.get(key)
        given_up = task is None or task.state == "cancelled"
        return given_up or worker.status in LEAVING

    worker.log_event(batch, run.name)
    _share_cores(worker)
    if _shares_folders(run, batch, files[run.notebook.name]):
        return run_one(run, patient, deadline, stopped)
    with tempfile.TemporaryDirectory(
        prefix="run-", dir=worker.local_directory, ignore_cleanup_errors=True
    ) as folder:
        own = run.moved(Path(folder))
        own.notebook.parent.mkdir()
        for name, content in files.items():
            (own.notebook.parent / name).write_bytes(content)
        outcome = run_one(own, patient, deadline, stopped)
        record = own.record.read_bytes() if own.done else b""
        return replace(outcome, run=run, files=_left(own.folder), record=record)


def _shares_folders(run: Run, batch: str, notebook: bytes) -> bool:
    try:
        return without_outputs(run.notebook) == notebook and all(
            token.read_text() == batch and os.access(token.parent, os.W_OK)
            for token in tokens(run, batch)
        )
    except (OSError, ValueError):
        return False


def _left(folder: Path) -> dict[str, bytes]:
    """All that a run left, by path within its folder; its lock means nothing there."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in paths
        if path.name != LOCK
    }


def _share_cores(worker: Worker) -> None:
    """Kernels share the worker's cores as its threads do.

    A nanny sets OMP_NUM_THREADS and its like to 1 where nobody set them; that is meant
    for many small tasks, not for a run that tunes a student.
    """
    presets = dask.config.get("distributed.nanny.pre-spawn-environ") or {}
    threads = {n: str(x) for n, x in presets.items() if n.endswith("_NUM_THREADS")}
    share_cores(CPU_COUNT, worker.state.nthreads, threads if worker.nanny else {})
