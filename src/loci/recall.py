"""Recall over all memories: filter, score and rank; only the page that was asked for is described.

Reads published views only, so that it answers while observations stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from loci.contradictions import with_contradictions
from loci.episodic.long_term import EpisodeFilter
from loci.episodic.records import Episode
from loci.evidence import (
    Memories,
    attach_images,
    describe_episode,
    describe_object,
    describe_place,
    describe_room,
    describe_snapshot,
    rooms_of_objects,
)
from loci.object_scores import scores_by_looks, scores_by_words
from loci.perception.matching import PicturePose
from loci.pictured import ShownObject, objects_shown
from loci.query import KINDS, SAME_VIEW, Evidence, Kind, Order, Origin, Query
from loci.scene.objects import SceneObject
from loci.spatial.regions import Room
from loci.store.errors import StoreError
from loci.understanding import narrowed

Vector = npt.NDArray[np.float32]

#: What is ranked behind something of a lower score comes this much below it.
_BELOW = 1e-5
#: So many local features that agree leave no doubt that two images show the same. Only the first ones by likeness are compared so
#: closely, and of those from nearly the same place [m] and direction (cosine) only the first.
_SURE_INLIERS, _MAX_VERIFIED, _SAME_PLACE, _SAME_DIRECTION = 100, 64, 0.4, 0.9
_MAX_CANDIDATES = 1000
#: Of equal scores the most specific comes first: an object before the snapshot and the room that contain it.
_PRIORITY = {"object": 0, "snapshot": 1, "room": 2, "place": 3, "frontier": 4, "episode": 5, "keyframe": 5}


@dataclass(frozen=True)
class Recollection:
    """A page of answers, best first, and how many there are in all."""

    evidence: tuple[Evidence, ...]
    n_total: int


@dataclass(frozen=True)
class _Candidate:
    """What is needed to rank a thing; describing it is left until it is known to be on the page. ``rank``: mostly its score."""

    kind: Kind
    rank: float
    when: tuple[int, int]
    describe: Callable[..., Evidence]
    object_id: str = ""


def recall(memories: Memories, query: Query) -> Recollection:
    """Ranked evidence from all memories for a query.

    Words of order and time in its text ("the last time", "before noon") are conditions as long as something meets them, see
    `loci.understanding`.

    Raises:
        ValueError: the query's embeddings have another dimension than the memory's encoders.
    """
    for meant in narrowed(memories, query, lambda q: _recall(memories, q).evidence):
        found = _recall(memories, meant)
        if found.n_total:
            return found
    return found


def _recall(memories: Memories, query: Query) -> Recollection:
    """Ranked evidence for a query, whose text ranks and nothing more."""
    text_embedding, image_embedding = _embeddings(memories, query)
    kinds = set(query.kinds or KINDS)
    ranked = text_embedding is not None or image_embedding is not None
    order: Order = query.order if ranked or query.order != "relevance" else "newest"
    found: list[_Candidate] = []
    n_more = 0
    if kinds & {"object", "snapshot", "room"}:
        n_best = query.offset + query.limit if ranked and order == "relevance" else None
        candidates, n_more = _scene_candidates(memories, query, kinds, text_embedding, image_embedding, n_best)
        found += candidates
    if "place" in kinds and (image_embedding is not None or not ranked):
        found += _place_candidates(memories, query, image_embedding)
    if kinds & {"keyframe", "episode"}:
        sought = None
        if query.image is not None and kinds & {"keyframe", "episode"} == {"keyframe"}:
            sought = _Picture(memories, query.image, order)
        episodes, n_total = memories.episodic.search(
            _episode_filter(memories, query, kinds),
            text_embedding=text_embedding,
            image_embedding=image_embedding,
            text=query.text,
            order=order,
            limit=max(query.offset + query.limit, _MAX_CANDIDATES if sought else 0),
            pose_of=memories.keyframes.pose,
        )
        if sought is not None:
            episodes = sought.verified(episodes)
        rank = 1.0
        for e, score, origin in episodes:
            # They keep the order in which the episodic memory has them: its short term may come before better scores.
            rank = score if score <= rank else rank - _BELOW
            when = memories.episodic.time_key(e.session, e.stamp_ns)
            describe = partial(describe_episode, memories, e, score, origin)
            if sought is not None:
                describe = partial(sought.placed, e.keyframe_id, describe)
            found.append(_Candidate(e.kind, rank, when, describe))
        n_more += n_total - len(episodes)
    page = _sorted(found, order)[query.offset : query.offset + query.limit]
    memories.scene.supports(c.object_id for c in page if c.object_id)  # all at once, for `describe_object`
    rooms = _rooms_by_id(memories, [c.object_id for c in page if c.object_id])
    evidence = with_contradictions(memories, [c.describe(**rooms.get(c.object_id, {})) for c in page])
    memories.episodic.short_term.count_reads(e.id for e in evidence if e.origin == "short_term")
    if query.with_images:
        evidence = attach_images(memories, evidence, query.max_image_bytes)
    return Recollection(tuple(evidence), len(found) + n_more)


def _rooms_by_id(memories: Memories, object_ids: Sequence[str]) -> dict[str, dict[str, Room]]:
    """{object id: ``room`` for `describe_object`} of those in a room; looked up together, which is many times faster than one by one."""
    by_id = memories.scene.by_id()
    rooms = rooms_of_objects(memories, [by_id[i] for i in object_ids]) if object_ids else []
    return {i: {"room": room} for i, room in zip(object_ids, rooms, strict=True) if room is not None}


class _Picture:
    """A picture that is looked for: which keyframes show the same, by local features, and from where it was taken."""

    def __init__(self, memories: Memories, image: npt.NDArray[np.uint8], order: Order) -> None:
        self._memories, self._image, self._order = memories, image, order
        self._positions: dict[str, tuple[float, float, float]] = {}

    def verified(self, episodes: Sequence[tuple[Episode, float, Origin]]) -> list[tuple[Episode, float, Origin]]:
        """The same, the first ones looked at closely: those that show the same place have `SAME_VIEW` or more, and come first."""
        checked: list[tuple[Episode, float, Origin]] = []
        views = np.empty((0, 6))  # positions and directions of those that were compared
        for e, score, origin in episodes:
            T_map_keyframe = self._memories.keyframes.pose(e.keyframe_id)
            is_new = len(views) < _MAX_VERIFIED and not np.any(
                (np.linalg.norm(views[:, :3] - T_map_keyframe[:3, 3], axis=1) < _SAME_PLACE)
                & (views[:, 3:] @ T_map_keyframe[:3, 2] > _SAME_DIRECTION)
            )
            pose = None
            if is_new:
                views = np.vstack([views, [*T_map_keyframe[:3, 3], *T_map_keyframe[:3, 2]]])
                pose = self._pose(e.keyframe_id)
            if pose is not None:
                T = T_map_keyframe @ pose.T_keyframe_picture
                self._positions[e.keyframe_id] = (float(T[0, 3]), float(T[1, 3]), float(T[2, 3]))
                score = max(score, SAME_VIEW + (1.0 - SAME_VIEW) * min(1.0, pose.n_inliers / _SURE_INLIERS))
            checked.append((e, score, origin))
        # Sorting is stable: among equals, and by time, the order stays.
        return sorted(checked, key=lambda c: -c[1]) if self._order == "relevance" else checked

    def placed(self, keyframe_id: str, describe: Callable[[], Evidence]) -> Evidence:
        """Evidence whose position is where the picture was taken, if that is known."""
        evidence = describe()
        position = self._positions.get(keyframe_id)
        return evidence if position is None else replace(evidence, position=position)

    def _pose(self, keyframe_id: str) -> PicturePose | None:
        try:
            return self._memories.pictures.taken_from(self._image, keyframe_id)
        except (KeyError, StoreError):
            return None  # forgotten or damaged since: it is ranked by its embedding alone


def _embeddings(memories: Memories, query: Query) -> tuple[Vector | None, Vector | None]:
    text = query.text_embedding
    if text is None and query.text is not None:
        text = memories.text_encoder.encode([query.text])[0]
    image = query.image_embedding
    if image is None and query.image is not None:
        image = memories.image_encoder.encode(query.image)
    for name, embedding, encoder in (
        ("text", text, memories.text_encoder),
        ("image", image, memories.image_encoder),
    ):
        if embedding is not None and len(embedding) != encoder.dimension:
            expected = f"{encoder.dimension} values of {encoder.name}"
            raise ValueError(f"expected a {name} embedding of {expected}, got {len(embedding)} values")
    return text, image


def _scene_candidates(
    memories: Memories,
    query: Query,
    kinds: set[Kind],
    text_embedding: Vector | None,
    image_embedding: Vector | None,
    n_best: int | None,
) -> tuple[list[_Candidate], int]:
    """Objects, snapshots and rooms that match, and how many objects beyond the ``n_best`` best ones were left out."""
    objects = memories.scene.objects()
    shown: Mapping[str, ShownObject] = {}
    if query.image is not None and query.detections and "object" in kinds:
        shown = objects_shown(
            objects, memories.keyframes, memories.spatial, memories.map_id, query.image, query.detections
        )
        scores = np.array([shown[o.id].score if o.id in shown else 0.0 for o in objects], dtype=np.float32)
    else:
        scores = _object_scores(memories, objects, query, text_embedding, image_embedding)
    rooms = rooms_of_objects(memories, objects) if query.place or "room" in kinds else [None] * len(objects)
    matches = _objects_match(memories, query, objects, rooms)
    found: list[_Candidate] = []
    n_left_out = 0
    if "object" in kinds:
        rows = np.flatnonzero(matches)
        if n_best is not None and len(rows) > n_best:
            least = np.partition(scores[rows], len(rows) - n_best)[len(rows) - n_best]
            best = rows[scores[rows] >= least - 1e-6]  # those as good as the last one as well: age decides between them
            n_left_out = len(rows) - len(best)
            rows = best
        for row in rows.tolist():
            o, score = objects[row], float(scores[row])
            when = memories.episodic.time_key(memories.keyframes.get(o.keyframe_id).session, o.last_seen_ns)
            describe = partial(_describe_shown, memories, o, score, shown.get(o.id), room=rooms[row])
            found.append(_Candidate("object", score, when, describe, o.id))
    kept = {o.id: score for o, score, ok in zip(objects, scores.tolist(), matches.tolist(), strict=True) if ok}
    if "snapshot" in kinds:
        for snapshot in memories.scene.snapshots():
            best_score = max((kept[i] for i in snapshot.object_ids if i in kept), default=None)
            if best_score is not None:
                keyframe = memories.keyframes.get(snapshot.keyframe_id)
                when = memories.episodic.time_key(keyframe.session, keyframe.stamp_ns)
                found.append(
                    _Candidate("snapshot", best_score, when, partial(describe_snapshot, memories, snapshot, best_score))
                )
    if (
        "room" in kinds
        and query.object_id is None
        and query.state is None
        and not query.states
        and image_embedding is None
    ):
        found += _room_candidates(memories, query, objects, rooms, kept)
    return found, n_left_out


def _room_candidates(
    memories: Memories,
    query: Query,
    objects: Sequence[SceneObject],
    rooms: Sequence[Room | None],
    kept: dict[str, float],
) -> Iterator[_Candidate]:
    view = memories.spatial.view
    for room in view.rooms if view else ():
        inside = [o for o, r in zip(objects, rooms, strict=True) if r is not None and r.id == room.id]
        score = max((kept[o.id] for o in inside if o.id in kept), default=None)
        if score is not None and query.place in (None, room.id, room.name):
            newest = max(inside, key=lambda o: o.last_seen_ns)
            session = memories.keyframes.get(newest.keyframe_id).session
            when = memories.episodic.time_key(session, newest.last_seen_ns)
            describe = partial(describe_room, memories, room, [o.label for o in inside], score)
            yield _Candidate("room", score, when, describe)


def _describe_shown(
    memories: Memories, o: SceneObject, score: float, shown: ShownObject | None, room: Room | None = None
) -> Evidence:
    """An object as evidence; one that a picture shows, with the pose from which it does."""
    evidence = describe_object(memories, o, score, room)
    return evidence if shown is None else replace(evidence, T_map_camera=shown.T_map_camera)


def _object_scores(
    memories: Memories,
    objects: Sequence[SceneObject],
    query: Query,
    text_embedding: Vector | None,
    image_embedding: Vector | None,
) -> npt.NDArray[np.float32]:
    if text_embedding is not None:
        scores = scores_by_words(memories, objects, query.text, text_embedding)
        return scores if query.text is None else np.maximum(scores, scores_by_looks(memories, objects, query.text))
    if image_embedding is not None:
        scores = np.zeros(len(objects), dtype=np.float32)
        for i, o in enumerate(objects):
            embedding = memories.keyframes.get(o.keyframe_id).embedding
            if embedding is not None and embedding.shape == image_embedding.shape:  # else of another encoder
                scores[i] = np.clip(embedding @ image_embedding, 0.0, 1.0)
        return scores
    return np.ones(len(objects), dtype=np.float32)


def _objects_match(
    memories: Memories, query: Query, objects: Sequence[SceneObject], rooms: Sequence[Room | None]
) -> npt.NDArray[np.bool_]:
    """(N,) which objects meet all conditions of the query."""
    conditions = (
        query.object_id,
        query.state,
        query.states or None,
        query.session,
        query.after_ns,
        query.before_ns,
        query.place,
    )
    if not query.labels and query.position is None and query.box is None and all(c is None for c in conditions):
        return np.ones(len(objects), dtype=np.bool_)
    matches = (_object_matches(memories, query, o, room) for o, room in zip(objects, rooms, strict=True))
    return np.fromiter(matches, dtype=np.bool_, count=len(objects))


def _object_matches(memories: Memories, query: Query, o: SceneObject, room: Room | None) -> bool:
    keyframe = memories.keyframes.get(o.keyframe_id)
    return (
        (not query.labels or o.label in query.labels)
        and query.object_id in (None, o.id)
        and (query.state in (None, o.state) or query.state in o.attributes)
        and (not query.states or o.state in query.states or not set(query.states).isdisjoint(o.attributes))
        and query.session in (None, keyframe.session)
        and (query.after_ns is None or o.last_seen_ns >= query.after_ns)
        and (query.before_ns is None or o.first_seen_ns < query.before_ns)
        and (
            query.place is None
            or query.place == keyframe.place
            or (room is not None and query.place in (room.id, room.name))
        )
        and _position_matches(memories, query, o.map_id, o.center)
    )


def _position_matches(memories: Memories, query: Query, map_id: str, position: npt.ArrayLike) -> bool:
    if query.position is None and query.box is None:
        return True
    if map_id != memories.map_id:  # the query's coordinates are those of the current map
        return False
    p = np.asarray(position)
    if query.position is not None and np.linalg.norm(p - query.position) > (query.radius or 0.0):
        return False
    return query.box is None or bool(np.all(p >= query.box[0]) and np.all(p <= query.box[1]))


def _place_candidates(memories: Memories, query: Query, image_embedding: Vector | None) -> Iterator[_Candidate]:
    """Places; they have no words of their own, so that objects and rooms answer for them where a text ranks."""
    if query.labels or query.state or query.states or query.object_id:
        return
    topology = memories.spatial.topology()
    names = {room.id: room.name for room in topology.rooms}
    for place in topology.places:
        # Nobody has been at an imported place that hangs on no keyframe: it is of no session and of no time.
        keyframe = memories.keyframes.get(place.keyframe_id) if place.keyframe_id else None
        session, seen_ns = (keyframe.session, keyframe.stamp_ns) if keyframe else ("", None)
        if not (
            query.session in (None, session)
            and (query.place is None or query.place in (place.id, place.name, place.room, names.get(place.room)))
            and (query.after_ns is None or (seen_ns is not None and place.last_visit_ns >= query.after_ns))
            and (query.before_ns is None or (seen_ns is not None and seen_ns < query.before_ns))
            and _position_matches(memories, query, place.map_id, place.position)
        ):
            continue
        score = 1.0
        if image_embedding is not None:
            if place.embedding is None or place.embedding.shape != image_embedding.shape:
                continue
            score = float(np.clip(place.embedding @ image_embedding, 0.0, 1.0))
        when = memories.episodic.time_key(session, place.last_visit_ns)
        yield _Candidate("place", score, when, partial(describe_place, memories, place, score))


def places_of(memories: Memories, place: str) -> frozenset[str]:
    """Ids of the places meant by a place's id or name, a room's id or a room's name."""
    topology = memories.spatial.topology()
    rooms = {room.id for room in topology.rooms if place in (room.id, room.name)}
    return frozenset(p.id for p in topology.places if place in (p.id, p.name) or p.room in rooms)


def _episode_filter(memories: Memories, query: Query, kinds: set[Kind]) -> EpisodeFilter:
    return EpisodeFilter(
        kinds=tuple(sorted(kinds & {"keyframe", "episode"})),
        labels=query.labels,
        object_id=query.object_id,
        places=None if query.place is None else places_of(memories, query.place),
        state=query.state,
        states=query.states,
        position=query.position,
        radius=query.radius,
        box=query.box,
        after_ns=query.after_ns,
        before_ns=query.before_ns,
        session=query.session,
        # The query's coordinates are those of the current map.
        map_id=None if query.position is None and query.box is None else memories.map_id,
    )


def _sorted(candidates: list[_Candidate], order: Order) -> list[_Candidate]:
    if order == "oldest":
        return sorted(candidates, key=lambda c: c.when)
    newest = sorted(candidates, key=lambda c: c.when, reverse=True)
    return newest if order == "newest" else sorted(newest, key=lambda c: (-round(c.rank, 6), _PRIORITY[c.kind]))
