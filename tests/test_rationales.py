"""Rationales: files with flaws, filters, and the match to questions."""

import gzip
import json
import re
import time
from dataclasses import replace

import pytest

from cotnb.answers import extract_answer
from cotnb.errors import UserError
from cotnb.rationales import (
    by_teacher,
    from_file,
    from_generator,
    keep_correct,
    keep_distinct,
    keep_verified,
    match,
    match_by_style,
)
from cotnb.rationales.aligned_questions import align_questions
from cotnb.rationales.record import Rationale, read_reply
from cotnb.tasks import Example, load_task
from cotnb.tasks.verifier import verify

ROW = {
    "question": "One and one?",
    "rationale": "1 + 1 = 2.",
    "prediction": "2",
    "answer": "2",
    "teacher": "ada",
    "style": "plain",
}


def write(path, rows):
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt") as file:
        file.write("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz"])
def test_malformed_lines_are_numbered_and_the_rest_is_kept(tmp_path, name):
    no_answer = {k: v for k, v in ROW.items() if k != "answer"}
    rows = [ROW, "not json", {**ROW, "rationale": " "}, no_answer, "[1]", ROW]
    rows += ["", "[" * 100_000, {**ROW, "prompt_tokens": "12", "new_tokens": 7.0}]
    read = from_file(write(tmp_path / name, [*rows, {**ROW, "id": 7}]))
    assert [r.id for r in read.rationales] == ["", "", "", "7"]
    assert read.malformed_lines == [2, 3, 4, 5, 8]
    counts = read.rationales[2]  # what is not needed is left out, or read as meant
    assert (counts.prompt_tokens, counts.new_tokens) == (0, 7)


def test_a_line_of_another_encoding_is_malformed_and_the_rest_is_kept(tmp_path):
    path = tmp_path / "r.jsonl"
    other = json.dumps({**ROW, "question": "café"}, ensure_ascii=False)
    path.write_bytes(f"{other}\n".encode("latin-1") + json.dumps(ROW).encode())
    read = from_file(path)
    assert (len(read.rationales), read.malformed_lines) == (1, [1])


@pytest.mark.parametrize(
    ("text", "rationale"),
    [
        ("2 + 3 = 5. So the answer is 5.", "2 + 3 = 5."),
        ("2 + 3 = 5.\n\n**Thus, my final answer is:** 5", "2 + 3 = 5."),
        ("It is 5, the answer is 5", "It is 5"),
        ("Also the answer is 5", "Also"),
        (f"2 + 3 = 5.{' ' * 5000}The answer is 5", "2 + 3 = 5."),
        (f"2 + 3 = 5.{'_' * 5000} So the answer is 5", "2 + 3 = 5."),
    ],
)
def test_what_leads_to_the_answer_is_no_rationale(text, rationale):
    example = Example("sums", "train", 0, "2 + 3?", "5", "number")
    begun = time.process_time()
    assert read_reply(text, example) == (rationale, "5", True)
    assert time.process_time() - begun < 1


def test_null_is_no_text(tmp_path):
    silent = {**ROW, "prediction": None, "prompt": None, "sample": None}
    nulls = [{**ROW, name: None} for name in ("question", "answer", "teacher")]
    odd = [{**ROW, "correct": "no"}, {**ROW, "answer": ["2"]}]
    read = from_file(write(tmp_path / "r.jsonl", [silent, *nulls, *odd, ROW]))
    assert read.malformed_lines == [2, 3, 4, 5, 6]
    [one, whole] = read.rationales
    assert (one.prediction, one.correct, one.prompt, one.sample) == ("", False, "", 0)
    assert whole.correct


def test_a_mark_of_utf8_at_the_beginning_is_no_text(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps(ROW) + "\n", encoding="utf-8-sig")
    read = from_file(path)
    assert len(read.rationales) == 1 and not read.malformed_lines


def test_test_rows_are_left_out(tmp_path):
    rows = [ROW, {**ROW, "split": "test"}]
    assert len(from_file(write(tmp_path / "r.jsonl", rows)).rationales) == 1


@pytest.mark.parametrize("rows", [["nothing"], []])
def test_a_file_without_rationales_is_refused(tmp_path, rows):
    with pytest.raises(UserError, match="no line holds question"):
        from_file(write(tmp_path / "r.jsonl", rows))


def test_a_missing_and_a_broken_file_are_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.jsonl: not at"):
        from_file("nowhere.jsonl")
    halves = [{**ROW, "question": "\ud83d"}, ROW]
    path = tmp_path / "halves.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in halves))
    assert from_file(path).malformed_lines == [1]
    (tmp_path / "r.jsonl.gz").write_bytes(b"not gzip")
    with pytest.raises(UserError, match="no line holds question"):
        from_file(tmp_path / "r.jsonl.gz")
    packed = bytearray(gzip.compress(json.dumps(ROW).encode() * 99))
    for damaged in (packed[:-9], packed[:20] + b"\xff" * 20 + packed[40:]):
        (tmp_path / "r.jsonl.gz").write_bytes(damaged)
        with pytest.raises(UserError, match="unreadable"):
            from_file(tmp_path / "r.jsonl.gz")


def test_filters(tmp_path):
    wrong = {**ROW, "prediction": "3"}
    respelt = {**ROW, "rationale": "1  + 1 = 2. "}
    read = from_file(write(tmp_path / "r.jsonl", [ROW, wrong, respelt])).rationales
    assert [r.correct for r in read] == [True, False, True]
    assert len(keep_correct(read)) == 2
    assert len(keep_distinct(keep_correct(read))) == 1
    with pytest.raises(UserError, match="there are ada/plain"):
        by_teacher(read, "bob", "plain")


def test_the_generator_errs_at_its_rate_and_the_filter_finds_it():
    examples = load_task("micro_world", "train", 400)
    taught = from_generator(examples, error_rate=0.25, seed=1)
    wrong = [r for r in taught if not r.correct]
    assert 70 <= len(wrong) <= 130
    for r in taught:
        assert extract_answer(r.rationale, "number") == r.prediction
    assert len(keep_correct(from_generator(examples))) == 400


def test_a_wrong_answer_is_the_result_of_its_last_step_in_every_wording():
    examples = load_task("micro_world", "train", 600)
    taught = from_generator(examples, error_rate=1, voices=4)
    for example, r in zip(examples, taught, strict=True):
        [*_, last] = verify(example, r.rationale).equations
        assert (str(last.result), last.correct) == (r.prediction, False)


@pytest.mark.parametrize("voices", [1, 4])
def test_hidden_errors_are_right_answers_by_two_wrong_steps(voices):
    examples = load_task("micro_world_multi_step", "train", 400)
    asked = {"error_rate": 0.25, "seed": 1, "voices": voices}
    taught = from_generator(examples, **asked, hidden_error_rate=0.4)
    assert taught == from_generator(examples, **asked, hidden_error_rate=0.4)
    right, sound = keep_correct(taught), keep_verified(taught, examples)
    assert 0.68 < len(right) / len(taught) < 0.82
    assert 0.52 < len(sound) / len(right) < 0.68
    by_question = {example.question: example for example in examples}
    for r in right:
        found = verify(by_question[r.question], r.rationale)
        assert found.answer_correct
        if r not in sound:
            false = [e for e in found.equations if not e.correct]
            assert found.error_kind == "wrong_calculation" and len(false) == 2
            assert false[0].result in false[1].operands
            assert 2 <= false[0].result <= 99


@pytest.mark.parametrize("right", [0, 1, 9, 50, 95, 99])
def test_a_wrong_answer_is_one_that_a_problem_might_have(right):
    """No slip leaves 0 to 99, which would give the error away."""
    asked = Example("sums", "train", 0, "How many?", str(right), "number")
    asked = replace(asked, rationale=f"Counted, so 0 + {right} = {right}.")
    taught = from_generator([asked] * 200, error_rate=1.0)
    wrong = {int(r.prediction) for r in taught}
    assert len(wrong) > 1 and right not in wrong and wrong <= set(range(100))
    assert {abs(number - right) for number in wrong} == {1, 10}
    beyond = replace(asked, answer="120", rationale="Counted, so 60 * 2 = 120.")
    taught = from_generator([beyond] * 200, error_rate=1.0)
    assert {int(r.prediction) for r in taught} == {110, 119, 121, 130}


def test_hidden_errors_need_two_steps_and_leave_the_others_as_they_were():
    short = load_task("micro_world_1_step", "train", 50)
    exact = [r.rationale for r in from_generator(short)]
    assert exact == [r.rationale for r in from_generator(short, hidden_error_rate=1.0)]
    long = load_task("micro_world_multi_step", "train", 50)
    hidden = from_generator(long, hidden_error_rate=1.0)
    assert len(keep_correct(hidden)) == 50 and not keep_verified(hidden, long)
    wrong = from_generator(long, error_rate=1.0)
    assert wrong == from_generator(long, error_rate=1.0, hidden_error_rate=1.0)


def test_what_is_taught_as_written_has_the_teachers_wrong_answers():
    examples = load_task("micro_world", "train", 40)
    taught = from_generator(examples, error_rate=0.5)
    pairs = match(examples, taught, as_written=True)
    assert [e.answer for e, _ in pairs] == [r.prediction for r in taught]
    assert [e.answer for e, _ in match(examples, taught)] == [
        e.answer for e in examples
    ]
    sure, unsure = examples[:2]
    told = [
        Rationale(e.question, "Well.", prediction, e.answer, right, "ada", "plain")
        for e, prediction, right in ((sure, "", False), (unsure, "7.0", True))
    ]
    assert match(examples, told, as_written=True) == [(unsure, "Well.")]
    assert len(match(examples, told)) == 2


def test_voices_word_the_same_equations_in_other_ways():
    examples = load_task("micro_world", "train", 300)
    exact, several = from_generator(examples), from_generator(examples, voices=4)
    assert from_generator(examples, voices=1) == exact
    assert several == from_generator(examples, voices=4)
    assert several != from_generator(examples, voices=4, seed=1)
    equation = re.compile(r"\d+ [-+*/] \d+ = \d+")
    for example, one, other in zip(examples, exact, several, strict=True):
        assert equation.findall(one.rationale) == equation.findall(other.rationale)
        assert not verify(example, other.rationale).error_kind
    assert (
        sum(a.rationale == b.rationale for a, b in zip(exact, several, strict=True))
        < 60
    )
    steps = " ".join(r.rationale for r in several)
    for told in (", so ", ", as ", "First ", "Then ", "In the end "):
        assert told in steps
    with pytest.raises(UserError, match="voices=5: expected 1 to 4"):
        from_generator(examples, voices=5)
    with pytest.raises(UserError, match="one wording"):
        from_generator(load_task("micro_bbh_navigate", "train", 3), voices=2)


def test_match_is_by_question_and_draws_with_the_seed():
    examples = load_task("micro_world", "train", 30)
    taught = from_generator(examples[:20])
    assert [e.index for e, _ in match(examples, taught)] == list(range(20))
    several = [*taught, *from_generator(examples[:20], error_rate=1.0)]
    one = match(examples, several, per_question=1, seed=0)
    assert one == match(examples, several, per_question=1, seed=0)
    assert one != match(examples, several, per_question=1, seed=1)
    assert len(match(examples, several, per_question=2)) == 40


def test_styles_are_compared_on_the_questions_that_all_of_them_answer():
    examples = load_task("micro_world", "train", 6)

    def told(style, some, by="ada"):
        texts = [(e.question, f"{style}.", e.answer, e.answer) for e in some]
        return [Rationale(*text, True, by, style) for text in texts]

    rationales = [
        *told("level1", examples[:5]),
        *told("level2", examples[1:]),
        *told("level2", examples[1:]),
        *told("level3", examples, by="bob"),
    ]
    matched = match_by_style(examples, rationales, "ada")
    assert list(matched) == ["level1", "level2"]
    for style, pairs in matched.items():
        assert pairs == [(example, f"{style}.") for example in examples[1:5]]
    with pytest.raises(UserError, match="no rationales by 'eve'"):
        match_by_style(examples, rationales, "eve")


def test_letters_follow_choices_that_stand_in_another_order():
    ours = "What day is it? Which choice is true? Answer choices: (A) May 1, (B) May 2."
    theirs = "What day is it?  Answer Choices: (A) May 2 (B) May 1"
    example = Example("dates", "train", 0, ours, "A", "choice")
    told = Rationale(theirs, "It is not (A) but (B).", "B", "B", True, "ada", "plain")
    [changed] = align_questions([example], [told])
    assert changed.rationale == "It is not (B) but (A)."
    assert (changed.prediction, changed.answer, changed.correct) == ("A", "A", True)
    assert match([example], [changed]) == [(example, changed.rationale)]
    other = replace(told, question=theirs.replace("May 1", "May 3"))
    same = replace(told, question=ours)
    assert align_questions([example], [other, same]) == [other, same]


def test_questions_are_the_same_in_other_punctuation_but_not_with_other_signs():
    example = Example(
        "sums", "train", 0, "Ann has 1 - 1 pens. How many?", "0", "number"
    )
    texts = ("Ann has 1 - 1 pens , how many", "Ann has 1 + 1 pens. How many?")
    told = [Rationale(t, "None.", "0", "0", True, "ada", "plain") for t in texts]
    same, other = align_questions([example], told)
    assert match([example], [same]) == [(example, "None.")]
    assert other == told[1] and not match([example], [other])
