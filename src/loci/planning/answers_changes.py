"""Answers about what changed: what is new, gone, moved or in another state, and where a thing was before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loci.planning.finding import Finder, Scene, as_sentence, keyframe_at, known_answer, named_with, rooms_phrase
from loci.planning.grounding import AWAY
from loci.planning.phrases import indefinite, name_of, place_phrase, room_phrase, time_phrase
from loci.planning.protocols import Answer, KnownObject, KnownPose, KnownRoom
from loci.query import MAX_LIMIT, Evidence, Query
from loci.time_words import read_time_words

#: Changes that are told one by one.
_MAX_TOLD = 8


def changes(finder: Finder, scene: Scene, rooms: Sequence[KnownRoom]) -> Answer:
    """What became of things, the newest of each, in the time that the question tells."""
    states = read_time_words(scene.question.text).states
    query = Query(text=scene.question.text, kinds=("episode",), states=states, order="newest", limit=MAX_LIMIT)
    by_id = {o.id: o for o in scene.objects}
    newest: dict[str, Evidence] = {}
    for e in scene.memory.recall(query).evidence:
        o = by_id.get(e.object_id)
        if not _is_outdated(e, o, scene) and (not rooms or _is_in(e, o, scene, rooms)):
            newest.setdefault(e.object_id or e.id, e)
    place = f" in {rooms_phrase(rooms, scene.rooms)}" if rooms else ""
    if not newest:
        return finder.unknown(scene, f"I have noticed nothing of that{place}.")
    told = [_told(e, by_id.get(e.object_id), scene) for e in newest.values()]
    more = f"; and {len(told) - _MAX_TOLD} more" if len(told) > _MAX_TOLD else ""
    sure = float(np.mean([e.confidence for e in newest.values()]))
    return Answer(as_sentence("; ".join(told[:_MAX_TOLD]) + more), True, sure, tuple(newest.values()))


def _is_outdated(e: Evidence, o: KnownObject | None, scene: Scene) -> bool:
    """Whether what was noticed turned out otherwise: what was gone is there again, what was new is what was elsewhere before."""
    if o is None or e.is_quoted:
        return False
    if e.state == "new":
        return any(p.last_seen_ns < e.stamp_ns for p in _before(scene, o))
    return e.state == "missing" and o.evidence.state not in AWAY


def _is_in(e: Evidence, o: KnownObject | None, scene: Scene, rooms: Sequence[KnownRoom]) -> bool:
    """Whether something happened in one of the rooms: there, or to a thing that was taken out of it."""
    ids = {r.id for r in rooms}
    if e.room in ids:
        return True
    if o is None or e.state != "moved":
        return False
    return any(p.room in ids for p in [p for p in scene.memory.known_poses(o.id) if p.last_seen_ns < e.stamp_ns][-1:])


def _told(e: Evidence, o: KnownObject | None, scene: Scene) -> str:
    name = name_of(e.label) if e.label else "something"
    when = time_phrase(e.stamp_ns)
    if e.is_quoted:
        return f'"{e.text}", said {e.source or "somebody"} {when}'
    room = f" in {room_phrase(e.room, e.room_name, scene.rooms)}" if e.room else ""
    if e.state == "new":
        return f"{indefinite(e.label)} is new{room}, seen {when}"
    if e.state == "missing":
        return f"the {name} is gone{room.replace(' in ', ' from ', 1)}, noticed {when}"
    if e.state == "present":
        return f"the {name} is there again{room}, seen {when}"
    if e.state == "held":
        return f"the {name} was taken{room} {when}"
    if e.state in ("moved", "placed"):
        poses = scene.memory.known_poses(o.id) if o is not None else ()
        upto = [p for p in poses if p.first_seen_ns <= e.stamp_ns]  # the last one is where it was moved to
        if len(upto) < 2:
            return f"the {name} was moved{room}, noticed {when}"
        return f"the {name} was moved: it was {_at(upto[-2], scene)}, and then {_at(upto[-1], scene)}, noticed {when}"
    return f"the {name} is {e.state}{room}, noticed {when}"


def before(finder: Finder, scene: Scene, rooms: Sequence[KnownRoom]) -> Answer:
    """Where a thing was before it was where it is now."""
    found = finder.find(scene, rooms)
    if not found.objects:
        return finder.not_seen(scene, rooms)
    moved = [(o, _before(scene, o)) for o in found.objects]
    o, poses = max(moved, key=lambda m: (len(m[1]) > 0, m[1][-1].last_seen_ns if m[1] else 0))
    name = named_with(o, scene.question.color)
    if not poses:
        text = f"I have seen the {name} nowhere else than {place_phrase(o, scene.objects, scene.rooms)}."
        return known_answer(found, text, [o.evidence])
    last = poses[-1]
    now = (
        "" if o.evidence.state in ("missing", "held") else f" Now it is {place_phrase(o, scene.objects, scene.rooms)}."
    )
    text = f"The {name} was {_at(last, scene)} before; I last saw it there {time_phrase(last.last_seen_ns)}.{now}"
    image = keyframe_at(scene, "newest", object_id=o.id, before_ns=last.last_seen_ns + 1)
    return known_answer(found, text, [o.evidence, *image])


def _before(scene: Scene, o: KnownObject) -> Sequence[KnownPose]:
    """Where an object was before; of one that is gone, where it was last is before."""
    poses = scene.memory.known_poses(o.id)
    return poses if o.evidence.state in ("missing", "held") else poses[:-1]


def _at(p: KnownPose, scene: Scene) -> str:
    parts = [f"in {room_phrase(p.room, p.room_name, scene.rooms)}"] if p.room else []
    parts += [f"on the {name_of(p.on)}"] if p.on else []
    x, y, z = (round(v, 2) + 0.0 for v in p.position)  # + 0.0: no "-0.00"
    return ", ".join([*parts, f"at ({x:.2f}, {y:.2f}, {z:.2f})"])
