"""What a result was made with: the repository's commit, the packages' versions."""

import platform
import subprocess
from importlib import metadata

import cotnb
from cotnb.paths import project_folder

PACKAGES = ("torch", "transformers", "datasets", "peft")


def package_versions() -> dict[str, str]:
    """Of Python, of this package and of those that results depend on."""
    versions = {"python": platform.python_version(), "cotnb": cotnb.__version__}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


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
