"""The families of generated scenes: what each one puts into the generator.

`scenes.py` draws a plan, its finishes and its furniture by these and writes them; a family is nothing but its three parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from loci_sim.finishes import Finish, classic_finishes, varied_finishes
from loci_sim.floorplan import FloorPlan, make_floor_plan
from loci_sim.furnishing import APARTMENT, Furnishing
from loci_sim.home_rooms import HOME
from loci_sim.homes import make_home_plan
from loci_sim.office_rooms import BUILDING, OFFICE
from loci_sim.offices import make_building_plan, make_office_plan


@dataclass(frozen=True)
class Family:
    """A family of generated scenes.

    Attributes:
        summary: what its scenes are, for people.
        plan: draws rooms and doors; raises ValueError for a draw that fails.
        finish: draws the look of the rooms.
        furnishing: what stands in them.
        version: part of map ids; a family's scenes of another version are made anew, and are other maps.
    """

    summary: str
    plan: Callable[[np.random.Generator], FloorPlan]
    finish: Callable[[FloorPlan, np.random.Generator], dict[str, Finish]]
    furnishing: Furnishing
    version: int = 1


FAMILIES: dict[str, Family] = {
    "apartment": Family("6 or 7 rooms at both sides of a hallway", make_floor_plan, classic_finishes, APARTMENT),
    "home": Family("4 to 12 rooms of twelve kinds, on one floor or on two", make_home_plan, varied_finishes, HOME, 2),
    "office": Family(
        "open-plan desks with meeting rooms, reception, kitchenette, restrooms and storage",
        make_office_plan,
        varied_finishes,
        OFFICE,
        2,
    ),
    "building": Family(
        "a floor 40 m long: 15 to 30 rooms of offices and flats", make_building_plan, varied_finishes, BUILDING, 2
    ),
}
