"""The octree's data: bricks of 8^3 voxels as rows of arrays, and the directory of sorted Morton keys that finds them.

A cube of any size is a range of keys, so that inner levels need no storage. Rows grow by doubling; directory and rows are
published in one assignment, so that readers beside the writer always see arrays that fit together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

#: Voxels per brick edge and per brick.
BRICK_EDGE = 8
BRICK_SIZE = BRICK_EDGE**3
#: Log-odds are integers in units of 1 / LOG_ODDS_UNIT: the same on every device, and half the memory of floats.
LOG_ODDS_UNIT = 1000
#: Rows allocated at first; doubled whenever they are full.
INITIAL_ROWS = 256
#: Arrays of voxels, (R, 512) each; the summaries follow from them.
VOXEL_ARRAYS = ("log_odds", "solid", "touched", "last_scan", "changed_scan", "count")
SUMMARIES = ("occupied_bits", "free_bits", "solid_bits", "touched_bits", "peak")
#: Steps and limits of `Bricks.touched`: OctoMap's log-odds (0.85, -0.41, -2, 3.5) in units of a miss.
TOUCHED_HIT, TOUCHED_MISS, TOUCHED_MIN, TOUCHED_MAX = 2, -1, -5, 9
#: Peak of a brick without known voxels.
NOTHING_KNOWN = -32768


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

    @staticmethod
    def allocate(n_rows: int, device: torch.device) -> Bricks:
        """No bricks yet, and memory for so many."""

        def voxels(dtype: torch.dtype) -> torch.Tensor:
            return torch.zeros((n_rows, BRICK_SIZE), dtype=dtype, device=device)

        def bits() -> torch.Tensor:
            return torch.zeros((n_rows, BRICK_EDGE**2), dtype=torch.uint8, device=device)

        return Bricks(
            keys=torch.zeros(0, dtype=torch.int64, device=device),
            rows=torch.zeros(0, dtype=torch.int64, device=device),
            log_odds=voxels(torch.int16),
            solid=voxels(torch.int16),
            touched=voxels(torch.int8),
            last_scan=voxels(torch.int32),
            changed_scan=voxels(torch.int32),
            count=voxels(torch.int16),
            occupied_bits=bits(),
            free_bits=bits(),
            solid_bits=bits(),
            touched_bits=bits(),
            peak=torch.full((n_rows,), NOTHING_KNOWN, dtype=torch.int16, device=device),
        )

    @property
    def row_arrays(self) -> dict[str, torch.Tensor]:
        """Arrays by row, by name."""
        return {name: getattr(self, name) for name in (*VOXEL_ARRAYS, *SUMMARIES)}

    @property
    def bytes_per_brick(self) -> int:
        """Memory of one brick with its place in the directory [bytes]."""
        return 16 + sum(a[0].numel() * a.element_size() for a in self.row_arrays.values())

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
        arrays = self.row_arrays
        n_rows = self.peak.numel()
        if n_old + n_new > n_rows:
            while n_rows < n_old + n_new:
                n_rows *= 2
            larger = Bricks.allocate(n_rows, device).row_arrays
            for name, old in arrays.items():
                larger[name][:n_old] = old[:n_old]
            arrays = larger
        places = torch.searchsorted(self.keys, new_keys) + torch.arange(n_new, device=device)
        is_new = torch.zeros(n_old + n_new, dtype=torch.bool, device=device)
        is_new[places] = True
        keys = torch.empty(n_old + n_new, dtype=torch.int64, device=device)
        rows = torch.empty_like(keys)
        keys[is_new], keys[~is_new] = new_keys, self.keys
        rows[is_new], rows[~is_new] = torch.arange(n_old, n_old + n_new, device=device), self.rows
        return replace(self, keys=keys, rows=rows, **arrays)

    @staticmethod
    def joined(*parts: tuple[Bricks, torch.Tensor]) -> Bricks:
        """Copies of chosen bricks of several, no key twice: each with a mask (B,) bool over its directory."""
        keys, order = torch.sort(torch.cat([bricks.keys[chosen] for bricks, chosen in parts]))
        n_rows = INITIAL_ROWS
        while n_rows < keys.numel():
            n_rows *= 2
        joined = Bricks.allocate(n_rows, keys.device)
        first = 0
        for bricks, chosen in parts:
            rows, arrays = bricks.rows[chosen], bricks.row_arrays
            for name, array in joined.row_arrays.items():
                array[first : first + rows.numel()] = arrays[name][rows]
            first += rows.numel()
        return replace(joined, keys=keys, rows=order)

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
