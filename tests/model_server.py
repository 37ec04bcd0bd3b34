"""A server on loopback that speaks the OpenAI chat-completions protocol, checks what it is sent, and answers as a test says."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cv2
import jsonschema
import numpy as np

from loci_sim.evaluation.chat_server import PATH, ChatHandler, ChatServer, texts_of

#: Gets a request (its JSON), and answers it with the handler's methods, or returns the text of the model's message.
Script = Callable[[dict[str, Any], "Handler"], str | None]


class Handler(ChatHandler):
    """One request."""

    server: ModelServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = json.loads(body)
        with self.server.lock:
            self.server.requests.append(request)
            self.server.keys.append(self.headers.get("Authorization", ""))
            script = self.server.scripts.pop(0) if len(self.server.scripts) > 1 else self.server.scripts[0]
        if self.path != PATH:
            self.send(404, {"error": {"message": f"no {self.path}"}})
            return
        if problem := problem_of(request, self.server.max_images, self.server.image_size, self.server.max_characters):
            self.server.problems.append(problem)
        content = script(request, self)
        if content is None:
            return
        if request.get("stream"):
            self.stream(pieces_of(content))
        else:
            self.send(200, completion(content))

    def stream(self, deltas: Iterable[dict[str, Any]], *, end: bool = True) -> None:
        """Send pieces of a message, one chunk each; without ``end`` the connection is closed in the middle."""
        self.begin_stream()
        for delta in deltas:
            self.chunk({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        if end:
            self.chunk({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            self.chunk({"choices": [], "usage": USAGE})
            self.wfile.write(b"data: [DONE]\n\n")

    def begin_stream(self) -> None:
        self.close_connection = True  # no length: the end of the connection is the end of the stream
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()

    def chunk(self, document: dict[str, Any]) -> None:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}
        self.wfile.write(b"data: " + json.dumps(head | document).encode() + b"\n\n")
        self.wfile.flush()

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, BrokenPipeError):
            with self.server.lock:
                self.server.hung_up += 1


class ModelServer(ChatServer):
    """Answers with ``scripts`` in turn; the last one stays. Requests that are larger than the limits, or wrong otherwise, are ``problems``.

    Args:
        max_images, image_size, max_characters: limits of one request: pictures, their longer side [px], and text.
        port: 0: any.
    """

    def __init__(
        self,
        *scripts: Script,
        max_images: int = 8,
        image_size: int = 512,
        max_characters: int = 6000 * 3,
        port: int = 0,
    ) -> None:
        super().__init__(Handler, port)
        self.max_images, self.image_size, self.max_characters = max_images, image_size, max_characters
        self.scripts = list(scripts)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.problems: list[str] = []
        self.hung_up = 0


USAGE = {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}


def pieces_of(content: str, size: int = 7) -> Iterator[dict[str, Any]]:
    """A message in pieces, as models say it; surrogates stay whole."""
    for start in range(0, len(content), size):
        yield {"content": content[start : start + size]}


def completion(content: str | None, **message: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "scripted",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": content, **message},
            }
        ],
        "usage": USAGE,
    }


def decide(choice: str, answer: str = "There it is.", evidence: tuple[str, ...] = (), confidence: float = 0.8) -> str:
    return json.dumps(
        {"reason": "seen", "choice": choice, "evidence": list(evidence), "answer": answer, "confidence": confidence}
    )


def says(content: str) -> Script:
    return lambda request, handler: content


def fails(status: int, headers: dict[str, str] | None = None, message: str = "broken") -> Script:
    return lambda request, handler: handler.send(status, {"error": {"message": message}}, headers)


def late(seconds: float, content: str) -> Script:
    def answer(request: dict[str, Any], handler: Handler) -> str:
        time.sleep(seconds)
        return content

    return answer


def drops(request: dict[str, Any], handler: Handler) -> None:
    """Hangs up without an answer."""
    handler.close_connection = True
    handler.connection.close()


def half_a_body(request: dict[str, Any], handler: Handler) -> None:
    data = json.dumps(completion(decide("none"))).encode()
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])
    handler.wfile.flush()
    handler.close_connection = True


def offered(request: dict[str, Any]) -> list[str]:
    """The ids that a request offers."""
    return request["response_format"]["json_schema"]["schema"]["properties"]["choice"]["enum"]


def text_of(request: dict[str, Any]) -> str:
    """All text of a request."""
    return "\n".join(texts_of(request["messages"]))


def images_of(request: dict[str, Any]) -> list[np.ndarray]:
    """All pictures of a request, decoded (H, W, 3); fails if one is none."""
    found = []
    for m in request["messages"]:
        for part in m["content"] if isinstance(m["content"], list) else ():
            if part["type"] == "image_url":
                head, data = part["image_url"]["url"].split(",", 1)
                assert head == "data:image/jpeg;base64"
                image = cv2.imdecode(np.frombuffer(base64.b64decode(data, validate=True), np.uint8), cv2.IMREAD_COLOR)
                assert image is not None
                found.append(image)
    return found


def problem_of(request: dict[str, Any], max_images: int, image_size: int, max_characters: int) -> str:
    """What is wrong with a request; empty: nothing."""
    try:
        messages = request["messages"]
        assert messages[0]["role"] == "system", "no system message first"
        assert messages[-1]["role"] == "user", "the user has not the last word"
        roles = [m["role"] for m in messages[1:]]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"], f"roles {roles}"
        pictures = images_of(request)
        assert len(pictures) <= max_images, f"{len(pictures)} pictures"
        assert all(max(p.shape) <= image_size for p in pictures), "a picture is too large"
        # What was asked again is beside the budget of the prompt.
        first = {"messages": messages[:2]}
        assert len(text_of(first)) <= max_characters, f"{len(text_of(first))} characters of text"
        if request.get("stream_options"):
            assert request.get("stream"), "stream_options without stream"
        if "response_format" in request:
            schema = request["response_format"]["json_schema"]["schema"]
            jsonschema.Draft202012Validator.check_schema(schema)
            assert set(schema["required"]) == set(schema["properties"])  # strict mode wants all of them
            assert schema["additionalProperties"] is False
    except Exception as error:
        return repr(error)
    return ""


def jpeg(width: int, height: int) -> bytes:
    """Noise, as a picture."""
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()
