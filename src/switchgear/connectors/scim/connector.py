"""Carries out SCIM operations: one attempt, from the call to what is known of it. Never a second one."""

from __future__ import annotations

from switchgear.connectors.credentials import Credentials
from switchgear.connectors.http.egress import Resolve, resolve_by_system
from switchgear.connectors.http.exchange import not_sent
from switchgear.connectors.scim.exchange import Exchange
from switchgear.connectors.scim.specification import Run, ScimConnection
from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.codes import Code
from switchgear.core.errors import Invalid, OptionError
from switchgear.execution.contract import Call, Result


class ScimConnector:
    """Carries out the registered operations at one SCIM server. Safe for concurrent calls of one event loop."""

    def __init__(
        self,
        connection: ScimConnection,
        credentials: Credentials,
        *,
        clock: Clock = SYSTEM_CLOCK,
        resolve: Resolve = resolve_by_system,
    ) -> None:
        """Open nothing yet."""
        self._connection = connection
        self._exchange = Exchange(connection.http, credentials, clock, resolve)
        self._tools: dict[str, Run] = {}

    def register(self, tool: str, operation: str) -> None:
        """Let the tool called `tool` carry out `operation`.

        Raises `OptionError` when the name is taken, or the connection has no such operation.
        """
        if tool in self._tools:
            raise OptionError(f"tool {tool!r} has an operation already; give one of the two another name")
        if operation not in self._connection.operations:
            known = ", ".join(self._connection.operations)
            raise OptionError(f"this SCIM server has no operation {operation!r}; it has {known}")
        self._tools[tool] = self._connection.operations[operation].run

    async def execute(self, call: Call) -> Result:
        """Carry the call's operation out within its deadline and say what is known of it."""
        run = self._tools.get(call.tool)
        if run is None:
            return not_sent(Code.TOOL_UNREGISTERED, f"no operation is registered for the tool {call.tool!r}")
        try:
            return await run(self._exchange, call)
        except Invalid as error:
            return not_sent(error.code, error.message)

    async def close(self) -> None:
        """Close the connections."""
        await self._exchange.close()
