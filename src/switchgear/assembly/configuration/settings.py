"""The configuration as the gear uses it: checked, typed, never changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from switchgear.assembly.configuration.guarding import DEFAULT_GUARD, GuardOptions
from switchgear.assembly.configuration.problems import Part, Problem, dotted
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
from switchgear.connectors.credentials import Credentials, HeaderValue, PerTenant, Reference
from switchgear.connectors.function import FunctionConnector
from switchgear.connectors.http import HttpConnection, HttpConnector, HttpOperation
from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.errors import OptionError
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

    def warnings(self) -> list[str]:
        """Return, one a line, what would be refused if it were needed now: credentials that cannot be read.

        No failure, since a variable or file may be put in place later. Reads the files; never shows a value.
        """
        found = ((key, self._unreadable(reference)) for key, reference in self._references())
        return [str(Problem(self.source or "configuration", dotted(key), wrong)) for key, wrong in found if wrong]

    def _references(self) -> Iterator[tuple[tuple[Part, ...], Reference]]:
        for name, connection in self.connections.items():
            if isinstance(connection, HttpConnection):
                yield from _references(("connectors", name, "headers"), connection.headers)
        for declared in self.tools:
            if isinstance(declared.means, HttpOperation):
                yield from _references(("tools", declared.tool.name, "headers"), declared.means.headers)

    def _unreadable(self, reference: Reference) -> str:
        """Return why a credential cannot be read, empty when it can."""
        try:
            self.credentials.read(reference)
        except OptionError as error:
            return error.message
        return ""

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


def _references(
    key: tuple[Part, ...], headers: Mapping[str, HeaderValue]
) -> Iterator[tuple[tuple[Part, ...], Reference]]:
    """Return each reference among header values, with its place in the file."""
    for name, value in headers.items():
        several = isinstance(value, PerTenant)
        singles = value.tenants if isinstance(value, PerTenant) else {"": value}
        for tenant, single in singles.items():
            if isinstance(single, Reference):
                yield (*key, name, "tenants", tenant) if several else (*key, name), single


def _register(connector: FunctionConnector | HttpConnector, declared: DeclaredTool) -> None:
    means = declared.means
    if isinstance(connector, HttpConnector):
        assert isinstance(means, HttpOperation), "the reader of tools matches tools and connectors"
        connector.register(declared.tool.name, means)
    else:
        assert not isinstance(means, HttpOperation), "as above"
        connector.register(declared.tool.name, means)
