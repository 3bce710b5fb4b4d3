"""The ladder's tokenizer: a word or a number up to 99 is a token."""

import json
from collections.abc import Iterator
from functools import cache

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from cotnb.formats import (
    ANSWER_INSTRUCTION,
    COT_INSTRUCTION,
    COT_TRIGGER,
)
from cotnb.ladder.mixture import FIRST_SHARDS, SENTINELS, draw_shard
from cotnb.tasks.micro_bbh import MICRO_BBH, load_micro_bbh
from cotnb.tasks.micro_coin_flip import load_micro_coin_flip
from cotnb.tasks.micro_world import load_micro_world

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"
VOCABULARY = 1536
# words of a later notebook's dialogues, so that they are said in few tokens
TRIAGE = """
 patient nurse doctor triage dialogue scenario question ask asks answer symptom
 symptoms history medication medicines signs test image examination listen heart lungs
 blood pressure temperature pulse fever cough pain chest head stomach back leg arm
 throat skin rash swelling breath breathing dizzy tired nausea vomiting bleeding injury
 fall burn allergy asthma diabetes surgery smoking pregnant none aspirin insulin
 inhaler antibiotic scan ultrasound swab urine sample result normal high low mild
 severe since yesterday today days week first then next last order flow adult child
 emergency clinic phone visit
"""


def train_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE, trained on every kind of text that a ladder student meets.

    Any text can be said: what has no token of its own is said in bytes. Digits of a
    number are taken two at a time, so that all numbers up to 99 are tokens. A process
    trains it once.
    """
    return _wrapped(Tokenizer.from_str(_trained()))


@cache
def _trained() -> str:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(
                Regex(r"[ ]?[0-9]{1,2}(?=([0-9]{2})*(?![0-9]))"), "isolated"
            ),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, END, UNKNOWN, *SENTINELS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    return tokenizer.to_str()


def with_fewer_words(
    tokenizer: PreTrainedTokenizerFast, merges: int
) -> PreTrainedTokenizerFast:
    """The ladder's tokenizer with so many merges, and those of numbers.

    Numbers stay tokens; words that later merges made are cut into parts.
    """
    data = json.loads(tokenizer.backend_tokenizer.to_str())
    model = data["model"]
    made = {"".join(merge) for merge in model["merges"]}
    model["merges"] = [
        merge
        for number, merge in enumerate(model["merges"])
        if number < merges or "".join(merge).removeprefix("Ġ").isdigit()
    ]
    basic = [token for token in model["vocab"] if token not in made]
    basic.sort(key=model["vocab"].get)
    kept = dict.fromkeys([*basic, *("".join(merge) for merge in model["merges"])])
    model["vocab"] = {token: number for number, token in enumerate(kept)}
    return _wrapped(Tokenizer.from_str(json.dumps(data)))


def _wrapped(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        extra_special_tokens=list(SENTINELS),
    )


def _texts() -> Iterator[str]:
    yield from (f"{pair.prompt} {pair.target}" for pair in draw_shard(FIRST_SHARDS))
    stories = [*load_micro_world("train", 4000), *load_micro_coin_flip("train", 500)]
    for task in MICRO_BBH:
        stories += load_micro_bbh(task, "train", 500)
    yield from (f"{story.question} {story.rationale}" for story in stories)
    yield from [f"{COT_INSTRUCTION} {ANSWER_INSTRUCTION} {COT_TRIGGER}"] * 50
    yield from [TRIAGE.replace("\n", " ")] * 50
    for number in range(100):
        yield from [f"{number} ({number}/{number:02d} {number}"] * 50
