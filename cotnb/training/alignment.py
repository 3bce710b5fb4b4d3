"""Which tokens of two tokenizations of one text go together.

Fu et al. 2023 align a teacher's tokens to a student's by dynamic programming: the
cheapest path through all pairs of tokens, where a pair costs the edits that turn one
into the other. Such a path is at times cheapest where it pairs tokens of different
places: "at" with the "s" of "baby|s|at", because "babys|at" has no better one for it.
Here only tokens that share a character can be paired, which the text decides. Where a
token of each ends at the same character the path is cut, and the recurrence is left
with the few tokens between two cuts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np
from transformers import PreTrainedTokenizerBase

Pairs = list[tuple[int, int]]
NEVER = float("inf")  # what it costs to pair tokens that share no character


@dataclass(frozen=True)
class Alignment:
    """Which source tokens go with which target tokens.

    pairs: (source, target) numbers of tokens that go together, in order; every token is
    in one pair at least. partner: (targets,), the source token that says what a target
    token says, no more and no less; -1 where there is none.
    """

    pairs: Pairs
    partner: np.ndarray


def align(source: Sequence[str], target: Sequence[str]) -> Alignment:
    """Two tokenizations, each the texts of its tokens, of which there is one at least.

    Where both spell the same text, partners lie between the same two characters. Where
    they do not, as when a tokenizer rewrites what it reads, the path is the published
    one, and partners are tokens of equal text that it pairs with each other alone.
    """
    if "".join(source) != "".join(target):
        pairs = cheapest_path(edit_costs(source, target))
        return Alignment(pairs, _paired_alone(pairs, source, target))
    s_after, t_after = _tokens_up_to(source), _tokens_up_to(target)
    partner, pairs = [-1] * len(target), []
    s = t = 0
    for end, s_next in s_after.items():
        if (t_next := t_after.get(end)) is None:
            continue
        if s_next - s == 1 == t_next - t:
            partner[t] = s
            pairs.append((s, t))
        elif s_next - s == 1 or t_next - t == 1:  # there is one path
            pairs += [(i, j) for i in range(s, s_next) for j in range(t, t_next)]
        else:
            costs = _costs_of_sharing(source[s:s_next], target[t:t_next])
            pairs += [(s + i, t + j) for i, j in cheapest_path(costs)]
        s, t = s_next, t_next
    return Alignment(pairs, np.array(partner))


def _tokens_up_to(tokens: Sequence[str]) -> dict[int, int]:
    """How many tokens there are up to each character that one ends at."""
    ends = accumulate(len(token) for token in tokens)
    return {end: count for count, end in enumerate(ends, start=1)}


def cheapest_path(costs: Sequence[Sequence[float]]) -> Pairs:
    """The pairs of the cheapest path from the first tokens to the last (Fu et al.).

    costs: (source tokens, target tokens), of each pair. The recurrence is f(i, j) =
    c(i, j) + min(f(i-1, j-1), f(i-1, j), f(i, j-1)); of equals the first is taken.
    """
    reached = [list(accumulate(costs[0]))]
    for row in costs[1:]:
        above = reached[-1]
        here = [above[0] + row[0]]
        for j in range(1, len(row)):
            here.append(row[j] + min(above[j - 1], above[j], here[-1]))
        reached.append(here)
    i, j = len(costs) - 1, len(costs[0]) - 1
    pairs = [(i, j)]
    while i or j:
        before = ((i - 1, j - 1), (i - 1, j), (i, j - 1))
        i, j = min(
            (at for at in before if min(at) >= 0), key=lambda at: reached[at[0]][at[1]]
        )
        pairs.append((i, j))
    return pairs[::-1]


def edit_costs(source: Sequence[str], target: Sequence[str]) -> list[list[int]]:
    """The edits between each two tokens, (source tokens, target tokens)."""
    return [[edits(s, t) for t in target] for s in source]


@lru_cache(maxsize=2**18)
def edits(one: str, other: str) -> int:
    """Characters to insert, delete or replace (Levenshtein), spaces left out."""
    one, other = one.replace(" ", ""), other.replace(" ", "")
    above = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        here = [i]
        for j, b in enumerate(other):
            here.append(min(above[j] + (a != b), above[j + 1] + 1, here[j] + 1))
        above = here
    return above[-1]


def token_texts(
    tokenizer: PreTrainedTokenizerBase, text: str
) -> tuple[list[int], list[str]]:
    """A text's token ids, and what each says of it; joined, these are the text.

    What a tokenizer drops belongs to the token after it. Of tokens that say parts of
    one character the first has it all, the others "".
    """
    read = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, spans = read["input_ids"], read["offset_mapping"]
    if not ids:
        return [], []
    ends = [*(end for _, end in spans[:-1]), len(text)]
    begins = [0, *ends[:-1]]
    return ids, [text[a:b] for a, b in zip(begins, ends, strict=True)]


def _costs_of_sharing(
    source: Sequence[str], target: Sequence[str]
) -> list[list[float]]:
    """Edit costs of tokens that share a character, NEVER those of others."""
    s_spans, t_spans = _spans(source), _spans(target)
    return [
        [
            edits(s, t) if s_begin < t_end and t_begin < s_end else NEVER
            for t, (t_begin, t_end) in zip(target, t_spans, strict=True)
        ]
        for s, (s_begin, s_end) in zip(source, s_spans, strict=True)
    ]


def _spans(tokens: Sequence[str]) -> list[tuple[int, int]]:
    """Begin and end of each token; one without text shares the character before it."""
    ends = accumulate(len(token) for token in tokens)
    return [
        (end - max(1, len(token)), end) for token, end in zip(tokens, ends, strict=True)
    ]


def _paired_alone(
    pairs: Pairs, source: Sequence[str], target: Sequence[str]
) -> np.ndarray:
    """The partners among a path's pairs: in no other pair, and of the same text."""
    of_source, of_target = (np.bincount(numbers) for numbers in np.array(pairs).T)
    partner = np.full(len(target), -1)
    for i, j in pairs:
        if of_source[i] == of_target[j] == 1 and source[i] == target[j]:
            partner[j] = i
    return partner
