"""Files and folders put in place whole, locked, and what a disk refuses."""

import gzip
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from safetensors import SafetensorError

from cotnb.errors import UserError

NOT_WRITTEN = (OSError, SafetensorError, RuntimeError)  # see `_disk_refusal`
UNREADABLE = (OSError, EOFError, zlib.error)
TORCH_WRITER = ("inline_container.cc", "PytorchStreamWriter")


def write_whole(path: Path, content: str | bytes) -> Path:
    """Put a file in place whole, or leave what was there; text becomes UTF-8.

    Raises UserError in one line where the disk refuses.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            # what is no character, as a file's name may have it, becomes a "?"
            is_text = isinstance(content, str)
            file.write(content.encode(errors="replace") if is_text else content)
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


def read_packed(path: Path) -> list[bytes]:
    """A text file's lines, unpacked where gzip has packed it, without a mark of UTF-8.

    Raises one of UNREADABLE.
    """
    content = path.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    return content.removeprefix(b"\xef\xbb\xbf").splitlines()


@contextmanager
def locked_file(path: Path) -> Iterator[None]:
    """The lock beside a file or folder, whose own folder is made; a second one waits.

    Raises UserError where there can be none.
    """
    lock = FileLock(f"{path}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise UserError(
            f"{path.parent}: cannot be written to ({error.strerror}); choose another "
            "folder"
        ) from error
    try:
        yield
    finally:
        lock.release()


def made_once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """A folder that is made on first use: filled elsewhere, and put in place whole.

    fill: writes into the empty folder that it is given. Who asks meanwhile waits.
    Raises UserError where the disk refuses; nothing is left behind then.
    """
    with locked_file(folder):
        if folder.is_dir():
            return folder
        with (
            refusals_told(f"{folder}: not written", "make room there and run again"),
            tempfile.TemporaryDirectory(dir=folder.parent) as scratch,
        ):
            filled = Path(scratch) / "filled"  # open to others, as scratch is not
            filled.mkdir()
            fill(filled)
            os.replace(filled, folder)
    return folder


@contextmanager
def refusals_told(what: str, to_do: str) -> Iterator[None]:
    """Where the disk refuses what is written within: UserError "what (why); to_do"."""
    try:
        yield
    except NOT_WRITTEN as error:
        if (why := _disk_refusal(error)) is None:
            raise
        raise UserError(f"{what} ({why}); {to_do}") from error


def _disk_refusal(error: BaseException) -> str | None:
    """What the disk said, where an error of NOT_WRITTEN is of writing; else None.

    safetensors and torch.save have their own words for it.
    """
    if isinstance(error, OSError):
        return error.strerror or str(error)
    text = str(error)
    if isinstance(error, SafetensorError):
        return text.rpartition("I/O error: ")[2] if "I/O error" in text else None
    return "torch.save failed" if any(x in text for x in TORCH_WRITER) else None


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
