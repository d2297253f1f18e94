"""A probe of a unix-domain API socket that answers each line of JSON with a line of JSON."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.health.probe import ProbeFailed
from switchgear.health.probes.bounding import Countdown, Threads, require_timeout
from switchgear.policies.checks import refused, require_count

_CONNECT_RETRY_SECONDS = 0.005
_READ_BYTES = 4_096


@dataclass(frozen=True, slots=True, eq=False)
class UnixSocketProbe:
    """Sends `request` as a line of JSON to the socket at `path`, and judges the line that comes back.

    request    a request that only reads, such as ``{"do": "status"}``. There is none by default: a connection proves
               nothing, since the kernel accepts it in the name of a process that hangs.
    says       takes the answer; the daemon is well only if it returns True. Default: an answer in JSON is enough.
    bytes_max  bytes of an answer at most, at least 1; default 65,536.
    timeout    seconds for all of it, above 0; default 2.

    Calling it raises `ProbeFailed` for another answer, `TimeoutError` or `OSError` when none came. Raises
    `OptionError` for options that cannot work.
    """

    path: str | PathLike[str]
    request: Any = field(kw_only=True, repr=False)
    says: Callable[[Any], object] | None = field(default=None, kw_only=True)
    bytes_max: int = field(default=65_536, kw_only=True)
    timeout: float = field(default=2.0, kw_only=True)
    clock: Clock = field(default=SYSTEM_CLOCK, kw_only=True, repr=False)
    _line: bytes = field(init=False, repr=False)
    _threads: Threads = field(default_factory=Threads, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the options."""
        require_count("UnixSocketProbe(bytes_max)", self.bytes_max, example=65_536)
        require_timeout(self, self.timeout)
        try:
            line = json.dumps(self.request, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        except (TypeError, ValueError) as error:
            write = 'request={"do": "status"}'
            raise refused("UnixSocketProbe(request)", "is a value in JSON", self.request, write) from error
        object.__setattr__(self, "_line", line)

    async def __call__(self) -> str:
        """Ask once."""
        answer = _value(await self._threads.ask(self._ask, seconds=self.timeout, clock=self.clock))
        if self.says is not None and self.says(answer) is not True:
            raise ProbeFailed("answers, but does not say that it is well")
        return "answers"

    def _ask(self) -> bytes:
        countdown = Countdown(self.timeout, self.clock)
        with socket.socket(socket.AF_UNIX) as connection:
            self._connect(connection, countdown)
            connection.settimeout(countdown.left())
            connection.sendall(self._line)
            return self._received(connection, countdown)

    def _connect(self, connection: socket.socket, countdown: Countdown) -> None:
        """Connect; as long as the daemon has a full backlog, try again."""
        while True:
            connection.settimeout(countdown.left())
            try:
                connection.connect(str(Path(self.path)))
            except BlockingIOError:
                self.clock.sleep(_CONNECT_RETRY_SECONDS)
            else:
                return

    def _received(self, connection: socket.socket, countdown: Countdown) -> bytes:
        received = bytearray()
        while b"\n" not in received:
            connection.settimeout(countdown.left())
            came = connection.recv(_READ_BYTES)
            if not came:
                raise ConnectionError(f"the connection ended after {len(received)} bytes of the answer")
            received += came
            if len(received.partition(b"\n")[0]) > self.bytes_max:
                raise ProbeFailed(f"answers with more than {self.bytes_max} bytes")
        return bytes(received.partition(b"\n")[0])


def _value(answer: bytes) -> object:
    try:
        return json.loads(answer)
    except ValueError as error:
        raise ProbeFailed("answers with something else than JSON") from error
