"""The one record that every task is made of."""

from dataclasses import dataclass

ANSWER_TYPES = (
    "number",
    "choice",
    "yes_no",
    "true_false",
    "valid_invalid",
    "brackets",
    "text",
)


@dataclass(frozen=True)
class Example:
    """One question with its exact answer.

    task: the task's name, as `load_task` knows it.
    split: "train", "dev", "test" or a task's own further split.
    index: the position in that split, from 0; (task, split, index) names a question.
    question: the text that is asked.
    answer: the exact answer in its canonical form: a number without commas, a bare
        capital letter for a choice, "yes" or "no", ...
    answer_type: one of ANSWER_TYPES; decides how an answer is read from a text.
    steps: the exact solution, one sentence a step, where it is known.
    rationale: a solution in prose, where one comes with the data.
    template: the name of the surface template or problem family, where it is known.
    group: what its demonstrations must have in common with it, where that matters.
    """

    task: str
    split: str
    index: int
    question: str
    answer: str
    answer_type: str
    steps: tuple[str, ...] | None = None
    rationale: str | None = None
    template: str | None = None
    group: str | None = None

    def __post_init__(self):
        if self.answer_type not in ANSWER_TYPES:
            raise ValueError(
                f"answer_type {self.answer_type!r} is not one of {ANSWER_TYPES}"
            )

    @property
    def id(self) -> str:
        """The question's name, unique over all tasks and splits."""
        return f"{self.task}/{self.split}/{self.index}"
