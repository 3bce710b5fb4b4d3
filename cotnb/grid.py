"""A profile's grid as runs: their names, parameters and places."""

import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cotnb.errors import UserError
from cotnb.notebook_parameters import Value, check, parse, read_parameters
from cotnb.profiles import NotebookSettings, Profile

SET_BY_RUNNER = ("profile", "seed", "output", "record")
PLACES = ("output", "record")  # where a run writes, not what it is


@dataclass(frozen=True)
class Folders:
    """Where notebooks lie, and where runs write."""

    notebooks: Path = Path("notebooks")
    results: Path = Path("results")  # records, committed
    runs: Path = Path("runs")  # executed notebooks, predictions and logs, ignored


@dataclass(frozen=True)
class Run:
    """One execution of one notebook."""

    name: str
    notebook: Path
    parameters: dict[str, Value]  # what the notebook is given
    folder: Path  # executed notebook, predictions, log
    record: Path  # written last, by the notebook

    @property
    def executed(self) -> Path:
        return self.folder / "notebook.ipynb"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    @property
    def failure(self) -> Path:
        """Holds the line of the last try, if that failed."""
        return self.folder / "failure.txt"

    def is_done(self) -> bool:
        """Whether its record is there, whole: the only thing that counts."""
        try:
            record = json.loads(self.record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(record, dict) and {"run", "finished"} <= record.keys()

    def has_failed(self) -> bool:
        return not self.is_done() and self.failure.exists()


def find_notebooks(folder: Path) -> dict[str, Path]:
    """The numbered notebooks of a folder by name; UserError where there is none."""
    found = {path.stem: path for path in sorted(folder.glob("[0-9]*.ipynb"))}
    if not found:
        raise UserError(f"{folder}: no numbered notebooks; give --notebooks DIR")
    return found


def select(names: Sequence[str], only: Sequence[str]) -> list[str]:
    """The names that `only` asks for, in their order; all where it asks for none.

    only: names or beginnings of names, such as "08". UserError where one fits none.
    """
    for wanted in only:
        if not any(name.startswith(wanted) for name in names):
            raise UserError(
                f"--only {wanted}: no such notebook here; there are {', '.join(names)}"
            )
    return [name for name in names if not only or name.startswith(tuple(only))]


def parse_seeds(text: str) -> list[int]:
    """Seeds of "0,1,2", "0-4" or both joined by commas, each once."""
    seeds: dict[int, None] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        first, last = (int(n or match[1]) for n in match.groups()) if match else (1, 0)
        if first > last:
            raise UserError(f"--seeds {text}: expected seeds such as 0,1,2 or 0-4")
        seeds.update(dict.fromkeys(range(first, last + 1)))
    return list(seeds)


def parse_assignments(pairs: Sequence[str]) -> dict[str, str]:
    """Name to text of "name=value" pairs; UserError for another form."""
    texts = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.strip().isidentifier():
            raise UserError(f"-p {pair}: expected name=value")
        texts[name.strip()] = text
    return texts


def expand(
    profile: Profile,
    folders: Folders,
    *,
    only: Sequence[str] = (),
    seeds: Sequence[int] | None = None,
    given: Mapping[str, str] | None = None,
) -> list[Run]:
    """Every run of the profile's grid, a notebook's seeds one after the other.

    only: as `select` takes it. seeds: instead of the profile's. given: texts of the
    command line; they replace the profile's values for the same parameter.
    Raises UserError for anything that a notebook would not take, before any run starts.
    """
    runs = {}
    for stem in select(list(profile.notebooks), only):
        notebook = folders.notebooks / f"{stem}.ipynb"
        settings = profile.notebooks[stem]
        defaults = _defaults(notebook)
        for name in (*settings.grid, *settings.parameters, *(given or {})):
            if name in SET_BY_RUNNER:
                remedy = "use --seeds" if name == "seed" else "leave it out"
                raise UserError(f"{stem}: the runner itself sets {name}; {remedy}")
        typed = parse(notebook, given or {})
        for values in _points(notebook, settings, typed):
            for seed in profile.seeds if seeds is None else seeds:
                chosen = defaults | values | {"profile": profile.name, "seed": seed}
                run = _run(profile, folders, notebook, chosen)
                runs[run.name] = run
    return sorted(runs.values(), key=_by_notebook_and_seed)


def _defaults(notebook: Path) -> dict[str, Value]:
    parameters = read_parameters(notebook)
    lacking = [name for name in SET_BY_RUNNER if name not in parameters]
    if lacking:
        raise UserError(
            f"{notebook}: the parameters cell lacks {', '.join(lacking)}; "
            "a batch run needs profile, seed, output and record"
        )
    kept = {n: p.default for n, p in parameters.items() if n not in PLACES}
    check(notebook, {"profile": "", "seed": 0, "output": "", "record": ""})
    return kept


def _points(
    notebook: Path, settings: NotebookSettings, typed: dict[str, Value]
) -> Iterator[dict[str, Value]]:
    """The settings of each point of the grid, checked against the notebook."""
    fixed = check(notebook, settings.parameters) | typed
    grid = {
        name: [check(notebook, {name: value})[name] for value in values]
        for name, values in settings.grid.items()
        if name not in typed
    }
    for point in itertools.product(*grid.values()):
        yield fixed | dict(zip(grid, point, strict=True))


def _run(
    profile: Profile, folders: Folders, notebook: Path, chosen: dict[str, Value]
) -> Run:
    """chosen: every parameter of the notebook, its defaults too, but the places."""
    canonical = json.dumps(chosen, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:8]
    name = f"{notebook.stem}-s{chosen['seed']}-{digest}"
    folder = (folders.runs / profile.name / name).absolute()
    records = (folders.results / profile.name / "records").absolute()
    record = records / f"{name}.json"
    places = {"output": str(folder), "record": str(record)}
    return Run(name, notebook.absolute(), chosen | places, folder, record)


def _by_notebook_and_seed(run: Run) -> tuple[str, int]:
    return run.notebook.stem, run.parameters["seed"]
