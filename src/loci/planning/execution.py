"""`TaskExecutor`: carries out orders with a memory: recall, go there, look whether it is there, explore where nothing is known.

It decides with what a `MemoryReader` and a `Planner` tell, and acts through a `Body`; no simulator, no ROS. Everything is a generator that yields
after every action: who runs a task can stop it, bound it, or tell how far it is, between any two.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from loci.observation import Detection
from loci.planning.approach import approach, step_back
from loci.planning.bodies import Body, BodyError, Handled, Motion
from loci.planning.cancelling import GivenUpError
from loci.planning.driving import distance
from loci.planning.orders import Order, Verb
from loci.planning.phrases import joined, time_phrase
from loci.planning.plan_memory import SOURCE as PLAN_SOURCE
from loci.planning.plan_memory import Experience, Failure, PlanMemory, with_lessons
from loci.planning.protocols import Answer, MemoryReader, NoteMemory, Planner, Point
from loci.planning.relevance import Interest, KnowsWords, Relevance, with_experience
from loci.planning.revisiting import HAND, Revisit, Spot, goals_of, picked_text, placed_text, understood
from loci.planning.searching import Looked, SecondLook
from loci.planning.seeking import pictured, shows_still, things_meant
from loci.planning.task_tree import Status, TaskTree
from loci.planning.tries import Tries
from loci.query import Evidence, Query
from loci.words import normalise

if TYPE_CHECKING:
    from loci.perception.text import TextEncoder

#: How near to a thing the way may end, if nothing else is said [m].
TOLERANCE = 1.5
#: How near to where a picture was taken the way may end [m].
_PICTURE_TOLERANCE = 0.4
#: Actions of exploring between two questions to the memory.
_EXPLORE_STEPS = 4
#: Actions of exploring after which an answer that may still change is given.
_MAX_SETTLING = 100
#: Places where a thing was seen that are tried: who cannot get to these will not get to the next one.
_MAX_SIGHTINGS = 3

#: What is said of a thing with which something was done.
_DONE: dict[str, str] = {
    "pick": "picked",
    "place": "placed at",
    "open": "opened",
    "close": "closed",
    "switch_on": "switched on",
    "switch_off": "switched off",
    "clean": "cleaned",
}
#: State of a thing with which something was done; what is placed is another thing than the one it is placed at.
_STATES: dict[str, str] = {
    "pick": "held",
    "open": "open",
    "close": "closed",
    "switch_on": "on",
    "switch_off": "off",
    "clean": "clean",
}
#: Work on a candidate: what came of it.
Work = Callable[[Evidence], Generator[Motion, None, Handled]]


@dataclass(frozen=True)
class Outcome:
    """How an order ended: whether it is done, in plain words why or why not, and what it rests on."""

    done: bool
    reason: str
    evidence: tuple[Evidence, ...] = ()
    answer: Answer | None = None


class MemoryLostError(RuntimeError):
    """What the task rests on is gone: the memory was cleared or exchanged, or never saw anything."""


@dataclass(frozen=True)
class Recall:
    """A question that was put to the memory on the way, and its first usable answer.

    Attributes:
        words: what was looked for.
        found: None: nothing.
    """

    words: str
    found: Evidence | None


class TaskExecutor:
    """Carries out orders.

    Args:
        memory: of the robot.
        planner: says where things are, and answers.
        body: what drives.
        may_use: what of the memory may be used; for evaluations.
        told: is told of every question to the memory.
        plans: what came of past tasks; None: it is neither consulted nor kept.
        notes: is told what the hand did; None: nobody is.
        tolerance: how near to a thing the way may end [m]: it may stand on furniture or against a wall.

    Attributes:
        tree: of the task under way, or of the last one.
    """

    def __init__(
        self,
        memory: MemoryReader,
        planner: Planner,
        body: Body,
        *,
        may_use: Callable[[Evidence], bool] = lambda _: True,
        told: Callable[[Recall], None] = lambda _: None,
        plans: PlanMemory | None = None,
        notes: NoteMemory | None = None,
        tolerance: float = TOLERANCE,
    ) -> None:
        self._memory, self._planner, self._body = memory, planner, body
        self._may_use, self._told = may_use, told
        self._plans, self._notes, self._tolerance = plans, notes, tolerance
        self._stamp_ns = 0
        self._newest_ns = 0
        self._look_at = ""  # the frontier that the planner's last answer chose
        self.tree = TaskTree("")
        self._node = self.tree.root

    def understood(self, instruction: str, encoder: TextEncoder | None = None) -> tuple[Order | Revisit, ...]:
        """Orders of an instruction, which may speak of what this robot's hand did; see `loci.planning.revisiting.understood`."""
        return understood(instruction, self._memory, encoder)

    def carry_out(self, orders: Sequence[Order | Revisit], instruction: str = "") -> Generator[Motion, None, Outcome]:
        """One order after the other; the first that fails ends it. The tree tells how far it is.

        Args:
            orders: in their order.
            instruction: that they are of.
        """
        self.tree = TaskTree(instruction, [phrase(order) for order in orders])
        return self._carry_out(orders, instruction)

    def _carry_out(self, orders: Sequence[Order | Revisit], instruction: str) -> Generator[Motion, None, Outcome]:
        root = self.tree.root
        root.begin(self._body.stamp_ns or self._memory.newest_stamp_ns)
        outcome = Outcome(False, "nothing was ordered")
        evidence: dict[str, Evidence] = {}
        is_lost = False
        try:
            if instruction and self._plans is not None:
                root.evidence = tuple(past.id for past in self._plans.similar(instruction))
            for order, node in zip(orders, root.children, strict=True):
                self._node = node
                node.begin(self._body.stamp_ns)
                try:
                    outcome = yield from self._order(order)
                except (BodyError, MemoryLostError) as error:
                    outcome, is_lost = Outcome(False, str(error)), isinstance(error, MemoryLostError)
                status: Status = "done" if outcome.done else "failed"
                node.end(status, outcome.reason, self._body.stamp_ns, (e.id for e in outcome.evidence))
                evidence |= {e.id: e for e in outcome.evidence}
                if not outcome.done:
                    outcome = replace(outcome, reason=f"{phrase(order)}: {outcome.reason}")
                    break
        except (GeneratorExit, GivenUpError):
            root.end("cancelled", "cancelled", self._body.stamp_ns)
            raise
        except Exception as error:
            root.end("failed", str(error) or type(error).__name__, self._body.stamp_ns)
            raise
        root.end("done" if outcome.done else "failed", outcome.reason, self._body.stamp_ns)
        if instruction and not is_lost:
            self.remember(instruction, outcome)
        return replace(outcome, evidence=tuple(evidence.values()))

    def remember(self, instruction: str, outcome: Outcome) -> None:
        """Keep what came of a task; `carry_out` does so for those that it ends itself."""
        if self._plans is not None:
            began_ns = self.tree.root.began_ns
            self._plans.remember_task(instruction, outcome.done, outcome.reason, began_ns=began_ns)

    def _order(self, order: Order | Revisit) -> Generator[Motion, None, Outcome]:
        if isinstance(order, Revisit):
            return (yield from self.revisit(order))
        if order.stay and order.verb not in ("find", "answer"):
            return Outcome(False, "that cannot be done without moving")
        if order.verb == "answer":
            return (yield from self.find_out(order.words, stay=order.stay))
        if order.stay:
            return (yield from self.find_out(f"where is the {order.words}", stay=True))
        if order.verb == "find" and order.last_seen:
            return (yield from self.go_back(order.words))
        if order.verb == "find":
            return (yield from self.find(order.words))
        return (yield from self.handle(order))

    def find(
        self, words: str = "", image: npt.NDArray[np.uint8] | None = None, detections: Sequence[Detection] = ()
    ) -> Generator[Motion, None, Outcome]:
        """Go to what is called so, or to what a picture shows, and look whether it is there.

        Args:
            words: "red mug"; not needed with a picture.
            image: the picture, (H, W, 3) uint8 RGB; None: there is none.
            detections: what the robot's detector saw in it; none: it is looked for by its looks alone.
        """

        def found(desperate: bool) -> list[Evidence]:
            return self._pictured(image, detections, desperate) if image is not None else self._things(words, desperate)

        def look(target: Evidence) -> Generator[Motion, None, Handled]:
            if image is None or target.kind != "object":
                return (yield from self._look_for(target))
            return (yield from self._look_as_pictured(target, image, detections))

        return (yield from self._try(words, found, look, "found"))

    def handle(self, order: Order) -> Generator[Motion, None, Outcome]:
        """Find a thing and do something with it. What fails is tried from a step farther off, then with the next best thing."""
        if not self._body.has_hand:
            return Outcome(False, "this robot has no hand that could do it")

        def work(target: Evidence) -> Generator[Motion, None, Handled]:
            looked = yield from self._look_for(target)
            if not looked.done:
                return looked
            assert target.position is not None
            carrier = self._carrier(target)
            handled = self._body.handle(order.verb, target.label, target.position)
            if not handled.done and (yield from step_back(self._memory, self._body, target)):
                handled = self._body.handle(order.verb, target.label, target.position)
            self._stamp_ns = max(self._stamp_ns, self._body.stamp_ns)
            if not handled.done:
                return replace(handled, failure="not done")
            self._tell(order.verb, target, carrier)
            return handled

        return (
            yield from self._try(
                order.words, lambda desperate: self._things(order.words, desperate), work, _DONE[order.verb]
            )
        )

    def _carrier(self, target: Evidence) -> str:
        """What a thing lies on or in, in plain words."""
        known = {o.id: o for o in self._memory.known_objects()}
        carrier = known.get(known[target.id].on) if target.id in known else None
        return carrier.label if carrier is not None and carrier.label else "floor"

    def _tell(self, verb: Verb, target: Evidence, carrier: str) -> None:
        """Let the memory know what the hand did: no camera may see it, and what is in a hand is not gone."""
        if self._notes is None:
            return
        self._up_to_date()
        done, label = _DONE[verb], target.label
        if verb != "place":
            text = f"{done} the {label}" + (f" in the {target.room_name}" if target.room_name else "")
            text = picked_text(label, carrier) if verb == "pick" else text
            self._notes.remember(
                text, HAND, labels=(label,), object_id=target.id, state=_STATES[verb], position=target.position
            )
            return
        for held in self._memory.recall(Query(kinds=("object",), states=("held",), order="newest", limit=1)).evidence:
            self._notes.remember(
                placed_text(held.label, label),
                HAND,
                labels=(held.label, label),
                object_id=held.id,
                state="placed",
                position=target.position,
            )

    def go_back(self, words: str) -> Generator[Motion, None, Outcome]:
        """Go to where such a thing was seen last, whether it is still there or not. Nothing is explored: it was seen, or it was not."""
        yield from self._look()
        tries = Tries()
        for sighting in self._sightings(words):
            if tries.is_spent(sighting) or len(tries.reasons) >= _MAX_SIGHTINGS:
                continue
            at = sighting.position
            assert at is not None
            node = self._node.begin_try(
                f"go to where it was seen {time_phrase(sighting.stamp_ns)}", *self._basis(sighting)
            )
            stuck = yield from self._body.drive(at, self._tolerance)
            self._stamp_ns = max(self._stamp_ns, self._body.stamp_ns)
            node.end("failed" if stuck else "done", stuck, self._body.stamp_ns)
            if not stuck:
                return Outcome(True, f"here the {words} was seen last, {time_phrase(sighting.stamp_ns)}", (sighting,))
            tries.add(sighting, stuck, reached=False)
        if tries.reasons:
            return Outcome(False, f"where the {words} was seen cannot be reached ({tries.summary()})")
        return Outcome(False, f"the memory knows of no {words} that was seen")

    def revisit(self, order: Revisit) -> Generator[Motion, None, Outcome]:
        """Go to what the robot's own deeds tell: to one spot of each goal, in the order that is asked for, or the nearest first. Nothing is explored."""
        if order.wish is None:
            return Outcome(False, "I have no record of having done that")
        yield from self._look()
        self._up_to_date()
        left = goals_of(order.wish, self._memory, self._planner)
        if not left or not all(left):
            return Outcome(False, "the memory does not know where that is")
        basis: list[Evidence] = []
        while left:
            goal = left[0] if order.wish.ordered else min(left, key=self._nearest)
            spot, reasons = yield from self._go_to_one(goal)
            if spot is None:
                return Outcome(False, reasons, tuple(basis))
            left.remove(goal)
            basis.append(spot.basis)
        return Outcome(True, f"been there: {joined([e.text or _name(e) for e in basis])}", tuple(basis))

    def _go_to_one(self, goal: Sequence[Spot]) -> Generator[Motion, None, tuple[Spot | None, str]]:
        """Drive to the nearest spot that can be reached, and face it; None and why, if there is none."""
        reasons: list[str] = []
        here = self._body.position()
        for spot in sorted(goal, key=lambda s: distance(s.position, here)):
            name = f"the {spot.label}" if spot.label else "the room"
            if self._body.steps_left <= 0:
                reasons.append("not done within the steps allowed")
                break
            node = self._node.begin_try(f"go to {name}", *self._basis(spot.basis))
            stuck = yield from self._body.drive(spot.position, self._tolerance)
            if not stuck and not spot.is_room:
                yield from self._body.face(spot.position)
            self._stamp_ns = max(self._stamp_ns, self._body.stamp_ns)
            node.end("failed" if stuck else "done", stuck, self._body.stamp_ns)
            if not stuck:
                return spot, ""
            reasons.append(f"{name}: {stuck}")
        return None, "; ".join(reasons)

    def _nearest(self, goal: Sequence[Spot]) -> float:
        here = self._body.position()
        return min(distance(s.position, here) for s in goal)

    def find_out(self, question: str, *, stay: bool = False) -> Generator[Motion, None, Outcome]:
        """Ask after every few steps of exploring, until the memory knows or nothing is left to explore.

        Where the thing is known, but not what was asked, it is driven to and looked at first. An answer that may change as long as its
        surroundings are unexplored (a number, a room without a name) is given after a look at these, bounded. One about what only
        resembles the thing is given where nothing is left to explore, and "nothing is on it" after a look from close by.

        Args:
            question: in plain words.
            stay: do not move.
        """
        if not stay:
            yield from self._look()
        tries = Tries()
        explored = False
        since: int | None = None  # so many actions were done when the first answer came
        while True:
            self._up_to_date()
            answer = self._planner.ask(question, self._memory)
            self._look_at = answer.look_at
            if answer.known and all(self._may_use(e) for e in answer.evidence if e.kind == "object"):
                if since is None and not answer.resembles:
                    since = self._body.n_steps
                waited = since is not None and self._body.n_steps - since >= _MAX_SETTLING
                is_settled = not answer.resembles and (not answer.may_change or waited)
                close = None if stay or self._body.steps_left <= 0 else self._overlooked(answer, tries)
                if close is not None:
                    looked = yield from self._tried(close, f"look at {_name(close)}", self._look_for)
                    tries.add(close, looked.reason or "looked at", reached=looked.failure != "not reached")
                    continue
                if not stay and self._body.steps_left > 0 and (explored or is_settled) and tries.allow_unreached():
                    continue
                if stay or explored or is_settled or self._body.steps_left <= 0:
                    return Outcome(True, answer.answer, answer.evidence, answer)
                explored = not (yield from self._explore())
                continue
            if stay:
                return Outcome(
                    False, f"{answer.answer} Without moving nothing more can be told.", answer.evidence, answer
                )
            if self._body.steps_left <= 0:
                return Outcome(False, "not known within the steps allowed", answer.evidence, answer)
            target = self._unclear(answer, tries)
            if target is not None:
                looked = yield from self._tried(target, f"look at {_name(target)}", self._look_for)
                tries.add(target, looked.reason or "looked at", reached=True)
            elif explored:
                return Outcome(False, "nothing reachable is left to explore", answer.evidence, answer)
            else:
                explored = not (yield from self._explore())

    def _try(
        self, words: str, candidates: Callable[[bool], list[Evidence]], work: Work, success: str
    ) -> Generator[Motion, None, Outcome]:
        """Work on one candidate after the other, and explore where none is left, until one is a success.

        Args:
            words: that the candidates are for.
            candidates: of the memory as it is, best first; True: nothing is left to explore, and everything was looked at again.
            work: on one of them.
            success: what is then said of it.
        """
        tries = Tries()
        explored = searched = sought = False
        yield from self._look()
        known = self._plans.experience(words) if self._plans is not None else Experience()
        interest = self._interest(words)
        to_borders = with_experience(interest, known, seen_before=False)
        second_look = SecondLook(self._memory, self._body, with_experience(interest, known, seen_before=True))
        looked: Looked | None = None
        while self._body.steps_left > 0:
            target = self._first(words, with_lessons(candidates(searched), known.lessons), tries)
            if looked is not None and (target is None or looked.stuck):
                self._learn(words, looked.at, "not reached" if looked.stuck else "not there", looked.stuck)
            looked = None
            if target is not None:
                handled = yield from self._tried(target, f"try {_name(target)}", work)
                if handled.done:
                    if self._plans is not None and words and (sought or tries.reasons):
                        self._plans.remember_find(words, target, self._body.stamp_ns)
                    return Outcome(True, f"{success}: {_name(target)}", (target,))
                tries.add(target, handled.reason, reached=handled.failure != "not reached")
                if handled.failure:
                    self._learn(words, target, handled.failure, handled.reason)
            elif not explored:
                sought, explored = True, not (yield from self._explore(to_borders))
            elif not searched:
                looked = yield from second_look.next()
                searched = looked is None
                self._stamp_ns = max(self._stamp_ns, self._body.stamp_ns)
            elif not tries.allow_unreached():
                nothing = "everything reachable was explored, and nothing like it is known"
                return Outcome(False, f"{tries.summary()}; {nothing} besides" if tries.reasons else nothing)
        return Outcome(False, "not done within the steps allowed" + (f" ({tries.summary()})" if tries.reasons else ""))

    def _learn(self, words: str, at: Evidence, failure: Failure, reason: str) -> None:
        """A lesson for later tasks."""
        if self._plans is not None:
            self._plans.remember_failure(words, at, failure, reason, self._body.stamp_ns)

    def _tried(self, target: Evidence, what: str, work: Work) -> Generator[Motion, None, Handled]:
        """Work on a candidate, in the tree."""
        node = self._node.begin_try(what, *self._basis(target))
        handled = yield from work(target)
        node.end("done" if handled.done else "failed", handled.reason, self._body.stamp_ns)
        return handled

    def _basis(self, target: Evidence) -> tuple[int, tuple[str, ...]]:
        return self._body.stamp_ns, (target.id,)

    # --- what the memory says -----------------------------------------------------------------------------------------

    def _things(self, words: str, desperate: bool = False) -> list[Evidence]:
        """Objects that words mean, best first; looser where nothing is left to explore."""
        self._up_to_date()
        meant = things_meant(words, self._memory, self._planner, self._body.position(), desperate=desperate)
        self._look_at = meant.look_at
        return meant.things

    def _pictured(
        self, image: npt.NDArray[np.uint8], detections: Sequence[Detection], desperate: bool
    ) -> list[Evidence]:
        """Remembered objects and images that a picture may show; also unlikely ones, where nothing is left to explore."""
        self._up_to_date()
        return pictured(self._memory, image, detections, desperate=desperate)

    def _sightings(self, words: str) -> list[Evidence]:
        """Where such a thing was seen, newest first: the thing, also where it is gone by now, what was noted about it, and the images of it.

        What moves by itself is no object: of it there are images only, and the place is where they were taken from.
        """
        self._up_to_date()
        answer = self._planner.ask(f"when did you last see the {words}", self._memory)
        found = [e for e in answer.evidence if answer.known and e.kind == "object"]
        for kind in ("episode", "keyframe"):
            query = Query(labels=(normalise(words),), kinds=(kind,), order="newest", limit=10)
            found += [e for e in self._memory.recall(query).evidence if e.source != PLAN_SOURCE]
        maps = {e.map_id for e in self._memory.recall(Query(kinds=("keyframe",), order="newest", limit=1)).evidence}
        placed = []
        for e in found:
            if e.position is None and e.T_map_camera is not None:
                x, y, z = e.T_map_camera[:3, 3].tolist()
                e = replace(e, position=(x, y, z))
            # What is gone is no goal, but its place is one where the map is that of today.
            if e.position is not None and self._may_use(e) and (e.is_goal or e.map_id in maps):
                placed.append(e)
        return sorted(placed, key=lambda e: (e.kind != "object", -e.stamp_ns))

    def _unclear(self, answer: Answer, tries: Tries) -> Evidence | None:
        """The thing that a question is about, where it is known and what was asked is not; looked at once."""
        if answer.known or any(e.kind == "frontier" for e in answer.evidence):
            return None
        return next(
            (e for e in answer.evidence[:1] if e.kind == "object" and e.is_goal and not tries.is_spent(e)), None
        )

    def _overlooked(self, answer: Answer, tries: Tries) -> Evidence | None:
        """The next thing that an answer wants to be looked at from close by; each is looked at once."""
        return next(
            (e for e in answer.evidence if e.id in answer.look_close and e.is_goal and not tries.is_spent(e)), None
        )

    def _first(self, words: str, found: list[Evidence], tries: Tries) -> Evidence | None:
        """The first that can be driven to and was not tried yet."""
        usable = (e for e in found if e.is_goal and e.position is not None and not tries.is_spent(e))
        target = next((e for e in usable if self._may_use(e)), None)
        self._told(Recall(words, target))
        return target

    def _up_to_date(self) -> None:
        """Wait until the memory knows the newest image.

        Raises:
            MemoryLostError: it was cleared or exchanged, or has seen nothing at all.
        """
        newest_ns = self._memory.newest_stamp_ns
        if newest_ns < self._newest_ns:
            raise MemoryLostError(
                "the memory was cleared, another one was loaded, or the clock went back, while the task was under way"
            )
        if newest_ns < self._stamp_ns:
            self._memory.wait_for(self._stamp_ns)
        self._newest_ns = max(newest_ns, self._stamp_ns)
        if self._newest_ns == 0:
            raise MemoryLostError("nothing was observed yet: does the camera run?")

    # --- what the robot does ------------------------------------------------------------------------------------------

    def _look(self) -> Generator[Motion, None, None]:
        self._stamp_ns = self._body.look()
        yield Motion("looking")

    def _interest(self, words: str) -> Interest | None:
        """Where such a thing is likely, if the planner can tell."""
        if not words or not isinstance(self._planner, KnowsWords):
            return None
        return Relevance(words, self._memory, self._planner)

    def _explore(self, interest: Interest | None = None) -> Generator[Motion, None, bool]:
        left = yield from self._body.explore(_EXPLORE_STEPS, interest, self._look_at)
        self._stamp_ns = max(self._stamp_ns, self._body.stamp_ns)
        return left

    def _look_for(self, target: Evidence) -> Generator[Motion, None, Handled]:
        """Drive to what is remembered and look whether it is there."""
        assert target.position is not None
        at: Point = target.position
        if target.kind == "object":
            stuck = yield from approach(self._memory, self._body, target, self._tolerance)
        else:
            stuck = yield from self._body.drive(at, self._tolerance)
        self._stamp_ns = max(self._stamp_ns, self._body.stamp_ns)
        if stuck:
            return Handled(False, stuck, "not reached")
        if target.kind != "object":
            return Handled(True)
        yield from self._body.face(at)
        if self._body.steps_left <= 0:
            return Handled(True)  # it stands before it; looking once more would be a step too many
        yield from self._look()
        self._up_to_date()
        now = self._memory.recall(Query(object_id=target.id, kinds=("object",), limit=1)).evidence
        if not now:
            return Handled(False, "the memory does not know it any more")
        return Handled(False, "it is not there", "not there") if now[0].state == "missing" else Handled(True)

    def _look_as_pictured(
        self, target: Evidence, image: npt.NDArray[np.uint8], detections: Sequence[Detection]
    ) -> Generator[Motion, None, Handled]:
        """Drive to where the picture of a remembered object was taken, and look whether it is what the picture shows."""
        assert target.position is not None and target.T_map_camera is not None
        x, y, z = target.T_map_camera[:3, 3].tolist()
        stuck = yield from self._body.drive((x, y, z), _PICTURE_TOLERANCE)
        if stuck:
            stuck = yield from approach(self._memory, self._body, target, self._tolerance)
        self._stamp_ns = max(self._stamp_ns, self._body.stamp_ns)
        if stuck:
            return Handled(False, stuck, "not reached")
        yield from self._body.face(target.position)
        if self._body.steps_left <= 0:
            return Handled(True)
        yield from self._look()
        self._up_to_date()
        if shows_still(self._memory, image, detections, target):
            return Handled(True)
        return Handled(False, "what is there is not what the picture shows", "not there")


def phrase(order: Order | Revisit) -> str:
    """An order in plain words, for people."""
    if isinstance(order, Revisit):
        return order.words
    if order.verb == "answer":
        return order.words
    if order.last_seen:
        return f"go back to where the {order.words} was seen"
    return f"{order.verb.replace('_', ' ')} {order.words}" + (" without moving" if order.stay else "")


def _name(e: Evidence) -> str:
    return e.text or e.label or e.id
