"""What the worker does: opens one scene, renders cameras, moves on the navmesh, moves objects.

Every request carries all it needs (poses come with it), so that one can be asked again of a new worker. Points and poses are
in Habitat's world (y up, m), poses row by row.
"""

from __future__ import annotations

from typing import Any

from .frames import Frames
from .navmesh import Navmesh
from .objects import Objects
from .opening import RequestError, open_simulator

__all__ = ["RequestError", "Service"]

Request = dict[str, Any]


class Service:
    """Answers requests, all about the scene that ``open`` loaded."""

    def __init__(self) -> None:
        self._sim: Any = None
        self._frames: dict[str, Frames] = {}

    def handle(self, request: Request) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            RequestError: it cannot be done, for a reason that the user can do something about.
        """
        name = str(request.get("do"))
        work = getattr(self, "_do_" + name, None)
        if work is None:
            raise RequestError("expected a known request, got " + repr(name))
        if self._sim is None and name != "open":
            raise RequestError("no scene is open")
        reply: dict[str, Any] = work(request)
        return reply

    def _do_open(self, request: Request) -> dict[str, Any]:
        if self._sim is not None:
            raise RequestError("a scene is open already")
        self._sim, self._habitat = open_simulator(request)
        self._has_physics = bool(request["physics"])
        self._objects = Objects(self._sim, self._habitat, bool(request["own"]))
        self._navmesh = Navmesh(self._sim, self._habitat, request["navmesh"])
        return {"semantics": self._objects.semantics(), "objects": self._objects.names()}

    def _do_camera(self, request: Request) -> dict[str, Any]:
        name, width, height = str(request["name"]), int(request["width"]), int(request["height"])
        self._frames[name] = Frames(str(request["frames"]), width, height)
        types = self._habitat.SensorType
        for kind, sensor_type in (("color", types.COLOR), ("depth", types.DEPTH), ("ids", types.SEMANTIC)):
            spec = self._habitat.CameraSensorSpec()
            spec.uuid = name + "." + kind
            spec.sensor_type = sensor_type
            spec.resolution = [height, width]
            spec.hfov = float(request["horizontal_fov"])
            # Floats, or the binding does not take them. The camera's node is put where the camera is at every image.
            spec.position = [0.0, 0.0, 0.0]
            spec.near, spec.far = 0.01, 1000.0
            self._sim.add_sensor(spec)
        return {}

    def _do_render(self, request: Request) -> dict[str, Any]:
        import numpy as np

        for view in request["views"]:
            name = str(view["camera"])
            frames, T = self._frames[name], _matrix(view["pose"])
            for kind in request["images"]:
                sensor = self._sim._sensors[name + "." + kind]
                sensor._sensor_object.node.transformation = T
                sensor.draw_observation()
                image = sensor.get_observation()
                target = getattr(frames, kind)
                np.copyto(target, image[..., :3] if kind == "color" else image, casting="unsafe")
        return {}

    def _do_move(self, request: Request) -> dict[str, Any]:
        return self._navmesh.move(request["start"], request["moves"], bool(request["slide"]))

    def _do_navigable(self, request: Request) -> dict[str, Any]:
        return {"found": self._navmesh.navigable(request["points"], request["from"])}

    def _do_nearest(self, request: Request) -> dict[str, Any]:
        return self._navmesh.nearest(request["start"], request["goals"])

    def _do_snap(self, request: Request) -> dict[str, Any]:
        return {"point": self._navmesh.snap(request["point"])}

    def _do_path(self, request: Request) -> dict[str, Any]:
        return self._navmesh.path(request["start"], request["goal"])

    def _do_random(self, request: Request) -> dict[str, Any]:
        return {"point": self._navmesh.random_point(int(request["seed"]), request["from"])}

    def _do_start(self, request: Request) -> dict[str, Any]:
        return {"point": self._navmesh.start()}

    def _do_place(self, request: Request) -> dict[str, Any]:
        """Put objects at poses or away (None), add those that are new."""
        for entry in request["objects"]:
            self._objects.place(entry)
        self._navmesh.is_stale = True
        return {}

    def _do_settle(self, request: Request) -> dict[str, Any]:
        if not self._has_physics:
            raise RequestError("the scene was opened without physics: nothing falls")
        settled = self._objects.settle([str(name) for name in request["names"]], float(request["seconds"]))
        self._navmesh.is_stale = True
        return settled

    def _do_remove(self, request: Request) -> dict[str, Any]:
        self._objects.remove(str(request["name"]))
        self._navmesh.is_stale = True
        return {}


def _matrix(values: list[float]) -> Any:
    import magnum

    rows = [values[4 * i : 4 * i + 4] for i in range(4)]
    # Magnum takes columns.
    return magnum.Matrix4(*(magnum.Vector4(*(rows[r][c] for r in range(4))) for c in range(4)))
