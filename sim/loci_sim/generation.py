"""One draw of a generated scene: plan, structure and furniture of a family as nodes and as what the sidecar says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from loci.geometry import Array
from loci_sim.catalogue import Model
from loci_sim.families import FAMILIES
from loci_sim.floorplan import FloorPlan
from loci_sim.furnishing import furnish
from loci_sim.glb import Node
from loci_sim.meshes import planar_pose
from loci_sim.structure import DoorLeaf, build_doors, build_structure


def draw_scene(name: str, seed: int, version: int, rng: np.random.Generator) -> tuple[list[Node], dict[str, Any]]:
    """Nodes and sidecar of one draw of a family, whose scenes have this version.

    Raises:
        ValueError: this draw leaves no room for something important; draw again.
    """
    family = FAMILIES[name]
    plan = family.plan(rng)
    pieces = build_structure(plan, family.finish(plan, rng))
    things = furnish(plan, rng, family.furnishing)
    nodes = [Node(piece.name, np.eye(4), piece.meshes) for piece in pieces]
    objects: list[dict[str, Any]] = []

    def add(identity: str, model: Model, T: Array, room: str, on: str, **more: Any) -> None:
        nodes.append(Node(identity, T, model.meshes))
        nodes.extend(Node(f"{identity}/{part.name}", T, part.meshes) for part in model.parts)
        box = T @ planar_pose(0.0, 0.0, float(model.size[2]) / 2, 0.0)
        objects.append(
            {
                "id": identity,
                "category": model.category,
                "color": model.color,
                "instance": len(objects) + 1,
                "T_map_box": _rounded(box),
                "size": _rounded(model.size),
                "room": room,
                "on": on,
                "node": identity,
                **_openings(identity, model),
                **more,
            }
        )

    leaves = build_doors(plan, rng, family.furnishing.classic)
    for i, leaf in enumerate(leaves):
        hung = {"joints": [_leaf_joint(f"door_{i + 1}", leaf)]} if leaf.hinge is not None else {}
        add(f"door_{i + 1}", leaf.model, leaf.T_map_object, leaf.doorway.rooms[0], "", **hung)
    for thing in things:
        inside = {"inside": True} if thing.inside else {}
        add(thing.id, thing.model, thing.T_map_object, thing.room, thing.on, **inside)
    hung_in = {leaf.doorway: f"door_{i + 1}" for i, leaf in enumerate(leaves)}
    sidecar = {
        "format": "loci-scene",
        "version": 1,
        "generator": version,
        "name": name,
        "seed": seed,
        "map_id": f"{name}-{seed}-v{version}",
        "frame": "map: z-up, metres; the GLB is y-up: its (x, y, z) is (x, -z, y) here",
        "start": _rounded(np.array(_start(plan))),
        "rooms": [
            {
                "id": r.id,
                "name": r.name,
                "polygon": _rounded(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])),
                **({"floor": r.floor, "z": round(r.z, 6)} if plan.stairs else {}),
            }
            for r in plan.rooms
            for x0, y0, x1, y1 in [(r.rect.x0, r.rect.y0, r.rect.x1, r.rect.y1)]
        ],
        "doorways": [
            {
                "rooms": [room for room in d.rooms if room],
                "center": _rounded(np.array(d.passage.center)),
                "width": round(d.end - d.start, 4),
                **({} if family.furnishing.classic else {"door": hung_in.get(d, "")}),
                **({"floor": d.floor} if plan.stairs else {}),
            }
            for d in plan.doors
        ],
        "structure": [{"node": p.name, "label": p.label, "room": p.room} for p in pieces],
        "objects": objects,
    }
    return nodes, sidecar


def _openings(identity: str, model: Model) -> dict[str, Any]:
    """What a sidecar says of a thing's parts that move and of the room in it; nothing where it has none."""
    down = np.array([0.0, 0.0, float(model.size[2]) / 2])
    joints = [
        {
            "node": f"{identity}/{p.name}",
            "kind": p.kind,
            "origin": _rounded(np.array(p.origin) - down),
            "axis": _rounded(np.array(p.axis)),
            "limit": round(p.limit, 6),
            "opening": 0.0,
        }
        for p in model.parts
    ]
    interiors = [
        {
            "low": _rounded(np.array(s.low) - down),
            "high": _rounded(np.array(s.high) - down),
            "node": f"{identity}/{s.part}" if s.part else "",
        }
        for s in model.spaces
    ]
    return {"joints": joints, "interiors": interiors} if joints else {}


def _leaf_joint(identity: str, leaf: DoorLeaf) -> dict[str, Any]:
    """The hinge of a door leaf, in the frame of its box."""
    x, y = leaf.hinge or (0.0, 0.0)
    height = float(leaf.T_map_object[2, 3] + leaf.model.size[2] / 2)
    T_map_box = leaf.T_map_object @ planar_pose(0.0, 0.0, float(leaf.model.size[2]) / 2, 0.0)
    origin = np.linalg.solve(T_map_box, np.array([x, y, height, 1.0]))[:3]
    return {
        "node": identity,
        "kind": "hinge",
        "origin": _rounded(origin),
        "axis": [0.0, 0.0, float(np.sign(leaf.turn))],
        "limit": round(abs(leaf.turn), 6),
        "opening": leaf.opening,
    }


def _start(plan: FloorPlan) -> tuple[float, float, float]:
    """Just inside the front door, looking in."""
    door = plan.doors[-1]
    x, y = door.zone(door.side).center
    return (x, y, np.pi / 2 * door.side) if door.axis == "x" else (x, y, 0.0 if door.side > 0 else np.pi)


def _rounded(values: npt.NDArray[np.floating]) -> Any:
    return np.round(values, 6).tolist()
