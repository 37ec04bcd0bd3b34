"""What one depth image says about the voxels in view: which hold a measurement, which are crossed, and how many rays each stops.

Two models share the work. Occupancy is OctoMap's (Hornung et al., Autonomous Robots 2013): a voxel in which a ray ends is hit,
whatever else crosses it; one that a ray crosses, and in which none ends, is missed. Solidity gives every ray a vote: rays that
end at a surface in the voxel against rays that pass on, because a voxel that is only grazed does not block the view.
Nothing walks along rays: voxels in view are projected into the image, where `N_COARSE` pixels of each footprint are asked (and
`N_FINE`, before a voxel is taken for one that no ray crosses). No measurement (0) says nothing.
Two implementations with the same arithmetic, operation by operation: torch here, for any device, and numba for the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

from loci.geometry import Array, Camera, pixel_rays
from loci.spatial.ballots import EVERYTHING_PASSED, MISS
from loci.spatial.bricks import BRICK_EDGE, BRICK_SIZE

#: Pixels asked per axis of a footprint: of every voxel, and before it is taken for one that no ray crosses.
COARSE_EDGE, FINE_EDGE = 4, 8
N_COARSE, N_FINE = COARSE_EDGE**2, FINE_EDGE**2
#: The footprint is a square of so many voxel edges from its middle to its side: between a cube's face (0.5) and corner (0.87).
FOOTPRINT = 0.8
#: Voxels nearer than this are not judged [m]: they cover (almost) the whole image.
MIN_DEPTH = 0.02
#: Surfaces are taken so far behind the measured points, along the normal [voxel edges].
INSET = 0.6
#: Normals are taken from pixels so far away [px], unless depth changes by more than this share of it between them (an edge):
#: there, and at the image's border, the ray itself is taken.
NORMAL_REACH, MAX_JUMP = 3, 0.1
#: A ray passes for solidity only if it ends farther than this behind the voxel [voxel edges]: one that grazes a table top crosses
#: the upper parts of many voxels just before it ends, and would carve the surface away.
PASS_MARGIN = 1.0
#: Smaller slopes of a ray along an axis [voxel edges per metre] are taken for this, so that nothing is divided by 0.
MIN_SLOPE = 1e-4
#: Extremes of footprints are looked up in an image of half the resolution, in windows of up to 2^N_SCALES of its pixels.
POOL = 2
N_SCALES = 7
#: A less trusted measurement carves nothing and is no surface; it still counts as a hit of its strength.
MIN_CONFIDENCE = 0.5


@dataclass(frozen=True)
class View:
    """One depth image, prepared for either implementation. Lengths in voxel edges are relative to ``lowest_brick``.

    Attributes:
        lowest_brick: (3,) int64 brick coordinates of the grid's first brick.
        grid_shape: bricks of the grid per axis; it encloses what is in view up to the range.
        rotation: (3, 3) float32, camera to map.
        position: (3,) float32, of the camera [voxel edges].
        leaf_size: [m].
        max_range: depth up to which pixels are believed [m].
        columns, rows: (W,), (H,) float32 normalised image coordinates.
        fx, fy, cx, cy: intrinsics [px].
        radius: (2,) half the sides of a voxel's footprint at 1 m [px].
        coarse, fine: (N_COARSE, 5), (N_FINE, 5) float32 sampled rays: right and down [half sides of the footprint], and offset
            from the voxel's centre, map frame [voxel edges].
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
    coarse: npt.NDArray[np.float32]
    fine: npt.NDArray[np.float32]
    depth_limit: float
    sides: npt.NDArray[np.float32]

    @property
    def distances(self) -> tuple[float, float, float, float, float]:
        """Nearest and farthest voxel judged; how far behind a voxel a ray must end to have passed it, and behind its centre for
        all rays to have; leaf size [m]."""
        leaf = self.leaf_size
        return MIN_DEPTH, self.depth_limit + 2.0 * leaf, leaf * PASS_MARGIN, leaf * (0.9 + PASS_MARGIN), leaf


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
    # Surfaces lie behind the measured points: one voxel more.
    lowest = np.floor((corners.min(axis=0) - 1.0) / BRICK_EDGE).astype(np.int64)
    highest = np.floor((corners.max(axis=0) + 1.0) / BRICK_EDGE).astype(np.int64)
    lowest, highest = np.maximum(lowest, 0), np.minimum(highest, n_bricks_per_axis - 1)
    if np.any(highest < lowest):
        return None
    sides = np.array([[1.0, 0.0, -left], [-1.0, 0.0, right], [0.0, 1.0, -top], [0.0, -1.0, bottom]])
    sides /= np.linalg.norm(sides, axis=1, keepdims=True)
    shape = highest - lowest + 1
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
        coarse=_samples(COARSE_EDGE, T_map_camera),
        fine=_samples(FINE_EDGE, T_map_camera),
        depth_limit=depth_limit,
        sides=sides.astype(np.float32),
    )


@lru_cache(maxsize=2)
def _footprint(edge: int) -> npt.NDArray[np.float64]:
    """A regular grid over a footprint (edge^2, 2), right and down, from -1 to 1."""
    along = (2.0 * np.arange(edge) + 1.0 - edge) / edge
    return np.stack(np.meshgrid(along, along, indexing="ij"), axis=-1).reshape(-1, 2)


def _samples(edge: int, T_map_camera: Array) -> npt.NDArray[np.float32]:
    """A regular grid over the footprint, see `View.coarse`."""
    right_down = _footprint(edge)
    return np.hstack([right_down, FOOTPRINT * right_down @ T_map_camera[:3, :2].T]).astype(np.float32)


def collect(
    depth: torch.Tensor, trusted: torch.Tensor, strength: torch.Tensor, view: View
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ballots (see `loci.spatial.ballots`) on all bricks about which the image says anything; torch, whole-array.

    Args:
        depth: (H, W) float32 [m], 0: no measurement.
        trusted: the same without the measurements that are not trusted to carve.
        strength: (1,) uint8 for all pixels, or (H * W,) of each, 0 to 15.
        view: of this image.

    Returns:
        bricks: (B, 3) int64 brick coordinates, in the order of the view's grid.
        ballots: (B, 512) int16 per voxel (x slowest, z fastest).
    """
    device = depth.device
    nx, ny, nz = view.grid_shape
    flat = _bricks_in_view(view, device)  # (C,) sorted
    slots = torch.full((nx * ny * nz,), -1, dtype=torch.int64, device=device)
    slots[flat] = torch.arange(flat.numel(), device=device)
    size = flat.numel() * BRICK_SIZE

    ends = _end_voxels(depth, view)  # (H * W,) flat voxel of the grid, brick-major; -1: none
    index, here = _in_slots(ends, slots)
    weight = strength.to(torch.int64).expand(ends.numel())[here]
    hit = torch.zeros(size, dtype=torch.int64, device=device).scatter_reduce(0, index, weight, "amax")
    index, _ = _in_slots(_surface_voxels(trusted, view), slots)
    n_ended = torch.bincount(index, minlength=size)

    reach = trusted.clamp(max=float(np.float32(view.max_range)))
    ballots = _judge(reach, hit.reshape(-1, BRICK_SIZE), n_ended.reshape(-1, BRICK_SIZE), view, flat)
    kept = (ballots != 0).any(dim=1)
    flat, ballots = flat[kept], ballots[kept]
    bricks = torch.stack([flat // (ny * nz), flat // nz % ny, flat % nz], dim=1)
    return bricks + torch.from_numpy(view.lowest_brick).to(device), ballots


def _in_slots(points: torch.Tensor, slots: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Flat index (slot, voxel of brick) of those of the flat voxels of the grid that lie in a slot, and which they are."""
    slot = torch.where(points >= 0, slots[points.clamp(min=0) >> 9], -1)
    here = slot >= 0
    return ((slot << 9) | (points & (BRICK_SIZE - 1)))[here], here


def _flat_voxels(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor, valid: torch.Tensor, view: View) -> torch.Tensor:
    """Flat voxels of the grid (P,) int64 of coordinates in voxel edges; -1 outside of it or where not valid."""
    inside = valid
    for c, n in zip((x, y, z), view.grid_shape, strict=True):
        inside = inside & (c >= 0) & (c < n * BRICK_EDGE)
    i, j, k = (torch.where(inside, torch.floor(c), 0).to(torch.int64) for c in (x, y, z))
    _, ny, nz = view.grid_shape
    brick = ((i >> 3) * ny + (j >> 3)) * nz + (k >> 3)
    voxel = (brick << 9) | ((i & 7) << 6) | ((j & 7) << 3) | (k & 7)
    return torch.where(inside, voxel, -1).reshape(-1)


def _end_voxels(depth: torch.Tensor, view: View) -> torch.Tensor:
    """Flat voxel of the grid in which every pixel's ray ends, (H * W,); -1: none."""
    device = depth.device
    columns, rows = torch.from_numpy(view.columns).to(device), torch.from_numpy(view.rows).to(device)
    R, t = (view.rotation / np.float32(view.leaf_size)).tolist(), view.position.tolist()
    x, y, z = (depth * (R[a][0] * columns[None, :] + (R[a][1] * rows + R[a][2])[:, None]) + t[a] for a in range(3))
    return _flat_voxels(x, y, z, (depth > 0) & (depth <= float(np.float32(view.max_range))), view)


def _surface_voxels(depth: torch.Tensor, view: View) -> torch.Tensor:
    """Flat voxels of the grid that hold the surface at every pixel, (H * W,); -1: none."""
    device, r = depth.device, NORMAL_REACH
    columns, rows = torch.from_numpy(view.columns).to(device), torch.from_numpy(view.rows).to(device)
    x, y = depth * columns[None, :], depth * rows[:, None]
    mx, my, mz = x.clone(), y.clone(), depth.clone()  # normals, pointing into the thing
    if min(depth.shape) > 2 * r:
        inner = np.s_[r:-r, r:-r]
        left, right = depth[r:-r, : -2 * r], depth[r:-r, 2 * r :]
        upper, lower = depth[: -2 * r, r:-r], depth[2 * r :, r:-r]
        limit = depth[inner] * float(np.float32(MAX_JUMP))
        dz_u, dz_v = right - left, lower - upper
        smooth = (left > 0) & (right > 0) & (upper > 0) & (lower > 0) & (dz_u.abs() <= limit) & (dz_v.abs() <= limit)
        dx_u, dy_u = right * columns[2 * r :] - left * columns[: -2 * r], dz_u * rows[r:-r, None]
        dx_v, dy_v = dz_v * columns[r:-r], lower * rows[2 * r :, None] - upper * rows[: -2 * r, None]
        nx, ny, nz = dy_u * dz_v - dz_u * dy_v, dz_u * dx_v - dx_u * dz_v, dx_u * dy_v - dy_u * dx_v
        sign = torch.where((nx * x[inner] + ny * y[inner]) + nz * depth[inner] < 0, -1.0, 1.0)
        for m, n in ((mx, nx), (my, ny), (mz, nz)):
            m[inner] = torch.where(smooth, sign * n, m[inner])
    scale = float(np.float32(view.leaf_size) * np.float32(INSET)) / torch.sqrt((mx * mx + my * my) + mz * mz)
    point = (x + mx * scale, y + my * scale, depth + mz * scale)
    R, t = (view.rotation / np.float32(view.leaf_size)).tolist(), view.position.tolist()
    a, b, c = (((R[i][0] * point[0] + R[i][1] * point[1]) + R[i][2] * point[2]) + t[i] for i in range(3))
    return _flat_voxels(a, b, c, (depth > 0) & (depth <= float(np.float32(view.max_range))), view)


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


def extremes_in_windows(reach: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Nearest and farthest measurement in square windows at every pixel of the halved image, by window size.

    Args:
        reach: (H, W) float32 [m], 0: no measurement.

    Returns:
        two (N_SCALES, ceil(H / 2), ceil(W / 2)) float32; entry [s, v, u] covers 2^s pixels of the halved image right and
        down from (v, u), as far as the image goes. Where nothing was measured: infinite, and 0.
    """
    height, width = reach.shape
    if height % POOL or width % POOL:
        reach = torch.nn.functional.pad(reach, (0, -width % POOL, 0, -height % POOL))
    return _windows(torch.where(reach > 0, reach, torch.inf), torch.minimum), _windows(reach, torch.maximum)


def _windows(image: torch.Tensor, extreme: Callable[..., torch.Tensor]) -> torch.Tensor:
    by_row = extreme(image[::2], image[1::2])
    tables = [extreme(by_row[:, ::2], by_row[:, 1::2])]
    for scale in range(1, N_SCALES):
        wide = tables[-1]
        for axis in (0, 1):
            narrow, n = wide, max(wide.shape[axis] - (1 << (scale - 1)), 0)
            wide = narrow.clone()
            first, second = narrow.narrow(axis, 0, n), narrow.narrow(axis, narrow.shape[axis] - n, n)
            wide.narrow(axis, 0, n).copy_(extreme(first, second))
        tables.append(wide)
    return torch.stack(tables)


def _judge(
    reach: torch.Tensor, hit: torch.Tensor, n_ended: torch.Tensor, view: View, flat: torch.Tensor
) -> torch.Tensor:
    """Ballots on the voxels of the given bricks of the grid, (C, 512) int16; see `collect`."""
    device = reach.device
    height, width = reach.shape
    _, ny, nz = view.grid_shape
    near_limit, far_limit, _, clear_by, leaf = (float(np.float32(d)) for d in view.distances)
    local = torch.arange(BRICK_EDGE, device=device, dtype=torch.float32) + 0.5
    # (C, 8, 1, 1), (C, 1, 8, 1), (C, 1, 1, 8)
    dx = ((flat // (ny * nz)) * BRICK_EDGE)[:, None, None, None] + local[:, None, None] - float(view.position[0])
    dy = ((flat // nz % ny) * BRICK_EDGE)[:, None, None, None] + local[:, None] - float(view.position[1])
    dz = ((flat % nz) * BRICK_EDGE)[:, None, None, None] + local - float(view.position[2])
    x, y, z = (c.reshape(-1, BRICK_SIZE) for c in torch.broadcast_tensors(*_to_camera(dx, dy, dz, view)))
    ballots = torch.zeros(z.shape, dtype=torch.int16, device=device)
    # Only voxels in range and with pixels go on: (V,) each.
    in_range = (z > near_limit) & (z <= far_limit)
    u, v = (x * (1.0 / z)) * view.fx + view.cx, (y * (1.0 / z)) * view.fy + view.cy
    r_u, r_v = (1.0 / z) * float(np.float32(view.radius[0])), (1.0 / z) * float(np.float32(view.radius[1]))
    left, right = torch.floor((u - r_u) + 0.5), torch.floor((u + r_u) + 0.5)
    top, bottom = torch.floor((v - r_v) + 0.5), torch.floor((v + r_v) + 0.5)
    judged = in_range & (right >= 0) & (left < width) & (bottom >= 0) & (top < height)
    brick, index = torch.nonzero(judged, as_tuple=True)
    z, u, v, r_u, r_v, left, right, top, bottom = (a[judged] for a in (z, u, v, r_u, r_v, left, right, top, bottom))
    strength, n_hits = hit[judged], n_ended[judged]
    sides = (left.clamp(min=0), right.clamp(max=width - 1), top.clamp(min=0), bottom.clamp(max=height - 1))
    near, far = _extremes(*extremes_in_windows(reach), *(c.to(torch.int64) >> 1 for c in sides))
    untouched = (strength == 0) & (n_hits == 0)
    column, row = (torch.floor(c + 0.5).to(torch.int64) for c in (u, v))
    measured = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    measured &= reach[row.clamp(0, height - 1), column.clamp(0, width - 1)] > 0
    passed = untouched & (far >= z - leaf) & (near > z + clear_by) & measured
    ballots[brick[passed], index[passed]] = EVERYTHING_PASSED
    asked = ~passed & ~(untouched & (far < z - leaf))
    brick, index = brick[asked], index[asked]
    d = [torch.broadcast_to(c, (flat.numel(), BRICK_EDGE, BRICK_EDGE, BRICK_EDGE)) for c in (dx, dy, dz)]
    offset = [c.reshape(-1, BRICK_SIZE)[brick, index] for c in d]
    footprints = _Footprints(reach, view, *(a[asked] for a in (z, u, v, r_u, r_v)), *offset)
    ballots[brick, index] = footprints.ballots(strength[asked], n_hits[asked], far[asked])
    return ballots


@dataclass(frozen=True)
class _Footprints:
    """Voxels whose pixels are asked one by one; (V,) each, ``dx``.. from the camera [voxel edges]."""

    reach: torch.Tensor
    view: View
    z: torch.Tensor
    u: torch.Tensor
    v: torch.Tensor
    r_u: torch.Tensor
    r_v: torch.Tensor
    dx: torch.Tensor
    dy: torch.Tensor
    dz: torch.Tensor

    def ballots(self, strength: torch.Tensor, n_ended: torch.Tensor, far: torch.Tensor) -> torch.Tensor:
        """Their ballots (V,) int16, by the strongest measurement, the number of surface pixels and the deepest pixel of each."""
        _, _, margin, _, leaf = (float(np.float32(d)) for d in self.view.distances)
        met, depth, behind = self._ask(self.view.coarse)
        crosses = met & (depth > behind)
        passed = (met & (depth > behind + margin)).sum(dim=1)
        n_met = met.sum(dim=1)
        crossed = crosses.any(dim=1)
        unsure = torch.nonzero((strength == 0) & ~crossed & (far > self.z)).squeeze(1)
        met, depth, behind = self._some(unsure)._ask(self.view.fine)
        fine = met & (depth > behind) & (depth > (self.z[unsure] - leaf)[:, None])
        crossed[unsure] = fine.any(dim=1)
        passed = torch.where(n_met > 0, (N_COARSE * passed + n_met // 2) // n_met.clamp(min=1), 0)
        face = (np.float32(self.view.fx) * np.float32(leaf)) * (np.float32(self.view.fy) * np.float32(leaf))
        expected = (n_ended.to(torch.float32) * float(N_COARSE)) * (self.z * self.z)
        ended = torch.ceil((expected * float(np.float32(1.0) / face)).clamp(max=float(N_COARSE))).to(torch.int64)
        missed = torch.where(crossed & (strength == 0), MISS, 0)
        return (passed | (ended << 5) | (strength << 10) | missed).to(torch.int16)

    def _some(self, which: torch.Tensor) -> _Footprints:
        arrays = (a[which] for a in (self.z, self.u, self.v, self.r_u, self.r_v, self.dx, self.dy, self.dz))
        return _Footprints(self.reach, self.view, *arrays)

    def _ask(self, samples: npt.NDArray[np.float32]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Which sampled rays (V, S) meet the voxel, how deep they reach, and the depth at which they leave it [m]."""
        height, width = self.reach.shape
        right, down, *offsets = torch.from_numpy(samples).to(self.reach.device).unbind(dim=1)  # (S,) each
        column = torch.floor((self.u[:, None] + self.r_u[:, None] * right) + 0.5).to(torch.int64)
        row = torch.floor((self.v[:, None] + self.r_v[:, None] * down) + 0.5).to(torch.int64)
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        depth = self.reach[row.clamp(0, height - 1), column.clamp(0, width - 1)]
        smallest, inverse = float(np.float32(MIN_SLOPE)), 1.0 / self.z
        enter, leave = [], []
        for d, offset in zip((self.dx, self.dy, self.dz), offsets, strict=True):
            slope = d * inverse
            slope = 1.0 / torch.where(slope.abs() >= smallest, slope, smallest)
            half, o = (slope.abs() * 0.5)[:, None], slope[:, None] * offset
            enter.append(-half - o)
            leave.append(half - o)
        first = torch.maximum(torch.maximum(enter[0], enter[1]), enter[2])
        last = torch.minimum(torch.minimum(leave[0], leave[1]), leave[2])
        return inside & (first < last), depth, self.z[:, None] + last


def _extremes(
    nearest: torch.Tensor,
    farthest: torch.Tensor,
    u0: torch.Tensor,
    u1: torch.Tensor,
    v0: torch.Tensor,
    v1: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Nearest and farthest measurement in (at least) windows of the halved image, (V,) each."""
    size = torch.maximum(u1 - u0, v1 - v0) + 1
    scale = torch.log2(size.to(torch.float64) + 0.5).to(torch.int64)
    small = size < (1 << N_SCALES)
    scale = scale.clamp(max=N_SCALES - 1)
    u1, v1 = ((c - (1 << scale) + 1).clamp(min=0) for c in (u1, v1))
    corners = [(scale, v, u) for v in (v0, v1) for u in (u0, u1)]
    near = torch.stack([nearest[c] for c in corners]).amin(dim=0)
    far = torch.stack([farthest[c] for c in corners]).amax(dim=0)
    return torch.where(small, near, nearest[0].min()), torch.where(small, far, farthest[0].max())
