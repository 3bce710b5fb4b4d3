"""A profile's grid as runs, each with a name, its parameters and where things go."""

import hashlib
import itertools
import json
from dataclasses import dataclass, replace
from pathlib import Path

from cotnb.errors import UserError
from cotnb.grid.profiles import Profile
from cotnb.notebook_parameters import RUN_PARAMETERS, check, read_parameters


@dataclass(frozen=True)
class Run:
    """One notebook to be run once.

    name: its notebook, seed and the hash of all other parameters, defaults too.
    parameters: all that it is given. folder: its executed notebook, log and
    predictions. record: the file that says that it is done.
    """

    name: str
    notebook: Path
    parameters: dict
    folder: Path
    record: Path

    @property
    def failure(self) -> Path:
        """Holds the reason while the last try is one that failed."""
        return self.folder / "failed.txt"

    @property
    def done(self) -> bool:
        """Whether its record is there and whole."""
        try:
            record = json.loads(self.record.read_bytes())
        except (OSError, ValueError):
            return False
        return isinstance(record, dict) and {"run", "finished"} <= record.keys()

    def moved(self, folder: Path) -> "Run":
        """The same run, with its notebook, its record and all it writes in `folder`."""
        output, record = folder / "run", folder / "records" / self.record.name
        return replace(
            self,
            notebook=folder / "notebooks" / self.notebook.name,
            parameters=self.parameters | {"record": str(record), "output": str(output)},
            folder=output,
            record=record,
        )


def expand(
    profile_name: str,
    profile: Profile,
    *,
    notebooks: Path,
    results: Path,
    runs: Path,
    only: tuple[str, ...] = (),
    seeds: tuple[int, ...] = (),
    overrides: dict | None = None,
) -> list[Run]:
    """Every run of a profile's grid, checked before anything starts.

    only: notebooks, by name or by its beginning. seeds: in place of the profile's.
    overrides: parameters of every notebook chosen, over the profile's.
    Raises UserError for a notebook, parameter or value that does not fit.
    """
    chosen = _choose(profile_name, profile, only)
    expanded = []
    for stem in chosen:
        path = notebooks / f"{stem}.ipynb"
        plan = profile.notebooks[stem]
        known = read_parameters(path)
        missing = set(RUN_PARAMETERS) - set(known)
        if missing:
            raise UserError(
                f"{path}: its parameters cell lacks {', '.join(sorted(missing))}"
            )
        for values in itertools.product(*plan.grid.values()):
            point = dict(zip(plan.grid, values, strict=True))
            given = {**plan.parameters, **point, **(overrides or {})}
            placed = set(RUN_PARAMETERS) & given.keys()
            if placed:
                raise UserError(f"{', '.join(placed)}: set by the runner, not by -p")
            defaults = {name: p.default for name, p in known.items()}
            given = defaults | check(path, given)
            for seed in seeds or profile.seeds:
                expanded.append(
                    _run(path, profile_name, int(seed), given, results, runs)
                )
    # a value given for a grid's parameter, or a seed given twice, makes twins
    return list({run.name: run for run in expanded}.values())


def _choose(profile_name: str, profile: Profile, only: tuple[str, ...]) -> list[str]:
    if not only:
        return list(profile.notebooks)
    chosen = []
    for name in only:
        fitting = [n for n in profile.notebooks if n.startswith(name)]
        if not fitting:
            raise UserError(
                f"profile {profile_name} has no notebook {name!r}; it has "
                f"{', '.join(profile.notebooks)}"
            )
        chosen += fitting
    return list(dict.fromkeys(chosen))


def _run(path, profile_name, seed, given, results, runs) -> Run:
    named = {name: given[name] for name in given if name not in RUN_PARAMETERS}
    named = json.dumps(named, sort_keys=True)
    digest = hashlib.sha256(named.encode()).hexdigest()[:8]
    name = f"{path.stem}-s{seed}-{digest}"
    folder = (runs / profile_name / name).resolve()
    record = (results / profile_name / "records" / f"{name}.json").resolve()
    placed = {
        "profile": profile_name,
        "seed": seed,
        "record": str(record),
        "output": str(folder),
    }
    return Run(name, path.resolve(), {**given, **placed}, folder, record)
