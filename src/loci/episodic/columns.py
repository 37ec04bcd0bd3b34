"""Episodes as columns, so that ten thousand of them are filtered and ranked in a millisecond or two.

Strings are numbers here; lists (labels, objects) are flat columns beside the row they belong to. One thread appends;
readers work on a `View`, whose arrays are never written again, except that a removed row's ``alive`` becomes False.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from loci.episodic.poses import PoseTable
from loci.episodic.records import Episode
from loci.store.inverted_lists import InvertedLists
from loci.store.vector_kernels import dots
from loci.store.vectors import GrowingArray

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
#: Name and dimension of vectors.
Key = tuple[str, int]


@dataclass(frozen=True)
class View:
    """N rows at one moment.

    Attributes:
        episodes: at least N episodes (None: removed).
        alive: (N,) bool.
        stamp, rank: (N,) int64, stamp [ns] and the order of its session.
        kind, session, map_id, place, state: (N,) int64, codes; is_event: (N,) bool, an episode that is not a keyframe's.
        offset, position: (N, 3) float64 [m], in the keyframe's camera and in the map; NaN: none.
        keyframe: (N,) int64, slot (`PoseTable`) of the keyframe that ``offset`` refers to, -1: none.
        label, label_row, object, object_row: flat lists; rows ascend.
        vectors: by (name, dimension): unit vectors (M, D) and their rows (M,), ascending.
        lists: by the same: an index of the first of these vectors, where there are many.
        generation: how often rows were given new numbers: an index that was made of an older one does not fit.
    """

    episodes: list[Episode | None]
    alive: npt.NDArray[np.bool_]
    stamp: Ints
    rank: Ints
    kind: Ints
    is_event: npt.NDArray[np.bool_]
    session: Ints
    map_id: Ints
    place: Ints
    state: Ints
    keyframe: Ints
    offset: npt.NDArray[np.float64]
    position: npt.NDArray[np.float64]
    label: Ints
    label_row: Ints
    object: Ints
    object_row: Ints
    vectors: Mapping[Key, tuple[Floats, Ints]]
    lists: Mapping[Key, InvertedLists] = field(default_factory=dict)
    generation: int = 0

    def __len__(self) -> int:
        return len(self.alive)

    def similarity(self, name: str, query: Floats, rows: Ints) -> Floats:
        """Cosine of a unit vector (D,) with the vectors called ``name`` of some rows (R,), (R,); 0 where a row has none."""
        scores = np.zeros(len(rows), dtype=np.float32)
        key = (name, len(query))
        if key not in self.vectors:
            return scores
        vectors, row = self.vectors[key]
        at = np.minimum(np.searchsorted(row, rows), len(row) - 1)
        has = np.flatnonzero(row[at] == rows)
        scores[has] = dots(vectors, at[has], query)  # always this one: the same bits on every page
        return scores

    def best_label(self, label_scores: Floats, rows: Ints) -> Floats:
        """The largest of ``label_scores`` (by code, (n_codes,)) over the labels of each of some rows (R,), (R,); 0 without."""
        scores = np.zeros(len(rows), dtype=np.float32)
        first = np.searchsorted(self.label_row, rows)
        n = np.searchsorted(self.label_row, rows, side="right") - first
        has = np.flatnonzero(n)
        if len(has):
            first, n = first[has], n[has]
            starts = np.cumsum(n) - n
            entries = np.arange(int(n.sum())) + np.repeat(first - starts, n)
            scores[has] = np.maximum.reduceat(label_scores[self.label[entries]], starts)
        return scores

    def newest(self, rows: Ints, n: int) -> Ints:
        """The ``n`` newest of some rows, newest first: by session, stamp, and what followed from what."""
        return self._in_time(rows, n, newest=True)

    def oldest(self, rows: Ints, n: int) -> Ints:
        """The ``n`` oldest of some rows, oldest first."""
        return self._in_time(rows, n, newest=False)

    def _in_time(self, rows: Ints, n: int, newest: bool) -> Ints:
        if 4 * n < len(rows):
            rank = self.rank[rows]
            counts = np.bincount(rank)
            # The session in which the n-th lies, and how many of it are wanted.
            before = np.cumsum(counts[::-1] if newest else counts)
            session = int(np.searchsorted(before, n))
            n_in_session = n - (int(before[session - 1]) if session else 0)
            session = len(counts) - 1 - session if newest else session
            stamps = self.stamp[rows]
            inside = stamps[rank == session]
            if newest:
                least = np.partition(inside, len(inside) - n_in_session)[len(inside) - n_in_session]
                rows = rows[(rank > session) | ((rank == session) & (stamps >= least))]
            else:
                most = np.partition(inside, n_in_session - 1)[n_in_session - 1]
                rows = rows[(rank < session) | ((rank == session) & (stamps <= most))]
        order = np.lexsort((rows, self.is_event[rows], self.stamp[rows], self.rank[rows]))
        return rows[order[::-1] if newest else order][:n]

    def rows_with(self, codes: Ints, column: Ints, column_row: Ints) -> npt.NDArray[np.bool_]:
        """(N,) bool: rows whose flat list has any of ``codes``."""
        found = np.zeros(len(self), dtype=bool)
        found[column_row[np.isin(column, codes)]] = True
        return found


_SCALARS = ("stamp", "rank", "kind", "session", "map_id", "place", "state", "keyframe")
_LISTS = ("label", "object")


class Columns:
    """The growing columns behind the views."""

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
        self._lists: dict[Key, InvertedLists] = {}
        self._publish_lock = threading.Lock()  # indexes are made by another thread than the one that appends
        self._generation = 0
        self._start()
        self._publish()

    def _start(self) -> None:
        self._episodes: list[Episode | None] = []
        self._alive = GrowingArray((), np.bool_)
        self._columns: dict[str, GrowingArray] = {name: GrowingArray((), np.int64) for name in _SCALARS}
        self._columns["is_event"] = GrowingArray((), np.bool_)
        self._columns |= {name: GrowingArray((3,), np.float64) for name in ("offset", "position")}
        self._columns |= {name + end: GrowingArray((), np.int64) for name in _LISTS for end in ("", "_row")}
        self._vectors: dict[Key, tuple[GrowingArray, GrowingArray]] = {}

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
        replaced = self.row_of.get(episode.id)
        if replaced is not None:
            self._alive.view()[replaced] = False
        row = len(self._alive)
        nowhere = (np.nan,) * 3
        values: dict[str, Any] = {
            "stamp": episode.stamp_ns,
            "rank": self.rank(episode.session),
            "kind": self._intern(episode.kind),
            "is_event": episode.kind == "episode",
            "session": self._intern(episode.session),
            "map_id": self._intern(episode.map_id),
            "place": self._intern(episode.place),
            "state": self._intern(episode.state),
            "keyframe": -1 if episode.offset is None else self.poses.slot(episode.keyframe_id or episode.id),
            "offset": nowhere if episode.offset is None else episode.offset,
            "position": nowhere if episode.position is None else episode.position,
        }
        for name, value in values.items():
            self._columns[name].append(value)
        for name, texts in (("label", dict.fromkeys(episode.labels)), ("object", episode.all_object_ids)):
            for text in texts:
                self._columns[name].append(self._intern(text))
                self._columns[name + "_row"].append(row)
        for code in map(self._intern, episode.labels):
            if code not in self._label_set:
                self._label_set.add(code)
                self.label_codes.append(code)
        for name, vector in vectors.items():
            key = (name, len(vector))
            if key not in self._vectors:
                self._vectors[key] = (GrowingArray((len(vector),)), GrowingArray((), np.int64))
            self._vectors[key][0].append(vector)
            self._vectors[key][1].append(row)
        self._episodes.append(episode)
        self._alive.append(True)
        self.row_of[episode.id] = row
        self._publish()
        if replaced is not None:  # only now: until here, a reader that asks for the episode gets the old one
            self._drop(replaced)

    def vectors_of(self, id: str) -> dict[str, Floats]:
        """Vectors of an episode by name."""
        row = self.row_of[id]
        found: dict[str, Floats] = {}
        for (name, _), (vectors, rows) in self._vectors.items():
            i = int(np.searchsorted(rows.view(), row))
            if i < len(rows) and rows.view()[i] == row:
                found[name] = np.asarray(vectors.view()[i], dtype=np.float32)
        return found

    def remove(self, id: str) -> bool:
        """Take an episode out; whether it was there."""
        row = self.row_of.pop(id, None)
        if row is None:
            return False
        self._alive.view()[row] = False
        self._drop(row)
        return True

    def _drop(self, row: int) -> None:
        """Let go of a row that is not alive any more."""
        self._episodes[row] = None
        self._n_dead += 1
        if self._n_dead > 256 and 2 * self._n_dead > len(self._alive):
            self._compact()

    def _intern(self, text: str) -> int:
        code = self._codes.get(text)
        if code is None:
            code = len(self.names)
            self.names.append(text)
            self._codes[text] = code
        return code

    def _publish(self, lists: dict[Key, InvertedLists] | None = None) -> None:
        """Let readers see all rows; with ``lists`` the rows have new numbers, and these are their indexes."""
        views = {name: column.view() for name, column in self._columns.items()}
        vectors = {key: (v.view(), rows.view()) for key, (v, rows) in self._vectors.items()}
        with self._publish_lock:
            if lists is not None:
                self._lists = lists
                self._generation += 1
            #: What readers use; replaced as a whole.
            self.view = View(
                self._episodes,
                self._alive.view(),
                vectors=vectors,
                lists=dict(self._lists),
                generation=self._generation,
                **views,
            )

    def put_lists(self, key: Key, lists: InvertedLists, generation: int) -> bool:
        """Publish an index made of the vectors of a view, from any thread; False: it does not fit any more."""
        with self._publish_lock:
            if generation != self._generation:
                return False
            self._lists[key] = lists
            self.view = replace(self.view, lists=dict(self._lists))
            return True

    def _compact(self) -> None:
        """Copy the rows that are alive; views in use keep the old arrays."""
        old, columns, vectors, lists = self._episodes, self._columns, self._vectors, self._lists
        kept_lists: dict[Key, InvertedLists] = {}
        keep = np.array(self._alive.view())
        new_row = np.cumsum(keep) - 1
        self._start()
        self._episodes = [old[i] for i in np.flatnonzero(keep)]
        self._alive.extend(np.ones(int(keep.sum()), dtype=bool))
        for name in (*_SCALARS, "is_event", "offset", "position"):
            self._columns[name].extend(columns[name].view()[keep])
        for name in _LISTS:
            kept = keep[columns[name + "_row"].view()]
            self._columns[name].extend(columns[name].view()[kept])
            self._columns[name + "_row"].extend(new_row[columns[name + "_row"].view()[kept]])
        for key, (values, rows) in vectors.items():
            kept = keep[rows.view()]
            self._vectors[key] = (GrowingArray((key[1],)), GrowingArray((), np.int64))
            self._vectors[key][0].extend(values.view()[kept])
            self._vectors[key][1].extend(new_row[rows.view()[kept]])
            if key in lists:
                # Those that are in no list yet stay so: what is kept of the first ones is still first.
                assigned = lists[key].assigned[kept[: len(lists[key])]]
                vectors_kept = self._vectors[key][0].view()
                kept_lists[key] = lists[key].with_members(vectors_kept[: len(assigned)], assigned)
        self.row_of = {e.id: i for i, e in enumerate(self._episodes) if e is not None}
        self._n_dead = 0
        self._publish(kept_lists)
