"""A memory as tools that a language model calls: JSON schemas, and a dispatcher that never raises.

`ToolBox` works over a memory in the same process (`loci.planning.local.LocalReader`) and over ROS (`loci.nodes.client.MemoryClient`). Bad
arguments come back as an error that a model can read and mend. Pictures come back as pictures. The MCP server is `loci.mcp_server`.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from loci.planning import tool_arguments as arguments
from loci.planning.grounding import frontier_evidence, rooms_named
from loci.planning.protocols import AgentMemory, KnownRoom, Planner, Point
from loci.planning.quoting import DATA_NOTE, evidence_record
from loci.planning.tool_results import (
    MAX_IMAGE_BYTES,
    ToolResult,
    error_result,
    evidence_result,
    object_details,
    room_record,
)
from loci.query import Query

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tool:
    """One tool.

    Attributes:
        name, description: for the model.
        arguments: pydantic model of what it takes.
        run: does it, on checked arguments.
        writes: whether it changes the memory.
    """

    name: str
    description: str
    arguments: type[arguments.Arguments]
    run: Callable[[ToolBox, Any], ToolResult]
    writes: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the arguments."""
        return self.arguments.model_json_schema()


class ToolBox:
    """The tools over one memory.

    Args:
        memory: that is asked.
        planner: answers the tool `ask`; None: there is no such tool.
        writable: whether there is the tool `remember`.
        author: put before the source of what is remembered ("agent: Anna"): what came in through tools stays recognisable.
    """

    def __init__(
        self, memory: AgentMemory, planner: Planner | None = None, *, writable: bool = False, author: str = "agent"
    ) -> None:
        self.memory = memory
        self.planner = planner
        self.author = author
        self.tools = {
            t.name: t for t in TOOLS if (writable or not t.writes) and (planner is not None or t.name != "ask")
        }

    def definitions(self) -> list[dict[str, Any]]:
        """The tools for the ``tools`` of an OpenAI-compatible chat request."""
        return [
            {
                "type": "function",
                "function": {"name": t.name, "description": t.description, "parameters": t.schema},
            }
            for t in self.tools.values()
        ]

    def call(self, name: str, given: str | Mapping[str, Any] | None = None) -> ToolResult:
        """Run a tool on its arguments (JSON text, as models send it, or a mapping). What goes wrong is told in the result."""
        tool = self.tools.get(name)
        if tool is None:
            return error_result(f"no tool {str(name)[:100]!r}: there are {', '.join(self.tools)}")
        try:
            if isinstance(given, str):
                checked = tool.arguments.model_validate_json(given or "{}")
            else:
                checked = tool.arguments.model_validate(dict(given or {}))
            return tool.run(self, checked)
        except ValidationError as error:
            return error_result(f"{name}: {in_words(error)}")
        except (ValueError, LookupError, TimeoutError, RuntimeError, OSError) as error:
            return error_result(f"{name}: {error.args[0] if isinstance(error, KeyError) and error.args else error}")
        except Exception as error:
            _LOG.exception("tool %s failed", name)
            return error_result(f"{name} failed inside: {type(error).__name__}: {error}")

    # --- what the tools share -----------------------------------------------------------------------------------------

    def page(self, query: Query) -> ToolResult:
        """A page of recalled evidence."""
        found = self.memory.recall(query)
        return evidence_result(found.evidence, n_total=found.n_total)

    def room(self, words: str) -> KnownRoom:
        """The room that is meant.

        Raises:
            LookupError: there is none; the message lists those that are known.
        """
        rooms = self.memory.known_rooms()
        meant = rooms_named(words, rooms)
        if not meant:
            known = ", ".join(f"{r.name} ({r.id})" if r.name else r.id for r in rooms) or "none yet"
            raise LookupError(f"no room {words!r}: known are {known}")
        return meant[0]


def in_words(error: ValidationError) -> str:
    """What is wrong with arguments, in one line."""
    problems = []
    for e in error.errors(include_url=False, include_context=False)[:5]:
        where = ".".join(str(part) for part in e["loc"]) or "arguments"
        problems.append(f"{where}: {e['msg']}, got {str(e.get('input'))[:100]!r}")
    return "; ".join(problems)


# --- the tools --------------------------------------------------------------------------------------------------------


def _recall(box: ToolBox, a: arguments.Recall) -> ToolResult:
    return box.page(
        Query(
            text=a.text,
            kinds=tuple(a.kinds),
            labels=tuple(a.labels),
            place=a.place,
            object_id=a.object_id,
            state=a.state,
            **_near(a.near),
            after_ns=_ns(a.after_s),
            before_ns=_ns(a.before_s),
            order=a.order,
            limit=a.limit,
            with_images=a.with_images,
            max_image_bytes=MAX_IMAGE_BYTES,
        )
    )


def _find_objects(box: ToolBox, a: arguments.FindObjects) -> ToolResult:
    room = box.room(a.room).id if a.room is not None else None
    return box.page(
        Query(
            text=a.text,
            kinds=("object",),
            labels=tuple(a.labels),
            place=room,
            state=a.state,
            **_near(a.near),
            limit=a.limit,
            with_images=a.with_images,
            max_image_bytes=MAX_IMAGE_BYTES,
        )
    )


def _get_object(box: ToolBox, a: arguments.GetObject) -> ToolResult:
    o = box.memory.known_object(a.object_id)
    if o is None:
        raise LookupError(f"no object {a.object_id!r}: find_objects says which there are")
    image = box.memory.object_image(o.id) if a.with_image else None
    result = evidence_result([replace(o.evidence, image=image)])
    record = result.document["results"][0] | object_details(o, box.memory.known_poses(o.id))
    if a.n_events:
        query = Query(kinds=("keyframe", "episode"), object_id=o.id, order="newest", limit=a.n_events)
        record["events"] = [evidence_record(e) for e in box.memory.recall(query).evidence]
    return ToolResult({"note": DATA_NOTE, "object": record}, result.images)


def _list_rooms(box: ToolBox, a: arguments.ListRooms) -> ToolResult:
    return ToolResult({"rooms": [room_record(r) for r in box.memory.known_rooms()]})


def _describe_room(box: ToolBox, a: arguments.DescribeRoom) -> ToolResult:
    room = box.room(a.room)
    query = Query(
        kinds=("object",),
        place=room.id,
        limit=a.limit,
        with_images=a.with_images,
        max_image_bytes=MAX_IMAGE_BYTES,
    )
    found = box.memory.recall(query)
    result = evidence_result(found.evidence, n_total=found.n_total)
    counts = Counter(e.label or "unnamed" for e in found.evidence if e.state != "missing")
    return replace(
        result, document={"room": room_record(room), "counts": dict(counts.most_common()), **result.document}
    )


def _timeline(box: ToolBox, a: arguments.Timeline) -> ToolResult:
    return box.page(
        Query(
            kinds=("keyframe", "episode"),
            after_ns=_ns(a.after_s),
            before_ns=_ns(a.before_s),
            place=a.place,
            object_id=a.object_id,
            order="newest" if a.newest_first else "oldest",
            limit=a.limit,
            with_images=a.with_images,
            max_image_bytes=MAX_IMAGE_BYTES,
        )
    )


def _scene_graph(box: ToolBox, a: arguments.SceneGraph) -> ToolResult:
    graph = box.memory.scene_graph(a.format, a.max_characters, question=a.question)
    if a.format == "json":
        if len(graph) > a.max_characters:
            raise ValueError(
                f"the graph has {len(graph)} characters as JSON, expected at most max_characters = {a.max_characters}; "
                "as text it is cut to fit"
            )
        return ToolResult({"note": DATA_NOTE, "graph": json.loads(graph)})
    return ToolResult({"note": DATA_NOTE, "graph": graph})


def _path_length(box: ToolBox, a: arguments.PathLength) -> ToolResult:
    path = box.memory.path_to(a.goal, a.start, a.tolerance)
    if path.reason or not len(path.points):
        return ToolResult({"reachable": False, "reason": path.reason or "no path"})
    return ToolResult(
        {
            "reachable": True,
            "length": round(float(path.length), 2),
            "ends_at": [round(float(v), 2) for v in path.points[-1]],
        }
    )


def _unexplored(box: ToolBox, a: arguments.Unexplored) -> ToolResult:
    frontiers = box.memory.known_frontiers()[: a.limit]
    images = box.memory.frontier_images(frontiers) if a.with_images else {}
    evidence = [replace(frontier_evidence(f, box.memory), image=images.get(f.id)) for f in frontiers]
    result = evidence_result(evidence)
    for record, f in zip(result.document["results"], frontiers, strict=True):
        record["path_length"] = round(f.path_length, 2) if f.path_length >= 0 else None
        record["can_be_driven_to"] = f.path_length >= 0
        if f.path_length < 0:
            record["text"] = f"unexplored border of {f.area:.1f} m2, no way there is known"
    return result


def _remember(box: ToolBox, a: arguments.Remember) -> ToolResult:
    note_id = box.memory.remember(
        a.text,
        f"{box.author}: {a.source}" if box.author else a.source,
        labels=tuple(a.labels),
        object_id=a.object_id or "",
        state=a.state or "",
        position=a.position,
    )
    return ToolResult({"remembered": note_id})


def _ask(box: ToolBox, a: arguments.Ask) -> ToolResult:
    assert box.planner is not None  # else the tool is not offered
    answer = box.planner.ask(a.question, box.memory, a.limit, a.with_images)
    result = evidence_result(answer.evidence)
    head = {"answer": answer.answer, "known": answer.known, "confidence": round(answer.confidence, 3)}
    return replace(result, document={**head, **result.document})


#: All tools. Descriptions are what a model chooses by.
TOOLS: tuple[Tool, ...] = (
    Tool(
        "recall",
        "Search everything the robot remembers (objects, views, rooms, places, events, notes) by meaning, category, place, time and state.",
        arguments.Recall,
        _recall,
    ),
    Tool(
        "find_objects",
        "Find objects by meaning, category, room, state or near a point: where they are and when they were last seen.",
        arguments.FindObjects,
        _find_objects,
    ),
    Tool(
        "get_object",
        "Details of one object: place, size, colours, what it lies on, where it was before, when it was seen, and what happened to it; with a picture on request.",
        arguments.GetObject,
        _get_object,
    ),
    Tool(
        "list_rooms",
        "The rooms that the robot knows, with their areas and positions.",
        arguments.ListRooms,
        _list_rooms,
    ),
    Tool("describe_room", "What is in a room: objects with counts.", arguments.DescribeRoom, _describe_room),
    Tool(
        "timeline", "What happened, in order of time: what was seen, events and notes.", arguments.Timeline, _timeline
    ),
    Tool(
        "scene_graph",
        "Floors, rooms, objects and what lies on what, as text or JSON.",
        arguments.SceneGraph,
        _scene_graph,
    ),
    Tool(
        "path_length",
        "How far the robot must drive to a thing, a room or a point over floor that it knows to be free.",
        arguments.PathLength,
        _path_length,
    ),
    Tool(
        "unexplored",
        "Borders to what the robot has not seen yet, nearest first: where to look for what is not known.",
        arguments.Unexplored,
        _unexplored,
    ),
    Tool(
        "ask",
        "Answer a question in words from the memory by rules, with the evidence it rests on.",
        arguments.Ask,
        _ask,
    ),
    Tool(
        "remember",
        "Keep a note that no camera saw, with who says so. It is kept as a quotation.",
        arguments.Remember,
        _remember,
        writes=True,
    ),
)


def _near(near: arguments.Near | None) -> dict[str, Any]:
    if near is None:
        return {}
    position: Point = near.position
    return {"position": position, "radius": near.radius}


def _ns(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1e9)
