"""Alignment: rationales in two tokenizations, against the published recurrence.

The rationales are real. The tokenizers are SmolLM2's, and one as T5 has it that is
trained on them.
"""

import random
import sys
import time

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from benchmarks.paired import median, ratios, save, take_turns
from cotnb.rationales import from_file
from cotnb.students import load_student
from cotnb.training.alignment import Pairs, align, token_texts

TEXTS = 1000
T5_VOCABULARY = 8000
FILES = ("svamp.jsonl.gz", "gsm8k.jsonl.gz")
Tokenized = list[tuple[list[str], list[str]]]


def published_recurrence(source: list[str], target: list[str]) -> tuple[int, Pairs]:
    """The cost and the pairs of the cheapest path through all pairs of tokens.

    Fu et al. 2023 in plain loops: f(i, j) = c(i, j) + min(f(i-1, j-1), f(i-1, j),
    f(i, j-1)), c the edits between two tokens without their spaces.
    """
    reached = {}
    for i in range(len(source)):
        for j in range(len(target)):
            before = [reached[at] for at in _before(i, j)]
            reached[i, j] = _edit_distance(source[i], target[j]) + min(
                before, default=0
            )
    at = len(source) - 1, len(target) - 1
    pairs = [at]
    while at != (0, 0):
        at = min(_before(*at), key=reached.get)
        pairs.append(at)
    return reached[pairs[0]], pairs[::-1]


def _before(i: int, j: int) -> list[tuple[int, int]]:
    at = [(i - 1, j - 1), (i - 1, j), (i, j - 1)]
    return [(a, b) for a, b in at if a >= 0 and b >= 0]


def _edit_distance(one: str, other: str) -> int:
    one, other = one.replace(" ", ""), other.replace(" ", "")
    table = [[i + j for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            table[i][j] = min(
                table[i - 1][j - 1] + (one[i - 1] != other[j - 1]),
                table[i - 1][j] + 1,
                table[i][j - 1] + 1,
            )
    return table[-1][-1]


def misplaced(pairs: Pairs, source: list[str], target: list[str]) -> int:
    """How many pairs are of tokens that share no character of the text they spell."""
    s_ends, t_ends = (
        np.cumsum([len(x) for x in tokens]) for tokens in (source, target)
    )
    return sum(
        bool(
            s_ends[i] - len(source[i]) >= t_ends[j]
            or t_ends[j] - len(target[j]) >= s_ends[i]
        )
        for i, j in pairs
    )


def t5_style_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """A unigram tokenizer that writes spaces as T5's does, trained on texts."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=T5_VOCABULARY,
        special_tokens=special,
        unk_token="<unk>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
    )


def real_rationales() -> list[str]:
    """Those of the files, mixed. Raises UserError where they are not here."""
    texts = [r.rationale for name in FILES for r in from_file(name).rationales]
    return random.Random(0).sample(texts, len(texts))


def two_tokenizations(
    texts: list[str], tokenizer: PreTrainedTokenizerBase
) -> Tokenized:
    """The first TEXTS in a tokenizer's tokens, and in those of a T5-style one."""
    other = t5_style_tokenizer(texts)
    return [
        (token_texts(tokenizer, text)[1], token_texts(other, text)[1])
        for text in texts[:TEXTS]
    ]


def _timed(tokenized: Tokenized, method) -> dict:
    begun = time.perf_counter()
    for source, target in tokenized:
        method(source, target)
    return {"texts_a_second": len(tokenized) / (time.perf_counter() - begun)}


def measure() -> None:
    """Texts a second of both, and where their pairs and partners differ."""
    tokenizer = load_student("SmolLM2-135M").tokenizer
    tokenized = two_tokenizations(real_rationales(), tokenizer)
    turns = take_turns(
        {
            "cotnb": lambda _: _timed(tokenized, align),
            "recurrence": lambda _: _timed(tokenized, published_recurrence),
        }
    )
    ours = [align(*both) for both in tokenized]
    theirs = [published_recurrence(*both)[1] for both in tokenized]
    placed = {
        name: sum(misplaced(p, *both) for p, both in zip(pairs, tokenized, strict=True))
        for name, pairs in (("cotnb", [a.pairs for a in ours]), ("recurrence", theirs))
    }
    save(
        "alignment",
        {
            "texts": len(tokenized),
            "turns": turns,
            "against": {
                "loops": ratios(turns, "cotnb", "recurrence", "texts_a_second")
            },
            "milliseconds": {
                name: round(1e3 / median(turns[name], "texts_a_second"), 3)
                for name in turns
            },
            "misplaced": placed,
            "pairs": sum(map(len, theirs)),
            "share": {
                "SmolLM2 to T5": _share(tokenized),
                "T5 to SmolLM2": _share([(t, s) for s, t in tokenized]),
            },
        },
    )


def _share(tokenized: Tokenized) -> float:
    """Of all target tokens, those that have a partner."""
    partners = np.concatenate([align(*both).partner for both in tokenized])
    return round(float((partners >= 0).mean()), 4)


if __name__ == "__main__":
    sys.exit(measure())
