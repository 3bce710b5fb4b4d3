"""Which figure shows which insight: the one table of notebook 90 and of the files."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure

from cotnb.grid.profiles import profile_names, setting_of
from cotnb.plots import (
    FLOW_KINDS,
    FORMAT_LABELS,
    STYLE,
    accuracy_by_amount,
    accuracy_by_checkpoint,
    accuracy_by_condition,
    accuracy_by_number_of_steps,
    accuracy_by_size,
    error_kinds,
    recipe_yields,
    task_label,
)
from cotnb.results.tables import (
    errors_by_size,
    mean_extra,
    outcomes_frame,
    split_by_part,
)
from cotnb.tasks.micro_bbh import MICRO_BBH

MIDDLE = "ladder-3M"  # of the ladder, where a figure is not about size
AMOUNT = r"_\d+$"  # ends a condition that names an amount
ONE_NUMBER = r"_\d+_step$"  # ends a task of so many steps
FLOW_SHARES = "flow_shares"  # what records keep of flows, beside scores
TEACHERS_OWN = "teachers_rationales"  # the task of what a teacher answers itself

Rows = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Insight:
    """One figure: what is drawn of which notebook's results, and what it says.

    name: of the figure and its file; the first of a notebook is the notebook's. claim:
    whose statement is the title; without one, `title` is. rows: which of the
    notebook's scores. table: of the notebook's records, drawn in place of scores.
    papers: which of the papers' numbers stand beside, "nearest" in size or "all".
    """

    name: str
    notebook: str
    plot: Callable[..., Figure]
    claim: str = ""
    title: str = ""
    rows: Rows = lambda scores: scores
    table: Callable[[list[dict]], pd.DataFrame] | None = None
    papers: str = ""
    options: dict = field(default_factory=dict)


def _named(scores: pd.DataFrame, *beginnings: str) -> pd.DataFrame:
    own = scores[scores["task"] != TEACHERS_OWN]
    return own[own["condition"].str.startswith(beginnings)]


def _without_amounts(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[~scores["condition"].str.contains(AMOUNT)]


def _with_amounts(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[scores["condition"].str.contains(AMOUNT)]


def _by_number(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[scores["task"].str.contains(ONE_NUMBER)]


def _of_one_size(scores: pd.DataFrame) -> pd.DataFrame:
    """The ladder's middle student and any other, on tasks of all numbers of steps.

    Of a real student what it was tuned on in the profile of its own name, "smol": what
    "smol_gsm8k" and its like have is `_by_data_set`'s.
    """
    ladder = scores["student"].str.startswith("ladder-")
    one_number = scores["task"].str.contains(ONE_NUMBER)
    known = set(profile_names())  # a folder of one's own may have any name
    elsewhere = scores["profile"].map(lambda name: name in known and setting_of(name))
    one_size = ~ladder | (scores["student"] == MIDDLE)
    return scores[one_size & ~one_number & ~elsewhere.astype(bool)]


def _of_the_ladder(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[scores["student"].str.startswith("ladder-")]


def _of_real_students(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[~scores["student"].str.startswith("ladder-")]


def _gaps_of_the_ladder(scores: pd.DataFrame) -> pd.DataFrame:
    """Both tunings of every size, on tasks of all numbers of steps."""
    own = _of_the_ladder(scores)
    tuned = own["condition"].isin(["cot", "answer_only"])
    return own[tuned & ~own["task"].str.contains(ONE_NUMBER)]


def _answers(followed: bool) -> Rows:
    return lambda scores: scores[scores["task"].str.endswith("_followed") == followed]


def _few_examples(every_step: bool) -> Rows:
    """Of few examples: where every step counts, or the answer alone."""

    def rows(scores: pd.DataFrame) -> pd.DataFrame:
        own = _with_amounts(scores)
        return own[own["task"].str.endswith("_told") == every_step]

    return rows


def _flows(records: list[dict]) -> pd.DataFrame:
    """Mean over seeds of what became of flows, a row a tuning and way of asking."""

    def named(row: str) -> str:
        condition, way = row.split("/")
        return f"{STYLE[condition].label}\nasked {FORMAT_LABELS[way]}"

    return mean_extra(records, FLOW_SHARES).rename(named)


def _flows_by_number(records: list[dict]) -> pd.DataFrame:
    """The same, a row a number of flows that were tuned on."""
    return mean_extra(records, FLOW_SHARES).rename(lambda number: f"{number} flows")


def mean_yields(records: list[dict]) -> pd.DataFrame:
    """Mean over seeds of what a teacher's samples yield, told the answer and not.

    records: as `read_records` gives them; one without samples is left out. Returns a
    row a way of asking, as `recipe_yields` draws them; none where there is nothing.
    """
    mean = mean_extra(records, "yields", absent=None)
    return mean.rename(lambda name: STYLE[name].label)


def _by_data_set(records: list[dict]) -> pd.DataFrame:
    """A real student's scores, whichever data set it was tuned on.

    A task that it was not tuned on says what it was; a record that does not is left
    out. Empty where there is one data set.
    """
    tables = []
    for record in records:
        own = outcomes_frame([record])
        own = own[~own["student"].str.startswith("ladder-")]
        data_set = record["parameters"].get("train_task")
        if not data_set:
            continue
        told = f", tuned on {task_label(data_set)}"
        named = own["task"].map(task_label) + told
        tasks = own["task"].where(own["task"] == data_set, named)
        tables.append(own.assign(task=tasks, profile=record["profile"]))
    together = pd.concat(tables) if tables else pd.DataFrame()
    several = len(together) and together["profile"].nunique() > 1
    return together if several else pd.DataFrame()


def _bbh_by_task(records: list[dict]) -> pd.DataFrame:
    """Scores of micro-BBH's tasks along the plain tuning."""
    own = outcomes_frame(records)
    own = own[own["condition"].isin(["before_tuning", "cot"])]
    return split_by_part(own[own["task"] == "micro_bbh"], list(MICRO_BBH))


FOUR, FIVE, SIX = "04_before_tuning", "05_scale", "06_few_shot_vs_zero_shot"
SEVEN, EIGHT, NINE = "07_bbh_degradation", "08_cot_vs_answer_only", "09_diversity"
TEN, ELEVEN = "10_quantity_and_quality", "11_distribution_matching"
TWELVE, THIRTEEN = "12_two_stage", "13_custom_flow"
FIFTEEN = "15_how_many_flows"
INSIGHTS = (
    Insight(
        FOUR, FOUR, accuracy_by_size, "cot_prompting_hurts_general", rows=_of_the_ladder
    ),
    Insight(
        f"{FOUR}-real",
        FOUR,
        accuracy_by_condition,
        "cot_prompting_hurts_a_real_student",
        rows=_of_real_students,
        papers="nearest",
    ),
    Insight(
        f"{FOUR}-errors",
        FOUR,
        error_kinds,
        title="Kinds of error before tuning, by the student's size",
        table=errors_by_size,
    ),
    Insight(FIVE, FIVE, accuracy_by_size, "larger_students_gain_more", papers="all"),
    Insight(
        f"{FIVE}-errors",
        FIVE,
        error_kinds,
        title="Kinds of error after tuning on rationales, by the student's size",
        table=errors_by_size,
    ),
    Insight(
        SIX,
        SIX,
        accuracy_by_condition,
        "zero_shot_tuning_lifts_few_shot_less",
        papers="nearest",
    ),
    Insight(SEVEN, SEVEN, accuracy_by_checkpoint, "general_ability_falls"),
    Insight(
        f"{SEVEN}-by-task",
        SEVEN,
        accuracy_by_checkpoint,
        title="Micro-BBH task by task along the plain tuning",
        table=_bbh_by_task,
    ),
    Insight(
        EIGHT,
        EIGHT,
        accuracy_by_condition,
        "cot_beats_answer_only",
        rows=_of_one_size,
        papers="nearest",
    ),
    Insight(
        f"{EIGHT}-by-data",
        EIGHT,
        accuracy_by_condition,
        "cot_beats_answer_only",
        table=_by_data_set,
        papers="nearest",
    ),
    Insight(
        f"{EIGHT}-by-steps",
        EIGHT,
        accuracy_by_number_of_steps,
        "gap_grows_with_steps",
        rows=_by_number,
    ),
    Insight(
        f"{EIGHT}-by-size",
        EIGHT,
        accuracy_by_size,
        "gap_grows_with_size",
        rows=_gaps_of_the_ladder,
        papers="all",
    ),
    Insight(
        NINE,
        NINE,
        accuracy_by_amount,
        "gain_goes_on_with_rationales",
        rows=lambda scores: _named(scores, "diverse_", "fewer_questions_"),
        options={"label": "rationales per question, at most"},
    ),
    Insight(
        f"{NINE}-detail",
        NINE,
        accuracy_by_amount,
        "less_detail_suits_a_small_student",
        rows=lambda scores: _named(scores, "detail_"),
        options={"label": "level of detail", "doublings": False},
    ),
    Insight(
        TEN,
        TEN,
        accuracy_by_amount,
        "more_questions_teach_more",
        rows=lambda scores: _named(scores, "right_", "with_wrong_"),
        options={"label": "rationales, right and wrong"},
    ),
    Insight(
        f"{TEN}-quality",
        TEN,
        accuracy_by_condition,
        "right_steps_beat_right_answers",
        rows=lambda scores: _named(
            scores, "unfiltered", "answer_filtered", "step_verified"
        ),
    ),
    Insight(
        f"{TEN}-splits",
        TEN,
        accuracy_by_condition,
        "random_split_flatters",
        rows=lambda scores: _named(scores, "template_split", "random_split"),
    ),
    Insight(f"{TEN}-yields", TEN, recipe_yields, "hint_yields_more", table=mean_yields),
    Insight(
        f"{TEN}-hint",
        TEN,
        accuracy_by_condition,
        "hinted_rationales_teach_more",
        rows=lambda scores: _named(scores, "unhinted", "hinted"),
    ),
    Insight(ELEVEN, ELEVEN, accuracy_by_condition, "distribution_beats_samples"),
    Insight(
        TWELVE,
        TWELVE,
        accuracy_by_condition,
        "two_stages_beat_one_task",
        rows=_without_amounts,
    ),
    Insight(
        f"{TWELVE}-few",
        TWELVE,
        accuracy_by_amount,
        "first_stage_helps_few_examples",
        rows=_few_examples(every_step=True),
        options={"label": "examples of the one task"},
    ),
    Insight(
        f"{TWELVE}-few-answers",
        TWELVE,
        accuracy_by_amount,
        title="Right answers after few examples; a guess is right half of the time",
        rows=_few_examples(every_step=False),
        options={"label": "examples of the one task"},
    ),
    Insight(
        THIRTEEN,
        THIRTEEN,
        accuracy_by_condition,
        "a_demonstrated_flow_is_followed",
        rows=_answers(followed=True),
        options={"label": "flow followed"},
    ),
    Insight(
        f"{THIRTEEN}-answers",
        THIRTEEN,
        accuracy_by_condition,
        "new_flows_cost_answers",
        rows=_answers(followed=False),
        options={"label": "right answer"},
    ),
    Insight(
        f"{THIRTEEN}-flows",
        THIRTEEN,
        error_kinds,
        title="What became of new flows, mean over seeds",
        table=_flows,
        options={"kinds": FLOW_KINDS},
    ),
    Insight(
        FIFTEEN,
        FIFTEEN,
        accuracy_by_amount,
        "many_flows_teach_to_follow",
        rows=_answers(followed=True),
        options={"label": "flows in tuning", "share": "flow followed"},
    ),
    Insight(
        f"{FIFTEEN}-flows",
        FIFTEEN,
        error_kinds,
        title="What became of new flows, by the flows in tuning: mean over seeds",
        table=_flows_by_number,
        options={"kinds": FLOW_KINDS},
    ),
)


def insights_of(notebook: str) -> list[Insight]:
    """A notebook's figures; one that is not in the table has its conditions drawn."""
    return [one for one in INSIGHTS if one.notebook == notebook] or [
        Insight(notebook, notebook, accuracy_by_condition, rows=_without_amounts),
        Insight(
            f"{notebook}-by-amount",
            notebook,
            accuracy_by_amount,
            rows=_with_amounts,
            options={"label": "amount"},
        ),
    ]
