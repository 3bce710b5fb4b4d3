"""The papers' recipes: what they ask a teacher, and what they keep of its replies."""

from dataclasses import replace

import pytest

from cotnb.rationales.papers import PAPER_RECIPES, keep, sample_rationales, yields
from cotnb.rationales.record import Rationale, read_reply
from cotnb.rationales.teachers import Reply
from cotnb.tasks import load_task


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
