"""Micro coin flip: exact, balanced, and no right answer by a wrong step."""

import re
from collections import Counter
from dataclasses import replace

import pytest

from cotnb.errors import UserError
from cotnb.tasks.micro_coin_flip import (
    load_micro_coin_flip,
    tells_every_side,
    verify_coin_flip,
)
from cotnb.tasks.micro_world import SPLITS, load_micro_world

SIZE = 500
EXAMPLES = {split: load_micro_coin_flip(split, SIZE) for split in SPLITS}
OTHER = {"heads": "tails", "tails": "heads"}
THREE = replace(
    EXAMPLES["test"][0],
    question="A coin lies heads up. Ann flips the coin. Ben does not flip the coin. "
    "Max turns the coin over. Is the coin still heads up?",
    answer="yes",
    steps=(
        "Ann flips the coin, so it is tails up.",
        "Ben does not flip the coin, so it is still tails up.",
        "Max flips the coin, so it is heads up.",
    ),
)


@pytest.mark.parametrize("split", SPLITS)
def test_the_same_arguments_give_the_same_list(split):
    assert load_micro_coin_flip(split, SIZE) == EXAMPLES[split]
    assert load_micro_coin_flip(split, 11) == EXAMPLES[split][:11]
    assert load_micro_coin_flip(split, 11, seed=1) != EXAMPLES[split][:11]


def test_no_question_is_asked_twice():
    asked = [e.question for split in SPLITS for e in EXAMPLES[split]]
    assert len(set(asked)) == len(asked) == SIZE * len(SPLITS)
    again = {e.question for e in load_micro_coin_flip("train", SIZE, seed=1)}
    assert not again & {e.question for e in EXAMPLES["test"] + EXAMPLES["dev"]}


@pytest.mark.parametrize("split", SPLITS)
def test_answers_and_lengths_are_balanced(split):
    answers = Counter(e.answer for e in EXAMPLES[split])
    lengths = Counter(len(e.steps) for e in EXAMPLES[split])
    assert answers == {"yes": SIZE // 2, "no": SIZE // 2}
    assert set(lengths) == {1, 2, 3, 4, 5, 6}
    assert max(lengths.values()) - min(lengths.values()) <= 1


@pytest.mark.parametrize("split", SPLITS)
def test_the_answer_follows_from_the_question(split):
    """Plays each question again from its own words."""
    for example in EXAMPLES[split]:
        first, *middle, last = re.split(r"(?<=[.?]) ", example.question)
        side = re.search("heads|tails", first)[0]
        for sentence, step in zip(middle, example.steps, strict=True):
            stays = re.search("does not|leaves", sentence)
            side = side if stays else OTHER[side]
            assert side in step and OTHER[side] not in step
        asked = re.search("heads|tails", last)[0]
        assert example.answer == ("yes" if asked == side else "no")


def test_held_out_texts_are_in_test_ood_alone():
    for split in SPLITS:
        names = [name for e in EXAMPLES[split] for name in e.template.split("+")]
        held_out = {name.startswith("ood_") for name in names}
        assert held_out == {split == "test_ood"}


@pytest.mark.parametrize("split", SPLITS)
def test_every_exact_rationale_passes(split):
    for example in EXAMPLES[split]:
        verdict = verify_coin_flip(example, example.rationale)
        assert verdict.error_kind is None
        assert len(verdict.stated) == len(example.steps)


def test_a_wrong_side_is_caught_though_the_answer_is_right():
    for example in EXAMPLES["test"]:
        if len(example.steps) > 1:
            first = re.sub("heads|tails", lambda m: OTHER[m[0]], example.steps[0])
            rationale = " ".join([first, *example.steps[1:]])
            verdict = verify_coin_flip(example, rationale)
            assert verdict.answer_correct
            assert verdict.error_kind == "wrong_side"


def test_a_dropped_flip_is_a_missing_step():
    for example in EXAMPLES["test"]:
        for dropped, step in enumerate(example.steps):
            kept = example.steps[:dropped] + example.steps[dropped + 1 :]
            kind = verify_coin_flip(example, " ".join(kept)).error_kind
            if "not flip" not in step:
                assert kind == ("missing_step" if kept else "no_steps")
            else:
                assert kind == (None if kept else "no_steps")


@pytest.mark.parametrize(
    ("rationale", "kind", "answer_correct"),
    [
        ("Ann flips it to tails, Max flips it to heads.", None, True),
        ("The coin starts heads up. Ann: tails. Ben: tails. Max: heads.", None, True),
        (
            "Ann flips it, so it is not heads. Max flips it from tails to heads.",
            None,
            1,
        ),
        ("Flipped by Ann and Max, so flipped 2 times: it is heads up.", None, True),
        ("The coin was flipped twice, so it is heads up.", None, True),
        ("The coin was flipped 4 times, so it is heads up.", "wrong_side", True),
        ("Ann flips it: heads. Ben: heads. Max does not: heads.", "wrong_side", True),
        ("Ann flips it: tails. Ben leaves it: tails.", "missing_step", False),
        ("Max flips the coin, so it is heads up.", "missing_step", True),
        ("Ann: tails. Ben: tails. Max: tails.", "wrong_side", False),
        ("Yes.", "no_steps", False),
    ],
)
def test_verdicts_on_one_question(rationale, kind, answer_correct):
    verdict = verify_coin_flip(THREE, rationale)
    assert verdict.error_kind == kind
    assert verdict.answer_correct == answer_correct


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{' '.join(THREE.steps)} The answer is yes.", True),
        (f"{' '.join(THREE.steps)} The answer is no.", False),
        (" ".join(THREE.steps), False),
        (f"{' '.join(THREE.steps[1:])} The answer is yes.", False),
        ("Ann: heads. Ben: heads. Max: heads. The answer is yes.", False),
        ("The answer is yes.", False),
    ],
)
def test_a_right_answer_counts_where_every_side_is_told_right(text, told):
    assert tells_every_side(THREE, text) == told


def test_wrong_use_is_one_clear_line():
    with pytest.raises(UserError, match="expected one of"):
        load_micro_coin_flip("training", 5)
    with pytest.raises(UserError, match="from 1 to 6"):
        load_micro_coin_flip("train", 5, steps=(9,))
    with pytest.raises(UserError, match="ask for fewer"):
        load_micro_coin_flip("test", 5000, steps=(1,))
    with pytest.raises(UserError, match="micro_coin_flip alone"):
        verify_coin_flip(load_micro_world("test", 1)[0], "heads")
