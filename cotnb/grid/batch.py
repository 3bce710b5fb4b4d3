"""Runs a grid: papermill for each run, a record a run, a line for each that ends."""

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from tqdm import tqdm

from cotnb.files import check_writable
from cotnb.grid.runs import Run

DONE, SKIPPED, FAILED = "done", "skipped", "failed"
LATER = "later"  # not ended: to be sent off once more, when the others are done
NOTEBOOK, LOG = "notebook.ipynb", "run.log"  # in a run's folder
ANSI = re.compile(r"\x1b\[[0-9;]*m")
LOCK = "run.lock"  # in a run's folder, held while it runs
LOOKS_A_SECOND = 5
LOOK_SECONDS = 2  # from one look at the machines to the next
IOPUB_SECONDS = 60  # for outputs to arrive; nbclient's 4 are few on busy cores


@dataclass(frozen=True)
class Outcome:
    """How a run ended, in a word, a time in seconds, and a reason where it failed.

    files, record: what a run left where its folders are not ours, bytes by the path
    within its folder, and its record's bytes; empty where all is in place.
    """

    run: Run
    state: str
    seconds: float
    reason: str = ""
    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    record: bytes = field(default=b"", repr=False)

    def line(self) -> str:
        text = f"{self.state} {self.run.name} {self.seconds:.1f} s"
        if self.reason:
            text += f": {self.reason}"
        notebook = self.run.folder / NOTEBOOK
        if self.state == FAILED and notebook.exists():
            text += f" ({_shown(notebook)})"
        return text


class Machines(Protocol):
    """Where runs go. Opened by `with`; left by an exception, it ends what runs."""

    def __enter__(self): ...

    def __exit__(self, kind, error, trace): ...

    def look(self) -> None:
        """Called every few seconds, to say what a person should know."""

    def submit(self, run: Run, patient: bool) -> Future:
        """Send a run off; `patient` as in `run_one`."""

    def outcome(self, run: Run, future: Future) -> Outcome:
        """How a run ended whose future has; its files are in place by then."""


def run_one(
    run: Run, patient: bool, deadline: float, stopped: Callable[[], bool]
) -> Outcome:
    """Execute one run, unless it is done; what goes wrong in it is no exception.

    patient: wait while another runner has it, rather than leave it for later.
    deadline: seconds that it may take. stopped: asked a few times a second; once it
    says True the run's kernel is ended.
    """
    started = time.monotonic()

    def ended(state: str, reason: str = "") -> Outcome:
        return Outcome(run, state, time.monotonic() - started, reason)

    try:
        with _hold(run, patient, stopped):
            if run.done:
                return ended(SKIPPED, "done by another runner")
            if stopped():
                return ended(FAILED, "stopped before it began")
            run.failure.unlink(missing_ok=True)
            reason = _execute(run, deadline, stopped)
            if reason and not stopped():
                with suppress(OSError):  # the disk may be what failed
                    run.failure.write_text(f"{reason}\n", encoding="utf-8")
    except Timeout:
        if not patient:
            return ended(LATER, "running elsewhere")
        return ended(FAILED, "stopped while another runner had it")
    except OSError as error:
        return ended(FAILED, f"{error.strerror or error} ({run.folder})")
    return ended(FAILED, reason) if reason else ended(DONE)


def _hold(
    run: Run, patient: bool, stopped: Callable[[], bool]
) -> AbstractContextManager:
    """A run's lock, to be let go of by `with`.

    Raises Timeout where another runner has it and we do not wait, or no longer.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(str(run.folder / LOCK))
    while True:
        try:
            return lock.acquire(timeout=1 / LOOKS_A_SECOND)
        except Timeout:
            if not patient or stopped():
                raise


def _execute(run: Run, deadline: float, stopped: Callable[[], bool]) -> str:
    """Why the run failed; empty where its record says that it is done."""
    from cotnb.kernels import ipc_kernels, kill

    late, over = threading.Event(), threading.Event()
    until = time.monotonic() + deadline

    def watch(kernels: list[int]) -> None:
        while not over.wait(1 / LOOKS_A_SECOND):  # a kernel may start meanwhile
            if time.monotonic() > until:
                late.set()
            if late.is_set() or stopped():
                kill(kernels)

    with ipc_kernels() as (manager, kernels):
        watcher = threading.Thread(target=watch, args=(kernels,), daemon=True)
        watcher.start()
        try:
            error = _papermill(run, manager)
        finally:
            over.set()
            watcher.join()
    if run.done:
        return ""
    if late.is_set():
        return f"past its deadline of {deadline / 60:g} min"
    if stopped():
        return "stopped"
    return error or "ended without its record"


def _papermill(run: Run, manager: type) -> str:
    """The failing cell and the last line of its traceback; empty where none failed."""
    import logging

    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    for noisy in ("papermill", "traitlets", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    notebook = run.folder / NOTEBOOK
    try:
        with (run.folder / LOG).open("w", encoding="utf-8") as log:
            papermill.execute_notebook(
                run.notebook,
                notebook,
                parameters=run.parameters,
                kernel_name="python3",
                language="python",
                kernel_manager_class=manager,
                progress_bar=False,
                stdout_file=log,
                stderr_file=log,
                iopub_timeout=IOPUB_SECONDS,
                # papermill's own cwd moves this whole process, other threads too
                resources={"metadata": {"path": str(run.notebook.parent)}},
            )
    except PapermillExecutionError as error:
        return (
            f"cell {error.exec_count}: {plain_line(f'{error.ename}: {error.evalue}')}"
        )
    except DeadKernelError:
        return f"its kernel died{_where(notebook)}"
    except OSError as error:  # of a disk, when its record may yet be in place
        return f"{error.strerror or error} ({run.folder})"
    except Exception as error:  # whatever a run does, the others go on
        return plain_line(f"{type(error).__name__}: {error}")
    return ""


def _where(notebook: Path) -> str:
    """In which code cell a kernel died: the last that was begun."""
    import nbformat

    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except Exception:  # the file may be half written when a disk is full
        return ""
    begun = sum(
        cell.metadata.get("papermill", {}).get("start_time") is not None
        for cell in cells
        if cell.cell_type == "code"
    )
    return f" in cell {begun}" if begun else ""


def plain_line(text: str) -> str:
    """The last line of a message, without colours."""
    lines = [line for line in ANSI.sub("", text).splitlines() if line.strip()]
    return lines[-1].strip() if lines else "unknown"


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def run_all(
    runs: Sequence[Run],
    machines: Machines,
    *,
    say: Callable[[str], None] = print,
) -> list[Outcome]:
    """Run what is not done; a bar of the grid and a line a run.

    machines: where runs go. Raises UserError, before anything is run, where records
    cannot be written. On Ctrl-C the kernels are ended, what is under way is
    given up, and KeyboardInterrupt is raised again.
    """
    to_do = [run for run in runs if not run.done]
    if len(to_do) < len(runs):
        say(f"{len(runs) - len(to_do)} of {len(runs)} runs are done already")
    if not to_do:
        return []
    for folder in {run.record.parent for run in to_do}:
        check_writable(folder)
    outcomes: list[Outcome] = []
    bar = tqdm(total=len(to_do), unit="run", disable=not sys.stderr.isatty())
    with bar, machines:
        for outcome in _outcomes(machines, to_do):
            bar.clear()
            if outcome.state == LATER:
                name, reason = outcome.run.name, outcome.reason
                say(f"{reason} {name}; looked at again at the end")
                continue
            outcomes.append(outcome)
            bar.update()
            say(f"[{len(outcomes)}/{len(to_do)}] {outcomes[-1].line()}")
    return outcomes


def _outcomes(machines: Machines, runs: Sequence[Run]) -> Iterator[Outcome]:
    """Every run's outcome; that of one put off comes again, waited for."""
    for patient in (False, True):
        machines.look()
        futures = {machines.submit(run, patient): run for run in runs}
        runs = []
        while futures:
            ended = wait(futures, LOOK_SECONDS, FIRST_COMPLETED).done
            for future in ended:
                outcome = machines.outcome(futures.pop(future), future)
                if outcome.state == LATER and patient:
                    futures[machines.submit(outcome.run, patient)] = outcome.run
                elif outcome.state == LATER:
                    runs.append(outcome.run)
                yield outcome
            machines.look()
