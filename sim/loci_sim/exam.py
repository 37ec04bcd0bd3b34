"""Questions about a scene and whether answers to them are right: the ground truth that the demo may not answer from.

Questions are drawn with a seed from what the scene's sidecar holds. Answers are judged by the evidence they give (positions,
labels, times) as well as by their words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from loci.planning.protocols import Answer
from loci.query import Evidence
from loci_sim.meshes import planar_pose
from loci_sim.rendering import Renderer
from loci_sim.robot import RobotParameters
from loci_sim.scenes import Scene, SceneThing

#: Things that no scene holds.
ABSENT = ("piano", "bicycle", "aquarium", "drum kit")
#: An answer may be so far off the thing's centre, beyond half its diagonal [m].
TOLERANCE = 0.3
#: What counts as seen: so much of the image, no further away than [m].
MIN_SHARE, MAX_DISTANCE = 0.001, 3.5
#: The last look and the answer's time may differ by so much [s]: one or two steps.
TIME_TOLERANCE = 1.0
#: Names that mean the same kind of room.
ROOM_SYNONYMS = {"study": ("study", "office"), "office": ("study", "office")}


@dataclass(frozen=True)
class TracePoint:
    """Where the robot was when an image was taken: base at (x, y, z) [m], heading ``yaw`` [rad]."""

    stamp_ns: int
    x: float
    y: float
    yaw: float
    z: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and the truth in plain words."""

    correct: bool
    truth: str


@dataclass(frozen=True)
class Task:
    """A question and how to judge an answer to it."""

    question: str
    judge: Callable[[Answer], Verdict]


def make_exam(scene: Scene, seed: int, trace: Sequence[TracePoint], robot: RobotParameters | None = None) -> list[Task]:
    """Five questions: where is X, what is on Y, which rooms have Z, what did you see last in R, have you seen a W.

    Args:
        scene: with its ground truth.
        seed: draws the questions.
        trace: the robot's poses, oldest first; for what it saw last.
        robot: its camera; default: the simulator's.

    Raises:
        ValueError: the scene holds nothing to ask one of these about.
    """
    rng = np.random.default_rng([seed, 5])
    things = [o for o in scene.objects if o.category != "door" and not o.inside]
    return [
        _where(scene, things, rng),
        _what_is_on(things, rng),
        _which_rooms(scene, things, rng),
        _seen_last(scene, things, trace, robot or RobotParameters()),
        _have_you_seen(things, rng),
    ]


def _where(scene: Scene, things: Sequence[SceneThing], rng: np.random.Generator) -> Task:
    counts = Counter(o.category for o in things)
    small = [o for o in things if counts[o.category] == 1 and o.on]
    thing = _draw(rng, small or [o for o in things if counts[o.category] == 1], "a thing of its kind that is alone")
    room = _room_name(scene, thing)
    by_id = {o.id: o for o in scene.objects}
    place = f"on the {by_id[thing.on].category} in the {room}" if thing.on in by_id else f"in the {room}"

    def judge(answer: Answer) -> Verdict:
        first = next((e for e in answer.evidence if e.kind == "object"), None)
        right = answer.known and first is not None and first.label == thing.category and _is_at(first.position, thing)
        if right and first is not None and first.room_name:
            right = first.room_name in _synonyms(room)
        return Verdict(bool(right), f"{place}, at ({', '.join(f'{v:.2f}' for v in thing.center)})")

    return Task(f"Where is the {thing.category}?", judge)


def _what_is_on(things: Sequence[SceneThing], rng: np.random.Generator) -> Task:
    counts = Counter(o.category for o in things)
    carried = {o.id: [p for p in things if p.on == o.id] for o in things}
    carriers = [o for o in things if counts[o.category] == 1 and len(carried[o.id]) >= 2]
    carrier = _draw(rng, carriers, "furniture that is alone of its kind, with two things on it")
    truth = Counter(p.category for p in carried[carrier.id])

    def judge(answer: Answer) -> Verdict:
        told = Counter(e.label for e in answer.evidence if e.kind == "object" and e.label != carrier.category)
        return Verdict(answer.known and told == truth, ", ".join(sorted(truth.elements())))

    return Task(f"What is on the {carrier.category}?", judge)


def _which_rooms(scene: Scene, things: Sequence[SceneThing], rng: np.random.Generator) -> Task:
    rooms: dict[str, set[str]] = {}
    for o in things:
        rooms.setdefault(o.category, set()).add(_room_name(scene, o))
    category = _draw(
        rng, sorted(c for c, names in rooms.items() if 2 <= len(names) <= 3), "a kind of thing in several rooms"
    )
    names = {r.name for r in scene.rooms}

    def judge(answer: Answer) -> Verdict:
        text = answer.answer.lower()
        told = {name for name in names if any(s in text for s in _synonyms(name))}
        if "dining room" not in rooms[category] and category == "dining table":
            told.discard("dining room")
        return Verdict(answer.known and told == rooms[category], " and ".join(sorted(rooms[category])))

    return Task(f"Which rooms have {_indefinite(category)}?", judge)


def _seen_last(scene: Scene, things: Sequence[SceneThing], trace: Sequence[TracePoint], robot: RobotParameters) -> Task:
    """About the room that was left longest ago among those of a name of their own: the newest image is not the answer.

    A door may count for either room that it joins. So an answer is right if what it tells is in the room, was truly seen last
    when it says, and nothing that can only be in this room was seen later.
    """
    counts = Counter(r.name for r in scene.rooms)
    inside = {r.id: [o for o in things if o.room == r.id] for r in scene.rooms if counts[r.name] == 1}
    last = _last_looks(scene, trace, robot)
    left = {
        r: max(last[o.id] for o in found if o.id in last) for r, found in inside.items() if _n_seen(found, last) >= 3
    }
    if not left:
        raise ValueError("expected a path on which three things of a room with a name of its own can be seen")
    room_id = min(left, key=lambda r: left[r])
    tolerance_ns = TIME_TOLERANCE * 1e9

    def is_right(evidence: Evidence) -> bool:
        same = [
            o for o in scene.objects if o.category == evidence.label and _is_at(evidence.position, o) and o.id in last
        ]
        return any(
            room_id in _rooms_touched(scene, o) and abs(evidence.stamp_ns - last[o.id]) <= tolerance_ns for o in same
        )

    def judge(answer: Answer) -> Verdict:
        told = [e for e in answer.evidence if e.kind == "object"]
        right = bool(told) and all(is_right(e) for e in told) and told[0].stamp_ns >= left[room_id] - tolerance_ns
        newest = sorted({o.category for o in inside[room_id] if last.get(o.id, 0) >= left[room_id] - tolerance_ns})
        return Verdict(answer.known and right, f"{', '.join(newest)}, at {left[room_id] * 1e-9:.1f} s, or a door later")

    name = next(r.name for r in scene.rooms if r.id == room_id)
    return Task(f"What did you see last in the {name}?", judge)


def _n_seen(things: Sequence[SceneThing], last: Mapping[str, int]) -> int:
    return sum(o.id in last for o in things)


def _have_you_seen(things: Sequence[SceneThing], rng: np.random.Generator) -> Task:
    present = sorted({o.category for o in things if o.on})
    absent = [name for name in ABSENT if name not in {o.category for o in things}]
    is_there = bool(rng.random() < 0.5)
    wanted = _draw(rng, present if is_there else absent, "a thing that is there or not")
    where = [o for o in things if o.category == wanted]

    def judge(answer: Answer) -> Verdict:
        if not is_there:
            claimed = any(e.label == wanted for e in answer.evidence)
            return Verdict(answer.known and answer.answer.startswith("No") and not claimed, f"there is no {wanted}")
        first = next((e for e in answer.evidence if e.kind == "object"), None)
        right = (
            answer.known
            and first is not None
            and first.label == wanted
            and any(_is_at(first.position, o) for o in where)
        )
        return Verdict(bool(right), f"there {'is one' if len(where) == 1 else f'are {len(where)}'}")

    return Task(f"Have you seen {_indefinite(wanted)}?", judge)


def _last_looks(scene: Scene, trace: Sequence[TracePoint], robot: RobotParameters) -> dict[str, int]:
    """{id of a thing: stamp of the last image that shows it}, rendered again from the trace, newest first and small."""
    robot = replace(robot, width=160, height=120)
    renderer = Renderer(scene, robot.camera, robot.max_range)
    by_instance = {o.instance: o.id for o in scene.objects}
    found: dict[str, int] = {}
    for point in reversed(trace):
        if len(found) == len(by_instance):
            break
        T = planar_pose(point.x, point.y, point.z, point.yaw) @ robot.T_base_camera
        _, depth, _, instances = renderer.render(T)
        ids, counts = np.unique(instances[(depth > 0) & (depth <= MAX_DISTANCE)], return_counts=True)
        for instance in ids[counts >= MIN_SHARE * instances.size].tolist():
            if instance in by_instance:
                found.setdefault(by_instance[instance], point.stamp_ns)
    return found


def _rooms_touched(scene: Scene, thing: SceneThing) -> set[str]:
    """The room a thing is in; for a door, the rooms that it joins."""
    if thing.category != "door":
        return {thing.room}
    x, y = thing.center[:2]
    reach = float(np.max(thing.size[:2])) / 2 + TOLERANCE
    near = ((x + dx, y + dy) for dx in (-reach, 0.0, reach) for dy in (-reach, 0.0, reach))
    return {room.id for point in near if (room := scene.room_at(*point, float(thing.center[2]))) is not None} | {
        thing.room
    }


def _is_at(position: tuple[float, float, float] | None, thing: SceneThing) -> bool:
    if position is None:
        return False
    return (
        float(np.linalg.norm(np.asarray(position) - thing.center)) <= TOLERANCE + float(np.linalg.norm(thing.size)) / 2
    )


def _room_name(scene: Scene, thing: SceneThing) -> str:
    return next((r.name for r in scene.rooms if r.id == thing.room), "")


def _synonyms(name: str) -> tuple[str, ...]:
    return ROOM_SYNONYMS.get(name, (name,))


def _indefinite(name: str) -> str:
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"


def _draw(rng: np.random.Generator, options, what: str):  # type: ignore[no-untyped-def]
    if not options:
        raise ValueError(f"expected {what} in the scene")
    return options[int(rng.integers(len(options)))]
