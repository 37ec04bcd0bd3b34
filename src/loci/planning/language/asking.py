"""What a question asks, by cues, where no rule of `loci.planning.parsing` knows its wording: its kind, the thing, the room or the purpose.

Cue words decide ("colour", "how many", "shut"); where they are silent, the example sentence nearest in meaning does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from loci.planning.language.examples import nearest_intent
from loci.planning.language.phrases import NounPhrase, join_places, noun_phrases, plain
from loci.planning.language.vocabulary import DETERMINERS, FUNCTION_WORDS, NO_THINGS, forms_of
from loci.planning.names import COLORS

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder

AskedKind = Literal["where", "relation", "color", "count", "state", "use_for", "room_for"]

_COLOR = frozenset("color colour colors colours colored coloured hue shade tint tone".split())
_COUNT = re.compile(r"\b(?:how many|(?:number|count|amount|quantity|total|tally|sum) of|how much)\b|\bcount\b")
_STATE = frozenset("open opened closed shut ajar close unlocked locked".split())
_PLACE_CUES = frozenset("anywhere somewhere where room rooms whereabouts place part location".split())
#: Verbs that ask for a thing and are no purpose; "be" and the like carry nothing.
_ASKING = forms_of("find look see search locate keep go put leave need know want suggest have expect spot pick use get be tell show hide lose ask check say wonder recommend help let serve offer give choose propose advise head end hold carry come remember imagine mean like happen exist remind recall forget worry recollect pass list try realise realize open close shut lock notice spot observe discover detect enter seem visit access reach recommend count choose grab hand guess assume") | frozenset("take taken grab useful right good".split())  # fmt: skip
_SUBJECTS = frozenset(
    "person somebody guest visitor human family i one we you people they me us somebody someone to folks residents anyone guests".split()
)
_ALL_OF_IT = frozenset("everything anything something all nothing".split())
#: A purpose asks nothing: "remind me where the mug is" tells none.
_ASKED_INSIDE = frozenset("where what which whether whereabouts".split())
_MODALS = frozenset("can could may might would should will must".split())
_RELATING = re.compile(
    r"\b(?:on top of|on|upon|atop|onto|from|off)(?= (?:the|a|an|my|our|your|this|that) )|\bon top\b|\b(?:hold|holds|holding|carry|carries|carrying|bear|bears|bearing|covered|occupies|supports?)\b"
)
_KEEPING = re.compile(
    r"\bwhere (?:(?:can|could|may|might|should|shall|would) (?:i|we|you|one) (?:keep|store)|(?:can|could|may|might|should|shall|do|would) (?:i|we|you|one) (?:put|leave|get))\b"
)
_SOMETHING_TO = re.compile(r"\b(?:something|anything|an? (?:thing|object|item|tool)) (?:to|with which|that|for)\b")
_OPEN_WORD = re.compile(r"\b(?:what|which|anything|something|object|objects|things?|items?|stuff|name|list)\b")


@dataclass(frozen=True)
class Asked:
    """What is asked: its kind, the words of the thing with its places (or the purpose), and the name of a room."""

    kind: AskedKind
    words: str
    room: str = ""


def understand_question(text: str, encoder: TextEncoder | None = None) -> Asked | None:
    """What a question asks; None: no cue and no example tells.

    Args:
        encoder: for questions without cues; None: those are not understood.
    """
    tokens = plain(text).split()
    simple = noun_phrases(tokens)
    phrases = join_places(tokens, simple)
    inside = {i for p in simple for i in range(p.start, p.end)}
    outside = [t if i not in inside else "" for i, t in enumerate(tokens)]
    whole = " ".join(tokens)
    if any(t in _COLOR for t in tokens) and phrases:
        words = phrases[0].words.split()
        while len(words) > 1 and words[-1] in COLORS:
            words.pop()  # "is the mug white or what color is it"
        return Asked("color", " ".join(words))
    if _COUNT.search(whole) and (counted := _counted(tokens, simple)):
        return counted
    purpose = purpose_of(tokens)
    if any(t in _STATE for t in outside) and phrases and not purpose:
        return Asked("state", phrases[0].words)
    if purpose:
        if _SOMETHING_TO.search(whole):
            return Asked("use_for", purpose)
        return Asked("room_for" if any(t in _PLACE_CUES for t in outside) else "use_for", purpose)
    if not phrases:
        return None
    if _KEEPING.search(whole):
        return None  # where something may be put is no question of where it is
    if any(t in ("where", "whereabouts", "location", "place", "part") for t in outside):
        return Asked("where", phrases[0].words)
    if _RELATING.search(whole) and _OPEN_WORD.search(" ".join(outside)) and "room" not in outside:
        return Asked("relation", phrases[0].words)
    if any(t in ("room", "rooms") for t in outside):
        return Asked("where", phrases[0].words)
    meant = nearest_intent(_masked(tokens, phrases), "question", encoder)
    if meant in (None, "other", "use_for", "room_for", "count"):
        return None
    return Asked(meant, phrases[0].words)  # type: ignore[arg-type]


def purpose_of(tokens: Sequence[str]) -> str:
    """What somebody wants to do: "boil water" of "what can I use to boil water"; empty: nothing is told."""
    for i, word in enumerate(tokens):
        before = tokens[i - 1] if i else ""
        following = tokens[i + 1] if i + 1 < len(tokens) else ""
        if before in _SUBJECTS - {"to"} and i > 1 and tokens[i - 2] in ("has", "have", "had", "did"):
            continue  # "what has somebody put on the table"
        if before == "to" and word == "have" and following.endswith("ed"):
            continue
        asks = before in _MODALS and i > 1 and tokens[i - 2] in _SUBJECTS
        if (
            before not in _SUBJECTS
            and not asks
            and not (before in ("for", "when", "while") and word.endswith("ing") and len(word) > 4)
        ):
            continue
        if word in (
            "do",
            "take",
            "have",
            "put",
            "pass",
            "set",
            "check",
            "drive",
            "clean",
            "tell",
            "get",
            "keep",
            "see",
            "hang",
            "look",
            "place",
            "rest",
        ) and (
            following in DETERMINERS | {"out", "up", "off", "down", "in"}
            or (following.isalpha() and following not in FUNCTION_WORDS)
        ):
            if (
                (
                    before == "you"
                    and tokens[-1] != "with"
                    and tokens[-2:] != ["with", "?"]
                    and (not _PLACE_CUES & set(tokens) or "did" in tokens)
                )
                or (word == "tell" and following == "me")
                or _seeks(tokens, i)
            ):
                continue
        elif (word.endswith("ed") and word not in ("feed", "need", "weed")) or word in _ALL_OF_IT:
            continue  # what somebody did is nothing to do: "when you passed the mug"
        elif word in FUNCTION_WORDS or word in _ASKING or not word.isalpha():
            continue
        purpose = _until_end(tokens, i)
        if not _ASKED_INSIDE.intersection(purpose.split()):
            return purpose
    return ""  # fmt: skip


def _seeks(tokens: Sequence[str], i: int) -> bool:
    """Whether "keep the mug", "see the mug" asks for the mug and is nothing to do with something else."""
    return tokens[i] in ("keep", "see", "get", "put", "have", "look", "place", "hang", "rest", "set") and tokens[
        i + 1
    ] not in ("out", "up", "off", "down", "in")


def _until_end(tokens: Sequence[str], i: int) -> str:
    """Words from ``i`` to the end of the sentence, without what carries nothing there."""
    end = next((j for j in range(i, len(tokens)) if tokens[j] in (",", ".", "?", "!", ";", ":")), len(tokens))
    words = list(tokens[i:end])
    while len(words) > 1 and (words[-1] in FUNCTION_WORDS | {"home", "house", "flat", "place"}) and words[-1] != "tv":
        words.pop()
    return " ".join(words)


def _counted(tokens: Sequence[str], simple: Sequence[NounPhrase]) -> Asked | None:
    """The things that are counted, and the room."""
    room = next((p.words for p in simple if p.is_room), "")
    for i, word in enumerate(tokens[:-1]):
        if (word == "many" or (word == "of" and i and tokens[i - 1] in NO_THINGS) or word == "count") and tokens[
            i + 1
        ] not in FUNCTION_WORDS:
            named = noun_phrases(["the", *tokens[i + 1 :]])
            if named:
                return Asked("count", named[0].words, room)
    thing = next((p.words for p in simple if not p.is_room), "")
    return Asked("count", thing, room) if thing else None


def _masked(tokens: Sequence[str], phrases: Sequence[NounPhrase]) -> str:
    masked: list[str] = []
    at = 0
    for p in phrases:
        masked += [*tokens[at : p.start], "the", "room" if p.is_room else "thing"]
        at = p.end
    return " ".join([*masked, *tokens[at:]])
