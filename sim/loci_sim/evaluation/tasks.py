"""What a suite asks for and what comes of it: plain data that go to and from JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from loci.observation import Detection

GoalKind = Literal["category", "description", "image"]
GOAL_KINDS: tuple[GoalKind, ...] = get_args(GoalKind)
MemoryUse = Literal["full", "short", "long", "none"]
MEMORY_USES: tuple[MemoryUse, ...] = get_args(MemoryUse)
Split = Literal["dev", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True)
class Goal:
    """Something to go to.

    Attributes:
        kind: how it is told.
        text: the instruction; for an image "go to what this picture shows" or the like.
        image: JPEG of the goal; None unless ``kind`` is "image".
        detections: what the simulated detector sees in the image; empty: nobody has looked.
        object_ids: ground truth: the objects any of which is meant.
        viewpoints: ground truth: (x, y, z) from where they are seen [m], if a benchmark says so; None: the simulator knows.
    """

    kind: GoalKind
    text: str
    object_ids: tuple[str, ...]
    image: bytes | None = field(default=None, repr=False)
    viewpoints: tuple[tuple[float, float, float], ...] | None = field(default=None, repr=False)
    detections: tuple[Detection, ...] = field(default=(), repr=False, compare=False)


#: At what a policy gave up; empty: it did not, or does not say.
GaveUp = Literal["", "understanding", "recalling", "driving"]


@dataclass(frozen=True)
class Stop:
    """How a policy ended a task: whether it says that it is there, why or why not, in plain words, and at what it gave up."""

    claims: bool
    reason: str = ""
    gave_up: GaveUp = ""


@dataclass(frozen=True)
class Question:
    """Something to find out.

    Attributes:
        kind: category of OpenEQA (Majumdar et al. 2024).
        text: as it is asked.
        accepted: an answer is right if it has one of these words or phrases in it, and
        refused: none of these.
        object_ids: ground truth: objects any of which tells the answer to who sees it.
    """

    kind: str
    text: str
    accepted: tuple[str, ...]
    refused: tuple[str, ...]
    object_ids: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """One thing of a chore.

    Attributes:
        verb: "place", or an interaction with one thing.
        object_ids: ground truth: any of these will do; the first was tried.
        target_ids: of "place": on or in any of these.
    """

    verb: Literal["place", "open", "close", "switch_on", "switch_off", "clean"]
    object_ids: tuple[str, ...]
    target_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chore:
    """Something to do with things.

    Attributes:
        kind: "simple", "composite" or "complex" (KARMA).
        text: the instruction.
        steps: ground truth: what must have been done at the end.
    """

    kind: str
    text: str
    steps: tuple[Step, ...]

    @property
    def object_ids(self) -> tuple[str, ...]:
        """The things of the first step."""
        return self.steps[0].object_ids


@dataclass(frozen=True)
class Revisit:
    """Something to go to after a day, told by what was done in it.

    Attributes:
        kind: of FindingDory (Yadav et al. 2025), in plain words.
        template: of its phrasing.
        text: the instruction.
        targets: ground truth: for each goal the ids of objects or rooms any of which is right.
        ordered: the goals are to be visited in this order.
    """

    kind: str
    template: str
    text: str
    targets: tuple[tuple[str, ...], ...]
    ordered: bool = False

    @property
    def object_ids(self) -> tuple[str, ...]:
        """All ids that are right for some goal."""
        return tuple(dict.fromkeys(i for ids in self.targets for i in ids))


Task = Goal | Question | Chore | Revisit


@dataclass(frozen=True)
class Choice:
    """What a policy says it has chosen as a goal and now stands at.

    Attributes:
        label: category, or the name of a room; empty: it does not know.
        position: (x, y, z) [m] where it believes the thing to be, or a point in the room; map frame.
        is_room: a room is meant.
    """

    label: str
    position: tuple[float, float, float]
    is_room: bool = False


@dataclass(frozen=True)
class Asked:
    """A question that a policy asked of the memory while it did a chore.

    Attributes:
        words: what it looked for.
        position: of the first answer [m]; None: there was none.
        from_short_term: a short-term record held it.
        waited: the memory knew no answer when it was asked first.
    """

    words: str
    position: tuple[float, float, float] | None
    from_short_term: bool
    waited: bool = False


@dataclass(frozen=True)
class Reply:
    """How a policy answered: the words, whether it claims to know, how many images it rests on, and why it ended."""

    answer: str
    claims: bool
    n_images: int = 0
    reason: str = ""


#: How something compares with what a task means: it is that, another of its category, another category, or nothing is there.
Match = Literal["", "right", "alike", "other"]


@dataclass(frozen=True)
class Facts:
    """What is true at the end of a task, from which the cause of a failure follows (`loci_sim.evaluation.causes`).

    Attributes:
        task: what was asked for.
        n_meant: things that are meant.
        n_seen: of them, those that were in view in several images since the memory knew nothing.
        n_known: of them, those that the memory knows where they are.
        n_stale: things of these categories that the memory knows where none of them is.
        n_asked: questions that were put to the memory.
        asked_for: a question named a category that is meant; None: the instruction names none either.
        named: the best that the memory's answers said of where things are.
        ended: what the robot says it stands at, handled last or chose.
        told: the last answer named a category that is meant.
        gave_up: as in `Stop`.
    """

    task: Literal["goal", "picture", "question", "chore", "revisit"]
    n_meant: int
    n_seen: int
    n_known: int
    n_stale: int
    n_asked: int
    asked_for: bool | None
    named: Match
    ended: Match
    told: bool = False
    gave_up: GaveUp = ""


@dataclass(frozen=True)
class TaskResult:
    """What became of one task.

    Attributes:
        scene, row, index: which task: of the scene's first or second row.
        kind, text, object_ids: as in `Goal` and `Question`.
        claimed: the robot said that it was there, or that it knew.
        success: it said so within 1 m (geodesic) of a viewpoint, or its answer is right; in `recall` all it chose is right, too.
        shortest, travelled: shortest and driven way [m].
        distance: geodesic from where it stopped to the nearest viewpoint [m]; negative: none can be reached.
        n_steps, seconds: actions, and wall-clock time.
        n_collisions: actions that ended at an obstacle.
        reason: the policy's words.
        trace: (x, y) of the robot [m], from start to stop.
        viewpoints: (x, y) of the viewpoints of ``object_ids`` [m].
        answer, truth: of a question: what was answered, and what is right.
        n_images: that the answer rests on.
        n_explorations: visits to places only to look for something.
        n_queries, n_right_queries, n_short_term, n_waited: questions to the memory in a chore (`asking.StandingQuestions`), those whose
            first answer was a thing that was needed, those that short-term memory answered, and those that it could not answer at first.
        chose_right: the goals that it chose are the right ones (FindingDory's high-level success); only of the suite `recall`.
        episode: id of a benchmark's episode; empty: a task of ours.
        facts: that tell the cause of a failure; None: not recorded (no failure, no memory, or no ground truth).
    """

    scene: str
    row: int
    index: int
    kind: str
    text: str
    object_ids: tuple[str, ...]
    claimed: bool
    success: bool
    shortest: float
    travelled: float
    distance: float
    n_steps: int
    seconds: float
    n_collisions: int
    reason: str
    trace: tuple[tuple[float, float], ...] = field(default=(), repr=False)
    viewpoints: tuple[tuple[float, float], ...] = field(default=(), repr=False)
    answer: str = ""
    truth: str = ""
    n_images: int = 0
    n_explorations: int = 0
    n_queries: int = 0
    n_right_queries: int = 0
    n_short_term: int = 0
    n_waited: int = 0
    chose_right: bool = False
    episode: str = ""
    facts: Facts | None = None


def task_result_from(fields: dict[str, Any]) -> TaskResult:
    """A result as it was written to JSON.

    Raises:
        TypeError: fields are missing or unknown.
    """
    pairs = {name: tuple((float(x), float(y)) for x, y in fields[name]) for name in ("trace", "viewpoints")}
    facts = Facts(**fields["facts"]) if fields.get("facts") else None
    return TaskResult(**{**fields, **pairs, "object_ids": tuple(fields["object_ids"]), "facts": facts})
