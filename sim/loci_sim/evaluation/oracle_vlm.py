"""An "oracle VLM": a server on loopback that speaks the chat-completions protocol and answers by reading the lists in a request.

It stands in for a vision-language model where none is at hand, so that the whole loop runs: it sees the text and the pictures of a request and
nothing else, no simulator, no memory, no ground truth. What a prompt does not tell it, it does not know. It reads "where is the ..." only.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from loci.scene.colors import COLOR_NAMES
from loci.words import canonical
from loci_sim.evaluation.chat_server import PATH, ChatHandler, ChatServer, texts_of

#: Name under which it is asked.
NAME = "oracle"
#: Of a request [bytes].
_MAX_BODY = 64 << 20
#: So many metres of way is a square metre of frontier worth [m/m2], at most so many [m].
_SIZE_BONUS, _MAX_BONUS = 0.5, 2.0
#: Another frontier must be nearer by so much than the one that the robot is on its way to [m].
_KEPT = 2.0
#: More than all that can be told of a thing.
_OTHER = 100

_OBJECT = re.compile(r'^\| (?P<id>object/[\w.:-]+): (?P<text>"(?:[^"\\]|\\.)*")(?P<rest>.*)$')
_VIEW = re.compile(r'^(?P<id>(?:snapshot|keyframe)/[\w.:-]+), .*"view of (?P<labels>[^"]*)"$')
_FRONTIER = re.compile(
    r'^\| (?P<id>frontier/[\w.:-]+): "unexplored border of (?P<area>[\d.]+) m2, (?P<length>[\d.]+) m away"(?P<rest>.*)$'
)
_QUESTION = re.compile(r'^The question of the robot\'s user: (?P<text>".*")$')
_WHERE = re.compile(r"^where (?:is|are) (?:the |a |an |my |your )?(?P<thing>.+?)\W*$", re.IGNORECASE)


@dataclass(frozen=True)
class Thing:
    """What words tell of a thing: its class, its colour, what it lies on or in, and its room; empty: not told."""

    label: str
    color: str = ""
    carrier: str = ""
    room: str = ""


@dataclass(frozen=True)
class Shown:
    """What a request shows.

    Attributes:
        question: of the user.
        objects: id and description, those that are where they were.
        views: id of a picture and the classes in it.
        frontiers: id and way there, less what its size is worth [m].
        n_images: pictures.
    """

    question: str
    objects: tuple[tuple[str, Thing], ...]
    views: tuple[tuple[str, tuple[str, ...]], ...]
    frontiers: tuple[tuple[str, float], ...]
    n_images: int


def thing_of(text: str) -> Thing:
    """The parts of "red mug on the table in the kitchen"."""
    text, _, room = re.sub(r" in (?=room/)", " in the ", text.lower()).rpartition(" in the ")
    if not text:
        text, room = room, ""
    name, _, carrier = text.partition(" on the ")
    if not carrier:
        name, _, carrier = text.partition(" in the ")
    first, _, rest = name.strip().partition(" ")
    color, name = (first, rest) if rest and first in COLOR_NAMES else ("", name)
    return Thing(canonical(name), color, canonical(carrier), canonical(room))


def read_request(messages: Sequence[Mapping[str, Any]]) -> Shown:
    """What the messages of a request show.

    Raises:
        ValueError: a picture cannot be decoded, or there is no question.
    """
    content = messages[1]["content"]
    parts: list[dict[str, Any]] = [{"type": "text", "text": content}] if isinstance(content, str) else content
    lines: list[str] = []
    n_images = 0
    for part in parts:
        if part["type"] == "image_url":
            _check_picture(str(part["image_url"]["url"]))
            n_images += 1
        else:
            lines += str(part["text"]).splitlines()
    objects, views, frontiers, question = [], [], [], ""
    for line in lines:
        if match := _OBJECT.match(line):
            text = re.sub(r", (?:gone|taken) by now$", "", json.loads(match["text"]))
            if '"missing"' not in match["rest"] and '"held"' not in match["rest"]:
                objects.append((match["id"], thing_of(text)))
        elif match := _VIEW.match(line.removesuffix(":")):
            views.append((match["id"], tuple(match["labels"].split(", "))))
        elif match := _FRONTIER.match(line):
            worth = min(_SIZE_BONUS * float(match["area"]), _MAX_BONUS) + _KEPT * bool(match["rest"])
            frontiers.append((match["id"], float(match["length"]) - worth))
        elif match := _QUESTION.match(line):
            question = str(json.loads(match["text"]))
    if not question:
        raise ValueError("expected a request with a question, got none")
    return Shown(question, tuple(objects), tuple(views), tuple(frontiers), n_images)


def answer(shown: Shown) -> dict[str, Any]:
    """A decision: the object that the question describes, else a view of its class, else the cheapest frontier, else nothing.

    While there is something to explore, a thing whose colour, carrier or room is told otherwise is not taken for it.
    """
    match = _WHERE.match(shown.question.strip())
    if match is None:
        return _decision("none", "I can only tell where things are.", 0.0, "this is no question for a place")
    wanted = thing_of(match["thing"])
    ranked = sorted(((_difference(wanted, thing), i) for i, (_, thing) in enumerate(shown.objects)), key=lambda r: r)
    n_told = sum(bool(word) for word in (wanted.color, wanted.carrier, wanted.room))
    if ranked and (ranked[0][0] == 0 or (ranked[0][0] <= n_told and not shown.frontiers)):
        name = shown.objects[ranked[0][1]][0]
        others = [shown.objects[i][0] for d, i in ranked[1:] if d <= ranked[0][0] and d <= n_told]
        return _decision(name, f"It is {name}.", 0.9, "its line fits", others[:5])
    for name, labels in shown.views:
        if not n_told and any(canonical(label) == wanted.label for label in labels):
            return _decision(name, f"It is in view of {name}.", 0.6, "its class is in the list of this view")
    if shown.frontiers:
        name = min(shown.frontiers, key=lambda f: f[1])[0]
        return _decision(name, "I have not seen it yet.", 0.0, "nothing in the lists fits; this border is the nearest")
    return _decision("none", "I have not seen it.", 0.0, "nothing in the lists fits, and nothing is left to explore")


def _difference(wanted: Thing, seen: Thing) -> int:
    """How many of colour, carrier and room are told otherwise; `_OTHER`: it is of another class."""
    if not wanted.label or wanted.label != seen.label:
        return _OTHER
    pairs = ((wanted.color, seen.color), (wanted.carrier, seen.carrier), (wanted.room, seen.room))
    return sum(bool(told) and told != listed for told, listed in pairs)


def _decision(choice: str, text: str, confidence: float, reason: str, evidence: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "reason": reason,
        "choice": choice,
        "evidence": list(evidence),
        "answer": text,
        "confidence": confidence,
    }


def _check_picture(url: str) -> None:
    head, _, data = url.partition(",")
    image = None
    if head == "data:image/jpeg;base64":
        image = cv2.imdecode(np.frombuffer(base64.b64decode(data, validate=True), np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"expected a JPEG as a data URL, got {url[:40]!r}")


class _Handler(ChatHandler):
    server: OracleServer

    def do_POST(self) -> None:
        try:
            length = int(self.headers.get("Content-Length", "-1"))
            if self.path != PATH or not 0 <= length <= _MAX_BODY:
                raise ValueError(f"expected a request to {PATH} of at most {_MAX_BODY} bytes")
            request = json.loads(self.rfile.read(length))
            shown = read_request(request["messages"])
            said = json.dumps(answer(shown))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            self.send(400, {"error": {"message": f"{type(error).__name__}: {error}"}})
            return
        n_characters = sum(len(line) for line in texts_of(request["messages"]))
        usage = {"prompt_tokens": n_characters // 4, "completion_tokens": len(said) // 4}
        with self.server.lock:
            self.server.n_requests += 1
            self.server.n_images += shown.n_images
        message = {"role": "assistant", "content": said}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        head = {"id": "chatcmpl-oracle", "object": "chat.completion", "created": 0, "model": NAME}
        self.send(200, {**head, "choices": [choice], "usage": usage})


class OracleServer(ChatServer):
    """The oracle's server.

    Attributes:
        n_requests, n_images: answered requests, and pictures in them.
    """

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.n_requests = self.n_images = 0
