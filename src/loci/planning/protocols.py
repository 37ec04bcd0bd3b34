"""What a planner needs of a memory and of a robot, and what it answers.

`MemoryReader` is the narrow side of a memory: `loci.planning.local.LocalReader` gives it for a `RobotMemory` in the same
process, `loci.nodes.client.MemoryClient` over ROS services. Everything that crosses is a small frozen dataclass around
`Evidence`, so that an answer can be traced to what was seen. Nothing here computes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args, runtime_checkable

import numpy as np

from loci.geometry import Array
from loci.query import Evidence, Query

Point = tuple[float, float, float]
Action = Literal["move_forward", "turn_left", "turn_right", "look"]

ACTIONS: tuple[Action, ...] = get_args(Action)
#: Length of one "move_forward" [m].
STEP_LENGTH = 0.25
#: Angle of one "turn_left" or "turn_right" [rad].
TURN_ANGLE = float(np.pi / 6)


@dataclass(frozen=True)
class KnownObject:
    """An object as a planner sees it.

    Attributes:
        evidence: of kind "object": ``id``, ``label``, ``position`` (centre of its box), ``room``, ``room_name``,
            ``stamp_ns`` (last seen), ``confidence``, ``keyframe_id`` (best view); ``score`` ranks it where a text was asked.
        on: id of the object that it lies on or in; empty: none found.
        colors: dominant colours by name, most frequent first.
        size: of its box along the box's axes [m].
        first_seen_ns: [ns]
        n_detections: how often it was detected.
    """

    evidence: Evidence
    on: str = ""
    colors: tuple[str, ...] = ()
    size: Point = (0.0, 0.0, 0.0)
    first_seen_ns: int = 0
    n_detections: int = 1

    @property
    def id(self) -> str:
        return self.evidence.id

    @property
    def label(self) -> str:
        return self.evidence.label


@dataclass(frozen=True)
class KnownPose:
    """Where an object was over a span of time.

    Attributes:
        position: centre of its box [m], map frame.
        first_seen_ns, last_seen_ns: seen there from, and last [ns].
        state: "present": it is there; "moved": it went elsewhere; "missing": it was gone; "held": it was taken.
        room, room_name: id and name; empty: not known.
        on: label of what it lay on or in; empty: not known.
    """

    position: Point
    first_seen_ns: int
    last_seen_ns: int
    state: str = "present"
    room: str = ""
    room_name: str = ""
    on: str = ""


@dataclass(frozen=True)
class KnownRoom:
    """A room: ``position`` is a free point well inside [m], ``area`` its free floor [m2]; ``name`` is empty if not known."""

    id: str
    name: str = ""
    confidence: float = 0.0
    position: Point = (0.0, 0.0, 0.0)
    area: float = 0.0


@dataclass(frozen=True)
class KnownFrontier:
    """A border to the unknown (fields as in msg/Frontier).

    Attributes:
        position: free point to drive to [m].
        centroid: of the unexplored border cells [m].
        direction: unit vector from ``position`` into the unknown.
        area: of the unexplored border cells [m2].
        path_length: from the robot [m]; negative: not reachable.
        keyframe_id: photo of it; empty: none.
        information_gain: unknown volume that a camera at ``position`` would see [m3].
        floor: id; empty: not known.
    """

    id: str
    position: Point
    centroid: Point
    direction: Point
    area: float
    path_length: float
    keyframe_id: str = ""
    information_gain: float = 0.0
    floor: str = ""


@dataclass(frozen=True)
class KnownPath:
    """A path (N, 3) [m] in the map frame and its length [m]; ``reason`` says why there is none and is empty if there is one."""

    points: Array = field(repr=False)
    length: float
    reason: str = ""


class Recalled(Protocol):
    """A page of evidence; `n_total` counts what matched."""

    @property
    def evidence(self) -> Sequence[Evidence]: ...

    @property
    def n_total(self) -> int: ...


class MemoryReader(Protocol):
    """What planners ask of a memory. ``min_stamp_ns`` > 0: the answer includes observations up to that stamp (waits, bounded)."""

    @property
    def newest_stamp_ns(self) -> int:
        """Stamp of the newest observation taken in [ns]; 0: none yet."""

    def wait_for(self, stamp_ns: int) -> None:
        """Returns when observations up to this stamp are in (bounded)."""

    def recall(self, query: Query) -> Recalled:
        """Ranked evidence from all memories (srv/Recall)."""

    def known_objects(self) -> Sequence[KnownObject]:
        """All objects of the scene, those that are missing included (srv/FindObjects without conditions)."""

    def known_poses(self, object_id: str) -> Sequence[KnownPose]:
        """Where an object was, oldest first; the last one is where it is now, or was last (srv/GetObject)."""

    def known_rooms(self) -> Sequence[KnownRoom]:
        """All rooms (srv/GetTopology)."""

    def known_frontiers(self, position: Point | None = None, min_stamp_ns: int = 0) -> Sequence[KnownFrontier]:
        """Frontiers with path lengths from ``position`` (None: where the robot was last seen), nearest first (srv/GetFrontiers)."""

    def path_to(
        self, goal: Point, start: Point | None = None, tolerance: float = 0.0, min_stamp_ns: int = 0
    ) -> KnownPath:
        """Path on known free floor; no path is told by ``reason``, not by an exception (srv/FindPath)."""

    def object_image(self, object_id: str) -> bytes | None:
        """JPEG of an object's best view; None: there is none (srv/GetObject)."""


class NoteMemory(MemoryReader, Protocol):
    """A memory that keeps notes."""

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
        """Remember what no camera saw, with who says so; returns its id (srv/Remember)."""


@runtime_checkable
class AgentMemory(NoteMemory, Protocol):
    """What language models are given of a memory beyond `MemoryReader`: one object by its id, texts for a prompt, photos, and notes."""

    def known_object(self, object_id: str) -> KnownObject | None:
        """The object with this id; None: there is none (srv/GetObject)."""

    def path_to(
        self, goal: Point | str, start: Point | None = None, tolerance: float = 0.0, min_stamp_ns: int = 0
    ) -> KnownPath:
        """Path to a point or to a thing by its id."""

    def scene_graph(
        self,
        format: str = "text",
        max_characters: int = 100_000,
        *,
        question: str | None = None,
        position: Point | None = None,
    ) -> str:
        """Floors, rooms, objects and relations as "text" for a prompt, or as "json" (srv/SceneGraph).

        A text that must be cut has what is relevant to the question, near the position (None: the robot) and new.
        """

    def frontier_images(self, frontiers: Sequence[KnownFrontier]) -> Mapping[str, bytes]:
        """{frontier id: JPEG} of those that have a photo (srv/GetFrontiers)."""


@dataclass(frozen=True)
class StepResult:
    """Outcome of one action: whether the robot hit something instead, and the stamp of the image taken afterwards [ns]."""

    collided: bool
    stamp_ns: int


class Robot(Protocol):
    """A robot with discrete actions: forward by `STEP_LENGTH`, turns by `TURN_ANGLE`, "look" takes an image without moving."""

    def position(self) -> Point:
        """Of its base in the map frame [m]."""

    def heading(self) -> float:
        """Of its base about z [rad]; 0: along x, counter-clockwise positive."""

    def step(self, action: Action) -> StepResult:
        """Do it, and take an image."""


@dataclass(frozen=True)
class Answer:
    """What a planner answers.

    Attributes:
        answer: plain words.
        known: whether the memory knows; if not, ``evidence`` holds the frontiers to look at, if any are left.
        confidence: [0, 1].
        evidence: what the answer rests on, most important first; never empty if ``known``.
        look_at: id of the frontier to look at next, as the planner chose; empty: it has no preference.
        may_change: what lies near to what was asked for is unexplored: there may be more of it, or the room may get a name.
        look_close: ids of things in ``evidence`` that are to be looked at from close by before it is believed.
        resembles: it is about a thing of another name, or of nearly the colour: what was asked for itself may still be found.
    """

    answer: str
    known: bool
    confidence: float
    evidence: tuple[Evidence, ...] = ()
    look_at: str = ""
    may_change: bool = False
    resembles: bool = False
    look_close: tuple[str, ...] = ()


class Planner(Protocol):
    """Answers questions from a memory."""

    def ask(self, question: str, memory: MemoryReader, limit: int = 10, with_images: bool = False) -> Answer:
        """Answer with at most ``limit`` pieces of evidence.

        Raises:
            ValueError: the question is empty or too long, or ``limit`` is out of range.
        """
