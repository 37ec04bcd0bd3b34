"""The things of a scene as they are now: where they are and in which state. Ground truth; knows no robot and no images.

A `Scene` is what was loaded and never changes; a `World` begins as it and is changed by interactions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from loci.geometry import Array
from loci_sim.affordances import DOORS, Affordances, affordances
from loci_sim.protocol import INTERACTIONS, Interaction
from loci_sim.scenes import Scene, SceneThing

#: Share of the things that can be dirty which are so at first.
DIRTY = 0.3
#: Light of a room whose lamps are all off, of its light with all on.
DARK = 0.35


@dataclass(frozen=True, eq=False)
class ThingState:
    """A thing now.

    Attributes:
        T_map_box: (4, 4) pose of its box's centre; where it was last while it is held.
        room: id of its room.
        on: id of the thing that it rests on or lies in; empty: floor, wall or hand.
        inside: it lies in ``on`` and not on top of it.
        carrier: node of the drawer of ``on`` in which it moves along; empty: it does not.
        held: it is in the robot's hand.
        opening: how far it is open, 0..1; is_on, is_dirty. None where the thing cannot be so.
        gone: it was taken out of the scene.
    """

    T_map_box: Array
    room: str
    on: str
    inside: bool = False
    carrier: str = ""
    held: bool = False
    opening: float | None = None
    is_on: bool | None = None
    is_dirty: bool | None = None
    gone: bool = False

    @property
    def is_open(self) -> bool | None:
        """Whether it is open; a door that stands less than half open is not."""
        return None if self.opening is None else self.opening >= 0.5


class World:
    """All things of a scene with their states, which begin as follows from the scene's seed.

    At first doors are as the scene has them (open, if it does not say how they move) and containers closed, lamps are on and
    other devices off, and `DIRTY` of what can be dirty is. A door that cannot move where others do is locked.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._things = {o.id: o for o in scene.objects}
        moving = any(o.joints for o in scene.objects if o.category in DOORS)
        self._locked = {o.id for o in scene.objects if moving and o.category in DOORS and not o.joints}
        self._states: dict[str, ThingState] = {}
        self.restore()

    def restore(self) -> None:
        """Everything as it was at first."""
        rng = np.random.default_rng([self.scene.seed, 7])
        for o in self.scene.objects:
            can, dirty = affordances(o.category), bool(rng.random() < DIRTY)
            self._states[o.id] = ThingState(
                o.T_map_box,
                o.room,
                o.on,
                o.inside,
                self._carrier(o),
                opening=self._first_opening(o) if can.openable else None,
                is_on=can.lamp if can.switchable else None,
                is_dirty=dirty if can.cleanable else None,
            )

    def _first_opening(self, o: SceneThing) -> float:
        if o.joints:
            return o.joints[0].opening
        return float(o.category in DOORS and o.id not in self._locked)

    def _carrier(self, o: SceneThing) -> str:
        """The drawer that a thing lies in at first."""
        if not o.inside or o.on not in self._things:
            return ""
        outer = self._things[o.on]
        at = np.linalg.solve(outer.T_map_box, o.T_map_box[:, 3])[:3]
        return next((i.node for i in outer.interiors if np.all((at > i.low) & (at < i.high))), "")

    def thing(self, identity: str) -> SceneThing:
        """A thing as it was loaded.

        Raises:
            ValueError: there is none of this id.
        """
        if identity not in self._things:
            raise ValueError(f"expected the id of an object of {self.scene.map_id}, got {identity!r}")
        return self._things[identity]

    def can(self, identity: str) -> Affordances:
        """What can be done with a thing."""
        return affordances(self.thing(identity).category)

    def state(self, identity: str) -> ThingState:
        """A thing's state now."""
        self.thing(identity)
        return self._states[identity]

    @property
    def held(self) -> str:
        """Id of the thing in the robot's hand; empty: none."""
        return next((i for i, s in self._states.items() if s.held), "")

    def resting_on(self, identity: str) -> tuple[str, ...]:
        """Ids of what lies on or in a thing."""
        return tuple(i for i, s in self._states.items() if s.on == identity)

    @property
    def things(self) -> tuple[SceneThing, ...]:
        """All things where they are now, ordered by instance; one that is held or gone is where it was."""
        now = ((o, self._states[o.id]) for o in self.scene.objects)
        return tuple(replace(o, T_map_box=s.T_map_box, room=s.room, on=s.on, inside=s.inside) for o, s in now)

    def light(self, room: str) -> float:
        """Light of a room, of its light at first: 1 with all its lamps on or without any, `DARK` with all off."""
        lamps = [s.is_on for i, s in self._states.items() if s.room == room and self.can(i).lamp]
        return DARK + (1.0 - DARK) * sum(map(bool, lamps)) / len(lamps) if lamps else 1.0

    def refusal(self, interaction: Interaction, identity: str) -> str:
        """Why something cannot be done with a thing in its state; empty: it can.

        Raises:
            ValueError: there is no such interaction or no such thing.
        """
        if interaction not in INTERACTIONS:
            raise ValueError(f"expected an interaction among {', '.join(INTERACTIONS)}, got {interaction!r}")
        can, s, category = self.can(identity), self.state(identity), self.thing(identity).category
        if interaction == "pick":
            if not can.pickable:
                return f"a {category} cannot be picked up"
            if s.gone:
                return f"{identity} was taken away"
            if self.held:
                return f"the hand already holds {self.held}"
            if things := self.resting_on(identity):
                return f"{things[0]} lies on or in {identity}"
            if s.inside and self.can(s.on).openable and not self.state(s.on).is_open:
                return f"{identity} is in {s.on}, which is closed"
        elif interaction == "place":
            if not self.held:
                return "the hand is empty"
            if self.held == identity:
                return f"{identity} is in the hand itself"
            if not (can.surface or can.container):
                return f"nothing can be put on or into a {category}"
            if can.container and can.openable and not s.is_open and not can.surface:
                return f"{identity} is closed"
        elif interaction in ("open", "close"):
            if not can.openable:
                return f"a {category} cannot be opened or closed"
            if identity in self._locked:
                return f"{identity} is locked"
            if s.opening == float(interaction == "open"):
                return f"{identity} is already {'open' if s.is_open else 'closed'}"
        elif interaction in ("switch_on", "switch_off"):
            if not can.switchable:
                return f"a {category} cannot be switched on or off"
            if s.is_on == (interaction == "switch_on"):
                return f"{identity} is already {'on' if s.is_on else 'off'}"
        elif not can.cleanable:
            return f"a {category} cannot be cleaned"
        elif not s.is_dirty:
            return f"{identity} is already clean"
        return ""

    def takes_inside(self, identity: str) -> bool:
        """Whether what is put there now goes into it, and not on its top."""
        can = self.can(identity)
        return can.container and bool(self.state(identity).is_open or not can.openable)

    def take(self, identity: str) -> None:
        """Put a thing into the hand."""
        self._change(identity, on="", inside=False, carrier="", held=True)

    def take_away(self, identity: str) -> None:
        """Take a thing out of the scene."""
        self._change(identity, on="", inside=False, carrier="", gone=True)

    def put(self, identity: str, T_map_box: Array, on: str, inside: bool, carrier: str = "") -> None:
        """Put a thing somewhere: box pose (4, 4), on or in another thing, or in the drawer of it with the node ``carrier``."""
        x, y, z = T_map_box[:3, 3].tolist()
        # By its underside: what stands on a wardrobe is nearer to the upper floor.
        room = self.scene.room_at(x, y, z - float(self.thing(identity).size[2]) / 2)
        room_id = room.id if room else self.state(on).room if on else ""
        self._change(
            identity, T_map_box=T_map_box, room=room_id, on=on, inside=inside, carrier=carrier, held=False, gone=False
        )

    def set_state(self, interaction: Interaction, identity: str) -> None:
        """What an interaction other than pick and place changes."""
        if interaction in ("open", "close"):
            self.set_opening(identity, float(interaction == "open"))
            return
        changes: dict[str, dict[str, Any]] = {
            "switch_on": {"is_on": True},
            "switch_off": {"is_on": False},
            "clean": {"is_dirty": False},
        }
        self._change(identity, **changes[interaction])

    def set_opening(self, identity: str, opening: float) -> None:
        """Open a thing so far (0..1); what lies in its drawers moves along, and a door's box turns with its leaf."""
        thing, before = self.thing(identity), self.state(identity)
        for joint in thing.joints:
            old, new = (self.part_pose(identity, joint.node, q) for q in (before.opening or 0.0, opening))
            moved = new @ np.linalg.inv(old)
            for other in self.resting_on(identity):
                if self._states[other].carrier == joint.node:
                    self._shift(other, moved)
        leaf = next((j for j in thing.joints if j.node == thing.node), None)
        box = before.T_map_box
        if leaf is not None:
            box = thing.T_map_box if opening == leaf.opening else thing.T_map_box @ leaf.motion(opening)
        self._change(identity, opening=opening, T_map_box=box)

    def _shift(self, identity: str, moved: Array) -> None:
        """Move a thing and what rests on it."""
        for other in self.resting_on(identity):
            self._shift(other, moved)
        self._change(identity, T_map_box=moved @ self._states[identity].T_map_box)

    def part_pose(self, identity: str, node: str, opening: float | None = None) -> Array:
        """Pose (4, 4) now, or at an opening, of the frame in which the interiors that move with a part are stated.

        Args:
            node: of the part; empty: what does not move.
        """
        thing, state = self.thing(identity), self.state(identity)
        joint = next((j for j in thing.joints if j.node == node), None)
        if joint is None:
            return state.T_map_box
        # A door's box is its leaf's: it hangs where it was stored.
        frame = thing.T_map_box if joint.node == thing.node else state.T_map_box
        now = state.opening if opening is None else opening
        return frame if now == joint.opening else frame @ joint.motion(now or 0.0)

    def _change(self, identity: str, **changes: Any) -> None:
        self._states[identity] = replace(self._states[identity], **changes)

    def visible_states(self) -> dict[int, tuple[str, ...]]:
        """Whether what can be opened stands open, by instance: what a detector of states would see of it."""
        opened = ((o.instance, self.state(o.id).is_open) for o in self.scene.objects)
        return {instance: ("open" if is_open else "closed",) for instance, is_open in opened if is_open is not None}

    def as_dict(self) -> dict[str, Any]:
        """Poses and states of all things and the light of all rooms, for a JSON file."""
        objects = []
        for o in self.things:
            s = self._states[o.id]
            known = {"open": s.is_open, "on": s.is_on, "dirty": s.is_dirty}
            objects.append(
                {
                    "id": o.id,
                    "category": o.category,
                    "color": o.color,
                    "instance": o.instance,
                    "T_map_box": np.round(s.T_map_box, 6).tolist(),
                    "size": np.round(o.size, 6).tolist(),
                    "room": s.room,
                    "on": s.on,
                    "inside": s.inside,
                    "held": s.held,
                    **({"gone": True} if s.gone else {}),
                    **({} if s.opening is None else {"opening": round(s.opening, 6)}),
                    "states": {name: value for name, value in known.items() if value is not None},
                }
            )
        rooms = [
            {
                "id": r.id,
                "name": r.name,
                "polygon": r.polygon.tolist(),
                "floor": r.floor,
                "z": r.z,
                "light": self.light(r.id),
            }
            for r in self.scene.rooms
        ]
        return {"map_id": self.scene.map_id, "objects": objects, "rooms": rooms}
