"""Messages between Loci and its Habitat worker: four bytes of length, then a JSON object in UTF-8.

Plain values only, so that what arrives can be read and never runs. Images go through a shared file (see `frames`).
"""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any

#: A longer message is a mistake, or not one of ours [bytes].
MAX_BYTES = 64 << 20
_LENGTH = struct.Struct(">I")


class FramingError(ConnectionError):
    """What arrived is no whole message."""


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send one message.

    Raises:
        ValueError: it holds a number that is not finite, or is too long.
        OSError: the other side is gone.
    """
    body = json.dumps(message, allow_nan=False, separators=(",", ":")).encode()
    if len(body) > MAX_BYTES:
        raise ValueError(f"expected a message of at most {MAX_BYTES} bytes, got {len(body)}")
    connection.sendall(_LENGTH.pack(len(body)) + body)


def receive(connection: socket.socket, timeout: float | None = None) -> dict[str, Any] | None:
    """The next message; None if the other side has closed the connection between two messages.

    Args:
        timeout: for the whole message [s]; None: wait for ever.

    Raises:
        FramingError: cut off, too long, or not a JSON object.
        TimeoutError: it did not come in time.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    head = _read(connection, _LENGTH.size, deadline)
    if not head:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > MAX_BYTES:
        raise FramingError(f"expected a message of at most {MAX_BYTES} bytes, got one of {length}")
    body = _read(connection, length, deadline)
    if len(body) < length:
        raise FramingError(f"expected {length} bytes, got {len(body)}: the other side has gone")
    try:
        message = json.loads(body)
    except ValueError as error:
        raise FramingError(f"expected JSON, got {body[:80]!r}") from error
    if not isinstance(message, dict):
        raise FramingError(f"expected a JSON object, got {body[:80]!r}")
    return message


def _read(connection: socket.socket, n: int, deadline: float | None) -> bytes:
    """So many bytes; none if the connection was closed before the first of them."""
    parts = bytearray()
    while len(parts) < n:
        connection.settimeout(None if deadline is None else max(deadline - time.monotonic(), 1e-6))
        try:
            part = connection.recv(min(n - len(parts), 1 << 20))
        except socket.timeout as error:  # noqa: UP041 (another type before Python 3.10)
            raise TimeoutError(f"expected {n} bytes, got {len(parts)} in time") from error
        if not part:
            if parts:
                raise FramingError(f"expected {n} bytes, got {len(parts)}: the other side has gone")
            break
        parts += part
    return bytes(parts)
