"""Students with another tokenizer: they say the same, and can be tuned and asked."""

import pytest
import torch

from cotnb.ladder import retokenized as module
from cotnb.ladder.retokenized import retokenized
from cotnb.ladder.sizes import new_model
from cotnb.ladder.tokenizer import train_tokenizer, with_fewer_words
from cotnb.students import Student, load_student
from cotnb.tasks import load_task
from cotnb.training.alignment import align, token_texts


@pytest.fixture(scope="module")
def tokenizers():
    whole = train_tokenizer()
    return whole, with_fewer_words(whole, module.MERGES)


def test_embeddings_are_the_old_tokens_or_the_means_of_those_that_spell_them(
    tokenizers,
):
    old, new = tokenizers
    torch.manual_seed(0)
    student = Student("ladder", new_model("ladder-0.3M", old), old, "")
    before = student.model.get_input_embeddings().weight.detach().clone()
    other = retokenized(student, new)
    after = other.model.get_input_embeddings().weight
    assert other.tokenizer is new and len(after) == len(new) < len(before)
    for token in (" 48", " +", " t", new.eos_token, "<extra_id_3>"):
        number = old.convert_tokens_to_ids(token.replace(" ", "Ġ"))
        same = new.convert_tokens_to_ids(token.replace(" ", "Ġ"))
        assert torch.equal(after[same], before[number]), token


def test_most_words_are_cut_and_numbers_are_not(tokenizers):
    old, new = tokenizers
    shares = []
    for example in load_task("micro_world", "train", 200):
        ours, theirs = (token_texts(t, example.rationale)[1] for t in (old, new))
        shares.append((align(theirs, ours).partner >= 0).mean())
    assert 0.4 < sum(shares) / len(shares) < 0.95
    for number in range(100):
        for text in (f"{number}", f" {number}"):
            whole = len(old(text)["input_ids"])
            assert len(new(text)["input_ids"]) == whole


def test_it_is_loaded_by_name_and_made_once(tokenizers, monkeypatch):
    monkeypatch.setattr(module, "train_tokenizer", lambda: tokenizers[0])
    student = load_student("toy-t5+subwords")
    assert student.name == "toy-t5+subwords"
    assert len(student.tokenizer) == len(tokenizers[1])
    assert student.fingerprint != load_student("toy-t5").fingerprint
    monkeypatch.setattr(module, "train_tokenizer", None)
    assert load_student("toy-t5+subwords").fingerprint == student.fingerprint


def test_a_token_that_the_old_tokenizer_lacks_is_the_mean_of_those_that_spell_it(
    tokenizers,
):
    student = load_student("toy-t5")
    old, before = student.tokenizer, student.model.get_input_embeddings().weight
    before, new = before.detach().clone(), tokenizers[1]
    after = retokenized(student, new).model.get_input_embeddings().weight
    parts = [token for token in new.get_vocab() if token not in old.get_vocab()]
    words = [part for part in parts if part.isalpha() and part.isascii()]
    for part in words[:5]:
        ids = [old.convert_tokens_to_ids(letter) for letter in part]
        found = after[new.convert_tokens_to_ids(part)]
        torch.testing.assert_close(found, before[ids].mean(0))
    assert len(words) >= 5
