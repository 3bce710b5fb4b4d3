"""A notebook's parameters cell: names, defaults, comments; and checks of values given.

The cell is tagged `parameters` and holds JSON scalars, one a line, each commented.
"""

import ast
import difflib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

from cotnb.errors import UserError

RUN_PARAMETERS = ("profile", "seed", "record", "output")
# what a notebook shows beside its run, or reckons of it: no score depends on these
NOT_SETTINGS = ("committed", "gpt3_solutions", "price_read", "price_written")
SCALARS = (bool, int, float, str)


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell; `default` is a JSON scalar."""

    name: str
    default: bool | int | float | str
    comment: str


def read_parameters(notebook: Path) -> dict[str, Parameter]:
    """A notebook's parameters by name, read without running it.

    Raises UserError where the file is not a notebook, has not exactly one cell tagged
    `parameters`, or that cell holds anything but `name = scalar`.
    """
    cells = [
        "".join(cell["source"])
        for cell in _cells(notebook)
        if "parameters" in cell.get("metadata", {}).get("tags", [])
    ]
    if len(cells) != 1:
        raise UserError(f"{notebook}: {len(cells)} cells tagged parameters, not one")
    return {p.name: p for p in _parse(notebook, cells[0])}


def _cells(notebook: Path) -> list[dict]:
    try:
        return json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{notebook}: not a notebook ({error})") from None


def _parse(notebook: Path, source: str) -> list[Parameter]:
    parameters = []
    lines = source.splitlines()
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise UserError(f"{notebook}: parameters cell: {error.msg}") from None
    for statement in statements:
        try:
            [target] = statement.targets
            value = ast.literal_eval(statement.value)
            name = target.id
        except (AttributeError, ValueError, TypeError):
            value = None
        if type(value) not in SCALARS:
            raise UserError(
                f"{notebook}: parameters cell, line {statement.lineno}: expected "
                "name = a number, a text, True or False"
            )
        comment = lines[statement.end_lineno - 1][statement.end_col_offset :]
        parameters.append(Parameter(name, value, comment.strip().lstrip("# ")))
    return parameters


def title(notebook: Path) -> str:
    """The notebook's first heading; empty where it has none."""
    for cell in _cells(notebook):
        for line in "".join(cell["source"]).splitlines():
            if cell["cell_type"] == "markdown" and line.startswith("#"):
                return line.lstrip("# ")
    return ""


def check(notebook: Path, given: dict) -> dict:
    """The given values, each in its parameter's own type.

    A text such as "3", as a command line gives it, is read as that type. Raises
    UserError naming the notebook's parameters for an unknown name, and the type that
    was expected for another.
    """
    known = read_parameters(notebook)
    checked = {}
    for name, value in given.items():
        if name not in known:
            raise UserError(_unknown(notebook, name, known))
        checked[name] = _convert(notebook, known[name], value)
    return checked


def _unknown(notebook: Path, name: str, known: dict) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return (
        f"{Path(notebook).stem} has no parameter {name!r}{hint}; "
        f"it has {', '.join(known)}"
    )


def _convert(notebook: Path, parameter: Parameter, value):
    kind = type(parameter.default)
    if isinstance(value, str) and kind is not str:
        value = _from_text(value, kind)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise UserError(
            f"{Path(notebook).stem}: {parameter.name} is {value!r}; expected "
            f"{kind.__name__}, such as {parameter.default!r}"
        )
    return value


def _from_text(text: str, kind: type):
    """A command line's text as a number or truth value; unread where it is neither."""
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind is int and re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    try:
        return float(text) if kind is float else text
    except ValueError:
        return text


def values(notebook: Path, names: dict) -> dict:
    """What a running notebook's parameters stand at, for its record.

    names: the notebook's globals(). Those that place the run (profile, seed, record,
    output) are left out: a record has them already, or must not hold a path.
    """
    known = read_parameters(notebook)
    return {name: names[name] for name in known if name not in RUN_PARAMETERS}
