"""Finds places for models in a room: against walls, on the free floor, on surfaces, on walls.

A thing on the floor is accepted only if the robot can still walk between all doors of the room and up to the front of
everything that must be reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import ndimage

from loci_sim.catalogue import Model, Surface, make_model
from loci_sim.floorplan import CEILING, WALL, FloorPlan, Rect, Room
from loci_sim.meshes import Floats, planar_pose
from loci_sim.placed import Member, Placed

__all__ = ["Member", "Placed", "RoomPlacer"]

#: Things stand this far from each other and from walls [m].
GAP = 0.012
#: The floor must stay passable for a robot of this radius [m].
PASSAGE_RADIUS = 0.3
#: Things placed near one another: their centres are at most so far apart [m].
NEIGHBOURS = 0.28
_CELL = 0.05


@dataclass
class RoomPlacer:
    """Places things in one room; keeps what is taken."""

    plan: FloorPlan
    room: Room
    rng: np.random.Generator
    counts: dict[str, int]
    classic: bool = False
    placed: list[Placed] = field(default_factory=list)
    _fronts: list[Rect] = field(default_factory=list)
    _targets: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._doors = [
            (d, d.side if d.rooms[0] == self.room.id else -d.side) for d in self.plan.doors if self.room.id in d.rooms
        ]
        self._door_zones = [d.zone(side) for d, side in self._doors]

    def model(self, name: str, color: str | None = None) -> Model:
        return make_model(name, self.rng, color, classic=self.classic)

    def against_wall(
        self,
        members: Sequence[Member],
        front: float = 0.6,
        *,
        corner: bool = False,
        opposite: Placed | None = None,
        tries: int = 60,
    ) -> list[Placed]:
        """Place a group with its back to a wall.

        Args:
            front: free depth needed before it [m].
            corner: prefer the ends of walls.
            opposite: prefer to face this thing.

        Returns:
            What was placed; empty if there is no room.
        """
        if front > 0 or len(members) == 1:
            # What opens needs the floor for its doors and drawers.
            front = max(front, *(m.model.reach for m in members))
        corners = np.concatenate([_corners(m) for m in members])
        low, high = corners.min(axis=0), corners.max(axis=0)
        poses: list[tuple[float, float, float, float]] = []
        for x, y, yaw, length, u in _walls(self.room.rect):
            # u: direction of the wall, to the left of the inward normal.
            span = length - (high[1] - low[1]) - 2 * GAP
            if span < 0:
                continue
            offsets = np.array([0.0, span]) if corner else np.arange(0.0, span + 1e-9, 0.05)
            for offset in offsets:
                along, depth = offset + GAP - low[1], GAP - low[0]
                inward = (np.cos(yaw), np.sin(yaw))
                px, py = x + u[0] * along + inward[0] * depth, y + u[1] * along + inward[1] * depth
                rank = float(self.rng.random())
                if opposite is not None:
                    gap = opposite.T_map_object[:2, 3] - (px, py)
                    facing = float(np.dot(gap, inward)) > 0 and np.dot(opposite.T_map_object[:2, 0], inward) < -0.9
                    rank += 10.0 * float(not facing) + abs(float(np.dot(gap, u)))
                poses.append((rank, px, py, yaw))
        poses.sort()
        for _, px, py, yaw in poses[:tries]:
            placed = self._try(members, px, py, yaw, front)
            if placed:
                return placed
        return []

    def on_floor(
        self, members: Sequence[Member], front: float = 0.0, *, margin: float = 0.0, tries: int = 80
    ) -> list[Placed]:
        """Place a group anywhere on the free floor, turned by a multiple of 90 degrees, ``margin`` [m] from walls."""
        r = self.room.rect.grown(-margin)
        for _ in range(tries):
            x, y = self.rng.uniform((r.x0, r.y0), (r.x1, r.y1))
            yaw = float(self.rng.integers(4)) * np.pi / 2
            placed = self._try(members, float(x), float(y), yaw, front)
            if placed:
                return placed
        return []

    def beside(self, anchor: Placed, member: Member, front: float = 0.0) -> list[Placed]:
        """Place one thing at a pose relative to another."""
        p = anchor.T_map_object @ planar_pose(member.x, member.y, 0.0, member.yaw)
        yaw = float(np.arctan2(p[1, 0], p[0, 0]))
        return self._try([Member(member.model)], float(p[0, 3]), float(p[1, 3]), yaw, front)

    def under(self, anchor: Placed, member: Member) -> bool:
        """Lay something flat (a rug) under a thing, which then rests on it. False if it would reach under others."""
        T = anchor.T_map_object @ planar_pose(member.x, member.y, 0.0, member.yaw)
        flat = self._new(member.model, T)
        others = [p for p in self.placed if p is not anchor and not p.on and p.T_map_object[2, 3] < 0.5]
        if not self.room.rect.contains(flat.rect.grown(0.05)) or any(
            flat.rect.grown(GAP).overlaps(p.rect) for p in others
        ):
            return False
        if not flat.rect.contains(anchor.rect) or self._in_leaf(flat.rect):
            return False
        lift = float(member.model.size[2]) + 0.001
        lifted = {anchor.id: flat.id}
        moved: list[Placed] = []
        for p in self.placed:
            if p.id in lifted or p.on in lifted:
                lifted.setdefault(p.id, p.on)
                raised = p.T_map_object.copy()
                raised[2, 3] += lift
                p = replace(p, T_map_object=raised, on=lifted[p.id])
            moved.append(p)
        self.counts[member.model.category] = self.counts.get(member.model.category, 0) + 1
        self.placed[:] = [*moved, flat]
        return True

    def on_surface(
        self,
        model: Model,
        support: Placed,
        *,
        level: int | None = None,
        center: bool = False,
        turn: float = 0.0,
        back: bool = False,
        near: Placed | None = None,
    ) -> list[Placed]:
        """Rest a thing on another.

        Args:
            level: which of the support's surfaces; by default a random one with room.
            center: in the middle of the surface.
            turn: largest turn away from the support's front [rad].
            back: at the rear edge.
            near: its centre within `NEIGHBOURS` of this thing, which rests on the same surface.
        """
        surfaces: list[Surface] = list(support.model.surfaces)
        order = [level] if level is not None else list(self.rng.permutation(len(surfaces)))
        # What hangs above a support is in the way as well.
        taken = [p.box for p in self.placed if p.on == support.id or (not p.on and p.T_map_object[2, 3] > 0.05)]
        for index in order:
            if not 0 <= index < len(surfaces):
                continue
            s = surfaces[index]
            if model.size[2] > s.headroom:
                continue
            for _ in range(25):
                yaw = float(self.rng.uniform(-turn, turn)) if turn else 0.0
                hx, hy = _half(model.size, yaw)
                half = np.array([hx, hy])
                low, high = np.array(s.low) + half, np.array(s.high) - half
                if np.any(high < low - 1e-9):
                    break
                x, y = (low + high) / 2 if center else self.rng.uniform(low, np.maximum(high, low))
                x = low[0] if back else x
                if near is not None:
                    place = np.linalg.solve(support.T_map_object, near.T_map_object[:, 3])
                    if abs(place[2] - s.z) > 0.01:
                        break
                    x, y = np.clip(place[:2] + self.rng.uniform(-NEIGHBOURS, NEIGHBOURS, 2), low, np.maximum(high, low))
                    if np.hypot(x - place[0], y - place[1]) > NEIGHBOURS:
                        continue
                candidate = self._new(model, support.T_map_object @ planar_pose(x, y, s.z + 0.001, yaw), on=support.id)
                box = candidate.box
                if not any(np.all(box[0] < t[1] + 0.02) and np.all(t[0] < box[1] + 0.02) for t in taken):
                    self._accept([candidate])
                    return [candidate]
                if center:
                    break
        return []

    def put_inside(self, model: Model, container: Placed, turn: float = 0.4) -> list[Placed]:
        """Lay a thing into a closed container, beside what is there; empty if it does not fit."""
        taken = [p.box for p in self.placed if p.on == container.id and p.inside]
        for index in self.rng.permutation(len(container.model.spaces)):
            s = container.model.spaces[int(index)]
            if model.size[2] > s.high[2] - s.low[2] - 0.01:
                continue
            for _ in range(12):
                yaw = float(self.rng.uniform(-turn, turn))
                half = np.array(_half(model.size, yaw)) + 0.005
                low, high = np.array(s.low[:2]) + half, np.array(s.high[:2]) - half
                if np.any(high < low):
                    break
                x, y = self.rng.uniform(low, high)
                T = container.T_map_object @ planar_pose(float(x), float(y), s.low[2] + 0.001, yaw)
                candidate = replace(self._new(model, T, on=container.id), inside=True)
                box = candidate.box
                if not any(np.all(box[0] < t[1] + 0.01) and np.all(t[0] < box[1] + 0.01) for t in taken):
                    self._accept([candidate])
                    return [candidate]
        return []

    def rest_at(self, model: Model, support: Placed, x: float, y: float) -> None:
        """Rest a thing on a support's first surface at (x, y) [m] in the support's frame, without a check of what else is there."""
        self._accept(
            [
                self._new(
                    model,
                    support.T_map_object @ planar_pose(x, y, support.model.surfaces[0].z + 0.001, 0.0),
                    on=support.id,
                )
            ]
        )

    def on_wall(
        self, model: Model, z: float, *, outer: bool = False, above: Placed | None = None, tries: int = 60
    ) -> list[Placed]:
        """Hang a thing on a wall with its lower edge at ``z`` [m]; with ``outer`` on the apartment's outer walls, or centred above a thing."""
        poses: list[tuple[float, float, float]] = []
        for x, y, yaw, length, u in _walls(self.room.rect):
            inward = np.array([np.cos(yaw), np.sin(yaw)])
            if outer and not self._at_edge(x, y, yaw):
                continue
            half = model.size[1] / 2 + 0.05
            if length < 2 * half:
                continue
            if above is not None:
                if np.dot(above.T_map_object[:2, 0], inward) < 0.9:
                    continue
                along = float(np.dot(above.T_map_object[:2, 3] - (x, y), u))
                offsets = np.array([along]) if half <= along <= length - half else np.empty(0)
            else:
                offsets = self.rng.uniform(half, length - half, 12)
            for along in offsets:
                px, py = np.array([x, y]) + np.array(u) * along + inward * (model.size[0] / 2 + 0.002)
                poses.append((float(px), float(py), yaw))
        self.rng.shuffle(poses)
        for px, py, yaw in poses[:tries]:
            candidate = self._new(model, planar_pose(px, py, z, yaw))
            low, high = candidate.box
            if high[2] > CEILING - 0.02:
                return []
            near_door = any(candidate.rect.grown(0.12).overlaps(d.passage) for d, _ in self._doors) or self._in_leaf(
                candidate.rect.grown(0.05)
            )
            clash = any(np.all(low - 0.03 < b[1]) and np.all(b[0] < high + 0.03) for b in (p.box for p in self.placed))
            if not near_door and not clash:
                self._accept([candidate])
                return [candidate]
        return []

    def _at_edge(self, x: float, y: float, yaw: float) -> bool:
        b = self.plan.bounds
        distance = {0: x - b.x0, 1: y - b.y0, 2: b.x1 - x, 3: b.y1 - y}[round(yaw / (np.pi / 2)) % 4]
        return abs(distance) < WALL

    def _in_leaf(self, rect: Rect) -> bool:
        return any(rect.overlaps(d.leaf) for d, side in self._doors if side == d.side)

    def _solids(self) -> list[Rect]:
        """Footprints of what the robot cannot drive over."""
        return [
            p.rect for p in self.placed if p.model.size[2] > 0.03 and p.T_map_object[2, 3] < (0.05 if p.on else 1.4)
        ]

    def _new(self, model: Model, T: Floats, on: str = "") -> Placed:
        number = self.counts.get(model.category, 0) + 1
        return Placed(f"{model.category.replace(' ', '_')}_{number}", model, T, self.room.id, on)

    def _accept(self, placed: Sequence[Placed]) -> None:
        for p in placed:
            self.counts[p.model.category] = self.counts.get(p.model.category, 0) + 1
        self.placed += placed

    def _try(self, members: Sequence[Member], x: float, y: float, yaw: float, front: float) -> list[Placed]:
        """Place a group at a pose if nothing stands in the way and the room stays passable."""
        T = planar_pose(x, y, 0.0, yaw)
        counts = dict(self.counts)
        group: list[Placed] = []
        for m in members:
            p = self._new(m.model, T @ planar_pose(m.x, m.y, 0.0, m.yaw))
            self.counts[m.model.category] = self.counts.get(m.model.category, 0) + 1
            group.append(p)
        self.counts.clear()
        self.counts.update(counts)
        rects = [p.rect for p in group]
        flat = [p.rect for p in self.placed if p.model.size[2] <= 0.03 and p.T_map_object[2, 3] < 0.05]
        taken = self._solids() + flat + self._door_zones + self._fronts
        inside = self.room.rect.grown(-GAP / 2)
        if any(not inside.contains(r) or any(r.grown(GAP).overlaps(t) for t in taken) for r in rects):
            return []
        corners = np.concatenate([_corners(m) for m in members])
        low, high = corners.min(axis=0), corners.max(axis=0)
        fronts, targets = list[Rect](), list[tuple[float, float]]()
        if front > 0:
            ends = np.array([[high[0], low[1], 0], [high[0] + front, high[1], 0]]) @ T[:3, :3].T + T[:3, 3]
            zone = Rect(*(float(v) for v in (*ends.min(axis=0)[:2], *ends.max(axis=0)[:2])))
            middle = T @ np.array([high[0] + max(front / 2, PASSAGE_RADIUS + 0.05), (low[1] + high[1]) / 2, 0.0, 1.0])
            if not self.room.rect.contains(zone) or any(zone.overlaps(r) for r in self._solids()):
                return []
            fronts, targets = [zone], [(float(middle[0]), float(middle[1]))]
        if not self._passable(rects, targets):
            return []
        self._fronts += fronts
        self._targets += targets
        self._accept(group)
        return group

    def _passable(self, extra: Sequence[Rect], targets: Sequence[tuple[float, float]]) -> bool:
        """Whether all doors and all places to be reached stay joined by free floor."""
        r = self.room.rect
        shape = (int(np.ceil(r.depth / _CELL)), int(np.ceil(r.width / _CELL)))
        free = np.zeros((shape[0] + 2, shape[1] + 2), dtype=bool)
        free[1:-1, 1:-1] = True

        def cells(rect: Rect) -> tuple[slice, slice]:
            rows = slice(max(int((rect.y0 - r.y0) / _CELL) + 1, 0), max(int(np.ceil((rect.y1 - r.y0) / _CELL)) + 1, 0))
            columns = slice(
                max(int((rect.x0 - r.x0) / _CELL) + 1, 0), max(int(np.ceil((rect.x1 - r.x0) / _CELL)) + 1, 0)
            )
            return rows, columns

        for rect in (*self._solids(), *extra):
            free[cells(rect)] = False
        labels, _ = ndimage.label(ndimage.distance_transform_edt(free) * _CELL > PASSAGE_RADIUS)
        points = [*self._targets, *targets]
        points += [z.center for z in self._door_zones]
        found = set()
        for x, y in points:
            row, column = int((y - r.y0) / _CELL) + 1, int((x - r.x0) / _CELL) + 1
            near = labels[max(row - 3, 0) : row + 4, max(column - 3, 0) : column + 4]
            values = np.unique(near[near > 0])
            if values.size == 0:
                return False
            found.add(int(values[0]) if values.size == 1 else int(np.bincount(near[near > 0]).argmax()))
        return len(found) <= 1


def _walls(r: Rect) -> Iterator[tuple[float, float, float, float, tuple[float, float]]]:
    """Start (x, y), inward yaw, length and direction (left of inward) of the four walls."""
    yield r.x0, r.y0, 0.0, r.depth, (0.0, 1.0)
    yield r.x1, r.y0, np.pi / 2, r.width, (-1.0, 0.0)
    yield r.x1, r.y1, np.pi, r.depth, (0.0, -1.0)
    yield r.x0, r.y1, -np.pi / 2, r.width, (1.0, 0.0)


def _half(size: Floats, yaw: float) -> tuple[float, float]:
    c, s = abs(np.cos(yaw)), abs(np.sin(yaw))
    return float(c * size[0] + s * size[1]) / 2, float(s * size[0] + c * size[1]) / 2


def _corners(m: Member) -> Floats:
    """Bounds (2, 2) of a member's footprint in the group's frame."""
    hx, hy = _half(m.model.size, m.yaw)
    return np.array([[m.x - hx, m.y - hy], [m.x + hx, m.y + hy]])
