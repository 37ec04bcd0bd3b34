"""The things of a scene, the person who moves them, and what the robot may do with them: decided alike in every simulator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from loci_sim.household import Household, Standing
from loci_sim.person import Person, PersonDeed, PersonEvent
from loci_sim.protocol import Interaction
from loci_sim.robot import RobotParameters
from loci_sim.scenes import SceneThing
from loci_sim.spots import distance_to_box
from loci_sim.world import World

#: Gives the instance image of the robot's camera.
Look = Callable[[], npt.NDArray[np.int32]]


class Things(Protocol):
    """What a simulator asks of the things in it."""

    @property
    def objects(self) -> tuple[SceneThing, ...]:
        """All things where they are now."""

    @property
    def held(self) -> str:
        """Id of the thing in the robot's hand; empty: none."""

    @property
    def deeds(self) -> tuple[PersonDeed, ...]:
        """What the person did or could not do so far."""

    def as_dict(self) -> dict[str, Any]:
        """Everything there is to know, for a JSON file."""

    def add_person(self, events: Sequence[PersonEvent], now_ns: int, seed: int) -> None:
        """Let somebody move things from now on; ValueError: nobody can, or an event names an object that is not in the scene."""

    def pass_time(self, robot: Standing, now_ns: int) -> None:
        """Let the person do what is due."""

    def do(self, interaction: Interaction, identity: str, robot: Standing, look: Look) -> str:
        """Do something with an object in view and in reach, or say why it cannot be done; ValueError: no such interaction or object."""

    def restore(self, robot: Standing) -> None:
        """Everything as it was at first."""

    def instances_along(self, rays: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
        """Instances (N,) that rays (N, 6), origins and directions in the map, meet first; 0: none."""


class SceneThings(ABC):
    """`Things` of a scene of ours.

    Args:
        parameters: of the robot: how far it reaches, and what it takes for seen.
    """

    def __init__(self, parameters: RobotParameters) -> None:
        self._parameters = parameters
        self._person: Person | None = None

    @property
    @abstractmethod
    def household(self) -> Household:
        """What things are done with; call `show` after that."""

    @property
    def world(self) -> World:
        """The things with their states as they are now."""
        return self.household.world

    @abstractmethod
    def show(self) -> None:
        """Let images follow what was done."""

    @property
    def objects(self) -> tuple[SceneThing, ...]:
        return self.world.things

    @property
    def held(self) -> str:
        return self.world.held

    @property
    def deeds(self) -> tuple[PersonDeed, ...]:
        return tuple(self._person.deeds) if self._person is not None else ()

    def as_dict(self) -> dict[str, Any]:
        deeds = [{**asdict(d.event), "stamp_ns": d.stamp_ns, "reason": d.reason} for d in self.deeds]
        return {**self.world.as_dict(), "person": deeds}

    def add_person(self, events: Sequence[PersonEvent], now_ns: int, seed: int) -> None:
        for identity in (i for e in events for i in (e.object_id, e.to_id)):
            self.world.thing(identity)
        self._person = Person(tuple(events), now_ns, seed)

    def pass_time(self, robot: Standing, now_ns: int) -> None:
        if self._person is not None:
            self._person.act(self.household, robot, now_ns)
            self.show()

    def do(self, interaction: Interaction, identity: str, robot: Standing, look: Look) -> str:
        reason = self.world.refusal(interaction, identity) or self.unable(interaction, identity)
        reason = reason or self._out_of_hand(identity, robot, look)
        reason = reason or self.household.do(interaction, identity, replace(robot, reach=self._parameters.reach))
        if not reason:
            self.show()
        return reason

    def unable(self, interaction: Interaction, identity: str) -> str:
        """Why this simulator cannot do what could be done; empty: it can."""
        return ""

    def restore(self, robot: Standing) -> None:
        self.household.restore(robot)
        self.show()

    def instances_along(self, rays: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
        return self.household.instances_along(rays)

    def _out_of_hand(self, identity: str, robot: Standing, look: Look) -> str:
        """Why an object cannot be touched from where the robot stands; empty: it can."""
        world, p = self.world, self._parameters
        # What lies in an open thing is reached through it.
        shown = world.state(identity).on if world.state(identity).inside else identity
        thing = next(o for o in world.things if o.id == shown)
        n_pixels = int(np.count_nonzero(look() == thing.instance))
        if n_pixels < p.min_pixels:
            return f"{shown} is not in view ({n_pixels} pixels, expected {p.min_pixels} or more)"
        distance = distance_to_box(thing, robot.x, robot.y)
        if distance > p.reach:
            return f"{shown} is out of reach ({distance:.2f} m, expected {p.reach:g} m or less)"
        return ""
