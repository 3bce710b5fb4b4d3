"""How to tune, by size of data, of student, and by kind of answer, each with a reason.

The rules are tables, read from the top: of each, the last row that fits is taken.
They are rules of thumb. What a user states is taken instead.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from cotnb.errors import UserError
from cotnb.recipes import Recipe

TEACHINGS = ("cot", "answer_only")
FEWEST_SOLVED = 20  # questions with a rationale, for rationales to be taught at all
MANY_SOLVED = 200  # so many are worth it, however many questions have none


class Rule(NamedTuple):
    """From how many on, what is recommended, and why."""

    fewest: int
    settings: dict
    reason: str


BY_QUESTIONS = (
    Rule(
        0,
        {"method": "lora", "epochs": 12.0, "batch_size": 8},
        "fewer than 300 questions: an adapter changes few weights and so forgets "
        "little; small batches and many passes make steps enough",
    ),
    Rule(
        300,
        {"method": "full", "epochs": 6.0, "batch_size": 16},
        "300 questions or more: enough to tune all weights",
    ),
    Rule(
        2000,
        {"method": "full", "epochs": 3.0, "batch_size": 32},
        "2,000 questions or more: three passes, as is usual",
    ),
    Rule(
        10_000,
        {"method": "full", "epochs": 1.0, "batch_size": 64},
        "10,000 questions or more: another new question teaches more than an old one "
        "again",
    ),
)
# by the student's weights
BY_WEIGHTS = (
    Rule(
        0,
        {"method": "full", "learning_rate": 1e-3},
        "fewer than 20 million weights: an adapter would be half as large as the "
        "student, and high rates do it no harm",
    ),
    Rule(20_000_000, {"learning_rate": 1e-4}, "the usual rate for all weights"),
)
LORA_RATE, HIGHEST_RATE = 10, 1e-3
LORA_REASON = (
    "an adapter takes ten times the rate of all weights (Schulman et al. 2025, LoRA "
    "without regret); 0.001 at most"
)


class Advice(NamedTuple):
    """How many rationales a question, for a kind of answer, and why."""

    samples: int
    reason: str


_LABELS = Advice(
    2,
    "of few possible answers a wrong rationale often reaches the right one by luck; "
    "more samples bring more of those",
)
BY_KIND = {
    "number": Advice(
        4, "a right number is seldom luck: several ways to it teach more than one"
    ),
    "choice": _LABELS,
    "yes_no": _LABELS,
    "true_false": _LABELS,
    "valid_invalid": _LABELS,
    "brackets": Advice(4, "a right sequence is never luck"),
    "text": Advice(
        8,
        "a text counts when it is equal word by word: many samples come to the answer "
        "in other words and are lost",
    ),
}


@dataclass(frozen=True)
class Plan:
    """A recipe with a reason for every setting.

    teach: one of TEACHINGS. The other settings are `Recipe`'s. reasons: by setting.
    """

    teach: str
    method: str
    epochs: float
    batch_size: int
    learning_rate: float
    reasons: dict[str, str] = field(default_factory=dict)

    def recipe(self, precision: str, seed: int) -> Recipe:
        """What `tune` takes; UserError for a value that cannot be."""
        return Recipe(
            method=self.method,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            precision=precision,
            seed=seed,
        )

    def table(self) -> list[dict]:
        """A row a setting: its name, its value, and the reason."""
        return [
            {"setting": name, "value": getattr(self, name), "reason": reason}
            for name, reason in self.reasons.items()
        ]


def advise(kind: str) -> Advice:
    """How many rationales a question, for a kind of answer (one of `ANSWER_TYPES`)."""
    return BY_KIND[kind]


def recommend(questions: int, solved: int, parameters: int, **stated) -> Plan:
    """A plan for so many questions, of them `solved` with a rationale.

    parameters: the student's weights. stated: settings of `Plan` that are taken as they
    are; None is not stated.
    Raises UserError for a `teach` that is none or that lacks rationales.
    """
    stated = {name: value for name, value in stated.items() if value is not None}
    settings, reasons = _teach(questions, solved, stated)
    tuned_on = solved if settings["teach"] == "cot" else questions
    for table, size in ((BY_QUESTIONS, tuned_on), (BY_WEIGHTS, parameters)):
        rule = [rule for rule in table if rule.fewest <= size][-1]
        settings |= rule.settings
        reasons |= dict.fromkeys(rule.settings, rule.reason)
    settings |= stated
    reasons |= dict.fromkeys(stated, "as stated")
    if settings["method"] == "lora" and "learning_rate" not in stated:
        settings["learning_rate"] = min(
            HIGHEST_RATE, LORA_RATE * settings["learning_rate"]
        )
        reasons["learning_rate"] = LORA_REASON
    return Plan(**settings, reasons=reasons)


def _teach(questions: int, solved: int, stated: dict) -> tuple[dict, dict]:
    """Whether rationales are taught or answers alone."""
    most = solved >= FEWEST_SOLVED and 2 * solved >= questions
    enough = most or solved >= MANY_SOLVED
    teach = stated.get("teach", "cot" if enough else "answer_only")
    if teach not in TEACHINGS:
        raise UserError(f"teach {teach!r}: expected one of {TEACHINGS}")
    if teach == "cot" and solved < FEWEST_SOLVED:
        raise UserError(
            f"teach 'cot': {solved} questions have a rationale, {FEWEST_SOLVED} are "
            "needed; name a teacher or a rationale file, or teach answer_only"
        )
    reason = f"{solved:,} of {questions:,} training questions have a rationale"
    if not enough:
        reason += f", neither {MANY_SOLVED} nor half of them"
    return {"teach": teach}, {"teach": reason}
