"""The runner: what is done stays done, what fails is one line, nothing starts wrong."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_grid import (
    PARAMETERS,
    command,
    log_rows,
    records,
    started,
    wait_until,
    write_notebook,
)

from cotnb.errors import UserError
from cotnb.notebook_parameters import check, read_parameters, values

PROJECT = Path(__file__).resolve().parent.parent


def cotnb(place: Path, *words: str, **settings):
    only = [] if words[0] == "list" else ["--profile", "smoke", "--only", "00"]
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    return subprocess.run(
        command(place, words[0], *only, *words[1:]),
        capture_output=True,
        text=True,
        timeout=120,
        cwd=place,
        env=environment,
        **settings,
    )


def test_four_at_once_are_done_and_then_skipped(place):
    first = cotnb(place, "run", "--seeds", "0-3", "--jobs", "4")
    assert first.returncode == 0, first.stdout + first.stderr
    assert sorted(started(place)) == ["0", "1", "2", "3"]
    assert len(re.findall(r"^\[\d/4\] done 00_start_here-s\d", first.stdout, re.M)) == 4
    assert json.loads(records(place)[0].read_text())["threads"] == "1"
    again = cotnb(place, "run", "--seeds", "0-3", "--jobs", "4")
    assert again.returncode == 0 and "4 of 4 runs are done already" in again.stdout
    assert len(started(place)) == 4


def test_a_results_folder_that_cannot_be_is_refused_before_a_run(place):
    (place / "results").write_text("a file")
    refused = cotnb(place, "run")
    assert refused.returncode == 2 and started(place) == []
    assert "results/smoke/records: cannot be written to (Not a dir" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_kernels_are_forked_from_the_third_on(place):
    cotnb(place, "run", "--seeds", "0-3")
    runner, again, *servers = [parent for _, _, parent in log_rows(place)]
    assert runner == again
    assert len(servers) == 2 and len(set(servers)) == 1 and servers[0] != runner


def test_forked_kernels_end_with_a_killed_runner(place):
    words = ["--seeds", "0-3", "--jobs", "4", "-p", "wait=60.0"]
    words = command(place, "run", "--profile", "smoke", *words)
    runner = subprocess.Popen(words, cwd=place, stdout=subprocess.DEVNULL)
    wait_until(lambda: len(started(place)) == 4)
    runner.kill()
    runner.wait()
    kernels = [Path("/proc") / pid for _, pid, _ in log_rows(place)]
    wait_until(lambda: not any(kernel.exists() for kernel in kernels), seconds=10)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("raise", "cell 3: ValueError: no such luck"),
        ("die", "its kernel died in cell 3"),
        ("forget", "ended without its record"),
        ("full", "cell 4: OSError: [Errno 28] No space left on device"),
    ],
)
def test_a_failure_is_one_line_and_is_tried_again(place, name, reason):
    for _ in range(2):
        failed = cotnb(place, "run", "-p", f"name={name}")
        assert failed.returncode == 1
        [line] = [x for x in failed.stdout.splitlines() if x.startswith("[")]
        assert reason in line and "runs/smoke/00_start_here-s0-" in line
        assert "Traceback" not in failed.stderr and not records(place)
    assert len(started(place)) == 2
    assert " 1 " in cotnb(place, "status", "-p", f"name={name}").stdout


def test_others_go_on_after_a_failure(place):
    body = (place / "notebooks" / "00_start_here.ipynb").read_text()
    changed = body.replace('if name == \\"raise\\"', "if seed == 0")
    assert changed != body
    (place / "notebooks" / "00_start_here.ipynb").write_text(changed)
    ended = cotnb(place, "run", "--seeds", "0,1")
    assert ended.returncode == 1 and len(records(place)) == 1


def test_a_run_past_its_deadline_is_ended(place):
    profile = place / "profiles" / "smoke.yaml"
    profile.write_text(profile.read_text() + "deadline_minutes: 0.1\n")
    begun = time.monotonic()
    late = cotnb(place, "run", "-p", "wait=100")
    assert late.returncode == 1 and time.monotonic() - begun < 60
    assert "past its deadline of 0.1 min" in late.stdout


def test_a_killed_runner_loses_nothing_and_the_next_goes_on(place):
    words = command(
        place, "run", "--profile", "smoke", "--seeds", "0,1", "-p", "wait=2"
    )
    runner = subprocess.Popen(words, cwd=place, stdout=subprocess.DEVNULL)
    wait_until(lambda: records(place))
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    finished = {path: path.read_bytes() for path in records(place)}
    assert len(finished) == 1
    resumed = cotnb(place, "run", "--seeds", "0,1", "-p", "wait=2")
    assert resumed.returncode == 0 and len(records(place)) == 2
    assert all(path.read_bytes() == finished[path] for path in finished)
    assert started(place).count("0") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_runner_says_so_and_ends_its_kernels(place, number):
    words = command(place, "run", "--profile", "smoke", "-p", "wait=60")
    runner = subprocess.Popen(
        words, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: started(place))
    runner.send_signal(number)
    _, errors = runner.communicate(timeout=30)
    assert runner.returncode == 130
    assert errors.splitlines()[-1].startswith("cotnb: stopped")
    assert "Traceback" not in errors


def test_two_runners_run_each_run_once(place):
    words = command(
        place, "run", "--profile", "smoke", "--seeds", "0-3", "-p", "wait=1"
    )
    both = [
        subprocess.Popen(words, cwd=place, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [runner.communicate(timeout=90)[0] for runner in both]
    assert [runner.returncode for runner in both] == [0, 0], outputs
    assert sorted(started(place)) == ["0", "1", "2", "3"]
    # neither waits for the other while there is something to do
    assert all(re.search(r"^\[\d/4\] done ", output, re.M) for output in outputs)
    assert any("running elsewhere 00_start_here-s" in output for output in outputs)


def test_jobs_do_not_move_each_other_to_another_folder(place):
    (place / "notebooks" / "00_start_here.ipynb").write_text(
        (place / "notebooks" / "00_start_here.ipynb")
        .read_text()
        .replace("time.sleep(wait)", "print(os.getcwd())")
    )
    words = ["run", "--profile", "smoke", "--seeds", "0-3", "--jobs", "4"]
    relative = ["--notebooks", "notebooks", "--runs", "runs", "--results", "results"]
    ended = subprocess.run(
        [sys.executable, "-m", "cotnb", *words, *relative],
        cwd=place,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout
    logs = [path.read_text().strip() for path in place.glob("runs/smoke/*/run.log")]
    assert logs == [str(place / "notebooks")] * 4


def test_a_value_for_a_grid_parameter_replaces_its_grid(place):
    profile = place / "profiles" / "smoke.yaml"
    profile.write_text(profile.read_text().replace("{}", "{grid: {name: [a, b]}}"))
    assert len(cotnb(place, "run", "--dry-run").stdout.splitlines()) == 2
    one = cotnb(place, "run", "--dry-run", "-p", "name=c", "--seeds", "1,1")
    assert len(one.stdout.splitlines()) == 1


def test_sockets_fit_where_the_temporary_folder_is_deep(place, monkeypatch):
    deep = place / ("d" * 90)
    deep.mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    ended = cotnb(place, "run")
    assert ended.returncode == 0, ended.stdout


def render(place: Path, *words: str) -> list[str]:
    notebooks = ["--notebooks", str(place / "notebooks")]
    return [sys.executable, "-m", "cotnb", "render", *notebooks, *words]


def test_render_keeps_the_notebook_where_its_kernel_dies(place):
    path = place / "notebooks" / "00_start_here.ipynb"
    before = path.read_bytes()
    words = render(place, "--check", "-p", "name=die")
    failed = subprocess.run(words, capture_output=True, text=True)
    assert failed.returncode == 2 and "Traceback" not in failed.stderr
    assert failed.stderr.splitlines()[-1].startswith("cotnb: error: ")
    assert "00_start_here.ipynb: DeadKernelError" in failed.stderr
    assert path.read_bytes() == before


def test_render_refuses_a_notebook_that_is_not_there(place):
    words = render(place, "--only", "77")
    refused = subprocess.run(words, capture_output=True, text=True)
    assert refused.returncode == 2 and "no notebook '77'" in refused.stderr


def test_render_keeps_outputs_of_a_notebooks_own_parameters_alone(place):
    refused = subprocess.run(
        render(place, "-p", "wait=1"), capture_output=True, text=True
    )
    assert refused.returncode == 2 and "add --check" in refused.stderr
    assert not started(place)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_render_says_so(place, number):
    words = render(place, "--check", "-p", "wait=60")
    rendering = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: started(place))
    rendering.send_signal(number)
    _, errors = rendering.communicate(timeout=30)
    assert rendering.returncode == 130
    assert "cotnb: stopped" in errors and "Traceback" not in errors


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["-p", "nmae=x"],
            "has no parameter 'nmae' (did you mean name?); it has profile",
        ),
        (["-p", "wait=soon"], "wait is 'soon'; expected float"),
        (["-p", "wait=nan"], "wait is nan; expected float"),
        (["--jobs", "-1"], "--jobs"),
        (["--jobs", "2", "--scheduler", "tcp://a:1"], "--jobs: with --scheduler"),
        (["--resources", "GPU=1"], "--resources: for --scheduler"),
        (["--resources", "GPU", "--scheduler", "a"], "'GPU': expected name=number"),
        (["-p", "flag=1"], "flag is '1'; expected bool"),
        (["-p", "seed=3"], "seed: set by the runner"),
        (["-p", "name"], "expected name=value"),
        (["-p", "name=a", "-p", "name=b"], "-p name: given twice"),
        (["--only", "17"], "has no notebook '17'; it has 00_start_here"),
        (["--seeds", "a"], "--seeds 'a': expected such as"),
        (["--seeds", "0,4-2"], "--seeds '0,4-2': 4-2 ends before it begins"),
        (["--profile", "smok"], "no profile 'smok'"),
        (["--nonsense"], "No such option"),
    ],
)
def test_a_mistake_is_refused_before_anything_starts(place, words, message):
    refused = cotnb(place, "run", *words)
    assert refused.returncode == 2
    assert message in refused.stderr and refused.stderr.count("\n") == 1
    assert not started(place) and not (place / "runs").exists()


def test_a_dry_run_starts_nothing(place):
    shown = cotnb(place, "run", "--seeds", "0,2", "--dry-run")
    assert re.findall(r"^to do 00_start_here-s(\d)-\w{8}$", shown.stdout, re.M) == [
        "0",
        "2",
    ]
    assert not started(place)


@pytest.mark.alone
def test_a_finished_grid_of_500_is_answered_at_once(place):
    names = cotnb(place, "run", "--seeds", "0-499", "--dry-run").stdout.split()[2::3]
    folder = place / "results" / "smoke" / "records"
    folder.mkdir(parents=True)
    for name in names:
        (folder / f"{name}.json").write_text('{"run": "r", "finished": "now"}')
    begun = time.monotonic()
    ended = cotnb(place, "run", "--seeds", "0-499")
    assert "500 of 500 runs are done already" in ended.stdout
    assert time.monotonic() - begun < 5


def test_parameters_are_read_checked_and_noted(tmp_path):
    path = write_notebook(tmp_path / "n.ipynb", PARAMETERS)
    read = read_parameters(path)
    assert read["wait"].default == 0.0 and read["wait"].comment == "seconds"
    assert check(path, {"wait": "2", "flag": "true", "seed": 3}) == {
        "wait": 2.0,
        "flag": True,
        "seed": 3,
    }
    with pytest.raises(UserError, match="seed is True; expected int"):
        check(path, {"seed": True})
    here = {name: p.default for name, p in read.items()}
    assert values(path, here) == {"name": "plain", "wait": 0.0, "flag": False}


@pytest.mark.parametrize(
    "source", ["a = [1]", "a = b", "a, b = 1, 2", "print(1)", "a ="]
)
def test_a_cell_that_is_not_scalars_is_refused(tmp_path, source):
    path = write_notebook(tmp_path / "n.ipynb", source)
    with pytest.raises(UserError, match="parameters cell"):
        read_parameters(path)
