"""The things of a scene of ours in Habitat: what is done to them is decided as in the embedded simulator and shown by the worker."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci_sim.embedded import RobotParameters
from loci_sim.habitat.axes import pose_to_habitat
from loci_sim.habitat.client import Client
from loci_sim.habitat.export import template_of
from loci_sim.household import Household, Standing
from loci_sim.navigation import FloorMap, levels_from_start
from loci_sim.person import Person, PersonDeed, PersonEvent
from loci_sim.protocol import Interaction
from loci_sim.rendering import Renderer
from loci_sim.scenes import Scene, SceneThing
from loci_sim.spots import distance_to_box
from loci_sim.world import World


class Things:
    """All things of a scene. Finding free places takes the embedded simulator's geometry: only built when something is moved."""

    def __init__(self, scene: Scene, client: Client, parameters: RobotParameters) -> None:
        self._scene, self._client, self._parameters = scene, client, parameters
        self._nodes = {n.name: n for n in scene.nodes}
        self._household_now: Household | None = None
        self._person: Person | None = None
        self._fresh = World(scene)
        #: Where each node was shown last; None: nowhere.
        self._shown: dict[str, Array | None] = {
            name: self._nodes[name].T_map_node for o in scene.objects for name in o.nodes
        }

    @property
    def world(self) -> World:
        """The things as they are now."""
        return self._household_now.world if self._household_now is not None else self._fresh

    @property
    def objects(self) -> tuple[SceneThing, ...]:
        """All things where they are now."""
        return self.world.things

    @property
    def held(self) -> str:
        """Id of the thing in the robot's hand; empty: none."""
        return self.world.held

    @property
    def deeds(self) -> tuple[PersonDeed, ...]:
        """What the person did or could not do so far."""
        return tuple(self._person.deeds) if self._person is not None else ()

    def as_dict(self) -> dict[str, Any]:
        """Everything there is to know, for a JSON file."""
        deeds = [{**asdict(d.event), "stamp_ns": d.stamp_ns, "reason": d.reason} for d in self.deeds]
        return {**self.world.as_dict(), "person": deeds}

    def add_person(self, events: Sequence[PersonEvent], now_ns: int, seed: int) -> None:
        """Let somebody move things from now on.

        Raises:
            ValueError: an event names an object that is not in the scene.
        """
        for identity in (i for e in events for i in (e.object_id, e.to_id)):
            self.world.thing(identity)
        self._person = Person(tuple(events), now_ns, seed)

    def pass_time(self, robot: Standing, now_ns: int) -> None:
        """Let the person do what is due."""
        if self._person is not None:
            self._person.act(self._household, robot, now_ns)
            self.show()

    @property
    def _household(self) -> Household:
        """What things are done with; call `show` after that."""
        if self._household_now is None:
            p = self._parameters
            floor = FloorMap(self._scene, p.radius, p.body_height)
            self._renderer = Renderer(self._scene, RobotParameters(width=16, height=16).camera)
            self._household_now = Household(self._scene, self._renderer, floor, levels_from_start(self._scene, floor))
        return self._household_now

    def instances_along(self, rays: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
        """Instances (N,) that rays (N, 6), origins and directions in the map, meet first; 0: none."""
        assert self._household is not None  # builds the geometry
        return self._renderer.depth_along(rays)[1]

    def do(
        self,
        interaction: Interaction,
        identity: str,
        robot: Standing,
        look: Callable[[], npt.NDArray[np.int32]],
    ) -> str:
        """Do something with an object in view and in reach, or say why it cannot be done.

        Args:
            look: gives the instance image of the robot's camera.

        Raises:
            ValueError: there is no such interaction or no such object.
        """
        if reason := self.world.refusal(interaction, identity):
            return reason
        if interaction in ("switch_on", "switch_off") and self.world.can(identity).lamp:
            return "Habitat cannot change the light of one room: lamps do not switch there"
        reaching = replace(robot, reach=self._parameters.reach)
        reason = self._out_of_hand(identity, robot, look()) or self._household.do(interaction, identity, reaching)
        if not reason:
            self.show()
        return reason

    def restore(self, robot: Standing) -> None:
        """Everything as it was at first."""
        if self._household_now is not None:
            self._household_now.restore(robot)
            self.show()

    def _out_of_hand(self, identity: str, robot: Standing, instances: npt.NDArray[np.int32]) -> str:
        """Why an object cannot be touched from where the robot stands; empty: it can."""
        world, p = self.world, self._parameters
        # What lies in an open thing is reached through it.
        shown = world.state(identity).on if world.state(identity).inside else identity
        thing = next(o for o in world.things if o.id == shown)
        n_pixels = int(np.count_nonzero(instances == thing.instance))
        if n_pixels < p.min_pixels:
            return f"{shown} is not in view ({n_pixels} pixels, expected {p.min_pixels} or more)"
        distance = distance_to_box(thing, robot.x, robot.y)
        if distance > p.reach:
            return f"{shown} is out of reach ({distance:.2f} m, expected {p.reach:g} m or less)"
        return ""

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

    def do(
        self,
        interaction: Interaction,
        identity: str,
        robot: Standing,
        look: Callable[[], npt.NDArray[np.int32]],
    ) -> str:
        """Why nothing can be done."""
        return f"{self._map_id} is not a scene of Loci's: nothing is known of what can be done with its objects"

    def as_dict(self) -> dict[str, Any]:
        """As `Things`, without things."""
        return {"map_id": self._map_id, "objects": [], "rooms": [], "person": []}

    def add_person(self, events: Sequence[PersonEvent], now_ns: int, seed: int) -> None:
        """Raises ValueError."""
        raise ValueError(f"expected a scene of Loci's for a person to move things in, got {self._map_id}")

    def pass_time(self, robot: Standing, now_ns: int) -> None:
        """Nobody is there."""

    def restore(self, robot: Standing) -> None:
        """Nothing was changed."""


def write_whole(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value, indent=1) + "\n")
    temporary.replace(path)
