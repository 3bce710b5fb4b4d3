"""What of a test set is in training: questions, templates, sentences."""

from dataclasses import replace

import pytest

from cotnb.errors import UserError
from cotnb.tasks import Example, load_task
from cotnb.tasks.leaks import leaks

PENS = Example(
    task="pens",
    split="train",
    index=0,
    question="Ann has 3 pens. She finds 4. How many?",
    answer="7",
    answer_type="number",
    template="has+finds+how_many",
)


def test_each_share_counts_what_it_says():
    other = replace(PENS, question="Ann has 9 pens. She loses 2. How many?")
    test = [
        replace(PENS, question=PENS.question.replace("3", "12")),
        replace(other, template="has+loses+how_many"),
        replace(other, template="finds+has+how_many"),
        replace(PENS, question="Bob has 1 pen.", template="has+finds+how_many"),
    ]
    assert leaks(test, [PENS]) == {
        "same question": 1 / 4,
        "same templates": 2 / 4,
        "known templates": 3 / 4,
        "same sentence": 7 / 10,
    }


def test_held_out_templates_do_not_leak_and_others_do():
    train = load_task("micro_world_multi_step", "train", 1000)
    seen = leaks(load_task("micro_world_multi_step", "test", 200), train)
    unseen = leaks(load_task("micro_world_multi_step", "test_ood", 200), train)
    assert seen["known templates"] == 1 and unseen["known templates"] == 0
    assert unseen["same templates"] == 0 < seen["same templates"]
    assert unseen["same sentence"] < 0.05 < 0.2 < seen["same sentence"]


def test_what_cannot_be_told_is_refused():
    with pytest.raises(UserError, match="no test questions"):
        leaks([], [PENS])


def test_where_no_template_is_named_words_alone_are_compared():
    nameless = replace(PENS, template=None)
    assert leaks([nameless], [PENS]) == {"same question": 1, "same sentence": 1}
    assert leaks([PENS], [nameless]) == {"same question": 1, "same sentence": 1}
