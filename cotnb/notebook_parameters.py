"""A notebook's parameters: the one cell tagged `parameters`, read, never executed."""

import ast
import difflib
import io
import json
import math
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cotnb.errors import UserError

Value = bool | int | float | str | None
NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


@dataclass(frozen=True)
class Parameter:
    """One assignment in the parameters cell."""

    name: str
    default: Value
    comment: str  # behind the value, or on the lines above it

    @property
    def type(self) -> type:
        return type(self.default)


def read_cells(notebook: Path) -> list[dict]:
    """The notebook's cells as JSON, each source one string; UserError if malformed."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        return [{**cell, "source": "".join(cell["source"])} for cell in cells]
    except OSError as error:
        raise UserError(f"{notebook}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{notebook}: not a notebook of nbformat 4") from None


def title(notebook: Path) -> str:
    """The first markdown heading; empty where there is none."""
    for cell in read_cells(notebook):
        for line in cell["source"].splitlines():
            if cell["cell_type"] == "markdown" and line.startswith("#"):
                return line.lstrip("#").strip()
    return ""


def read_parameters(notebook: Path) -> dict[str, Parameter]:
    """Name to parameter, in the cell's order.

    Raises UserError unless exactly one cell is tagged `parameters` and every statement
    in it gives a JSON scalar to a name.
    """
    tagged = [
        cell["source"]
        for cell in read_cells(notebook)
        if cell["cell_type"] == "code"
        and "parameters" in cell.get("metadata", {}).get("tags", [])
    ]
    if len(tagged) != 1:
        raise UserError(
            f"{notebook}: {len(tagged)} code cells are tagged 'parameters'; "
            "tag exactly one"
        )
    try:
        body = ast.parse(tagged[0]).body
    except SyntaxError as error:
        raise UserError(
            f"{notebook}: parameters cell, line {error.lineno}: {error.msg}"
        ) from None
    comments = _comments(tagged[0])
    return {
        name: Parameter(name, default, _comment(comments, line, last))
        for name, default, line, last in _assignments(notebook, body)
    }


def check(notebook: Path, given: Mapping[str, Value]) -> dict[str, Value]:
    """The given values, each in its parameter's type: a whole number becomes a float.

    Raises UserError, before anything runs, for a name that the notebook lacks, a value
    of another type and a value that is no JSON scalar.
    """
    parameters = read_parameters(notebook)
    return {
        name: _converted(notebook, _named(notebook, parameters, name), value)
        for name, value in given.items()
    }


def parse(notebook: Path, texts: Mapping[str, str]) -> dict[str, Value]:
    """Values typed on the command line, read as their parameters' types."""
    parameters = read_parameters(notebook)
    return {
        name: _parsed(notebook, _named(notebook, parameters, name), text)
        for name, text in texts.items()
    }


def _assignments(
    notebook: Path, body: list[ast.stmt]
) -> Iterator[tuple[str, Value, int, int]]:
    """Name, value, first and last line of each statement."""
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                raise UserError(
                    f"{notebook}: parameters cell, line {statement.lineno}: "
                    "expected name = value"
                )
        try:
            default = ast.literal_eval(value)
        except ValueError:
            default = ...
        if not _is_scalar(default):
            raise UserError(
                f"{notebook}: parameter {name}: {ast.unparse(value)} is no JSON scalar "
                "(true, a number, text or None)"
            )
        yield name, default, statement.lineno, statement.end_lineno


def _is_scalar(value) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)


def _comments(source: str) -> dict[int, tuple[str, bool]]:
    """Line to its comment, and whether the comment has the line for itself."""
    return {
        token.start[0]: (
            token.string.lstrip("# ").rstrip(),
            token.line.lstrip().startswith("#"),
        )
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }


def _comment(comments: dict[int, tuple[str, bool]], line: int, last: int) -> str:
    if last in comments:
        return comments[last][0]
    above = []
    while comments.get(line - 1, ("", False))[1]:
        line -= 1
        above.insert(0, comments[line][0])
    return " ".join(above)


def _named(notebook: Path, parameters: Mapping[str, Parameter], name: str) -> Parameter:
    if name in parameters:
        return parameters[name]
    close = difflib.get_close_matches(name, parameters, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    known = ", ".join(parameters) or "none"
    raise UserError(
        f"{notebook.stem} has no parameter {name!r}{hint} (its parameters: {known})"
    )


def _converted(notebook: Path, parameter: Parameter, value: Value) -> Value:
    where = f"{notebook.stem}: parameter {parameter.name}"
    if not _is_scalar(value):
        raise UserError(f"{where}: {value!r} is no JSON scalar")
    if parameter.default is None or type(value) is parameter.type:
        return value
    if parameter.type is float and type(value) is int:
        return float(value)
    raise UserError(
        f"{where}: expected {NAMES[parameter.type]}, as in its default "
        f"{json.dumps(parameter.default)}, and got {json.dumps(value)}"
    )


def _parsed(notebook: Path, parameter: Parameter, text: str) -> Value:
    if parameter.type is str:
        return text
    try:
        value = json.loads(text.lower() if text in ("True", "False", "None") else text)
    except ValueError:
        value = text
    if parameter.type is float and type(value) is str:
        value = _as_float(text)
    return _converted(notebook, parameter, value)


def _as_float(text: str) -> float | str:
    try:
        return float(text)  # ".5" and "1e-4" are Python's numbers, not all JSON's
    except ValueError:
        return text
