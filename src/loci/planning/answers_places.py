"""Answers about places: what is on a thing, what is in a room, which rooms there are, what was seen last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from loci.planning.finding import (
    NO_CONFIDENCE,
    Finder,
    Scene,
    as_sentence,
    colored,
    keyframe_at,
    known_answer,
    named_with,
    rooms_phrase,
    where_is,
    while_unexplored,
)
from loci.planning.grounding import AWAY, inside, related_to, room_evidence
from loci.planning.phrases import UNNAMED, counted, indefinite, joined, name_of, number, room_phrase, time_phrase
from loci.planning.protocols import Answer, KnownObject, KnownRoom
from loci.words import plural

#: Things that are looked at before nothing is said to be on any of them.
_MAX_LOOKED_AT = 3
#: Frontiers so near to one may hide a part of it, or the way to it [m].
_AROUND = 4.0


def relation(finder: Finder, scene: Scene, rooms: Sequence[KnownRoom]) -> Answer:
    q = scene.question
    found = finder.find(scene, rooms)
    if not found.objects:
        return finder.not_seen(scene, rooms)
    anchors = found.objects[:20]
    by_anchor = related_to(q.relation or "near", anchors, scene.objects)
    how = q.relation_words or "next to"
    full = [a for a in anchors if by_anchor[a.id]]
    evidence = [o.evidence for a in full for o in by_anchor[a.id]] + [a.evidence for a in (full or anchors)]
    if not full:
        what = (
            f"the {named_with(anchors[0], q.color)}"
            if len(anchors) == 1
            else f"any of the {number(len(anchors))} {plural(name_of(anchors[0].label))}"
        )
        where = f" in {where_is(anchors[0], scene)}" if len(anchors) == 1 and anchors[0].evidence.room else ""
        text = f"I have seen nothing {how} {what}{where}."
        # From afar small things are overlooked, and what is behind an edge.
        answer = known_answer(found, text, evidence, factor=NO_CONFIDENCE)
        looked_at = [a for a in anchors[:_MAX_LOOKED_AT] if a.evidence.is_goal and a.evidence.position is not None]
        around = [(a.evidence.position, _AROUND) for a in looked_at if a.evidence.position is not None]
        answer = replace(answer, look_close=tuple(a.id for a in looked_at))
        return while_unexplored(answer, scene, around) if around else answer
    parts = []
    for a in full:
        where = f" in {where_is(a, scene)}" if a.evidence.room else ""
        verb = "is" if len(by_anchor[a.id]) == 1 else "are"
        place = f"{how} the {named_with(a, q.color)}{where}"
        parts.append(f"{place} {verb} {counted(o.label for o in by_anchor[a.id])}")
    text = as_sentence("; ".join(parts))
    exact = q.relation != "near" or how in (
        "next to",
        "near",
        "close to",
        "beside",
        "besides",
        "around",
        "by",
        "near to",
        "nearest to",
        "adjacent to",
    )
    if not exact:  # sides and "between" depend on where one stands
        text = f"I cannot tell what is {how} it, only what is near. {as_sentence('; '.join(p.replace(how, 'near', 1) for p in parts))}"
    return known_answer(found, text, evidence, factor=1.0 if exact else 0.4)


def rooms_with(finder: Finder, scene: Scene, rooms: Sequence[KnownRoom]) -> Answer:
    found = finder.find(scene, ())
    if not found.objects:
        return finder.not_seen(scene, ())
    by_room: dict[str, list[KnownObject]] = {}
    for o in found.objects:
        by_room.setdefault(o.evidence.room, []).append(o)
    names = {o.evidence.room: room_phrase(o.evidence.room, o.evidence.room_name, scene.rooms) for o in found.objects}
    held = sorted((r for r in by_room if r), key=lambda r: (-len(by_room[r]), r))
    label = found.objects[0].label if found.match and found.match.how in ("head", "meaning") else scene.question.words
    thing = indefinite(colored(label, scene.question.color))
    if not held:
        text = f"I have seen {thing}, but not in a place that I have made out as a room."
    else:
        parts = [names[r] + (f" ({number(len(by_room[r]))})" if len(by_room[r]) > 1 else "") for r in held]
        text = as_sentence(f"{joined(parts)} {'has' if len(held) == 1 else 'have'} {thing}")
    evidence = [o.evidence for r in (*held, "") for o in by_room.get(r, ())]
    known_rooms = [room_evidence(r, scene.memory) for r in scene.rooms if r.id in held]
    # First one object of every room, so that a short list of evidence still covers the answer.
    first = [by_room[r][0].evidence for r in held]
    return known_answer(found, text, [*first, *(e for e in evidence if e not in first), *known_rooms])


def rooms_known(finder: Finder, scene: Scene, rooms: Sequence[KnownRoom]) -> Answer:
    if not scene.rooms:
        return finder.unknown(scene, "I have not made out any room yet.")
    n = len(scene.rooms)
    listed = counted(r.name or "unnamed room" for r in scene.rooms)
    text = f"I know {number(n)} room{'s' if n > 1 else ''}: {listed}."
    return Answer(
        text,
        True,
        float(np.mean([r.confidence for r in scene.rooms])),
        tuple(room_evidence(r, scene.memory) for r in scene.rooms),
    )


def recent(finder: Finder, scene: Scene, rooms: Sequence[KnownRoom]) -> Answer:
    last = scene.question.order == "last"
    objects = inside(scene.objects, rooms)
    place = f" in {rooms_phrase(rooms, scene.rooms)}" if rooms else ""
    if not objects:
        return _first_image(finder, scene, rooms)
    stamp_ns = max(o.evidence.stamp_ns for o in objects) if last else min(o.first_seen_ns for o in objects)
    chosen = [o for o in objects if (o.evidence.stamp_ns if last else o.first_seen_ns) == stamp_ns]
    chosen.sort(key=lambda o: (o.label in UNNAMED, -o.evidence.confidence, o.id))
    text = f"The {'last' if last else 'first'} I saw{place} was {counted(o.label for o in chosen)}, {time_phrase(stamp_ns)}."
    evidence = [o.evidence if last else replace(o.evidence, stamp_ns=o.first_seen_ns) for o in chosen]
    bounds = {"before_ns": stamp_ns + 1} if last else {"after_ns": stamp_ns}
    image = keyframe_at(scene, "newest" if last else "oldest", **bounds)
    # The image goes second: the answer stays covered by evidence where only one piece is asked for.
    return Answer(text, True, float(np.mean([e.confidence for e in evidence])), (evidence[0], *image, *evidence[1:]))


def _first_image(finder: Finder, scene: Scene, rooms: Sequence[KnownRoom]) -> Answer:
    place = f" in {rooms_phrase(rooms, scene.rooms)}" if rooms else ""
    last = scene.question.order == "last"
    images = keyframe_at(scene, "newest" if last else "oldest", place=rooms[0].id if rooms else None)
    if not images:
        return finder.unknown(scene, f"I have not seen anything{place} yet.")
    text = f"I know no object{place}; my {'last' if last else 'first'} image{place} was taken {time_phrase(images[0].stamp_ns)}."
    return Answer(text, True, 0.5, tuple(images))


def contents(finder: Finder, scene: Scene, rooms: Sequence[KnownRoom]) -> Answer:
    objects = [o for o in inside(scene.objects, rooms) if o.evidence.state not in AWAY]
    objects.sort(key=lambda o: (o.label in UNNAMED, -o.evidence.confidence, o.id))
    place = f"In {rooms_phrase(rooms, scene.rooms)} " if rooms else ""
    if not objects:
        text = f"{place}I have seen no object." if rooms else "I have not seen any object yet."
        return finder.unknown(scene, text)
    text = f"{place}I have seen {counted(o.label for o in objects)}."
    return Answer(
        text, True, float(np.mean([o.evidence.confidence for o in objects])), tuple(o.evidence for o in objects)
    )
