"""What stands in the rooms of offices, and in those of a building with offices and flats."""

from __future__ import annotations

import numpy as np

from loci_sim.furnishing import Furnishing, hang, in_a_row
from loci_sim.home_rooms import DIFFICULTY, dressed, some_of, stand
from loci_sim.home_rooms import PROGRAMMES as HOME_PROGRAMMES
from loci_sim.home_rooms import REQUIRED as HOME_REQUIRED
from loci_sim.placing import Member, RoomPlacer


def _workplace(p: RoomPlacer, x: float, y: float, facing: float, color: str) -> list[Member]:
    """A desk at (x, y) whose front looks along ``facing`` (+1 or -1 times x), with its chair in front."""
    desk, chair = p.model("desk", color), p.model("office chair")
    reach = float(desk.size[0]) / 2 + float(chair.size[0]) / 2 + 0.04
    yaw = 0.0 if facing > 0 else np.pi
    return [Member(desk, x, y, yaw), Member(chair, x + facing * reach, y - facing * 0.18, yaw + np.pi)]


def _desk_group(p: RoomPlacer, pairs: int) -> list[Member]:
    """Desks back to back in two rows of ``pairs``, partitions between the rows."""
    color = str(p.rng.choice(np.array(["white", "beige", "brown"])))
    members: list[Member] = []
    for k in range(pairs):
        y = (k - (pairs - 1) / 2) * 1.52
        members.append(Member(p.model("partition"), y=y))
        for facing in (-1.0, 1.0):
            members += _workplace(p, facing * 0.42, y, facing, color)
    return members


def _equip(p: RoomPlacer) -> None:
    """A computer on every desk."""
    for desk in [q for q in p.placed if q.model.category == "desk"]:
        if p.rng.random() < 0.55:
            p.on_surface(p.model("monitor"), desk, back=True)
            p.on_surface(p.model("keyboard"), desk, turn=0.1)
        else:
            p.on_surface(p.model("laptop"), desk, turn=0.2)
        if p.rng.random() < 0.3:
            p.on_surface(p.model("table lamp"), desk, back=True)


def open_office(p: RoomPlacer) -> None:
    """Groups of desks, as many as find a place."""
    for pairs in (2, 2, 2, 1, 1, 1):
        p.on_floor(_desk_group(p, pairs), margin=0.5, tries=40)
    if not any(q.model.category == "desk" for q in p.placed):
        p.against_wall(_workplace(p, 0.0, 0.0, 1.0, "white"), front=0.3)
    _equip(p)
    stand(p, ("file shelf", "filing cabinet", "filing cabinet", "file shelf"))
    stand(p, ("plant", "water cooler", "trash can", "plant", "coat stand"), front=0.3, corner=True)
    hang(p, ("window", "window", "notice board", "wall clock", "whiteboard", "fire extinguisher", "picture"))


def office(p: RoomPlacer) -> None:
    """One or two workplaces with shelves."""
    p.against_wall(_workplace(p, 0.0, 0.0, 1.0, "brown"), front=0.3)
    if p.room.rect.area > 14:
        p.against_wall(_workplace(p, 0.0, 0.0, 1.0, "brown"), front=0.3)
    _equip(p)
    stand(p, ("file shelf", "filing cabinet"))
    stand(p, some_of(p, ("safe", "armchair", "dresser", "filing cabinet"), 1, 2))
    stand(p, ("plant", "trash can", "coat stand"), front=0.2, corner=True)
    hang(p, ("window", "picture", "whiteboard", "wall clock"))


def meeting_room(p: RoomPlacer) -> None:
    """A large table with chairs around it, a screen and a whiteboard."""
    table, color = p.model("conference table"), str(p.rng.choice(np.array(["black", "gray", "blue", "red"])))
    reach = float(table.size[0]) / 2 + 0.3
    seats = [(side * reach, y, np.pi if side > 0 else 0.0) for side in (-1, 1) for y in (-0.62, 0.0, 0.62)]
    group = [Member(table), *(Member(p.model("office chair", color), *seat) for seat in seats)]
    if not p.on_floor(group, margin=0.3, tries=150):
        near = [Member(table), *(Member(p.model("chair", "brown"), 0.75, y, np.pi) for y in (-0.6, 0.0, 0.6))]
        p.against_wall(near, front=0.0)
    stand(p, some_of(p, ("dresser", "console table", "file shelf"), 0, 1))
    stand(p, ("plant", "trash can"), front=0.0, corner=True)
    hang(p, ("window", "screen", "whiteboard", "wall clock", "picture"))


def kitchenette(p: RoomPlacer) -> None:
    """A short run of counters, a fridge, a table to stand or sit at."""
    names = ["counter", "kitchen sink", "fridge"]
    for row in (["counter", *names], names, names[:2]):
        color = str(p.rng.choice(np.array(["white", "gray", "beige"])))
        models = [p.model(name, color if name != "fridge" else None) for name in row]
        if p.against_wall(in_a_row([Member(m) for m in models]), front=0.7):
            break
    for counter in [q for q in p.placed if q.model.category == "counter"][:1]:
        p.on_surface(p.model("coffee machine"), counter, back=True)
        p.on_surface(p.model("microwave"), counter, back=True)
    table = p.model("dining table", "white")
    reach = float(table.size[0]) / 2 + 0.24
    chairs = [Member(p.model("chair", "white"), s * reach, 0.0, np.pi if s > 0 else 0.0) for s in (-1, 1)]
    p.on_floor([Member(table), *chairs], margin=0.1) or p.against_wall([Member(table), *chairs], front=0.0)
    stand(p, ("trash can", "water cooler", "vending machine", "crate"), front=0.4, corner=True)
    hang(p, ("wall clock", "notice board", "window"))


def restroom(p: RoomPlacer) -> None:
    """Toilets and basins."""
    for _ in range(int(p.rng.integers(1, 3))):
        stand(p, ("toilet",))
    for _ in range(int(p.rng.integers(1, 3))):
        for q in stand(p, ("sink",)):
            p.on_wall(p.model("mirror"), 1.1, above=q)
    stand(p, ("console table",), front=0.3)
    stand(p, ("trash can", "bucket"), front=0.0, corner=True)
    hang(p, ("towel", "sign"))


def reception(p: RoomPlacer) -> None:
    """A desk to report at, seats to wait on."""
    desk, chair = p.model("reception desk"), p.model("office chair")
    behind = -float(desk.size[0]) / 2 - float(chair.size[0]) / 2 - 0.05
    group = [Member(desk), Member(chair, x=behind)]
    if not (p.against_wall(group, front=0.8) or p.on_floor(group, front=0.5)):
        p.against_wall([Member(desk)], front=0.7)
    for q in [q for q in p.placed if q.model.category == "reception desk"]:
        p.on_surface(p.model("monitor"), q, level=1)
    if not stand(p, ("sofa",)):
        stand(p, ("bench",))
    stand(p, ("armchair", "coffee table"), front=0.3)
    stand(p, ("plant", "coat stand", "umbrella stand", "plant"), front=0.2, corner=True)
    hang(p, ("sign", "wall clock", "picture", "window", "screen"))


def copy_room(p: RoomPlacer) -> None:
    """A copier, paper, files."""
    stand(p, ("copier",), front=0.6)
    stand(p, ("file shelf", "counter", "filing cabinet"))
    stand(p, ("trash can", "cardboard box", "cardboard box"), front=0.2, corner=True)
    hang(p, ("notice board", "wall clock"))


def office_storage(p: RoomPlacer) -> None:
    """Racks, files, boxes."""
    stand(p, ("storage rack", "file shelf", "storage rack"))
    stand(p, ("cardboard box", "ladder", "bucket", "cardboard box", "vacuum cleaner"), front=0.2, corner=True)
    hang(p, ("fire extinguisher",))


def corridor(p: RoomPlacer) -> None:
    """A bench here and there, signs."""
    stand(
        p, some_of(p, ("bench", "console table", "water cooler", "vending machine", "plant", "bench"), 2, 4), front=0.3
    )
    stand(p, ("plant",), front=0.0, corner=True)
    hang(p, ("fire extinguisher", "sign", "notice board", "picture", "picture"))


OFFICE = Furnishing(
    programmes={
        "open office": dressed(open_office, 0.8),
        "office": dressed(office, 0.8),
        "meeting room": dressed(meeting_room, 0.5),
        "kitchenette": dressed(kitchenette),
        "restroom": dressed(restroom),
        "reception": dressed(reception, 0.7),
        "copy room": dressed(copy_room, 0.7),
        "storage room": dressed(office_storage, 0.5),
        "corridor": dressed(corridor),
    },
    required={
        "open office": frozenset({"desk", "office chair"}),
        "office": frozenset({"desk", "office chair"}),
        "meeting room": frozenset({"conference table"}),
        "kitchenette": frozenset({"counter", "sink"}),
        "restroom": frozenset({"toilet", "sink"}),
        "reception": frozenset({"reception desk"}),
        "copy room": frozenset({"copier"}),
        "storage room": frozenset({"storage rack"}),
        "corridor": frozenset(),
    },
    min_objects=80,
    min_categories=30,
    difficulty=DIFFICULTY,
    draws=8,
)
BUILDING = Furnishing(
    programmes={**HOME_PROGRAMMES, **OFFICE.programmes},
    required={**HOME_REQUIRED, **OFFICE.required},
    min_objects=200,
    min_categories=50,
    difficulty=DIFFICULTY,
    draws=8,
)
