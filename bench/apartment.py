"""A drive through the demo's apartment at a fixed frame rate, as recorded frames with the simulator's detections.

Run alone it prints how long rendering took; `pipeline` streams it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loci.nodes.images import encode_color, encode_depth
from loci.observation import Detection
from loci.perception.simulated import detections_from_instances
from loci.readers import RawFrame

RATE = 10.0  # frames per second
SPEED, TURN_RATE = 0.5, 1.2  # of the robot [m/s], [rad/s]


@dataclass(frozen=True)
class Shot:
    """A frame with what the simulator says is in it (shuffled, without ids)."""

    frame: RawFrame
    detections: tuple[Detection, ...]


def drive(n_frames: int, seed: int = 0) -> list[Shot]:
    """Frames of a drive from room to room, turning once around in the middle of each."""
    from loci_sim.embedded import EmbeddedSimulator, RobotParameters
    from loci_sim.meshes import planar_pose
    from loci_sim.rendering import Renderer

    robot = RobotParameters()
    simulator = EmbeddedSimulator(f"apartment:{seed}", robot)
    renderer = Renderer(simulator.scene, robot.camera, robot.max_range)
    rng = np.random.default_rng(seed)
    shots: list[Shot] = []
    for i, (x, y, yaw) in enumerate(_poses(simulator, n_frames)):
        T_map_camera = planar_pose(x, y, 0.0, yaw) @ robot.T_base_camera
        color, depth, _, instances = renderer.render(T_map_camera)
        detections = detections_from_instances(instances, simulator.instance_labels, rng)
        stamp_ns = 1_000_000_000 + round(i * 1e9 / RATE)
        # Compressed, as the demo's simulator publishes them.
        frame = RawFrame(
            encode_color(color), encode_depth(depth, 0.001), robot.camera, robot.camera, T_map_camera, stamp_ns
        )
        shots.append(Shot(frame, detections))
    return shots


def _poses(simulator, n: int) -> list[tuple[float, float, float]]:
    """(x, y, yaw) of the first ``n`` frames of the drive; it begins anew when all rooms were visited."""
    centers = [room.polygon.mean(axis=0) for room in simulator.scene.rooms]
    goals = [_nearest_navigable(simulator, center) for center in centers]
    poses = [tuple(float(v) for v in simulator.scene.start)]
    while len(poses) < n:
        for goal in goals:
            path = simulator.shortest_path(poses[-1][:2], goal)
            if path is not None:
                _follow(poses, path.points[:, :2])
            turns = np.arange(1, int(2 * np.pi * RATE / TURN_RATE) + 1) * TURN_RATE / RATE
            poses += [(poses[-1][0], poses[-1][1], poses[-1][2] + float(t)) for t in turns]
    return poses[:n]


def _follow(poses: list[tuple[float, float, float]], points: np.ndarray) -> None:
    for target in points[1:]:
        x, y, yaw = poses[-1]
        offset = target - (x, y)
        distance = float(np.hypot(*offset))
        if distance < 1e-6:
            continue
        turn = (np.arctan2(offset[1], offset[0]) - yaw + np.pi) % (2 * np.pi) - np.pi
        for share in np.linspace(0, 1, max(1, int(np.ceil(abs(turn) * RATE / TURN_RATE))) + 1)[1:]:
            poses.append((x, y, float(yaw + share * turn)))
        for share in np.linspace(0, 1, max(1, int(np.ceil(distance * RATE / SPEED))) + 1)[1:]:
            poses.append((float(x + share * offset[0]), float(y + share * offset[1]), float(yaw + turn)))


def _nearest_navigable(simulator, center: Sequence[float]) -> tuple[float, float]:
    grid = simulator.grid
    cells = grid.center_of(np.argwhere(grid.navigable))
    x, y = cells[int(np.argmin(np.hypot(*(cells - np.asarray(center)).T)))]
    return float(x), float(y)


if __name__ == "__main__":
    began = time.perf_counter()
    made = drive(50)
    print(
        f"{len(made)} frames in {time.perf_counter() - began:.1f} s, {np.mean([len(s.detections) for s in made]):.1f} detections each"
    )
