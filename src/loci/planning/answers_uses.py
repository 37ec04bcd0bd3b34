"""Answers to what nothing sees: what serves a purpose, which room is for an activity, and what is near in meaning to anything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from loci.planning.finding import Finder, Scene, rooms_phrase
from loci.planning.grounding import AWAY, room_evidence, rooms_named
from loci.planning.language.uses import ROOMS, THINGS, serving
from loci.planning.phrases import UNNAMED, joined, place_phrase
from loci.planning.protocols import Answer, KnownRoom
from loci.query import Query
from loci.words import canonical

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder


def use_for(finder: Finder, scene: Scene, rooms: Sequence[KnownRoom]) -> Answer:
    there = [o for o in scene.objects if o.label not in UNNAMED and o.evidence.state not in AWAY]
    labels = serving(scene.question.words, [o.label for o in there], THINGS, finder.encoder)
    if not labels:
        return finder.unknown(scene, f"I know nothing to {scene.question.words} with.")
    chosen = [max((o for o in there if o.label == label), key=lambda o: o.evidence.confidence) for label in labels[:3]]
    places = [f"the {o.label} {place_phrase(o, scene.objects, scene.rooms)}" for o in chosen]
    text = f"To {scene.question.words} there is {joined(places, 'or')}."
    # "Dry my hair": a towel serves, and a hair dryer would serve better.
    best = {canonical(label) for label in _made_for(scene.question.words, finder.encoder)}
    resembles = bool(best) and not best & {canonical(label) for label in labels}
    confidence = (0.5 if resembles else 0.8) * chosen[0].evidence.confidence
    return Answer(text, True, confidence, tuple(o.evidence for o in chosen), resembles=resembles)


def _made_for(purpose: str, encoder: TextEncoder | None) -> list[str]:
    """Of all things of which it is written down what they are for, those that serve a purpose best."""
    return serving(purpose, list(THINGS), THINGS, encoder)


def room_for(finder: Finder, scene: Scene, rooms: Sequence[KnownRoom]) -> Answer:
    names = serving(scene.question.words, list(ROOMS), ROOMS, finder.encoder)
    meant = [r for name in names for r in rooms_named(name, scene.rooms)]
    if meant:
        place = rooms_phrase([r for r in meant if r.name == meant[0].name], scene.rooms)
        text = f"To {scene.question.words} there is {place}."
        return Answer(text, True, 0.8 * meant[0].confidence, tuple(room_evidence(r, scene.memory) for r in meant))
    return finder.unknown(scene, f"I know no room to {scene.question.words}.")


def open_question(finder: Finder, scene: Scene, rooms: Sequence[KnownRoom]) -> Answer:
    """Nothing is claimed; what lies nearest in meaning is shown."""
    page = scene.memory.recall(Query(text=scene.question.text, kinds=("object", "episode"), limit=5)).evidence
    text = "I cannot answer that from names, places and times alone."
    if page:
        nearest = page[0]
        said = f'what {nearest.source or "somebody"} said: "{nearest.text}"' if nearest.is_quoted else nearest.text
        text += f" Nearest in meaning is {said}."
        if nearest.contradiction:
            text += f" But {nearest.contradiction}."
    return Answer(text, False, 0.0, (*page, *finder.frontiers(scene)))
