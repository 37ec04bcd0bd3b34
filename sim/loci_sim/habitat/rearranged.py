"""Objects that a file adds to somebody else's scene, and where a hand puts each of them, one place after the other.

So a recorded day can be done again: "pick" takes a thing out of sight, "place" puts what is held at its next pose. Nothing is looked
at and nothing is in reach or not: who does the day again knows where things are, as in the benchmarks that recorded it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from loci.geometry import Array, check_pose
from loci_sim.habitat.added import AddedObjects
from loci_sim.habitat.things import UnknownThings
from loci_sim.household import Standing
from loci_sim.protocol import INTERACTIONS, Interaction
from loci_sim.scenes import SceneError
from loci_sim.things import Look


@dataclass(frozen=True, eq=False)
class AddedThing:
    """An object of a file.

    Attributes:
        id: unique; category: what it is called.
        model: .glb or .object_config.json.
        poses: (4, 4) of the model in the map: at first, and wherever it is put after that.
    """

    id: str
    category: str
    model: Path
    poses: tuple[Array, ...] = field(repr=False)


def write_added(path: Path, things: list[AddedThing]) -> None:
    """Write objects as `read_added` reads them."""
    content = [
        {"id": t.id, "category": t.category, "model": str(t.model), "poses": [p.tolist() for p in t.poses]}
        for t in things
    ]
    path.write_text(json.dumps({"objects": content}) + "\n")


def read_added(path: Path) -> tuple[AddedThing, ...]:
    """Objects of a JSON file: {"objects": [{"id", "category", "model", "poses": [4 x 4, ...]}, ...]}.

    Raises:
        SceneError: no such file, or its content is another one.
    """
    try:
        found = []
        for o in json.loads(path.read_text())["objects"]:
            poses = tuple(np.array(p, dtype=np.float64) for p in o["poses"])
            for T in poses:
                check_pose(T, f"pose of {o['id']}")
            found.append(AddedThing(str(o["id"]), str(o["category"]), Path(o["model"]), poses))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SceneError(f"expected objects with id, category, model and poses in {path}: {error}") from error
    if len({o.id for o in found}) < len(found) or not all(o.poses for o in found):
        raise SceneError(f"expected objects of different ids with one pose or more each in {path}")
    return tuple(found)


class RearrangedThings(UnknownThings):
    """`UnknownThings`, and those of a file among them.

    Raises:
        SceneError: a model cannot be loaded.
    """

    def __init__(self, map_id: str, added: AddedObjects, things: tuple[AddedThing, ...]) -> None:
        super().__init__(map_id)
        self._added, self._things = added, {t.id: t for t in things}
        self._instances = {t.id: added.add(t.model, t.category, t.poses[0]) for t in things}
        self._at = dict.fromkeys(self._things, 0)
        self.held = ""

    def do(self, interaction: Interaction, identity: str, robot: Standing, look: Look) -> str:
        """Pick a thing up, or put what is held at its next place; why not, or empty.

        Raises:
            ValueError: there is no such interaction or no such object to pick up.
        """
        if interaction not in INTERACTIONS:
            raise ValueError(f"expected an interaction among {', '.join(INTERACTIONS)}, got {interaction!r}")
        if interaction == "pick":
            return self._pick(identity)
        if interaction == "place":
            return self._put()
        return f"objects that were added to {self._map_id} can be picked and placed, not {interaction}"

    def _pick(self, identity: str) -> str:
        if identity not in self._things:
            raise ValueError(f"expected one of the {len(self._things)} objects that were added, got {identity!r}")
        if self.held:
            return f"the hand holds {self.held}"
        self._added.hide(self._instances[identity])
        self.held = identity
        return ""

    def _put(self) -> str:
        if not self.held:
            return "the hand is empty"
        poses, i = self._things[self.held].poses, self._at[self.held] + 1
        if i == len(poses):
            return f"the file says no further place of {self.held}"
        self._added.move(self._instances[self.held], poses[i])
        self._at[self.held], self.held = i, ""
        return ""

    def as_dict(self) -> dict[str, Any]:
        """As `UnknownThings`, with the things of the file that are not in the hand."""
        poses = {i: self._added.pose(n) for i, n in self._instances.items()}
        objects = [
            {"id": i, "category": self._things[i].category, "T_map_box": T.tolist()}
            for i, T in poses.items()
            if T is not None
        ]
        return {**super().as_dict(), "objects": objects}

    def restore(self, robot: Standing) -> None:
        """All things where they were at first."""
        for identity, thing in self._things.items():
            if self._at[identity] or self.held == identity:
                self._added.move(self._instances[identity], thing.poses[0])
        self._at, self.held = dict.fromkeys(self._things, 0), ""
