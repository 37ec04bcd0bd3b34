"""Recorded exchanges with a model: one JSON line each, images beside them by content. Replayed, they answer without a model.

A trace holds what was sent and what came back, never a key. It holds pictures of what the robot saw: keep it as you keep the memory.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loci.planning.chat_model import ChatModel, Message, ModelError, Reply

_LOG = logging.getLogger(__name__)
_VERSION = 1
_DATA_URL = "data:image/jpeg;base64,"
_BY_CONTENT = "sha256:"


@dataclass(frozen=True)
class Exchange:
    """One request and its answer.

    Attributes:
        key: hash of model, messages, images and schema.
        model: its name.
        messages: images as "sha256:..." in place of data URLs.
        schema: that the answer had to follow.
        reply: the answer; None if there was none.
        error: why not.
        wall_time_s: when it was asked [s, Unix].
    """

    key: str
    model: str
    messages: tuple[Message, ...]
    schema: Mapping[str, Any]
    reply: Reply | None
    error: str = ""
    wall_time_s: float = 0.0


class RecordingModel:
    """A `ChatModel` that writes every exchange of another one to a trace, and may answer again what was asked before.

    Args:
        model: that is asked.
        path: of the trace; it is added to.
        reuse: answer from the trace what was asked before in the very same words and images.
        clock: wall clock [s].

    Raises:
        ValueError: the file is there and is no trace.
        OSError: it cannot be written.
    """

    def __init__(
        self, model: ChatModel, path: Path, *, reuse: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        self._model = model
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        known = list(read_trace(path)) if path.exists() else []
        path.touch()
        _end_last_line(path)
        self._known = {e.key: e.reply for e in known if e.reply is not None} if reuse else {}
        self._reuse = reuse

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def takes_images(self) -> bool:
        return self._model.takes_images

    def complete(self, messages: Sequence[Message], schema: Mapping[str, Any], timeout: float) -> Reply:
        """See `ChatModel`."""
        plain, images = _without_images(messages)
        key = _key(self.name, plain, schema)
        with self._lock:
            known = self._known.get(key)
        if known is not None:
            return Reply(known.content, is_recorded=True)
        began = self._clock()
        try:
            reply = self._model.complete(messages, schema, timeout)
        except ModelError as error:
            self._write(Exchange(key, self.name, tuple(plain), schema, None, str(error), began), images)
            raise
        self._write(Exchange(key, self.name, tuple(plain), schema, reply, "", began), images)
        return reply

    def close(self) -> None:
        """Close the model."""
        self._model.close()

    def _write(self, exchange: Exchange, images: Mapping[str, bytes]) -> None:
        with self._lock:
            if exchange.reply is not None and self._reuse:
                self._known[exchange.key] = exchange.reply
            try:
                self._append(exchange, images)
            except OSError as error:  # the answer is worth more than its record
                _LOG.warning("cannot record an exchange with the model in %s: %s", self._path, error)

    def _append(self, exchange: Exchange, images: Mapping[str, bytes]) -> None:
        folder = image_folder(self._path)
        for name, data in images.items():
            file = folder / f"{name.removeprefix(_BY_CONTENT)}.jpg"
            if not file.exists():
                folder.mkdir(exist_ok=True)
                file.write_bytes(data)
        with self._path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(_as_json(exchange)) + "\n")


class ReplayedModel:
    """A `ChatModel` that answers from a trace, and nothing that is not in it."""

    takes_images = True

    def __init__(self, path: Path) -> None:
        exchanges = [e for e in read_trace(path) if e.reply is not None]
        if not exchanges:
            raise ValueError(f"expected a trace with an answer, got none in {path}")
        self.name = exchanges[0].model
        self._known = {e.key: e.reply for e in exchanges}

    def complete(self, messages: Sequence[Message], schema: Mapping[str, Any], timeout: float) -> Reply:
        """See `ChatModel`."""
        known = self._known.get(_key(self.name, _without_images(messages)[0], schema))
        if known is None:
            raise ModelError(
                "this was not asked when the trace was recorded: the memory, the question or the prompt differs"
            )
        return Reply(known.content, is_recorded=True)

    def close(self) -> None:
        """Nothing is open."""


def read_trace(path: Path) -> Iterator[Exchange]:
    """The exchanges of a trace, in order. A last line that was cut off (a killed process) is left out.

    Raises:
        ValueError: another line is no exchange.
        OSError: it cannot be read.
    """
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _from_json(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if number == len(lines):
                return
            raise ValueError(f"{path}, line {number}: expected an exchange with a model, got {line[:80]!r}") from error


def with_images(messages: Sequence[Message], trace: Path) -> list[Message]:
    """Messages of a trace as they were sent: with their images in them.

    Raises:
        OSError: an image is missing.
    """
    return [
        _mapped(m, lambda url: _DATA_URL + base64.b64encode(_image(trace, url)).decode() if _is_stored(url) else url)
        for m in messages
    ]


def image_folder(trace: Path) -> Path:
    """Where the images of a trace lie."""
    return trace.with_name(trace.name + ".images")


def image_part(jpeg: bytes) -> dict[str, Any]:
    """A picture as a part of a chat message."""
    return {"type": "image_url", "image_url": {"url": _DATA_URL + base64.b64encode(jpeg).decode()}}


def _end_last_line(path: Path) -> None:
    """Take away what a killed process left of a last line, or end it if only its end is missing: the next one would be joined to it."""
    with path.open("rb+") as file:
        content = file.read()
        start = content.rfind(b"\n") + 1
        try:
            json.loads(content[start:])
        except ValueError:
            file.truncate(start)
        else:
            file.write(b"\n")


def _is_stored(url: str) -> bool:
    return url.startswith(_BY_CONTENT)


def _image(trace: Path, name: str) -> bytes:
    digest = name.removeprefix(_BY_CONTENT)
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):  # it becomes a file's name
        raise ValueError(f"expected the hash of an image, got {name[:80]!r}")
    return (image_folder(trace) / f"{digest}.jpg").read_bytes()


def _without_images(messages: Sequence[Message]) -> tuple[list[Message], dict[str, bytes]]:
    images: dict[str, bytes] = {}

    def stored(url: str) -> str:
        if not url.startswith(_DATA_URL):
            return url
        try:
            data = base64.b64decode(url[len(_DATA_URL) :], validate=True)
        except binascii.Error:
            return url
        name = _BY_CONTENT + hashlib.sha256(data).hexdigest()
        images[name] = data
        return name

    return [_mapped(m, stored) for m in messages], images


def _mapped(message: Message, change: Callable[[str], str]) -> Message:
    """A message with the addresses of its images changed."""
    content = message["content"]
    if not isinstance(content, list):
        return message
    parts = [
        {**part, "image_url": {**part["image_url"], "url": change(part["image_url"]["url"])}}
        if part["type"] == "image_url"
        else part
        for part in content
    ]
    return {**message, "content": parts}


def _key(model: str, messages: Sequence[Message], schema: Mapping[str, Any]) -> str:
    document = json.dumps([_VERSION, model, list(messages), schema], sort_keys=True)
    return hashlib.sha256(document.encode()).hexdigest()


def _as_json(e: Exchange) -> dict[str, Any]:
    document: dict[str, Any] = {
        "version": _VERSION,
        "key": e.key,
        "wall_time_s": round(e.wall_time_s, 3),
        "model": e.model,
        "messages": list(e.messages),
        "schema": e.schema,
    }
    if e.reply is None:
        return document | {"error": e.error}
    return document | {
        "content": e.reply.content,
        "n_prompt_tokens": e.reply.n_prompt_tokens,
        "n_completion_tokens": e.reply.n_completion_tokens,
        "latency_s": round(e.reply.latency_s, 4),
        "n_retries": e.reply.n_retries,
        "first_token_s": round(e.reply.first_token_s, 4),
    }


def _from_json(d: Mapping[str, Any]) -> Exchange:
    if d["version"] != _VERSION:
        raise ValueError(f"expected version {_VERSION}, got {d['version']!r}")
    reply = None
    if "content" in d:
        reply = Reply(
            str(d["content"]),
            int(d["n_prompt_tokens"]),
            int(d["n_completion_tokens"]),
            float(d["latency_s"]),
            int(d["n_retries"]),
            first_token_s=float(d.get("first_token_s", 0.0)),
        )
    return Exchange(
        str(d["key"]),
        str(d["model"]),
        tuple(d["messages"]),
        dict(d["schema"]),
        reply,
        str(d.get("error", "")),
        float(d["wall_time_s"]),
    )
