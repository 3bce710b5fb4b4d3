"""All benchmarks, one after the other: python -m benchmarks [section ...]

A section that was measured at this commit is not measured again. Ends by writing the
table of benchmarks/README.md.
"""

import json
import subprocess
import sys

from benchmarks.paired import RESULTS
from benchmarks.table import write_table
from cotnb.versions import current_commit

SECTIONS = {
    "tuning-smollm2-full": ("benchmarks.tuning", "smollm2", "full"),
    "tuning-smollm2-lora": ("benchmarks.tuning", "smollm2", "lora"),
    "tuning-t5-full": ("benchmarks.tuning", "t5", "full"),
    "tuning-t5-lora": ("benchmarks.tuning", "t5", "lora"),
    "evaluation": ("benchmarks.evaluation",),
    "agreement": ("benchmarks.agreement",),
    "grid": ("benchmarks.grid",),
    "alignment": ("benchmarks.alignment",),
    "gpu-smollm2": ("benchmarks.gpu", "smollm2"),
    "gpu-flan-t5-base": ("benchmarks.gpu", "flan-t5-base"),
}


def main(chosen: list[str]) -> int:
    """Measure what is asked for, each in a process of its own; 0 if all went well."""
    if unknown := set(chosen) - SECTIONS.keys():
        names = ", ".join(SECTIONS)
        print(f"no section {', '.join(sorted(unknown))}; there are {names}")
        return 2
    failed = []
    for name in chosen or SECTIONS:
        if not chosen and _measured(name):
            print(f"{name}: measured at this commit", flush=True)
            continue
        print(f"{name}", flush=True)
        command = [sys.executable, "-W", "ignore", "-m", *SECTIONS[name]]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    write_table()
    if failed:
        print(f"failed: {', '.join(failed)}; see above")
    return 1 if failed else 0


def _measured(name: str) -> bool:
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        return False
    commit = current_commit()
    if "+" in commit or commit == "unknown":  # which state that was, nobody knows
        return False
    return json.loads(path.read_text(encoding="utf-8"))["commit"] == commit


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
