"""A recipe names a tuned student: the same recipe is trained once, then read."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from cotnb.errors import UserError
from cotnb.formats import Pair

TRAINING_VERSION = 3  # raised when a change of code changes what a recipe trains to
CARRYING_VERSION = 2  # the same, of what is carried from a teacher to a student
METHODS = ("full", "lora")
PRECISIONS = ("fp32", "bf16")
MATCHINGS = ("sample", "distribution")
MISSING_MASSES = ("dropped", "renormalised", "spread")


@dataclass(frozen=True)
class Recipe:
    """How a student is tuned. Raises UserError for a value that cannot be.

    method: "full" for all weights, "lora" for adapters of rank lora_rank, whose alpha
    is twice that. epochs: passes over the pairs; a part of one is allowed. batch_size:
    pairs an optimiser step. learning_rate: the peak, after a linear warm-up over
    warmup_ratio of the steps, before a linear decay to zero. weight_decay: AdamW's.
    clip: the largest norm of a gradient. max_length: the most tokens of a prompt, and
    of a target with its end mark. seed: of the pairs' order and of adapters.
    precision: "bf16" is autocast over fp32 weights, and fp32 on a device that does not
    multiply in bf16 (`precision.computed_in`).

    matching: what is learnt of a teacher, "sample" for its text or "distribution" for
    its likeliest tokens' probabilities (Fu et al. 2023). With the latter,
    missing_mass: what becomes of the probability that they leave, "dropped" to leave
    it out (as Fu et al.), "renormalised" to share it among them, "spread" to share it
    evenly among all other tokens. temperature: of teacher and student (Hinton et al.
    2015), 1 to take probabilities as they are.
    """

    method: str = "full"
    epochs: float = 3
    batch_size: int = 16
    learning_rate: float = 1e-4
    warmup_ratio: float = 0.06
    weight_decay: float = 0.01
    clip: float = 1.0
    precision: str = "bf16"
    lora_rank: int = 16
    max_length: int = 1024
    seed: int = 0
    matching: str = "sample"
    missing_mass: str = "dropped"
    temperature: float = 1.0

    def __post_init__(self):
        # 3 and 3.0 epochs are one recipe
        object.__setattr__(self, "epochs", float(self.epochs))
        choices = {
            "method": METHODS,
            "precision": PRECISIONS,
            "matching": MATCHINGS,
            "missing_mass": MISSING_MASSES,
        }
        for field, allowed in choices.items():
            if (value := getattr(self, field)) not in allowed:
                raise UserError(f"{field}={value!r}: expected one of {allowed}")
        whole = ("batch_size", "lora_rank", "max_length")
        for field in (*whole, "epochs", "learning_rate", "clip", "temperature"):
            if not 0 < (value := getattr(self, field)) < math.inf:
                raise UserError(f"{field}={value}: expected above 0")
            if field in whole and not isinstance(value, int):
                raise UserError(f"{field}={value}: expected a whole number")
        if not 0 <= self.weight_decay < math.inf:
            raise UserError(f"weight_decay={self.weight_decay}: expected 0 or above")
        if not (isinstance(self.seed, int) and 0 <= self.seed < 2**32):
            raise UserError(f"seed={self.seed}: expected 0 up to {2**32 - 1}")
        if not 0 <= self.warmup_ratio < 1:
            raise UserError(f"warmup_ratio={self.warmup_ratio}: expected 0 up to 1")

    def settings(self) -> dict:
        """Its fields; those of distribution matching where that is what it does."""
        own = asdict(self)
        if self.matching == "sample":
            for field in ("matching", "missing_mass", "temperature"):
                del own[field]
        return own


def recipe_hash(fingerprint: str, pairs: Sequence[Pair], recipe: Recipe) -> str:
    """16 hex digits that name (student, data, format, method, steps, seed, code).

    fingerprint: of the student before this tuning; after a first stage it is the name
    that this gave to that stage. The pairs hold the format and the data.
    """
    settings = recipe.settings()
    if recipe.method != "lora":
        del settings["lora_rank"]
    whole = recipe.matching == "distribution"
    if whole:
        settings["carrying"] = CARRYING_VERSION
    named = {
        "version": TRAINING_VERSION,
        "student": fingerprint,
        "pairs": [
            [pair.prompt, pair.target, *([pair.taught] if whole else [])]
            for pair in pairs
        ],
        "recipe": settings,
    }
    text = json.dumps(named, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
