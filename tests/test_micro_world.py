"""Micro-world: the same list every time, apart from the other splits, and all exact."""

import re
from collections import Counter
from itertools import pairwise

import pytest

from cotnb.errors import UserError
from cotnb.tasks.micro_renumbered import load_renumbered
from cotnb.tasks.micro_templates import OPERAND_WORDS, TEMPLATES
from cotnb.tasks.micro_world import (
    AMBIGUOUS,
    SPLITS,
    load_micro_world,
    split_of,
)
from cotnb.tasks.verifier import verify

SIZE = 500
EXAMPLES = {split: load_micro_world(split, SIZE) for split in SPLITS}
EQUATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")
HELD_OUT = {template.name for template in TEMPLATES if template.held_out}


@pytest.mark.parametrize("split", SPLITS)
def test_the_same_arguments_give_the_same_list(split):
    assert load_micro_world(split, SIZE) == EXAMPLES[split]
    assert load_micro_world(split, 10) == EXAMPLES[split][:10]
    assert load_micro_world(split, 10, seed=1) != EXAMPLES[split][:10]


def test_a_list_does_not_depend_on_the_process():
    assert EXAMPLES["train"][0].question == (
        "Ben fills 3 sacks with 3 rings each. A friend takes 3 rings from him. How "
        "many rings does Ben have left?"
    )


def test_no_question_is_asked_twice_even_over_seeds():
    other_seed = {split: load_micro_world(split, SIZE, seed=1) for split in SPLITS}
    asked = {
        split: {e.question for e in EXAMPLES[split] + other_seed[split]}
        for split in SPLITS
    }
    for split in SPLITS:
        assert len({e.question for e in EXAMPLES[split]}) == SIZE
    assert len(set.union(*asked.values())) == sum(map(len, asked.values()))


@pytest.mark.parametrize("split", SPLITS)
def test_held_out_templates_are_in_test_ood_alone(split):
    used = {name for e in EXAMPLES[split] for name in e.template.split("+")}
    assert used
    if split == "test_ood":
        assert used == HELD_OUT
    else:
        assert not used & HELD_OUT


def test_every_template_is_used():
    large = load_micro_world("train", 3000)
    used = {name for e in large for name in e.template.split("+")}
    assert used == {template.name for template in TEMPLATES if not template.held_out}


def test_templates_are_many_and_distinct():
    seen = [template for template in TEMPLATES if not template.held_out]
    for op in "+-*/":
        assert len({t.text for t in seen if t.op == op}) >= 8
    assert len({t.text for t in TEMPLATES}) == len(TEMPLATES)
    assert len({t.name for t in TEMPLATES}) == len(TEMPLATES)
    for template in seen:
        if template.op and template.kind not in ("open_groups", "groups", "ask_join"):
            assert template.operand or "{n}" in template.text


@pytest.mark.parametrize("split", SPLITS)
def test_every_step_is_one_true_equation_within_0_to_99(split):
    for example in EXAMPLES[split]:
        for step in example.steps:
            assert step.count("=") == 1 and step.endswith(".")
            left, op, right, result = EQUATION.search(step).groups()
            assert (int(left), op, int(right)) not in AMBIGUOUS
            exact = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}
            if op == "/":
                assert int(result) * int(right) == int(left)
            else:
                assert exact[op](int(left), int(right)) == int(result)
        numbers = re.findall(r"\d+", f"{example.question} {example.rationale}")
        assert all(0 <= int(number) <= 99 for number in numbers)
        assert example.answer == result
        assert example.rationale == " ".join(example.steps)


@pytest.mark.parametrize("split", SPLITS)
def test_operands_come_from_the_question_or_an_earlier_step(split):
    words = {"twice": 2, "doubles": 2, "half": 2, "third": 3, "quarter": 4}
    for example in EXAMPLES[split]:
        known = set(re.findall(r"\d+", example.question))
        known |= {
            str(n) for word, n in words.items() if word in example.question.lower()
        }
        for step in example.steps:
            left, _, right, result = EQUATION.search(step).groups()
            assert {left, right} <= known, (example.question, step)
            known.add(result)


@pytest.mark.parametrize("split", SPLITS)
def test_all_operations_and_all_step_counts_are_common(split):
    lengths = Counter(len(e.steps) for e in EXAMPLES[split])
    operations = Counter(
        EQUATION.search(step)[2] for e in EXAMPLES[split] for step in e.steps
    )
    assert set(lengths) == {1, 2, 3, 4, 5, 6}
    assert max(lengths.values()) - min(lengths.values()) <= 1
    assert set(operations) == set("+-*/")
    assert min(operations.values()) > 0.12 * operations.total()


def test_not_every_problem_is_a_chain():
    """Some step does not start from the result of the step before it."""
    long = [e for e in EXAMPLES["train"] if len(e.steps) >= 3]
    branching = 0
    for example in long:
        steps = [EQUATION.search(step).groups() for step in example.steps]
        branching += any(one[3] != other[0] for one, other in pairwise(steps))
    assert branching > 0.3 * len(long)


def split_words(text: str) -> list[str]:
    """The text's words, numbers and single marks, in order."""
    return re.findall(r"[A-Za-z]+|\d+|[^\w\s]", text)


def test_it_is_told_in_few_words():
    texts = [f"{e.question} {e.rationale}" for own in EXAMPLES.values() for e in own]
    words = {word for text in texts for word in split_words(text)}
    assert len({word for word in words if not word.isdigit()}) < 300


def test_training_shows_every_word_of_test_ood():
    def used(examples):
        return {w for e in examples for w in split_words(f"{e.question} {e.rationale}")}

    assert used(EXAMPLES["test_ood"]) <= used(load_micro_world("train", 5000))


def test_steps_choose_the_lengths():
    examples = load_micro_world("test", 50, steps=(2, 5))
    assert {len(e.steps) for e in examples} == {2, 5}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("validation", 5), "expected one of"),
        (("train", 0), "expected 1 or more"),
        (("train", 5, 0, (0, 1)), "from 1 to 6"),
        (("train", 5, 0, (7,)), "from 1 to 6"),
        (("train", 5, 0, ()), "from 1 to 6"),
    ],
)
def test_a_wrong_argument_is_one_clear_line(arguments, said):
    with pytest.raises(UserError, match=said) as error:
        load_micro_world(*arguments)
    assert "\n" not in str(error.value)


def test_copies_differ_in_numbers_alone():
    examples = load_renumbered("train", 100, copies=4)
    assert examples == load_renumbered("train", 100, copies=4)
    assert [e.index for e in examples] == list(range(100))
    assert len({e.question for e in examples}) == 100
    worded = [re.sub(r"\d+", "#", e.question) for e in examples]
    for begin in range(0, 100, 4):
        assert len(set(worded[begin : begin + 4])) == 1
    assert len(set(worded)) > 20


def test_copies_are_exact():
    """Each step is true, takes what the question says, and comes to the answer."""
    for example in load_renumbered("train", 200, copies=4):
        assert verify(example, example.rationale).error_kind is None
        assert split_of(example.question) == "train"
        assert example.rationale == " ".join(example.steps)
        found = EQUATION.findall(example.rationale)
        assert not AMBIGUOUS & {(int(a), op, int(b)) for a, op, b, _ in found}
        said = set(split_words(example.question.lower())) & set(OPERAND_WORDS)
        operands = {int(right) for _, _, right, _ in found}
        assert {OPERAND_WORDS[word] for word in said} <= operands
        # in the world no number is told that no step takes
        numbers = set(re.findall(r"\d+", example.question))
        assert numbers <= {n for left, _, right, _ in found for n in (left, right)}


def test_copies_that_cannot_be_had_are_refused_in_a_line():
    with pytest.raises(UserError, match="expected 1 or more"):
        load_renumbered("train", 8, copies=0)
    with pytest.raises(UserError, match="fewer copies"):
        load_renumbered("train", 3000, copies=3000, steps=(1,))
