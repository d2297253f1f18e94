"""Ports of loopback for servers that have to be told theirs before they start. Whoever can, listens on port 0 instead.

A port is taken from below the range out of which the system numbers outgoing connections, so that none of those can
take it in between; the workers of one test run have ranges of their own; and no port is given twice.
"""

from __future__ import annotations

import itertools
import os
import socket

FIRST, EPHEMERAL_FIRST = 10_240, 32_768
_WORKERS_MAX = 8
_RANGE = (EPHEMERAL_FIRST - FIRST) // _WORKERS_MAX
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS_MAX
_COUNT = itertools.count(os.getpid())


def free_port() -> int:
    """Return a port of loopback that nobody listens on, another one each time."""
    for _ in range(_RANGE):
        port = FIRST + _WORKER * _RANGE + next(_COUNT) % _RANGE
        with socket.socket() as listener:
            if _bound(listener, port):
                return port
    raise AssertionError("no port is free")


def _bound(listener: socket.socket, port: int) -> bool:
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True
