"""Local teachers, tuned ones, and a real model behind a real server."""

import os
import socket
import subprocess
import sys
import time
from dataclasses import replace

import httpx
import pytest
from endpoints import SAMPLING, wanted

from cotnb.errors import UserError
from cotnb.evaluation import score
from cotnb.rationales import tuned_teacher as tuned_teacher_module
from cotnb.rationales.collecting import collect
from cotnb.rationales.endpoint_teacher import EndpointTeacher
from cotnb.rationales.local_teacher import LocalTeacher
from cotnb.rationales.papers import PAPER_RECIPES, sample_rationales
from cotnb.rationales.teachers import Asked, Sampling
from cotnb.rationales.tuned_teacher import tuned_teacher
from cotnb.recipes import Recipe, recipe_hash
from cotnb.students import load_student
from cotnb.tasks import load_task


def test_a_local_teachers_samples_do_not_depend_on_what_else_is_asked(
    tmp_path, monkeypatch
):
    teacher = LocalTeacher(load_student("toy-t5"))
    asked = wanted(6, samples=2)
    whole = collect(teacher, asked, tmp_path / "a.jsonl", SAMPLING, "plain")
    assert len({r.rationale for r in whole}) > 6
    for part in (asked[5:9], asked):
        parts = collect(teacher, part, tmp_path / "b.jsonl", SAMPLING, "plain")
    assert parts == whole
    monkeypatch.setattr("cotnb.rationales.local_teacher.AT_ONCE", 5)
    assert collect(teacher, asked, tmp_path / "c.jsonl", SAMPLING, "plain") == whole


def test_a_teacher_is_scored_by_what_it_wrote(tmp_path):
    teacher = LocalTeacher(load_student("toy-t5"))
    written = collect(teacher, wanted(4), tmp_path / "r.jsonl", SAMPLING, "plain")
    written[2] = replace(written[2], correct=True)
    told = {"task": "rationales", "seed": 3, "prompt_format": "few_shot_cot", "step": 0}
    scores = [
        score(teacher.student, rs, condition="hinted", **told)
        for rs in (written, written[::-1])
    ]
    assert [s.outcomes for s in scores] == ["0010", "0100"]
    assert scores[0].questions != scores[1].questions


def test_a_tuned_teacher_has_learnt_to_be_asked_in_three_ways(monkeypatch):
    """Zero-shot, few-shot, and with the answer told."""
    given = {}
    monkeypatch.setattr(
        tuned_teacher_module, "tune", lambda name, pairs, recipe: given.update(p=pairs)
    )
    solved = [(e, e.rationale) for e in load_task("micro_world", "train", 8)]
    tuned_teacher("toy-t5", solved, Recipe())
    prompts = [pair.prompt for pair in given["p"]]
    assert [prompt.count("Q:") for prompt in prompts] == [1] * 8 + [4] * 16
    assert [prompt.count("Hint:") for prompt in prompts] == [0] * 16 + [4] * 8
    assert all("The answer is" in pair.target for pair in given["p"])


def test_a_tuned_teacher_learns_no_format_that_it_is_not_asked_in(monkeypatch):
    """Without few-shot prompts it is another teacher, of another name, and cheaper."""
    given = []
    monkeypatch.setattr(
        tuned_teacher_module, "tune", lambda name, pairs, recipe: given.append(pairs)
    )
    solved = [(e, e.rationale) for e in load_task("micro_world", "train", 8)]
    tuned_teacher("toy-t5", solved, Recipe())
    tuned_teacher("toy-t5", solved, Recipe(), formats=["zero_shot_cot"])
    whole, short = given
    assert short == whole[:8]
    assert recipe_hash("toy", short, Recipe()) != recipe_hash("toy", whole, Recipe())
    with pytest.raises(UserError, match="prompt_format"):
        tuned_teacher("toy-t5", solved, Recipe(), formats=["no_shot"])


@pytest.mark.parametrize("name", ["toy-t5", "toy-llama"])
def test_a_local_teacher_tells_its_likeliest_tokens(name):
    teacher = LocalTeacher(load_student(name))
    sampling = Sampling(0.0, max_new_tokens=6, top_logprobs=3)
    [(_, reply)] = teacher.replies([Asked("Q: 1 + 1 =\nA:")], sampling)
    for row in reply.top_logprobs:
        values = [value for _, value in row]
        assert len(row) == 3 and values == sorted(values, reverse=True)
        assert all(value < 0 for value in values)
    # spaces aside: a decoder's text is read as a target, which begins with one
    tokens = "".join(row[0][0] for row in reply.top_logprobs).replace(" ", "")
    assert tokens.startswith(reply.text[:3].replace(" ", ""))


def _answers(url):
    try:
        return httpx.get(url, timeout=1).status_code == 200
    except httpx.TransportError:
        return False


def test_a_real_server_of_a_real_model_teaches(monkeypatch, tmp_path):
    """`transformers serve` on loopback, with a toy that has a chat template."""
    pytest.importorskip("uvicorn", reason="needs transformers[serving]")
    toy = load_student("toy-llama")
    toy.tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    folder = tmp_path / "toy"
    toy.model.save_pretrained(folder)
    toy.tokenizer.save_pretrained(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    words = ["serve", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "log").open("w") as log:
        serving = subprocess.Popen(
            [os.path.join(os.path.dirname(sys.executable), "transformers"), *words],
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + 240
        while not _answers(f"{url}/health"):
            assert serving.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.5)
        monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        teacher = EndpointTeacher(str(folder), concurrency=2)
        recipe = replace(PAPER_RECIPES["ho2023"], samples=2)
        examples = load_task("micro_world", "train", 3)
        path = tmp_path / "r.jsonl"
        got = sample_rationales(teacher, examples, recipe, path, max_new_tokens=8)
        assert len(got) == 6 and all(r.new_tokens for r in got)
        assert all(r.prompt.endswith("step by step.") for r in got)
    finally:
        serving.kill()
        serving.wait()
