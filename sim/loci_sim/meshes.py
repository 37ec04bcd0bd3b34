"""Small polygon models: materials and a builder of boxes, cylinders and balls.

Faces have vertices of their own, so shading is flat and texture coordinates are metres on the face. Models stand on
z = 0 in their own frame: x forward (front), y left, z up (REP-103).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Material:
    """Look of a surface.

    Attributes:
        color: sRGB, 0..255 each; multiplied with the texture.
        texture: name of a texture of the scene; empty: none.
        texture_size: width and height of one repetition of the texture [m].
    """

    color: tuple[int, int, int]
    texture: str = ""
    texture_size: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class Mesh:
    """Triangles of one material.

    Attributes:
        vertices: (V, 3) float64 [m].
        triangles: (T, 3) int64, counter-clockwise seen from outside.
        uvs: (V, 2) float64, texture coordinates in repetitions, v downwards (as in glTF).
        material: of all triangles.
    """

    vertices: Floats
    triangles: npt.NDArray[np.int64]
    uvs: Floats
    material: Material

    @property
    def normals(self) -> Floats:
        """Unit normal of every triangle, (T, 3)."""
        a, b, c = (self.vertices[self.triangles[:, i]] for i in range(3))
        normals = np.cross(b - a, c - a)
        return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12))


class MeshBuilder:
    """Collects polygons by material; ``meshes()`` gives them as arrays."""

    def __init__(self) -> None:
        self._polygons: dict[Material, list[tuple[Floats, Floats]]] = {}

    def polygon(self, corners: npt.ArrayLike, material: Material, uvs: npt.ArrayLike | None = None) -> None:
        """Add a flat convex polygon, corners (N, 3) counter-clockwise seen from outside.

        Args:
            uvs: (N, 2) [m] on the surface; by default measured along the first edge, from the first corner.
        """
        points = np.asarray(corners, dtype=np.float64)
        if not material.texture:
            metres = np.zeros((len(points), 2))
        elif uvs is None:
            local = points - points[0]
            along = local[1] / max(float(np.linalg.norm(local[1])), 1e-12)
            across = local[-1] - (local[-1] @ along) * along
            across /= max(float(np.linalg.norm(across)), 1e-12)
            metres = np.stack([local @ along, local @ across], axis=1)
            # v runs downwards in an image: the top edge of the polygon is v = 0.
            metres[:, 1] = metres[:, 1].max() - metres[:, 1]
        else:
            metres = np.asarray(uvs, dtype=np.float64)
        self._polygons.setdefault(material, []).append((points, metres / np.asarray(material.texture_size)))

    def box(self, low: npt.ArrayLike, high: npt.ArrayLike, material: Material, tilt: float = 0.0) -> None:
        """Add an axis-aligned box between two corners (3,), or one leant backwards by ``tilt`` [rad] about its lower rear edge."""
        (x0, y0, z0), (x1, y1, z1) = np.minimum(low, high), np.maximum(low, high)
        c = np.array([[x, y, z] for x in (x0, x1) for y in (y0, y1) for z in (z0, z1)])
        if tilt:
            cosine, sine = np.cos(tilt), np.sin(tilt)
            local = c - (x0, y0, z0)
            c[:, 0] = x0 + cosine * local[:, 0] - sine * local[:, 2]
            c[:, 2] = z0 + sine * local[:, 0] + cosine * local[:, 2]
        for face in ((4, 6, 7, 5), (2, 0, 1, 3), (0, 4, 5, 1), (6, 2, 3, 7), (1, 5, 7, 3), (2, 6, 4, 0)):
            self.polygon(c[list(face)], material)

    def cylinder(
        self,
        center: tuple[float, float],
        z: tuple[float, float],
        radius: float,
        material: Material,
        *,
        top_radius: float | None = None,
        sides: int = 14,
        axis: Literal["x", "y", "z"] = "z",
    ) -> None:
        """Add a cylinder or cone frustum along ``axis``, from ``z[0]`` to ``z[1]`` on it.

        ``center`` holds the two other coordinates in the order x, y, z: (x, y) for axis z, (y, z) for x, (x, z) for y.
        """
        angles = np.arange(sides) * (2.0 * np.pi / sides)
        ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        top = radius if top_radius is None else top_radius
        lower = np.column_stack([ring * radius + center, np.full(sides, z[0])])
        upper = np.column_stack([ring * top + center, np.full(sides, z[1])])
        order = {"z": [0, 1, 2], "x": [2, 0, 1], "y": [0, 2, 1]}[axis]
        flip = axis == "y"  # (x, z, y) is a left-handed order
        lower, upper = lower[:, order], upper[:, order]

        def add(corners: Floats) -> None:
            self.polygon(corners[::-1] if flip else corners, material)

        for i in range(sides):
            j = (i + 1) % sides
            if top > 1e-6 and radius > 1e-6:
                add(np.stack([lower[i], lower[j], upper[j], upper[i]]))
            else:
                add(np.stack([lower[i], lower[j], upper[i]] if radius > 1e-6 else [lower[i], upper[j], upper[i]]))
        if top > 1e-6:
            add(upper)
        if radius > 1e-6:
            add(lower[::-1])

    def ball(
        self,
        center: tuple[float, float, float],
        radius: float,
        material: Material,
        *,
        squash: float = 1.0,
        sides: int = 10,
    ) -> None:
        """Add a ball, flattened along z by ``squash``."""
        rings = 6
        for i in range(rings):
            a, b = (np.pi * (k / rings) - np.pi / 2 for k in (i, i + 1))
            z = (center[2] + squash * radius * np.sin(a), center[2] + squash * radius * np.sin(b))
            r0, r1 = (radius * float(np.cos(k)) for k in (a, b))
            angles = np.arange(sides) * (2.0 * np.pi / sides)
            ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
            lower = np.column_stack([ring * r0 + center[:2], np.full(sides, z[0])])
            upper = np.column_stack([ring * r1 + center[:2], np.full(sides, z[1])])
            for k in range(sides):
                n = (k + 1) % sides
                if i == 0:
                    self.polygon(np.stack([lower[k], upper[n], upper[k]]), material)
                elif i == rings - 1:
                    self.polygon(np.stack([lower[k], lower[n], upper[k]]), material)
                else:
                    self.polygon(np.stack([lower[k], lower[n], upper[n], upper[k]]), material)

    def meshes(self, offset: npt.ArrayLike = (0.0, 0.0, 0.0)) -> tuple[Mesh, ...]:
        """One mesh per material, moved by ``offset`` (3,)."""
        result = []
        for material, polygons in self._polygons.items():
            vertices = np.concatenate([points for points, _ in polygons]) + np.asarray(offset)
            uvs = np.concatenate([uv for _, uv in polygons])
            triangles, start = [], 0
            for points, _ in polygons:
                n = len(points)
                fan = np.arange(1, n - 1)
                triangles.append(start + np.stack([np.zeros_like(fan), fan, fan + 1], axis=1))
                start += n
            result.append(Mesh(vertices, np.concatenate(triangles).astype(np.int64), uvs, material))
        return tuple(result)

    def bounds(self) -> tuple[Floats, Floats]:
        """Lower and upper corner (3,) of everything added."""
        points = np.concatenate([p for polygons in self._polygons.values() for p, _ in polygons])
        return points.min(axis=0), points.max(axis=0)


def planar_pose(x: float, y: float, z: float, yaw: float) -> Floats:
    """Pose (4, 4) at a position [m], turned by ``yaw`` [rad] about z."""
    T = np.eye(4)
    c, s = np.cos(yaw), np.sin(yaw)
    T[:2, :2] = [[c, -s], [s, c]]
    T[:3, 3] = x, y, z
    return T
