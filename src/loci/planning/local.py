"""`LocalReader`: a `RobotMemory` in the same process, as planners read it. Over ROS, `loci.nodes.client.MemoryClient` does the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from loci.described_objects import DescribedObject
from loci.memory import RobotMemory
from loci.planning.protocols import KnownFrontier, KnownObject, KnownPath, KnownPose, KnownRoom, Point
from loci.query import Query
from loci.recall import Recollection


class LocalReader:
    """`MemoryReader` over a `RobotMemory`. Its answers hold every observation that `observe` returned for: ``min_stamp_ns`` needs no waiting."""

    def __init__(self, memory: RobotMemory) -> None:
        self._memory = memory
        self._objects: dict[str, tuple[DescribedObject, KnownObject]] = {}  # replaced, never written to

    @property
    def newest_stamp_ns(self) -> int:
        return self._memory.newest_stamp_ns

    def wait_for(self, stamp_ns: int) -> None:
        """Observations are in when `RobotMemory.observe` returns."""

    def recall(self, query: Query) -> Recollection:
        return self._memory.recall(query)

    def known_objects(self) -> tuple[KnownObject, ...]:
        self._memory.rooms()  # brings the rooms of the objects up to date
        known: dict[str, tuple[DescribedObject, KnownObject]] = {}
        before = self._objects
        for described in self._memory.described_objects():
            kept = before.get(described.object.id)
            if kept is None or kept[0] is not described:
                kept = described, _known(described)
            known[described.object.id] = kept
        self._objects = known
        return tuple(o for _, o in known.values())

    def known_object(self, object_id: str) -> KnownObject | None:
        """The object with this id; None: there is none."""
        if not self._memory.recall(
            Query(kinds=("object",), object_id=object_id, limit=1)
        ).evidence:  # counted as a use of it
            return None
        return next((o for o in self.known_objects() if o.id == object_id), None)

    def known_poses(self, object_id: str) -> tuple[KnownPose, ...]:
        return tuple(
            KnownPose(p.position, p.first_seen_ns, p.last_seen_ns, p.state, p.room, p.room_name, p.on)
            for p in self._memory.object_history(object_id)
        )

    def known_rooms(self) -> tuple[KnownRoom, ...]:
        return tuple(KnownRoom(r.id, r.name, r.confidence, _point(r.position), r.area) for r in self._memory.rooms())

    def known_frontiers(self, position: Point | None = None, min_stamp_ns: int = 0) -> tuple[KnownFrontier, ...]:
        frontiers = (
            KnownFrontier(
                f.id,
                _point(f.position),
                _point(f.centroid),
                _point(f.direction),
                f.area,
                length,
                f.keyframe_id,
                f.information_gain,
                f.floor,
            )
            for f, length in self._memory.frontiers(position)
        )
        return tuple(sorted(frontiers, key=lambda f: (f.path_length < 0, f.path_length)))

    def path_to(
        self, goal: Point | str, start: Point | None = None, tolerance: float = 0.0, min_stamp_ns: int = 0
    ) -> KnownPath:
        try:
            path = self._memory.find_path(start, goal, tolerance)
        except LookupError as error:
            return KnownPath(np.empty((0, 3)), 0.0, str(error))
        return KnownPath(path.points, path.length, path.reason)

    def object_image(self, object_id: str) -> bytes | None:
        try:
            return self._memory.object_image(object_id)
        except LookupError:
            return None

    def scene_graph(
        self,
        format: str = "text",
        max_characters: int = 100_000,
        *,
        question: str | None = None,
        position: Point | None = None,
    ) -> str:
        """Floors, rooms, objects and relations as text for a prompt, or as JSON; see `MemoryQuestions.scene_graph`."""
        return self._memory.scene_graph(format, max_characters, question=question, position=position)[0]

    def frontier_images(self, frontiers: Sequence[KnownFrontier]) -> dict[str, bytes]:
        """{frontier id: JPEG} of those that have a photo."""
        return {f.id: self._memory.image(f.keyframe_id) for f in frontiers if f.keyframe_id}

    def remember(
        self,
        text: str,
        source: str,
        *,
        labels: Sequence[str] = (),
        object_id: str = "",
        state: str = "",
        position: Point | None = None,
    ) -> str:
        """Remember what no camera saw; durable on return. Returns its id."""
        return self._memory.remember(text, source, labels=labels, object_id=object_id, state=state, position=position)


def _known(described: DescribedObject) -> KnownObject:
    o = described.object
    return KnownObject(
        described.evidence, described.on, tuple(o.colors), _point(o.size), o.first_seen_ns, o.n_detections
    )


def _point(values: npt.ArrayLike) -> Point:
    x, y, z = np.asarray(values, dtype=np.float64)
    return (float(x), float(y), float(z))
