"""`OfflinePlanner`: answers questions by rules, words and a text encoder, with nothing to download.

An answer rests on evidence or says that it is not known. Nothing seen is told as nothing seen: "no" is only said once nothing reachable is left
unexplored. What needs eyes (states, materials, what a picture shows) is left to a vision-language planner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from loci.planning import answers_changes, answers_places, answers_things, answers_uses
from loci.planning.finding import Finder, Scene, a_room
from loci.planning.grounding import with_image
from loci.planning.parsing import parse
from loci.planning.phrases import joined, room_phrase
from loci.planning.protocols import Answer, KnownRoom, MemoryReader
from loci.query import check_limit
from loci.words import SAME_THING

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder

_HANDLERS: Mapping[str, Callable[[Finder, Scene, Sequence[KnownRoom]], Answer]] = {
    "where": answers_things.where,
    "relation": answers_places.relation,
    "rooms_with": answers_places.rooms_with,
    "rooms": answers_places.rooms_known,
    "recent": answers_places.recent,
    "seen": answers_things.seen,
    "exists": answers_things.seen,
    "count": answers_things.count,
    "color": answers_things.color,
    "when": answers_things.when,
    "before": answers_changes.before,
    "changes": answers_changes.changes,
    "contents": answers_places.contents,
    "state": answers_things.state,
    "use_for": answers_uses.use_for,
    "room_for": answers_uses.room_for,
    "open": answers_uses.open_question,
}


class OfflinePlanner:
    """Answers from labels, positions, rooms, supports, colours, states, times and what things are for.

    Args:
        encoder: finds labels by meaning where words do not, and decides what no cue of a question tells; None: by words only.
        threshold: smallest cosine that counts as the same meaning; it belongs to the encoder.
    """

    def __init__(self, encoder: TextEncoder | None = None, threshold: float = SAME_THING) -> None:
        self._finder = Finder(encoder, threshold)

    def similarities(self, words: str, labels: Sequence[str]) -> np.ndarray:
        """Cosines of ``words`` with ``labels``, (N,); zeros without an encoder."""
        return self._finder.words.similarities(words, labels)

    def ask(self, question: str, memory: MemoryReader, limit: int = 10, with_images: bool = False) -> Answer:
        """Answer with at most ``limit`` pieces of evidence; see `loci.planning.protocols.Planner`.

        Raises:
            ValueError: no word or too many characters in the question, or ``limit`` out of range.
        """
        check_limit(limit)
        parsed = parse(question, self._finder.encoder)
        scene = Scene(memory, memory.known_objects(), memory.known_rooms(), parsed, with_images)
        rooms = self._finder.rooms_meant(scene)
        if parsed.room and not rooms:
            known = joined([room_phrase(r.id, r.name, scene.rooms) for r in scene.rooms])
            answer = self._finder.unknown(
                scene, f"I do not know {a_room(parsed.room)}" + (f", only {known}." if known else ".")
            )
        else:
            handler = _HANDLERS[parsed.kind]
            answer = handler(self._finder, scene, rooms)
        evidence = answer.evidence[:limit]
        if with_images:
            evidence = tuple(with_image(e, memory) for e in evidence)
        return replace(answer, evidence=evidence)
