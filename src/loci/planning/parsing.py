"""From an English question to a frozen `Question`: what kind it is, about which words, in which room.

Rules know the usual wordings, examples the others (`loci.planning.language.reading`); the rest becomes kind "open" and is answered by likeness alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast

from loci.planning.language.reading import question_reader, trimmed
from loci.planning.language.vocabulary import MODALS, PRONOUNS, QUESTION_WORDS, SAYING_FORMS
from loci.planning.names import ARTICLE, COLORS, ROOM, is_room_word
from loci.time_words import FIRST as _FIRST
from loci.time_words import LAST as _LAST
from loci.time_words import SEE as _SEE
from loci.time_words import asks_what_changed, read_time_words
from loci.words import canonical, normalise

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder

QuestionKind = Literal[
    "where", "relation", "rooms_with", "rooms", "recent", "seen", "exists", "count", "color", "when", "before", "changes", "contents", "state", "use_for", "room_for", "open"
]  # fmt: skip
Relation = Literal["on", "in", "under", "above", "near"]

MAX_QUESTION_LENGTH = 1000

_IN_ROOM = re.compile(rf"\b(?:in|inside|within|of|from|at|on) {ARTICLE}(?P<room>{ROOM})$")
_POLITE = re.compile(
    r"^(?:(?:please|hey|hi|hello|ok|okay|so|robot|and|now)\b,? ?|(?:can|could|would|will) you (?:please )?(?:tell me|say|show me)\b,? ?|"
    r"(?:tell me|do you (?:know|remember)|i (?:want|would like) to know)\b,? (?=where|what|which|how|when|if|whether)|(?:if|whether) )"
)
_SIDES = "to the left of|to the right of|left of|right of|in front of|behind|between|opposite"
_RELATIONS: tuple[tuple[str, Relation], ...] = (
    ("on top of|lying on|standing on|sitting on|kept on|placed on|hanging on|upon|on", "on"),
    ("inside of|inside|within|in", "in"),
    ("underneath|under|below|beneath", "under"),
    ("hanging over|above|over", "above"),
    (f"next to|close to|nearest to|near to|near|beside|besides|around|by|adjacent to|{_SIDES}", "near"),
)
_ARTICLES = frozenset("the a an my your our this that".split())
#: Kinds of question about one thing, which may be told by what it lies next to.
_ONE_THING = frozenset({"where", "seen", "exists", "count", "color", "when", "before", "state"})
#: Words that are part of no name: a rule that took them for one did not understand.
_SUSPECT = (
    PRONOUNS
    | MODALS
    | QUESTION_WORDS
    | {"to", "and", "so", "if", "color", "colour", "did", "use", "open", "closed", "shut", "opened"}
) | frozenset(
    "support supports standing lying painted coloured colored holding contain contains exist have sit sits kept seen somewhere anywhere current".split()
)
_STANDS = re.compile(r"\b(?<!tv )(?<!umbrella )(?<!coat )(?<!plant )(?<!night )(?<!music )(?<!shoe )stands?$")
_BE = r"(?:is|are|was|were|lies|lie|stands|stand|sits|sit|does|do)"


#: "Where was the mug before", "where was it before it was moved", "where did it come from".
_BEFORE = re.compile(
    r"where (?:was|were|had|has|have|did you see) (?P<thing>.+?)(?: been)? (?:before|previously|earlier|originally)(?: (?:that|then|(?:it|they|somebody|someone|i|we|you) .+))?|"
    r"where (?:did|does|do|has|have|was|were) (?P<came>.+?) (?:come|came|moved|taken|been moved|been taken) from|"
    r"where did (?P<used>.+?) use(?:d)? to (?:be|lie|stand|sit)"
)


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        kind: "where" is X; "relation": what is on (in, under, above, near) X; "rooms_with": which rooms have X; "rooms": which rooms are there;
            "recent": what was seen last or first (``order``); "seen": have you seen X; "exists": is there X (in ``room``); "count": how many X;
            "color" of X; "when" was X seen; where was X "before"; "changes": what changed, is new, gone or was moved (in ``room``); "contents": what is in ``room``; "state" of X (open, on, clean ...); "use_for": what serves the purpose ``words``;
            "room_for": which room is for the activity ``words``; "open": anything else.
        words: the thing asked about, normalised and without colour; empty where none is named.
        room: name or id of a room, normalised; empty: anywhere.
        color: colour word that the thing must have; empty: any.
        relation: for kind "relation".
        relation_words: how the relation was worded ("behind" is answered as near, and the answer says so).
        order: "last" or "first", for "recent" and "when".
        anchor: the thing that it must lie on, in, under, above or near ("the mug next to the kettle"), normalised and without colour;
            empty: anywhere. For questions about one thing.
        anchor_color: colour word that the anchor must have; empty: any.
        anchor_relation, anchor_words: how it must lie to it, and how that was worded.
        text: the question as it was asked.
    """

    kind: QuestionKind
    words: str = ""
    room: str = ""
    color: str = ""
    relation: Relation | None = None
    relation_words: str = ""
    order: Literal["last", "first"] = "last"
    anchor: str = ""
    anchor_color: str = ""
    anchor_relation: Relation | None = None
    anchor_words: str = ""
    text: str = ""


def parse(text: str, encoder: TextEncoder | None = None) -> Question:
    """Understand an English question: by rules, then by example sentences.

    Args:
        encoder: likens it to the examples by meaning; None: by words alone.

    Raises:
        ValueError: it holds no word, or more than `MAX_QUESTION_LENGTH` characters.
    """
    if len(text) > MAX_QUESTION_LENGTH:
        raise ValueError(f"expected a question of at most {MAX_QUESTION_LENGTH} characters, got {len(text)}")
    plain = _plain(text)
    if not plain:
        raise ValueError(f"expected a question with at least one word, got {text!r}")
    if asks_what_changed(text):
        return Question("changes", room=_split_room(_plain(read_time_words(text).rest))[1], text=text)
    body, room = _split_room(plain)
    for candidate, where in ((body, room), (plain, "")) if room else ((plain, ""),):
        question = _match(candidate, where, text)
        if question is not None and not _is_doubtful(question, plain):
            return question
    (reading,) = question_reader(encoder).read([trimmed(text)], [False])
    if reading is not None:
        kind, slots = cast("QuestionKind", reading.meaning), reading.slots
        if kind in ("use_for", "room_for"):
            return Question(kind, slots["purpose"], text=text)
        more = {"relation": "on", "relation_words": "on"} if kind == "relation" else {}
        where = _room(slots["room"]) if "room" in slots else ""
        return _question(kind, slots.get("thing", slots.get("things", "")), where, text, **more)
    return Question("open", words=normalise(body), room=room, text=text)


def _is_doubtful(question: Question, plain: str) -> bool:
    """Whether a rule took words for names that are none, or left out the room."""
    names = re.sub(r"(?<=\w )can\b(?! (?:i|you|we|one|be)\b)", "", f"{question.words} {question.anchor}").strip()
    if question.kind == "color" and {*names.split()[-1:]} & COLORS:
        return True  # "is the mug white or what color is it"
    if _SUSPECT.intersection(names.split()) or _STANDS.search(names) or {*names.split()[-1:]} & SAYING_FORMS:
        return True
    return (
        question.kind == "count" and not question.room and re.search(rf"\b(?:the|our|my) {ROOM}\b", plain) is not None
    )


def _plain(text: str) -> str:
    """Lower case, single blanks, no punctuation, no politeness; "what's" becomes "what is"."""
    plain = re.sub(r"\b(what|where|which|who|how|that|there|it)['\u2019]s\b", r"\1 is", text.lower())
    plain = re.sub(r"\bi['\u2019]m\b", "i am", plain)
    plain = re.sub(r"(?<=\w)['\u2019]s\b", "", plain)
    plain = re.sub(r"[^a-z0-9/ ]+", " ", plain)
    plain = re.sub(r"\bfrontdoor\b", "front door", re.sub(r"\s+", " ", plain)).strip()
    while (shorter := _POLITE.sub("", plain)) != plain and shorter:
        plain = shorter
    plain = re.sub(r"^(where|what colou?r|what) (the .+) (is|are)$", r"\1 \3 \2", plain)  # "tell me where the mug is"
    plain = re.sub(r"\b(which|what) (?:one )?of (?:the|our|your|these|those) (\w+?)s\b", r"\1 \2", plain)
    return re.sub(
        r"(?: (?:please|right now|now|so far|until now|again|for me|at the moment|at present|currently|honey|dear|love))+$",
        "",
        plain,
    )


def _split_room(plain: str) -> tuple[str, str]:
    """The question without "... in the kitchen" at its end, and "kitchen"; the room is empty if none is named there."""
    found = _IN_ROOM.search(plain)
    if found is None:
        return plain, ""
    body = plain[: found.start()].strip()
    return (body, _room(found["room"])) if body else (plain, "")


def _split_anchor(words: str) -> tuple[str, Relation, str, str] | None:
    """ "the mug next to the kettle" as ("the mug", "near", "next to", "kettle"); None if no thing is named beside it.

    The article tells a place ("on the table") from a name ("chest of drawers", "man in black").
    """
    best: tuple[str, Relation, str, str] | None = None
    for pattern, relation in _RELATIONS:
        m = re.fullmatch(
            rf"(?P<thing>.+?)(?: (?:that|which) {_BE})?(?: (?:standing|lying|sitting|placed))? (?P<how>{pattern}) (?:the|a|an|my|your|our|this|that) (?P<anchor>.+)",
            words,
        )
        # The first place named is that of the thing: "the mug on the shelf next to the door".
        if m and m["thing"] not in _ARTICLES and (best is None or len(m["thing"]) < len(best[0])):
            best = m["thing"], relation, m["how"], m["anchor"]
    return best


def _room(words: str) -> str:
    return words.replace("room ", "room/") if re.fullmatch(r"room \d+", words) else canonical(words)


def _thing(words: str) -> tuple[str, str]:
    """Normalised words without a colour, and the colour."""
    tokens = normalise(words).split()
    colors = [t for t in tokens[:-1] if t in COLORS]
    return " ".join(t for t in tokens if t not in colors), (
        "grey" if colors[0] == "gray" else colors[0]
    ) if colors else ""


def _question(kind: QuestionKind, words: str, room: str, text: str, **more: object) -> Question:
    """A question about a thing with its colour, its room and what it lies next to told by ``words``."""
    # "Which rooms have a chair in ..." never ends so, but "the mug in the kitchen that ..." may.
    inner, inner_room = _split_room(words)
    if kind == "rooms_with" and _split_anchor(inner) is not None:
        kind = "where"  # which room has the book on the table: where that one is
    anchored = _split_anchor(inner) if kind in _ONE_THING else None
    if anchored is not None:
        inner, relation, how, anchor = anchored
        name, anchor_color = _thing(anchor)
        more |= {"anchor": name, "anchor_color": anchor_color, "anchor_relation": relation, "anchor_words": how}
    thing, color = _thing(inner)
    return Question(kind, words=thing, color=color, room=room or inner_room, text=text, **more)  # type: ignore[arg-type]


def _match(q: str, room: str, text: str) -> Question | None:
    """The first rule that fits ``q``, a plain question without its room; None if none does."""

    def made(kind: QuestionKind, words: str = "", **more: object) -> Question:
        return _question(kind, words, room, text, **more)

    m = re.fullmatch(
        r"(?:how many|what is the number of|count) (?:(?:of|all|the|different|all of|of the) )*(.+?)(?: altogether| in total)?(?: (?:are|is|was|were|do|did|have|stand|stands|lie|sit|exist|live|belong|can (?=i|you|we|one|be)|does|in).*)?",
        q,
    )
    if m:
        tail = re.fullmatch(rf"(?:{_BE})(?: there)? (.+)", q[m.end(1) :].strip())
        placed = f"{m[1]} {tail[1]}" if tail else ""  # "how many mugs are there on the shelf"
        return made("count", placed if placed and _split_anchor(placed) else m[1])
    m = re.fullmatch(
        rf"(?:what|which) (?:kind of )?colou?rs? (?:{_BE}|has|have) (.+?)(?: have| in)?", q
    ) or re.fullmatch(r"what (?:is|are) the colou?rs? of (.+)", q)
    if m:
        return made("color", m[1])
    if re.fullmatch(
        rf"(?:what|which|list|name)(?: all)?(?: the)? rooms?(?: (?:are there|exist|do you know|have you {_SEE}|did you {_SEE}|are in .*))?",
        q,
    ):
        return made("rooms")
    m = (
        re.fullmatch(
            r"(?:in )?(?:what|which) rooms? (?:has|have|had|contains?|with|holds?|(?:do|does) have|includes?) (?:got )?(.+?)(?: in (?:it|them))?",
            q,
        )
        or re.fullmatch(
            rf"in (?:what|which) rooms? (?:{_BE}|can (?:i|we|you) {_SEE}|did you {_SEE}|have you {_SEE})(?: there)? (.+)",
            q,
        )
        or re.fullmatch(r"(?:what|which) rooms? (?:is|are|was|were) (.+?) in", q)
        or re.fullmatch(r"rooms? with (.+)", q)
    )
    if m:
        return made("rooms_with", m[1])
    order = _recent_order(q)
    if order is not None:
        return made("recent", order=order)
    m = (
        re.fullmatch(rf"(?:when|at what time|what time|how long ago) (?:did|have|had) you (?:(last|first|{_LAST}|{_FIRST}) )?{_SEE} (.+?)(?: (last|first))?(?: time)?", q)
        or re.fullmatch(rf"(?:when|at what time|how long ago) (?:is|was|were|has|have) (.+?)(?: been)? (last|first)? ?{_SEE}(?: (last|first))?()", q)
    )  # fmt: skip
    if m:
        first = any(group in ("first", "earliest", "initially") for group in m.groups())
        words = m[2] if m.re.groups == 3 else m[1]
        return made("when", words, order="first" if first else "last")
    m = re.fullmatch(rf"(?:have|did|do|had) you (?:ever |already |also )?{_SEE} (.+)", q) or re.fullmatch(
        r"(?:do|did) you know (.+)", q
    )
    if m:
        return _thing_question("seen", m[1], made)
    m = re.fullmatch(rf"(?:do|does|did) {ARTICLE}({ROOM}) (?:have|has|contain) (.+)", q)
    if m:
        return replace(_thing_question("exists", m[2], made), room=_room(m[1]))
    m = re.fullmatch(r"(?:is|are|was|were) there (.+)", q) or re.fullmatch(
        r"(?:do|does|did) .*?(?:have|has|own) (.+)", q
    )
    if m:
        return _thing_question("exists", m[1], made)
    related = _relation(q, room, made)
    if related is not None:
        return related
    if _contents(q, room):
        return made("contents")
    m = _BEFORE.fullmatch(q)
    if m:
        return made("before", m["thing"] or m["came"] or m["used"])
    m = re.fullmatch(rf"where (?:{_BE}|can (?:i|we|you) {_SEE}|could (?:i|we) {_SEE}|did you (?:last )?{_SEE}|have you {_SEE}|has|have) (.+?)(?: (?:been|located|kept|at|standing|lying|placed|now))*", q) or re.fullmatch(
        r"(?:find|locate|show me|go to|bring me to|bring me|fetch|search for|look for|point to|point me to|point me towards|position of|location of) (.+)", q
    )  # fmt: skip
    if m and not re.match(r"(?:i|we|you)\b", m[1]):
        return made("where", m[1])
    m = re.fullmatch(
        r"(?:is|are) (.+?) (?:(?:completely|fully|still|turned|switched|currently|really|properly|actually|wide|also|already|now|left|standing) )*"
        r"(on|off|open|opened|closed|shut|clean|dirty|empty|full|lit|locked|unlocked|made|wet|dry)(?: or .*)?",
        q,
    )
    if m:
        return made("state", m[1])
    m = re.fullmatch(rf"(?:is|are) (.+?) {ARTICLE}here", q) or (
        re.fullmatch(r"(?:is|are) (the .+)", q) if room else None
    )
    return made("exists", m[1]) if m else None


def _thing_question(kind: QuestionKind, words: str, made: Callable[..., Question]) -> Question:
    """ "Is there anything on the table" asks for what is on it; "is there a mug on the table" asks for the mug."""
    m = re.fullmatch(r"(?:anything|something|things|objects?|stuff) (.+)", words)
    if m:
        for pattern, relation in _RELATIONS:
            n = re.fullmatch(rf"(?P<how>{pattern}) (?P<thing>.+)", m[1])
            if n:
                return made("relation", n["thing"], relation=relation, relation_words=n["how"])
    return made(kind, words)


def _recent_order(q: str) -> Literal["last", "first"] | None:
    """Whether "what did you see last", "what was the first thing you saw" and the like; and which of both."""
    for order, pattern in (("last", _LAST), ("first", _FIRST)):
        if (
            re.fullmatch(rf"what(?: (?:things?|objects?|items?))? (?:did|have|do|had) you {_SEE} (?:the )?{pattern}(?: of all)?", q)
            or re.fullmatch(rf"what(?: (?:things?|objects?|items?))? (?:did|have|do|had) you (?:the )?{pattern} {_SEE}", q)
            or re.fullmatch(rf"(?:what|which) (?:is|was|were|are) the (?:very )?{pattern} (?:thing|things|object|objects|item)(?: that)?(?: you)?(?: have)?(?: {_SEE})?", q)
            or re.fullmatch(rf"what (?:is|was|were) (?:the )?(?:{pattern} {_SEE}|{_SEE} {pattern})", q)
        ):  # fmt: skip
            return "last" if order == "last" else "first"
    return None


def _relation(q: str, room: str, made: Callable[..., Question]) -> Question | None:
    """ "What is on the table", "what can be seen behind the sofa"."""
    lead = rf"(?:what|which|who)(?: (?:things?|objects?|items?|else))? (?:{_BE}|can (?:be|you|i|we))(?: (?:there|placed|kept|lying|standing|sitting|hanging|located|seen|see|shown|put|stored))?"
    for pattern, relation in _RELATIONS:
        m = re.fullmatch(rf"{lead} (?P<how>{pattern}) (?P<thing>.+)", q)
        if m and not (relation in ("in", "on") and is_room_word(m["thing"])):
            return made("relation", m["thing"], relation=relation, relation_words=m["how"])
    return None


def _contents(q: str, room: str) -> bool:
    """ "What is (there) in the kitchen", "what have you seen", "list the objects"."""
    things = r"(?:things?|objects?|items?|furniture|stuff|kinds? of (?:things?|objects?))"
    return (
        re.fullmatch(rf"(?:what|which)(?: {things})? (?:is|are|was|were|do you know|can (?:i|you|we) {_SEE}|have you {_SEE}|did you {_SEE}|do you {_SEE})(?: (?:there|located|kept))?(?: to see)?", q)
        is not None
        and (bool(room) or not re.fullmatch(r"(?:what|which) (?:is|are|was|were)", q))
    ) or re.fullmatch(rf"(?:list|name|show|show me|describe)(?: all)?(?: the)?(?: {things})?(?: (?:you know|you have seen|there are))?", q) is not None  # fmt: skip
