"""The suite `questions`: explore until the answer is known (after A-EQA; categories of OpenEQA, Majumdar et al. 2024).

Answers are plain words and are judged by what they must and must not say; truth that no image shows is not asked for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from loci.planning.phrases import indefinite, number
from loci.words import plural, singular
from loci_sim.catalogue import told_color
from loci_sim.embedded import EmbeddedSimulator, RobotParameters
from loci_sim.evaluation.goals import NOT_GOALS, describe
from loci_sim.evaluation.phrasings import Phrasings
from loci_sim.evaluation.tasks import Question, Split
from loci_sim.exam import ROOM_SYNONYMS
from loci_sim.scenes import Scene, SceneThing
from loci_sim.viewpoints import viewpoints
from loci_sim.world import World

#: OpenEQA's categories.
KINDS = (
    "object localization",
    "object recognition",
    "attribute recognition",
    "spatial understanding",
    "object state recognition",
    "functional reasoning",
    "world knowledge",
)
#: What things are for.
PURPOSES = {
    "boil water": ("kettle",),
    "make coffee": ("coffee machine",),
    "dry my hair": ("hair dryer",),
    "tell the time": ("wall clock", "alarm clock", "clock"),
    "drink some water": ("mug", "glass"),
    "pass the time reading": ("book",),
    "wash clothes": ("washing machine",),
    "check my weight": ("scale",),
    "toast bread": ("toaster",),
    "make music": ("guitar",),
    "put out a fire": ("fire extinguisher",),
    "smooth a shirt": ("iron",),
    "watch a film": ("tv",),
    "drive in a nail": ("hammer",),
    "clean the floor of dust": ("vacuum cleaner",),
}
#: What rooms are for.
ACTIVITIES = {
    "sleep": ("bedroom", "children's room"),
    "cook dinner": ("kitchen", "kitchenette"),
    "take a shower or a bath": ("bathroom",),
    "do the laundry": ("laundry",),
    "work at a desk": ("study",),
    "sit on a sofa and watch tv": ("living room",),
    "dine with many guests": ("dining room",),
    "repair something at a workbench": ("garage",),
}
COLORS = ("red", "green", "blue", "yellow", "orange", "purple", "pink", "brown", "black", "white", "gray", "beige")
_NAMES_OF = {"gray": ("gray", "grey")}
#: Draws of each kind before another one is taken.
_TRIES = 30


@dataclass(frozen=True)
class _Truth:
    """A scene's truth while questions are drawn from it."""

    scene: Scene
    things: Sequence[SceneThing]
    world: World
    simulator: EmbeddedSimulator
    rng: np.random.Generator

    def draw(self, things: Sequence[SceneThing]) -> SceneThing | None:
        return things[int(self.rng.integers(len(things)))] if things else None

    def room_name(self, thing: SceneThing) -> str:
        return next((r.name for r in self.scene.rooms if r.id == thing.room), "")

    def words_for(self, thing: SceneThing) -> str:
        """Words that mean this thing alone; empty if there are none."""
        alone = sum(o.category == thing.category for o in self.things) == 1
        return thing.category if alone else describe(self.scene, self.things, thing)

    def has_view(self, thing: SceneThing) -> bool:
        return len(viewpoints(self.simulator, thing.id)) > 0

    @property
    def rooms(self) -> list[str]:
        return sorted({r.name for r in self.scene.rooms})

    @property
    def categories(self) -> list[str]:
        return sorted({o.category for o in self.things})


#: What fills a template's blanks, and the question without its text.
_Drawn = tuple[str, dict[str, str], tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def draw_questions(
    scene: Scene, phrasings: Phrasings, split: Split, seed: int, row: int = 0, n_questions: int = 7
) -> tuple[Question, ...]:
    """Questions of a row, by turns of the kinds; kinds that a scene has no truth for are left out.

    Raises:
        ValueError: the scene has too few things to ask about.
    """
    rng = np.random.default_rng([seed, scene.seed, row, 23])
    simulator = EmbeddedSimulator(scene, RobotParameters(width=64, height=48))
    things = [o for o in scene.objects if o.category not in NOT_GOALS]
    truth = _Truth(scene, things, World(scene), simulator, rng)
    questions: list[Question] = []
    asked: set[str] = set()
    try:
        for i in range(4 * n_questions):
            kind = KINDS[i % len(KINDS)]
            for _ in range(_TRIES):
                drawn = _DRAWERS[kind](truth)
                if drawn is not None and str(drawn[:2]) not in asked:
                    asked.add(str(drawn[:2]))
                    template, blanks, accepted, refused, ids = drawn
                    texts = phrasings[template][split]
                    text = texts[int(rng.integers(len(texts)))].format(**blanks)
                    questions.append(Question(kind, text, accepted, refused, ids))
                    break
            if len(questions) == n_questions:
                return tuple(questions)
    finally:
        simulator.close()
    raise ValueError(f"expected {n_questions} things to ask about in {scene.map_id}, got {len(questions)}")


def is_right(answer: str, question: Question) -> bool:
    """Whether an answer says what it must and nothing that it must not."""
    said = _plain(answer)
    return any(_has(said, a) for a in question.accepted) and not any(_has(said, r) for r in question.refused)


def _localization(t: _Truth) -> _Drawn | None:
    thing = t.draw([o for o in t.things if sum(p.category == o.category for p in t.things) == 1])
    if thing is None or not t.has_view(thing):
        return None
    rooms = _called(t.room_name(thing))
    return "where", {"thing": thing.category}, rooms, _others(t.rooms, *rooms), (thing.id,)


def _recognition(t: _Truth) -> _Drawn | None:
    carried = Counter(o.on for o in t.things if o.on)
    carrier = t.draw([o for o in t.things if carried[o.id] == 1 and t.words_for(o)])
    if carrier is None:
        return None
    thing = next(o for o in t.things if o.on == carrier.id)
    if not t.has_view(thing):
        return None
    words = t.words_for(carrier)
    named = [c for c in t.categories if not _has(_plain(words), c) and not any(_has(_plain(r), c) for r in t.rooms)]
    return "what_on", {"thing": words}, (thing.category,), _others(named, thing.category), (thing.id,)


def _attribute(t: _Truth) -> _Drawn | None:
    alone = [o for o in t.things if sum(p.category == o.category for p in t.things) == 1]
    thing = t.draw([o for o in alone if told_color(o.category, o.color) in COLORS])
    if thing is None or not t.has_view(thing):
        return None
    accepted = _NAMES_OF.get(thing.color, (thing.color,))
    refused = tuple(n for c in COLORS if c != thing.color for n in _NAMES_OF.get(c, (c,)))
    return "color", {"thing": thing.category}, accepted, refused, (thing.id,)


def _spatial(t: _Truth) -> _Drawn | None:
    names = Counter(r.name for r in t.scene.rooms)
    thing = t.draw([o for o in t.things if names[t.room_name(o)] == 1])
    if thing is None:
        return None
    there = [o for o in t.things if o.category == thing.category and o.room == thing.room]
    if not all(t.has_view(o) for o in there):
        return None
    n = len(there)
    accepted = (number(n), str(n), *((indefinite(thing.category),) if n == 1 else ()))
    refused = tuple(w for k in range(13) if k != n for w in (number(k), str(k)))
    blanks = {"things": plural(thing.category), "room": t.room_name(thing)}
    return "how_many", blanks, accepted, refused, tuple(o.id for o in there)


def _state(t: _Truth) -> _Drawn | None:
    able = [o for o in t.things if t.world.state(o.id).is_open is not None and t.words_for(o)]
    thing = t.draw(able)
    if thing is None or not t.has_view(thing):
        return None
    is_open = bool(t.world.state(thing.id).is_open)
    right = ("yes", "is open") if is_open else ("no", "is closed", "not open")
    wrong = ("no", "is closed", "not open") if is_open else ("yes", "is open")
    return "is_open", {"thing": t.words_for(thing)}, right, wrong, (thing.id,)


def _function(t: _Truth) -> _Drawn | None:
    purpose = sorted(PURPOSES)[int(t.rng.integers(len(PURPOSES)))]
    ids = tuple(o.id for o in t.things if o.category in PURPOSES[purpose] and t.has_view(o))
    if not ids:
        return None
    return "use_for", {"purpose": purpose}, PURPOSES[purpose], (), ids


def _knowledge(t: _Truth) -> _Drawn | None:
    activity = sorted(ACTIVITIES)[int(t.rng.integers(len(ACTIVITIES)))]
    rooms = [r for r in t.scene.rooms if r.name in ACTIVITIES[activity]]
    ids = tuple(o.id for o in t.things if o.room in {r.id for r in rooms})[:20]
    if not rooms or not ids:
        return None
    accepted = tuple(dict.fromkeys(name for r in rooms for name in _called(r.name)))
    right = (*accepted, *ACTIVITIES[activity])
    return "room_for", {"activity": activity}, accepted, _others(t.rooms, *right), ids


_DRAWERS: dict[str, Callable[[_Truth], _Drawn | None]] = {
    "object localization": _localization,
    "object recognition": _recognition,
    "attribute recognition": _attribute,
    "spatial understanding": _spatial,
    "object state recognition": _state,
    "functional reasoning": _function,
    "world knowledge": _knowledge,
}


def _called(room: str) -> tuple[str, ...]:
    """Names that mean the same kind of room."""
    return ROOM_SYNONYMS.get(room, (room,))


def _others(names: Sequence[str], *but: str) -> tuple[str, ...]:
    """Names that mean something else; one inside a right one ("room" in "living room") is not told apart from it."""
    return tuple(n for n in names if n not in but and not any(_has(_plain(b), n) for b in but))


def _plain(text: str) -> str:
    """Lower case words in the singular, without punctuation, between blanks."""
    words = re.sub(r"[^a-z0-9']+", " ", text.lower()).split()
    return " " + " ".join(singular(w) for w in words) + " "


def _has(said: str, phrase: str) -> bool:
    return _plain(phrase) in said
