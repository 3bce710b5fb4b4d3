"""Where things lie: the project's folder and the cache."""

import os
from pathlib import Path


def project_folder() -> Path:
    """The folder that holds `cotnb`, `notebooks` and `results`."""
    return Path(__file__).resolve().parent.parent


def cache_folder() -> Path:
    """Models, tuned students and predictions; COTNB_CACHE moves it."""
    folder = Path(os.environ.get("COTNB_CACHE", project_folder() / ".cache"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
