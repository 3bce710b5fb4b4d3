"""A tuning on several devices of this machine, asked for by COTNB_PROCESSES.

A notebook's kernel is one process. It hands the pairs and the recipe over in a file,
`accelerate launch` starts processes that tune and fill the cache, and the kernel reads
the student there.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from cotnb.cores import threads_wanted
from cotnb.errors import UserError
from cotnb.files import write_whole
from cotnb.formats import Pair, TeacherToken
from cotnb.paths import project_folder
from cotnb.processes import process_count, state
from cotnb.recipes import Recipe
from cotnb.students import Student, load_student

SETTING = "COTNB_PROCESSES"
JOB, FAULT = "job.json", "fault.txt"  # in a folder that is there for one launch
ASKED_FOR = "asked-for.lock"  # there too, held while somebody waits for the student
LOOK_SECONDS = 1  # from one look at it to the next
SECONDS_TO_END = 10  # for launched processes that are told to


def processes_wanted() -> int:
    """How many processes `tune` is to start, or 1 for none.

    Raises UserError where COTNB_PROCESSES is not a number from 1, or above this
    machine's GPUs, if it has any.
    """
    asked = os.environ.get(SETTING, "").strip() or "1"
    if not asked.isdecimal() or int(asked) < 1:
        raise UserError(f"{SETTING}={asked}: expected a number of processes, 1 or more")
    if process_count() > 1:
        return 1  # they are there already
    gpus = torch.cuda.device_count()
    if int(asked) > max(gpus, 1) and gpus:
        raise UserError(
            f"{SETTING}={asked}: this machine has {gpus} GPU(s), one a process"
        )
    return int(asked)


def train_in_processes(
    count: int,
    folder: Path,
    student: str | Student,
    pairs: Sequence[Pair],
    recipe: Recipe,
    kept: int,
) -> None:
    """Have `count` processes tune a student and put it in a folder.

    student: a name, or one that was tuned before, which is handed over in files.
    folder, kept: as `tuning.train_on_pairs` takes them. Whatever ends this call ends
    the processes. Raises UserError, with the first fault's line, where they fail.
    """
    log = _log(folder)
    with tempfile.TemporaryDirectory(prefix="cotnb-") as scratch:
        place = Path(scratch)
        job = {
            "folder": str(folder),
            "student": _name(student, place),
            "pairs": [asdict(pair) for pair in pairs],
            "recipe": asdict(recipe),
            "kept": kept,
        }
        write_whole(place / JOB, json.dumps(job))
        with FileLock(place / ASKED_FOR), log.open("wb") as errors:
            ended = _run(count, place, errors)
        fault = place / FAULT
        reason = fault.read_text(encoding="utf-8") if fault.is_file() else ""
    if not folder.is_dir():
        reason = reason or f"killed, or ended with status {ended}; see {log}"
        raise UserError(f"tuning in {count} processes: {reason}")
    log.unlink()


def _name(student: str | Student, place: Path) -> str:
    """What `load_student` knows it by."""
    if isinstance(student, str):
        return student
    folder = place / "student"
    student.model.save_pretrained(folder)
    student.tokenizer.save_pretrained(folder)
    return str(folder)


def _run(count: int, place: Path, errors) -> int:
    """Launch, show what is printed as it comes, and leave nobody behind."""
    launched = subprocess.Popen(
        [*_command(count), str(place)],
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
    try:
        for line in launched.stdout:
            print(line, end="", flush=True)
        return launched.wait()
    finally:
        launched.terminate()
        try:
            launched.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            launched.kill()


def _command(count: int) -> list[str]:
    threads = threads_wanted(os.environ)
    options = {
        "num_processes": count,
        "num_machines": 1,
        "num_cpu_threads_per_process": max(1, threads // count),
        "main_process_port": 0,  # a free one
        # these are the recipe's to say, not accelerate's own configuration's
        "mixed_precision": "no",
        "dynamo_backend": "no",
    }
    words = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"]
    for name, value in options.items():
        words += [f"--{name}", str(value)]
    return [*words, "--module", "cotnb.launching"]


def _environment() -> dict[str, str]:
    """Ours, with this very package to be found."""
    paths = [str(project_folder()), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _log(folder: Path) -> Path:
    """What processes say that tune a student for this folder; kept where they fail."""
    return folder.with_name(f"{folder.name}.log")


def main(place: Path) -> None:
    """What each launched process does. place: the folder with the job."""
    threading.Thread(target=_end_with_asker, args=(place,), daemon=True).start()
    job = json.loads((place / JOB).read_text())
    try:
        _tune(job)
    except Exception as error:
        traceback.print_exc()
        # the first fault counts: other processes fail because of it
        with (
            suppress(FileExistsError),
            (place / FAULT).open("x", encoding="utf-8") as fault,
        ):
            fault.write(_line(error, _log(Path(job["folder"]))))
        sys.stderr.flush()
        os._exit(1)  # whatever the others are waiting for
    state().destroy_process_group()


def _line(error: Exception, log: Path) -> str:
    if isinstance(error, UserError):
        return str(error)
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}; see {log}"


def _tune(job: dict) -> None:
    from cotnb.training.tuning import train_on_pairs

    train_on_pairs(
        Path(job["folder"]),
        load_student(job["student"]),
        [_pair(**fields) for fields in job["pairs"]],
        Recipe(**job["recipe"]),
        job["kept"],
    )


def _pair(prompt: str, target: str, taught: list) -> Pair:
    tokens = [
        TeacherToken(text, tuple((said, value) for said, value in likeliest))
        for text, likeliest in taught
    ]
    return Pair(prompt, target, tuple(tokens))


def _end_with_asker(place: Path) -> None:
    """End this process once nobody waits for it: a killed kernel cannot tell us to."""
    lock = FileLock(place / ASKED_FOR)
    while True:
        time.sleep(LOOK_SECONDS)
        try:
            if place.is_dir():
                lock.acquire(timeout=0)
        except Timeout:
            continue
        os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
