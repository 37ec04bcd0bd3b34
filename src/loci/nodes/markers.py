"""What RViz shows of a memory: boxes and labels of objects, the graph of places, rooms, frontiers."""

from __future__ import annotations

from geometry_msgs.msg import Point, Vector3
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from loci.memory import RobotMemory
from loci.nodes.answers import nearest_first
from loci.nodes.conversions import header, to_point, to_pose, to_vector

_COLORS = (
    (0.90, 0.60, 0.0),
    (0.34, 0.71, 0.91),
    (0.0, 0.62, 0.45),
    (0.94, 0.89, 0.26),
    (0.0, 0.45, 0.70),
    (0.84, 0.37, 0.0),
    (0.80, 0.47, 0.65),
)


def spatial_markers(memory: RobotMemory, map_frame: str) -> MarkerArray:
    """Places, edges, room names and frontiers."""
    topology = memory.topology()
    places = [p for p in topology.places if memory.is_goal(p.map_id)]
    position = {p.id: to_point(p.position) for p in places}
    graph = _marker(memory, map_frame, "places", Marker.SPHERE_LIST, 0, 0.15, (0.0, 0.45, 0.70))
    graph.points = list(position.values())
    edges = _marker(memory, map_frame, "edges", Marker.LINE_LIST, 0, 0.03, (0.34, 0.71, 0.91))
    edges.points = [
        p
        for e in topology.edges
        if e.source in position and e.target in position
        for p in (position[e.source], position[e.target])
    ]
    markers = [_clear(memory, map_frame), graph, edges]
    for i, room in enumerate(topology.rooms):
        markers.append(_text(memory, map_frame, "rooms", i, to_point(room.position), room.name or room.id, 0.35))
    for i, (f, length) in enumerate(nearest_first(memory.frontiers())):
        arrow = _marker(
            memory, map_frame, "frontiers", Marker.ARROW, i, 0.05, (0.0, 0.62, 0.45) if length >= 0 else (0.6, 0.6, 0.6)
        )
        arrow.scale = Vector3(x=0.05, y=0.12, z=0.12)
        start = to_point(f.position)
        arrow.points = [
            start,
            Point(x=start.x + 0.5 * float(f.direction[0]), y=start.y + 0.5 * float(f.direction[1]), z=start.z),
        ]
        markers.append(arrow)
    return MarkerArray(markers=markers)


def object_markers(memory: RobotMemory, map_frame: str) -> MarkerArray:
    """Boxes and labels of the objects in the current map; what is missing is pale."""
    markers = [_clear(memory, map_frame)]
    for o in memory.objects():
        if not memory.is_goal(o.map_id):
            continue
        number = int(o.id.rsplit("/", 1)[-1]) & 0x7FFFFFFF
        box = _marker(memory, map_frame, "objects", Marker.CUBE, number, 0.0, _COLORS[number % len(_COLORS)])
        box.color.a = 0.5 if o.is_there else 0.15
        box.pose = to_pose(o.T_map_box)
        box.scale = to_vector(tuple(max(float(s), 0.01) for s in o.size))
        above = to_point(o.center)
        above.z += float(max(o.size)) / 2 + 0.1
        markers += [box, _text(memory, map_frame, "labels", number, above, o.label or o.id, 0.12)]
    return MarkerArray(markers=markers)


def _clear(memory: RobotMemory, map_frame: str) -> Marker:
    marker = Marker(header=header(map_frame, memory.newest_stamp_ns))
    marker.action = Marker.DELETEALL
    return marker


def _marker(
    memory: RobotMemory,
    map_frame: str,
    namespace: str,
    kind: int,
    number: int,
    size: float,
    rgb: tuple[float, float, float],
) -> Marker:
    marker = Marker(header=header(map_frame, memory.newest_stamp_ns), ns=namespace, id=number, type=kind)
    marker.action = Marker.ADD
    marker.pose.orientation.w = 1.0
    marker.scale = Vector3(x=size, y=size, z=size)
    marker.color = ColorRGBA(r=rgb[0], g=rgb[1], b=rgb[2], a=0.9)
    return marker


def _text(
    memory: RobotMemory, map_frame: str, namespace: str, number: int, where: Point, text: str, size: float
) -> Marker:
    marker = _marker(memory, map_frame, namespace, Marker.TEXT_VIEW_FACING, number, size, (1.0, 1.0, 1.0))
    marker.pose.position = where
    marker.text = text
    return marker
