"""The cells of a notebook that show committed results, and what these cells need."""

import ast
import copy

from nbformat import NotebookNode

HEADING = "## The committed results"


def shows_results(notebook: NotebookNode) -> list[int]:
    """Numbers of the code cells below headings that begin with HEADING."""
    found, below = [], False
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            below = cell.source.startswith(HEADING)
        elif cell.cell_type == "code" and below:
            found.append(number)
    return found


def with_needed(notebook: NotebookNode, numbers: list[int]) -> NotebookNode:
    """The notebook with these code cells, and of those above what they need to run.

    That is the parameters, and the statements that bind a name which is read below:
    imports, functions, plans. Tuning and asking bind nothing that committed results
    are drawn with, and are left out. Cells keep their places, if empty.
    """
    reduced, wanted = copy.deepcopy(notebook), set()
    for number in range(len(reduced.cells) - 1, -1, -1):
        cell = reduced.cells[number]
        if cell.cell_type != "code":
            continue
        whole = number in numbers or "parameters" in cell.metadata.get("tags", [])
        kept: list[str] = []
        for statement in reversed(ast.parse(cell.source).body):
            bound, read = _names(statement)
            if whole or bound & wanted:
                kept.insert(0, ast.get_source_segment(cell.source, statement))
                wanted = (wanted - bound) | read
        cell.source = cell.source if whole else "\n".join(kept)
        cell.outputs = []
    return reduced


def _names(statement: ast.stmt) -> tuple[set[str], set[str]]:
    """Names that a statement binds, and those that it reads from others above."""
    if isinstance(statement, ast.Assign):  # x = f(x) reads the x above
        _, read = _names(ast.Expr(statement.value))
        bound, changed = _names(ast.Delete(statement.targets))
        return bound, read | changed
    bound, read, changed = set(), set(), set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.FunctionDef):
            bound.add(node.name)
        elif isinstance(node, ast.alias):
            bound.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.AugAssign | ast.Subscript):  # x += y, x[y] = z
            part = node.target if isinstance(node, ast.AugAssign) else node
            if not isinstance(part.ctx, ast.Load):
                while not isinstance(part, ast.Name):
                    part = part.value
                changed.add(part.id)
    return bound | changed, (read - bound) | changed
