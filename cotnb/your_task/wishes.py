"""What a user asks for, and the two steps that cost nothing: checking, splitting."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cotnb.errors import UserError
from cotnb.rationales.files import find_file
from cotnb.your_task.questions import Checked, check_enough, read_questions
from cotnb.your_task.recommending import Plan, recommend
from cotnb.your_task.splitting import Split, split_questions


@dataclass(frozen=True)
class Wishes:
    """What a user asks for; None and "" leave it to the rules.

    student: a name, a folder with a model, or a hub id. teacher, rationale_file: where
    rationales are from, besides the questions' file. answer_type: one of
    `ANSWER_TYPES`; empty: as most answers are. split: a way of `splitting.WAYS`.
    test_questions: at most. samples: rationales a question.
    most_asked: questions that the teacher is asked, at most. teacher_tokens: the
    longest text that it writes. prices: dollars per million tokens read and written.
    teach, method, epochs, batch_size, learning_rate, replayed: as `recommending.Plan`
    has them. replayed_task: whose training questions are replayed.
    demonstrations: in few-shot prompts, 0 for none. general: test sets of general
    ability as "task:split, …", with general_questions each; empty: none.
    """

    student: str
    teacher: str = ""
    rationale_file: str = ""
    answer_type: str = ""
    split: str = "template"
    test_questions: int = 200
    samples: int | None = None
    most_asked: int = 1000
    teacher_tokens: int = 256
    prices: tuple[float, float] | None = None
    teach: str | None = None
    method: str | None = None
    epochs: float | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    replayed: float | None = None
    replayed_task: str = "micro_bbh"
    precision: str = "bf16"
    demonstrations: int = 3
    general: str = "micro_bbh:test"
    general_questions: int = 150
    seed: int = 0

    def files(self, questions: Path) -> list[Path]:
        """What is read again later on, besides the cache: files, and a student's."""
        read = [questions]
        if self.rationale_file:
            read.append(find_file(self.rationale_file))
        places = (self.student, self.teacher.partition(":")[2])
        return read + [Path(name) for name in places if name and Path(name).is_dir()]

    def plan(self, train: int, solved: int, parameters: int) -> Plan:
        """How to tune, as `recommend` has it, with what was wished for in its place."""
        return recommend(
            train,
            solved,
            parameters,
            teach=self.teach,
            method=self.method,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            replayed=self.replayed,
        )


def check_and_split(
    path: str | Path, wishes: Wishes, say: Callable[[str], None] = print
) -> tuple[Checked, Split]:
    """The first two steps, which cost nothing.

    Raises UserError as `read_questions`, `check_enough` and `split_questions` do, once
    it has said what the file holds.
    """
    checked = read_questions(path, wishes.answer_type)
    tell(checked.remarks(), say)
    check_enough(checked)
    split = split_questions(
        checked.examples,
        most=wishes.test_questions,
        way=wishes.split,
        seed=wishes.seed,
    )
    tell(split.remarks(), say)
    return checked, split


def check_settings(wishes: Wishes, train: int) -> None:
    """Refuses what is stated wrongly before anything is paid or loaded.

    train: how many training questions there are. Raises UserError.
    """
    # as if all questions had a rationale, for a student of any size
    wishes.plan(train, train, 0).recipe(wishes.precision, wishes.seed)
    if wishes.demonstrations >= train:
        raise UserError(
            f"demonstrations {wishes.demonstrations}: there are {train} training "
            "questions to show, and one of them is asked"
        )
    if wishes.rationale_file:
        find_file(wishes.rationale_file)


def tell(lines: Iterable[str], say: Callable[[str], None]) -> None:
    """Says lines, one after the other."""
    for line in lines:
        say(line)
