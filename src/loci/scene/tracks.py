"""One object while it is being built: the mutable state behind a published `SceneObject`.

Its points are anchored: they are kept in the frame of the keyframe with the best view, and the map-frame points
follow that keyframe when its pose is corrected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from loci.geometry import Array, invert_pose, transform_points
from loci.scene.attribute_votes import AttributeVotes
from loci.scene.clouds import Cloud, Points, add_up, clusters, downsample, in_box, merge_clouds, upright_box
from loci.scene.colors import COLOR_NAMES, color_indices, dominant_colors, lit_pixels, white_level
from loci.scene.sightings import MIN_STRAYS, UNKNOWN_LABELS, Sighting
from loci.scene.standing import PastPose, Standing, State


@dataclass(frozen=True)
class SceneObject:
    """An object in the map, as published: it never changes.

    Attributes:
        id: e.g. ``"object/12"``.
        label: that with the most votes, each detection's weighed by its score; ``"segment"``: nobody knows what it is.
        label_confidence: its share of the votes, [0, 1].
        confidence: mean detection score, [0, 1].
        state: ``"present"``, ``"missing"``, ``"moved"`` (present, elsewhere than before) or ``"held"``.
        center: (x, y, z) of the box [m], map frame.
        T_map_box: (4, 4) pose of the box's centre; upright.
        size: of the box along its own axes [m].
        n_detections: in how many keyframes it was seen.
        first_seen_ns, last_seen_ns: stamps [ns].
        keyframe_id: its best view, whose frame the points are anchored in.
        image_box: (x0, y0, x1, y1) of it there [px].
        colors: names, most frequent first.
        map_id: map that the coordinates refer to.
        points: (M, 3) float32 [m], map frame.
        embedding: (D,) unit mean of the detections' embeddings, or None.
        attributes: what detectors told besides the label, surest first; of states ("open", "closed") the newest.
        attribute_confidences: of these, [0, 1].
        presence: probability that it is where it is said to be, [0, 1].
        since_ns: seen where it is now from [ns].
        past: where it was before, oldest first.
    """

    id: str
    label: str
    label_confidence: float
    confidence: float
    state: str
    center: tuple[float, float, float]
    T_map_box: Array = field(repr=False)
    size: tuple[float, float, float]
    n_detections: int
    first_seen_ns: int
    last_seen_ns: int
    keyframe_id: str
    image_box: tuple[int, int, int, int]
    colors: tuple[str, ...]
    map_id: str
    points: Points = field(repr=False)
    embedding: npt.NDArray[np.float32] | None = field(default=None, repr=False)
    attributes: tuple[str, ...] = ()
    attribute_confidences: tuple[float, ...] = ()
    presence: float = 1.0
    since_ns: int = 0
    past: tuple[PastPose, ...] = field(default=(), repr=False)

    @property
    def is_there(self) -> bool:
        """Whether it is believed to be where it is said to be: neither missing nor held."""
        return self.state in ("present", "moved")

    @cached_property
    def bounds(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Lowest and highest coordinates of the points, (3,) each [m], map frame."""
        return self.points.min(axis=0), self.points.max(axis=0)


_NONE = np.zeros((0, 3), dtype=np.float32)
#: Least weight of a vote.
MIN_VOTE = 1e-3
#: Voxel size [m] and number of the points that a track claims beside its own.
CLAIM_CELL, MAX_CLAIMS = 0.05, 400
#: Claimed points become a track's own if at least so many of its detections had points there, and this share of them, and if
#: they lie above or below its box, grown by this margin [m]: the foot of a washbasin hides behind the basin's rim.
MIN_CLAIMED, MIN_CLAIMED_SHARE, CLAIM_MARGIN = 3, 0.25, 0.05
#: Points that were seen, with those around them, less often than this share of the median are no part of the box, once there
#: are so many detections: noise is elsewhere in every view.
MIN_SUPPORT, SUPPORTED_FROM = 0.15, 5


class Track:
    """An object under construction."""

    def __init__(self, track_id: str, map_id: str, cloud: Cloud) -> None:
        self.id = track_id
        self.map_id = map_id
        self.cloud = cloud
        #: Sum of the scores of the detections that said so, by label.
        self.votes: dict[str, float] = {}
        self.label = ""  # that with the most votes
        self.n_detections = 0
        self.score_sum = 0.0
        self.first_seen_ns = 0
        self.last_seen_ns = 0
        self.embedding_sum: npt.NDArray[np.float32] | None = None
        self.keyframe_id = ""
        self.T_map_anchor: Array = np.eye(4)
        self.quality = -1.0
        self.image_box = (0, 0, 1, 1)
        self.colors: tuple[str, ...] = ()
        self.attributes = AttributeVotes()
        #: How often another object was detected in the same image: evidence that the two are not one.
        self.seen_with: Counter[str] = Counter()
        #: Where else detections of it had points, (C, 3) float32 [m], map frame: another part of it, or what is behind it.
        self.claims = _NONE
        self.claim_counts = np.zeros(0, dtype=np.int32)  # (C,) by how many detections
        #: How often one detection's mask covered this and another object: evidence that the two are parts of one.
        self.bridges: Counter[str] = Counter()
        #: Whether it is there, and where it was before.
        self.standing = Standing()
        #: Pixels of each colour name in its best view, (13,), as far as they were looked at.
        self.color_counts = np.zeros(len(COLOR_NAMES), dtype=np.int64)
        self.T_map_box, self.size = upright_box(cloud.points)

    @property
    def bounds(self) -> Array:
        """Lower and upper corner (6,) of its points [m], map frame."""
        return self.cloud.bounds

    @property
    def is_labelled(self) -> bool:
        return self.label not in UNKNOWN_LABELS

    @property
    def embedding(self) -> npt.NDArray[np.float32] | None:
        if self.embedding_sum is None:
            return None
        norm = float(np.linalg.norm(self.embedding_sum))
        return self.embedding_sum / np.float32(norm) if norm > 0 else None

    def share_of_votes(self, label: str) -> float:
        """Which share of the votes is for a label, [0, 1]."""
        return min(1.0, self.votes.get(label, 0.0) / max(sum(self.votes.values()), MIN_VOTE))

    def fuse(
        self, sighting: Sighting, color: npt.NDArray[np.uint8], T_map_camera: Array, keyframe_id: str, stamp_ns: int
    ) -> None:
        """Take in one sighting; the first one must have made the cloud."""
        has_grown = False
        if self.n_detections == 0:
            self.first_seen_ns = stamp_ns
        else:
            has_grown = self.cloud.add(sighting.points)
        self._vote({sighting.label or "segment": max(sighting.score, MIN_VOTE)})
        self.n_detections += 1
        self.score_sum += sighting.score
        self.last_seen_ns = stamp_ns
        if sighting.embedding is not None:
            if self.embedding_sum is None or self.embedding_sum.shape != sighting.embedding.shape:
                self.embedding_sum = sighting.embedding.copy()
            else:
                self.embedding_sum = self.embedding_sum + sighting.embedding
        if sighting.is_labelled and len(sighting.strays) >= MIN_STRAYS:
            has_grown |= self._claim(sighting.strays)
        if has_grown:
            self._update_box()
        quality = sighting.n_pixels * sighting.score * (0.3 if sighting.truncated else 1.0)
        if quality > 1.2 * self.quality:  # a clearly better view; anchors should not wander from keyframe to keyframe
            self.quality = quality
            self.keyframe_id = keyframe_id
            self.T_map_anchor = T_map_camera
            self.image_box = sighting.box
            some = sighting.pixels[:: max(1, len(sighting.pixels) // 500)]
            lit = lit_pixels(color.reshape(-1, 3)[some], white_level(color))
            self.colors = dominant_colors(lit)
            self.color_counts = np.bincount(color_indices(lit), minlength=len(COLOR_NAMES))

    def _claim(self, strays: Points) -> bool:
        """Note where a detection had further points (S, 3); take in those that were there often; returns whether it grew."""
        new, _ = downsample(strays, np.zeros(len(strays), dtype=np.int64), np.array([CLAIM_CELL]))
        counts = np.concatenate([self.claim_counts, np.ones(len(new), dtype=np.int32)])
        self._set_claims(np.concatenate([self.claims, new]), counts)
        often = self.claim_counts >= max(MIN_CLAIMED, MIN_CLAIMED_SHARE * self.n_detections)
        if not np.any(often):
            return False
        flat = (self.claims[:, :2] - self.T_map_box[:2, 3]) @ self.T_map_box[:2, :2]  # (C, 2) along the box's axes
        often &= np.all(np.abs(flat) <= np.divide(self.size[:2], 2) + CLAIM_MARGIN, axis=1)
        if not np.any(often):
            return False
        own = strays[Cloud(self.claims[often], cell=CLAIM_CELL).holds(strays)]
        return len(own) > 0 and self.cloud.add(own)

    def _set_claims(self, points: Points, counts: npt.NDArray[np.int32]) -> None:
        """Claim points (C, 3) with counts (C,), one for each voxel; of too many those with the highest counts."""
        if not len(points):
            return
        points, counts = add_up(points, counts, CLAIM_CELL)
        kept = np.sort(np.argsort(-counts, kind="stable")[:MAX_CLAIMS])
        self.claims, self.claim_counts = points[kept], counts[kept]

    def absorb(self, other: Track) -> None:
        """Become the union of this and another object."""
        self.cloud = merge_clouds(self.cloud, other.cloud)
        self._vote(other.votes)
        self.n_detections += other.n_detections
        self.score_sum += other.score_sum
        self.first_seen_ns = min(self.first_seen_ns, other.first_seen_ns)
        self.last_seen_ns = max(self.last_seen_ns, other.last_seen_ns)
        self.seen_with += other.seen_with
        self.bridges += other.bridges
        for counts in (self.seen_with, self.bridges):
            counts.pop(self.id, None)
            counts.pop(other.id, None)
        self._set_claims(
            np.concatenate([self.claims, other.claims]), np.concatenate([self.claim_counts, other.claim_counts])
        )
        self.attributes.absorb(other.attributes)
        if self.embedding_sum is None:
            self.embedding_sum = other.embedding_sum
        elif other.embedding_sum is not None and other.embedding_sum.shape == self.embedding_sum.shape:
            self.embedding_sum = self.embedding_sum + other.embedding_sum
        if other.quality > self.quality:
            self.quality, self.keyframe_id, self.T_map_anchor = other.quality, other.keyframe_id, other.T_map_anchor
            self.image_box, self.colors = other.image_box, other.colors
            self.color_counts = other.color_counts
        self.standing.absorb(other.standing)
        self._update_box()

    def place(self, state: State) -> PastPose:
        """Where it is, or was last, as an entry of its history that ends in a state."""
        return PastPose(
            keyframe_id=self.keyframe_id,
            T_camera_box=invert_pose(self.T_map_anchor) @ self.T_map_box,
            size=self.size,
            first_seen_ns=self.standing.since_ns or self.first_seen_ns,
            last_seen_ns=self.last_seen_ns,
            state=state,
            on=self.standing.on,
            map_id=self.map_id,
        )

    def take_place_of(self, other: Track) -> None:
        """Be where another object was found, which is this one: its points, box and best view; where this one was is history.

        What was learnt of the thing itself (label, embedding, what it is not) stays.
        """
        past = (*self.standing.past, self.place("moved"))
        mine = self.standing
        self.cloud, self.bridges = other.cloud, other.bridges.copy()
        self.claims, self.claim_counts = other.claims, other.claim_counts
        self.T_map_box, self.size = other.T_map_box, other.size
        self.keyframe_id, self.T_map_anchor, self.quality = other.keyframe_id, other.T_map_anchor, other.quality
        self.image_box, self.colors, self.color_counts = other.image_box, other.colors, other.color_counts
        self._vote(other.votes)
        self.n_detections += other.n_detections
        self.score_sum += other.score_sum
        self.last_seen_ns = other.last_seen_ns
        self.seen_with += other.seen_with
        for counts in (self.seen_with, self.bridges):
            counts.pop(self.id, None)
            counts.pop(other.id, None)
        if self.embedding_sum is None:
            self.embedding_sum = other.embedding_sum
        elif other.embedding_sum is not None and other.embedding_sum.shape == self.embedding_sum.shape:
            self.embedding_sum = self.embedding_sum + other.embedding_sum
        self.standing = replace(
            other.standing,
            state="moved",
            first_tick=mine.first_tick,
            since_ns=other.first_seen_ns,
            past=past,
            n_expected=mine.n_expected + other.standing.n_expected,
            n_detected=mine.n_detected + other.standing.n_detected,
            n_seen_through=mine.n_seen_through + other.standing.n_seen_through,
            n_looked=mine.n_looked + other.standing.n_looked,
        )

    def reduce(self, keep: npt.NDArray[np.bool_]) -> None:
        """Keep only some points, (M,) bool with at least one True."""
        self.cloud.keep(keep)
        self._update_box()

    def move(self, T_map_anchor: Array) -> bool:
        """Follow the anchor's corrected pose; returns whether anything moved."""
        if np.allclose(T_map_anchor, self.T_map_anchor, rtol=0.0, atol=1e-9):
            return False
        delta = T_map_anchor @ invert_pose(self.T_map_anchor)
        points = transform_points(delta, self.cloud.points).astype(np.float32)
        self.cloud = Cloud(points, self.cloud.counts, self.cloud.cell)
        self.claims = transform_points(delta, self.claims).astype(np.float32)
        self.T_map_anchor = T_map_anchor
        self._update_box()
        return True

    def publish(self) -> SceneObject:
        """The object as it is now."""
        x, y, z = self.T_map_box[:3, 3].tolist()
        told = self.attributes.elected()
        return SceneObject(
            id=self.id,
            label=self.label,
            label_confidence=self.share_of_votes(self.label),
            confidence=self.score_sum / max(1, self.n_detections),
            state=self.standing.state,
            center=(x, y, z),
            T_map_box=self.T_map_box,
            size=self.size,
            n_detections=self.n_detections,
            first_seen_ns=self.first_seen_ns,
            last_seen_ns=self.last_seen_ns,
            keyframe_id=self.keyframe_id,
            image_box=self.image_box,
            colors=self.colors,
            map_id=self.map_id,
            points=self.cloud.points,
            embedding=self.embedding,
            attributes=tuple(name for name, _ in told),
            attribute_confidences=tuple(share for _, share in told),
            presence=self.standing.presence,
            since_ns=self.standing.since_ns or self.first_seen_ns,
            past=self.standing.past,
        )

    def record(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """JSON-able fields, and arrays whose ``points`` and ``claims`` are in the anchor's camera frame."""
        anchored = transform_points(invert_pose(self.T_map_anchor), self.cloud.points)
        arrays: dict[str, npt.NDArray[Any]] = {"points": anchored.astype(np.float32), "counts": self.cloud.counts}
        if len(self.claims):
            arrays["claims"] = transform_points(invert_pose(self.T_map_anchor), self.claims).astype(np.float32)
            arrays["claim_counts"] = self.claim_counts
        if self.embedding_sum is not None:
            arrays["embedding_sum"] = self.embedding_sum
        return {
            "map_id": self.map_id,
            "label": self.label,
            "cell": self.cloud.cell,
            "label_weights": dict(self.votes),
            "n_detections": self.n_detections,
            "score_sum": self.score_sum,
            "first_seen_ns": self.first_seen_ns,
            "last_seen_ns": self.last_seen_ns,
            "keyframe_id": self.keyframe_id,
            "T_map_anchor": self.T_map_anchor.tolist(),
            "quality": self.quality,
            "image_box": list(self.image_box),
            "colors": list(self.colors),
            "attributes": self.attributes.record(),
            "seen_with": dict(self.seen_with),
            "bridges": dict(self.bridges),
            "color_counts": self.color_counts.tolist(),
            "standing": self.standing.as_fields(),
        }, arrays

    @staticmethod
    def restored(
        track_id: str, fields: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], T_map_anchor: Array | None
    ) -> Track:
        """The object of a `record`; where its keyframe is now, or None: where it was when it was recorded.

        Raises:
            ValueError: the record lacks something, or has no points.
        """
        try:
            anchor = np.array(fields["T_map_anchor"], dtype=np.float64) if T_map_anchor is None else T_map_anchor
            points = transform_points(anchor, arrays["points"]).astype(np.float32)
            if points.ndim != 2 or not len(points) or len(points) != len(arrays["counts"]):
                raise ValueError(f"expected as many points as counts, at least one, got {points.shape}")
            track = Track(track_id, fields["map_id"], Cloud(points, arrays["counts"].astype(np.int32), fields["cell"]))
            track.seen_with.update(fields["seen_with"])
            track.bridges.update(fields["bridges"])
            track.n_detections, track.score_sum = int(fields["n_detections"]), float(fields["score_sum"])
            if "votes" in fields:  # a memory of before votes were weighed: it counted detections
                mean = max(track.score_sum / max(1, track.n_detections), MIN_VOTE)
                track._vote({label: mean * n for label, n in fields["votes"].items()})
            else:
                track._vote(fields["label_weights"])
            track.first_seen_ns, track.last_seen_ns = int(fields["first_seen_ns"]), int(fields["last_seen_ns"])
            track.keyframe_id, track.T_map_anchor = str(fields["keyframe_id"]), anchor
            track.quality = float(fields["quality"])
            x0, y0, x1, y1 = (int(v) for v in fields["image_box"])
            track.image_box, track.colors = (x0, y0, x1, y1), tuple(fields["colors"])
            track.attributes = AttributeVotes.restored(fields.get("attributes"))
            track.standing = Standing.from_fields(fields.get("standing"))
            if "color_counts" in fields:
                track.color_counts = np.array(fields["color_counts"], dtype=np.int64)
            if "claims" in arrays:
                track.claims = transform_points(anchor, arrays["claims"]).astype(np.float32)
                known = arrays.get("claim_counts")  # memories of earlier versions have none
                track.claim_counts = np.ones(len(track.claims), dtype=np.int32) if known is None else known
            if "embedding_sum" in arrays:
                track.embedding_sum = np.array(arrays["embedding_sum"], dtype=np.float32)
        except KeyError as error:
            raise ValueError(f"expected the record of {track_id} to have {error}") from None
        track._update_box()
        return track

    def _vote(self, weights: Mapping[str, float]) -> None:
        """Add votes and elect the label with the most, where any detection knew one; of equals the first in the alphabet."""
        for label, weight in weights.items():
            self.votes[label] = self.votes.get(label, 0.0) + float(weight)
        self.label = min(self.votes, key=lambda label: (label in UNKNOWN_LABELS, -self.votes[label], label), default="")

    def _update_box(self) -> None:
        points = self.cloud.points
        if self.n_detections >= SUPPORTED_FROM:
            support = self.cloud.support()
            points = points[support >= MIN_SUPPORT * np.median(support)]
        self.T_map_box, self.size = upright_box(points)


#: The other object's box is grown so much [m] for what may lie on its side that is not seen yet.
_ISLAND_MARGIN = 0.1


def share_out(a: Track, b: Track) -> bool:
    """Give the points that two objects both have to the one that was seen there more often; returns whether any was taken away.

    Two things that were taken for one have both in the first one's points, until an image shows them apart and the second
    one begins; from then on each is seen at its own place.
    """
    low, high = np.maximum(a.bounds[:3], b.bounds[:3]), np.minimum(a.bounds[3:], b.bounds[3:])
    if np.any(low > high):
        return False
    pairs = (a, b), (b, a)
    keeps = [other.cloud.support(mine.cloud.points) <= mine.cloud.support() for mine, other in pairs]
    changed = False
    for (mine, other), keep in zip(pairs, keeps, strict=True):
        if np.all(keep) or np.count_nonzero(keep) < 4:
            continue
        keep[keep] = ~_islands_in(mine.cloud.points[keep], other)
        mine.reduce(keep)
        changed = True
    return changed


def _islands_in(points: Points, other: Track) -> npt.NDArray[np.bool_]:
    """Which of an object's points (N, 3) are not joined to most of it any more, and lie in another one's box: sides of that
    which only those images showed that took both for one."""
    component = clusters(points, np.zeros(len(points), dtype=np.int64))
    sizes = np.bincount(component)
    inside = in_box(points, other.T_map_box, other.size, _ISLAND_MARGIN)
    mostly = np.bincount(component, weights=inside) > 0.5 * sizes
    mostly[np.argmax(sizes)] = False
    return np.asarray(mostly[component])
