"""A memory that is a table: what a planner reads, written down by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from loci.planning.protocols import KnownFrontier, KnownObject, KnownPath, KnownPose, KnownRoom, Point
from loci.query import Evidence, Query

SECOND = 1_000_000_000


@dataclass(frozen=True)
class Page:
    evidence: tuple[Evidence, ...]
    n_total: int


def thing(
    number: int,
    label: str,
    room: KnownRoom | None,
    position: Point,
    *,
    on: str = "",
    color: str = "",
    first_s: float = 1.0,
    last_s: float = 2.0,
    confidence: float = 0.9,
    state: str = "present",
    size: Point = (0.4, 0.4, 0.4),
) -> KnownObject:
    return KnownObject(
        Evidence(
            id=f"object/{number}",
            kind="object",
            text=label,
            score=1.0,
            origin="scene",
            stamp_ns=round(last_s * SECOND),
            label=label,
            state=state,
            confidence=confidence,
            room=room.id if room else "",
            room_name=room.name if room else "",
            object_id=f"object/{number}",
            keyframe_id=f"keyframe/{number}",
            position=position,
            map_id="home",
            is_goal=True,
        ),
        on=on,
        colors=(color,) if color else (),
        size=size,
        first_seen_ns=round(first_s * SECOND),
    )


class TableMemory:
    """Objects, rooms and frontiers as given; a keyframe every second that shows what was seen then."""

    def __init__(
        self,
        objects: Sequence[KnownObject] = (),
        rooms: Sequence[KnownRoom] = (),
        frontiers: Sequence[KnownFrontier] = (),
        episodes: Sequence[Evidence] = (),
    ) -> None:
        self.objects, self.rooms, self.frontiers, self.episodes = objects, rooms, frontiers, episodes
        self.poses: dict[str, tuple[KnownPose, ...]] = {}
        last = max((o.evidence.stamp_ns for o in objects), default=0)
        self.keyframes = [
            Evidence(
                id=f"keyframe/{s}",
                kind="keyframe",
                text="",
                score=1.0,
                origin="long_term",
                stamp_ns=s * SECOND,
                keyframe_id=f"keyframe/{s}",
            )
            for s in range(last // SECOND + 1)
            if last
        ]

    @property
    def newest_stamp_ns(self) -> int:
        return max((k.stamp_ns for k in self.keyframes), default=0)

    def wait_for(self, stamp_ns: int) -> None: ...

    def recall(self, query: Query) -> Page:
        found = [
            e
            for e in self.episodes
            if "episode" in query.kinds
            and query.object_id in (None, e.object_id)
            and (not query.states or e.state in query.states)
        ]
        found += [
            e
            for e in self.keyframes
            if "keyframe" in query.kinds
            and (query.after_ns is None or e.stamp_ns >= query.after_ns)
            and (query.before_ns is None or e.stamp_ns < query.before_ns)
        ]
        found.sort(key=lambda e: e.stamp_ns, reverse=query.order == "newest")
        if query.with_images:
            found = [replace(e, image=f"image of {e.id}".encode()) for e in found]
        return Page(tuple(found[: query.limit]), len(found))

    def known_objects(self) -> Sequence[KnownObject]:
        return self.objects

    def known_poses(self, object_id: str) -> Sequence[KnownPose]:
        return self.poses.get(object_id, ())

    def known_rooms(self) -> Sequence[KnownRoom]:
        return self.rooms

    def known_frontiers(self, position: Point | None = None, min_stamp_ns: int = 0) -> Sequence[KnownFrontier]:
        return self.frontiers

    def path_to(
        self, goal: Point, start: Point | None = None, tolerance: float = 0.0, min_stamp_ns: int = 0
    ) -> KnownPath:
        return KnownPath(np.array([start or (0.0, 0.0, 0.0), goal]), 1.0)

    def object_image(self, object_id: str) -> bytes | None:
        return f"image of {object_id}".encode()


KITCHEN = KnownRoom("room/1", "kitchen", 0.9, (1.0, 1.0, 0.0), 12.0)
BEDROOM = KnownRoom("room/2", "bedroom", 0.8, (5.0, 1.0, 0.0), 15.0)
GUEST_ROOM = KnownRoom("room/3", "bedroom", 0.8, (9.0, 1.0, 0.0), 10.0)
LIVING_ROOM = KnownRoom("room/4", "living room", 0.9, (5.0, 6.0, 0.0), 25.0)
NAMELESS = KnownRoom("room/5", "", 0.0, (9.0, 6.0, 0.0), 5.0)
ROOMS = (KITCHEN, BEDROOM, GUEST_ROOM, LIVING_ROOM, NAMELESS)


def home(frontiers: Sequence[KnownFrontier] = (), episodes: Sequence[Evidence] = ()) -> TableMemory:
    """A home with five rooms and fifteen things."""
    objects = (
        thing(1, "table", KITCHEN, (1.0, 2.0, 0.4), first_s=1, last_s=20, color="brown", size=(1.2, 0.8, 0.8)),
        thing(
            2, "mug", KITCHEN, (1.1, 2.1, 0.85), on="object/1", first_s=3, last_s=20, color="red", size=(0.1, 0.1, 0.1)
        ),
        thing(
            3,
            "plate",
            KITCHEN,
            (0.8, 2.1, 0.82),
            on="object/1",
            first_s=3,
            last_s=19,
            color="white",
            size=(0.2, 0.2, 0.03),
        ),
        thing(4, "refrigerator", KITCHEN, (0.3, 0.3, 0.9), first_s=2, last_s=12, color="white"),
        thing(5, "chair", KITCHEN, (1.8, 2.0, 0.4), first_s=4, last_s=15, color="brown"),
        thing(6, "chair", KITCHEN, (0.2, 2.0, 0.4), first_s=4, last_s=16, color="brown"),
        thing(7, "bed", BEDROOM, (5.0, 1.5, 0.3), first_s=30, last_s=38, color="blue", size=(2.0, 1.6, 0.6)),
        thing(
            8,
            "pillow",
            BEDROOM,
            (5.0, 2.0, 0.65),
            on="object/7",
            first_s=31,
            last_s=38,
            color="white",
            size=(0.5, 0.3, 0.1),
        ),
        thing(9, "bed", GUEST_ROOM, (9.0, 1.5, 0.3), first_s=40, last_s=45, color="green", size=(2.0, 1.6, 0.6)),
        thing(10, "sofa", LIVING_ROOM, (5.0, 7.0, 0.4), first_s=50, last_s=60, color="grey", size=(2.0, 0.9, 0.8)),
        thing(
            11, "coffee table", LIVING_ROOM, (5.0, 6.0, 0.2), first_s=50, last_s=61, color="brown", size=(1.0, 0.6, 0.4)
        ),
        thing(12, "picture", LIVING_ROOM, (5.0, 7.3, 1.6), first_s=52, last_s=58, size=(0.8, 0.05, 0.5)),
        thing(13, "chair", LIVING_ROOM, (8.0, 7.0, 0.4), first_s=52, last_s=59, color="black"),
        thing(14, "rug", LIVING_ROOM, (5.0, 6.0, 0.01), first_s=50, last_s=61, color="red", size=(2.0, 1.5, 0.02)),
        thing(15, "vase", None, (12.0, 0.0, 0.5), first_s=54, last_s=55, color="blue"),
        thing(16, "book", BEDROOM, (5.1, 1.4, 0.62), on="object/7", first_s=32, last_s=36, state="missing"),
    )
    return TableMemory(objects, ROOMS, frontiers, episodes)


FRONTIERS = (
    KnownFrontier("frontier/2", (3.0, 3.0, 0.0), (3.5, 3.0, 0.0), (1.0, 0.0, 0.0), 1.5, 7.0),
    KnownFrontier("frontier/1", (2.0, 3.0, 0.0), (2.5, 3.0, 0.0), (1.0, 0.0, 0.0), 0.5, 2.0),
    KnownFrontier("frontier/3", (20.0, 3.0, 0.0), (20.5, 3.0, 0.0), (1.0, 0.0, 0.0), 0.5, -1.0),
)
