"""Cores: those that a process may use, shared by the runs at once."""

import os

import pytest

from cotnb.cores import share_cores, threads_wanted, usable_cores
from cotnb.errors import UserError


def test_cores_that_a_process_may_not_use_are_not_counted(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 5}, raising=False)
    assert usable_cores() == 2


def test_without_affinity_all_cores_are_counted(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert usable_cores() == 6


def test_threads_are_those_asked_for_or_all_cores():
    assert threads_wanted({}) == threads_wanted({"OMP_NUM_THREADS": ""})
    assert threads_wanted({}) == usable_cores()
    assert threads_wanted({"OMP_NUM_THREADS": "3"}) == 3
    assert threads_wanted({"OMP_NUM_THREADS": "4,2"}) == 4  # of nested regions
    with pytest.raises(UserError, match="OMP_NUM_THREADS=many: expected a number"):
        threads_wanted({"OMP_NUM_THREADS": "many"})


def test_runs_at_once_share_the_cores(monkeypatch):
    monkeypatch.setattr(os, "environ", {})
    share_cores(cores=5, runs=2)
    assert os.environ == {"COTNB_BATCH": "1", "OMP_NUM_THREADS": "2"}
    share_cores(cores=8, runs=2)
    assert os.environ["OMP_NUM_THREADS"] == "2", "a setting that is there stays"
