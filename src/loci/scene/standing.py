"""Whether an object is where it is said to be, and where it was before: the part of a track that follows the world.

Poses of the past hang on keyframes, so that they move when these are corrected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from loci.geometry import Array

#: "present": where it was found first; "missing": seen to be gone; "moved": present, elsewhere than before; "held": in a hand.
State = Literal["present", "missing", "moved", "held"]
STATES: tuple[State, ...] = ("present", "missing", "moved", "held")

#: Log-odds that a thing is there after it was seen for the first time, and their bounds: what was seen a thousand times can
#: be carried away as quickly as what was seen three times.
FIRST_LOG_ODDS, MAX_LOG_ODDS = 1.5, 3.5


def probability(log_odds: float) -> float:
    """Probability [0, 1] of log-odds."""
    return float(1.0 / (1.0 + np.exp(-log_odds)))


@dataclass(frozen=True)
class PastPose:
    """Where an object was over a span of time.

    Attributes:
        keyframe_id: whose camera frame the pose is in.
        T_camera_box: (4, 4) pose of the box's centre in it.
        size: of the box along its own axes [m].
        first_seen_ns, last_seen_ns: seen there from, and last [ns].
        state: "present": it is there; "missing": it was gone; "moved": it went elsewhere; "held": it was taken.
        on: label of what it lay on or in; empty: not known.
        map_id: map that the keyframe's pose refers to.
    """

    keyframe_id: str
    T_camera_box: Array = field(repr=False)
    size: tuple[float, float, float]
    first_seen_ns: int
    last_seen_ns: int
    state: State
    on: str = ""
    map_id: str = ""

    def as_fields(self) -> dict[str, Any]:
        """JSON-able fields, for `from_fields`."""
        return {
            "keyframe_id": self.keyframe_id,
            "T_camera_box": np.asarray(self.T_camera_box).tolist(),
            "size": list(self.size),
            "first_seen_ns": self.first_seen_ns,
            "last_seen_ns": self.last_seen_ns,
            "state": self.state,
            "on": self.on,
            "map_id": self.map_id,
        }

    @staticmethod
    def from_fields(fields: Mapping[str, Any]) -> PastPose:
        """The pose of `as_fields`.

        Raises:
            KeyError: a field is missing.
            ValueError: the pose is none, or there is no such state.
        """
        x, y, z = (float(v) for v in fields["size"])
        return PastPose(
            str(fields["keyframe_id"]),
            np.array(fields["T_camera_box"], dtype=np.float64).reshape(4, 4),
            (x, y, z),
            int(fields["first_seen_ns"]),
            int(fields["last_seen_ns"]),
            checked_state(fields["state"]),
            str(fields["on"]),
            str(fields["map_id"]),
        )


def checked_state(state: object) -> State:
    """Return ``state`` if there is such a state.

    Raises:
        ValueError: there is none.
    """
    if state not in STATES:
        raise ValueError(f"expected a state among {', '.join(STATES)}, got {state!r}")
    return state


@dataclass
class Standing:
    """What is believed about an object's place.

    Attributes:
        state: see `State`.
        log_odds: that it is where it is said to be.
        first_tick, last_tick: keyframes of the object map, counted over all sessions, in which it was first and last seen;
            stamps may start anew, these do not. 0: of a time when they were not counted.
        first_keyframe_id, last_keyframe_id: keyframes that showed it first and last; empty: not known.
        since_ns: seen where it is now from [ns]; 0: from when it was first seen.
        n_expected, n_detected: views that showed it well, and how many of those the detector found it in.
        n_seen_through: views in which it was detected, and the depth camera saw through it all the same.
        n_looked: views in which it was detected and held against the depth.
        on: label of what it lay on or in when it was last there; empty: not known.
        past: where it was before, oldest first.
    """

    state: State = "present"
    log_odds: float = FIRST_LOG_ODDS
    first_tick: int = 0
    last_tick: int = 0
    first_keyframe_id: str = ""
    last_keyframe_id: str = ""
    since_ns: int = 0
    n_expected: int = 0
    n_detected: int = 0
    n_seen_through: int = 0
    n_looked: int = 0
    on: str = ""
    past: tuple[PastPose, ...] = ()

    @property
    def presence(self) -> float:
        """Probability that the object is where it is said to be, [0, 1]."""
        return probability(self.log_odds)

    @property
    def is_there(self) -> bool:
        """Whether it is believed to be where it is said to be."""
        return self.state in ("present", "moved")

    @property
    def is_doubted(self) -> bool:
        """Whether it is not, or was not seen in its place when that was looked at last."""
        return not self.is_there or self.log_odds < FIRST_LOG_ODDS

    def weigh(self, log_likelihood_ratio: float) -> None:
        """Take in evidence for (> 0) or against (< 0) its presence (Bayes, in log-odds, clamped)."""
        self.log_odds = float(np.clip(self.log_odds + log_likelihood_ratio, -MAX_LOG_ODDS, MAX_LOG_ODDS))

    def there_again(self) -> None:
        """It is in its place."""
        self.state = "moved" if self.past else "present"
        self.log_odds = max(self.log_odds, FIRST_LOG_ODDS)

    def absorb(self, other: Standing) -> None:
        """Become the standing of the union of two parts of one object."""
        self.state = self.state if self.is_there or not other.is_there else other.state
        self.log_odds = max(self.log_odds, other.log_odds)
        if other.first_tick < self.first_tick:
            self.first_tick, self.first_keyframe_id = other.first_tick, other.first_keyframe_id
        if other.last_tick > self.last_tick:
            self.last_tick, self.last_keyframe_id = other.last_tick, other.last_keyframe_id
        self.past = self.past or other.past
        self.on = self.on or other.on
        for name in ("n_expected", "n_detected", "n_seen_through", "n_looked"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def as_fields(self) -> dict[str, Any]:
        """JSON-able fields, for `from_fields`."""
        return {**{k: v for k, v in vars(self).items() if k != "past"}, "past": [p.as_fields() for p in self.past]}

    @staticmethod
    def from_fields(fields: Mapping[str, Any] | None) -> Standing:
        """The standing of `as_fields`; None: of a memory from before objects followed the world.

        Raises:
            KeyError, TypeError, ValueError: they are none.
        """
        if fields is None:
            return Standing()
        known = {k: fields[k] for k in vars(Standing()) if k in fields and k != "past"}
        past = tuple(PastPose.from_fields(p) for p in fields.get("past", ()))
        return replace(Standing(**known), state=checked_state(fields["state"]), past=past)
