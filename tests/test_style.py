"""Style: ruff is clean, files are short, no module is a second home."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("words", [["format", "--check"], ["check"]])
def test_ruff_is_clean(words):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *words, "."],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize(
    "path", sorted(PROJECT.glob("cotnb/**/*.py")), ids=lambda p: p.stem
)
def test_a_module_is_short_and_says_what_it_is(path):
    source = path.read_text()
    assert source.startswith('"""')
    assert len(source.splitlines()) <= 400


def test_remote_code_stays_off_and_profiles_are_data():
    sources = {p: p.read_text() for p in PROJECT.glob("cotnb/**/*.py")}
    assert not [p for p, s in sources.items() if "trust_remote_code" in s]
    branch = re.compile(r"if .*profile\w* (==|in) ")
    assert not [p for p, s in sources.items() if branch.search(s)]
