"""What the scripted robot understands of tasks after a day, and which of its records answer them. Planners understand more.

Pure functions over what the memory returned: no ROS here, and no ground truth.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from loci.planning.parsing import COLORS
from loci.planning.words import normalise
from loci.query import Evidence

ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh".split()
_NUMBERS = "no one two three four five six seven eight nine ten eleven twelve".split()
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


@dataclass(frozen=True)
class Wish:
    """What a task asks for.

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


_GO = r"(?:go back to|go to|drive back to|drive to|navigate to|take me to|find|visit)"
_MOVE = r"(?:moved|carried|picked up|held)"
_YOU = rf"(?:that )?you (?:had )?{_MOVE}"
_THING = r"(?:thing|object)"
_FURNITURE = r"(?:the )?(?:piece of )?furniture"
_PUT = r"(?:put|placed|set down)"
_TOOK = r"(?:took|picked up)"
_NTH = rf"(?P<nth>{'|'.join(ORDINALS)}|last)"
_START = r"after (?:you first picked something up|your first pick)"
_EVERY = r"(?:all the|all|every)"
_DURATION = r"(?:for the )?(?P<end>longest|shortest)(?: time)?"
_CARRIED = rf"(?:what|the {_THING}) {_YOU}"


def understand(text: str, deeds: Sequence[Deed]) -> Wish | None:
    """What a task asks for, given what was done; None: it is not understood, or nothing done answers it."""
    plain = re.sub(r"[^a-z0-9/' ]+", " ", text.lower())
    plain = re.sub(r"\s+", " ", plain).strip()
    if not deeds:
        return None
    return _conditional(plain, deeds) or _several(plain, deeds) or _single(re.sub(rf"^{_GO} ", "", plain), deeds)


def _alike(deeds: Sequence[Deed], words: str) -> tuple[Deed, ...]:
    return tuple(d for d in deeds if normalise(d.label) == normalise(words))


def _nth(deeds: Sequence[Deed], word: str) -> tuple[Deed, ...]:
    if word == "last":
        return (deeds[-1],)
    i = ORDINALS.index(word)
    return (deeds[i],) if i < len(deeds) else ()


def _made(what: str, deeds: Sequence[Deed], color: str = "") -> Wish | None:
    """A wish with one goal; None if no deed answers it."""
    return Wish(what, (tuple(deeds),), color=color) if deeds else None


def _conditional(q: str, deeds: Sequence[Deed]) -> Wish | None:
    again = rf"(?:{_GO}|to) "
    m = re.fullmatch(rf"if you {_MOVE} more than (?P<n>\w+) {_THING}s {_GO} the first(?: of them| one)? (?:else|otherwise) (?:to )?the last(?: one)?", q)  # fmt: skip
    if m and m["n"] in _NUMBERS:
        return _made("moved", deeds[:1] if len(deeds) > _NUMBERS.index(m["n"]) else deeds[-1:])
    m = re.fullmatch(rf"if you (?:put|brought) (?:anything|something) into the (?P<room>.+) {_GO} it (?:else|otherwise) {again}the (?P<other>.+)", q)  # fmt: skip
    if m:
        into = [d for d in deeds if normalise(d.placed.room_name) == normalise(m["room"])]
        return _made("moved", into) or Wish("named", label=m["other"])
    m = re.fullmatch(rf"if you {_MOVE} an? (?P<thing>.+) {_GO} it (?:else|otherwise) {again}the (?P<other>.+)", q)
    return (_made("moved", _alike(deeds, m["thing"])) or Wish("named", label=m["other"])) if m else None


def _several(q: str, deeds: Sequence[Deed]) -> Wish | None:
    each = tuple((d,) for d in deeds)
    m = re.fullmatch(rf"{_GO} the {_NTH} {_THING} {_YOU} (?:and )?then (?:to )?the (?P<mth>\w+)", q)
    if m and m["mth"] in (*ORDINALS, "last"):
        goals = _nth(deeds, m["nth"]), _nth(deeds, m["mth"])
        return Wish("moved", goals, ordered=True) if all(goals) else None
    m = re.fullmatch(rf"{_GO} {_EVERY} {_THING}s? {_YOU}(?P<how>.*)", q)
    if m:
        if re.search(r"reverse|last one first", m["how"]):
            return Wish("moved", each[::-1], ordered=True)
        return Wish("moved", each, ordered=_has_order(m["how"]))
    m = re.fullmatch(rf"{_GO} {_EVERY} (?:furniture|pieces? of furniture) (?:(?P<to>on which you {_PUT})|from which you {_TOOK}) something(?P<how>.*)", q)  # fmt: skip
    if m:
        return Wish("target" if m["to"] else "source", each, ordered=_has_order(m["how"]))
    m = re.fullmatch(rf"{_GO} {_EVERY} rooms? (?:(?P<to>into which you (?:brought|carried))|(?:from|in) which you {_TOOK}) something(?: in any order)?", q)  # fmt: skip
    return Wish("target_room" if m["to"] else "source_room", each) if m else None


def _has_order(words: str) -> bool:
    return "order" in words and "any order" not in words


def _single(q: str, deeds: Sequence[Deed]) -> Wish | None:
    """A wish with one goal; ``q`` without its verb."""
    m = re.fullmatch(rf"the room (?:from|in) which you {_TOOK} the most {_THING}s", q)
    if m:
        most = Counter(d.picked.room for d in deeds if d.picked.room).most_common(1)
        return _made("source_room", [d for d in deeds if most and d.picked.room == most[0][0]])
    m = re.fullmatch(rf"{_FURNITURE} (?:from which you {_TOOK}|(?P<to>on which you {_PUT})) the {_NTH} {_THING}", q)
    if m:
        return _made("target" if m["to"] else "source", _nth(deeds, m["nth"]))
    m = re.fullmatch(rf"{_FURNITURE} (?:from which you {_TOOK}|(?P<to>on which you {_PUT})) {_CARRIED} {_DURATION}", q)
    if m:
        return _made("target" if m["to"] else "source", _by_duration(deeds, m["end"]))
    m = re.fullmatch(rf"{_CARRIED} {_DURATION}", q)
    if m:
        return _made("moved", _by_duration(deeds, m["end"]))
    m = re.fullmatch(rf"{_CARRIED} for (?:about )?(?P<s>\d+) seconds", q)
    if m:
        wanted = int(m["s"]) * 10**9
        return _made("moved", sorted(deeds, key=lambda d: abs(d.duration_ns - wanted))[:1])
    m = re.fullmatch(rf"the room (?:(?P<to>into which you (?:brought|carried)|in which you put down)|(?:from|in) which you {_TOOK}) the {_NTH} {_THING}", q)  # fmt: skip
    if m:
        return _made("target_room" if m["to"] else "source_room", _nth(deeds, m["nth"]))
    m = re.fullmatch(rf"{_FURNITURE} (?:from which you {_TOOK}|(?P<to>on which you {_PUT})) the (?P<thing>.+)", q)
    if m:
        return _made("target" if m["to"] else "source", _alike(deeds, m["thing"]))
    m = re.fullmatch(rf"where the (?P<thing>.+) was before you {_MOVE.replace('picked up', 'picked')} it(?: up| away)?", q)  # fmt: skip
    if m:
        return _made("source", _alike(deeds, m["thing"]))
    m = re.fullmatch(rf"the room (?:(?:from|in) which you {_TOOK}|(?P<to>into which you (?:brought|carried)|in which you put down)) the (?P<thing>.+)", q)  # fmt: skip
    if m:
        return _made("target_room" if m["to"] else "source_room", _alike(deeds, m["thing"]))
    m = re.fullmatch(rf"(?:something else|another thing) on the same (?:piece of )?furniture as the (?P<thing>.+?) {_YOU}", q)  # fmt: skip
    if m:
        return _made("beside", _alike(deeds, m["thing"]))
    return _by_time(q, deeds) or _by_words(q, deeds)


def _by_time(q: str, deeds: Sequence[Deed]) -> Wish | None:
    m = re.fullmatch(rf"(?:what|the thing that) (?:you were (?:carrying|holding)|was in your hand|you had in your hand) (?P<s>\d+) seconds {_START}", q)  # fmt: skip
    if m:
        at = deeds[0].picked.stamp_ns + int(m["s"]) * 10**9
        return _made("moved", [d for d in deeds if d.picked.stamp_ns <= at <= d.placed.stamp_ns])
    m = re.fullmatch(rf"(?:something|a thing) {_YOU} (?:later|more) than (?P<s>\d+) seconds {_START}", q)
    if m:
        at = deeds[0].picked.stamp_ns + int(m["s"]) * 10**9
        return _made("moved", [d for d in deeds if d.picked.stamp_ns > at])
    m = re.fullmatch(rf"{_CARRIED} (?:right|next|just) (?P<way>after|before) the (?P<thing>.+)", q)
    if m:
        step = 1 if m["way"] == "after" else -1
        found = [i + step for i, d in enumerate(deeds) if d in _alike(deeds, m["thing"])]
        return _made("moved", [deeds[i] for i in found if 0 <= i < len(deeds)])
    m = re.fullmatch(rf"the {_NTH} {_THING} {_YOU}", q)
    return _made("moved", _nth(deeds, m["nth"])) if m else None


def _by_words(q: str, deeds: Sequence[Deed]) -> Wish | None:
    m = re.fullmatch(rf"the (?P<thing>.+?) (?:that )?you {_PUT} on the (?P<place>.+)", q)
    if m:
        there = [d for d in _alike(deeds, m["thing"]) if normalise(d.target) == normalise(m["place"])]
        return _made("moved", there)
    m = re.fullmatch(rf"the (?P<thing>.+?) (?:that )?you {_TOOK} from the (?P<place>.+)", q)
    if m:
        return _made("moved", [d for d in _alike(deeds, m["thing"]) if normalise(d.source) == normalise(m["place"])])
    m = re.fullmatch(r"an? (?P<thing>.+?) (?:that )?you did not (?:touch|move|pick up)", q)
    if m:
        return Wish("untouched", (tuple(deeds),), label=m["thing"])
    m = re.fullmatch(rf"(?:the|an?) (?P<thing>.+?) {_YOU}", q)
    if not m:
        return None
    if found := _alike(deeds, m["thing"]):
        return _made("moved", found)
    color, _, thing = m["thing"].partition(" ")
    if color not in COLORS:
        return None
    named = deeds if thing in ("thing", "object") else _alike(deeds, thing)
    return _made("moved", named, color)


def _by_duration(deeds: Sequence[Deed], end: str) -> tuple[Deed, ...]:
    ranked = sorted(deeds, key=lambda d: d.duration_ns)
    return (ranked[-1 if end == "longest" else 0],)
