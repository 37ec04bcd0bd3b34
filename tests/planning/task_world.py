"""A home on a grid in which tasks are carried out: things that are seen, gone, or found on the way, notes that are kept, and a navigation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from grid_world import APARTMENT, GridWorld, Page, walls_of
from kept_notes import NoteKeeper

from loci.geometry import Array
from loci.planning.driving import Driver, distance, drive_to
from loci.planning.navigated import NavigationState
from loci.planning.protocols import Answer, KnownFrontier, KnownObject, KnownPath, MemoryReader, Point
from loci.query import Evidence, Query

START = (2.0, 1.5, 0.0)


@dataclass
class Thing:
    """``is_there``: whether who looks at its place sees it; ``known``: whether the memory holds it; ``on``: id of what it lies on."""

    id: str
    label: str
    position: Point
    is_there: bool = True
    known: bool = False
    state: str = "present"
    stamp_ns: int = 0
    on: str = ""


class TaskWorld(NoteKeeper, GridWorld):
    """`GridWorld` with things: a thing is known once the robot was within ``sight`` of it, and gone once it looked from there and it was not."""

    def __init__(self, things: Sequence[Thing] = (), sight: float = 1.8, start: Point = START, **fields: Any) -> None:
        super().__init__(walls_of(APARTMENT, 4), start, **fields)
        self.things = {t.id: t for t in things}
        self.unreachable: list[Point] = []
        self.sight = sight

    def step(self, action: Any) -> Any:
        result = super().step(action)
        self.see()
        return result

    def see(self) -> None:
        for t in self.things.values():
            if distance(self.position()[:2], t.position[:2]) < self.sight:
                if t.is_there:
                    t.known, t.state, t.stamp_ns = True, "present", self._stamp_ns
                elif t.known and t.state != "held":
                    t.state = "missing"

    def evidence(self, t: Thing) -> Evidence:
        return Evidence(
            id=t.id,
            kind="object",
            text=f"{t.label} at ({t.position[0]:.0f}, {t.position[1]:.0f})",
            score=1.0,
            origin="scene",
            stamp_ns=t.stamp_ns,
            label=t.label,
            state=t.state,
            map_id="home",
            object_id=t.id,
            position=t.position,
            is_goal=t.state != "missing",
        )

    def clear(self) -> None:
        """Everything is forgotten."""
        for t in self.things.values():
            t.known = False
        self._stamp_ns = 0
        self.known[:] = False

    # --- memory ---

    def known_objects(self) -> tuple[KnownObject, ...]:
        return tuple(KnownObject(self.evidence(t), on=t.on) for t in self.things.values() if t.known)

    def recall(self, query: Query) -> Page:
        found: list[Evidence] = []
        if "object" in query.kinds:
            asked = [t for t in self.things.values() if query.object_id in (None, t.id)]
            found += [self.evidence(t) for t in asked if t.known and (not query.states or t.state in query.states)]
        if "episode" in query.kinds:
            found += self.notes.find(query)
        if "keyframe" in query.kinds and self._stamp_ns and not query.labels:
            T = np.eye(4)
            T[:3, 3] = self.position()
            found.append(
                Evidence("keyframe/1", "keyframe", "", 1.0, "long_term", self._stamp_ns, map_id="home", T_map_camera=T)
            )
        return Page(tuple(found), len(found))

    def remember(self, text: str, source: str, *, object_id: str = "", state: str = "", **fields: Any) -> str:
        if object_id and state:
            self.things[object_id].state = state
        return super().remember(text, source, object_id=object_id, state=state, **fields)

    def path_to(
        self, goal: Point, start: Point | None = None, tolerance: float = 0.0, min_stamp_ns: int = 0
    ) -> KnownPath:
        if any(distance(goal, p) < 0.6 for p in self.unreachable):
            return KnownPath(np.empty((0, 3)), 0.0, "a closed door is in the way")
        return super().path_to(goal, start, tolerance, min_stamp_ns)


class TablePlanner:
    """Knows a thing by its label, in the order of ids; ``facts`` are answers by question, given once the thing of that id was looked at."""

    def __init__(self, world: TaskWorld, facts: dict[str, str] | None = None) -> None:
        self.world, self.facts = world, facts or {}
        self.asked: list[str] = []

    def ask(self, question: str, memory: MemoryReader, limit: int = 10, with_images: bool = False) -> Answer:
        self.asked.append(question)
        known = [t for t in self.world.things.values() if t.known and t.label in question]
        found = tuple(self.world.evidence(t) for t in known)
        if question.startswith(("where is", "when did")):
            return Answer("there" if found else "not seen", bool(found), 0.9, found)
        seen = next((t for t in known if distance(self.world.position()[:2], t.position[:2]) < 1.7), None)
        if seen is not None and seen.id in self.facts:
            return Answer(self.facts[seen.id], True, 0.9, (self.world.evidence(seen),))
        return Answer("I do not know.", False, 0.0, found)


class Clock:
    """Time that passes when somebody waits for it [s]."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class GridNavigation:
    """Drives the robot of a `TaskWorld` one action each time it is asked how it goes; ``says``: whether it tells how, as an action does."""

    def __init__(self, world: TaskWorld, says: bool = False) -> None:
        self.world, self.says = world, says
        self.broken = False
        self.sent: list[Array] = []
        self.stops = 0
        self._way: Any = None
        self._state = NavigationState("unknown")

    def send(self, T_map_base: Array) -> None:
        self.sent.append(T_map_base)
        x, y, z = T_map_base[:3, 3].tolist()
        heading = float(np.arctan2(T_map_base[1, 0], T_map_base[0, 0]))
        self._way = drive_to(Driver(self.world, self.world, 10_000), (x, y, z), heading)
        self._state = NavigationState("driving")

    def state(self) -> NavigationState:
        if self._way is not None and not self.broken:
            progress = next(self._way, None)
            if progress is None or progress.outcome != "driving":
                self._way = None
                done = progress is not None and progress.outcome == "arrived"
                self._state = NavigationState("arrived") if done else NavigationState("failed", "the wheels slip")
        return self._state if self.says else NavigationState("unknown")

    def stop(self, T_map_base: Array | None) -> None:
        self.stops += 1
        self._way = None

    @property
    def stands(self) -> bool:
        return self._way is None

    def where(self) -> Array:
        c, s = np.cos(self.world.heading()), np.sin(self.world.heading())
        T = np.eye(4)
        T[:2, :2] = [[c, -s], [s, c]]
        T[:3, 3] = self.world.position()
        return T


class FlickeringFrontiers(TaskWorld):
    """Of two frontiers the one that is asked for is never the cheaper one: who follows the cheapest turns back for ever."""

    def __init__(self, a: Point, b: Point) -> None:
        super().__init__()
        self.ends = (a, b)
        self.n_asked = 0
        self.known[:] = True

    def known_frontiers(self, position: Point | None = None, min_stamp_ns: int = 0) -> tuple[KnownFrontier, ...]:
        self.n_asked += 1
        lengths = (2.0, 9.0) if self.n_asked % 2 else (9.0, 2.0)
        return tuple(
            KnownFrontier(f"frontier/{i}", p, p, (1.0, 0.0, 0.0), 0.5, length)
            for i, (p, length) in enumerate(zip(self.ends, lengths, strict=True))
        )
