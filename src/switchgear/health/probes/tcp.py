"""A probe of a TCP port. What a connection alone proves is little: the kernel accepts in the name of a hung process."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.health.probe import ProbeFailed
from switchgear.health.probes.bounding import Countdown, Threads, require_timeout
from switchgear.policies.checks import refused, require_count

_PORT_MAX = 65_535


@dataclass(frozen=True, slots=True, eq=False)
class TcpProbe:
    """Connects to `host` and `port`, and compares what is said there.

    expects  how the answer begins, 1 to 65,536 bytes, such as ``b"+PONG"``. None: a connection is enough. That has to
             be said, since a process that is paused or hangs still accepts connections.
    send     what to send first; default: nothing, for servers that greet.
    timeout  seconds for all of it, above 0; default 2.

    Calling it raises `ProbeFailed` for another answer, `TimeoutError` or `OSError` when none came. Raises
    `OptionError` for options that cannot work.
    """

    host: str
    port: int
    expects: bytes | None = field(kw_only=True)
    send: bytes = field(default=b"", kw_only=True, repr=False)
    timeout: float = field(default=2.0, kw_only=True)
    clock: Clock = field(default=SYSTEM_CLOCK, kw_only=True, repr=False)
    _threads: Threads = field(default_factory=Threads, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the options."""
        require_count("TcpProbe(port)", self.port, most=_PORT_MAX, example=6379)
        require_timeout(self, self.timeout)
        if self.expects is None and self.send:
            raise refused("TcpProbe(expects)", "says how the answer to `send` begins", None, 'expects=b"+PONG"')
        if self.expects is not None:
            require_count("TcpProbe(expects) bytes", len(self.expects), most=65_536, write='expects=b"+PONG"')

    async def __call__(self) -> str:
        """Ask once."""
        return await self._threads.ask(self._ask, seconds=self.timeout, clock=self.clock)

    def _ask(self) -> str:
        countdown = Countdown(self.timeout, self.clock)
        with socket.create_connection((self.host, self.port), timeout=countdown.left()) as connection:
            if self.expects is None:
                return "accepts connections"
            connection.settimeout(countdown.left())
            connection.sendall(self.send)
            self._compare(self.expects, connection, countdown)
        return "answers as expected"

    def _compare(self, expects: bytes, connection: socket.socket, countdown: Countdown) -> None:
        received = b""
        while len(received) < len(expects):
            connection.settimeout(countdown.left())
            came = connection.recv(len(expects) - len(received))
            if not came:
                raise ConnectionError(f"the connection ended after {len(received)} bytes of the answer")
            received += came
            if not expects.startswith(received):
                raise ProbeFailed("answers with something else than was expected")
