"""An endpoint as teacher: one that works, fails and is cut off; what is kept."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from endpoints import CUT, KEY, PAGE, SAMPLING, Endpoint, lines, wanted

from cotnb.errors import UserError
from cotnb.rationales.collecting import Wanted, collect, kept_replies
from cotnb.rationales.endpoint_teacher import EndpointTeacher
from cotnb.rationales.teachers import Asked, Reply, Sampling


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


def test_endpoints_of_one_gateway_have_files_of_their_own(monkeypatch):
    names = []
    for path in ("/v1", "/v1/", "", "/team-a/v1", "/team-b/v1"):
        monkeypatch.setenv("OPENAI_BASE_URL", f"https://gateway{path}")
        names.append(kept_replies(EndpointTeacher("m"), "02").name)
    assert names[0] == names[1] == names[2] == "02-m-gateway.jsonl"
    assert len(set(names)) == 3


def test_a_request_says_how_to_write():
    likely = SimpleNamespace(token="5", logprob=-0.1)
    told = SimpleNamespace(content=[SimpleNamespace(top_logprobs=[likely])])
    choice = SimpleNamespace(message=SimpleNamespace(content="5"), logprobs=told)
    sent = {}

    def create(**words):
        sent.update(words)
        return SimpleNamespace(choices=[choice], usage=None)

    completions = SimpleNamespace(create=create)
    client = SimpleNamespace(chat=SimpleNamespace(completions=completions))
    how = Sampling(temperature=0.0, max_new_tokens=8, top_logprobs=5)
    reply = EndpointTeacher("m")._ask(client, Asked("Q"), how)
    named = ("model", "temperature", "max_tokens", "logprobs", "top_logprobs")
    assert [sent[name] for name in named] == ["m", 0.0, 8, True, 5]
    assert sent["messages"] == [{"role": "user", "content": "Q"}]
    assert reply.text == "5" and reply.top_logprobs == [[("5", -0.1)]]


def test_another_prompt_is_asked_anew(endpoint, tmp_path):
    server, [one] = endpoint(), wanted(1)
    for prompt in ("Q1", "Q2", "Q1"):
        asked = [Wanted(one.example, Asked(prompt))]
        collect(EndpointTeacher("m"), asked, tmp_path / "r.jsonl", SAMPLING, "plain")
    assert sum(server.paid.values()) == 2


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
from cotnb.rationales.collecting import collect
from cotnb.rationales.endpoint_teacher import EndpointTeacher
from tests.endpoints import SAMPLING, wanted
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
    assert len(lines(path)) == 3
    assert len(collect(teacher, wanted(3), path, SAMPLING, "plain")) == 3
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
