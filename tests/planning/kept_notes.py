"""Notes as a memory keeps them, for memories that are made up in tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from loci.planning.protocols import Point
from loci.query import Evidence, Query


@dataclass
class Notes:
    """Notes, the oldest first, with their labels."""

    kept: list[tuple[Evidence, tuple[str, ...]]] = field(default_factory=list)

    def find(self, query: Query) -> list[Evidence]:
        found = [e for e, labels in self.kept if not query.labels or set(query.labels) & set(labels)]
        if query.text is not None:
            words = set(query.text.split())
            found.sort(key=lambda e: -len(words & set(e.text.split())))
        elif query.order == "newest":
            found.reverse()
        return found[: query.limit]


class HasStamp(Protocol):
    """A memory that has taken something in."""

    @property
    def notes(self) -> Notes: ...

    @property
    def newest_stamp_ns(self) -> int: ...


class NoteKeeper:
    """The notes of a memory; its `recall` finds them among ``notes``."""

    @cached_property
    def notes(self) -> Notes:
        return Notes()

    def remember(
        self: HasStamp,
        text: str,
        source: str,
        *,
        labels: Sequence[str] = (),
        object_id: str = "",
        state: str = "",
        position: Point | None = None,
    ) -> str:
        id = f"episode/{len(self.notes.kept) + 1}"
        note = Evidence(
            id,
            "episode",
            text,
            1.0,
            "short_term",
            self.newest_stamp_ns,
            source=source,
            map_id="home",
            is_quoted=True,
            object_id=object_id,
            state=state,
            position=position,
        )
        self.notes.kept.append((note, tuple(labels)))
        return id
