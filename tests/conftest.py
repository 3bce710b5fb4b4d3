"""Every test has a cache of its own, and no data or model of the machine's."""

import os
import signal

import pytest
from tiny_grid import BODY, PARAMETERS, PROFILE, RECORD, write_notebook

from cotnb.cores import share_cores, usable_cores

MOST = 8  # workers side by side: what each of them makes in its cache is made once more
os.environ["COTNB_BATCH"] = "1"  # no progress bars
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    share_cores(usable_cores(), int(workers))
os.environ["HF_HUB_OFFLINE"] = "1"  # a test never waits for the hub
# a shell's background jobs ignore Ctrl-C, and so would all that tests start from one
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)  # there may be no xdist
def pytest_xdist_auto_num_workers() -> int:
    chosen = os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS")
    return int(chosen) if chosen else min(usable_cores(), MOST)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """One cache for the session: a toy student is made once."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("COTNB_CACHE")
    os.environ["COTNB_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["COTNB_CACHE"]
    else:
        os.environ["COTNB_CACHE"] = before


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with one tiny notebook, and a profile smoke that gives it nothing."""
    for name in ("notebooks", "profiles"):
        (tmp_path / name).mkdir()
    body = BODY.format(log=str(tmp_path / "log"))
    path = tmp_path / "notebooks" / "00_start_here.ipynb"
    write_notebook(path, PARAMETERS, body, RECORD)
    (tmp_path / "profiles" / "smoke.yaml").write_text(PROFILE)
    monkeypatch.setenv("COTNB_PROFILES", str(tmp_path / "profiles"))
    return tmp_path
