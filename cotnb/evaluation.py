"""Asking a student: batched generation, predictions kept, scores made of them."""

import copy
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList

from cotnb.answers import extract_answer, is_correct
from cotnb.batching import encode_prompt, pad_prompts
from cotnb.errors import UserError
from cotnb.formats import STOP_TEXT, build_prompt, draw_demonstrations, is_few_shot
from cotnb.paths import cache_folder
from cotnb.progress import Progress
from cotnb.results import Score, write_whole
from cotnb.students import Student
from cotnb.tasks.example import Example

EVALUATION_VERSION = 1  # raised when a change of code changes what is generated


@dataclass(frozen=True)
class Asking:
    """How a student is asked.

    prompt_format: one of `formats.PROMPT_FORMATS`. demonstrations: how many a few-shot
    prompt shows, drawn with `seed` for each question. max_new_tokens: the longest text
    that is written.
    precision: "fp32", in which batches never change a greedy answer, or "bf16",
    twice as fast on a CPU. batch_size: prompts at once.
    """

    prompt_format: str
    instruction: bool = False
    demonstrations: int = 3
    max_new_tokens: int = 160
    precision: str = "fp32"
    batch_size: int = 32
    seed: int = 0


@dataclass(frozen=True)
class Prediction:
    """One question, the text a student wrote, and what was read from it."""

    id: str
    question: str
    text: str
    prediction: str | None
    answer: str
    correct: bool
    new_tokens: int


def ask(
    student: Student,
    examples: Sequence[Example],
    asking: Asking,
    pool: Sequence[tuple[Example, str]] = (),
) -> list[Prediction]:
    """Greedy answers of a student to examples, in the examples' order.

    pool: (training example, rationale) pairs that few-shot prompts draw from. Texts
    are cached by student, prompts and settings, so asking again costs nothing.
    """
    prompts = prompts_for(examples, asking, pool)
    texts = _cached_texts(student, prompts, asking)
    return [
        _judge(example, text, count)
        for example, (text, count) in zip(examples, texts, strict=True)
    ]


def prompts_for(examples, asking: Asking, pool=()) -> list[str]:
    """The prompt of every example, demonstrations drawn for each."""
    prompts = []
    for example in examples:
        shown = ()
        if is_few_shot(asking.prompt_format):
            shown = draw_demonstrations(
                pool, example, asking.demonstrations, asking.seed
            )
        prompts.append(
            build_prompt(
                example.question, asking.prompt_format, shown, asking.instruction
            )
        )
    return prompts


def score(
    student: Student,
    predictions: Sequence[Prediction],
    *,
    task: str,
    condition: str,
    seed: int,
    prompt_format: str,
    step: int,
) -> Score:
    """The tidy record of predictions: one character a question, and a hash of them."""
    asked = "\n".join(f"{p.id}\t{p.question}" for p in predictions)
    return Score(
        student=student.name,
        parameters=student.parameters,
        condition=condition,
        seed=seed,
        task=task,
        prompt_format=prompt_format,
        step=step,
        outcomes="".join("01"[p.correct] for p in predictions),
        questions=hashlib.sha256(asked.encode()).hexdigest()[:16],
    )


def save_predictions(path: Path, predictions: Sequence[Prediction]) -> None:
    """One JSON line a prediction, the file put in place whole."""
    lines = [json.dumps(asdict(p), ensure_ascii=False) for p in predictions]
    write_whole(path, "\n".join(lines) + "\n")


def generate(
    student: Student,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    batch_size: int = 32,
    precision: str = "fp32",
    temperature: float = 0.0,
    seed: int = 0,
) -> list[tuple[str, int]]:
    """What a student writes after each prompt, and in how many tokens, in order.

    Prompts are sorted by length and batched; a batch stops when each of its rows has
    written the end mark or begun a next question. temperature 0 is greedy; above 0
    texts are sampled, from `seed`.
    """
    encoded = [
        encode_prompt(student.tokenizer, prompt, student.is_encoder_decoder)
        for prompt in prompts
    ]
    _check_room(student, encoded, max_new_tokens)
    order = sorted(range(len(encoded)), key=lambda i: -len(encoded[i]))
    texts: list = [None] * len(encoded)
    progress = Progress(len(encoded), "asking, questions")
    model = _at_precision(student.model, precision)
    with torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(seed)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            asked = [encoded[i] for i in rows]
            written = _generate_batch(
                student, model, asked, max_new_tokens, temperature
            )
            for i, result in zip(rows, written, strict=True):
                texts[i] = result
            progress.advance(len(rows))
    progress.close()
    return texts


def _at_precision(model, precision: str):
    """The model itself in fp32; in bf16 a copy, so that its weights are not rounded."""
    if precision == "bf16":
        model = copy.deepcopy(model).to(torch.bfloat16)
    return model.eval()


def _generate_batch(student, model, rows, max_new_tokens, temperature):
    tokenizer = student.tokenizer
    batch = pad_prompts(rows, tokenizer.pad_token_id, student.is_encoder_decoder)
    batch = {key: tensor.to(student.device) for key, tensor in batch.items()}
    width = 1 if student.is_encoder_decoder else batch["input_ids"].shape[1]
    settings = GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=temperature > 0,
        temperature=temperature or None,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=model.config.to_dict().get("decoder_start_token_id"),
    )
    output = model.generate(
        **batch,
        generation_config=settings,
        stopping_criteria=StoppingCriteriaList([NextQuestion(tokenizer, width)]),
    )
    return [_read(tokenizer, row) for row in output[:, width:].tolist()]


def _read(tokenizer, tokens: list[int]) -> tuple[str, int]:
    """The text up to the end mark or a next question, and its count of tokens."""
    if tokenizer.eos_token_id in tokens:
        tokens = tokens[: tokens.index(tokenizer.eos_token_id) + 1]
    text = tokenizer.decode(tokens, skip_special_tokens=True)
    return text.partition(STOP_TEXT)[0].strip(), len(tokens)


class NextQuestion(StoppingCriteria):
    """Ends a row that begins a next question, as untuned students do."""

    def __init__(self, tokenizer, prompt_width: int):
        self.tokenizer, self.prompt_width = tokenizer, prompt_width

    def __call__(self, input_ids, scores, **_):
        tail = input_ids[:, max(self.prompt_width, input_ids.shape[1] - 4) :]
        ended = [STOP_TEXT in text for text in self.tokenizer.batch_decode(tail)]
        return torch.tensor(ended, device=input_ids.device)


def _check_room(student: Student, encoded, max_new_tokens: int) -> None:
    room = getattr(student.model.config, "max_position_embeddings", None)
    longest = max((len(tokens) for tokens in encoded), default=0)
    if room and longest + max_new_tokens > room:
        raise UserError(
            f"{student.name} has room for {room} tokens; the longest prompt has "
            f"{longest} and max_new_tokens is {max_new_tokens}; show fewer "
            "demonstrations or ask for a shorter text"
        )


def _judge(example: Example, text: str, new_tokens: int) -> Prediction:
    prediction = extract_answer(text, example.answer_type)
    return Prediction(
        id=example.id,
        question=example.question,
        text=text,
        prediction=prediction,
        answer=example.answer,
        correct=is_correct(prediction, example.answer, example.answer_type),
        new_tokens=new_tokens,
    )


def _cached_texts(student, prompts, asking: Asking) -> list[tuple[str, int]]:
    named = {
        "version": EVALUATION_VERSION,
        "student": student.fingerprint,
        "prompts": prompts,
        "max_new_tokens": asking.max_new_tokens,
        "precision": asking.precision,
        "batch_size": asking.batch_size,
    }
    name = hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:24]
    path = cache_folder() / "texts" / f"{name}.json"
    if path.is_file():
        return [tuple(row) for row in json.loads(path.read_text())]
    texts = generate(
        student,
        prompts,
        max_new_tokens=asking.max_new_tokens,
        batch_size=asking.batch_size,
        precision=asking.precision,
    )
    write_whole(path, json.dumps(texts, ensure_ascii=False))
    return texts
