"""Formats: templates, demonstrations, and the round trip of a target."""

from dataclasses import replace

import pytest

from cotnb.errors import UserError
from cotnb.formats import (
    ANSWER_INSTRUCTION,
    COT_INSTRUCTION,
    COT_TRIGGER,
    PROMPT_FORMATS,
    Demonstration,
    build_pair,
    build_prompt,
    build_target,
    draw_demonstrations,
    is_few_shot,
)
from cotnb.tasks import Example

SHOWN = [Demonstration("One and one?", "1 + 1 = 2.", "2")]


def example(index: int, split: str = "train") -> Example:
    return Example("sums", split, index, f"{index} and 1?", str(index + 1), "number")


POOL = [(example(i), f"{i} + 1 = {i + 1}.") for i in range(6)]


def test_the_four_formats_differ_and_end_where_the_student_begins():
    prompts = {
        name: build_prompt("Two and two?", name, SHOWN if is_few_shot(name) else ())
        for name in PROMPT_FORMATS
    }
    assert len(set(prompts.values())) == 4
    assert prompts["zero_shot_cot"].endswith(f"A: {COT_TRIGGER}")
    assert prompts["zero_shot_answer_only"] == "Q: Two and two?\nA:"
    assert "1 + 1 = 2. The answer is 2." in prompts["few_shot_cot"]
    assert "1 + 1 = 2." not in prompts["few_shot_answer_only"]


def test_an_instruction_leads_the_prompt():
    asked = build_prompt("Two?", "zero_shot_cot", instruction=True)
    assert asked.startswith(COT_INSTRUCTION)
    asked = build_prompt("Two?", "zero_shot_answer_only", instruction=True)
    assert asked.startswith(ANSWER_INSTRUCTION)


@pytest.mark.parametrize(
    ("rationale", "target"),
    [(None, "The answer is -3."), ("5 - 8. ", "5 - 8. The answer is -3.")],
)
def test_a_target_closes_with_the_marked_answer(rationale, target):
    assert build_target("-3", rationale) == target


def test_demonstrations_never_hold_the_example_or_its_twin():
    twin = (Example("sums", "train", 99, "3 and 1?", "4", "number"), "twin")
    for seed in range(20):
        shown = draw_demonstrations([*POOL, twin], example(3), 5, seed)
        assert "3 and 1?" not in [demonstration.question for demonstration in shown]
        assert len({demonstration.question for demonstration in shown}) == 5


def test_the_draw_depends_on_seed_and_example_alone():
    first = draw_demonstrations(POOL, example(3), 3, seed=0)
    assert first == draw_demonstrations(POOL, example(3), 3, seed=0)
    draws = {str(draw_demonstrations(POOL, example(3), 3, seed=s)) for s in range(9)}
    assert len(draws) > 1


def test_a_test_item_is_never_shown():
    with pytest.raises(UserError, match="not from a test"):
        draw_demonstrations([(example(1, "test_ood"), "r")], example(0), 1, 0)


def test_demonstrations_are_of_the_examples_own_group():
    groups = "abc" * 4
    grouped = [replace(example(i), group=group) for i, group in enumerate(groups)]
    pool = [(one, one.group) for one in grouped] + POOL
    for one in grouped:
        shown = draw_demonstrations(pool, one, 3, seed=0)
        assert {demonstration.rationale for demonstration in shown} == {one.group}
    alone = draw_demonstrations(POOL, example(3), 3, seed=0)
    assert draw_demonstrations(pool, example(3), 3, seed=0) == alone
    with pytest.raises(UserError, match="the pool has 3 of the group 'a'"):
        draw_demonstrations(pool, grouped[0], 4, seed=0)


def test_a_pool_that_is_too_small_is_named():
    with pytest.raises(UserError, match="the pool has 5"):
        draw_demonstrations(POOL, example(3), 6, 0)


@pytest.mark.parametrize(
    ("name", "shown"), [("few_shot_cot", ()), ("zero_shot_cot", SHOWN)]
)
def test_demonstrations_must_fit_the_format(name, shown):
    with pytest.raises(UserError, match="few-shot formats need one"):
        build_prompt("Two?", name, shown)


def test_a_demonstration_of_a_chain_of_thought_has_one():
    bare = [*SHOWN[1:], replace(SHOWN[0], rationale="")]
    with pytest.raises(UserError, match="few_shot_cot: a demonstration has no ration"):
        build_prompt("Two?", "few_shot_cot", bare)
    assert build_prompt("Two?", "few_shot_answer_only", bare)


def test_an_unknown_format_is_named():
    with pytest.raises(UserError, match="expected one of few_shot_cot"):
        build_prompt("Two?", "zero_shot")


def test_a_cot_pair_needs_a_rationale_and_an_answer_only_pair_drops_it():
    with pytest.raises(UserError, match="needs a rationale"):
        build_pair(example(1), "zero_shot_cot")
    assert (
        build_pair(example(1), "zero_shot_answer_only", "r").target
        == "The answer is 2."
    )
    assert build_pair(example(1), "zero_shot_cot", "r").target == "r The answer is 2."
