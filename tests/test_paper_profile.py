"""The paper profile: its runs are listed offline, and all of BBH is asked."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cotnb.cli import app
from cotnb.grid.profiles import Profile
from cotnb.tasks import task_names

PROJECT = Path(__file__).resolve().parent.parent
BBH = {name for name in task_names() if name.startswith("bbh_")}


def asked(tasks: str) -> set[str]:
    names = {part.strip().removesuffix(":test") for part in tasks.split(",")}
    assert names <= set(task_names())
    return names


def test_its_runs_are_listed_offline():
    done = CliRunner().invoke(app, ["run", "--profile", "paper", "--dry-run"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert len(lines) == 3 * 2 * 3 + 3 * 3 + 3 == len(set(lines))


@pytest.mark.parametrize(
    ("file", "notebook", "parameter"),
    [
        ("cotnb/profiles/paper.yaml", "08_cot_vs_answer_only", "test_tasks"),
        ("cotnb/profiles/paper.yaml", "07_bbh_degradation", "general_tasks"),
    ],
)
def test_all_27_tasks_of_bbh_are_asked(file, notebook, parameter):
    plan = Profile.model_validate(yaml.safe_load((PROJECT / file).read_text()))
    tasks = asked(plan.notebooks[notebook].parameters[parameter])
    assert tasks - {"gsm8k"} == BBH and len(BBH) == 27
