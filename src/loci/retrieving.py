"""From what a planner asks (words, an image, objects, a room or box, a time) to the snapshots that matter: joins the memories.

The choice itself is `loci.scene.retrieval`'s; here rooms, times, captions and pictures are looked up for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loci.episodic.filters import EpisodeFilter
from loci.evidence import Memories, objects_in_room
from loci.perception.protocols import ImageTextEncoder
from loci.scene.objects import SceneObject
from loci.scene.retrieval import Retrieval, Wanted, retrieve
from loci.scene.snapshots import Snapshot

Vector = npt.NDArray[np.float32]
Corner = tuple[float, float, float]

#: Crops of objects are looked at in so many snapshots whose whole images are likest; captions of so many episodes.
MAX_CROPPED, MAX_CAPTIONS = 32, 64


@dataclass(frozen=True)
class RetrievalRequest:
    """What snapshots are asked for; all that is given must hold, question and image rank what is left.

    Attributes:
        question: in words; empty: not ranked by words.
        image: (H, W, 3) uint8 RGB, or None: snapshots like it, or that show an object like it.
        object_ids: show these objects.
        room: show objects of this room (id or name); empty: anywhere.
        box: show objects whose centre is between these corners [m], map frame; None: anywhere.
        after_ns, before_ns: taken in [after, before) [ns].

    Raises:
        ValueError: on construction, if nothing is asked, or a field is out of range.
    """

    question: str = ""
    image: npt.NDArray[np.uint8] | None = None
    object_ids: tuple[str, ...] = ()
    room: str = ""
    box: tuple[Corner, Corner] | None = None
    after_ns: int | None = None
    before_ns: int | None = None

    def __post_init__(self) -> None:
        others = (self.image, self.box, self.after_ns, self.before_ns)
        if not self.question.strip() and not self.object_ids and not self.room and all(v is None for v in others):
            raise ValueError("expected a question with at least one word, an image, objects, a room, a box or a time")
        if self.question and not self.question.strip():
            raise ValueError("expected a question with at least one word, got an empty one")
        if self.box is not None and not (
            np.all(np.isfinite(self.box)) and np.all(np.less_equal(self.box[0], self.box[1]))
        ):
            raise ValueError(f"expected a finite box with lower corner <= upper corner, got {self.box}")
        if self.after_ns is not None and self.before_ns is not None and self.after_ns >= self.before_ns:
            raise ValueError(f"expected after < before, got after {self.after_ns} ns and before {self.before_ns} ns")


def retrieve_snapshots(memories: Memories, request: RetrievalRequest, limit: int) -> Retrieval:
    """The fewest snapshots that show what is asked for, with reasons; more where that cannot be told, never none.

    Raises:
        LookupError: an object that is not in this memory.
        ValueError: an image that the encoder does not take.
    """
    scene = memories.scene
    objects, snapshots = scene.by_id(), scene.snapshots()
    unknown = sorted(set(request.object_ids) - objects.keys())
    if unknown:
        raise LookupError(f"expected ids of objects of this memory, got {', '.join(unknown)}")
    image_scores: Mapping[str, float] = {}
    crop_scores: Mapping[str, float] = {}
    if request.image is not None:
        vector = memories.image_encoder.encode(request.image)
        image_scores, crop_scores = _likeness(memories, snapshots, objects, vector, (0.0, 1.0))
    elif request.question and isinstance(memories.image_encoder, ImageTextEncoder):
        try:
            vector = memories.image_encoder.encode_text([request.question])[0]
            image_scores, crop_scores = _likeness(
                memories, snapshots, objects, vector, memories.image_encoder.match_range
            )
        except (ImportError, OSError, RuntimeError):
            image_scores, crop_scores = {}, {}  # words alone rank then
    region, where = _region(memories, request, objects)
    wanted = Wanted(
        question=request.question,
        object_ids=request.object_ids,
        region=region,
        where=where,
        keyframes=_in_time(memories, request, snapshots),
        captions=_captions(memories, request.question),
        image_scores=image_scores,
        crop_scores=crop_scores,
        ranks_images=request.image is not None,
    )
    shown = {k: seen.keys() for k, seen in scene.snapshots_map.visibility().items()}
    return retrieve(
        wanted, snapshots, objects, memories.text_encoder, limit, shown=shown, attributes=scene.attributes()
    )


def _likeness(
    memories: Memories,
    snapshots: Sequence[Snapshot],
    objects: Mapping[str, SceneObject],
    vector: Vector,
    match_range: tuple[float, float],
) -> tuple[dict[str, float], dict[str, float]]:
    """Likeness [0, 1] of the snapshots' images, and of the objects in those that are likest.

    Args:
        match_range: cosines of what has nothing to do with each other, and of what is the same.
    """
    low, high = match_range

    def scaled(cosines: Mapping[str, float]) -> dict[str, float]:
        return {i: float(np.clip((c - low) / (high - low), 0.0, 1.0)) for i, c in cosines.items()}

    whole = {}
    for s in snapshots:
        embedding = memories.keyframes.get(s.keyframe_id).embedding
        if embedding is not None and embedding.shape == vector.shape:
            whole[s.keyframe_id] = float(embedding @ vector)
    best = sorted(snapshots, key=lambda s: -whole.get(s.keyframe_id, -1.0))[:MAX_CROPPED]
    shown = [objects[i] for s in best for i in s.object_ids if i in objects]
    return scaled(whole), scaled(memories.pictures.crop_likeness(shown, vector))


def _region(
    memories: Memories, request: RetrievalRequest, objects: Mapping[str, SceneObject]
) -> tuple[frozenset[str] | None, str]:
    """Ids of the objects of the room and box that are asked for, None: of anywhere; and where that is, in words."""
    if not request.room and request.box is None:
        return None, ""
    known, where = list(objects.values()), []
    if request.room:
        known = objects_in_room(memories, known, request.room)
        where.append(f"in {request.room}" if "/" in request.room else f"in the {request.room}")
    if request.box is not None:
        low, high = np.asarray(request.box[0]), np.asarray(request.box[1])
        inside = [o for o in known if o.map_id == memories.map_id]
        known = [o for o in inside if np.all(low <= o.center) and np.all(o.center <= high)]
        where.append("in the box")
    return frozenset(o.id for o in known), " and ".join(where)


def _in_time(memories: Memories, request: RetrievalRequest, snapshots: Sequence[Snapshot]) -> frozenset[str] | None:
    """Keyframes of the snapshots that were taken in the time that is asked for; None: any."""
    if request.after_ns is None and request.before_ns is None:
        return None
    stamps = {s.keyframe_id: memories.keyframes.get(s.keyframe_id).stamp_ns for s in snapshots}
    after = request.after_ns if request.after_ns is not None else -1
    return frozenset(
        k for k, t in stamps.items() if t >= after and (request.before_ns is None or t < request.before_ns)
    )


def _captions(memories: Memories, question: str) -> dict[str, tuple[float, str]]:
    """{object id: (score, text)} of what was said of objects that has most to do with a question."""
    if not question.strip():
        return {}
    try:
        embedding = memories.text_encoder.encode([question])[0]
        found, _ = memories.episodic.search(
            EpisodeFilter(kinds=("episode",)),
            text_embedding=embedding,
            image_embedding=None,
            text=question,
            order="relevance",
            limit=MAX_CAPTIONS,
            pose_of=memories.keyframes.pose,
        )
    except (ImportError, OSError, RuntimeError):
        return {}  # no text can be compared: labels may still be named
    captions: dict[str, tuple[float, str]] = {}
    for episode, score, _ in found:
        told = episode.text.startswith("first saw ")  # the label, which is ranked by itself
        if episode.object_id and not told and score > captions.get(episode.object_id, (0.0, ""))[0]:
            captions[episode.object_id] = (float(min(1.0, score)), episode.text)
    return captions
