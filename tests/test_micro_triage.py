"""Micro-triage: exact cases, flows kept apart, and order scored by itself."""

import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise, permutations

import pytest

from cotnb.answers import extract_answer
from cotnb.errors import UserError
from cotnb.experiment import build_pairs
from cotnb.formats import build_pair, draw_demonstrations
from cotnb.ladder.tokenizer import train_tokenizer
from cotnb.tasks import load_task
from cotnb.tasks.flows import flow_of, flow_shares, follows_flow, verify_flow
from cotnb.tasks.micro_triage import (
    ACTS,
    FLOWS,
    FLOWS_OF_SIX,
    SIX_STEPS,
    STEPS,
    flows_to_tune_on,
    in_flow,
    in_flows,
    load_micro_triage,
    next_act,
)
from cotnb.tasks.micro_world import load_micro_world

SIZE = 480
EXAMPLES = {split: load_micro_triage(split, SIZE) for split in FLOWS}
OF_FLOWS_OF_TEST = ("test", "test_ood")
FALL = replace(
    EXAMPLES["test"][0],
    question="I have nausea. I had a fall. I take a cream. There is a rash.",
    answer="image",
    steps=(
        "Symptom: nausea.",
        "History: a fall.",
        "Medication: a cream.",
        "Signs: a rash.",
        "Next: a fall, so image.",
    ),
)
RIGHT = " ".join(FALL.steps)


@pytest.mark.parametrize("split", FLOWS)
def test_the_same_arguments_give_the_same_list(split):
    assert load_task("micro_triage", split, SIZE) == EXAMPLES[split]
    assert load_micro_triage(split, 11) == EXAMPLES[split][:11]
    assert load_micro_triage(split, 11, seed=1) != EXAMPLES[split][:11]


def test_no_flow_of_a_test_is_one_of_training_or_dev():
    assert sorted(FLOWS["demonstrations"]) == sorted(permutations(STEPS))
    for split in FLOWS:
        assert {flow_of(e)[:-1] for e in EXAMPLES[split]} == set(FLOWS[split])
    apart = [set(FLOWS[split]) for split in ("train", "dev", "test")]
    assert sum(map(len, apart)) == len(set.union(*apart)) == 24
    for split in OF_FLOWS_OF_TEST:
        assert not {e.group for e in EXAMPLES[split]} & {
            e.group for e in EXAMPLES["train"] + EXAMPLES["dev"]
        }


def test_a_flow_is_new_as_a_whole_and_not_in_its_parts():
    for split in ("train", "dev", "test"):
        for place in range(4):
            here = Counter(flow[place] for flow in FLOWS[split])
            assert set(here) == set(STEPS) and len(set(here.values())) == 1
    neighbours = {pair for flow in FLOWS["train"] for pair in pairwise(flow)}
    assert neighbours == set(permutations(STEPS, 2))


def test_no_question_is_in_two_splits():
    asked = {split: {e.question for e in EXAMPLES[split]} for split in FLOWS}
    assert all(len(questions) == SIZE for questions in asked.values())
    again = {e.question for e in load_micro_triage("train", SIZE, seed=1)}
    train = asked["train"] | asked["demonstrations"] | again
    for split in ("dev", "test", "test_same_flows", "test_ood"):
        assert not train & asked[split]
    assert not asked["dev"] & asked["test"]


def test_held_out_sentences_are_in_test_ood_alone():
    said = {split: {s for e in EXAMPLES[split] for s in _said(e)} for split in FLOWS}
    for split in FLOWS:
        names = {name for e in EXAMPLES[split] for name in e.template.split("+")}
        held_out = {name.startswith("ood_") for name in names}
        assert held_out == {split == "test_ood"}
        assert len(said[split]) == len(names)
        assert (said[split] == said["train"]) == (split != "test_ood")
    assert not said["train"] & said["test_ood"]


def _said(example):
    """The question's sentences without its facts."""
    facts = [step[:-1].split(": ")[1] for step in example.steps[:-1]]
    pattern = "|".join(sorted(facts, key=len, reverse=True))
    return re.split(r"(?<=[.?]) ", re.sub(pattern, "FACT", example.question))


@pytest.mark.parametrize("split", FLOWS)
def test_answers_and_flows_are_balanced_and_facts_are_shuffled(split):
    answers = Counter(e.answer for e in EXAMPLES[split])
    flows = Counter(e.group for e in EXAMPLES[split])
    assert answers == dict.fromkeys(ACTS, SIZE // 4)
    assert set(flows.values()) == {SIZE // len(FLOWS[split])}
    told = [_order_in_the_question(e) for e in EXAMPLES[split]]
    assert len(set(told)) == 24
    as_in_the_flow = sum(
        ", ".join(order) == e.group
        for order, e in zip(told, EXAMPLES[split], strict=True)
    )
    assert as_in_the_flow < SIZE / 8


def _order_in_the_question(example):
    return tuple(n.split("_")[-2] for n in example.template.split("+"))[1:-1]


@pytest.mark.parametrize("split", FLOWS)
def test_every_fact_and_the_answer_follow_from_the_question(split):
    urgent = {"image": "history", "test": "medication", "listen": "symptom"}
    for example in EXAMPLES[split]:
        said = dict(step[:-1].split(": ") for step in example.steps)
        facts = {step: said[step.capitalize()] for step in STEPS}
        assert all(example.question.count(fact) == 1 for fact in facts.values())
        act, reason = next_act(facts)
        assert (act, f"{reason}, so {act}") == (example.answer, said["Next"])
        assert reason == facts[urgent.get(act, "signs")]


def test_the_most_urgent_act_is_done_and_one_there_must_be():
    facts = {"history": "a fall", "medication": "insulin", "symptom": "a cough"}
    facts["signs"] = "a rash"
    order = []
    for step in ("history", "medication", "symptom"):
        order.append(next_act(facts)[0])
        facts[step] = "nothing"
    assert (*order, next_act(facts)[0]) == ACTS
    with pytest.raises(ValueError, match="no fact asks"):
        next_act(facts | {"signs": "pale skin"})


@pytest.mark.parametrize("split", FLOWS)
def test_every_exact_rationale_follows_and_states_the_answer(split):
    for example in EXAMPLES[split]:
        text = build_pair(example, "zero_shot_cot").target
        verdict = verify_flow(example, text)
        assert verdict.followed and verdict.facts_right
        assert (verdict.completeness, verdict.order) == (1, 1)
        assert extract_answer(text, "text") == example.answer
    texts = [example.rationale for example in EXAMPLES[split]]
    shares = flow_shares(EXAMPLES[split], texts)
    assert shares == {"right": 1, "completeness": 1, "order": 1}


@pytest.mark.parametrize("split", FLOWS)
def test_every_other_order_is_told_from_the_flow(split):
    for example in EXAMPLES[split][:40]:
        for order in permutations(example.steps):
            verdict = verify_flow(example, " ".join(order))
            assert verdict.followed == (order == example.steps)
            assert verdict.completeness == 1 and verdict.facts_right
            assert (verdict.order == 1) == verdict.followed


def test_six_facts_have_720_flows_of_which_tests_have_their_own():
    assert sorted(FLOWS_OF_SIX["demonstrations"]) == sorted(permutations(SIX_STEPS))
    counts = [len(set(FLOWS_OF_SIX[split])) for split in ("train", "dev", "test")]
    assert counts == [600, 60, 60]
    apart = [set(FLOWS_OF_SIX[split]) for split in ("train", "dev", "test")]
    assert len(set.union(*apart)) == 720
    for split in ("train", "test", "test_ood"):
        flows = {e.group for e in load_task("micro_triage_six", split, 720)}
        assert flows == {", ".join(flow) for flow in FLOWS_OF_SIX[split]}
    with pytest.raises(UserError, match="facts is 5; expected 4 or 6"):
        load_micro_triage("train", 1, facts=5)


@pytest.mark.parametrize("split", FLOWS)
def test_of_six_facts_each_is_told_once_and_two_ask_for_nothing(split):
    for example in load_task("micro_triage_six", split, 120):
        said = dict(step[:-1].split(": ") for step in example.steps)
        facts = {step: said[step.capitalize()] for step in SIX_STEPS}
        assert all(example.question.count(fact) == 1 for fact in facts.values())
        four = {step: facts[step] for step in STEPS}
        assert next_act(facts) == next_act(four)
        assert example.answer == next_act(four)[0]
        assert verify_flow(example, example.rationale).followed


def test_a_case_can_be_solved_in_another_flow():
    for task, flows in (("micro_triage", FLOWS), ("micro_triage_six", FLOWS_OF_SIX)):
        for example in load_task(task, "train", 20):
            other = in_flow(example, flows["test"][0])
            assert flow_of(other) == (*flows["test"][0], "next")
            assert other.group == ", ".join(flows["test"][0])
            assert sorted(other.steps) == sorted(example.steps)
            assert other.rationale == " ".join(other.steps)
            back = in_flow(other, flow_of(example)[:-1])
            assert back == example
    with pytest.raises(UserError, match=r"expected symptom, .*; got symptom, history"):
        in_flow(FALL, ("symptom", "history"))


def test_more_flows_to_tune_on_hold_the_fewer():
    few, many = flows_to_tune_on("16, 600", seed=3).values()
    assert (len(set(few)), len(set(many))) == (16, 600)
    assert many[:16] == few and set(many) == set(FLOWS_OF_SIX["train"])
    assert flows_to_tune_on("16", seed=3) == {16: few}
    assert flows_to_tune_on("16", seed=4) != {16: few}
    cases = load_task("micro_triage_six", "train", 40)
    told = in_flows(cases, few)
    assert [flow_of(e)[:-1] for e in told] == [*few, *few, *few][:40]
    assert [e.question for e in told] == [e.question for e in cases]


@pytest.mark.parametrize(
    "numbers", ["", "16,", "0", "601", "x", "1.5", "-2", "4, 4", "4, 04"]
)
def test_numbers_of_flows_that_cannot_be_are_refused(numbers):
    with pytest.raises(UserError, match="expected numbers from 1 to 600, each once"):
        flows_to_tune_on(numbers)


@pytest.mark.parametrize(
    ("rationale", "kind", "completeness", "order"),
    [
        (RIGHT, "right", 1, 1),
        (RIGHT.lower().replace(":", " :"), "right", 1, 1),
        (RIGHT.replace("nausea", "a cough"), "wrong_fact", 1, 1),
        (RIGHT.replace("so image", "so test"), "wrong_fact", 1, 1),
        (" ".join(FALL.steps[::-1]), "other_order", 1, 0),
        (
            " ".join([FALL.steps[1], FALL.steps[0], *FALL.steps[2:]]),
            "tuned_flow",
            1,
            0.9,
        ),
        (" ".join(FALL.steps[1:]), "incomplete", 0.8, 0.6),
        (" ".join(FALL.steps[:-1]), "incomplete", 0.8, 0.6),
        (f"{RIGHT} {FALL.steps[0]}", "incomplete", 1, 1),
        (FALL.steps[3], "incomplete", 0.2, 0),
        ("It is an image.", "incomplete", 0, 0),
    ],
)
def test_verdicts_on_one_case(rationale, kind, completeness, order):
    tuned = [("history", "symptom", "medication", "signs", "next")]
    shares = flow_shares([FALL], [rationale], tuned)
    assert shares == {kind: 1, "completeness": completeness, "order": order}
    assert follows_flow(FALL, rationale) == (kind in ("right", "wrong_fact"))


@pytest.mark.parametrize("place", range(4))
def test_a_swap_of_neighbours_is_one_pair_out_of_order(place):
    steps = list(FALL.steps)
    steps[place : place + 2] = reversed(steps[place : place + 2])
    assert verify_flow(FALL, " ".join(steps)).out_of_order == 1
    assert verify_flow(FALL, " ".join(reversed(FALL.steps))).out_of_order == 10


def test_shares_are_of_all_texts():
    shares = flow_shares([FALL] * 4, [RIGHT, RIGHT, FALL.steps[0], ""])
    assert shares == {
        "right": 0.5,
        "incomplete": 0.5,
        "completeness": pytest.approx(0.55),
        "order": 0.5,
    }


def test_demonstrations_share_the_cases_flow():
    pool = [(e, e.rationale) for e in EXAMPLES["demonstrations"]]
    for split in ("test", "test_same_flows", "test_ood"):
        for example in EXAMPLES[split][:60]:
            for shown in draw_demonstrations(pool, example, 3, seed=0):
                assert follows_flow_of(example, shown.rationale)
    solved = [(e, e.rationale) for e in EXAMPLES["train"]]
    for pair, (example, _) in zip(
        build_pairs(solved, "few_shot_cot"), solved, strict=True
    ):
        shown = pair.prompt.split("Q: ")[1:-1]
        assert len(shown) == 3
        assert all(follows_flow_of(example, text) for text in shown)


def follows_flow_of(example, text):
    return verify_flow(example, text).written == flow_of(example)


def test_a_pool_without_the_flow_is_refused():
    pool = [(e, e.rationale) for e in EXAMPLES["train"]]
    with pytest.raises(UserError, match=r"the pool has 0 of the group 'symptom, "):
        draw_demonstrations(pool, replace(FALL, group="symptom, signs"), 3, seed=0)


def test_a_case_is_short_in_the_ladders_tokens():
    tokenizer = train_tokenizer()
    solved = [(e, e.rationale) for e in EXAMPLES["demonstrations"][:240]]
    pairs = build_pairs(solved, "few_shot_cot", demonstrations=1)
    read = [len(ids) for ids in tokenizer([p.prompt for p in pairs])["input_ids"]]
    written = [len(ids) for ids in tokenizer([p.target for p in pairs])["input_ids"]]
    assert sum(read) / len(read) < 180 and max(written) < 80


def test_wrong_use_is_one_clear_line():
    with pytest.raises(UserError, match="no split 'training'"):
        load_micro_triage("training", 5)
    with pytest.raises(UserError, match="expected 1 or more"):
        load_micro_triage("train", 0)
    for steps in (None, ("Symptom: nausea.",), ("A: x.", "y."), ("A: x.", "A: y.")):
        with pytest.raises(UserError, match="two or more exact steps") as caught:
            verify_flow(replace(FALL, steps=steps), RIGHT)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="exact steps"):
        flow_of(load_micro_world("test", 1)[0])
