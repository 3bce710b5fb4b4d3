"""Teaching notebooks: run in place, outputs kept, nothing of the machine in them."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from cotnb.committed_cells import shows_results, with_needed
from cotnb.errors import UserError
from cotnb.files import write_whole
from cotnb.paths import project_folder

SHOWN = "results_shown"  # metadata: `results_hash` of what the outputs are drawn from
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def render_notebook(path: Path, given: dict, keep: bool = True) -> None:
    """Run a notebook from the top and put it back with its outputs, normalised.

    given: parameters for this run; the parameters cell itself stays as it is.
    Raises UserError where a cell fails or an output names a folder of this machine.
    """
    _keep(path, _executed(path, path, given), keep)


def shows_committed(path: Path) -> bool:
    """Whether a notebook's outputs are made of what is in results/."""
    from cotnb.results.committed import SHOWS_ALL

    notebook = nbformat.read(path, as_version=4)
    return path.stem == SHOWS_ALL or bool(shows_results(notebook))


def draw_committed(path: Path, keep: bool = True) -> None:
    """Run the cells that show committed results, and what they need, and no others.

    Of the notebook that shows nothing else that is all. Raises UserError as
    `render_notebook` does.
    """
    notebook = nbformat.read(path, as_version=4)
    if not (numbers := shows_results(notebook)):
        return render_notebook(path, {}, keep)
    with tempfile.TemporaryDirectory() as scratch:
        part = Path(scratch) / path.name
        nbformat.write(with_needed(notebook, numbers), part)
        drawn = _executed(part, path, {})
    for number in numbers:
        notebook.cells[number].outputs = drawn.cells[number].outputs
    _keep(path, normalise(notebook), keep)


def _keep(path: Path, notebook: NotebookNode, keep: bool) -> None:
    from cotnb.results.committed import results_hash

    for number, cell in enumerate(notebook.cells, start=1):
        if place := machine_path(cell):
            raise UserError(f"{path}: cell {number}: its output names {place}")
    if keep:
        if shows_committed(path):
            notebook.metadata[SHOWN] = results_hash(path.stem)
        write_whole(path, nbformat.writes(notebook) + "\n")


def _executed(source: Path, path: Path, given: dict) -> NotebookNode:
    """What a notebook, or a part of one, is once it has run where `path` lies."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    from cotnb.kernels import ipc_kernels

    with tempfile.TemporaryDirectory() as scratch, ipc_kernels() as (manager, _):
        executed = Path(scratch) / path.name
        try:
            papermill.execute_notebook(
                source,
                executed,
                parameters=given,
                kernel_name="python3",
                language="python",
                kernel_manager_class=manager,
                progress_bar=False,
                cwd=str(path.parent),
            )
        except PapermillExecutionError as error:
            raise UserError(
                f"{path}: cell {error.exec_count}: {error.ename}: {error.evalue}"
            ) from None
        return normalise(nbformat.read(executed, as_version=4))


def normalise(notebook: NotebookNode) -> NotebookNode:
    """The same notebook without counts, times, injected cells and chatter.

    Cell ids follow the cells' order, so that rendering again changes outputs alone.
    """
    shown = {k: v for k, v in notebook.metadata.items() if k == SHOWN}
    notebook.metadata = NotebookNode(METADATA | shown)
    notebook.cells = [
        cell
        for cell in notebook.cells
        if "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    for number, cell in enumerate(notebook.cells):
        tags = cell.metadata.get("tags", [])
        cell.metadata = NotebookNode({"tags": tags} if tags else {})
        cell.id = f"cell-{number:02d}"
        if cell.cell_type == "code":
            cell.execution_count = None
            cell.outputs = _joined(filter(None, map(_clean, cell.outputs)))
    return notebook


def _joined(outputs: Iterable[NotebookNode]) -> list[NotebookNode]:
    """The same outputs, what was printed in pieces in one: pieces vary by run."""
    joined = []
    for output in outputs:
        last = joined[-1] if joined else output
        if last is not output and last.output_type == output.output_type == "stream":
            last.text += output.text
        else:
            joined.append(output)
    return joined


def _clean(output: NotebookNode) -> NotebookNode | None:
    """An output without its count; none for warnings and for bars that have ended."""
    if output.output_type == "stream" and output.name == "stderr":
        return None
    if "application/vnd.jupyter.widget-view+json" in output.get("data", {}):
        return None
    if "execution_count" in output:
        output.execution_count = None
    output.metadata = NotebookNode() if "metadata" in output else None
    if output.metadata is None:
        del output["metadata"]
    return output


def machine_path(cell: NotebookNode) -> str | None:
    """A folder of this machine that a cell's outputs name, if any."""
    places = {str(project_folder()), str(Path.home())} - {"/"}
    text = str(cell.get("outputs", ""))
    return next((place for place in places if place in text), None)
