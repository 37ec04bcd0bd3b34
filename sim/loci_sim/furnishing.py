"""Decides what stands in which room: one programme per kind of room, and those of an apartment.

A programme asks `RoomPlacer` for places and goes without a thing for which there is none; `furnish` refuses a scene in
which a thing is missing that makes the room what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from loci_sim.difficulty import Difficulty, measure
from loci_sim.floorplan import FloorPlan
from loci_sim.placing import Member, Placed, RoomPlacer


@dataclass(frozen=True)
class Furnishing:
    """What a family of scenes puts into its rooms.

    Attributes:
        programmes: by kind of room, what places its things.
        required: by kind of room, the categories without which it would not be taken for what it is.
        min_objects, min_categories: of the whole scene.
        needed: categories that must be somewhere.
        difficulty: of the whole scene, at least.
        draws: how often a room is begun again before the plan is given up.
        classic: things are in one piece, as in the apartments that saved maps were made in (see `catalogue.make_model`).
    """

    programmes: Mapping[str, Callable[[RoomPlacer], None]]
    required: Mapping[str, frozenset[str]]
    min_objects: int
    min_categories: int
    needed: frozenset[str] = frozenset()
    difficulty: Difficulty | None = None
    draws: int = 1
    classic: bool = False


def furnish(plan: FloorPlan, rng: np.random.Generator, furnishing: Furnishing) -> tuple[Placed, ...]:
    """Furniture and small things of all rooms.

    Raises:
        ValueError: this draw leaves a room without what it needs; draw again.
    """
    counts: dict[str, int] = {}
    placed: list[Placed] = []
    for room in plan.rooms:
        for draw in range(furnishing.draws):
            tried = dict(counts)
            placer = RoomPlacer(plan, room, rng, tried, furnishing.classic)
            furnishing.programmes[room.name](placer)
            missing = furnishing.required[room.name] - {p.model.category for p in placer.placed}
            if not missing:
                break
            if draw == furnishing.draws - 1:
                raise ValueError(f"no place in the {room.id} for {', '.join(sorted(missing))}")
        counts = tried
        # Rooms are furnished as if they lay on the ground.
        placed += placer.placed if not room.floor else [_raised(q, room.z) for q in placer.placed]
    categories = {p.model.category for p in placed}
    if (
        len(placed) < furnishing.min_objects
        or len(categories) < furnishing.min_categories
        or not furnishing.needed <= categories
    ):
        raise ValueError(f"only {len(placed)} things of {len(categories)} categories")
    if furnishing.difficulty is not None:
        # Doors are objects as well, large ones of one category.
        sizes = np.array([p.model.size for p in placed] + [(1.0, 1.0, 1.0)] * len(plan.doors))
        centers = np.array(
            [np.mean(p.box, axis=0) for p in placed] + [(1e3 * i, 0.0, 0.0) for i in range(len(plan.doors))]
        )
        found = measure([*(p.model.category for p in placed), *["door"] * len(plan.doors)], centers, sizes)
        if not found.reaches(furnishing.difficulty):
            raise ValueError(f"too easy: {found}")
    return tuple(placed)


def _raised(placed: Placed, height: float) -> Placed:
    T = placed.T_map_object.copy()
    T[2, 3] += height
    return replace(placed, T_map_object=T)


def living_room(p: RoomPlacer) -> None:
    """Sofa, low table and television facing one another, a bookshelf, an armchair."""
    sofa_model, table_model = p.model("sofa"), p.model("coffee table")
    gap = float(sofa_model.size[0]) / 2 + 0.42 + float(table_model.size[0]) / 2
    group = p.against_wall([Member(sofa_model), Member(table_model, x=gap)], front=0.5)
    sofa, table = group if group else (None, None)
    stands = p.against_wall([Member(p.model("tv stand"))], front=0.5, opposite=sofa)
    if stands:
        p.on_surface(p.model("tv"), stands[0], center=True)
        p.on_surface(p.model("vase"), stands[0])
    shelf = p.against_wall([Member(p.model("bookshelf"))], front=0.6)
    fill_shelf(p, shelf)
    p.against_wall([Member(p.model("armchair"))], front=0.5)
    p.against_wall([Member(p.model("floor lamp"))], corner=True)
    p.against_wall([Member(p.model("plant"))], corner=True)
    if p.rng.random() < 0.5:
        p.against_wall([Member(p.model("guitar"))], front=0.4)
    if table is not None:
        p.under(table, Member(p.model("rug")))
        table = next(q for q in p.placed if q.id == table.id)
        for name in some(p, ("vase", "book", "bowl", "mug"), 2, 3):
            p.on_surface(p.model(name), table, turn=1.0)
    if sofa is not None:
        for _ in range(2):
            p.on_surface(p.model("pillow"), sofa, turn=0.3, back=True)
    hang(p, ("window", "picture", "wall clock", "radiator"))


def kitchen(p: RoomPlacer) -> None:
    """A run of counters with sink, stove and fridge; a dining group where there is no dining room."""
    color = str(p.rng.choice(np.array(["white", "gray", "beige", "brown"])))
    names = ["counter", "kitchen sink", "stove", "counter", "fridge"]
    run: list[Placed] = []
    for row in (names, ["counter", "kitchen sink", "stove", "fridge"], ["kitchen sink", "stove", "counter"]):
        models = [p.model(n, color if n in ("counter", "kitchen sink") else None) for n in row]
        if p.rng.random() < 0.5:
            models.reverse()
        run = p.against_wall(in_a_row([Member(m) for m in models]), front=0.8)
        if run:
            break
    if not any(q.model.category == "fridge" for q in run):
        p.against_wall([Member(p.model("fridge"))], front=0.7, corner=True)
    counters = [q for q in run if q.model.category == "counter"]
    for name in some(p, ("microwave", "toaster", "kettle", "bottle", "pot", "bowl"), 4, 5):
        for support in p.rng.permutation(len(counters)):
            if p.on_surface(p.model(name), counters[support], turn=0.3, back=name == "microwave"):
                break
    if all(room.name != "dining room" for room in p.plan.rooms):
        dining_group(p)
    p.against_wall([Member(p.model("trash can"))], corner=True)
    hang(p, ("window", "wall clock", "picture"))


def dining_group(p: RoomPlacer) -> None:
    """A table with two or four chairs, laid."""
    table, color = p.model("dining table"), str(p.rng.choice(np.array(["brown", "white", "red", "blue", "yellow"])))
    reach = float(table.size[0]) / 2 + 0.24
    seats = [(reach, 0.28, np.pi), (-reach, 0.28, 0.0), (reach, -0.28, np.pi), (-reach, -0.28, 0.0)]

    def group(indices: tuple[int, ...]) -> list[Member]:
        chairs = [Member(p.model("chair", color), *seats[i][:2], seats[i][2]) for i in indices]
        return [Member(table), *chairs]

    # Four chairs in the open, else two ends against a wall, else two chairs in front of a table that stands at the wall.
    placed = (
        p.on_floor(group((0, 1, 2, 3)), margin=0.2)
        or p.against_wall(group((0, 1, 2, 3)), corner=True)
        or p.against_wall(group((0, 2)))
    )
    if not placed:
        return
    for name in ("plate", "mug", *some(p, ("bowl", "vase", "bottle", "plate"), 1, 2)):
        p.on_surface(p.model(name), placed[0], turn=1.5)


def dining_room(p: RoomPlacer) -> None:
    """A dining group and a sideboard."""
    dining_group(p)
    side = p.against_wall([Member(p.model("dresser"))], front=0.6)
    if side:
        p.on_surface(p.model("basket"), side[0])
        p.on_surface(p.model("table lamp"), side[0])
    p.against_wall([Member(p.model("plant"))], corner=True)
    hang(p, ("window", "picture", "picture"))


def bedroom(p: RoomPlacer) -> None:
    """A double bed with nightstands, a wardrobe, a dresser."""
    bed, stand = p.model("bed"), p.model("nightstand")
    side = float(bed.size[1]) / 2 + 0.03 + float(stand.size[1]) / 2
    back = -float(bed.size[0]) / 2 + float(stand.size[0]) / 2
    pair = [Member(bed), Member(stand, x=back, y=side), Member(p.model("nightstand", stand.color), x=back, y=-side)]
    # A bed with one nightstand leaves more wall for the wardrobe than one with two.
    placed = p.against_wall(pair) if p.room.rect.area > 14.0 else []
    placed = (
        placed or p.against_wall(pair[:2]) or p.against_wall([pair[0], pair[2]]) or p.against_wall(pair[:1], front=0.4)
    )
    p.against_wall([Member(p.model("wardrobe"))], front=0.6)
    if placed:
        surface = placed[0].model.surfaces[0]
        y = (surface.high[1] - surface.low[1]) / 2 - 0.28
        color = p.model("pillow").color
        for sign in (-1, 1) if y > 0.26 else (0,):
            pillow = p.model("pillow", color)
            p.rest_at(pillow, placed[0], -0.76, sign * y)
        for k, table in enumerate(placed[1:]):
            p.on_surface(p.model("table lamp" if k == 0 else "alarm clock"), table)
            p.on_surface(p.model("book"), table, turn=0.5)
    dresser = p.against_wall([Member(p.model("dresser"))], front=0.55)
    if dresser:
        for name in some(p, ("teddy bear", "basket", "vase", "alarm clock"), 2, 3):
            p.on_surface(p.model(name), dresser[0], turn=0.5)
        p.on_wall(p.model("mirror"), 1.15, above=dresser[0])
    p.against_wall([Member(p.model("plant"))], corner=True)
    hang(p, ("window", "picture", "radiator"))


def bathroom(p: RoomPlacer) -> None:
    """Bathtub, toilet, basin, washing machine."""
    p.against_wall([Member(p.model("bathtub"))], front=0.45, corner=True)
    p.against_wall([Member(p.model("toilet"))], front=0.5)
    sink = p.against_wall([Member(p.model("sink"))], front=0.5)
    if sink:
        p.on_surface(p.model("soap dispenser"), sink[0])
        p.on_wall(p.model("mirror"), 1.1, above=sink[0])
    washer = p.against_wall([Member(p.model("washing machine"))], front=0.5)
    if washer:
        p.on_surface(p.model("basket"), washer[0])
        p.on_surface(p.model("bottle"), washer[0])
    p.against_wall([Member(p.model("laundry basket"))], corner=True)
    p.on_floor([Member(p.model("bath mat"))])
    hang(p, ("towel", "towel"))


def study(p: RoomPlacer) -> None:
    """A desk with its chair, a bookshelf, a printer."""
    desk_model, chair = p.model("desk"), p.model("office chair")
    reach = float(desk_model.size[0]) / 2 + float(chair.size[0]) / 2 + 0.03
    # The chair stands at the free half of the desk, facing it.
    group = p.against_wall([Member(desk_model), Member(chair, x=reach, y=-0.18, yaw=np.pi)], front=0.3)
    if group:
        desk = group[0]
        p.rest_at(p.model("laptop"), desk, 0.05, -0.2)
        if p.rng.random() < 0.7:
            p.on_surface(p.model("monitor"), desk, back=True)
        for name in some(p, ("mug", "book", "table lamp", "keyboard"), 2, 3):
            p.on_surface(p.model(name), desk, turn=0.3)
    fill_shelf(p, p.against_wall([Member(p.model("bookshelf"))], front=0.6))
    table = p.against_wall([Member(p.model("dresser"))], front=0.5) or p.against_wall(
        [Member(p.model("console table"))], front=0.5
    )
    if table:
        p.on_surface(p.model("printer"), table[0])
    p.against_wall([Member(p.model("trash can"))])
    p.against_wall([Member(p.model("plant"))], corner=True)
    hang(p, ("window", "picture", "wall clock"))


def hallway(p: RoomPlacer) -> None:
    """A console table with a mirror, shoes and coats."""
    table = p.against_wall([Member(p.model("console table"))])
    if table:
        for name in some(p, ("vase", "basket", "bowl", "table lamp"), 1, 2):
            p.on_surface(p.model(name), table[0])
        p.on_wall(p.model("mirror"), 1.05, above=table[0])
    p.against_wall([Member(p.model("shoe rack" if p.rng.random() < 0.6 else "bench"))])
    p.against_wall([Member(p.model("umbrella stand"))], corner=True)
    p.on_wall(p.model("coat rack"), 0.95)
    hang(p, ("picture", "picture"))


def fill_shelf(p: RoomPlacer, shelf: list[Placed]) -> None:
    """Books on the levels that a robot's camera sees, one level kept for something else."""
    if not shelf:
        return
    levels = [int(k) for k in p.rng.permutation([1, 2, 3])]
    for level in levels[:2]:
        p.on_surface(p.model("books"), shelf[0], level=level)
    p.on_surface(p.model(str(p.rng.choice(np.array(["basket", "teddy bear", "bowl"])))), shelf[0], level=levels[2])


def hang(p: RoomPlacer, names: tuple[str, ...]) -> None:
    """Hang things of these names on the walls at their usual heights."""
    heights = {
        "window": 0.95, "picture": 1.3, "wall clock": 1.6, "radiator": 0.12, "towel": 0.75, "whiteboard": 0.95,
        "notice board": 1.1, "fire extinguisher": 0.6, "sign": 1.85, "screen": 1.0, "balloon": 1.2,
    }  # fmt: skip
    for name in names:
        p.on_wall(p.model(name), heights[name], outer=name in ("window", "radiator"))


def in_a_row(members: list[Member]) -> list[Member]:
    """Side by side along y, their backs aligned."""
    depth = max(float(m.model.size[0]) for m in members)
    total = sum(float(m.model.size[1]) + 0.005 for m in members)
    y, row = -total / 2, []
    for m in members:
        width = float(m.model.size[1])
        row.append(Member(m.model, x=(float(m.model.size[0]) - depth) / 2, y=y + width / 2))
        y += width + 0.005
    return row


def some(p: RoomPlacer, names: tuple[str, ...], low: int, high: int) -> list[str]:
    """``low`` to ``high`` of the names, in random order."""
    return [names[i] for i in p.rng.permutation(len(names))[: int(p.rng.integers(low, high + 1))]]


APARTMENT = Furnishing(
    programmes={
        "living room": living_room,
        "kitchen": kitchen,
        "bedroom": bedroom,
        "bathroom": bathroom,
        "study": study,
        "hallway": hallway,
        "dining room": dining_room,
    },
    required={
        "living room": frozenset({"sofa", "tv", "coffee table"}),
        "kitchen": frozenset({"fridge", "stove", "sink", "counter"}),
        "bedroom": frozenset({"bed", "wardrobe", "pillow"}),
        "bathroom": frozenset({"toilet", "bathtub", "sink"}),
        "study": frozenset({"desk", "office chair", "laptop"}),
        "dining room": frozenset({"dining table", "chair"}),
        "hallway": frozenset(),
    },
    min_objects=30,
    min_categories=20,
    needed=frozenset({"dining table"}),
    classic=True,
)
