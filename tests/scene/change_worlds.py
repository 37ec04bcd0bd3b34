"""What the tests of change share: worlds that differ by where things are, and a scene memory that is shown them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from scene_worlds import around, box, room

from loci.geometry import look_at
from loci.keyframes import Keyframe, Keyframes
from loci.observation import Observation
from loci.scene.memory import SceneMemory
from loci.scene.objects import SceneObject
from loci.store.store import Store
from synthetic import Box, World

SECOND = 1_000_000_000
TABLE = box("table", (0, 0, 0.72), (1.4, 0.9, 0.06))
SHELF = box("shelf", (3.4, 0, 0.5), (1.0, 0.5, 1.0))
#: On the table, and on the shelf.
HERE, THERE = (0.3, 0.1, 0.8), (3.4, 0.0, 1.05)
RED, BLUE = (200, 30, 30), (30, 60, 190)


def mug(center: Sequence[float] = HERE, color: tuple[int, int, int] = RED, label: str = "mug") -> Box:
    """A mug of 9 x 9 x 10 cm."""
    return replace(box(label, center, (0.09, 0.09, 0.1)), color=color)


def home(*things: Box) -> World:
    """A room with a table, a shelf and these things."""
    return room(TABLE, SHELF, *things)


def at_table(n: int = 4) -> list[np.ndarray]:
    """Poses around the table."""
    return around((0, 0, 0.7), 1.8, n)


def at_shelf(n: int = 4) -> list[np.ndarray]:
    """Poses in front of the shelf."""
    return [look_at((3.4 + x, -1.6, 1.5), (3.4, 0, 1.0)) for x in np.linspace(-0.8, 0.8, n)]


@lru_cache(maxsize=512)
def _rendered(world: World, pose: bytes) -> Observation:
    return world.observe(np.frombuffer(pose).reshape(4, 4).copy(), 0)


def observed(world: World, T_map_camera: np.ndarray, stamp_ns: int) -> Observation:
    """What is seen from a pose; each view of a world is rendered once."""
    found = _rendered(world, np.ascontiguousarray(T_map_camera, dtype=np.float64).tobytes())
    return replace(found, frame=replace(found.frame, stamp_ns=stamp_ns))


class Robot:
    """A scene memory and the clock of the robot that it belongs to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stamp_ns = 0
        self._n = 0
        self.open()

    def open(self) -> None:
        self.store = Store.open(self.folder)
        self.keyframes = Keyframes(self.store)
        self.scene = SceneMemory(self.store, self.keyframes)

    def reopen(self) -> None:
        """Stop and start again."""
        self.scene.save()
        self.store.commit()
        self.store.close()
        self.open()

    def look(self, world: World, poses: Iterable[np.ndarray], labels: Sequence[str] | None = None) -> list[Keyframe]:
        """Take in what is seen from poses, one second apart; detected are only things with these labels (None: all)."""
        taken = []
        for T in poses:
            self.stamp_ns += SECOND
            observation = observed(world, T, self.stamp_ns)
            if labels is not None:
                kept = tuple(d for d in observation.detections if d.label in labels)
                observation = replace(observation, detections=kept)
            taken.append(self.take(observation))
        return taken

    def take(self, observation: Observation) -> Keyframe:
        keyframe = self.keyframes.add(observation, session="day", map_id="map")
        self.scene.observe(observation, keyframe)
        return keyframe

    def wait(self, seconds: float = 60.0) -> None:
        self.stamp_ns += round(seconds * SECOND)

    def all(self, label: str) -> list[SceneObject]:
        return [o for o in self.scene.objects() if o.label == label]

    def one(self, label: str = "mug") -> SceneObject:
        (found,) = self.all(label)
        return found

    def told(self) -> list[tuple[str, str]]:
        """(kind, object id) of all changes."""
        return [(c.kind, c.object_id) for c in self.scene.changes()]
