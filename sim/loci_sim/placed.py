"""A model where it stands, and how several are placed together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from loci_sim.catalogue import Model
from loci_sim.floorplan import Rect
from loci_sim.meshes import Floats


@dataclass(frozen=True)
class Placed:
    """A model where it stands.

    Attributes:
        id: unique in the apartment, e.g. ``"chair_2"``.
        T_map_object: (4, 4) from the model's frame; yaw only.
        room: id of the room.
        on: id of the thing it rests on or lies in; empty: floor or wall.
        inside: it lies in it.
    """

    id: str
    model: Model
    T_map_object: Floats
    room: str
    on: str = ""
    inside: bool = False

    @property
    def box(self) -> tuple[Floats, Floats]:
        """Axis-aligned bounds (3,), (3,) in the map [m]."""
        c, s = np.abs(self.T_map_object[:2, 0])
        hx, hy, height = self.model.size / (2, 2, 1)
        half = np.array([c * hx + s * hy, s * hx + c * hy])
        p = self.T_map_object[:3, 3]
        return np.array([*(p[:2] - half), p[2]]), np.array([*(p[:2] + half), p[2] + height])

    @property
    def rect(self) -> Rect:
        low, high = self.box
        return Rect(float(low[0]), float(low[1]), float(high[0]), float(high[1]))


@dataclass(frozen=True)
class Member:
    """One of several things placed together: a model and its pose (x forward, y left, yaw) relative to the group."""

    model: Model
    x: float = 0.0
    y: float = 0.0
    yaw: float = 0.0
