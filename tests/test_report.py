"""Figures of a profile: none is lost or refused for how its conditions are named."""

import pandas as pd

from cotnb.claims import COLUMNS
from cotnb.report import save_figures
from cotnb.results import Score, scores_frame


def _figures(folder, *conditions):
    scores = [
        Score("toy", 1000, name, 0, "micro_world", "zero_shot_cot", 9, "10", "q")
        for name in conditions
    ]
    (folder / "mine").mkdir()
    frame = scores_frame(scores, notebook="ten")
    frame.to_csv(folder / "mine" / "scores.csv", index=False)
    empty = pd.DataFrame(columns=list(COLUMNS))
    empty.to_csv(folder / "mine" / "claims.csv", index=False)
    return [path.stem for path in save_figures(folder, "mine")]


def test_conditions_with_an_amount_are_drawn_by_amount(tmp_path):
    drawn = _figures(tmp_path, "cot", "right_125", "right_250")
    assert drawn == ["verdicts", "accuracy-ten-toy", "accuracy-ten-toy-by-amount"]


def test_a_kind_of_condition_that_is_not_there_has_no_figure(tmp_path):
    assert _figures(tmp_path, "right_125") == ["verdicts", "accuracy-ten-toy-by-amount"]
