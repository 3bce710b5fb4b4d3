"""Where things lie: the project's folder and the cache."""

import os
from pathlib import Path


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


def cache_folder() -> Path:
    """Models, tuned students and predictions; COTNB_CACHE moves it."""
    folder = named_folder("COTNB_CACHE") or project_folder() / ".cache"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
