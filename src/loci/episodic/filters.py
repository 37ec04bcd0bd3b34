"""Conditions on episodes, as data: the same for one episode in memory and for all columns of the long term."""

from __future__ import annotations

import math
from dataclasses import dataclass

from loci.episodic.records import Episode, PoseOf, Position


@dataclass(frozen=True)
class EpisodeFilter:
    """Conditions that must all hold; a condition that is None or empty always does.

    Attributes:
        kinds: any of "keyframe", "episode".
        labels: any of these categories.
        object_id: about this object.
        places: at one of these places; an empty set: at none, so nothing matches.
        state, states: in this state, in any of these.
        position, radius: at most ``radius`` [m] from (x, y, z) in the map frame.
        box: in the closed box (lower corner, upper corner) [m], map frame.
        after_ns, before_ns: in [after, before) [ns].
        session, map_id: of this session, of this map.
    """

    kinds: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    object_id: str | None = None
    places: frozenset[str] | None = None
    state: str | None = None
    states: tuple[str, ...] = ()
    position: Position | None = None
    radius: float | None = None
    box: tuple[Position, Position] | None = None
    after_ns: int | None = None
    before_ns: int | None = None
    session: str | None = None
    map_id: str | None = None

    def __post_init__(self) -> None:
        if (self.position is None) != (self.radius is None):
            raise ValueError("expected position and radius together")

    @property
    def is_spatial(self) -> bool:
        """Whether it needs positions."""
        return self.position is not None or self.box is not None

    def matches(self, episode: Episode, pose_of: PoseOf) -> bool:
        """Whether one episode meets all conditions.

        Args:
            pose_of: ``T_map_camera`` of a keyframe's id.
        """
        if self.kinds and episode.kind not in self.kinds:
            return False
        if self.labels and not set(self.labels) & set(episode.labels):
            return False
        if self.object_id is not None and self.object_id not in episode.all_object_ids:
            return False
        if self.places is not None and episode.place not in self.places:
            return False
        if self.states and episode.state not in self.states:
            return False
        pairs = ((self.state, episode.state), (self.session, episode.session), (self.map_id, episode.map_id))
        if any(wanted is not None and wanted != value for wanted, value in pairs):
            return False
        if self.after_ns is not None and episode.stamp_ns < self.after_ns:
            return False
        if self.before_ns is not None and episode.stamp_ns >= self.before_ns:
            return False
        if not self.is_spatial:
            return True
        position = episode.position_with(pose_of)
        if position is None:
            return False
        if self.position is not None and self.radius is not None and math.dist(position, self.position) > self.radius:
            return False
        if self.box is None:
            return True
        return all(low <= p <= high for low, p, high in zip(self.box[0], position, self.box[1], strict=True))
