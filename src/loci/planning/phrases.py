"""Plain English for answers: lists, articles, places and times. No decision is taken here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from loci.planning.protocols import KnownObject, KnownRoom
from loci.words import normalise, plural

#: Labels of detectors that know no categories.
UNNAMED = frozenset({"", "segment", "thing", "object", "unknown"})
#: Stamps above are taken for Unix time (September 2001), those below for a clock that started with the session.
_UNIX_TIME_NS = 10**18

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def number(n: int) -> str:
    """ "three" for 3; digits above twelve."""
    return _NUMBERS[n] if 0 <= n < len(_NUMBERS) else str(n)


def indefinite(words: str) -> str:
    """ "a mug", "an oven"; plurals such as "scissors" stay alone."""
    if not words:
        return "an unnamed thing"
    if words.endswith("s") and not words.endswith("ss") and normalise(words) != words:
        return words
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def name_of(label: str) -> str:
    """Label in plain words."""
    return "unnamed thing" if label in UNNAMED else label


def joined(parts: Sequence[str], last: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}" if parts else ""


def counted(labels: Iterable[str]) -> str:
    """ "a mug, two chairs and an oven", most frequent first."""
    counts = Counter(name_of(label) for label in labels)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return joined([indefinite(label) if n == 1 else f"{number(n)} {plural(label)}" for label, n in ordered])


def room_phrase(room: str, room_name: str, rooms: Sequence[KnownRoom]) -> str:
    """ "the kitchen"; with its id where two rooms share the name; "room/5, which I have no name for"."""
    if not room:
        return "a place that I have not made out as a room"
    if not room_name:
        return f"an unnamed room ({room})"
    shared = sum(1 for r in rooms if r.name == room_name) > 1
    return f"the {room_name} ({room})" if shared else f"the {room_name}"


def place_phrase(thing: KnownObject, objects: Sequence[KnownObject], rooms: Sequence[KnownRoom]) -> str:
    """ "in the kitchen, on the counter, at (1.20, 3.40, 0.90)"."""
    e = thing.evidence
    parts = [f"in {room_phrase(e.room, e.room_name, rooms)}"] if e.room else []
    carrier = next((o for o in objects if o.id == thing.on), None) if thing.on else None
    if carrier is not None:
        parts.append(f"on {'a' if carrier.label in UNNAMED else 'the'} {name_of(carrier.label)}")
    if e.position is not None:
        x, y, z = (round(v, 2) + 0.0 for v in e.position)  # + 0.0: no "-0.00"
        parts.append(f"at ({x:.2f}, {y:.2f}, {z:.2f})")
    return ", ".join(parts) or "somewhere that I have no position of"


def time_phrase(stamp_ns: int) -> str:
    """ "on 2026-11-20 at 14:03:05 UTC", or "at 3 min 20 s" of a clock that started with the session."""
    if stamp_ns >= _UNIX_TIME_NS:
        return datetime.fromtimestamp(stamp_ns * 1e-9, timezone.utc).strftime("on %Y-%m-%d at %H:%M:%S UTC")
    seconds = stamp_ns * 1e-9
    minutes, seconds = divmod(round(seconds, 1), 60)
    return f"at {int(minutes)} min {seconds:.1f} s" if minutes else f"at {seconds:.1f} s"
