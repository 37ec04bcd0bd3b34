"""OctoMap's files: an octree written as ``.bt`` (states) or ``.ot`` (log-odds), and read back, pruned cubes expanded.

Formats: OctoMap 1.10, `AbstractOcTree::write`, `OccupancyOcTreeBase::writeBinaryNode` and `OcTreeBaseImpl::writeNodesRecurs`
(Hornung et al., Autonomous Robots 2013). Whole levels of the tree are written at once. Colours are not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from loci.spatial import octomap_kernels as kernels
from loci.spatial import voxels
from loci.spatial.bricks import BRICK_EDGE, BRICK_SIZE, CHUNK_ROWS, LOG_ODDS_UNIT, TOUCHED_HIT, TOUCHED_MISS
from loci.spatial.octomap_kernels import DEPTH, FREE_LEAF, INNER, OCCUPIED_LEAF
from loci.spatial.octree import Octree, OctreeParameters, log_odds

Format = Literal["bt", "ot"]
_TITLES = {"bt": "# Octomap OcTree binary file", "ot": "# Octomap OcTree file"}
_REMARK = "# (feel free to add / change comments, but leave the first line as it is!)\n#\n"
#: Voxels of OctoMap's world per axis, half of them on each side of the origin.
_OCTOMAP_HALF = 1 << (DEPTH - 1)
#: A file that would fill more bricks than this is refused: a pruned cube of a few bytes may be a cubic kilometre.
MAX_BRICKS = 500_000
#: A header is shorter than this [bytes].
_MAX_HEADER = 65536
#: Brick-local Morton order with z in the highest bit, as OctoMap numbers children: where each voxel lies in a brick's row.
_ORDER = np.array(
    [
        sum((((m >> (3 * b)) & 1) << (6 + b)) | (((m >> (3 * b + 1)) & 1) << (3 + b)) | (((m >> (3 * b + 2)) & 1) << b)
        for b in range(3))
        for m in range(BRICK_SIZE)
    ]
)  # fmt: skip


class OctoMapError(ValueError):
    """The file is no OctoMap file that can be taken into the octree; nothing was changed."""


# --- writing ----------------------------------------------------------------------------------------------------------


@dataclass
class _Level:
    """Nodes of one level, and their eight children in one of the arrays of the level below.

    Attributes:
        exists: (P,) bool.
        value: (P,) int32 of the most probably occupied voxel.
        leaf: (P,) bool, no children: a voxel, or a cube pruned because all in it is the same.
        size: (P,) of what is written for it and all below [bytes].
        child: (P, 8) int64 index in the level below, -1: none.
    """

    exists: npt.NDArray[np.bool_]
    value: npt.NDArray[np.int32]
    leaf: npt.NDArray[np.bool_]
    size: npt.NDArray[np.int32 | np.int64]
    child: npt.NDArray[np.int64]


def write_octomap(octree: Octree, path: Path, format: Format) -> int:
    """Write all known voxels of an octree as an OctoMap file; returns the number of nodes.

    ``bt`` keeps whether voxels are occupied or free, ``ot`` their log-odds. Cubes in which all voxels are alike become one node.

    Raises:
        ValueError: another format, or voxels lie outside of OctoMap's world of 2^16 voxels per axis.
        OSError: it cannot be written.
    """
    if format not in _TITLES:
        raise ValueError(f"expected format 'bt' or 'ot', got {format!r}")
    binary = format == "bt"
    levels = _levels(*_known_voxels(octree, binary), binary)
    data, n_nodes = _serialised(levels, binary)
    resolution = octree.parameters.leaf_size
    header = f"{_TITLES[format]}\n{_REMARK}id OcTree\nsize {n_nodes}\nres {resolution:.17g}\ndata\n"
    path.write_bytes(header.encode() + data.tobytes())
    return n_nodes


def _known_voxels(
    octree: Octree, binary: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], npt.NDArray[np.int32]]:
    """Codes (K,) of bricks in OctoMap's order, which voxels (K * 512,) are known, and their values: log-odds, or 1 and 0."""
    bricks, grid = octree.bricks, octree.grid
    corner = voxels.decode(bricks.keys).cpu() + (_OCTOMAP_HALF - grid.half) // BRICK_EDGE
    n_bricks = 2 * _OCTOMAP_HALF // BRICK_EDGE
    outside = ((corner < 0) | (corner >= n_bricks)).any(dim=1)
    if bool(outside.any()):
        reach = _OCTOMAP_HALF * grid.leaf_size
        raise ValueError(f"expected voxels within OctoMap's world, {reach:g} m around the origin, got some beyond")
    codes = voxels.encode(corner.flip(1)).numpy()
    order = np.argsort(codes)
    rows = bricks.rows.cpu()[torch.from_numpy(order)].to(bricks.rows.device)
    known = np.empty((len(codes), BRICK_SIZE), dtype=np.bool_)
    values = np.empty((len(codes), BRICK_SIZE), dtype=np.int32)
    for places in torch.arange(len(codes)).split(CHUNK_ROWS):
        some = rows[places.to(rows.device)]
        bricks.use(some)
        known[places] = bricks.count[some].cpu().numpy()[:, _ORDER] > 0
        values[places] = bricks.log_odds[some].cpu().numpy()[:, _ORDER]
    occupied = values > grid.threshold
    # OctoMap takes even odds for occupied, Loci for free.
    values = occupied.astype(np.int32) if binary else np.where((values == 0) & ~occupied, np.int32(-1), values)
    there = known.any(axis=1)
    return codes[order][there], known[there].ravel(), values[there].ravel()


def _levels(
    codes: npt.NDArray[np.int64], known: npt.NDArray[np.bool_], values: npt.NDArray[np.int32], binary: bool
) -> list[_Level]:
    """All levels of the tree, voxels first; those inside of bricks are dense."""
    n = known.size
    none = np.full((n, 0), -1, dtype=np.int64)
    voxel_size = known * np.int32(0 if binary else 5)
    levels = [_Level(known, values, np.ones(n, dtype=np.bool_), voxel_size, none)]
    for level in range(1, DEPTH + 1):
        if level <= 3:
            child = np.arange(levels[-1].exists.size, dtype=np.int64).reshape(-1, 8)
            child[~levels[-1].exists.reshape(-1, 8)] = -1
        else:
            parents, group = np.unique(codes >> 3, return_inverse=True)
            child = np.full((parents.size, 8), -1, dtype=np.int64)
            child[group, codes & 7] = np.arange(codes.size)
            codes = parents
        levels.append(_parents(levels[-1], child, binary))
    return levels


def _parents(below: _Level, child: npt.NDArray[np.int64], binary: bool) -> _Level:
    there = child >= 0
    value = np.where(there, below.value[child], np.iinfo(np.int32).min)
    leaf = np.asarray((there & below.leaf[child] & (value == value[:, :1])).all(axis=1))
    sizes = np.where(there, below.size[child], 0).sum(axis=1)
    exists = np.asarray(there.any(axis=1))
    size = np.where(leaf, 0, 2 + sizes) if binary else np.where(leaf, 5, 5 + sizes)
    return _Level(exists, value.max(axis=1), leaf, np.where(exists, size, 0), child)


def _serialised(levels: list[_Level], binary: bool) -> tuple[npt.NDArray[np.uint8], int]:
    """The stream, every node behind its parent and its elder siblings, and the number of nodes."""
    root = levels[-1]
    if not root.exists.any():
        return np.zeros(0, dtype=np.uint8), 0
    out = np.zeros(int(root.size[0]), dtype=np.uint8)
    n_nodes = 0
    node, offset = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)  # of those of a level that are written
    for height in range(DEPTH, -1, -1):
        level = levels[height]
        n_nodes += node.size
        inner = ~level.leaf[node]
        child = level.child[node[inner]]  # (I, 8)
        there = child >= 0
        below = levels[height - 1] if height else level
        if binary:
            kind = np.where(below.value[child] > 0, OCCUPIED_LEAF, FREE_LEAF)
            kind = np.where(there, np.where(below.leaf[child], kind, INNER), 0)
            word = (kind << (2 * np.arange(kind.shape[1]))).sum(axis=1)
            out[offset[inner]], out[offset[inner] + 1] = word & 255, word >> 8
        else:
            values = np.ascontiguousarray(level.value[node] / LOG_ODDS_UNIT, dtype="<f4")
            out[offset[:, None] + np.arange(4)] = values.view(np.uint8).reshape(-1, 4)
            out[offset[inner] + 4] = (there << np.arange(there.shape[1])).sum(axis=1)
        sizes = np.where(there, below.size[child], 0)
        starts = offset[inner][:, None] + (2 if binary else 5) + np.cumsum(sizes, axis=1) - sizes
        node, offset = child[there], starts[there]
    return out, n_nodes


# --- reading ----------------------------------------------------------------------------------------------------------


def read_octomap(
    path: Path,
    parameters: OctreeParameters | None = None,
    device: str = "cpu",
    stamp_ns: int = 0,
    scratch: Path | None = None,
) -> Octree:
    """An octree with what an OctoMap file (``.bt`` or ``.ot``, told by its first line) holds.

    States are OctoMap's (occupied from even odds); log-odds are clamped to the octree's limits and rounded to its unit.

    Args:
        path: of the file.
        parameters: of the octree; its leaf size must be the file's resolution.
        device: torch device.
        stamp_ns: time at which everything in it was seen [ns].
        scratch: folder for the bricks that are not in memory; see `Octree`.

    Raises:
        OctoMapError: no OctoMap file, of another kind or resolution, damaged, too large, or outside of the octree's world.
        OSError: it cannot be read.
    """
    p = parameters or OctreeParameters()
    content = path.read_bytes()
    format, n_nodes, start = _header(content, path, p.leaf_size)
    codes, levels, values = _leaves(np.frombuffer(content, dtype=np.uint8), start, format, n_nodes, path, p)
    keys, states = _bricks(codes, levels, values, path, p)
    known = states != _UNKNOWN
    said = np.where(known, states, 0).astype(np.int16)
    scans = np.zeros(states.shape, dtype=np.int32)
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "keys": keys,
        "log_odds": said,
        "solid": said,  # whatever is occupied in the file stops rays, and robots
        "touched": np.where(known, np.where(said > 0, TOUCHED_HIT, TOUCHED_MISS), 0).astype(np.int8),
        "last_scan": scans,
        "changed_scan": scans,
        "count": known.astype(np.int16),
        "geometry": np.array([p.leaf_size, p.levels], dtype=np.float64),
        "stamps": np.array([stamp_ns], dtype=np.int64),
    }
    return Octree.from_arrays(arrays, p, device, scratch=scratch)


_UNKNOWN = np.iinfo(np.int32).min


def _header(content: bytes, path: Path, leaf_size: float) -> tuple[Format, int, int]:
    """Format, number of nodes, and where the data begin.

    Source: `AbstractOcTree::readHeader` and `OccupancyOcTreeBase::readBinary`.
    """
    fields: dict[str, str] = {}
    format: Format | None = None
    position = 0
    for number in range(1, 1000):
        end = content.find(b"\n", position, position + _MAX_HEADER)
        line = content[position : end if end >= 0 else position + 80].decode("ascii", "replace").strip()
        if number == 1:
            format = next((f for f in ("bt", "ot") if line == _TITLES[f]), None)
            if format is None:
                wanted = " or ".join(repr(t) for t in _TITLES.values())
                raise OctoMapError(f"{path}: line 1: expected {wanted}, got {line[:60]!r}")
        if end < 0:
            raise OctoMapError(f"{path}: line {number}: expected a line 'data' behind the header, got {line[:60]!r}")
        position = end + 1
        if line == "data":
            break
        if line and not line.startswith("#"):
            name, _, value = line.partition(" ")
            fields[name] = value.strip()
            _check_field(name, fields[name], f"{path}: line {number}", leaf_size)
    missing = [name for name in ("id", "size", "res") if name not in fields]
    if missing:
        raise OctoMapError(
            f"{path}: line {number}: expected id, size and res before 'data', missing: {', '.join(missing)}"
        )
    assert format is not None
    return format, int(fields["size"]), position


def _check_field(name: str, value: str, where: str, leaf_size: float) -> None:
    if name == "id" and value != "OcTree":
        raise OctoMapError(f"{where}: expected a tree of type OcTree, got {value[:60]!r}")
    if name == "size" and not value.isdecimal():
        raise OctoMapError(f"{where}: expected a number of nodes, got {value[:60]!r}")
    if name == "res":
        try:
            resolution = float(value)
        except ValueError:
            raise OctoMapError(f"{where}: expected a resolution [m], got {value[:60]!r}") from None
        if not abs(resolution - leaf_size) <= 1e-6 * leaf_size:
            raise OctoMapError(
                f"{where}: expected the octree's leaf size {leaf_size:g} m, got a resolution of {value} m"
            )


def _leaves(
    content: npt.NDArray[np.uint8], start: int, format: Format, n_nodes: int, path: Path, p: OctreeParameters
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int8], npt.NDArray[np.int32]]:
    """Codes and levels of the file's leaves, and their log-odds in the octree's unit; all (N,)."""
    data = content[start:]
    if not n_nodes:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int8), np.zeros(0, dtype=np.int32)
    n_most = data.size * 4 if format == "bt" else data.size // 5 + 1
    codes, levels = np.empty(n_most, dtype=np.int64), np.empty(n_most, dtype=np.int8)
    lowest, highest = log_odds(p.p_min), log_odds(p.p_max)
    if format == "bt":
        occupied = np.empty(n_most, dtype=np.bool_)
        n, n_read, position, fault = kernels.read_binary(data, codes, levels, occupied)
    else:
        places = np.empty(n_most, dtype=np.int64)
        n, n_read, position, fault = kernels.read_full(data, codes, levels, places)
    if fault == kernels.TRUNCATED:
        raise OctoMapError(
            f"{path}: byte {start + position}: expected {n_nodes} nodes, the file ends within node {n_read + 1}"
        )
    if fault == kernels.TOO_DEEP:
        raise OctoMapError(
            f"{path}: byte {start + position}: expected at most {DEPTH} levels, got a node with children below"
        )
    if n_read != n_nodes:
        raise OctoMapError(
            f"{path}: byte {start + position}: expected {n_nodes} nodes as the header says, got {n_read}"
        )
    if format == "bt":
        return codes[:n], levels[:n], np.where(occupied[:n], highest, lowest).astype(np.int32)
    raw = np.ascontiguousarray(data[places[:n, None] + np.arange(4)]).view("<f4").ravel().astype(np.float64)
    if not np.all(np.isfinite(raw)):
        worst = int(np.flatnonzero(~np.isfinite(raw))[0])
        raise OctoMapError(f"{path}: byte {start + int(places[worst])}: expected finite log-odds, got {raw[worst]}")
    values = np.clip(np.rint(raw * LOG_ODDS_UNIT), lowest, highest).astype(np.int32)
    if log_odds(p.occupied_threshold) == 0:  # rounding moves nothing across even odds
        values = np.where(raw >= 0, np.maximum(values, 1), np.minimum(values, 0))
    return codes[:n], levels[:n], values.astype(np.int32)


def _bricks(
    codes: npt.NDArray[np.int64],
    levels: npt.NDArray[np.int8],
    values: npt.NDArray[np.int32],
    path: Path,
    p: OctreeParameters,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Keys (B,), ascending, of the bricks that leaves fill, and the log-odds of their voxels (B, 512), `_UNKNOWN` where none."""
    half = 1 << (p.levels - 1)
    low = voxels.decode(torch.from_numpy(codes)).numpy()[:, ::-1] << levels.astype(np.int64)[:, None]
    low = low + (half - _OCTOMAP_HALF)  # (N, 3) lowest voxel of each leaf
    beyond = np.any((low < 0) | (low + (1 << levels.astype(np.int64))[:, None] > 2 * half), axis=1)
    if np.any(beyond):
        at = (low[beyond][0] - half) * p.leaf_size
        reach = half * p.leaf_size
        raise OctoMapError(f"{path}: expected voxels within {reach:g} m of the origin, got some at {at.tolist()} m")
    is_large = levels >= 3
    n_large = float(np.sum(8.0 ** (levels[is_large].astype(np.float64) - 3)))
    if n_large > MAX_BRICKS:
        raise OctoMapError(
            f"{path}: expected at most {MAX_BRICKS} cubes of 8 voxels per edge when expanded, got {n_large:.0f} in pruned cubes alone"
        )
    whole_keys, whole_values, fine_keys, fine_index, fine_values = [], [], [], [], []
    for level in range(DEPTH + 1):
        here = levels == level
        if not np.any(here):
            continue
        edge = 1 << max(level - 3, 0) if level >= 3 else 1 << level
        inner = np.stack(np.meshgrid(*[np.arange(edge)] * 3, indexing="ij"), axis=-1).reshape(1, -1, 3)
        value = np.repeat(values[here], edge**3)
        if level >= 3:
            brick = ((low[here] >> 3)[:, None] + inner).reshape(-1, 3)
            whole_keys.append(voxels.encode(torch.from_numpy(brick)).numpy())
            whole_values.append(value)
        else:
            voxel = (low[here][:, None] + inner).reshape(-1, 3)
            fine_keys.append(voxels.encode(torch.from_numpy(voxel >> 3)).numpy())
            local = voxel & 7
            fine_index.append((local[:, 0] << 6) | (local[:, 1] << 3) | local[:, 2])
            fine_values.append(value)
    keys = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *whole_keys, *fine_keys]))
    if keys.size > MAX_BRICKS:
        raise OctoMapError(f"{path}: expected at most {MAX_BRICKS} cubes of 8 voxels per edge, got {keys.size}")
    states = np.full((keys.size, BRICK_SIZE), _UNKNOWN, dtype=np.int32)
    for key, value in zip(whole_keys, whole_values, strict=True):
        states[np.searchsorted(keys, key)] = value[:, None]
    for key, index, value in zip(fine_keys, fine_index, fine_values, strict=True):
        states[np.searchsorted(keys, key), index] = value
    return keys, states
