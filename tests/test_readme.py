"""README: its commands exist, its paths exist, its results table is current."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cotnb.cli import app
from cotnb.notebook_parameters import check, read_parameters
from cotnb.results.report import is_current

PROJECT = Path(__file__).resolve().parent.parent
README = (PROJECT / "README.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
LINES = [line for block in BLOCKS for line in block.splitlines() if line.strip()]
COMMANDS = [re.sub(r"^(\w+=\S+ )+", "", line) for line in LINES]


def test_there_are_commands():
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"(?<=`)make (\w+)(?=`)", README)))
)
def test_make_targets_exist(target):
    done = subprocess.run(
        ["make", "--dry-run", target], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if c.startswith("python -m cotnb")]
)
def test_command_lines_are_understood(command):
    words = shlex.split(command)[3:]
    result = CliRunner().invoke(app, [words[0], "--help"])
    assert result.exit_code == 0
    options = [word for word in words[1:] if word.startswith("-")]
    assert all(option in result.output for option in options)


@pytest.mark.parametrize(
    "command",
    [c[c.index("papermill") :].split(";")[0] for c in COMMANDS if "papermill" in c],
)
def test_papermill_commands_name_real_parameters(command):
    words = shlex.split(command)
    notebook = PROJECT / words[1]
    given = {words[i + 1]: words[i + 2] for i, w in enumerate(words) if w == "-p"}
    given = {name: value.replace("$seed", "1") for name, value in given.items()}
    assert given and set(check(notebook, given)) >= set(given)
    assert read_parameters(notebook)


def test_every_path_is_there():
    paths = re.findall(r"`((?:cotnb|notebooks|results|tests)/[\w./]*)`", README)
    paths += re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert paths
    missing = [path for path in paths if not (PROJECT / path).exists()]
    assert not missing


def test_every_environment_variable_is_one_that_is_read():
    source = "".join(path.read_text() for path in PROJECT.glob("cotnb/**/*.py"))
    assert not [x for x in re.findall(r"COTNB_\w+", README) if f'"{x}"' not in source]


def test_the_results_table_is_current():
    assert is_current(PROJECT / "README.md", PROJECT / "results")


def test_the_requirements_hold_what_the_package_imports():
    imported = set()
    for path in PROJECT.glob("cotnb/**/*.py"):
        found = re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.M)
        imported |= set(found)
    third_party = imported - set(sys.stdlib_module_names) - {"cotnb"}
    files = PROJECT.glob("requirements*.txt")
    required = "".join(p.read_text() for p in files).replace("-", "_").lower()
    names = {
        "ipykernel": "jupyterlab",
        "jupyter_core": "jupyterlab",
        "yaml": "pyyaml",
        "huggingface_hub": "transformers",
        "numpy": "pandas",
    }
    names |= {"dask": "distributed", "PIL": "matplotlib"}
    names |= {"tokenizers": "transformers", "safetensors": "transformers"}
    names |= {"jupyter_client": "papermill", "nbclient": "papermill"}
    names |= {"nbformat": "papermill", "zmq": "papermill", "traitlets": "papermill"}
    missing = [n for n in third_party if names.get(n, n) not in required]
    assert not missing


def test_the_benchmarks_table_is_current():
    from benchmarks.table import BEGIN, END, README, tables

    text = README.read_text()
    assert text.partition(BEGIN)[2].partition(END)[0].strip() == tables()
