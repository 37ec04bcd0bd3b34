"""What a depth image says about the voxels in view, compiled by numba for the CPU: the same arithmetic as `evidence.collect`.

Kept apart so that importing the library costs no compilation: each kernel compiles at its first call and is cached on disk.
They release the GIL: threads of one image work on rows or bricks of their own, and queries run beside them.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from loci.spatial.ballots import EVERYTHING_PASSED, MISS
from loci.spatial.evidence import N_SCALES
from loci.spatial.voxels import SPREAD

F32 = np.float32
#: Smaller slopes of a ray along an axis [voxel edges per metre] are taken for this, so that nothing is divided by 0.
MIN_SLOPE = F32(1e-4)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def end_voxels(
    depth: npt.NDArray[np.float32],
    trusted: npt.NDArray[np.float32],
    max_range: np.float32,
    columns: npt.NDArray[np.float32],
    rows: npt.NDArray[np.float32],
    rotation: npt.NDArray[np.float32],
    position: npt.NDArray[np.float32],
    grid_shape: npt.NDArray[np.int64],
    first: int,
    last: int,
    reach: npt.NDArray[np.float32],
    voxels: npt.NDArray[np.int32],
) -> None:
    """Per pixel of the rows [first, last): how far its ray carves, and the flat voxel of the grid in which it ends (-1: none).

    ``rotation`` is in voxel edges per metre.
    """
    width = depth.shape[1]
    nx, ny, nz = F32(grid_shape[0] * 8), F32(grid_shape[1] * 8), F32(grid_shape[2] * 8)
    by, bz = np.int32(grid_shape[1]), np.int32(grid_shape[2])
    r00, r01, r02 = rotation[0]
    r10, r11, r12 = rotation[1]
    r20, r21, r22 = rotation[2]
    px, py, pz = position
    for v in range(first, last):
        row = rows[v]
        ax, ay, az = r01 * row + r02, r11 * row + r12, r21 * row + r22
        for u in range(width):
            z, column = depth[v, u], columns[u]
            x = np.floor(z * (r00 * column + ax) + px)
            y = np.floor(z * (r10 * column + ay) + py)
            w = np.floor(z * (r20 * column + az) + pz)
            valid = (z > F32(0.0)) & (z <= max_range)
            valid &= (x >= F32(0.0)) & (x < nx) & (y >= F32(0.0)) & (y < ny) & (w >= F32(0.0)) & (w < nz)
            i, j, k = np.int32(x), np.int32(y), np.int32(w)
            voxel = (((i >> 3) * by + (j >> 3)) * bz + (k >> 3)) << 9 | ((i & 7) << 6) | ((j & 7) << 3) | (k & 7)
            voxels[v, u] = voxel if valid else np.int32(-1)
            reach[v, u] = min(trusted[v, u], max_range)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _voxel_along_ray(
    x: np.float32,
    y: np.float32,
    z: np.float32,
    inset: np.float32,
    max_range: np.float32,
    rotation: npt.NDArray[np.float32],
    position: npt.NDArray[np.float32],
    grid_shape: npt.NDArray[np.int64],
) -> int:
    """Flat voxel of the grid that holds a measured point (camera frame, [m]) moved behind it along its ray; -1: none."""
    if not (z > F32(0.0) and z <= max_range):
        return -1
    scale = inset / np.sqrt((x * x + y * y) + z * z)
    x, y, w = x + x * scale, y + y * scale, z + z * scale
    i = int(np.floor(((rotation[0, 0] * x + rotation[0, 1] * y) + rotation[0, 2] * w) + position[0]))
    j = int(np.floor(((rotation[1, 0] * x + rotation[1, 1] * y) + rotation[1, 2] * w) + position[1]))
    k = int(np.floor(((rotation[2, 0] * x + rotation[2, 1] * y) + rotation[2, 2] * w) + position[2]))
    bi, bj, bk = i >> 3, j >> 3, k >> 3
    if bi < 0 or bj < 0 or bk < 0 or bi >= grid_shape[0] or bj >= grid_shape[1] or bk >= grid_shape[2]:
        return -1
    return (((bi * grid_shape[1] + bj) * grid_shape[2] + bk) << 9) | ((i & 7) << 6) | ((j & 7) << 3) | (k & 7)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def surface_voxels(
    depth: npt.NDArray[np.float32],
    max_range: np.float32,
    columns: npt.NDArray[np.float32],
    rows: npt.NDArray[np.float32],
    rotation: npt.NDArray[np.float32],
    position: npt.NDArray[np.float32],
    grid_shape: npt.NDArray[np.int64],
    inset: np.float32,
    jump: np.float32,
    away: int,
    first: int,
    last: int,
    voxels: npt.NDArray[np.int32],
) -> None:
    """Flat voxel of the grid that holds the surface at every pixel of the rows [first, last): the measured point, moved behind it.

    ``away``: normals are taken from pixels so far away; nearer to the image's border the ray is taken.
    """
    height, width = depth.shape
    nx, ny, nz = F32(grid_shape[0] * 8), F32(grid_shape[1] * 8), F32(grid_shape[2] * 8)
    by, bz = np.int32(grid_shape[1]), np.int32(grid_shape[2])
    r00, r01, r02 = rotation[0]
    r10, r11, r12 = rotation[1]
    r20, r21, r22 = rotation[2]
    px, py, pz = position
    for v in range(first, last):
        row = rows[v]
        inner_row = v >= away and v < height - away and width > 2 * away
        for u in range(away if inner_row else width):
            z = depth[v, u]
            x, y = z * columns[u], z * row
            voxels[v, u] = _voxel_along_ray(x, y, z, inset, max_range, rotation, position, grid_shape)
        if not inner_row:
            continue
        for u in range(width - away, width):
            z = depth[v, u]
            x, y = z * columns[u], z * row
            voxels[v, u] = _voxel_along_ray(x, y, z, inset, max_range, rotation, position, grid_shape)
        row_above, row_below = rows[v - away], rows[v + away]
        for u in range(away, width - away):
            z, column = depth[v, u], columns[u]
            left, right = depth[v, u - away], depth[v, u + away]
            upper, lower = depth[v - away, u], depth[v + away, u]
            x, y = z * column, z * row
            limit = z * jump
            dz_u, dz_v = right - left, lower - upper
            smooth = (left > F32(0.0)) & (right > F32(0.0)) & (upper > F32(0.0)) & (lower > F32(0.0))
            smooth &= (abs(dz_u) <= limit) & (abs(dz_v) <= limit)
            dx_u, dy_u = right * columns[u + away] - left * columns[u - away], dz_u * row
            dx_v, dy_v = dz_v * column, lower * row_below - upper * row_above
            mx, my, mz = dy_u * dz_v - dz_u * dy_v, dz_u * dx_v - dx_u * dz_v, dx_u * dy_v - dy_u * dx_v
            sign = F32(-1.0) if (mx * x + my * y) + mz * z < F32(0.0) else F32(1.0)
            mx = sign * mx if smooth else x
            my = sign * my if smooth else y
            mz = sign * mz if smooth else z
            scale = inset / np.sqrt((mx * mx + my * my) + mz * mz)
            x, y, w = x + mx * scale, y + my * scale, z + mz * scale
            a = np.floor(((r00 * x + r01 * y) + r02 * w) + px)
            b = np.floor(((r10 * x + r11 * y) + r12 * w) + py)
            c = np.floor(((r20 * x + r21 * y) + r22 * w) + pz)
            valid = (z > F32(0.0)) & (z <= max_range)
            valid &= (a >= F32(0.0)) & (a < nx) & (b >= F32(0.0)) & (b < ny) & (c >= F32(0.0)) & (c < nz)
            i, j, k = np.int32(a), np.int32(b), np.int32(c)
            voxel = (((i >> 3) * by + (j >> 3)) * bz + (k >> 3)) << 9 | ((i & 7) << 6) | ((j & 7) << 3) | (k & 7)
            voxels[v, u] = voxel if valid else np.int32(-1)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def fill_border(reach: npt.NDArray[np.float32], height: int, width: int) -> None:
    """Rows and columns that make the image's size even: nothing was measured there."""
    reach[height:, :] = F32(0.0)
    reach[:, width:] = F32(0.0)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def halve(
    reach: npt.NDArray[np.float32],
    first: int,
    last: int,
    nearest: npt.NDArray[np.float32],
    farthest: npt.NDArray[np.float32],
) -> None:
    """Extremes of 2 x 2 pixels, for the rows [first, last) of the halved image.

    ``nearest`` is the nearest measurement (infinite if there is none), and negative if a pixel has none.
    """
    for v in range(first, last):
        for u in range(nearest.shape[1]):
            a, b = reach[2 * v, 2 * u], reach[2 * v, 2 * u + 1]
            c, d = reach[2 * v + 1, 2 * u], reach[2 * v + 1, 2 * u + 1]
            hole = (a <= F32(0.0)) | (b <= F32(0.0)) | (c <= F32(0.0)) | (d <= F32(0.0))
            farthest[v, u] = max(max(a, b), max(c, d))
            a, b = a if a > F32(0.0) else F32(np.inf), b if b > F32(0.0) else F32(np.inf)
            c, d = c if c > F32(0.0) else F32(np.inf), d if d > F32(0.0) else F32(np.inf)
            near = min(min(a, b), min(c, d))
            nearest[v, u] = -near if hole else near


@numba.njit(cache=True, nogil=True, error_model="numpy")
def widen(
    nearest: npt.NDArray[np.float32], farthest: npt.NDArray[np.float32], scale: int, first: int, last: int
) -> None:
    """Entry ``scale`` of the tables from the one before it, for the rows [first, last); windows end at the image's border."""
    step = 1 << (scale - 1)
    _, height, width = nearest.shape
    near, far = nearest[scale - 1], farthest[scale - 1]
    for v in range(first, last):
        below = min(v + step, height - 1)
        for u in range(max(width - step, 0)):
            right = u + step
            a, b, c, d = near[v, u], near[v, right], near[below, u], near[below, right]
            least = min(min(abs(a), abs(b)), min(abs(c), abs(d)))
            hole = min(min(a, b), min(c, d)) < F32(0.0)
            nearest[scale, v, u] = -least if hole else least
            farthest[scale, v, u] = max(max(far[v, u], far[v, right]), max(far[below, u], far[below, right]))
        for u in range(max(width - step, 0), width):
            a, b = near[v, u], near[below, u]
            least = min(abs(a), abs(b))
            nearest[scale, v, u] = -least if min(a, b) < F32(0.0) else least
            farthest[scale, v, u] = max(far[v, u], far[below, u])


@numba.njit(cache=True, nogil=True, error_model="numpy")
def bricks_in_view(
    rotation: npt.NDArray[np.float32],
    position: npt.NDArray[np.float32],
    sides: npt.NDArray[np.float32],
    radius: np.float32,
    limit: np.float32,
    slots: npt.NDArray[np.int32],
) -> npt.NDArray[np.int32]:
    """Flat indices of the grid's bricks whose enclosing sphere touches the frustum; ``slots`` (grid) gets the place of each, or -1.

    ``rotation`` is in metres per voxel edge.
    """
    nx, ny, nz = slots.shape
    found = np.empty(slots.size, dtype=np.int32)
    n = 0
    for bi in range(nx):
        dx = (F32(bi) + F32(0.5)) * F32(8.0) - position[0]
        for bj in range(ny):
            dy = (F32(bj) + F32(0.5)) * F32(8.0) - position[1]
            for bk in range(nz):
                slots[bi, bj, bk] = -1
                dz = (F32(bk) + F32(0.5)) * F32(8.0) - position[2]
                z = (rotation[0, 2] * dx + rotation[1, 2] * dy) + rotation[2, 2] * dz
                if not (z > -radius and z < limit + radius):
                    continue
                x = (rotation[0, 0] * dx + rotation[1, 0] * dy) + rotation[2, 0] * dz
                y = (rotation[0, 1] * dx + rotation[1, 1] * dy) + rotation[2, 1] * dz
                inside = True
                for s in range(4):
                    if not ((sides[s, 0] * x + sides[s, 1] * y) + sides[s, 2] * z > -radius):
                        inside = False
                        break
                if inside:
                    slots[bi, bj, bk] = n
                    found[n] = (bi * ny + bj) * nz + bk
                    n += 1
    return found[:n]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _block_of(index: int) -> np.uint64:
    """Bit of the block of 2^3 voxels that holds a voxel of a brick."""
    return np.uint64(1) << np.uint64(((index >> 7) << 4) | (((index >> 4) & 3) << 2) | ((index >> 1) & 3))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def scatter(
    ends: npt.NDArray[np.int32],
    strength: npt.NDArray[np.uint8],
    surface: npt.NDArray[np.int32],
    slots: npt.NDArray[np.int32],
    hit: npt.NDArray[np.uint8],
    n_ended: npt.NDArray[np.uint16],
    blocks: npt.NDArray[np.uint64],
) -> None:
    """Strongest measurement in each voxel (C, 512), pixels of whose surface it holds (C, 512), and the blocks with either (C,).

    ``ends``, ``strength``: (P,) voxel and 0..15 of every pixel (``strength`` of one element: the same for all); ``surface``: (Q,).
    """
    last = np.int32(-1)
    weight = strength[0]
    for p in range(ends.size):
        voxel = ends[p]
        if strength.size > 1:
            weight = strength[p]
        elif voxel == last:
            continue
        last = voxel
        if voxel >= 0:
            slot, index = slots[voxel >> 9], voxel & 511
            if slot >= 0 and weight > hit[slot, index]:
                hit[slot, index] = weight
                blocks[slot] |= _block_of(index)
    last = np.int32(-1)
    for p in range(surface.size):
        voxel = surface[p]
        if voxel >= 0:
            slot, index = slots[voxel >> 9], voxel & 511
            if slot >= 0:
                n_ended[slot, index] += np.uint16(1)
                if voxel != last:
                    blocks[slot] |= _block_of(index)
        last = voxel


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _extremes(
    flat_near: npt.NDArray[np.float32],
    flat_far: npt.NDArray[np.float32],
    th: int,
    tw: int,
    u0: int,
    u1: int,
    v0: int,
    v1: int,
    whole: tuple[np.float32, np.float32],
) -> tuple[np.float32, np.float32]:
    """Nearest and farthest measurement in (at least) a window of the halved image; the nearest negative if a pixel has none."""
    size = max(u1 - u0, v1 - v0) + 1
    if size >= (1 << N_SCALES):
        return whole
    scale = 0
    while size >= (2 << scale):
        scale += 1
    u1 = max(u1 - (1 << scale) + 1, 0)
    v1 = max(v1 - (1 << scale) + 1, 0)
    top, bottom = (scale * th + v0) * tw, (scale * th + v1) * tw
    p, q, r, t = np.uint64(top + u0), np.uint64(top + u1), np.uint64(bottom + u0), np.uint64(bottom + u1)
    a, b, c, d = flat_near[p], flat_near[q], flat_near[r], flat_near[t]
    least = min(min(abs(a), abs(b)), min(abs(c), abs(d)))
    near = -least if min(min(a, b), min(c, d)) < F32(0.0) else least
    far = max(max(flat_far[p], flat_far[q]), max(flat_far[r], flat_far[t]))
    return near, far


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _spread(value: int) -> int:
    """See `loci.spatial.voxels._spread`."""
    for shift, mask in SPREAD:
        value = (value | (value << shift)) & mask
    return value


@numba.njit(cache=True, nogil=True, error_model="numpy")
def brick_keys(
    flat: npt.NDArray[np.int32],
    which: npt.NDArray[np.int64],
    grid_shape: tuple[int, int, int],
    lowest: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Morton codes (B,) of the bricks ``flat[which]`` of a grid whose first brick is ``lowest``; see `loci.spatial.voxels.encode`."""
    _, ny, nz = grid_shape
    keys = np.empty(which.size, dtype=np.int64)
    for n in range(which.size):
        index = flat[which[n]]
        i, j, k = index // (ny * nz) + lowest[0], index // nz % ny + lowest[1], index % nz + lowest[2]
        keys[n] = (_spread(i) << 2) | (_spread(j) << 1) | _spread(k)
    return keys


#: Edge of the smallest part of a brick that is judged as a whole [voxels]; smaller ones cost as much as they save.
_SMALLEST = 4


def _parts() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """A brick and its octants, depth first: lowest voxel, edge, and what comes after the part with its own parts, (P, 5); and the
    bits of the blocks in each, see `_block_of`, (P,)."""
    parts: list[list[int]] = []
    masks: list[int] = []

    def add(i: int, j: int, k: int, edge: int) -> None:
        place = len(parts)
        parts.append([i, j, k, edge, 0])
        inside = [((i // 2 + a) << 4) | ((j // 2 + b) << 2) | (k // 2 + c) for a, b, c in np.ndindex(*[edge // 2] * 3)]
        masks.append(sum(1 << bit for bit in inside))
        if edge > _SMALLEST:
            for a, b, c in np.ndindex(2, 2, 2):
                add(i + a * edge // 2, j + b * edge // 2, k + c * edge // 2, edge // 2)
        parts[place][4] = len(parts)

    add(0, 0, 0, 8)
    return np.array(parts, dtype=np.int64), np.array(masks, dtype=np.uint64)


_PARTS, _MASKS = _parts()
#: Verdicts on a block of voxels.
_NOTHING, _PASSED, _MIXED = 0, 1, 2


@numba.njit(cache=True, nogil=True, error_model="numpy")
def judge(
    reach: npt.NDArray[np.float32],
    hit: npt.NDArray[np.uint8],
    n_ended: npt.NDArray[np.uint16],
    blocks: npt.NDArray[np.uint64],
    nearest: npt.NDArray[np.float32],
    farthest: npt.NDArray[np.float32],
    whole: tuple[np.float32, np.float32],
    flat: npt.NDArray[np.int32],
    grid_shape: tuple[int, int, int],
    rotation: npt.NDArray[np.float32],
    position: npt.NDArray[np.float32],
    coarse: npt.NDArray[np.float32],
    fine: npt.NDArray[np.float32],
    intrinsics: npt.NDArray[np.float32],
    distances: npt.NDArray[np.float32],
    first: int,
    last: int,
    ballots: npt.NDArray[np.int16],
    kept: npt.NDArray[np.bool_],
) -> None:
    """Ballots on the voxels of the bricks [first, last), (C, 512), and which bricks got any; see `loci.spatial.evidence.collect`.

    Bricks, their octants and then voxels are judged: the larger at once only if all their voxels would come out the same one
    by one.
    All in one function: handing arrays to another one costs more than what is done with a voxel. The loops over voxels and over
    sampled rays hold no branches, so that the compiler makes vectors of them; indices that cannot be negative are unsigned,
    because it would wrap others around.

    Args:
        coarse, fine: (5, 16), (5, 64) sampled rays of a footprint: right and down [half its sides], and their offset from the
            voxel's centre, map frame [voxel edges].
        intrinsics: fx, fy, cx, cy, half the footprint's sides at 1 m [px].
        distances: nearest and farthest voxel judged, how far behind a voxel a ray must end to have passed it, how far behind
            its centre all must end so that none needs to be asked, leaf size [m].
    """
    height, width = reach.shape
    wide, high = np.int32(width), np.int32(height)
    pixels = reach.ravel()
    _, th, tw = nearest.shape
    flat_near, flat_far = nearest.ravel(), farthest.ravel()
    _, ny, nz = grid_shape
    fx, fy, cx, cy, radius_u, radius_v = intrinsics
    min_depth, limit, margin, clear, leaf = distances
    r00, r01, r02 = rotation[0]
    r10, r11, r12 = rotation[1]
    r20, r21, r22 = rotation[2]
    px, py, pz = position
    last_column, last_row = F32(width - 1), F32(height - 1)
    th32, tw32 = np.int32(th), np.int32(tw)
    spots, windows = np.empty((5, _SMALLEST**3), dtype=np.float32), np.empty((5, _SMALLEST**3), dtype=np.int32)
    zero, one, half = F32(0.0), F32(1.0), F32(0.5)
    per_face = one / ((fx * leaf) * (fy * leaf))
    for c in range(first, last):
        bi, bj, bk = flat[c] // (ny * nz), flat[c] // nz % ny, flat[c] % nz
        bx, by, bz = F32(bi * 8), F32(bj * 8), F32(bk * 8)
        x0, y0, z0 = bx - px, by - py, bz - pz
        block = blocks[c]
        ballots[c] = 0
        said = False
        part = 0
        while part < _PARTS.shape[0]:
            oi, oj, ok, edge, behind = _PARTS[part]
            touched = block & _MASKS[part] != 0
            part += 1
            if touched:
                if edge > _SMALLEST:
                    continue
            else:
                middle, radius = F32(edge) * half, leaf * F32(edge) * F32(0.8660255)
                dx, dy, dz = x0 + F32(oi) + middle, y0 + F32(oj) + middle, z0 + F32(ok) + middle
                z = (r02 * dx + r12 * dy) + r22 * dz
                front, back = z - radius, z + radius
                if front > limit or back <= min_depth:
                    part = behind
                    continue
                if front > F32(0.2):
                    x = (r00 * dx + r10 * dy) + r20 * dz
                    y = (r01 * dx + r11 * dy) + r21 * dz
                    over, inverse = one / front, one / z
                    tilt_x, tilt_y = x * inverse, y * inverse
                    # Every footprint lies in the projection of a sphere that is larger by the footprints' size. The tables'
                    # windows are squares and begin at even pixels: a voxel's may reach beyond its footprint by so much.
                    spare = F32(2.0) * abs(radius_u - radius_v) * over + F32(6.0)
                    r_u = ((one + abs(tilt_x)) * radius * fx + radius_u) * over + spare
                    r_v = ((one + abs(tilt_y)) * radius * fy + radius_v) * over + spare
                    u, v = fx * tilt_x + cx, fy * tilt_y + cy
                    left, right, top, bottom = int(u - r_u), int(u + r_u), int(v - r_v), int(v + r_v)
                    verdict = _MIXED
                    if right < 0 or left >= width or bottom < 0 or top >= height:
                        verdict = _NOTHING
                    else:
                        u0, u1 = max(left, 0) >> 1, min(right, width - 1) >> 1
                        v0, v1 = max(top, 0) >> 1, min(bottom, height - 1) >> 1
                        unclipped = left >= 0 and top >= 0 and right < width and bottom < height
                        near, far = _extremes(flat_near, flat_far, th, tw, u0, u1, v0, v1, whole)
                        if far < front - leaf:
                            verdict = _NOTHING
                        elif near > back + clear and back <= limit and unclipped:
                            verdict = _PASSED
                    if verdict == _PASSED:
                        said = True
                        for i in range(oi, oi + edge):
                            for j in range(oj, oj + edge):
                                for k in range(ok, ok + edge):
                                    ballots[c, (i << 6) | (j << 3) | k] = EVERYTHING_PASSED
                    if verdict != _MIXED:
                        part = behind
                        continue
                if edge > _SMALLEST:
                    continue
            # Where each voxel's footprint lies, (64,) at once: nothing but arithmetic, so that the compiler makes vectors of it.
            for n in range(_SMALLEST**3):
                i, j, k = np.int32(oi + (n >> 4)), np.int32(oj + ((n >> 2) & 3)), np.int32(ok + (n & 3))
                dx = (bx + (F32(i) + half)) - px
                dy = (by + (F32(j) + half)) - py
                dz = (bz + (F32(k) + half)) - pz
                z = (r02 * dx + r12 * dy) + r22 * dz
                judged = (z > min_depth) & (z <= limit)
                x = (r00 * dx + r10 * dy) + r20 * dz
                y = (r01 * dx + r11 * dy) + r21 * dz
                inverse = one / (z if judged else one)
                u, v = (x * inverse) * fx + cx, (y * inverse) * fy + cy
                r_u, r_v = inverse * radius_u, inverse * radius_v
                left, right = np.floor((u - r_u) + half), np.floor((u + r_u) + half)
                top, bottom = np.floor((v - r_v) + half), np.floor((v + r_v) + half)
                judged &= (right >= zero) & (left <= last_column) & (bottom >= zero) & (top <= last_row)
                u0 = np.int32(max(left, zero) if judged else zero) >> 1
                u1 = np.int32(min(right, last_column) if judged else zero) >> 1
                v0 = np.int32(max(top, zero) if judged else zero) >> 1
                v1 = np.int32(min(bottom, last_row) if judged else zero) >> 1
                spots[0, n], spots[1, n], spots[2, n], spots[3, n], spots[4, n] = z, u, v, r_u, r_v
                # The window's place in the tables, see `_extremes`.
                size = max(u1 - u0, v1 - v0) + np.int32(1)
                scale = np.int32(0)
                for power in range(1, N_SCALES):
                    scale += np.int32(size >= np.int32(1 << power))
                back = (np.int32(1) << scale) - np.int32(1)
                u1, v1 = max(u1 - back, np.int32(0)), max(v1 - back, np.int32(0))
                above, below = (scale * th32 + v0) * tw32, (scale * th32 + v1) * tw32
                windows[0, n], windows[1, n], windows[2, n], windows[3, n] = (
                    above + u0,
                    above + u1,
                    below + u0,
                    below + u1,
                )
                windows[4, n] = np.int32(judged) + np.int32(judged & (size >= np.int32(1 << N_SCALES)))
            for n in range(_SMALLEST**3):
                if windows[4, n] == 0:
                    continue
                i, j, k = oi + (n >> 4), oj + ((n >> 2) & 3), ok + (n & 3)
                z, u, v, r_u, r_v = spots[0, n], spots[1, n], spots[2, n], spots[3, n], spots[4, n]
                if windows[4, n] == 1:
                    p, q = np.uint32(windows[0, n]), np.uint32(windows[1, n])
                    r, t = np.uint32(windows[2, n]), np.uint32(windows[3, n])
                    n0, n1, n2, n3 = flat_near[p], flat_near[q], flat_near[r], flat_near[t]
                    near = min(min(abs(n0), abs(n1)), min(abs(n2), abs(n3)))
                    far = max(max(flat_far[p], flat_far[q]), max(flat_far[r], flat_far[t]))
                else:
                    near, far = abs(whole[0]), whole[1]
                index = (i << 6) | (j << 3) | k
                strength, n_hits = hit[c, index], n_ended[c, index]
                if strength == 0 and n_hits == 0:
                    if far < z - leaf:
                        continue
                    if near > z + clear:
                        column, row = int(np.floor(u + half)), int(np.floor(v + half))
                        inside = column >= 0 and column < width and row >= 0 and row < height
                        if inside and reach[row, column] > zero:
                            ballots[c, index] = EVERYTHING_PASSED
                            said = True
                            continue
                dx = (bx + (F32(i) + half)) - px
                dy = (by + (F32(j) + half)) - py
                dz = (bz + (F32(k) + half)) - pz
                inverse = one / z
                sx, sy, sz = dx * inverse, dy * inverse, dz * inverse
                sx = one / (sx if abs(sx) >= MIN_SLOPE else MIN_SLOPE)
                sy = one / (sy if abs(sy) >= MIN_SLOPE else MIN_SLOPE)
                sz = one / (sz if abs(sz) >= MIN_SLOPE else MIN_SLOPE)
                hx, hy, hz = abs(sx) * half, abs(sy) * half, abs(sz) * half
                passed, met, crossings = np.int32(0), np.int32(0), np.int32(0)
                for s in range(16):
                    column = np.int32(np.floor((u + r_u * coarse[0, s]) + half))
                    row = np.int32(np.floor((v + r_v * coarse[1, s]) + half))
                    inside = (column >= 0) & (column < wide) & (row >= 0) & (row < high)
                    pixel = np.uint32(row * wide + column) if inside else np.uint32(0)
                    depth = pixels[pixel]
                    ox, oy, oz = sx * coarse[2, s], sy * coarse[3, s], sz * coarse[4, s]
                    leave = min(min(hx - ox, hy - oy), hz - oz)
                    enter = max(max(-hx - ox, -hy - oy), -hz - oz)
                    meets = inside & (enter < leave)
                    met += np.int32(meets)
                    crossings += np.int32(meets & (depth > z + leave))
                    passed += np.int32(meets & (depth > (z + leave) + margin))
                crossed = crossings > 0
                if strength == 0 and not crossed and far > z:
                    for quarter in range(4):
                        crossings = np.int32(0)
                        for s in range(16 * quarter, 16 * quarter + 16):
                            column = np.int32(np.floor((u + r_u * fine[0, s]) + half))
                            row = np.int32(np.floor((v + r_v * fine[1, s]) + half))
                            inside = (column >= 0) & (column < wide) & (row >= 0) & (row < high)
                            pixel = np.uint32(row * wide + column) if inside else np.uint32(0)
                            depth = pixels[pixel]
                            ox, oy, oz = sx * fine[2, s], sy * fine[3, s], sz * fine[4, s]
                            leave = min(min(hx - ox, hy - oy), hz - oz)
                            enter = max(max(-hx - ox, -hy - oy), -hz - oz)
                            meets = inside & (enter < leave) & (depth > z - leaf) & (depth > z + leave)
                            crossings += np.int32(meets)
                        if crossings > 0:
                            crossed = True
                            break
                if met > 0:
                    passed = (16 * passed + met // 2) // met
                ended = 0
                if n_hits > 0:
                    expected = (F32(n_hits) * F32(16.0)) * (z * z)
                    ended = int(np.ceil(min(expected * per_face, F32(16.0))))
                ballot = passed | (ended << 5) | (int(strength) << 10)
                if crossed and strength == 0:
                    ballot |= MISS
                if ballot != 0:
                    ballots[c, index] = ballot
                    said = True
        kept[c] = said
