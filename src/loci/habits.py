"""Facts learnt from what was seen again and again: "the mug is usually on the counter in the kitchen", with counts and times.

Notes where things are, at most once for every visit, and tells the habits that follow as long-term episodes: they are recalled, forgotten and
purged like any other. What is noted comes from the scene and the spatial memory as they are at that moment.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import astuple
from datetime import datetime, timedelta, timezone

from loci.episodic.habits import Habit, HabitParameters, Visit, add_visit, find_habits
from loci.episodic.records import Episode
from loci.evidence import Memories, rooms_of_objects
from loci.scene.objects import SceneObject
from loci.store.store import Store

_VISITS = "visits"
#: Source of episodes that tell a habit.
SOURCE = "loci habits"
#: Later stamps [ns] are times of day by themselves (2001); earlier ones come from a simulator, or from the start of a machine.
FIRST_WALL_CLOCK = 10**18


class Habits:
    """Visits of every object, and the facts that follow. The writer's thread only."""

    def __init__(
        self, store: Store, objects: Iterable[SceneObject] = (), parameters: HabitParameters | None = None
    ) -> None:
        self.parameters = parameters or HabitParameters()
        self._store = store
        self._visits: dict[str, tuple[Visit, ...]] = {}
        self._facts: dict[str, list[str]] = {}  # by object: ids of the episodes that tell its habits
        self._noted_ns = {o.id: o.last_seen_ns for o in objects}  # by object: when it was last seen, as noted
        self._offset_ns: int | None = None
        for record in store.records(_VISITS):
            self._visits[record.id] = tuple(
                Visit(int(t), str(on), str(room), bool(inside), *map(str, more))
                for t, on, room, inside, *more in record.fields["visits"]
            )
            self._facts[record.id] = [str(i) for i in record.fields["facts"]]

    def begin_session(self) -> None:
        """Stamps may start anew."""
        self._offset_ns = None

    def note(self, memories: Memories, session: str, newest_stamp_ns: int) -> int:
        """Note where objects are that were seen since the last call, and tell what is usual; how many facts changed."""
        seen = [
            o
            for o in memories.scene.objects()
            if o.map_id == memories.map_id and o.state == "present" and self._noted_ns.get(o.id) != o.last_seen_ns
        ]
        if not seen:
            return 0
        by_id = memories.scene.by_id()
        carriers = memories.scene.carriers(o.id for o in seen)
        n_changed = 0
        for o, room in zip(seen, rooms_of_objects(memories, seen), strict=True):
            self._noted_ns[o.id] = o.last_seen_ns
            carrier_id, is_inside = carriers.get(o.id, ("", False))
            on = by_id[carrier_id].label if carrier_id in by_id else ""
            when_ns = self._wall_ns(o.last_seen_ns, newest_stamp_ns)
            seen_in = memories.scene.last_keyframe_id(o.id)
            visit = Visit(when_ns, on, room.name if room is not None else "", is_inside, seen_in)
            before = self._visits.get(o.id, ())
            visits = add_visit(before, visit, self.parameters)
            if visits != before:
                self._visits[o.id] = visits
                n_changed += self._tell(memories, o, session)
                self._save(o.id)
        return n_changed

    def forget(self, object_ids: Iterable[str]) -> None:
        """Let go of what was noted about objects; the episodes about them go with the others about them."""
        for object_id in object_ids:
            self._noted_ns.pop(object_id, None)
            self._facts.pop(object_id, None)
            if self._visits.pop(object_id, None) is not None:
                self._store.delete(_VISITS, object_id)

    def forget_keyframes(self, memories: Memories, keyframe_ids: Iterable[str], session: str) -> None:
        """Let go of visits that these keyframes showed, and tell anew what is usual without them."""
        gone, by_id = set(keyframe_ids), memories.scene.by_id()
        for object_id, visits in list(self._visits.items()):
            left = tuple(v for v in visits if v.keyframe_id not in gone)
            if left != visits and object_id in by_id:
                self._visits[object_id] = left
                self._tell(memories, by_id[object_id], session)
                self._save(object_id)

    def replace_objects(self, merged: Mapping[str, str]) -> None:
        """Follow merged objects ({old id: id that it became}); their facts are told anew at the next visit."""
        for old, new in merged.items():
            visits, facts = self._visits.get(old, ()), self._facts.get(old, [])
            self.forget([old])
            if visits or facts:
                both = sorted((*visits, *self._visits.get(new, ())), key=lambda v: v.wall_ns)
                self._visits[new] = tuple(both[-self.parameters.max_visits :])
                self._facts[new] = [*self._facts.get(new, []), *facts]
                self._save(new)

    def _tell(self, memories: Memories, o: SceneObject, session: str) -> int:
        """Make the long term tell the habits of an object, and nothing else about its habits; how many facts changed."""
        habits = find_habits(self._visits[o.id], _utc_offset_s(), self.parameters)
        known = [e for e in (memories.episodic.get(i) for i in self._facts.get(o.id, ())) if e is not None]
        texts = [_text(o.label, habit) for habit in habits]
        n_changed = 0
        kept: list[str] = []
        for habit, text in zip(habits, texts, strict=True):
            old = known.pop(0) if known else None
            if old is None or old.text != text:
                fact = Episode(
                    id=old.id if old is not None else self._store.new_id("episode"),
                    kind="episode",
                    text=text,
                    labels=(o.label,),
                    stamp_ns=o.last_seen_ns,
                    session=session,
                    map_id=o.map_id,
                    object_id=o.id,
                    source=SOURCE,
                    position=o.center,
                    count=habit.n_there,
                )
                memories.episodic.remember(fact)
                old, n_changed = fact, n_changed + 1
            kept.append(old.id)
        n_changed += memories.episodic.forget([e.id for e in known])
        self._facts[o.id] = kept
        return n_changed

    def _save(self, object_id: str) -> None:
        fields = {"visits": [astuple(v) for v in self._visits[object_id]], "facts": self._facts.get(object_id, [])}
        self._store.put(_VISITS, object_id, fields)

    def _wall_ns(self, stamp_ns: int, newest_stamp_ns: int) -> int:
        if stamp_ns >= FIRST_WALL_CLOCK:
            return stamp_ns
        if self._offset_ns is None:
            self._offset_ns = time.time_ns() - newest_stamp_ns
        return stamp_ns + self._offset_ns


def _utc_offset_s() -> float:
    offset = datetime.now().astimezone().utcoffset()
    return offset.total_seconds() if offset is not None else 0.0


def _text(label: str, habit: Habit) -> str:
    first, last = (
        datetime.fromtimestamp(ns / 1e9, timezone(timedelta(seconds=_utc_offset_s()))).strftime("%Y-%m-%d")
        for ns in (habit.first_ns, habit.last_ns)
    )
    span = f"on {first}" if first == last else f"from {first} to {last}"
    when = f" {habit.when}" if habit.when else ""
    return f"the {label} is usually {habit.where}{when}: at {habit.n_there} of {habit.n_seen} visits, {span}"
