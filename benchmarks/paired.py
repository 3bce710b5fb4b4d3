"""Side by side: contestants take turns, and each pair of turns gives one ratio."""

import json
import platform
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from cotnb.files import write_whole
from cotnb.versions import current_commit

PAIRS = 5
RESULTS = Path(__file__).with_name("results")
Turn = Callable[[int], dict]
PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "trl",
    "lm_eval",
    "papermill",
    "distributed",
)


def in_own_process(turn: Turn) -> Turn:
    """The same turn, in a process that begins and ends with it.

    What a contestant does to its process (its allocator, its threads, its peak memory)
    is then its own. The turn must be picklable.
    """

    def apart(number: int) -> dict:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(turn, number).result()

    return apart


def peak_gib() -> float:
    """The most memory that this process has held so far, in GiB; nan but on Linux.

    Not `getrusage`, which also counts what the process held that started this one.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    kib = [int(x.split()[1]) for x in lines if x.startswith("VmHWM")]
    return round(kib[0] / 2**20, 2) if kib else float("nan")


def take_turns(
    contestants: dict[str, Turn], pairs: int = PAIRS
) -> dict[str, list[dict]]:
    """What every contestant measured, in the order A B C A B C ...

    contestants: name -> turn; a turn is told its number and returns numbers. Turns of
    number 0 do not count: whoever comes first finds a machine that is cold.
    """
    turns: dict[str, list[dict]] = {name: [] for name in contestants}
    for number in range(pairs + 1):
        for name, turn in contestants.items():
            measured = turn(number)
            print(f"turn {number}/{pairs} {name}: {measured}", flush=True)
            if number > 0:
                turns[name].append(measured)
    return turns


def ratios(turns: dict[str, list[dict]], ours: str, other: str, what: str) -> dict:
    """Ours over the other's in each pair: median, least and most."""
    pairs = zip(turns[ours], turns[other], strict=True)
    found = [a[what] / b[what] for a, b in pairs]
    return {
        "median": round(float(np.median(found)), 3),
        "least": round(min(found), 3),
        "most": round(max(found), 3),
        "pairs": len(found),
    }


def median(turns: list[dict], what: str) -> float:
    """The median of one measured number over a contestant's turns."""
    return float(np.median([turn[what] for turn in turns]))


def save(section: str, measured: dict) -> None:
    """Keep a section's numbers with the machine, the versions and the day."""
    about = {
        "machine": describe_machine(),
        "versions": {name: _version(name) for name in PACKAGES},
        "commit": current_commit(),
        "date": date.today().isoformat(),
    }
    path = RESULTS / f"{section}.json"
    write_whole(path, json.dumps({**about, **measured}, indent=1) + "\n")
    print(f"{path} written", flush=True)


def describe_machine() -> str:
    """Processor, cores, memory, accelerator."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text().splitlines()
        names = [x.split(":")[1].strip() for x in lines if x.startswith("model name")]
        flags = next((x for x in lines if x.startswith("flags")), "")
        known = [
            f for f in ("avx512f", "avx512_bf16", "amx_bf16") if f in flags.split()
        ]
        model = f"{len(names)} cores of {names[0]} ({', '.join(known) or 'no AVX-512'})"
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{model}, {_memory_gib():.0f} GiB, {gpu}"


def _memory_gib() -> float:
    import psutil

    return psutil.virtual_memory().total / 2**30


def _version(package: str) -> str:
    try:
        return version(package)
    except ImportError:
        return "not installed"
