"""What the tools of `loci.planning.tools` take: one pydantic model a tool, from which its JSON schema is made."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

#: Of results in one answer: what a model can read.
MAX_RESULTS = 50

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z]+/[0-9A-Za-z_.:-]+$", max_length=100)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Limit = Annotated[int, Field(ge=1, le=MAX_RESULTS, description="most results")]
Position = Annotated[
    tuple[FiniteFloat, FiniteFloat, FiniteFloat], Field(description="[x, y, z] in metres, map frame, z up")
]
WithImages = Annotated[bool, Field(description="attach pictures (JPEG) to the first results")]
Seconds = Annotated[FiniteFloat, Field(ge=0, le=9e9, description="time_s as in results: seconds of the robot's stamps")]


class Arguments(BaseModel):
    """Arguments that are not known are refused, so that a misspelt one is not silently left out."""

    model_config = ConfigDict(extra="forbid")


class Near(Arguments):
    """A ball around a point."""

    position: Position
    radius: Annotated[float, Field(gt=0, le=1000, description="metres")]


class Recall(Arguments):
    """Conditions must all hold; the text ranks what is left."""

    text: Annotated[Text | None, Field(description="words to rank by, e.g. 'something to drink from'")] = None
    kinds: Annotated[
        list[Literal["object", "snapshot", "keyframe", "place", "room", "episode"]],
        Field(description="only these kinds; empty: all"),
    ] = []
    labels: Annotated[list[Name], Field(max_length=20, description="only these categories")] = []
    place: Annotated[Name | None, Field(description="at this place (id) or in this room (id or name)")] = None
    object_id: Annotated[Id | None, Field(description="only what is about this object")] = None
    state: Annotated[Name | None, Field(description="e.g. 'present', 'missing', 'moved', 'open'")] = None
    near: Near | None = None
    after_s: Seconds | None = None
    before_s: Seconds | None = None
    order: Literal["relevance", "newest", "oldest"] = "relevance"
    limit: Limit = 10
    with_images: WithImages = False


class FindObjects(Arguments):
    """Objects by meaning, category, room, state or place."""

    text: Annotated[Text | None, Field(description="words to rank by, e.g. 'a red mug'")] = None
    labels: Annotated[list[Name], Field(max_length=20, description="only these categories")] = []
    room: Annotated[Name | None, Field(description="id or name of a room")] = None
    state: Annotated[Name | None, Field(description="'present', 'missing' or 'moved'")] = None
    near: Near | None = None
    limit: Limit = 10
    with_images: WithImages = False


class GetObject(Arguments):
    """One object."""

    object_id: Annotated[Id, Field(description="e.g. 'object/12'")]
    with_image: WithImages = False
    n_events: Annotated[int, Field(ge=0, le=MAX_RESULTS, description="newest events about it to add")] = 10


class ListRooms(Arguments):
    """Nothing."""


class DescribeRoom(Arguments):
    """One room."""

    room: Annotated[Name, Field(description="id or name, e.g. 'kitchen'")]
    limit: Limit = 30
    with_images: WithImages = False


class Timeline(Arguments):
    """A span of time."""

    after_s: Seconds | None = None
    before_s: Seconds | None = None
    place: Annotated[Name | None, Field(description="at this place (id) or in this room (id or name)")] = None
    object_id: Annotated[Id | None, Field(description="only what is about this object")] = None
    newest_first: bool = True
    limit: Limit = 20
    with_images: WithImages = False


class SceneGraph(Arguments):
    """How the graph is written."""

    format: Literal["text", "json"] = "text"
    max_characters: Annotated[int, Field(ge=100, le=100_000)] = 8000
    question: Annotated[
        Text | None, Field(description="what is relevant to it comes first where the text must be cut")
    ] = None


class PathLength(Arguments):
    """From where to where."""

    goal: Annotated[Id | Position, Field(description="id of a thing, place, room or frontier, or [x, y, z]")]
    start: Annotated[Position | None, Field(description="[x, y, z]; left out: where the robot was last seen")] = None
    tolerance: Annotated[float, Field(ge=0, le=10, description="the path may end so far from the goal, metres")] = 1.0


class Unexplored(Arguments):
    """Which frontiers."""

    limit: Limit = 10
    with_images: WithImages = False


class Remember(Arguments):
    """A note."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
    source: Annotated[Name, Field(description="who says so, e.g. 'Anna' or 'weather service'")]
    labels: Annotated[list[Name], Field(max_length=20, description="categories that it is about")] = []
    object_id: Annotated[Id | None, Field(description="the object that it is about")] = None
    state: Annotated[Name | None, Field(description="state of that object, e.g. 'broken'")] = None
    position: Position | None = None


class Ask(Arguments):
    """A question."""

    question: Text
    limit: Limit = 10
    with_images: WithImages = False
