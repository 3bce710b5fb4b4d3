"""Profiles: which notebooks run with which parameters and seeds; one YAML file each."""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cotnb.errors import UserError
from cotnb.paths import named_folder

LADDER = "tiny"  # the profile whose students are pretrained here
DRAFTS = "drafts"  # in the notebooks' folder: what is not run yet
Scalar = bool | int | float | str


class Plan(BaseModel):
    """One notebook's part: fixed parameters, and a grid whose product is run."""

    model_config = ConfigDict(extra="forbid")

    parameters: dict[str, Scalar] = {}
    grid: dict[str, list[Scalar]] = {}


class Profile(BaseModel):
    """A profile file. deadline_minutes: the longest that one run may take.

    published: whether its results are committed and stand in the README.
    """

    model_config = ConfigDict(extra="forbid")

    description: str
    published: bool = False
    seeds: list[int] = Field(min_length=1)
    jobs: int = Field(default=1, ge=1)
    deadline_minutes: float = Field(default=120, gt=0)
    notebooks: dict[str, Plan]


def profiles_folder() -> Path:
    """Where profiles are: the package's own folder, or what COTNB_PROFILES names."""
    return named_folder("COTNB_PROFILES") or Path(__file__).with_name("profiles")


def profile_names(folder: Path | None = None) -> list[str]:
    """The profiles that there are, in `profiles_folder` or another."""
    return sorted(path.stem for path in (folder or profiles_folder()).glob("*.yaml"))


def published_profiles(notebooks: Path) -> dict[str, Profile]:
    """The published profiles by name, the ladder's first, and drafts' among them."""
    found = {}
    for folder in (profiles_folder(), Path(notebooks) / DRAFTS):
        for name in profile_names(folder):
            found.setdefault(name, load_profile(name, folder))
    names = sorted(found, key=lambda name: (name != LADDER, name))
    return {name: found[name] for name in names if found[name].published}


def load_profile(name: str, folder: Path | None = None) -> Profile:
    """A profile by name. Raises UserError for an unknown one or a malformed file."""
    path = (folder or profiles_folder()) / f"{name}.yaml"
    if not path.is_file():
        raise UserError(f"no profile {name!r}; there are {', '.join(profile_names())}")
    try:
        return Profile.model_validate(yaml.safe_load(path.read_text()))
    except yaml.YAMLError as error:
        reason = str(error).replace("\n", " ")
        raise UserError(f"{path}: not YAML: {reason}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"{path}: {where}: {first['msg']}") from None
