"""What is occupied, free or unknown in space: a sparse octree whose leaves are bricks of 8^3 voxels.

Work per scan depends on the voxels in view, not on the size of the map. One thread writes; others may query meanwhile: bricks
and directory are published in one assignment, and a voxel that is being updated is read either before or after the scan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from loci.geometry import Array, Camera
from loci.spatial import ballot_kernels, evidence, nearest, octree_queries, point_scans, rays, voxels
from loci.spatial.annotations import Annotations
from loci.spatial.ballots import FULL, MISS
from loci.spatial.bricks import (
    BRICK_EDGE,
    BRICK_SIZE,
    CHUNK_ROWS,
    INITIAL_ROWS,
    LOG_ODDS_UNIT,
    NOTHING_KNOWN,
    TOUCHED_HIT,
    TOUCHED_MAX,
    TOUCHED_MIN,
    TOUCHED_MISS,
    VOXEL_ARRAYS,
    Bricks,
    Storage,
)
from loci.spatial.compiled import ImageCollector, on_threads
from loci.spatial.cubes import Cubes, NearestVoxels, OccupiedCubes
from loci.spatial.evidence import MIN_CONFIDENCE, N_COARSE
from loci.spatial.octree_queries import MAX_CUBES, VoxelGrid

UNKNOWN_STATE, FREE_STATE, OCCUPIED_STATE = -1, 0, 1

Depth = npt.NDArray[np.float32]


def log_odds(probability: float) -> int:
    """Log-odds of a probability in the octree's unit, thousandths."""
    return round(LOG_ODDS_UNIT * float(np.log(probability / (1.0 - probability))))


@dataclass(frozen=True)
class OctreeParameters:
    """Size and sensor model of an octree, after OctoMap (Hornung et al., Autonomous Robots 2013, section 3.2).

    Beside OctoMap's occupancy, in which one hit outweighs all misses of a scan, every ray has a vote on whether a voxel is solid:
    one that passes weighs about four times as much as one that ends, because rays that end close behind a voxel do not count as
    passing it (measured on a recorded kitchen).

    Attributes:
        leaf_size: edge of a voxel [m].
        levels: the world is a cube of 2^levels voxels around the map's origin (default: 3.3 km); 4 to 20.
        max_range: deeper measurements (along the optical axis) fill nothing and carve only up to it [m].
        p_hit, p_miss: probability of being occupied after one scan in which a ray ended in the voxel, or only crossed it, from 0.5.
        p_min, p_max: no voxel becomes surer than this, so that the map can follow changes.
        occupied_threshold: more probable voxels are occupied.
        p_stopped, p_passed: probability of being solid after one scan in which all rays ended in the voxel, or passed it, from 0.5.
        n_threads: threads that work on one scan on the CPU.
        memory_budget: most bytes of bricks in memory, beside those that a scan or a question is about; the others lie in a file
            on the disk and come back by themselves. Summaries of all bricks (278 of 7958 bytes) stay in memory and count.
            None: no bound. On the CPU only.
        resident_radius: bricks farther from the sensor are let go of as it moves, whatever the budget [m]; None: distance does
            not matter. On the CPU only.
    """

    leaf_size: float = 0.05
    levels: int = 16
    max_range: float = 4.0
    p_hit: float = 0.7
    p_miss: float = 0.4
    p_min: float = 0.1192
    p_max: float = 0.971
    occupied_threshold: float = 0.5
    p_stopped: float = 0.55
    p_passed: float = 0.3
    n_threads: int = 2
    memory_budget: int | None = None
    resident_radius: float | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.leaf_size) and self.leaf_size > 0):
            raise ValueError(f"expected leaf_size > 0 m, got {self.leaf_size}")
        if not 4 <= self.levels <= voxels.MAX_BITS:
            raise ValueError(f"expected levels from 4 to {voxels.MAX_BITS}, got {self.levels}")
        if not (np.isfinite(self.max_range) and self.max_range > self.leaf_size):
            raise ValueError(f"expected a finite max_range > leaf_size {self.leaf_size} m, got {self.max_range}")
        for names in (("p_min", "p_miss", "p_hit", "p_max"), ("p_min", "p_passed", "p_stopped", "p_max")):
            low, miss, hit, high = got = tuple(getattr(self, name) for name in names)
            if not 0 < low <= miss < 0.5 < hit <= high < 1:
                raise ValueError(
                    f"expected 0 < {names[0]} <= {names[1]} < 0.5 < {names[2]} <= {names[3]} < 1, got {got}"
                )
        if not self.p_min < self.occupied_threshold < self.p_max:
            raise ValueError(f"expected occupied_threshold between p_min and p_max, got {self.occupied_threshold}")
        if self.n_threads < 1:
            raise ValueError(f"expected n_threads >= 1, got {self.n_threads}")
        if self.memory_budget is not None and self.memory_budget < 1:
            raise ValueError(f"expected a memory_budget > 0 bytes, or None for no bound, got {self.memory_budget}")
        radius = self.resident_radius
        if radius is not None and not (np.isfinite(radius) and radius > self.max_range):
            raise ValueError(f"expected a finite resident_radius > max_range {self.max_range} m, or None, got {radius}")

    @property
    def is_bounded(self) -> bool:
        """Whether not all bricks stay in memory."""
        return self.memory_budget is not None or self.resident_radius is not None


@dataclass(frozen=True)
class _Model:
    """The sensor model in integers (thousandths): what each kind of ballot adds, and the limits."""

    hits: npt.NDArray[np.int16]
    miss: int
    votes: npt.NDArray[np.int16]
    lowest: int
    highest: int
    threshold: int

    @staticmethod
    def of(p: OctreeParameters) -> _Model:
        hits = np.rint(np.arange(FULL + 1) * (log_odds(p.p_hit) / FULL)).astype(np.int16)
        ended, passed = np.meshgrid(np.arange(N_COARSE + 1), np.arange(N_COARSE + 1), indexing="ij")
        votes = np.rint((log_odds(p.p_stopped) * ended + log_odds(p.p_passed) * passed) / N_COARSE).astype(np.int16)
        return _Model(
            hits, log_odds(p.p_miss), votes, log_odds(p.p_min), log_odds(p.p_max), log_odds(p.occupied_threshold)
        )


@dataclass(frozen=True)
class RayHits:
    """First voxels along N rays that stop them.

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


class Octree:
    """Occupancy of space, learnt from depth images and scans of points; numpy at the interface, torch inside."""

    def __init__(
        self,
        parameters: OctreeParameters | None = None,
        device: str = "cpu",
        *,
        compiled: bool | None = None,
        scratch: Path | None = None,
    ) -> None:
        """An empty octree.

        Args:
            parameters: size and sensor model.
            device: torch device that holds the voxels.
            compiled: use the numba kernels (default: on the CPU); the answers are the same.
            scratch: folder on a disk for the bricks that are not in memory; needed where the parameters bound memory. The file
                there has no name and ends with the octree: it is no way to keep it.

        Raises:
            ValueError: memory is bounded, but there is no scratch folder, or the device is not the CPU.
            OSError: no file can be made in the scratch folder.
        """
        self.parameters = parameters or OctreeParameters()
        self.device = torch.device(device)
        self._scratch = scratch
        storage = Storage(self.device)
        if self.parameters.is_bounded:
            if self.device.type != "cpu":
                raise ValueError(
                    "expected device 'cpu' with a memory_budget or a resident_radius: they bound the host's memory, and "
                    f"bricks on '{device}' are in the device's"
                )
            if scratch is None:
                raise ValueError("expected a scratch folder for the bricks beyond memory_budget or resident_radius")
            radius = self.parameters.resident_radius
            storage = Storage(
                self.device,
                scratch,
                self.parameters.memory_budget,
                None if radius is None else radius / (BRICK_EDGE * self.parameters.leaf_size),
            )
        self._compiled = self.device.type == "cpu" if compiled is None else compiled
        self._n_bricks_per_axis = 1 << (self.parameters.levels - 3)
        self._half = float(1 << (self.parameters.levels - 1))  # the map's origin [voxel edges]
        self._model = _Model.of(self.parameters)
        self._images = ImageCollector(self.parameters.n_threads)
        self._bricks = Bricks.allocate(INITIAL_ROWS, storage)
        self._stamps: list[int] = []
        self._annotations = Annotations()
        self._memory_share = 1.0

    # --- writing ------------------------------------------------------------------------------------------------------

    def integrate(
        self,
        depth: Depth,
        camera: Camera,
        T_map_camera: Array,
        stamp_ns: int,
        confidence: Depth | None = None,
        within: torch.Tensor | None = None,
    ) -> None:
        """Take one depth image in: what is seen becomes more occupied, what is seen through becomes more free.

        Args:
            depth: (H, W) float32 [m], 0: no measurement (says nothing).
            camera: rectified camera of the image.
            T_map_camera: (4, 4) pose of its optical frame in the map.
            stamp_ns: time of the image [ns].
            confidence: (H, W) float32, 0 to 1: how far each measurement is trusted; a hit counts for so much, and below
                `evidence.MIN_CONFIDENCE` nothing is carved. None: fully.
            within: (B,) keys of the only bricks that are changed; None: all.

        Raises:
            ValueError: shape or type of the depth or the confidence does not fit the camera, a depth is not finite, or a value
                is no confidence.
            OSError: the disk is too full for more bricks; nothing has changed then.
        """
        shape = (camera.height, camera.width)
        if depth.shape != shape or depth.dtype != np.float32:
            raise ValueError(f"expected depth {shape} float32 metres, got {depth.shape} {depth.dtype}")
        deepest = float(depth.max())
        if not np.isfinite(deepest):
            raise ValueError("expected finite depths [m], 0 where nothing was measured; got NaN or infinity")
        strength, trusted = np.full(1, FULL, dtype=np.uint8), depth
        if confidence is not None:
            if confidence.shape != shape or not np.all((confidence >= 0) & (confidence <= 1)):
                raise ValueError(f"expected confidences {shape} from 0 to 1, got shape {confidence.shape}")
            strength = np.rint(confidence * FULL).astype(np.uint8).ravel()
            trusted = np.where(confidence >= MIN_CONFIDENCE, depth, np.float32(0.0))
        view = self._view_of(deepest, camera, T_map_camera)
        if view is None:
            self.pass_over(stamp_ns)
            return
        keys, ballots, which = self._collect(depth, trusted, strength, view)
        if within is not None:
            inside = torch.isin(keys, within)
            keys, which = keys[inside], which[inside]
        self._take(keys, ballots, which, stamp_ns, T_map_camera[:3, 3])

    def _view_of(self, deepest: float, camera: Camera, T_map_camera: Array) -> evidence.View | None:
        p = self.parameters
        return evidence.prepare(deepest, camera, T_map_camera, p.leaf_size, p.max_range, self._n_bricks_per_axis)

    def _collect(
        self, depth: Depth, trusted: Depth, strength: npt.NDArray[np.uint8], view: evidence.View
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Keys (B,) of the bricks that the image says anything about, ballots (C, 512), and the row of each brick's, (B,)."""
        if self._compiled:
            return self._images.collect(depth, trusted, strength, view)
        images = [torch.from_numpy(np.array(a)).to(self.device) for a in (depth, trusted, strength)]
        found, votes = evidence.collect(images[0], images[1], images[2], view)
        return voxels.encode(found), votes, torch.arange(found.shape[0], device=self.device)

    def seen_bricks(self, depth: Depth, camera: Camera, T_map_camera: Array) -> torch.Tensor:
        """Keys (B,) of the bricks that `integrate` would change, here or not; not while another thread integrates."""
        view = self._view_of(float(depth.max()), camera, T_map_camera)
        if view is None:
            return torch.zeros(0, dtype=torch.int64, device=self.device)
        return self._collect(depth, depth, np.full(1, FULL, dtype=np.uint8), view)[0]

    def may_see(self, camera: Camera, T_map_camera: Array, keys: torch.Tensor) -> bool:
        """Whether an image of any depth could change one of the bricks with these keys (B,); never wrongly False."""
        view = self._view_of(self.parameters.max_range, camera, T_map_camera)
        if view is None:
            return False
        lowest = torch.from_numpy(view.lowest_brick).to(keys.device)
        inside = voxels.decode(keys) - lowest
        return bool(((inside >= 0) & (inside < torch.tensor(view.grid_shape, device=keys.device))).all(dim=1).any())

    def pass_over(self, stamp_ns: int) -> None:
        """Count a scan that says nothing here, so that the scans after it keep their numbers."""
        self._stamps.append(stamp_ns)

    def insert_points(
        self, points: npt.ArrayLike, origin: npt.ArrayLike, stamp_ns: int, max_range: float | None = None
    ) -> None:
        """Take one scan of points in, e.g. a lidar's: every point fills its voxel, the ray to it carves.

        Args:
            points: (N, 3) [m], map frame; not finite: no return, says nothing.
            origin: (3,) of the sensor [m], map frame.
            stamp_ns: time of the scan [ns].
            max_range: farther points fill nothing and carve only up to it [m]; None: as far as there are points.

        Raises:
            ValueError: no points, wrong shapes, an origin that is not finite or outside of the octree's world, or max_range not
                > 0.
            OSError: the disk is too full for more bricks; nothing has changed then.
        """
        cloud, start = np.asarray(points, dtype=np.float64), np.asarray(origin, dtype=np.float64)
        if cloud.ndim != 2 or cloud.shape[1] != 3 or not len(cloud):
            raise ValueError(f"expected points (N, 3), at least one, got shape {cloud.shape}")
        if start.shape != (3,) or not np.all(np.isfinite(start)):
            raise ValueError(f"expected a finite origin (x, y, z) [m], got {start.tolist()}")
        if max_range is not None and not (np.isfinite(max_range) and max_range > 0):
            raise ValueError(f"expected a finite max_range > 0 m, got {max_range}")
        leaf, half = self.parameters.leaf_size, self._half
        if np.any(np.abs(start) >= half * leaf):
            raise ValueError(f"expected an origin within {half * leaf:g} m of the map's, got {start.tolist()}")
        ways = cloud[np.isfinite(cloud).all(axis=1)] - start
        lengths = np.linalg.norm(ways, axis=1)
        shares = np.minimum(max_range / np.maximum(lengths, 1e-9), 1.0) if max_range else np.ones(len(ways))
        ends = np.ascontiguousarray((start + ways * shares[:, None]) / leaf + half)
        # A ray longer than the world's diagonal could not be walked along in a bounded time.
        inside = np.all((ends > -2 * half) & (ends < 4 * half), axis=1)
        if not inside.any():
            self.pass_over(stamp_ns)
            return
        keys, ballots = point_scans.collect(
            start / leaf + half, ends[inside], shares[inside] == 1.0, int(2 * half), self.device, self._compiled
        )
        which = torch.arange(keys.numel(), device=self.device)
        self._take(keys, ballots, which, stamp_ns, start)

    def _take(
        self, keys: torch.Tensor, ballots: torch.Tensor, which: torch.Tensor, stamp_ns: int, origin: Array
    ) -> None:
        """Take a scan from ``origin`` (3,) [m] into the voxels: ballots (C, 512) on the bricks with these keys (B,), in rows
        ``which`` (B,)."""
        rows = self._bricks.find(keys)
        new_keys = torch.sort(keys[rows < 0]).values
        if new_keys.numel():
            self._bricks = self._bricks.insert(new_keys)
            rows = self._bricks.find(keys)
        scan = self.n_scans
        self.pass_over(stamp_ns)
        if not keys.numel():
            return
        self._bricks.use(rows)
        if self._compiled:
            self._apply_compiled(ballots, which, rows, scan)
        else:
            self._apply(ballots[which], rows, scan)
        if self._bricks.residency is not None:
            self._bricks.residency.move((origin / self.parameters.leaf_size + self._half) / BRICK_EDGE)

    def _apply_compiled(self, ballots: torch.Tensor, which: torch.Tensor, rows: torch.Tensor, scan: int) -> None:
        m, bricks = self._model, self._bricks
        arrays = (*bricks.voxel_memory, *(a.numpy() for a in bricks.summaries.values()))
        inputs = (ballots.numpy(), which.numpy(), rows.numpy())
        model = (m.hits, m.miss, m.votes, m.lowest, m.highest, m.threshold)

        def apply(first: int, last: int) -> None:
            ballot_kernels.apply_ballots(*inputs, first, last, scan, *model, *arrays)

        on_threads(self.parameters.n_threads, rows.numel(), apply)

    def _apply(self, ballots: torch.Tensor, rows: torch.Tensor, scan: int) -> None:
        m, b = self._model, self._bricks
        votes = torch.from_numpy(m.votes).to(self.device, torch.int32)
        hits = torch.from_numpy(m.hits).to(self.device, torch.int32)
        ballots = ballots.to(torch.int64)
        strength, missed = (ballots >> 10) & 15, (ballots & MISS) > 0
        said = (strength > 0) | missed
        before, count = b.log_odds[rows].to(torch.int32), b.count[rows]
        after = torch.where(missed, before + m.miss, before)
        after = torch.where(strength > 0, before + hits[strength], after).clamp(m.lowest, m.highest)
        changed = said & ((count == 0) | ((before > m.threshold) != (after > m.threshold)))
        b.log_odds[rows] = torch.where(said, after, before).to(torch.int16)
        b.last_scan[rows] = torch.where(said, scan, b.last_scan[rows])
        b.changed_scan[rows] = torch.where(changed, scan, b.changed_scan[rows])
        b.count[rows] = torch.where(said & (count < 32767), count + 1, count)
        vote = b.solid[rows].to(torch.int32) + votes[(ballots >> 5) & 31, ballots & 31]
        b.solid[rows] = vote.clamp(m.lowest, m.highest).to(torch.int16)
        step = torch.where((ballots & 31) == N_COARSE, TOUCHED_MISS, 0)
        step = torch.where(((ballots >> 5) & 31) > 0, TOUCHED_HIT, step)
        b.touched[rows] = (b.touched[rows] + step).clamp(TOUCHED_MIN, TOUCHED_MAX).to(torch.int8)
        b.newest_scan[rows] = scan
        b.summarise(rows, m.threshold)

    def empty_like(self) -> Octree:
        """Without bricks and scans; with the same settings, and kept in the same place."""
        octree = Octree(self.parameters, str(self.device), compiled=self._compiled, scratch=self._scratch)
        octree.share_memory(self._memory_share)
        return octree

    def share_memory(self, share: float) -> None:
        """Keep only this share of the memory budget in use, 0 to 1: for as long as another octree needs the rest."""
        self._memory_share = share
        if self._bricks.residency is not None:
            self._bricks.residency.share(share)

    def only(self, keys: torch.Tensor) -> Octree:
        """A copy that has no other bricks than those with these keys (B,), and no annotations."""
        octree = self.empty_like()
        octree._bricks = Bricks.joined(octree._bricks, (self._bricks, torch.isin(self._bricks.keys, keys)))
        octree._stamps = list(self._stamps)
        return octree

    def with_bricks_of(self, other: Octree, keys: torch.Tensor, *, keep_annotations: bool = False) -> Octree:
        """A copy in which the bricks with these keys (B,) are as in another octree, made of the same scans.

        What was annotated in these bricks is let go of, unless it is to be kept.
        """
        octree = self.empty_like()
        kept = ~torch.isin(self._bricks.keys, keys)
        theirs = torch.isin(other._bricks.keys, keys)
        octree._bricks = Bricks.joined(octree._bricks, (self._bricks, kept), (other._bricks, theirs))
        octree._stamps = list(self._stamps)
        gone = np.zeros(0, dtype=np.int64) if keep_annotations else keys.cpu().numpy()
        octree._annotations = self._annotations.without(gone)
        return octree

    # --- reading ------------------------------------------------------------------------------------------------------

    @property
    def n_bricks(self) -> int:
        return int(self._bricks.keys.numel())

    @property
    def n_bytes(self) -> int:
        """Size of all bricks in use, in memory or on the disk [bytes]."""
        return self.n_bricks * self._bricks.bytes_per_brick

    @property
    def n_resident_bytes(self) -> int:
        """Bytes of bricks that are in memory."""
        return self._bricks.n_resident_bytes

    @property
    def n_scans(self) -> int:
        """Scans taken in."""
        return len(self._stamps)

    @property
    def stamp_ns(self) -> int:
        """Newest stamp taken in [ns]; 0: none."""
        return max(self._stamps, default=0)

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
        probabilities = torch.where(states == UNKNOWN_STATE, 0.5, torch.sigmoid(peak / LOG_ODDS_UNIT))
        result, p = states.cpu().numpy(), probabilities.cpu().numpy()
        result[~inside] = UNKNOWN_STATE
        p[~inside] = 0.5
        return result, p

    def _in_bricks(
        self, bricks: Bricks, voxel: torch.Tensor, level: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, int]:
        """Occupied voxels, known voxels and largest log-odds of cubes within one brick, each (N,); voxels per cube."""
        keys, inverse = torch.unique(voxels.encode(voxel >> 3), return_inverse=True)
        if bricks.residency is not None and keys.numel() > CHUNK_ROWS:
            return self._in_bricks_by_parts(bricks, voxel, level, inverse)
        row = bricks.find(keys)
        bricks.use(row)
        if level == 0:
            row, local = row[inverse], voxel & 7
            index = (local[:, 0] << 6) | (local[:, 1] << 3) | local[:, 2]
            log_odds = bricks.log_odds[row, index]
            known = (row >= 0) & (bricks.count[row, index] > 0)
            return (known & (log_odds > self._model.threshold)).int(), known.int(), log_odds, 1
        n, e = BRICK_EDGE >> level, 1 << level
        shape = (-1, n, e, n, e, n, e)
        log_odds, known = bricks.log_odds[row], (bricks.count[row] > 0) & (row >= 0)[:, None]
        log_odds = torch.where(known, log_odds, NOTHING_KNOWN)
        n_known = known.reshape(shape).sum(dim=(2, 4, 6))
        n_occupied = (log_odds > self._model.threshold).reshape(shape).sum(dim=(2, 4, 6))
        peak = log_odds.reshape(shape).amax(dim=(2, 4, 6))
        i, j, k = ((voxel[:, a] & 7) >> level for a in range(3))
        return n_occupied[inverse, i, j, k], n_known[inverse, i, j, k], peak[inverse, i, j, k], e**3

    def _in_bricks_by_parts(
        self, bricks: Bricks, voxel: torch.Tensor, level: int, brick: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, int]:
        """The same, with few of the bricks in memory at a time; ``brick`` (N,) is the number of that of each cube."""
        order = torch.argsort(brick)
        starts = torch.arange(CHUNK_ROWS, int(brick.max()) + 1, CHUNK_ROWS)
        ends = torch.searchsorted(brick[order], starts).tolist()
        parts = [self._in_bricks(bricks, voxel[some], level) for some in torch.tensor_split(order, ends)]
        n_occupied, n_known, peak = (torch.cat([part[i] for part in parts]) for i in range(3))
        back = torch.argsort(order)
        return n_occupied[back], n_known[back], peak[back], parts[0][3]

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
        peak = torch.full((prefixes.numel(),), NOTHING_KNOWN, dtype=torch.int16, device=self.device)
        peak = peak.scatter_reduce(0, cube, bricks.peak[row], "amax")
        return n_occupied[inverse], n_known[inverse], peak[inverse], 8**level

    def cast_rays(
        self,
        origins: npt.ArrayLike,
        directions: npt.ArrayLike,
        max_range: float,
        stop_at: Literal["solid", "occupied"] = "solid",
    ) -> RayHits:
        """First voxel along rays that stops them.

        Args:
            origins: (N, 3) [m], map frame.
            directions: (N, 3), any length > 0.
            max_range: [m], > 0.
            stop_at: "solid": voxels that most rays into them do not pass, so that a ray sees what a camera would; "occupied":
                OctoMap's rule, also voxels that a surface only grazes: safe to drive by.

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
            b.solid_bits if stop_at == "solid" else b.occupied_bits,
            b.occupied_bits,
            b.free_bits,
            self._compiled,
        )
        points = np.where(hits[:, None], (voxel + 0.5 - self._half) * leaf, o + d * max_range)
        return RayHits(hits, points, np.minimum(ranges * leaf, max_range), crossed)

    def occupied(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Centres (N, 3) float32 [m] and probabilities (N,) float32 of all occupied voxels."""
        b = self._bricks
        some = b.peak[b.rows] > self._model.threshold
        parts = [
            self._occupied_in(keys, rows)
            for keys, rows in zip(b.keys[some].split(CHUNK_ROWS), b.rows[some].split(CHUNK_ROWS), strict=True)
        ]
        centres, probabilities = (torch.cat(p).cpu().numpy() for p in zip(*parts, strict=True))
        return centres, probabilities

    def _occupied_in(self, keys: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same of the bricks with some keys (B,), in these rows."""
        b = self._bricks
        b.use(rows)
        log_odds = b.log_odds[rows]
        brick, index = torch.nonzero((b.count[rows] > 0) & (log_odds > self._model.threshold), as_tuple=True)
        local = torch.stack([index >> 6, (index >> 3) & 7, index & 7], dim=1)
        voxel = (voxels.decode(keys)[brick] * BRICK_EDGE + local).to(torch.float64)
        centres = (voxel + (0.5 - self._half)) * self.parameters.leaf_size
        return centres.to(torch.float32), torch.sigmoid(log_odds[brick, index] / LOG_ODDS_UNIT)

    @property
    def grid(self) -> VoxelGrid:
        """Where the voxels are."""
        return VoxelGrid(self.parameters.leaf_size, self.parameters.levels, self._model.threshold)

    def query_box(
        self,
        lower: npt.ArrayLike,
        upper: npt.ArrayLike,
        level: int = 0,
        *,
        occupied: bool = True,
        free: bool = True,
        changed_since_ns: int | None = None,
        limit: int = MAX_CUBES,
    ) -> Cubes:
        """Known cubes that a box overlaps; with lower == upper the one that holds the point.

        A cube is occupied or free as in `query`. An occupied one became so no later than told (voxels of it that were occupied
        before and are free now are not counted); a free one when the last of its voxels did.

        Args:
            lower, upper: (3,) corners [m], map frame; clipped to the octree's world.
            level: 0 for voxels, n for cubes of 2^n voxels per edge.
            occupied, free: which of them.
            changed_since_ns: only cubes that became what they are in a scan with a later stamp [ns]; None: all.
            limit: most cubes to return, up to `MAX_CUBES`.

        Raises:
            ValueError: corners not finite, lower > upper or outside of the world, no such level, limit out of range, or
                neither occupied nor free cubes are asked for.
        """
        bricks = self._bricks
        stamps = np.array(self._stamps, dtype=np.int64)
        found, cubes = octree_queries.query_box(
            bricks,
            self.grid,
            stamps,
            lower,
            upper,
            level,
            occupied=occupied,
            free=free,
            changed_since_ns=changed_since_ns,
            limit=limit,
        )
        labels, objects = self._annotations.of_cubes(cubes, level, bricks, self._model.threshold)
        return replace(found, labels=labels, object_ids=objects)

    def changes(self, since_ns: int, level: int = 0, limit: int = MAX_CUBES) -> Cubes:
        """All cubes that became occupied or free after a stamp [ns]; see `query_box`."""
        reach = self._half * self.parameters.leaf_size
        return self.query_box([-reach] * 3, [reach] * 3, level, changed_since_ns=since_ns, limit=limit)

    def nearest_occupied(self, points: npt.ArrayLike, max_distance: float) -> NearestVoxels:
        """Nearest occupied voxel of each point, by the distance to its centre; of several, the first in the octree's order.

        Args:
            points: (N, 3) [m], map frame.
            max_distance: farther ones do not count [m], > 0.

        Raises:
            ValueError: points not (N, 3), not finite or outside of the world, or max_distance not > 0.
        """
        array = self.grid.check_points(points)
        if not (np.isfinite(max_distance) and max_distance > 0):
            raise ValueError(f"expected a finite max_distance > 0 m, got {max_distance}")
        p = self.parameters
        inside = np.ascontiguousarray(array / p.leaf_size + self._half)
        squares, codes = nearest.nearest_occupied(
            inside,
            max_distance / p.leaf_size,
            self._bricks,
            self._model.threshold,
            p.levels - 3,
            p.n_threads,
            self._compiled,
        )
        found = codes >= 0
        index = torch.from_numpy(codes & (BRICK_SIZE - 1))
        local = torch.stack([index >> 6, (index >> 3) & 7, index & 7], dim=1)
        voxel = voxels.decode(torch.from_numpy(np.where(found, codes >> 9, 0))) * BRICK_EDGE + local
        centres = np.where(found[:, None], self.grid.centres(voxel, 0), array)
        return NearestVoxels(found, centres, np.where(found, np.sqrt(squares) * p.leaf_size, np.inf))

    def downsampled(self, level: int = 0, limit: int = 1_000_000) -> OccupiedCubes:
        """Occupied cubes for display: of ``level``, or of the first coarser one that needs at most ``limit``.

        Raises:
            ValueError: no such level, or the limit is < 1.
        """
        return octree_queries.downsampled(self._bricks, self.grid, level, limit)

    def annotate(self, points: npt.ArrayLike, label: str, object_id: str = "") -> int:
        """Tell what the occupied voxels that hold points are; it holds until they change. Returns how many voxels.

        Args:
            points: (N, 3) [m], map frame; those in free or unknown space tell nothing.
            label: category; empty: not known.
            object_id: empty: not known.

        Raises:
            ValueError: points not (N, 3), not finite or outside of the world, or too many labels.
        """
        voxel = voxels.decode(torch.unique(self.grid.voxel_codes(points))).to(self.device)
        n_occupied, *_ = self._in_bricks(self._bricks, voxel, 0)
        voxel = voxel[n_occupied > 0].cpu()
        if voxel.numel():
            index = ((voxel[:, 0] & 7) << 6) | ((voxel[:, 1] & 7) << 3) | (voxel[:, 2] & 7)
            keys = voxels.encode(voxel >> 3)
            self._annotations.set(keys.numpy(), index.numpy(), label, object_id, self.n_scans - 1)
        return int(voxel.shape[0])

    def annotations(self, points: npt.ArrayLike) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Labels and object ids of the voxels that hold points (N, 3) [m]; empty where there are none.

        Raises:
            ValueError: points not (N, 3), not finite or outside of the world.
        """
        codes, inverse = torch.unique(self.grid.voxel_codes(points), return_inverse=True)
        found = self._annotations.of_cubes(voxels.decode(codes), 0, self._bricks, self._model.threshold)
        labels, objects = ([names[i] for i in inverse.tolist()] for names in found)
        return tuple(labels), tuple(objects)

    def rename_objects(self, mapping: Mapping[str, str | None]) -> None:
        """Follow merges of objects in the annotations: {old id: new id, or None where it is gone, and its label with it}."""
        self._annotations.rename_objects(mapping)

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
        n = self.n_bricks
        parts = [self.voxel_arrays(i, min(i + CHUNK_ROWS, n)) for i in range(0, max(n, 1), CHUNK_ROWS)]
        return self.outline() | {name: np.concatenate([part[name] for part in parts]) for name in VOXEL_ARRAYS}

    def _other_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """What there is beside bricks."""
        geometry = np.array([self.parameters.leaf_size, self.parameters.levels], dtype=np.float64)
        stamps = np.array(self._stamps, dtype=np.int64)
        return {"geometry": geometry, "stamps": stamps, **self._annotations.arrays()}

    def voxel_arrays(self, first: int, last: int) -> dict[str, npt.NDArray[np.generic]]:
        """All that is known of the bricks at the places [first, last) of the directory: (B, 512) each, by name."""
        b = self._bricks
        rows = b.rows[first:last]
        b.use(rows)
        return {name: getattr(b, name)[rows].cpu().numpy() for name in VOXEL_ARRAYS}

    def put_voxels(self, first: int, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Set what is known of as many bricks as there are in the arrays, from place ``first`` of the directory on.

        Raises:
            ValueError: arrays are missing, or of another shape; nothing has changed then.
        """
        b = self._bricks
        if missing := set(VOXEL_ARRAYS) - set(arrays):
            raise ValueError(f"expected the voxels of bricks, missing: {', '.join(sorted(missing))}")
        n = len(arrays[VOXEL_ARRAYS[0]])
        for name in VOXEL_ARRAYS:
            if arrays[name].shape != (n, BRICK_SIZE):
                raise ValueError(f"expected {name} ({n}, {BRICK_SIZE}), got {arrays[name].shape}")
        if not 0 <= first <= first + n <= self.n_bricks:
            raise ValueError(f"expected bricks within 0 to {self.n_bricks}, got {first} to {first + n}")
        for start in range(0, n, CHUNK_ROWS):
            end = min(start + CHUNK_ROWS, n)
            rows = b.rows[first + start : first + end]
            b.use(rows)
            for name in VOXEL_ARRAYS:
                target = getattr(b, name)
                target[rows] = torch.from_numpy(np.array(arrays[name][start:end])).to(self.device, target.dtype)
            b.newest_scan[rows] = max(self.n_scans - 1, 0)
            b.summarise(rows, self._model.threshold)

    def outline(self) -> dict[str, npt.NDArray[np.generic]]:
        """Everything that `from_outline` needs: which bricks there are, and all but their voxels."""
        return {"keys": self._bricks.keys.cpu().numpy().copy(), **self._other_arrays()}

    @classmethod
    def from_outline(
        cls,
        arrays: Mapping[str, npt.NDArray[np.generic]],
        parameters: OctreeParameters | None = None,
        device: str = "cpu",
        *,
        compiled: bool | None = None,
        scratch: Path | None = None,
    ) -> Octree:
        """An octree with the bricks that it had when it was saved, whose voxels are not known yet; see `put_voxels`.

        Raises:
            ValueError: arrays are missing or do not fit together, or they are of another leaf size or world.
            OSError: there is no space for so many bricks.
        """
        octree = cls(parameters, device, compiled=compiled, scratch=scratch)
        missing = {"keys", "geometry", "stamps"} - set(arrays)
        if missing:
            raise ValueError(f"expected the arrays of an octree, missing: {', '.join(sorted(missing))}")
        leaf_size, levels = (float(v) for v in np.asarray(arrays["geometry"], dtype=np.float64))
        if (leaf_size, levels) != (octree.parameters.leaf_size, octree.parameters.levels):
            wanted = f"{octree.parameters.leaf_size} m and {octree.parameters.levels} levels"
            raise ValueError(f"expected an octree of {wanted}, got one of {leaf_size} m and {levels:.0f} levels")
        keys = np.asarray(arrays["keys"], dtype=np.int64)
        if np.any(np.diff(keys) <= 0):
            raise ValueError("expected ascending brick keys: the arrays are damaged")
        octree._bricks = octree._bricks.insert(torch.from_numpy(keys.copy()).to(octree.device))
        octree._stamps = np.asarray(arrays["stamps"], dtype=np.int64).tolist()
        octree._annotations = Annotations.from_arrays(arrays)
        return octree

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, npt.NDArray[np.generic]],
        parameters: OctreeParameters | None = None,
        device: str = "cpu",
        *,
        compiled: bool | None = None,
        scratch: Path | None = None,
    ) -> Octree:
        """An octree as `arrays` gave it.

        Raises:
            ValueError: arrays are missing or do not fit together, or they are of another leaf size or world.
            OSError: there is no space for so many bricks.
        """
        octree = cls.from_outline(arrays, parameters, device, compiled=compiled, scratch=scratch)
        octree.put_voxels(0, {name: a for name, a in arrays.items() if name in VOXEL_ARRAYS})
        if any(len(arrays[name]) != octree.n_bricks for name in VOXEL_ARRAYS):
            raise ValueError(f"expected voxels of {octree.n_bricks} bricks, got other: the arrays are damaged")
        return octree


def _popcount(bits: torch.Tensor) -> torch.Tensor:
    """Number of ones in each uint8, int64."""
    values = bits.to(torch.int64)
    values = values - ((values >> 1) & 0x55)
    values = (values & 0x33) + ((values >> 2) & 0x33)
    return (values + (values >> 4)) & 0x0F
