"""What became of a task: the instruction, its orders, and every try at them, as a tree that is read while it grows.

For people (`TaskTree.lines`) and for programs (`TaskTree.to_json`). It only keeps what it is told (`TaskExecutor`, `TaskContext`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["waiting", "under way", "done", "failed", "cancelled"]
Part = Literal["instruction", "order", "try"]

#: Tries of one order that are kept, newest last; of those before only their number is known.
MAX_TRIES = 50


@dataclass
class TaskNode:
    """A part of a task.

    Attributes:
        part: what kind of part it is.
        what: in plain words.
        status: how far it is.
        result: what came of it, or why not, in plain words.
        retries: how often it was tried again: of an order, its tries but the first.
        evidence: ids of what it rests on.
        began_ns, ended_ns: stamps of the newest image at its beginning and end [ns]; 0: not yet.
        children: its parts, in their order.
        n_left_out: children that are not kept any more.
    """

    part: Part
    what: str
    status: Status = "waiting"
    result: str = ""
    retries: int = 0
    evidence: tuple[str, ...] = ()
    began_ns: int = 0
    ended_ns: int = 0
    children: list[TaskNode] = field(default_factory=list)
    n_left_out: int = 0

    def begin(self, stamp_ns: int) -> None:
        """It is under way."""
        self.status, self.began_ns = "under way", stamp_ns

    def end(self, status: Status, result: str, stamp_ns: int, evidence: Iterable[str] = ()) -> None:
        """It has ended; so have its parts that were under way."""
        for child in self.children:
            if child.status == "under way":
                child.end(status, result, stamp_ns)
        self.status, self.result, self.ended_ns = status, result, stamp_ns
        self.evidence = tuple(dict.fromkeys((*self.evidence, *evidence)))

    def begin_try(self, what: str, stamp_ns: int, evidence: Iterable[str] = ()) -> TaskNode:
        """One more try at it, under way."""
        tried = TaskNode("try", what, evidence=tuple(evidence))
        tried.begin(stamp_ns)
        self.retries = self.n_left_out + len(self.children)
        self.children.append(tried)
        if len(self.children) > MAX_TRIES:
            del self.children[0]
            self.n_left_out += 1
        return tried

    def to_dict(self) -> dict[str, Any]:
        """As plain values; stamps in nanoseconds."""
        values: dict[str, Any] = {
            "part": self.part,
            "what": self.what,
            "status": self.status,
            "result": self.result,
            "retries": self.retries,
            "evidence": list(self.evidence),
            "began_ns": self.began_ns,
            "ended_ns": self.ended_ns,
            "children": [child.to_dict() for child in self.children],
        }
        return values | ({"n_left_out": self.n_left_out} if self.n_left_out else {})


class TaskTree:
    """A task and its parts.

    Args:
        instruction: as it was given.
        orders: in plain words, in their order.

    Attributes:
        root: the instruction; its children are the orders, and theirs the tries.
    """

    def __init__(self, instruction: str, orders: Iterable[str] = ()) -> None:
        self.root = TaskNode("instruction", instruction, children=[TaskNode("order", what) for what in orders])

    @property
    def current(self) -> TaskNode:
        """The innermost part that is under way; the whole if none is."""
        node = self.root
        while under_way := [child for child in node.children if child.status == "under way"]:
            node = under_way[-1]
        return node

    def to_json(self) -> str:
        """As JSON: `TaskNode.to_dict` of the root."""
        return json.dumps(self.root.to_dict(), ensure_ascii=False)

    def lines(self) -> list[str]:
        """One line for each part, parts of parts further in."""
        return list(_lines(self.root, 0))


def _lines(node: TaskNode, depth: int) -> Iterator[str]:
    notes = [node.result] if node.result else []
    if node.retries:
        notes.append(f"tried {node.retries + 1} times")
    if node.evidence:
        notes.append(f"see {', '.join(node.evidence)}")
    yield f"{'  ' * depth}[{node.status}] {node.what}" + (f": {'; '.join(notes)}" if notes else "")
    if node.n_left_out:
        yield f"{'  ' * (depth + 1)}({node.n_left_out} earlier tries are left out)"
    for child in node.children:
        yield from _lines(child, depth + 1)
