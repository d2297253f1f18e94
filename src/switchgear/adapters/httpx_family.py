"""What the adapters of httpx2 and httpx share: both clients have the same classes under the same names.

`Family` reads them from the client module it is given. The two transports are mixed into the client's own base
classes by `switchgear.adapters.httpx2` and `switchgear.adapters.httpx`. Imports neither client.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import ModuleType, TracebackType
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

from switchgear.adapters.gate import FAILED, NOT_SENT, UNREACHED, Row
from switchgear.adapters.http_calls import call_async, call_blocking
from switchgear.adapters.http_hints import unpacked
from switchgear.adapters.http_outcomes import FAILING_STATUSES, KEY_HEADER, effect_of
from switchgear.adapters.http_rules import AsyncWire, BlockingWire, Rules, Wire
from switchgear.core.effects import Effect
from switchgear.guard.guard import Guard

Q = TypeVar("Q")
R = TypeVar("R")

Client = Any
"""A client module of the family."""
Transport = Any
"""A transport of either client, or None for the client's own with its defaults."""
Request = Any
"""A request of either client."""
Response = Any
"""An answer of either client."""

ROWS: dict[str, Row] = {
    "ConnectError": UNREACHED,
    "ConnectTimeout": UNREACHED,
    "ProxyError": UNREACHED,
    "ReadError": FAILED,
    "ReadTimeout": FAILED,
    "WriteError": FAILED,
    "WriteTimeout": FAILED,
    "CloseError": FAILED,
    "RemoteProtocolError": FAILED,
    "LocalProtocolError": FAILED,
    "PoolTimeout": NOT_SENT,
    "UnsupportedProtocol": NOT_SENT,
    "InvalidURL": NOT_SENT,
}
"""What each error of the client says, by the name of its class."""

_WAITS = ("connect", "read", "write", "pool")


class Family:
    """A client module of this family, and the two wires to it."""

    def __init__(self, client: ModuleType) -> None:
        """Read the classes of `client`."""
        self.client: Client = client
        self.errors: tuple[str, type[Exception]] = (f"{client.__name__}.HTTPError", client.HTTPError)
        self.rows: dict[type[Exception], Row] = {getattr(client, name): row for name, row in ROWS.items()}
        self.blocking = _BlockingHttpx(client, self.rows)
        self.asynchronous = _AsyncHttpx(client, self.rows)

    def narrowed(self, request: Request, seconds: float | None) -> tuple[Request, Callable[[], None]]:
        """Return the request with its timeouts cut to `seconds`, and what lifts the cut for the reading of the body."""
        if seconds is None:
            return request, _nothing
        given = request.extensions.get("timeout", {})
        cut = {wait: seconds if given.get(wait) is None else min(given[wait], seconds) for wait in _WAITS}

        def restore() -> None:
            cut.update({wait: given.get(wait) for wait in _WAITS})

        extensions = {**request.extensions, "timeout": cut}
        narrow = self.client.Request(
            request.method, request.url, headers=request.headers, stream=request.stream, extensions=extensions
        )
        return narrow, restore


class BlockingGuarded(Generic[Q, R]):
    """A transport for the blocking client that sends every request through a guard.

    guard      what every request goes through.
    transport  the transport that sends; default: the client's own with its defaults. It is closed with this one.
    key_by     "host" for a keyed member per host and port, or a function of the request; None for one state.
    on_status  statuses that are failures, in place of 408, 425, 429 and 5xx.

    Each redirect is a request of its own. Raises `OptionError` for options that cannot work.
    """

    family: ClassVar[Family]

    def __init__(
        self,
        guard: Guard,
        transport: Transport = None,
        *,
        key_by: Literal["host"] | Callable[[Q], str] | None = None,
        on_status: Collection[int] = FAILING_STATUSES,
    ) -> None:
        """Check the options and open nothing."""
        self._rules: Rules[Q] = Rules(guard=guard, key_by=key_by, on_status=on_status, errors=self.family.errors)
        self._transport = self.family.client.HTTPTransport() if transport is None else transport

    def handle_request(self, request: Q) -> R:
        """Send one request through the guard.

        Raises the client's errors, `Rejected`, `DeadlineExceeded` and `RetryExhausted`.
        """

        def send(seconds: float | None) -> R:
            narrow, restore = self.family.narrowed(request, seconds)
            answer: R = self._transport.handle_request(narrow)
            restore()
            return answer

        response: R = call_blocking(self._rules, self.family.blocking, request, send)
        return response

    def close(self) -> None:
        """Close the transport that sends."""
        self._transport.close()

    def __enter__(self) -> Self:
        self._transport.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._transport.__exit__(kind, error, trace)


class AsyncGuarded(Generic[Q, R]):
    """A transport for the asynchronous client that sends every request through a guard.

    The options are those of the blocking one.
    """

    family: ClassVar[Family]

    def __init__(
        self,
        guard: Guard,
        transport: Transport = None,
        *,
        key_by: Literal["host"] | Callable[[Q], str] | None = None,
        on_status: Collection[int] = FAILING_STATUSES,
    ) -> None:
        """Check the options and open nothing."""
        self._rules: Rules[Q] = Rules(guard=guard, key_by=key_by, on_status=on_status, errors=self.family.errors)
        self._transport = self.family.client.AsyncHTTPTransport() if transport is None else transport

    async def handle_async_request(self, request: Q) -> R:
        """Send one request through the guard.

        Raises the client's errors, `Rejected`, `DeadlineExceeded` and `RetryExhausted`.
        """

        async def send(seconds: float | None) -> R:
            narrow, restore = self.family.narrowed(request, seconds)
            answer: R = await self._transport.handle_async_request(narrow)
            restore()
            return answer

        response: R = await call_async(self._rules, self.family.asynchronous, request, send)
        return response

    async def aclose(self) -> None:
        """Close the transport that sends."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)


class _Httpx(Wire[Request, Response]):
    """What both wires read from requests and answers."""

    def __init__(self, client: Client, rows: dict[type[Exception], Row]) -> None:
        self.rows = rows
        self.status_error = client.HTTPStatusError
        self._failed: Callable[..., Exception] = client.HTTPStatusError
        self._bytes = client.ByteStream

    def effect(self, request: Request) -> Effect:
        replayable = isinstance(request.stream, self._bytes)
        return effect_of(request.method, keyed=KEY_HEADER in request.headers, replayable=replayable)

    def endpoint(self, request: Request) -> str:
        url = request.url
        return str(url.host) if url.port is None else f"{url.host}:{url.port}"

    def status(self, response: Response) -> int:
        return int(response.status_code)

    def header(self, response: Response, name: str) -> str | None:
        value: str | None = response.headers.get(name)
        return value

    def failure(self, request: Request, response: Response) -> Exception:
        return self._failed(f"answered {response.status_code}", request=request, response=response)


class _BlockingHttpx(_Httpx, BlockingWire[Request, Response]):
    def keep(self, response: Response) -> bytes | None:
        stream = response.stream
        try:
            data = b"".join(stream)
        finally:
            stream.close()
        response.stream = self._bytes(data)
        return unpacked(data, self.header(response, "Content-Encoding"))

    def close(self, response: Response) -> None:
        response.stream.close()


class _AsyncHttpx(_Httpx, AsyncWire[Request, Response]):
    async def keep(self, response: Response) -> bytes | None:
        stream = response.stream
        try:
            data = b"".join([part async for part in stream])
        finally:
            await stream.aclose()
        response.stream = self._bytes(data)
        return unpacked(data, self.header(response, "Content-Encoding"))

    async def close(self, response: Response) -> None:
        await response.stream.aclose()


def _nothing() -> None:
    """Restore nothing: nothing was cut."""
