"""Which moments are worth a short-term record: something changed, somebody came, a place was entered; not every frame.

Plain functions: the caller hands in what the other memories report of one keyframe and what was noticed before, and gets what is
worth a record, and what is to be handed in next time. Nothing is kept here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from loci.episodic.records import Position

ObjectEventKind = Literal["appeared", "new", "moved", "vanished", "found", "state"]
EventKind = Literal["appeared", "new", "moved", "vanished", "found", "state", "person", "place"]
_OBJECT_EVENTS: tuple[ObjectEventKind, ...] = get_args(ObjectEventKind)

#: Labels that are people.
PEOPLE = frozenset({"person", "people", "man", "woman", "child", "boy", "girl", "baby"})


#: What a record says of a thing's state where the report says nothing.
_STATE_AFTER: Mapping[str, str] = {"new": "new", "vanished": "missing", "moved": "moved", "found": "present"}


@dataclass(frozen=True)
class EventParameters:
    """What is worth a record.

    Attributes:
        min_confidence: what is less sure is not told.
        repeat_s: the same about the same object, and a person at the same place, is not told again within so long [s].
        settle_s: a place counts as entered when the robot has been there for so long, so that it is not told from every step along
            the border of two [s].
    """

    min_confidence: float = 0.5
    repeat_s: float = 60.0
    settle_s: float = 2.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.min_confidence <= 1.0:
            raise ValueError(f"expected a least confidence in [0, 1], got {self.min_confidence}")
        for name, value in (("repeat_s", self.repeat_s), ("settle_s", self.settle_s)):
            if not 0.0 <= value < float("inf"):
                raise ValueError(f"expected {name} >= 0 s, got {value}")


@dataclass(frozen=True)
class ObjectReport:
    """What the scene memory noticed of one object.

    Attributes:
        kind: what happened to it.
        object_id, label: which object.
        state: it is in now, e.g. "open"; for ``state`` events.
        confidence: [0, 1].
        position_in_camera: (x, y, z) [m] in the camera frame of the moment's keyframe, or None.
    """

    kind: ObjectEventKind
    object_id: str
    label: str
    state: str = ""
    confidence: float = 1.0
    position_in_camera: Position | None = None

    def __post_init__(self) -> None:
        if self.kind not in _OBJECT_EVENTS:
            raise ValueError(f"expected an event among {', '.join(_OBJECT_EVENTS)}, got {self.kind!r}")
        if not self.object_id:
            raise ValueError("expected the id of the object, got none")
        if self.kind == "state" and not self.state:
            raise ValueError(f"expected the state that {self.object_id} is in now, got none")


@dataclass(frozen=True)
class Moment:
    """What is known of one keyframe.

    Attributes:
        stamp_ns: when [ns].
        place, place_name: id and name of the place the robot is at; empty: not known, without a name.
        labels: categories that are seen.
        objects: what the scene memory noticed.
    """

    stamp_ns: int
    place: str = ""
    place_name: str = ""
    labels: tuple[str, ...] = ()
    objects: tuple[ObjectReport, ...] = ()


@dataclass(frozen=True)
class Event:
    """What is worth a record.

    Attributes:
        kind: see `EventKind`.
        stamp_ns: when [ns].
        text: one line in plain words.
        labels, object_id, state, place, position_in_camera: as in `loci.episodic.records.Episode`.
    """

    kind: EventKind
    stamp_ns: int
    text: str
    labels: tuple[str, ...] = ()
    object_id: str = ""
    state: str = ""
    place: str = ""
    position_in_camera: Position | None = None


@dataclass(frozen=True)
class Noticed:
    """What was noticed so far, as far as it matters for what comes.

    Attributes:
        place: that was entered last.
        next_place, since_ns: where the robot has been since, if that is another one.
        told_ns: when something was told last, by what it was [ns].
    """

    place: str = ""
    next_place: str = ""
    since_ns: int = 0
    told_ns: Mapping[tuple[str, ...], int] = field(default_factory=dict)


def notice(
    moment: Moment, noticed: Noticed, parameters: EventParameters | None = None
) -> tuple[tuple[Event, ...], Noticed]:
    """What of a moment is worth a record, and what was noticed with it.

    A clock that jumped back forgets what was told: then it is told again.

    Args:
        moment: not older than the one before, but for jumps of the clock.
        noticed: what the last call returned; at first `Noticed()`.
        parameters: settings.
    """
    p = parameters or EventParameters()
    repeat_ns = int(p.repeat_s * 1e9)
    told = {key: t for key, t in noticed.told_ns.items() if 0 <= moment.stamp_ns - t < repeat_ns}
    events: list[Event] = []
    entered, after = _enter(moment, noticed, int(p.settle_s * 1e9))
    if entered is not None:
        events.append(entered)
    for report in moment.objects:
        if report.confidence < p.min_confidence:
            continue
        key: tuple[str, ...] = (report.kind, report.object_id, report.state)
        if key not in told:
            events.append(_of_object(report, moment))
        # What happened to a thing makes what happened before news again: opened, closed, opened.
        told = {k: t for k, t in told.items() if k[:1] == ("person",) or k[1] != report.object_id}
        told[key] = moment.stamp_ns
    for label in dict.fromkeys(label for label in moment.labels if label.lower() in PEOPLE):
        key = ("person", moment.place)
        if key not in told:
            events.append(Event("person", moment.stamp_ns, f"saw a {label}", (label,), place=moment.place))
        told[key] = moment.stamp_ns  # who stays in view is not news
    return tuple(events), replace(after, told_ns=told)


def _enter(moment: Moment, noticed: Noticed, settle_ns: int) -> tuple[Event | None, Noticed]:
    if not moment.place or moment.place == noticed.place:
        return None, replace(noticed, next_place="", since_ns=0)
    since = noticed.since_ns
    if moment.place != noticed.next_place or moment.stamp_ns < since:
        since = moment.stamp_ns
    if noticed.place and moment.stamp_ns - since < settle_ns:
        return None, replace(noticed, next_place=moment.place, since_ns=since)
    text = f"entered {moment.place_name or moment.place}"
    return Event("place", since, text, place=moment.place), replace(
        noticed, place=moment.place, next_place="", since_ns=0
    )


def _of_object(report: ObjectReport, moment: Moment) -> Event:
    name = report.label or report.object_id
    text = {
        "appeared": f"first saw {name}",
        "new": f"{name} is new",
        "moved": f"{name} was moved",
        "vanished": f"{name} is gone",
        "found": f"{name} is there again",
        "state": f"{name} is {report.state}",
    }[report.kind]
    return Event(
        report.kind,
        moment.stamp_ns,
        text,
        (report.label,) if report.label else (),
        report.object_id,
        report.state or _STATE_AFTER.get(report.kind, ""),
        moment.place,
        report.position_in_camera,
    )
