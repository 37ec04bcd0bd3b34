"""Keeps the inverted lists of the long-term memory's vectors: made, extended and made anew by a thread of its own, saved and read back.

Until lists are there, and always below `max_exact` vectors, searches compare all. Lists are never needed for a right answer.
"""

from __future__ import annotations

import logging
import threading

import numpy as np

from loci.episodic.columns import Columns
from loci.episodic.view import Key, View
from loci.store.inverted_lists import InvertedLists, assign, train
from loci.store.store import Store

log = logging.getLogger("loci.episodic")

#: Vectors that are in no list yet are compared one by one: so many at most, or this share of all, before they are put into lists.
_STEP, _SHARE = 1024, 1 / 64


class ListKeeper:
    """Lists of all vectors in some columns.

    Args:
        columns: where vectors are, and lists are published.
        store: where lists are saved.
        max_exact: up to so many vectors there are no lists.
    """

    def __init__(self, columns: Columns, store: Store, max_exact: int) -> None:
        self._columns, self._store, self.max_exact = columns, store, max_exact
        self._thread: threading.Thread | None = None
        self._saved: dict[Key, InvertedLists] = {}

    def update(self) -> None:
        """Begin to make what is due, if nothing is under way; returns at once."""
        lists = self._columns.lists
        due = [key for key, n in self._columns.n_vectors().items() if self._is_due(lists.get(key), n)]
        if due and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._make, args=(due[0],), name="loci-lists", daemon=True)
            self._thread.start()

    def finish(self, timeout: float | None = None) -> bool:
        """Wait until nothing is due any more; False: it took longer than ``timeout`` [s]."""
        while True:
            self.update()
            if self._thread is None or not self._thread.is_alive():
                return True
            self._thread.join(timeout)
            if self._thread.is_alive():
                return False

    def load(self) -> None:
        """Take over what was saved, as far as it fits."""
        view = self._columns.view
        for key, (vectors, _) in view.vectors.items():
            if len(vectors) > self.max_exact:
                lists = self._read(view, key)
                if lists is not None:
                    self._columns.put_lists(key, lists, view.generation)
                    self._saved[key] = lists

    def save(self) -> None:
        """Write the lists that changed, so that the next opening has them at once.

        Raises:
            StoreError: the disk is full or fails.
        """
        view = self._columns.view
        for key, lists in view.lists.items():
            if self._saved.get(key) is lists:
                continue
            vectors, rows = view.vectors[key]
            episodes = [view.episodes[row] for row in rows[: len(lists)]]
            alive = np.array([e is not None for e in episodes], dtype=bool)
            ids = "\n".join(e.id for e in episodes if e is not None)
            self._store.save_index(
                _name(key),
                {
                    "ids": np.frombuffer(ids.encode(), np.uint8),
                    "assigned": lists.assigned[alive],
                    "centers": lists.means(vectors, alive),
                    "basis": lists.basis,
                    "scale": np.array([lists.scale]),
                    "counts": np.array([lists.n_lists, lists.n_exact, lists.n_trained]),
                },
            )
            self._saved[key] = lists

    def _is_due(self, lists: InvertedLists | None, n: int) -> bool:
        return n > self.max_exact and (
            lists is None or n >= 2 * lists.n_trained or n - len(lists) >= max(_STEP, _SHARE * n)
        )

    def _make(self, key: Key) -> None:
        view = self._columns.view
        vectors, _ = view.vectors[key]
        lists = view.lists.get(key)
        if lists is None or len(vectors) >= 2 * lists.n_trained:
            lists = train(vectors)
            log.info("%d %s vectors in %d lists, %d searched", len(lists), key[0], len(lists.centers), lists.n_lists)
        else:
            lists = lists.extended(vectors)
        self._columns.put_lists(key, lists, view.generation)

    def _read(self, view: View, key: Key) -> InvertedLists | None:
        arrays = self._store.load_index(_name(key))
        if arrays is None:
            return None
        try:
            ids = arrays["ids"].tobytes().decode().split("\n")
            centers, basis, saved = (np.ascontiguousarray(arrays[name]) for name in ("centers", "basis", "assigned"))
            n_lists, n_exact, n_trained = (int(v) for v in arrays["counts"])
            (scale,) = arrays["scale"].tolist()
            list_of = dict(zip(ids, saved.tolist(), strict=True))
        except (KeyError, ValueError) as error:  # whole, but written by another version: it is made anew
            log.warning("index %s of %s is of another kind: %s", _name(key), self._store.path, error)
            return None
        vectors, rows = view.vectors[key]
        episodes = (view.episodes[row] for row in rows)
        assigned = np.array([-1 if e is None else list_of.get(e.id, -1) for e in episodes], dtype=np.int32)
        new = np.flatnonzero(assigned < 0)
        fits = centers.shape[1:] == vectors.shape[1:] == basis.shape[:1] and assigned.max() < len(centers)
        if not fits or 2 * len(new) > len(vectors):
            return None
        assigned[new] = assign(vectors[new], centers)
        nothing = np.zeros(0, np.int32)
        lists = InvertedLists(
            centers,
            basis,
            scale,
            nothing,
            nothing,
            np.zeros(1, np.int64),
            np.zeros((0, 0), np.int8),
            n_lists,
            n_exact,
            n_trained,
        )
        return lists.with_members(vectors, assigned)


def _name(key: Key) -> str:
    return f"{key[0]}-{key[1]}"
