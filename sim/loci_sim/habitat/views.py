"""What cameras on the robot see: Habitat's images with our labels, noise and poses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loci.geometry import Array, Camera
from loci_sim.cameras import CameraMount, check_names
from loci_sim.habitat.axes import camera_to_habitat
from loci_sim.habitat.client import Client
from loci_sim.habitat.labels import LabelTable
from loci_sim.noise import NoiseParameters, noisy
from loci_sim.protocol import SimulatorObservation


@dataclass(frozen=True, eq=False)
class View:
    """A camera on the robot: intrinsics, pose (4, 4) of its optical frame in the base frame, range [m]."""

    camera: Camera
    T_base_camera: Array
    max_range: float


def mounted(client: Client, mounts: Sequence[CameraMount]) -> dict[str, View]:
    """Make cameras known to the client: views by the client's names, in the order of the mounts.

    Raises:
        ValueError: two cameras have the same name, or one cannot be had in Habitat.
    """
    check_names(mounts)
    views = {}
    for m in mounts:
        # Cameras that are known to Habitat keep their size: another one of the same name is another one.
        key = f"{m.name}-{m.camera.width}x{m.camera.height}-{m.camera.fx:.6g}"
        client.add_camera(key, m.camera)
        views[key] = View(m.camera, m.T_base_camera, m.max_range)
    return views


def look(
    client: Client,
    views: Mapping[str, View],
    T_map_base: Array,
    T_map_base_known: Array,
    stamp_ns: int,
    map_id: str,
    table: LabelTable,
    noise: NoiseParameters,
) -> dict[str, SimulatorObservation]:
    """What cameras, which the client knows by name, see from where the robot is.

    Args:
        T_map_base_known: where the robot believes that it is.
    """
    raw = client.render({name: camera_to_habitat(T_map_base @ v.T_base_camera) for name, v in views.items()})
    found = {}
    for name, view in views.items():
        color, depth, ids = raw[name]
        depth[depth > view.max_range] = 0.0
        color, depth = noisy(color, depth, view.camera, noise, stamp_ns, name)
        semantic, instances = table.images(ids)
        for image in (color, depth, semantic, instances):
            image.setflags(write=False)
        found[name] = SimulatorObservation(
            color,
            depth,
            semantic,
            instances,
            T_map_base_known @ view.T_base_camera,
            T_map_base_known,
            view.camera,
            stamp_ns,
            map_id,
            T_map_base @ view.T_base_camera,
            T_map_base,
        )
    return found
