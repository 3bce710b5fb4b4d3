"""Where things lie: the project's folder and the cache."""

import os
from pathlib import Path

from cotnb.errors import UserError


def project_folder() -> Path:
    """The folder that holds `cotnb`, `notebooks` and `results`."""
    return Path(__file__).resolve().parent.parent


def named_folder(variable: str) -> Path | None:
    """The folder that an environment variable names; None where it is not set.

    A relative path is looked for where this process works, then in the project's
    folder: notebooks work in a folder of their own.
    """
    if not (value := os.environ.get(variable)):
        return None
    path = Path(value).expanduser()
    if path.is_absolute() or path.is_dir():
        return path.resolve()
    return project_folder() / path


def beside_mirror(name: str) -> Path | None:
    """The folder of this name beside the one of COTNB_MIRROR; None without a mirror."""
    mirror = named_folder("COTNB_MIRROR")
    return mirror and mirror.parent / name


def cache_folder() -> Path:
    """Models, tuned students and predictions; COTNB_CACHE moves it.

    Raises UserError where there can be no such folder.
    """
    folder = named_folder("COTNB_CACHE") or project_folder() / ".cache"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder}: no cache there ({error.strerror}); set COTNB_CACHE to a folder "
            "that can be written to"
        ) from error
    return folder
