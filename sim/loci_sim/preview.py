"""One picture of a scene for people: a top view of every floor with the rooms' names, and four camera views from inside.

Views are taken where a standing robot could be, in four rooms of different kinds, towards as many of their things as can be seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from loci.geometry import Array
from loci_sim.meshes import planar_pose
from loci_sim.navigation import NavigationGrid, build_levels
from loci_sim.rendering import Renderer
from loci_sim.robot import RobotParameters
from loci_sim.scenes import Scene, SceneRoom
from loci_sim.textures import Image
from loci_sim.topview import render_top_view

#: Size of a camera view in the picture [px], and space around everything.
VIEW_WIDTH, VIEW_HEIGHT, MARGIN = 480, 360, 12
_BACKGROUND = (36, 38, 42)
_HEADINGS, _PLACES_PER_ROOM = 8, 16


@dataclass(frozen=True)
class View:
    """A camera view: the room it shows, the robot's pose (x, y, yaw) [m, rad] on its floor and the image (H, W, 3) uint8."""

    room: SceneRoom
    pose: tuple[float, float, float]
    image: Image


def render_preview(scene: Scene, n_views: int = 4) -> Image:
    """Top views, from the ground up, and numbered camera views in one picture (H, W, 3) uint8; the same for the same scene."""
    views = camera_views(scene, n_views)
    corners = np.concatenate([room.polygon for room in scene.rooms])
    low, high = corners.min(axis=0) - 0.2, corners.max(axis=0) + 0.2
    width, height = (high - low).tolist()
    n_floors = len(scene.floors)
    # Floors lie side by side or above one another, whichever is more like a square.
    beside = n_floors > 1 and height >= width
    wide = (width * n_floors if beside else width) > 1.25 * (height if beside else height * n_floors)
    # A wide scene lies above a row of views, a high one beside two columns of them, a very high one beside one.
    across = (len(views) * (VIEW_WIDTH + MARGIN) - MARGIN, 1080) if wide else (960, 3 * VIEW_WIDTH)
    columns_of_floors, rows_of_floors = (n_floors, 1) if beside else (1, n_floors)
    resolution = max(width * columns_of_floors / across[0], height * rows_of_floors / across[1])
    tops = [render_top_view(scene, resolution, floor=k) for k in range(n_floors)]
    for number, view in enumerate(views, start=1):
        _mark(tops[scene.floors.index(view.room.z)], view.pose, number, low, high, resolution)
    top = _side_by_side(tops) if beside else _stacked(tops)
    tiles = [_captioned(view.image, f"{n} {view.room.name}") for n, view in enumerate(views, start=1)]
    columns = len(tiles) if wide else 2 if 2 * top.shape[1] > top.shape[0] else 1
    rows = [_side_by_side(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    sheet = _stacked([top, *rows]) if wide else _side_by_side([top, _stacked(rows)])
    return _padded(sheet, sheet.shape[0] + 2 * MARGIN, sheet.shape[1] + 2 * MARGIN)


def camera_views(scene: Scene, n_views: int) -> list[View]:
    """Views of the rooms with the most things, of different kinds as far as there are enough."""
    robot = RobotParameters(width=VIEW_WIDTH, height=VIEW_HEIGHT)
    small = RobotParameters(width=64, height=48)
    levels = build_levels(scene, robot.radius, robot.body_height)
    renderer, scout = Renderer(scene, robot.camera), Renderer(scene, small.camera)
    count = {room.id: sum(o.room == room.id for o in scene.objects) for room in scene.rooms}
    by_things = sorted(scene.rooms, key=lambda room: -count[room.id])
    first_of_kind = {room.name: room for room in reversed(by_things)}
    rooms = sorted(first_of_kind.values(), key=lambda room: -count[room.id])
    rooms += [room for room in by_things if room not in rooms]
    rng = np.random.default_rng(scene.seed)
    views: list[View] = []
    for room in rooms:
        grid = levels.grids[scene.floors.index(room.z)]
        pose = _best_pose(scene, room, grid, scout, small.T_base_camera, rng)
        if pose is not None:
            views.append(
                View(room, pose, renderer.render(planar_pose(*pose[:2], room.z, pose[2]) @ robot.T_base_camera)[0])
            )
        if len(views) == n_views:
            break
    return views


def _best_pose(
    scene: Scene, room: SceneRoom, grid: NavigationGrid, scout: Renderer, T_base_camera: Array, rng: np.random.Generator
) -> tuple[float, float, float] | None:
    """Where most things of the room are in view and nothing stands right before the camera; None in a room that is not reached."""
    points = grid.center_of(np.argwhere(grid.navigable if grid.stairs is None else grid.navigable & ~grid.stairs))
    low, high = room.polygon.min(axis=0), room.polygon.max(axis=0)
    points = points[np.all((points > low) & (points < high), axis=1)]
    points = np.array([p for p in rng.permutation(points)[: 4 * _PLACES_PER_ROOM] if room.contains(*p)])
    inside = np.zeros(len(scene.objects) + 1, dtype=bool)
    inside[[o.instance for o in scene.objects if o.room == room.id]] = True
    best, best_score = None, -np.inf
    for x, y in points[:_PLACES_PER_ROOM]:
        for yaw in np.arange(_HEADINGS) * (2 * np.pi / _HEADINGS):
            _, depth, _, instances = scout.render(planar_pose(x, y, room.z, yaw) @ T_base_camera)
            pixels = np.bincount(instances.ravel(), minlength=len(inside))
            near = float(np.mean((depth < 0.9) | (depth == 0)))
            score = np.sqrt(np.minimum(pixels, 60) / 60.0)[inside].sum() - 20.0 * near
            if score > best_score:
                best, best_score = (float(x), float(y), float(yaw)), score
    return best


def _mark(
    image: Image, pose: tuple[float, float, float], number: int, low: Array, high: Array, resolution: float
) -> None:
    """Draw a numbered arrow where a view was taken."""
    at = np.array([(pose[0] - low[0]) / resolution, (high[1] - pose[1]) / resolution])
    tip = at + 34 * np.array([np.cos(pose[2]), -np.sin(pose[2])])
    (x, y), (x1, y1) = ((int(p[0]), int(p[1])) for p in (at, tip))
    cv2.arrowedLine(image, (x, y), (x1, y1), (255, 255, 255), 6, cv2.LINE_AA, tipLength=0.4)
    cv2.arrowedLine(image, (x, y), (x1, y1), (20, 90, 220), 3, cv2.LINE_AA, tipLength=0.4)
    cv2.circle(image, (x, y), 12, (20, 90, 220), cv2.FILLED, cv2.LINE_AA)
    _text(image, str(number), (x - 6, y + 6), (255, 255, 255))


def _captioned(image: Image, text: str) -> Image:
    captioned = image.copy()
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 1)
    cv2.rectangle(captioned, (0, 0), (width + 16, height + 16), (20, 90, 220), cv2.FILLED)
    _text(captioned, text, (8, height + 7), (255, 255, 255))
    return captioned


def _text(image: Image, text: str, at: tuple[int, int], color: tuple[int, int, int]) -> None:
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.6, color, 1, cv2.LINE_AA)


def _side_by_side(images: list[Image]) -> Image:
    height = max(image.shape[0] for image in images)
    padded = [_padded(image, height, image.shape[1]) for image in images]
    gap = np.full((height, MARGIN, 3), _BACKGROUND, dtype=np.uint8)
    return np.concatenate([part for image in padded for part in (image, gap)][:-1], axis=1)


def _stacked(images: list[Image]) -> Image:
    width = max(image.shape[1] for image in images)
    padded = [_padded(image, image.shape[0], width) for image in images]
    gap = np.full((MARGIN, width, 3), _BACKGROUND, dtype=np.uint8)
    return np.concatenate([part for image in padded for part in (image, gap)][:-1], axis=0)


def _padded(image: Image, height: int, width: int) -> Image:
    """The image in the middle of a background of this size."""
    down, right = height - image.shape[0], width - image.shape[1]
    padded = np.full((height, width, 3), _BACKGROUND, dtype=np.uint8)
    padded[down // 2 : down // 2 + image.shape[0], right // 2 : right // 2 + image.shape[1]] = image
    return padded
