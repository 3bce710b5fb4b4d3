"""Profiles: which notebooks a batch runs, at which settings; one YAML file each."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)

from cotnb.errors import UserError

FOLDER = Path(__file__).parent / "profiles"

Scalar = StrictBool | StrictInt | StrictFloat | StrictStr | None
Values = Annotated[list[Scalar], Field(min_length=1)]
Seed = Annotated[StrictInt, Field(ge=0)]


class NotebookSettings(BaseModel):
    """What a profile gives to one notebook."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grid: dict[str, Values] = {}  # every combination is a run
    parameters: dict[str, Scalar] = {}  # the same in every run

    @model_validator(mode="after")
    def _once(self):
        both = sorted(self.grid.keys() & self.parameters.keys())
        if both:
            raise ValueError(f"{both[0]} stands in grid and in parameters; keep one")
        return self


class Profile(BaseModel):
    """A profile file; its name is the file's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    description: str
    jobs: int = Field(1, ge=1)  # runs at the same time
    deadline_minutes: float | None = Field(None, gt=0)  # for one run
    seeds: list[Seed] = Field([0, 1, 2], min_length=1)
    notebooks: dict[str, NotebookSettings]  # by the notebook's file name, less .ipynb


def profile_names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_profile(name: str) -> Profile:
    """The profile of that name, or of that path if it ends in .yaml.

    Raises UserError for a name that is not there and for a malformed file.
    """
    path = Path(name) if name.endswith(".yaml") else FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise UserError(
            f"no profile {name!r}; choose one of {', '.join(profile_names())}, "
            "or give the path of a .yaml file"
        )
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(fields, dict):
        raise UserError(f"{path}: expected fields such as description and notebooks")
    try:
        return Profile.model_validate({"name": path.stem, **fields})
    except ValidationError as error:
        raise UserError(f"{path}: {_first_fault(error)}") from None


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    if fault["type"] == "extra_forbidden":
        *place, name = map(str, fault["loc"])
        model = NotebookSettings if place else Profile
        known = ", ".join(field for field in model.model_fields if field != "name")
        return f"unknown key {'.'.join([*place, name])}; the keys are {known}"
    place = ".".join(map(str, fault["loc"])) or "profile"
    return f"{place}: {' '.join(fault['msg'].split())}"
