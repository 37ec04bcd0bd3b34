"""The simulator's side of the worker: knows the requests, and brings a worker that died back to where it was.

A request that a worker died of is asked once more of a new one, which has opened the scene again and put all cameras and
objects where they were: requests carry everything else, so that the answer is the same. If that one dies of it as well,
or a worker does not answer in time, the request fails with a message; the next one finds a new worker.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from loci.geometry import Camera
from loci_sim.habitat.process import HabitatError, WorkerDiedError, WorkerProcess
from loci_sim.habitat.worker.frames import Frames, size_of

#: Answers come within [s]: opening a scene, which may be gigabytes, and everything else.
OPEN_TIMEOUT, TIMEOUT = 300.0, 30.0
#: Kinds of images.
IMAGES = ("color", "depth", "ids")
Raw = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.uint32]]


@dataclass(frozen=True)
class Opening:
    """What to open.

    Attributes:
        scene, dataset: as Habitat names them; no dataset: its default one.
        own: exported by Loci.
        navmesh: settings of the navmesh, by name.
        physics: objects can settle; needs a habitat_sim with Bullet.
    """

    scene: str
    dataset: str
    own: bool
    navmesh: Mapping[str, Any]
    physics: bool = False


@dataclass
class _State:
    """What a new worker must be told: cameras by name, objects that are not as the scene has them, those that are gone."""

    cameras: dict[str, dict[str, Any]] = field(default_factory=dict)
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)


class Client:
    """A worker with a scene, replaced by another one whenever it dies.

    Args:
        opening: what to open.
        python: interpreter; see `WorkerProcess`.
        timeout: for every answer but the first [s].
        report: is told when a worker had to be replaced.

    Raises:
        HabitatError: habitat_sim is missing or cannot open the scene.
        RefusedError: there is no such scene or dataset.
    """

    def __init__(
        self,
        opening: Opening,
        python: str = "",
        *,
        timeout: float = TIMEOUT,
        open_timeout: float = OPEN_TIMEOUT,
        report: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._opening, self._python = opening, python
        self._timeout, self._open_timeout, self._report = timeout, open_timeout, report
        self._state = _State()
        self._frames: dict[str, Frames] = {}
        self._descriptors: list[int] = []
        self._worker: WorkerProcess | None = None
        #: How often a worker was replaced.
        self.n_restarts = 0
        # Without a GPU habitat_sim ends the process unless it is told so (-1).
        self._gpu = 0 if glob.glob("/dev/nvidia[0-9]*") else -1
        try:
            self.opened = self._start()
        except WorkerDiedError as error:
            if self._gpu < 0:
                raise
            # There is a GPU that cannot draw: a container without its EGL driver.
            report(f"{error}; trying it without the GPU")
            self._gpu = -1
            self.opened = self._start()

    @property
    def worker(self) -> WorkerProcess | None:
        """The running worker; None between two."""
        return self._worker

    def ask(self, what: str, **arguments: Any) -> dict[str, Any]:
        """The worker's answer; asked again of a new one if it died of it.

        Raises:
            RefusedError: it cannot be done.
            HabitatError: two workers died of it, or one did not answer in time, or the scene is closed.
        """
        message = {"do": what, **arguments}
        try:
            return self._request(message)
        except WorkerDiedError as error:
            if isinstance(error.__cause__, TimeoutError):
                raise
            self._report(f"{error}; starting it again")
            return self._request(message)

    def add_camera(self, name: str, camera: Camera) -> None:
        """Make a camera known, once; its pose comes with every image.

        Raises:
            ValueError: one that Habitat cannot have.
        """
        if name in self._frames:
            return
        width, height, angle = camera.width, camera.height, field_of_view(camera)
        descriptor = _make_file(size_of(width, height))
        # The worker, and the one after it, opens the file through this process.
        path = f"/proc/{os.getpid()}/fd/{descriptor}"
        request = {"name": name, "width": width, "height": height, "horizontal_fov": angle, "frames": path}
        try:
            self.ask("camera", **request)
            self._frames[name] = Frames(path, width, height)
        except BaseException:
            os.close(descriptor)
            raise
        self._state.cameras[name] = request
        self._descriptors.append(descriptor)

    def render(self, poses: Mapping[str, list[float]], images: Sequence[str] = IMAGES) -> dict[str, Raw]:
        """Colour (H, W, 3), depth (H, W) [m] and ids (H, W) of cameras by name, at poses in Habitat's world."""
        views = [{"camera": name, "pose": pose} for name, pose in poses.items()]
        self.ask("render", views=views, images=list(images))
        return {name: self._frames[name].copies() for name in poses}

    def place(self, objects: Sequence[Mapping[str, Any]]) -> None:
        """Put objects somewhere (``name``, ``pose``) or away (pose None); a new one also has a ``model`` and an ``id``."""
        self.ask("place", objects=[dict(o) for o in objects])
        for o in objects:
            self._state.objects[str(o["name"])] = {**self._state.objects.get(str(o["name"]), {}), **o}

    def settle(self, names: Sequence[str], seconds: float) -> tuple[dict[str, list[float]], float, bool]:
        """Let placed objects fall until they lie still: their poses, how long it took [s], and whether they came to rest in time.

        Raises:
            RefusedError: the scene was opened without physics.
        """
        answer = self.ask("settle", names=list(names), seconds=seconds)
        poses = {str(name): [float(v) for v in pose] for name, pose in answer["poses"].items()}
        for name, pose in poses.items():
            self._state.objects[name] = {**self._state.objects[name], "pose": pose}
        return poses, float(answer["seconds"]), bool(answer["settled"])

    def remove(self, name: str) -> None:
        """Remove an object for good."""
        self.ask("remove", name=name)
        if "model" not in self._state.objects.pop(name, {}):
            self._state.removed.append(name)

    def close(self) -> None:
        """End the worker and remove the shared files."""
        if self._worker is not None:
            self._worker.close()
        self._worker, self._frames = None, {}
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._state, self._descriptors = _State(), []
        self.opened = {}

    def _request(self, message: dict[str, Any]) -> dict[str, Any]:
        if not self.opened:
            raise HabitatError("the simulator is closed")
        if self._worker is None:
            self.n_restarts += 1
            self._start()
        assert self._worker is not None
        try:
            return self._worker.request(message, self._timeout)
        except WorkerDiedError:
            self._drop()
            raise

    def _start(self) -> dict[str, Any]:
        """A new worker in the state of the last one."""
        o, state = self._opening, self._state
        self._worker = WorkerProcess(self._python)
        request = {"do": "open", **asdict(o), "gpu": self._gpu}
        try:
            opened = self._worker.request(request, self._open_timeout)
            for camera in state.cameras.values():
                self._worker.request({"do": "camera", **camera}, self._timeout)
            for name in state.removed:
                self._worker.request({"do": "remove", "name": name}, self._timeout)
            if state.objects:
                self._worker.request({"do": "place", "objects": list(state.objects.values())}, self._timeout)
        except BaseException:
            self._drop()
            raise
        return opened

    def _drop(self) -> None:
        if self._worker is not None:
            self._worker.close()
        self._worker = None


def field_of_view(camera: Camera) -> float:
    """Horizontal field of view [degrees] of a camera that Habitat can have.

    Raises:
        ValueError: pixels that are not square, a principal point off the middle, or a distorting lens.
    """
    middle = ((camera.width - 1) / 2, (camera.height - 1) / 2)
    if not camera.is_rectified:
        raise ValueError(f"expected a camera without distortion, got {camera.distortion}")
    if not np.allclose((camera.cx, camera.cy), middle) or not np.isclose(camera.fx, camera.fy):
        raise ValueError(
            f"expected a camera with square pixels and its principal point at {middle}, as Habitat has them, "
            f"got fx {camera.fx}, fy {camera.fy} and ({camera.cx}, {camera.cy})"
        )
    return float(2.0 * np.degrees(np.arctan(camera.width / 2 / camera.fx)))


def _make_file(size: int) -> int:
    """Descriptor of a file of ``size`` bytes in memory. It has no name, so that nothing is left of it whatever ends this process."""
    descriptor = os.memfd_create("loci-habitat")
    os.ftruncate(descriptor, size)
    return descriptor
