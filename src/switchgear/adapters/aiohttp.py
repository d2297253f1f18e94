"""A guard for aiohttp: a client middleware, for a session or for one request (aiohttp 3.12 and newer).

    aiohttp.ClientSession(middlewares=[guarded(guard)])

The guard hears of headers, not of bodies, except that a small body of a failing answer that may be repeated is read
inside it. Needs ``pip install "switchgear[aiohttp]"``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Literal

from switchgear.adapters import http_outcomes
from switchgear.adapters.gate import FAILED, NOT_SENT, UNREACHED, Row, missing, row_in
from switchgear.adapters.http_calls import call_async
from switchgear.adapters.http_outcomes import FAILING_STATUSES, KEY_HEADER, effect_of
from switchgear.adapters.http_rules import AsyncWire, Rules
from switchgear.core.effects import Effect
from switchgear.guard.guard import Guard

try:
    import aiohttp
    from aiohttp.base_protocol import BaseProtocol
    from aiohttp.payload import BytesPayload
except ModuleNotFoundError as error:
    raise missing(error, "aiohttp", "aiohttp") from error

__all__ = ["guarded", "may_have_left"]

KeyBy = Literal["host"] | Callable[[aiohttp.ClientRequest], str] | None

_NEVER = -1.0


class TotalTimeout(TimeoutError):
    """The session's ``total`` timeout is over. A failure of the dependency; another attempt has no time left."""

    retry_after = _NEVER


class FailedStatus(aiohttp.ClientResponseError):
    """A failing answer, inside the guard. The caller gets the answer itself, as `response`."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        """Stand for `response`."""
        super().__init__(
            response.request_info,
            response.history,
            status=response.status,
            message=response.reason or "",
            headers=response.headers,
        )
        self.response = response


ROWS: dict[type[Exception], Row] = {
    aiohttp.ClientConnectorError: UNREACHED,
    aiohttp.ClientConnectorDNSError: UNREACHED,
    aiohttp.ClientConnectorSSLError: UNREACHED,
    aiohttp.ClientConnectorCertificateError: UNREACHED,
    aiohttp.ClientProxyConnectionError: UNREACHED,
    aiohttp.ClientHttpProxyError: UNREACHED,
    aiohttp.ConnectionTimeoutError: UNREACHED,
    aiohttp.ServerFingerprintMismatch: UNREACHED,
    aiohttp.ClientOSError: FAILED,
    aiohttp.ClientConnectionResetError: FAILED,
    aiohttp.ClientConnectionError: FAILED,
    aiohttp.ServerDisconnectedError: FAILED,
    aiohttp.SocketTimeoutError: FAILED,
    aiohttp.ClientPayloadError: FAILED,
    aiohttp.ClientResponseError: FAILED,
    TotalTimeout: FAILED,
    aiohttp.InvalidURL: NOT_SENT,
    aiohttp.NonHttpUrlClientError: NOT_SENT,
}
"""What each error of the client says."""


def guarded(
    guard: Guard, *, key_by: KeyBy = None, on_status: Collection[int] = FAILING_STATUSES
) -> aiohttp.ClientMiddlewareType:
    """Return a client middleware that sends every request through `guard`.

    key_by     "host" for a keyed member per host and port, or a function of the request; None for one state.
    on_status  statuses that are failures, in place of 408, 425, 429 and 5xx.

    Each redirect is a request of its own. A request raises the client's errors, `Rejected`, `DeadlineExceeded`
    and `RetryExhausted`. Raises `OptionError` for options that cannot work.
    """
    rules: Rules[aiohttp.ClientRequest] = Rules(
        guard=guard, key_by=key_by, on_status=on_status, errors=("aiohttp.ClientError", aiohttp.ClientError)
    )

    async def middleware(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        async def send(_seconds: float | None) -> aiohttp.ClientResponse:
            return await _send(request, handler)

        return await call_async(rules, _WIRE, request, send)

    return middleware


def may_have_left(error: BaseException) -> bool:
    """Return whether the server may have had the request that ended with `error`. In doubt, it may."""
    return http_outcomes.may_have_left(error, lambda raised: row_in(ROWS, raised))


async def _send(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Make one attempt. The end of the session's ``total`` timeout becomes an error that the guard can judge.

    The client's timer cancels the task; without entering it here, the guard would see the caller's cancellation.
    """
    try:
        with request._timer:  # noqa: SLF001 - the client enters it the same way, and offers no other
            return await handler(request)
    except TimeoutError as error:
        if isinstance(error, aiohttp.ServerTimeoutError):
            raise
        raise TotalTimeout(*error.args) from error


class _Wire(AsyncWire[aiohttp.ClientRequest, aiohttp.ClientResponse]):
    rows = ROWS
    status_error = FailedStatus

    def effect(self, request: aiohttp.ClientRequest) -> Effect:
        replayable = not request.body or isinstance(request.body, BytesPayload)
        return effect_of(request.method, keyed=KEY_HEADER in request.headers, replayable=replayable)

    def endpoint(self, request: aiohttp.ClientRequest) -> str:
        url = request.url
        return str(url.host) if url.is_default_port() else f"{url.host}:{url.port}"

    def status(self, response: aiohttp.ClientResponse) -> int:
        return response.status

    def header(self, response: aiohttp.ClientResponse, name: str) -> str | None:
        return response.headers.get(name)

    def failure(self, request: aiohttp.ClientRequest, response: aiohttp.ClientResponse) -> Exception:  # noqa: ARG002 - as the wire has it
        return FailedStatus(response)

    async def keep(self, response: aiohttp.ClientResponse) -> bytes:
        data = await response.read()  # closes the answer when it fails
        response.content = _reader_of(data)
        return data

    async def close(self, response: aiohttp.ClientResponse) -> None:
        response.close()


def _reader_of(data: bytes) -> aiohttp.StreamReader:
    """Return a stream that gives `data`, for callers that read the answer in pieces."""
    loop = asyncio.get_running_loop()
    reader = aiohttp.StreamReader(BaseProtocol(loop), max(len(data), 1), loop=loop)
    reader.feed_data(data)
    reader.feed_eof()
    return reader


_WIRE = _Wire()
