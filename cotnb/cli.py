"""The command line: python -m cotnb list | run | status | tune | ..."""

import math
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from cotnb.errors import UserError
from cotnb.paths import project_folder
from cotnb.your_task.command import tune

app = typer.Typer(help=__doc__, add_completion=False, rich_markup_mode=None)
HOME = project_folder()
app.command()(tune)
STOPPED = 130  # what typer makes of Ctrl-C
ProfileName = Annotated[str, typer.Option("--profile", help="a file of cotnb/profiles")]
Only = Annotated[
    list[str] | None,
    typer.Option(help="a notebook, or how its name begins; repeatable"),
]
Given = Annotated[
    list[str] | None, typer.Option("-p", help="name=value, of a notebook's parameter")
]
Results = Annotated[Path, typer.Option(help="where records and tables are")]
Runs = Annotated[Path, typer.Option(help="where executed notebooks and logs go")]
Notebooks = Annotated[Path, typer.Option(help="where the notebooks are")]


def main() -> None:
    """Run the command line; a user's mistake is one line and exit status 2."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False) or 0
    except UserError as error:
        code = _refuse(str(error))
    except TyperException as error:
        code = _refuse(error.format_message())
    except OSError as error:  # a file in place of a folder, for one
        code = _refuse(f"{error.filename or 'the disk'}: {error.strerror or error}")
    if code == STOPPED:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
        print("cotnb: stopped; the same command goes on from here", file=sys.stderr)
    sys.exit(code)


def _refuse(reason: str) -> int:
    print(f"cotnb: error: {' '.join(reason.split())}", file=sys.stderr)
    return 2


def _interrupt(*_) -> None:
    raise KeyboardInterrupt


@app.command("list")
def list_(notebooks: Notebooks = HOME / "notebooks") -> None:
    """Profiles, and notebooks with their parameters."""
    from cotnb.grid.profiles import load_profile, profile_names
    from cotnb.notebook_parameters import read_parameters, title

    names = profile_names()
    width = max(map(len, names), default=0)
    for name in names:
        print(f"{name:{width}} {load_profile(name).description}")
    for path in _numbered(notebooks):
        print(f"\n{path.stem}: {title(path)}")
        for p in read_parameters(path).values():
            print(f"  {p.name} = {p.default!r}  {p.comment}")


@app.command()
def run(
    profile: ProfileName = "quick",
    only: Only = None,
    seeds: Annotated[str, typer.Option(help="such as 0,1,2 or 0-4")] = "",
    jobs: Annotated[
        int, typer.Option(min=0, help="runs at once; 0: the profile's")
    ] = 0,
    scheduler: Annotated[
        str, typer.Option(help="run on a Dask cluster's workers: tcp://host:8786")
    ] = "",
    resources: Annotated[
        list[str] | None,
        typer.Option(help="what a run takes of a worker: GPU=1; repeatable"),
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="say what would run")] = False,
    p: Given = None,
    results: Results = HOME / "results",
    runs: Runs = HOME / "runs",
    notebooks: Notebooks = HOME / "notebooks",
) -> None:
    """Run a profile's grid, here or on a cluster; what is done is skipped."""
    from cotnb.grid.batch import FAILED, run_all
    from cotnb.grid.executors import DaskCluster, ThisMachine

    if jobs and scheduler:
        raise UserError("--jobs: with --scheduler, workers' threads say how many")
    if resources and not scheduler:
        raise UserError("--resources: for --scheduler; workers declare theirs")
    taken = _resources(resources)
    settings, grid = _grid(profile, only, seeds, p, results, runs, notebooks)
    if dry_run:
        for one in grid:
            print(f"{'done ' if one.done else 'to do'} {one.name}")
        return
    deadline = settings.deadline_minutes
    outcomes = run_all(
        grid,
        DaskCluster(scheduler, deadline, taken, say=_say)
        if scheduler
        else ThisMachine(jobs or settings.jobs, deadline),
        say=_say,
    )
    failed = sum(outcome.state == FAILED for outcome in outcomes)
    print(f"{len(grid) - failed} of {len(grid)} runs are done")
    if failed:
        raise typer.Exit(1)


@app.command()
def status(
    profile: ProfileName = "quick",
    only: Only = None,
    seeds: Annotated[str, typer.Option(help="such as 0,1,2 or 0-4")] = "",
    p: Given = None,
    results: Results = HOME / "results",
    runs: Runs = HOME / "runs",
    notebooks: Notebooks = HOME / "notebooks",
) -> None:
    """How many runs of a profile's grid are done, tried without success, to do."""
    _, grid = _grid(profile, only, seeds, p, results, runs, notebooks)
    print(f"{'notebook':32} {'done':>6} {'failed':>6} {'to do':>6}")
    for stem in dict.fromkeys(one.notebook.stem for one in grid):
        own = [one for one in grid if one.notebook.stem == stem]
        left = [one for one in own if not one.done]
        failed = sum(one.failure.exists() for one in left)
        print(f"{stem:32} {len(own) - len(left):6} {failed:6} {len(left) - failed:6}")


@app.command()
def aggregate(
    profile: ProfileName = "quick",
    results: Results = HOME / "results",
    notebooks: Notebooks = HOME / "notebooks",
    readme: Annotated[
        Path | None, typer.Option(help="also write its results, and their figures")
    ] = None,
) -> None:
    """Make scores.csv and claims.csv of a profile's records."""
    from cotnb.grid.profiles import load_profile
    from cotnb.results.completeness import strangers
    from cotnb.results.costs import tuning_costs
    from cotnb.results.records import read_records
    from cotnb.results.report import check_readme, save_published_figures, update_readme
    from cotnb.results.tables import aggregate as make_tables

    if readme:
        check_readme(readme)
    if not (results / profile).is_dir():
        load_profile(profile)  # one's own runs may be of none; it says which there are
    left_out = strangers(results, profile, notebooks)
    for run in left_out:
        print(f"left out: {run}.json, whose settings are not the grid's")
    tables = make_tables(results, profile, notebooks / "claims.yaml", left_out)
    for path in tables.values():
        print(path)
    costs = tuning_costs(read_records(results / profile, left_out))
    if costs.asked:
        print(costs.line())
    if readme:
        for path in [*save_published_figures(results), update_readme(readme, results)]:
            print(path)


@app.command()
def verdicts(
    profile: ProfileName = "quick", results: Results = HOME / "results"
) -> None:
    """Print a profile's verdicts and draw its figures."""
    from cotnb.results.report import save_figures, verdict_lines

    for line in verdict_lines(results, profile):
        print(line)
    for path in save_figures(results, [profile], results / profile / "figures"):
        print(path)


@app.command()
def figures(results: Results = HOME / "results") -> None:
    """Draw the published profiles' figures side by side, to results/figures."""
    from cotnb.results.report import profiles_with_results, save_published_figures

    if not profiles_with_results(results):
        raise UserError(f"{results}: no tables yet; make them with run and aggregate")
    for path in save_published_figures(results):
        print(path)


@app.command()
def render(
    only: Only = None,
    p: Given = None,
    check: Annotated[bool, typer.Option(help="run, and keep nothing")] = False,
    committed: Annotated[
        bool, typer.Option(help="draw committed results alone, and run nothing else")
    ] = False,
    notebooks: Notebooks = HOME / "notebooks",
) -> None:
    """Run the teaching notebooks, and their solutions, and keep the clean outputs.

    Outputs are kept of a notebook's own parameters alone: -p goes with --check.
    --committed is for chapters whose committed runs have changed since.
    """
    if p and (committed or not check):
        raise UserError("-p: outputs are kept of a notebook's defaults; add --check")
    from cotnb.notebook_parameters import check as check_parameters
    from cotnb.rendering import draw_committed, render_notebook, shows_committed

    home = notebooks.resolve()
    _numbered(home)
    paths = [*sorted(home.glob("*.ipynb")), *sorted(home.glob("solutions/*.ipynb"))]
    for name in only or ():
        if not any(path.stem.startswith(name) for path in paths):
            there = ", ".join(path.stem for path in paths if path.parent == home)
            raise UserError(f"{notebooks}: no notebook {name!r}; it has {there}")
    chosen = [x for x in paths if not only or x.stem.startswith(tuple(only))]
    given = {path: check_parameters(path, _given(p)) for path in chosen}
    if committed:
        chosen = [path for path in chosen if shows_committed(path)]
    for path in chosen:
        if committed:
            work = partial(draw_committed, path, not check)
        else:
            work = partial(render_notebook, path, given[path], not check)
        _apart(path, work)
        name = path.relative_to(home)
        print(f"{name} {'checked' if check else 'rendered'}", flush=True)


def _numbered(notebooks: Path) -> list[Path]:
    """A folder's numbered notebooks; UserError where there are none."""
    paths = sorted(notebooks.glob("[0-9]*.ipynb"))
    if not paths:
        raise UserError(f"{notebooks}: no notebook such as 00_start_here.ipynb in it")
    return paths


def _apart(path: Path, work: Callable[[], None]) -> None:
    """Work in a thread that ends with us, as nbclient keeps Ctrl-C to itself.

    Its kernel sees that its parent is gone and ends too. Raises UserError for whatever
    stops the notebook, such as a killed kernel.
    """
    faults: list[Exception] = []

    def noted() -> None:
        try:
            work()
        except Exception as error:
            faults.append(error)

    thread = threading.Thread(target=noted, daemon=True)
    thread.start()
    thread.join()
    for fault in faults:
        if isinstance(fault, UserError):
            raise fault
        raise UserError(f"{path}: {type(fault).__name__}: {fault}") from None


def _say(line: str) -> None:
    print(line, flush=True)


def _grid(profile, only, seeds, p, results, runs, notebooks):
    from cotnb.grid.profiles import load_profile
    from cotnb.grid.runs import expand

    settings = load_profile(profile)
    grid = expand(
        profile,
        settings,
        notebooks=notebooks,
        results=results,
        runs=runs,
        only=tuple(only or ()),
        seeds=_seeds(seeds),
        overrides=_given(p),
    )
    return settings, grid


def _seeds(text: str) -> tuple[int, ...]:
    seeds: list[int] = []
    try:
        for part in filter(None, text.split(",")):
            first, dash, last = part.partition("-")
            some = range(int(first), int(last if dash else first) + 1)
            if not some:
                raise UserError(f"--seeds {text!r}: {part} ends before it begins")
            seeds += some
    except ValueError:
        raise UserError(f"--seeds {text!r}: expected such as 0,1,2 or 0-4") from None
    if text and not seeds:
        raise UserError(f"--seeds {text!r}: names no seed")
    return tuple(seeds)


def _given(pairs: list[str] | None) -> dict[str, str]:
    given = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise UserError(f"-p {pair!r}: expected name=value")
        if name in given:
            raise UserError(f"-p {name}: given twice; one value is run at a time")
        given[name] = value
    return given


def _resources(pairs: list[str] | None) -> dict[str, float]:
    taken = {}
    for pair in pairs or ():
        name, _, number = pair.partition("=")
        try:
            taken[name] = float(number)
        except ValueError:
            taken[name] = math.nan
        if not name or not 0 < taken[name] < math.inf:
            raise UserError(f"--resources {pair!r}: expected name=number, as GPU=1")
    return taken
