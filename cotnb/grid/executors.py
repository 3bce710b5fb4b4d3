"""Where runs go: threads of this machine, or the workers of a Dask cluster."""

import json
import logging
import pickle
import re
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from cotnb.cores import share_cores, usable_cores
from cotnb.errors import UserError
from cotnb.files import write_whole
from cotnb.grid.batch import FAILED, LATER, SKIPPED, Outcome, plain_line, run_one
from cotnb.grid.runs import Run

CONNECT_SECONDS = 5
ADDRESS = re.compile(r"((tcp|tls)://)?[^/]+:\d+")
LARGEST_COMPANION = 2**20  # bytes; a file beside a notebook that is sent along
LACKING = "{} cannot run notebooks: {}; install the project there"


class ThisMachine:
    """Runs in threads here, `jobs` at once, each with a kernel of its own."""

    def __init__(self, jobs: int, deadline_minutes: float):
        self.jobs = jobs
        self.deadline = 60 * deadline_minutes
        self.stopped = threading.Event()

    def __enter__(self):
        share_cores(usable_cores(), self.jobs)
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
    at work, where a worker cannot import cotnb or the scheduler goes away.
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
        self.batch = f"cotnb-{uuid.uuid4().hex}"  # a name that nobody else has
        self.tokens: set[Path] = set()  # files that show who shares our folders
        self.met: set[str] = set()  # addresses of workers
        self.able: int | None = None  # how many workers have what is asked
        self.begun: Counter[str] = Counter()  # by run: on how many workers
        self.put_off: set[str] = set()  # runs

    def __enter__(self):
        self.client = _connect(self.address)
        self.client.subscribe_topic(self.batch, lambda e: self.begun.update([e[1]]))
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
        with suppress(OSError):  # the scheduler is gone, as the runs' futures tell
            # not scheduler_info(), which now and then answers that there are none
            ask = self.client.scheduler.identity
            workers = self.client.sync(ask, n_workers=-1)["workers"]
            self._count(workers)
            if strangers := workers.keys() - self.met:
                self._meet(sorted(strangers))

    def _count(self, workers: dict[str, dict]) -> None:
        """Say how many workers have what is asked, when that turns to none or back."""
        able = sum(
            all(worker["resources"].get(n, 0) >= x for n, x in self.resources.items())
            for worker in workers.values()
        )
        if self.able is None or bool(able) != bool(self.able):
            asked = "".join(f" with {n}={x:g}" for n, x in self.resources.items())
            waiting = "" if able else "; waiting for one to join"
            self.say(f"workers{asked} at {self.address}: {able}{waiting}")
        self.able = able

    def _meet(self, strangers: list[str]) -> None:
        from cotnb.grid.workers import code

        ours = code()
        self.met.update(strangers)
        theirs = self.client.run(code, workers=strangers, on_error="return")
        for address, answer in theirs.items():
            if isinstance(answer, ImportError):
                raise UserError(LACKING.format(f"worker {address}", answer))
            if isinstance(answer, str) and answer != ours:
                self.say(f"warning: worker {address} has cotnb {answer}, not {ours}")

    def submit(self, run: Run, patient: bool) -> Future:
        from cotnb.grid.workers import run_for_client

        for path in tokens(run, self.batch):
            self._show(path)
        files = {run.notebook.name: without_outputs(run.notebook)}
        files |= _companions(run.notebook)
        call = _Call(run_for_client, run, patient, self.deadline, self.batch, files)
        key = f"{run.notebook.stem}-{uuid.uuid4()}"
        return self.executor.submit(pickle.loads, pickle.dumps(call), key=key)

    def _show(self, token: Path) -> None:
        if token in self.tokens:
            return
        try:
            token.parent.mkdir(parents=True, exist_ok=True)
            token.write_text(self.batch)
        except OSError as error:
            reason = f"{error.strerror}; choose another folder"
            raise UserError(f"{token.parent}: {reason}") from None
        self.tokens.add(token)

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
            outcome = self._killed(run, error.allowed_failures + 1)
        except ImportError as error:
            raise UserError(LACKING.format("a worker", error)) from None
        except Exception as error:  # such as another version's: the others go on
            outcome = _lost(run, plain_line(f"{type(error).__name__}: {error}"))
        return _keep(outcome) if outcome.files else outcome

    def _killed(self, run: Run, workers: int) -> Outcome:
        """Dask gives up what was on workers that died, what only waited there too."""
        if self.begun[run.name] < workers and run.name not in self.put_off:
            self.put_off.add(run.name)
            return Outcome(run, LATER, 0, "lost with its workers:")
        reason = f"given up, as {workers} workers died with it; see their logs"
        return _lost(run, reason)


class _Call:
    """A call that is made where it is unpickled.

    Dask ends a worker that cannot import what its task is made of; so, without cotnb,
    it is the task that fails.
    """

    def __init__(self, function: Callable, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def _connect(address: str):
    """A client of the scheduler; UserError where that cannot be."""
    try:
        from distributed import Client
    except ImportError:
        raise UserError(
            "--scheduler: Dask is not installed; pip install -r requirements-dask.txt"
        ) from None
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # we say it in a line
    if not ADDRESS.fullmatch(address):
        raise UserError(f"--scheduler {address}: expected such as tcp://host:8786")
    try:
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except OSError as error:
        reason = plain_line(str(error))
        raise UserError(
            f"--scheduler {address}: no Dask scheduler answers there ({reason}); start "
            "one with: dask scheduler"
        ) from None


def tokens(run: Run, batch: str) -> list[Path]:
    """Files, holding the batch's name, that who shares a run's folders can read."""
    folders = {run.record.parent, run.folder.parent}
    return [folder / f".{batch}.token" for folder in folders]


def without_outputs(notebook: Path) -> bytes:
    """A notebook's file as it is run; outputs of other days are most of its bytes."""
    content = json.loads(notebook.read_bytes())
    for cell in content["cells"]:
        if "outputs" in cell:
            cell["outputs"] = []
    return json.dumps(content).encode()


def _companions(notebook: Path) -> dict[str, bytes]:
    """The small files beside a notebook, which it may read; bytes by name."""
    return {
        path.name: path.read_bytes()
        for path in notebook.parent.iterdir()
        if path.is_file()
        and path.suffix != ".ipynb"
        and path.stat().st_size <= LARGEST_COMPANION
    }


def _lost(run: Run, reason: str) -> Outcome:
    """The outcome of a run that no worker brought to an end."""
    return Outcome(run, FAILED, 0, reason, {run.failure.name: f"{reason}\n".encode()})


def _keep(outcome: Outcome) -> Outcome:
    """Put in place what came back with an outcome, the record last.

    A run that another runner finished meanwhile stays as that one left it.
    """
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
