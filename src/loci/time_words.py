"""Words of order, time, deed and state in an English question: "the last time", "before you opened the fridge", "between 10 and 11", "how often".

Rules, not a model, and pure: what stands in the words is told, what it means in a memory is for `loci.understanding` to find out. Words
that leave a doubt are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from loci.episodic.habits import PARTS_OF_DAY
from loci.scene.attribute_votes import STATE_GROUP, SYNONYMS

#: Verbs of seeing, words for the newest and the oldest: alternatives of a regular expression.
SEE = r"(?:see|seen|saw|notice|noticed|observe|observed|find|found|spot|spotted|remember|look at|looked at|come across|came across|encounter|encountered)"
LAST = r"(?:last|latest|most recently|most recent|recently|newest)"
FIRST = r"(?:first|earliest|at first|at the beginning|at the start|initially|oldest)"

_SIGHT = rf"(?:{SEE}|in view|in sight|sight|look|glimpse|set eyes|caught? (?:your|my) eye)"
_MOMENT = r"(?:time|moment|occasion|instance|thing|event)"
#: "Open" and "close" are deeds after one who does them: "did you last open", "somebody closes", "to open".
_DOER = r"(?:you|i|we|they|he|she|it|somebody|someone|anybody|anyone|who|people|to|robot)(?: (?:last|first|ever|initially|just|also))?"
#: Deeds and what becomes of things: how they are worded, and the states that records of them have.
_DEEDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"(?:switch|switched|turn|turned)(?: [a-z]+){0,4} on\b|lit up", ("on",)),
    (r"(?:switch|switched|turn|turned)(?: [a-z]+){0,4} off\b|put out", ("off",)),
    (rf"opened|opening|{_DOER} open", ("open",)),
    (rf"closed|closing|shut|{_DOER} close", ("closed",)),
    (r"cleaned|cleaning|wash(?:ed)?|wiped", ("clean",)),
    (
        r"pick(?:ed)? up|pick(?:ed)?(?: [a-z]+){1,4} up|took(?! away)|taken(?! away)|take(?! place)|grabb?(?:ed)?",
        ("held",),
    ),
    (
        r"put|placed?|set down|set (?=the|it)|laid|lay down|left (?=the|it|my|your)|(?<=have you )left|(?<=did you )leave|brought|bring|"
        r"dropp?(?:ed)?|deposit(?:ed)?|set(?= [a-z]+ (?:on|onto|down))|carry|carried",
        ("placed",),
    ),
    (
        r"moved?|moving|(?:change|changed|changes) (?:its |their )?places?|displaced?|relocated?|shifted",
        ("moved", "placed"),
    ),
    (
        r"gone(?! to\b)|missing|vanish(?:ed)?|disappear(?:ed)?|no longer there|not there any ?more|went missing|(?:taken|took) away|lost",
        ("missing",),
    ),
)
#: Where a thing was taken is where it was put down; where it was taken from is where it was picked up.
_TAKEN_TO = re.compile(r"^(?!.*\bfrom\b).*\bwhere\b.*\b(?:take|took|taken|carry|carried)\b(?! up| away)")
#: What asks for any change, for what came, and what became of the things that it asks for.
_CHANGED = re.compile(
    r"\b(?:what|which|anything|something|everything|things?)\b(?: [a-z]+){0,3} changed\b(?! (?:the|a|my)\b)|"
    r"\b(?:has|have|had|did|does)(?: [a-z]+){1,5} chang(?:e|ed)\b(?! (?:the|a|my|its|their)\b)|"
    r"\b(?:what|which|any|all|the|list|show|recent|latest) (?:[a-z]+ )?changes\b(?! (?:its|their|the|a)\b)|"
    r"\b(?:what|anything|something|things?)(?: [a-z]+){0,2} different\b"
)
_NEW = re.compile(
    r"\b(?:what|which|anything|something)(?: [a-z]+){0,3} (?:new|added|turned up|showed up|appeared)(?= (?:in|on|at|under|near|here|there|now)\b|$)|"
    r"\bnew (?:things?|objects?|items?)\b"
)
#: The same of one kind of change: "what is missing", "which things were moved".
_WHAT_BECAME = re.compile(
    r"^(?:(?:what|which(?: [a-z]+)?) (?:all |else |things? |objects? )?(?:is|are|was|were|has|have|got|went)|(?:is|are|was|were|has|have) (?:anything|something|things))"
    r"(?: [a-z]+)?? (?:been )?(?:missing|gone|moved|vanished|disappeared|taken away|relocated|displaced)(?: (?:in|from|on|around|within) .+)?$"
)
CHANGED_STATES = ("new", "moved", "missing", "present", "held", "placed", *sorted(STATE_GROUP))
#: All states that deeds leave behind: records with one of them tell of something that was done.
DEED_STATES = ("open", "closed", "on", "off", "clean", "held", "placed")
_NOTED = re.compile(r"\b(?:say|said|says|tell you|told|mention(?:ed)?|words about|wanted you to know)\b")
_COUNT = re.compile(
    r"\b(?:how often|how many times|how frequently|(?:count|number of) (?:how often|times)|every time|each time|on how many occasions|"
    r"how many occasions|all the times)\b"
)
_STATES = "|".join(sorted({*STATE_GROUP, *SYNONYMS} & {*STATE_GROUP, "opened", "shut", "switched on", "switched off", "turned on", "turned off"}, key=len, reverse=True))  # fmt: skip

_HOURS = "one two three four five six seven eight nine ten eleven twelve".split()
_HOUR = rf"(?:[01]?\d|2[0-4]|{'|'.join(_HOURS)})"
_TIME = (
    rf"(?:noon|midday|midnight|(?:half past|quarter past|quarter to) {_HOUR}(?: ?(?:am|pm))?|"
    rf"{_HOUR}(?::[0-5]\d)?(?::[0-5]\d)? ?(?:am|pm|o clock|oclock|hours|h)?(?![\w:]))"
)
_PARTS = "morning|afternoon|evening|night"
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_NUMBER = rf"(?:\d+|an?|{'|'.join(_HOURS)}|half an|a few|couple of)"


@dataclass(frozen=True)
class TimeOfDay:
    """A time as it was said: minutes after midnight; ``is_sure``: morning or afternoon was said, or follows."""

    minutes: float
    is_sure: bool = True


@dataclass(frozen=True)
class Span:
    """A span of time as it was said.

    Attributes:
        after, before: times of day; None: no such end.
        at: the time itself: what was so then.
        day: "today" (0), "yesterday" (-1); None: not said.
        ago_s: from so long ago on [s], counted from now; None: not said.
        ago_until_s: until so long ago [s].
    """

    after: TimeOfDay | None = None
    before: TimeOfDay | None = None
    at: TimeOfDay | None = None
    day: int | None = None
    ago_s: float | None = None
    ago_until_s: float | None = None


@dataclass(frozen=True)
class Anchor:
    """Something that happened, before or after which it was: a clause in plain words."""

    relation: Literal["before", "after"]
    clause: str


@dataclass(frozen=True)
class TimeWords:
    """What a question says about order, time, deeds and states.

    Attributes:
        rest: the question without the clauses about time: plain lower-case words.
        order: "newest" for the last time, "oldest" for the first; None: not said.
        span: when; None: not said.
        anchor: before or after what; None: not said.
        states: records of something done, or of what became of a thing, have one of these; empty: no deed is named.
        asks: "deeds": what was done; "state": how a thing is, in one of ``states``; "sight": when or where it was seen;
            "said": what somebody told; "": anything else.
        counts: it asks how often.
    """

    rest: str
    order: Literal["newest", "oldest"] | None = None
    span: Span | None = None
    anchor: Anchor | None = None
    states: tuple[str, ...] = ()
    asks: Literal["deeds", "state", "sight", "said", ""] = ""
    counts: bool = False

    @property
    def says_something(self) -> bool:
        """Whether there is anything beyond plain words."""
        return self.order is not None or self.span is not None or self.anchor is not None or bool(self.asks)


#: What every text that says something about time, order, deeds or states has; the rest is not looked at any further.
_HINT = re.compile(
    rf"\b(?:when|since|before|after|between|until|till|ago|noon|midnight|midday|o'?clock|today|yesterday|tonight|{_PARTS}|prior|once|"
    rf"times?|often|frequently|occasions?|every|count|first|last|latest|earliest|initially|recent|recently|newest|oldest|hour|"
    rf"changed|changes?|different|new|did|do|was|were|is|are|has|have|had|{_STATES})\b|\d\d?:\d\d",
    re.IGNORECASE,
)


def read_time_words(text: str) -> TimeWords:
    """What a question says about order, time, deeds and states; nothing where it says nothing for sure."""
    if not _HINT.search(text):
        return TimeWords(_plain(text).replace(",", ""))
    plain = _plain(text)
    plain, anchor = _split_anchor(plain)
    plain, span = _split_span(plain)
    rest = re.sub(r"\s+", " ", plain.replace(",", " ")).strip()
    counts = _COUNT.search(rest) is not None
    order = None if counts else _order(rest)
    found = TimeWords(rest, order, span, anchor, counts=counts)
    if _NOTED.search(rest):
        return replace(found, asks="said")
    states = _state_asked(rest)
    if states:
        return replace(found, states=states, asks="state")
    states = deed_states(rest)
    if states and _is_question(rest):
        return replace(found, states=states, asks="deeds")
    if _CHANGED.search(rest):
        return replace(found, states=CHANGED_STATES, asks="deeds")
    if _NEW.search(rest):
        return replace(found, states=("new",), asks="deeds")
    if re.search(
        r"\bwhat\b.*\b(?:you|robot) (?:do|doing|done)\b|\bthe (?:next|last|first)? ?thing you did\b|\b(?:were|was) you doing\b",
        rest,
    ):
        return replace(found, states=DEED_STATES, asks="deeds")
    if anchor is not None and re.search(
        r"\bwhat (?:happened|followed|preceded|came|comes|was next|took place)\b|\bwhat else happened\b", rest
    ):
        return replace(found, states=DEED_STATES, asks="deeds")
    if (order is not None or counts) and re.search(rf"\b{_SIGHT}\b", rest):
        return replace(found, asks="sight")
    if (span is not None or anchor is not None) and re.search(r"\b(?:where|location|place|spot|stand)\b", rest):
        return replace(found, asks="sight")
    return found


def asks_what_changed(text: str) -> bool:
    """Whether a question is about everything that changed, is new, is gone or was moved, and names no thing that did: "what was moved since noon"."""
    words = read_time_words(text)
    if words.asks != "deeds" or words.order is not None or words.counts:
        return False
    return words.states in (CHANGED_STATES, ("new",)) or _WHAT_BECAME.search(words.rest) is not None


def deed_states(text: str) -> tuple[str, ...]:
    """States of the records of what a text says was done; of several deeds, those of the one named first."""
    if _TAKEN_TO.search(text):
        return ("placed",)
    best: tuple[int, tuple[str, ...]] | None = None
    for pattern, states in _DEEDS:
        m = re.search(rf"\b(?:{pattern})(?![\w])", text)
        if m and (best is None or m.start() < best[0]):
            best = m.start(), states
    return best[1] if best else ()


def _plain(text: str) -> str:
    """Lower case, commas and times kept, everything else that is no letter or digit a blank."""
    plain = re.sub(r"\b([ap])\.m\.?", r"\1m", text.lower().replace("\u2019", "'"))
    plain = re.sub(r"(\d)\.(\d\d)(?=\D|$)", r"\1:\2", plain)
    plain = re.sub(r"\b(what|where|when|who|it|that)'s\b", r"\1 is", plain)
    plain = re.sub(r"(?<!\d):|:(?!\d)", " ", plain)
    plain = re.sub(r"[^a-z0-9:,/ ]+", " ", plain)
    return re.sub(r"\s+", " ", plain).replace(" ,", ",").strip(" ,")


# --- clauses ----------------------------------------------------------------------------------------------------------------

_ADVERB = r"(?:(?:right|just|directly|immediately|shortly|straight|soon|long) )?"
_BEFORE = r"(?:before|prior to|ahead of|until|till)"
_AFTER = r"(?:after|once|as soon as|following|since)"
_CLAUSE = re.compile(rf"(?:^|[ ,]){_ADVERB}(?P<how>{_BEFORE}|{_AFTER}) (?P<clause>[^,]+)")
_PREPOSED = re.compile(rf"^{_ADVERB}(?P<how>{_BEFORE}|{_AFTER}) (?P<clause>[^,]+), ?(?P<main>.+)$")


def _split_anchor(plain: str) -> tuple[str, Anchor | None]:
    """The question without "before you opened the fridge", and that; times of day are no anchors."""
    for m in (_PREPOSED.match(plain), *_CLAUSE.finditer(plain)):
        if m is None:
            continue
        clause = re.sub(r"^(?:the (?:moment|time|point)(?: at which| that| when)? )", "", m["clause"].strip())
        if not re.search(r"[a-z]", clause) or re.match(
            rf"{_TIME}(?:$|[ ,])|(?:the |this |yesterday )?(?:{_PARTS})\b", clause
        ):
            continue
        if re.fullmatch(r"when|that|this|it|then|now|today|all|long", clause) or (
            not deed_states(clause) and len(clause.split()) < 2
        ):
            continue
        main = m["main"] if "main" in m.groupdict() else f"{plain[: m.start()]} {plain[m.end() :]}"
        relation: Literal["before", "after"] = "before" if re.fullmatch(_BEFORE, m["how"]) else "after"
        main = re.sub(r"\s+", " ", main).strip(" ,")
        if main:
            return main, Anchor(relation, clause)
    m = re.match(r"^(?:what|which thing) (?:directly |immediately )?(?P<how>preceded|followed)(?: directly| immediately)? (?:after |on |when )?(?P<clause>.+)$", plain)  # fmt: skip
    if m:
        clause = re.sub(r"^(?:the (?:moment|time) )?(?:when |that |at which )?", "", m["clause"])
        return "what happened", Anchor("before" if m["how"] == "preceded" else "after", clause)
    return plain, None


def _time(words: str) -> TimeOfDay:
    """Of words that match `_TIME`."""
    if words in ("noon", "midday"):
        return TimeOfDay(720.0)
    if words == "midnight":
        return TimeOfDay(1440.0)
    minutes = 0.0
    m = re.match(r"(half past|quarter past|quarter to) (.+)", words)
    if m:
        minutes, words = {"half past": 30.0, "quarter past": 15.0, "quarter to": -15.0}[m[1]], m[2]
    m = re.match(r"(\w+?)(?::(\d\d))?(?::\d\d)? ?(am|pm)?(?: ?(?:o clock|oclock|hours|h))?$", words)
    assert m is not None, words
    hour = _HOURS.index(m[1]) + 1 if m[1] in _HOURS else int(m[1])
    minutes += float(m[2] or 0)
    if m[3]:
        hour = hour % 12 + (12 if m[3] == "pm" else 0)
    return TimeOfDay(60.0 * hour + minutes, bool(m[3]) or hour > 12 or (m[2] is not None and len(m[1]) == 2))


def _count(words: str) -> float:
    return {"a": 1.0, "an": 1.0, "half an": 0.5, "a few": 3.0, "couple of": 2.0}.get(words) or (
        float(_HOURS.index(words) + 1) if words in _HOURS else float(words)
    )


def _part(name: str) -> tuple[TimeOfDay, TimeOfDay]:
    """Beginning and end of a part of the day; the night begins in the evening of the day before."""
    starts = [(hour, part) for hour, part in PARTS_OF_DAY]
    for i, (hour, part) in enumerate(starts):
        if part.endswith(name) and (name != "night" or i):
            end = starts[i + 1][0] if i + 1 < len(starts) else 24
            return TimeOfDay(60.0 * hour), TimeOfDay(60.0 * end)
    raise ValueError(f"expected a part of the day among {_PARTS}, got {name!r}")


def _yesterday(part: str | None) -> TimeOfDay:
    """When yesterday, or a part of it, began."""
    return TimeOfDay((_part(part)[0].minutes if part else 0.0) - 1440.0)


def _ago(m: re.Match[str]) -> float:
    return _count(m["n"]) * _UNITS[m["unit"]] if m["n"] else float(_UNITS[m["unit"]])


_AMOUNT = rf"(?P<n>{_NUMBER})? ?(?P<unit>second|minute|hour|day)s?"
_SPANS: tuple[tuple[str, Callable[[re.Match[str]], Span]], ...] = (
    (
        rf"(?:in the time )?(?:between|from|after|since) (?P<a>{_TIME}) (?:and before|and|to|until|till|up to) (?P<b>{_TIME})",
        lambda m: _span_of(m["a"], m["b"]),
    ),
    (
        rf"(?:since|after|later than|from) (?P<a>{_TIME})(?: on(?:wards)?)?(?= |,|$)",
        lambda m: Span(after=_time(m["a"])),
    ),
    (rf"(?:before|until|till|by|earlier than|prior to) (?P<a>{_TIME})", lambda m: Span(before=_time(m["a"]))),
    (
        rf"(?:(?:at|around|about) )+(?P<a>{_TIME})|(?:when|as) it was (?:about |around )?(?P<b>{_TIME})",
        lambda m: Span(at=_time(m["a"] or m["b"])),
    ),
    (rf"(?:since|after) (?:the |this )(?P<p>{_PARTS})", lambda m: Span(after=_part(m["p"])[0])),
    (rf"since yesterday(?: (?P<p>{_PARTS}))?", lambda m: Span(after=_yesterday(m["p"]))),
    (rf"before (?:the |this )(?P<p>{_PARTS})", lambda m: Span(before=_part(m["p"])[0])),
    (
        rf"yesterday (?:in the )?(?P<p>{_PARTS})",
        lambda m: Span(*_part(m["p"]), day=-1),
    ),
    (rf"(?:this|in the|during the|at) (?P<p>{_PARTS})", lambda m: Span(*_part(m["p"]))),
    (r"tonight", lambda _: Span(*_part("night"), day=0)),
    (rf"(?:in|within|during|over|for) the (?:last|past|previous) {_AMOUNT}", lambda m: Span(ago_s=_ago(m))),
    (rf"{_AMOUNT} ago", lambda m: Span(ago_until_s=_ago(m))),
    (r"(?:earlier )?today|so far today", lambda _: Span(day=0)),
    (r"yesterday", lambda _: Span(day=-1)),
)


def _span_of(a: str, b: str) -> Span:
    after, before = _time(a), _time(b)
    if before.is_sure and not after.is_sure and before.minutes >= 720 and after.minutes + 720 < before.minutes:
        after = TimeOfDay(after.minutes + 720)  # "from 2 to 4 pm"
    return Span(after, before)


def _split_span(plain: str) -> tuple[str, Span | None]:
    """The question without its words of time, and the span that they mean; the day of another one is joined to it."""
    found: Span | None = None
    for pattern, made in _SPANS:
        m = re.search(rf"(?:^|(?<=[ ,]))(?:{pattern})(?=[ ,]|$)", plain)
        if m is None or (found is not None and found.day is not None):
            continue
        if found is None and pattern.endswith("ago") and "how long" in plain:
            continue
        span = made(m)
        if found is None:
            found = span
        elif span.day is not None and span.ago_s is None:
            found = replace(found, day=span.day)
        else:
            continue
        plain = re.sub(r"\s+", " ", f"{plain[: m.start()]} {plain[m.end() :]}").strip(" ,")
    return plain, found


# --- what is asked -----------------------------------------------------------------------------------------------------------


def _order(rest: str) -> Literal["newest", "oldest"] | None:
    """ "The last time", "when did you first see": not "the first drawer", "the last chair"."""
    deed = "|".join(pattern for pattern, _ in _DEEDS)
    verb = rf"(?:you |i |we )?(?:{_SIGHT}|did|do|had|{deed}|open|close|shut|switch|turn|clean)"
    for order, words in (("newest", LAST), ("oldest", FIRST)):
        if re.search(
            rf"\b{words} (?:{_MOMENT}|{verb})\b|\b{words}$|\b(?:{_SIGHT}|{deed}|did|do)\b.* (?:the |at |for the )?(?:very )?{words}(?: time| of all)?$|"
            rf"\bthe (?:very )?{words} {_MOMENT}\b",
            rest,
        ) or re.search(r"\bmost recent(?:ly)?\b" if order == "newest" else r"\b(?:earliest|initially)\b", rest):
            return "newest" if order == "newest" else "oldest"
    return None


def _state_asked(rest: str) -> tuple[str, ...]:
    """States of which one is asked for: "is the fridge open", "was it on or off", "what state is it in"; empty: none is.

    "The mug on the table" asks for no switch: the word has to end the question, or stand beside its opposite.
    """
    if re.search(r"\b(?:what|which) (?:state|condition)\b|\bstate of the\b", rest):
        named = re.findall(rf"\b(?:{_STATES})\b", rest)
        return tuple(sorted({s for w in named for s in STATE_GROUP[SYNONYMS.get(w, w)]} or {*STATE_GROUP}))
    m = re.search(rf"\b(?P<a>{_STATES}) or (?:is it |was it )?(?:not|{_STATES})\b", rest) or re.search(
        rf"\b(?:is|are|was|were|been|stand|stood|be|left|leave|still)\b(?P<thing>(?: \w+)*?) (?P<a>{_STATES})(?: (?:then|now|right now|still))?$", rest
    )  # fmt: skip
    if m is None or re.search(r"\b(?:when|how often|how many|time|last|first)\b", rest):
        return ()
    if not re.match(
        r"(?:is|are|was|were|has|had|have|did|does|do|can|could|will|tell|check|know|if|whether|what|please|and|so)\b",
        rest,
    ):
        return ()
    return tuple(sorted(STATE_GROUP[SYNONYMS.get(m["a"], m["a"])]))


#: Words that ask for a time, a thing or a number wherever they stand, and those that ask at the beginning of a clause: "the mug that was moved" asks nothing.
_ASKING = re.compile(
    r"\b(?:when|what|where|whom?|how often|how many|how long|how frequently|count|every time|each time|times?|occasions?|anything|hour)\b|"
    r"(?:^|, )(?:(?:please|so|and|in|on|to|from|at|by) )*(?:which|did|do|does|has|have|had|was|were|is|are)\b"
)


def _is_question(text: str) -> bool:
    """Whether a text asks for something done, rather than names a thing ("the missing mug", "the mug that you put on the desk")."""
    return _ASKING.search(text) is not None
