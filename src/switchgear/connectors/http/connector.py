"""One attempt over HTTP, from the call to what is known of it. Never a second one."""

from __future__ import annotations

from typing import Any

import httpx2

from switchgear.connectors.bounds import TOO_LATE, DeadlinePassed, bounded
from switchgear.connectors.credentials import Credentials
from switchgear.connectors.http.answer import Answer, read_answer
from switchgear.connectors.http.classify import result_of
from switchgear.connectors.http.egress import EgressTransport, Resolve, resolve_by_system
from switchgear.connectors.http.failures import failure_of, late
from switchgear.connectors.http.hiding import without_secrets
from switchgear.connectors.http.request import Prepared, prepare
from switchgear.connectors.http.specification import HttpConnection, HttpOperation
from switchgear.connectors.values import brief
from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.codes import Code
from switchgear.core.errors import Denied, Invalid, OptionError
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Call, Refused, Result

_FIXED_HEADERS = {"user-agent": "switchgear", "accept-encoding": "identity"}


class HttpConnector:
    """Executes the registered operations against one remote. Safe for concurrent calls of one event loop."""

    def __init__(
        self,
        connection: HttpConnection,
        credentials: Credentials,
        *,
        clock: Clock = SYSTEM_CLOCK,
        resolve: Resolve = resolve_by_system,
    ) -> None:
        """Open nothing yet."""
        self._connection = connection
        self._credentials = credentials
        self._clock = clock
        self._transport = EgressTransport(connection, clock, resolve)
        self._operations: dict[str, HttpOperation] = {}

    def register(self, tool: str, operation: HttpOperation) -> None:
        """Let `operation` execute the tool called `tool`.

        Raises `OptionError` when the name is taken, or the operation leaves the connection's list of hosts.
        """
        if tool in self._operations:
            raise OptionError(f"tool {tool!r} has an operation already; give one of the two another name")
        if operation.host is not None and not self._connection.allows(operation.host):
            raise OptionError(f"tool {tool!r} goes to {operation.host!r}, which hosts of the connector does not list")
        self._operations[tool] = operation

    async def execute(self, call: Call) -> Result:
        """Make one request within the call's deadline and say what is known of it."""
        operation = self._operations.get(call.tool)
        if operation is None:
            return _not_sent(Code.TOOL_UNREGISTERED, f"no operation is registered for the tool {call.tool!r}")
        try:
            prepared = prepare(self._connection, operation, call, self._credentials)
        except (Invalid, OptionError) as error:
            return _not_sent(error.code, error.message)
        return await self._attempt(operation, prepared, call)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def _attempt(self, operation: HttpOperation, prepared: Prepared, call: Call) -> Result:
        if call.deadline.remaining() <= 0:
            return TOO_LATE
        progress = _Progress()
        try:
            answer = await bounded(call.deadline, self._exchange(prepared, progress))
        except DeadlinePassed:
            return late(left=progress.left, connecting=progress.connecting)
        except Denied as error:
            return _not_sent(error.code, error.message)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return failure_of(error, left=progress.left)
        return without_secrets(result_of(operation, answer, self._clock.time()), prepared.secrets)

    async def _exchange(self, prepared: Prepared, progress: _Progress) -> Answer:
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
    """Watches the connection: whether we are on our way there, and whether a byte of the request may have left."""

    __slots__ = ("connecting", "left")

    def __init__(self) -> None:
        self.connecting = False
        self.left = False

    async def __call__(self, event: str, _: dict[str, Any]) -> None:
        if event.startswith("connection.") and event.endswith(".started"):
            self.connecting = True
        elif event.endswith("send_request_headers.started"):
            self.left = True


def _not_sent(code: Code, message: str) -> Refused:
    return Refused(code, brief(message), retryable=False, verdict=Verdict.IGNORED)
