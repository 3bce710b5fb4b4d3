"""Asking: padding, batches and order never change a greedy answer; texts end."""

import json

import pytest
import torch
from transformers import BartConfig, BartForConditionalGeneration

from cotnb import decoding, evaluation
from cotnb.errors import UserError
from cotnb.evaluation import (
    Asking,
    ask,
    generate,
    prompts_for,
    save_predictions,
    score,
)
from cotnb.experiment import load_test_sets, measure
from cotnb.formats import Pair
from cotnb.paths import cache_folder
from cotnb.recipes import Recipe
from cotnb.slots import DecoderSlots, EncoderDecoderSlots
from cotnb.students import Student, load_student
from cotnb.tasks import Example, load_task
from cotnb.training import tune
from cotnb.training.batching import encode_prompt

PROMPTS = [f"Q: {'very ' * (i * 7 % 5)}{i}?\nA:" for i in range(9)]


def example(index: int) -> Example:
    return Example("sums", "test", index, f"{index}?", str(index), "number")


@pytest.fixture(scope="module", params=["toy-t5", "toy-llama"])
def student(request):
    """Tuned to answer at lengths that differ, so that rows end at different steps."""
    pairs = [Pair(prompt, "ab" * (i % 4 + 1)) for i, prompt in enumerate(PROMPTS)]
    recipe = Recipe(epochs=150, learning_rate=5e-3, batch_size=9, precision="fp32")
    return tune(request.param, pairs, recipe)


def alone(student, prompt: str, max_new_tokens: int) -> list[int]:
    """Greedy decoding of one unpadded row, step by step, without a cache."""
    tokenizer, model = student.tokenizer, student.model
    ids = tokenizer(prompt, add_special_tokens=student.is_encoder_decoder)["input_ids"]
    written: list[int] = []
    for _ in range(max_new_tokens):
        if student.is_encoder_decoder:
            start = [model.config.decoder_start_token_id]
            inputs = {
                "input_ids": torch.tensor([ids]),
                "decoder_input_ids": torch.tensor([start + written]),
            }
        else:
            inputs = {"input_ids": torch.tensor([ids + written])}
        with torch.inference_mode():
            written.append(int(model(**inputs).logits[0, -1].argmax()))
        if written[-1] == tokenizer.eos_token_id:
            break
    return written


def test_batches_and_padding_never_change_a_greedy_answer(student):
    expected = [alone(student, prompt, 12) for prompt in PROMPTS]
    for batch_size in (1, 2, 9):
        found = generate(student, PROMPTS, max_new_tokens=12, batch_size=batch_size)
        assert [count for _, count in found] == [len(ids) for ids in expected]
        decode = student.tokenizer.decode
        texts = [decode(ids, skip_special_tokens=True).strip() for ids in expected]
        assert [text for text, _ in found] == texts


def test_long_prompts_are_asked_fewer_at_a_time(student, monkeypatch):
    expected = generate(student, PROMPTS, max_new_tokens=12, batch_size=9)
    sizes = []

    def decode(*given, batch_size, **asked):
        sizes.append(batch_size)
        return decoding.decode(*given, batch_size=batch_size, **asked)

    monkeypatch.setattr(evaluation, "decode", decode)
    longest = max(len(student.tokenizer(prompt).input_ids) for prompt in PROMPTS)
    for room in (2**26, 3 * longest**2, 1):
        monkeypatch.setattr(evaluation, "SCORES_AT_ONCE", room)
        found = generate(student, PROMPTS, max_new_tokens=12, batch_size=9)
        assert found == expected
    assert sizes[0] == 9 and sizes[1] in (3, 4) and sizes[2] == 1


def test_order_never_changes_a_greedy_answer(student):
    forwards = generate(student, PROMPTS, max_new_tokens=12, batch_size=4)
    backwards = generate(student, PROMPTS[::-1], max_new_tokens=12, batch_size=4)
    assert forwards == backwards[::-1]


def test_rows_end_at_their_end_mark_at_lengths_of_their_own(student):
    counts = {n for _, n in generate(student, PROMPTS, max_new_tokens=12)}
    assert len(counts) > 1


def test_a_row_ends_where_a_next_question_begins():
    pairs = [Pair("Q: 1\nA:", "5.\n\nQ: 2\nA: 6.")] * 8
    recipe = Recipe(epochs=120, learning_rate=3e-3, batch_size=8, precision="fp32")
    student = tune("toy-t5", pairs, recipe)
    [(text, count)] = generate(student, ["Q: 1\nA:"], max_new_tokens=40)
    assert (text, count) == ("5.", 6)


def test_asking_in_bf16_leaves_the_weights_as_they_were(student, monkeypatch):
    monkeypatch.setattr("cotnb.precision.multiplies_halves", lambda device_type: True)
    before = [p.clone() for p in student.model.parameters()]
    generate(student, PROMPTS[:2], max_new_tokens=2, precision="bf16")
    for a, b in zip(before, student.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_sampling_is_the_seeds(student):
    def sample(seed):
        options = {"max_new_tokens": 12, "temperature": 3.0, "seed": seed}
        return generate(student, PROMPTS, **options)

    assert sample(0) == sample(0) != sample(1)


def test_batches_never_change_a_sample(student):
    options = {"max_new_tokens": 12, "temperature": 3.0}
    together = generate(student, PROMPTS, **options)
    assert together == generate(student, PROMPTS, batch_size=2, **options)


def test_each_token_has_a_chance_of_its_own():
    draw = evaluation._Sampler(1.0, torch.tensor([[0.15, 0.85]]))
    place, logits = torch.tensor, torch.zeros(1, 10)
    drawn = [int(draw(logits, place([0]), place([token]))) for token in (0, 1)]
    assert drawn == [1, 8]


def test_samples_follow_the_students_probabilities(student):
    """The first token, 2,000 times, against softmax of the logits."""
    prompt = PROMPTS[0]
    sampled = generate(student, [prompt] * 2000, max_new_tokens=1, temperature=1.5,
                       batch_size=2000)  # fmt: skip
    ids = encode_prompt(student.tokenizer, prompt, student.is_encoder_decoder)
    inputs = {"input_ids": torch.tensor([ids])}
    if student.is_encoder_decoder:
        start = student.model.config.decoder_start_token_id
        inputs["decoder_input_ids"] = torch.tensor([[start]])
    logits = student.model(**inputs).logits[0, -1]
    top = logits.argmax().item()
    text = student.tokenizer.decode([top], skip_special_tokens=True).strip()
    alike = [
        i for i in range(len(student.tokenizer))
        if student.tokenizer.decode([i], skip_special_tokens=True).strip() == text
    ]  # fmt: skip
    share = (logits / 1.5).softmax(-1)[alike].sum().item()
    found = sum(written == text for written, _ in sampled) / len(sampled)
    assert found == pytest.approx(share, abs=4 * (share * (1 - share) / 2000) ** 0.5)


@pytest.fixture
def sizes(student, monkeypatch):
    """The rows of every step that is decoded, by a patched model."""
    seen = []
    kind = EncoderDecoderSlots if student.is_encoder_decoder else DecoderSlots
    plain = kind.logits

    def counting(self, tokens, *rest):
        seen.append(len(tokens))
        return plain(self, tokens, *rest)

    monkeypatch.setattr(kind, "logits", counting)
    return seen


def test_rows_leave_a_batch_as_they_end(student, monkeypatch, sizes):
    """The last steps are done with few, and the texts are the same."""
    together = generate(student, PROMPTS, max_new_tokens=12)
    sizes.clear()
    monkeypatch.setattr("cotnb.decoding.ROWS_LEFT_BUCKET", 1)
    assert generate(student, PROMPTS, max_new_tokens=12) == together
    assert sizes[0] == len(PROMPTS) and sizes[-1] < len(PROMPTS)


def test_prompts_that_wait_join_as_rows_end(student, monkeypatch, sizes):
    """Fewer steps than one batch after the other needs, and the texts are the same."""
    monkeypatch.setattr("cotnb.decoding.LOOK_EVERY", 1)
    prompts = PROMPTS * 4
    together = generate(student, prompts, max_new_tokens=12, batch_size=len(prompts))
    sizes.clear()
    monkeypatch.setattr("cotnb.decoding.JOIN", 1)
    assert generate(student, prompts, max_new_tokens=12, batch_size=4) == together
    steps = [n - 1 for _, n in together]  # reading a prompt gives its first token
    one_after_the_other = sum(max(steps[i : i + 4]) for i in range(0, len(steps), 4))
    assert sum(steps) / 4 <= len(sizes) < one_after_the_other


def test_columns_are_forgotten_when_there_is_no_room(student, monkeypatch):
    """With no column to spare the texts are the same, however many prompts follow."""
    expected = generate(student, PROMPTS * 6, max_new_tokens=12, batch_size=60)
    monkeypatch.setattr("cotnb.decoding.ROOM", 2)
    monkeypatch.setattr("cotnb.decoding.JOIN", 2)
    assert generate(student, PROMPTS * 6, max_new_tokens=12, batch_size=5) == expected


def test_a_decoder_that_counts_from_the_beginning_is_not_joined_late():
    """BART's positions are the batch's own: its rows begin together."""
    config = BartConfig(
        vocab_size=300, d_model=32, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32,
        decoder_ffn_dim=32, pad_token_id=0, bos_token_id=1, eos_token_id=1,
        decoder_start_token_id=1, forced_eos_token_id=None, init_std=0.5,
    )  # fmt: skip
    torch.manual_seed(0)
    model = BartForConditionalGeneration(config).eval()
    bart = Student("bart", model, load_student("toy-t5").tokenizer, "")
    together = generate(bart, PROMPTS, max_new_tokens=9)
    assert generate(bart, PROMPTS, max_new_tokens=9, batch_size=2) == together
    assert len({text for text, _ in together}) > 1


def test_predictions_are_judged_scored_and_kept(student, tmp_path):
    asking = Asking("zero_shot_answer_only", max_new_tokens=8)
    predictions = ask(student, [example(i) for i in range(4)], asking)
    assert [p.id for p in predictions] == [f"sums/test/{i}" for i in range(4)]
    scored = score(
        student, predictions, task="sums", condition="cot", seed=0,
        prompt_format=asking.prompt_format, step=3,
    )  # fmt: skip
    assert scored.n == 4 and scored.correct == sum(p.correct for p in predictions)
    save_predictions(tmp_path / "p.jsonl", predictions)
    rows = [json.loads(x) for x in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == [p.text for p in predictions]


def test_asking_again_reads_the_cache_and_other_settings_do_not(student):
    folder = cache_folder() / "texts"
    examples = [example(i) for i in range(40, 44)]
    ask(student, examples, Asking("zero_shot_cot", max_new_tokens=4))
    before = len(list(folder.iterdir()))
    ask(student, examples, Asking("zero_shot_cot", max_new_tokens=4))
    assert len(list(folder.iterdir())) == before
    ask(student, examples, Asking("zero_shot_cot", max_new_tokens=5))
    assert len(list(folder.iterdir())) == before + 1


def test_only_a_large_student_is_asked_in_bf16_unless_one_says_so(student, monkeypatch):
    assert Asking("zero_shot_cot").precision_for(student) == "fp32"
    monkeypatch.setattr(evaluation, "MANY_WEIGHTS", student.parameters)
    assert Asking("zero_shot_cot").precision_for(student) == "bf16"
    said = Asking("zero_shot_cot", precision="fp32")
    assert said.precision_for(student) == "fp32"


def test_few_shot_prompts_show_demonstrations_for_each_example():
    pool = [(e, e.rationale) for e in load_task("micro_world", "train", 8)]
    asking = Asking("few_shot_cot", demonstrations=2)
    prompts = prompts_for([example(1), example(2)], asking, pool)
    assert all(prompt.count("Q: ") == 3 for prompt in prompts)
    assert prompts[0].split("Q: ")[1] != prompts[1].split("Q: ")[1]


def test_a_full_disk_is_one_line(tmp_path, monkeypatch, student):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cotnb.files.os.replace", full)
    with pytest.raises(UserError, match="No space left on device"):
        save_predictions(tmp_path / "p.jsonl", [])
    assert not list(tmp_path.iterdir())


def test_a_prompt_with_no_room_is_named():
    student = load_student("toy-llama")
    student.model.config.max_position_embeddings = 20
    with pytest.raises(UserError, match="has room for 20 tokens"):
        generate(student, PROMPTS, max_new_tokens=30)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"prompt_format": "cot"}, "prompt_format='cot': expected one of"),
        ({"demonstrations": -1}, "demonstrations=-1: expected a whole number, 0"),
        ({"max_new_tokens": 0}, "max_new_tokens=0: expected a whole number, 1"),
        ({"batch_size": 2.5}, "batch_size=2.5: expected a whole number"),
        ({"precision": "fp16"}, "precision='fp16': expected one of"),
    ],
)
def test_a_wrong_way_of_asking_is_one_line(wrong, said):
    with pytest.raises(UserError, match=said):
        Asking(**{"prompt_format": "zero_shot_cot", **wrong})


def test_a_judge_of_ones_own_decides_what_is_correct(tmp_path):
    sets = load_test_sets("micro_world:test", 6)
    [examples] = sets.values()
    [score] = measure(
        load_student("toy-t5"),
        sets,
        ["zero_shot_cot"],
        Asking("zero_shot_cot", max_new_tokens=4),
        condition="before_tuning",
        step=0,
        seed=0,
        output=str(tmp_path),
        judge=lambda example, text: example in examples[::2] and isinstance(text, str),
    )
    assert score.outcomes == "101010"
    [file] = tmp_path.glob("*.jsonl")
    kept = [json.loads(line)["correct"] for line in file.read_text().splitlines()]
    assert kept == [True, False] * 3


def test_test_sets_are_named_and_measured(tmp_path):
    sets = load_test_sets("micro_world:test, micro_world:test_ood", 5)
    assert list(sets) == ["micro_world", "micro_world_ood"]
    scores = measure(
        load_student("toy-t5"),
        sets,
        ["zero_shot_cot", "zero_shot_answer_only"],
        Asking("zero_shot_cot", max_new_tokens=4),
        condition="before_tuning",
        step=0,
        seed=3,
        output=str(tmp_path),
    )
    assert [(s.n, s.seed) for s in scores] == [(5, 3)] * 4
    names = {path.name for path in tmp_path.glob("before_tuning-0-*.jsonl")}
    assert (
        len(names) == 4 and "before_tuning-0-micro_world-zero_shot_cot.jsonl" in names
    )
    named = load_test_sets("micro_world:test_ood:7, micro_bbh:test", 5)
    assert {name: len(own) for name, own in named.items()} == {
        "micro_world_ood": 7,
        "micro_bbh": 5,
    }
    for wrong in (
        "micro_world",
        "micro_world:train",
        "",
        "micro_world:test:",
        "micro_world:test:many",
        "micro_world:test:7:7",
    ):
        with pytest.raises(UserError, match="expected task:split"):
            load_test_sets(wrong)
