"""Finding objects by conditions: what they are called, where they are, in which state, and how well they fit a text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from loci.evidence import Memories, objects_in_room
from loci.geometry import check_points
from loci.object_scores import scores_by_looks, scores_by_words
from loci.scene.objects import SceneObject


def find_objects(
    memories: Memories,
    *,
    text: str | None,
    labels: tuple[str, ...],
    room: str | None,
    state: str | None,
    position: npt.ArrayLike | None,
    radius: float | None,
) -> list[tuple[SceneObject, float]]:
    """Objects that meet all conditions, with their scores; see `MemoryQuestions.find_objects`."""
    found = list(memories.scene.objects())
    if room is not None:
        found = objects_in_room(memories, found, room)
    found = [o for o in found if (not labels or o.label in labels) and _is_in_state(o, state)]
    distance = np.zeros(len(found))
    if position is not None and radius is not None:
        p = check_points(position, "position", (3,))
        if not (np.isfinite(radius) and radius > 0):
            raise ValueError(f"expected a radius > 0 m, got {radius}")
        distance = np.linalg.norm(np.array([o.center for o in found]).reshape(-1, 3) - p, axis=1)
        found = [o for o, d in zip(found, distance, strict=True) if d <= radius]
        distance = distance[distance <= radius]
    scores = np.ones(len(found), dtype=np.float32)
    if text is not None:
        scores = scores_by_words(memories, found, text, memories.text_encoder.encode([text])[0])
        scores = np.maximum(scores, scores_by_looks(memories, found, text))
    order = sorted(range(len(found)), key=lambda i: (-scores[i], distance[i], -found[i].last_seen_ns))
    return [(found[i], float(scores[i])) for i in order]


def _is_in_state(o: SceneObject, state: str | None) -> bool:
    """Whether an object is "present", "missing" ..., or was told to be "open", "clean" ..."""
    return state in (None, o.state) or state in o.attributes
