"""Answers about things: where they are, whether and when they were seen, how many there are, their colours and states."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from loci.planning.answers_places import contents, rooms_known
from loci.planning.finding import (
    Finder,
    Scene,
    a_room,
    around,
    as_sentence,
    colored,
    gone,
    keyframe_at,
    known_answer,
    named_with,
    rooms_phrase,
    where_is,
    while_unexplored,
)
from loci.planning.grounding import reachable, room_evidence, rooms_named
from loci.planning.names import is_room_word
from loci.planning.phrases import counted, indefinite, name_of, number, place_phrase, room_phrase, time_phrase
from loci.planning.protocols import Answer, KnownObject, KnownRoom
from loci.query import Query
from loci.scene.attribute_votes import STATES, SYNONYMS

#: Frontiers so near to a thing may be of its room [m].
_ROOM_REACH = 4.0


def where(finder: Finder, scene: Scene, rooms: Sequence[KnownRoom]) -> Answer:
    q = scene.question
    found = finder.find(scene, rooms)
    # A toilet is a thing before it is a room; the office chair is no office.
    is_thing = found.match is not None and found.match.how == "word"
    if q.words.startswith("room/") or (is_room_word(q.words) and not is_thing):
        return _where_room(finder, scene)
    if not found.objects:
        return finder.not_seen(scene, rooms)
    places = [
        f"{indefinite(named_with(o, q.color))} {place_phrase(o, scene.objects, scene.rooms)}{gone(o)}"
        for o in found.objects
    ]
    if len(places) == 1:
        o = found.objects[0]
        verb = "was" if gone(o) else "is"
        text = f"The {named_with(o, q.color)} {verb} {place_phrase(o, scene.objects, scene.rooms)}{gone(o)}."
    else:
        shown = places[:5] + ([f"{number(len(places) - 5)} more"] if len(places) > 5 else [])
        text = f"I know {number(len(places))}: {'; '.join(shown)}."
    answer = known_answer(found, text, [o.evidence for o in found.objects])
    first = found.objects[0].evidence
    if first.room_name or first.position is None:
        return answer
    # A room that is seen in part has no name yet.
    return while_unexplored(answer, scene, [(first.position, _ROOM_REACH)])


def _where_room(finder: Finder, scene: Scene) -> Answer:
    meant = rooms_named(scene.question.words, scene.rooms)
    if not meant:
        return finder.unknown(scene, f"I have not seen {a_room(scene.question.words)}.")
    places = [
        f"{room_phrase(r.id, r.name, scene.rooms)} is around ({r.position[0]:.2f}, {r.position[1]:.2f})" for r in meant
    ]
    text = as_sentence("; ".join(places))
    return Answer(text, True, max(r.confidence for r in meant), tuple(room_evidence(r, scene.memory) for r in meant))


def seen(finder: Finder, scene: Scene, rooms: Sequence[KnownRoom]) -> Answer:
    if is_room_word(scene.question.words) and not finder.find(scene, rooms).objects:
        return _seen_room(finder, scene)
    found = finder.find(scene, rooms)
    if not found.objects:
        return finder.no(scene, rooms)
    o, n = found.objects[0], len(found.objects)
    if n == 1:
        text = f"Yes, I have seen {indefinite(named_with(o, scene.question.color))}: {place_phrase(o, scene.objects, scene.rooms)}{gone(o)}."
    else:
        newest = max(found.objects, key=lambda o: o.evidence.stamp_ns)
        text = (
            f"Yes, I have seen {counted(o.label for o in found.objects)}, the last one "
            f"{place_phrase(newest, scene.objects, scene.rooms)}{gone(newest)}."
        )
        found = replace(found, objects=(newest, *(o for o in found.objects if o is not newest)))
    return known_answer(found, text, [o.evidence for o in found.objects])


def _seen_room(finder: Finder, scene: Scene) -> Answer:
    meant = rooms_named(scene.question.words, scene.rooms)
    if not meant:
        return finder.no(scene, ())
    text = f"Yes, I know {rooms_phrase(meant, scene.rooms)}."
    return Answer(text, True, max(r.confidence for r in meant), tuple(room_evidence(r, scene.memory) for r in meant))


def count(finder: Finder, scene: Scene, rooms: Sequence[KnownRoom]) -> Answer:
    q = scene.question
    if q.words in ("room", "rooms"):
        return rooms_known(finder, scene, rooms)
    if q.words in ("thing", "object", "item", ""):
        return contents(finder, scene, rooms)
    place = f" in {rooms_phrase(rooms, scene.rooms)}" if rooms else ""
    found = finder.find(scene, rooms)
    if not found.objects and is_room_word(q.words) and (meant := rooms_named(q.words, scene.rooms)):
        text = f"I know {counted([q.words] * len(meant))}."
        return Answer(
            text, True, max(r.confidence for r in meant), tuple(room_evidence(r, scene.memory) for r in meant)
        )
    if not found.objects:
        return finder.no(scene, rooms)
    there = [o for o in found.objects if o.evidence.state != "missing"] or list(found.objects)
    found = replace(found, objects=tuple(there))
    text = f"I have seen {counted(colored(o.label, q.color) for o in there)}{place}."
    unexplored = "" if not reachable(scene.memory) else " Not everything is explored, so there may be more."
    answer = known_answer(
        found, text + unexplored, [o.evidence for o in found.objects], factor=0.9 if not unexplored else 0.6
    )
    return while_unexplored(answer, scene, around(rooms))


def color(finder: Finder, scene: Scene, rooms: Sequence[KnownRoom]) -> Answer:
    found = finder.find(scene, rooms)
    if not found.objects:
        return finder.not_seen(scene, rooms)
    colored = [o for o in found.objects if o.colors]
    if not colored:
        text = f"I have seen {indefinite(found.objects[0].label)}, but could not make out its colour."
        return replace(known_answer(found, text, [o.evidence for o in found.objects]), known=False)
    if len(colored) == 1:
        text = f"The {name_of(colored[0].label)} is {colored[0].colors[0]}."
    else:
        parts = [
            f"the {name_of(o.label)} {'in ' + where_is(o, scene) + ' ' if o.evidence.room else ''}is {o.colors[0]}"
            for o in colored[:5]
        ]
        text = as_sentence("; ".join(parts))
    return known_answer(found, text, [o.evidence for o in colored], factor=0.9)


def when(finder: Finder, scene: Scene, rooms: Sequence[KnownRoom]) -> Answer:
    last = scene.question.order == "last"
    found = finder.find(scene, rooms)
    if not found.objects:
        return finder.not_seen(scene, rooms)
    chosen = (
        max(found.objects, key=lambda o: o.evidence.stamp_ns)
        if last
        else min(found.objects, key=lambda o: o.first_seen_ns)
    )
    stamp_ns = chosen.evidence.stamp_ns if last else chosen.first_seen_ns
    text = f"I {'last' if last else 'first'} saw the {named_with(chosen, scene.question.color)} {time_phrase(stamp_ns)}, {place_phrase(chosen, scene.objects, scene.rooms)}."
    bounds = {"before_ns": stamp_ns + 1} if last else {"after_ns": stamp_ns}
    return known_answer(
        found,
        text,
        [replace(chosen.evidence, stamp_ns=stamp_ns), *keyframe_at(scene, "newest" if last else "oldest", **bounds)],
    )


def state(finder: Finder, scene: Scene, rooms: Sequence[KnownRoom]) -> Answer:
    found = finder.find(scene, rooms)
    if not found.objects:
        return finder.not_seen(scene, rooms)
    o = found.objects[0]
    told = scene.memory.recall(Query(object_id=o.id, kinds=("episode",), order="newest", limit=10)).evidence
    told = [e for e in told if e.state and e.state not in ("present", "missing", "moved", "held", "placed")]
    if told:
        text = f"The {name_of(o.label)} was {told[0].state} {time_phrase(told[0].stamp_ns)}, says {told[0].source or 'a record'}."
        return known_answer(found, text, [told[0], o.evidence])
    seen = _seen_state(finder, scene, o)
    if seen:
        text = f"The {name_of(o.label)} {place_phrase(o, scene.objects, scene.rooms)} is {seen}, as I saw it {time_phrase(o.evidence.stamp_ns)}."
        return known_answer(found, text, [o.evidence], factor=0.9)
    text = f"I do not know its state; the {name_of(o.label)} is {place_phrase(o, scene.objects, scene.rooms)}."
    return Answer(text, False, 0.0, tuple(o.evidence for o in found.objects))


def _seen_state(finder: Finder, scene: Scene, o: KnownObject) -> str:
    """State that the question is about, as a detector told it; empty: none did."""
    asked = set(re.findall(r"[a-z]+", scene.question.text.lower()))
    groups = [g for g in STATES if g & {SYNONYMS.get(w, w) for w in asked}] or STATES[:1]
    for state in sorted(groups[0]):
        query = Query(kinds=("object",), object_id=o.id, state=state, limit=1)
        if scene.memory.recall(query).evidence:
            return state
    return ""
