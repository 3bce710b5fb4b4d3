"""Micro-triage: a made-up triage dialogue whose order of steps is the asker's own.

A case has four facts. A flow is the order in which a rationale goes through them, and
ends with what comes next: an image, a test, listening, or an examination. No question
tells its flow: demonstrations alone do. Four facts have 24 orders; cases of six facts,
the two more of which ask for nothing, have 720. Cases and rules are invented. Nothing
here is medical advice.

What comes next does not depend on the flow: each telling fact asks for one act, and the
most urgent act that is asked for is done. So an answer can be right in any order, and
whether a rationale kept its order is scored by itself (`cotnb.tasks.flows`).
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations

from cotnb.errors import UserError
from cotnb.tasks.example import Example
from cotnb.tasks.micro_world import balanced, unique_examples

# The most urgent first: a step, the act that its telling facts ask for, these facts,
# and facts that ask for nothing.
_STEPS = {
    "history": (
        "image",
        ("a fall", "an injury", "a broken bone"),
        ("asthma", "an allergy", "surgery", "diabetes"),
    ),
    "medication": (
        "test",
        ("insulin", "aspirin", "heart pills"),
        ("pain pills", "a cream", "a spray", "an inhaler"),
    ),
    "symptom": (
        "listen",
        ("a cough", "chest pain", "short breath"),
        ("back pain", "leg pain", "ear pain", "nausea"),
    ),
    "signs": (
        "examination",
        ("a rash", "a burn", "swelling"),
        ("a high pulse", "a low pulse", "pale skin", "warm skin"),
    ),
}
STEPS = ("symptom", "history", "medication", "signs")
# two facts more, which ask for nothing
_MORE = {
    "since": ("today", "yesterday", "Monday", "Friday"),
    "age": ("12", "25", "40", "70"),
}
SIX_STEPS = (*STEPS, *_MORE)
ACTS = tuple(act for act, _, _ in _STEPS.values())
NEXT = "next"  # the last step of every flow

# The second texts of each kind are held out for the split "test_ood".
_TEXTS = {
    "open": (
        ["A patient comes in.", "A nurse asks a patient.", "A child is in the clinic."],
        ["A nurse sees a child."],
    ),
    "symptom": (
        ["I have {fact}.", "I feel {fact}.", "It began with {fact}."],
        ["I came with {fact}.", "Now I have {fact}."],
    ),
    "history": (
        [
            "I had {fact} last year.",
            "I had {fact} last month.",
            "Last year I had {fact}.",
        ],
        ["Last month I had {fact}.", "I had {fact} last week."],
    ),
    "medication": (
        ["I take {fact}.", "I take {fact} every day.", "My doctor gives me {fact}."],
        ["Every day I take {fact}.", "I use {fact}."],
    ),
    "signs": (
        ["The nurse sees {fact}.", "There is {fact}.", "The nurse finds {fact}."],
        ["The nurse says there is {fact}.", "Then the nurse finds {fact}."],
    ),
    "since": (
        [
            "I have had it since {fact}.",
            "It began {fact}.",
            "It is there since {fact}.",
        ],
        ["I have it since {fact}.", "Since {fact} I have had it."],
    ),
    "age": (
        ["I am {fact}.", "The patient is {fact}.", "My age is {fact}."],
        ["The age is {fact}.", "I am a patient of {fact}."],
    ),
    "ask": (
        ["What is next?", "What comes next?", "What should be next?"],
        ["What should come next?"],
    ),
}


def _rotations(*flow: str) -> tuple[tuple[str, ...], ...]:
    return tuple(flow[i:] + flow[:i] for i in range(len(flow)))


# Of the 24 orders of four steps, those of tuning, of dev and of test. Each set has each
# step equally often at each place, and in training every step comes right after every
# other: a test's flow is new as a whole, not in its parts.
_DEV = _rotations("symptom", "history", "signs", "medication")
_TEST = _rotations("symptom", "medication", "signs", "history")


def _flows(all_flows: tuple, dev: tuple, test: tuple) -> dict[str, tuple]:
    apart = {*dev, *test}
    train = tuple(flow for flow in all_flows if flow not in apart)
    return {
        "train": train,
        "dev": dev,
        "test": test,
        "test_same_flows": train,
        "test_ood": test,
        "demonstrations": all_flows,
    }


FLOWS = _flows(tuple(permutations(STEPS)), _DEV, _TEST)
# Of the 720 orders of six, 60 drawn at random for dev and 60 for the test.
_OF_SIX = tuple(permutations(SIX_STEPS))
_DRAWN = random.Random("micro_triage_six").sample(_OF_SIX, 120)
FLOWS_OF_SIX = _flows(_OF_SIX, tuple(_DRAWN[:60]), tuple(_DRAWN[60:]))
# of the hash that keeps the questions of train, dev and test apart
_QUESTIONS_OF = {"test_same_flows": "test", "demonstrations": "train"}
# by the number of facts
_KINDS = {
    len(STEPS): ("micro_triage", FLOWS),
    len(SIX_STEPS): ("micro_triage_six", FLOWS_OF_SIX),
}


def load_micro_triage(
    split: str, size: int, seed: int = 0, facts: int = len(STEPS)
) -> list[Example]:
    """The first `size` cases of one split.

    split: "train"; "dev" and "test", each in flows of its own, which no other of the
    three has; "test_same_flows", new cases in the flows of "train"; "test_ood", in the
    flows of "test" and with sentences of which no other split has one; or
    "demonstrations", solved cases in all flows, for prompts to show and not to tune on.
    size: how many. seed: another seed gives other cases of the same split. facts: of a
    case, 4 with flows of `FLOWS`, or 6 with those of `FLOWS_OF_SIX`.
    Returns examples with one of `ACTS` for an answer, each equally often, as each flow
    is; exact steps "Name: fact.", one more than facts, these joined as rationale, and
    the flow as `group`, which demonstrations share. The same arguments give the same
    list, and a smaller size gives its beginning. No question of "train", "dev" or
    "test" is in another of the three.
    Raises UserError for an unknown split, a size below 1, and other numbers of facts.
    """
    if split not in FLOWS:
        raise UserError(
            f"micro_triage: no split {split!r}; expected one of {tuple(FLOWS)}"
        )
    if size < 1:
        raise UserError(f"micro_triage: size is {size}; expected 1 or more")
    if facts not in _KINDS:
        raise UserError(f"micro_triage: facts is {facts}; expected 4 or 6")
    task, flows = _KINDS[facts]
    rng = random.Random(f"{task}/{split}/{seed}")
    flow, act = balanced(rng, flows[split]), balanced(rng, ACTS)

    def draw(index: int) -> Example:
        return _case(rng, task, split, index, flow(index), act(index))

    drawn_from = _QUESTIONS_OF.get(split, split)
    return unique_examples(task, drawn_from, size, draw)


def in_flow(example: Example, flow: Sequence[str]) -> Example:
    """The same case, solved in another order.

    flow: names of its steps, each once, without the last one, which stays the last.
    Raises UserError for other names.
    """
    *steps, last = example.steps
    named = {step.partition(":")[0].lower(): step for step in steps}
    if sorted(flow) != sorted(named):
        raise UserError(
            f"{example.id}: expected {', '.join(named)}; got {', '.join(flow)}"
        )
    told = (*(named[name] for name in flow), last)
    return replace(example, steps=told, rationale=" ".join(told), group=", ".join(flow))


def flows_to_tune_on(numbers: str, seed: int = 0) -> dict[int, tuple]:
    """So many of the 600 flows of tuning of six facts, by their number.

    numbers: such as "16, 600". seed: of which ones; with one seed the flows of a
    smaller number are among those of a larger. Raises UserError for anything but whole
    numbers from 1 to 600, each once.
    """
    flows = FLOWS_OF_SIX["train"]
    # papermill by itself makes "16" a number
    named = [number.strip() for number in str(numbers).split(",")]
    counts = [int(number) for number in named if number.isdecimal()]
    known = all(1 <= count <= len(flows) for count in counts)
    if not known or len(set(counts)) < len(named):
        raise UserError(
            f"flows {numbers!r}: expected numbers from 1 to {len(flows)}, each once, "
            "separated by commas"
        )
    drawn = random.Random(f"flows/{seed}").sample(flows, len(flows))
    return {count: tuple(drawn[:count]) for count in counts}


def in_flows(
    examples: Sequence[Example], flows: Sequence[Sequence[str]]
) -> list[Example]:
    """The same cases, each solved in the next of the flows, from the first on again."""
    return [in_flow(e, flows[i % len(flows)]) for i, e in enumerate(examples)]


def next_act(facts: Mapping[str, str]) -> tuple[str, str]:
    """The act that comes next and the fact that asks for it.

    facts: one a step of `STEPS`, or more. Raises ValueError where none is telling.
    """
    for step, (act, telling, _) in _STEPS.items():
        if facts[step] in telling:
            return act, facts[step]
    raise ValueError(f"no fact asks for an act: {facts}")


def _case(
    rng: random.Random,
    task: str,
    split: str,
    index: int,
    flow: tuple[str, ...],
    act: str,
) -> Example:
    """A case with the given answer, its rationale in the flow's order."""
    held_out = split == "test_ood"
    facts = _facts(rng, act)
    named = [name for name in SIX_STEPS if name in flow]
    facts |= {name: rng.choice(_MORE[name]) for name in named if name in _MORE}
    kinds = ["open", *rng.sample(named, len(named)), "ask"]
    numbers = [rng.randrange(len(_TEXTS[kind][held_out])) for kind in kinds]
    sentences = [
        _TEXTS[kind][held_out][number].format(fact=facts.get(kind))
        for kind, number in zip(kinds, numbers, strict=True)
    ]
    names = zip(kinds, numbers, strict=True)
    _, reason = next_act(facts)
    told = [(step, facts[step]) for step in flow] + [(NEXT, f"{reason}, so {act}")]
    steps = tuple(f"{step.capitalize()}: {fact}." for step, fact in told)
    return Example(
        task=task,
        split=split,
        index=index,
        question=" ".join(sentences),
        answer=act,
        answer_type="text",
        steps=steps,
        rationale=" ".join(steps),
        template="+".join(f"{'ood_' * held_out}{k}_{n}" for k, n in names),
        group=", ".join(flow),
    )


def _facts(rng: random.Random, act: str) -> dict[str, str]:
    """A fact a step: none asks for anything more urgent than the act."""
    facts, found = {}, False
    for step, (asked_for, telling, plain) in _STEPS.items():
        may_tell = found and rng.random() < 0.5
        found = found or asked_for == act
        tells = asked_for == act or may_tell
        facts[step] = rng.choice(telling if tells else plain)
    return facts
