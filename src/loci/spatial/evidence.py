"""What one depth image says about the voxels in view: how many of the rays into a voxel end there, and how many pass.

Hits: every measured point, moved behind the surface that it lies on by `INSET`, counts for the voxel it is in. So surfaces
are kept by voxels whose centres lie behind them, and the view along a table top does not cross the voxels that hold it.
Misses: every voxel in view is projected into the image, and `N_SAMPLES` pixels of its footprint are asked whether their rays
meet the voxel and go on behind it. No measurement (0) says nothing.
OctoMap's rule, that one hit outweighs all misses of an image, fills the voxels that surfaces and silhouettes only graze:
on the kitchen recording a quarter of all rays then cross an occupied voxel. Votes by ray keep the voxels that block the view.
Two implementations with the same arithmetic, operation by operation: torch here, for any device, and numba for the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from loci.geometry import Array, Camera, pixel_rays
from loci.spatial import kernels

#: Voxels per brick edge and per brick.
BRICK_EDGE = 8
BRICK_SIZE = BRICK_EDGE**3
#: Pixels asked per axis of a footprint, and in all.
SAMPLE_EDGE = 4
N_SAMPLES = SAMPLE_EDGE**2
#: The footprint is a square of so many voxel edges from its middle to its side: between a cube's face (0.5) and corner (0.87).
FOOTPRINT = 0.8
#: Voxels nearer than this are not judged [m]: they cover (almost) the whole image.
MIN_DEPTH = 0.02
#: Points are taken so far behind the measured surface, along its normal [voxel edges].
INSET = 0.6
#: Normals are taken from pixels so far away [px], unless depth changes by more than this share of it between them (an edge):
#: there the ray itself is taken.
NORMAL_REACH, MAX_JUMP = 3, 0.1
#: A ray says "passed" only if it ends farther than this behind the voxel [voxel edges]: one that grazes a table top crosses the
#: upper parts of many voxels just before it ends, and would carve the surface away.
PASS_MARGIN = 1.0
#: Smaller slopes of a ray along an axis [voxel edges per metre] are taken for this, so that nothing is divided by 0.
MIN_SLOPE = 1e-4
#: Extremes of footprints are looked up in an image of half the resolution, in windows of up to 2^N_SCALES of its pixels.
POOL = 2
N_SCALES = 7


@dataclass(frozen=True)
class View:
    """One depth image, prepared for either implementation. Lengths in voxel edges are relative to ``lowest_brick``.

    Attributes:
        lowest_brick: (3,) int64 brick coordinates of the grid's first brick.
        grid_shape: bricks of the grid per axis; it encloses what is in view up to the range.
        rotation: (3, 3) float32, camera to map.
        position: (3,) float32, of the camera [voxel edges].
        leaf_size, max_range: [m].
        columns, rows: (W,), (H,) float32 normalised image coordinates.
        fx, fy, cx, cy: intrinsics [px].
        radius: (2,) half the sides of a voxel's footprint at 1 m [px].
        samples: (16, 3) float32 offsets of the sampled rays from the voxel's centre, map frame [voxel edges].
        depth_limit: nothing beyond it can be hit or seen free [m].
        sides: (4, 3) float32 inward unit normals of the frustum's sides, camera frame.
    """

    lowest_brick: npt.NDArray[np.int64]
    grid_shape: tuple[int, int, int]
    rotation: npt.NDArray[np.float32]
    position: npt.NDArray[np.float32]
    leaf_size: float
    max_range: float
    columns: npt.NDArray[np.float32]
    rows: npt.NDArray[np.float32]
    fx: float
    fy: float
    cx: float
    cy: float
    radius: tuple[float, float]
    samples: npt.NDArray[np.float32]
    depth_limit: float
    sides: npt.NDArray[np.float32]


def prepare(
    deepest: float, camera: Camera, T_map_camera: Array, leaf_size: float, max_range: float, n_bricks_per_axis: int
) -> View | None:
    """The view of a camera whose farthest measurement is ``deepest`` [m]; None if it shows nothing of the octree's world."""
    depth_limit = min(deepest, max_range)
    if not depth_limit > 0.0:
        return None
    columns, rows = pixel_rays(camera)
    left, right = (-0.5 - camera.cx) / camera.fx, (camera.width - 0.5 - camera.cx) / camera.fx
    top, bottom = (-0.5 - camera.cy) / camera.fy, (camera.height - 0.5 - camera.cy) / camera.fy
    corners = np.array([[x, y, 1.0] for x in (left, right) for y in (top, bottom)]) * depth_limit
    position = T_map_camera[:3, 3] / leaf_size + n_bricks_per_axis * BRICK_EDGE / 2
    corners = np.vstack([position, corners @ T_map_camera[:3, :3].T / leaf_size + position])
    lowest = np.floor((corners.min(axis=0) - 0.5) / BRICK_EDGE).astype(np.int64)
    highest = np.floor((corners.max(axis=0) + 0.5) / BRICK_EDGE).astype(np.int64)
    lowest, highest = np.maximum(lowest, 0), np.minimum(highest, n_bricks_per_axis - 1)
    if np.any(highest < lowest):
        return None
    sides = np.array([[1.0, 0.0, -left], [-1.0, 0.0, right], [0.0, 1.0, -top], [0.0, -1.0, bottom]])
    sides /= np.linalg.norm(sides, axis=1, keepdims=True)
    shape = highest - lowest + 1
    right_down = [(_offset(a), _offset(b)) for a in range(SAMPLE_EDGE) for b in range(SAMPLE_EDGE)]
    samples = FOOTPRINT * np.array(right_down) @ T_map_camera[:3, :2].T
    return View(
        lowest_brick=lowest,
        grid_shape=(int(shape[0]), int(shape[1]), int(shape[2])),
        rotation=T_map_camera[:3, :3].astype(np.float32),
        position=(position - lowest * BRICK_EDGE).astype(np.float32),
        leaf_size=leaf_size,
        max_range=max_range,
        columns=columns,
        rows=rows,
        fx=camera.fx,
        fy=camera.fy,
        cx=camera.cx,
        cy=camera.cy,
        radius=(camera.fx * leaf_size * FOOTPRINT, camera.fy * leaf_size * FOOTPRINT),
        samples=samples.astype(np.float32),
        depth_limit=depth_limit,
        sides=sides.astype(np.float32),
    )


def extremes_in_windows(depth: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Nearest and farthest measurement in square windows at every pixel of the halved image, by window size.

    Args:
        depth: (H, W) float32 [m], 0: no measurement.

    Returns:
        two (N_SCALES, ceil(H / 2), ceil(W / 2)) float32; entry [s, v, u] covers 2^s pixels of the halved image right and
        down from (v, u). Where nothing was measured: infinite, and 0.
    """
    height, width = depth.shape
    if height % POOL or width % POOL:
        depth = torch.nn.functional.pad(depth, (0, -width % POOL, 0, -height % POOL))
    measured = torch.where(depth > 0, depth, torch.inf)
    return _windows(measured, torch.minimum), _windows(depth, torch.maximum)


def _windows(image: torch.Tensor, extreme: Callable[..., torch.Tensor]) -> torch.Tensor:
    by_row = extreme(image[::2], image[1::2])
    tables = torch.empty((N_SCALES, *(n // POOL for n in image.shape)), dtype=image.dtype, device=image.device)
    extreme(by_row[:, ::2], by_row[:, 1::2], out=tables[0])
    for scale in range(1, N_SCALES):
        step = 1 << (scale - 1)
        wide = tables[scale - 1].clone()
        if step < wide.shape[1]:
            extreme(tables[scale - 1][:, :-step], tables[scale - 1][:, step:], out=wide[:, :-step])
        tables[scale] = wide
        if step < wide.shape[0]:
            extreme(wide[:-step], wide[step:], out=tables[scale][:-step])
    return tables


def collect(depth: torch.Tensor, view: View) -> tuple[torch.Tensor, torch.Tensor]:
    """Votes on all bricks about which the image says anything; torch, whole-array.

    Args:
        depth: (H, W) float32 [m], 0: no measurement.
        view: of this image.

    Returns:
        bricks: (B, 3) int64 brick coordinates, in the order of the view's grid.
        votes: (B, 512) int16 per voxel (x slowest, z fastest): 256 * rays that ended in it + rays that passed, each in
            sixteenths of the rays that could have; 0: nothing is said.
    """
    device = depth.device
    nx, ny, nz = view.grid_shape
    points = _voxels_of_pixels(depth, view)  # (P,) flat voxel index within the grid, brick-major
    flat = _bricks_in_view(view, device)  # (C,) sorted
    slots = torch.full((nx * ny * nz,), -1, dtype=torch.int64, device=device)
    slots[flat] = torch.arange(flat.numel(), device=device)
    slot = slots[points >> 9]
    index = ((slot << 9) | (points & (BRICK_SIZE - 1)))[slot >= 0]
    hits = torch.bincount(index, minlength=flat.numel() * BRICK_SIZE)  # (C * 512,)
    votes = _votes(depth, hits, view, flat)  # (C, 512)
    kept = (votes != 0).any(dim=1)
    flat, votes = flat[kept], votes[kept]
    bricks = torch.stack([flat // (ny * nz), flat // nz % ny, flat % nz], dim=1)
    return bricks + torch.from_numpy(view.lowest_brick).to(device), votes


def collect_compiled(depth: npt.NDArray[np.float32], view: View) -> tuple[torch.Tensor, torch.Tensor]:
    """The same as `collect`, by the CPU kernels."""
    leaf = np.float32(view.leaf_size)
    to_voxels, to_metres = view.rotation / leaf, view.rotation * leaf
    surface = (np.float32(view.max_range), leaf * np.float32(INSET), np.float32(MAX_JUMP), NORMAL_REACH)
    grid = np.array(view.grid_shape)
    points = kernels.voxels_of_pixels(depth, view.columns, view.rows, to_voxels, view.position, *surface, grid)
    radius = np.float32(view.leaf_size * BRICK_EDGE * np.sqrt(3.0) / 2.0)
    candidates = np.zeros(view.grid_shape, dtype=np.bool_)
    limit = np.float32(view.depth_limit)
    kernels.bricks_in_frustum(to_metres, view.position, view.sides, radius, limit, candidates)
    flat = np.flatnonzero(candidates)
    slots = np.full(candidates.size, -1)
    slots[flat] = np.arange(flat.size)
    hits = kernels.count_hits(points, slots, flat.size)
    nearest, farthest = (tables.numpy() for tables in extremes_in_windows(torch.from_numpy(depth)))
    intrinsics = np.array([view.fx, view.fy, view.cx, view.cy, *view.radius], dtype=np.float32)
    distances = np.array(_distances(view), dtype=np.float32)
    image, pose = (depth, hits, nearest, farthest), (to_metres, view.position, view.samples)
    votes, kept = kernels.votes(*image, flat, view.grid_shape, *pose, intrinsics, distances, radius)
    bricks = np.stack(np.unravel_index(flat[kept], view.grid_shape), axis=1) + view.lowest_brick
    return torch.from_numpy(bricks), torch.from_numpy(votes[kept])


def _distances(view: View) -> tuple[float, float, float, float, float]:
    """Nearest and farthest voxel judged; how far behind a voxel a ray must end to have passed it, and behind its centre for
    all rays to have; leaf size [m]."""
    leaf = view.leaf_size
    return MIN_DEPTH, view.depth_limit + 2.0 * leaf, leaf * PASS_MARGIN, leaf * (0.9 + PASS_MARGIN), leaf


def _voxels_of_pixels(depth: torch.Tensor, view: View) -> torch.Tensor:
    """Flat voxel indices within the grid of the pixels' points, (P,) int64; pixels without one are left out."""
    device = depth.device
    columns, rows = torch.from_numpy(view.columns).to(device), torch.from_numpy(view.rows).to(device)
    x, y = depth * columns[None, :], depth * rows[:, None]
    mx, my, mz = x.clone(), y.clone(), depth.clone()  # normals, pointing into the thing
    r = NORMAL_REACH
    if min(depth.shape) > 2 * r:
        inner = np.s_[r:-r, r:-r]
        left, right = depth[r:-r, : -2 * r], depth[r:-r, 2 * r :]
        upper, lower = depth[: -2 * r, r:-r], depth[2 * r :, r:-r]
        limit = depth[inner] * float(np.float32(MAX_JUMP))
        smooth = (left > 0) & (right > 0) & (upper > 0) & (lower > 0)
        smooth &= ((right - left).abs() <= limit) & ((lower - upper).abs() <= limit)
        az, bz = right - left, lower - upper
        ax, ay = right * columns[2 * r :] - left * columns[: -2 * r], az * rows[r:-r, None]
        bx, by = bz * columns[r:-r], lower * rows[2 * r :, None] - upper * rows[: -2 * r, None]
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        away = (nx * x[inner] + ny * y[inner]) + nz * depth[inner] < 0
        for m, n in ((mx, nx), (my, ny), (mz, nz)):
            m[inner] = torch.where(smooth, torch.where(away, -n, n), m[inner])
    scale = float(np.float32(view.leaf_size) * np.float32(INSET)) / torch.sqrt((mx * mx + my * my) + mz * mz)
    x, y, z = x + mx * scale, y + my * scale, depth + mz * scale
    valid = (depth > 0) & (depth <= float(np.float32(view.max_range)))
    x, y, z = x[valid], y[valid], z[valid]
    R = (view.rotation / np.float32(view.leaf_size)).tolist()
    t = view.position.tolist()
    voxel = [torch.floor(((R[a][0] * x + R[a][1] * y) + R[a][2] * z) + t[a]).to(torch.int64) for a in range(3)]
    _, grid_y, grid_z = view.grid_shape
    inside = torch.ones_like(voxel[0], dtype=torch.bool)
    for c, n in zip(voxel, view.grid_shape, strict=True):
        inside &= (c >= 0) & (c < n * BRICK_EDGE)
    i, j, k = (c[inside] for c in voxel)
    brick = ((i >> 3) * grid_y + (j >> 3)) * grid_z + (k >> 3)
    return (brick << 9) | ((i & 7) << 6) | ((j & 7) << 3) | (k & 7)


def _bricks_in_view(view: View, device: torch.device) -> torch.Tensor:
    """Flat indices of the grid's bricks whose enclosing sphere touches the frustum, (C,) int64."""
    axes = [(torch.arange(n, device=device, dtype=torch.float32) + 0.5) * BRICK_EDGE for n in view.grid_shape]
    grid = torch.meshgrid(*axes, indexing="ij")
    dx, dy, dz = (grid[i] - float(view.position[i]) for i in range(3))
    x, y, z = _to_camera(dx, dy, dz, view)
    radius = float(np.float32(view.leaf_size * BRICK_EDGE * np.sqrt(3.0) / 2.0))
    inside = (z > -radius) & (z < float(np.float32(view.depth_limit) + np.float32(radius)))
    for normal in view.sides.tolist():
        inside &= (normal[0] * x + normal[1] * y) + normal[2] * z > -radius
    return torch.nonzero(inside.reshape(-1)).squeeze(1)


def _to_camera(
    dx: torch.Tensor, dy: torch.Tensor, dz: torch.Tensor, view: View
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Camera-frame coordinates [m] of offsets from the camera [voxel edges]."""
    R = (view.rotation * np.float32(view.leaf_size)).tolist()
    x, y, z = ((R[0][i] * dx + R[1][i] * dy) + R[2][i] * dz for i in range(3))
    return x, y, z


def _votes(depth: torch.Tensor, hits: torch.Tensor, view: View, flat: torch.Tensor) -> torch.Tensor:
    """Votes on the voxels of the given bricks of the grid, (C, 512) int16; see `collect`."""
    device = depth.device
    height, width = depth.shape
    _, ny, nz = view.grid_shape
    near_limit, far_limit, margin, clear_by, leaf = (float(np.float32(d)) for d in _distances(view))
    local = torch.arange(BRICK_EDGE, device=device, dtype=torch.float32) + 0.5
    # (C, 8, 1, 1), (C, 1, 8, 1), (C, 1, 1, 8)
    dx = ((flat // (ny * nz)) * BRICK_EDGE)[:, None, None, None] + local[:, None, None] - float(view.position[0])
    dy = ((flat // nz % ny) * BRICK_EDGE)[:, None, None, None] + local[:, None] - float(view.position[1])
    dz = ((flat % nz) * BRICK_EDGE)[:, None, None, None] + local - float(view.position[2])
    x, y, z = (c.reshape(-1) for c in _to_camera(dx, dy, dz, view))  # (C * 512,)
    votes = torch.zeros(x.shape, dtype=torch.int16, device=device)
    voxel = torch.nonzero((z > near_limit) & (z <= far_limit)).squeeze(1)  # (V,) those that are still in question
    x, y, z = x[voxel], y[voxel], z[voxel]
    inverse = 1.0 / z
    u, v = (x * inverse) * view.fx + view.cx, (y * inverse) * view.fy + view.cy
    r_u, r_v = inverse * view.radius[0], inverse * view.radius[1]
    # The pixel at integer (u, v) is centred there.
    u0, u1 = torch.floor((u - r_u) + 0.5), torch.floor((u + r_u) + 0.5)
    v0, v1 = torch.floor((v - r_v) + 0.5), torch.floor((v + r_v) + 0.5)
    near, far = _extremes(depth, u0, u1, v0, v1)
    in_image = (u1 >= 0) & (u0 < width) & (v1 >= 0) & (v0 < height)
    n_hits = hits[voxel]
    open_ = in_image & ((far >= z - leaf) | (n_hits > 0))  # some ray comes as far as this voxel
    column, row = torch.floor(u + 0.5), torch.floor(v + 0.5)
    centred = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    measured = depth[row.clamp(0, height - 1).to(torch.int64), column.clamp(0, width - 1).to(torch.int64)] > 0
    clear = open_ & centred & measured & (near > z + clear_by) & (n_hits == 0)  # all rays pass
    votes[voxel[clear]] = N_SAMPLES
    mixed = open_ & ~clear
    voxel, z, inverse, u, v = voxel[mixed], z[mixed], inverse[mixed], u[mixed], v[mixed]
    r_u, r_v, n_hits = r_u[mixed], r_v[mixed], n_hits[mixed]
    # A ray through the voxel is parallel to that through its centre: where it leaves the voxel, by the slabs it crosses.
    offsets = torch.stack([d.expand(flat.numel(), 8, 8, 8).reshape(-1)[voxel] for d in (dx, dy, dz)])  # (3, V)
    slope = offsets * inverse
    slope = 1.0 / torch.where(slope.abs() < MIN_SLOPE, MIN_SLOPE, slope)  # metres of depth per voxel edge
    half = slope.abs() * 0.5
    passed, met = torch.zeros_like(voxel), torch.zeros_like(voxel)
    for sample, offset in enumerate(view.samples.tolist()):
        column = torch.floor((u + r_u * _offset(sample // SAMPLE_EDGE)) + 0.5)
        row = torch.floor((v + r_v * _offset(sample % SAMPLE_EDGE)) + 0.5)
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        i, j = row.clamp(0, height - 1).to(torch.int64), column.clamp(0, width - 1).to(torch.int64)
        shift = [slope[a] * offset[a] for a in range(3)]
        leave = torch.minimum(torch.minimum(half[0] - shift[0], half[1] - shift[1]), half[2] - shift[2])
        enter = torch.maximum(torch.maximum(-half[0] - shift[0], -half[1] - shift[1]), -half[2] - shift[2])
        meets = inside & (enter < leave)
        met += meets
        passed += meets & (depth[i, j] > (z + leave) + margin)
    passed = (N_SAMPLES * passed + met // 2) // met.clamp(min=1)
    # Rays that would end in a face of the voxel's size turned to the camera make all sixteen.
    leaf_ = np.float32(leaf)
    per_face = float(np.float32(1.0) / ((np.float32(view.fx) * leaf_) * (np.float32(view.fy) * leaf_)))
    ended = torch.ceil((((16.0 * n_hits.to(torch.float32)) * (z * z)) * per_face).clamp(max=16.0)).to(torch.int64)
    votes[voxel] = ((ended << 8) | passed).to(torch.int16)
    return votes.reshape(-1, BRICK_SIZE)


def _offset(sample: int) -> float:
    """Where in the footprint a sample lies, from -1 to 1."""
    return (2 * sample + 1) / SAMPLE_EDGE - 1.0


def _extremes(
    depth: torch.Tensor, u0: torch.Tensor, u1: torch.Tensor, v0: torch.Tensor, v1: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Nearest and farthest measurement in (at least) the given pixel windows, each (V,)."""
    height, width = depth.shape
    nearest, farthest = extremes_in_windows(depth)
    u0, u1 = (c.clamp(0, width - 1).to(torch.int64) >> 1 for c in (u0, u1))
    v0, v1 = (c.clamp(0, height - 1).to(torch.int64) >> 1 for c in (v0, v1))
    size = torch.maximum(u1 - u0, v1 - v0) + 1
    scale = torch.zeros_like(size)
    for s in range(1, N_SCALES):
        scale += size >= (1 << s)
    edge = 1 << scale
    u1, v1 = (u1 - edge + 1).clamp(min=0), (v1 - edge + 1).clamp(min=0)
    too_large = size >= (1 << N_SCALES)
    result = []
    for tables, extreme in ((nearest, torch.minimum), (farthest, torch.maximum)):
        left = extreme(tables[scale, v0, u0], tables[scale, v1, u0])
        right = extreme(tables[scale, v0, u1], tables[scale, v1, u1])
        whole = tables[0].min() if extreme is torch.minimum else tables[0].max()
        result.append(torch.where(too_large, whole, extreme(left, right)))
    return result[0], result[1]
