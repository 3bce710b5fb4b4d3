"""How to tune, by size of data, of student, and by type of answer, each with a reason.

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
    """From how many on, and each setting with its value and why."""

    fewest: int
    size: str
    settings: dict[str, tuple]

    def reasons(self) -> dict[str, str]:
        return {n: f"{self.size}: {reason}" for n, (_, reason) in self.settings.items()}

    def values(self) -> dict:
        return {name: value for name, (value, _) in self.settings.items()}


BY_QUESTIONS = (
    Rule(
        0,
        "fewer than 300 questions",
        {
            "method": (
                "lora",
                "an adapter learns less and forgets less (Biderman et al. 2024)",
            ),
            "epochs": (12.0, "many passes make steps enough"),
            "batch_size": (8, "small batches make steps enough"),
        },
    ),
    Rule(
        300,
        "300 questions or more",
        {
            "method": ("full", "enough to tune all weights"),
            "epochs": (6.0, "fewer passes make steps enough"),
            "batch_size": (16, "larger batches make gradients less noisy"),
        },
    ),
    Rule(
        2000,
        "2,000 questions or more",
        {
            "method": ("full", "enough to tune all weights"),
            "epochs": (3.0, "three passes are usual"),
            "batch_size": (32, "larger batches make gradients less noisy"),
        },
    ),
    Rule(
        10_000,
        "10,000 questions or more",
        {
            "method": ("full", "enough to tune all weights"),
            "epochs": (1.0, "a new question teaches more than an old one again"),
            "batch_size": (64, "larger batches make gradients less noisy"),
        },
    ),
)
# by the student's weights
BY_WEIGHTS = (
    Rule(
        0,
        "fewer than 20 million weights",
        {
            "method": ("full", "an adapter would be half as large as the student"),
            "learning_rate": (1e-3, "small students bear high rates"),
        },
    ),
    Rule(
        20_000_000,
        "20 million weights or more",
        {"learning_rate": (1e-4, "the usual rate for all weights")},
    ),
)
LORA_RATE, HIGHEST_RATE = 10, 1e-3
LORA_REASON = (
    "an adapter takes ten times the rate of all weights (Schulman et al. 2025, LoRA "
    "without regret); 0.001 at most"
)

# a share of general data is the user's to choose, who knows what is to be kept
NOT_REPLAYED = (0.0, "none unless stated; what a tenth keeps is shown in notebook 07")


class Advice(NamedTuple):
    """How many rationales a question, for a type of answer, and why."""

    samples: int
    reason: str


_LABELS = Advice(
    2,
    "of few possible answers a wrong rationale often reaches the right one by luck; "
    "more samples bring more of those",
)
BY_ANSWER_TYPE = {
    "number": Advice(
        4, "a right number is seldom luck: several ways to it may teach a little more"
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

    teach: one of TEACHINGS. replayed: the share of general questions, answered
    directly, among what is tuned on, 0 to below 1. The other settings are `Recipe`'s.
    reasons: by setting.
    """

    teach: str
    method: str
    epochs: float
    batch_size: int
    learning_rate: float
    replayed: float
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


def advise(answer_type: str) -> Advice:
    """How many rationales a question, for a type of answer (one of `ANSWER_TYPES`)."""
    return BY_ANSWER_TYPE[answer_type]


def recommend(questions: int, solved: int, parameters: int, **stated) -> Plan:
    """A plan for so many questions, of them `solved` with a rationale.

    parameters: the student's weights. stated: settings of `Plan` that are taken as they
    are; None is not stated.
    Raises UserError for a `teach` that is none or that lacks rationales, and for a
    share that is none.
    """
    stated = {name: value for name, value in stated.items() if value is not None}
    settings, reasons = _teach(questions, solved, stated)
    tuned_on = solved if settings["teach"] == "cot" else questions
    for table, size in ((BY_QUESTIONS, tuned_on), (BY_WEIGHTS, parameters)):
        rule = [rule for rule in table if rule.fewest <= size][-1]
        settings |= rule.values()
        reasons |= rule.reasons()
    settings["replayed"], reasons["replayed"] = NOT_REPLAYED
    settings |= stated
    reasons |= dict.fromkeys(stated, "as stated")
    if settings["method"] == "lora" and "learning_rate" not in stated:
        settings["learning_rate"] = min(
            HIGHEST_RATE, LORA_RATE * settings["learning_rate"]
        )
        reasons["learning_rate"] = LORA_REASON
    if not 0 <= settings["replayed"] < 1:
        raise UserError(
            f"replayed {settings['replayed']}: expected a share from 0 to below 1"
        )
    return Plan(**settings, reasons=reasons)


def _teach(questions: int, solved: int, stated: dict) -> tuple[dict, dict]:
    """Whether rationales are taught or answers alone."""
    most = solved >= FEWEST_SOLVED and 2 * solved >= questions
    enough = most or solved >= MANY_SOLVED
    teach = stated.get("teach", "cot" if enough else "answer_only")
    if teach not in TEACHINGS:
        raise UserError(f"teach {teach!r}: expected one of {TEACHINGS}")
    if teach == "cot" and questions < FEWEST_SOLVED:
        raise UserError(
            f"teach 'cot': {questions} training questions are too few, {FEWEST_SOLVED} "
            "with a rationale are needed; write more, or teach answer_only"
        )
    if teach == "cot" and solved < FEWEST_SOLVED:
        raise UserError(
            f"teach 'cot': {solved} questions have a rationale, {FEWEST_SOLVED} are "
            "needed; name a teacher or a rationale file, or teach answer_only"
        )
    reason = f"{solved:,} of {questions:,} training questions have a rationale"
    if not enough:
        reason += f", neither {MANY_SOLVED} nor half of them"
    return {"teach": teach}, {"teach": reason}
