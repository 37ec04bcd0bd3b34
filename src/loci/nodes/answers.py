"""What a memory answers as messages: maps, clouds, frontiers, places, objects, snapshots, paths."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from geometry_msgs.msg import PoseStamped
from loci_ros import msg as m
from nav_msgs.msg import OccupancyGrid, Path
from sensor_msgs.msg import CompressedImage, PointCloud2, PointField

from loci.geometry import Array
from loci.history import ObjectChange, ObjectPose
from loci.memory import RobotMemory
from loci.nodes.conversions import header, to_jpeg, to_point, to_pose, to_time, to_vector
from loci.scene.objects import SceneObject
from loci.scene.relations import Relation
from loci.scene.snapshots import Snapshot
from loci.scene_graph import on_or_in
from loci.spatial.floors import Floor
from loci.spatial.frontiers import Frontier
from loci.spatial.occupancy import OccupancyMap
from loci.spatial.places import Place, PlaceEdge
from loci.spatial.regions import Room
from loci.store.errors import StoreError


class ImageBudget:
    """Attaches images until their sum would pass a cap [bytes].

    Args:
        wanted: whether images were asked for.
        max_bytes: the cap.
        frame_id: of the images' headers.
        max_height: images are scaled down to it [px]; None: they stay as they are.
    """

    def __init__(self, wanted: bool, max_bytes: int, frame_id: str, max_height: int | None = None) -> None:
        self._max_height = max_height
        self._left = max_bytes if wanted else 0
        self._frame_id = frame_id

    def attach(self, memory: RobotMemory, keyframe_id: str, stamp_ns: int = 0) -> CompressedImage:
        """The keyframe's image; empty if it is not wanted, too large for what is left, or cannot be read."""
        if not keyframe_id or self._left <= 0:
            return CompressedImage()
        try:
            data = memory.image(keyframe_id, self._max_height)
        except (LookupError, StoreError):
            return CompressedImage()
        if len(data) > self._left:
            self._left = 0
            return CompressedImage()
        self._left -= len(data)
        return to_jpeg(data, self._frame_id, stamp_ns)


def floor(f: Floor) -> m.Floor:
    """Message of a floor."""
    return m.Floor(id=f.id, height=float(f.height), area=float(f.area), room_ids=list(f.room_ids))


def occupancy_grid(floor: OccupancyMap, map_frame: str) -> OccupancyGrid:
    """OccupancyGrid of a floor map: -1 unknown, 0 free, 100 occupied."""
    message = OccupancyGrid(header=header(map_frame, floor.stamp_ns))
    height, width = floor.cells.shape
    message.info.resolution = float(floor.resolution)
    message.info.width, message.info.height = width, height
    message.info.origin.position.x, message.info.origin.position.y = (float(v) for v in floor.origin)
    message.info.origin.position.z = float(floor.floor_z)
    message.info.map_load_time = to_time(floor.stamp_ns)
    message.data = _array("b", floor.cells.astype(np.int8))
    return message


def point_cloud(points: npt.NDArray[np.float32], map_frame: str, stamp_ns: int) -> PointCloud2:
    """PointCloud2 of (N, 3) points [m]."""
    xyz = np.ascontiguousarray(points, dtype="<f4")
    message = PointCloud2(
        header=header(map_frame, stamp_ns), height=1, width=len(xyz), is_bigendian=False, is_dense=True
    )
    message.fields = [
        PointField(name=n, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, n in enumerate("xyz")
    ]
    message.point_step, message.row_step = 12, 12 * len(xyz)
    message.data = _array("B", xyz)
    return message


def frontier(f: Frontier, path_length: float, image: CompressedImage | None = None) -> m.Frontier:
    """Message of a frontier; ``path_length`` is -1 where it is not reachable."""
    message = m.Frontier(
        id=f.id, position=to_point(f.position), centroid=to_point(f.centroid), direction=to_vector(f.direction)
    )
    message.area, message.path_length, message.keyframe_id = float(f.area), float(path_length), f.keyframe_id
    message.information_gain, message.floor = float(f.information_gain), f.floor
    if image is not None:
        message.image = image
    return message


def frontiers(memory: RobotMemory, map_frame: str) -> m.FrontierArray:
    """All frontiers, without images."""
    message = m.FrontierArray(header=header(map_frame, memory.newest_stamp_ns))
    message.frontiers = [frontier(f, length) for f, length in nearest_first(memory.frontiers())]
    return message


def nearest_first(found: list[tuple[Frontier, float]]) -> list[tuple[Frontier, float]]:
    """Frontiers by path length, those that are not reachable last."""
    return sorted(found, key=lambda item: (item[1] < 0, item[1]))


def topology(memory: RobotMemory, map_frame: str) -> m.Topology:
    """Places, edges, rooms and floors, with the objects that belong to them."""
    known = memory.topology()
    rooms = {r.id for r in known.rooms}
    objects_of_place = memory.objects_of_places()
    objects_of_room: dict[str, list[str]] = {}
    objects = memory.objects()
    for o, room in zip(objects, memory.rooms_of(objects), strict=True):
        if room is not None:
            objects_of_room.setdefault(room.id, []).append(o.id)
    message = m.Topology(header=header(map_frame, memory.newest_stamp_ns), current_place=known.current_place)
    places_of_room: dict[str, list[str]] = {}
    message.floors = [floor(f) for f in known.floors]
    floor_of_room = {i: f.id for f in known.floors for i in f.room_ids}
    floors = memory.floors_of([p.position for p in known.places]) if known.places else []
    floor_of_place = {p.id: f.id for p, f in zip(known.places, floors, strict=False) if memory.is_goal(p.map_id)}
    for p in known.places:
        message.places.append(place(p, rooms, objects_of_place.get(p.id, []), floor_of_place.get(p.id, "")))
        places_of_room.setdefault(message.places[-1].room, []).append(p.id)
    message.edges = [place_edge(e) for e in known.edges]
    for r in known.rooms:
        room = m.Room(
            id=r.id, name=r.name, position=to_point(r.position), area=float(r.area), confidence=float(r.confidence)
        )
        room.floor = floor_of_room.get(r.id, "")
        room.place_ids, room.object_ids = places_of_room.get(r.id, []), objects_of_room.get(r.id, [])
        message.rooms.append(room)
    return message


def place(p: Place, rooms: Container[str], object_ids: Sequence[str], floor: str = "") -> m.Place:
    """Message of a place.

    Args:
        p: the place.
        rooms: ids of the rooms that are known now.
        object_ids: its landmarks.
        floor: id of its floor; empty: not known.
    """
    message = m.Place(id=p.id, position=to_point(p.position), n_visits=p.n_visits, last_visit=to_time(p.last_visit_ns))
    message.room, message.object_ids = p.room if p.room in rooms else "", list(object_ids)
    message.map_id, message.floor = p.map_id, floor
    return message


def place_edge(e: PlaceEdge) -> m.PlaceEdge:
    """Message of an edge."""
    message = m.PlaceEdge(source=e.source, target=e.target, n_traversals=e.n_traversals, blocked=e.blocked)
    message.length, message.weight = float(e.length), float(e.weight)
    message.n_failures, message.mean_duration = e.n_failures, float(e.mean_duration)
    return message


def scene_objects(memory: RobotMemory, objects: Sequence[SceneObject], map_frame: str) -> list[m.SceneObject]:
    """Messages of objects, with place, room, support and snapshot."""
    carriers, attributes = memory.carriers(o.id for o in objects), memory.attributes()
    return [
        _scene_object(memory, o, map_frame, room, place_id, carriers, attributes.get(o.id, ()))
        for o, room, place_id in zip(objects, memory.rooms_of(objects), memory.nearest_places(objects), strict=True)
    ]


def _scene_object(
    memory: RobotMemory,
    o: SceneObject,
    map_frame: str,
    room: Room | None,
    place_id: str,
    carriers: Mapping[str, tuple[str, bool]],
    attributes: Sequence[str],
) -> m.SceneObject:
    on, inside = on_or_in(o.id, carriers)
    return m.SceneObject(
        header=header(map_frame, o.last_seen_ns),
        id=o.id,
        label=o.label,
        label_confidence=float(o.label_confidence),
        confidence=float(o.confidence),
        state=o.state,
        pose=to_pose(o.T_map_box),
        size=to_vector(o.size),
        n_detections=o.n_detections,
        first_seen=to_time(o.first_seen_ns),
        last_seen=to_time(o.last_seen_ns),
        colors=list(o.colors),
        attributes=list(attributes),
        place=place_id,
        room=room.id if room else "",
        room_name=room.name if room else "",
        on=on,
        inside=inside,
        snapshot=memory.snapshot_of(o.id),
        keyframe_id=o.keyframe_id,
        map_id=o.map_id,
        is_goal=o.is_there and memory.is_goal(o.map_id),
        presence=float(o.presence),
    )


def relation(r: Relation) -> m.ObjectRelation:
    """Message of a relation."""
    message = m.ObjectRelation(subject=r.subject, relation=r.relation, objects=list(r.objects))
    message.distance, message.confidence = float(r.distance), float(r.confidence)
    return message


def object_pose(p: ObjectPose, map_frame: str) -> m.ObjectPose:
    """Message of an entry of an object's history."""
    return m.ObjectPose(
        header=header(map_frame, p.first_seen_ns),
        last_seen=to_time(p.last_seen_ns),
        state=p.state,
        pose=to_pose(p.T_map_box),
        size=to_vector(p.size),
        room=p.room,
        room_name=p.room_name,
        on=p.on,
        keyframe_id=p.keyframe_id,
        map_id=p.map_id,
    )


def object_change(c: ObjectChange, map_frame: str) -> m.ObjectChange:
    """Message of a change."""
    message = m.ObjectChange(
        header=header(map_frame, c.stamp_ns),
        kind=c.kind,
        object_id=c.object_id,
        label=c.label,
        confidence=float(c.confidence),
        ambiguous=c.ambiguous,
        text=c.text,
    )
    if c.old is not None:
        message.has_old_pose, message.old_pose = True, to_pose(c.old.T_map_box)
        message.old_room_name, message.old_seen = c.old.room_name, to_time(c.old.last_seen_ns)
    if c.new is not None:
        message.has_new_pose, message.new_pose = True, to_pose(c.new.T_map_box)
        message.new_room_name = c.new.room_name
    return message


def objects(memory: RobotMemory, map_frame: str) -> m.SceneObjectArray:
    """All objects."""
    message = m.SceneObjectArray(header=header(map_frame, memory.newest_stamp_ns))
    message.objects = scene_objects(memory, memory.objects(), map_frame)
    return message


def snapshot(
    memory: RobotMemory, s: Snapshot, map_frame: str, images: ImageBudget, labels: dict[str, str], score: float = 1.0
) -> m.Snapshot:
    """Message of a snapshot; ``labels`` by object id."""
    keyframe = memory.keyframe(s.keyframe_id)
    message = m.Snapshot(
        header=header(map_frame, keyframe.stamp_ns), id=s.id, keyframe_id=s.keyframe_id, map_id=keyframe.map_id
    )
    message.camera_pose = to_pose(keyframe.T_map_camera)
    message.object_ids = list(s.object_ids)
    message.labels = [labels.get(i, "") for i in s.object_ids]
    message.score = float(score)
    message.image = images.attach(memory, s.keyframe_id, keyframe.stamp_ns)
    return message


def path(points: npt.NDArray[np.floating] | Array, map_frame: str, stamp_ns: int) -> Path:
    """Path of (N, 3) points [m]; every pose looks to the next."""
    message = Path(header=header(map_frame, stamp_ns))
    for i, p in enumerate(points):
        stamped = PoseStamped(header=message.header)
        ahead = points[min(i + 1, len(points) - 1)] - points[max(min(i, len(points) - 2), 0)]
        yaw = float(np.arctan2(ahead[1], ahead[0]))
        stamped.pose.position = to_point(p)
        stamped.pose.orientation.z, stamped.pose.orientation.w = float(np.sin(yaw / 2)), float(np.cos(yaw / 2))
        message.poses.append(stamped)
    return message


def _array(typecode: str, values: npt.NDArray[np.generic]) -> object:
    """An ``array.array`` of the bytes of ``values``: rclpy takes it as it is, where it would check a list number by number."""
    from array import array

    data = array(typecode)
    data.frombytes(np.ascontiguousarray(values).tobytes())
    return data
