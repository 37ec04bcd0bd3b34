"""What is occupied, free or unknown in space: a sparse octree whose leaves are bricks of 8^3 voxels.

Bricks are rows of arrays that grow by doubling; a directory of sorted Morton keys finds them, and a cube of any size is a
range of keys, so that inner nodes need no storage. Work per image depends on the voxels in view, not on the size of the map.
One thread integrates; others may query meanwhile: rows and directory are published in one assignment, and a voxel that is
being updated is read either before or after the image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from loci.geometry import Array, Camera
from loci.spatial import evidence, kernels, rays, voxels
from loci.spatial.evidence import BRICK_EDGE, BRICK_SIZE, N_SAMPLES

UNKNOWN_STATE, FREE_STATE, OCCUPIED_STATE = -1, 0, 1

#: Rows allocated at first; doubled whenever they are full.
_INITIAL_ROWS = 256
#: Steps and limits of `Bricks.touched`: OctoMap's log-odds (0.85, -0.41, -2, 3.5) in units of a miss.
TOUCHED_HIT, TOUCHED_MISS, TOUCHED_MIN, TOUCHED_MAX = 2, -1, -5, 9
#: Arrays of voxels that are saved; the summaries follow from them.
_SAVED = ("log_odds", "last_seen", "count", "touched")


def _logit(probability: float) -> float:
    return float(np.log(probability / (1.0 - probability)))


def _changes(parameters: OctreeParameters) -> npt.NDArray[np.float32]:
    """What an image adds to a voxel's log-odds, (17, 17) float32, by how many rays ended in it and how many passed.

    Each ray has an equal part in the image's vote: all ended make a full hit, all passed a full miss.
    """
    ended, passed = np.meshgrid(np.arange(N_SAMPLES + 1), np.arange(N_SAMPLES + 1), indexing="ij")
    change = (_logit(parameters.p_hit) * ended + _logit(parameters.p_miss) * passed) / N_SAMPLES
    return np.asarray(change, dtype=np.float32)


@dataclass(frozen=True)
class OctreeParameters:
    """Size and sensor model of an octree, after OctoMap (Hornung et al., Autonomous Robots 2013).

    OctoMap's p_hit of 0.7 belongs to its rule that one hit outweighs all misses of an image. Here every ray of the image has
    a vote: a voxel is occupied if it stops most of the rays into it. One that passes weighs about twice as much as one that
    ends, because rays that end close behind a voxel do not count as passing it (measured on the kitchen recording).

    Attributes:
        leaf_size: edge of a voxel [m].
        levels: the world is a cube of 2^levels voxels around the map's origin (default: 3.3 km); 4 to 20.
        max_range: deeper measurements (along the optical axis) fill nothing and carve only up to it [m].
        p_hit, p_miss: probability of being occupied after one image in which all rays ended in it, or passed it, from 0.5.
        p_min, p_max: no voxel becomes surer than this, so that the map can follow changes.
        occupied_threshold: more probable voxels are occupied.
    """

    leaf_size: float = 0.05
    levels: int = 16
    max_range: float = 4.0
    p_hit: float = 0.55
    p_miss: float = 0.3
    p_min: float = 0.1192
    p_max: float = 0.971
    occupied_threshold: float = 0.5

    def __post_init__(self) -> None:
        if not (np.isfinite(self.leaf_size) and self.leaf_size > 0):
            raise ValueError(f"expected leaf_size > 0 m, got {self.leaf_size}")
        if not 4 <= self.levels <= voxels.MAX_BITS:
            raise ValueError(f"expected levels from 4 to {voxels.MAX_BITS}, got {self.levels}")
        if not (np.isfinite(self.max_range) and self.max_range > self.leaf_size):
            raise ValueError(f"expected a finite max_range > leaf_size {self.leaf_size} m, got {self.max_range}")
        if not 0 < self.p_min <= self.p_miss < 0.5 < self.p_hit <= self.p_max < 1:
            got = (self.p_min, self.p_miss, self.p_hit, self.p_max)
            raise ValueError(f"expected 0 < p_min <= p_miss < 0.5 < p_hit <= p_max < 1, got {got}")
        if not self.p_min < self.occupied_threshold < self.p_max:
            raise ValueError(f"expected occupied_threshold between p_min and p_max, got {self.occupied_threshold}")


@dataclass(frozen=True)
class RayHits:
    """First occupied voxels along N rays.

    Attributes:
        hits: (N,) bool.
        points: (N, 3) float64 centre of the voxel hit [m]; the ray's end where nothing was hit.
        ranges: (N,) float64 distance to where the ray enters that voxel [m]; the maximum range where nothing was hit.
        crossed_unknown: (N,) bool, unknown space lies before.
    """

    hits: npt.NDArray[np.bool_]
    points: npt.NDArray[np.float64]
    ranges: npt.NDArray[np.float64]
    crossed_unknown: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Bricks:
    """What readers see: the directory (sorted) and the rows it points to. The row arrays are longer than the directory.

    Attributes:
        keys: (B,) int64 Morton codes of brick coordinates, ascending.
        rows: (B,) int64 row of each.
        log_odds: (R, 512) float32, x slowest, z fastest.
        last_seen: (R, 512) int64 [ns].
        count: (R, 512) int32 images that said something; 0: unknown.
        touched: (R, 512) int8 the same evidence by OctoMap's rule, in steps of a miss: any ray that ended is a hit (+2), and
            only a whole footprint that passed is a miss (-1). What is thinner than a voxel shows up only here.
        occupied_bits, free_bits, touched_bits: (R, 64) uint8, bit z of column (x, y); touched: > 0.
        peak: (R,) float32 largest log-odds of the known voxels.
    """

    keys: torch.Tensor
    rows: torch.Tensor
    log_odds: torch.Tensor
    last_seen: torch.Tensor
    count: torch.Tensor
    touched: torch.Tensor
    occupied_bits: torch.Tensor
    free_bits: torch.Tensor
    touched_bits: torch.Tensor
    peak: torch.Tensor

    @staticmethod
    def allocate(n_rows: int, device: torch.device) -> Bricks:
        return Bricks(
            keys=torch.zeros(0, dtype=torch.int64, device=device),
            rows=torch.zeros(0, dtype=torch.int64, device=device),
            log_odds=torch.zeros((n_rows, BRICK_SIZE), dtype=torch.float32, device=device),
            last_seen=torch.zeros((n_rows, BRICK_SIZE), dtype=torch.int64, device=device),
            count=torch.zeros((n_rows, BRICK_SIZE), dtype=torch.int32, device=device),
            touched=torch.zeros((n_rows, BRICK_SIZE), dtype=torch.int8, device=device),
            occupied_bits=torch.zeros((n_rows, BRICK_EDGE**2), dtype=torch.uint8, device=device),
            free_bits=torch.zeros((n_rows, BRICK_EDGE**2), dtype=torch.uint8, device=device),
            touched_bits=torch.zeros((n_rows, BRICK_EDGE**2), dtype=torch.uint8, device=device),
            peak=torch.full((n_rows,), -torch.inf, dtype=torch.float32, device=device),
        )

    @property
    def row_arrays(self) -> tuple[torch.Tensor, ...]:
        return tuple(getattr(self, name) for name in (*_SAVED, "occupied_bits", "free_bits", "touched_bits", "peak"))

    def find(self, keys: torch.Tensor) -> torch.Tensor:
        """Rows of the bricks with these keys, -1 where there is none."""
        if not self.keys.numel():
            return torch.full_like(keys, -1)
        place = torch.searchsorted(self.keys, keys).clamp(max=self.keys.numel() - 1)
        return torch.where(self.keys[place] == keys, self.rows[place], -1)


class Octree:
    """Occupancy of space, learnt from depth images; numpy at the interface, torch inside."""

    def __init__(
        self, parameters: OctreeParameters | None = None, device: str = "cpu", *, compiled: bool | None = None
    ) -> None:
        """An empty octree.

        Args:
            parameters: size and sensor model.
            device: torch device that holds the voxels.
            compiled: use the numba kernels (default: on the CPU); the answers are the same.
        """
        self.parameters = parameters or OctreeParameters()
        self.device = torch.device(device)
        self._compiled = self.device.type == "cpu" if compiled is None else compiled
        self._n_bricks_per_axis = 1 << (self.parameters.levels - 3)
        self._half = float(1 << (self.parameters.levels - 1))  # the map's origin [voxel edges]
        self._threshold = float(np.float32(_logit(self.parameters.occupied_threshold)))
        self._changes = _changes(self.parameters)
        self._bricks = Bricks.allocate(_INITIAL_ROWS, self.device)
        self._stamp_ns = 0
        self._n_images = 0

    # --- writing ------------------------------------------------------------------------------------------------------

    def integrate(self, depth: npt.NDArray[np.float32], camera: Camera, T_map_camera: Array, stamp_ns: int) -> None:
        """Take one depth image in: what is seen becomes more occupied, what is seen through becomes more free.

        Args:
            depth: (H, W) float32 [m], 0: no measurement (says nothing).
            camera: rectified camera of the image.
            T_map_camera: (4, 4) pose of its optical frame in the map.
            stamp_ns: time of the image [ns].

        Raises:
            ValueError: shape or type of the depth does not fit the camera.
        """
        if depth.shape != (camera.height, camera.width) or depth.dtype != np.float32:
            shape = (camera.height, camera.width)
            raise ValueError(f"expected depth {shape} float32 metres, got {depth.shape} {depth.dtype}")
        p = self.parameters
        self._n_images += 1
        self._stamp_ns = max(self._stamp_ns, stamp_ns)
        view = evidence.prepare(
            float(depth.max()), camera, T_map_camera, p.leaf_size, p.max_range, self._n_bricks_per_axis
        )
        if view is None:
            return
        image = np.require(depth, requirements=("C", "W"))  # torch takes no read-only arrays
        if self._compiled:
            bricks, votes = evidence.collect_compiled(image, view)
        else:
            bricks, votes = evidence.collect(torch.from_numpy(image).to(self.device), view)
        if not bricks.shape[0]:
            return
        rows = self._rows_of(voxels.encode(bricks))
        self._apply(votes, rows, stamp_ns)

    def _rows_of(self, keys: torch.Tensor) -> torch.Tensor:
        """Rows of bricks (distinct keys), making those that do not exist yet."""
        bricks = self._bricks
        rows = bricks.find(keys)
        new_keys = torch.sort(keys[rows < 0]).values
        if not new_keys.numel():
            return rows
        n_old, n_new = bricks.keys.numel(), int(new_keys.numel())
        arrays = bricks.row_arrays
        n_rows = arrays[0].shape[0]
        if n_old + n_new > n_rows:
            while n_rows < n_old + n_new:
                n_rows *= 2
            larger = Bricks.allocate(n_rows, self.device)
            for old, new in zip(arrays, larger.row_arrays, strict=True):
                new[:n_old] = old[:n_old]
            arrays = larger.row_arrays
        all_keys = torch.cat([bricks.keys, new_keys])
        all_rows = torch.cat([bricks.rows, torch.arange(n_old, n_old + n_new, device=self.device)])
        all_keys, order = torch.sort(all_keys)
        self._bricks = Bricks(all_keys, all_rows[order], *arrays)
        return self._bricks.find(keys)

    def _apply(self, votes: torch.Tensor, rows: torch.Tensor, stamp_ns: int) -> None:
        p, b = self.parameters, self._bricks
        low, high = np.float32(_logit(p.p_min)), np.float32(_logit(p.p_max))
        if self._compiled:
            arrays = (a.numpy() for a in b.row_arrays)
            limits = (low, high, np.float32(self._threshold))
            kernels.apply_votes(votes.numpy(), rows.numpy(), np.int64(stamp_ns), self._changes, *limits, *arrays)
            return
        said = votes != 0
        ended, passed = (votes >> 8).to(torch.int64), (votes & 255).to(torch.int64)
        change = torch.from_numpy(self._changes).to(self.device)[ended, passed]
        log_odds = b.log_odds[rows]
        b.log_odds[rows] = torch.where(said, (log_odds + change).clamp(float(low), float(high)), log_odds)
        b.last_seen[rows] = torch.where(said, stamp_ns, b.last_seen[rows])
        b.count[rows] += said.to(torch.int32)
        step = torch.where(ended > 0, TOUCHED_HIT, torch.where(passed == N_SAMPLES, TOUCHED_MISS, 0))
        b.touched[rows] = (b.touched[rows] + step).clamp(TOUCHED_MIN, TOUCHED_MAX).to(torch.int8)
        self._summarise(rows)

    def _summarise(self, rows: torch.Tensor) -> None:
        """Bring bits and peaks of bricks up to date with their voxels."""
        b = self._bricks
        log_odds, known = b.log_odds[rows], b.count[rows] > 0
        weights = 1 << torch.arange(BRICK_EDGE, device=self.device)
        occupied = known & (log_odds > self._threshold)
        touched = b.touched[rows] > 0
        states = ((b.occupied_bits, occupied), (b.free_bits, known & ~occupied), (b.touched_bits, touched))
        for bits, state in states:
            bits[rows] = (state.reshape(-1, BRICK_EDGE**2, BRICK_EDGE) * weights).sum(dim=2).to(torch.uint8)
        b.peak[rows] = torch.where(known, log_odds, -torch.inf).amax(dim=1)

    def rebuild(self, images: Iterable[tuple[npt.NDArray[np.float32], Camera, Array, int]]) -> Octree:
        """A new octree with the same parameters from (depth, camera, T_map_camera, stamp_ns) of keyframes.

        For corrected poses: build beside the old one, then let readers have the new one.
        """
        octree = Octree(self.parameters, str(self.device), compiled=self._compiled)
        for depth, camera, T_map_camera, stamp_ns in images:
            octree.integrate(depth, camera, T_map_camera, stamp_ns)
        return octree

    # --- reading ------------------------------------------------------------------------------------------------------

    @property
    def n_bricks(self) -> int:
        return int(self._bricks.keys.numel())

    @property
    def n_bytes(self) -> int:
        """Memory of all bricks in use [bytes]."""
        per_row = sum(a[0].numel() * a.element_size() for a in self._bricks.row_arrays)
        return self.n_bricks * (per_row + 16)

    @property
    def n_images(self) -> int:
        """Images taken in."""
        return self._n_images

    @property
    def stamp_ns(self) -> int:
        """Newest stamp taken in [ns]; 0: none."""
        return self._stamp_ns

    @property
    def bricks(self) -> Bricks:
        """The bricks as of now, for those who summarise them (read only)."""
        return self._bricks

    def brick_origins(self, keys: torch.Tensor) -> npt.NDArray[np.int64]:
        """Lowest voxel of bricks (B, 3), counted from the map's origin: voxel i spans [i, i + 1) leaf sizes."""
        origins = voxels.decode(keys) * BRICK_EDGE - int(self._half)
        return np.asarray(origins.cpu().numpy())

    def query(self, points: npt.ArrayLike, level: int = 0) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
        """State and probability of the cubes that hold points.

        A cube is occupied if any voxel in it is, free if all of them are known to be free, and unknown otherwise.

        Args:
            points: (N, 3) [m], map frame.
            level: 0 for voxels, n for cubes of 2^n voxels per edge.

        Returns:
            states: (N,) int8, -1 unknown, 0 free, 1 occupied.
            probabilities: (N,) float32 of the most probably occupied voxel in the cube; 0.5 where unknown.

        Raises:
            ValueError: wrong shape, not finite, or no such level.
        """
        array = np.asarray(points, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] != 3 or not np.all(np.isfinite(array)):
            raise ValueError(f"expected finite points (N, 3), got shape {array.shape}")
        if not 0 <= level <= self.parameters.levels:
            raise ValueError(f"expected a level from 0 to {self.parameters.levels}, got {level}")
        bricks = self._bricks
        voxel = np.floor(array / self.parameters.leaf_size) + self._half
        inside = np.all((voxel >= 0) & (voxel < 2 * self._half), axis=1)
        voxel_t = torch.from_numpy(np.where(inside[:, None], voxel, 0).astype(np.int64)).to(self.device)
        if level <= 3:
            n_occupied, n_known, peak, size = self._in_bricks(bricks, voxel_t, level)
        else:
            n_occupied, n_known, peak, size = self._over_bricks(bricks, voxel_t, level)
        states = torch.full(n_known.shape, UNKNOWN_STATE, dtype=torch.int8, device=self.device)
        states[n_known == size] = FREE_STATE
        states[n_occupied > 0] = OCCUPIED_STATE
        probabilities = torch.where(states == UNKNOWN_STATE, 0.5, torch.sigmoid(peak))
        result, p = states.cpu().numpy(), probabilities.cpu().numpy()
        result[~inside] = UNKNOWN_STATE
        p[~inside] = 0.5
        return result, p

    def _in_bricks(
        self, bricks: Bricks, voxel: torch.Tensor, level: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, int]:
        """Occupied voxels, known voxels and largest log-odds of cubes within one brick, each (N,); voxels per cube."""
        keys, inverse = torch.unique(voxels.encode(voxel >> 3), return_inverse=True)
        row = bricks.find(keys)
        if level == 0:
            row, local = row[inverse], voxel & 7
            index = (local[:, 0] << 6) | (local[:, 1] << 3) | local[:, 2]
            log_odds = bricks.log_odds[row, index]
            known = (row >= 0) & (bricks.count[row, index] > 0)
            return (known & (log_odds > self._threshold)).int(), known.int(), log_odds, 1
        n, e = BRICK_EDGE >> level, 1 << level
        shape = (-1, n, e, n, e, n, e)
        log_odds, known = bricks.log_odds[row], (bricks.count[row] > 0) & (row >= 0)[:, None]
        log_odds = torch.where(known, log_odds, -torch.inf)
        n_known = known.reshape(shape).sum(dim=(2, 4, 6))
        n_occupied = (log_odds > self._threshold).reshape(shape).sum(dim=(2, 4, 6))
        peak = log_odds.reshape(shape).amax(dim=(2, 4, 6))
        i, j, k = ((voxel[:, a] & 7) >> level for a in range(3))
        return n_occupied[inverse, i, j, k], n_known[inverse, i, j, k], peak[inverse, i, j, k], e**3

    def _over_bricks(
        self, bricks: Bricks, voxel: torch.Tensor, level: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, int]:
        """The same for cubes of whole bricks: each is a range of the directory."""
        prefixes, inverse = torch.unique(voxels.prefix(voxels.encode(voxel >> 3), level - 3), return_inverse=True)
        first, last = (torch.searchsorted(bricks.keys, k) for k in voxels.code_range(prefixes, level - 3))
        length = last - first
        cube = torch.repeat_interleave(torch.arange(prefixes.numel(), device=self.device), length)  # (M,)
        place = torch.arange(cube.numel(), device=self.device) + (first - torch.cumsum(length, 0) + length)[cube]
        row = bricks.rows[place]
        occupied, free = _popcount(bricks.occupied_bits[row]).sum(1), _popcount(bricks.free_bits[row]).sum(1)
        zeros = torch.zeros(prefixes.numel(), dtype=torch.int64, device=self.device)
        n_occupied = zeros.index_add(0, cube, occupied)
        n_known = zeros.index_add(0, cube, occupied + free)
        peak = torch.full((prefixes.numel(),), -torch.inf, dtype=torch.float32, device=self.device)
        peak = peak.scatter_reduce(0, cube, bricks.peak[row], "amax")
        return n_occupied[inverse], n_known[inverse], peak[inverse], 8**level

    def cast_rays(self, origins: npt.ArrayLike, directions: npt.ArrayLike, max_range: float) -> RayHits:
        """First occupied voxel along rays.

        Args:
            origins: (N, 3) [m], map frame.
            directions: (N, 3), any length > 0.
            max_range: [m], > 0.

        Raises:
            ValueError: shapes differ, not finite, a direction of length 0, or max_range not > 0.
        """
        o, d = np.asarray(origins, dtype=np.float64), np.asarray(directions, dtype=np.float64)
        if o.ndim != 2 or o.shape[1] != 3 or o.shape != d.shape:
            raise ValueError(f"expected origins and directions (N, 3), got {o.shape} and {d.shape}")
        norms = np.linalg.norm(d, axis=1, keepdims=True)
        if not (np.all(np.isfinite(o)) and np.all(np.isfinite(d)) and np.all(norms > 0)):
            raise ValueError("expected finite origins and directions of a length > 0")
        if not (np.isfinite(max_range) and max_range > 0):
            raise ValueError(f"expected a finite max_range > 0 m, got {max_range}")
        leaf, b = self.parameters.leaf_size, self._bricks
        d = d / norms
        hits, voxel, ranges, crossed = rays.cast_rays(
            np.ascontiguousarray(o / leaf + self._half),
            np.ascontiguousarray(d),
            max_range / leaf,
            int(2 * self._half),
            b.keys,
            b.rows,
            b.occupied_bits,
            b.free_bits,
            self._compiled,
        )
        points = np.where(hits[:, None], (voxel + 0.5 - self._half) * leaf, o + d * max_range)
        return RayHits(hits, points, np.minimum(ranges * leaf, max_range), crossed)

    def occupied(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Centres (N, 3) float32 [m] and probabilities (N,) float32 of all occupied voxels."""
        b = self._bricks
        some = b.peak[b.rows] > self._threshold
        keys, rows = b.keys[some], b.rows[some]
        log_odds = b.log_odds[rows]
        brick, index = torch.nonzero((b.count[rows] > 0) & (log_odds > self._threshold), as_tuple=True)
        local = torch.stack([index >> 6, (index >> 3) & 7, index & 7], dim=1)
        voxel = (voxels.decode(keys)[brick] * BRICK_EDGE + local).to(torch.float64)
        centres = (voxel + (0.5 - self._half)) * self.parameters.leaf_size
        probabilities = torch.sigmoid(log_odds[brick, index])
        return centres.to(torch.float32).cpu().numpy(), probabilities.cpu().numpy()

    def bounds(self) -> Array | None:
        """Lower and upper corner (2, 3) [m] of the bricks that are known; None: nothing is."""
        if not self.n_bricks:
            return None
        origins = self.brick_origins(self._bricks.keys)
        corners = np.stack([origins.min(axis=0), origins.max(axis=0) + BRICK_EDGE])
        return np.asarray(corners * self.parameters.leaf_size, dtype=np.float64)

    # --- saving -------------------------------------------------------------------------------------------------------

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Everything that `from_arrays` needs, as plain arrays in the order of the keys (for npz or safetensors)."""
        b = self._bricks
        saved = {name: getattr(b, name)[b.rows].cpu().numpy() for name in _SAVED}
        geometry = np.array([self.parameters.leaf_size, self.parameters.levels], dtype=np.float64)
        state = np.array([self._stamp_ns, self._n_images], dtype=np.int64)
        return {"keys": b.keys.cpu().numpy().copy(), **saved, "geometry": geometry, "state": state}

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, npt.NDArray[np.generic]],
        parameters: OctreeParameters | None = None,
        device: str = "cpu",
        *,
        compiled: bool | None = None,
    ) -> Octree:
        """An octree as it was saved.

        Raises:
            ValueError: arrays are missing or do not fit together, or they are of another leaf size or world.
        """
        octree = cls(parameters, device, compiled=compiled)
        missing = {"keys", *_SAVED, "geometry", "state"} - set(arrays)
        if missing:
            raise ValueError(f"expected the arrays of an octree, missing: {', '.join(sorted(missing))}")
        leaf_size, levels = (float(v) for v in np.asarray(arrays["geometry"], dtype=np.float64))
        if (leaf_size, levels) != (octree.parameters.leaf_size, octree.parameters.levels):
            wanted = f"{octree.parameters.leaf_size} m and {octree.parameters.levels} levels"
            raise ValueError(f"expected an octree of {wanted}, got one of {leaf_size} m and {levels:.0f} levels")
        keys = np.asarray(arrays["keys"], dtype=np.int64)
        n = keys.size
        for name in _SAVED:
            if arrays[name].shape != (n, BRICK_SIZE):
                raise ValueError(f"expected {name} ({n}, {BRICK_SIZE}), got {arrays[name].shape}")
        if np.any(np.diff(keys) <= 0):
            raise ValueError("expected ascending brick keys: the arrays are damaged")
        rows = octree._rows_of(torch.from_numpy(keys.copy()).to(octree.device))
        for name in _SAVED:
            target = getattr(octree._bricks, name)
            target[rows] = torch.from_numpy(np.array(arrays[name])).to(octree.device, target.dtype)
        octree._summarise(rows)
        octree._stamp_ns, octree._n_images = (int(v) for v in np.asarray(arrays["state"], dtype=np.int64))
        return octree


def _popcount(bits: torch.Tensor) -> torch.Tensor:
    """Number of ones in each uint8, int64."""
    values = bits.to(torch.int64)
    values = values - ((values >> 1) & 0x55)
    values = (values & 0x33) + ((values >> 2) & 0x33)
    return (values + (values >> 4)) & 0x0F
