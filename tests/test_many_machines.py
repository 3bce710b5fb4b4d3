"""Runs on a Dask cluster: each done once, whoever dies, joins late or shares what."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_grid import command, log_rows, records, started, wait_until

from cotnb.grid.batch import DONE, FAILED, Outcome
from cotnb.grid.executors import _keep
from cotnb.grid.runs import Run

PROJECT = Path(__file__).resolve().parent.parent
WALL = """\
import os, sys

hidden = tuple(os.environ["HIDDEN"].split(os.pathsep))


def hide(event, arguments):
    touches = event in ("open", "os.listdir", "os.mkdir", "os.scandir")
    if touches and str(arguments[0]).startswith(hidden):
        raise FileNotFoundError(2, "No such file or directory", arguments[0])


sys.addaudithook(hide)
"""


class Cluster:
    """A scheduler and workers, processes of their own on the loopback interface."""

    def __init__(self, place: Path):
        self.place, self.processes = place, []

    def start(self, *words: str, **environment: str) -> subprocess.Popen:
        """A process of `dask`; what it says is in a file beside its folder."""
        folder = self.place / f"process-{len(self.processes)}"
        folder.mkdir()
        with folder.with_suffix(".log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *words],
                cwd=folder,
                stderr=log,
                stdout=log,
                env=os.environ | environment,
            )
        self.processes.append(process)
        return process

    def scheduler(self, **environment: str) -> None:
        found = self.place / "scheduler.json"
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        options += ["--scheduler-file", str(found)]
        self.start("scheduler", *options, **environment)
        wait_until(lambda: found.exists() and found.read_text().endswith("}"))
        self.address = json.loads(found.read_text())["address"]

    def worker(self, *words: str, **environment: str) -> subprocess.Popen:
        options = ["--nthreads", "1", "--no-dashboard", "--no-nanny"]
        options += ["--local-directory", "."]
        return self.start("worker", self.address, *options, *words, **environment)

    def run(self, *words: str) -> subprocess.Popen:
        line = command(self.place, "run", "--profile", "smoke", *words)
        return subprocess.Popen(
            [*line, "--scheduler", self.address],
            cwd=self.place,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def cluster(place):
    pytest.importorskip("distributed", reason="pip install -r requirements-dask.txt")
    cluster = Cluster(place)
    yield cluster
    for process in cluster.processes:
        process.kill()
        process.wait()


def lone(place: Path) -> dict[str, str]:
    """The environment of a worker, and its kernels, that see none of our folders."""
    wall = place / "wall"
    wall.mkdir(exist_ok=True)
    (wall / "sitecustomize.py").write_text(WALL)
    ours = [str(place / name) for name in ("notebooks", "results", "runs")]
    return {"PYTHONPATH": str(wall), "HIDDEN": os.pathsep.join(ours)}


def is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "apart"])
def test_each_run_is_done_once_though_a_worker_is_killed(cluster, place, shared):
    cluster.scheduler()
    place_of_its_own = {} if shared else lone(place)
    first = cluster.worker(**place_of_its_own)
    cluster.worker(**place_of_its_own)
    client = cluster.run("--seeds", "0-4", "-p", "wait=0.5")
    wait_until(lambda: str(first.pid) in [parent for *_, parent in log_rows(place)])
    first.kill()
    late = cluster.worker(**place_of_its_own)
    output, errors = client.communicate(timeout=120)
    assert client.returncode == 0, output + errors
    lines = re.findall(r"^\[\d/5\] (?:done|skipped) 00_start_here-s(\d)", output, re.M)
    assert sorted(lines) == list("01234")
    runs = [json.loads(path.read_text())["run"] for path in records(place)]
    assert runs == [path.stem for path in records(place)] and len(runs) == 5
    assert set(started(place)) == set("01234") and len(started(place)) <= 7
    assert str(late.pid) in [parent for *_, parent in log_rows(place)]
    wait_until(lambda: not any(is_alive(kernel) for _, kernel, _ in log_rows(place)))
    # the notebook and the log are here too; a lock only where they were made here
    for name, there in {
        "notebook.ipynb": 5,
        "run.log": 5,
        "run.lock": 5 * shared,
    }.items():
        assert len(list(place.glob(f"runs/smoke/*/{name}"))) == there
    assert not list(place.glob("*/smoke/**/*.token"))


def test_what_goes_wrong_far_away_is_told_and_ended(cluster, place):
    cluster.scheduler()
    cluster.worker(**lone(place))

    failing = cluster.run("-p", "name=raise")
    output, _ = failing.communicate(timeout=60)
    [line] = [x for x in output.splitlines() if x.startswith("[")]
    assert failing.returncode == 1 and "cell 3: ValueError: no such luck (runs/" in line
    [folder] = place.glob("runs/smoke/*")
    for name in ("failed.txt", "notebook.ipynb"):
        assert "no such luck" in (folder / name).read_text()

    stopped = cluster.run("-p", "wait=60", "--seeds", "0,1")
    wait_until(lambda: len(started(place)) == 2)
    stopped.send_signal(signal.SIGINT)
    _, errors = stopped.communicate(timeout=30)
    assert stopped.returncode == 130 and "Traceback" not in errors
    wait_until(lambda: not is_alive(log_rows(place)[1][1]), 10)

    left = cluster.run("-p", "wait=60")
    wait_until(lambda: len(started(place)) == 3)
    cluster.processes[0].kill()
    _, errors = left.communicate(timeout=60)
    assert left.returncode == 2 and "the scheduler is gone" in errors
    assert errors.count("\n") == 1
    wait_until(lambda: not is_alive(log_rows(place)[2][1]), 20)
    assert not records(place)


def test_a_run_waits_for_what_it_asks_and_other_code_is_told(cluster, place):
    made_meanwhile = shutil.ignore_patterns("__pycache__")
    other = place / "other" / "cotnb"
    shutil.copytree(PROJECT / "cotnb", other, ignore=made_meanwhile)
    cluster.scheduler()
    cluster.worker()
    client = cluster.run("--resources", "GPU=1")
    said = client.stdout.readline()
    assert said.startswith("workers with GPU=1 at tcp://")
    assert said.endswith(": 0; waiting for one to join\n")
    cluster.worker("--resources", "GPU=1", PYTHONPATH=str(place / "other"))
    output, errors = client.communicate(timeout=60)
    assert client.returncode == 0, errors
    assert re.search(r"^workers with GPU=1 at \S+: 1$", output, re.M)
    assert (
        len(re.findall(r"^warning: worker \S+ has cotnb \S+ at unknown", output, re.M))
        == 1
    )


def test_a_run_that_kills_its_workers_fails_and_the_others_go_on(cluster, place):
    cluster.scheduler(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
    cluster.worker()
    cluster.worker()
    client = cluster.run("-p", "name=fell", "--seeds", "0-3")
    output, errors = client.communicate(timeout=120)
    assert client.returncode == 1, errors
    [line] = [x for x in output.splitlines() if " failed " in x]
    assert "00_start_here-s1-" in line
    assert "given up, as 1 workers died with it; see their logs" in line
    assert started(place).count("1") == 1 and len(records(place)) == 3


def test_workers_without_the_project_are_refused(cluster, place):
    (place / "broken").mkdir()
    (place / "broken" / "cotnb.py").write_text("raise ImportError('none here')")
    cluster.scheduler()
    worker = cluster.worker(PYTHONPATH=str(place / "broken"))
    client = cluster.run()
    _, errors = client.communicate(timeout=60)
    assert client.returncode == 2 and errors.count("\n") == 1
    assert "cannot run notebooks: none here; install the project there" in errors
    assert worker.poll() is None


@pytest.mark.parametrize(
    ("address", "hidden", "message"),
    [
        ("tcp://127.0.0.1:9", False, "tcp://127.0.0.1:9: no Dask scheduler answers"),
        ("nonsense", False, "--scheduler nonsense: expected such as tcp://host:8786"),
        ("tcp://127.0.0.1:9", True, "pip install -r requirements-dask.txt"),
    ],
)
def test_what_cannot_begin_is_one_line(place, monkeypatch, address, hidden, message):
    if hidden:
        (place / "distributed.py").write_text("raise ImportError")
        monkeypatch.setenv("PYTHONPATH", str(place))
    else:
        pytest.importorskip("distributed", reason="for --scheduler")
    line = command(place, "run", "--profile", "smoke", "--scheduler", address)
    refused = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 2 and message in refused.stderr
    assert refused.stderr.count("\n") == 1 and not (place / "runs").exists()


def test_what_came_back_and_cannot_be_kept_has_failed(tmp_path):
    (tmp_path / "records").write_text("a file")
    record = tmp_path / "records" / "r.json"
    run = Run("r", tmp_path / "n.ipynb", {}, tmp_path / "run", record)
    ended = _keep(Outcome(run, DONE, 1.0, files={"run.log": b""}, record=b"{}"))
    assert ended.state == FAILED and "not written" in ended.reason
