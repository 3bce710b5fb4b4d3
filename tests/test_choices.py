"""Options and letters: what a text tells, apart from the letter that it names."""

import pytest

from cotnb.choices import option_counts, option_told, options_of
from cotnb.tasks import Example, load_task

ONE_LINE = (
    "What day is it? Answer choices: (A) 05/12/2030, (B) 06/12/2030, (C) 06/21/2030."
)
DATES = {"A": "05/12/2030", "B": "06/12/2030", "C": "06/21/2030"}


def question(answer: str = "B") -> Example:
    return Example(
        task="days",
        split="test",
        index=0,
        question=ONE_LINE,
        answer=answer,
        answer_type="choice",
    )


@pytest.mark.parametrize(
    ("asked", "options"),
    [
        (ONE_LINE, DATES),
        ("Who? (A) Ann. (B) Bo Lee. (C) Cy.", {"A": "Ann", "B": "Bo Lee", "C": "Cy"}),
        ("Who?\nOptions:\n(A) a red egg\n(B) 7", {"A": "a red egg", "B": "7"}),
        ("Some (A) and (B). Which? (A) one (B) two", {"A": "one", "B": "two"}),
        ("How many eggs?", {}),
    ],
)
def test_options_are_read_in_a_line_and_in_a_list(asked, options):
    assert options_of(asked) == options


def test_micro_bbhs_options_hold_the_answer():
    for example in load_task("micro_bbh_date_understanding", "test", 20):
        assert example.answer in options_of(example.question)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("Tomorrow is 06/12/2030. So the answer is C.", "B"),
        ("Today is 05/12/2030. A month on it is 06/12/2030. The answer is (A).", "B"),
        ("It is 05/12/2030 or 06/12/2030. The answer is B.", None),
        ("Today is 05/12/2030.\nIt is 05/12/2030 or 06/12/2030.", None),
        ("Today is 06/12/20301. The answer is B.", None),
        ("The answer is B.", None),
        ("", None),
    ],
)
def test_the_option_told_last_is_read_apart_from_the_letter(text, letter):
    assert option_told(text, DATES) == letter


def test_words_within_other_words_are_not_told():
    assert option_told("The cart won.", {"A": "car", "B": "cart"}) == "B"
    assert option_told("THE CAR won.", {"A": "car", "B": "cart"}) == "A"


def test_counts_tell_the_option_from_the_letter():
    texts = [
        "It is 06/12/2030. The answer is (B).",  # both right
        "It is 06/12/2030. The answer is (C).",  # the option right, another's letter
        "It is 05/12/2030. The answer is (B).",  # a wrong option, the right letter
        "It is 05/12/2030. The answer is (A).",  # a wrong option and its letter
        "It is 05/12/2030.",  # no letter
        "The answer is (B).",  # no option
    ]
    assert option_counts([question()] * 6, texts) == {
        "texts": 6,
        "tell an option": 5,
        "the right one": 2,
        "name its letter": 2,
        "name the right letter": 2,
    }
