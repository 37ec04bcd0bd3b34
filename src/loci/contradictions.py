"""What was seen that speaks against what somebody wrote: "the mug is in the bath", and the mug stands on the kitchen table.

Plain rules, so that each flag can be explained: a sentence that says where a thing is now, a thing of that name that is present and was
seen shortly before or since, and none of them where the sentence says. It is reported, nothing is deleted or corrected.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from loci.episodic.filters import EpisodeFilter
from loci.episodic.records import Episode
from loci.evidence import Memories, rooms_of_objects
from loci.query import Evidence
from loci.scene.objects import SceneObject
from loci.spatial.regions import Room
from loci.spatial.room_names import PRIORS, known_things, likely_rooms

#: Words that MiniLM puts at least as near mean the same ("bath" and "bathtub" 0.81, "cup" and "mug" 0.8; "kitchen" and "cupboard" 0.6).
SAME_MEANING = 0.7
#: A sighting counts if the note was written at most so long after it [s]; later the thing may well have been moved.
RECENT_S = 600.0
#: A thing this near to what it is said to be on or in, or to the point that was said, is there [m].
NEAR = 1.5

_NAME = r"(?:the |a |an |my |your |his |her |our |their )?([a-z][a-z' -]{0,40}?)"
_WHERE = r"(?:back |now |still |currently |again |right |over |standing |lying |sitting )*(?:on top of|in front of|next to|inside|into|in|onto|on|at|under|near|beside|behind|by|upon|to)"
_PLACE = r"(?:the |a |an |my |your |his |her |our |their )?([a-z][a-z' -]*)"
_CLAIMS = (
    re.compile(rf"\b{_NAME} (?:is|are|lies|lie|stands|stand|sits|sit|hangs|hang|can be found) {_WHERE} {_PLACE}"),
    re.compile(rf"\b(?:put|placed|left|moved|brought|carried|took) {_NAME} {_WHERE} {_PLACE}"),
)
#: Sentences with one of these claim nothing about now.
_NO_CLAIM = re.compile(
    r"\b(?:not|never|no|isn't|aren't|was|were|will|would|should|could|might|may|if|maybe|perhaps|where)\b|\?"
)
_ARTICLE = re.compile(r"^(?:the|a|an|my|your|his|her|our|their) ")
#: Where the name of a place ends.
_END = re.compile(
    r"\b(?:and|but|or|because|since|so|with|for|of|that|which|when|while|now|today|again|please|there|here)\b"
)


@dataclass(frozen=True)
class Claim:
    """A sentence that says where something is: ``thing`` and ``place`` in its own words."""

    thing: str
    place: str


def find_claim(text: str) -> Claim | None:
    """What a note says about where something is now; None: nothing that these rules understand."""
    for sentence in re.split(r"[.;!\n]|, ", text.lower().strip()):
        if _NO_CLAIM.search(sentence):
            continue
        for pattern in _CLAIMS:
            found = pattern.search(sentence)
            if found:
                place = _END.split(found[2])[0].strip(" -'")
                thing = _ARTICLE.sub("", found[1].strip())
                if thing and place:
                    return Claim(thing, place)
    return None


def with_contradictions(memories: Memories, evidence: Sequence[Evidence]) -> list[Evidence]:
    """The same evidence; what was quoted says what speaks against it."""
    return [
        replace(e, contradiction=find_contradiction(memories, episode))
        if e.is_quoted and (episode := memories.episodic.get(e.id)) is not None
        else e
        for e in evidence
    ]


def find_contradiction(memories: Memories, note: Episode) -> str:
    """What was seen that speaks against a note, in words; empty: nothing."""
    claim = find_claim(note.text)
    if claim is None:
        return ""
    objects = memories.scene.objects()
    seen = [
        o
        for o in _meant(memories, objects, note, claim)
        if o.state == "present" and o.map_id == note.map_id and _counts(memories, o, note)
    ]
    if not seen:
        return ""
    rooms = rooms_of_objects(memories, seen)
    carriers = memories.scene.supports([o.id for o in seen])
    by_id = memories.scene.by_id()
    on = [by_id.get(carriers.get(o.id, "")) for o in seen]
    verdicts = [_is_there(memories, o, c, r, note, claim, objects) for o, c, r in zip(seen, on, rooms, strict=True)]
    if any(verdict is not False for verdict in verdicts):
        return ""  # one is where the note says, or it cannot be told
    newest = max(range(len(seen)), key=lambda i: _time(memories, seen[i]))
    o, carrier, room = seen[newest], on[newest], rooms[newest]
    where = f" on the {carrier.label}" if carrier else ""
    where += f" in the {room.name}" if room and room.name else ""
    if not where:
        x, y, z = (float(v) for v in o.center)
        where = f" at ({x:.1f}, {y:.1f}, {z:.1f})"
    return f"{o.id} ({o.label}) was seen{where} {_when(memories, o, note)}"


def _meant(memories: Memories, objects: Sequence[SceneObject], note: Episode, claim: Claim) -> list[SceneObject]:
    """Objects that a note may be about."""
    if note.object_id:
        return [o for o in objects if o.id == note.object_id]
    labels = sorted({o.label for o in objects if o.label})
    words = claim.thing.split()
    named = [label for label in labels if _ends_with(words, label.lower().split())]
    if not named:
        named = [label for label in labels if label in note.labels]
    if not named and labels:
        cosines = memories.text_encoder.encode(labels) @ memories.text_encoder.encode([claim.thing])[0]
        named = [labels[int(np.argmax(cosines))]] if float(np.max(cosines)) >= SAME_MEANING else []
    longest = max((len(label.split()) for label in named), default=0)
    return [o for o in objects if o.label in named and len(o.label.split()) == longest]


def _ends_with(words: Sequence[str], name: Sequence[str]) -> bool:
    """Whether a phrase names it: "the red mugs" a mug."""
    end = list(words[-len(name) :])
    return end == list(name) or [*end[:-1], end[-1].removesuffix("s")] == list(name)


def _counts(memories: Memories, o: SceneObject, note: Episode) -> bool:
    """Whether a thing was seen since the note was written, or shortly before."""
    session, note_session = _time(memories, o)[0], memories.episodic.time_key(note.session, 0)[0]
    return session > note_session or (session == note_session and note.stamp_ns - o.last_seen_ns <= RECENT_S * 1e9)


def _time(memories: Memories, o: SceneObject) -> tuple[int, int]:
    """When a thing was last seen, as `EpisodicMemory.time_key`: its best view may be of an earlier session."""
    seen_in = EpisodeFilter(kinds=("keyframe",), object_id=o.id)
    found, _ = memories.episodic.long_term.search(seen_in, order="newest", limit=1)
    session = found[0][0].session if found else memories.keyframes.get(o.keyframe_id).session
    return memories.episodic.time_key(session, o.last_seen_ns)


def _when(memories: Memories, o: SceneObject, note: Episode) -> str:
    if _time(memories, o)[0] != memories.episodic.time_key(note.session, 0)[0]:
        return "in a later session than this was written"
    seconds = (o.last_seen_ns - note.stamp_ns) * 1e-9
    return f"{abs(seconds):.0f} s {'after' if seconds > 0 else 'before'} this was written"


def _is_there(
    memories: Memories,
    o: SceneObject,
    carrier: SceneObject | None,
    room: Room | None,
    note: Episode,
    claim: Claim,
    objects: Sequence[SceneObject],
) -> bool | None:
    """Whether a thing is where a note says; None: it cannot be told."""
    if note.position is not None and np.linalg.norm(np.subtract(note.position, o.center)) <= NEAR:
        return True
    view = memories.spatial.view
    room_names = {r.name for r in view.rooms if r.name} if view is not None else set()
    things = {other.label.lower() for other in objects if other.label}
    place = _place_meant(memories, claim.place, frozenset(room_names), frozenset(things))
    if not place:
        return None
    if place in room_names or place in PRIORS:
        return room.name == place if room is not None and room.name else None
    near = [
        other for other in objects if other.label.lower() == place and other.map_id == o.map_id and other.id != o.id
    ]
    if carrier is not None and carrier.label.lower() == place:
        return True
    if near:
        return min(_distance(o, other) for other in near) <= NEAR
    if room is None or not room.name:
        return None if carrier is None else False
    return None if room.name in likely_rooms(place) else False


def _distance(o: SceneObject, other: SceneObject) -> float:
    """From a thing's centre to the upright box around another [m]."""
    lower, upper = other.bounds
    center = np.asarray(o.center)
    return float(np.linalg.norm(np.maximum(0.0, np.maximum(lower - center, center - upper))))


def _place_meant(memories: Memories, phrase: str, room_names: frozenset[str], things: frozenset[str]) -> str:
    """The room or thing that a phrase means, among those of this memory and of any home; empty: none ("in good condition")."""
    names = _names(room_names, things)
    words = [word for word in phrase.split() if word not in ("top", "side", "edge")]
    phrases = [" ".join(words[:n]) for n in range(min(len(words), 3), 0, -1)] + words[:3]
    for candidate in phrases:
        for form in (candidate, candidate.removesuffix("s")):
            if form in names:
                return form
    encoder = memories.text_encoder
    cosines = encoder.encode(phrases) @ encoder.encode(names).T if phrases else np.zeros((1, 1))
    best = np.unravel_index(int(np.argmax(cosines)), cosines.shape)
    return names[int(best[1])] if float(cosines[best]) >= SAME_MEANING else ""


@lru_cache(maxsize=8)
def _names(room_names: frozenset[str], things: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted({name for name in (*room_names, *things, *PRIORS, *known_things()) if name}))
