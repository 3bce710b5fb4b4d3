"""Why two verdicts on one answer differ, on answers made up for each reason."""

import pytest

from benchmarks.disagreements import NOTHING, WHY, explain

STRICT, FLEXIBLE = "strict-match", "flexible-extract"


@pytest.mark.parametrize(
    ("name", "text", "same", "read", "mine", "why"),
    [
        (STRICT, "The answer is 4.", False, "4", "5", "texts"),
        (STRICT, "The answer is 14.00.", True, "14.00.", "14", "form"),
        (FLEXIBLE, "The answer is 1,200.", True, "1,200.", "1200", "form"),
        (STRICT, "She has 4 left.", True, NOTHING, "4", "unstated"),
        (STRICT, "The answer is", True, NOTHING, None, "unstated"),
        (STRICT, "The answer is four.", True, NOTHING, None, "unstated"),
        (STRICT, "The answer is: 4.", True, NOTHING, "4", "unstated"),
        (STRICT, "The answer is $4.", True, NOTHING, "4", "unit"),
        (FLEXIBLE, "The answer is 4. He had 9.", True, "9", "4", "last"),
        (FLEXIBLE, "The answer is 4 (...)", True, "...", "4", "punctuation"),
    ],
)
def test_every_reason_is_told_apart(name, text, same, read, mine, why):
    assert explain(name, text, same, read, mine) == why
    assert why in WHY


def test_what_no_reason_fits_is_not_explained():
    assert explain(STRICT, "The answer is 4. No, 9.", True, "4", "9") == ""
    assert explain(FLEXIBLE, "Nine, or 9.", True, "9", None) == ""
    assert explain(FLEXIBLE, "The answer is nine.", True, NOTHING, "9") == ""
