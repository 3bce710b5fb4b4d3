"""Profiles: which notebooks run with which parameters and seeds; one YAML file each."""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cotnb.errors import UserError
from cotnb.paths import named_folder

LADDER = "tiny"  # the profile whose students are pretrained here
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
    return named_folder("COTNB_PROFILES") or Path(__file__).parents[1] / "profiles"


def profile_names() -> list[str]:
    """The profiles that there are."""
    return sorted(path.stem for path in profiles_folder().glob("*.yaml"))


def published_profiles() -> dict[str, Profile]:
    """The published profiles by name, the ladder's first."""
    names = sorted(profile_names(), key=lambda name: (name != LADDER, name))
    found = {name: load_profile(name) for name in names}
    return {name: profile for name, profile in found.items() if profile.published}


def load_profile(name: str) -> Profile:
    """A profile by name. Raises UserError for an unknown one or a malformed file."""
    path = profiles_folder() / f"{name}.yaml"
    if not path.is_file():
        raise UserError(f"no profile {name!r}; there are {', '.join(profile_names())}")
    try:
        return Profile.model_validate(yaml.safe_load(path.read_bytes()))
    except yaml.YAMLError as error:
        reason = str(error).replace("\n", " ")
        raise UserError(f"{path}: not YAML: {reason}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"{path}: {where}: {first['msg']}") from None


def family_of(profile: str) -> str:
    """The "smol" of "smol_dates": profiles of one student, or of one ladder."""
    return profile.partition("_")[0]


def setting_of(profile: str) -> str:
    """What "smol_dates" says beyond "smol"; empty for "smol" itself."""
    return profile.partition("_")[2]
