"""A grid of one tiny notebook, and how tests call the runner on it."""

import sys
import time
from pathlib import Path

import nbformat

PARAMETERS = """\
profile = "smoke"  # where the record belongs
seed = 0  # of everything drawn
record = ""  # the record's file
output = ""  # the folder for predictions
name = "plain"  # what happens
wait = 0.0  # seconds
flag = False  # a truth value
"""
BODY = """\
import json, os, pathlib, signal, time
with open({log!r}, "a") as log:
    log.write(f"{{seed}} {{os.getpid()}} {{os.getppid()}}\\n")
time.sleep(wait)
if name == "raise":
    raise ValueError("no such luck")
if name == "die":
    os.kill(os.getpid(), signal.SIGKILL)
if name == "fell" and seed == 1:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
"""
RECORD = """\
if name == "full":
    raise OSError(28, "No space left on device")
if name != "forget":
    path = pathlib.Path(record)
    path.parent.mkdir(parents=True, exist_ok=True)
    threads = os.environ["OMP_NUM_THREADS"]
    done = {"run": path.stem, "finished": "now", "threads": threads}
    path.with_suffix(".tmp").write_text(json.dumps(done))
    os.replace(path.with_suffix(".tmp"), path)
"""
PROFILE = "description: for tests\nseeds: [0]\nnotebooks:\n  00_start_here: {}\n"


def write_notebook(path: Path, *sources: str) -> Path:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def command(place: Path, *words: str) -> list[str]:
    options = []
    for name in ("results", "runs", "notebooks"):
        options += [f"--{name}", str(place / name)]
    return [sys.executable, "-m", "cotnb", words[0], *options, *words[1:]]


def log_rows(place: Path) -> list[list[str]]:
    """Of each kernel that came to work: its seed, its process, its parent process."""
    log = place / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.split() for line in lines]


def started(place: Path) -> list[str]:
    return [seed for seed, _, _ in log_rows(place)]


def wait_until(happened, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def records(place: Path) -> list[Path]:
    return sorted((place / "results").glob("smoke/records/*.json"))
