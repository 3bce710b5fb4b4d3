"""What is tuned and asked: students with their pairs."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from cotnb.errors import UserError
from cotnb.experiment import build_pairs
from cotnb.formats import Pair
from cotnb.rationales import from_generator, keep_correct, match, teacher_rationales
from cotnb.students import Student, default_device, load_student
from cotnb.tasks import Example, load_task


def smollm2_on_svamp() -> tuple[Student, list[Pair]]:
    """SmolLM2-135M and ChatGPT's rationales for SVAMP, or gsm_symbolic's solutions."""
    student = load_student("SmolLM2-135M")
    try:
        questions = load_task("svamp", "train")
        taught = teacher_rationales(questions, "svamp.jsonl.gz", "chatgpt", "level3")
    except UserError as error:
        print(f"{error}; tuning on gsm_symbolic's solutions instead", flush=True)
        student.name += " on gsm_symbolic"
        questions = load_task("gsm_symbolic", "train", 200)
        taught = teacher_rationales(questions, "", "", "")
    else:
        student.name += " on SVAMP"
    return student, build_pairs(match(questions, keep_correct(taught)), "zero_shot_cot")


def t5_on_micro_world() -> tuple[Student, list[Pair]]:
    """A T5 of 5M weights, random, and micro-world rationales, a word a token."""
    questions = load_task("micro_world", "train", 2000)
    pairs = build_pairs(match(questions, from_generator(questions)), "zero_shot_cot")
    marks = pre_tokenizers.BertPreTokenizer()
    texts = [f"{pair.prompt} {pair.target}" for pair in pairs]
    words = {word for text in texts for word, _ in marks.pre_tokenize_str(text)}
    special = ["<pad>", "</s>", "<unk>"]
    ids = {word: i for i, word in enumerate([*special, *sorted(words)])}
    plain = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    plain.pre_tokenizer = marks
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    model = random_t5(len(tokenizer), d_model=256, d_kv=32, d_ff=512, heads=8, layers=4)
    name = f"T5 of {model.num_parameters() / 1e6:.1f}M on the micro-world"
    return Student(name, model, tokenizer, "benchmark"), pairs


def flan_t5_base_shape() -> tuple[Student, list[Pair]]:
    """Random weights in Flan-T5-base's shape, head tied; pairs of the small T5."""
    student, pairs = t5_on_micro_world()
    model = random_t5(32128, d_model=768, d_kv=64, d_ff=2048, heads=12, layers=12)
    name = "Flan-T5-base's shape, random weights, on the micro-world"
    return Student(name, model, student.tokenizer, "benchmark"), pairs


def random_t5(
    vocabulary: int, *, d_model: int, d_kv: int, d_ff: int, heads: int, layers: int
) -> T5ForConditionalGeneration:
    """A T5 of version 1.1, without dropout, the same each time."""
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=vocabulary,
        d_model=d_model,
        d_kv=d_kv,
        d_ff=d_ff,
        num_layers=layers,
        num_heads=heads,
        feed_forward_proj="gated-gelu",
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=1,
        dropout_rate=0.0,
    )
    return T5ForConditionalGeneration(config).to(default_device())


def questions_to_ask(problem: str, size: int) -> list[Example]:
    """Test questions of the task that a student of that name was tuned on."""
    task = "svamp" if problem.endswith("SVAMP") else "gsm_symbolic"
    return load_task(task, "test", size)
