"""What the words of a text mean in a memory: its words of order, time, deed and state become conditions of a `Query`.

Only where the words leave no doubt, and never against what a query says itself: a field that is given stays. `narrowed` gives the queries to try,
the most exact first; the last one is always the query as it was asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from loci.episodic.lexical import STOP_WORDS
from loci.evidence import Memories
from loci.habits import FIRST_WALL_CLOCK
from loci.query import Evidence, Kind, Query
from loci.time_words import (
    CHANGED_STATES,
    Anchor,
    Span,
    TimeOfDay,
    TimeWords,
    asks_what_changed,
    deed_states,
    read_time_words,
)
from loci.words import canonical, normalise

#: "At noon" is the minute that begins then, "an hour ago" the time up to a tenth of that before and after.
_MINUTE_NS = 60 * 10**9
_AGO_SHARE = 0.1
#: An event that no deed and no thing names is what the clause says if its record scores so much.
_SAME_EVENT = 0.5
#: Longest name of a thing [words].
_MAX_WORDS = 4

#: States of records that tell of a move: what was not known again elsewhere is told as gone, and as there again.
_MOVED_UNKNOWN = ("moved", "placed", "missing", "present")

#: Where something changed, at the end of a question.
_PLACED = re.compile(r" (?:in|on|at|under|near|around|inside|within|next to|beside) .*$")

Ask = Callable[[Query], tuple[Evidence, ...]]


@dataclass(frozen=True)
class Clock:
    """What turns stamps into times of day: the newest stamp, its session, and what lies between stamps and local time [ns]."""

    now_ns: int
    session: str
    offset_ns: int
    restarts: bool

    def local(self, stamp_ns: int) -> datetime:
        """Local time of a stamp."""
        return datetime.fromtimestamp(0, timezone.utc) + timedelta(microseconds=(stamp_ns + self.offset_ns) / 1e3)

    def stamp(self, day: int, minutes: float) -> int:
        """Stamp [ns] of a local time on a day counted from that of the newest stamp."""
        midnight = self.local(self.now_ns).replace(hour=0, minute=0, second=0, microsecond=0)
        seconds = (midnight - datetime.fromtimestamp(0, timezone.utc)).total_seconds() + 86400.0 * day + 60.0 * minutes
        return round(seconds) * 10**9 - self.offset_ns


def narrowed(memories: Memories, query: Query, ask: Ask) -> Iterator[Query]:
    """The queries that a text may be meant as, the most exact first; the query itself comes last. Where a query says by its states what is to
    have become of things, and its text asks what did, the time in the text is no less a condition: that nothing did is an answer.

    Args:
        memories: where the words are looked up.
        query: with a text.
        ask: answers a query without looking at its words; for the events that "before ..." and "after ..." are about.
    """
    if (
        query.text is not None
        and query.text_embedding is None
        and query.image is None
        and query.image_embedding is None
    ):
        words = read_time_words(query.text)
        if words.says_something:
            meanings = list(_meanings(memories, query, words, ask))
            yield from meanings
            if meanings and query.states and asks_what_changed(query.text):
                return
    yield query


def _meanings(memories: Memories, query: Query, words: TimeWords, ask: Ask) -> Iterator[Query]:
    after_ns, before_ns, session = query.after_ns, query.before_ns, query.session
    clock = clock_of(memories) if words.span is not None else None
    if clock is not None and words.span is not None:
        after, before = _bounds(words.span, clock)
        after_ns = after if query.after_ns is None else query.after_ns
        before_ns = before if query.before_ns is None else query.before_ns
        session = session or (clock.session if clock.restarts else None)
    # "What changed on the table" asks of what lies there.
    thing = _PLACED.sub("", words.rest) if words.states in (CHANGED_STATES, ("new",)) else words.rest
    labels = query.labels or things_named(thing, known_labels(memories))
    anchored = False
    if words.anchor is not None:
        moment = _moment(memories, words.anchor, labels, ask)
        if moment is None and not (words.order or words.span):
            return
        anchored = moment is not None
        if moment is not None and words.anchor.relation == "before" and query.before_ns is None:
            before_ns = moment if before_ns is None else min(before_ns, moment)
        elif moment is not None and words.anchor.relation == "after" and query.after_ns is None:
            after_ns = moment + 1 if after_ns is None else max(after_ns, moment + 1)
    if after_ns is not None and before_ns is not None and after_ns >= before_ns:
        return
    order = query.order if query.order != "relevance" else _order(words, anchored)
    fields: dict[str, Any] = {
        "text": words.rest or query.text,
        "after_ns": after_ns,
        "before_ns": before_ns,
        "session": session,
        "order": order,
    }
    told = query.state is not None or bool(query.states)
    states = () if told or words.asks not in ("deeds", "state") else words.states
    kinds: tuple[Kind, ...]
    if query.kinds:
        kinds = query.kinds
    elif words.asks == "state":
        kinds = ("object", "episode")
    elif words.asks in ("deeds", "said"):
        kinds = ("episode",)
    elif words.asks == "sight":
        kinds = ("keyframe", "episode") if words.span is not None and words.span.at is not None else ("keyframe",)
    else:
        kinds = ()
    if words.counts and "moved" in states:
        states = _MOVED_UNKNOWN
    if states or words.asks == "sight":
        if not labels and words.asks in ("state", "sight"):
            return  # of what?
        yield replace(query, labels=labels, kinds=kinds, states=states, **fields)
        if "moved" in states:
            yield replace(query, labels=labels, kinds=kinds, states=_MOVED_UNKNOWN, **fields)
    elif words.asks == "said" or (after_ns, before_ns) != (query.after_ns, query.before_ns):
        yield replace(query, kinds=kinds, **fields)


def _order(words: TimeWords, anchored: bool) -> Any:
    """The order that a question asks for: said, or that of what is nearest to the time that is named."""
    if words.order is not None:
        return words.order
    if words.counts:
        return "oldest"
    if words.asks == "state" or (words.span is not None and words.span.at is not None and words.asks):
        return "newest"
    if anchored and words.anchor is not None:
        return "newest" if words.anchor.relation == "before" else "oldest"
    return "relevance"


# --- things -----------------------------------------------------------------------------------------------------------------


def known_labels(memories: Memories) -> tuple[str, ...]:
    """Categories of objects and of what is remembered."""
    labels = {o.label for o in memories.scene.objects() if o.label}
    return tuple(sorted(labels | set(memories.episodic.labels())))


def things_named(text: str, labels: Iterable[str]) -> tuple[str, ...]:
    """The labels that the first thing named in a text may have: the same word or a synonym, and kinds of it ("table": "coffee table").

    Of names at one place the longest counts ("coffee table", not "table").
    """
    same: dict[str, list[str]] = {}
    kinds: dict[str, list[str]] = {}
    for label in labels:
        same.setdefault(canonical(label), []).append(label)
        tokens = normalise(label).split()
        for i in range(1, len(tokens)):
            kinds.setdefault(" ".join(tokens[i:]), []).append(label)
    tokens = re.findall(r"[a-z0-9]+", text.lower())
    for i in range(len(tokens)):
        for n in range(min(_MAX_WORDS, len(tokens) - i), 0, -1):
            if tokens[i] in STOP_WORDS or tokens[i + n - 1] in _NO_NOUNS:
                continue
            words = " ".join(tokens[i : i + n])
            found = [*same.get(canonical(words), ()), *kinds.get(normalise(words), ())]
            if found and not (n == 1 and deed_states(words)):
                return tuple(dict.fromkeys(found))
    return ()


_NO_NOUNS = STOP_WORDS - {"can"}


# --- times ------------------------------------------------------------------------------------------------------------------


def clock_of(memories: Memories) -> Clock | None:
    """The clock of the newest keyframe or episode; None: nothing is remembered."""
    newest = memories.episodic.edge("newest")
    if newest is None:
        return None
    session, stamp_ns = newest.session, newest.stamp_ns
    utc_offset_s, began_ns = memories.sessions.get(session, (0.0, 0))
    offset_ns = round(utc_offset_s * 1e9)
    if stamp_ns >= FIRST_WALL_CLOCK:
        return Clock(stamp_ns, session, offset_ns, False)
    oldest = memories.episodic.edge("oldest", session)
    began_stamp_ns = oldest.stamp_ns if oldest is not None else stamp_ns
    return Clock(stamp_ns, session, offset_ns + began_ns - began_stamp_ns, True)


def _bounds(span: Span, clock: Clock) -> tuple[int | None, int | None]:
    """[after, before) of a span of time in stamps [ns]; None: no such end."""
    if span.ago_s is not None:
        return clock.now_ns - round(span.ago_s * 1e9), None
    if span.ago_until_s is not None:
        return None, clock.now_ns - round((1.0 - _AGO_SHARE) * span.ago_until_s * 1e9)
    now = clock.local(clock.now_ns)
    now_minutes = 60.0 * now.hour + now.minute + now.second / 60.0

    def resolved(t: TimeOfDay) -> float:
        """Half past two is at night or in the afternoon: the later of both that is not yet to come."""
        if not t.is_sure and t.minutes < 720.0 and t.minutes + 720.0 <= now_minutes and t.minutes < 360.0:
            return t.minutes + 720.0
        return t.minutes

    times = {name: resolved(t) for name in ("after", "before", "at") if (t := getattr(span, name)) is not None}
    if span.after is not None and span.before is not None and times["after"] >= times["before"]:
        times["before"] += 720.0 if times["before"] + 720.0 > times["after"] and not span.before.is_sure else 1440.0
    day = span.day or 0
    if span.day is None and times and min(times.values()) > now_minutes:
        day = -1  # what is still to come today was yesterday
    after = clock.stamp(day, times["after"]) if "after" in times else None
    before = clock.stamp(day, times["before"]) if "before" in times else None
    if "at" in times:
        before = clock.stamp(day, times["at"]) + _MINUTE_NS
    if span.day is not None:
        after = after if after is not None else clock.stamp(day, 0.0)
        before = before if before is not None else clock.stamp(day, 1440.0)
    return after, before


def _moment(memories: Memories, anchor: Anchor, labels: tuple[str, ...], ask: Ask) -> int | None:
    """When it happened [ns], the last time; None: it is not known to have happened.

    What was seen to have moved left its place after it was last seen there: that is when it was moved, as far as is known.
    """
    clause = read_time_words(f"when was it that {anchor.clause}")
    named = things_named(anchor.clause, known_labels(memories))
    if re.search(r"\b(?:it|that|its|being|they|them)\b", anchor.clause) and not named:
        named = labels
    states = deed_states(anchor.clause)
    order = clause.order or "newest"
    if states and named:
        found = ask(Query(labels=named, states=states, kinds=("episode",), order=order, limit=1))
        if not found and "moved" in states:
            found = ask(Query(labels=named, states=_MOVED_UNKNOWN, kinds=("episode",), order=order, limit=1))
        if not found:
            return None
        return _left_ns(memories, found[0]) if anchor.relation == "before" else found[0].stamp_ns
    found = ask(Query(text=anchor.clause, kinds=("episode",), limit=1))
    return found[0].stamp_ns if found and found[0].score >= _SAME_EVENT else None


def _left_ns(memories: Memories, event: Evidence) -> int:
    """When something began that was noticed at an event: for a thing that moved, just after it was last seen where it had been."""
    if event.state in ("moved", "missing"):
        for change in reversed(memories.scene.changes()):
            is_it = change.object_id == event.object_id and change.stamp_ns == event.stamp_ns
            if is_it and change.old is not None and change.session == event.session:
                return min(change.old.last_seen_ns + 1, event.stamp_ns)
    return event.stamp_ns
