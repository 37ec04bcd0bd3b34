"""The things of a scene in Habitat: what is done to those of ours is decided as in the embedded simulator and shown by the worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci_sim.habitat.axes import pose_to_habitat
from loci_sim.habitat.client import Client
from loci_sim.habitat.export import template_of
from loci_sim.household import Household, Standing
from loci_sim.navigation import FloorMap, levels_from_start
from loci_sim.person import PersonDeed, PersonEvent
from loci_sim.protocol import Interaction
from loci_sim.rendering import Renderer
from loci_sim.robot import RobotParameters
from loci_sim.scenes import Scene, SceneThing
from loci_sim.things import Look, SceneThings
from loci_sim.world import World


class HabitatThings(SceneThings):
    """All things of a scene of ours. Finding free places takes the embedded simulator's geometry: only built when something is moved."""

    def __init__(self, scene: Scene, client: Client, parameters: RobotParameters) -> None:
        super().__init__(parameters)
        self._scene, self._client = scene, client
        self._nodes = {n.name: n for n in scene.nodes}
        self._household_now: Household | None = None
        self._fresh = World(scene)
        #: Where each node was shown last; None: nowhere.
        self._shown: dict[str, Array | None] = {
            name: self._nodes[name].T_map_node for o in scene.objects for name in o.nodes
        }

    @property
    def household(self) -> Household:
        if self._household_now is None:
            p = self._parameters
            floor = FloorMap(self._scene, p.radius, p.body_height)
            renderer = Renderer(self._scene, RobotParameters(width=16, height=16).camera)
            self._household_now = Household(self._scene, renderer, floor, levels_from_start(self._scene, floor))
        return self._household_now

    @property
    def world(self) -> World:
        return self._household_now.world if self._household_now is not None else self._fresh

    def unable(self, interaction: Interaction, identity: str) -> str:
        if interaction in ("switch_on", "switch_off") and self.world.can(identity).lamp:
            return "Habitat cannot change the light of one room: lamps do not switch there"
        return ""

    def restore(self, robot: Standing) -> None:
        if self._household_now is not None:
            super().restore(robot)

    def show(self) -> None:
        """Let Habitat show every thing that is not where it was shown last."""
        moved = []
        for thing in self._scene.objects:
            held = self.world.state(thing.id).held
            for part, name in enumerate(thing.nodes):
                T = None if held else self._pose_of(thing, name)
                before = self._shown[name]
                if T is before or (T is not None and before is not None and np.array_equal(T, before)):
                    continue
                self._shown[name] = T
                pose = None if T is None else pose_to_habitat(T)
                moved.append({"name": f"{template_of(thing.instance, part)}_:0000", "pose": pose})
        if moved:
            self._client.place(moved)

    def _pose_of(self, thing: SceneThing, name: str) -> Array:
        """Pose (4, 4) of a node of a thing as it is now."""
        T_map_node, frame = self._nodes[name].T_map_node, self.world.part_pose(thing.id, name)
        # A moved box takes its nodes along; where it was at first they are exactly as they were.
        return T_map_node if frame is thing.T_map_box else frame @ np.linalg.inv(thing.T_map_box) @ T_map_node


class UnknownThings:
    """`Things` of a scene of others: nothing is known of what can be done with them."""

    objects: tuple[SceneThing, ...] = ()
    held = ""
    deeds: tuple[PersonDeed, ...] = ()

    def __init__(self, map_id: str) -> None:
        self._map_id = map_id

    def instances_along(self, rays: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
        """Nothing is known of what rays meet."""
        return np.zeros(len(rays), dtype=np.int32)

    def do(self, interaction: Interaction, identity: str, robot: Standing, look: Look) -> str:
        """Why nothing can be done."""
        return f"{self._map_id} is not a scene of Loci's: nothing is known of what can be done with its objects"

    def as_dict(self) -> dict[str, Any]:
        """As `HabitatThings`, without things."""
        return {"map_id": self._map_id, "objects": [], "rooms": [], "person": []}

    def add_person(self, events: Sequence[PersonEvent], now_ns: int, seed: int) -> None:
        """Raises ValueError."""
        raise ValueError(f"expected a scene of Loci's for a person to move things in, got {self._map_id}")

    def pass_time(self, robot: Standing, now_ns: int) -> None:
        """Nobody is there."""

    def restore(self, robot: Standing) -> None:
        """Nothing was changed."""
