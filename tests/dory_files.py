"""A small FindingDory episode in a home of ours: real things on real furniture, an invented day, the published layout and fields."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmark_homes import BenchmarkHome, position, rotation
from loci.geometry import Array
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.glb import Y_UP_TO_Z_UP, Node, write_glb
from loci_sim.meshes import Material, MeshBuilder
from loci_sim.scenes import SceneThing
from loci_sim.viewpoints import viewpoints

#: Furniture that the day's things lie on.
FURNITURE = ("bed", "sofa", "desk", "table", "dining table", "nightstand", "dresser", "counter")
COLORS = {"parcel": (200, 20, 20), "crate": (20, 40, 200)}
EXISTS, UNORDERED, ORDERED = "EXISTS", "FORALL_SEQUENTIAL_UNORDERED", "FORALL_SEQUENTIAL_ORDERED"


def expression(quantifier: str, expr_type: str, **properties: Any) -> dict[str, Any]:
    """A goal expression as the benchmark writes it."""
    asked = [{"_target_": "DiscPddlEntityProperty", "name": name, "value": value} for name, value in properties.items()]
    predicate = "robot_at_object" if expr_type != "static_receptacle_entity_type" else "robot_at_receptacle"
    return {
        "expr_type": "AND",
        "quantifier": quantifier,
        "inputs": [{"name": "x", "expr_type": expr_type, "properties": asked}],
        "sub_exprs": [f"{predicate}(x,robot_0)"],
    }


def instruction(number: int, text: str, kind: str, goal: dict[str, Any], several: Any = None) -> dict[str, Any]:
    return {
        "task_id": f"task_{number}",
        "lang": text,
        "task_type": kind,
        "goal_expr": goal,
        "sampled_objects": [],
        "sampled_receps": [],
        "sequential_goals": several,
    }


def instructions() -> dict[str, Any]:
    """One of each form: any, first, all, in order, receptacles, the longest, the farthest, and two that nothing here can score."""
    thing, place = "movable_entity_type", "static_receptacle_entity_type"
    tasks = [
        instruction(1, "Go to a parcel that you moved.", "object", expression(EXISTS, "parcel", interacted=True)),
        instruction(
            2,
            "Go to what you moved first.",
            "order",
            expression(EXISTS, thing, interacted=True, interaction_order="first"),
        ),
        instruction(
            3, "Go to all that you moved.", "multi", expression(UNORDERED, thing, interacted=True), {"ordered": False}
        ),
        instruction(
            4,
            "Go to what you moved, last things first.",
            "multi_ordered",
            expression(ORDERED, thing, interacted=True),
            {"ordered": True, "sequence": [1, 0]},
        ),
        instruction(
            5,
            "Go to where the crate was.",
            "receptacle",
            expression(EXISTS, place, interacted=True, initial_object="crate"),
        ),
        instruction(6, "Go to what took longest.", "time", expression(EXISTS, thing, longest_interaction_time=True)),
        instruction(
            7,
            "Go to the farthest place you put something on.",
            "farthest",
            expression(EXISTS, place, farthest_goal_rec=True),
        ),
        instruction(
            8, "Go to the room that you began in.", "room", expression(EXISTS, "room_region_entity", initial_room=True)
        ),
        instruction(9, "Go to what you moved at XX:XX.", "timestep", expression(EXISTS, thing, interacted=True)),
    ]
    return {str(i): task for i, task in enumerate(tasks)}


def write_findingdory(home: BenchmarkHome, folder: Path) -> tuple[Path, Path]:
    """A day of two pick-and-places; returns the folder of splits and that of objects."""
    objects = folder / "objects"
    for name, color in COLORS.items():
        _write_model(objects, name, color)
    simulator = EmbeddedSimulator(home.exported.scene, RobotParameters(width=64, height=48))
    rows: list[list[float]] = []
    try:
        spots = _spots(simulator, home)
    finally:
        simulator.close()
    (a, at_a), (b, at_b), (c, at_c), (d, at_d) = spots

    def candidate(number: int, name: str, category: str, at: Any, points: Array) -> dict[str, Any]:
        first = len(rows)
        for p in points:
            rows.append([*position(p), *rotation(0.0), 0.3])
        return {
            "object_id": str(number),
            "object_name": name,
            "object_category": category,
            "position": position(at),
            "view_points": list(range(first, len(rows))),
        }

    def receptacle(thing: SceneThing, points: Array) -> dict[str, Any]:
        return candidate(thing.instance, f"{thing.id}_:0000|receptacle", thing.category, thing.center, points)

    names = [f"{n}.object_config.json" for n in COLORS]
    before, after = [_top(a), _top(b)], [_top(c), _top(d)]
    poses = [Y_UP_TO_Z_UP.T @ T @ Y_UP_TO_Z_UP for T in before]
    episode = {
        "episode_id": "0",
        "scene_id": home.exported.scene_id,
        "scene_dataset_config": home.config,
        "start_position": position(home.starts[0]),
        "start_rotation": rotation(0.0),
        "candidate_objects": [
            candidate(i, name, category, T[:3, 3], points)
            for i, (name, category, T, points) in enumerate(zip(names, COLORS, before, (at_a, at_b), strict=True))
        ],
        "candidate_objects_noninteracted": [],
        "candidate_start_receps": [receptacle(a, at_a), receptacle(b, at_b)],
        "candidate_start_receps_noninteracted": [],
        "candidate_goal_receps": [receptacle(c, at_c), receptacle(d, at_d)],
        "candidate_goal_receps_noninteracted": [],
        "rigid_objs": [[name, i] for i, name in enumerate(names)],
        "target_receptacles": [[f"{t.id}_:0000|receptacle", 0] for t in (a, b)],
        "goal_receptacles": [[f"{t.id}_:0000|receptacle", 0] for t in (c, d)],
        "place_valid_receps": {"0": 0, "1": -1},
        "place_oracle_action_seq": {
            str(i): ["MANIPULATION_MODE", ["EMPTY_ACTION", (Y_UP_TO_Z_UP.T @ T @ Y_UP_TO_Z_UP).tolist()], "STOP"]
            for i, T in enumerate(after)
        },
        "nav_goal_pos": position(home.starts[1]),
        "instructions": instructions(),
    }
    split = folder / "data" / "val"
    split.mkdir(parents=True)
    (split / "episodes.json.gz").write_bytes(gzip.compress(json.dumps({"episodes": [episode]}).encode()))
    np.save(split / "viewpoints.npy", np.array(rows))
    np.save(split / "transformations.npy", np.array(poses)[:, :3])
    return folder / "data", objects


def _spots(simulator: EmbeddedSimulator, home: BenchmarkHome) -> list[tuple[SceneThing, Array]]:
    """Four pieces of furniture with their viewpoints, close together as FindingDory has them."""
    from benchmark_homes import denser

    found = []
    for thing in home.exported.scene.objects:
        if thing.category in FURNITURE and len(points := viewpoints(simulator, thing.id)) > 3:
            found.append((thing, denser(simulator, points)))
        if len(found) == 4:
            return found
    raise ValueError(f"expected four of {FURNITURE} in {home.exported.scene.map_id}, got {len(found)}")


def _top(thing: SceneThing) -> Array:
    """Pose of a model that stands in the middle of a thing's top."""
    T = np.eye(4)
    T[:3, 3] = thing.center + [0.0, 0.0, thing.size[2] / 2]
    return T


def _write_model(folder: Path, name: str, color: tuple[int, int, int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    builder = MeshBuilder()
    builder.box((-0.12, -0.12, 0.0), (0.12, 0.12, 0.24), Material(color))
    write_glb(folder / f"{name}.glb", [Node(name, np.eye(4), tuple(builder.meshes()))], {})
    config = {"render_asset": f"{name}.glb", "COM": [0, 0, 0], "up": [0, 1, 0], "front": [0, 0, -1]}
    (folder / f"{name}.object_config.json").write_text(json.dumps(config))
