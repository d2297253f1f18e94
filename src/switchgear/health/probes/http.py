"""A probe of an HTTP path, over TCP, TLS or a unix socket. One GET, no redirects, no proxy, a bounded answer."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.health.probe import ProbeFailed, described
from switchgear.health.probes.bounding import Countdown, Threads, require_timeout
from switchgear.policies.checks import refused, require_count

_READ_BYTES = 16_384
_URL = '"http://127.0.0.1:8080/healthz"'


@dataclass(frozen=True, slots=True, eq=False)
class HttpProbe:
    """Sends ``GET`` to `url` and judges status and body.

    statuses     those that are right; default: 200 to 299. Redirects are not followed.
    says         takes the body as bytes; the server is well only if it returns True. Default: the status is enough.
    headers      sent with the request. They are not shown anywhere.
    bytes_max    bytes of a body that are read at most, at least 1; default 65,536. A longer one is wrong if `says` is
                 to judge it, and left unread otherwise.
    unix_socket  the path of a socket to connect to, in place of the host in `url`.
    context      TLS settings for ``https``; default: those of Python, which check certificates.
    timeout      seconds for all of it, above 0; default 2.

    Calling it raises `ProbeFailed` for another answer, `TimeoutError` or `OSError` when none came. Raises
    `OptionError` for options that cannot work, and for a URL that holds credentials.
    """

    url: str
    statuses: Collection[int] = field(default=range(200, 300), kw_only=True)
    says: Callable[[bytes], object] | None = field(default=None, kw_only=True)
    headers: Mapping[str, str] = field(default_factory=dict, kw_only=True, repr=False)
    bytes_max: int = field(default=65_536, kw_only=True)
    unix_socket: str | PathLike[str] | None = field(default=None, kw_only=True)
    context: ssl.SSLContext | None = field(default=None, kw_only=True, repr=False)
    timeout: float = field(default=2.0, kw_only=True)
    clock: Clock = field(default=SYSTEM_CLOCK, kw_only=True, repr=False)
    _parts: SplitResult = field(init=False, repr=False)
    _threads: Threads = field(default_factory=Threads, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the options."""
        require_count("HttpProbe(bytes_max)", self.bytes_max, example=65_536)
        require_timeout(self, self.timeout)
        if not self.statuses:
            raise refused("HttpProbe(statuses)", "names what is right", self.statuses, "statuses={200, 204}")
        object.__setattr__(self, "_parts", _checked(self.url))

    async def __call__(self) -> str:
        """Ask once."""
        exchange = _Exchange(self, Countdown(self.timeout, self.clock))
        try:
            status, body = await self._threads.ask(exchange.ask, seconds=self.timeout, clock=self.clock)
        finally:
            exchange.cut()
        if status not in self.statuses:
            raise ProbeFailed(f"answers {status}")
        if self.says is not None and self.says(body) is not True:
            raise ProbeFailed(f"answers {status}, but does not say that it is well")
        return f"answers {status}"

    def connection(self, seconds: float) -> http.client.HTTPConnection:
        """Return a connection to be made, whose steps take at most `seconds` each."""
        host, port = str(self._parts.hostname), self._parts.port
        if self.unix_socket is not None:
            return _UnixConnection(Path(self.unix_socket), host, seconds)
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=seconds, context=self.context)
        return http.client.HTTPConnection(host, port, timeout=seconds)

    @property
    def target(self) -> str:
        """What is asked for: path and query."""
        path = self._parts.path or "/"
        return f"{path}?{self._parts.query}" if self._parts.query else path


class _Exchange:
    """One request and its answer, in a thread. Others may cut it off."""

    def __init__(self, probe: HttpProbe, countdown: Countdown) -> None:
        self._probe = probe
        self._countdown = countdown
        self._socket: socket.socket | None = None

    def ask(self) -> tuple[int, bytes]:
        """Return status and body. Every error says whether anything came back."""
        try:
            with closing(self._probe.connection(self._countdown.left())) as connection:
                return self._asked(connection)
        except (http.client.RemoteDisconnected, http.client.IncompleteRead) as error:
            raise ConnectionError(described(error)) from error
        except (http.client.HTTPException, ssl.SSLError) as error:
            if isinstance(error, (TimeoutError, ssl.SSLEOFError, ssl.SSLZeroReturnError)):
                raise ConnectionError(described(error)) from error
            raise ProbeFailed(described(error)) from error

    def cut(self) -> None:
        """End the connection, which ends a read that still waits. Does nothing once it has ended."""
        connection, self._socket = self._socket, None
        if connection is None:
            return
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has ended already

    def _asked(self, connection: http.client.HTTPConnection) -> tuple[int, bytes]:
        connection.connect()
        self._socket = connection.sock
        connection.sock.settimeout(self._countdown.left())
        connection.request("GET", self._probe.target, headers={**self._probe.headers, "Connection": "close"})
        with connection.getresponse() as answer:
            return answer.status, self._body(answer)

    def _body(self, answer: http.client.HTTPResponse) -> bytes:
        body = bytearray()
        while part := answer.read1(_READ_BYTES):
            self._countdown.left()
            body += part
            if len(body) > self._probe.bytes_max:
                return self._too_long(answer)
        if answer.length:
            raise ConnectionError(f"the connection ended {answer.length} bytes before the end of the answer")
        return bytes(body)

    def _too_long(self, answer: http.client.HTTPResponse) -> bytes:
        if self._probe.says is not None:
            raise ProbeFailed(f"answers {answer.status} with more than {self._probe.bytes_max} bytes")
        return b""


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, host: str, seconds: float) -> None:
        super().__init__(host, timeout=seconds)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _checked(url: str) -> SplitResult:
    """Return the parts of `url`. Raises `OptionError` without showing what may be a password."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise refused("HttpProbe(url)", "is an http or https URL", "one that cannot be read", _URL) from None
    if "@" in parts.netloc:
        raise refused("HttpProbe(url)", "holds no credentials; send them in `headers`", "one that does", _URL)
    if not usable or any(not character.isprintable() or character == " " for character in url):
        raise refused("HttpProbe(url)", "is an http or https URL", url, _URL)
    return parts
