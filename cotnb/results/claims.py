"""Claims: published insights as testable contrasts, and the verdicts on them."""

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from cotnb.errors import UserError
from cotnb.formats import PROMPT_FORMATS
from cotnb.statistics import bootstrap_sum

NO_PAPER = "none"  # the paper of a claim that none has measured
SAYING = "rule_of_thumb"  # in its place: a saying without a source
VERDICTS = ("reproduced", "contradicted", "inconclusive")  # "not run" is none
COLUMNS = (
    "claim",
    "notebook",
    "statement",
    "paper",
    "expected",
    "estimate",
    "ci_low",
    "ci_high",
    "per",
    "seeds",
    "n",
    "verdict",
    "missing",
)
NO_TEXT = {"missing": "", "per": ""}  # where a table that is read says NaN
STRICT = ConfigDict(extra="forbid", strict=True)
Step = Annotated[int, Field(ge=0)] | Literal["last"]


@dataclass(frozen=True)
class Selection:
    """Which scores a profile's contrast is made of. step "last": the largest one."""

    __pydantic_config__ = STRICT

    task: str | None = None
    student: str | None = None
    step: Step = "last"


@dataclass(frozen=True)
class Term:
    """One weighted accuracy of a contrast.

    task, student, step: instead of the profile's. shared_over_seeds: the score has
    nothing random in it, so one seed's serves all seeds and equal ones count as one.
    """

    __pydantic_config__ = STRICT

    weight: float
    condition: str
    prompt_format: Literal[PROMPT_FORMATS]
    task: str | None = None
    student: str | None = None
    step: Step | None = None
    shared_over_seeds: bool = False


@dataclass(frozen=True)
class Claim:
    """An insight, its paper, and the contrast whose sign it foretells.

    The contrast is the sum of weight x accuracy over `terms`, within scores of
    `notebook`; `profiles` says for each profile on which task. paper: as
    results/papers.csv names it, or `NO_PAPER`. per: where the weights make a slope,
    what it is per, such as "step".
    """

    __pydantic_config__ = STRICT

    id: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    notebook: str
    statement: str
    paper: str
    expected: Literal["positive", "negative"]
    terms: Annotated[tuple[Term, ...], Field(min_length=1)]
    profiles: dict[str, Selection]
    per: str = ""


@dataclass(frozen=True)
class Contrast:
    """Paired weighted sums of outcomes: one block a task, as `bootstrap_sum` takes."""

    blocks: list
    seeds: int
    n: int
    missing: str

    @property
    def estimate(self) -> float:
        """The mean over seeds; NaN where there are none."""
        if not self.seeds:
            return np.nan
        of_seeds = [[np.mean(row) for row in block] for block in self.blocks]
        return float(np.sum(of_seeds, axis=0).mean())


CLAIM = TypeAdapter(Claim)


def load_claims(path: Path) -> list[Claim]:
    """The claims of a YAML file, a list of `Claim`'s fields, in the file's order.

    Raises UserError naming the claim and the field for a missing, an unknown or a
    malformed field, and for an id that comes twice.
    """
    try:
        entries = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: not readable as YAML: {reason}") from None
    if not isinstance(entries, list):
        raise UserError(f"{path}: expected a list of claims")
    claims = [_load_claim(path, i, entry) for i, entry in enumerate(entries)]
    ids = [claim.id for claim in claims]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise UserError(f"{path}: claim {twice[0]}: id comes twice; rename one")
    return claims


def evaluate_claims(
    frame: pd.DataFrame,
    claims: Sequence[Claim],
    profile: str,
) -> pd.DataFrame:
    """One row a claim with its verdict; `COLUMNS`, in the order of the claims.

    frame: `results.outcomes_frame` of one profile. estimate, ci_low and ci_high: the
    contrast as a difference of accuracies (0.1 is ten percentage points) with its 95%
    hierarchical bootstrap interval, of a slope per what `per` says; seeds: how many
    were paired; n: the questions.
    verdict: "reproduced" where the interval lies wholly on the expected side of 0,
    "contradicted" where wholly on the other, else "inconclusive"; "not run" where no
    seed has all scores. missing: what was expected and is not there.
    Raises UserError where terms of a task were asked different questions, and where a
    claim does not say which of several students it is about.
    """
    rows = []
    for claim in claims:
        contrast = _build_contrast(frame, claim, profile)
        named = (claim.id, claim.notebook, claim.statement, claim.paper, claim.expected)
        interval, verdict = (np.nan, np.nan, np.nan), "not run"
        if contrast.seeds:
            # A generator a claim: adding one leaves the others' intervals alone.
            claim_seed = [0, zlib.crc32(claim.id.encode())]
            generator = np.random.default_rng(claim_seed)
            interval = bootstrap_sum(contrast.blocks, generator)
            verdict = decide_verdict(*interval[1:], claim.expected)
        numbers = (*interval, claim.per, contrast.seeds, contrast.n)
        rows.append((*named, *numbers, verdict, contrast.missing))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def estimate_claims(
    frame: pd.DataFrame, claims: Sequence[Claim], profile: str
) -> dict[str, tuple[float, int, int]]:
    """What `evaluate_claims` gives as estimate, seeds and n, by claim; no intervals.

    Raises UserError as that does.
    """
    built = {claim.id: _build_contrast(frame, claim, profile) for claim in claims}
    return {name: (one.estimate, one.seeds, one.n) for name, one in built.items()}


def decide_verdict(low: float, high: float, expected: str) -> str:
    """The rule: which side of 0 the whole interval lies on, against the expected."""
    if low > 0:
        side = "positive"
    elif high < 0:
        side = "negative"
    else:
        return "inconclusive"
    return "reproduced" if side == expected else "contradicted"


def claims_of(claims_frame: pd.DataFrame, own: bool) -> pd.DataFrame:
    """The rows of our own claims, or those of papers and sayings."""
    return claims_frame[(claims_frame["paper"] == NO_PAPER) == own]


def in_points(claim) -> str:
    """A contrast in percentage points with its interval and, of a slope, its unit.

    claim: a row of `evaluate_claims`'s table that has an estimate. Where no question
    was answered otherwise there is no interval, and it says so.
    """
    estimate, low, high = (
        100 * value + 0.0  # a zero without a sign; "-0.0" is below it
        for value in (claim.estimate, claim.ci_low, claim.ci_high)
    )
    per = f" per {claim.per}" if claim.per else ""
    if claim.ci_low == claim.ci_high == claim.estimate == 0:
        return f"{estimate:+.1f}{per}, alike on every question"
    return f"{estimate:+.1f} [{low:+.1f}, {high:+.1f}]{per}"


def _load_claim(path: Path, position: int, entry: object) -> Claim:
    try:
        return CLAIM.validate_json(json.dumps(entry, default=str))
    except ValidationError as error:
        first = error.errors()[0]
        name = entry.get("id") if isinstance(entry, dict) else None
        field = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise UserError(
            f"{path}: claim {name or position + 1}: {field}: {first['msg']}"
        ) from None


def _build_contrast(frame: pd.DataFrame, claim: Claim, profile: str) -> Contrast:
    selection = claim.profiles.get(profile)
    if selection is None:
        return Contrast([], 0, 0, f"the claim has no contrast for profile {profile}")
    own = frame[frame["notebook"] == claim.notebook]
    terms = [_resolve(term, selection, claim, profile) for term in claim.terms]
    scores = [_term_scores(own, term, claim) for term in terms]
    seeds, lacking = _paired_seeds(terms, scores)
    if not seeds:
        return Contrast([], 0, 0, lacking)
    blocks, n = [], 0
    for task in dict.fromkeys(term.task for term in terms):
        of_task = [
            (term, by_seed)
            for term, by_seed in zip(terms, scores, strict=True)
            if term.task == task
        ]
        block, questions = _build_block(of_task, seeds, claim, task)
        blocks.append(block)
        n += questions
    return Contrast(blocks, len(seeds), n, lacking)


def _resolve(term: Term, selection: Selection, claim: Claim, profile: str) -> Term:
    """The term with the profile's task, student and step where it has none itself."""
    task = term.task or selection.task
    if task is None:
        raise UserError(
            f"claim {claim.id}: profiles.{profile}.task: missing, and a term has none"
        )
    student = term.student or selection.student
    step = selection.step if term.step is None else term.step
    return replace(term, task=task, student=student, step=step)


def tasks_of(claim: Claim, profiles: Iterable[str]) -> set[str]:
    """The tasks that the claim is about in these profiles."""
    selected = [claim.profiles[name] for name in profiles if name in claim.profiles]
    return {term.task or one.task for one in selected for term in claim.terms} - {None}


def _term_scores(own: pd.DataFrame, term: Term, claim: Claim) -> dict[int, pd.Series]:
    """The term's scores by seed: of the step that it names, or each seed's last."""
    rows = own[
        (own["condition"] == term.condition)
        & (own["prompt_format"] == term.prompt_format)
        & (own["task"] == term.task)
    ]
    if term.student is not None:
        rows = rows[rows["student"] == term.student]
    if rows["student"].nunique() > 1:
        students = ", ".join(sorted(rows["student"].unique()))
        raise UserError(f"claim {claim.id}: student: name one of {students}")
    if term.step != "last":
        rows = rows[rows["step"] == term.step]
    return {int(row["seed"]): row for _, row in rows.sort_values("step").iterrows()}


def _paired_seeds(terms: list[Term], scores: list[dict]) -> tuple[list[int], str]:
    """The seeds that all terms have, and in words what other seeds lack.

    A shared term's score is spread over all seeds here, in place.
    """
    varying = [
        set(by_seed)
        for term, by_seed in zip(terms, scores, strict=True)
        if not _is_single(term, by_seed)
    ]
    wanted = set().union(*varying) if varying else {0}
    missing = []
    for term, by_seed in zip(terms, scores, strict=True):
        if by_seed and _is_single(term, by_seed):
            first = by_seed[min(by_seed)]
            by_seed.clear()
            by_seed.update(dict.fromkeys(wanted, first))
        missing += _lacking(term, by_seed, wanted)
    seeds = sorted(wanted.intersection(*scores))
    return seeds, "; ".join(dict.fromkeys(missing))


def _is_single(term: Term, by_seed: dict[int, pd.Series]) -> bool:
    answers = {(row["questions"], row["outcomes"]) for row in by_seed.values()}
    return term.shared_over_seeds and len(answers) <= 1


def _lacking(term: Term, by_seed: dict, wanted: set[int]) -> list[str]:
    name = f"{term.condition} asked {term.prompt_format} on {term.task}"
    if not by_seed:
        student = f" ({term.student})" if term.student else ""
        return [f"{name}{student}"]
    lacking = sorted(wanted - set(by_seed))
    return [f"{name}, seed {seed}" for seed in lacking]


def _build_block(
    of_task: list[tuple[Term, dict]], seeds: list[int], claim: Claim, task: str
) -> tuple[np.ndarray | list[np.ndarray], int]:
    """One task's weighted sums and how many questions they are of.

    (seeds, questions) where every seed was asked the same, else one array a seed.
    """
    rows, hashes = [], []
    for seed in seeds:
        asked = {by_seed[seed]["questions"] for _, by_seed in of_task}
        if len(asked) > 1:
            conditions = ", ".join(term.condition for term, _ in of_task)
            raise UserError(
                f"claim {claim.id}: {conditions} were asked different questions of "
                f"{task} at seed {seed}; run them again on one test set"
            )
        hashes.append(asked.pop())
        rows.append(sum(t.weight * _to_array(by_seed[seed]) for t, by_seed in of_task))
    if len(set(hashes)) == 1:
        return np.stack(rows), len(rows[0])
    sizes = {asked: len(row) for asked, row in zip(hashes, rows, strict=True)}
    return rows, sum(sizes.values())


def _to_array(score: pd.Series) -> np.ndarray:
    codes = np.frombuffer(score["outcomes"].encode(), dtype=np.uint8)
    return (codes == ord("1")).astype(float)
