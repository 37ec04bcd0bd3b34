"""The node `spatial_memory`: occupancy, frontiers, the graph of places and rooms, and paths."""

from __future__ import annotations

from typing import Any

import numpy as np
from loci_ros import msg as m
from loci_ros import srv
from nav_msgs.msg import OccupancyGrid
from rclpy.context import Context
from sensor_msgs.msg import PointCloud2
from visualization_msgs.msg import MarkerArray

from loci.memory import RobotMemory
from loci.nodes import answers, images, markers
from loci.nodes.conversions import (
    from_point,
    header,
    image_bytes,
    stamp_or_none,
    to_point,
    to_points_array,
    to_time,
)
from loci.nodes.errors import Code, RequestError
from loci.nodes.lifecycle import LATCHED_QOS
from loci.nodes.parameters import SPATIAL
from loci.nodes.part import HostHolder, MemoryPart
from loci.query import check_limit

MAX_POINTS = 100_000
MAX_RAYS = 10_000
MAX_NEAREST = 10_000


class SpatialMemoryNode(MemoryPart):
    """Publishes `map`, `occupied_voxels`, `frontiers`, `topology`, `spatial_markers`; answers where things and ways are."""

    def __init__(self, holder: HostHolder, context: Context | None = None, **options: Any) -> None:
        super().__init__("spatial_memory", SPATIAL, holder, context, **options)
        self.serve(srv.QueryOccupancy, "query_occupancy", self._query_occupancy)
        self.serve(srv.CastRay, "cast_ray", self._cast_ray)
        self.serve(srv.QueryBox, "query_box", self._query_box)
        self.serve(srv.NearestOccupied, "nearest_occupied", self._nearest_occupied)
        self.serve(srv.GetFrontiers, "get_frontiers", self._get_frontiers)
        self.serve(srv.GetTopology, "get_topology", self._get_topology)
        self.serve(srv.FindPath, "find_path", self._find_path)
        self.serve(srv.GetMap, "get_map", self._get_map)
        self.serve(srv.Locate, "locate", self._locate)
        self.serve(srv.GetRoute, "get_route", self._get_route)
        self.serve(srv.ReportTraversal, "report_traversal", self._report_traversal)
        self.every(1.0 / self.values["publish_rate"], self.publish_changes)

    def configure(self) -> None:
        self.publish_on_change(
            OccupancyGrid,
            "map",
            lambda memory, frame: answers.occupancy_grid(memory.occupancy_map(), frame),
            LATCHED_QOS,
        )
        self.publish_on_change(
            PointCloud2,
            "occupied_voxels",
            self._occupied_voxels,
            LATCHED_QOS,
        )
        self.publish_on_change(m.FrontierArray, "frontiers", answers.frontiers, LATCHED_QOS)
        self.publish_on_change(m.Topology, "topology", answers.topology, LATCHED_QOS)
        self.publish_on_change(MarkerArray, "spatial_markers", markers.spatial_markers, LATCHED_QOS)

    def _occupied_voxels(self, memory: RobotMemory, frame: str) -> PointCloud2:
        cubes = memory.occupied_cubes(self.values["voxels_level"], self.values["voxels_limit"])
        return answers.point_cloud(cubes.centres, frame, memory.newest_stamp_ns)

    def _query_occupancy(self, request: Any, response: Any) -> None:
        if len(request.points) > MAX_POINTS:
            raise ValueError(f"expected at most {MAX_POINTS} points, got {len(request.points)}")
        with self.reading(request) as (memory, _):
            states, probabilities = memory.query_occupancy(to_points_array(request.points), int(request.level))
            response.states = states.astype(np.int8).tolist()
            response.probabilities = probabilities.astype(np.float32).tolist()
            response.cell_size = float(memory.parameters.spatial.octree.leaf_size * 2 ** int(request.level))

    def _cast_ray(self, request: Any, response: Any) -> None:
        if len(request.origins) > MAX_RAYS:
            raise ValueError(f"expected at most {MAX_RAYS} rays, got {len(request.origins)}")
        with self.reading(request) as (memory, _):
            rays = memory.cast_rays(
                to_points_array(request.origins), to_points_array(request.directions), float(request.max_range)
            )
        response.hits = [bool(v) for v in rays.hits]
        response.points = [to_point(p) for p in rays.points]
        response.ranges = rays.ranges.astype(np.float32).tolist()
        response.crossed_unknown = [bool(v) for v in rays.crossed_unknown]

    def _query_box(self, request: Any, response: Any) -> None:
        with self.reading(request) as (memory, _):
            found = memory.query_box(
                from_point(request.lower),
                from_point(request.upper),
                int(request.level),
                occupied=request.occupied,
                free=request.free,
                changed_since_ns=stamp_or_none(request.changed_since),
                limit=int(request.limit),
            )
        response.centers = [to_point(p) for p in found.centres]
        response.states = found.states.tolist()
        response.probabilities = found.probabilities.tolist()
        response.last_seen = [to_time(ns) for ns in found.last_seen_ns.tolist()]
        response.changed = [to_time(ns) for ns in found.changed_ns.tolist()]
        response.labels, response.object_ids = list(found.labels), list(found.object_ids)
        response.total, response.cell_size = found.n_total, found.size

    def _nearest_occupied(self, request: Any, response: Any) -> None:
        if not 1 <= len(request.points) <= MAX_NEAREST:
            raise ValueError(f"expected 1 to {MAX_NEAREST} points, got {len(request.points)}")
        with self.reading(request) as (memory, _):
            nearest = memory.nearest_occupied(to_points_array(request.points), float(request.max_distance))
        response.found = nearest.found.tolist()
        response.nearest = [to_point(p) for p in nearest.centres]
        response.distances = nearest.distances.astype(np.float32).tolist()

    def _get_frontiers(self, request: Any, response: Any) -> None:
        limit = check_limit(int(request.limit))
        with self.reading(request) as (memory, frame):
            found = memory.frontiers(from_point(request.position) if request.has_position else None)
            budget = answers.ImageBudget(request.with_images, image_bytes(request.max_image_bytes), frame)
            response.header = header(frame, memory.newest_stamp_ns)
            response.frontiers = [
                answers.frontier(f, length, budget.attach(memory, f.keyframe_id))
                for f, length in answers.nearest_first(found)[:limit]
            ]

    def _get_topology(self, request: Any, response: Any) -> None:
        with self.reading(request) as (memory, frame):
            response.topology = answers.topology(memory, frame)

    def _get_map(self, request: Any, response: Any) -> None:
        with self.reading(request) as (memory, frame):
            view = memory.floor_view(str(request.floor))
            response.map = answers.occupancy_grid(view.map, frame)
            response.floor = answers.floor(view.floor)

    def _find_path(self, request: Any, response: Any) -> None:
        with self.reading(request) as (memory, frame):
            start = from_point(request.start) if request.has_start else None
            goal = request.goal_id or from_point(request.goal)
            found = memory.find_path(start, goal, float(request.tolerance))
            if found.reason:
                raise RequestError(Code.NO_PATH, f"no path: {found.reason}", reason=int(found.status))
            response.path = answers.path(found.points, frame, memory.newest_stamp_ns)
        response.length, response.clearance = float(found.length), float(found.clearance)

    def _locate(self, request: Any, response: Any) -> None:
        has_image = len(request.image.data) > 0
        with self.reading(request) as (memory, _):
            found = memory.locate(
                position=from_point(request.position) if request.has_position else None,
                image=images.color_from_compressed(request.image) if has_image else None,
            )
        response.place, response.room, response.room_name = found.place, found.room, found.room_name
        response.score = float(found.score)

    def _get_route(self, request: Any, response: Any) -> None:
        with self.reading(request) as (memory, frame):
            route = memory.route(request.goal, request.start)
            if route.reason:
                raise RequestError(Code.NO_PATH, f"no route: {route.reason}")
            rooms, objects = {r.id for r in memory.topology().rooms}, memory.objects_of_places()
            response.places = [answers.place(p, rooms, objects.get(p.id, [])) for p in route.places]
            response.path = answers.path(route.points, frame, memory.newest_stamp_ns)
        response.length, response.cost = float(route.length), float(route.cost)
        response.duration, response.instructions = float(route.duration), list(route.instructions)

    def _report_traversal(self, request: Any, response: Any) -> None:
        host = self.memory_host
        with host.reading() as memory:
            edge = memory.report_traversal(
                request.source, request.target, request.succeeded, float(request.duration), request.blocked
            )
        host.touch()
        response.edge = answers.place_edge(edge)
