"""Distribution matching: what is carried over, what is named, what is learnt."""

import math
from dataclasses import replace

import pytest
import torch

from cotnb.errors import UserError
from cotnb.formats import END_MARK, Pair, TeacherToken
from cotnb.ladder import pretraining
from cotnb.ladder.tokenizer import train_tokenizer, with_fewer_words
from cotnb.paths import cache_folder
from cotnb.rationales.local_teacher import LocalTeacher
from cotnb.recipes import Recipe, recipe_hash
from cotnb.students import load_student
from cotnb.training import build_trainer, tune, tuning_history
from cotnb.training.alignment import token_texts
from cotnb.training.batching import encode_pairs
from cotnb.training.matching import (
    BROKEN,
    carry,
    shares_said_whole,
    soft_target,
    soften,
    vocabulary,
)

PAIRS = [Pair(f"Q: {i}\nA:", f"The answer is {i % 3}.") for i in range(48)]
QUICK = Recipe(
    epochs=4,
    learning_rate=3e-3,
    batch_size=8,
    precision="fp32",
    matching="distribution",
)


def token(text: str, *others: tuple[str, float]) -> TeacherToken:
    """A token, and what else was likely, with its probability."""
    known = [(said, math.log(value)) for said, value in others]
    return TeacherToken(text, tuple(known))


def ids(student, pair: Pair) -> list[int]:
    [row] = encode_pairs(student.tokenizer, [pair], student.is_encoder_decoder, 99)
    return row.target


@pytest.mark.parametrize("name", ["toy-t5", "toy-llama"])
def test_probabilities_go_to_the_students_tokens_of_the_same_text(name):
    """The toys' tokens are single characters."""
    student = load_student(name)
    known = student.tokenizer.get_vocab()
    pair = Pair(
        "Q:", "Hi 5", (
            token("H", ("H", 0.5), ("A", 0.3), ("Hello", 0.2)),
            token("i ", ("i ", 0.9)),
            token("5", ("5", 0.75), (" ", 0.125), (END_MARK, 0.125)),
            token(END_MARK, (END_MARK, 0.5), ("!", 0.5)),
        ),
    )  # fmt: skip
    target = ids(student, pair)
    *written, end = carry(student.tokenizer, pair, target, student.is_encoder_decoder)
    if name == "toy-llama":  # which begins with a space: no token of the teacher's
        assert not written.pop(0)
    expected = [{known["H"]: 0.5, known["A"]: 0.3}]
    eos = student.tokenizer.eos_token_id
    expected += [{}, {}, {known["5"]: 0.75, known["Ġ"]: 0.125, eos: 0.125}]
    assert [pytest.approx(x) for x in expected] == written
    assert end == pytest.approx({eos: 0.5, known["!"]: 0.5})


def test_a_first_token_may_or_may_not_begin_with_a_space(monkeypatch):
    student = load_student("toy-llama")
    words = {"ĠHi": 5, "ĠOh": 6, "Hi": 7}
    plain = {key.replace("Ġ", " "): value for key, value in words.items()}
    own = vocabulary(student.tokenizer)
    texts = [*own.texts]
    for text, number in plain.items():
        texts[number] = text
    fake = replace(own, texts=texts, ids={**own.ids, **plain})
    monkeypatch.setattr("cotnb.training.matching.vocabulary", lambda _: fake)
    monkeypatch.setattr(
        "cotnb.training.matching.token_texts", lambda *_: ([5], [" Hi"])
    )
    pair = Pair("Q:", "Hi", (token("Hi", ("Hi", 0.5), ("Oh", 0.25)), token(END_MARK)))
    first, last = carry(student.tokenizer, pair, [5, 1], False)
    assert first == pytest.approx({5: 0.5, 6: 0.25}) and not last


def test_the_teachers_own_token_is_the_students_at_that_place_however_it_is_written():
    """As where a tokenizer writes another character in its place."""
    student = load_student("toy-t5")
    known = student.tokenizer.get_vocab()
    pair = Pair(
        "Q:", "a-b", (
            token("a", ("a", 1.0)),
            token("-", ("-", 0.5), ("+", 0.5)),
            token("b", ("b", 1.0)),
            token(END_MARK, (END_MARK, 1.0)),
        ),
    )  # fmt: skip
    target = [known["a"], known["_"], known["b"], student.tokenizer.eos_token_id]
    carried = carry(student.tokenizer, pair, target, True)
    assert carried[1] == pytest.approx({known["_"]: 0.5, known["+"]: 0.5})


@pytest.fixture(scope="module")
def two_tokenizers():
    """The ladder's own, and one that spells most words, as the teacher's."""
    words = train_tokenizer()
    return words, with_fewer_words(words, 200)


SAID = ("Ġ3", "ĠThe", "ĠThere", "ĠGwen")


def read_by_teacher(tokenizer, target: str, doubts: dict[str, float], at: str) -> Pair:
    """A target as a teacher's tokens, sure of all but the one after the text `at`."""
    _, texts = token_texts(tokenizer, target)
    told, before = [], ""
    for text in texts:
        told.append(token(text, *(doubts if before == at else {text: 1.0}).items()))
        before += text
    return Pair("Q:", target, (*told, token(END_MARK, (END_MARK, 1.0))))


def test_a_token_that_begins_a_longer_one_of_the_students_says_less(two_tokenizers):
    """The teacher's " The" is once the word, and twice the beginning of "There"."""
    words, finer = two_tokenizers
    target = "There are 3. There are 4. The end, Gwen."
    pair = read_by_teacher(finer, f"x. {target}", {}, at="none")
    assert [t.text for t in pair.taught][2:4] == [" The", "re"]
    whole = shares_said_whole(words, [pair], encoder_decoder=True)
    assert whole[" The"] == pytest.approx(1 / 3)
    assert whole[" 3"] == whole["."] == whole[" are"] == 1
    assert whole[" G"] == 0 and "w" not in whole
    target = words(pair.target)["input_ids"]
    found = carry(words, pair, target, True, whole)
    known = [words.convert_ids_to_tokens(i) for i in target]
    assert all(
        bool(c) == (t == "Ġ3") for c, t in zip(found, known, strict=True) if t in SAID
    )


def test_on_average_students_of_other_tokens_learn_the_teachers_distribution(
    two_tokenizers,
):
    """Over what a teacher writes at one place, half of it words that it spells.

    Renormalised it is the distribution. Dropped, a text that is carried over weighs
    as little as what is carried of it, so that spelled words come out too likely.
    """
    words, finer = two_tokenizers
    known = words.get_vocab()
    begun = "5 + 4 = 9."
    before = len(words(begun, add_special_tokens=False)["input_ids"])
    goes_on = {" In the end 9": 3, " 9 + 1 = 10": 2, " There are 9": 4, " Then 9": 1}
    told = {" In": 0.3, " 9": 0.2, " The": 0.5}
    pairs = [
        read_by_teacher(finer, begun + end, told, at=begun)
        for end, often in goes_on.items()
        for _ in range(often)
    ]
    whole = shares_said_whole(words, pairs, encoder_decoder=True)
    learnt = {}
    for mass in ("renormalised", "dropped"):
        recipe = replace(QUICK, missing_mass=mass)
        total = torch.zeros(len(words))
        for pair in pairs:
            target = words(pair.target)["input_ids"]
            found = carry(words, pair, target, True, whole)
            soft = soft_target(target, found, len(words), recipe)
            held, value = soft.ids[before], soft.above[before]
            total.index_add_(0, torch.as_tensor(held), torch.as_tensor(value))
        learnt[mass] = total / total.sum()
    held = {"ĠIn": 0.3, "Ġ9": 0.2, "ĠThere": 0.4, "ĠThen": 0.1}
    for text, probability in held.items():
        assert learnt["renormalised"][known[text]].item() == pytest.approx(probability)
    # half of the texts, each carried by half
    spelled = learnt["dropped"][known["ĠThere"]] + learnt["dropped"][known["ĠThen"]]
    assert spelled.item() == pytest.approx(0.5 / 0.75)


def test_a_vocabulary_says_its_tokens_with_their_spaces():
    student = load_student("toy-t5")
    own, known = vocabulary(student.tokenizer), student.tokenizer.get_vocab()
    assert own.texts[known["Ġ"]] == " " and own.ids[" "] == known["Ġ"]
    assert own.ids["a"] == known["a"]
    assert own.ids[END_MARK] == student.tokenizer.eos_token_id
    assert own.texts[student.tokenizer.pad_token_id] == BROKEN
    assert own.texts[known["ð"]] == BROKEN  # a byte of a longer character
    assert BROKEN not in own.ids


@pytest.mark.parametrize("name", ["toy-t5", "toy-llama"])
def test_a_local_teacher_tells_what_it_would_write_at_each_place(name):
    """In batches as one pair at a time, and as the model itself says."""
    student = load_student(name)
    pairs = [Pair("Q: " + "x" * (3 * i) + "\nA:", "7" * (5 - i)) for i in range(5)]
    taught = LocalTeacher(student, batch_size=2).teach(pairs, count=3)
    assert [replace(pair, taught=()) for pair in taught] == pairs
    rows = encode_pairs(student.tokenizer, pairs, student.is_encoder_decoder, 99)
    own = vocabulary(student.tokenizer)
    for pair, row in zip(taught, rows, strict=True):
        logits = logits_alone(student, row)
        assert pair.taught[-1].text == END_MARK
        for place, told in enumerate(pair.taught):
            top = logits[place].log_softmax(-1).topk(3)
            values = dict(told.likeliest)
            for number, value in zip(
                top.indices.tolist(), top.values.tolist(), strict=True
            ):
                text = own.texts[number]
                if number == row.target[place]:
                    text = told.text
                if text != BROKEN:
                    assert values[text] == pytest.approx(value, abs=1e-4)


def logits_alone(student, row):
    prompt, target = torch.tensor([row.prompt]), torch.tensor([row.target])
    with torch.no_grad():
        if student.is_encoder_decoder:
            return student.model(input_ids=prompt, labels=target).logits[0]
        both = student.model(torch.cat([prompt, target], 1)).logits[0]
        return both[len(row.prompt) - 1 : -1]


@pytest.fixture(scope="module")
def taught():
    """Pairs read by a teacher that knows them well."""
    certain = replace(QUICK, matching="sample", epochs=20)
    return LocalTeacher(tune("toy-t5", PAIRS, certain)).teach(PAIRS)


@pytest.mark.parametrize("name", ["toy-t5", "toy-llama"])
@pytest.mark.parametrize("missing_mass", ["dropped", "renormalised", "spread"])
def test_a_tuning_learns_the_teachers_distributions(name, missing_mass, taught):
    recipe = replace(QUICK, missing_mass=missing_mass)
    student = tune(name, taught, recipe)
    history = tuning_history(student)
    losses = [row["loss"] for row in history["losses"]]
    assert losses[-1] < 0.9 * losses[0]
    assert history["recipe"]["missing_mass"] == missing_mass
    # a decoder's first token is a space that this teacher does not write
    expected = 1.0 if name == "toy-t5" else 17 / 18
    assert history["carried"]["share"] == pytest.approx(expected, abs=0.01)
    assert 0.5 < history["carried"]["mass"] <= 1


@pytest.mark.parametrize("name", ["toy-t5", "toy-llama"])
def test_a_student_learns_what_its_teacher_held_possible_and_did_not_write(name):
    """All texts say 0, where the teacher held 1 and 2 likelier."""
    doubt = {"0": 0.1, "1": 0.6, "2": 0.3}
    said = [token(x, *(doubt.items() if x == "0" else [(x, 1.0)])) for x in "Is 0."]
    said.append(token(END_MARK, (END_MARK, 1.0)))
    pairs = [replace(pair, target="Is 0.", taught=tuple(said)) for pair in PAIRS]
    student = tune(name, pairs, replace(QUICK, epochs=40))
    known = student.tokenizer.get_vocab()
    [row] = encode_pairs(student.tokenizer, pairs[:1], student.is_encoder_decoder, 99)
    place = row.target.index(known["0"])
    found = logits_alone(student, row)[place].softmax(-1)
    for digit, probability in doubt.items():
        assert found[known[digit]].item() == pytest.approx(probability, abs=0.1)


def test_a_step_on_what_is_certain_is_a_step_on_the_sample(taught):
    """Losses and gradients, in parts, of both kinds of student."""
    certain = [
        replace(
            pair,
            taught=tuple(TeacherToken(t.text, ((t.text, 0.0),)) for t in pair.taught),
        )
        for pair in taught[:6]
    ]
    for name in ("toy-t5", "toy-llama"):
        found = []
        for recipe in (QUICK, replace(QUICK, matching="sample")):
            student = load_student(name)
            rows = encode_pairs(
                student.tokenizer, certain, student.is_encoder_decoder, 99
            )
            if recipe.matching == "distribution":
                rows, _ = soften(student, certain, rows, recipe)
            trainer = build_trainer(
                student, rows, [[*range(6)]], recipe, cache_folder() / "none"
            )
            trainer.current_gradient_accumulation_steps = 1
            loss = trainer.training_step(student.model, trainer._collate(rows))
            gradients = [p.grad for p in student.model.parameters()]
            found.append((loss.item(), gradients))
        assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
        for a, b in zip(found[0][1], found[1][1], strict=True):
            torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-4)


def test_without_a_teachers_tokens_it_is_refused():
    with pytest.raises(UserError, match="no pair tells its teacher's tokens"):
        tune("toy-t5", PAIRS, QUICK)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"matching": "logits"}, "matching='logits': expected one of"),
        ({"missing_mass": "lost"}, "missing_mass='lost': expected one of"),
        ({"temperature": 0.0}, r"temperature=0\.0: expected above 0"),
    ],
)
def test_a_bad_option_is_refused(change, message):
    with pytest.raises(UserError, match=message):
        Recipe(**change)


def test_students_of_samples_keep_the_names_they_had():
    """Names as they were before there was distribution matching."""
    lora = Recipe(
        method="lora", epochs=4, learning_rate=3e-3, batch_size=8, precision="fp32"
    )
    assert recipe_hash("a", PAIRS, Recipe()) == "60bc6525ab858147"
    assert recipe_hash("a", PAIRS, lora) == "5368fedf65e736be"
    folder = pretraining._folder("ladder-1M", 1000, pretraining.RECIPE)
    assert folder.name == "ladder-1M-48157c2574fc5dc9"


def test_what_is_learnt_of_a_teacher_is_in_a_students_name(taught):
    likelier = [*taught[:-1], replace(taught[-1], taught=taught[0].taught)]
    names = {
        recipe_hash("a", taught, QUICK),
        recipe_hash("a", likelier, QUICK),
        recipe_hash("a", taught, replace(QUICK, missing_mass="spread")),
        recipe_hash("a", taught, replace(QUICK, temperature=2.0)),
        recipe_hash("a", taught, replace(QUICK, matching="sample")),
    }
    assert len(names) == 5
    sample = replace(QUICK, matching="sample", temperature=2.0)
    assert recipe_hash("a", taught, sample) == recipe_hash("a", PAIRS, sample)
