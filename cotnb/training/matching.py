"""Distribution matching: a student learns how likely a teacher held each token.

Fu et al. 2023, "Specializing Smaller Language Models towards Multi-Step Reasoning". The
teacher's likeliest tokens are carried over wherever a token of the student's says what
one of the teacher's says; elsewhere the student learns the text itself.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import dropwhile
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from transformers import PreTrainedTokenizerBase

from cotnb.errors import UserError
from cotnb.formats import END_MARK, Pair, TeacherToken
from cotnb.recipes import Recipe
from cotnb.students import Student
from cotnb.training.alignment import Pairs, align, token_texts
from cotnb.training.batching import Encoded, target_text
from cotnb.training.divergence import Soft

ANY_WORD = "a"  # what a token is read after, so that the space before it is not lost
BROKEN = "\ufffd"  # how a token reads that is a part of a character
SURE = 0.99  # of the times that a token is written it is the whole of the student's
NOTHING: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Carried:
    """How much of a teacher's distributions a student's tokens could take over.

    share: of target tokens that learn a distribution, 0 to 1. mass: the probability
    that its tokens have, on average over these.
    """

    share: float
    mass: float


def soften(
    student: Student,
    pairs: Sequence[Pair],
    encoded: Sequence[Encoded],
    recipe: Recipe,
) -> tuple[list[Encoded], Carried]:
    """The pairs' token ids with what is to be learnt at each, and how much is carried.

    Raises UserError where no pair tells a teacher's tokens.
    """
    if not any(pair.taught for pair in pairs):
        raise UserError(
            "matching='distribution': no pair tells its teacher's tokens; have a "
            "local teacher read the pairs (`LocalTeacher.teach`)"
        )
    size = student.model.get_output_embeddings().weight.shape[0]
    tokenizer, kind = student.tokenizer, student.is_encoder_decoder
    whole = shares_said_whole(tokenizer, pairs, kind)
    softened, masses = [], []
    for pair, row in zip(pairs, encoded, strict=True):
        found = carry(tokenizer, pair, row.target, kind, whole)
        masses += [sum(tokens.values()) for tokens in found if tokens]
        soft = soft_target(row.target, found, size, recipe)
        softened.append(replace(row, soft=soft))
    targets = sum(len(row.target) for row in encoded)
    return softened, Carried(len(masses) / targets, float(np.mean(masses or [0.0])))


def carry(
    tokenizer: PreTrainedTokenizerBase,
    pair: Pair,
    target: Sequence[int],
    encoder_decoder: bool,
    whole: Mapping[str, float] = NOTHING,
) -> list[dict[int, float]]:
    """For each target token: the probabilities of the student's tokens, by id.

    target: the pair's target as the student's token ids, its end mark last. whole: as
    `shares_said_whole` gives them. Of a teacher's likeliest tokens those are left out
    that the student has no token for, or that may be the beginning of another. Empty
    where no single token of the teacher's says the same, and that alone.
    """
    carried: list[dict[int, float]] = [{} for _ in target]
    if not pair.taught:
        return carried
    own, both = vocabulary(tokenizer), _side_by_side(tokenizer, pair, encoder_decoder)
    for i, number in enumerate(both.partner):
        if number >= 0 and says_all(both.taught[number].text, whole):
            place, told = both.before + i, both.taught[number]
            carried[place] = _by_id(told, target[place], own, i == 0, whole)
    ending = pair.taught[-1]._replace(text=END_MARK)
    carried[-1] = _by_id(ending, target[-1], own, False, whole)
    return carried


def shares_said_whole(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair], encoder_decoder: bool
) -> dict[str, float]:
    """Of what a teacher wrote: how often a token said all that the student's says.

    Values: by the token's text, 0 to 1; the rest of the time it only began a longer
    token of the student's, as " The" begins " Then". What a teacher holds of " The" is
    then held of both, and a student that took it for its own " The" would end a chain
    with "The answer is" wherever it should go on with "Then". A token that did neither
    is left out.
    """
    counts: dict[str, list[int]] = {}
    for pair in pairs:
        both = _side_by_side(tokenizer, pair, encoder_decoder)
        first: dict[int, int] = {}
        for source, i in both.pairs:
            first.setdefault(i, source)
        for i, number in enumerate(both.partner):
            text = both.taught[first[i]].text
            says = both.said[i]
            if number >= 0 or (text and text != says and says.startswith(text)):
                counts.setdefault(text, [0, 0])[number >= 0] += 1
    return {text: whole / (begun + whole) for text, (begun, whole) in counts.items()}


def says_all(text: str, whole: Mapping[str, float]) -> bool:
    """Whether a teacher's token of that text can be taken for the student's.

    One that was never seen says what it says.
    """
    return whole.get(text, 1.0) >= SURE


class _Both(NamedTuple):
    """A target's tokens: a teacher's, a student's, and which belong together.

    before: how many of the student's say nothing, and stand before these.
    """

    taught: list[TeacherToken]
    said: list[str]
    before: int
    pairs: Pairs
    partner: Sequence[int]


def _side_by_side(tokenizer, pair: Pair, encoder_decoder: bool) -> _Both:
    texts = _said(tokenizer, pair.target, encoder_decoder)
    # a space before the target may be a token of its own, which says nothing of it
    taught = list(dropwhile(lambda token: not token.text, pair.taught[:-1]))
    said = list(dropwhile(lambda text: not text, texts))
    before = len(texts) - len(said)
    if not (said and taught):
        return _Both(taught, said, before, [], [])
    found = align([token.text for token in taught], said)
    return _Both(taught, said, before, found.pairs, found.partner.tolist())


def soft_target(
    target: Sequence[int],
    carried: Sequence[dict[int, float]],
    size: int,
    recipe: Recipe,
) -> Soft:
    """What is to be learnt at each target token; its own id where nothing is carried.

    size: of the student's vocabulary. The recipe says what becomes of missing mass.
    """
    rows = [
        _treated(found, size, recipe) if found else ({label: 1.0}, 0.0, 1.0)
        for label, found in zip(target, carried, strict=True)
    ]
    most = max(len(tokens) for tokens, _, _ in rows)
    ids, above = np.zeros((2, len(rows), most))
    for place, (tokens, rest, _) in enumerate(rows):
        ids[place, : len(tokens)] = list(tokens)
        above[place, : len(tokens)] = [value - rest for value in tokens.values()]
    return Soft(
        ids=ids.astype(np.int64),
        above=above.astype(np.float32),
        rest=np.array([rest for _, rest, _ in rows], np.float32),
        entropy=np.array([_entropy(t, r, size) for t, r, _ in rows], np.float32),
        temperature=np.array([heat for _, _, heat in rows], np.float32),
    )


def _treated(
    found: dict[int, float], size: int, recipe: Recipe
) -> tuple[dict[int, float], float, float]:
    """Probabilities by id, that of each other token, and their temperature."""
    others, mass = size - len(found), sum(found.values())
    spread = recipe.missing_mass == "spread" and others
    rest = max(0.0, 1 - mass) / others if spread else 0.0
    power = 1 / recipe.temperature
    tempered = {token: value**power for token, value in found.items()}
    rest = rest**power
    whole = mass if recipe.missing_mass == "dropped" else 1.0
    scale = whole / (sum(tempered.values()) + others * rest)
    tempered = {token: scale * value for token, value in tempered.items()}
    return tempered, scale * rest, recipe.temperature


def _entropy(tokens: dict[int, float], rest: float, size: int) -> float:
    values = [value for value in tokens.values() if value > 0]
    others = (size - len(tokens)) * rest * math.log(rest) if rest else 0.0
    return -sum(value * math.log(value) for value in values) - others


@dataclass(frozen=True)
class Vocabulary:
    """What tokens say.

    texts: by id, BROKEN for a special token or a part of a character. ids: by text,
    the first that says it, of whole texts alone.
    """

    texts: list[str]
    ids: dict[str, int]


@lru_cache(maxsize=4)
def vocabulary(tokenizer: PreTrainedTokenizerBase) -> Vocabulary:
    """What a tokenizer's tokens say within a text, a space before them kept."""
    before = tokenizer(ANY_WORD, add_special_tokens=False)["input_ids"]
    numbers = range(len(tokenizer))
    said = tokenizer.batch_decode(
        [before, *([*before, number] for number in numbers)],
        clean_up_tokenization_spaces=False,
    )
    begun = len(said[0])
    special = set(tokenizer.all_special_ids)
    texts = [text[begun:] for text in said[1:]]
    for number in numbers:
        if number in special or BROKEN in texts[number]:
            texts[number] = BROKEN
    texts[tokenizer.eos_token_id] = END_MARK
    ids: dict[str, int] = {}
    for number, text in enumerate(texts):
        if text != BROKEN:
            ids.setdefault(text, number)
    return Vocabulary(texts, ids)


def taught_tokens(
    tokenizer: PreTrainedTokenizerBase,
    pair: Pair,
    target: Sequence[int],
    encoder_decoder: bool,
    likeliest: Sequence[Sequence[tuple[int, float]]],
) -> tuple[TeacherToken, ...]:
    """A pair's target as a teacher's tokens, and then its end mark.

    target: as the teacher's token ids, its end mark last. likeliest: for each of them,
    (token id, natural logarithm of its probability) of several tokens. What says a
    part of a character, or is special, is written BROKEN.
    """
    own = vocabulary(tokenizer)
    texts = [*_said(tokenizer, pair.target, encoder_decoder), END_MARK]
    taught = []
    for text, number, row in zip(texts, target, likeliest, strict=True):
        told = tuple((text if i == number else own.texts[i], value) for i, value in row)
        taught.append(TeacherToken(text, told))
    return tuple(taught)


def _said(
    tokenizer: PreTrainedTokenizerBase, target: str, encoder_decoder: bool
) -> list[str]:
    """What each token says of a target, without the space a decoder begins with."""
    whole = target_text(target, encoder_decoder)
    _, texts = token_texts(tokenizer, whole)
    beyond = len(whole) - len(target)
    return [text[beyond:] if i == 0 else text for i, text in enumerate(texts)]


def _by_id(
    token: TeacherToken,
    label: int,
    own: Vocabulary,
    begins: bool,
    whole: Mapping[str, float],
) -> dict[int, float]:
    """Probabilities by the student's ids; `label` says what the teacher's token says.

    begins: whether the token is the target's first, which a tokenizer may or may not
    begin with a space.
    """
    space = " " if own.texts[label].startswith(" ") else ""
    found: dict[int, float] = {}
    for text, value in token.likeliest:
        said = space + text.lstrip(" ") if begins else text
        number = label if text == token.text else own.ids.get(said)
        probability = math.exp(value)
        if number is not None and probability > 0 and says_all(text, whole):
            found[number] = found.get(number, 0.0) + probability
    return found
