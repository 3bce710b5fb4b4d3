"""Runs a grid: papermill in threads, a record a run, one line for each that ends."""

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm import tqdm

from cotnb.grid import Run

DONE, SKIPPED, FAILED = "done", "skipped", "failed"
ELSEWHERE = "running elsewhere"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
LOOKS_A_SECOND = 5
IOPUB_SECONDS = 60  # for outputs to arrive; nbclient's 4 are few on busy cores


@dataclass(frozen=True)
class Outcome:
    """How a run ended, in a word, a time in seconds, and a reason where it failed."""

    run: Run
    state: str
    seconds: float
    reason: str = ""

    def line(self) -> str:
        text = f"{self.state} {self.run.name} {self.seconds:.1f} s"
        return f"{text}: {self.reason}" if self.reason else text


class Batch:
    """The runs under way; `stop` ends their kernels."""

    def __init__(self, deadline_minutes: float):
        self.deadline = 60 * deadline_minutes
        self.stopped = threading.Event()

    def stop(self) -> None:
        self.stopped.set()

    def run(self, run: Run, patient: bool) -> Outcome:
        """Execute one run, unless it is done; what goes wrong in it is no exception.

        patient: wait while another runner has it, rather than leave it for later.
        """
        started = time.monotonic()

        def ended(state: str, reason: str = "") -> Outcome:
            return Outcome(run, state, time.monotonic() - started, reason)

        try:
            run.folder.mkdir(parents=True, exist_ok=True)
            with self._hold(run, patient):
                if run.done:
                    return ended(SKIPPED, "done by another runner")
                if self.stopped.is_set():
                    return ended(FAILED, "stopped before it began")
                run.failure.unlink(missing_ok=True)
                reason = self._execute(run)
                if reason and not self.stopped.is_set():
                    run.failure.write_text(f"{reason}\n")
        except Timeout:
            if not patient:
                return ended(ELSEWHERE)
            return ended(FAILED, "stopped while another runner had it")
        except OSError as error:
            return ended(FAILED, f"{error.strerror or error} ({run.folder})")
        return ended(FAILED, reason) if reason else ended(DONE)

    def _hold(self, run: Run, patient: bool):
        """This run's lock; Timeout where another runner has it and we do not wait."""
        lock = FileLock(str(run.folder / "run.lock"))
        while True:
            try:
                lock.acquire(timeout=1 / LOOKS_A_SECOND)
                return lock
            except Timeout:
                if not patient or self.stopped.is_set():
                    raise

    def _execute(self, run: Run) -> str:
        """Why the run failed; empty where its record says that it is done."""
        from cotnb.kernels import ipc_kernels, kill

        late, over = threading.Event(), threading.Event()
        until = time.monotonic() + self.deadline

        def watch(kernels: list[int]) -> None:
            while not over.wait(1 / LOOKS_A_SECOND):  # a kernel may start meanwhile
                if time.monotonic() > until:
                    late.set()
                if late.is_set() or self.stopped.is_set():
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
            error = f"past its deadline of {self.deadline / 60:g} min"
        elif self.stopped.is_set():
            error = "stopped"
        notebook = _shown(run.folder / "notebook.ipynb")
        return f"{error or 'ended without its record'} ({notebook})"


def _papermill(run: Run, manager: type) -> str:
    """The failing cell and the last line of its traceback; empty where none failed."""
    import logging

    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    for noisy in ("papermill", "traitlets", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    notebook = run.folder / "notebook.ipynb"
    try:
        with (run.folder / "run.log").open("w") as log:
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
        return f"cell {error.exec_count}: {_plain(f'{error.ename}: {error.evalue}')}"
    except DeadKernelError:
        return f"its kernel died{_where(notebook)}"
    except OSError:
        raise
    except Exception as error:  # whatever a run does, the others go on
        return _plain(f"{type(error).__name__}: {error}")
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


def _plain(text: str) -> str:
    lines = [line for line in ANSI.sub("", text).splitlines() if line.strip()]
    return lines[-1].strip() if lines else "unknown"


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def run_all(
    runs: Sequence[Run],
    *,
    jobs: int,
    deadline_minutes: float,
    executor: Callable[[int], Executor] = ThreadPoolExecutor,
    say: Callable[[str], None] = print,
) -> list[Outcome]:
    """Run what is not done, `jobs` at a time; a bar of the grid and a line a run.

    executor: makes the `concurrent.futures.Executor` that runs go to. On Ctrl-C the
    kernels are ended, what is under way fails, and KeyboardInterrupt is raised again.
    """
    to_do = [run for run in runs if not run.done]
    if len(to_do) < len(runs):
        say(f"{len(runs) - len(to_do)} of {len(runs)} runs are done already")
    if not to_do:
        return []
    _share_cores(jobs)
    batch = Batch(deadline_minutes)
    outcomes: list[Outcome] = []
    bar = tqdm(total=len(to_do), unit="run", disable=not sys.stderr.isatty())
    pool = executor(jobs)
    try:
        for outcome in _outcomes(pool, batch, to_do):
            bar.clear()
            if outcome.state == ELSEWHERE:
                say(f"{ELSEWHERE} {outcome.run.name}; looked at again at the end")
                continue
            outcomes.append(outcome)
            bar.update()
            say(f"[{len(outcomes)}/{len(to_do)}] {outcomes[-1].line()}")
    except BaseException:
        batch.stop()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        bar.close()
    return outcomes


def _outcomes(pool: Executor, batch: Batch, runs: Sequence[Run]) -> Iterator[Outcome]:
    """Every run's outcome; one that another runner has comes again, waited for."""
    for patient in (False, True):
        futures = [pool.submit(batch.run, run, patient) for run in runs]
        runs = []
        for future in as_completed(futures):
            outcome = future.result()
            if outcome.state == ELSEWHERE:
                runs.append(outcome.run)
            yield outcome


def _share_cores(jobs: int) -> None:
    """What kernels inherit: plain progress lines, a share of the cores each."""
    os.environ["COTNB_BATCH"] = "1"
    threads = max(1, (os.cpu_count() or 1) // jobs)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
