"""Looking up a letter: the list has the answer, and every list's answers vary."""

import re
from collections import Counter

import pytest

from cotnb.answers import extract_answer, is_correct
from cotnb.errors import UserError
from cotnb.formats import build_pair
from cotnb.tasks import load_task
from cotnb.tasks.micro_look_up import CHOICES, load_micro_look_up

EXAMPLES = load_micro_look_up("test", 300)


def test_the_letter_has_what_is_asked_for():
    for example in EXAMPLES:
        asked = re.match(r"Which letter has (.*)\?\n", example.question)[1]
        assert f"({example.answer}) {asked}" in example.question.splitlines()


def test_all_tasks_with_letters_and_all_letters_come():
    assert {e.template for e in EXAMPLES} == {f"micro_bbh_{t}" for t in CHOICES}
    assert min(Counter(e.answer for e in EXAMPLES).values()) > 60


def test_lists_are_reproducible_and_a_smaller_one_is_the_beginning():
    assert load_task("micro_look_up", "test", 300) == EXAMPLES
    assert load_task("micro_look_up", "test", 11) == EXAMPLES[:11]
    assert load_task("micro_look_up", "test", 11, seed=1) != EXAMPLES[:11]


def test_it_is_asked_in_the_words_of_the_mixture():
    asked = EXAMPLES[0]
    pair = build_pair(asked, "zero_shot_answer_only")
    assert pair.prompt == f"Q: {asked.question}\nA:"
    assert pair.target == f"The answer is ({asked.answer})."
    stated = extract_answer(pair.target, "choice")
    assert is_correct(stated, asked.answer, "choice")


def test_bad_arguments_are_named():
    with pytest.raises(UserError, match="no split 'training'"):
        load_micro_look_up("training", 5)
    with pytest.raises(UserError, match="size is 0"):
        load_micro_look_up("train", 0)
