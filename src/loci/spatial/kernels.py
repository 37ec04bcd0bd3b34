"""The octree's inner loops for the CPU, compiled by numba: the same arithmetic as the torch versions, without temporaries.

Kept apart so that importing the library costs no compilation: each kernel compiles at its first call and is cached on disk.
They release the GIL, so that queries run beside them.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

F32 = np.float32


@numba.njit(cache=True, nogil=True)
def voxels_of_pixels(
    depth: npt.NDArray[np.float32],
    columns: npt.NDArray[np.float32],
    rows: npt.NDArray[np.float32],
    rotation: npt.NDArray[np.float32],
    position: npt.NDArray[np.float32],
    max_range: np.float32,
    inset: np.float32,
    jump: np.float32,
    reach: int,
    grid_shape: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Flat voxel index within the grid of every pixel's point, (H, W); -1: none. See `loci.spatial.evidence`.

    ``rotation`` is in voxel edges per metre.
    """
    height, width = depth.shape
    nx, ny, nz = grid_shape
    voxels = np.full((height, width), -1, dtype=np.int64)
    for v in range(height):
        for u in range(width):
            z = depth[v, u]
            if not (z > F32(0.0) and z <= max_range):
                continue
            x = z * columns[u]
            y = z * rows[v]
            mx, my, mz = x, y, z  # normal, pointing into the thing
            if u >= reach and v >= reach and u < width - reach and v < height - reach:
                left, right = depth[v, u - reach], depth[v, u + reach]
                upper, lower = depth[v - reach, u], depth[v + reach, u]
                limit = z * jump
                smooth = left > F32(0.0) and right > F32(0.0) and upper > F32(0.0) and lower > F32(0.0)
                if smooth and abs(right - left) <= limit and abs(lower - upper) <= limit:
                    az, bz = right - left, lower - upper
                    ax, ay = right * columns[u + reach] - left * columns[u - reach], az * rows[v]
                    bx, by = bz * columns[u], lower * rows[v + reach] - upper * rows[v - reach]
                    mx, my, mz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
                    if (mx * x + my * y) + mz * z < F32(0.0):
                        mx, my, mz = -mx, -my, -mz
            scale = inset / np.sqrt((mx * mx + my * my) + mz * mz)
            x, y, z = x + mx * scale, y + my * scale, z + mz * scale
            i = int(np.floor(((rotation[0, 0] * x + rotation[0, 1] * y) + rotation[0, 2] * z) + position[0]))
            j = int(np.floor(((rotation[1, 0] * x + rotation[1, 1] * y) + rotation[1, 2] * z) + position[1]))
            k = int(np.floor(((rotation[2, 0] * x + rotation[2, 1] * y) + rotation[2, 2] * z) + position[2]))
            bi, bj, bk = i >> 3, j >> 3, k >> 3
            if bi < 0 or bj < 0 or bk < 0 or bi >= nx or bj >= ny or bk >= nz:
                continue
            voxels[v, u] = (((bi * ny + bj) * nz + bk) << 9) | ((i & 7) << 6) | ((j & 7) << 3) | (k & 7)
    return voxels


@numba.njit(cache=True, nogil=True)
def bricks_in_frustum(
    rotation: npt.NDArray[np.float32],
    position: npt.NDArray[np.float32],
    sides: npt.NDArray[np.float32],
    radius: np.float32,
    limit: np.float32,
    candidates: npt.NDArray[np.bool_],
) -> None:
    """Mark the bricks whose enclosing sphere touches the frustum; ``rotation`` is in metres per voxel edge."""
    nx, ny, nz = candidates.shape
    for bi in range(nx):
        dx = (F32(bi) + F32(0.5)) * F32(8.0) - position[0]
        for bj in range(ny):
            dy = (F32(bj) + F32(0.5)) * F32(8.0) - position[1]
            for bk in range(nz):
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
                candidates[bi, bj, bk] = inside


@numba.njit(cache=True, nogil=True)
def _extremes(
    nearest: npt.NDArray[np.float32],
    farthest: npt.NDArray[np.float32],
    u0: int,
    u1: int,
    v0: int,
    v1: int,
    whole: tuple[np.float32, np.float32],
) -> tuple[np.float32, np.float32]:
    """Nearest and farthest measurement in (at least) a window of the halved image."""
    size = max(u1 - u0, v1 - v0) + 1
    if size >= (1 << nearest.shape[0]):
        return whole
    scale = 0
    while size >= (2 << scale):
        scale += 1
    u1 = max(u1 - (1 << scale) + 1, 0)
    v1 = max(v1 - (1 << scale) + 1, 0)
    n, f = nearest[scale], farthest[scale]
    near = min(min(n[v0, u0], n[v0, u1]), min(n[v1, u0], n[v1, u1]))
    far = max(max(f[v0, u0], f[v0, u1]), max(f[v1, u0], f[v1, u1]))
    return near, far


@numba.njit(cache=True, nogil=True)
def count_hits(points: npt.NDArray[np.int64], slots: npt.NDArray[np.int64], n_bricks: int) -> npt.NDArray[np.int32]:
    """Points in each voxel, (C, 512); ``slots``: number of each brick of the grid, -1 for those left out."""
    hits = np.zeros((n_bricks, 512), dtype=np.int32)
    for voxel in points.ravel():
        if voxel >= 0:
            slot = slots[voxel >> 9]
            if slot >= 0:
                hits[slot, voxel & 511] += 1
    return hits


@numba.njit(cache=True, nogil=True)
def votes(
    depth: npt.NDArray[np.float32],
    hits: npt.NDArray[np.int32],
    nearest: npt.NDArray[np.float32],
    farthest: npt.NDArray[np.float32],
    flat: npt.NDArray[np.int64],
    grid_shape: tuple[int, int, int],
    rotation: npt.NDArray[np.float32],
    position: npt.NDArray[np.float32],
    samples: npt.NDArray[np.float32],
    intrinsics: npt.NDArray[np.float32],
    distances: npt.NDArray[np.float32],
    brick_radius: np.float32,
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.bool_]]:
    """Votes on the voxels of the given bricks, (C, 512), and which bricks got any; see `loci.spatial.evidence.collect`.

    Args:
        intrinsics: fx, fy, cx, cy, half the footprint's sides at 1 m [px].
        distances: nearest and farthest voxel judged, how far behind a voxel a ray must end to have passed it, how far behind
            its centre all must end so that none needs to be asked, leaf size [m].
        brick_radius: of the sphere around a brick [m].
    """
    height, width = depth.shape
    _, ny, nz = grid_shape
    fx, fy, cx, cy, radius_u, radius_v = intrinsics
    min_depth, limit, margin, clear, leaf = distances
    smallest, one, sixteen = F32(1e-4), F32(1.0), F32(16.0)
    per_face = one / ((fx * leaf) * (fy * leaf))
    whole = (nearest[0].min(), farthest[0].max())
    result = np.zeros((flat.size, 512), dtype=np.int16)
    kept = np.zeros(flat.size, dtype=np.bool_)
    for c in range(flat.size):
        bi, bj, bk = flat[c] // (ny * nz), flat[c] // nz % ny, flat[c] % nz
        dx, dy, dz = F32(bi * 8 + 4) - position[0], F32(bj * 8 + 4) - position[1], F32(bk * 8 + 4) - position[2]
        z = (rotation[0, 2] * dx + rotation[1, 2] * dy) + rotation[2, 2] * dz
        front = z - brick_radius
        # Leave out bricks that lie behind everything measured in their footprint.
        if front > F32(0.2) and not hits[c].any():
            x = (rotation[0, 0] * dx + rotation[1, 0] * dy) + rotation[2, 0] * dz
            y = (rotation[0, 1] * dx + rotation[1, 1] * dy) + rotation[2, 1] * dz
            # Every footprint lies in the projection of a sphere that is larger by the footprints' size.
            r = (brick_radius + leaf + abs(x) * brick_radius / z) / front
            u0, u1 = int(fx * (x / z - r) + cx) - 1, int(fx * (x / z + r) + cx) + 2
            r = (brick_radius + leaf + abs(y) * brick_radius / z) / front
            v0, v1 = int(fy * (y / z - r) + cy) - 1, int(fy * (y / z + r) + cy) + 2
            u0, u1 = min(max(u0, 0), width - 1) >> 1, min(max(u1, 0), width - 1) >> 1
            v0, v1 = min(max(v0, 0), height - 1) >> 1, min(max(v1, 0), height - 1) >> 1
            if _extremes(nearest, farthest, u0, u1, v0, v1, whole)[1] < front - leaf:
                continue
        for index in range(512):
            dx = (F32(bi * 8) + (F32(index >> 6) + F32(0.5))) - position[0]
            dy = (F32(bj * 8) + (F32((index >> 3) & 7) + F32(0.5))) - position[1]
            dz = (F32(bk * 8) + (F32(index & 7) + F32(0.5))) - position[2]
            z = (rotation[0, 2] * dx + rotation[1, 2] * dy) + rotation[2, 2] * dz
            if not (z > min_depth and z <= limit):
                continue
            x = (rotation[0, 0] * dx + rotation[1, 0] * dy) + rotation[2, 0] * dz
            y = (rotation[0, 1] * dx + rotation[1, 1] * dy) + rotation[2, 1] * dz
            inverse = F32(1.0) / z
            u = (x * inverse) * fx + cx
            v = (y * inverse) * fy + cy
            r_u, r_v = inverse * radius_u, inverse * radius_v
            u0 = max(int(np.floor((u - r_u) + F32(0.5))), 0)
            u1 = min(int(np.floor((u + r_u) + F32(0.5))), width - 1)
            v0 = max(int(np.floor((v - r_v) + F32(0.5))), 0)
            v1 = min(int(np.floor((v + r_v) + F32(0.5))), height - 1)
            if u1 < 0 or u0 >= width or v1 < 0 or v0 >= height:
                continue
            near, far = _extremes(nearest, farthest, u0 >> 1, u1 >> 1, v0 >> 1, v1 >> 1, whole)
            n_hits = hits[c, index]
            if far < z - leaf and n_hits == 0:
                continue
            if near > z + clear and n_hits == 0:
                column, row = int(np.floor(u + F32(0.5))), int(np.floor(v + F32(0.5)))
                inside = column >= 0 and column < width and row >= 0 and row < height
                if inside and depth[row, column] > F32(0.0):
                    result[c, index] = 16
                    kept[c] = True
                    continue
            sx, sy, sz = dx * inverse, dy * inverse, dz * inverse
            sx = one / (sx if abs(sx) >= smallest else smallest)
            sy = one / (sy if abs(sy) >= smallest else smallest)
            sz = one / (sz if abs(sz) >= smallest else smallest)
            hx, hy, hz = abs(sx) * F32(0.5), abs(sy) * F32(0.5), abs(sz) * F32(0.5)
            passed, met = 0, 0
            for a in range(4):
                column = int(np.floor((u + r_u * (F32(a) * F32(0.5) - F32(0.75))) + F32(0.5)))
                if column < 0 or column >= width:
                    continue
                for b in range(4):
                    row = int(np.floor((v + r_v * (F32(b) * F32(0.5) - F32(0.75))) + F32(0.5)))
                    if row < 0 or row >= height:
                        continue
                    o = samples[4 * a + b]
                    ox, oy, oz = sx * o[0], sy * o[1], sz * o[2]
                    leave = min(min(hx - ox, hy - oy), hz - oz)
                    enter = max(max(-hx - ox, -hy - oy), -hz - oz)
                    if enter < leave:
                        met += 1
                        if depth[row, column] > (z + leave) + margin:
                            passed += 1
            if met > 0:
                passed = (16 * passed + met // 2) // met
            ended = int(np.ceil(min(((sixteen * F32(n_hits)) * (z * z)) * per_face, sixteen)))
            if ended or passed:
                result[c, index] = (ended << 8) | passed
                kept[c] = True
    return result, kept


@numba.njit(cache=True, nogil=True)
def apply_votes(
    ballots: npt.NDArray[np.int16],
    rows: npt.NDArray[np.int64],
    stamp_ns: np.int64,
    changes: npt.NDArray[np.float32],
    lowest: np.float32,
    highest: np.float32,
    threshold: np.float32,
    log_odds: npt.NDArray[np.float32],
    last_seen: npt.NDArray[np.int64],
    count: npt.NDArray[np.int32],
    touched: npt.NDArray[np.int8],
    occupied_bits: npt.NDArray[np.uint8],
    free_bits: npt.NDArray[np.uint8],
    touched_bits: npt.NDArray[np.uint8],
    peak: npt.NDArray[np.float32],
) -> None:
    """Add the votes of one image to the bricks in ``rows`` and bring their summaries up to date.

    ``changes`` (17, 17) float32: what so many rays that ended, and that passed, add to the log-odds.
    """
    for b in range(rows.size):
        row = rows[b]
        highest_seen = F32(-np.inf)
        for column in range(64):
            occupied, free, touch = 0, 0, 0
            for k in range(8):
                index = column * 8 + k
                ballot = ballots[b, index]
                if ballot != 0:
                    value = log_odds[row, index] + changes[ballot >> 8, ballot & 255]
                    log_odds[row, index] = min(max(value, lowest), highest)
                    last_seen[row, index] = stamp_ns
                    count[row, index] += np.int32(1)
                    if ballot >= 256:
                        touched[row, index] = min(touched[row, index] + 2, 9)
                    elif ballot == 16:
                        touched[row, index] = max(touched[row, index] - 1, -5)
                if touched[row, index] > 0:
                    touch |= 1 << k
                if count[row, index] > 0:
                    value = log_odds[row, index]
                    highest_seen = max(highest_seen, value)
                    if value > threshold:
                        occupied |= 1 << k
                    else:
                        free |= 1 << k
            occupied_bits[row, column] = occupied
            free_bits[row, column] = free
            touched_bits[row, column] = touch
        peak[row] = highest_seen


@numba.njit(cache=True, nogil=True)
def _spread(value: np.int64) -> np.int64:
    value = (value | (value << 32)) & 0x1F00000000FFFF
    value = (value | (value << 16)) & 0x1F0000FF0000FF
    value = (value | (value << 8)) & 0x100F00F00F00F00F
    value = (value | (value << 4)) & 0x10C30C30C30C30C3
    return (value | (value << 2)) & 0x1249249249249249


@numba.njit(cache=True, nogil=True)
def cast_rays(
    origins: npt.NDArray[np.float64],
    directions: npt.NDArray[np.float64],
    length: float,
    n_voxels: int,
    keys: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    occupied_bits: npt.NDArray[np.uint8],
    free_bits: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """First occupied voxel along rays, all in voxel edges; see `loci.spatial.rays.cast_rays`."""
    n = origins.shape[0]
    hits = np.zeros(n, dtype=np.bool_)
    voxels = np.zeros((n, 3), dtype=np.int64)
    ranges = np.full(n, length)
    crossed = np.zeros(n, dtype=np.bool_)
    voxel = np.zeros(3, dtype=np.int64)
    step = np.zeros(3, dtype=np.int64)
    t_next = np.zeros(3)
    t_delta = np.zeros(3)
    for ray in range(n):
        for a in range(3):
            o, d = origins[ray, a], directions[ray, a]
            voxel[a] = int(np.floor(o))
            if d > 0:
                step[a], t_delta[a] = 1, 1.0 / d
                t_next[a] = (voxel[a] + 1.0 - o) / d
            elif d < 0:
                step[a], t_delta[a] = -1, -1.0 / d
                t_next[a] = (voxel[a] - o) / d
            else:
                step[a], t_delta[a], t_next[a] = 0, np.inf, np.inf
        t = 0.0
        last_key = np.int64(-1)
        row = np.int64(-1)
        while t <= length:
            inside = True
            for a in range(3):
                if voxel[a] < 0 or voxel[a] >= n_voxels:
                    inside = False
            if inside:
                key = (_spread(voxel[0] >> 3) << 2) | (_spread(voxel[1] >> 3) << 1) | _spread(voxel[2] >> 3)
                if key != last_key:
                    last_key = key
                    place = np.searchsorted(keys, key)
                    row = rows[place] if place < keys.size and keys[place] == key else np.int64(-1)
                column = ((voxel[0] & 7) << 3) | (voxel[1] & 7)
                bit = voxel[2] & 7
                if row >= 0 and (occupied_bits[row, column] >> bit) & 1:
                    hits[ray] = True
                    ranges[ray] = t
                    voxels[ray] = voxel
                    break
                if row < 0 or not (free_bits[row, column] >> bit) & 1:
                    crossed[ray] = True
            else:
                crossed[ray] = True
            axis = 0
            if t_next[1] < t_next[axis]:
                axis = 1
            if t_next[2] < t_next[axis]:
                axis = 2
            t = t_next[axis]
            t_next[axis] += t_delta[axis]
            voxel[axis] += step[axis]
    return hits, voxels, ranges, crossed
