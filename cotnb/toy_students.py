"""Toy students: random models of some hundred thousand weights, for tests and `smoke`.

They are made here in a second and know nothing; their tokens are bytes.
"""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from cotnb.files import made_once
from cotnb.paths import cache_folder

SPECIAL_TOKENS = ("<pad>", "</s>", "<unk>")
WIDTH = 64


def toy_student_folder(name: str) -> Path:
    """The folder of "toy-t5" or "toy-llama", made on first use, the same each time."""

    def fill(folder: Path) -> None:
        tokenizer = _tokenizer()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = _t5(tokenizer) if name == "toy-t5" else _llama(tokenizer)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    return made_once(cache_folder() / "models" / name, fill)


def _tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level: 256 bytes and the special tokens, so that any text can be said."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*SPECIAL_TOKENS, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
    )


def _t5(tokenizer) -> T5ForConditionalGeneration:
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=WIDTH,
        d_kv=WIDTH // 4,
        d_ff=2 * WIDTH,
        num_layers=2,
        num_heads=4,
        decoder_start_token_id=tokenizer.pad_token_id,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        dropout_rate=0.0,
    )
    return T5ForConditionalGeneration(config)


def _llama(tokenizer) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config)
