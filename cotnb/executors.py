"""Where runs go: threads of this machine, or the workers of a Dask cluster."""

import logging
import os
import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from cotnb.batch import (
    FAILED,
    SKIPPED,
    Outcome,
    plain_line,
    run_one,
)
from cotnb.errors import UserError
from cotnb.grid import Run

CONNECT_SECONDS = 5
LARGEST_COMPANION = 2**20  # bytes; a file beside a notebook that is sent along


class ThisMachine:
    """Runs in threads here, `jobs` at once, each with a kernel of its own."""

    def __init__(self, jobs: int, deadline_minutes: float):
        self.jobs = jobs
        self.deadline = 60 * deadline_minutes
        self.stopped = threading.Event()

    def __enter__(self):
        share_cores(os.cpu_count() or 1, self.jobs)
        self.executor = ThreadPoolExecutor(self.jobs)
        return self

    def __exit__(self, kind, error, trace):
        if kind:
            self.stopped.set()
        self.executor.shutdown(wait=True, cancel_futures=True)

    def look(self) -> None:
        """Nothing to say of this machine."""

    def submit(self, run: Run, patient: bool) -> Future:
        stopped = self.stopped.is_set
        return self.executor.submit(run_one, run, patient, self.deadline, stopped)

    def outcome(self, run: Run, future: Future) -> Outcome:
        return future.result()


class DaskCluster:
    """Runs on the workers of a Dask scheduler, as many at once as they have threads.

    address: the scheduler's, such as tcp://host:8786. resources: what each run takes
    of a worker's declared resources, such as {"GPU": 1}. A worker that sees our folders
    writes there; from any other, what a run leaves comes back with its outcome.
    Raises UserError, when opened, where Dask is not installed or no scheduler answers;
    at work, where the first workers cannot import cotnb or the scheduler goes away.
    """

    def __init__(
        self,
        address: str,
        deadline_minutes: float,
        resources: dict[str, float],
        say: Callable[[str], None] = print,
    ):
        self.address = address
        self.deadline = 60 * deadline_minutes
        self.resources = resources
        self.say = say
        self.tokens: dict[Path, str] = {}  # files that show who shares our folders
        self.met: set[str] = set()  # addresses of workers
        self.able: int | None = None  # how many workers have what is asked

    def __enter__(self):
        self.client = _connect(self.address)
        self.executor = self.client.get_executor(pure=False, resources=self.resources)
        return self

    def __exit__(self, kind, error, trace):
        # cancelled, a worker's task sees it and ends its kernel; none is waited for
        self.executor.shutdown(wait=False)
        self.client.close()
        for token in self.tokens:
            token.unlink(missing_ok=True)

    def look(self) -> None:
        """Say when nobody can run what is asked, and who has another cotnb."""
        workers = self.client.scheduler_info()["workers"]
        able = sum(
            all(worker["resources"].get(n, 0) >= x for n, x in self.resources.items())
            for worker in workers.values()
        )
        if bool(able) != bool(self.able) or self.able is None:
            asked = "".join(f" with {n}={x:g}" for n, x in self.resources.items())
            self.say(
                f"{able} workers{asked} at {self.address}"
                if able
                else f"no worker{asked} at {self.address}; waiting for one to join"
            )
        self.able = able
        if strangers := workers.keys() - self.met:
            self._meet(sorted(strangers))

    def _meet(self, strangers: list[str]) -> None:
        from cotnb.workers import code

        at_start, ours = not self.met, code()
        self.met.update(strangers)
        theirs = self.client.run(code, workers=strangers, on_error="return")
        for address, answer in theirs.items():
            if isinstance(answer, ImportError):
                reason = f"worker {address} cannot run notebooks: {answer}"
                if at_start:
                    raise UserError(f"{reason}; install the project there")
                self.say(f"warning: {reason}; its runs fail")
            elif isinstance(answer, str) and answer != ours:
                self.say(f"warning: worker {address} has cotnb {answer}, not {ours}")

    def submit(self, run: Run, patient: bool) -> Future:
        from cotnb.workers import run_for_client

        tokens = {}
        for folder in {run.record.parent, run.folder.parent}:
            path = self._token(folder)
            tokens[path] = self.tokens[path]
        files = _with_companions(run.notebook)
        return self.executor.submit(
            run_for_client, run, patient, self.deadline, tokens, files
        )

    def _token(self, folder: Path) -> Path:
        """A file that a worker finds if it shares this folder, and only then."""
        for path in self.tokens:
            if path.parent == folder:
                return path
        text = uuid.uuid4().hex
        path = folder / f".{text}.token"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        except OSError as error:
            raise UserError(f"{folder}: {error.strerror}; choose another") from None
        self.tokens[path] = text
        return path

    def outcome(self, run: Run, future: Future) -> Outcome:
        """A run's outcome, once what came back with it is in place."""
        from distributed import KilledWorker

        try:
            outcome = replace(future.result(), run=run)
        except CancelledError:
            raise UserError(
                f"{self.address}: the scheduler is gone, or dropped our runs; what is "
                "finished is kept, and the same command goes on from here"
            ) from None
        except KilledWorker as error:
            died = f"{error.allowed_failures + 1} workers died with it"
            outcome = _lost(run, f"given up, as {died}; see their logs")
        except Exception as error:  # such as another version's: the others go on
            outcome = _lost(run, plain_line(f"{type(error).__name__}: {error}"))
        return keep(outcome) if outcome.files else outcome


def _connect(address: str):
    """A client of the scheduler; UserError where that cannot be."""
    try:
        from distributed import Client
    except ImportError:
        raise UserError(
            "--scheduler: Dask is not installed; pip install -r requirements-dask.txt"
        ) from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # we say what matters
    try:
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = plain_line(str(error))
        raise UserError(
            f"--scheduler {address}: no Dask scheduler answers there ({reason}); start "
            "one with: dask scheduler"
        ) from None


def _with_companions(notebook: Path) -> dict[str, bytes]:
    """A notebook, and the small files beside it that it may read; bytes by name."""
    beside = [
        path
        for path in notebook.parent.iterdir()
        if path.is_file()
        and path.suffix != ".ipynb"
        and path.stat().st_size <= LARGEST_COMPANION
    ]
    return {path.name: path.read_bytes() for path in (notebook, *beside)}


def _lost(run: Run, reason: str) -> Outcome:
    """The outcome of a run that no worker brought to an end."""
    return Outcome(run, FAILED, 0, reason, {run.failure.name: f"{reason}\n".encode()})


def keep(outcome: Outcome) -> Outcome:
    """Put in place what came back with an outcome, the record last.

    A run that another runner finished meanwhile stays as that one left it.
    """
    from cotnb.results import write_whole  # here, as it loads pandas

    run = outcome.run
    bare = replace(outcome, files={}, record=b"")
    if run.done:
        return replace(bare, state=SKIPPED, reason="done by another runner")
    try:
        run.failure.unlink(missing_ok=True)
        for name, content in outcome.files.items():
            write_whole(run.folder / name, content)
        if outcome.record:
            write_whole(run.record, outcome.record)
    except OSError as error:
        return replace(bare, state=FAILED, reason=f"{error.strerror} ({run.folder})")
    except UserError as error:
        return replace(bare, state=FAILED, reason=str(error))
    return bare


def share_cores(cores: int, runs: int, overruled: Mapping[str, str] = {}) -> None:
    """What kernels inherit: plain progress lines, a share of the cores each.

    cores: shared by so many runs at once. overruled: settings that nobody chose; any
    other that is there already stays.
    """
    threads = str(max(1, cores // runs))
    os.environ["COTNB_BATCH"] = "1"
    for name in {"OMP_NUM_THREADS", *overruled}:
        if os.environ.get(name, overruled.get(name)) == overruled.get(name):
            os.environ[name] = threads
