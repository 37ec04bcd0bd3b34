"""FindingDory's goal expressions: which things and receptacles a task is about, once its day is over.

An expression asks for the entities of a type with certain properties: any of them, all of them in any order, or all in a given
order. What an episode's file tells is evaluated; rooms and times of day, which only the benchmark's own simulator knows, are not.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loci_sim.evaluation.datasets.files import DatasetError
from loci_sim.evaluation.datasets.findingdory import DoryEpisode, DoryTask

#: How the expressions count interactions.
ORDINALS = tuple("first second third fourth fifth sixth seventh eighth ninth tenth".split())
#: Properties that no entity has before the day is done, or that depend on where the robot then stands.
AFTERWARDS = (
    "shortest_interaction_time",
    "longest_interaction_time",
    "farthest_goal_rec",
    "farthest_start_rec",
    "farthest_rec_interacted",
    "farthest_rec_non_interacted",
    "farthest_obj_interacted",
)
_OBJECT, _RECEPTACLE = "movable_entity_type", "static_receptacle_entity_type"
#: Types that every thing or receptacle is of, whatever its category.
_TYPES = {
    _OBJECT: ("object",),
    _RECEPTACLE: ("receptacle",),
    "obj_type": ("object",),
    "static_obj_type": ("object", "receptacle"),
}
_ATTRIBUTES = "object_attribute_annotation.csv"


@dataclass(frozen=True)
class Entity:
    """A thing or a receptacle of an episode.

    Attributes:
        id: unique in the episode: "object/2", "receptacle/NAME".
        kind: "object" or "receptacle".
        category: as in the file.
        properties: texts, truth values, or sets of texts any of which is meant.
        orders: of which interactions it is the goal, by "object", "start_receptacle" and "goal_receptacle".
    """

    id: str
    kind: str
    category: str
    properties: Mapping[str, Any] = field(repr=False)
    orders: Mapping[str, tuple[int, ...]] = field(default_factory=dict, repr=False)


class UnknownGoalError(ValueError):
    """A goal expression asks for something that is not evaluated here."""


def entities_of(episode: DoryEpisode, attributes: Mapping[str, Mapping[str, str]]) -> tuple[Entity, ...]:
    """All things and receptacles of an episode that its expressions may mean.

    Args:
        attributes: of things by the names of their configs, see `read_attributes`.
    """
    found: dict[str, Entity] = {}
    deeds = {d.index: d for d in episode.deeds}
    starts = dict(
        zip(_names(episode, "candidate_start_receps"), _categories(episode, "candidate_start_receps"), strict=True)
    )
    for i, category in enumerate(_categories(episode, "candidate_objects")):
        name = _names(episode, "candidate_objects")[i]
        own: dict[str, Any] = {
            **attributes.get(name.split(".")[0], {}),
            "interacted": True,
            "interaction_order": _ordinal(i),
        }
        if i in deeds:
            own["start_receptacle"] = starts.get(deeds[i].start, "")
        found[f"object/{i}"] = Entity(f"object/{i}", "object", category, own, {"object": (i,)})
    for i, category in enumerate(_categories(episode, "candidate_objects_noninteracted")):
        found[f"object/{i}-left"] = Entity(f"object/{i}-left", "object", category, {"interacted": False})
    interacted = {d.start for d in episode.deeds} | {d.goal for d in episode.deeds}
    things = _categories(episode, "candidate_objects")
    for which in ("start", "goal"):
        for suffix in ("", "_noninteracted"):
            group = f"candidate_{which}_receps{suffix}"
            for name, category in zip(_names(episode, group), _categories(episode, group), strict=True):
                if f"receptacle/{name}" in found:
                    continue
                taken = tuple(d.index for d in episode.deeds if d.start == name)
                put = tuple(d.index for d in episode.deeds if d.goal == name)
                properties: dict[str, Any] = {"interacted": name in interacted}
                if taken or put:
                    properties["interaction_order"] = frozenset(_ordinal(i) for i in (*taken, *put))
                if taken:
                    properties |= {"start_receptacle": True, "initial_object": frozenset(things[i] for i in taken)}
                if put:
                    properties["goal_receptacle"] = True
                orders = {"start_receptacle": taken, "goal_receptacle": put}
                found[f"receptacle/{name}"] = Entity(f"receptacle/{name}", "receptacle", category, properties, orders)
    return tuple(found.values())


def targets_of(task: DoryTask, entities: Sequence[Entity]) -> tuple[tuple[tuple[str, ...], ...], bool]:
    """For each goal of a task the ids any of which is right, and whether they have an order.

    Raises:
        UnknownGoalError: the expression asks for something that is not evaluated here.
    """
    wanted = _only_input(task)
    matching = [
        e for e in entities if _is_of_type(e, str(wanted["expr_type"])) and _has(e, wanted.get("properties") or [])
    ]
    if not matching:
        raise UnknownGoalError("nothing that the day left is meant")
    quantifier = task.goal.get("quantifier")
    if quantifier == "EXISTS":
        return (tuple(e.id for e in matching),), False
    if quantifier == "FORALL_SEQUENTIAL_UNORDERED":
        return tuple((e.id,) for e in matching), False
    if quantifier == "FORALL_SEQUENTIAL_ORDERED":
        names = [str(p["name"]) for p in wanted.get("properties") or []]
        role = next((n for n in names if n in ("start_receptacle", "goal_receptacle")), "")
        role = role if matching[0].kind == "receptacle" else "object"
        by_interaction = {i: e.id for e in matching for i in e.orders.get(role, ())}
        if not task.sequence or any(i not in by_interaction for i in task.sequence):
            raise UnknownGoalError("the order of its goals")
        return tuple((by_interaction[i],) for i in task.sequence), True
    raise UnknownGoalError(f"the quantifier {quantifier!r}")


def asked_properties(task: DoryTask) -> tuple[str, ...]:
    """Names of the properties that a task's expression asks for.

    Raises:
        UnknownGoalError: the expression is of another form.
    """
    return tuple(str(p["name"]) for p in _only_input(task).get("properties") or [])


def read_attributes(folder: Path) -> dict[str, dict[str, str]]:
    """Shape, colour, material ... of things by the names of their configs, from the benchmark's table, if it is in ``folder``.

    Raises:
        DatasetError: the table has no column "object_name".
    """
    path = folder / _ATTRIBUTES
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if rows and "object_name" not in rows[0]:
        raise DatasetError(f"expected a column object_name in {path}, got {', '.join(rows[0])}")
    return {row["object_name"]: {k: v for k, v in row.items() if k != "object_name"} for row in rows}


def _only_input(task: DoryTask) -> Mapping[str, Any]:
    inputs = task.goal.get("inputs")
    if not (isinstance(inputs, list) and len(inputs) == 1 and isinstance(inputs[0], dict) and "expr_type" in inputs[0]):
        raise UnknownGoalError("an expression without exactly one kind of goal")
    return inputs[0]


def _is_of_type(entity: Entity, expected: str) -> bool:
    if expected.startswith(("region_", "room_")) or expected == "pos_entity_type":
        raise UnknownGoalError("rooms" if expected != "pos_entity_type" else "places of the robot")
    return entity.kind in _TYPES[expected] if expected in _TYPES else entity.category == expected


def _has(entity: Entity, properties: Sequence[Mapping[str, Any]]) -> bool:
    for p in properties:
        name, value = str(p["name"]), p["value"]
        if name.endswith("_time") and name not in AFTERWARDS:
            raise UnknownGoalError("times of day")
        own = entity.properties.get(name)
        values = value if isinstance(value, list) else [value]
        if isinstance(own, frozenset):
            if not set(values) <= own:
                return False
        elif own is None or any(own != v for v in values):
            return False
    return True


def _names(episode: DoryEpisode, group: str) -> tuple[str, ...]:
    return episode.names.get(group, ())


def _categories(episode: DoryEpisode, group: str) -> tuple[str, ...]:
    return tuple(c.category for c in episode.candidates.get(group, ()))


def _ordinal(i: int) -> str:
    return ORDINALS[i] if i < len(ORDINALS) else f"{i}th"
