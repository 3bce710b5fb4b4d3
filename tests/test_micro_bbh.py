"""Micro-BBH: every answer computed a second time, from the question's own words."""

import os
import re
from collections import Counter
from datetime import datetime
from itertools import permutations, product

import pandas as pd
import pytest

from cotnb.answers import canonical, extract_answer, is_correct
from cotnb.errors import UserError
from cotnb.formats import (
    PROMPT_FORMATS,
    STOP_TEXT,
    build_pair,
    build_prompt,
    build_target,
    draw_demonstrations,
    is_few_shot,
)
from cotnb.tasks import load_task, task_names
from cotnb.tasks.hub import BBH_ANSWER_TYPES
from cotnb.tasks.micro_bbh import (
    MICRO_BBH,
    MICRO_BBH_SPLITS,
    load_micro_bbh,
)

SIZE = 300
EXAMPLES = {
    (task, split): load_micro_bbh(
        task, split, SIZE, difficulty=range(1, made.hardest + 1)
    )
    for task, made in MICRO_BBH.items()
    for split in MICRO_BBH_SPLITS
}
LONGEST_QUESTION, LONGEST_PROMPT = 56, 340
needs_mirror = pytest.mark.skipif(
    not os.environ.get("COTNB_MIRROR"),
    reason="no real BBH here: set COTNB_MIRROR to a folder laid out like the hub",
)


def real_names(task: str) -> list[str]:
    """BBH's tasks of the same name; three of them come in several sizes there."""
    return [name for name in BBH_ANSWER_TYPES if name.startswith(task)]


# -- a second computation for each task, from the question alone


def options(question: str) -> dict[str, str]:
    return dict(re.findall(r"^\(([A-C])\) (.+)$", question, re.MULTILINE))


def letter_of(question: str, value) -> str:
    found = [k for k, v in options(question).items() if v.lower() == str(value).lower()]
    (letter,) = found  # one option alone is right
    return letter


def solve_boolean_expressions(question):
    assert re.fullmatch(r"(?:(?:True|False|and|or|not|[()]) )+is", question)
    return str(eval(question.removesuffix(" is"))).lower()


def solve_multistep_arithmetic(question):
    assert re.fullmatch(r"[-+*() 1-9]+ =", question)
    return str(eval(question.removesuffix(" =")))


def solve_dyck_languages(question):
    left, before = re.sub(r"\s", "", question.partition("Input:")[2]), ""
    while left != before:
        before, left = left, re.sub(r"\[\]|\(\)|{}|<>", "", left)
    return " ".join(left[::-1].translate(str.maketrans("[({<", "])}>")))


def solve_word_sorting(question):
    return " ".join(sorted(question.partition("List: ")[2].split()))


def solve_web_of_lies(question):
    people = sorted(set(re.findall(r"[A-Z][a-z]+", question)) - {"Does"})
    first, claim = re.match(r"(\w+) (lies|tells)", question).groups()
    said = re.findall(r"(\w+) says (\w+) (lies|tells)", question)
    asked = re.search(r"Does (\w+) tell the truth\?", question)[1]
    answers = set()
    for values in product((True, False), repeat=len(people)):
        honest = dict(zip(people, values, strict=True))
        fits = honest[first] == (claim == "tells") and all(
            honest[a] == (honest[b] == (claims == "tells")) for a, b, claims in said
        )
        if fits:
            answers.add("yes" if honest[asked] else "no")
    (answer,) = answers
    return answer


def solve_formal_fallacies(question):
    kinds = r"(\w+ of \w+)"
    rules = re.findall(rf"(Every|No) {kinds} is a {kinds}\.", question)
    facts = re.findall(rf"(So )?\w+ is (not )?a {kinds}\.", question)
    facts = facts[-2:]  # the first ones are the ends of the rules
    names = sorted({kind for _, *pair in rules for kind in pair})
    worlds = [
        dict(zip(names, values, strict=True))
        for values in product((True, False), repeat=len(names))
    ]
    for quantifier, a, b in rules:
        worlds = [w for w in worlds if not w[a] or w[b] == (quantifier == "Every")]
    (_, no, a), (so, not_so, b) = facts
    assert so and worlds
    follows = all(w[b] == (not not_so) for w in worlds if w[a] == (not no))
    return "valid" if follows else "invalid"


def solve_logical_deduction(question):
    ends = {"first": 0, "leftmost": 0, "shortest": 0, "youngest": 0, "least": 0}
    ends |= {"last": -1, "rightmost": -1, "tallest": -1, "oldest": -1, "most": -1}
    places = {"second": 1, "third": 2}
    text = re.sub(r"\b[Tt]he ", "", question.partition("\nOptions")[0])
    opening, *told, asked = re.split(r"(?<=[.?]) ", text)
    names = re.sub(r"A shop sells|are friends|ran a race|sit in a row", "", opening)
    things = [n.lower() for n in re.findall(r"\w+", names) if n != "and"]

    def place(statement):
        """The place that a statement or a question names, from the front or the end."""
        words = statement.lower().strip(".?").split()
        at = [places[w] for w in words if w in places]
        return at[0] if at else next(ends[w] for w in words if w in ends)

    def holds(order, statement):
        a, *words = statement.lower().strip(".").split()
        if words[-1] not in things:
            return order[place(statement)] == a
        precedes = order.index(a) < order.index(words[-1])
        return precedes == bool(
            {"before", "left", "shorter", "younger", "less"} & {*words}
        )

    orders = [o for o in permutations(things) if all(holds(o, s) for s in told)]
    assert len(orders) == 1
    found = orders[0][place(asked)]
    return letter_of(question, found)


def solve_tracking_shuffled_objects(question):
    owns = dict(re.findall(r"([A-Z][a-z]+) (?:has )?an? (\w+)", question))
    for a, b in re.findall(r"(\w+) and (\w+) swap", question):
        owns[a], owns[b] = owns[b], owns[a]
    return letter_of(question, owns[re.search(r"In the end (\w+) has", question)[1]])


def solve_navigate(question):
    ways = {"forward": 1j, "backward": -1j, "left": -1, "right": 1}
    turns = {"left": 1j, "right": -1j, "around": -1}
    at, facing = 0, 1j
    for turn, count, way in re.findall(
        r"Turn (\w+)|Take (\d) steps?(?: (\w+))?\.", question
    ):
        if turn:
            facing *= turns[turn]
        else:
            at += int(count) * (ways[way] if way else facing)
    return "no" if at else "yes"


def solve_temporal_sequences(question):
    (opens, closes), *busy = (
        (int(a), int(b))
        for a, b in re.findall(r"(\d+) to (\d+)", question.partition("\nOptions")[0])
    )
    free = set(range(opens, closes)) - {h for a, b in busy for h in range(a, b)}
    assert free
    return letter_of(question, f"{min(free)} to {max(free) + 1}")


def solve_object_counting(question):
    kinds = {
        "fruits": "apple pear plum lemon peach fig",
        "animals": "dog cat cow frog goat duck",
        "instruments": "drum flute harp piano horn",
        "vegetables": "onion carrot leek potato bean",
    }
    counts = {"a": 1, "an": 1, "two": 2, "three": 3, "four": 4}
    stems = kinds[re.search(r"How many (\w+)", question)[1]].split()
    things = re.findall(r"\b(an?|two|three|four) (\w+)", question)
    return str(
        sum(
            counts[count]
            for count, thing in things
            if {thing, thing.removesuffix("s"), thing.removesuffix("es")} & {*stems}
        )
    )


def solve_date_understanding(question):
    known, day = re.match(r"(\w+) (?:is|was) (\w+ \d+, \d+)\.", question).groups()
    today = pd.Timestamp(datetime.strptime(day, "%b %d, %Y"))
    today -= pd.Timedelta(days={"Today": 0, "Yesterday": -1, "Tomorrow": 1}[known])
    when = re.search(r"the date (.+) in MM/DD", question)[1]
    count, unit, side = {"tomorrow": "1 day from", "yesterday": "1 day ago"}.get(
        when, when
    ).split()[:3]
    count = 1 if count == "a" else int(count)
    shift = pd.DateOffset(**{unit.rstrip("s") + "s": count})
    asked = today - shift if side == "ago" else today + shift
    return letter_of(question, asked.strftime("%m/%d/%Y"))


def solve_penguins_in_a_table(question):
    rows = re.findall(r"(\w+), (\d+), (\d+)", question)
    table = pd.DataFrame(rows, columns=["name", "age", "height"]).set_index("name")
    table = table.astype(int)
    if cell := re.search(r"the (age|height) of (\w+)\?", question):
        return letter_of(question, table.loc[cell[2], cell[1]])
    if over := re.search(r"have (age|height) over (\d+)", question):
        return letter_of(question, (table[over[1]] > int(over[2])).sum())
    column, largest = {
        "oldest": ("age", True),
        "youngest": ("age", False),
        "tallest": ("height", True),
        "shortest": ("height", False),
    }[re.search(r"is the (\w+)\?", question)[1]]
    best = table[column].idxmax() if largest else table[column].idxmin()
    return letter_of(question, best)


def solve_reasoning_about_colored_objects(question):
    row, asked = question.partition("\nOptions")[0].split(". ")
    things = re.findall(r"\ban? (\w+) (\w+)", row.partition(" lie ")[2])
    items = [item for _, item in things]
    if count := re.search(r"not (\w+)\?", asked):
        return letter_of(question, sum(color != count[1] for color, _ in things))
    item = re.search(r"(\w+)\?", asked)[1]
    step = 1 if "just right" in asked else -1 if "just left" in asked else 0
    assert 0 <= items.index(item) + step < len(items)
    return letter_of(question, things[items.index(item) + step][0])


def solve_hyperbaton(question):
    order = (
        "lovely ugly silly nice",
        "big small tiny huge",
        "old new ancient modern",
        "round square flat oval",
        "red blue green yellow black white",
        "French Greek Indian Polish",
        "wooden glass steel paper",
    )
    rank = {word: i for i, words in enumerate(order) for word in words.split()}
    noun = re.match(r"The (\w+)", question)[1]
    right = []
    for letter, phrase in options(question).items():
        *adjectives, last = phrase.split()
        ranks = [rank[a] for a in adjectives]
        assert last == noun and len(set(ranks)) == len(ranks)
        if ranks == sorted(ranks):
            right.append(letter)
    (letter,) = right
    return letter


@pytest.mark.parametrize("task", MICRO_BBH)
@pytest.mark.parametrize("split", MICRO_BBH_SPLITS)
def test_the_answer_follows_from_the_question(task, split):
    solve = globals()[f"solve_{task}"]
    for example in EXAMPLES[task, split]:
        assert solve(example.question) == example.answer, example.question


# -- steps


@pytest.mark.parametrize("task", MICRO_BBH)
def test_the_last_step_gives_the_answer(task):
    endings = {
        "true": "is True.",
        "false": "is False.",
        "valid": "conclusion follows.",
        "invalid": "does not follow.",
    }
    if task == "navigate":
        endings = {"yes": "is the start.", "no": "is not the start."}
    if task == "web_of_lies":
        endings = {"yes": "tells the truth.", "no": "lies."}
    for example in EXAMPLES[task, "train"]:
        last = example.steps[-1]
        assert example.rationale == " ".join(example.steps)
        assert "answer" not in example.rationale.lower()
        if MICRO_BBH[task].answer_type == "choice":
            text = options(example.question)[example.answer].lower()
            assert re.search(rf"\b{re.escape(text)}\b", last.lower()), last
        elif task == "word_sorting":
            first = re.findall(r"(\w+) (?:comes first|is left)\.", example.rationale)
            assert " ".join(first) == example.answer
        elif example.answer in endings:
            assert last.endswith(endings[example.answer])
        else:
            assert last.endswith(f" {example.answer}.")


def test_every_small_result_on_the_way_is_right():
    for task in ("multistep_arithmetic", "object_counting"):
        for example in EXAMPLES[task, "train"]:
            for step in example.steps:
                if "=" in step:
                    left, right = step.removesuffix(".").split(" = ")
                    assert eval(left) == int(right)
    for example in EXAMPLES["boolean_expressions", "train"]:
        for step in example.steps:
            left, right = step.removesuffix(".").split(" is ")
            assert str(eval(left)) == right
    for example in EXAMPLES["navigate", "train"]:
        ways = {
            "forward": (0, 1),
            "backward": (0, -1),
            "left": (-1, 0),
            "right": (1, 0),
        }
        x = y = 0
        for step in example.steps[:-1]:
            count, way, *at = re.findall(r"-?\w+", step)
            x, y = x + int(count) * ways[way][0], y + int(count) * ways[way][1]
            assert [x, y] == [int(n) for n in at]


# -- lists: fixed, apart, balanced, short, of few words


@pytest.mark.parametrize("task", MICRO_BBH)
def test_the_same_arguments_give_the_same_list(task):
    examples = load_micro_bbh(task, "test", SIZE)
    assert load_micro_bbh(task, "test", SIZE) == examples
    assert load_task(f"micro_bbh_{task}", "test", 11) == examples[:11]
    assert load_micro_bbh(task, "test", 11, seed=1) != examples[:11]
    assert [e.index for e in examples] == list(range(SIZE))


@pytest.mark.parametrize("task", MICRO_BBH)
def test_no_question_is_in_two_splits_whatever_the_seeds(task):
    bodies = {}
    for split in MICRO_BBH_SPLITS:
        lists = [load_micro_bbh(task, split, SIZE, seed=seed) for seed in (1, 2)]
        for examples in (*lists, EXAMPLES[task, split]):
            asked = [e.question.partition("\nOptions:")[0] for e in examples]
            assert len(set(asked)) == SIZE
            for body in asked:
                assert bodies.setdefault(body, split) == split


def test_a_space_that_is_used_up_says_so_and_its_splits_stay_apart():
    """A small space, boolean expressions of two operators, to its last question."""
    name, easy = "boolean_expressions", (1,)
    with pytest.raises(UserError, match=r"test has about \d+ questions") as caught:
        load_micro_bbh(name, "test", 5_000, difficulty=easy)
    most = int(re.search(r"about (\d+)", str(caught.value))[1])
    found = {
        split: {e.question for e in load_micro_bbh(name, split, size, difficulty=easy)}
        for split, size in (("test", most), ("dev", 200), ("train", 2_000))
    }
    assert len(found["test"]) == most > 300
    assert not found["test"] & (found["train"] | found["dev"])
    assert not found["train"] & found["dev"]


@pytest.mark.parametrize("task", MICRO_BBH)
@pytest.mark.parametrize("split", MICRO_BBH_SPLITS)
def test_answers_and_difficulties_are_balanced(task, split):
    made, examples = MICRO_BBH[task], EXAMPLES[task, split]
    levels = Counter(e.template for e in examples)
    assert set(levels) == {f"difficulty_{n + 1}" for n in range(made.hardest)}
    assert min(levels.values()) > 0.6 * SIZE / made.hardest
    answers = Counter(e.answer for e in examples)
    if made.answers == (None,):
        assert max(answers.values()) < 0.25 * SIZE
        return
    for level in levels:
        of_level = Counter(e.answer for e in examples if e.template == level)
        assert set(of_level) == set(made.answers)
        assert max(of_level.values()) - min(of_level.values()) <= 1


@pytest.mark.parametrize("task", MICRO_BBH)
def test_unless_asked_for_the_hardest_are_left_out(task):
    examples = load_micro_bbh(task, "dev", 60)
    assert {e.template for e in examples} == {"difficulty_1", "difficulty_2"}


def split_words(text: str) -> list[str]:
    """The text's words, numbers and single marks, in order."""
    return re.findall(r"[A-Za-z]+|\d+|[^\w\s]", text)


def test_it_is_told_in_few_words_and_short_numbers():
    used = {
        word
        for (task, _), examples in EXAMPLES.items()
        for example in [*examples, *load_micro_bbh(task, "train", 1_000, seed=3)]
        for word in split_words(f"{example.question} {example.rationale}")
    }
    words = {word for word in used if not word.isdigit()}
    assert len(words) < 400
    numbers = {word for word in used if word.isdigit()}
    assert all(len(n) <= 3 or 2010 <= int(n) <= 2021 for n in numbers)


@pytest.mark.parametrize("task", MICRO_BBH)
def test_questions_and_few_shot_prompts_are_short(task):
    pool = [(e, e.rationale) for e in EXAMPLES[task, "train"]]
    for example in EXAMPLES[task, "test"]:
        assert len(split_words(example.question)) <= LONGEST_QUESTION
        shown = draw_demonstrations(pool, example, 4, seed=0)
        prompt = build_prompt(example.question, "few_shot_answer_only", shown)
        assert len(split_words(prompt)) < LONGEST_PROMPT


# -- answers and formats, here and in the real BBH


def check_targets(example, pool):
    """Every format's target is read back as the exact answer."""
    assert canonical(example.answer, example.answer_type) == example.answer
    for prompt_format in PROMPT_FORMATS:
        shown = []
        if is_few_shot(prompt_format):
            shown = draw_demonstrations(pool, example, 3, seed=0)
        prompt = build_prompt(example.question, prompt_format, shown)
        assert prompt.count(example.question) == 1 and "\nA:" in prompt
        assert prompt.count("The answer is ") == len(shown)
        rationale = pool[example.index % len(pool)][1]
        if not prompt_format.endswith("_cot"):
            rationale = None
        target = build_target(example.answer, rationale)
        for text in (target, f"{target}\n{STOP_TEXT} {pool[0][0].question}\nA:"):
            found = extract_answer(text, example.answer_type)
            assert found == example.answer, (example.id, prompt_format, found)
            assert is_correct(found, example.answer, example.answer_type)


@pytest.mark.parametrize("task", MICRO_BBH)
def test_extractor_and_formats_serve_the_micro_task(task):
    pool = [(e, e.rationale) for e in EXAMPLES[task, "train"]]
    for example in EXAMPLES[task, "test"]:
        check_targets(example, pool)
        own = build_pair(example, "zero_shot_cot")
        assert extract_answer(own.target, example.answer_type) == example.answer
        spaced = " ".join(split_words(own.target))  # as a word-level tokenizer decodes
        assert extract_answer(spaced, example.answer_type) == example.answer


@needs_mirror
@pytest.mark.parametrize("task", MICRO_BBH)
def test_extractor_and_formats_serve_the_real_task(task):
    """Its prompts show micro demonstrations: the real questions are all for testing."""
    pool = [(e, e.rationale) for e in EXAMPLES[task, "train"]]
    assert real_names(task)
    for name in real_names(task):
        real = load_task(f"bbh_{name}", "test")
        assert len(real) > 100
        for example in real:
            assert example.answer_type == MICRO_BBH[task].answer_type
            check_targets(example, pool)


def test_the_registry_knows_every_task():
    assert {f"micro_bbh_{task}" for task in MICRO_BBH} <= set(task_names())
    assert len(MICRO_BBH) == 15 and all(real_names(task) for task in MICRO_BBH)
    for task, made in MICRO_BBH.items():
        assert {BBH_ANSWER_TYPES[name] for name in real_names(task)} == {
            made.answer_type
        }


@pytest.mark.parametrize(
    ("task", "split", "size", "difficulty", "message"),
    [
        ("causal_judgement", "test", 5, None, "micro-BBH has no task"),
        ("navigate", "test_ood", 5, None, "no split 'test_ood'"),
        ("navigate", "test", 0, None, "expected 1 or more"),
        ("navigate", "test", 5, (4,), "numbers from 1 to 3"),
        ("navigate", "test", 5, (), "numbers from 1 to 3"),
        ("navigate", "test", 5, 2, "expected a list"),
    ],
)
def test_wrong_use_is_one_clear_line(task, split, size, difficulty, message):
    with pytest.raises(UserError, match=message) as caught:
        load_micro_bbh(task, split, size, difficulty=difficulty)
    assert "\n" not in str(caught.value)
