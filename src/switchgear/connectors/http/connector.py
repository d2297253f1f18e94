"""Carries out HTTP operations: one attempt, from the call to what is known of it. Never a second one."""

from __future__ import annotations

from switchgear.connectors.credentials import Credentials
from switchgear.connectors.http.egress import Resolve, resolve_by_system
from switchgear.connectors.http.exchange import Exchange, not_sent
from switchgear.connectors.http.specification import HttpConnection, HttpOperation
from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.codes import Code
from switchgear.core.errors import OptionError
from switchgear.execution.contract import Call, Result


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
        self._exchange = Exchange(connection, credentials, clock, resolve)
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
            return not_sent(Code.TOOL_UNREGISTERED, f"no operation is registered for the tool {call.tool!r}")
        return (await self._exchange.send(operation, call)).result

    async def close(self) -> None:
        """Close the connections."""
        await self._exchange.close()
