"""Asking a student: batched generation, predictions kept, scores made of them."""

import bisect
import copy
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from cotnb.answers import extract_answer, is_correct
from cotnb.attention.decoding import decode_fast
from cotnb.attention.families import refuse_other_memories
from cotnb.decoding import NOT_WRITTEN, decode
from cotnb.errors import UserError
from cotnb.files import write_whole
from cotnb.formats import (
    PROMPT_FORMATS,
    STOP_TEXT,
    DemonstrationPool,
    build_prompt,
    is_few_shot,
)
from cotnb.memory import keep_freed_memory
from cotnb.paths import cache_folder
from cotnb.precision import computed_in
from cotnb.progress import Progress
from cotnb.rationales.record import Rationale
from cotnb.recipes import PRECISIONS
from cotnb.results.records import Score
from cotnb.students import Student, check_room
from cotnb.tasks.example import Example
from cotnb.training.batching import encode_prompt

EVALUATION_VERSION = 3  # raised when a change of code changes what is generated
MANY_WEIGHTS = 50_000_000  # of a student that takes long to ask in fp32
SCORES_AT_ONCE = 2**26  # of attention, a head and a layer: 64 prompts of 1,024 tokens


@dataclass(frozen=True)
class Asking:
    """How a student is asked.

    Raises UserError for a value that cannot be.

    prompt_format: one of `formats.PROMPT_FORMATS`. instruction: whether prompts begin
    with their format's. demonstrations: how many a few-shot
    prompt shows, drawn with `seed` for each question. max_new_tokens: the longest text
    that is written.
    precision: "fp32", in which batches never change a greedy answer, or "bf16", twice
    as fast on a CPU made for it and computed in fp32 on another; None: "bf16" for a
    student of MANY_WEIGHTS or more, "fp32" for others. batch_size: prompts at once.
    """

    prompt_format: str
    instruction: bool = False
    demonstrations: int = 3
    max_new_tokens: int = 160
    precision: str | None = None
    batch_size: int = 64
    seed: int = 0

    def __post_init__(self):
        if self.prompt_format not in PROMPT_FORMATS:
            raise UserError(
                f"prompt_format={self.prompt_format!r}: expected one of "
                f"{PROMPT_FORMATS}"
            )
        if self.precision not in (None, *PRECISIONS):
            raise UserError(
                f"precision={self.precision!r}: expected one of {PRECISIONS}"
            )
        least = {"demonstrations": 0, "max_new_tokens": 1, "batch_size": 1, "seed": 0}
        for field, lowest in least.items():
            value = getattr(self, field)
            if not isinstance(value, int) or value < lowest:
                raise UserError(
                    f"{field}={value}: expected a whole number, {lowest} or more"
                )

    def precision_for(self, student: Student) -> str:
        """The precision that this student is asked in."""
        large = student.parameters >= MANY_WEIGHTS
        return self.precision or ("bf16" if large else "fp32")


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
    Raises UserError as `generate` does, and as `DemonstrationPool` for a pool that has
    too few.
    """
    prompts = prompts_for(examples, asking, pool)
    texts = _cached_texts(student, prompts, asking)
    return [
        _judge(example, text, count)
        for example, (text, count) in zip(examples, texts, strict=True)
    ]


def prompts_for(examples, asking: Asking, pool=()) -> list[str]:
    """The prompt of every example, demonstrations drawn for each."""
    few_shot = is_few_shot(asking.prompt_format)
    drawn_from = DemonstrationPool(pool if few_shot else ())
    prompts = []
    for example in examples:
        shown = ()
        if few_shot:
            shown = drawn_from.draw(example, asking.demonstrations, asking.seed)
        prompts.append(
            build_prompt(
                example.question, asking.prompt_format, shown, asking.instruction
            )
        )
    return prompts


def score(
    student: Student,
    predictions: Sequence[Prediction | Rationale],
    *,
    task: str,
    condition: str,
    seed: int,
    prompt_format: str,
    step: int,
) -> Score:
    """The tidy record of predictions: one character a question, and a hash of them.

    A student that teaches is scored by the rationales that it wrote.
    """
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
    batch_size: int = 64,
    precision: str = "fp32",
    temperature: float = 0.0,
    seed: int | Sequence[int] = 0,
) -> list[tuple[str, int]]:
    """What a student writes after each prompt, and in how many tokens, in order.

    batch_size prompts are continued at a time: where one has written the end mark or
    begun a next question, another takes its place. temperature 0 is greedy; above 0
    texts are sampled, each prompt with random numbers of its own, so that batches do
    not matter; with a seed a prompt, neither does what else is asked.
    Raises UserError where the student has no room for the longest prompt and text, and
    for a decoder that keeps other memories of what it read than keys and values.
    """
    if not student.is_encoder_decoder:
        refuse_other_memories(student.model)
    encoded = [
        encode_prompt(student.tokenizer, prompt, student.is_encoder_decoder)
        for prompt in prompts
    ]
    longest = max((len(tokens) for tokens in encoded), default=0)
    check_room(student, longest, max_new_tokens)
    batch_size = min(batch_size, _rows_at_once(encoded))
    keep_freed_memory()
    progress = Progress(len(encoded), "asking, questions")
    chance = _chances(seed, len(encoded), max_new_tokens).to(student.device)
    ends = _Ends(student)
    with torch.inference_mode():
        written = decode(
            student,
            _at_precision(student.model, precision),
            encoded,
            max_new_tokens=max_new_tokens,
            batch_size=batch_size,
            choose=_Sampler(temperature, chance) if temperature else _greedy,
            has_ended=ends,
            advance=progress.advance,
        )
    progress.close()
    return [ends.read(tokens) for tokens in written]


def _at_precision(model, precision: str):
    """The model itself in fp32; in bf16 a copy, so that its weights are not rounded."""
    if computed_in(precision, model.device) == "bf16":
        model = copy.deepcopy(model).to(torch.bfloat16)
    decode_fast(model)
    return model.eval()


def _chances(seed: int | Sequence[int], prompts: int, tokens: int) -> torch.Tensor:
    """(prompts, tokens) numbers from 0 to 1: of one seed, or of one a prompt."""
    if isinstance(seed, int):
        return torch.rand(
            prompts, tokens, generator=torch.Generator().manual_seed(seed)
        )
    generators = [torch.Generator().manual_seed(one) for one in seed]
    rows = [torch.rand(tokens, generator=g) for g in generators]
    return torch.stack(rows) if rows else torch.empty(0, tokens)


def _greedy(logits, numbers, counts):
    return logits.argmax(-1)


class _Sampler:
    """Draws from softmax(logits / temperature), by chances (prompts, tokens)."""

    def __init__(self, temperature: float, chance):
        self.temperature, self.chance = temperature, chance

    def __call__(self, logits, numbers, counts):
        cumulative = (logits / self.temperature).softmax(-1).cumsum(-1)
        # the sum may fall short of 1: what is drawn lies below it
        drawn = self.chance[numbers, counts, None] * cumulative[:, -1:]
        return torch.searchsorted(cumulative, drawn).squeeze(1)


class _Ends:
    """Where a text ends: at the end mark, or before a next question is begun."""

    def __init__(self, student: Student):
        self.tokenizer = student.tokenizer
        last = STOP_TEXT[-1]
        pieces = self.tokenizer.convert_ids_to_tokens(range(len(self.tokenizer)))
        may_stop = [last in (piece or "") for piece in pieces]
        # one more for what is no token: beyond the vocabulary, or NOT_WRITTEN
        self.may_stop = torch.tensor([*may_stop, False], device=student.device)

    def __call__(self, written):
        """Which rows of new tokens (rows, n) have ended, (rows,) bool."""
        ended = (written == self.tokenizer.eos_token_id).any(1)
        beyond = len(self.may_stop) - 1
        known = written.masked_fill(written == NOT_WRITTEN, beyond).clamp(max=beyond)
        suspects = (self.may_stop[known].any(1) & ~ended).nonzero()[:, 0].tolist()
        for row in suspects:
            own = written[row][written[row] != NOT_WRITTEN]
            ended[row] = STOP_TEXT in self.tokenizer.decode(own)
        return ended

    def read(self, tokens: list[int]) -> tuple[str, int]:
        """The text up to its end, and its count of tokens, the ending ones too."""
        if self.tokenizer.eos_token_id in tokens:
            tokens = tokens[: tokens.index(self.tokenizer.eos_token_id) + 1]
        text = self._text(tokens)
        if STOP_TEXT in text:
            lengths = range(len(tokens) + 1)
            length = bisect.bisect_left(
                lengths, True, key=lambda n: STOP_TEXT in self._text(tokens[:n])
            )
            return text.partition(STOP_TEXT)[0].strip(), length
        return text.strip(), len(tokens)

    def _text(self, tokens: list[int]) -> str:
        return self.tokenizer.decode(tokens, skip_special_tokens=True)


def _rows_at_once(encoded) -> int:
    """As many of the longest prompts as attention's scores have room for."""
    longest = max((len(tokens) for tokens in encoded), default=1)
    return max(1, SCORES_AT_ONCE // longest**2)


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
    precision = computed_in(asking.precision_for(student), student.device)
    named = {
        "version": EVALUATION_VERSION,
        "student": student.fingerprint,
        "prompts": prompts,
        "max_new_tokens": asking.max_new_tokens,
        "precision": precision,
        "batch_size": asking.batch_size,
    }
    name = hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:24]
    path = cache_folder() / "texts" / f"{name}.json"
    if path.is_file():
        return [tuple(row) for row in json.loads(path.read_bytes())]
    texts = generate(
        student,
        prompts,
        max_new_tokens=asking.max_new_tokens,
        batch_size=asking.batch_size,
        precision=precision,
    )
    write_whole(path, json.dumps(texts, ensure_ascii=False))
    return texts
