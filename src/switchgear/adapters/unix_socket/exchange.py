"""One request and its answer over a unix socket: what both clients share. Connecting, counting bytes, reading JSON.

Each request has a connection of its own. So an answer can never be taken for that of another request, and a client
needs no lock and keeps nothing open.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from switchgear.adapters.gate import FAILED, UNREACHED, Row, late, row_in
from switchgear.adapters.unix_socket.framing import BrokenAnswer, Framing, FramingName, framing_for
from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.deadline import current_deadline
from switchgear.core.errors import DeadlineExceeded
from switchgear.core.operations import OPERATIONS, Operation
from switchgear.policies.checks import require_count

READ_BYTES = 65_536
CONNECT_RETRY_SECONDS = 0.005

OUTCOMES: Mapping[type[Exception], Row] = {
    FileNotFoundError: UNREACHED,
    ConnectionRefusedError: UNREACHED,
    PermissionError: UNREACHED,
    BrokenPipeError: FAILED,
    ConnectionResetError: FAILED,
    BrokenAnswer: FAILED,
    OSError: FAILED,
}
"""Error → row, by the nearest parent class."""


def row_of(error: Exception) -> Row:
    """Return what `error` says."""
    return row_in(OUTCOMES, error)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixOptions:
    """How to talk to one socket.

    path             of the socket.
    framing          "lines" (default) or "length".
    frame_bytes_max  bytes of a message at most, at least 1, either way; default 1 MiB.
    operations       the table of operations; ``unix.connect`` and ``unix.request`` are used.

    Raises `OptionError` for options that cannot work.
    """

    path: Path
    framing: FramingName = "lines"
    frame_bytes_max: int = 1_048_576
    operations: Mapping[str, Operation] = field(default_factory=lambda: OPERATIONS)

    def __post_init__(self) -> None:
        """Check the options."""
        require_count("UnixClient(frame_bytes_max)", self.frame_bytes_max, example=1_048_576)
        framing_for(self.framing, self.frame_bytes_max)


class Exchange:
    """The state of one request: what to send, what has come, until when."""

    __slots__ = ("_clock", "_framing", "_received", "dependency", "options", "outgoing")

    def __init__(self, options: UnixOptions, message: bytes, clock: Clock, dependency: str) -> None:
        """Prepare the bytes to send. Raises `Invalid` when they cannot be sent."""
        self.options = options
        self.dependency = dependency
        self._clock = clock
        self._framing: Framing = framing_for(options.framing, options.frame_bytes_max)
        self._received = bytearray()
        self.outgoing = self._framing.encode(message)

    def ends(self, operation: str) -> float:
        """Return the moment at which an operation that starts now is over: by its seconds, or the caller's deadline."""
        own = self._clock.monotonic() + self.options.operations[operation].seconds
        scope = current_deadline()
        return own if scope is None else min(own, scope.moment_on(self._clock))

    def remaining(self, operation: str, ends: float) -> float:
        """Return the seconds left, above 0. Raises `DeadlineExceeded` with the operation's code."""
        seconds = ends - self._clock.monotonic()
        if seconds <= 0:
            raise self.late(operation)
        return seconds

    def late(self, operation: str) -> DeadlineExceeded:
        """Return the error of an operation that is over. To the guard a failed connect is a failure of the remote."""
        return late(self.options.operations[operation], self.dependency, sent=True)

    def connected(self) -> socket.socket | None:
        """Return a connected socket, None when the other side has a full backlog. Never blocks."""
        attempt = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        attempt.setblocking(False)  # noqa: FBT003 - the socket's own signature
        try:
            attempt.connect(str(self.options.path))
        except BlockingIOError:
            attempt.close()
            return None
        except BaseException:
            attempt.close()
            raise
        return attempt

    def receive(self, data: bytes) -> bytes | None:
        """Take what came; return the answer once it is whole. Raises `BrokenAnswer` at an end before that."""
        if not data:
            raise BrokenAnswer(f"the connection ended after {len(self._received)} bytes of the answer")
        self._received += data
        return self._framing.first(self._received)


def encoded(value: object) -> bytes:
    """Return `value` as JSON in UTF-8. Raises `TypeError` or `ValueError` for what JSON cannot say."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def decoded(message: bytes) -> Any:
    """Return the value of a message in JSON. Raises `BrokenAnswer` for anything else."""
    try:
        return json.loads(message)
    except ValueError as error:
        raise BrokenAnswer(f"the answer is not JSON: {error}") from error


def placed(error: DeadlineExceeded) -> DeadlineExceeded:
    """Return the error for the caller: a connect that was late has sent nothing."""
    if error.code is Code.TIMEOUT_UNIX_CONNECT:
        error.sent = False
    return error
