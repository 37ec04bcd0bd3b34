"""What a sentence can mean and which of its words fill the blanks: every way to fill them is tried, the examples tell which is the likest.

"Somebody spilled juice on the desk, wipe it up" has two names in it; with the second masked it is like examples of cleaning, with the first like none.
So no rule finds the thing that is meant: rules only find what could be one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from loci.planning.language.phrases import NounPhrase, join_places, noun_phrases
from loci.planning.language.vocabulary import (
    ACTIVATE_FORMS,
    CARRY_FORMS,
    CLEAN_FORMS,
    CLOSE_FORMS,
    DEACTIVATE_FORMS,
    DETERMINERS,
    FUNCTION_WORDS,
    GO_FORMS,
    IS_CLEAN,
    IS_CLOSED,
    IS_DIRTY,
    IS_OFF,
    IS_ON,
    IS_OPEN,
    NEGATIONS,
    NUMBER_OF,
    OPEN_FORMS,
    PICK_FORMS,
    POWER_FORMS,
)
from loci.planning.names import is_room_word

#: What stands for a blank in the examples and in what is compared with them.
FILLED = {
    "thing": "cup", "place": "table", "something": "something", "things": "cups", "room": "kitchen", "purpose": "do it", "activity": "do it",
    "number": "three",
}  # fmt: skip
_CLASSES = {
    "go": GO_FORMS, "carry": CARRY_FORMS, "pick": PICK_FORMS, "open": OPEN_FORMS | IS_OPEN, "close": CLOSE_FORMS | IS_CLOSED,
    "on": ACTIVATE_FORMS | IS_ON, "off": DEACTIVATE_FORMS | IS_OFF, "power": POWER_FORMS, "clean": CLEAN_FORMS, "dirt": IS_DIRTY | IS_CLEAN, "not": NEGATIONS,
}  # fmt: skip
_VERBS = frozenset().union(*_CLASSES.values())
_PRONOUNS = frozenset("it them that this one".split())
_UNNAMED = frozenset("something anything".split())


@dataclass(frozen=True)
class Wording:
    """One way to fill the blanks.

    Attributes:
        tokens: of the text, with what stands for the blanks in their places.
        slots: words that fill them, without articles.
        places: where the blanks are in ``tokens``.
        named: whether an article, or none, stood before what fills them.
    """

    tokens: tuple[str, ...]
    slots: Mapping[str, str]
    places: Mapping[str, int]
    named: Mapping[str, bool]

    @property
    def text(self) -> str:
        return " ".join(self.tokens)

    @property
    def kind(self) -> str:
        """The blanks that it has."""
        return "+".join(sorted(self.slots))


def word_classes(text: str) -> list[str]:
    """Classes of verbs and states that a text has words of: they liken verbs that no example has."""
    words = set(text.split())
    return [name for name, forms in _CLASSES.items() if words & forms]


def masked(tokens: Sequence[str], spans: Mapping[str, tuple[int, int]]) -> Wording:
    """A text with spans of words masked, by the blanks that they fill."""
    text: list[str] = []
    slots: dict[str, str] = {}
    places: dict[str, int] = {}
    named: dict[str, bool] = {}
    at = 0
    for blank, (start, end) in sorted(spans.items(), key=lambda item: item[1]):
        first = start
        while first < end - 1 and tokens[first] in DETERMINERS:
            first += 1
        named[blank] = first > start
        text += [*tokens[at:start], *(["the"] if named[blank] else [])]
        places[blank] = len(text)
        text.append(FILLED[blank])
        slots[blank] = " ".join(tokens[first:end])
        at = end
    return Wording((*text, *tokens[at:]), slots, places, named)


def features(w: Wording) -> list[str]:
    """What tells whether blanks are filled rightly: words around them, what else is named, and what fills them."""
    blanks = set(w.places.values())
    found = [f"{w.kind} {t}" for i, t in enumerate(w.tokens) if i not in blanks]
    found.append(w.kind)
    for blank, i in w.places.items():
        begin = i - 1 if w.named[blank] else i
        before = [*("<", "<"), *w.tokens[:begin]][-2:]
        after = [*w.tokens[i + 1 : i + 3], ">", ">"][:2]
        words = w.slots[blank].split()
        article = "the" if w.named[blank] else "no"
        found += [
            f"{blank}|{article}", f"{blank}|{article} {min(len(words), 5)}", *([f"{blank} cut"] if _cuts(w, blank, i) else []), f"{before[1]}|{blank}", f"{before[0]} {before[1]}|{blank}",
            f"{blank}|{after[0]}", f"{blank}|{after[0]} {after[1]}", f"{before[1]}|{blank}|{after[0]}",
        ]  # fmt: skip
        found += [f"{blank}={t}" for t in set(words) if t in FUNCTION_WORDS or t in _VERBS]
        found += [f"{blank}^{words[0]}"] if words[0] in FUNCTION_WORDS or words[0] in _VERBS else []
        found += [f"{blank}${words[-1]}"] if words[-1] in FUNCTION_WORDS or words[-1] in _VERBS else []
        found += [
            f"{blank}~{t} {'the' if following in DETERMINERS else 'no'}"
            for t, following in pairwise(words)
            if t in FUNCTION_WORDS and t not in DETERMINERS
        ]
        found += [f"{blank}|room"] if is_room_word(w.slots[blank]) else []
    if len(w.places) == 2:
        (first, i), (second, j) = sorted(w.places.items(), key=lambda item: item[1])
        found += [f"{first} {second}", *(f"{first} {t} {second}" for t in w.tokens[i + 1 : j])]
    left = sum(not (blanks & set(range(p.start, p.end))) for p in noun_phrases(w.tokens))
    return [*found, f"left {min(left, 3)}", f"{w.kind} left {min(left, 3)}"]


def _cuts(w: Wording, blank: str, i: int) -> bool:
    """Whether a word that could belong to the name stands right after it, or before it without an article."""
    after, before = w.tokens[i + 1 : i + 2], w.tokens[max(i - 1, 0) : i]
    return any(t[0].isalnum() and t not in FUNCTION_WORDS and t not in _VERBS for t in after) or (
        not w.named[blank] and any(t[0].isalnum() and t not in FUNCTION_WORDS and t not in _VERBS for t in before)
    )


def command_wordings(tokens: Sequence[str], refers: bool = False) -> list[Wording]:
    """Ways to read an instruction: about one thing, or a thing and a place, or something that is told by its use and a place.

    Args:
        refers: "it" can be a thing that was named before.
    """
    found: dict[tuple[tuple[str, tuple[int, int]], ...], Wording] = {}

    def add(**spans: tuple[int, int]) -> None:
        found.setdefault(tuple(sorted(spans.items())), masked(tokens, spans))

    pronouns = [(i, i + 1) for i, t in enumerate(tokens) if t in _PRONOUNS] if refers else []
    for simple in (noun_phrases(tokens), noun_phrases(tokens, bare=True)):
        whole = join_places(tokens, simple)
        spans = [(p.start, p.end) for p in whole]
        for span in (*spans, *_resized(tokens, whole)):
            add(thing=span)
        for place in spans:
            for thing in (*spans, *pronouns):
                if thing[1] <= place[0] or place[1] <= thing[0]:
                    add(thing=thing, place=place)
        for thing, place in _parted(simple, whole):
            add(thing=thing, place=place)
    for pronoun in pronouns:
        add(thing=pronoun)
    for something, place in _unnamed(tokens):
        add(something=something, place=place)
    return list(found.values())


def _parted(
    simple: Sequence[NounPhrase], whole: Sequence[NounPhrase]
) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Things and places of names that could be one: "the mug on the counter in the kitchen on the desk in the study" is parted before the desk."""
    for phrase in whole:
        inner = [p for p in simple if phrase.start <= p.start < phrase.end]
        cut = next((i for i in range(len(inner) - 1, 0, -1) if not inner[i].is_room), None)
        if cut is not None:
            yield (phrase.start, inner[cut - 1].end), (inner[cut].start, phrase.end)


#: So many words at most are taken from the end of a name: "the mug on your own".
_CUT = 3


def _resized(tokens: Sequence[str], whole: Sequence[NounPhrase]) -> Iterator[tuple[int, int]]:
    """Names without a word that may be none of theirs, or with one: "the mug lives", "a clean desk", "open washing machine"."""
    for p in whole:
        if p.start and p.before.endswith("ing") and p.before in _VERBS and tokens[p.start] not in DETERMINERS:
            yield p.start - 1, p.end
        first = next((i for i in range(p.start, p.end) if tokens[i] not in DETERMINERS), p.end)
        for end in range(max(first + 1, p.end - _CUT), p.end):
            yield p.start, end
        if p.end - first > 1 and tokens[first] in _VERBS:
            yield first + 1, p.end


def _unnamed(tokens: Sequence[str]) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Spans of "something to put out a fire with" and of places."""
    for start in (i for i, t in enumerate(tokens) if t in _UNNAMED):
        # It goes on as long as no clause ends; where, the examples tell.
        stop = next((i for i in range(start, len(tokens)) if tokens[i] in (",", ".", ";", ":", "?", "!")), len(tokens))
        ends = {stop} | {i for i in range(start + 3, stop) if tokens[i] in FUNCTION_WORDS or tokens[i] in _VERBS}
        for end in sorted(ends):
            rest = [*tokens[:start], *[","] * (end - start), *tokens[end:]]
            for bare in (False, True):
                for p in join_places(rest, noun_phrases(rest, bare)):
                    yield (start, end), (p.start, p.end)


#: After these somebody does something: "to boil water", "can I boil water".
_DOERS = frozenset(
    "to i we you one they people somebody someone anybody who folks residents can could may might must should would will gotta me him her us : , lets when while for wanna usually normally person guest visitor gonna".split()
)
#: "Where can I keep a mug" asks for no room to do it in.
_KEEPING = frozenset("keep store put leave get find place buy set".split())
#: A purpose can end before these.
_AFTER = frozenset(
    "with here in at on around and but what which where how is are does do have so inside without by it".split()
)


def question_wordings(tokens: Sequence[str], refers: bool = False) -> list[Wording]:
    """Ways to read a question: about a thing, about things in a room, or about something that is to be done."""
    found: dict[tuple[tuple[str, tuple[int, int]], ...], Wording] = {}

    def add(**spans: tuple[int, int]) -> None:
        found.setdefault(tuple(sorted(spans.items())), masked(tokens, spans))

    for simple in (noun_phrases(tokens), noun_phrases(tokens, bare=True)):
        whole = join_places(tokens, simple)
        for span in (*((p.start, p.end) for p in whole), *_resized(tokens, whole)):
            add(thing=span)
        rooms = [(p.start, p.end) for p in simple if p.is_room]
        for p in simple:
            for room in rooms:
                if p.end <= room[0] or room[1] <= p.start:
                    add(things=(p.start, p.end), room=room)
                    if p.end - p.start > 1 and tokens[p.start] not in DETERMINERS:
                        add(things=(p.start, p.end - 1), room=room)
    for start, end in _purposes(tokens):
        add(purpose=(start, end))
    return list(found.values())


#: A request without any of these has one case. Those that have some are many: the examples decide.
_MAY_BE_CONDITIONAL = re.compile(
    r"\b(?:if|when|whenever|unless|except|save|should (?!be\b|go\b|visit\b|drive\b|find\b)|case|cases|event|provided|providing|assuming|assume|suppose|supposing|supposed|say|given|depend\w*|whether|either|"
    r"check|had you|had there|otherwise|or|instead|failing|fallback|alternative\w*|lacking|absent|without|"
    r"(?<!thing )(?<!what )(?<!whatever )(?<!things )(?<!where )(?<!anything )(?<!something )else|being (?:none|no|nothing)|nothing there|condition|no such|(?:more|fewer|less|higher|greater|larger) than|at least|at most|exceed\w*|more \w+ than|(?:over|than|above) \w+ (?:things|objects|items|deliveries))\b|\b(?:no|not|nothing|any|true|false) [?:]|(?:^|[.;:,?!] )(?:did|have|were|was|has) (?:you|there|any\w*|the|your|some\w*|it|at)\b"
)


def may_be_conditional(q: str) -> bool:
    """Whether a text, as `loci.planning.language.phrases.plain` makes it, has a word that two cases need."""
    return _MAY_BE_CONDITIONAL.search(q) is not None


def condition_wordings(tokens: Sequence[str], refers: bool = False) -> list[Wording]:
    """Ways to read a request with two cases: a thing or a room that the condition is about and where to go otherwise, or a number."""
    if not may_be_conditional(" ".join(tokens)):
        return []
    found: dict[tuple[tuple[str, tuple[int, int]], ...], Wording] = {}

    def add(**spans: tuple[int, int]) -> None:
        found.setdefault(tuple(sorted(spans.items())), masked(tokens, spans))

    for simple in (noun_phrases(tokens), noun_phrases(tokens, bare=True)):
        whole = join_places(tokens, simple)
        spans = [(p.start, p.end) for p in whole]
        for condition, blank in (
            *((s, "thing") for s in spans),
            *((s, "room") for p in simple for s in _rooms(tokens, p)),
        ):
            for other in spans:
                if condition[1] <= other[0] or other[1] <= condition[0]:
                    add(**{blank: condition, "place": other})
    for i, t in enumerate(tokens):
        if t.isdigit() or (t in NUMBER_OF and t != "no" and (t != "one" or tokens[i - 1 : i] == ["than"])):
            add(number=(i, i + 1))
    return list(found.values())


def _rooms(tokens: Sequence[str], p: NounPhrase) -> Iterator[tuple[int, int]]:
    """The room that a name begins with: "the living room earlier today"."""
    for end in range(p.end, p.start, -1):
        name = " ".join(t for t in tokens[p.start : end] if t not in DETERMINERS)
        if is_room_word(name):
            yield p.start, end
            return


def _purposes(tokens: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Spans of what could be something to do."""
    for start in range(1, len(tokens)):
        if tokens[start - 1] not in _DOERS or not tokens[start].isalpha() or tokens[start] in DETERMINERS:
            continue
        if tokens[start] in _KEEPING and tokens[start + 1 : start + 2] and tokens[start + 1] in DETERMINERS:
            continue
        stop = next((i for i in range(start, len(tokens)) if tokens[i] in (",", ".", ";", ":", "?", "!")), len(tokens))
        yield start, stop
        for end in range(start + 1, stop):
            if tokens[end] in _AFTER:
                yield start, end
