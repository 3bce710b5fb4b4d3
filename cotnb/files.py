"""Files put in place whole, and the commit that they come from."""

import os
import subprocess
import tempfile
from pathlib import Path

from cotnb.errors import UserError
from cotnb.paths import project_folder


def write_whole(path: Path, content: str | bytes) -> Path:
    """Put a file in place whole, or leave what was there; text becomes UTF-8.

    Raises UserError in one line where the disk refuses.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(
            f"{path}: not written ({error.strerror}); make room there or choose "
            "another folder, then run again"
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
    return path


def check_writable(folder: Path) -> None:
    """Make a folder and write to it, to say before hours of work that it can be done.

    Raises UserError in one line where it cannot.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written to ({error.strerror}); choose another folder"
        ) from error


def current_commit() -> str:
    """The repository's commit, "+changes" where code or notebooks differ from it.

    "unknown" outside a git repository.
    """
    try:
        commit = _git("rev-parse", "HEAD")
        changes = _git("status", "--porcelain", "--", "cotnb", "notebooks")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + ("+changes" if changes else "")


def short_commit(commit: str) -> str:
    """A commit's first seven digits, with what is added after them."""
    name, plus, changes = commit.partition("+")
    return name[:7] + plus + changes


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(project_folder()), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()
