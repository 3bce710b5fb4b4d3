"""The one-page report: what was gained, what it cost, what was lost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import cotnb
from cotnb.evaluation import Asking, Prediction, prompts_for
from cotnb.files import write_whole
from cotnb.formats import PROMPT_FORMATS
from cotnb.plots import FORMAT_LABELS, STYLE, as_png, before_and_after
from cotnb.results.report import as_markdown
from cotnb.results.tables import scores_frame
from cotnb.students import Student, describe
from cotnb.tasks.example import Example
from cotnb.versions import current_commit, short_commit
from cotnb.your_task.comparing import (
    ASKED,
    BEFORE,
    GENERAL,
    TIMED,
    Contrast,
    Examined,
    commonest_answer,
)
from cotnb.your_task.exporting import FIGURE, REPORT, STUDENT, loading_code
from cotnb.your_task.fitting import too_long
from cotnb.your_task.questions import TASK, Checked
from cotnb.your_task.recommending import Plan
from cotnb.your_task.splitting import Split
from cotnb.your_task.teaching import Taught

SHOWN = 3  # questions that got better, and that got worse
LETTERS = 240  # of a text that is quoted


@dataclass(frozen=True)
class Findings:
    """All that a report is made of.

    exported: the folder of the tuned student. seconds: that its tuning took.
    too_long: training questions that did not fit.
    """

    checked: Checked
    split: Split
    taught: Taught
    plan: Plan
    student: Student
    exported: Path
    examined: list[Examined]
    contrasts: list[Contrast]
    seconds: float
    too_long: int

    @property
    def scores(self) -> pd.DataFrame:
        """Tidy scores of all students."""
        scores = [score for one in self.examined for score in one.scores]
        return scores_frame(scores, TASK)

    @property
    def asked(self) -> list[Example]:
        """The test questions that there was room for."""
        ids = {prediction.id for prediction in self.before_and_after[0]}
        return [example for example in self.split.test if example.id in ids]

    def of(self, condition: str) -> Examined:
        """What the student of a condition answered."""
        return next(one for one in self.examined if one.condition == condition)

    @property
    def before_and_after(self) -> tuple[list[Prediction], list[Prediction]]:
        """Predictions before tuning and after it, asked alike."""
        way = ASKED[self.plan.teach][0]
        tuned = self.of(self.plan.teach).predictions[way]
        return self.of(BEFORE).predictions[way], tuned


def write_report(found: Findings, folder: Path) -> Path:
    """Writes report.md and its figure; UserError where the disk refuses."""
    figure = before_and_after(found.scores, headline(found))
    write_whole(folder / FIGURE, as_png(figure))
    return write_whole(folder / REPORT, report_text(found))


def headline(found: Findings) -> str:
    """What was gained, in a sentence that says how sure it is."""
    gain, against_best = found.contrasts[:2]
    verdict = "Tuning helped"
    if not gain.clear:
        verdict = "Tuning made no clear difference"
    elif gain.points < 0:
        verdict = "Tuning hurt"
    elif not (against_best.clear and against_best.points > 0):
        verdict = "Tuning helped, not clearly over the best prompt before it"
    before, after = (sum(p.correct for p in own) for own in found.before_and_after)
    return f"{verdict}: {before} of {gain.n} right before, {after} of {gain.n} after"


def report_text(found: Findings) -> str:
    """The report as Markdown."""
    sections = {
        f"# {headline(found)}": _about(found),
        "## Accuracy": _accuracy(found),
        "## Differences": _differences(found),
        "## Questions that got better and worse": _examples(found),
        "## What it costs": _costs(found),
        "## Data": _bullets(found.checked.remarks() + found.split.remarks()),
        "## Rationales": _rationales(found),
        "## Recipe": as_markdown(pd.DataFrame(found.plan.table())),
        "## Load it and ask it": f"```python\n{_loading(found)}\n```",
        "## What it does not show": _bullets(_limits(found)),
    }
    return "\n\n".join(f"{head}\n\n{body}" for head, body in sections.items()) + "\n"


def _loading(found: Findings) -> str:
    """Code that asks the first test question as the student was tuned to be asked."""
    way = ASKED[found.plan.teach][0]
    [prompt] = prompts_for(found.asked[:1], Asking(way))
    room = found.of(found.plan.teach).room
    return loading_code(found.student, found.exported, prompt, room)


def not_asked(examined: Sequence[Examined], student: str) -> list[str]:
    """What is said of questions and ways of asking that a student has no room for."""
    said = []
    if count := max(one.too_long for one in examined):
        said.append(
            f"{count:,} test questions, of the task or general ones, are too long for "
            f"{student} and were not asked."
        )
    ways = dict.fromkeys(way for one in examined for way in one.without_room)
    return said + [
        f"{student} was not asked {FORMAT_LABELS[way]}: it has no room for the "
        "demonstrations before some question. Show fewer with `--demonstrations`."
        for way in ways
    ]


def better_and_worse(
    before: Sequence[Prediction], after: Sequence[Prediction]
) -> dict[str, list[tuple[Prediction, Prediction]]]:
    """Pairs of predictions of the questions that only one of two students has right."""
    pairs = list(zip(before, after, strict=True))
    return {
        "better": [(a, b) for a, b in pairs if b.correct and not a.correct],
        "worse": [(a, b) for a, b in pairs if a.correct and not b.correct],
    }


def _about(found: Findings) -> str:
    taught = "rationales" if found.plan.teach == "cot" else "answers alone"
    how = (
        "as an adapter (LoRA)" if found.plan.method == "lora" else "in all its weights"
    )
    commit = short_commit(current_commit())
    return (
        f"{describe(found.student)}. Taught {taught}, {how}, on "
        f"`{found.checked.path.name}`; the tuned student is in `{STUDENT}/`. Made by "
        f"cotnb {cotnb.__version__} at commit `{commit}`."
    )


def _accuracy(found: Findings) -> str:
    ordered = sorted(
        (score for one in found.examined for score in one.scores),
        key=lambda s: (
            s.task != TASK,
            s.task,
            list(STYLE).index(s.condition),
            PROMPT_FORMATS.index(s.prompt_format),
        ),
    )
    rows = [
        {
            "questions": "your task" if score.task == TASK else score.task,
            "student": STYLE[score.condition].label,
            "asked": FORMAT_LABELS[score.prompt_format],
            "accuracy": f"{100 * score.accuracy:.1f}%",
            "95% interval": "{:.1f} to {:.1f}".format(
                *(100 * x for x in score.interval)
            ),
            "n": score.n,
        }
        for score in ordered
    ]
    always = commonest_answer(found.split.train, found.asked)
    return (
        f"![accuracy]({FIGURE})\n\n{as_markdown(pd.DataFrame(rows))}\n\n"
        f"Always giving training's commonest answer: {100 * always:.1f}%."
    )


def _differences(found: Findings) -> str:
    rows = [
        {
            "difference": one.name,
            "points": f"{one.points:+.1f}",
            "95% interval": f"{one.low:+.1f} to {one.high:+.1f}",
            "gained": one.gained,
            "lost": one.lost,
            "n": one.n,
            "clear": "yes" if one.clear else "no",
        }
        for one in found.contrasts
    ]
    return (
        f"{as_markdown(pd.DataFrame(rows))}\n\nPaired on the same questions, which "
        "are resampled. Gained and lost: questions that only one of the two has right. "
        "Clear: the interval leaves out 0, and gained against lost is no toss of coins "
        "(McNemar's exact test at 5%: six to none, at the least). *Asked alike*: both "
        "in the same way. *As suits that best*: the untuned student in the way in "
        "which it does best, chosen on these very questions, which favors it. "
        "*Zero-shot*: the question alone; *few-shot*: solved ones before it; *CoT*, a "
        "chain of thought: steps before the answer; *answer-only*: none."
    )


def _examples(found: Findings) -> str:
    parts = []
    for name, pairs in better_and_worse(*found.before_and_after).items():
        parts.append(f"**Got {name}: {len(pairs)}.**" + (" Of these:" if pairs else ""))
        parts += [_example(*pair) for pair in pairs[:SHOWN]]
    return "\n\n".join(parts)


def _example(before: Prediction, after: Prediction) -> str:
    return "\n".join(
        [
            f"- {_quoted(before.question)}",
            f"  - right answer: {_quoted(before.answer)}",
            f"  - before: {_quoted(before.text) or '(nothing)'}",
            f"  - after: {_quoted(after.text) or '(nothing)'}",
        ]
    )


def _costs(found: Findings) -> str:
    rows = [
        {
            "student": STYLE[one.condition].label,
            "asked": FORMAT_LABELS[way],
            "tokens written a question": f"{one.tokens[way]:.1f}",
            "seconds per question": f"{one.seconds[way]:.2f}",
        }
        for one in found.examined
        for way in one.seconds
    ]
    return (
        f"Tuning took {found.seconds:,.0f} s.\n\n{as_markdown(pd.DataFrame(rows))}\n\n"
        f"Seconds: of {TIMED} questions or fewer, asked one at a time on this machine "
        "after one that does not count; many at once take less each."
    )


def _rationales(found: Findings) -> str:
    said = found.taught.remarks()
    if found.too_long:
        said.append(too_long(found.too_long))
    return _bullets(said)


def _limits(found: Findings) -> Iterator[str]:
    yield "One seed: another order of training may move every number."
    yield f"{len(found.asked)} test questions, drawn from the same file."
    yield from not_asked(found.examined, found.student.name)
    if found.split.way == "template":
        yield (
            "Templates are told apart by words: questions that differ in an object's "
            "name alone may be on both sides."
        )
    else:
        yield "The split is by chance: new templates may be much harder."
    if found.plan.teach == "cot":
        yield (
            "Tuning on answers alone was given the questions that have a rationale, "
            "and as many steps; with all questions it may do better."
        )
    if found.plan.replayed:
        yield (
            "General questions were among what was tuned on: of the task that they are "
            "of, more is kept than of others."
        )
    elif any(
        one.clear and one.points < 0
        for one in found.contrasts
        if one.name.startswith(GENERAL)
    ):
        yield (
            "General ability fell, and nothing was done to keep it: `--replayed 0.1` "
            "mixes general questions in, one in ten."
        )
    yield "The recipe is a rule of thumb, and nothing was tried to find a better one."


def _bullets(lines) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _quoted(text: str) -> str:
    """A text on one line, cut, and with nothing in it that Markdown would read."""
    line = " ".join(text.split())
    line = line[:LETTERS] + ("…" if len(line) > LETTERS else "")
    return "".join(f"\\{c}" if c in r"\`*_[]<>#|$" else c for c in line)
