"""How many cores there are to use, and how several runs share them."""

import os
from collections.abc import Mapping

from cotnb.errors import UserError


def usable_cores() -> int:
    """Cores that this process may run on, which `taskset` and clusters make fewer."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_wanted(environment: Mapping[str, str]) -> int:
    """OMP_NUM_THREADS where it says so, of "4,2" the outermost 4, else `usable_cores`.

    Raises UserError for one that is no number from 1.
    """
    told = environment.get("OMP_NUM_THREADS", "")
    first = told.partition(",")[0].strip()
    if not first:
        return usable_cores()
    if not first.isdecimal() or int(first) < 1:
        raise UserError(f"OMP_NUM_THREADS={told}: expected a number, 1 or more")
    return int(first)


def share_cores(cores: int, runs: int, overruled: Mapping[str, str] = {}) -> None:
    """What kernels inherit: plain progress lines, a share of the cores each.

    cores: shared by so many runs at once. overruled: settings that nobody chose; any
    other that is there already stays.
    """
    threads = str(max(1, cores // runs))
    os.environ["COTNB_BATCH"] = "1"
    for name in {"OMP_NUM_THREADS", *overruled}:
        if os.environ.get(name, overruled.get(name)) == overruled.get(name):
            os.environ[name] = threads
