"""`OfflinePlanner`: answers questions by rules, words and a text encoder, with nothing to download.

An answer rests on evidence or says that it is not known. Nothing seen is told as nothing seen: "no" is only said once nothing reachable is left
unexplored. What needs eyes (states, materials, what a picture shows) is left to a vision-language planner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from loci.planning.grounding import (
    AWAY,
    frontier_evidence,
    inside,
    reachable,
    related,
    room_evidence,
    rooms_named,
    with_image,
)
from loci.planning.parsing import Question, is_room_word, parse
from loci.planning.phrases import (
    UNNAMED,
    counted,
    indefinite,
    joined,
    name_of,
    number,
    place_phrase,
    room_phrase,
    time_phrase,
)
from loci.planning.protocols import Answer, KnownObject, KnownRoom, MemoryReader
from loci.planning.words import SAME_THING, Match, WordMatcher, normalise, plural
from loci.query import Evidence, Query, check_limit

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder

#: Confidence of a "no" after everything reachable was explored: a thing may be small, hidden, or behind a closed door.
NO_CONFIDENCE = 0.7


@dataclass(frozen=True)
class _Scene:
    """The memory as it is while one question is answered."""

    memory: MemoryReader
    objects: Sequence[KnownObject]
    rooms: Sequence[KnownRoom]
    question: Question
    with_images: bool


@dataclass(frozen=True)
class _Found:
    """Objects that the words mean, best first, and what is to be said about how they were found."""

    objects: tuple[KnownObject, ...]
    match: Match | None
    remark: str = ""

    @property
    def score(self) -> float:
        return self.match.score if self.match else 1.0


class OfflinePlanner:
    """Answers from labels, positions, rooms, supports, colours and times.

    Args:
        encoder: finds labels by meaning where words do not; None: by words only.
        threshold: smallest cosine that counts as the same meaning; it belongs to the encoder.
    """

    def __init__(self, encoder: TextEncoder | None = None, threshold: float = SAME_THING) -> None:
        self._words = WordMatcher(encoder, threshold)

    def similarities(self, words: str, labels: Sequence[str]) -> np.ndarray:
        """Cosines of ``words`` with ``labels``, (N,); zeros without an encoder."""
        return self._words.similarities(words, labels)

    def ask(self, question: str, memory: MemoryReader, limit: int = 10, with_images: bool = False) -> Answer:
        """Answer with at most ``limit`` pieces of evidence; see `loci.planning.protocols.Planner`.

        Raises:
            ValueError: no word or too many characters in the question, or ``limit`` out of range.
        """
        check_limit(limit)
        parsed = parse(question)
        scene = _Scene(memory, memory.known_objects(), memory.known_rooms(), parsed, with_images)
        rooms = self._rooms_meant(scene)
        if parsed.room and not rooms:
            known = joined([room_phrase(r.id, r.name, scene.rooms) for r in scene.rooms])
            answer = self._unknown(
                scene, f"I do not know {_a_room(parsed.room)}" + (f", only {known}." if known else ".")
            )
        else:
            handler = self._HANDLERS[parsed.kind]
            answer = handler(self, scene, rooms)
        evidence = answer.evidence[:limit]
        if with_images:
            evidence = tuple(with_image(e, memory) for e in evidence)
        return replace(answer, evidence=evidence)

    # --- one method per kind of question ------------------------------------------------------------------------------

    def _where(self, scene: _Scene, rooms: Sequence[KnownRoom]) -> Answer:
        q = scene.question
        if is_room_word(q.words) or q.words.startswith("room/"):
            return self._where_room(scene)
        found = self._find(scene, rooms)
        if not found.objects:
            return self._not_seen(scene, rooms)
        places = [
            f"{indefinite(_named(o, q.color))} {place_phrase(o, scene.objects, scene.rooms)}{_gone(o)}"
            for o in found.objects
        ]
        if len(places) == 1:
            o = found.objects[0]
            verb = "was" if _gone(o) else "is"
            text = f"The {_named(o, q.color)} {verb} {place_phrase(o, scene.objects, scene.rooms)}{_gone(o)}."
        else:
            shown = places[:5] + ([f"{number(len(places) - 5)} more"] if len(places) > 5 else [])
            text = f"I know {number(len(places))}: {'; '.join(shown)}."
        return _answer(found, text, [o.evidence for o in found.objects])

    def _where_room(self, scene: _Scene) -> Answer:
        meant = rooms_named(scene.question.words, scene.rooms)
        if not meant:
            return self._unknown(scene, f"I have not seen {_a_room(scene.question.words)}.")
        places = [
            f"{room_phrase(r.id, r.name, scene.rooms)} is around ({r.position[0]:.2f}, {r.position[1]:.2f})"
            for r in meant
        ]
        text = _sentence("; ".join(places))
        return Answer(
            text, True, max(r.confidence for r in meant), tuple(room_evidence(r, scene.memory) for r in meant)
        )

    def _relation(self, scene: _Scene, rooms: Sequence[KnownRoom]) -> Answer:
        q = scene.question
        found = self._find(scene, rooms)
        if not found.objects:
            return self._not_seen(scene, rooms)
        anchors = found.objects[:20]
        by_anchor = {a.id: related(q.relation or "near", a, scene.objects) for a in anchors}
        how = q.relation_words or "next to"
        full = [a for a in anchors if by_anchor[a.id]]
        evidence = [o.evidence for a in full for o in by_anchor[a.id]] + [a.evidence for a in (full or anchors)]
        if not full:
            what = (
                f"the {_named(anchors[0], q.color)}"
                if len(anchors) == 1
                else f"any of the {number(len(anchors))} {plural(name_of(anchors[0].label))}"
            )
            where = f" in {_where_is(anchors[0], scene)}" if len(anchors) == 1 and anchors[0].evidence.room else ""
            text = f"I have seen nothing {how} {what}{where}."
            return _answer(found, text, evidence, factor=NO_CONFIDENCE)
        parts = []
        for a in full:
            where = f" in {_where_is(a, scene)}" if a.evidence.room else ""
            verb = "is" if len(by_anchor[a.id]) == 1 else "are"
            place = f"{how} the {_named(a, q.color)}{where}"
            parts.append(f"{place} {verb} {counted(o.label for o in by_anchor[a.id])}")
        text = _sentence("; ".join(parts))
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
            text = f"I cannot tell what is {how} it, only what is near. {_sentence('; '.join(p.replace(how, 'near', 1) for p in parts))}"
        return _answer(found, text, evidence, factor=1.0 if exact else 0.4)

    def _rooms_with(self, scene: _Scene, rooms: Sequence[KnownRoom]) -> Answer:
        found = self._find(scene, ())
        if not found.objects:
            return self._not_seen(scene, ())
        by_room: dict[str, list[KnownObject]] = {}
        for o in found.objects:
            by_room.setdefault(o.evidence.room, []).append(o)
        names = {
            o.evidence.room: room_phrase(o.evidence.room, o.evidence.room_name, scene.rooms) for o in found.objects
        }
        held = sorted((r for r in by_room if r), key=lambda r: (-len(by_room[r]), r))
        label = (
            found.objects[0].label if found.match and found.match.how in ("head", "meaning") else scene.question.words
        )
        thing = indefinite(_colored(label, scene.question.color))
        if not held:
            text = f"I have seen {thing}, but not in a place that I have made out as a room."
        else:
            parts = [names[r] + (f" ({number(len(by_room[r]))})" if len(by_room[r]) > 1 else "") for r in held]
            text = _sentence(f"{joined(parts)} {'has' if len(held) == 1 else 'have'} {thing}")
        evidence = [o.evidence for r in (*held, "") for o in by_room.get(r, ())]
        known_rooms = [room_evidence(r, scene.memory) for r in scene.rooms if r.id in held]
        # First one object of every room, so that a short list of evidence still covers the answer.
        first = [by_room[r][0].evidence for r in held]
        return _answer(found, text, [*first, *(e for e in evidence if e not in first), *known_rooms])

    def _rooms(self, scene: _Scene, rooms: Sequence[KnownRoom]) -> Answer:
        if not scene.rooms:
            return self._unknown(scene, "I have not made out any room yet.")
        n = len(scene.rooms)
        listed = counted(r.name or "unnamed room" for r in scene.rooms)
        text = f"I know {number(n)} room{'s' if n > 1 else ''}: {listed}."
        return Answer(
            text,
            True,
            float(np.mean([r.confidence for r in scene.rooms])),
            tuple(room_evidence(r, scene.memory) for r in scene.rooms),
        )

    def _recent(self, scene: _Scene, rooms: Sequence[KnownRoom]) -> Answer:
        last = scene.question.order == "last"
        objects = inside(scene.objects, rooms)
        place = f" in {_rooms_phrase(rooms, scene.rooms)}" if rooms else ""
        if not objects:
            return self._first_image(scene, rooms)
        stamp_ns = max(o.evidence.stamp_ns for o in objects) if last else min(o.first_seen_ns for o in objects)
        chosen = [o for o in objects if (o.evidence.stamp_ns if last else o.first_seen_ns) == stamp_ns]
        chosen.sort(key=lambda o: (o.label in UNNAMED, -o.evidence.confidence, o.id))
        text = f"The {'last' if last else 'first'} I saw{place} was {counted(o.label for o in chosen)}, {time_phrase(stamp_ns)}."
        evidence = [o.evidence if last else replace(o.evidence, stamp_ns=o.first_seen_ns) for o in chosen]
        bounds = {"before_ns": stamp_ns + 1} if last else {"after_ns": stamp_ns}
        image = _keyframe(scene, "newest" if last else "oldest", **bounds)
        # The image goes second: the answer stays covered by evidence where only one piece is asked for.
        return Answer(
            text, True, float(np.mean([e.confidence for e in evidence])), (evidence[0], *image, *evidence[1:])
        )

    def _first_image(self, scene: _Scene, rooms: Sequence[KnownRoom]) -> Answer:
        place = f" in {_rooms_phrase(rooms, scene.rooms)}" if rooms else ""
        last = scene.question.order == "last"
        images = _keyframe(scene, "newest" if last else "oldest", place=rooms[0].id if rooms else None)
        if not images:
            return self._unknown(scene, f"I have not seen anything{place} yet.")
        text = f"I know no object{place}; my {'last' if last else 'first'} image{place} was taken {time_phrase(images[0].stamp_ns)}."
        return Answer(text, True, 0.5, tuple(images))

    def _seen(self, scene: _Scene, rooms: Sequence[KnownRoom]) -> Answer:
        if is_room_word(scene.question.words) and not self._find(scene, rooms).objects:
            return self._seen_room(scene)
        found = self._find(scene, rooms)
        if not found.objects:
            return self._no(scene, rooms)
        o, n = found.objects[0], len(found.objects)
        if n == 1:
            text = f"Yes, I have seen {indefinite(_named(o, scene.question.color))}: {place_phrase(o, scene.objects, scene.rooms)}{_gone(o)}."
        else:
            newest = max(found.objects, key=lambda o: o.evidence.stamp_ns)
            text = (
                f"Yes, I have seen {counted(o.label for o in found.objects)}, the last one "
                f"{place_phrase(newest, scene.objects, scene.rooms)}{_gone(newest)}."
            )
            found = replace(found, objects=(newest, *(o for o in found.objects if o is not newest)))
        return _answer(found, text, [o.evidence for o in found.objects])

    def _seen_room(self, scene: _Scene) -> Answer:
        meant = rooms_named(scene.question.words, scene.rooms)
        if not meant:
            return self._no(scene, ())
        text = f"Yes, I know {_rooms_phrase(meant, scene.rooms)}."
        return Answer(
            text, True, max(r.confidence for r in meant), tuple(room_evidence(r, scene.memory) for r in meant)
        )

    def _count(self, scene: _Scene, rooms: Sequence[KnownRoom]) -> Answer:
        q = scene.question
        if q.words in ("room", "rooms"):
            return self._rooms(scene, rooms)
        if q.words in ("thing", "object", "item", ""):
            return self._contents(scene, rooms)
        place = f" in {_rooms_phrase(rooms, scene.rooms)}" if rooms else ""
        found = self._find(scene, rooms)
        if not found.objects and is_room_word(q.words) and (meant := rooms_named(q.words, scene.rooms)):
            text = f"I know {counted([q.words] * len(meant))}."
            return Answer(
                text, True, max(r.confidence for r in meant), tuple(room_evidence(r, scene.memory) for r in meant)
            )
        if not found.objects:
            return self._no(scene, rooms)
        there = [o for o in found.objects if o.evidence.state != "missing"] or list(found.objects)
        found = replace(found, objects=tuple(there))
        text = f"I have seen {counted(_colored(o.label, q.color) for o in there)}{place}."
        unexplored = "" if not reachable(scene.memory) else " Not everything is explored, so there may be more."
        return _answer(
            found, text + unexplored, [o.evidence for o in found.objects], factor=0.9 if not unexplored else 0.6
        )

    def _color(self, scene: _Scene, rooms: Sequence[KnownRoom]) -> Answer:
        found = self._find(scene, rooms)
        if not found.objects:
            return self._not_seen(scene, rooms)
        colored = [o for o in found.objects if o.colors]
        if not colored:
            text = f"I have seen {indefinite(found.objects[0].label)}, but could not make out its colour."
            return replace(_answer(found, text, [o.evidence for o in found.objects]), known=False)
        if len(colored) == 1:
            text = f"The {name_of(colored[0].label)} is {joined(colored[0].colors[:2])}."
        else:
            parts = [
                f"the {name_of(o.label)} {'in ' + _where_is(o, scene) + ' ' if o.evidence.room else ''}is {joined(o.colors[:2])}"
                for o in colored[:5]
            ]
            text = _sentence("; ".join(parts))
        return _answer(found, text, [o.evidence for o in colored], factor=0.9)

    def _when(self, scene: _Scene, rooms: Sequence[KnownRoom]) -> Answer:
        last = scene.question.order == "last"
        found = self._find(scene, rooms)
        if not found.objects:
            return self._not_seen(scene, rooms)
        chosen = (
            max(found.objects, key=lambda o: o.evidence.stamp_ns)
            if last
            else min(found.objects, key=lambda o: o.first_seen_ns)
        )
        stamp_ns = chosen.evidence.stamp_ns if last else chosen.first_seen_ns
        text = f"I {'last' if last else 'first'} saw the {_named(chosen, scene.question.color)} {time_phrase(stamp_ns)}, {place_phrase(chosen, scene.objects, scene.rooms)}."
        bounds = {"before_ns": stamp_ns + 1} if last else {"after_ns": stamp_ns}
        return _answer(
            found,
            text,
            [replace(chosen.evidence, stamp_ns=stamp_ns), *_keyframe(scene, "newest" if last else "oldest", **bounds)],
        )

    def _contents(self, scene: _Scene, rooms: Sequence[KnownRoom]) -> Answer:
        objects = [o for o in inside(scene.objects, rooms) if o.evidence.state not in AWAY]
        objects.sort(key=lambda o: (o.label in UNNAMED, -o.evidence.confidence, o.id))
        place = f"In {_rooms_phrase(rooms, scene.rooms)} " if rooms else ""
        if not objects:
            text = f"{place}I have seen no object." if rooms else "I have not seen any object yet."
            return self._unknown(scene, text)
        text = f"{place}I have seen {counted(o.label for o in objects)}."
        return Answer(
            text, True, float(np.mean([o.evidence.confidence for o in objects])), tuple(o.evidence for o in objects)
        )

    def _state(self, scene: _Scene, rooms: Sequence[KnownRoom]) -> Answer:
        found = self._find(scene, rooms)
        if not found.objects:
            return self._not_seen(scene, rooms)
        o = found.objects[0]
        told = scene.memory.recall(Query(object_id=o.id, kinds=("episode",), order="newest", limit=10)).evidence
        told = [e for e in told if e.state and e.state not in ("present", "missing", "moved", "held", "placed")]
        if told:
            text = f"The {name_of(o.label)} was {told[0].state} {time_phrase(told[0].stamp_ns)}, says {told[0].source or 'a record'}."
            return _answer(found, text, [told[0], o.evidence])
        text = f"I do not know its state; the {name_of(o.label)} is {place_phrase(o, scene.objects, scene.rooms)}."
        return Answer(text, False, 0.0, tuple(o.evidence for o in found.objects))

    def _open(self, scene: _Scene, rooms: Sequence[KnownRoom]) -> Answer:
        """Nothing is claimed; what lies nearest in meaning is shown."""
        page = scene.memory.recall(Query(text=scene.question.text, kinds=("object", "episode"), limit=5)).evidence
        text = "I cannot answer that from names, places and times alone."
        if page:
            nearest = page[0]
            said = f'what {nearest.source or "somebody"} said: "{nearest.text}"' if nearest.is_quoted else nearest.text
            text += f" Nearest in meaning is {said}."
            if nearest.contradiction:
                text += f" But {nearest.contradiction}."
        return Answer(text, False, 0.0, (*page, *self._frontier_evidence(scene)))

    # --- shared -------------------------------------------------------------------------------------------------------

    def _rooms_meant(self, scene: _Scene) -> list[KnownRoom]:
        return rooms_named(scene.question.room, scene.rooms) if scene.question.room else []

    def _find(self, scene: _Scene, rooms: Sequence[KnownRoom]) -> _Found:
        """Objects in ``rooms`` (all, if empty) that the question's words mean."""
        q = scene.question
        objects = inside(scene.objects, rooms)
        if q.words in ("thing", "object", "item") and q.color:
            return _Found(tuple(o for o in objects if q.color in _spelt(o.colors)), None)
        # Labels of the whole memory: a mug in the kitchen must not turn into a plate because only the bedroom has a mug.
        matches = self._words.match(q.words, [o.label for o in scene.objects if o.label not in UNNAMED])
        rank = {m.label: i for i, m in enumerate(matches)}
        found = [o for o in objects if o.label in rank and (not q.color or q.color in _spelt(o.colors))]
        if q.anchor:
            there = self._beside(scene)
            found = [o for o in found if o.id in there]
        found.sort(key=lambda o: (o.evidence.state in AWAY, rank[o.label], -o.evidence.confidence, o.id))
        if not found:
            return _Found((), matches[0] if matches else None)
        match = next(m for m in matches if m.label == found[0].label)
        remark = f'I take "{q.words}" to mean {indefinite(match.label)}. ' if match.how in ("meaning", "head") else ""
        return _Found(tuple(found), match, remark)

    def _beside(self, scene: _Scene) -> frozenset[str]:
        """Ids of what lies to the question's anchor as it asks."""
        q = scene.question
        matches = self._words.match(q.anchor, [o.label for o in scene.objects if o.label not in UNNAMED])
        labels = {m.label for m in matches}
        anchors = [
            o for o in scene.objects if o.label in labels and (not q.anchor_color or q.anchor_color in _spelt(o.colors))
        ]
        return frozenset(o.id for a in anchors for o in related(q.anchor_relation or "near", a, scene.objects))

    def _not_seen(self, scene: _Scene, rooms: Sequence[KnownRoom]) -> Answer:
        """For questions that need the thing: not known, look there."""
        return self._unknown(
            scene, f"I have not seen {self._missing_phrase(scene, rooms)}.{self._elsewhere(scene, rooms)}"
        )

    def _no(self, scene: _Scene, rooms: Sequence[KnownRoom]) -> Answer:
        """For yes/no questions: "no" if everything reachable was seen, else not known."""
        thing, elsewhere = self._missing_phrase(scene, rooms), self._elsewhere(scene, rooms)
        left = reachable(scene.memory)
        searched = [room_evidence(r, scene.memory) for r in (rooms or scene.rooms)]
        if left or not scene.objects or not searched:
            return self._unknown(scene, f"I have not seen {thing} so far.{elsewhere}")
        n_rooms, n_kinds = len(searched), len({o.label for o in scene.objects})
        text = (
            f"No, I have not seen {thing}.{elsewhere} I know {len(scene.objects)} objects of {n_kinds} kinds"
            f"{'' if rooms else f' in {number(n_rooms)} room' + ('s' if n_rooms > 1 else '')}, and nothing that I can reach is left unexplored."
        )
        return Answer(text, True, NO_CONFIDENCE, tuple(searched))

    def _missing_phrase(self, scene: _Scene, rooms: Sequence[KnownRoom]) -> str:
        thing = indefinite(_colored(scene.question.words, scene.question.color)) if scene.question.words else "that"
        q = scene.question
        beside = f" {q.anchor_words} {indefinite(_colored(q.anchor, q.anchor_color))}" if q.anchor else ""
        return thing + beside + (f" in {_rooms_phrase(rooms, scene.rooms)}" if rooms else "")

    def _elsewhere(self, scene: _Scene, rooms: Sequence[KnownRoom]) -> str:
        """Where else the thing is, or which colour it has instead."""
        plain = replace(scene, question=replace(scene.question, color="", anchor=""))
        others = self._find(plain, rooms).objects if scene.question.color or scene.question.anchor else ()
        others = others or (self._find(plain, ()).objects if rooms else ())
        if not others:
            return ""
        o = others[0]
        color = f"{o.colors[0]} " if o.colors and scene.question.color else ""
        return f" I have seen {indefinite(color + name_of(o.label))} {place_phrase(o, scene.objects, scene.rooms)}."

    def _unknown(self, scene: _Scene, text: str) -> Answer:
        evidence = self._frontier_evidence(scene)
        if evidence:
            n = len(evidence)
            text += f" {_sentence(number(n))[:-1]} place{'s are' if n > 1 else ' is'} still unexplored; the nearest is the first to look at."
        elif scene.memory.newest_stamp_ns == 0 and not scene.objects:
            text += " Nothing was observed yet."
        return Answer(text, False, 0.0, evidence)

    def _frontier_evidence(self, scene: _Scene) -> tuple[Evidence, ...]:
        return tuple(frontier_evidence(f, scene.memory) for f in reachable(scene.memory))

    _HANDLERS: ClassVar[dict[str, Callable[[OfflinePlanner, _Scene, Sequence[KnownRoom]], Answer]]] = {
        "where": _where,
        "relation": _relation,
        "rooms_with": _rooms_with,
        "rooms": _rooms,
        "recent": _recent,
        "seen": _seen,
        "exists": _seen,
        "count": _count,
        "color": _color,
        "when": _when,
        "contents": _contents,
        "state": _state,
        "open": _open,
    }


def _answer(found: _Found, text: str, evidence: Sequence[Evidence], factor: float = 1.0) -> Answer:
    """A known answer, as sure as the match and the best object are."""
    sure = found.objects[0].evidence.confidence if found.objects else 1.0
    return Answer(found.remark + text, True, float(np.clip(found.score * sure * factor, 0.0, 1.0)), tuple(evidence))


def _rooms_phrase(meant: Sequence[KnownRoom], rooms: Sequence[KnownRoom]) -> str:
    return joined([room_phrase(r.id, r.name, rooms) for r in meant], "or")


def _keyframe(scene: _Scene, order: str, **conditions: object) -> list[Evidence]:
    """The newest or oldest keyframe that meets the conditions of a `Query`, as a list of at most one."""
    query = Query(kinds=("keyframe",), order=order, limit=1, with_images=scene.with_images, **conditions)  # type: ignore[arg-type]
    return list(scene.memory.recall(query).evidence[:1])


def _where_is(o: KnownObject, scene: _Scene) -> str:
    return room_phrase(o.evidence.room, o.evidence.room_name, scene.rooms)


def _gone(o: KnownObject) -> str:
    if o.evidence.state == "held":
        return f", but it was taken from there (I last saw it there {time_phrase(o.evidence.stamp_ns)})"
    return (
        f", but it was gone when I last looked ({time_phrase(o.evidence.stamp_ns)} it was still there)"
        if o.evidence.state == "missing"
        else ""
    )


def _colored(words: str, color: str) -> str:
    return f"{color} {words}" if color else words


def _named(o: KnownObject, color: str) -> str:
    return _colored(name_of(o.label), color)


def _spelt(colors: Sequence[str]) -> list[str]:
    return ["grey" if c == "gray" else c for c in colors]


def _a_room(words: str) -> str:
    return words if words.startswith("room/") else indefinite(normalise(words))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
