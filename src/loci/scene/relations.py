"""Simple relations between objects, from their boxes and points as they are now: what lies on what, what is near."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loci.scene.tracks import SceneObject

#: A thing lies on a surface that is at most this far under or over its lowest point [m].
SUPPORT_GAP = 0.08
#: Part of a thing's footprint that lies over its carrier; less is enough where the carrier's top is just under it, because
#: what things stand on is mostly hidden by them.
INSIDE_SHARE, ON_EDGE_SHARE = 0.5, 0.1
#: What hangs on a wall does not lie on the furniture under it.
WALL_LABELS = frozenset({"blinds", "curtain", "door", "mirror", "painting", "picture", "poster", "window"})


@dataclass(frozen=True)
class Boxes:
    """What relations between N objects are told from, as arrays.

    Attributes:
        low, high: (N, 3) corners of the axis-aligned boxes [m].
        area: (N,) of the oriented boxes' footprints [m2].
        maps: (N,) ids of the maps.
        hangs: (N,) bool, things that hang on walls.
        rows: {object id: row}.
    """

    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    area: npt.NDArray[np.float64]
    maps: npt.NDArray[np.str_]
    hangs: npt.NDArray[np.bool_]
    rows: Mapping[str, int]

    @staticmethod
    def of(objects: Sequence[SceneObject]) -> Boxes:
        """The boxes of objects, in their order."""
        bounds = np.array([o.bounds for o in objects], dtype=np.float64).reshape(-1, 2, 3)
        sizes = np.array([o.size for o in objects], dtype=np.float64).reshape(-1, 3)
        return Boxes(
            low=bounds[:, 0],
            high=bounds[:, 1],
            area=sizes[:, 0] * sizes[:, 1],
            maps=np.array([o.map_id for o in objects], dtype=str),
            hangs=np.array([o.label in WALL_LABELS for o in objects], dtype=bool),
            rows={o.id: row for row, o in enumerate(objects)},
        )


def on_top_of(
    objects: Sequence[SceneObject], things: Collection[str] | None = None, boxes: Boxes | None = None
) -> dict[str, str]:
    """{id of an object: id of the object that it lies on or stands in}; things on the floor and on walls are left out.

    The carrier is under the thing, and has a part at the height of the thing's lowest point: its top, or a board.

    Args:
        objects: all that may carry something.
        things: ids of those whose carriers are asked for; None: of all.
        boxes: of ``objects``, if they are known already.
    """
    if len(objects) < 2:
        return {}
    boxes = boxes or Boxes.of(objects)
    asked = (
        np.arange(len(objects)) if things is None else np.array([boxes.rows[i] for i in things if i in boxes.rows], int)
    )
    low, high = boxes.low[asked], boxes.high[asked]  # (A, 3)
    common = np.minimum(high[:, None, :2], boxes.high[None, :, :2]) - np.maximum(
        low[:, None, :2], boxes.low[None, :, :2]
    )
    footprint = np.maximum(np.prod(high[:, :2] - low[:, :2], axis=1), 1e-4)
    over = np.prod(np.maximum(common, 0.0), axis=2) / footprint[:, None]  # (A, N) part of a's footprint over b
    to_top = np.abs(low[:, None, 2] - boxes.high[None, :, 2])
    possible = (
        ((over >= INSIDE_SHARE) | ((over >= ON_EDGE_SHARE) & (to_top <= SUPPORT_GAP)))
        & (boxes.maps[asked, None] == boxes.maps[None, :])
        & (boxes.area[asked, None] < 2.0 * boxes.area[None, :])  # a carrier may be seen in part only
        & (low[:, None, 2] > boxes.low[None, :, 2] + 0.02)
        & (low[:, None, 2] < boxes.high[None, :, 2] + SUPPORT_GAP)
        & ~boxes.hangs[asked, None]
    )
    possible[np.arange(len(asked)), asked] = False
    best: dict[str, tuple[float, str]] = {}
    for a, b in np.argwhere(possible):
        thing, carrier = objects[asked[a]], objects[b]
        gap = min(float(to_top[a, b]), _gap(low[a], high[a], carrier.points))
        if over[a, b] > 0.9 and high[a, 2] < boxes.high[b, 2]:
            gap = min(gap, SUPPORT_GAP)  # inside it: the board that it stands on is hidden
        cost = gap + 0.1 * (1.0 - min(1.0, float(over[a, b])))
        if gap <= SUPPORT_GAP and cost < best.get(thing.id, (np.inf, ""))[0]:
            best[thing.id] = (cost, carrier.id)
    return {a: b for a, (_, b) in best.items()}


def _gap(low: npt.NDArray[np.floating], high: npt.NDArray[np.floating], carrier: npt.NDArray[np.float32]) -> float:
    """Least difference in height [m] between a thing's lowest point and its carrier's points (M, 3) around its footprint."""
    margin = 0.05  # what lies under a thing is hidden by it: the surface around it is what was seen
    around = np.all((carrier[:, :2] >= low[:2] - margin) & (carrier[:, :2] <= high[:2] + margin), axis=1)
    return float(np.min(np.abs(carrier[around, 2] - low[2]), initial=np.inf))


def near(objects: Sequence[SceneObject], object_id: str, radius: float = 1.0) -> list[tuple[str, float]]:
    """Other objects of the same map whose boxes' centres are within ``radius`` [m], nearest first, with distances.

    Raises:
        KeyError: there is no such object.
    """
    this = next((o for o in objects if o.id == object_id), None)
    if this is None:
        raise KeyError(f"no object {object_id!r}")
    others = [o for o in objects if o.id != object_id and o.map_id == this.map_id]
    distances = [float(np.linalg.norm(np.subtract(o.center, this.center))) for o in others]
    return sorted(((o.id, d) for o, d in zip(others, distances, strict=True) if d <= radius), key=lambda pair: pair[1])
