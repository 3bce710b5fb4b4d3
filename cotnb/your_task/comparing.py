"""Students asked before tuning and after it, and what differs."""

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import binomtest

from cotnb.answers import canonical
from cotnb.errors import UserError
from cotnb.evaluation import Asking, Prediction, ask, generate, prompts_for, score
from cotnb.experiment import measure
from cotnb.formats import is_cot, is_few_shot
from cotnb.results.records import Score
from cotnb.statistics import hierarchical_bootstrap
from cotnb.students import Student
from cotnb.tasks.example import Example
from cotnb.your_task.fitting import DIRECT
from cotnb.your_task.questions import TASK
from cotnb.your_task.room import prompts_that_fit
from cotnb.your_task.splitting import Split

BEFORE = "before_tuning"
GENERAL = "general ability"  # what contrasts of it begin with
# how each student is asked; the untuned one in every way, as any may suit it best
ASKED = {
    BEFORE: (DIRECT, "few_shot_answer_only", "zero_shot_cot", "few_shot_cot"),
    "answer_only": (DIRECT, "few_shot_answer_only"),
    "cot": ("zero_shot_cot", "few_shot_cot", DIRECT),
}
POOL = 1000  # solved questions that demonstrations are drawn from, at most
TIMED = 8  # questions that are asked one at a time, to tell seconds
SURE = 0.05  # of McNemar's exact test
ROOM = 1.25  # how much longer than the longest target a text may become
ROUNDED_TO = 16  # tokens
TOO_LONG = "every test question is too long for {name}: shorten them"
UNTAUGHT_ROOM = Asking(DIRECT).max_new_tokens  # for steps, where none were taught


@dataclass(frozen=True)
class Exam:
    """What students are asked.

    test: the task's questions. general: test sets of general ability by label, asked
    directly. pool: (training example, rationale) pairs for demonstrations. asking: how,
    its format aside. seed: of the run. teach: "cot" or "answer_only".
    """

    test: list[Example]
    general: dict[str, list[Example]]
    pool: list[tuple[Example, str]]
    asking: Asking
    seed: int
    teach: str

    def ways(self, condition: str) -> list[str]:
        """The prompt formats that a student is asked in."""
        shown, ways = self.asking.demonstrations, ASKED[condition]
        rationales = any(rationale for _, rationale in self.pool)
        return [
            way
            for way in ways
            if not is_few_shot(way)
            or (0 < shown < len(self.pool) and (rationales or way != "few_shot_cot"))
        ]

    def asked(self, way: str) -> Asking:
        """How the task is asked in a format; steps have room where none were taught."""
        asking = replace(self.asking, prompt_format=way)
        if not is_cot(way) or self.teach == "cot":
            return asking
        room = max(asking.max_new_tokens, UNTAUGHT_ROOM)
        return replace(asking, max_new_tokens=room)

    def asked_in_general(self) -> Asking:
        """How general test sets are asked; a token holds one letter or more."""
        longest = max(len(e.answer) for own in self.general.values() for e in own)
        room = max(self.asking.max_new_tokens, rounded_up(longest))
        return replace(self.asking, prompt_format=DIRECT, max_new_tokens=room)


@dataclass(frozen=True)
class Examined:
    """What a student answered.

    condition: how it was tuned. predictions: on the task, by prompt format. scores: of
    these, then of general ability. tokens: written for a question, by prompt format.
    seconds: for a question of `TIMED`, one at a time, by zero-shot prompt format.
    room: the most tokens that a text could have. too_long: questions, of the task and
    general ones, that were not asked, as the student has no room for them.
    without_room: prompt formats that were not, as it has none for demonstrations.
    """

    condition: str
    predictions: dict[str, list[Prediction]]
    scores: list[Score]
    tokens: dict[str, float]
    seconds: dict[str, float]
    room: int
    too_long: int = 0
    without_room: tuple[str, ...] = ()

    def score(self, prompt_format: str, task: str = TASK) -> Score:
        """The score of one way of asking; KeyError where it was not asked."""
        for one in self.scores:
            if (one.task, one.prompt_format) == (task, prompt_format):
                return one
        raise KeyError((task, prompt_format))


@dataclass(frozen=True)
class Contrast:
    """A paired difference of two scores, in percentage points, with a 95% interval.

    gained, lost: of n questions, those that only the first or only the second has
    right. Where there are none, the interval is what n questions may hide: 3 / n either
    side, and where all are such, 3 / n on the inner one (Hanley and Lippman-Hand 1983,
    "If nothing goes wrong, is everything all right?"). clear: whether the interval
    leaves out 0 and McNemar's exact test agrees, which a resampled interval of few
    changed questions does not (Fagerland, Lydersen and Laake 2013, "The McNemar test
    for binary matched-pairs data").
    """

    name: str
    points: float
    low: float
    high: float
    gained: int
    lost: int
    n: int

    @property
    def clear(self) -> bool:
        changed = self.gained + self.lost
        if not changed or self.low <= 0 <= self.high:
            return False
        return binomtest(self.gained, changed).pvalue < SURE


def build_exam(
    split: Split,
    solved: Sequence[tuple[Example, str]],
    longest: int,
    general: dict[str, list[Example]],
    demonstrations: int,
    seed: int,
    teach: str,
) -> Exam:
    """What all students are asked; answers may be `ROOM` times the longest target.

    longest: in tokens, of what is taught. teach: as `recommending.Plan` has it.
    """
    return Exam(
        test=split.test,
        general=general,
        pool=_pool(split.train, solved, demonstrations, seed),
        asking=Asking(
            "zero_shot_cot",
            demonstrations=demonstrations,
            max_new_tokens=rounded_up(round(ROOM * longest)),
            seed=seed,
        ),
        seed=seed,
        teach=teach,
    )


def examine(student: Student, condition: str, exam: Exam, step: int = 0) -> Examined:
    """Asks a student everything that its condition is asked.

    condition: a key of ASKED. step: optimiser steps that it was tuned for. Answers are
    read from the cache where the same was asked before; seconds are always measured.
    What a student has no room for is left out, and of students tuned from one it is the
    same. Raises UserError where no question of the task is left.
    """
    exam, count = _with_room(student, exam)
    predictions, scores, seconds, without_room = {}, [], {}, []
    for way in exam.ways(condition):
        asking = exam.asked(way)
        prompts = prompts_for(exam.test, asking, exam.pool)
        if not all(prompts_that_fit(student, prompts, asking.max_new_tokens)):
            without_room.append(way)
            continue
        predictions[way] = ask(student, exam.test, asking, exam.pool)
        scores.append(
            score(
                student,
                predictions[way],
                task=TASK,
                condition=condition,
                seed=exam.seed,
                prompt_format=way,
                step=step,
            )
        )
        if not is_few_shot(way):
            seconds[way] = _seconds(student, exam, asking)
    told = {"condition": condition, "step": step, "seed": exam.seed}
    if exam.general:
        asking = exam.asked_in_general()
        scores += measure(student, exam.general, [DIRECT], asking, **told)
    tokens = {
        way: sum(p.new_tokens for p in own) / len(own)
        for way, own in predictions.items()
    }
    return Examined(
        condition,
        predictions,
        scores,
        tokens,
        seconds,
        room=exam.asking.max_new_tokens,
        too_long=count,
        without_room=tuple(without_room),
    )


def _with_room(student: Student, exam: Exam) -> tuple[Exam, int]:
    """An exam of what a student has room for, asked as tuned students are mainly,

    and how many questions were left out.
    """
    tuned = dict.fromkeys((ASKED[exam.teach][0], DIRECT))
    test = _that_fit(student, exam.test, *map(exam.asked, tuned))
    general = {
        label: fit
        for label, own in exam.general.items()
        if (fit := _that_fit(student, own, exam.asked_in_general()))
    }
    if not test:
        raise UserError(TOO_LONG.format(name=student.name))
    asked = len(exam.test) + sum(map(len, exam.general.values()))
    left = len(test) + sum(map(len, general.values()))
    return replace(exam, test=test, general=general), asked - left


def _that_fit(
    student: Student, examples: Sequence[Example], *ways: Asking
) -> list[Example]:
    """Those that there is room for in each of these ways of asking."""
    fit = [
        prompts_that_fit(student, prompts_for(examples, way), way.max_new_tokens)
        for way in ways
    ]
    by_example = zip(examples, zip(*fit, strict=True), strict=True)
    return [example for example, in_all in by_example if all(in_all)]


def check_questions(student: Student, split: Split) -> None:
    """Raises UserError where a student has no room for a single test question."""
    if not _that_fit(student, split.test, Asking(DIRECT, max_new_tokens=ROUNDED_TO)):
        raise UserError(TOO_LONG.format(name=student.name))


def contrasts(examined: Sequence[Examined], teach: str) -> list[Contrast]:
    """What tuning brought and cost, each a paired difference on the same questions."""
    by = {one.condition: one for one in examined}
    before, tuned, main = by[BEFORE], by[teach], ASKED[teach][0]
    best = max(before.predictions, key=lambda way: before.score(way).accuracy)
    found = [
        _contrast(
            "after tuning, against before, asked alike",
            tuned.score(main),
            before.score(main),
        ),
        _contrast(
            "after tuning, against before, asked as suits that best",
            tuned.score(main),
            before.score(best),
        ),
    ]
    if "cot" in by:
        cot, direct = by["cot"], by["answer_only"].score(DIRECT)
        name = "tuned on rationales, against tuned on answers alone"
        found.append(_contrast(name, cot.score(ASKED["cot"][0]), direct))
    few = ASKED[teach][1]
    if few in tuned.predictions:
        name = "tuned, asked with demonstrations, against without"
        found.append(_contrast(name, tuned.score(few), tuned.score(main)))
    for one in tuned.scores:
        if one.task != TASK:
            name = f"{GENERAL} ({one.task}), after against before"
            found.append(_contrast(name, one, before.score(DIRECT, one.task)))
    return found


def rounded_up(tokens: int) -> int:
    """To the next multiple of ROUNDED_TO."""
    return -(-tokens // ROUNDED_TO) * ROUNDED_TO


def commonest_answer(train: Sequence[Example], test: Sequence[Example]) -> float:
    """Accuracy, 0 to 1, of always giving the commonest answer of training."""
    [(commonest, _)] = Counter(map(_canonical, train)).most_common(1)
    return sum(_canonical(example) == commonest for example in test) / len(test)


def _canonical(example: Example) -> str | None:
    return canonical(example.answer, example.answer_type)


def _pool(
    train: Sequence[Example],
    solved: Sequence[tuple[Example, str]],
    demonstrations: int,
    seed: int,
) -> list[tuple[Example, str]]:
    """Solved questions for demonstrations: `POOL` at most, each question once.

    Where they are too few to be shown, all questions, with their answers alone.
    """
    once = list({example.id: (example, text) for example, text in solved}.values())
    if len(once) <= demonstrations:
        once = [(example, "") for example in train]
    return random.Random(seed).sample(once, min(POOL, len(once)))


def _contrast(name: str, one: Score, other: Score) -> Contrast:
    if one.questions != other.questions:
        raise ValueError(f"{name}: not asked the same questions")
    a, b = (np.array([int(c) for c in s.outcomes]) for s in (one, other))
    generator = np.random.default_rng(0)
    found = hierarchical_bootstrap((a - b)[None], generator)
    points, low, high = (100 * value for value in found)
    gained, lost = int((a > b).sum()), int((a < b).sum())
    hidden = min(100.0, 300 / len(a))
    if not gained + lost:
        low, high = -hidden, hidden
    elif gained == len(a):
        low = points - hidden
    elif lost == len(a):
        high = points + hidden
    return Contrast(name, points, low, high, gained, lost, len(a))


def _seconds(student: Student, exam: Exam, asking: Asking) -> float:
    """Seconds a question, asked one at a time."""
    asked = prompts_for(exam.test[:TIMED], asking)
    how = {
        "precision": asking.precision_for(student),
        "batch_size": 1,
        "max_new_tokens": asking.max_new_tokens,
    }
    generate(student, asked[:1], **how)
    begun = time.perf_counter()
    generate(student, asked, **how)
    return (time.perf_counter() - begun) / len(asked)
