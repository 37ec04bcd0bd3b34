"""Doors, lids and drawers: parts of things that move on one joint, and what lies in them.

A joint is stated as in URDF: a point and an axis in its thing's frame, and how far it goes. `opening` is 0 closed, 1 open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from loci_sim.meshes import Floats

JointKind = Literal["hinge", "slide"]


@dataclass(frozen=True, eq=False)
class Joint:
    """How a part moves.

    Attributes:
        node: of the part, in the scene.
        kind: ``"hinge"`` turns about ``axis``, ``"slide"`` moves along it.
        origin: (3,) a point of the axis [m]; axis: (3,) of length 1. Both in the frame of the thing's box as it was stored.
        limit: from closed to open [rad or m].
        opening: at which the part was stored, 0..1.
    """

    node: str
    kind: JointKind
    origin: Floats
    axis: Floats
    limit: float
    opening: float = 0.0

    def motion(self, opening: float) -> Floats:
        """(4, 4) that takes the part from where it was stored to an opening, in the frame of the stored box."""
        return joint_motion(self.kind, self.origin, self.axis, (opening - self.opening) * self.limit)


@dataclass(frozen=True, eq=False)
class Interior:
    """Room in a thing: corners low, high (3,) in the frame of its stored box [m]; ``node``: of the part it moves with, or empty."""

    low: Floats
    high: Floats
    node: str = ""


def joint_motion(kind: JointKind, origin: Floats, axis: Floats, way: float) -> Floats:
    """(4, 4) of a hinge that turns by ``way`` [rad] about an axis through a point, or of a slide that moves along it [m]."""
    T = np.eye(4)
    if way == 0.0:
        return T
    if kind == "slide":
        T[:3, 3] = way * axis
        return T
    # Rodrigues' formula.
    x, y, z = axis
    K = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    T[:3, :3] += np.sin(way) * K + (1.0 - np.cos(way)) * (K @ K)
    T[:3, 3] = origin - T[:3, :3] @ origin
    return T


def joint_of(entry: dict[str, Any]) -> Joint:
    """A joint as a sidecar states it.

    Raises:
        ValueError: it is none; KeyError: a field is missing.
    """
    kind = str(entry["kind"])
    if kind not in get_args(JointKind):
        raise ValueError(f"expected a joint that is a {' or a '.join(get_args(JointKind))}, got {kind!r}")
    origin, axis = (np.array(entry[name], dtype=np.float64).reshape(3) for name in ("origin", "axis"))
    limit, opening = float(entry["limit"]), float(entry["opening"])
    if abs(float(np.linalg.norm(axis)) - 1.0) > 1e-3 or not np.all(np.isfinite(origin)):
        raise ValueError(f"expected an axis of length 1 and a finite origin of {entry['node']}, got {axis} at {origin}")
    if not (np.isfinite(limit) and 0.0 <= opening <= 1.0):
        raise ValueError(f"expected a finite limit and an opening in [0, 1], got {limit} and {opening}")
    return Joint(str(entry["node"]), kind, origin, axis, limit, opening)  # type: ignore[arg-type]


def interior_of(entry: dict[str, Any]) -> Interior:
    """Room in a thing as a sidecar states it."""
    low, high = (np.array(entry[name], dtype=np.float64).reshape(3) for name in ("low", "high"))
    return Interior(low, high, str(entry["node"]))
