"""What the words of a question stand for in a memory: rooms by name, what lies near a thing, frontiers; and all of it as evidence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from loci.planning.phrases import UNNAMED
from loci.planning.protocols import KnownFrontier, KnownObject, KnownRoom, MemoryReader
from loci.query import Evidence
from loci.words import canonical

#: States of objects that are not where they were last.
AWAY = ("missing", "held")
#: Things this close count as next to one another [m], between their boxes.
NEAR_DISTANCE = 1.0


def related(relation: str, anchor: KnownObject, objects: Sequence[KnownObject]) -> list[KnownObject]:
    """What is on, in, under, above or near ``anchor``, nearest first; not what is missing or taken by now."""
    objects = [o for o in objects if o.evidence.state not in AWAY]
    if relation in ("on", "in"):
        return sorted(
            (o for o in objects if o.on == anchor.id), key=lambda o: (o.label in UNNAMED, -o.evidence.confidence, o.id)
        )
    if relation == "under" and anchor.on:
        return [o for o in objects if o.id == anchor.on]
    if anchor.evidence.position is None:
        return []
    others = [
        o
        for o in objects
        if o.id != anchor.id and o.evidence.position is not None and o.evidence.map_id == anchor.evidence.map_id
    ]
    if anchor.evidence.room:  # what stands behind the wall is not near
        others = [o for o in others if o.evidence.room == anchor.evidence.room]
    if not others:
        return []
    offsets = np.array([o.evidence.position for o in others]) - np.array(anchor.evidence.position)  # (N, 3) [m]
    reach = np.array([max(o.size[:2]) for o in others]) / 2 + max(anchor.size[:2]) / 2  # (N,) both half extents [m]
    gap = np.maximum(np.linalg.norm(offsets[:, :2], axis=1) - reach, 0.0)
    chosen = gap < NEAR_DISTANCE
    if relation in ("above", "under"):
        half_heights = np.array([o.size[2] for o in others]) / 2 + anchor.size[2] / 2
        sign = 1.0 if relation == "above" else -1.0
        chosen = (gap == 0.0) & (sign * offsets[:, 2] > 0.8 * half_heights)
    order = np.argsort(gap + 1e-3 * np.linalg.norm(offsets, axis=1), kind="stable")
    return [others[i] for i in order if chosen[i]]


def related_to(
    relation: str, anchors: Sequence[KnownObject], objects: Sequence[KnownObject]
) -> dict[str, list[KnownObject]]:
    """`related` of several anchors, by their ids; the objects are gone through once, not once for each anchor."""
    carried: defaultdict[str, list[KnownObject]] = defaultdict(list)
    in_room: defaultdict[str, list[KnownObject]] = defaultdict(list)
    for o in objects:
        carried[o.on].append(o)
        in_room[o.evidence.room].append(o)

    def candidates(anchor: KnownObject) -> Sequence[KnownObject]:
        if relation in ("on", "in"):
            return carried[anchor.id]
        if (relation == "under" and anchor.on) or not anchor.evidence.room:
            return objects
        return in_room[anchor.evidence.room]

    return {a.id: related(relation, a, candidates(a)) for a in anchors}


def inside(objects: Sequence[KnownObject], rooms: Sequence[KnownRoom]) -> list[KnownObject]:
    ids = {r.id for r in rooms}
    return [o for o in objects if not ids or o.evidence.room in ids]


def rooms_named(words: str, rooms: Sequence[KnownRoom]) -> list[KnownRoom]:
    """Rooms by id or name; "main bedroom" falls back on "bedroom"."""
    by_id = [r for r in rooms if r.id == words]
    if by_id:
        return by_id
    wanted = canonical(words)
    named = [r for r in rooms if r.name and canonical(r.name) == wanted]
    if not named and " " in wanted:
        return rooms_named(wanted.split(" ", 1)[1], rooms)
    return named


def room_evidence(room: KnownRoom, memory: MemoryReader) -> Evidence:
    name = room.name or "unnamed room"
    return Evidence(
        id=room.id,
        kind="room",
        text=f"{name} of {room.area:.0f} m2",
        score=1.0,
        origin="spatial",
        stamp_ns=memory.newest_stamp_ns,
        label=room.name,
        confidence=room.confidence,
        room=room.id,
        room_name=room.name,
        position=room.position,
        is_goal=True,
    )


def frontier_evidence(frontier: KnownFrontier, memory: MemoryReader) -> Evidence:
    return Evidence(
        id=frontier.id,
        kind="frontier",
        text=f"unexplored border of {frontier.area:.1f} m2, {frontier.path_length:.1f} m away",
        score=1.0 / (1.0 + frontier.path_length),
        origin="spatial",
        stamp_ns=memory.newest_stamp_ns,
        keyframe_id=frontier.keyframe_id,
        position=frontier.position,
        is_goal=True,
    )


def reachable(memory: MemoryReader) -> list[KnownFrontier]:
    return sorted((f for f in memory.known_frontiers() if f.path_length >= 0), key=lambda f: f.path_length)


def with_image(evidence: Evidence, memory: MemoryReader) -> Evidence:
    if evidence.kind != "object" or evidence.image is not None:
        return evidence
    return replace(evidence, image=memory.object_image(evidence.id))
