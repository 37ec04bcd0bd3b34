"""A day in a generated home: a robot makes its rounds and does chores, people move things meanwhile and tell it things.

`load_day` renders the day once (kept under out/bench/days/): frames, what was told, and the truth of what was done and of where things stood.
`live` lets a `RobotMemory` live through it: frames with the simulator's labels and masks as detections, the robot's own deeds and what people
said as remarks. Ground truth drives and scores; the memory gets images, poses and shuffled masks with labels.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import numpy as np

from common import OUT
from loci.geometry import Camera
from loci.keyframes import encode_color, encode_depth
from loci.memory import RobotMemory
from loci_sim.affordances import affordances
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.person import HABITS
from loci_sim.protocol import Interaction, SimulatorObservation
from loci_sim.scenes import SceneThing
from loci_sim.viewpoints import viewpoints
from scene_homes import CLEAN, Pose, Shot, encode_instances, observe, read_shots, tour_poses, write_shots

#: Part of the names of kept days: raise it when what happens, or what is kept of it, changes.
VERSION = 1
#: When the robot makes its rounds [hours of the day], how long a frame takes [s], and how many of the tour's poses it leaves out.
ROUNDS = (7, 9, 11, 13, 15, 17, 19, 21)
FRAME_S, EVERY = 2.0, 3
BEGAN = datetime(2026, 3, 2, 6, 55, tzinfo=UTC)
ROBOT = RobotParameters(width=480, height=360, step_duration=FRAME_S)
#: Things that the robot carries, that people take away, and the most that the robot does after a round.
N_CARRIED, N_TAKEN = 2, 1
#: Views that are tried before the robot gives a thing up, and how near it goes [m].
_VIEWS, _ARM = 12, 1.0

_INTERACTIONS: Mapping[str, tuple[Interaction, Interaction, str, str]] = {
    "openable": ("open", "close", "open", "closed"),
    "switchable": ("switch_on", "switch_off", "on", "off"),
}
#: What people say in the course of the day: who, what it is about, and the words.
REMARKS = (
    ("Anna", "passport", "my passport is in the blue envelope"),
    ("Ben", "suitcase", "the suitcase has to be packed until Friday"),
    ("Clara", "piano", "the piano will be tuned on Thursday"),
    ("Anna", "bicycle", "the bicycle has a flat tyre"),
    ("Ben", "parcel", "a parcel comes this week, put it next to the front door"),
    ("Clara", "cat", "the cat must not go outside"),
    ("Anna", "milk", "we are out of milk, two bottles are to be bought"),
    ("Ben", "drill", "I lent the drill to the neighbour"),
    ("Clara", "spare key", "the spare key hangs behind the mirror"),
    ("Anna", "plumber", "the plumber comes at nine tomorrow"),
    ("Ben", "guitar", "the guitar needs new strings"),
    ("Clara", "passport photo", "a passport photo has to be taken for the trip"),
)


@dataclass(frozen=True)
class Deed:
    """Something that was done: ground truth.

    Attributes:
        kind: "move", "take_away", "open", "close", "switch_on", "switch_off" or "say".
        by: "robot", or who of the people.
        category, instance: the thing; of what was said: what it is about, and -1.
        source, target: categories of what a moved thing lay on, and was put on; empty: nothing.
        stamp_ns: when [ns].
        text, state: what the memory was told; empty: nothing.
        labels: that it was told with.
        after_frame: it was told after this frame; -1: it was not.
    """

    kind: str
    by: str
    category: str
    instance: int
    stamp_ns: int
    source: str = ""
    target: str = ""
    text: str = ""
    state: str = ""
    labels: tuple[str, ...] = ()
    after_frame: int = -1


@dataclass(frozen=True)
class Stay:
    """Where a thing stood from some time on [ns]; ``center`` (x, y, z) [m]; None: nowhere in the home, or in the hand."""

    since_ns: int
    center: tuple[float, float, float] | None


@dataclass(frozen=True)
class Day:
    """What the robot saw and was told, and the truth."""

    home: str
    camera: Camera
    categories: Mapping[int, str]
    deeds: tuple[Deed, ...]
    stays: Mapping[int, tuple[Stay, ...]]
    rounds: tuple[tuple[int, int], ...]  # stamps of the first and the last frame of each [ns]
    shots: tuple[Shot, ...] = field(repr=False)

    def center_at(self, instance: int, stamp_ns: int) -> tuple[float, float, float] | None:
        """Where a thing was at a time; None: nowhere."""
        return [s for s in self.stays[instance] if s.since_ns <= stamp_ns][-1].center


@dataclass(frozen=True)
class Lived:
    """A day as a memory lived through it.

    Attributes:
        frame_of: number of the frame of every keyframe id.
        records: ids of what was told, by the number of the deed.
    """

    frame_of: Mapping[str, int]
    records: Mapping[int, str]


def load_day(seed: int) -> Day:
    """The day in the apartment of a seed; rendered if it is not kept yet."""
    path = OUT / "days" / f"apartment-{seed}-day{VERSION}.npz"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        simulator = EmbeddedSimulator(f"apartment:{seed}", ROBOT, start_stamp_ns=int(BEGAN.timestamp()) * 10**9)
        try:
            director = _Director(simulator, seed)
            director.play()
        finally:
            simulator.close()
        write_shots(path, director.shots)
        path.with_suffix(".json").write_text(json.dumps(director.truth()) + "\n")
    truth = json.loads(path.with_suffix(".json").read_text())
    return Day(
        f"apartment:{seed}",
        ROBOT.camera,
        {int(i): c for i, c in truth["categories"].items()},
        tuple(Deed(**{**d, "labels": tuple(d["labels"])}) for d in truth["deeds"]),
        {
            int(i): tuple(Stay(s, None if c is None else (c[0], c[1], c[2])) for s, c in stays)
            for i, stays in truth["stays"].items()
        },
        tuple((int(a), int(b)) for a, b in truth["rounds"]),
        tuple(read_shots(path)),
    )


class _Director:
    """Draws the day and plays it: the rounds of the robot, its chores, and what people do between the rounds."""

    def __init__(self, simulator: EmbeddedSimulator, seed: int) -> None:
        self.simulator, self._rng = simulator, np.random.default_rng([seed, 61])
        self.shots: list[Shot] = []
        self.deeds: list[Deed] = []
        self.rounds: list[tuple[int, int]] = []
        things = simulator.objects
        self.categories = {t.instance: t.category for t in things}
        self.stays: dict[int, list[Stay]] = {t.instance: [Stay(0, _center(t))] for t in things}
        counts = Counter(self.categories.values())
        self._single = [t for t in things if counts[t.category] == 1]

    def truth(self) -> dict[str, object]:
        """JSON-able."""
        stays = {i: [(s.since_ns, s.center) for s in stays] for i, stays in self.stays.items()}
        deeds = [asdict(d) for d in self.deeds]
        return {"categories": self.categories, "deeds": deeds, "stays": stays, "rounds": self.rounds}

    def play(self) -> None:
        """The whole day."""
        poses = [p for i, p in enumerate(tour_poses(self.simulator)) if i % EVERY != 2]
        chores, errands = self._plan()
        remarks = list(REMARKS)
        for n, hour in enumerate(ROUNDS):
            self._advance_to(hour * 60.0)
            for person, about, text in remarks[:2] if n else ():
                self._say(person, about, text)
            remarks = remarks[2:] if n else remarks
            self._walk(poses)
            if n:
                for chore in chores[n]:
                    chore()
            self.rounds[-1] = (self.rounds[-1][0], self.shots[-1].stamp_ns)
            for i, errand in enumerate(errands[n]):
                self._advance_to(hour * 60.0 + 40.0 + 15.0 * i)
                errand()

    def _plan(self) -> tuple[list[list[Callable[[], None]]], list[list[Callable[[], None]]]]:
        """What the robot does after each round, and what people do between that and the next."""
        rng, n_rounds = self._rng, len(ROUNDS)
        chores: list[list[Callable[[], None]]] = [[] for _ in range(n_rounds)]
        errands: list[list[Callable[[], None]]] = [[] for _ in range(n_rounds)]
        movable = [t for t in self._single if affordances(t.category).pickable and t.on and not t.inside]
        movable = [movable[i] for i in rng.permutation(len(movable))]
        carried, others = movable[:N_CARRIED], movable[N_CARRIED:]
        for t in carried:
            chores[int(rng.integers(2, n_rounds - 2))].append(lambda t=t: self._carry(t))
        taken = [t for t in others if t.category in HABITS][:N_TAKEN]
        for t in taken:
            errands[int(rng.integers(2, n_rounds - 2))].append(lambda t=t: self._take_away(t))
        left = [t for t in others if t not in taken and t.category in HABITS]
        for i, t in enumerate(left):
            for n in np.sort(rng.permutation(np.arange(1, n_rounds - 1))[: 1 + (i % 2) * 2]).tolist():
                errands[n].append(lambda t=t: self._move(t))
        for t in self._single:
            can = affordances(t.category)
            if t in movable or not (can.openable or can.switchable):
                continue
            do, undo, state, opposite = _INTERACTIONS["openable" if can.openable else "switchable"]
            n_times = int(rng.integers(1, 4))
            for k, n in enumerate(np.sort(rng.integers(1, n_rounds, 2 * n_times)).tolist()):
                what, now = (undo, opposite) if k % 2 else (do, state)
                chores[n].append(lambda t=t, what=what, now=now: self._interact(t, what, now))
        return chores, errands

    def _advance_to(self, minutes: float) -> None:
        midnight = BEGAN.replace(hour=0, minute=0).timestamp()
        seconds = midnight + 60.0 * minutes - self.simulator.stamp_ns / 1e9
        if seconds > 0:
            self.simulator.advance(seconds)

    def _walk(self, poses: Sequence[Pose]) -> None:
        first = len(self.shots)
        for x, y, yaw in poses:
            if self.simulator.is_navigable(x, y):
                self._film(self.simulator.reset_to(x, y, yaw))
        self.rounds.append((self.shots[first].stamp_ns, self.shots[-1].stamp_ns))

    def _film(self, seen: SimulatorObservation) -> None:
        self.shots.append(
            Shot(
                encode_color(seen.color),
                encode_depth(seen.depth),
                encode_instances(np.asarray(seen.instances, dtype=np.uint16)),
                seen.T_map_camera,
                seen.stamp_ns,
            )
        )

    def _now(self, thing: SceneThing) -> SceneThing:
        return next(t for t in self.simulator.objects if t.id == thing.id)

    def _category(self, identity: str) -> str:
        return next((t.category for t in self.simulator.objects if t.id == identity), "")

    def _say(self, person: str, about: str, text: str) -> None:
        self.deeds.append(
            Deed("say", person, about, -1, self.shots[-1].stamp_ns, text=text, after_frame=len(self.shots) - 1)
        )

    def _tell(self, kind: str, t: SceneThing, text: str, state: str, source: str = "", target: str = "") -> None:
        labels = tuple(x for x in (t.category, source or target) if x)
        stamp_ns, n = self.shots[-1].stamp_ns, len(self.shots) - 1
        self.deeds.append(Deed(kind, "robot", t.category, t.instance, stamp_ns, source, target, text, state, labels, n))

    def _stand(self, identity: str, interaction: Interaction) -> bool:
        """Do something from where it can be done; the image that shows the thing before is filmed."""
        thing = next(t for t in self.simulator.objects if t.id == identity)
        points = viewpoints(self.simulator, identity, _ARM)
        for i in self._rng.permutation(len(points))[:_VIEWS]:
            x, y, _ = (float(v) for v in points[i])
            seen = self.simulator.reset_to(x, y, float(np.arctan2(thing.center[1] - y, thing.center[0] - x)))
            if self.simulator.interact(interaction, identity).done:
                self._film(seen)
                return True
        return False

    def _interact(self, t: SceneThing, interaction: Interaction, state: str) -> None:
        if not self._stand(t.id, interaction):
            return
        words = {"open": "opened", "close": "closed", "switch_on": "switched on", "switch_off": "switched off"}
        self._tell(interaction, t, f"I {words[interaction]} the {t.category}", state)
        self._film(self.simulator.observe())

    def _carry(self, t: SceneThing) -> None:
        """The robot takes a thing somewhere else."""
        source = self._now(t).on
        if not self._stand(t.id, "pick"):
            return
        self._tell(
            "pick", t, f"I picked up the {t.category} from the {self._category(source)}", "held", self._category(source)
        )
        self.stays[t.instance].append(Stay(self.shots[-1].stamp_ns, None))
        goals = [s.id for s in self._single if affordances(s.category).surface and s.id != source]
        for goal in [*(goals[i] for i in self._rng.permutation(len(goals))), source]:
            if self._stand(goal, "place"):
                target = self._category(goal)
                self._tell("move", t, f"I put the {t.category} on the {target}", "placed", "", target)
                self.stays[t.instance].append(Stay(self.shots[-1].stamp_ns, _center(self._now(t))))
                self._film(self.simulator.observe())
                return
        raise ValueError(f"expected a place in {self.simulator.map_id} for {t.id}, got none")

    def _move(self, t: SceneThing) -> None:
        """Somebody carries a thing to where people put such things."""
        here = self._now(t)
        goals = [
            g.id
            for g in self.simulator.objects
            if g.category in HABITS[t.category] and g.id != here.on and affordances(g.category).surface
        ]
        for i in self._rng.permutation(len(goals)):
            if self.simulator.world.takes_inside(goals[i]):
                continue
            if not self.simulator.carry(t.id, goals[i], int(self._rng.integers(1000))):
                now = self.simulator.stamp_ns
                source, target = self._category(here.on), self._category(goals[i])
                self.deeds.append(Deed("move", "somebody", t.category, t.instance, now, source, target))
                self.stays[t.instance].append(Stay(now, _center(self._now(t))))
                return

    def _take_away(self, t: SceneThing) -> None:
        source = self._category(self._now(t).on)
        if not self.simulator.take_away(t.id):
            now = self.simulator.stamp_ns
            self.deeds.append(Deed("take_away", "somebody", t.category, t.instance, now, source))
            self.stays[t.instance].append(Stay(now, None))


def _center(t: SceneThing) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in t.center)
    return x, y, z


def live(day: Day, memory: RobotMemory, progress: Callable[[str], None] = print) -> Lived:
    """Let a memory live through a day: every frame, and what was told after it."""
    told: dict[int, list[int]] = {}
    for i, deed in enumerate(day.deeds):
        told.setdefault(deed.after_frame, []).append(i)
    frame_of: dict[str, int] = {}
    records: dict[int, str] = {}
    for n, shot in enumerate(day.shots):
        observation, _ = observe(shot, day.camera, day.categories, CLEAN, np.random.default_rng([17, n]))
        result = memory.observe(observation)
        if result.keyframe_id:
            frame_of[result.keyframe_id] = n
        for i in told.get(n, ()):
            deed = day.deeds[i]
            center = None if deed.instance < 0 else _told_center(day, deed)
            records[i] = memory.remember(
                deed.text,
                deed.by,
                labels=deed.labels,
                state=deed.state,
                object_id=_object_meant(memory, deed.category, center),
                position=center,
            )
        if n % 200 == 0:
            progress(f"{day.home}: frame {n} of {len(day.shots)}")
    memory.refresh()
    return Lived(frame_of, records)


def _told_center(day: Day, deed: Deed) -> tuple[float, float, float] | None:
    """Where the hand was: for a thing that was picked up, where it was."""
    return day.center_at(deed.instance, deed.stamp_ns) or day.center_at(deed.instance, deed.stamp_ns - 1)


def _object_meant(memory: RobotMemory, category: str, center: tuple[float, float, float] | None) -> str:
    """The object that the robot's hand touched: the nearest that is called so; empty: the memory knows none."""
    alike = [o for o in memory.objects() if o.label == category]
    if center is None or not alike:
        return ""
    return min(alike, key=lambda o: float(np.linalg.norm(np.subtract(o.center, center)))).id
