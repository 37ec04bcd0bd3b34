"""Relations between objects, computed when asked for, from their boxes and points as they are now.

Boxes are the oriented ones; where boxes cannot tell (a book in a shelf, a pillow on a bed with a headboard), points do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from loci.scene import relation_kernels as kernels
from loci.scene.tracks import SceneObject

RelationKind = Literal["on", "in", "under", "next_to", "left_of", "right_of", "between", "nearest"]
RELATIONS: tuple[RelationKind, ...] = get_args(RelationKind)

#: A thing lies on a surface that is at most this far under or over its lowest point [m].
SUPPORT_GAP = 0.08
#: Part of a thing's footprint that lies over its carrier; less is enough where the carrier's top is just under it, because
#: what things stand on is mostly hidden by them.
INSIDE_SHARE, ON_EDGE_SHARE = 0.5, 0.1
#: Less than the half is enough as well where the carrier has points just under it: of a bed only a part may have been seen.
ON_PART_SHARE = 0.3
#: A surface is looked for so far around a thing's footprint: what lies under a thing is hidden by it [m].
AROUND = 0.05
#: A thing is in another one if that has walls in so many of eight directions (a sofa's back and arms are fewer), or something
#: over so many of nine parts of its top; standing on the same floor, it is in what has both, with fewer walls: a door is open.
MIN_WALLS, MIN_WALLS_COVERED, MIN_COVER = 7, 5, 4
#: What hangs over a thing by more has nothing to do with it [m].
UNDER_REACH = 1.0
#: Left and right are told of things up to this distance [m]; further ones are not what anybody means.
SIDE_REACH = 2.0
#: Things stand between two others if these lie in directions that differ by at least this angle [rad].
BETWEEN_ANGLE = np.deg2rad(145.0)
MAX_BETWEEN = 3
#: What hangs on a wall does not lie on the furniture under it.
WALL_LABELS = frozenset({"blinds", "curtain", "door", "mirror", "painting", "picture", "poster", "window"})
#: One lies on these, not in them, whatever backs and arms they have.
SEAT_LABELS = frozenset({"armchair", "bed", "bench", "chair", "couch", "office chair", "sofa", "stool"})
#: Objects in these states are not where their boxes are.
_ELSEWHERE = frozenset({"missing", "held"})


@dataclass(frozen=True)
class Relation:
    """A relation of one object to another, or, for "between", to two others.

    Attributes:
        subject: id of the object that it is told of.
        relation: what it is; "left_of" and "right_of" as seen from the viewpoint that was given.
        objects: ids of the others; two for "between", one otherwise.
        distance: between their surfaces [m], for "between" to the nearer one.
        confidence: [0, 1].
    """

    subject: str
    relation: RelationKind
    objects: tuple[str, ...]
    distance: float
    confidence: float


@dataclass(frozen=True)
class Boxes:
    """What relations between N objects are told from, as arrays.

    Attributes:
        objects: the objects, in the order of the rows.
        low, high: (N, 3) corners of the axis-aligned boxes around the oriented ones [m].
        centers: (N, 3) [m]; axes: (N, 2) horizontal unit vectors of the oriented boxes' first edges; halves: (N, 2) half edges [m].
        area: (N,) of the oriented boxes' footprints [m2].
        maps: (N,) numbers of the maps.
        hangs: (N,) bool, things that hang on walls; seats: (N,) bool, things to sit or lie on.
        here: (N,) bool, things that are where their boxes are.
        rows: {object id: row}.
    """

    objects: Sequence[SceneObject]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    centers: npt.NDArray[np.float64]
    axes: npt.NDArray[np.float64]
    halves: npt.NDArray[np.float64]
    area: npt.NDArray[np.float64]
    maps: npt.NDArray[np.int64]
    hangs: npt.NDArray[np.bool_]
    seats: npt.NDArray[np.bool_]
    here: npt.NDArray[np.bool_]
    rows: Mapping[str, int]

    @staticmethod
    def of(objects: Sequence[SceneObject]) -> Boxes:
        """The boxes of objects, in their order."""
        T = np.array([o.T_map_box for o in objects], dtype=np.float64).reshape(-1, 4, 4)
        half = np.array([o.size for o in objects], dtype=np.float64).reshape(-1, 3) / 2.0
        centers, axes = np.ascontiguousarray(T[:, :3, 3]), np.ascontiguousarray(T[:, :2, 0])
        reach = np.empty_like(half)  # of the axis-aligned box around the oriented one
        reach[:, :2] = np.abs(axes) * half[:, :1] + np.abs(axes[:, ::-1]) * half[:, 1:2]
        reach[:, 2] = half[:, 2]
        maps = np.unique(np.array([o.map_id for o in objects], dtype=str), return_inverse=True)[1]
        return Boxes(
            objects=objects,
            low=centers - reach,
            high=centers + reach,
            centers=centers,
            axes=axes,
            halves=np.maximum(half[:, :2], 0.005),  # a picture that was seen from the front is as flat as paper
            area=4.0 * half[:, 0] * half[:, 1],
            maps=np.asarray(maps, dtype=np.int64).reshape(-1),
            hangs=np.array([o.label in WALL_LABELS for o in objects], dtype=bool),
            seats=np.array([o.label in SEAT_LABELS for o in objects], dtype=bool),
            here=np.array([o.state not in _ELSEWHERE for o in objects], dtype=bool),
            rows={o.id: row for row, o in enumerate(objects)},
        )


@dataclass(frozen=True)
class _Pairs:
    """How P pairs of objects lie to each other.

    Attributes:
        a, b: (P,) rows of the thing that is told of, and of the other one.
        apart: (P,) between the footprints, seen from above [m].
        over: (P,) part of a's footprint that lies over b's, [0, 1].
        distance: (P,) between the oriented boxes [m].
    """

    a: npt.NDArray[np.int64]
    b: npt.NDArray[np.int64]
    apart: npt.NDArray[np.float64]
    over: npt.NDArray[np.float64]
    distance: npt.NDArray[np.float64]

    def only(self, chosen: npt.NDArray[np.bool_]) -> _Pairs:
        return _Pairs(self.a[chosen], self.b[chosen], self.apart[chosen], self.over[chosen], self.distance[chosen])


@dataclass(frozen=True)
class _Carriers:
    """Which of P pairs are a thing and what it lies on or in: costs (P,), inf where it does not; and which of these lie in it."""

    cost: npt.NDArray[np.float64]
    inside: npt.NDArray[np.bool_]
    under: npt.NDArray[np.bool_]


def relations(
    objects: Sequence[SceneObject],
    subjects: Collection[str],
    kinds: Iterable[str] = (),
    viewpoint: npt.ArrayLike | None = None,
    max_distance: float = 1.0,
    boxes: Boxes | None = None,
) -> tuple[Relation, ...]:
    """How objects lie to others of the same map, nearest first for each kind.

    Args:
        objects: all of them.
        subjects: ids of those that are asked for.
        kinds: of `RELATIONS`; empty: all (left and right only with a viewpoint).
        viewpoint: (3,) from where left and right are seen, looking towards the subject [m]; needed for these.
        max_distance: of "next_to" and "nearest" [m].
        boxes: of ``objects``, if they are known already.

    Raises:
        LookupError: no such object.
        ValueError: no such kind, a distance that is not > 0, or left or right without a viewpoint.
    """
    wanted = set(kinds) or set(RELATIONS) - (set() if viewpoint is not None else {"left_of", "right_of"})
    unknown = wanted - set(RELATIONS)
    if unknown:
        raise ValueError(f"expected relations among {', '.join(RELATIONS)}, got {', '.join(sorted(unknown))}")
    if not (np.isfinite(max_distance) and max_distance > 0.0):
        raise ValueError(f"expected a distance > 0 m, got {max_distance}")
    eye = None if viewpoint is None else np.asarray(viewpoint, dtype=np.float64)
    if eye is not None and (eye.shape != (3,) or not np.all(np.isfinite(eye))):
        raise ValueError(f"expected a finite viewpoint (x, y, z) [m], got {eye.tolist()}")
    if eye is None and wanted & {"left_of", "right_of"}:
        raise ValueError("expected a viewpoint: left and right depend on where one looks from")
    boxes = boxes or Boxes.of(objects)
    missing = sorted(i for i in subjects if i not in boxes.rows)
    if missing:
        raise LookupError(f"expected ids of objects of this memory, got {', '.join(missing)}")
    rows = np.array([boxes.rows[i] for i in dict.fromkeys(subjects)], dtype=np.int64)
    reach = max(max_distance, UNDER_REACH, SIDE_REACH if eye is not None else 0.0)
    pairs = _pairs(boxes, rows, reach)
    carriers = _carriers(boxes, pairs)
    back = _carriers(boxes, _Pairs(pairs.b, pairs.a, pairs.apart, _shares(boxes, pairs), pairs.distance))
    found: list[Relation] = []
    for row in rows.tolist():
        mine = pairs.a == row
        these = pairs.only(mine)
        cost, inside, under = carriers.cost[mine], carriers.inside[mine], carriers.under[mine]
        carried = np.isfinite(back.cost[mine])  # the other lies on or in this one
        under = under & ~carried
        touching = np.isfinite(cost) | carried | under | back.under[mine]
        told = _Told(boxes, row, these)
        if np.isfinite(cost).any():
            k = int(np.argmin(cost))
            sure = float(np.clip(1.0 - 4.0 * cost[k], 0.3, 1.0))
            told.add("in" if inside[k] else "on", [k], [sure])
        on_top = np.flatnonzero(carried & ~back.inside[mine])
        told.add("under", [*np.flatnonzero(under), *on_top], [0.8] * int(under.sum()) + [0.9] * len(on_top))
        beside = ~touching & (these.distance <= max_distance) & _side_by_side(boxes, these)
        told.add("next_to", np.flatnonzero(beside), 1.0 - 0.5 * these.distance[beside] / max_distance)
        free = np.flatnonzero(~touching & (these.distance <= max_distance))
        if len(free):
            nearest = free[np.lexsort((_center_distance(boxes, these)[free], np.round(these.distance[free], 3)))[:1]]
            told.add("nearest", nearest, [1.0])
        if "between" in wanted:
            told.extend(_between(boxes, row, these.only(beside)))
        if eye is not None:
            side, sure_side = _sides(boxes, row, these, eye)
            near = ~touching & (these.distance <= SIDE_REACH)
            for kind, sign in (("left_of", 1.0), ("right_of", -1.0)):
                chosen = np.flatnonzero(near & (side == sign))
                told.add(kind, chosen, sure_side[chosen])
        found += [r for kind in RELATIONS if kind in wanted for r in told.of(kind)]
    return tuple(found)


class _Told:
    """Relations of one object that were found so far."""

    def __init__(self, boxes: Boxes, row: int, pairs: _Pairs) -> None:
        self._boxes, self._row, self._pairs = boxes, row, pairs
        self._found: list[Relation] = []

    def add(self, kind: str, chosen: npt.ArrayLike, confidence: npt.ArrayLike) -> None:
        """Take in the pairs of these numbers, with confidences."""
        objects = self._boxes.objects
        for k, sure in zip(np.asarray(chosen, dtype=np.int64), np.asarray(confidence, dtype=np.float64), strict=True):
            other = objects[self._pairs.b[k]].id
            distance = float(self._pairs.distance[k])
            self._found.append(Relation(objects[self._row].id, kind, (other,), distance, float(sure)))  # type: ignore[arg-type]

    def extend(self, found: Iterable[Relation]) -> None:
        self._found += found

    def of(self, kind: str) -> list[Relation]:
        """Those of a kind, nearest first."""
        return sorted((r for r in self._found if r.relation == kind), key=lambda r: (r.distance, r.objects))


def on_top_of(
    objects: Sequence[SceneObject], things: Collection[str] | None = None, boxes: Boxes | None = None
) -> dict[str, str]:
    """{id of an object: id of the object that it lies on or in}; things on the floor and on walls are left out.

    Args and relations as in `carriers_of`.
    """
    return {thing: carrier for thing, (carrier, _) in carriers_of(objects, things, boxes).items()}


def carriers_of(
    objects: Sequence[SceneObject], things: Collection[str] | None = None, boxes: Boxes | None = None
) -> dict[str, tuple[str, bool]]:
    """{id of an object: (id of the object that carries it, whether it lies in that one)}.

    The carrier is under the thing, and has a part at the height of the thing's lowest point: its top, or a board. A thing lies
    in it where it reaches into its box, and the carrier has walls around it, or something over it.

    Args:
        objects: all that may carry something.
        things: ids of those whose carriers are asked for; None: of all.
        boxes: of ``objects``, if they are known already.
    """
    if len(objects) < 2:
        return {}
    boxes = boxes or Boxes.of(objects)
    asked = range(len(objects)) if things is None else [boxes.rows[i] for i in things if i in boxes.rows]
    pairs = _pairs(boxes, np.array(asked, dtype=np.int64), SUPPORT_GAP)
    found = _carriers(boxes, pairs)
    order = np.lexsort((found.cost, pairs.a))
    order = order[np.isfinite(found.cost[order])]
    _, best = np.unique(pairs.a[order], return_index=True)  # the first of each thing is the cheapest
    return {objects[pairs.a[k]].id: (objects[pairs.b[k]].id, bool(found.inside[k])) for k in order[best]}


def _pairs(boxes: Boxes, rows: npt.NDArray[np.int64], margin: float) -> _Pairs:
    """Pairs of each of some rows with all others within a margin [m]."""
    asked = np.zeros(len(boxes.low), dtype=np.bool_)
    asked[rows] = True
    asked &= boxes.here
    # What is not there stands in no relation: a map of its own keeps it apart.
    maps = np.where(boxes.here, boxes.maps, -1 - np.arange(len(boxes.maps)))
    pairs = kernels.near_pairs(boxes.low, boxes.high, maps, asked, margin)
    a, b = pairs[:, 0], pairs[:, 1]
    apart, area = kernels.footprints(pairs, boxes.centers[:, :2].copy(), boxes.axes, boxes.halves)
    above = np.maximum(boxes.low[a, 2] - boxes.high[b, 2], boxes.low[b, 2] - boxes.high[a, 2])
    distance = np.hypot(apart, np.maximum(above, 0.0))
    kept = distance <= margin
    over = area / np.prod(2.0 * boxes.halves[a], axis=1)
    return _Pairs(a, b, apart, over, distance).only(kept)


def _shares(boxes: Boxes, pairs: _Pairs) -> npt.NDArray[np.float64]:
    """Part (P,) of b's footprint that lies over a's, [0, 1]."""
    own = np.prod(2.0 * boxes.halves[pairs.a], axis=1)
    return np.asarray(pairs.over * own / np.prod(2.0 * boxes.halves[pairs.b], axis=1))


def _carriers(boxes: Boxes, pairs: _Pairs) -> _Carriers:
    """Which pairs are a thing and what carries, contains or covers it."""
    a, b, over = pairs.a, pairs.b, pairs.over
    low_a, high_a, low_b, high_b = boxes.low[a, 2], boxes.high[a, 2], boxes.low[b, 2], boxes.high[b, 2]
    to_top = np.abs(low_a - high_b)
    smaller = boxes.area[a] < 2.0 * boxes.area[b]  # a carrier may be seen in part only
    raised = low_a > low_b + np.minimum(0.02, 0.5 * (high_b - low_b))  # a rug is thin
    possible = (
        ((over >= ON_PART_SHARE) | ((over >= ON_EDGE_SHARE) & (to_top <= SUPPORT_GAP)))
        & smaller
        & raised
        & (low_a < high_b + SUPPORT_GAP)
        & ~boxes.hangs[a]
    )
    # What stands on the floor inside of another thing's box: in a wardrobe, or under a table.
    level = (over >= INSIDE_SHARE) & ~raised & (low_a > low_b - SUPPORT_GAP) & (high_a < high_b) & ~boxes.hangs[a]
    looked = np.flatnonzero(possible | level)
    gap, cover = np.full(len(a), np.inf), np.zeros(len(a), dtype=np.int64)
    walls = np.zeros(len(a), dtype=np.int64)
    gap[looked], cover[looked], walls[looked] = _around(boxes, a[looked], b[looked])
    covered = _count_bits(cover) >= MIN_COVER
    n_walls = _count_bits(walls)
    gap = np.minimum(to_top, gap)
    # Inside of it, the board that a thing stands on is hidden.
    gap = np.where((over > 0.9) & (high_a < high_b), np.minimum(gap, SUPPORT_GAP), gap)
    cost = gap + 0.1 * (1.0 - np.minimum(1.0, over))
    carried = possible & (gap <= SUPPORT_GAP)
    within = (np.minimum(high_a, high_b) - low_a) / np.maximum(high_a - low_a, 1e-3)
    inside = (within >= 0.5) & (over >= INSIDE_SHARE) & ~boxes.seats[b] & (covered | (n_walls >= MIN_WALLS))
    closed = (covered & (n_walls >= MIN_WALLS_COVERED)) | ((over >= 0.9) & (n_walls >= MIN_WALLS))
    in_level = level & closed & ~boxes.seats[b]
    cost = np.where(carried, cost, np.where(in_level, SUPPORT_GAP, np.inf))
    hung = (over >= INSIDE_SHARE) & (low_b >= high_a - 0.02) & (low_b - high_a <= UNDER_REACH)
    under = (level & covered & ~closed) | (hung & ~boxes.hangs[b])
    return _Carriers(cost, (carried & inside) | in_level, under)


def _around(
    boxes: Boxes, a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """`relation_kernels.around` of pairs of rows; only the points of carriers that occur are gathered."""
    carriers = np.unique(b)
    clouds = [boxes.objects[row].points for row in carriers.tolist()]
    sizes = np.zeros(len(boxes.low) + 1, dtype=np.int64)
    sizes[carriers + 1] = [len(c) for c in clouds]
    points = np.concatenate([np.zeros((0, 3), dtype=np.float32), *clouds]).astype(np.float32, copy=False)
    pairs = np.stack([a, b], axis=1)
    low, high = np.ascontiguousarray(boxes.low[:, 2]), np.ascontiguousarray(boxes.high[:, 2])
    found = kernels.around(
        pairs, boxes.centers, boxes.axes, boxes.halves, low, high, points, np.cumsum(sizes), AROUND, 1
    )
    return found[0], found[1], found[2]


def _count_bits(bits: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.asarray(((bits[:, None] >> np.arange(9)) & 1).sum(axis=1))


def _side_by_side(boxes: Boxes, pairs: _Pairs) -> npt.NDArray[np.bool_]:
    """Which pairs (P,) are at the same height, or nearly so."""
    low = np.maximum(boxes.low[pairs.a, 2], boxes.low[pairs.b, 2])
    return np.asarray(low <= np.minimum(boxes.high[pairs.a, 2], boxes.high[pairs.b, 2]) + 0.1)


def _center_distance(boxes: Boxes, pairs: _Pairs) -> npt.NDArray[np.float64]:
    return np.asarray(np.linalg.norm(boxes.centers[pairs.a] - boxes.centers[pairs.b], axis=1))


def _sides(
    boxes: Boxes, row: int, pairs: _Pairs, eye: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Whether a thing is left (1) or right (-1) of each other one (P,), or neither (0), and how sure that is (P,).

    Seen from the eye towards the thing: it must be shifted sideways by more than in depth, and not stand in front of the other.
    """
    ahead = boxes.centers[row, :2] - eye[:2]
    length = float(np.hypot(*ahead))
    if length < 1e-3:
        return np.zeros(len(pairs.b), dtype=np.int64), np.zeros(len(pairs.b))
    ahead = ahead / length
    left = np.array([-ahead[1], ahead[0]])
    offset = boxes.centers[row, :2] - boxes.centers[pairs.b, :2]  # (P, 2) from the other to the thing
    sideways, depth = offset @ left, offset @ ahead
    # Half widths as seen from the eye, (P,).
    mine = _half_width(boxes, np.array([row]), left)
    theirs = _half_width(boxes, pairs.b, left)
    common = np.minimum(sideways + mine, theirs) - np.maximum(sideways - mine, -theirs)
    parted = common < np.minimum(mine, theirs)  # they share less than half of the narrower one's width
    sure = np.abs(sideways) / np.maximum(np.hypot(sideways, depth), 1e-6)
    side = np.where(parted & (sure >= 0.5), np.sign(sideways), 0.0)
    return side.astype(np.int64), np.asarray(sure, dtype=np.float64)


def _half_width(
    boxes: Boxes, rows: npt.NDArray[np.int64], direction: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Half of the extent (P,) of the oriented footprints along a horizontal unit vector [m]."""
    along = boxes.axes[rows] @ direction
    across = boxes.axes[rows] @ np.array([direction[1], -direction[0]])
    return np.asarray(np.abs(along) * boxes.halves[rows, 0] + np.abs(across) * boxes.halves[rows, 1])


def _between(boxes: Boxes, row: int, pairs: _Pairs) -> list[Relation]:
    """The pairs of neighbours that a thing stands between: in nearly opposite directions, nearest first."""
    away = boxes.centers[pairs.b, :2] - boxes.centers[row, :2]  # (P, 2)
    length = np.linalg.norm(away, axis=1)
    away = away / np.maximum(length, 1e-6)[:, None]
    angle = np.arccos(np.clip(away @ away.T, -1.0, 1.0))  # (P, P)
    first, second = np.nonzero(np.triu(angle >= BETWEEN_ANGLE, 1) & (length[:, None] > 1e-3) & (length[None, :] > 1e-3))
    sums = pairs.distance[first] + pairs.distance[second]
    found = []
    for k in np.argsort(sums, kind="stable")[:MAX_BETWEEN].tolist():
        i, j = int(first[k]), int(second[k])
        others = sorted((boxes.objects[pairs.b[i]].id, boxes.objects[pairs.b[j]].id))
        sure = float((angle[i, j] - np.pi / 2) / (np.pi / 2))
        distance = float(min(pairs.distance[i], pairs.distance[j]))
        found.append(Relation(boxes.objects[row].id, "between", (others[0], others[1]), distance, sure))
    return found
