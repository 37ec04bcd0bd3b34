"""Which of the robot's own deeds a request is about: "go back to where you took the mug from", "the second thing that you carried".

A request is told by features, each found by itself: what is wanted (things, furniture, rooms), the end of the carrying that is meant, which deeds
(by name, number, time, colour, all) and in which order. The records are those that the robot's skills told its memory.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from loci.planning.language.phrases import noun_phrases
from loci.planning.language.vocabulary import ORDINAL_OF, forms_of
from loci.planning.names import COLORS
from loci.query import Evidence
from loci.words import canonical

_PICKED = re.compile(r"^I picked up the (?P<thing>.+) from the (?P<place>.+)$")
_PLACED = re.compile(r"^I put the (?P<thing>.+) on the (?P<place>.+)$")


@dataclass(frozen=True)
class Deed:
    """A pick-and-place as the memory holds it.

    Attributes:
        label: what was carried; source, target: labels of what it was on before, and was put on.
        picked, placed: the records.
    """

    label: str
    source: str
    target: str
    picked: Evidence
    placed: Evidence

    @property
    def duration_ns(self) -> int:
        """For how long it was carried [ns]."""
        return self.placed.stamp_ns - self.picked.stamp_ns


def deeds_of(records: Sequence[Evidence]) -> list[Deed]:
    """Pick-and-places from the robot's own records, oldest first; what was not put down is left out."""
    deeds: list[Deed] = []
    picked: tuple[str, str, Evidence] | None = None
    for record in records:
        if found := _PICKED.match(record.text):
            picked = found["thing"], found["place"], record
        elif (found := _PLACED.match(record.text)) and picked is not None and found["thing"] == picked[0]:
            deeds.append(Deed(picked[0], picked[1], found["place"], picked[2], record))
            picked = None
    return deeds


def picked_label(record: Evidence) -> str:
    """Label of what a record says was picked up; empty: it is none of a pick."""
    found = _PICKED.match(record.text)
    return found["thing"] if found else ""


@dataclass(frozen=True)
class Wish:
    """What a request asks for.

    Attributes:
        what: "moved" things by themselves, "source" or "target" furniture or "source_room" and "target_room" of them, "untouched" or
            "beside" things, or "named": the thing of the words ``label``.
        deeds: which pick-and-places it is about; for each goal those any of which will do.
        label: for "untouched" and "named".
        color: that the thing must have; empty: any.
        ordered: the goals have an order.
    """

    what: str
    deeds: tuple[tuple[Deed, ...], ...] = ()
    label: str = ""
    color: str = ""
    ordered: bool = False


End = Literal["source", "target"]

_DEED = forms_of("move carry transport relocate take pick grab lift remove fetch collect get put place set leave drop deposit deliver bring unload lay hold handle grasp touch transfer shift haul lug drag ferry displace pass load free retrieve convey store stow") | frozenset("hands load loads delivery deliveries dropped hand gripper pick pickup pickups picks transport carrying former original originally day found".split())  # fmt: skip
_TAKING = "|".join(
    sorted(forms_of("take pick grab lift remove fetch collect get retrieve obtain snatch lose clear") | {"found"})
)
_PUTTING = "|".join(sorted(forms_of("put place set leave drop deposit deliver bring unload lay store stow stick unpack add")))  # fmt: skip
#: Order of several goals.
_REVERSED = re.compile(
    r"revers\w+(?: order| sequence)?|backwards?|(?:in )?(?:the )?(?:opposite|inverse|inverted) (?:order|sequence)|(?:order|sequence) (?:that is )?(?:opposite|inverse|contrary)|back to front|(?:counting|going|working|run\w*|go|work) (?:back|down|backward)(?: from)?|(?:from )?(?:the )?last (?:one |thing )?(?:back )?to (?:the )?first(?: one)?|"
    r"(?:the )?(?:last|latest|newest|final|most recent)(?: one| thing| object| item)? first|(?:start|begin|starting|beginning|begun|started) (?:with|from|at) (?:the )?(?:last|latest|final|newest|most recent)(?: one| thing)?|the other way (?:a)?round|last in first out|(?:from )?(?:the )?(?:latest|newest|most recent) (?:one )?(?:back )?to (?:the )?(?:earliest|oldest)|(?:start|begin)\w* (?:with|from|at) (?:the )?end|(?:rewind\w*|back in time)"
)
#: How an order that was told goes on: "starting with the first and ending with the last".
_AND_ENDS = re.compile(
    r"\b(?:and )?(?:end|finish|stop|conclud)\w* (?:with|at|on) (?:the )?(?:\w+ )?(?:first|last|earliest|latest|oldest|newest)(?: one| thing)?\b"
)
IN_ANY_ORDER = re.compile(
    r"(?:in )?(?:any|whichever|whatever|no particular|no special|arbitrary) (?:order|sequence)|(?:in )?(?:the|any|whatever|whichever) (?:order|sequence) (?:that |in which )?you (?:like|prefer|want|please|wish|choose)|any (?:order|sequence) will do|(?:the )?(?:order|sequence) (?:does not|is not|is un|is ir|is of no|is up to you)[\w ]*|(?:no matter|whatever|never mind|regardless of|irrespective of|without regard to|ignoring)(?: in)?(?: the| which| what)? (?:order|sequence)"
)
_ORDERED = re.compile(
    r"\b(?:order|sequence|chronolog\w+|succession)\b(?: in which you \w+ \w+)?|(?:the )?(?:earliest|oldest)(?: one| thing)? first|(?:the )?first (?:one |thing )?first|(?:from )?(?:the )?(?:very )?first (?:one |thing )?(?:through )?(?:to|until) (?:the )?last(?: one)?|"
    r"(?:start|begin|starting|beginning|started) (?:with|from|at) (?:the )?(?:first|earliest|oldest)(?: one| thing)?|one (?:after|by) (?:the other|another|one),? (?:just )?(?:as|like|the way)[\w ]*|(?:just |exactly )?(?:as|like|the way) you (?:did|moved|carried|used)[\w ]*|(?:from )?(?:the )?(?:earliest|oldest) (?:one )?(?:through )?to (?:the )?(?:latest|newest|most recent)|step by step as you[\w ]*|sorted by(?: when| time)?[\w ]*|(?:the )?(?:earliest|oldest)(?: one| thing)? to (?:begin|start) with|in the order[\w ]*|by time"
)
#: "First" that counts nothing.
_FIRST_TIME = re.compile(
    r"\b(?:your|the|my|that|a)? ?(?:very )?first (?:pick(?:\w+)?(?: up)?|grasp|grab|thing (?:was|had been) picked up|time you picked|took|started|carry)\b(?: something up| something| anything| up)?|(?:you )?(?:started|began|begin|start) (?:picking|carrying|moving|to pick|to carry|working|work)[\w ]*?(?=,|$|\?|\.)|(?:the )?(?:start|beginning) of (?:the|your) (?:work|day)"
)
_AT_FIRST = (
    r"\bat first\b|\bin the (?:first place|beginning)\b|\bfirst of all\b|\bat the (?:start|beginning|outset)[\w ]*"
)
_NO_COUNT = re.compile(
    rf"{_AT_FIRST}|\bfirst things first\b|\bfirst(?= (?:to|the|go|visit|drive|head|find|show|see|lead|take me|bring me)\b)|(?<=\byou )first\b(?! of)|(?<=\bit )first\b"
)
SECONDS = re.compile(r"\b(?P<n>\d+) (?P<unit>seconds?|secs?|s|minutes?|min)\b")
_LATER = re.compile(
    r"\b(?:later|more|longer|over|least|beyond|past|exceed\w*|than|any ?time|some ?time)\b|\bafter (?:the )?first \d"
)
_LONGEST = re.compile(
    r"\blongest\b|\bmost time\b|\bmaximum\b|\blonger than (?:any|all|every|the (?:others|rest))|\b(?:greatest|largest|most) (?:time|duration|amount of time|number of seconds)|\bslowest\b|\bmost seconds\b"
)
_SHORTEST = re.compile(
    r"\bshortest\b|\bleast time\b|\bminimum\b|\b(?:shorter|less|briefer)(?: time)? than (?:any|all|every|the (?:others|rest))|\bbriefest\b|\bleast (?:long|amount)|\b(?:smallest|lowest|fewest) (?:time|duration|amount|seconds)|\b(?:most )?(?:quickly|quickest|fastest|briefly)\b"
)
_MOST = re.compile(
    r"\bmost (?:things|objects|items|often|of|pick\w*|stuff)\b|\bmore (?:\w+ )?(?:things|objects|items|often)? ?(?:\w+ )*than\b|\bmost (?:frequently|pickups)\b|\bthe (?:greatest|largest|highest) number\b|\bmost\b"
)
_SOURCE = re.compile(
    rf"\bbefore (?:you|it|that|this|being|the)\b|\bbefore$|{_AT_FIRST}|\boriginal\w*\b|\binitial\w*\b|\bused to\b|\b(?:came|come|comes|coming|stems?|originat\w+) (?:from|out)\b|\bout of\b|(?<!drop )(?<!dropped )(?<!dropping )(?<!drops )\boff\b(?! at)|\bfrom (?:which|where|what|whose)\b|\bfrom\b(?! (?:there|first|last|then|here|your|you|the first)\b)|\blost\b|\bformer\w*\b|\bprevious (?:place|spot|location|position|home)\b|\bold (?:place|spot|location|position)\b|\bno longer\b|\bwent missing\b|\bgave up\b|\b(?:first|earlier) (?:was|lay|stood|sat)\b"
)
_TARGET = re.compile(
    r"(?<!drive )(?<!go )(?<!head )(?<!walk )\binto\b|\bonto\b|\bend(?:ed|s)? up\b|\breceiv\w+\b|\bg(?:o|e)t(?:s|ten)? (?:something|anything|things|it) from you\b|\bbecause of you\b|\bto (?:which|what|whose)\b|\bdrop\w* off\b|\bnow\b|\boff at\b|\bfinal\w*\b|\bdestination\b|\bnew (?:place|spot|location|position|home)\b|\b(?:moved|carried|transported|brought|took|taken|shifted|relocated|delivered)(?: (?:the|a|an|any|some)?\w*){0,6} to\b"
)
_BESIDE = re.compile(
    r"\b(?:something|anything|thing|object|item|what|things) else\b|\belse (?:is|lies|stands)\b|\b(?:another|other|different)\b(?! than)|\bneighbou?rs?\b|\bshar\w+\b|\bsame (?:piece of )?furniture (?:as|that|where|on)\b|\bon the same \w+ as\b|\btogether with\b|\b(?:next to|beside|alongside|along with|near|accompan\w+|company)\b"
)
_UNTOUCHED = re.compile(
    r"\b(?:not(?! (?:leave out|miss|skip|forget|omit|alone|only))|never|nobody|untouched|unmoved|without)\b|\bleft (?:\w+ )?(?:alone|untouched|in (?:its|their|the) place|where|there)\b|\balone\b|\bstay(?:ed|s)? (?:where|put|in place|at)\b|\bremained\b|\bkept its place\b|\bstill (?:is )?where\b|\bother than (?:the|what|those)\b|\bexcept\b"
)
_AFTER = re.compile(
    r"\bafter\b|\bonce\b|\bfollow\w*\b|\bnext\b|\bsucceed\w*\b|\bsubsequent\w*\b|\bafterwards\b|\bas soon as\b|\bthen\b"
)
_BEFORE = re.compile(
    r"\bbefore\b|\bprior\b|\bpreced\w+\b|\bprevious\b|\bahead of\b|\bearlier than\b|\buntil\b|\bled up to\b|\bcame first,? then\b"
)
_ALL = re.compile(
    r"\b(?:all|every|everything|each|both|whatever|everywhere|anything that|any of)\b|\b(?:things|objects|items|rooms|pieces|places)\b"
)
_WHERE = re.compile(
    r"\bwhere\b|\b(?:place|spot|location|position|home|origin)\b|\b(?:came|come|comes) from\b|\bused to (?:be|lie|stand|sit)\b"
)
_FURNITURE = re.compile(
    r"\bfurni\w+\b|\b(?:surfaces?|receptacles?|supports?|furnishings?|tables? or|shelf or|shelves or)\b|\b(?:places|spots|locations)\b|"
    r"\b(?:what|whatever|which) (?:did |was |had |is )?(?:the |an? )?[\w ]{1,25}? (?:stood|stand|standing|lay|lie|lying|lain|sat|sit|sitting|rested|rest|resting|been|placed|kept)(?: \w+)? (?:on|upon)\b"
)
_ROOM = re.compile(r"\brooms?\b|\b(?:area|areas|space|spaces)\b|\bparts? of the (?:home|house|flat)\b")
_DROPPED_OFF = re.compile(r"\b(drop\w*) ((?:\w+ ){1,4})off\b")
_CUES = {
    "reversed": _REVERSED, "any order": IN_ANY_ORDER, "order": _ORDERED, "later": _LATER, "longest": _LONGEST, "shortest": _SHORTEST, "most": _MOST,
    "from": _SOURCE, "to": _TARGET, "beside": _BESIDE, "untouched": _UNTOUCHED, "after": _AFTER, "before": _BEFORE, "all": _ALL, "where": _WHERE,
    "furniture cue": _FURNITURE, "room cue": _ROOM,
}  # fmt: skip
_ORDINAL = re.compile(rf"\b(?:{'|'.join(sorted(ORDINAL_OF, key=len, reverse=True))})\b(?! (?:time|seconds|minutes|\d))")


def is_about_deeds(q: str) -> bool:
    """Whether a text speaks of carrying, of where from and to, or of what was left alone."""
    return bool(_DEED.intersection(q.split())) or any(cue.search(q) for cue in (_SOURCE, _TARGET, _UNTOUCHED))


def understand_by_cues(q: str, deeds: Sequence[Deed]) -> Wish | None:
    """What a request without conditions asks for, given what was done; None: it is not understood, or nothing done answers it.

    Args:
        q: as `loci.planning.language.phrases.plain` makes it.
    """
    ordered, backwards, q = _order(q)
    wanted = "furniture" if _FURNITURE.search(q) else "room" if _ROOM.search(q) else "thing"
    timed = _timed(q, deeds) if wanted == "thing" else None
    if timed is not None:
        return wish("moved", [timed]) if timed else None
    counted = without_first_times(q)
    counting = ordinals(counted)
    q = _FIRST_TIME.sub(" ", q)
    if wanted == "thing" and len(counting) > 1:
        goals = [nth(deeds, i) for i in turned(counted, counting[:2])]
        return Wish("moved", tuple(goals), ordered=True) if all(goals) else None
    thing = _thing(q, deeds)
    if _UNTOUCHED.search(q) and not re.search(r"\bno longer\b", q):
        names = noun_phrases(q.split())
        label = thing or (names[0].words if names else "")
        return Wish("untouched", (tuple(deeds),), label=label) if label else None
    if thing and _is_beside(q):
        return wish("beside", [alike(deeds, thing)])
    chosen = _chosen(q, deeds, thing, counting)
    if wanted == "thing":
        # "The last thing before the mug" counts from the mug.
        beside = thing and counting == [-1 if _BEFORE.search(q) else 0] and (_BEFORE.search(q) or _AFTER.search(q))
        return _things(q, deeds, thing, chosen, bool(counting) and not beside, ordered, backwards)
    end = _end(q)
    what = end if wanted == "furniture" else f"{end}_room"
    if wanted == "room" and not thing and not counting and _MOST.search(q):
        return fullest(deeds, end)
    if chosen is not None:
        return wish(what, [chosen])
    each = [(d,) for d in (reversed(deeds) if backwards else deeds)]
    return Wish(what, tuple(each), ordered=ordered or backwards)


# --- names of what was carried ----------------------------------------------------------------------------------------


def named(q: str, labels: Sequence[str]) -> list[tuple[int, str]]:
    """Labels that a text names, with their places in it [words], by their order; the longest name wins."""
    tokens = q.split()
    wanted: dict[str, list[str]] = {}
    for label in dict.fromkeys(labels):
        wanted.setdefault(canonical(label), []).append(label)
    found: dict[int, tuple[int, str]] = {}
    taken: set[int] = set()
    for n in (4, 3, 2, 1):
        for i in range(len(tokens) - n + 1):
            words = tokens[i : i + n]
            if taken.intersection(range(i, i + n)) or not all(w[0].isalnum() for w in words):
                continue
            if words[0] in ("the", "a", "an"):
                continue
            labels_here = wanted.get(canonical(" ".join(words)))
            if labels_here:
                exact = [label for label in labels_here if label == " ".join(words)]
                found[i] = (i, (exact or labels_here)[0])
                taken.update(range(i, i + n))
    return [found[i] for i in sorted(found)]


def alike(deeds: Sequence[Deed], label: str) -> tuple[Deed, ...]:
    return tuple(d for d in deeds if d.label == label) or tuple(
        d for d in deeds if canonical(d.label) == canonical(label)
    )


def _thing(q: str, deeds: Sequence[Deed]) -> str:
    """Label of a carried thing that a text names; empty: none."""
    carried = named(q, [d.label for d in deeds])
    return carried[0][1] if carried else ""


# --- everything else --------------------------------------------------------------------------------------------------


def without_first_times(q: str) -> str:
    """The text without the "first" that counts nothing: "at first", "you first picked it up", and with a time "your first pick"."""
    if SECONDS.search(q):
        q = _FIRST_TIME.sub(" ", q)
    return _NO_COUNT.sub(" ", q)


def ordinal_words(q: str) -> list[str]:
    """Ordinals of a text, as they stand in it."""
    return [m[0] for m in _ORDINAL.finditer(q)]


def ordinals(q: str) -> list[int]:
    """Ordinals of a text from 0; -1 is the last."""
    return [ORDINAL_OF[word] for word in ordinal_words(q)]


def turned(q: str, two: Sequence[int]) -> Sequence[int]:
    """The first two numbers of a text in the order in which their things are to be gone to: "before the third, the first" turns them round."""
    marks = [m.span() for m in _ORDINAL.finditer(q)][:2]
    before, between = q[: marks[0][0]], q[marks[0][1] : marks[1][0]]
    last_clause = re.split(r"[,.;:!?]", before)[-1]
    told_first = re.search(r"\bbefore\b(?! (?:that|this|it)\b)|\bprior to\b", last_clause) and re.search(
        r"[,.;:]", between
    )
    told_last = re.search(r"\b(?:before (?:that|this|it|which)|but first|beforehand)\b", between) or re.search(
        r"\bafter (?:you|having|visiting|going|the|your|being)\b", between
    )
    return two[::-1] if told_first or told_last else two


def nanoseconds(time: re.Match[str]) -> int:
    """A time that `SECONDS` found [ns]."""
    return int(time["n"]) * (60 if time["unit"].startswith("min") else 1) * 10**9


def _things(
    q: str,
    deeds: Sequence[Deed],
    thing: str,
    chosen: tuple[Deed, ...] | None,
    counted: bool,
    ordered: bool,
    backwards: bool,
) -> Wish | None:
    """Things by themselves, or where one of them was."""
    if thing and not counted:
        places = [
            p
            for i, p in named(q, [x for d in deeds for x in (d.source, d.target)])
            if p != thing and re.search(rf"\b(?:on|from|off|at|onto|upon|of|in|to|into) (?:the )?{re.escape(p)}\b", q)
        ]
        if places:
            end = _end(q)
            there = [d for d in alike(deeds, thing) if canonical(getattr(d, end)) == canonical(places[0])]
            other: End = "target" if end == "source" else "source"
            there = there or [d for d in alike(deeds, thing) if canonical(getattr(d, other)) == canonical(places[0])]
            return wish("moved", [tuple(there)])
        if _WHERE.search(q) and (
            _SOURCE.search(q) or re.search(rf"\bwhere (?:had )?you (?:had |have )?(?:{_TAKING})\b", q)
        ):
            return wish("source", [alike(deeds, thing)])
        step = 1 if _AFTER.search(q) else -1 if _BEFORE.search(q) else 0
        if _BEFORE.search(q) and _AFTER.search(q) and re.search(r"\bbefore the\b|\bbefore (?:it|that)\b", q):
            step = -1
        if step:
            found = [i + step for i, d in enumerate(deeds) if d in alike(deeds, thing)]
            return wish("moved", [tuple(deeds[i] for i in found if 0 <= i < len(deeds))])
    color = next((w for w in q.split() if w in COLORS), "")
    if color and color not in thing.split():
        color = "gray" if color == "grey" else color
        return Wish("moved", (alike(deeds, thing) if thing else tuple(deeds),), color=color)
    if chosen is not None:
        return wish("moved", [chosen])
    if ordered or backwards or _ALL.search(q):
        return Wish(
            "moved", tuple((d,) for d in (reversed(deeds) if backwards else deeds)), ordered=ordered or backwards
        )
    return None


def cues_of(q: str) -> list[str]:
    """Names of the cues in a text, and what they tell together."""
    ordered, backwards, rest = _order(q)
    wanted = "furniture" if _FURNITURE.search(rest) else "room" if _ROOM.search(rest) else "thing"
    end, order = _end(rest), "backwards" if backwards else "ordered" if ordered else "unordered"
    found = [name for name, cue in _CUES.items() if cue.search(q)]
    together = [f"{wanted} {end}", f"{wanted} {end} {order}"] + (["is beside"] if _is_beside(rest) else [])
    return [*found, order, wanted, end, *together]


def wish(what: str, goals: Sequence[Sequence[Deed]]) -> Wish | None:
    return Wish(what, tuple(tuple(g) for g in goals)) if goals and all(goals) else None


def _order(q: str) -> tuple[bool, bool, str]:
    """Whether several goals have an order, whether it is backwards, and the text without the words for it."""
    if IN_ANY_ORDER.search(q):
        return False, False, IN_ANY_ORDER.sub(" ", q)
    q = _AND_ENDS.sub(" ", q)
    if _REVERSED.search(q):
        return True, True, _ORDERED.sub(" ", _REVERSED.sub(" ", q))
    if _ORDERED.search(q):
        return True, False, _ORDERED.sub(" ", q)
    return False, False, q


def _timed(q: str, deeds: Sequence[Deed]) -> tuple[Deed, ...] | None:
    """Deeds at, or later than, a time after the first pick; None: no such time is told."""
    m = SECONDS.search(q)
    if m is None or not (_FIRST_TIME.search(q) or re.search(r"\b(?:first|start|began|beginning)\b", q)):
        return None
    at = deeds[0].picked.stamp_ns + nanoseconds(m)
    if _LATER.search(q):
        return tuple(d for d in deeds if d.picked.stamp_ns > at)
    return tuple(d for d in deeds if d.picked.stamp_ns <= at <= d.placed.stamp_ns)


def nth(deeds: Sequence[Deed], i: int) -> tuple[Deed, ...]:
    return (deeds[i],) if -len(deeds) <= i < len(deeds) else ()


def _chosen(q: str, deeds: Sequence[Deed], thing: str, counting: Sequence[int]) -> tuple[Deed, ...] | None:
    """Deeds told by number, by how long they took, or by name; None: nothing tells."""
    among = alike(deeds, thing) if thing else tuple(deeds)
    if counting:
        return nth(among, counting[0])
    ranked = sorted(deeds, key=lambda d: d.duration_ns)
    if _LONGEST.search(q):
        return (ranked[-1],)
    if _SHORTEST.search(q):
        return (ranked[0],)
    if m := SECONDS.search(q):
        wanted = nanoseconds(m)
        return tuple(sorted(deeds, key=lambda d: abs(d.duration_ns - wanted))[:1])
    return among if thing else None


def _is_beside(q: str) -> bool:
    if re.search(r"\b(?:just|right|directly|immediately) (?:before|after)\b|\b(?:before|after) the \w+ you\b", q):
        return False  # "right after the mug you moved another thing"
    return _BESIDE.search(q) is not None and not re.search(r"\bthan (?:from )?any other\b", q)


def _end(q: str) -> End:
    """Whether it is about where things were taken from, or where they were put: by what is said first about it."""
    q = _DROPPED_OFF.sub(r"\1 off \2", q)
    at = _FURNITURE.search(q) or _ROOM.search(q)
    source, target = _SOURCE.search(q), _TARGET.search(q)
    if source and target:
        return "source" if source.start() < target.start() and source[0] != "before you" else "target"
    if source:
        return "source"
    if target:
        return "target"
    tail = q[at.end() :] if at else q
    taking, putting = re.search(rf"\b(?:{_TAKING})\b", tail), re.search(rf"\b(?:{_PUTTING})\b", tail)
    if taking and (putting is None or taking.start() < putting.start()):
        return "source"
    if putting:
        return "target"
    return "source" if re.search(rf"\b(?:{_TAKING})\b|\bwas\b|\bpickups?\b", q) else "target"


def fullest(deeds: Sequence[Deed], end: End) -> Wish | None:
    """The room from (or into) which most was carried."""
    rooms = [(d.picked if end == "source" else d.placed).room for d in deeds]
    most = Counter(r for r in rooms if r).most_common(1)
    if not most:
        return None
    return wish(f"{end}_room", [[d for d, r in zip(deeds, rooms, strict=True) if r == most[0][0]]])
