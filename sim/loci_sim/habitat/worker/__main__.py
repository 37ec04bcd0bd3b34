"""Entry point: ``python -m worker FD`` with the number of an inherited socket. Ends when the other side closes it."""

from __future__ import annotations

import socket
import sys
import traceback

from .checks import check
from .framing import receive, send


def main(arguments: list[str]) -> int:
    connection = socket.socket(fileno=int(arguments[0]))
    found = check()
    send(connection, found)
    if "missing" in found:
        return 2
    from .service import RequestError, Service

    service = Service()
    while True:
        request = receive(connection)
        if request is None:
            return 0
        try:
            reply = service.handle(request)
        except RequestError as error:
            reply = {"refused": str(error)}
        except Exception as error:
            # One bad request must not end a simulation; the other side decides what to do about it.
            traceback.print_exc()
            reply = {"failed": f"{type(error).__name__}: {error}"}
        send(connection, reply)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
