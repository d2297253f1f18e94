"""The configuration as the gear uses it: checked, typed, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from switchgear.assembly.configuration.guarding import DEFAULT_GUARD, GuardOptions
from switchgear.assembly.configuration.remotes import Connection, FunctionConnection
from switchgear.assembly.configuration.sections import (
    AccessSettings,
    EngineSettings,
    LimitsSettings,
    LogSettings,
    ServerSettings,
    StoreSettings,
)
from switchgear.assembly.configuration.tooling import DeclaredTool
from switchgear.connectors.credentials import Credentials
from switchgear.connectors.function import FunctionConnector
from switchgear.connectors.http import HttpConnector, HttpOperation
from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.operations import Operation
from switchgear.execution.contract import Connector, Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything that a file, the environment and the defaults say.

    `source` is the file's name, empty without one. `guards` holds dependencies with a guard of their own; ask
    `guard_of`. `operations` is the table of timeouts.
    """

    source: str
    store: StoreSettings
    server: ServerSettings
    engine: EngineSettings
    limits: LimitsSettings
    access: AccessSettings
    log: LogSettings
    operations: Mapping[str, Operation]
    connections: Mapping[str, Connection]
    guards: Mapping[str, GuardOptions]
    tools: tuple[DeclaredTool, ...]
    credentials: Credentials

    def guard_of(self, dependency: str) -> GuardOptions:
        """Return the guard's options of a dependency, the default ones when the file says nothing."""
        return self.guards.get(dependency, DEFAULT_GUARD)

    def build_tools(self, *, clock: Clock = SYSTEM_CLOCK) -> list[tuple[Tool, Connector]]:
        """Return each declared tool with the connector that carries it out. Connectors are made anew, and shared."""
        connectors = {name: self._connector(connection, clock) for name, connection in self.connections.items()}
        connectors[""] = FunctionConnector()
        built: list[tuple[Tool, Connector]] = []
        for declared in self.tools:
            connector = connectors[declared.connector]
            _register(connector, declared)
            built.append((declared.tool, connector))
        return built

    def _connector(self, connection: Connection, clock: Clock) -> FunctionConnector | HttpConnector:
        if isinstance(connection, FunctionConnection):
            return FunctionConnector(threads_max=connection.threads_max)
        return HttpConnector(connection, self.credentials, clock=clock)


def _register(connector: FunctionConnector | HttpConnector, declared: DeclaredTool) -> None:
    means = declared.means
    if isinstance(connector, HttpConnector):
        assert isinstance(means, HttpOperation), "the reader of tools matches tools and connectors"
        connector.register(declared.tool.name, means)
    else:
        assert not isinstance(means, HttpOperation), "as above"
        connector.register(declared.tool.name, means)
