"""Alignment: exact where characters settle it, no worse than the recurrence, fast."""

import os
import random
import time
from itertools import pairwise

import numpy as np
import pytest
from tokenizers import normalizers
from transformers import AutoTokenizer

from benchmarks.alignment import (
    misplaced,
    published_recurrence,
    real_rationales,
    t5_style_tokenizer,
    two_tokenizations,
)
from cotnb.errors import UserError
from cotnb.ladder.tokenizer import train_tokenizer
from cotnb.tasks import load_task
from cotnb.training.alignment import (
    align,
    cheapest_path,
    edit_costs,
    edits,
    token_texts,
)

TIMES_AS_FAST = 50


def cut(rng: random.Random, text: str) -> list[str]:
    """A text in pieces of one to six characters."""
    pieces = []
    while text:
        length = rng.randint(1, 6)
        pieces.append(text[:length])
        text = text[length:]
    return pieces


def drawn(rng: random.Random) -> str:
    return "".join(rng.choice("abcd e") for _ in range(rng.randint(1, 60)))


@pytest.fixture(scope="module")
def micro_world():
    """Rationales in the ladder's tokens, and in those of a T5-style tokenizer."""
    texts = [example.rationale for example in load_task("micro_world", "train", 300)]
    return two_tokenizations(texts, train_tokenizer())


@pytest.fixture(scope="module")
def real():
    """Real rationales in SmolLM2's tokens, and in those of a T5-style tokenizer."""
    folder = os.environ.get("COTNB_SMOLLM2")
    if not folder:
        pytest.skip("COTNB_SMOLLM2 does not name a folder with SmolLM2's tokenizer")
    try:
        texts = real_rationales()
    except UserError as error:
        pytest.skip(str(error))
    return two_tokenizations(texts, AutoTokenizer.from_pretrained(folder))


def test_tokens_of_the_same_place_are_partners_and_others_share_characters():
    teacher = ["We", "ng", " babys", "at", " for", " $", "12", "."]
    student = ["W", "eng", " baby", "s", "at", " for", " $12", "."]
    found = align(teacher, student)
    assert found.partner.tolist() == [-1, -1, -1, -1, 3, 4, -1, 7]
    assert found.pairs == [
        (0, 0), (1, 1), (2, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 6), (7, 7),
    ]  # fmt: skip


def test_the_published_path_is_cheaper_where_it_pairs_tokens_of_different_places():
    """So no alignment is both exact and never dearer, by the recurrence's own count."""
    teacher, student = [" babys", "at"], [" baby", "s", "at"]
    cost, pairs = published_recurrence(teacher, student)
    exact = align(teacher, student).pairs
    assert cost == 3 and sum(edits(teacher[i], student[j]) for i, j in exact) == 5
    assert misplaced(pairs, teacher, student) == 1
    assert misplaced(exact, teacher, student) == 0


def test_of_texts_that_differ_the_path_costs_what_the_published_one_does():
    rng = random.Random(0)
    for _ in range(300):
        source, target = cut(rng, drawn(rng)), cut(rng, drawn(rng) + "!")
        cost, _ = published_recurrence(source, target)
        for pairs in (
            align(source, target).pairs,
            cheapest_path(edit_costs(source, target)),
        ):
            assert sum(edits(source[i], target[j]) for i, j in pairs) == cost
            assert_is_a_path(pairs, source, target)


def test_of_texts_that_differ_equal_tokens_paired_alone_are_partners():
    found = align(
        ["So", " it", " is", " 5", "..."], ["So", " it", " is", " 5", "\u2026"]
    )
    assert found.partner.tolist() == [0, 1, 2, 3, -1]


def test_of_one_text_the_path_is_the_cheapest_of_those_whose_tokens_share_characters():
    rng = random.Random(1)
    for _ in range(200):
        text = drawn(rng)
        source, target = cut(rng, text), cut(rng, text)
        found = align(source, target)
        assert_is_a_path(found.pairs, source, target)
        assert misplaced(found.pairs, source, target) == 0
        assert found.partner.tolist() == partners_by_characters(source, target)
        own = sum(edits(source[i], target[j]) for i, j in found.pairs)
        assert own == least_cost_of_sharing(source, target)


def assert_is_a_path(pairs, source, target):
    assert pairs[0] == (0, 0) and pairs[-1] == (len(source) - 1, len(target) - 1)
    steps = {(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(pairs)}
    assert steps <= {(0, 1), (1, 0), (1, 1)}


def partners_by_characters(source, target) -> list[int]:
    """By the plainest means: equal spans of tokens that share no character."""
    places = {span: i for i, span in enumerate(spans(source)) if span}
    return [places.get(span, -1) if span else -1 for span in spans(target)]


def spans(tokens) -> list[tuple[int, int] | None]:
    """None where several tokens say parts of one character."""
    whole = [bool(a and b) for a, b in pairwise([*tokens, "end"])]
    begins = [len("".join(tokens[:i])) for i in range(len(tokens))]
    return [
        (begin, begin + len(token)) if is_whole else None
        for begin, token, is_whole in zip(begins, tokens, whole, strict=True)
    ]


def least_cost_of_sharing(source, target) -> int:
    """The recurrence in full over a text, tokens without a common character apart."""
    reached = {(-1, -1): 0}
    for i, s in enumerate(source):
        for j, t in enumerate(target):
            apart = misplaced([(i, j)], source, target)
            before = [(i - 1, j - 1), (i - 1, j), (i, j - 1)]
            least = min(reached.get(at, float("inf")) for at in before)
            reached[i, j] = float("inf") if apart else least + edits(s, t)
    return reached[len(source) - 1, len(target) - 1]


@pytest.mark.parametrize("texts", ["micro_world", "real"])
def test_no_text_is_aligned_worse_than_by_the_recurrence(texts, request):
    tokenized = request.getfixturevalue(texts)
    ours = theirs = 0
    for source, target in tokenized[:50]:
        assert "".join(source) == "".join(target)
        found = align(source, target)
        assert found.partner.tolist() == partners_by_characters(source, target)
        own = misplaced(found.pairs, source, target)
        published = misplaced(published_recurrence(source, target)[1], source, target)
        assert own <= published
        ours, theirs = ours + own, theirs + published
    assert ours == 0 < theirs


@pytest.mark.alone
@pytest.mark.parametrize("texts", ["micro_world", "real"])
def test_it_is_many_times_faster_than_the_recurrence_in_plain_loops(texts, request):
    tokenized = request.getfixturevalue(texts)
    begun = time.perf_counter()
    for source, target in tokenized:
        align(source, target)
    own = (time.perf_counter() - begun) / len(tokenized)
    begun = time.perf_counter()
    for source, target in tokenized[:30]:
        published_recurrence(source, target)
    theirs = (time.perf_counter() - begun) / 30
    assert theirs > TIMES_AS_FAST * own


def test_most_real_tokens_have_a_partner_either_way(real):
    for turned in (False, True):
        both = [(t, s) if turned else (s, t) for s, t in real]
        partners = np.concatenate([align(s, t).partner for s, t in both])
        assert 0.3 < (partners >= 0).mean() < 0.9


def test_token_texts_join_to_the_text_whatever_is_in_it():
    ladder, texts = (
        train_tokenizer(),
        ["She has 5.\nSo\u2026 it is ½  done 🙂🙂", "x", "é "],
    )
    for tokenizer in (ladder, t5_style_tokenizer(texts * 5)):
        for text in texts:
            ids, said = token_texts(tokenizer, text)
            assert "".join(said) == text and len(ids) == len(said)
    assert token_texts(ladder, "") == ([], [])
    stripping = t5_style_tokenizer(texts * 5)
    stripping.backend_tokenizer.normalizer = normalizers.Strip()
    assert "".join(token_texts(stripping, " She has  ")[1]) == " She has  "
    # bytes of one character: the first has it, and none of them has a partner
    _, said = token_texts(ladder, "a🙂b")
    assert said == ["a", "🙂", "", "", "", "b"]
    assert align(said, ["a", "🙂", "b"]).partner.tolist() == [0, -1, 5]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("kitten", "sitting", 3), (" 12", "12", 0), ("", "abc", 3), ("ab", "ba", 2)],
)
def test_edits(one, other, expected):
    assert edits(one, other) == edits(other, one) == expected
