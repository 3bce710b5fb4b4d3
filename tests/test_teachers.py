"""Teachers: a local model, endpoints that work, fail and are cut off; what is kept."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from cotnb.errors import UserError
from cotnb.evaluation import score
from cotnb.rationales import tuned_teacher as tuned_teacher_module
from cotnb.rationales.collecting import Wanted, collect, kept_replies
from cotnb.rationales.endpoint_teacher import EndpointTeacher
from cotnb.rationales.local_teacher import LocalTeacher
from cotnb.rationales.papers import (
    PAPER_RECIPES,
    keep,
    sample_rationales,
    yields,
)
from cotnb.rationales.record import Rationale, read_reply
from cotnb.rationales.teachers import Asked, Reply, Sampling
from cotnb.rationales.tuned_teacher import tuned_teacher
from cotnb.recipes import Recipe, recipe_hash
from cotnb.students import load_student
from cotnb.tasks import load_task

KEY = "sk-secret-abcdef123456"
SAMPLING = Sampling(temperature=0.7, max_new_tokens=16)
PAGE, CUT = 299, 298  # stand for a web page and a cut reply, which come with 200


class Endpoint(ThreadingHTTPServer):
    """A server that replies, refuses first, or never; it counts what it was asked."""

    daemon_threads = True

    def __init__(self, statuses=lambda count: 200, delay=0.0):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses, self.delay = statuses, delay
        self.paid, self.tries = Counter(), 0
        self.counting = threading.Lock()  # requests come side by side
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.counting:
            self.server.tries += 1
            status = self.server.statuses(self.server.tries)
        time.sleep(self.server.delay)
        body = {"error": {"message": f"refused {self.headers['Authorization']}"}}
        if status == 200:
            prompt = asked["messages"][0]["content"]
            with self.server.counting:
                self.server.paid[prompt, asked["seed"]] += 1
            body = {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": asked["model"],
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {
                            "role": "assistant",
                            "content": f"It is said. So the answer is {len(prompt)}.",
                        },
                    }
                ],
                "usage": {
                    "prompt_tokens": 10,
                    "completion_tokens": 5,
                    "total_tokens": 15,
                },
            }
        content, kind = json.dumps(body).encode(), "application/json"
        if status == PAGE:
            content, kind, status = b"<html></html>", "text/html", 200
        if status == CUT:
            content, status = b'{"id": "1", "cho', 200
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def endpoint(monkeypatch):
    servers = []

    def start(**options):
        servers.append(Endpoint(**options))
        monkeypatch.setenv("OPENAI_BASE_URL", servers[-1].url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()


def wanted(count: int, samples: int = 1) -> list[Wanted]:
    examples = load_task("micro_world", "train", count)
    return [Wanted(e, Asked(e.question, s)) for e in examples for s in range(samples)]


def lines(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_reply_is_a_rationale_an_answer_and_what_it_cost(endpoint, tmp_path, capsys):
    server = endpoint()
    path = tmp_path / "r.jsonl"
    asked = wanted(5, samples=2)
    got = collect(EndpointTeacher("m"), asked, path, SAMPLING, "plain", (2.0, 4.0))
    assert len(got) == 10 and sum(server.paid.values()) == 10
    assert len(server.paid) == 10  # samples of one prompt have seeds of their own
    for one, r in zip(asked, got, strict=True):
        assert (r.id, r.sample) == (one.example.id, one.asked.sample)
        assert r.prediction == str(len(one.asked.prompt)) and r.rationale == (
            "It is said."
        )
        assert r.teacher == "m" and r.temperature == 0.7 and r.prompt_tokens == 10
    told = "10 replies asked for, 0 from the file; 100 tokens read, 50 written, $0.00"
    assert told in capsys.readouterr().out
    assert [row["id"] for row in lines(path)].count(asked[0].example.id) == 2
    assert collect(EndpointTeacher("m"), asked, path, SAMPLING, "plain") == got
    assert sum(server.paid.values()) == 10
    others = [{"temperature": 1.0}, {"max_new_tokens": 32}, {"top_logprobs": 5}]
    for paid, other in enumerate(others, start=1):
        for _ in range(2):
            sampling = replace(SAMPLING, **other)
            collect(EndpointTeacher("m"), asked[:2], path, sampling, "plain")
            assert sum(server.paid.values()) == 10 + 2 * paid


def test_a_reply_is_judged_by_the_answer_as_it_is_now(endpoint, tmp_path):
    """And not paid for again where the user has mended a wrong one since."""
    server, path = endpoint(), tmp_path / "r.jsonl"
    [one] = wanted(1)
    said = str(len(one.asked.prompt))
    for answer in (said, "no such", said):
        asked = [Wanted(replace(one.example, answer=answer), one.asked)]
        [got] = collect(EndpointTeacher("m"), asked, path, SAMPLING, "plain")
        assert (got.answer, got.correct) == (answer, answer == said)
    assert sum(server.paid.values()) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_endpoint_that_recovers_is_asked_again(endpoint, tmp_path, status):
    server = endpoint(statuses=lambda count: status if count <= 3 else 200)
    got = collect(
        EndpointTeacher("m"), wanted(4), tmp_path / "r.jsonl", SAMPLING, "plain"
    )
    assert len(got) == 4 and server.tries == 7


def test_an_endpoint_that_fails_for_good_loses_nothing(endpoint, tmp_path):
    server = endpoint(statuses=lambda count: 200 if count <= 6 else 503)
    path, teacher = tmp_path / "r.jsonl", EndpointTeacher("m", 2, retries=1)
    with pytest.raises(UserError) as raised:
        collect(teacher, wanted(20), path, SAMPLING, "plain")
    message = str(raised.value)
    assert "\n" not in message and server.url in message
    assert "503" in message and "6 of 20 new replies are kept" in message
    assert len(lines(path)) == 6
    server.statuses = lambda count: 200
    assert len(collect(teacher, wanted(20), path, SAMPLING, "plain")) == 20
    assert set(server.paid.values()) == {1} and len(server.paid) == 20


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_is_told_at_once_and_without_the_key(endpoint, tmp_path, status):
    server, path = endpoint(statuses=lambda count: status), tmp_path / "r.jsonl"
    with pytest.raises(UserError, match=str(status)) as raised:
        collect(EndpointTeacher("m", 1), wanted(9), path, SAMPLING, "plain")
    assert server.tries == 1
    assert KEY not in str(raised.value) and "<key>" in str(raised.value)
    assert KEY not in path.read_text()


@pytest.mark.parametrize("status", [PAGE, CUT])
def test_another_kind_of_reply_is_told_in_a_line(endpoint, tmp_path, status):
    endpoint(statuses=lambda count: 200 if count <= 3 else status)
    teacher, path = EndpointTeacher("m", 1), tmp_path / "r.jsonl"
    with pytest.raises(UserError, match=r"does the address end in /v1\?.*3 of 5 new"):
        collect(teacher, wanted(5), path, SAMPLING, "plain")
    assert len(lines(path)) == 3


def test_one_cut_reply_loses_none_of_those_under_way(endpoint, tmp_path):
    server = endpoint(statuses=lambda count: CUT if count == 2 else 200, delay=0.2)
    teacher, path = EndpointTeacher("m", 4), tmp_path / "r.jsonl"
    with pytest.raises(UserError, match="no reply as OpenAI's are"):
        collect(teacher, wanted(20), path, SAMPLING, "plain")
    assert len(lines(path)) == server.tries - 1 == sum(server.paid.values())


def test_interrupted_while_it_writes_it_keeps_what_is_paid(
    endpoint, tmp_path, monkeypatch, capsys
):
    server = endpoint(delay=0.2)
    written = iter(range(100))

    def interrupted(_):
        if next(written) == 0:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("cotnb.rationales.collecting.os.fsync", interrupted)
    teacher, path = EndpointTeacher("m", 4), tmp_path / "r.jsonl"
    with pytest.raises(KeyboardInterrupt):
        collect(teacher, wanted(20), path, SAMPLING, "plain")
    assert 0 < len(lines(path)) == sum(server.paid.values()) == server.tries < 20
    assert "stopping once replies under way are kept" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_twice_it_waits_for_nothing(endpoint, tmp_path, number):
    """Neither the call nor the process, whose end would else wait for its threads."""
    server = endpoint(delay=60.0)
    script = (
        f"import signal\nsignal.signal({int(number)}, signal.default_int_handler)\n"
    )
    command = [sys.executable, "-c", script + COLLECT, str(tmp_path / "r.jsonl")]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while server.tries < 4:
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(number)
    time.sleep(1.0)
    assert running.poll() is None
    running.send_signal(number)
    _, said = running.communicate(timeout=20)
    assert "KeyboardInterrupt" in said


def test_half_a_character_is_written_as_a_question_mark(tmp_path):
    class Cutting:
        name = "cutting"

        def replies(self, asked, sampling):
            places = [[("\ud83d", -0.1)]]
            yield 0, Reply("Well \ud83d. The answer is 5.", 1, 1, places)

    path = tmp_path / "r.jsonl"
    [got] = collect(Cutting(), wanted(1), path, SAMPLING, "plain")
    assert got.rationale == "Well ?." and got.prediction == "5"
    assert lines(path)[0]["top_logprobs"] == [[["?", -0.1]]]


def test_a_password_in_the_address_is_not_told(endpoint, tmp_path, monkeypatch):
    server = endpoint(statuses=lambda count: 404)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url.replace("//", "//me:s3cret@"))
    with pytest.raises(UserError, match=r"127\.0\.0\.1.*404") as raised:
        collect(
            EndpointTeacher("m"), wanted(1), tmp_path / "r.jsonl", SAMPLING, "plain"
        )
    assert "s3cret" not in str(raised.value)


def test_another_endpoints_model_of_one_name_has_a_file_of_its_own(endpoint):
    endpoint()
    one = kept_replies(EndpointTeacher("org/m"), "02")
    endpoint()
    other = kept_replies(EndpointTeacher("org/m"), "02")
    assert one != other and one.parent == other.parent
    assert one.name.startswith("02-org-m-127.0.0.1-")


def test_time_outs_and_absent_servers_are_told_in_a_line(endpoint, tmp_path):
    endpoint(delay=5.0)
    slow = EndpointTeacher("m", 1, retries=0, timeout=0.2)
    with pytest.raises(UserError, match=r"no reply within 0\.2 s"):
        collect(slow, wanted(1), tmp_path / "r.jsonl", SAMPLING, "plain")
    os.environ["OPENAI_BASE_URL"] = "http://127.0.0.1:9/v1"
    absent = EndpointTeacher("m", 1, retries=0)
    with pytest.raises(UserError, match="no connection"):
        collect(absent, wanted(1), tmp_path / "r.jsonl", SAMPLING, "plain")


def test_without_key_or_address_it_says_what_to_set(monkeypatch, tmp_path):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UserError, match="set OPENAI_API_KEY"):
        collect(
            EndpointTeacher("m"), wanted(1), tmp_path / "r.jsonl", SAMPLING, "plain"
        )


COLLECT = """
import sys
from pathlib import Path
from tests.test_teachers import SAMPLING, EndpointTeacher, collect, wanted
collect(EndpointTeacher("m", 4), wanted(200), Path(sys.argv[1]), SAMPLING, "plain")
"""


def test_killed_twice_no_reply_is_lost_or_paid_for_twice(endpoint, tmp_path):
    """But for the few under way at a kill, which no client can know of."""
    server, path = endpoint(delay=0.02), tmp_path / "r.jsonl"
    for enough in (50, 120):
        running = subprocess.Popen([sys.executable, "-c", COLLECT, str(path)])
        while not path.is_file() or path.read_text().count("\n") < enough:
            assert running.poll() is None
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
        running.wait()
    kept = path.read_text().rpartition("\n")[0].splitlines()
    assert 120 <= len(kept) < 200
    subprocess.run([sys.executable, "-c", COLLECT, str(path)], check=True)
    assert path.read_text().splitlines()[: len(kept)] == kept
    ids = [row["id"] for row in lines(path)]
    assert len(ids) == len(set(ids)) == 200
    assert sum(server.paid.values()) <= 200 + 2 * 4


def test_two_processes_that_want_the_same_pay_for_it_once(endpoint, tmp_path):
    server, path = endpoint(delay=0.01), tmp_path / "r.jsonl"
    command = [sys.executable, "-c", COLLECT, str(path)]
    running = [subprocess.Popen(command) for _ in range(2)]
    assert [one.wait() for one in running] == [0, 0]
    assert len(lines(path)) == sum(server.paid.values()) == 200


def test_a_cut_line_is_dropped_and_a_broken_one_is_named(endpoint, tmp_path):
    server, path = endpoint(), tmp_path / "r.jsonl"
    teacher = EndpointTeacher("m")
    collect(teacher, wanted(3), path, SAMPLING, "plain")
    path.write_text(path.read_text()[:-20])
    assert len(collect(teacher, wanted(3), path, SAMPLING, "plain")) == 3
    assert sum(server.paid.values()) == 4
    path.write_text("{}\n" + path.read_text())
    with pytest.raises(UserError, match=r"r\.jsonl, line 1: no record"):
        collect(teacher, wanted(3), path, SAMPLING, "plain")


def test_a_full_disk_is_told_in_a_line(endpoint, tmp_path):
    endpoint()
    ends = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=r"not written .* 0 new replies"):
        collect(EndpointTeacher("m"), wanted(2), tmp_path / "folder", SAMPLING, "plain")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file: cannot be written to"):
        collect(EndpointTeacher("m"), [], tmp_path / "file" / "r", SAMPLING, "plain")
    (tmp_path / "r.jsonl").symlink_to("/dev/full")
    with pytest.raises(UserError, match="not written") as kept:
        collect(
            EndpointTeacher("m"), wanted(2), tmp_path / "r.jsonl", SAMPLING, "plain"
        )
    assert kept.tb  # what it was raised in lives on, and holds no interrupt any more
    assert ends == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]


def test_a_local_teachers_samples_do_not_depend_on_what_else_is_asked(tmp_path):
    teacher = LocalTeacher(load_student("toy-t5"))
    asked = wanted(6, samples=2)
    whole = collect(teacher, asked, tmp_path / "a.jsonl", SAMPLING, "plain")
    assert len({r.rationale for r in whole}) > 6
    for part in (asked[5:9], asked):
        parts = collect(teacher, part, tmp_path / "b.jsonl", SAMPLING, "plain")
    assert parts == whole


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


class Scripted:
    """A teacher that writes the exact solution, or a wrong one."""

    name = "scripted"

    def __init__(self, examples):
        self.by_question = {e.question: e for e in examples}
        self.prompts = []

    def replies(self, asked, sampling):
        for number, one in enumerate(asked):
            self.prompts.append(one.prompt)
            question = one.prompt.rpartition("Q: ")[2].partition("\n")[0]
            example = self.by_question[question]
            text = f"{example.rationale} The answer is {example.answer}."
            if one.sample == 1:  # right answer, but no step leads to it
                text = f"7 + 8 = 16. The answer is {example.answer}."
            if one.sample == 2:
                text = "The answer is 1234."
            yield number, Reply(text, 20, 10)


@pytest.mark.parametrize("name", PAPER_RECIPES)
def test_each_papers_recipe_asks_and_keeps_as_it_says(name, tmp_path):
    examples = load_task("micro_world", "train", 5)
    pool = [(e, e.rationale) for e in load_task("micro_world", "train", 30)[5:]]
    recipe, teacher = PAPER_RECIPES[name], Scripted(examples)
    path = tmp_path / "r.jsonl"
    written = sample_rationales(teacher, examples, recipe, path, pool=pool)
    assert len(written) == 5 * recipe.samples
    hints = [prompt.count("\nHint: the answer is ") for prompt in teacher.prompts]
    shown = 3 if recipe.prompt_format == "few_shot_cot" else 0
    assert set(hints) == {shown + 1 if recipe.hint else 0}
    kept = keep(recipe, written)
    assert all(r.correct for r in kept)
    texts = [r.rationale for r in kept if r.id == examples[0].id]
    if recipe.distinct:
        assert len(texts) == len(set(texts)) == 2
    told = yields(written, examples)
    assert told["questions"] == 5 and told["tokens_written"] == 10 * len(written)
    wrong = 1 if recipe.samples > 2 else 0
    assert told["right"] == pytest.approx(1 - wrong / recipe.samples)
    assert told["covered"] == 1.0
    if recipe.samples > 1:
        right = recipe.samples - 1
        assert told["wrong_step"] == pytest.approx(1 / right)
        assert told["distinct"] == pytest.approx(2 / right)


def test_without_its_hint_a_recipe_is_the_same_and_is_asked_anew(tmp_path):
    examples = load_task("micro_world", "train", 5)
    pool = [(e, e.rationale) for e in load_task("micro_world", "train", 30)[5:]]
    hinted, teacher = PAPER_RECIPES["magister2022"], Scripted(examples)
    bare = hinted.without_hint()
    assert replace(bare, name=hinted.name, hint=True) == hinted
    for recipe in (hinted, bare):
        sample_rationales(teacher, examples, recipe, tmp_path / "r.jsonl", pool=pool)
    told = ["Hint:" in prompt for prompt in teacher.prompts]
    assert told == [True] * 5 + [False] * 5


@pytest.mark.parametrize(
    ("text", "rationale", "prediction"),
    [
        ("2 + 3 = 5. The answer is 5.", "2 + 3 = 5.", "5"),
        ("2 + 3 = 5. So the answer is 5.", "2 + 3 = 5.", "5"),
        ("2 + 3 = 5.\nTherefore, the final answer is: 5", "2 + 3 = 5.", "5"),
        ("2 + 3 = 5.\n\n**Answer:** 5", "2 + 3 = 5.", "5"),
        ("2 + 3 = 5.\n### Final Answer: 5", "2 + 3 = 5.", "5"),
        ("2 + 3 = 5. Therefore, the correct answer is 5.", "2 + 3 = 5.", "5"),
        ("2 + 3 = 5. So our answer is 5.", "2 + 3 = 5.", "5"),
        ("2 + 3 = 5", "2 + 3 = 5", "5"),
        (
            "2 + 3 = 5. The answer is 5.\n\nQ: 1?\nA: The answer is 1.",
            "2 + 3 = 5.",
            "5",
        ),
        ("The answer is 5.", "The answer is 5.", "5"),
        ("I do not know.", "I do not know.", ""),
        ("", "", ""),
    ],
)
def test_a_reply_is_read(text, rationale, prediction):
    example = replace(load_task("micro_world", "train", 1)[0], answer="5")
    assert read_reply(text, example) == (rationale, prediction, prediction == "5")


def test_a_record_says_only_what_was_told():
    r = Rationale("q", "r", "1", "1", True, "t", "s")
    assert "top_logprobs" not in r.row() and r.row()["sample"] == 0
