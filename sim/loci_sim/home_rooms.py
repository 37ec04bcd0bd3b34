"""What stands in the rooms of homes: the programmes of apartments, and more of everything, in more kinds of room."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from loci_sim import furnishing as flat
from loci_sim.difficulty import Difficulty
from loci_sim.dressing import dress
from loci_sim.furnishing import Furnishing, hang, in_a_row
from loci_sim.placing import Member, Placed, RoomPlacer


def stand(p: RoomPlacer, names: Sequence[str], *, front: float = 0.5, corner: bool = False) -> list[Placed]:
    """Place things of these names against walls, each by itself; those for which there is a place."""
    return [q for name in names for q in p.against_wall([Member(p.model(name))], front, corner=corner)]


def dressed(programme: Callable[[RoomPlacer], None], density: float = 1.3) -> Callable[[RoomPlacer], None]:
    """A programme that ends with small things on everything that can carry them."""

    def run(p: RoomPlacer) -> None:
        programme(p)
        dress(p, density)

    return run


def some_of(p: RoomPlacer, names: Sequence[str], low: int, high: int) -> list[str]:
    """``low`` to ``high`` of the names, in random order."""
    return flat.some(p, tuple(names), low, high)


def kitchen(p: RoomPlacer) -> None:
    """A run of counters with sink, stove and fridge, and a table where there is room."""
    flat.kitchen(p)
    if not any(q.model.category == "counter" for q in p.placed):
        stand(p, ("counter",), front=0.6)
    if p.rng.random() < 0.4:
        stand(p, ("crate",), front=0.0, corner=True)


def living_room(p: RoomPlacer) -> None:
    """As in an apartment, with a table to eat at where there is space and no dining room."""
    flat.living_room(p)
    names = {room.name for room in p.plan.rooms}
    if p.room.rect.area > 24 and "dining room" not in names:
        flat.dining_group(p)
    if p.room.rect.area > 20:
        stand(p, ("dresser",))


def childrens_room(p: RoomPlacer) -> None:
    """A bunk bed or a bed, a desk, toys."""
    if p.rng.random() < 0.6:
        bed = p.against_wall([Member(p.model("bunk bed"))], front=0.0, corner=True)
        for q in bed:
            p.on_surface(p.model("pillow"), q)
    if not any(q.model.category == "bunk bed" for q in p.placed):
        bed = p.against_wall([Member(p.model("bed"))], front=0.0, corner=True)
        for q in bed:
            p.on_surface(p.model("pillow"), q)
    stand(p, ("toy box", "wardrobe"), front=0.55)
    desk, chair = p.model("desk"), p.model("chair")
    reach = float(desk.size[0]) / 2 + float(chair.size[0]) / 2 + 0.03
    p.against_wall([Member(desk), Member(chair, x=reach, y=-0.18, yaw=np.pi)], front=0.3)
    stand(p, ("bookshelf",), front=0.5)
    for name in some_of(p, ("doll house", "easel", "toy box", "dresser"), 1, 2):
        stand(p, (name,), front=0.3)
    p.on_floor([Member(p.model("rug"))])
    hang(p, ("window", "picture", "picture", "balloon"))


def bathroom(p: RoomPlacer) -> None:
    """A bathtub or a shower, toilet, basin."""
    p.against_wall([Member(p.model("toilet"))], front=0.5)
    if p.rng.random() < 0.5 and p.room.rect.area > 5:
        p.against_wall([Member(p.model("bathtub"))], front=0.45, corner=True)
    if not any(q.model.category == "bathtub" for q in p.placed):
        p.against_wall([Member(p.model("shower"))], front=0.5, corner=True)
    sink = stand(p, ("sink",))
    for q in sink:
        p.on_wall(p.model("mirror"), 1.1, above=q)
    stand(p, some_of(p, ("washing machine", "dresser", "console table"), 1, 2))
    stand(p, ("laundry basket", "trash can"), front=0.0, corner=True)
    p.on_floor([Member(p.model("bath mat"))])
    if p.rng.random() < 0.6:
        p.on_floor([Member(p.model("scale"))])
    hang(p, ("towel", "towel", "radiator"))


def laundry(p: RoomPlacer) -> None:
    """Washing machine, dryer, ironing board, a counter to fold on."""
    machines = [Member(p.model("washing machine")), Member(p.model("dryer"))]
    if not p.against_wall(in_a_row(machines), front=0.6):
        stand(p, ("washing machine", "dryer"))
    stand(p, ("ironing board", "counter"), front=0.4)
    stand(p, ("drying rack", "laundry basket", "bucket", "vacuum cleaner", "laundry basket"), front=0.0, corner=True)
    hang(p, ("towel", "wall clock"))


def pantry(p: RoomPlacer) -> None:
    """Racks full of food."""
    stand(p, ("storage rack", "storage rack", "storage rack"))
    stand(p, some_of(p, ("crate", "crate", "cardboard box", "fridge", "trash can"), 2, 3), front=0.3, corner=True)


def garage(p: RoomPlacer) -> None:
    """A workbench, racks, bicycles, what has no other place."""
    stand(p, ("workbench",), front=0.6)
    for _ in range(int(p.rng.integers(1, 3))):
        p.against_wall([Member(p.model("bicycle"))], front=0.4)
    stand(p, ("storage rack", "storage rack"))
    stand(p, ("ladder", "tire", "cardboard box", "bucket", "crate"), front=0.2, corner=True)
    stand(p, some_of(p, ("cardboard box", "vacuum cleaner", "suitcase", "tire", "heater"), 2, 4), front=0.2)
    hang(p, ("wall clock", "fire extinguisher"))


def storage_room(p: RoomPlacer) -> None:
    """Racks, boxes, suitcases."""
    stand(p, ("storage rack", "storage rack"))
    stand(
        p,
        ("cardboard box", *some_of(p, ("suitcase", "suitcase", "ladder", "vacuum cleaner", "bucket", "heater"), 2, 4)),
        front=0.2,
        corner=True,
    )
    stand(p, ("cardboard box",), front=0.2)


def hallway(p: RoomPlacer) -> None:
    """As in an apartment, and a sign of who came home."""
    flat.hallway(p)
    if p.rng.random() < 0.4:
        stand(p, ("coat stand",), front=0.0, corner=True)


def staircase(p: RoomPlacer) -> None:
    """Pictures where people come up; below, the flights are in front of the walls."""
    if p.room.floor:
        hang(p, ("picture", "picture"))


PROGRAMMES: dict[str, Callable[[RoomPlacer], None]] = {
    "living room": dressed(living_room),
    "kitchen": dressed(kitchen, 1.5),
    "dining room": dressed(flat.dining_room),
    "bedroom": dressed(flat.bedroom),
    "children's room": dressed(childrens_room),
    "bathroom": dressed(bathroom),
    "study": dressed(flat.study),
    "hallway": dressed(hallway),
    "laundry": dressed(laundry),
    "pantry": dressed(pantry, 0.7),
    "garage": dressed(garage, 0.6),
    "storage room": dressed(storage_room, 0.5),
    "staircase": staircase,
}
REQUIRED: dict[str, frozenset[str]] = {
    **flat.APARTMENT.required,
    "bathroom": frozenset({"toilet", "sink"}),
    "children's room": frozenset({"pillow", "desk", "toy box"}),
    "laundry": frozenset({"washing machine"}),
    "pantry": frozenset({"storage rack"}),
    "garage": frozenset({"workbench", "storage rack", "bicycle"}),
    "storage room": frozenset({"storage rack"}),
    "staircase": frozenset(),
}
#: What task suites need of every scene.
DIFFICULTY = Difficulty(repeated=0.3, small=0.2, neighbours=10)
HOME = Furnishing(
    PROGRAMMES,
    REQUIRED,
    min_objects=60,
    min_categories=30,
    needed=frozenset({"dining table"}),
    difficulty=DIFFICULTY,
    draws=8,
)
