"""A student with another tokenizer and the same weights, to be tuned from there.

Fast vocabulary transfer (Gee et al. 2022): a new token's embedding is the old one's of
the same name, or else the mean of the old tokens' that spell it. Pretraining again is
not needed, but a student that was not tuned since is a poor one.
"""

from dataclasses import replace
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast

from cotnb.files import made_once
from cotnb.ladder.tokenizer import train_tokenizer, with_fewer_words
from cotnb.paths import cache_folder
from cotnb.students import SUBWORDS, Student, load_student
from cotnb.training.matching import BROKEN, vocabulary

MERGES = 200  # of the ladder's thousand: numbers stay tokens, most words do not


def retokenized_folder(name: str) -> Path:
    """The folder of a student by name with a smaller vocabulary, made on first use."""
    student = load_student(name)

    def fill(folder: Path) -> None:
        other = retokenized(student, with_fewer_words(train_tokenizer(), MERGES))
        other.model.save_pretrained(folder)
        other.tokenizer.save_pretrained(folder)

    named = f"{name}{SUBWORDS}-{student.fingerprint}"
    return made_once(cache_folder() / "models" / named, fill)


def retokenized(student: Student, tokenizer: PreTrainedTokenizerFast) -> Student:
    """The student, changed in place, with a tokenizer that has its special tokens."""
    model = student.model
    spelt = _spelt(student.tokenizer, tokenizer)
    layers = (model.get_input_embeddings(), model.get_output_embeddings())
    means = [
        torch.stack([layer.weight.detach()[ids].mean(0) for ids in spelt])
        for layer in layers
    ]
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        model.get_input_embeddings().weight[:] = means[0]
        model.get_output_embeddings().weight[:] = means[1]
    for special in ("pad_token_id", "eos_token_id"):
        for config in (model.config, model.generation_config):
            setattr(config, special, getattr(tokenizer, special))
    return replace(student, tokenizer=tokenizer, fingerprint="")


def _spelt(
    old: PreTrainedTokenizerFast, new: PreTrainedTokenizerFast
) -> list[list[int]]:
    """For each new token the old ones that say it."""
    own, texts = old.get_vocab(), vocabulary(new).texts
    tokens = new.convert_ids_to_tokens(range(len(new)))
    return [
        [own[token]]
        if token in own
        else old(token if text == BROKEN else text, add_special_tokens=False)[
            "input_ids"
        ]
        for token, text in zip(tokens, texts, strict=True)
    ]
