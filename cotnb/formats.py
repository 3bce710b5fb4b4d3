"""Prompt formats: a question, its rationale and demonstrations as prompt and target.

The one place that knows templates. Four formats (Fu et al. 2023), each with or
without a leading instruction:

    few_shot_cot           demonstrations with rationales, then the question
    zero_shot_cot          the question and "Let's think step by step." (Kojima et al.)
    few_shot_answer_only   demonstrations with answers alone, then the question
    zero_shot_answer_only  the question alone

Texts are plain, so encoder-decoder and decoder-only students share them; the
tokenizer's end-of-sequence token is the end mark that closes every target.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cotnb.answers import canonical, stated
from cotnb.errors import UserError
from cotnb.tasks.example import Example

PROMPT_FORMATS = (
    "few_shot_cot",
    "zero_shot_cot",
    "few_shot_answer_only",
    "zero_shot_answer_only",
)
COT_TRIGGER = "Let's think step by step."
ANSWER_LEAD = "The answer is"
COT_INSTRUCTION = "Answer the question. Reason step by step, then state the answer."
ANSWER_INSTRUCTION = "Answer the question. State the answer alone, without reasoning."
STOP_TEXT = "\nQ:"
END_MARK = "<end>"  # the tokenizer's own, as a text that stands for any teacher's


@dataclass(frozen=True)
class Demonstration:
    """A solved question that a few-shot prompt shows."""

    question: str
    rationale: str
    answer: str


class TeacherToken(NamedTuple):
    """What a token of a teacher's says, and what was likeliest in its place.

    likeliest: (text, natural logarithm of its probability) of several tokens; the
    token's own text where it is among them, END_MARK for the end mark.
    """

    text: str
    likeliest: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Pair:
    """What a student reads and what it is to write, without the end mark.

    taught: the target as a teacher's tokens, and then its end mark; empty where the
    target alone is to be learnt.
    """

    prompt: str
    target: str
    taught: tuple[TeacherToken, ...] = ()


def is_cot(prompt_format: str) -> bool:
    """Whether the format asks for a rationale before the answer."""
    return _checked(prompt_format).endswith("_cot")


def is_few_shot(prompt_format: str) -> bool:
    """Whether the format shows demonstrations."""
    return _checked(prompt_format).startswith("few_shot")


def _checked(prompt_format: str) -> str:
    if prompt_format not in PROMPT_FORMATS:
        raise UserError(
            f"prompt_format {prompt_format!r}: expected one of "
            f"{', '.join(PROMPT_FORMATS)}"
        )
    return prompt_format


def build_prompt(
    question: str,
    prompt_format: str,
    demonstrations: Sequence[Demonstration] = (),
    instruction: bool = False,
    hint: str | None = None,
) -> str:
    """The text a student or a teacher is asked with.

    demonstrations: shown in this order by the few-shot formats, which need one at
    least; the zero-shot formats take none. hint: the answer, told with the question,
    as are then the demonstrations' (Magister et al. 2022). Raises UserError where
    demonstrations do not fit.
    """
    cot = is_cot(prompt_format)
    if is_few_shot(prompt_format) != bool(demonstrations):
        raise UserError(
            f"{prompt_format}: {len(demonstrations)} demonstrations given; few-shot "
            "formats need one or more, zero-shot formats none"
        )
    if cot and not all(shown.rationale for shown in demonstrations):
        raise UserError(
            f"{prompt_format}: a demonstration has no rationale to show; draw from a "
            "task whose questions have them, or ask for answers alone"
        )
    blocks = [COT_INSTRUCTION if cot else ANSWER_INSTRUCTION] if instruction else []
    for shown in demonstrations:
        rationale = shown.rationale if cot else None
        asked = _asked(shown.question, None if hint is None else shown.answer)
        blocks.append(f"{asked} {build_target(shown.answer, rationale)}")
    trigger = f" {COT_TRIGGER}" if prompt_format == "zero_shot_cot" else ""
    blocks.append(f"{_asked(question, hint)}{trigger}")
    return "\n\n".join(blocks)


def _asked(question: str, hint: str | None) -> str:
    told = "" if hint is None else f"\nHint: {ANSWER_LEAD.lower()} {hint}."
    return f"Q: {question}{told}\nA:"


def build_target(answer: str, rationale: str | None = None) -> str:
    """What the student is to write: rationale, if any, and the marked answer."""
    closing = f"{ANSWER_LEAD} {answer}."
    return f"{rationale.strip()} {closing}" if rationale else closing


def build_pair(
    example: Example,
    prompt_format: str,
    rationale: str | None = None,
    demonstrations: Sequence[Demonstration] = (),
    instruction: bool = False,
    hinted: bool = False,
) -> Pair:
    """One training pair; CoT formats take `rationale`, or else the example's own.

    hinted: whether the prompt tells the answer, as `build_prompt` says.
    Raises UserError where a CoT format is asked for and no rationale is known.
    """
    if is_cot(prompt_format):
        rationale = rationale or example.rationale
        if not rationale:
            raise UserError(f"{example.id}: {prompt_format} needs a rationale")
    else:
        rationale = None
    answer = stated(example.answer, example.answer_type)
    prompt = build_prompt(
        example.question,
        prompt_format,
        demonstrations,
        instruction,
        answer if hinted else None,
    )
    return Pair(prompt, build_target(answer, rationale))


class DemonstrationPool:
    """Training examples with their rationales, for prompts to draw from.

    pool: (training example, rationale) pairs. Sorted once, as each prompt draws anew.
    Raises UserError where it holds test questions.
    """

    def __init__(self, pool: Sequence[tuple[Example, str]]):
        if any(shown.split.startswith("test") for shown, _ in pool):
            raise UserError(
                "demonstrations come from training examples, not from a test"
            )
        self._fitting = defaultdict(list)  # pairs by task (None: any) and group
        self._places = defaultdict(set)  # in these lists, by id and by question
        self._tasks = {shown.task for shown, _ in pool}
        for pair in pool:
            shown = pair[0]
            for key in ((shown.task, shown.group), (None, shown.group)):
                place = len(self._fitting[key])
                self._fitting[key].append(pair)
                for name in (shown.id, shown.question):
                    self._places[key, name].add(place)

    def draw(self, example: Example, count: int, seed: int) -> list[Demonstration]:
        """`count` demonstrations for one example.

        They are of the example's own task where there are any, else of all; of these,
        of the example's own group. The draw depends on the seed and the example alone,
        so neither order nor batch changes it. Never the example itself.
        Raises UserError where the pool is too small.
        """
        task = example.task if example.task in self._tasks else None
        key = (task, example.group)
        fitting = list(self._fitting.get(key, ()))
        own = {
            place
            for name in (example.id, example.question)
            for place in self._places.get((key, name), ())
        }
        for place in sorted(own, reverse=True):
            del fitting[place]
        if count > len(fitting):
            of_group = f" of the group {example.group!r}" if example.group else ""
            raise UserError(
                f"{count} demonstrations asked for, the pool has "
                f"{len(fitting)}{of_group}"
            )
        drawn = random.Random(f"{seed}/{example.id}").sample(fitting, count)
        return [
            Demonstration(shown.question, rationale, _stated_canonically(shown))
            for shown, rationale in drawn
        ]


def draw_demonstrations(
    pool: Sequence[tuple[Example, str]], example: Example, count: int, seed: int
) -> list[Demonstration]:
    """`count` demonstrations for one example, as `DemonstrationPool` draws them."""
    return DemonstrationPool(pool).draw(example, count, seed)


def _stated_canonically(example: Example) -> str:
    answer = canonical(example.answer, example.answer_type)
    return stated(answer, example.answer_type)
