"""A scene seen straight from above, for people: `python -m loci_sim.topview apartment:3 top.png`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from loci.geometry import Array, Camera
from loci_sim.floorplan import CEILING
from loci_sim.rendering import Renderer
from loci_sim.scenes import FORMS, Scene, load_scene
from loci_sim.textures import Image


def render_top_view(scene: Scene, resolution: float = 0.015, names: bool = True, floor: int = 0) -> Image:
    """Orthographic view (H, W, 3) uint8 of a floor from just below its ceiling: x to the right, y up.

    Args:
        resolution: side of a pixel [m].
        names: write the rooms' names and mark the start.
        floor: 0 is the ground floor; all floors are shown in the same rectangle.
    """
    z = scene.floors[floor]
    corners = np.concatenate([room.polygon for room in scene.rooms])
    low, high = corners.min(axis=0) - 0.2, corners.max(axis=0) + 0.2
    width, height = np.ceil((high - low) / resolution).astype(int).tolist()
    x, y = np.meshgrid(low[0] + (np.arange(width) + 0.5) * resolution, high[1] - (np.arange(height) + 0.5) * resolution)
    rays = np.zeros((height * width, 6), dtype=np.float32)
    rays[:, 0], rays[:, 1], rays[:, 2], rays[:, 5] = x.ravel(), y.ravel(), z + CEILING - 0.03, -1.0
    renderer = Renderer(scene, Camera(width, height, width, width, width / 2, height / 2))
    color, depth, _, _ = renderer.cast(rays, (height, width), resolution / 2)
    # Between the faces of walls one would see what is below this floor.
    color[(depth == 0) | ((depth > CEILING) & ~_in_rooms(scene, z, x, y))] = 60
    if names:
        for room in (r for r in scene.rooms if r.z == z):
            center = room.polygon.mean(axis=0)
            # Smaller where the room is narrower than its name.
            (w, _), _ = cv2.getTextSize(room.name, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 1)
            size = 0.6 * float(np.clip(np.ptp(room.polygon[:, 0]) / resolution / (w + 8), 0.6, 1.0))
            (w, h), _ = cv2.getTextSize(room.name, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
            x0, y0 = int((center[0] - low[0]) / resolution) - w // 2, int((high[1] - center[1]) / resolution) + h // 2
            x0 = int(np.clip(x0, 4, max(4, width - w - 4)))
            cv2.rectangle(color, (x0 - 4, y0 - h - 5), (x0 + w + 4, y0 + 6), (255, 255, 255), cv2.FILLED)
            cv2.putText(color, room.name, (x0, y0), cv2.FONT_HERSHEY_SIMPLEX, size, (150, 0, 0), 1, cv2.LINE_AA)
    if names and floor == 0:
        at = (int((scene.start[0] - low[0]) / resolution), int((high[1] - scene.start[1]) / resolution))
        tip = (int(at[0] + 25 * np.cos(scene.start[2])), int(at[1] - 25 * np.sin(scene.start[2])))
        cv2.arrowedLine(color, at, tip, (220, 0, 0), 3, tipLength=0.4)
    return color


def _in_rooms(scene: Scene, z: float, x: Array, y: Array) -> npt.NDArray[np.bool_]:
    """Which of the points (H, W) lie within the bounds of a room of the floor at this height."""
    inside = np.zeros(x.shape, dtype=bool)
    for room in (r for r in scene.rooms if r.z == z):
        (x0, y0), (x1, y1) = room.polygon.min(axis=0), room.polygon.max(axis=0)
        inside |= (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
    return inside


def main(args: Sequence[str] | None = None) -> int:
    """Command line: writes the top view of a scene as a PNG."""
    parser = argparse.ArgumentParser(
        prog="python -m loci_sim.topview", description="Write a scene's top view as a PNG."
    )
    parser.add_argument("scene", help=FORMS)
    parser.add_argument("png", type=Path)
    parser.add_argument("--floor", type=int, default=0, help="0 is the ground floor")
    options = parser.parse_args(args)
    scene = load_scene(options.scene)
    if not 0 <= options.floor < len(scene.floors):
        parser.error(f"expected a floor from 0 to {len(scene.floors) - 1}, got {options.floor}")
    image = render_top_view(scene, floor=options.floor)
    if not cv2.imwrite(str(options.png), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
        parser.error(f"cannot write {options.png}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
