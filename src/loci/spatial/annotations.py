"""Labels and object ids of occupied voxels: small integers into tables of strings, kept only for the bricks that have any.

An annotation is of what fills the voxel: it ends, without anybody telling, when the voxel has changed since. The arrays lie
beside the octree's on the host; one thread writes. What belongs to which object is decided elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch

from loci.spatial import voxels
from loci.spatial.bricks import BRICK_SIZE, Bricks

_ARRAYS = {"annotated_labels": np.uint16, "annotated_objects": np.int32, "annotated_scans": np.int32}
#: Names of the arrays that an octree with annotations has beside its own when it is saved.
SAVED = ("annotated_keys", *_ARRAYS, "annotation_tables")
MAX_LABELS = np.iinfo(np.uint16).max


class Annotations:
    """What is known of the things that fill voxels; index 0 of both tables is the empty string."""

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}  # by brick key
        self._arrays = {name: np.zeros((0, BRICK_SIZE), dtype=dtype) for name, dtype in _ARRAYS.items()}
        self._labels, self._objects = [""], [""]
        self._label_index, self._object_index = {"": 0}, {"": 0}

    def __bool__(self) -> bool:
        return bool(self._slots)

    @property
    def n_bytes(self) -> int:
        """Memory of the arrays in use [bytes]."""
        return sum(len(self._slots) * BRICK_SIZE * a.itemsize for a in self._arrays.values())

    def set(
        self, keys: npt.NDArray[np.int64], index: npt.NDArray[np.int64], label: str, object_id: str, scan: int
    ) -> None:
        """Annotate voxels: ``index`` (N,) of the bricks with ``keys`` (N,), as of a scan.

        Raises:
            ValueError: there are too many labels.
        """
        if label not in self._label_index and len(self._labels) > MAX_LABELS:
            raise ValueError(f"expected at most {MAX_LABELS} different labels, got {label!r} as one more")
        unique, inverse = np.unique(keys, return_inverse=True)
        slots = np.array([self._slots.setdefault(key, len(self._slots)) for key in unique.tolist()], dtype=np.int64)
        n_rows = len(self._arrays["annotated_scans"])
        if len(self._slots) > n_rows:
            n_more = max(len(self._slots), 2 * n_rows, 16) - n_rows
            self._arrays = {n: np.pad(a, ((0, n_more), (0, 0))) for n, a in self._arrays.items()}
        row = slots[inverse]
        self._arrays["annotated_labels"][row, index] = _number(label, self._labels, self._label_index)
        self._arrays["annotated_objects"][row, index] = _number(object_id, self._objects, self._object_index)
        self._arrays["annotated_scans"][row, index] = scan

    def of_cubes(
        self, cubes: torch.Tensor, level: int, bricks: Bricks, threshold: int
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Label and object id of each of the cubes (N, 3) of a level: those of most of the annotated occupied voxels in it.

        Voxels that are not above the threshold, or that have changed since they were annotated, do not count.
        """
        n = cubes.shape[0]
        labels, objects = [""] * n, [""] * n
        if not self._slots or not n:
            return tuple(labels), tuple(objects)
        codes = voxels.encode(cubes.cpu())
        # Which annotated bricks lie in one of the cubes, or hold one of them.
        keys = torch.tensor(list(self._slots), dtype=torch.int64)
        over = max(level - 3, 0)
        wanted = torch.isin(voxels.prefix(keys, over), voxels.prefix(codes, max(3 - level, 0)))
        slots = torch.nonzero(wanted).squeeze(1).numpy()
        label, thing, scan = (a[slots] for a in self._arrays.values())
        slot, index = np.nonzero((label > 0) | (thing > 0))  # (V,)
        keys = keys[wanted][torch.from_numpy(slot)]
        rows = bricks.find(keys.to(bricks.keys.device))
        bricks.use(rows)
        voxel = torch.from_numpy(index).to(rows.device)
        holds = (rows >= 0) & (bricks.log_odds[rows, voxel] > threshold) & (bricks.count[rows, voxel] > 0)
        holds &= bricks.changed_scan[rows, voxel] <= torch.from_numpy(scan[slot, index]).to(rows.device)
        kept = holds.cpu().numpy()
        slot, index, keys = slot[kept], index[kept], keys[torch.from_numpy(kept)]
        local = torch.from_numpy(np.stack([index >> 6, (index >> 3) & 7, index & 7], axis=1))
        code = voxels.prefix(voxels.encode(voxels.decode(keys) * 8 + local), level).numpy()
        sorted_codes, order = np.unique(codes.numpy(), return_index=True)
        place = np.searchsorted(sorted_codes, code).clip(max=len(sorted_codes) - 1)
        here = sorted_codes[place] == code
        votes = np.stack([order[place], label[slot, index], thing[slot, index]], axis=1)[here].astype(np.int64)
        choices, counts = np.unique(votes, axis=0, return_counts=True)
        for best in np.lexsort((-choices[:, 2], -choices[:, 1], counts)):  # the most frequent comes last, and stays
            cube, label_number, object_number = choices[best].tolist()
            labels[cube], objects[cube] = self._labels[label_number], self._objects[object_number]
        return tuple(labels), tuple(objects)

    def without(self, keys: npt.NDArray[np.int64]) -> Annotations:
        """A copy that knows nothing of the bricks with these keys (B,)."""
        gone = set(keys.tolist())
        kept = [(key, slot) for key, slot in self._slots.items() if key not in gone]
        slots = np.array([slot for _, slot in kept], dtype=np.int64)
        copy = Annotations()
        copy._slots = {key: i for i, (key, _) in enumerate(kept)}
        copy._arrays = {name: a[slots] for name, a in self._arrays.items()}
        copy._labels, copy._objects = list(self._labels), list(self._objects)
        copy._label_index, copy._object_index = dict(self._label_index), dict(self._object_index)
        return copy

    def rename_objects(self, mapping: Mapping[str, str | None]) -> None:
        """Follow merges: {old id: new id, or None where the object is gone: its voxels are nothing's then, and have no label}."""
        gone = np.array([bool(name) and name in mapping and mapping[name] is None for name in self._objects])
        if gone.any():
            empty = gone[self._arrays["annotated_objects"]]
            self._arrays["annotated_labels"][empty] = 0
            self._arrays["annotated_objects"][empty] = 0
        self._objects = [(mapping.get(name, name) or "") if name else "" for name in self._objects]
        self._object_index = {name: i for i, name in reversed(list(enumerate(self._objects)))}

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Everything that `from_arrays` needs; nothing where nothing is annotated."""
        if not self._slots:
            return {}
        n = len(self._slots)
        tables = json.dumps({"labels": self._labels, "objects": self._objects}).encode()
        return {
            "annotated_keys": np.array(list(self._slots), dtype=np.int64),
            **{name: a[:n] for name, a in self._arrays.items()},
            "annotation_tables": np.frombuffer(tables, dtype=np.uint8),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Annotations:
        """As they were saved; without annotations where there are none of the arrays.

        Raises:
            ValueError: some arrays are missing, or they do not fit together.
        """
        annotations = cls()
        missing = [name for name in SAVED if name not in arrays]
        if len(missing) == len(SAVED):
            return annotations
        if missing:
            raise ValueError(f"expected the arrays of annotations, missing: {', '.join(missing)}")
        keys = np.asarray(arrays["annotated_keys"], dtype=np.int64).ravel()
        for name, dtype in _ARRAYS.items():
            if arrays[name].shape != (keys.size, BRICK_SIZE):
                raise ValueError(f"expected {name} ({keys.size}, {BRICK_SIZE}), got {arrays[name].shape}")
            annotations._arrays[name] = np.array(arrays[name], dtype=dtype)
        try:
            tables = json.loads(np.asarray(arrays["annotation_tables"], dtype=np.uint8).tobytes())
            labels, objects = [str(v) for v in tables["labels"]], [str(v) for v in tables["objects"]]
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"expected tables of labels and objects as JSON: {error!r}") from error
        for name, table in (("annotated_labels", labels), ("annotated_objects", objects)):
            numbers = annotations._arrays[name]
            if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) < len(table):
                raise ValueError(f"expected {name} below {len(table)}, got {int(numbers.max())}")
        annotations._slots = {key: slot for slot, key in enumerate(keys.tolist())}
        annotations._labels, annotations._objects = labels, objects
        annotations._label_index = {name: i for i, name in reversed(list(enumerate(labels)))}
        annotations._object_index = {name: i for i, name in reversed(list(enumerate(objects)))}
        return annotations


def _number(name: str, table: list[str], index: dict[str, int]) -> int:
    """Number of a name in a table, which grows by it if it is new."""
    number = index.get(name)
    if number is None:
        number = index[name] = len(table)
        table.append(name)
    return number
