"""Does what is done to things: changes the `World`, what is rendered of it and where the robot can stand, all three together.

Whether somebody sees and reaches a thing is not asked here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loci.geometry import Array, transform_points
from loci_sim.floorplan import STOREY
from loci_sim.meshes import planar_pose
from loci_sim.navigation import FloorMap, Levels
from loci_sim.protocol import Interaction
from loci_sim.rendering import Renderer
from loci_sim.scenes import Scene, SceneThing
from loci_sim.spots import box_at, box_between, box_inside, spots_on, upright_yaw
from loci_sim.world import World


@dataclass(frozen=True)
class Standing:
    """Where the robot stands: (x, y, z) [m], which nothing may be put upon, and how far it reaches [m]."""

    x: float
    y: float
    z: float = 0.0
    reach: float = np.inf


class Household:
    """The things of a scene as they are now.

    Args:
        scene: whose things they are.
        renderer: of the scene; shows every change from the next image on.
        floor: of the scene.
        levels: of the scene's floor at first.
    """

    def __init__(self, scene: Scene, renderer: Renderer, floor: FloorMap, levels: Levels) -> None:
        self.world, self.levels = World(scene), levels
        self._scene, self._renderer, self._floor = scene, renderer, floor
        self._nodes = {n.name: n for n in scene.nodes}
        # From a node's frame to its thing's box: a moved box takes its nodes along.
        self._T_box_node = {
            node: np.linalg.inv(o.T_map_box) @ self._nodes[node].T_map_node for o in scene.objects for node in o.nodes
        }
        for o in scene.objects:
            self._glow(o.id)

    def do(self, interaction: Interaction, identity: str, robot: Standing) -> str:
        """Do it, or say why it cannot be done; then nothing changed.

        Raises:
            ValueError: there is no such interaction or no such thing.
        """
        if reason := self.world.refusal(interaction, identity):
            return reason
        if interaction == "pick":
            self.world.take(identity)
            self._show(identity)
            self._update_floor(robot)
        elif interaction == "place":
            return self._put(self.world.held, identity, robot, None)
        elif interaction in ("open", "close"):
            return self._open(identity, float(interaction == "open"), robot)
        else:
            self.world.set_state(interaction, identity)
            self._glow(identity)
            self._light(self.world.state(identity).room)
        return ""

    def carry(self, identity: str, target: str, robot: Standing, rng: np.random.Generator) -> str:
        """Somebody else takes a thing and puts it on or into another one, opening and closing it as needed.

        Returns:
            Why it cannot be done; empty: it was done.

        Raises:
            ValueError: there is no such thing.
        """
        world, state = self.world, self.world.state(identity)
        can = world.can(target)
        if state.held:
            return f"the robot holds {identity}"
        if state.gone:
            return f"{identity} was taken away"
        if identity == target or not world.can(identity).pickable or not (can.surface or can.container):
            return f"{identity} cannot be carried to {target}"
        if things := world.resting_on(identity):
            return f"{things[0]} lies on or in {identity}"
        return self._put(identity, target, robot, rng)

    def take_away(self, identity: str, robot: Standing) -> str:
        """Somebody takes a thing out of the home: it is nowhere until all is restored.

        Returns:
            Why it cannot be done; empty: it was done.

        Raises:
            ValueError: there is no such thing.
        """
        world, state = self.world, self.world.state(identity)
        if state.held:
            return f"the robot holds {identity}"
        if not world.can(identity).pickable:
            return f"{identity} cannot be carried"
        if things := world.resting_on(identity):
            return f"{things[0]} lies on or in {identity}"
        world.take_away(identity)
        self._show(identity)
        self._update_floor(robot)
        return ""

    def restore(self, robot: Standing) -> None:
        """Everything as it was at first; nothing of it may then stand where the robot is, or the robot cannot move."""
        self.world.restore()
        for o in self._scene.objects:
            self._show(o.id)
        self._update_floor(robot)

    def instances_along(self, rays: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
        """Instances (N,) that rays (N, 6), origins and directions in the map, meet first; 0: none."""
        return self._renderer.depth_along(rays)[1]

    def _open(self, identity: str, opening: float, robot: Standing) -> str:
        """Open or close a thing, with what lies in its drawers, unless it would hit the robot on its way."""
        world, before = self.world, self.world.state(identity).opening or 0.0
        verb = "opening" if opening > before else "closing"
        if self._sweeps(identity, before, opening, robot):
            return f"{verb} {identity} would touch the robot"
        moved = [identity, *_all_resting_on(world, identity)]
        world.set_opening(identity, opening)
        for i in moved:
            self._show(i)
        if self._update_floor(robot):
            return ""
        world.set_opening(identity, before)
        for i in moved:
            self._show(i)
        self._update_floor(robot)
        return f"{verb} {identity} would touch the robot"

    def _sweeps(self, identity: str, start: float, end: float, robot: Standing) -> bool:
        """Whether a part of a thing comes nearer to the robot than its radius between two openings."""
        for joint in self.world.thing(identity).joints:
            points = np.concatenate([m.vertices for m in self._nodes[joint.node].meshes])
            low, high = points.min(axis=0), points.max(axis=0)
            for opening in np.linspace(start, end, 13)[1:]:
                T = self.world.part_pose(identity, joint.node, float(opening)) @ self._T_box_node[joint.node]
                if abs(T[2, 3] - robot.z) > STOREY / 2:
                    continue
                local = (np.array([robot.x, robot.y, T[2, 3]]) - T[:3, 3]) @ T[:3, :3]
                gap = np.maximum(np.maximum(low[:2] - local[:2], local[:2] - high[:2]), 0.0)
                if float(np.hypot(*gap)) < self._floor.radius:
                    return True
        return False

    def _put(self, identity: str, target: str, robot: Standing, rng: np.random.Generator | None) -> str:
        world, before = self.world, self.world.state(identity)
        inside = world.takes_inside(target) or not world.can(target).surface
        things = {o.id: o for o in world.things}
        carrier = ""
        if inside:
            T, carrier = self._place_inside(things, identity, target)
        else:
            T = self._place_on(things, identity, target, robot, rng)
        if T is None:
            return f"{target} has no free place for {identity} {'inside' if inside else 'on top'}{_within(robot)}"
        world.put(identity, T, target, inside, carrier)
        self._show(identity)
        self._light(before.room)
        if self._update_floor(robot):
            return ""
        if before.held:
            world.take(identity)
        else:
            world.put(identity, before.T_map_box, before.on, before.inside, before.carrier)
        self._show(identity)
        self._update_floor(robot)
        return f"{identity} on {target} would touch the robot"

    def _place_inside(self, things: dict[str, SceneThing], identity: str, target: str) -> tuple[Array | None, str]:
        """Pose (4, 4) of a thing's box in another one, None: there is none; and the drawer that it then lies in."""
        size, goal, world = things[identity].size, things[target], self.world
        held = [i for i in world.resting_on(target) if i != identity and world.state(i).inside]
        if not goal.interiors:
            return box_inside(goal, size, [things[i] for i in held]), ""
        for interior in goal.interiors:
            T = world.part_pose(target, interior.node)
            for turn in (0.0, np.pi / 2):
                covered = size if turn == 0.0 else size[[1, 0, 2]]
                spot = box_between(T, interior.low, interior.high, covered, [things[i] for i in held])
                if spot is not None:
                    return spot @ planar_pose(0.0, 0.0, 0.0, turn), interior.node
        return None, ""

    def _place_on(
        self,
        things: dict[str, SceneThing],
        identity: str,
        target: str,
        robot: Standing,
        rng: np.random.Generator | None,
    ) -> Array | None:
        """Pose (4, 4) of a thing's box on another one: nearest to the robot, or drawn from ``rng``; None: there is none."""
        size, goal = things[identity].size, things[target]
        away = {identity, target, self.world.held}
        # What is shut away in other things is in nobody's way.
        others = [
            o
            for o in things.values()
            if o.id not in away and not (self.world.state(o.id).inside or self.world.state(o.id).gone)
        ]
        for turn in (0.0, np.pi / 2):
            # A long thing may fit across where it does not fit along.
            covered = size if turn == 0.0 else size[[1, 0, 2]]
            spots = spots_on(self._renderer, goal, covered, others)
            distance = np.hypot(spots[:, 0] - robot.x, spots[:, 1] - robot.y)
            near = np.flatnonzero(distance <= robot.reach)
            if len(near):
                chosen = near[np.argmin(distance[near])] if rng is None else near[int(rng.integers(len(near)))]
                return box_at(spots[chosen], upright_yaw(goal.T_map_box) + turn, size)
        return None

    def _show(self, identity: str) -> None:
        """Let images and floor follow a thing's state; one in the hand, or taken away, is on neither."""
        thing, state = self.world.thing(identity), self.world.state(identity)
        for name in thing.nodes:
            if state.held or state.gone:
                self._renderer.move(name, None, state.room)
                self._floor.put(name, None)
                continue
            node, frame = self._nodes[name], self.world.part_pose(identity, name)
            # Where it was at first it is exactly as it was.
            T = node.T_map_node if frame is thing.T_map_box else frame @ self._T_box_node[name]
            self._renderer.move(name, T, state.room)
            triangles = [transform_points(T, m.vertices)[m.triangles] for m in node.meshes]
            self._floor.put(name, np.concatenate(triangles))
        self._glow(identity)
        self._light(state.room)

    def _glow(self, identity: str) -> None:
        """Let a lamp's shade shine or not."""
        if self.world.can(identity).lamp:
            self._renderer.set_glow(self.world.thing(identity).node, bool(self.world.state(identity).is_on))

    def _light(self, room: str) -> None:
        self._renderer.set_light(room, self.world.light(room))

    def _update_floor(self, robot: Standing) -> bool:
        """The grids as things stand now; False if the robot then stands in one of them (the grids stay)."""
        levels = self._floor.levels((robot.x, robot.y, robot.z))
        if levels.is_empty:
            return False
        self.levels = levels
        return True


def _all_resting_on(world: World, identity: str) -> list[str]:
    """Ids of what lies on or in a thing, and on or in that."""
    return [j for i in world.resting_on(identity) for j in (i, *_all_resting_on(world, i))]


def _within(robot: Standing) -> str:
    return f" within {robot.reach:g} m of the robot" if np.isfinite(robot.reach) else ""
