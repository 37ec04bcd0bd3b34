"""The prompt of a vision-language planner: what a memory holds for a question, within a budget of tokens and pictures (3D-Mem, section 3.4).

The model sees the current view, the snapshots that matter with their objects, frontier snapshots, objects, episodes and the scene
graph, each bounded, so that the prompt of a large memory is no longer than that of a small one. What is cut is what fits the question least.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from loci.planning.chat_model import Message
from loci.planning.decisions import decision_schema
from loci.planning.grounding import frontier_evidence, reachable, room_evidence
from loci.planning.phrases import time_phrase
from loci.planning.pictures import scaled_jpeg
from loci.planning.plan_memory import FOUND, LESSON, TASK, is_own, similar_notes
from loci.planning.protocols import AgentMemory, KnownRoom
from loci.planning.quoting import quoted, shortened
from loci.planning.traces import image_part
from loci.query import Evidence, Query

#: Characters of a token, on the low side: coordinates and ids have short tokens.
CHARACTERS_PER_TOKEN = 3
#: Names of the templates, and what each must hold.
TEMPLATES: dict[str, tuple[str, ...]] = {
    "system": ("schema",),
    "question": ("question", "choices", "rooms", "objects", "episodes", "plans", "scene_graph", "frontiers", "now"),
    "again": ("problem",),
}


@dataclass(frozen=True)
class PromptBudget:
    """How much a model is shown.

    Attributes:
        max_tokens: of all text, estimated.
        max_images: pictures in all; frontiers get at most a third of them.
        image_size: longer side of a picture [px].
        max_image_bytes: of one picture [bytes].
        max_objects, max_episodes, max_frontiers, max_rooms: lines of each.
        max_plans: past tasks like the question, lessons and finds; at most half of them are tasks, 0: none are shown.
    """

    max_tokens: int = 6000
    max_images: int = 8
    image_size: int = 512
    max_image_bytes: int = 200_000
    max_objects: int = 30
    max_episodes: int = 15
    max_frontiers: int = 8
    max_rooms: int = 30
    max_plans: int = 8

    def __post_init__(self) -> None:
        if self.max_tokens < 1000:
            raise ValueError(
                f"expected max_tokens >= 1000 (rules and schema alone take half of that), got {self.max_tokens}"
            )
        if self.max_images < 0 or not 64 <= self.image_size <= 4096 or self.max_image_bytes < 1000:
            raise ValueError(
                f"expected max_images >= 0, an image_size from 64 to 4096 px and max_image_bytes >= 1000, got {self.max_images}, "
                f"{self.image_size} and {self.max_image_bytes}"
            )


@dataclass(frozen=True)
class Prompt:
    """What is sent, and what may be chosen.

    Attributes:
        messages: for the model.
        choices: evidence by offered id, in the order in which it is shown.
        schema: JSON schema of the answer.
        n_images: in the messages.
        n_tokens: of the text, estimated.
    """

    messages: tuple[Message, ...]
    choices: dict[str, Evidence]
    schema: dict[str, Any]
    n_images: int
    n_tokens: int


class Templates:
    """The prompt's texts, read from a folder with system.md, question.md and again.md.

    Args:
        folder: None: those of the package.

    Raises:
        ValueError: a file is missing, or lacks one of its $names.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._texts: dict[str, Template] = {}
        for name, fields in TEMPLATES.items():
            source = (folder if folder is not None else resources.files(__package__) / "templates") / f"{name}.md"
            if not source.is_file():
                raise ValueError(f"expected a prompt template {source}, there is none")
            text = source.read_text(encoding="utf-8")
            missing = [f for f in fields if f"${f}" not in text and f"${{{f}}}" not in text]
            if missing:
                raise ValueError(f"expected ${', $'.join(missing)} in the prompt template {source}")
            self._texts[name] = Template(text)

    def fill(self, name: str, **values: str) -> str:
        """A template with its fields filled in."""
        return self._texts[name].safe_substitute(values)


def build_prompt(
    question: str,
    memory: AgentMemory,
    templates: Templates,
    budget: PromptBudget,
    *,
    with_images: bool = True,
    on_the_way_to: str = "",
) -> Prompt:
    """What a memory holds for a question.

    Args:
        question: of the user.
        memory: that is asked; a bounded number of things of each kind.
        templates: the texts.
        budget: how much is shown.
        with_images: whether pictures may be shown.
        on_the_way_to: id of the frontier that was chosen for this question before.

    Returns:
        The prompt. Its choices are empty if nothing is remembered that could answer.
    """
    n_images = budget.max_images if with_images else 0
    choices: dict[str, Evidence] = {}
    shown: list[tuple[str, Evidence]] = []  # caption, and what has the picture and is offered

    current = memory.recall(_query(None, "keyframe", 1, True, order="newest")).evidence if n_images else ()
    snapshots = memory.recall(_query(question, "snapshot", n_images, True)).evidence if n_images else ()
    frontiers = reachable(memory)[: budget.max_frontiers]
    photos = memory.frontier_images(frontiers[: n_images // 3]) if n_images >= 3 else {}
    borders = [replace(frontier_evidence(f, memory), image=photos.get(f.id)) for f in frontiers]

    snapshots = snapshots[: n_images - len(photos)]
    for e in current:
        if e.keyframe_id not in {s.keyframe_id for s in snapshots}:
            snapshots = snapshots[: n_images - len(photos) - 1]
            shown.append((f"{e.id}, the newest view, {time_phrase(e.stamp_ns)}{_room_of(e)}:", e))
    shown += [(f"{e.id}, {time_phrase(e.stamp_ns)}{_room_of(e)}: {quoted(e.text)}", e) for e in snapshots]
    shown += [(f"{e.id}, towards the unexplored: {quoted(e.text)}", e) for e in borders if e.image is not None]

    parts: list[dict[str, Any]] = []
    n_shown = 0
    for caption, offered in shown:
        jpeg = scaled_jpeg(offered.image or b"", budget.image_size, budget.max_image_bytes)
        if jpeg is not None and n_shown < n_images:  # a view is offered only with its picture
            parts += [{"type": "text", "text": caption}, image_part(jpeg)]
            choices[offered.id] = offered
            n_shown += 1

    objects = memory.recall(_query(question, "object", budget.max_objects)).evidence
    # What somebody said first: that a thing was seen, its own line tells.
    episodes = sorted(memory.recall(_query(question, "episode", 4 * budget.max_episodes)).evidence, key=_seen_last)
    episodes = [e for e in episodes if not is_own(e)][: budget.max_episodes]
    plans = similar_notes(memory, question, (TASK,), budget.max_plans // 2)
    plans += similar_notes(memory, question, (LESSON, FOUND), budget.max_plans - len(plans))
    rooms = memory.known_rooms()[: budget.max_rooms]
    room_lines = [(_room_line(r), room_evidence(r, memory)) for r in rooms]
    object_lines = [(_object_line(e), e) for e in objects]
    episode_lines = [(_episode_line(e), e) for e in episodes]
    plan_lines = [(_episode_line(e), e) for e in plans]
    chosen = {on_the_way_to: ", chosen before, the robot is on its way there"}
    frontier_lines = [(f"{e.id}: {quoted(e.text)}{chosen.get(e.id, '')}", e) for e in borders]

    fixed = templates.fill("system", schema="") + templates.fill("question", question=quoted(question, 2000))
    fixed += "".join(p.get("text", "") for p in parts)
    # Every id that is offered stands in a line, in the list of ids and twice in the schema.
    text = _TextBudget(budget.max_tokens * CHARACTERS_PER_TOKEN - len(fixed) - 1500 - 70 * len(choices))
    filled = {
        "frontiers": text.take(frontier_lines, choices, share=0.25),
        "rooms": text.take(room_lines, choices, share=0.25),
        "objects": text.take(object_lines, choices, share=0.5),
        "episodes": text.take(episode_lines, choices, share=0.5),
        "plans": text.take(plan_lines, choices, share=0.25),
    }
    left = text.left
    graph = memory.scene_graph("text", left, question=shortened(question, 1000)) if left >= 200 else ""
    schema = decision_schema(list(choices))
    # A saved memory has observed nothing yet in this session, and yet has a newest picture.
    now_ns = memory.newest_stamp_ns or max((e.stamp_ns for e in current), default=0)
    body = templates.fill(
        "question",
        question=quoted(question, 2000),
        choices=", ".join([*choices, "none"]),
        scene_graph=_block(graph.splitlines(), left),
        now=time_phrase(now_ns) if now_ns else "not known",
        **filled,
    )
    if not with_images:
        parts.append({"type": "text", "text": "No pictures are shown: only what is written counts."})
    parts.append({"type": "text", "text": body})
    system = templates.fill("system", schema=json.dumps(schema))
    messages: tuple[Message, ...] = ({"role": "system", "content": system}, {"role": "user", "content": parts})
    n_characters = len(system) + sum(len(p.get("text", "")) for p in parts)
    return Prompt(messages, choices, schema, n_shown, -(-n_characters // CHARACTERS_PER_TOKEN))


class _TextBudget:
    """Hands out characters."""

    def __init__(self, n_characters: int) -> None:
        self.left = max(0, n_characters)

    def take(self, lines: Iterable[tuple[str, Evidence]], choices: dict[str, Evidence], share: float) -> str:
        """Lines as long as a share of what is left lasts; what stands in one is offered."""
        end = self.left * (1.0 - share)
        taken = []
        for line, e in lines:
            cost = len(line) + 3 + (4 * (len(e.id) + 4) if e.id not in choices else 0)
            if self.left - cost < end:
                break
            self.left -= cost
            choices.setdefault(e.id, e)
            taken.append(f"| {line}")
        return "\n".join(taken) or "| none"


def _query(text: str | None, kind: Any, limit: int, with_images: bool = False, order: Any = "relevance") -> Query:
    return Query(
        text=None if text is None else shortened(text, 1000),
        kinds=(kind,),
        limit=limit,
        order=order,
        with_images=with_images,
        max_image_bytes=16 << 20,
    )


def _seen_last(e: Evidence) -> bool:
    return not e.is_quoted


def _block(lines: Sequence[str], max_characters: int) -> str:
    """Lines of data, each marked, so that none of them can pose as a heading of the prompt."""
    kept: list[str] = []
    for line in lines:
        max_characters -= len(line) + 3
        if max_characters < 0:
            break
        kept.append(f"| {line}")
    return "\n".join(kept) or "| none"


def _room_of(e: Evidence) -> str:
    return f", in {quoted(e.room_name or e.room, 80)}" if e.room else ""


def _room_line(r: KnownRoom) -> str:
    return f"{r.id}: {quoted(r.name or 'no name', 80)}, {r.area:.0f} m2"


def _object_line(e: Evidence) -> str:
    where = f" at ({e.position[0]:.1f}, {e.position[1]:.1f}, {e.position[2]:.1f})" if e.position is not None else ""
    state = f", {quoted(e.state, 40)}" if e.state and e.state != "present" else ""
    return (
        f"{e.id}: {quoted(e.text, 200)}{where}{state}, last seen {time_phrase(e.stamp_ns)}, sure to {e.confidence:.0%}"
    )


def _episode_line(e: Evidence) -> str:
    when = f" {time_phrase(e.stamp_ns)}" if e.stamp_ns else ""
    about = f" about {e.object_id}" if e.object_id else ""
    said = f"{quoted(e.source, 80)} noted" if e.is_quoted else "seen"
    return f"{e.id}{when}, {said}{about}: {quoted(e.text)}"
