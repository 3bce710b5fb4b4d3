"""Notebooks: their shape, their cleanliness, and `smoke` run end to end."""

import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from cotnb import plots
from cotnb.committed_cells import shows_results, with_needed
from cotnb.notebook_parameters import read_parameters
from cotnb.rendering import (
    SHOWN,
    draw_committed,
    machine_path,
    normalise,
    shows_committed,
)
from cotnb.results.committed import results_hash

PROJECT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
SCORES = (
    "run,notebook,student,parameters,condition,seed,task,prompt_format,step,"
    "n,correct,accuracy,ci_low,ci_high,commit"
)
FIGURES = "90_figures"  # reads results, and leaves no record of a run
SOLUTIONS = sorted((PROJECT / "notebooks" / "solutions").glob("*.ipynb"))
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
with_solutions = pytest.mark.parametrize(
    "path", NOTEBOOKS + SOLUTIONS, ids=lambda p: f"{p.parent.name}/{p.stem}"
)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def text(notebook, kind: str) -> str:
    return "\n".join(c.source for c in notebook.cells if c.cell_type == kind)


@every_notebook
def test_it_says_what_a_reader_asks_first_and_last(path):
    words = text(read(path), "markdown")
    for heading in ("**Claim.**", "**The papers' number", "**Cost.**", "## Exercises"):
        assert heading in words, f"{path.name} lacks {heading}"
    assert "What it does not show" in words


@every_notebook
def test_its_parameters_are_commented_scalars(path):
    parameters = read_parameters(path)
    run = {"seed", "record", "output"} if path.stem != FIGURES else {"results"}
    assert {"profile", *run} <= parameters.keys()
    assert all(parameter.comment for parameter in parameters.values())


@with_solutions
def test_its_cells_are_short(path):
    cells = [c.source.splitlines() for c in read(path).cells if c.cell_type == "code"]
    assert statistics.median(map(len, cells)) <= 8
    assert max(len(line) for lines in cells for line in lines) <= 88


@with_solutions
def test_it_is_committed_with_clean_outputs(path):
    notebook = read(path)
    assert notebook == normalise(read(path)), "run: python -m cotnb render"
    assert any(c.get("outputs") for c in notebook.cells)
    assert not [c for c in notebook.cells if machine_path(c)]
    kinds = {o.output_type for c in notebook.cells for o in c.get("outputs", [])}
    assert "error" not in kinds


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda p: p.stem)
def test_solutions_answer_every_exercise_with_clean_outputs(path):
    notebook = read(path)
    chapter = text(read(path.parent.parent / path.name), "markdown")
    exercises = re.findall(r"^\d+\. ", chapter.partition("## Exercises")[2], re.M)
    answered = re.findall(r"^## \d+\. ", text(notebook, "markdown"), re.M)
    assert answered == [f"## {number}" for number in exercises]
    assert f"(solutions/{path.name})" in chapter
    assert all(p.comment for p in read_parameters(path).values())


@every_notebook
def test_its_figures_are_pictures(path):
    source, drawn, told = text(read(path), "code"), 0, ""
    for cell in read(path).cells:
        for output in cell.get("outputs", []):
            data, told = output.get("data", {}), told + output.get("text", "")
            drawn += "image/png" in data
            assert "image/png" in data or "<Figure" not in data.get("text/plain", "")
    figures = [name for name in plots.__all__ if name.islower()]
    figures += ["draw_insight", "draw_board", "committed_figure"]
    expected = sum(source.count(f"{name}(") for name in figures)
    assert drawn == expected - told.count(": no results yet. ")


@every_notebook
def test_what_it_shows_is_what_is_committed(path):
    shown = read(path).metadata.get(SHOWN)
    now = results_hash(path.stem) if shows_committed(path) else None
    assert shown == now, "run: python -m cotnb render --committed"


def notebook_of(*sources: str) -> nbformat.NotebookNode:
    """Of cells: markdown where they begin with a #, else code."""
    new = nbformat.v4
    cells = [
        (new.new_markdown_cell if s.startswith("#") else new.new_code_cell)(s)
        for s in sources
    ]
    cells[0].metadata["tags"] = ["parameters"]
    return new.new_notebook(cells=cells)


def test_committed_results_are_drawn_without_what_they_do_not_need():
    notebook = notebook_of(
        "steps = 2  # of a tuning",
        "import math\nimport random\n\nscores = expensive(steps)",
        "plan = {}\nfor n in range(steps):\n    plan[n] = math.sqrt(n)",
        "def labels(frame):\n    return [plan[n] for n in frame]",
        "task = expensive(steps)\nscores += more(scores)",
        "## The committed results",
        "frame = [0, 1]\nfor task in labels(frame):\n    plan[task] = 1",
        "## What it means",
        "late = scores",
    )
    numbers = shows_results(notebook)
    assert numbers == [6]
    needed = [c.source for c in with_needed(notebook, numbers).cells]
    assert needed[0] == "steps = 2  # of a tuning"
    assert needed[1] == "import math" and needed[4] == needed[8] == ""
    assert needed[2:4] == [notebook.cells[2].source, notebook.cells[3].source]
    assert needed[6] == notebook.cells[6].source


def test_what_is_drawn_anew_takes_the_place_of_what_was_shown(tmp_path):
    sources = [
        "n = 1  # of it",
        "print('dear')",
        "## The committed results",
        "print(n)",
    ]
    notebook = notebook_of(*sources, "## What it means")
    for number, said in ((1, "dear"), (3, "old")):
        output = nbformat.v4.new_output("stream", name="stdout", text=f"{said}\n")
        notebook.cells[number].outputs = [output]
    path = tmp_path / "04_some.ipynb"
    nbformat.write(notebook, path)
    draw_committed(path)
    drawn = read(path)
    assert [drawn.cells[n].outputs[0].text for n in (1, 3)] == ["dear\n", "1\n"]
    assert drawn.metadata[SHOWN] == results_hash(path.stem)


def test_a_stopped_render_ends_at_once_with_its_forked_kernel(tmp_path):
    """Which would else go on with its cell, and be waited for."""
    parameters = "n = 1  # of it"
    busy = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(300)"
    nbformat.write(notebook_of(parameters, busy), tmp_path / "00_busy.ipynb")
    code = (
        "import cotnb.kernels, cotnb.cli; cotnb.kernels.STARTED_ANEW = 0; "
        "cotnb.cli.main()"
    )
    command = [sys.executable, "-c", code, "render", "--notebooks", str(tmp_path)]
    rendering = subprocess.Popen(command)
    pid, waited = tmp_path / "pid", time.time() + 120
    while not (pid.exists() and pid.read_text()) and time.time() < waited:
        time.sleep(0.1)
    rendering.terminate()
    assert rendering.wait(timeout=60) == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_render_takes_the_machine_out_of_a_notebook():
    cell = nbformat.v4.new_code_cell("x", execution_count=7)
    printed = {"stdout": str(PROJECT), "stderr": "Loading weights"}
    for name in ("stdout", "stderr", "stdout"):  # printed in two pieces
        one = nbformat.v4.new_output("stream", name=name, text=printed[name])
        cell.outputs.append(one)
    cell.metadata = {"execution": {"iopub.status.busy": "2026-01-01"}}
    dirty = nbformat.v4.new_notebook(cells=[cell], metadata={"papermill": {}})
    [clean] = normalise(dirty).cells
    assert clean.execution_count is None and not clean.metadata
    assert [output.text for output in clean.outputs] == [2 * str(PROJECT)]
    assert machine_path(clean) == str(PROJECT)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The smoke profile run as a user would, into a folder of its own."""
    place = tmp_path_factory.mktemp("smoke")
    command = [sys.executable, "-m", "cotnb"]
    places = ["--results", str(place / "results")]
    begun = time.monotonic()
    run = [
        *command,
        "run",
        "--profile",
        "smoke",
        *places,
        "--runs",
        str(place / "runs"),
    ]
    done = subprocess.run(run, capture_output=True, text=True, timeout=500)
    seconds = time.monotonic() - begun
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("aggregate", "verdicts"):
        tables = [*command, word, "--profile", "smoke", *places]
        told = subprocess.run(tables, check=True, capture_output=True, text=True)
        (place / f"{word}.txt").write_text(told.stdout)
    return place, seconds


@pytest.mark.alone
def test_smoke_takes_less_than_90_seconds(smoke):
    assert smoke[1] < 90


@pytest.mark.alone
def test_runs_say_what_they_trained_and_what_they_read(smoke):
    told = (smoke[0] / "aggregate.txt").read_text()
    [line] = [line for line in told.splitlines() if line.startswith("tunings: ")]
    assert re.fullmatch(r"tunings: 3 asked for, [0-3] trained; the cache .* h", line)


@pytest.mark.alone
def test_smoke_makes_records_tables_and_figures(smoke):
    results = smoke[0] / "results" / "smoke"
    records = [json.loads(path.read_text()) for path in results.glob("records/*.json")]
    assert len(records) == 2
    assert all(r["seed"] == 0 and r["wall_seconds"] > 0 for r in records)
    assert not any(str(smoke[0]) in json.dumps(record) for record in records)
    scores = (results / "scores.csv").read_text()
    assert scores.splitlines()[0] == SCORES
    assert (results / "claims.csv").is_file()
    assert len(list(results.glob("figures/*.png"))) >= 2


@pytest.mark.alone
def test_smoke_scores_agree_with_its_predictions(smoke):
    place = smoke[0]
    scores = pd.read_csv(place / "results" / "smoke" / "scores.csv")
    own = scores[scores["notebook"] == "08_cot_vs_answer_only"]
    assert len(own) == 10
    for row in own.itertuples():
        name = f"{row.condition}-{row.step}-{row.task}-{row.prompt_format}.jsonl"
        path = place / "runs" / "smoke" / row.run / name
        predictions = [json.loads(line) for line in path.read_text().splitlines()]
        assert len(predictions) == row.n
        assert sum(p["correct"] for p in predictions) == row.correct
