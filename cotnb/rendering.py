"""Teaching notebooks: run in place, outputs kept, nothing of the machine in them."""

from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from cotnb.errors import UserError
from cotnb.paths import project_folder

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def render_notebook(path: Path, given: dict, keep: bool = True) -> None:
    """Run a notebook from the top and put it back with its outputs, normalised.

    given: parameters for this run; the parameters cell itself stays as it is.
    Raises UserError where a cell fails or an output names a folder of this machine.
    """
    import tempfile

    import papermill
    from papermill.exceptions import PapermillExecutionError

    from cotnb.files import write_whole
    from cotnb.kernels import ipc_kernels

    with tempfile.TemporaryDirectory() as scratch, ipc_kernels() as (manager, _):
        executed = Path(scratch) / path.name
        try:
            papermill.execute_notebook(
                path,
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
        notebook = normalise(nbformat.read(executed, as_version=4))
    for number, cell in enumerate(notebook.cells, start=1):
        if place := machine_path(cell):
            raise UserError(f"{path}: cell {number}: its output names {place}")
    if keep:
        write_whole(path, nbformat.writes(notebook) + "\n")


def normalise(notebook: NotebookNode) -> NotebookNode:
    """The same notebook without counts, times, injected cells and chatter.

    Cell ids follow the cells' order, so that rendering again changes outputs alone.
    """
    notebook.metadata = NotebookNode(METADATA)
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
