"""A grid: 24 short runs against a loop of the papermill command.

Each run imports torch, works for a moment and writes its record, so that nearly all of
its time is what running it costs. Real runs import transformers too, which a forked
kernel need not: the ratios here are on the low side.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from benchmarks.paired import PAIRS, median, ratios, save, take_turns
from cotnb.grid.batch import NOTEBOOK
from cotnb.paths import project_folder
from cotnb.rendering import METADATA

RUNS = 24
WARMING = 3  # of them in the turn that does not count
ASKED_AGAIN = 500  # runs of a finished grid
RECORDS = 5000  # to aggregate
NAME = "00_short"
PARAMETERS = """profile = "short"  # its results folder
seed = 0  # of nothing
record = ""  # the file that says it is done
output = ""  # a folder"""
WORK = """import torch

answer = torch.ones(64, 64).matmul(torch.ones(64, 64)).sum().item() + seed"""
RECORD = """from cotnb.results.records import Score, write_record
from pathlib import Path
import time

if record:
    score = Score(
        student="none", parameters=0, condition="short", seed=seed, task="none",
        prompt_format="zero_shot_cot", step=0, outcomes="10", questions="0" * 16,
    )
    write_record(
        Path(record), run=Path(record).stem, notebook="00_short", profile=profile,
        parameters={}, seed=seed, scores=[score], started=time.time(),
    )"""


class Project:
    """A folder with one short notebook and a profile that runs it."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("notebooks", "profiles"):
            (folder / name).mkdir()
        cells = [nbformat.v4.new_code_cell(text) for text in (PARAMETERS, WORK, RECORD)]
        cells[0].metadata["tags"] = ["parameters"]
        self.notebook = folder / "notebooks" / f"{NAME}.ipynb"
        notebook = nbformat.v4.new_notebook(cells=cells, metadata=METADATA)
        nbformat.write(notebook, self.notebook)
        claims = project_folder() / "notebooks" / "claims.yaml"
        shutil.copy(claims, folder / "notebooks")
        profile = f"description: short\nseeds: [0]\nnotebooks:\n  {NAME}: {{}}\n"
        (folder / "profiles" / "short.yaml").write_text(profile)

    def cotnb(self, *arguments: str, place: str) -> float:
        """Seconds of a cotnb command, with results and runs in a place of their own."""
        folders = ["--results", f"{place}/results", "--notebooks", "notebooks"]
        if arguments[0] != "aggregate":
            folders += ["--runs", f"{place}/runs"]
        return self._seconds([sys.executable, "-m", "cotnb", *arguments, *folders])

    def loop(self, runs: int, at_once: int, place: str) -> float:
        """Seconds of a shell loop of papermill, so many at a time."""
        (self.folder / place).mkdir()
        one = (
            f"{sys.executable} -m papermill notebooks/{NAME}.ipynb {place}/$0.ipynb "
            f"-p seed $0 --log-level ERROR --no-progress-bar >/dev/null"
        )
        seeds = "\n".join(map(str, range(runs)))
        command = ["xargs", "-n", "1", "-P", str(at_once), "sh", "-c", one]
        return self._seconds(command, seeds)

    def _seconds(self, command: list[str], given: str = "") -> float:
        environment = {
            **os.environ,
            "COTNB_PROFILES": str(self.folder / "profiles"),
            "OMP_NUM_THREADS": "1",
        }
        begun = time.perf_counter()
        subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            input=given,
            text=True,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return time.perf_counter() - begun

    def own_seconds_a_run(self, place: str) -> float:
        """What a run takes beyond its cells, from papermill's own notes, the median."""
        own = []
        for path in (self.folder / place / "runs").rglob(NOTEBOOK):
            notebook = nbformat.read(path, as_version=4)
            cells = [c for c in notebook.cells if c.cell_type == "code"]
            took = sum(c.metadata.papermill.duration for c in cells)
            own.append(notebook.metadata.papermill.duration - took)
        return sorted(own)[len(own) // 2]


def grid_against_loops(project: Project) -> dict:

    def ours(jobs: int):
        def turn(number: int) -> dict:
            place, runs = f"ours-{jobs}-{number}", RUNS if number else WARMING
            asked = ["--profile", "short", "--seeds", f"0-{runs - 1}"]
            took = project.cotnb("run", *asked, "--jobs", str(jobs), place=place)
            own = project.own_seconds_a_run(place)
            return {
                "runs_a_second": round(runs / took, 3),
                "own_seconds_a_run": round(own, 3),
            }

        return turn

    def loop(at_once: int):
        def turn(number: int) -> dict:
            runs = RUNS if number else WARMING
            took = project.loop(runs, at_once, f"loop-{at_once}-{number}")
            return {"runs_a_second": round(runs / took, 3)}

        return turn

    turns = take_turns(
        {
            "cotnb, one at a time": ours(1),
            "loop, one at a time": loop(1),
            "cotnb, two at a time": ours(2),
            "loop, two at a time": loop(2),
        },
        PAIRS,
    )
    return {
        "turns": turns,
        "own_seconds_a_run": median(turns["cotnb, one at a time"], "own_seconds_a_run"),
        "against": {
            "one at a time": ratios(
                turns, "cotnb, one at a time", "loop, one at a time", "runs_a_second"
            ),
            "two at a time": ratios(
                turns, "cotnb, two at a time", "loop, two at a time", "runs_a_second"
            ),
        },
    }


def asked_again(project: Project) -> dict:
    """Seconds of asking for a finished grid, and of making its table."""
    project.cotnb("run", "--profile", "short", "--seeds", "0", place="again")
    records = project.folder / "again" / "results" / "short" / "records"
    [first] = records.glob("*.json")
    content = json.loads(first.read_text())
    digest = first.stem.rpartition("-")[2]

    def fill(size: int) -> None:
        for seed in range(size):
            name = f"{NAME}-s{seed}-{digest}"
            scores = [{**score, "seed": seed} for score in content["scores"]]
            record = {**content, "run": name, "seed": seed, "scores": scores}
            (records / f"{name}.json").write_text(json.dumps(record))

    profile = ["--profile", "short"]
    found = {}
    for size in (ASKED_AGAIN, RECORDS):
        fill(size)
        seeds = ["--seeds", f"0-{size - 1}"]
        found[f"run, {size} done"] = project.cotnb(
            "run", *profile, *seeds, place="again"
        )
        found[f"aggregate, {size} records"] = project.cotnb(
            "aggregate", *profile, place="again"
        )
    return {name: round(seconds, 2) for name, seconds in found.items()}


def measure() -> None:
    """The grid against loops; a finished grid asked for again; many records."""
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        save("grid", {"again": asked_again(project), **grid_against_loops(project)})


if __name__ == "__main__":
    measure()
