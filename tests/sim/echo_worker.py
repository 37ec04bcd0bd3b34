"""A worker that only talks: for tests of the transport under interpreters without habitat_sim. Run with ``-m``, as the real one."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time

from worker.framing import receive, send


def main() -> None:
    connection = socket.socket(fileno=int(sys.argv[1]))
    send(connection, {"python": "3", "interpreter": sys.executable})
    while (request := receive(connection)) is not None:
        what = request["do"]
        if what == "die":
            print("something terrible", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        elif what == "leave":
            raise SystemExit(3)
        elif what == "sleep":
            time.sleep(60.0)
        elif what == "half":
            connection.sendall(b"\0\0\1\0{")
            connection.close()
            return
        elif what == "nonsense":
            connection.sendall(b"\xff\xff\xff\xff\xff")
        elif what == "refuse":
            send(connection, {"refused": "not today"})
        elif what == "fail":
            send(connection, {"failed": "ValueError: no"})
        else:
            send(connection, request)


main()
