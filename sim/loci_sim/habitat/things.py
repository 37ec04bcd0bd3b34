"""The things of a scene of ours in Habitat: what is done to them is decided as in the embedded simulator and shown by the worker."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci_sim.embedded import RobotParameters
from loci_sim.habitat.axes import pose_to_habitat
from loci_sim.habitat.client import Client
from loci_sim.habitat.export import template_of
from loci_sim.household import Household, Standing
from loci_sim.navigation import FloorMap, navigation_from_start
from loci_sim.protocol import Interaction
from loci_sim.rendering import Renderer
from loci_sim.scenes import Scene
from loci_sim.spots import distance_to_box
from loci_sim.world import World


class Things:
    """All things of a scene. Finding free places takes the embedded simulator's geometry: only built when something is moved."""

    def __init__(self, scene: Scene, client: Client, parameters: RobotParameters) -> None:
        self._scene, self._client, self._parameters = scene, client, parameters
        self._nodes = {n.name: n for n in scene.nodes}
        self._household_now: Household | None = None
        self._fresh = World(scene)
        #: Where each thing was shown last; None: nowhere.
        self._shown: dict[str, Array | None] = {o.id: o.T_map_box for o in scene.objects}

    @property
    def world(self) -> World:
        """The things as they are now."""
        return self._household_now.world if self._household_now is not None else self._fresh

    @property
    def _household(self) -> Household:
        """What things are done with; call `show` after that."""
        if self._household_now is None:
            p = self._parameters
            floor = FloorMap(self._scene, p.radius, p.body_height)
            renderer = Renderer(self._scene, RobotParameters(width=16, height=16).camera)
            grid = navigation_from_start(self._scene, floor)
            self._household_now = Household(self._scene, renderer, floor, grid)
        return self._household_now

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
        reason = self._out_of_hand(identity, robot, look()) or self._household.do(interaction, identity, robot)
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
            state = self.world.state(thing.id)
            now = None if state.held else state.T_map_box
            if now is self._shown[thing.id]:
                continue
            self._shown[thing.id] = now
            T_map_node = self._nodes[thing.node].T_map_node
            # A moved box takes its node along; where it was at first it is exactly as it was.
            T = T_map_node if now is thing.T_map_box else None
            if now is not None and T is None:
                T = now @ np.linalg.inv(thing.T_map_box) @ T_map_node
            pose = None if T is None else pose_to_habitat(T)
            moved.append({"name": f"{template_of(thing.instance)}_:0000", "pose": pose})
        if moved:
            self._client.place(moved)
