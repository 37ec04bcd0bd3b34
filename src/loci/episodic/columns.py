"""Episodes as columns, so that a hundred thousand of them are filtered and ranked in a millisecond.

Strings are numbers here; lists (labels, objects) are flat columns beside the row they belong to. One thread appends;
readers work on a `View`, whose arrays are never written again, except that a removed row's ``alive`` becomes False.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from loci.episodic.block_kernels import BLOCK
from loci.episodic.poses import PoseTable
from loci.episodic.records import Episode
from loci.episodic.view import CODES, Blocks, Floats, Ints, Key, View
from loci.store.inverted_lists import InvertedLists
from loci.store.vectors import GrowingArray

#: Rows that wait, as they came, until somebody looks: then they are put into the columns together.
_MAX_FRESH = 4096
_LISTS = ("label", "object")
#: Shape and type of the columns that have a value per row.
_SHAPES: Mapping[str, tuple[tuple[int, ...], npt.DTypeLike]] = {
    "alive": ((), np.bool_),
    "stamp": ((), np.int64),
    "rank": ((), np.int64),
    "codes": ((len(CODES),), np.int32),
    "is_event": ((), np.bool_),
    "keyframe": ((), np.int64),
    "offset": ((3,), np.float64),
    "x": ((), np.float64),
    "y": ((), np.float64),
    "z": ((), np.float64),
}
_NOWHERE = (np.nan, np.nan, np.nan)


class _Table:
    """The arrays behind the views, between two times that the rows get new numbers."""

    def __init__(self) -> None:
        self.columns = {name: GrowingArray(shape, dtype) for name, (shape, dtype) in _SHAPES.items()}
        self.lists = {name + end: GrowingArray((), np.int64) for name in _LISTS for end in ("", "_row")}
        self.vectors: dict[Key, tuple[GrowingArray, GrowingArray]] = {}
        self._stamps = GrowingArray((2,), np.int64)
        self._codes = GrowingArray((2, len(CODES)), np.int32)
        self._positions = GrowingArray((2, 3), np.float64)

    def __len__(self) -> int:
        return len(self.columns["alive"])

    def add_vectors(self, key: Key, vectors: npt.ArrayLike, rows: npt.ArrayLike) -> None:
        """Vectors (M, D) of rows (M,)."""
        if key not in self.vectors:
            self.vectors[key] = (GrowingArray((key[1],)), GrowingArray((), np.int64))
        for column, values in zip(self.vectors[key], (vectors, rows), strict=True):
            column.extend(values)

    def blocks(self) -> Blocks:
        """Bounds of all complete blocks."""
        columns = {name: column.view() for name, column in self.columns.items()}
        for first in range(len(self._stamps) * BLOCK, len(self) // BLOCK * BLOCK, BLOCK):
            here = slice(first, first + BLOCK)
            self._stamps.append((columns["stamp"][here].min(), columns["stamp"][here].max()))
            codes, positions = columns["codes"][here], np.column_stack([columns[name][here] for name in "xyz"])
            self._codes.append((codes.min(axis=0), codes.max(axis=0)))
            least, most = np.full(3, -np.inf), np.full(3, np.inf)
            if not np.any(columns["keyframe"][here] >= 0):
                known = positions[~np.isnan(positions).any(axis=1)]
                least, most = known.min(axis=0, initial=np.inf), known.max(axis=0, initial=-np.inf)
            self._positions.append((least, most))
        return Blocks(self._stamps.view(), self._codes.view(), self._positions.view())


class Columns:
    """The growing columns behind the views. One thread changes them; any thread asks for a `view`."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        #: String of each code, and the codes that are labels; only ever appended to.
        self.names: list[str] = []
        self.label_codes: list[int] = []
        self._label_set: set[int] = set()
        self.poses = PoseTable()
        self._ranks: dict[str, int] = {}
        self._n_dead = 0
        self.row_of: dict[str, int] = {}
        #: Episodes by row, None: removed; another list when the rows get new numbers.
        self.episodes: list[Episode | None] = []
        self._lists: dict[Key, InvertedLists] = {}
        self._generation = 0
        self._table = _Table()
        #: Rows that are in no column yet: values of `_SHAPES` in their order; flat lists and vectors beside them.
        self._fresh: list[tuple[Any, ...]] = []
        self._fresh_lists: dict[str, list[int]] = {name: [] for name in self._table.lists}
        self._fresh_vectors: dict[Key, tuple[list[Floats], list[int]]] = {}
        self._lock = threading.Lock()  # held for moments: while a row is added, or fresh rows become columns
        self._view = self._make_view()

    @property
    def view(self) -> View:
        """All rows of now."""
        if self._fresh:
            with self._lock:
                self._take_in()
        return self._view

    @property
    def lists(self) -> Mapping[Key, InvertedLists]:
        """Indexes of now, by name and dimension of their vectors."""
        return self._view.lists

    def n_vectors(self) -> dict[Key, int]:
        """How many vectors there are by name and dimension, without a look at them."""
        with self._lock:
            counts = {key: len(rows) for key, (_, rows) in self._table.vectors.items()}
            for key, (_, fresh) in self._fresh_vectors.items():
                counts[key] = counts.get(key, 0) + len(fresh)
        return counts

    def code(self, text: str) -> int:
        """Number of a string; -1: no row has it."""
        return self._codes.get(text, -1)

    def codes(self, texts: Iterable[str]) -> Ints:
        """Numbers of strings, (M,)."""
        return np.array([self.code(text) for text in texts], dtype=np.int64)

    def rank(self, session: str) -> int:
        """Order of a session among those met so far; a new one comes last."""
        return self._ranks.setdefault(session, len(self._ranks))

    def known_rank(self, session: str) -> int:
        """Order of a session among those met so far; after all of them for one that was not met."""
        return self._ranks.get(session, len(self._ranks))

    def append(self, episode: Episode, vectors: Mapping[str, Floats]) -> None:
        """Add an episode, in place of the one with its id, with its unit vectors (D,) by name."""
        intern = self._intern
        labels = [intern(label) for label in dict.fromkeys(episode.labels)]
        objects = (
            [intern(object_id) for object_id in episode.all_object_ids]
            if episode.object_ids or episode.object_id
            else ()
        )
        codes = (
            intern(episode.kind),
            intern(episode.session),
            intern(episode.map_id),
            intern(episode.place),
            intern(episode.state),
        )
        offset = episode.offset
        values = (
            True,
            episode.stamp_ns,
            self.rank(episode.session),
            codes,
            episode.kind == "episode",
            -1 if offset is None else self.poses.slot(episode.keyframe_id or episode.id),
            _NOWHERE if offset is None else offset,
            *(_NOWHERE if episode.position is None else episode.position),
        )
        for code in labels:
            if code not in self._label_set:
                self._label_set.add(code)
                self.label_codes.append(code)
        replaced = self.row_of.get(episode.id)
        with self._lock:
            if replaced is not None:
                self._bury(replaced)
            row = len(self.episodes)
            for name, listed in (("label", labels), ("object", objects)):
                if listed:
                    self._fresh_lists[name] += listed
                    self._fresh_lists[name + "_row"] += [row] * len(listed)
            for name, vector in vectors.items():
                fresh = self._fresh_vectors.setdefault((name, len(vector)), ([], []))
                fresh[0].append(vector)
                fresh[1].append(row)
            self.episodes.append(episode)
            self._fresh.append(values)
            if len(self._fresh) >= _MAX_FRESH:
                self._take_in()
        self.row_of[episode.id] = row
        if replaced is not None:  # only now: until here, a reader that asks for the episode gets the old one
            self._drop(replaced)

    def vectors_of(self, id: str) -> dict[str, Floats]:
        """Vectors of an episode by name."""
        row = self.row_of[id]
        found: dict[str, Floats] = {}
        for (name, _), (vectors, rows) in self.view.vectors.items():
            i = int(np.searchsorted(rows, row))
            if i < len(rows) and rows[i] == row:
                found[name] = np.asarray(vectors[i], dtype=np.float32)
        return found

    def remove(self, id: str) -> bool:
        """Take an episode out; whether it was there."""
        row = self.row_of.pop(id, None)
        if row is None:
            return False
        with self._lock:
            self._bury(row)
        self._drop(row)
        return True

    def _bury(self, row: int) -> None:
        """Mark a row as not alive any more, for those too who hold a view."""
        if row >= len(self._table):
            self._take_in()
        self._table.columns["alive"].view()[row] = False

    def _drop(self, row: int) -> None:
        """Let go of a row that is not alive any more."""
        self.episodes[row] = None
        self._n_dead += 1
        if self._n_dead > 256 and 2 * self._n_dead > len(self.episodes):
            self._compact()

    def _intern(self, text: str) -> int:
        code = self._codes.get(text)
        if code is None:
            code = len(self.names)
            self.names.append(text)
            self._codes[text] = code
        return code

    def _take_in(self) -> None:
        """Put fresh rows into the columns, and make a view with them; the lock is held."""
        if not self._fresh:  # another reader was faster
            return
        table = self._table
        for name, values in zip(_SHAPES, zip(*self._fresh, strict=True), strict=True):
            table.columns[name].extend(values)
        for name, codes in self._fresh_lists.items():
            if codes:
                table.lists[name].extend(codes)
                codes.clear()
        for key, (vectors, rows) in self._fresh_vectors.items():
            table.add_vectors(key, vectors, rows)
        self._fresh_vectors.clear()
        self._view = self._make_view()
        self._fresh = []  # last: who finds it empty looks at the view, without the lock

    def _make_view(self) -> View:
        table = self._table
        columns = {name: column.view() for name, column in (*table.columns.items(), *table.lists.items())}
        vectors = {key: (v.view(), rows.view()) for key, (v, rows) in table.vectors.items()}
        return View(
            self.episodes,
            blocks=table.blocks(),
            vectors=vectors,
            lists=dict(self._lists),
            generation=self._generation,
            **columns,
        )

    def put_lists(self, key: Key, lists: InvertedLists, generation: int) -> bool:
        """Publish an index made of the vectors of a view, from any thread; False: it does not fit any more."""
        with self._lock:
            if generation != self._generation:
                return False
            self._lists[key] = lists
            self._view = replace(self._view, lists=dict(self._lists))
            return True

    def _compact(self) -> None:
        """Copy the rows that are alive; views in use keep the old arrays, and who comes meanwhile gets the last view."""
        view, table = self.view, _Table()
        keep = np.array(view.alive)
        new_row = np.cumsum(keep) - 1
        for name, column in table.columns.items():
            column.extend(getattr(view, name)[keep])
        for name in _LISTS:
            values, rows = getattr(view, name), getattr(view, name + "_row")
            kept = keep[rows]
            table.lists[name].extend(values[kept])
            table.lists[name + "_row"].extend(new_row[rows[kept]])
        kept_of = {key: keep[rows] for key, (_, rows) in view.vectors.items()}
        for key, (values, rows) in view.vectors.items():
            table.add_vectors(key, values[kept_of[key]], new_row[rows[kept_of[key]]])
        episodes = [self.episodes[i] for i in np.flatnonzero(keep)]
        with self._lock:
            for key, lists in self._lists.items():
                # Those that are in no list yet stay so: what is kept of the first ones is still first.
                assigned = lists.assigned[kept_of[key][: len(lists)]]
                self._lists[key] = lists.with_members(table.vectors[key][0].view()[: len(assigned)], assigned)
            self._table, self.episodes, self._n_dead = table, episodes, 0
            self._generation += 1
            self.row_of = {e.id: i for i, e in enumerate(episodes) if e is not None}
            self._view = self._make_view()
