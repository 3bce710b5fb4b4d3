"""Your task: files checked, split, taught, tuned, exported, reported, resumed."""

import gzip
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer
from typer.testing import CliRunner

from cotnb import cli
from cotnb.errors import UserError
from cotnb.files import write_whole
from cotnb.paths import cache_folder
from cotnb.plots import before_and_after
from cotnb.rationales.endpoint_teacher import EndpointTeacher
from cotnb.rationales.teachers import Reply
from cotnb.students import load_student
from cotnb.tasks import load_task
from cotnb.tasks.example import Example
from cotnb.tasks.micro_renumbered import load_renumbered
from cotnb.your_task import flow
from cotnb.your_task.answer_types import detect_answer_type, read_answer
from cotnb.your_task.comparing import (
    BEFORE,
    build_exam,
    check_questions,
    commonest_answer,
    contrasts,
    examine,
)
from cotnb.your_task.exporting import claim_folder, export_student, loading_code
from cotnb.your_task.fitting import fitting, training_pairs, with_general
from cotnb.your_task.questions import check_enough, read_questions
from cotnb.your_task.recommending import recommend
from cotnb.your_task.report import (
    better_and_worse,
    headline,
    not_asked,
    report_text,
)
from cotnb.your_task.splitting import WAYS, split_questions, template_of
from cotnb.your_task.teaching import gather
from cotnb.your_task.wishes import Wishes

FRUIT = (
    "apples",
    "pears",
    "plums",
    "figs",
    "nuts",
    "eggs",
    "cups",
    "pens",
    "hats",
    "pins",
    "jars",
    "keys",
)
QUICK = Wishes(
    student="toy-t5",
    precision="fp32",
    test_questions=10,
    epochs=0.5,
    demonstrations=1,
    general="micro_bbh:test",
    general_questions=2,
)


def rows(count: int, rationale: bool = True) -> list[dict]:
    """Sums, each fruit in as many questions, so that a fruit is a template."""
    made = []
    for i in range(count):
        one = {
            "question": f"{i} {FRUIT[i % len(FRUIT)]} and 2?",
            "answer": i + 2,
            "rationale": f"{i} + 2 = {i + 2}.",
        }
        made.append(one if rationale else {**one, "rationale": ""})
    return made


def write(path: Path, lines) -> Path:
    text = (x if isinstance(x, str) else json.dumps(x) for x in lines)
    path.write_text("".join(f"{line}\n" for line in text), encoding="utf-8")
    return path


GOOD = rows(2)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "malformed"),
        ('["question", "answer"]', "malformed"),
        ('{"question": "\\ud800", "answer": "5"}', "malformed"),
        ("[" * 100_000, "malformed"),
        ({"answer": "5"}, "no_question"),
        ({"question": " ", "answer": "5"}, "no_question"),
        ({"question": "2 + 3?"}, "no_answer"),
        ({"question": "2 + 3?", "answer": ["5"]}, "no_answer"),
        ({"question": "2 + 3?", "answer": 10**400}, "no_answer"),
        ('{"question": "2 + 3?", "answer": NaN}', "no_answer"),
        ({"question": "2 + 3?", "answer": " "}, "empty_answer"),
        ({"question": "2 + 3?", "answer": "5 or 6"}, "other_type"),
        ({**GOOD[0], "question": GOOD[0]["question"].upper() + " "}, "duplicate"),
    ],
)
def test_a_line_that_is_no_use_is_named_and_the_others_are_used(tmp_path, line, reason):
    path = write(tmp_path / "q.jsonl", [*GOOD, "", line, rows(3)[2]])
    checked = read_questions(path, "number")
    assert [e.answer for e in checked.examples] == ["2", "3", "4"]
    assert checked.left_out == {reason: [4]} and checked.lines == 4
    assert any("1 left out" in x and "line 4" in x for x in checked.remarks())


def test_questions_with_different_answers_are_all_left_out(tmp_path):
    other = {**GOOD[0], "answer": 7}
    again = {**GOOD[1], "answer": "3.0"}  # the same number, spelt otherwise
    path = write(tmp_path / "q.jsonl", [*GOOD, other, again])
    checked = read_questions(path)
    assert checked.left_out == {"duplicate": [4], "conflicting": [1, 3]}
    assert [e.answer for e in checked.examples] == ["3"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b'[\n{"question": "2 + 3?", "answer": "5"}\n]', "this is one JSON list"),
        (b"question,answer\n2 + 3?,5\n", "no usable question: 2 with no JSON object"),
        (b"\xff\xfe\x00", "this is UTF-16; save it as UTF-8"),
        (b"\x00\xff\x00", "no usable question: 1 with not UTF-8"),
    ],
)
def test_a_file_of_no_use_is_refused_in_a_line(tmp_path, content, reason):
    path = tmp_path / "q.jsonl"
    path.write_bytes(content)
    with pytest.raises(UserError, match=reason) as refused:
        read_questions(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("choice", '{"question": "2 + 3? (A) 4 (B) 5", "answer": "B"}'),
        ("", '{"question": "2 + 3?", "answer": "5"}'),
    ],
)
def test_the_line_that_is_shown_is_of_use(tmp_path, kind, line):
    path = write(tmp_path / "q.jsonl", ["{"])
    with pytest.raises(UserError) as refused:
        read_questions(path, kind)
    assert str(refused.value).endswith(f"expected a line such as {line}")
    assert len(read_questions(write(path, [line]), kind).examples) == 1


def test_a_mark_of_utf8_and_windows_line_ends_do_no_harm(tmp_path):
    text = "\r\n".join(map(json.dumps, GOOD))
    (tmp_path / "q.jsonl").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert len(read_questions(tmp_path / "q.jsonl").examples) == 2


@pytest.mark.parametrize(
    ("answers", "kind", "read"),
    [
        (["$1,000.00", "5 km", "-3"], "number", ["1000", "5", "-3"]),
        (["(b)", "C.", "a"], "choice", ["B", "C", "A"]),
        (["Yes", "no.", "NO"], "yes_no", ["yes", "no", "no"]),
        (["true", "False"], "true_false", ["true", "false"]),
        (["Paris.", "on  foot"], "text", ["Paris", "on foot"]),
        (["A mile", "B", "7"], "text", ["A mile", "B", "7"]),
        (["] )", "}"], "brackets", ["] )", "}"]),
        (
            ["The answer is 5.", "\u20135", "so the final answer: -3"],
            "number",
            ["5", "-5", "-3"],
        ),
        (
            ["He asked whether the answer is right", "on foot"],
            "text",
            ["He asked whether the answer is right", "on foot"],
        ),
        (["The answer is  on foot."], "text", ["on foot"]),
        (["5"] * 17 + ["on foot"] * 3, "text", None),
    ],
)
def test_the_kind_of_answer_is_that_of_nearly_all(answers, kind, read):
    assert detect_answer_type(answers)[0] == kind
    assert read in (None, [read_answer(answer, kind) for answer in answers])


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        ("minus 5", "number", "other_type"),
        ("unknown: the answer is lost", "text", "unreadable"),
    ],
)
def test_an_answer_that_no_text_is_read_to_state_is_named(
    tmp_path, answer, kind, reason
):
    path = write(tmp_path / "q.jsonl", [*GOOD, {"question": "?", "answer": answer}])
    assert read_questions(path, kind).left_out == {reason: [3]}


def test_small_numbers_are_numbers(tmp_path):
    small = [{"question": f"{i}?", "answer": i / 1e6} for i in range(1, 21)]
    checked = read_questions(write(tmp_path / "q.jsonl", small))
    assert checked.answer_type == "number" and checked.examples[0].answer == "0.000001"


def test_a_packed_file_is_read_and_a_cut_one_is_named(tmp_path):
    path = tmp_path / "q.jsonl.gz"
    packed = gzip.compress("\n".join(map(json.dumps, GOOD)).encode())
    path.write_bytes(packed)
    assert len(read_questions(path).examples) == 2
    path.write_bytes(packed[:-9])
    with pytest.raises(UserError, match=r"q\.jsonl\.gz: unreadable"):
        read_questions(path)


def test_a_kind_that_most_have_is_told_with_its_share(tmp_path):
    odd = {"question": "how many?", "answer": "nobody knows"}
    checked = read_questions(write(tmp_path / "q.jsonl", [*rows(19), odd]))
    assert checked.answer_type == "number" and checked.left_out == {"other_type": [20]}
    assert "kind of answer: number, as 95% are" in checked.remarks()[1]
    with pytest.raises(UserError, match="answer type 'numeral'"):
        read_questions(tmp_path / "q.jsonl", "numeral")


def test_long_answers_are_told_apart_from_results(tmp_path):
    long = [{**row, "answer": "so " * 12 + str(i)} for i, row in enumerate(rows(20))]
    said = read_questions(write(tmp_path / "q.jsonl", long)).remarks()
    assert any('put the working under "rationale"' in line for line in said)


def test_few_questions_are_refused_and_some_more_are_warned_of(tmp_path):
    with pytest.raises(UserError, match="5 usable questions, 20 or more are needed"):
        check_enough(read_questions(write(tmp_path / "q.jsonl", rows(5))))
    some = read_questions(write(tmp_path / "q.jsonl", rows(20)))
    check_enough(some)
    assert any("20 questions are few" in line for line in some.remarks())


def test_a_rationale_that_only_a_duplicate_has_is_kept(tmp_path):
    path = write(tmp_path / "q.jsonl", [{**GOOD[0], "rationale": ""}, GOOD[0]])
    assert read_questions(path).examples[0].rationale == GOOD[0]["rationale"]


def test_a_question_keeps_its_id_where_the_file_grows_or_is_shuffled(tmp_path):
    first = read_questions(write(tmp_path / "a.jsonl", rows(20))).examples
    grown = read_questions(write(tmp_path / "b.jsonl", rows(30)[::-1])).examples
    ids = {e.question: e.id for e in grown}
    assert [ids[e.question] for e in first] == [e.id for e in first]
    assert len(set(ids.values())) == 30


def test_a_template_is_a_question_without_numbers_and_names():
    one = "Ann Lee has 3 pens. She buys twelve at 1,50. How many?"
    other = "Bob has 14 pens. He buys 7 at 2. How many?"
    assert template_of(one) == template_of(other)
    assert template_of(one) != template_of(one.replace("pens", "hats"))


def test_a_template_stays_on_one_side(tmp_path):
    examples = read_questions(write(tmp_path / "q.jsonl", rows(240))).examples
    split = split_questions(examples, seed=1)
    assert 24 <= len(split.test) <= 48 and len(split.train) + len(split.test) == 240
    assert {e.template for e in split.test}.isdisjoint(e.template for e in split.train)
    assert set(split.leaked.values()) == {0.0}
    assert not any("LEAKAGE" in line for line in split.remarks())
    assert all(e.split == "test" for e in split.test)


def test_a_split_by_chance_says_what_leaks(tmp_path):
    examples = read_questions(write(tmp_path / "q.jsonl", rows(240))).examples
    split = split_questions(examples, way="random")
    assert split.leaked["same template"] == 1.0 and len(split.test) == 48
    assert any("LEAKAGE" in line for line in split.remarks())


def test_copies_with_other_numbers_leak_by_chance_and_not_by_template(tmp_path):
    lines = [
        {"question": e.question, "answer": e.answer}
        for e in load_renumbered("train", 120, copies=4)
    ]
    examples = read_questions(write(tmp_path / "q.jsonl", lines)).examples
    splits = {way: split_questions(examples, way=way) for way in WAYS}
    assert splits["template"].templates <= 30
    assert splits["template"].leaked["same template"] == 0.0
    assert splits["random"].leaked["same template"] > 0.8


def test_a_split_is_the_same_for_the_same_questions(tmp_path):
    examples = read_questions(write(tmp_path / "q.jsonl", rows(120))).examples

    def drawn(given, seed):
        return {e.id for e in split_questions(given, seed=seed).test}

    assert drawn(examples, 0) == drawn(examples[::-1], 0) != drawn(examples, 1)


def test_one_template_alone_cannot_be_split_by_template(tmp_path):
    same = [{"question": f"{i} + 2?", "answer": i + 2} for i in range(50)]
    examples = read_questions(write(tmp_path / "q.jsonl", same)).examples
    with pytest.raises(UserError, match="--split random"):
        split_questions(examples)
    assert len(split_questions(examples, way="random").test) == 10


def test_50_000_lines_are_checked_and_split_in_seconds(tmp_path):
    many = rows(50_000)
    path = write(tmp_path / "q.jsonl", many)
    begun = time.process_time()
    checked = read_questions(path)
    split = split_questions(checked.examples, way="random")
    assert time.process_time() - begun < 15
    assert len(split.test) == 200 and len(split.train) == 49_800


class Adder:
    """A teacher that adds right, but for every fourth question; it counts."""

    name = "adder"

    def __init__(self):
        self.asked = 0

    def replies(self, asked, sampling):
        for number, one in enumerate(asked):
            self.asked += 1
            n = int(one.prompt.rpartition("Q: ")[2].split()[0])
            result = n + (3 if n % 4 == 0 else 2)
            text = f"{n} + 2 = {result}. The answer is {result}."
            yield number, Reply(text, prompt_tokens=10, new_tokens=5)


def test_a_teacher_is_asked_what_is_missing_and_is_not_paid_twice(tmp_path):
    own, bare = rows(40)[:20], rows(40, rationale=False)[20:]
    train = read_questions(write(tmp_path / "q.jsonl", [*own, *bare])).examples
    teacher = Adder()
    taught = gather(train, teacher=teacher, samples=2, prices=(1.0, 2.0))
    assert teacher.asked == 2 * 20
    again = gather(train, teacher=teacher, samples=2, prices=(1.0, 2.0))
    assert teacher.asked == 2 * 20 and again.solved == taught.solved
    by_source = {row["source"]: row for row in taught.table()}
    assert by_source["the file's own"]["right"] == 1.0
    assert by_source["adder"]["right"] == 0.75
    assert by_source["adder"]["dollars"] == pytest.approx(40 * (10 + 2 * 5) / 1e6)
    assert taught.questions == 20 + 15
    assert all(
        r.correct for s in taught.sources for r in s.written if s.name != "adder"
    )
    fewer = gather(train, teacher=Adder(), samples=3, most_asked=4)
    assert len(fewer.sources[1].written) == 3 * 4
    assert {r.style for r in taught.sources[1].written} == {"fu2023"}
    assert all(r.prompt.count("Q: ") == 4 for r in taught.sources[1].written)


def test_a_file_that_is_shuffled_is_not_paid_for_again(tmp_path):
    lines = [*rows(40)[:20], *rows(40, rationale=False)[20:]]
    teacher, written = Adder(), []
    teacher.name = f"adder-{tmp_path.name}"
    for name, ordered in (("q", lines), ("s", lines[::-1])):
        train = read_questions(write(tmp_path / f"{name}.jsonl", ordered)).examples
        taught = gather(train, teacher=teacher, samples=1, most_asked=5)
        written.append({r.id for r in taught.sources[1].written})
    assert teacher.asked == 5 and written[0] == written[1]


def test_as_many_rationales_as_were_paid_for_are_taught(tmp_path):
    class Wordy:
        name = f"wordy-{tmp_path.name}"

        def replies(self, asked, sampling):
            for number, one in enumerate(asked):
                text = "We add " * (one.sample + 2) + "so. The answer is 2."
                yield number, Reply(text, 1, 1)

    bare = [{**row, "answer": "2"} for row in rows(4, rationale=False)]
    train = read_questions(write(tmp_path / "q.jsonl", bare)).examples
    assert len(gather(train, teacher=Wordy(), samples=3).solved) == 4 * 3


def test_only_a_teachers_rationales_cost(tmp_path):
    bare = rows(4, rationale=False)
    train = read_questions(write(tmp_path / "q.jsonl", bare)).examples
    told = [
        {**row, "rationale": "It is so.", "prediction": row["answer"], "teacher": "t",
         "style": "s", "prompt_tokens": 10**6, "new_tokens": 10**6}
        for row in bare[:3]
    ]  # fmt: skip
    teacher = Adder()
    teacher.name = f"adder-{tmp_path.name}"
    taught = gather(
        train,
        rationale_file=str(write(tmp_path / "r.jsonl", told)),
        teacher=teacher,
        samples=1,
        prices=(1.0, 1.0),
    )
    of_file, of_teacher = taught.table()
    assert "dollars" not in of_file and of_teacher["dollars"] == pytest.approx(15e-6)


def test_another_servers_model_of_the_same_name_is_asked_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    bare = read_questions(write(tmp_path / "q.jsonl", rows(8, rationale=False)))
    asked = []

    def replies(teacher, wanted, sampling):
        asked.append(teacher.client.base_url.netloc)
        return Adder().replies(wanted, sampling)

    monkeypatch.setattr(EndpointTeacher, "replies", replies)
    for port in (8000, 8001, 8000):
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://localhost:{port}/v1")
        gather(bare.examples, teacher=EndpointTeacher("m"), samples=1)
    assert asked == [b"localhost:8000", b"localhost:8001"]


def test_a_rationale_of_ones_own_that_states_another_answer_is_not_taught(tmp_path):
    wrong = {**rows(1)[0], "rationale": "0 + 2 = 4. The answer is 4."}
    train = read_questions(write(tmp_path / "q.jsonl", [wrong, *rows(9)[1:]])).examples
    taught = gather(train)
    assert taught.questions == 8 and taught.table()[0]["right"] == pytest.approx(8 / 9)


@pytest.mark.parametrize(
    ("rationale", "said"),
    [
        ("0 + 2 = 2. The answer is 2.", []),
        ("0 + 2 = 2.\n#### 2", []),
        ("0 + 2 = 2.", ["1 of the file's own state no answer"]),
        ("Bananas are a yellow fruit.", ["1 of the file's own state no answer"]),
    ],
)
def test_what_ones_own_rationales_state_is_told(tmp_path, rationale, said):
    first = {**rows(1)[0], "rationale": rationale}
    stated = [{**r, "rationale": f"So. The answer is {r['answer']}."} for r in rows(9)]
    path = write(tmp_path / "q.jsonl", [first, *stated[1:]])
    checked = read_questions(path)
    assert checked.contradicting == []
    remarks = gather(checked.examples).remarks()
    told = [line for line in remarks if "state no answer" in line]
    assert [line[:35] for line in told] == said


def test_a_heading_is_no_answer_and_a_question_in_a_rationale_is_no_end(tmp_path):
    own = rows(3)
    own[0]["rationale"] = "#### Step 1: add\n0 + 2 = 2.\n#### Step 2: 2 and 0\nSo 2."
    own[1]["rationale"] = "Question: what is 1 + 2? 1 + 2 = 3. Q : sure? Yes.\n#### 3"
    own[2]["rationale"] = (
        "2 + 2 = 4.\n#### 4\n(checked)\n\nQ: 4 + 4?\nA: 8. The answer is 8."
    )
    checked = read_questions(write(tmp_path / "q.jsonl", own))
    assert checked.contradicting == []
    texts = [text for _, text in gather(checked.examples).solved]
    assert texts[0] == own[0]["rationale"]
    assert texts[1] == "Question. what is 1 + 2? 1 + 2 = 3. Q. sure? Yes."
    assert texts[2] == "2 + 2 = 4."


@pytest.mark.parametrize("ending", ["The answer is 4.", "#### 4"])
def test_a_rationale_that_contradicts_its_answer_is_named(tmp_path, ending):
    wrong = {**rows(4)[3], "rationale": f"3 + 2 = 4.\n{ending}"}
    checked = read_questions(write(tmp_path / "q.jsonl", [*rows(3), wrong, *rows(9)]))
    assert checked.contradicting == [4]
    assert any("state another answer" in x and "line 4" in x for x in checked.remarks())
    assert gather(checked.examples).questions == 8


def test_a_doubtful_step_is_one_of_an_equation(tmp_path):
    own = rows(9)
    own[1]["rationale"] = "One of them, and two more, are three."
    own[2]["rationale"] = "2 + 2 = 5. So there are 4."
    train = read_questions(write(tmp_path / "q.jsonl", own)).examples
    [row] = gather(train).table()
    assert row["with_equations"] == 8 and row["wrong_step"] == pytest.approx(1 / 8)
    assert "12% of 8 right ones with equations" in gather(train).remarks()[1]
    for one in own:
        one["rationale"] = "Some of them and two more."
    words = read_questions(write(tmp_path / "w.jsonl", own)).examples
    assert gather(words).table()[0]["wrong_step"] is None
    assert "doubtful" not in " ".join(gather(words).remarks())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            "é".encode("latin-1"),
            "1 left out, not UTF-8: save the file as UTF-8: line 1",
        ),
        ("é".encode("utf-16"), "this is UTF-16; save it as UTF-8"),
    ],
)
def test_another_encoding_is_named(tmp_path, content, reason):
    line = json.dumps(rows(1)[0]).encode()
    path = tmp_path / "q.jsonl"
    path.write_bytes(content + b"\n" + line + b"\n")
    try:
        said = read_questions(path).remarks()
    except UserError as error:
        said = [str(error)]
    assert any(reason in one for one in said)


def test_an_answer_alone_is_no_rationale(tmp_path):
    bare = {**rows(1)[0], "rationale": "So the answer is 2."}
    train = read_questions(write(tmp_path / "q.jsonl", [bare, *rows(9)[1:]])).examples
    taught = gather(train)
    assert (taught.questions, taught.bare) == (8, 1)
    assert taught.remarks()[-1].startswith("1 right ones left out")


def test_a_teacher_is_asked_where_there_is_but_an_answer(tmp_path):
    own = {"rationale": "So the answer is 2."}
    bare = [row | own | {"answer": "2"} for row in rows(4)]
    train = read_questions(write(tmp_path / "q.jsonl", bare)).examples

    class Teacher:
        name = f"teacher-of-{tmp_path.name}"

        def replies(self, asked, sampling):
            for number, _ in enumerate(asked):
                yield number, Reply("One and one are two. So the answer is 2.", 1, 1)

    taught = gather(train, teacher=Teacher(), samples=1)
    assert (taught.questions, taught.bare) == (4, 4)


def test_a_rationale_file_is_judged_by_ones_own_answers(tmp_path):
    bare = rows(30, rationale=False)
    train = read_questions(write(tmp_path / "q.jsonl", bare)).examples
    told = [
        {
            "question": row["question"].upper(),
            "rationale": f"{i} + 2.",
            "prediction": f"{i + 2}.0" if i else "9",
            "answer": "unknown",
            "teacher": "t",
            "style": "s",
        }
        for i, row in enumerate(bare[:25])
    ]
    taught = gather(train, rationale_file=str(write(tmp_path / "r.jsonl", told)))
    assert taught.questions == 24
    letters = [{**row, "answer": "ab"[i % 2]} for i, row in enumerate(bare[:4])]
    train = read_questions(write(tmp_path / "l.jsonl", letters)).examples
    told = [{**one, "prediction": "ab"[i % 2]} for i, one in enumerate(told[:4])]
    taught = gather(train, rationale_file=str(write(tmp_path / "p.jsonl", told)))
    assert taught.questions == 4
    other = write(tmp_path / "o.jsonl", [{**told[0], "question": "another?"}])
    with pytest.raises(UserError, match="no rationale of a training question"):
        gather(train, rationale_file=str(other))


def test_what_is_recommended_follows_size_kind_and_wish():
    few = recommend(100, 100, parameters=135_000_000)
    assert (few.teach, few.method, few.epochs) == ("cot", "lora", 12)
    assert few.learning_rate == pytest.approx(1e-3)
    many = recommend(20_000, 20_000, parameters=135_000_000)
    assert (many.method, many.epochs, many.learning_rate) == ("full", 1, 1e-4)
    small = recommend(100, 100, parameters=300_000)
    assert (small.method, small.learning_rate) == ("full", 1e-3)
    assert recommend(100, 19, parameters=1).teach == "answer_only"
    assert recommend(1000, 199, parameters=1).teach == "answer_only"
    assert recommend(1000, 199, parameters=1, teach="cot").teach == "cot"
    assert recommend(1000, 200, parameters=1).teach == "cot"
    stated = recommend(100, 100, 135_000_000, method="full", epochs=2, teach=None)
    assert (stated.method, stated.epochs, stated.learning_rate) == ("full", 2, 1e-4)
    assert stated.reasons["epochs"] == "as stated" and set(stated.reasons) == {
        "teach", "method", "epochs", "batch_size", "learning_rate", "replayed",
    }  # fmt: skip
    with pytest.raises(UserError, match="teach 'cot': 3 questions have a rationale"):
        recommend(100, 3, 1, teach="cot")
    with pytest.raises(UserError, match="15 training questions are too few"):
        recommend(15, 15, 1, teach="cot")
    with pytest.raises(UserError, match="teach 'both'"):
        recommend(100, 100, 1, teach="both")


def test_answers_are_shown_as_often_as_rationales(tmp_path):
    train = read_questions(write(tmp_path / "q.jsonl", rows(30))).examples
    solved = [(example, "So.") for example in train[:20] for _ in range(3)]
    pairs = training_pairs(train, solved, "cot", seed=0)
    assert len(pairs["cot"]) == len(pairs["answer_only"]) == 60
    assert len({pair.prompt for pair in pairs["answer_only"]}) == 20
    assert len(training_pairs(train, solved, "answer_only", 0)["answer_only"]) == 30


def test_general_questions_come_on_top_as_a_share_of_all(tmp_path):
    train = read_questions(write(tmp_path / "q.jsonl", rows(27))).examples
    own = training_pairs(train, [(e, "So.") for e in train], "cot", seed=0)
    mixed = with_general(own, 0.1, "micro_bbh", seed=0)
    for condition, pairs in mixed.items():
        assert pairs[:27] == own[condition] and len(pairs) == 30
    tested = {e.question for e in load_task("micro_bbh", "test", 500)}
    assert not any(q in pair.prompt for pair in mixed["cot"][27:] for q in tested)
    assert with_general(own, 0.0, "no such task", seed=0) == own


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A file, and what the whole way makes of it, once."""
    folder = tmp_path_factory.mktemp("task")
    path = write(folder / "q.jsonl", rows(60))
    said = []
    found = flow.tune_your_task(path, QUICK, folder / "out", said.append)
    return folder, found, said


def test_the_whole_way_leaves_everything_in_the_folder(place):
    folder, found, said = place
    out = folder / "out"
    assert {x.name for x in out.iterdir()} == {
        "settings.json", "train.jsonl", "test.jsonl", "rationales.jsonl",
        "predictions", "student", "report.md", "accuracy.png",
    }  # fmt: skip
    test = [json.loads(line) for line in (out / "test.jsonl").read_text().splitlines()]
    assert [row["question"] for row in test] == [e.question for e in found.split.test]
    assert {one.condition for one in found.examined} == {
        "before_tuning", "cot", "answer_only",
    }  # fmt: skip
    assert "teach cot: 50 of 50 training questions have a rationale" in said


def test_the_report_says_all_that_was_asked_for(place):
    _, found, _ = place
    text = report_text(found)
    assert text.count("\n## ") == 9 and text.startswith("# Tuning made no clear")
    for words in (
        "few-shot CoT", "zero-shot answer-only", "micro_bbh", "0.0 to 27.8",
        "tuned on rationales, against tuned on answers alone", "tokens written",
        "seconds per question", "**Got better: 0.**", "AutoModelForSeq2SeqLM",
    ):  # fmt: skip
        assert words in text, words
    assert all(x.seconds and min(x.seconds.values()) > 0 for x in found.examined)
    none_seen = found.contrasts[0]
    assert (none_seen.gained, none_seen.low, none_seen.high) == (0, -30, 30)


def test_the_figure_shows_the_task_first_and_every_interval(place):
    _, found, _ = place
    first, second = before_and_after(found.scores).axes
    assert first.get_title("left") == "your task (n = 10)"
    assert second.get_title("left") == "micro-BBH (n = 2)"
    assert len(first.get_yticks()) == 9 and len(second.get_yticks()) == 3
    whisker = first.lines[0].get_xdata()
    assert list(whisker) == pytest.approx([0, 27.75], abs=0.01)


def test_a_difference_is_paired_and_its_examples_are_told(place):
    _, found, _ = place
    before, tuned = found.of("before_tuning"), found.of("cot")
    predictions = [
        replace(p, correct=i < 6, text="5 | *6*")
        for i, p in enumerate(tuned.predictions["zero_shot_cot"])
    ]
    main = replace(tuned.score("zero_shot_cot"), outcomes="1111110000")
    better = replace(
        tuned,
        predictions={**tuned.predictions, "zero_shot_cot": predictions},
        scores=[main, *tuned.scores[1:]],
    )
    examined = [before, better, found.of("answer_only")]
    gain = contrasts(examined, "cot")[0]
    assert (gain.points, gain.gained, gain.lost) == (pytest.approx(60), 6, 0)
    assert 20 <= gain.low < 60 < gain.high <= 100
    changed = replace(found, examined=examined, contrasts=contrasts(examined, "cot"))
    text = report_text(changed)
    assert text.startswith("# Tuning helped: 0 of 10 right before, 6 of 10 after")
    assert "**Got better: 6.** Of these:" in text and r"after: 5 \| \*6\*" in text
    sides = better_and_worse(predictions, before.predictions["zero_shot_cot"])
    assert (len(sides["better"]), len(sides["worse"])) == (0, 6)


@pytest.mark.parametrize(
    ("gained", "lost", "verdict"),
    [(6, 0, "Tuning helped"), (5, 0, "Tuning made no clear"), (0, 6, "Tuning hurt")],
)
def test_help_is_claimed_where_an_exact_test_agrees(place, gained, lost, verdict):
    _, found, _ = place
    points = gained - lost
    shown = {"gained": gained, "lost": lost, "points": points, "n": 100}
    one = replace(found.contrasts[0], low=points - 4, high=points + 4, **shown)
    changed = replace(found, contrasts=[one, one, *found.contrasts[2:]])
    text = report_text(changed)
    assert text.startswith(f"# {verdict}")
    unclear = replace(one, low=-9, high=9)  # against the best prompt
    over = headline(replace(found, contrasts=[one, unclear, *found.contrasts[2:]]))
    assert ("not clearly over the best prompt" in over) == (verdict == "Tuning helped")
    assert ("| yes" in text) == (max(gained, lost) == 6)


def test_all_or_none_changed_is_not_certain(place):
    _, found, _ = place
    before, tuned = found.of("before_tuning"), found.of("cot")
    right = [replace(score, outcomes="1" * score.n) for score in tuned.scores]
    examined = [before, replace(tuned, scores=right), found.of("answer_only")]
    gain = contrasts(examined, "cot")[0]
    assert (gain.gained, gain.low, gain.high) == (10, 70, 100)  # of ten, 3 / 10


def test_demonstrations_are_shown_where_few_questions_have_a_rationale(place):
    _, found, _ = place
    train = found.split.train
    for count, ways in ((0, 1), (2, 1), (3, 2)):
        solved = [(e, "So.") for e in train[:count]]
        exam = build_exam(found.split, solved, 4, {}, 2, 0, "answer_only")
        few = [way for way in exam.ways("before_tuning") if way.startswith("few")]
        assert len(few) == ways, count


def test_what_other_settings_made_is_put_aside_whole(tmp_path):
    out = tmp_path / "out"
    claim_folder(out, {"questions": "q.jsonl", "seed": 0})
    for name in ("test.jsonl", "report.md"):
        (out / name).write_text("of seed 0")
    claim_folder(out, {"questions": "q.jsonl", "seed": 0})
    assert (out / "report.md").is_file()
    claim_folder(out, {"questions": "q.jsonl", "seed": 1})
    assert {path.name for path in out.iterdir()} == {"settings.json", "earlier"}
    assert json.loads((out / "earlier" / "settings.json").read_text())["seed"] == 0
    assert (out / "earlier" / "test.jsonl").read_text() == "of seed 0"
    # a call that was stopped has no report, and takes no finished one's place
    (out / "test.jsonl").write_text("of seed 1")
    claim_folder(out, {"questions": "q.jsonl", "seed": 0})
    assert (out / "earlier" / "test.jsonl").read_text() == "of seed 0"


@pytest.mark.parametrize("last", ["train.jsonl", "predictions", "report.md"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_putting_aside_goes_on_where_it_was_stopped(tmp_path, monkeypatch, last, seed):
    """Whatever settings come next: nothing of two settings is in one place."""
    out, made = tmp_path / "out", {"train.jsonl", "test.jsonl", "report.md"}
    claim_folder(out, {"questions": "q.jsonl", "seed": 0})
    for name in made:
        (out / name).write_text("of seed 0")
    (out / "predictions").mkdir()
    real = os.replace

    def stop(source, target):
        real(source, target)
        if Path(source).name == last:
            raise KeyboardInterrupt

    monkeypatch.setattr("cotnb.your_task.exporting.os.replace", stop)
    with pytest.raises(KeyboardInterrupt):
        claim_folder(out, {"questions": "q.jsonl", "seed": 1})
    monkeypatch.undo()
    claim_folder(out, {"questions": "q.jsonl", "seed": seed})
    stayed = seed == 0 and last != "report.md"  # as if nothing had been asked
    place = out if stayed else out / "earlier"
    assert {name for name in made if (place / name).is_file()} == made
    others = {"settings.json", "earlier"} | (made if stayed else set())
    assert {path.name for path in out.iterdir()} <= others


def test_what_is_still_to_be_read_is_not_written_over(tmp_path):
    out = tmp_path / "out"
    settings = {"questions": "q.jsonl", "seed": 0}
    claim_folder(out, settings)
    (out / "student").mkdir()
    (out / "rationales.jsonl").write_text("{}")
    for name in ("rationales.jsonl", "student"):
        with pytest.raises(UserError, match=f"{name}: would be written anew; copy"):
            claim_folder(out, settings, read=[out / name])
    claim_folder(out, settings, read=[out / "questions.jsonl", tmp_path])


def test_another_tasks_folder_is_left_alone(place, tmp_path):
    folder, _, _ = place
    report = (folder / "out" / "report.md").read_bytes()
    other = write(tmp_path / "other.jsonl", rows(60))
    with pytest.raises(UserError, match=r"q.jsonl; name another folder with --output"):
        flow.tune_your_task(other, QUICK, folder / "out", str)
    assert (folder / "out" / "report.md").read_bytes() == report


@pytest.mark.parametrize("settings", ["{", "[]", "{}", '{"theme": "dark"}'])
def test_a_folder_whose_settings_are_of_something_else_is_left_alone(
    tmp_path, settings
):
    kept = tmp_path / "out" / "predictions" / "mine.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("work of years")
    (tmp_path / "out" / "settings.json").write_text(settings)
    with pytest.raises(UserError, match="holds other files"):
        claim_folder(tmp_path / "out", {"questions": "q.jsonl"})
    assert kept.read_text() == "work of years"
    assert (tmp_path / "out" / "settings.json").read_text() == settings


def test_old_predictions_do_not_stay_beside_a_new_report(place):
    folder, _, _ = place
    (folder / "out" / "predictions" / "old.jsonl").write_text("{}\n")
    flow.tune_your_task(folder / "q.jsonl", QUICK, folder / "out", str)
    names = {path.name for path in (folder / "out" / "predictions").iterdir()}
    assert "old.jsonl" not in names and "cot-zero_shot_cot.jsonl" in names


def test_questions_that_are_too_long_are_counted_once(place):
    _, found, _ = place
    student = load_student("toy-t5")
    solved = found.taught.solved
    [first, why] = solved[0]
    long = replace(first, index=first.index + 1, question="word " * 200)
    asked = [*solved, (long, why), (long, why)]
    fits = fitting(student, found.split.train, asked, "cot", 512, seed=0)
    assert fits.too_long == 1 and len(fits.pairs["cot"]) == len(solved)
    direct = fitting(student, [first, long], [], "answer_only", 512, seed=0)
    assert direct.too_long == 1 and len(direct.pairs["answer_only"]) == 1


def test_rationales_that_are_too_long_leave_both_tunings_as_many_steps(place):
    _, found, _ = place
    student = load_student("toy-t5")
    solved = [
        (e, "word " * (200 if i % 2 else 2)) for i, e in enumerate(found.split.train)
    ]
    fits = fitting(student, found.split.train, solved, "cot", 512, seed=0)
    assert fits.too_long == len(solved) // 2
    assert len(fits.pairs["cot"]) == len(fits.pairs["answer_only"])
    with pytest.raises(
        UserError, match="is too long for toy-t5 or for max_length, 512"
    ):
        fitting(student, found.split.train, solved[1::2], "cot", 512, seed=0)


def test_what_a_student_has_no_room_for_is_left_out_and_told(place):
    _, found, _ = place
    split, solved = found.split, found.taught.solved
    small = load_student("toy-llama")
    [long] = [replace(split.test[0], index=1000, question="word " * 40)]
    exam = build_exam(
        replace(split, test=[*split.test, long]),
        solved,
        4,
        {"other": [long]},
        2,
        0,
        "cot",
    )
    small.model.config.max_position_embeddings = 400
    whole = examine(small, "before_tuning", exam)
    assert (whole.too_long, whole.without_room) == (0, ())
    small.model.config.max_position_embeddings = 100  # none for demonstrations
    part = examine(small, "before_tuning", exam)
    assert part.too_long == 2
    assert set(part.without_room) == {"few_shot_answer_only", "few_shot_cot"}
    assert [p.id for p in part.predictions["zero_shot_cot"]] == [
        e.id for e in split.test
    ]
    assert not [one for one in part.scores if one.task == "other"]
    examined = [replace(x, too_long=2, without_room=("few_shot_cot",)) for x in [part]]
    said = " ".join(not_asked(examined, "toy-llama"))
    assert "2 test questions" in said and "not asked few-shot CoT" in said
    small.model.config.max_position_embeddings = 20
    for ask in (
        lambda: examine(small, BEFORE, exam),
        lambda: check_questions(small, split),
    ):
        with pytest.raises(UserError, match="every test question is too long"):
            ask()


def test_steps_that_nobody_is_taught_need_no_room(place):
    """Of answers alone a student writes few tokens, of steps it has room for 160."""
    split, small = place[1].split, load_student("toy-llama")
    small.model.config.max_position_embeddings = 100
    part = examine(small, BEFORE, build_exam(split, [], 4, {}, 0, 0, "answer_only"))
    assert part.too_long == 0 and part.without_room == ("zero_shot_cot",)


def test_every_difference_has_its_sides_in_order(place):
    right = {
        ("before_tuning", "few_shot_cot"): 3, ("before_tuning", "zero_shot_cot"): 1,
        ("cot", "zero_shot_cot"): 6, ("cot", "few_shot_cot"): 5,
        ("answer_only", "zero_shot_answer_only"): 2,
    }  # fmt: skip

    def told(one):
        count = right.get((one.condition, one.prompt_format), 0)
        if one.task != "your_task":
            count = one.n * (one.condition == "before_tuning")
        return replace(one, outcomes="1" * count + "0" * (one.n - count))

    examined = [
        replace(one, scores=[told(score) for score in one.scores])
        for one in place[1].examined
    ]
    points = [one.points for one in contrasts(examined, "cot")]
    assert points == pytest.approx([50, 30, 40, -10, -100])


def test_the_commonest_answer_is_trainings():
    a, b = (Example("t", "train", i, "q", x, "text") for i, x in enumerate("ab"))
    assert commonest_answer([a, a, b], [b, b, a]) == pytest.approx(1 / 3)
    assert commonest_answer([a, b, b], [replace(b, answer="B")]) == 1


def test_texts_have_room_for_the_longest_target(place):
    _, found, _ = place
    student, [first] = load_student("toy-t5"), found.split.train[:1]
    fits = fitting(student, [first], [(first, "word " * 9)], "cot", 512, seed=0)
    said = student.tokenizer(fits.pairs["cot"][0].target, add_special_tokens=False)
    assert fits.longest == len(said["input_ids"])


def test_each_tuned_student_is_asked_and_the_taught_one_kept(place, monkeypatch):
    folder, found, _ = place
    asked, kept, real = {}, [], flow.examine

    def examine_and_note(student, condition, *rest):
        asked[condition] = student.fingerprint
        return real(student, condition, *rest)

    def export(student, _):
        kept.append(student.fingerprint)
        return found.exported

    monkeypatch.setattr(flow, "examine", examine_and_note)
    monkeypatch.setattr(flow, "export_student", export)
    flow.tune_your_task(folder / "q.jsonl", QUICK, folder / "out", str)
    assert len(set(asked.values())) == 3 and kept == [asked["cot"]]


def test_the_reports_code_writes_what_was_scored(place, capsys):
    _, found, _ = place
    code = report_text(found).partition("```python\n")[2].partition("```")[0]
    exec(code.replace('"student"', repr(str(found.exported))), {})
    written = found.of("cot").predictions["zero_shot_cot"][0].text
    assert capsys.readouterr().out.strip() == written


def test_steps_have_room_where_only_answers_were_taught(place):
    _, found, _ = place
    exam = build_exam(
        found.split, [], 4, {"other": found.split.test}, 1, 0, "answer_only"
    )
    assert exam.asked("zero_shot_answer_only").max_new_tokens == 16
    assert exam.asked("zero_shot_cot").max_new_tokens == 160
    long = [replace(found.split.test[0], answer="word " * 20)]
    exam = build_exam(found.split, [], 4, {"other": long}, 1, 0, "answer_only")
    assert exam.asked_in_general().max_new_tokens == 112
    taught = [(e, "So.") for e in found.split.train]
    exam = build_exam(found.split, taught, 40, {}, 1, 0, "cot")
    assert exam.asked("zero_shot_cot").max_new_tokens == 64  # 1.25 times as long


def test_the_report_says_what_keeps_general_ability_where_it_fell(place):
    _, found, _ = place
    assert "--replayed" not in report_text(found)  # it did not fall
    lost = {"gained": 0, "lost": 9}
    fell = [replace(x, points=-9, low=-12, high=-6, **lost) for x in found.contrasts]
    assert "`--replayed 0.1`" in report_text(replace(found, contrasts=fell))
    replayed = replace(found, contrasts=fell, plan=replace(found.plan, replayed=0.1))
    text = report_text(replayed)
    assert "--replayed" not in text and "more is kept than of others" in text


def test_called_again_it_neither_tunes_nor_asks(place, monkeypatch):
    folder, found, _ = place

    def refuse(*_):
        raise AssertionError("tuned a second time")

    monkeypatch.setattr("cotnb.training.tuning.train_on_pairs", refuse)
    again = flow.tune_your_task(folder / "q.jsonl", QUICK, folder / "out", str)
    assert [s for x in again.examined for s in x.scores] == [
        s for x in found.examined for s in x.scores
    ]


def test_a_stopped_run_goes_on_with_what_the_teacher_wrote(
    tmp_path, monkeypatch, capsys
):
    path = write(tmp_path / "q.jsonl", rows(44, rationale=False))
    wishes = replace(QUICK, teacher="adder", samples=1, general="", demonstrations=0)
    teacher = Adder()
    teacher.name = "stopped-adder"
    monkeypatch.setattr(flow, "open_teacher", lambda name: teacher)
    monkeypatch.setattr(flow, "fitting", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        flow.tune_your_task(path, wishes, tmp_path / "out", str)
    monkeypatch.undo()
    monkeypatch.setattr(flow, "open_teacher", lambda name: teacher)
    asked = teacher.asked
    found = flow.tune_your_task(path, wishes, tmp_path / "out", str)
    assert teacher.asked == asked == len(found.split.train)
    assert f"0 replies asked for, {asked} from the file" in capsys.readouterr().out


def test_an_exported_student_is_the_tuned_one(place):
    _, found, _ = place
    model = AutoModelForSeq2SeqLM.from_pretrained(found.exported)
    assert AutoTokenizer.from_pretrained(found.exported)("Q")["input_ids"]
    untuned = load_student("toy-t5").model.state_dict()
    changed = [
        name
        for name, weights in model.state_dict().items()
        if not torch.equal(weights, untuned[name])
    ]
    assert changed


def test_a_student_that_was_there_stays_until_the_next_is_in_place(
    tmp_path, monkeypatch
):
    student = replace(load_student("toy-t5"), fingerprint="as-tuned")
    write_whole(cache_folder() / "students" / "as-tuned" / "config.json", "{}")
    [first, second] = [tmp_path / name for name in ("student", ".student.old")]
    export_student(student, tmp_path)
    first.rename(second)  # as a kill leaves it between two moves

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(UserError, match="No space"):
        patched.setattr("cotnb.your_task.exporting.shutil.copytree", full)
        export_student(student, tmp_path)
    assert (first / "config.json").is_file() and not second.exists()
    assert export_student(student, tmp_path) == first


def test_an_exported_adapter_loads_on_its_base(tmp_path):
    path = write(tmp_path / "q.jsonl", rows(60, rationale=False))
    wishes = replace(
        QUICK, student="toy-llama", method="lora", general="", demonstrations=0
    )
    said = []
    found = flow.tune_your_task(path, wishes, tmp_path / "out", said.append)
    assert any("only answers can be taught" in line for line in said)
    assert found.plan.teach == "answer_only" and len(found.contrasts) == 2
    base = load_student("toy-llama").model
    adapted = PeftModel.from_pretrained(base, found.exported)
    learnt = [w for name, w in adapted.named_parameters() if "lora_B" in name]
    assert any(weights.abs().sum() > 0 for weights in learnt)
    code = (tmp_path / "out" / "report.md").read_text().partition("```python\n")[2]
    code = code.partition("```")[0].replace('"student"', repr(str(found.exported)))
    names = {"AutoModelForCausalLM": AutoModelForCausalLM}
    exec(code, names)
    assert isinstance(names["model"], PeftModel)


def test_an_adapter_of_a_cut_student_is_loaded_on_what_was_tuned(tmp_path):
    student, out = load_student("toy-llama+first-1-layers"), tmp_path / "student"
    whole = load_student("toy-llama")
    for saved in (whole.model, whole.tokenizer):
        saved.save_pretrained(tmp_path / "base")
    adapted = get_peft_model(student.model, LoraConfig(target_modules=["q_proj"]))
    adapted.peft_config["default"].base_model_name_or_path = str(tmp_path / "base")
    adapted.save_pretrained(out)
    student.tokenizer.save_pretrained(out)
    code = loading_code(student, out, "Q: 1 + 1?", 4).replace(
        '"student"', repr(str(out))
    )
    names = {}
    exec(code, names)
    assert len(names["base"].get_decoder().layers) == 1
    with torch.no_grad():
        expected = adapted(**names["asked"]).logits
        torch.testing.assert_close(names["model"](**names["asked"]).logits, expected)


def test_too_much_to_replay_is_said_before_the_teacher_is_paid(tmp_path, monkeypatch):
    monkeypatch.setenv("COTNB_MIRROR", str(tmp_path / "hub"))
    stored = tmp_path / "hub" / "openai" / "gsm8k" / "main" / "train.jsonl"
    solved = [{"question": f"q{i}", "answer": "1\n#### 1"} for i in range(300)]
    stored.parent.mkdir(parents=True)
    stored.write_text("".join(json.dumps(row) + "\n" for row in solved))
    path = write(tmp_path / "q.jsonl", rows(60, rationale=False))
    monkeypatch.setattr(flow, "open_teacher", lambda _: pytest.fail("it was opened"))
    replayed = {"replayed": 0.5, "replayed_task": "gsm8k"}
    wishes = replace(QUICK, teacher="some-model", samples=9, **replayed)
    with pytest.raises(UserError, match="train has 200 questions, not 450"):
        flow.tune_your_task(path, wishes, tmp_path / "out", str)


def test_every_option_of_the_command_arrives(monkeypatch):
    got = {}
    monkeypatch.setattr(
        flow, "tune_your_task", lambda path, wishes, out: got.update(wishes=wishes)
    )
    words = "tune q --most-asked 7 --teacher-tokens 9 --prices 0.15,0.6 --samples 3"
    done = CliRunner().invoke(cli.app, [*words.split(), "--seed", "5"])
    assert done.exit_code == 0
    wishes = got["wishes"]
    assert (wishes.most_asked, wishes.teacher_tokens) == (7, 9)
    assert (wishes.prices, wishes.samples, wishes.seed) == ((0.15, 0.6), 3, 5)
    monkeypatch.setattr(flow, "gather", lambda train, **how: how)
    how = flow._gather("number", SimpleNamespace(train=[]), None, wishes)
    assert (how["most_asked"], how["max_new_tokens"]) == (7, 9)
    assert (how["prices"], how["samples"], how["seed"]) == ((0.15, 0.6), 3, 5)


def test_the_command_checks_and_no_more(tmp_path):
    path = write(tmp_path / "q.jsonl", [*rows(60), "{"])
    words = ["tune", path, "--check", "--output", tmp_path / "out"]
    command = [sys.executable, "-m", "cotnb", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "60 of 61 lines are usable questions" in done.stdout
    assert "1 left out, no JSON object: line 61" in done.stdout
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing.jsonl"], "missing.jsonl: unreadable (No such file"),
        (["{q}", "--answer-type", "numeral"], "answer type 'numeral'"),
        (["{q}", "--split", "half"], "split 'half': expected one of"),
        (["{q}", "--prices", "cheap"], "--prices 'cheap': expected such as"),
        (["{q}", "--general", "micro_bbh"], "expected task:split"),
        (["{q}", "--student", "no-such"], "student 'no-such': neither"),
        (["{q}", "--student", "toy-t5", "--teacher", "m"], "no endpoint: set OPENAI"),
        (["{q}", "--student", "toy-t5", "--output", "{q}"], "this is a file"),
        (["{q}", "--student", "toy-t5", "--output", "{here}"], "holds other files"),
        (["{q}", "--student", "toy-t5", "--epochs", "0"], "epochs=0.0: expected above"),
        (["{q}", "--student", "toy-t5", "--replayed", "1"], "replayed 1.0: expected"),
        (["{q}", "--replayed", "0.1", "--replayed-task", "x"], "no task 'x'; there"),
        (["{q}", "--student", "toy-t5", "--seed", "-1"], "seed=-1: expected 0"),
        (["{q}", "--replayed", "0.99", "--replayed-task", "gsm8k"], "gsm8k"),
        (["{q}", "--epochs", "many"], "Invalid value for '--epochs'"),
        (["{q}", "--prices=-1,2"], "--prices '-1,2': expected 0 or more dollars"),
        (["{q}", "--demonstrations", "500"], "demonstrations 500: there are 50 train"),
        (["{q}", "--rationale-file", "{here}"], "this is a folder; name a file in it"),
        (["{q}", "--general", "nosuch:test"], "general test sets: no task 'nosuch'"),
        (["{q}", "--check", "--epochs", "0"], "epochs=0.0: expected above"),
        (["{q}", "--check", "--rationale-file", "x"], "rationale file x: not at"),
    ],
)
def test_a_mistake_is_a_line_before_anything_is_paid(
    tmp_path, monkeypatch, capsys, words, message
):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    path = write(tmp_path / "q.jsonl", rows(60))
    named = [w.format(q=path, here=tmp_path) for w in words]
    if "--output" not in words:
        named += ["--output", tmp_path / "out"]
    monkeypatch.setattr(sys, "argv", ["cotnb", "tune", *map(str, named)])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as refused:
        cli.main()
    said = capsys.readouterr().err
    assert refused.value.code == 2
    assert message in said and said.count("\n") == 1
    assert [x.name for x in tmp_path.iterdir()] == ["q.jsonl"]
