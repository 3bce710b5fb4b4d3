"""Memory: what a step frees is there for the next one."""

import resource

import pytest
import torch

from cotnb.memory import keep_freed_memory


def _page_faults(number_of_floats: int) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(number_of_floats)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_what_was_freed_is_not_asked_of_the_system_again():
    if not keep_freed_memory():
        pytest.skip("this C library has no mallopt")
    floats = 2**24  # 64 MB, 16,384 pages
    for _ in range(40):  # it settles within ten
        _page_faults(floats)
    assert sum(_page_faults(floats) for _ in range(8)) < 1000
