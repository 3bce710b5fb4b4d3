"""The benchmarks: what is measured again when they are asked for again."""

import json

import pytest

from benchmarks import __main__ as benchmarks


@pytest.mark.parametrize(
    ("measured", "now", "again"),
    [
        ("a1", "a1", False),
        ("a1", "b2", True),
        ("a1+changes", "a1+changes", True),
        ("unknown", "unknown", True),
    ],
)
def test_a_section_is_measured_again_unless_the_same_commit_was(
    tmp_path, monkeypatch, measured, now, again
):
    (tmp_path / "grid.json").write_text(json.dumps({"commit": measured}))
    monkeypatch.setattr(benchmarks, "RESULTS", tmp_path)
    monkeypatch.setattr(benchmarks, "current_commit", lambda: now)
    assert benchmarks._measured("grid") is not again
    assert not benchmarks._measured("memory")
