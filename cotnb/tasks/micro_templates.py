"""The words and sentences that micro-world questions are made of.

A template's text is one or two sentences with slots:
{N} the name of the person who acts, {S} and {s} that name or a pronoun, {O} the same
as an object, {h} always he or she, {P} his or her, {A} and {B} two people who are
compared, {now} nothing or " has now", {hi} and {lo} the one with more and the one with
fewer, {o} the objects, {u} and {u1} the objects they are traded for, {c} a container,
{g} and {g1} small bags or packs, {v} the first value, {n} the operand, {k} and {m} the
number of groups and the size of one.

A held-out template serves the split "test_ood" alone. It says what other templates say
in a new sentence made of words that the others use too, so that a word-level tokenizer
trained on the training split knows every word of it.
"""

import re
from dataclasses import dataclass

# name -> pronouns: subject, object, possessive
SHE, HE = ("she", "her", "her"), ("he", "him", "his")
WOMEN = "Ann Mia Eve Zoe Lea Ida Joy Amy Kim Sue Eva Liv Pia Una Fay Gwen Nina Rosa"
MEN = "Ben Tom Max Leo Sam Dan Jim Ian Bob Ned Ray Gus Abe Hal Ivan Omar Paul Carl"
PEOPLE = {name: SHE for name in WOMEN.split()} | {name: HE for name in MEN.split()}

# plural -> singular
OBJECTS = {
    "apples": "apple",
    "pears": "pear",
    "plums": "plum",
    "nuts": "nut",
    "eggs": "egg",
    "shells": "shell",
    "stamps": "stamp",
    "cards": "card",
    "marbles": "marble",
    "beads": "bead",
    "buttons": "button",
    "pens": "pen",
    "stickers": "sticker",
    "stones": "stone",
    "books": "book",
    "coins": "coin",
    "rings": "ring",
    "tickets": "ticket",
    "flowers": "flower",
    "candles": "candle",
}
CONTAINERS = ("box", "basket", "jar", "chest", "drawer", "bowl")
GROUPS = {
    "bags": "bag",
    "packs": "pack",
    "cases": "case",
    "sacks": "sack",
    "tins": "tin",
    "crates": "crate",
}

# A template without {n} states its operand by one of these words.
OPERAND_WORDS = {"twice": 2, "doubles": 2, "half": 2, "third": 3, "quarter": 4}


@dataclass(frozen=True)
class Template:
    """One phrasing.

    name: a stable name, unique over all templates.
    kind: "open", "open_groups", "change", "groups", "meet", "compare", "ask",
        "ask_left", "ask_share", "ask_cost" or "ask_join"; says where it can stand.
    setting: "person" (somebody owns the objects) or "place" (a container holds them).
    op: the operation that it asks for, one of "+-*/", or "" for none.
    text: what the question says.
    reason: what a solution says before its equation; "" where there is no step.
    held_out: whether it is kept for the split "test_ood".
    """

    name: str
    kind: str
    setting: str
    op: str
    text: str
    reason: str
    held_out: bool

    @property
    def operand(self) -> int | None:
        """The operand that a word of the text states, None where {n} does."""
        if "{n}" in self.text:
            return None
        words = re.findall("[a-z]+", self.text.lower())
        return next((OPERAND_WORDS[w] for w in words if w in OPERAND_WORDS), None)

    @property
    def trades(self) -> bool:
        """Whether the objects are other objects afterwards."""
        return "{u" in self.text


# [kind setting], then a line a template: name | operation | text | reason; an indented
# line goes on with the one before it. A name that begins with "ood_" is held out.
_TABLE = """
[open person]
has | | {N} has {v} {o}. |
at_first_has | | At first {N} has {v} {o}. |
starts_with | | {N} starts with {v} {o}. |
ood_number_is | | The number of {o} that {N} has is {v}. |
ood_there_is | | {N} has a {c} with {v} {o}. |
[open place]
there_are | | There are {v} {o} in a {c}. |
holds | | A {c} holds {v} {o}. |
at_first_holds | | At first a {c} holds {v} {o}. |
ood_at_first_are | | At first there are {v} {o} in a {c}. |
ood_number_in | | The number of {o} in a {c} is {v}. |
[open_groups person]
has_groups | * | {N} has {k} {g} with {m} {o} in each {g1}. | {N} has {k} {g} of {m}
fills_groups | * | {N} fills {k} {g} with {m} {o} each. | {N} fills {k} {g} of {m}
ood_each_of | * | {N} has {k} {g}. Each {g1} holds {m} {o}. | {N} has {k} {g} of {m}
[open_groups place]
place_groups | * | There are {k} {g} in a {c} and each {g1} holds {m} {o}. | There are
    {k} {g} of {m}
ood_place_groups | * | A {c} holds {k} {g} with {m} {o} in each {g1}. | There are {k}
    {g} of {m}
[change person]
finds | + | {S} finds {n} more {o}. | {N} finds {n} more
buys | + | Then {s} buys another {n} {o}. | {N} buys {n} more
friend_gives | + | A friend gives {O} {n} {o}. | A friend gives {N} {n}
wins | + | {S} wins {n} {o} in a game. | {N} wins {n}
mother | + | From {P} mother {s} gets {n} more {o}. | {N} gets {n} more
picks_up | + | Later {s} picks up {n} {o}. | {N} picks up {n}
school | + | At school {s} gets {n} more {o}. | {N} gets {n} more
ood_mother_gives | + | Later {P} mother gives {O} another {n} {o}. | {N} gets {n} more
ood_from_friend | + | From a friend {s} gets {n} {o} more. | {N} gets {n} more
gives | - | {S} gives {n} {o} to a friend. | {N} gives away {n}
loses | - | {S} loses {n} of {P} {o}. | {N} loses {n}
sells | - | Then {s} sells {n} {o}. | {N} sells {n}
throws | - | {S} throws {n} {o} away. | {N} throws away {n}
friend_takes | - | A friend takes {n} {o} from {O}. | {N} loses {n}
leaves | - | Later {s} leaves {n} {o} at school. | {N} leaves {n}
game_loses | - | In a game {s} loses {n} {o}. | {N} loses {n}
ood_school_gives | - | At school {s} gives away {n} of {P} {o}. | {N} gives away {n}
ood_friend_buys | - | Then a friend buys {n} {o} from {O}. | {N} sells {n}
times_before | * | Soon {s} has {n} times as many {o} as before. | {N} now has {n}
    times as many
twice_until | * | {S} finds more {o} until {h} has twice as many. | {N} now has twice
    as many
doubles | * | In a game {s} doubles {P} number of {o}. | {N} doubles the number
trades_each | * | {S} trades each of {P} {o} for {n} {u}. | {N} gets {n} {u} for each
buys_until | * | {S} buys more {o} until {h} has {n} times as many. | {N} now has {n}
    times as many
ood_wins_until | * | {S} wins {o} until {h} has {n} times as many as before. | {N} now
    has {n} times as many
ood_soon_twice | * | Soon the number of {o} that {s} has is twice as big. | {N} now
    has twice as many
ood_friend_trades | * | For each of {P} {o} {s} gets {n} {u} from a friend in a trade.
    | {N} gets {n} {u} for each
half_friend | / | {S} gives half of {P} {o} to a friend. | Half are left
loses_half | / | Then {s} loses half of {P} {o}. | Half are left
piles | / | {S} splits {P} {o} into {n} equal piles and keeps only one pile. | {N}
    keeps one of {n} equal piles
one_home | / | {S} puts {P} {o} equally into {n} {g} and sells all but one {g1}. |
    {N} keeps one of {n} equal {g}
trades_every | / | {S} trades every {n} of {P} {o} for one {u1} in a big trade. | {N}
    gets one {u1} for every {n}
third | / | {S} keeps only a third of {P} {o} and sells the rest. | {N} keeps a third
quarter | / | Later {s} keeps a quarter of {P} {o} and gives the rest away. | {N}
    keeps a quarter
ood_sells_half | / | {S} sells half of {P} {o} and keeps the rest. | Half are left
ood_groups_one | / | {S} splits {P} {o} equally into {n} {g} and keeps only one
    {g1}. | {N} keeps one of {n} equal {g}
ood_one_for_every | / | In a trade {s} gets one {u1} for every {n} of {P} {o}. | {N}
    gets one {u1} for every {n}
[change place]
puts_into | + | {N} puts {n} more {o} into the {c}. | {N} puts in {n}
are_added | + | Another {n} {o} are added to the {c}. | There are {n} more
ood_are_put | + | Then {n} more {o} are put into the {c}. | {n} are put in
takes_out | - | {N} takes {n} {o} out of the {c}. | {N} takes out {n}
fall_out | - | Then {n} {o} fall out of the {c}. | There are {n} fewer
ood_are_taken | - | Later {n} of the {o} are taken out of the {c}. | There are {n}
    fewer
fills_times | * | {N} fills the {c} until it holds {n} times as many {o}. | There are
    {n} times as many
number_doubles | * | Soon the number of {o} in the {c} doubles. | The number doubles
adds_until | * | {N} adds {o} until there are {n} times as many in the {c}. | There
    are {n} times as many
ood_soon_holds | * | Soon the {c} holds {n} times as many {o} as before. | There are
    {n} times as many
half_taken | / | Later half of the {o} in the {c} are taken out and put away. | Half
    are left
third_left | / | {N} takes out {o} until only a third of them are left in the {c}. | A
    third are left
pile_left | / | {N} splits the {o} into {n} equal piles and leaves only one pile in
    the {c}. | One of {n} equal piles is left
ood_takes_half | / | {N} takes half of the {o} out of the {c}. | Half are left
ood_equal_groups | / | {N} splits the {o} equally into {n} {g} and takes out all but
    one {g1}. | One of {n} equal {g} is left
[groups person]
buys_groups | + | {S} buys {k} {g} with {m} {o} in each {g1}. | {N} buys {k} {g} of
    {m}
friends_give | + | Then each of {k} friends gives {O} {m} {o}. | Each of {k} friends
    gives {m}
gives_each | - | {S} gives {m} {o} to each of {k} friends. | Each of {k} friends gets
    {m}
sells_groups | - | {S} fills {k} {g} with {m} of {P} {o} each and sells all {k} {g}. |
    {N} sells {k} {g} of {m}
ood_from_each | + | From each of {k} friends {s} gets {m} {o}. | Each of {k} friends
    gives {m}
ood_each_buys | - | Then each of {k} friends buys {m} {o} from {O}. | Each of {k}
    friends gets {m}
[groups place]
puts_each | + | Then {k} friends put {m} {o} each into the {c}. | Each of {k} friends
    puts in {m}
take_each | - | Then {k} friends take {m} {o} each out of the {c}. | Each of {k}
    friends takes out {m}
ood_each_puts | + | Each of {k} friends puts {m} more {o} into the {c}. | Each of {k}
    friends puts in {m}
ood_each_takes | - | Each of {k} friends takes {m} {o} out of the {c}. | Each of {k}
    friends takes out {m}
[meet person]
meets | | {B} has {n} {o}. |
starts | | {B} starts with {n} {o}. |
ood_starts | | The number of {o} that {B} has is {n}. |
[compare person]
n_more | + | {B} has {n} more {o} than {A}{now}. | {B} has {n} more than {A}
n_fewer | - | {B} has {n} fewer {o} than {A}{now}. | {B} has {n} fewer than {A}
n_times | * | {B} has {n} times as many {o} as {A}{now}. | {B} has {n} times as many
    as {A}
twice_as | * | {B} has twice as many {o} as {A}{now}. | {B} has twice as many as {A}
half_as | / | {B} has half as many {o} as {A}{now}. | {B} has half as many as {A}
times_other | / | {A} now has {n} times as many {o} as {B}. | {A} has {n} times as
    many as {B}
ood_n_less | - | {A} now has {n} more {o} than {B}. | {B} has {n} fewer than {A}
ood_n_plus | + | {A} now has {n} fewer {o} than {B}. | {B} has {n} more than {A}
ood_times_number | * | The number of {o} that {B} has is {n} times the number that {A}
    has now. | {B} has {n} times as many as {A}
ood_twice_other | / | {A} now has twice as many {o} as {B}. | {A} has twice as many as
    {B}
[ask person]
have_now | | How many {o} does {N} have now? |
in_the_end | | How many {o} does {N} have in the end? |
what_number | | What is the number of {o} that {N} has now? |
find | | Find the number of {o} that {N} has in the end. |
ood_end_first | | In the end, how many {o} does {N} have? |
ood_what | | What number of {o} does {N} have now? |
[ask place]
in_now | | How many {o} are in the {c} now? |
number_in | | What is the number of {o} in the {c} now? |
find_in | | In the end, how many {o} are there in the {c}? |
ood_find_in | | Find how many {o} are now in the {c}. |
[ask_left person]
have_left | | How many {o} does {N} have left? |
ood_left_in_end | | How many {o} are left for {N} in the end? |
[ask_left place]
are_left | | How many {o} are left in the {c}? |
ood_number_left | | Find the number of {o} left in the {c}. |
[ask_share person]
share_friends | / | {N} shares all of {P} {o} equally among {n} friends. How many {o}
    does each friend get? | {n} friends share the {o}
share_groups | / | {N} puts all of {P} {o} into {g} of {n}. How many {g} are there? |
    Each {g1} holds {n}
ood_share_into | / | {N} puts all of {P} {o} equally into {n} {g}. How many {o} does
    each {g1} hold? | The {n} {g} share the {o}
[ask_share place]
place_share | / | All of the {o} in the {c} are put into {g} of {n}. How many {g} are
    there? | Each {g1} holds {n}
ood_place_share | / | Then {n} friends share all of the {o} in the {c} equally. How many
    {o} does each friend get? | {n} friends share the {o}
[ask_cost person]
for_each | * | For each of {P} {o} {N} gets {n} dollars. How many dollars does {N} get
    for all of them? | Each brings {n} dollars
ood_sells_all | * | {N} sells all of {P} {o} for {n} dollars each. How many dollars
    does {N} get? | Each brings {n} dollars
[ask_cost place]
cost_all | * | Each of the {o} in the {c} costs {n} dollars. How many dollars do all
    of them cost? | Each costs {n} dollars
ood_cost_all | * | How many dollars do all of the {o} in the {c} cost for {n} dollars
    each? | Each costs {n} dollars
[ask_join person]
together | + | How many {o} do {A} and {B} have together? | {A} and {B} have both
    numbers together
into_one | + | {A} and {B} put all of their {o} into one {c}. How many {o} does the
    {c} hold? | The {c} holds both numbers together
how_many_more | - | How many more {o} does {hi} have than {lo}? | {hi} has more than
    {lo}
how_many_fewer | - | How many fewer {o} does {lo} have than {hi}? | {lo} has fewer
    than {hi}
ood_number_together | + | What is the number of {o} that {A} and {B} have together? |
    {A} and {B} have both numbers together
ood_more_than | - | {hi} has more {o} than {lo}. How many more? | {hi} has more than
    {lo}
"""


def _read(table: str) -> tuple[Template, ...]:
    """The table's templates, in its order."""
    templates, kind, setting = [], "", ""
    for line in re.sub(r"\n    ", " ", table).strip().splitlines():
        if line.startswith("["):
            kind, setting = line.strip("[]").split()
            continue
        name, op, text, reason = (cell.strip() for cell in line.split("|"))
        held_out = name.startswith("ood_")
        templates.append(Template(name, kind, setting, op, text, reason, held_out))
    return tuple(templates)


TEMPLATES = _read(_TABLE)
