"""The configuration as the gear uses it: checked, typed, never changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from switchgear.assembly.configuration.depending import DeclaredDependency
from switchgear.assembly.configuration.doubting import never_settling
from switchgear.assembly.configuration.guarding import DEFAULT_GUARD, GuardOptions
from switchgear.assembly.configuration.problems import Part, Problem, dotted
from switchgear.assembly.configuration.remotes import Connection, FunctionConnection
from switchgear.assembly.configuration.sections import (
    AccessSettings,
    EngineSettings,
    KillSwitchSettings,
    LedgerSettings,
    LimitsSettings,
    LogSettings,
    ServerSettings,
    StoreSettings,
)
from switchgear.assembly.configuration.tooling import DeclaredTool
from switchgear.assembly.configuration.vouching import never_vouching
from switchgear.connectors.credentials import Credentials, HeaderValue, PerTenant, Reference
from switchgear.connectors.function import FunctionConnector
from switchgear.connectors.http import HttpConnector, HttpOperation
from switchgear.connectors.scim import ScimConnection, ScimConnector
from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.errors import Invalid, OptionError
from switchgear.core.operations import Operation
from switchgear.execution.contract import Connector, Tool
from switchgear.gates.approval import ApprovalRule
from switchgear.gates.budget import Budgets
from switchgear.ledger.keys import read_key_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything that a file, the environment and the defaults say.

    `source` is the file's name, empty without one. `guards` holds dependencies with a guard of their own; ask
    `guard_of`. `dependencies` are those whose health is known. `operations` is the table of timeouts.
    """

    source: str
    store: StoreSettings
    server: ServerSettings
    engine: EngineSettings
    limits: LimitsSettings
    kill_switches: KillSwitchSettings
    ledger: LedgerSettings
    access: AccessSettings
    log: LogSettings
    operations: Mapping[str, Operation]
    connections: Mapping[str, Connection]
    guards: Mapping[str, GuardOptions]
    dependencies: tuple[DeclaredDependency, ...]
    tools: tuple[DeclaredTool, ...]
    approvals: tuple[ApprovalRule, ...]
    budgets: Budgets
    credentials: Credentials

    def guard_of(self, dependency: str) -> GuardOptions:
        """Return the guard's options of a dependency, the default ones when the file says nothing."""
        return self.guards.get(dependency, DEFAULT_GUARD)

    def warnings(self) -> list[str]:
        """Return, one a line, what would be refused if it were needed now: credentials and a key that cannot be read.

        And destructive tools that nothing in this file can ever let through, and tools whose every doubt is a person's
        although their effect says otherwise. No failure, since a variable or file may
        be put in place later, and code may register more. Reads the files; never shows a value.
        """
        found = [(key, self._unreadable(reference)) for key, reference in self._references()]
        found.append((("ledger", "key"), self._unusable_key()))
        found += never_vouching(self.tools, self.dependencies)
        found += never_settling(self.tools)
        return [str(Problem(self.source or "configuration", dotted(key), wrong)) for key, wrong in found if wrong]

    def _references(self) -> Iterator[tuple[tuple[Part, ...], Reference]]:
        for name, connection in self.connections.items():
            if not isinstance(connection, FunctionConnection):
                remote = connection.http if isinstance(connection, ScimConnection) else connection
                yield from _references(("connectors", name, "headers"), remote.headers)
        for watched in self.dependencies:
            secrets = {} if watched.probe is None else watched.probe.secrets
            yield from _references(("dependencies", watched.dependency.name, "probe"), secrets)
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

    def _unusable_key(self) -> str:
        """Return why the key of the ledger cannot be used, empty when it can or none is named."""
        file = self.ledger.key
        try:
            if file is not None:
                read_key_file(Path(file))
        except OSError as error:
            make = f"make a key with `switchgear ledger key {file} --name NAME`"
            return f"{file}: {error.strerror}; the server needs it: {make}"
        except Invalid as error:
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

    def _connector(self, connection: Connection, clock: Clock) -> FunctionConnector | HttpConnector | ScimConnector:
        if isinstance(connection, FunctionConnection):
            return FunctionConnector(threads_max=connection.threads_max)
        if isinstance(connection, ScimConnection):
            return ScimConnector(connection, self.credentials, clock=clock)
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


def _register(connector: FunctionConnector | HttpConnector | ScimConnector, declared: DeclaredTool) -> None:
    match connector, declared.means:
        case HttpConnector(), HttpOperation() as operation:
            connector.register(declared.tool.name, operation)
        case ScimConnector(), str() as operation:
            connector.register(declared.tool.name, operation)
        case FunctionConnector(), means if callable(means):
            connector.register(declared.tool.name, means)
        case _:
            raise AssertionError("the reader of tools matches tools and connectors")
