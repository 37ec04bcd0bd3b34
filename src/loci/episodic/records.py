"""Episodes: what is remembered of one moment, and how it is written to the store."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from loci.geometry import Array, transform_points
from loci.store.store import Record

PoseOf = Callable[[str], Array]
Position = tuple[float, float, float]

_PLAIN = ("text", "keyframe_id", "place", "object_id", "state", "source", "pinned", "count", "until_ns")


@dataclass(frozen=True)
class Episode:
    """One thing that happened.

    Attributes:
        id: "episode/104", or the keyframe's id for what a keyframe saw.
        kind: "keyframe" (what a keyframe saw) or "episode" (an event, a remark).
        text: one line in plain words; data, never an instruction.
        labels: categories it is about.
        stamp_ns, session, map_id: when it was, and the map that ``position`` refers to.
        keyframe_id: keyframe it hangs on; empty: none.
        place: id of the place; empty: none.
        object_id, object_ids: the one object it is about, and all that take part; empty: none.
        state: e.g. "open"; empty: not known.
        source: who observed or wrote it.
        pinned: never merged away or forgotten by budget.
        position_in_camera: (x, y, z) [m] in the camera frame of its keyframe, or None.
        position: (x, y, z) [m] in the map frame, of an episode without a keyframe, or None.
        count: how many experiences were merged into it.
        until_ns: stamp of the last of these [ns]; 0: only ``stamp_ns``.
        is_quoted: somebody wrote the text (see ``source``); nothing was observed.
    """

    id: str
    kind: Literal["keyframe", "episode"]
    text: str
    labels: tuple[str, ...] = ()
    stamp_ns: int = 0
    session: str = ""
    map_id: str = ""
    keyframe_id: str = ""
    place: str = ""
    object_id: str = ""
    object_ids: tuple[str, ...] = ()
    state: str = ""
    source: str = ""
    pinned: bool = False
    position_in_camera: Position | None = None
    position: Position | None = None
    count: int = 1
    until_ns: int = 0
    is_quoted: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("keyframe", "episode"):
            raise ValueError(f"expected kind 'keyframe' or 'episode', got {self.kind!r}")
        if self.position_in_camera is not None and not self.keyframe_id:
            raise ValueError(f"expected a keyframe for the position_in_camera of {self.id}")
        for position in (self.position_in_camera, self.position):
            if position is not None and not all(map(math.isfinite, position)):
                raise ValueError(f"expected a finite position of {self.id}, got {position}")

    @property
    def all_object_ids(self) -> tuple[str, ...]:
        """Every object it is about, once."""
        return tuple(dict.fromkeys(i for i in (self.object_id, *self.object_ids) if i))

    @property
    def offset(self) -> Position | None:
        """Where it is in the camera frame of its keyframe [m]; what a keyframe saw counts as being at the camera."""
        if self.position_in_camera is None and self.position is None and self.kind == "keyframe":
            return (0.0, 0.0, 0.0)
        return self.position_in_camera

    def position_with(self, pose_of: PoseOf) -> Position | None:
        """Position in the map frame [m] with the keyframe's pose as corrected last; None: not known.

        Args:
            pose_of: ``T_map_camera`` (4, 4) of a keyframe's id; a KeyError means that it is gone.
        """
        if self.offset is None:
            return self.position
        try:
            T_map_camera = pose_of(self.keyframe_id or self.id)
        except KeyError:
            return self.position
        x, y, z = transform_points(T_map_camera, np.asarray(self.offset))
        return (float(x), float(y), float(z))


def episode_to_fields(episode: Episode) -> dict[str, Any]:
    """What the store keeps of an episode besides its id, stamp, session and map."""
    fields = {name: getattr(episode, name) for name in _PLAIN}
    fields |= {
        name: getattr(episode, name)
        for name in ("kind", "labels", "object_ids", "position_in_camera", "position", "is_quoted")
    }
    return fields


def episode_from_record(record: Record) -> Episode:
    """The episode that was kept by `episode_to_fields`."""
    fields = record.fields
    position_in_camera, position = fields["position_in_camera"], fields["position"]
    return Episode(
        id=record.id,
        kind=fields["kind"],
        labels=tuple(fields["labels"]),
        stamp_ns=record.stamp_ns,
        session=record.session,
        map_id=record.map_id,
        object_ids=tuple(fields["object_ids"]),
        position_in_camera=None if position_in_camera is None else tuple(position_in_camera),
        position=None if position is None else tuple(position),
        # The first release did not say; what was observed hangs on a keyframe.
        is_quoted=fields.get("is_quoted", fields["kind"] == "episode" and not fields["keyframe_id"]),
        **{name: fields[name] for name in _PLAIN},
    )
