"""One request over HTTP, from what is asked to what is known of it. Never a second one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from switchgear.connectors.bounds import TOO_LATE, DeadlinePassed, bounded
from switchgear.connectors.credentials import Credentials
from switchgear.connectors.http.answer import Answer, read_answer
from switchgear.connectors.http.classify import result_of
from switchgear.connectors.http.egress import EgressTransport, Resolve
from switchgear.connectors.http.failures import failure_of, late
from switchgear.connectors.http.hiding import without_secrets
from switchgear.connectors.http.request import Prepared, prepare
from switchgear.connectors.http.specification import HttpConnection, HttpOperation
from switchgear.connectors.values import brief
from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import Denied, DestructiveBlocked, Invalid, OptionError
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Call, Refused, Result

Classify = Callable[[HttpOperation, Answer, float], Result]
"""(operation, answer, seconds since the epoch) → what is known."""

_FIXED_HEADERS = {"user-agent": "switchgear", "accept-encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What is known after one request, and the answer; None when no answer came."""

    result: Result
    answer: Answer | None = None


class Exchange:
    """Sends requests to one remote. Safe for concurrent calls of one event loop.

    `classify` says what an answer means; credentials are hidden from what it returns.
    """

    def __init__(
        self,
        connection: HttpConnection,
        credentials: Credentials,
        clock: Clock,
        resolve: Resolve,
        classify: Classify = result_of,
    ) -> None:
        """Open nothing yet."""
        self._connection = connection
        self._credentials = credentials
        self._clock = clock
        self._classify = classify
        self._transport = EgressTransport(connection, clock, resolve)

    async def send(self, operation: HttpOperation, call: Call) -> Reply:
        """Make one request within the call's deadline."""
        try:
            prepared = prepare(self._connection, operation, call, self._credentials)
        except (Invalid, OptionError) as error:
            return Reply(not_sent(error.code, error.message))
        return await self._attempt(operation, prepared, call)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def _attempt(self, operation: HttpOperation, prepared: Prepared, call: Call) -> Reply:
        if call.deadline.remaining() <= 0:
            return Reply(TOO_LATE)
        progress = _Progress(call)
        try:
            answer = await bounded(call.deadline, self._request(prepared, progress))
        except DeadlinePassed:
            return Reply(late(left=progress.left, connecting=progress.connecting))
        except DestructiveBlocked as error:
            held = Refused(
                error.code, brief(error.message), retryable=True, verdict=Verdict.IGNORED, retry_after=error.retry_after
            )
            return Reply(held)
        except Denied as error:
            return Reply(not_sent(error.code, error.message))
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return Reply(without_secrets(failure_of(error, left=progress.left), prepared.secrets))
        result = self._classify(operation, answer, self._clock.time())
        return Reply(without_secrets(result, prepared.secrets), answer)

    async def _request(self, prepared: Prepared, progress: _Progress) -> Answer:
        request = httpx2.Request(
            prepared.method,
            prepared.url,
            headers=_FIXED_HEADERS | prepared.headers,
            content=prepared.content,
            extensions={"trace": progress},
        )
        response = await self._transport.handle_async_request(request)
        try:
            return await read_answer(response, self._connection.response_bytes_max, prepared.secrets)
        finally:
            await response.aclose()


class _Progress:
    """Watches the connection: whether we are on our way there, and whether a byte of the request may have left.

    Before the first byte it asks whether what is destructive may still leave: there was a wait for the connection.
    """

    __slots__ = ("_call", "connecting", "left")

    def __init__(self, call: Call) -> None:
        self._call = call
        self.connecting = False
        self.left = False

    async def __call__(self, event: str, _: dict[str, Any]) -> None:
        if event.startswith("connection.") and event.endswith(".started"):
            self.connecting = True
        elif event.endswith("send_request_headers.started"):
            self._call.check_leaving()
            self.left = True


def not_sent(code: Code, message: str) -> Refused:
    """Return what is known of an attempt that was refused here, before anything left."""
    return Refused(code, brief(message), retryable=False, verdict=Verdict.IGNORED)
