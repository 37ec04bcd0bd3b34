"""`loci export --format contact-sheet|objects|spark_dsg`: what the scene memory holds, for people and for other programs.

What is heavy is imported when it is used: the command line's help comes at once.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from loci.errors import UserError

if TYPE_CHECKING:
    from loci.memory import RobotMemory

FORMATS = ("contact-sheet", "objects", "spark_dsg")
#: Of the object map: raised when a field changes its meaning.
VERSION = 1


def object_map(memory: RobotMemory) -> dict[str, Any]:
    """All objects of all maps, JSON-able: metres, map frame (z up), quaternions xyzw, stamps in nanoseconds."""
    from loci.geometry import quaternion_from_pose
    from loci.scene_graph import on_or_in

    objects, carriers, attributes = memory.objects(), memory.carriers(), memory.attributes()
    rooms = memory.rooms_of(objects)
    return {
        "format": "loci object map",
        "version": VERSION,
        "memory": memory.uuid,
        "map_id": memory.map_id,
        "objects": [
            {
                "id": o.id,
                "label": o.label,
                "label_confidence": round(o.label_confidence, 4),
                "confidence": round(o.confidence, 4),
                "state": o.state,
                "center": _rounded(o.center),
                "orientation": [round(float(v), 6) for v in quaternion_from_pose(o.T_map_box)],
                "size": _rounded(o.size),
                "colors": list(o.colors),
                "attributes": list(attributes.get(o.id, ())),
                "room": room.id if room else "",
                "room_name": room.name if room else "",
                "on": on_or_in(o.id, carriers)[0],
                "in": on_or_in(o.id, carriers)[1],
                "snapshot": memory.snapshot_of(o.id),
                "keyframe": o.keyframe_id,
                "image_box": list(o.image_box),
                "n_detections": o.n_detections,
                "first_seen_ns": o.first_seen_ns,
                "last_seen_ns": o.last_seen_ns,
                "map_id": o.map_id,
            }
            for o, room in zip(objects, rooms, strict=True)
        ],
    }


def spark_dsg(memory: RobotMemory) -> dict[str, Any]:
    """The scene graph of the current map, as `spark_dsg.DynamicSceneGraph.load` reads it from JSON."""
    from loci.dsg_files import scene_graph_dsg
    from loci.spatial.view import Topology

    known = memory.topology()
    places = tuple(p for p in known.places if p.map_id == memory.map_id)
    ids = {p.id for p in places}
    edges = tuple(e for e in known.edges if e.source in ids and e.target in ids)
    topology = Topology(places, edges, known.rooms, known.current_place, known.floors)
    objects = [o for o in memory.objects() if o.map_id == memory.map_id]
    found = memory.rooms_of(objects)
    rooms = {o.id: room.id for o, room in zip(objects, found, strict=True) if room is not None}
    nearest = dict(zip([o.id for o in objects], memory.nearest_places(objects), strict=True))
    told = {"memory": memory.uuid, "map_id": memory.map_id}
    return scene_graph_dsg(topology, objects, rooms, nearest, memory.carriers(), told)


def export_scene(a: argparse.Namespace) -> int:
    """`loci export --format contact-sheet|objects|spark_dsg`."""
    from loci.saved import open_saved

    ending = "-2" if a.format == "contact-sheet" else ".json"
    again = f"loci export {a.memory} --format {a.format} --out other{ending}"
    if a.report:
        raise UserError("--report goes with --format files", f"loci export {a.memory} --out exported --report")
    if a.out.exists() and (a.format != "contact-sheet" or not a.out.is_dir() or any(a.out.iterdir())):
        raise UserError(f"{a.out} exists", again)
    with open_saved(a.memory) as memory:
        try:
            if a.format == "contact-sheet":
                from loci.report.contact_sheet import write_contact_sheet

                print(write_contact_sheet(memory, a.out))
                return 0
            made = object_map(memory) if a.format == "objects" else spark_dsg(memory)
            a.out.write_text(json.dumps(made, indent=1), encoding="utf-8")
        except OSError as error:
            raise UserError(f"cannot write {a.out}: {error.strerror or error}", again) from error
        what = f"{len(made['objects'])} objects" if a.format == "objects" else f"{len(made['nodes'])} nodes"
        print(f"{a.out}: {what} of {memory.name}")
    return 0


def _rounded(values: Any) -> list[float]:
    return [round(float(v), 4) for v in values]
