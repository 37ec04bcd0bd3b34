"""A server on loopback that speaks the chat-completions protocol: what stands in for a language model is a handler of it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, TypeVar

#: Where requests go.
PATH = "/v1/chat/completions"

_Server = TypeVar("_Server", bound="ChatServer")


class ChatHandler(BaseHTTPRequestHandler):
    """One request; who inherits answers it in ``do_POST``."""

    protocol_version = "HTTP/1.1"

    def send(
        self,
        status: int,
        document: Any,
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> None:
        """Answer with a document as JSON, or with bytes as they are."""
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Requests are not printed."""


class ChatServer(ThreadingHTTPServer):
    """Answers while the block runs; at its end connections that are open are hung up.

    Args:
        handler: of its requests.
        port: 0: any that is free.

    Attributes:
        lock: for what handlers, each in a thread of its own, count.
    """

    daemon_threads = True

    def __init__(self, handler: type[ChatHandler], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self.lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, name="chat server")

    @property
    def url(self) -> str:
        """As an endpoint's base URL."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection."""
        connection, address = super().get_request()
        with self.lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """A connection's end."""
        with self.lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def __enter__(self: _Server) -> _Server:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
        with self.lock:
            still_open = tuple(self._open)
        for connection in still_open:
            # Its own thread, which waits for the next request, closes it.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def texts_of(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """All texts of a request's messages."""
    found: list[str] = []
    for message in messages:
        content = message["content"]
        found += [content] if isinstance(content, str) else [p["text"] for p in content if p["type"] == "text"]
    return found
