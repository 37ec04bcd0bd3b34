"""Renders scenes by ray casting (Open3D on the CPU): colour, depth, label and instance images.

One ray per pixel; textures are averaged with distance, light is a lamp in every room plus a little from everywhere.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from loci.geometry import Array, Camera, pixel_rays, transform_points
from loci_sim.glb import linear_to_srgb, srgb_to_linear
from loci_sim.meshes import Material, Mesh
from loci_sim.scenes import Scene
from loci_sim.textures import Image

#: Copies of a texture, each half the size of the one before.
_LEVELS = 7

#: Rays that are cast and shaded at a time: what they hit stays in the processor's cache.
_CHUNK = 1 << 15
_KEPT_BYTES = 24 << 20
#: Height of the light above a room's floor [m].
LAMP_HEIGHT = 2.3
#: Light of a lamp's shade that is on; a surface right below its room's light has about 1.2.
GLOW = 1.4

#: Colour, depth, label and instance images.
Images = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.int32]]


class Renderer:
    """Renders one scene, for one camera unless another is given.

    Args:
        max_range: depth beyond it is not measured [m].
        threads: of the ray caster; 0: one per core.

    Raises:
        ImportError: Open3D is missing; the message names the extra to install.
    """

    def __init__(self, scene: Scene, camera: Camera, max_range: float = 20.0, threads: int = 1) -> None:
        try:
            import open3d
        except ImportError as error:
            raise ImportError(f"the embedded simulator needs Open3D: pip install 'loci[sim]' ({error})") from error
        # Its stubs do not know that arrays become tensors.
        self._open3d: Any = open3d
        self._threads, self._max_range = threads, max_range
        self._shading = ThreadPoolExecutor(1, "shading") if threads != 1 else None
        self.camera = camera
        self._rays_of: dict[Camera, tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]] = {}
        # glibc takes blocks up to the largest one that was ever given back from memory that it keeps (mallopt(3),
        # M_MMAP_THRESHOLD). Without, the system clears and maps every image anew, which takes longer than casting its rays.
        np.empty(_KEPT_BYTES, dtype=np.uint8)
        self._load(scene)
        self._rays(camera)

    def _load(self, scene: Scene) -> None:
        labels = {name: i for i, name in enumerate(scene.labels)}
        things = {node: (o.instance, labels[o.category], o.room) for o in scene.objects for node in o.nodes}
        things |= {node: (0, labels[label], room) for node, (label, room) in scene.structure.items()}
        self._room_ids = {r.id: i for i, r in enumerate(scene.rooms)}
        self._lamp_places = {r.id: (*r.polygon.mean(axis=0).tolist(), r.z + LAMP_HEIGHT) for r in scene.rooms}
        # Of every room by its number, and last of what is in none.
        self._strengths = np.ones(len(scene.rooms) + 1, dtype=np.float32)
        vertices, triangles, uvs, per_triangle, light = [], [], [], [], []
        # Of every node: its meshes, and where their vertices and triangles are.
        self._parts: dict[str, list[tuple[Mesh, slice, slice]]] = {}
        atlas = _Atlas(scene.textures)
        n_vertices = n_triangles = 0
        for node in scene.nodes:
            instance, label, room = things.get(node.name, (0, 0, ""))
            for mesh in node.meshes:
                n, m = len(mesh.vertices), len(mesh.triangles)
                parts = self._parts.setdefault(node.name, [])
                parts.append((mesh, slice(n_vertices, n_vertices + n), slice(n_triangles, n_triangles + m)))
                vertices.append(transform_points(node.T_map_node, mesh.vertices))
                triangles.append(mesh.triangles + n_vertices)
                uvs.append(mesh.uvs[mesh.triangles])
                of_triangle = [instance, label, atlas.index(mesh.material), self._room_ids.get(room, -1)]
                per_triangle.append(np.tile(of_triangle, (m, 1)))
                light.append(np.tile(self._lamp_of(room), (m, 1)))
                n_vertices, n_triangles = n_vertices + n, n_triangles + m
        self._points, self._corners = np.concatenate(vertices), np.concatenate(triangles)
        self._build()
        a, b, c = (self._points[self._corners[:, i]] for i in range(3))
        cross = np.cross(b - a, c - a)
        area = np.linalg.norm(cross, axis=1)
        self._normals = _unit(cross)
        self._uvs = np.concatenate(uvs).astype(np.float32)  # (T, 3, 2) in repetitions
        info = np.concatenate(per_triangle).astype(np.int32)
        self._instances, self._labels, self._materials, self._rooms = (
            np.ascontiguousarray(info[:, i]) for i in range(4)
        )
        self._lamps = np.concatenate(light).astype(np.float32)  # (T, 4)
        #: How bright every triangle is by itself; 0: as its room's lamp and the daylight make it.
        self._glows = np.zeros(len(self._lamps), dtype=np.float32)
        self._pixels, self._offsets, self._sizes = atlas.arrays()
        edge1, edge2 = self._uvs[:, 1] - self._uvs[:, 0], self._uvs[:, 2] - self._uvs[:, 0]
        uv_area = np.abs(edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0])
        # Texels per metre on each triangle: how far a texture must be averaged at a distance.
        self._density = (np.sqrt(uv_area / np.maximum(area, 1e-12)) * self._sizes[self._materials]).astype(np.float32)

    def render(self, T_map_camera: Array, camera: Camera | None = None, max_range: float | None = None) -> Images:
        """Images of a pose (4, 4) of the optical frame.

        Args:
            camera: another one than the renderer's.
            max_range: another one than the renderer's [m].

        Returns:
            color (H, W, 3) uint8, depth (H, W) float32 [m] (0: nothing within range), labels (H, W) int32, instances (H, W) int32.
        """
        camera = camera or self.camera
        directions, rays = self._rays(camera)
        turn_rays(directions, T_map_camera, rays)
        return self.cast(rays, (camera.height, camera.width), 1.0 / camera.fx, max_range)

    def _rays(self, camera: Camera) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Directions (H * W, 3) of a camera's pixels in its own frame, length 1 along its axis, and room for its rays."""
        if camera not in self._rays_of:
            if not camera.is_rectified:
                raise ValueError(f"expected a camera without distortion, got {camera.distortion}")
            x, y = pixel_rays(camera)
            ones = np.ones((camera.height, camera.width), np.float32)
            directions = np.stack([*np.meshgrid(x, y), ones], axis=-1).reshape(-1, 3)
            self._rays_of[camera] = directions, np.empty((len(directions), 6), dtype=np.float32)
        return self._rays_of[camera]

    def cast(
        self,
        rays: npt.NDArray[np.float32],
        shape: tuple[int, int],
        pixel_angle: float,
        max_range: float | None = None,
    ) -> Images:
        """Images of any rays.

        Args:
            rays: (H * W, 6) origins and directions in the map; depth counts in lengths of the direction.
            shape: (H, W).
            pixel_angle: between neighbouring rays [rad]; how far textures are averaged.
            max_range: another one than the renderer's [m].

        Returns:
            As `render`.
        """
        color = np.zeros((*shape, 3), dtype=np.uint8)
        depth = np.zeros(shape, dtype=np.float32)
        labels, instances = np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=np.int32)
        reach = np.float32(self._max_range if max_range is None else max_range)
        pending: list[Future[None]] = []
        for start in range(0, len(rays), _CHUNK):
            part = slice(start, start + _CHUNK)
            hits = self._caster.cast_rays(self._open3d.core.Tensor.from_numpy(rays[part]), nthreads=self._threads)
            arguments = (
                rays[part],
                *(hits[name].numpy() for name in ("t_hit", "primitive_ids", "primitive_uvs")),
                self._normals,
                self._uvs,
                self._density,
                self._materials,
                self._lamps,
                self._instances,
                self._labels,
                self._pixels,
                self._offsets,
                self._sizes,
                np.float32(pixel_angle),
                reach,
                color.reshape(-1, 3)[part],
                depth.reshape(-1)[part],
                labels.reshape(-1)[part],
                instances.reshape(-1)[part],
            )
            # One part is shaded while the next one's rays are cast.
            if self._shading is None:
                _shade(*arguments)
            else:
                pending.append(self._shading.submit(_shade, *arguments))
        for future in pending:
            future.result()
        return color, depth, labels, instances

    def depth_along(self, rays: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        """What rays (N, 6) meet first: how far (N,), in lengths of the direction (inf: nothing), and its instance (N,)."""
        hits = self._caster.cast_rays(self._open3d.core.Tensor.from_numpy(rays), nthreads=self._threads)
        t, triangles = hits["t_hit"].numpy(), hits["primitive_ids"].numpy()
        found = np.isfinite(t)
        instances = np.zeros(len(rays), dtype=np.int32)
        instances[found] = self._instances[triangles[found]]
        return t, instances

    def move(self, node: str, T_map_node: Array | None, room: str) -> None:
        """Put a node of the scene at a pose (4, 4) in a room; None: it is not seen any more. Shown from the next image on.

        Raises:
            KeyError: there is no such node.
        """
        for mesh, points, triangles in self._parts[node]:
            if T_map_node is None:
                # All its corners in one point: triangles without area, which no ray meets.
                self._points[points] = self._points[points.start]
            else:
                self._points[points] = transform_points(T_map_node, mesh.vertices)
                a, b, c = (self._points[self._corners[triangles, i]] for i in range(3))
                self._normals[triangles] = _unit(np.cross(b - a, c - a))
            self._lamps[triangles] = self._lamp_of(room)
            self._rooms[triangles] = self._room_ids.get(room, -1)
            self._relight(triangles)
        self._stale = True

    def set_light(self, room: str, strength: float) -> None:
        """How bright a room is: 1 as the scene was made, 0 black."""
        if room in self._room_ids:
            self._strengths[self._room_ids[room]] = strength
            self._relight(self._rooms == self._room_ids[room])

    def set_glow(self, node: str, is_on: bool) -> None:
        """Switch a lamp's node: the brightest of its materials, which is the shade, shines by itself or not.

        Raises:
            KeyError: there is no such node.
        """
        parts = self._parts[node]
        shade = max(sum(mesh.material.color) for mesh, _, _ in parts)
        for mesh, _, triangles in parts:
            if sum(mesh.material.color) == shade:
                self._glows[triangles] = GLOW if is_on else 0.0
                self._relight(triangles)

    def _relight(self, triangles: slice | npt.NDArray[np.bool_]) -> None:
        """Set what `_shade` takes for the light of triangles: that of their room, or, negative, their own."""
        glow = self._glows[triangles]
        self._lamps[triangles, 3] = np.where(glow > 0.0, -glow, self._strengths[self._rooms[triangles]])

    def close(self) -> None:
        """Give back its thread; what it renders afterwards it shades itself."""
        if self._shading is not None:
            self._shading.shutdown()
        self._shading = None

    def _lamp_of(self, room: str) -> tuple[float, float, float, float]:
        """Place of a room's lamp [m] and its strength."""
        x, y, z = self._lamp_places.get(room, (0.0, 0.0, LAMP_HEIGHT))
        return x, y, z, float(self._strengths[self._room_ids.get(room, -1)])

    def _build(self) -> None:
        """Index the triangles for ray casting; Open3D cannot move parts of an index, so that it is made anew."""
        self._caster_now = self._open3d.t.geometry.RaycastingScene(self._threads)
        tensor = self._open3d.core.Tensor
        self._caster_now.add_triangles(tensor(self._points.astype(np.float32)), tensor(self._corners.astype(np.uint32)))
        self._stale = False

    @property
    def _caster(self) -> Any:
        if self._stale:
            self._build()
        return self._caster_now


def turn_rays(directions: npt.NDArray[np.float32], T_map_frame: Array, rays: npt.NDArray[np.float32]) -> None:
    """Write rays (N, 6) in the map from the origin of a frame, with a pose (4, 4), in its directions (N, 3)."""
    rays[:, :3] = T_map_frame[:3, 3]
    R = np.ascontiguousarray(T_map_frame[:3, :3].T, dtype=np.float32)
    # In small parts: BLAS would share a large product with other cores and keep them waiting for the next one.
    for start in range(0, len(rays), _CHUNK // 4):
        part = slice(start, start + _CHUNK // 4)
        rays[part, 3:] = directions[part] @ R


def _unit(vectors: Array) -> npt.NDArray[np.float32]:
    """Vectors (N, 3) of length 1; zero where they had no length."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), dtype=np.float32)


class _Atlas:
    """Textures of all materials, tinted, with their smaller copies, in one flat array of pixels."""

    def __init__(self, textures: dict[str, Image]) -> None:
        self._textures, self._index = textures, dict[Material, int]()

    def index(self, material: Material) -> int:
        plain = Material(material.color, material.texture)
        return self._index.setdefault(plain, len(self._index))

    def arrays(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """Pixels (P, 3), start of every level (M, levels) and side of the largest copy (M,)."""
        pixels: list[npt.NDArray[np.uint8]] = []
        offsets = np.zeros((max(len(self._index), 1), _LEVELS + 1), dtype=np.int64)
        sizes = np.ones(max(len(self._index), 1), dtype=np.int32)
        total = 0
        for material, i in self._index.items():
            image = np.array(material.color, dtype=np.float64).reshape(1, 1, 3) / 255.0
            if material.texture:
                texture = _square(self._textures[material.texture])
                image = linear_to_srgb(srgb_to_linear(texture / 255.0) * srgb_to_linear(image))
            sizes[i] = len(image)
            for level in range(_LEVELS + 1):
                offsets[i, level] = total
                pixels.append(np.rint(image * 255.0).astype(np.uint8).reshape(-1, 3))
                total += len(pixels[-1])
                if len(image) > 1:
                    image = (image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2]) / 4
        return np.concatenate(pixels) if pixels else np.zeros((1, 3), np.uint8), offsets, sizes


def _square(image: Image) -> npt.NDArray[np.floating]:
    """The image as a square whose side is a power of two, at most 128 px."""
    side = min(128, 1 << (max(image.shape[:2]) - 1).bit_length())
    if image.shape[:2] == (side, side):
        return image.astype(np.float64)
    rows = np.arange(side) * image.shape[0] // side
    columns = np.arange(side) * image.shape[1] // side
    return image[rows][:, columns].astype(np.float64)


@njit(cache=True, nogil=True, fastmath=True)
def _shade(  # type: ignore[no-untyped-def]
    rays, t_hit, primitives, barycentric, normals, uvs, density, materials, lamps, triangle_instances, triangle_labels,
    pixels, offsets, sizes, pixel_angle, max_range, color, depth, labels, instances,
) -> None:  # fmt: skip
    """Fill the images from ray hits; every array is flat over pixels or over triangles."""
    n_triangles = normals.shape[0]
    flat_t, flat_p = t_hit.reshape(-1), primitives.reshape(-1)
    flat_b = barycentric.reshape(-1, 2)
    for i in range(rays.shape[0]):
        triangle = flat_p[i]
        if triangle >= n_triangles:
            continue
        t = flat_t[i]
        labels[i] = triangle_labels[triangle]
        instances[i] = triangle_instances[triangle]
        # Directions have length 1 along the optical axis, so t is the depth.
        if t <= max_range:
            depth[i] = t
        dx, dy, dz = rays[i, 3], rays[i, 4], rays[i, 5]
        nx, ny, nz = normals[triangle, 0], normals[triangle, 1], normals[triangle, 2]
        facing = nx * dx + ny * dy + nz * dz
        if facing > 0:
            nx, ny, nz = -nx, -ny, -nz
            facing = -facing
        lx = lamps[triangle, 0] - (rays[i, 0] + t * dx)
        ly = lamps[triangle, 1] - (rays[i, 1] + t * dy)
        lz = lamps[triangle, 2] - (rays[i, 2] + t * dz)
        square = lx * lx + ly * ly + lz * lz + 1e-4
        lambert = max((nx * lx + ny * ly + nz * lz) / np.sqrt(square), 0.0)
        # Sides facing +x, +y, -x, -y differ a little, as near windows: edges of furniture stay visible.
        light = 0.56 + 0.06 * nx + 0.04 * ny + 0.05 * nz + 0.42 * lambert * (1.6 / (1.0 + 0.13 * square))
        strength = lamps[triangle, 3]
        # What shines by itself is as bright in a dark room; a little shading keeps its shape.
        light = light * strength if strength >= 0.0 else -strength * (0.85 + 0.15 * light)
        material = materials[triangle]
        size = sizes[material]
        at = offsets[material, 0]
        if size > 1:
            u, v = flat_b[i, 0], flat_b[i, 1]
            w = 1.0 - u - v
            s = w * uvs[triangle, 0, 0] + u * uvs[triangle, 1, 0] + v * uvs[triangle, 2, 0]
            r = w * uvs[triangle, 0, 1] + u * uvs[triangle, 1, 1] + v * uvs[triangle, 2, 1]
            length = np.sqrt(dx * dx + dy * dy + dz * dz)
            footprint = density[triangle] * t * pixel_angle * np.sqrt(length / max(-facing, 0.05 * length))
            level = 0
            while footprint > 1.0 and size > 1:
                footprint *= 0.5
                size //= 2
                level += 1
            column = min(int((s - np.floor(s)) * size), size - 1)
            row = min(int((r - np.floor(r)) * size), size - 1)
            at = offsets[material, level] + row * size + column
        for k in range(3):
            color[i, k] = min(int(pixels[at, k] * light), 255)
