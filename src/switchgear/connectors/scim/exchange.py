"""Requests to a SCIM server, made as HTTP tools make theirs; what a SCIM error says is its message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import structs

from switchgear.connectors.credentials import Credentials
from switchgear.connectors.http import HttpConnection, HttpOperation
from switchgear.connectors.http.answer import Answer
from switchgear.connectors.http.classify import result_of
from switchgear.connectors.http.egress import Resolve
from switchgear.connectors.http.exchange import Exchange as HttpExchange
from switchgear.connectors.scim.messages import stated_error
from switchgear.connectors.values import brief
from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.execution.contract import Call, Result, Succeeded


@dataclass(frozen=True, slots=True)
class Reply:
    """What is known after one request.

    `status` is None when no answer came. `says_why` is whether the server worded an error as SCIM does, which a
    stranger in its place (a proxy, another site) does not. `etag` is the header, None without one.
    """

    result: Result
    status: int | None = None
    etag: str | None = None
    says_why: bool = False


class Exchange:
    """Sends requests to one server. Safe for concurrent calls of one event loop."""

    def __init__(self, connection: HttpConnection, credentials: Credentials, clock: Clock, resolve: Resolve) -> None:
        """Open nothing yet."""
        self._http = HttpExchange(connection, credentials, clock, resolve, _result_of)

    async def send(self, operation: HttpOperation, call: Call, arguments: Mapping[str, object]) -> Reply:
        """Make one request with `arguments` in place of the call's own, within the call's deadline."""
        reply = await self._http.send(operation, structs.replace(call, arguments=arguments))
        answer = reply.answer
        if answer is None:
            return Reply(reply.result)
        says_why = not isinstance(reply.result, Succeeded) and stated_error(answer.body) is not None
        return Reply(reply.result, answer.status, answer.etag, says_why)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def _result_of(operation: HttpOperation, answer: Answer, now: float) -> Result:
    """Return what is known; a bare 404 is never "not found": that needs the server's own word, which a lookup reads."""
    result = result_of(operation, answer, now)
    if isinstance(result, Succeeded):
        return result
    if result.code is Code.NOT_FOUND:
        result = structs.replace(result, code=Code.TOOL_FAILED)
    said = stated_error(answer.body)
    return structs.replace(result, message=f"answered {answer.status}: {brief(said)}") if said else result
