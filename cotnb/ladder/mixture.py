"""What the ladder is pretrained on: the parts of reasoning, never the combination.

Arithmetic, equations of single sentences, chains of equations without a story, word
problems of one step and micro-BBH answered directly, text with gaps. No word problem
comes with its chain of thought, and none of more than one step with its answer: that is
left for tuning. Everything is drawn from training splits. The first shards hold alone
what the rest waits for.
"""

import math
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cotnb.formats import ANSWER_LEAD, Pair, build_pair, draw_demonstrations
from cotnb.tasks import Example
from cotnb.tasks.micro_bbh import MICRO_BBH, load_micro_bbh
from cotnb.tasks.micro_bbh_problem import OPTIONS
from cotnb.tasks.micro_look_up import CHOICES, draw_option, which_letter
from cotnb.tasks.micro_templates import TEMPLATES
from cotnb.tasks.micro_world import LARGEST, OPERATIONS, load_micro_world

SHARD = 8192  # pairs that are drawn together
MOST_DEMONSTRATIONS = 4
MOST_EQUATIONS = 6
WITH_INSTRUCTION = 0.25  # share of answer-only prompts that begin with the instruction
GAPPED = 0.15  # share of words that a text with gaps lacks
LONGEST_GAP = 4
SENTINELS = tuple(f"<extra_id_{i}>" for i in range(16))
_LOOK_UPS = ("reasoning_about_colored_objects", "penguins_in_a_table")
_KIND = {t.name: t.kind for t in TEMPLATES}


@dataclass(frozen=True)
class Part:
    """One part: its share of a shard's pairs, and what draws a number of them.

    draw: (rng, count, seed) -> pairs; the seed names the shard to loaders of tasks.
    """

    share: float
    draw: Callable[[random.Random, int, int], Iterator[Pair]]


def draw_shard(number: int, size: int = SHARD) -> list[Pair]:
    """The pairs of one shard, mixed; the same number gives the same pairs."""
    pairs: list[Pair] = []
    for name, part in parts_of(number).items():
        rng = random.Random(f"pretraining/{name}/{number}")
        pairs += part.draw(rng, math.ceil(part.share * size), number)
    random.Random(f"pretraining/{number}").shuffle(pairs)
    return pairs[:size]


def parts_of(number: int) -> dict[str, Part]:
    """The parts that a shard is drawn from: of a first stage, or the mixture."""
    for shards, parts in FIRST_STAGES:
        if number < shards:
            return parts
        number -= shards
    return MIXTURE


def _bbh_zero_shot(rng, count: int, seed: int) -> Iterator[Pair]:
    for example in _bbh(count, _seed(seed, "zero_shot")):
        yield _answered(rng, example)


def _bbh_few_shot(rng, count: int, seed: int) -> Iterator[Pair]:
    """Demonstrations of the question's own task, as an asker shows them."""
    a_task = -(-count // len(MICRO_BBH)) + MOST_DEMONSTRATIONS
    for task in MICRO_BBH:
        examples = load_micro_bbh(task, "train", a_task, seed=_seed(seed, "few_shot"))
        yield from _few_shot(rng, examples, a_task - MOST_DEMONSTRATIONS)


def _bbh_without_options(rng, count: int, seed: int) -> Iterator[Pair]:
    """Lettered choices asked openly: what is right, before which letter it has."""
    for example in _bbh(count, _seed(seed, "open"), CHOICES):
        yield _opened(example)


def _look_ups(rng, count: int, seed: int) -> Iterator[Pair]:
    """What stands beside a word in a row or a table, asked openly."""
    yield from map(_opened, _looked_up(count, _seed(seed, "look_ups")))


def _look_up_choices(rng, count: int, seed: int) -> Iterator[Pair]:
    """Which letter has what stands beside a word: two look-ups in a row."""
    for example in _looked_up(count, _seed(seed, "look_up_choices")):
        yield _answered(rng, example)


def _looked_up(count: int, seed: int) -> Iterator[Example]:
    a_task = -(-count // len(_LOOK_UPS))
    for task in _LOOK_UPS:
        yield from load_micro_bbh(task, "train", a_task, seed, difficulty=[1])


def _choices(rng, count: int, seed: int) -> Iterator[Pair]:
    for example in _bbh(count, _seed(seed, "choices"), CHOICES):
        yield _answered(rng, example)


def _opened(example: Example) -> Pair:
    """A lettered choice without its letters."""
    body, _, options = example.question.partition(OPTIONS)
    named = dict(re.findall(r"\((\w)\) (.*)", options))
    return _direct(body, named[example.answer])


def _letters(rng, count: int, seed: int) -> Iterator[Pair]:
    """Which letter an option has, and which option a letter."""
    for example in _bbh(count, _seed(seed, "letters"), CHOICES):
        letter, option, listed = draw_option(rng, example.question)
        asked, answer = which_letter(option), f"({letter})"
        if rng.random() < 0.5:
            asked, answer = f"What has the letter ({letter})?", option
        yield _direct(f"{asked}{OPTIONS}{listed}", answer)


def _arithmetic(rng, count: int, seed: int) -> Iterator[Pair]:
    for _ in range(count):
        left, op, right, result = _equation(rng)
        yield _direct(f"{left} {op} {right} =", result)


def _direct(question: str, answer) -> Pair:
    return Pair(f"Q: {question}\nA:", f"{ANSWER_LEAD} {answer}.")


def _chains(rng, count: int, seed: int) -> Iterator[Pair]:
    """Plain equations one after the other, each with the last one's result."""
    for _ in range(count):
        shown = [_chain(rng) for _ in range(rng.choice((1, 1, 2, 3)))]
        blocks = [f"Q: {asked}\nA: {written}" for asked, written in shown]
        asked, written = shown[-1]
        blocks[-1] = f"Q: {asked}\nA:"
        yield Pair("\n\n".join(blocks), written)


def _chain(rng) -> tuple[str, str]:
    value, asked, written = None, [], []
    for _ in range(rng.randint(2, MOST_EQUATIONS)):
        left, op, right, result = _equation(rng, value)
        asked.append(f"{op} {right}")
        written.append(f"{left} {op} {right} = {result}.")
        value = result
        if len(asked) == 1:
            asked[0] = f"{left} {op} {right}"
    return f"{', then '.join(asked)}", f"{' '.join(written)} {ANSWER_LEAD} {value}."


def _sentences(rng, count: int, seed: int) -> Iterator[Pair]:
    """What a sentence does to a number, as an equation: no question, no reason."""
    # more than are needed: stories whose question holds the change are left out
    drawn = 0
    for story in load_micro_world("train", 3 * count, _seed(seed, "sentences"), (1,)):
        if _KIND[story.template.split("+")[-1]] not in ("ask", "ask_left"):
            continue
        told = re.split(
            r"(?<=[.]) (?=(?:How|What|Find|In the end, how)\b)", story.question
        )
        equation = re.search(r"\d+ [-+*/] \d+ = \d+", story.steps[0])[0]
        yield Pair(f"Sentence: {told[0]}\nEquation:", f"{equation}.")
        drawn += 1
        if drawn == count:
            return


def _one_step_zero_shot(rng, count: int, seed: int) -> Iterator[Pair]:
    for example in load_micro_world("train", count, _seed(seed, "one"), (1,)):
        yield _answered(rng, example)


def _one_step_few_shot(rng, count: int, seed: int) -> Iterator[Pair]:
    size = count + MOST_DEMONSTRATIONS
    examples = load_micro_world("train", size, _seed(seed, "one_few"), (1,))
    yield from _few_shot(rng, examples, count)


def _gaps(rng, count: int, seed: int) -> Iterator[Pair]:
    """Questions of every kind, some words left out: span corruption (Raffel et al.)."""
    stories = load_micro_world("train", count // 2, _seed(seed, "gaps"))
    others = _bbh(count - len(stories), _seed(seed, "gaps"))
    for example in [*stories, *others]:
        yield _with_gaps(rng, example.question.split(" "))


def _with_gaps(rng, words: Sequence[str]) -> Pair:
    kept, missing, place = [], [], 0
    while place < len(words):
        length = rng.randint(1, LONGEST_GAP)
        starts = rng.random() < GAPPED / ((1 + LONGEST_GAP) / 2)
        if starts and len(missing) < len(SENTINELS):
            mark = SENTINELS[len(missing)]
            kept.append(mark)
            missing.append(f"{mark} {' '.join(words[place : place + length])}")
            place += length
        else:
            kept.append(words[place])
            place += 1
    return Pair(f"Fill: {' '.join(kept)}", " ".join(missing) or "nothing")


def _equation(rng, left: int | None = None) -> tuple[int, str, int, int]:
    """An equation whose numbers lie in 0 to LARGEST, its operation drawn first."""
    while True:
        op = rng.choice("+-*/")
        a = rng.randint(0, LARGEST) if left is None else left
        b = rng.randint(2, 12) if op in "*/" else rng.randint(0, LARGEST)
        if op == "*" and left is None:
            a = rng.randint(0, LARGEST // b)
        if op == "/" and a % b:
            if left is not None:
                continue
            a -= a % b
        if 0 <= OPERATIONS[op](a, b) <= LARGEST:
            return a, op, b, OPERATIONS[op](a, b)


def _bbh(
    count: int, seed: int, tasks: Sequence[str] = tuple(MICRO_BBH)
) -> list[Example]:
    """About as many examples of each task, `count` in all."""
    a_task = -(-count // len(tasks))
    drawn = [load_micro_bbh(task, "train", a_task, seed=seed) for task in tasks]
    return [example for examples in drawn for example in examples][:count]


def _answered(rng, example: Example) -> Pair:
    instruction = rng.random() < WITH_INSTRUCTION
    return build_pair(example, "zero_shot_answer_only", instruction=instruction)


def _few_shot(rng, examples: list[Example], count: int) -> Iterator[Pair]:
    pool = [(example, "") for example in examples]
    for example in examples[:count]:
        yield build_pair(
            example,
            "few_shot_answer_only",
            demonstrations=draw_demonstrations(
                pool, example, rng.randint(1, MOST_DEMONSTRATIONS), rng.randrange(2**32)
            ),
            instruction=rng.random() < WITH_INSTRUCTION,
        )


def _seed(shard: int, part: str) -> int:
    """A seed of a loader's, other than those that tuning and tests use."""
    return random.Random(f"{part}/{shard}").randrange(10**6, 2**31)


MIXTURE = {
    "micro_bbh_zero_shot": Part(0.38, _bbh_zero_shot),
    "micro_bbh_few_shot": Part(0.08, _bbh_few_shot),
    "micro_bbh_without_options": Part(0.12, _bbh_without_options),
    "letters": Part(0.06, _letters),
    "arithmetic": Part(0.07, _arithmetic),
    "chains": Part(0.08, _chains),
    "sentences": Part(0.07, _sentences),
    "one_step_zero_shot": Part(0.07, _one_step_zero_shot),
    "one_step_few_shot": Part(0.02, _one_step_few_shot),
    "gaps": Part(0.05, _gaps),
}
# How many shards are drawn from which parts before the mixture. A small student finds
# how to look a word up within 400 steps if it meets little else, and in thousands of
# the mixture's; so with looking up what was looked up, which most choices of a letter
# ask for, once it can do the first.
FIRST_STAGES = (
    (8, {"letters": Part(0.40, _letters), "look_ups": Part(0.60, _look_ups)}),
    (
        10,
        {
            "letters": Part(0.10, _letters),
            "look_ups": Part(0.20, _look_ups),
            "look_up_choices": Part(0.70, _look_up_choices),
        },
    ),
    (
        14,
        {
            "letters": Part(0.10, _letters),
            "micro_bbh_without_options": Part(0.30, _bbh_without_options),
            "choices": Part(0.60, _choices),
        },
    ),
)
FIRST_SHARDS = sum(shards for shards, _ in FIRST_STAGES)
