"""The octree's data: bricks of 8^3 voxels as rows of arrays, and the directory of sorted Morton keys that finds them.

A cube of any size is a range of keys, so that inner levels need no storage. Directory and rows are published in one
assignment, so that readers beside the writer always see arrays that fit together. On the CPU the voxels of a brick lie
together in a `RowMemory`, where rows can be let go of; summaries and directory always stay in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from loci.spatial import voxels
from loci.spatial.residency import ROW_BYTES, Residency
from loci.spatial.row_memory import RowMemory

Numbers = npt.NDArray[np.signedinteger]

#: Voxels per brick edge and per brick.
BRICK_EDGE = 8
BRICK_SIZE = BRICK_EDGE**3
#: Log-odds are integers in units of 1 / LOG_ODDS_UNIT: the same on every device, and half the memory of floats.
LOG_ODDS_UNIT = 1000
#: Rows allocated at first.
INITIAL_ROWS = 256
#: Arrays of voxels, (R, 512) each, in the order in which they lie in a row; the summaries follow from them.
VOXEL_TYPES = {
    "last_scan": torch.int32,
    "changed_scan": torch.int32,
    "log_odds": torch.int16,
    "solid": torch.int16,
    "count": torch.int16,
    "touched": torch.int8,
}
VOXEL_ARRAYS = tuple(VOXEL_TYPES)
#: Bytes of the voxels of a brick.
VOXEL_BYTES = sum(BRICK_SIZE * dtype.itemsize for dtype in VOXEL_TYPES.values())
_BITS, _NUMBER = (BRICK_EDGE**2,), ()
#: Arrays by row that are summaries of the voxels: type and shape of a row.
SUMMARY_TYPES: dict[str, tuple[torch.dtype, tuple[int, ...]]] = {
    "occupied_bits": (torch.uint8, _BITS),
    "free_bits": (torch.uint8, _BITS),
    "solid_bits": (torch.uint8, _BITS),
    "touched_bits": (torch.uint8, _BITS),
    "peak": (torch.int16, _NUMBER),
    "newest_scan": (torch.int32, _NUMBER),
}
_SUMMARY_BYTES = {name: dtype.itemsize * torch.Size(shape).numel() for name, (dtype, shape) in SUMMARY_TYPES.items()}
#: Bytes of a brick that always stay in memory: summaries, and its place in the directory.
_OVERHEAD = sum(_SUMMARY_BYTES.values()) + 16
#: Bricks whose voxels are read or written at a time where all of them are: with a bound on memory, so many come in at once.
CHUNK_ROWS = 1024
#: Steps and limits of `Bricks.touched`: OctoMap's log-odds (0.85, -0.41, -2, 3.5) in units of a miss.
TOUCHED_HIT, TOUCHED_MISS, TOUCHED_MIN, TOUCHED_MAX = 2, -1, -5, 9
#: Peak of a brick without known voxels.
NOTHING_KNOWN = -32768


@dataclass(frozen=True)
class Storage:
    """Where the rows of an octree are kept.

    Attributes:
        device: torch device.
        scratch: folder of the file that holds voxels; None: in memory. Only on the CPU.
        budget: most bytes of bricks in memory; None: no bound. The rest stays in the file.
        radius: bricks farther from the robot are let go of, too [bricks]; None: distance does not matter.
    """

    device: torch.device
    scratch: Path | None = None
    budget: int | None = None
    radius: float | None = None


@dataclass(frozen=True)
class Bricks:
    """What readers see: the directory (sorted) and the rows it points to. The row arrays are longer than the directory.

    Attributes:
        keys: (B,) int64 Morton codes of brick coordinates, ascending.
        rows: (B,) int64 row of each.
        log_odds: (R, 512) int16 of being occupied, by OctoMap's model, in thousandths; x slowest, z fastest.
        solid: (R, 512) int16 the same, but with a vote for every ray: > 0 where most rays into the voxel end.
        touched: (R, 512) int8, > 0 where surfaces were seen and not seen through since; a hit is `TOUCHED_HIT`, a scan all of whose
            rays pass the voxel `TOUCHED_MISS`. What is thinner than a voxel shows up only here, and obstacles where they are.
        last_scan: (R, 512) int32 number of the scan that said something last.
        changed_scan: (R, 512) int32 number of the scan since which the voxel is what it is (occupied or free).
        count: (R, 512) int16 scans that said something (at most 32767); 0: unknown.
        occupied_bits, free_bits, solid_bits, touched_bits: (R, 64) uint8, bit z of column (x, y).
        peak: (R,) int16 largest log-odds of the known voxels.
        newest_scan: (R,) int32 number of the scan that was taken into the brick last.
        storage: where all this is.
        memory: what the row arrays lie in, by name, "voxels" for all of voxels; empty: torch's own memory.
        residency: which voxels are in memory; None: all. See `use`.
    """

    keys: torch.Tensor
    rows: torch.Tensor
    log_odds: torch.Tensor
    solid: torch.Tensor
    touched: torch.Tensor
    last_scan: torch.Tensor
    changed_scan: torch.Tensor
    count: torch.Tensor
    occupied_bits: torch.Tensor
    free_bits: torch.Tensor
    solid_bits: torch.Tensor
    touched_bits: torch.Tensor
    peak: torch.Tensor
    newest_scan: torch.Tensor
    storage: Storage
    memory: dict[str, RowMemory] = field(repr=False)
    residency: Residency | None = field(repr=False)

    @staticmethod
    def allocate(n_rows: int, storage: Storage) -> Bricks:
        """No bricks yet, and memory for so many.

        Raises:
            OSError: there is none, or no space for it on the disk.
        """
        directory = torch.zeros(0, dtype=torch.int64, device=storage.device)
        memory: dict[str, RowMemory] = {}
        residency = None
        if storage.device.type == "cpu":
            scratch = storage.scratch
            memory["voxels"] = RowMemory(ROW_BYTES if scratch else VOXEL_BYTES, scratch, large_pages=True)
            if scratch is not None:
                residency = Residency(memory["voxels"], storage.budget, storage.radius, _OVERHEAD)
            most = memory["voxels"].max_rows
            for name, n_bytes in _SUMMARY_BYTES.items():
                memory[name] = RowMemory(n_bytes, reserve=most * n_bytes)
        memory = {name: m.grown(n_rows) for name, m in memory.items()}
        arrays = _arrays_in(memory) if memory else _arrays_on(storage.device, n_rows)
        return Bricks(directory, directory, **arrays, storage=storage, memory=memory, residency=residency)

    @property
    def row_arrays(self) -> dict[str, torch.Tensor]:
        """Arrays by row, by name."""
        return {name: getattr(self, name) for name in (*VOXEL_TYPES, *SUMMARY_TYPES)}

    @property
    def summaries(self) -> dict[str, torch.Tensor]:
        """Arrays by row that follow from the voxels, by name."""
        return {name: getattr(self, name) for name in SUMMARY_TYPES}

    @property
    def voxel_memory(self) -> tuple[Numbers, Numbers, Numbers, int]:
        """All voxels' memory as int8, int16 and int32, and the bytes of a row, for kernels; on the CPU."""
        memory = self.memory["voxels"]
        flat = memory.rows().reshape(-1)
        return (
            flat.view(torch.int8).numpy(),
            flat.view(torch.int16).numpy(),
            flat.view(torch.int32).numpy(),
            memory.row_bytes,
        )

    @property
    def bytes_per_brick(self) -> int:
        """Bytes of one brick with its place in the directory."""
        return VOXEL_BYTES + _OVERHEAD

    @property
    def n_resident_bytes(self) -> int:
        """Bytes of bricks that are in memory."""
        if self.residency is not None:
            return self.residency.n_bytes
        return self.keys.numel() * self.bytes_per_brick

    def use(self, rows: torch.Tensor) -> None:
        """Tell that voxels of these rows (N,) are about to be read or written; negative ones are left out.

        They come into memory by being touched. This is for the account, and lets go of others where memory is bounded: so
        many rows are told of in parts.
        """
        if self.residency is not None:
            self.residency.use(rows.numpy())

    def find(self, keys: torch.Tensor) -> torch.Tensor:
        """Rows of the bricks with these keys, -1 where there is none."""
        if not self.keys.numel():
            return torch.full_like(keys, -1)
        place = torch.searchsorted(self.keys, keys).clamp(max=self.keys.numel() - 1)
        return torch.where(self.keys[place] == keys, self.rows[place], -1)

    def insert(self, new_keys: torch.Tensor) -> Bricks:
        """With bricks of these keys (ascending, none of them here yet), all unknown."""
        n_old, n_new = self.keys.numel(), new_keys.numel()
        device = self.keys.device
        arrays, memory = self.row_arrays, self.memory
        if n_old + n_new > self.peak.numel():
            memory = {name: m.grown(n_old + n_new) for name, m in memory.items()}
            arrays = _arrays_in(memory) if memory else self._copied(n_old + n_new)
        arrays["peak"][n_old : n_old + n_new] = NOTHING_KNOWN
        if self.residency is not None:
            self.residency.add(n_old, voxels.decode(new_keys).numpy())
        places = torch.searchsorted(self.keys, new_keys) + torch.arange(n_new, device=device)
        is_new = torch.zeros(n_old + n_new, dtype=torch.bool, device=device)
        is_new[places] = True
        keys = torch.empty(n_old + n_new, dtype=torch.int64, device=device)
        rows = torch.empty_like(keys)
        keys[is_new], keys[~is_new] = new_keys, self.keys
        rows[is_new], rows[~is_new] = torch.arange(n_old, n_old + n_new, device=device), self.rows
        return replace(self, keys=keys, rows=rows, memory=memory, **arrays)

    def _copied(self, n_rows: int) -> dict[str, torch.Tensor]:
        """Copies of the row arrays that have room for so many rows."""
        n_old = self.keys.numel()
        larger = _arrays_on(self.keys.device, max(n_rows, 2 * self.peak.numel()))
        for name, old in self.row_arrays.items():
            larger[name][:n_old] = old[:n_old]
        return larger

    @staticmethod
    def joined(empty: Bricks, *parts: tuple[Bricks, torch.Tensor]) -> Bricks:
        """Copies of chosen bricks of several, no key twice: each with a mask (B,) bool over its directory.

        They are put into ``empty``, which has no bricks; it must not be used any more.
        """
        keys, order = torch.sort(torch.cat([bricks.keys[chosen] for bricks, chosen in parts]))
        row_of = torch.empty_like(order)
        row_of[order] = torch.arange(order.numel(), device=order.device)
        # In the order of the keys, so that blocks of rows are compact in space.
        joined = empty.insert(keys)
        first = 0
        for bricks, chosen in parts:
            own = bricks.rows[chosen]
            for rows, to in zip(
                own.split(CHUNK_ROWS), row_of[first : first + own.numel()].split(CHUNK_ROWS), strict=True
            ):
                bricks.use(rows)
                joined.use(to)
                arrays = bricks.row_arrays
                for name, array in joined.row_arrays.items():
                    array[to] = arrays[name][rows]
            first += own.numel()
        return joined

    def summarise(self, rows: torch.Tensor, threshold: int) -> None:
        """Bring bits and peaks of bricks up to date with their voxels; ``threshold``: log-odds above which one is occupied."""
        log_odds, known = self.log_odds[rows], self.count[rows] > 0
        weights = 1 << torch.arange(BRICK_EDGE, device=log_odds.device)
        occupied = known & (log_odds > threshold)
        states = (
            (self.occupied_bits, occupied),
            (self.free_bits, known & ~occupied),
            (self.solid_bits, self.solid[rows] > 0),
            (self.touched_bits, self.touched[rows] > 0),
        )
        for bits, state in states:
            bits[rows] = (state.reshape(-1, BRICK_EDGE**2, BRICK_EDGE) * weights).sum(dim=2).to(torch.uint8)
        self.peak[rows] = torch.where(known, log_odds, NOTHING_KNOWN).amax(dim=1)


def _arrays_in(memory: dict[str, RowMemory]) -> dict[str, torch.Tensor]:
    """The row arrays that lie in memory of this module's own."""
    voxel_rows = memory["voxels"].rows()
    arrays, first = {}, 0
    for name, dtype in VOXEL_TYPES.items():
        n_bytes = BRICK_SIZE * dtype.itemsize
        arrays[name] = voxel_rows[:, first : first + n_bytes].view(dtype)
        first += n_bytes
    n_rows = min(m.n_rows for m in memory.values())
    for name, (dtype, shape) in SUMMARY_TYPES.items():
        arrays[name] = memory[name].rows().view(dtype).reshape(-1, *shape)
    return {name: array[:n_rows] for name, array in arrays.items()}


def _arrays_on(device: torch.device, n_rows: int) -> dict[str, torch.Tensor]:
    """New row arrays in torch's memory."""
    arrays = {
        name: torch.zeros((n_rows, BRICK_SIZE), dtype=dtype, device=device) for name, dtype in VOXEL_TYPES.items()
    }
    for name, (dtype, shape) in SUMMARY_TYPES.items():
        arrays[name] = torch.zeros((n_rows, *shape), dtype=dtype, device=device)
    return arrays
