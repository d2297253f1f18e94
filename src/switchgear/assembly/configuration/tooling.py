"""Turns the tool tables into contracts and the ways to carry them out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from switchgear.assembly.configuration.checking import checked
from switchgear.assembly.configuration.headers import headers_of
from switchgear.assembly.configuration.problems import Problems, shown, suggestion
from switchgear.assembly.configuration.remotes import Connection, FunctionConnection, Remotes, named_tables
from switchgear.assembly.configuration.sections import HTTP_ONLY, SCIM_BRINGS, OutcomesTable, ToolTable
from switchgear.connectors.http import ABOUT, HttpConnection, HttpOperation, Outcomes
from switchgear.connectors.scim import ScimConnection, ScimOperation
from switchgear.connectors.signatures import load, parameters_of, schema_of
from switchgear.core.effects import Effect
from switchgear.core.errors import Invalid, OptionError
from switchgear.core.operations import Operation
from switchgear.core.scope import checked_name
from switchgear.execution.arguments import schema_problems
from switchgear.execution.contract import Tool

KEY_HEADER = "Idempotency-Key"
_KEYED: Literal["keyed"] = "keyed"
_WORDS: Mapping[type, str] = {
    HttpConnection: "an HTTP operation",
    ScimConnection: "a SCIM operation",
    FunctionConnection: "a function",
}


Means = HttpOperation | str | Callable[..., Any]


@dataclass(frozen=True, slots=True)
class DeclaredTool:
    """A tool of the file: its contract, and the way to carry it out.

    `means` is the operation of an HTTP connector, the name of one of a SCIM connector, or a function. `connector`
    names the connector; it is empty for a function that needs none of its own.
    """

    tool: Tool
    connector: str
    means: Means


class ToolReader:
    """Reads tool tables. Functions are imported here; modules beside the file are found."""

    def __init__(self, remotes: Remotes, operations: Mapping[str, Operation], folder: Path, problems: Problems) -> None:
        """Read against what the rest of the file declares."""
        self._remotes = remotes
        self._operations = operations
        self._folder = folder
        self._problems = problems

    def read(self, raw: Mapping[str, Any]) -> tuple[DeclaredTool, ...]:
        """Return the tools of ``[tools.…]`` in the file's order; what is wrong is added to the problems."""
        tools = [self._tool(name, table) for name, table in named_tables(raw, "tools", self._problems).items()]
        return tuple(tool for tool in tools if tool is not None)

    def _tool(self, name: str, table: object) -> DeclaredTool | None:
        if self._looks_unquoted(name, table) or not self._good_name(name):
            return None
        found = checked(ToolTable, table, ("tools", name), self._problems)
        if found is None:
            self._look_at_function(name, table)
            return None
        self._check_requires(name, found)
        good_schema = self._good_schema(name, found)
        means = self._means(name, found)
        if means is None or not good_schema:
            return None
        tool = self._contract(name, found, means)
        return None if tool is None else DeclaredTool(tool, found.connector or "", means)

    def _means(self, name: str, table: ToolTable) -> Means | None:
        if table.operation is not None:
            return self._scim(name, table, table.operation)
        if isinstance(self._remotes.connections.get(table.connector or ""), ScimConnection):
            self._add(name, "is missing", "a tool of a SCIM connector needs operation = …", "operation")
            return None
        return self._function(name, table) if table.function is not None else self._operation(name, table)

    def _looks_unquoted(self, name: str, table: object) -> bool:
        """Recognise ``[tools.crm.update]``, which TOML reads as a table in a table."""
        if not isinstance(table, Mapping):
            return False
        nested = [
            key for key, value in table.items() if isinstance(value, Mapping) and key not in ToolTable.model_fields
        ]
        for key in nested:
            self._add(name, f"a tool's name is one key, and {key!r} is a second", f'write [tools."{name}.{key}"]')
        return bool(nested)

    def _good_name(self, name: str) -> bool:
        try:
            checked_name("a tool's name", name)
        except Invalid as error:
            self._add(name, error.message)
            return False
        return True

    def _check_requires(self, name: str, table: ToolTable) -> None:
        for index, dependency in enumerate(table.requires):
            if dependency not in self._remotes.declared:
                near = suggestion(dependency, self._remotes.declared) if self._remotes.declared else ""
                declare = f"declare it with [dependencies.{dependency}]"
                self._problems.add(
                    ("tools", name, "requires", index),
                    f"nothing called {dependency!r} is declared",
                    f"{near} Or {declare}" if near.startswith("did") else declare,
                )

    def _function(self, name: str, table: ToolTable) -> Callable[..., Any] | None:
        for key in HTTP_ONLY:
            if key in table.model_fields_set:
                self._add(name, "means nothing for a function", "remove it, or remove function", key)
        placed = table.connector is None or self._connector_is(name, table.connector, FunctionConnection)
        function = self._loaded(name, table.function or "")
        return function if placed else None

    def _loaded(self, name: str, path: str) -> Callable[..., Any] | None:
        if str(self._folder) not in sys.path:
            sys.path.append(str(self._folder))
        try:
            function = load(path)
            parameters_of(function)
        except OptionError as error:
            self._add(name, error.message, key="function")
            return None
        return function

    def _look_at_function(self, name: str, table: object) -> None:
        """Add what is wrong with the function of a table that is wrong elsewhere, so that all is told at once."""
        path = table.get("function") if isinstance(table, Mapping) else None
        if isinstance(path, str) and not self._problems.told_of(("tools", name, "function")):
            self._loaded(name, path)

    def _operation(self, name: str, table: ToolTable) -> HttpOperation | None:
        missing = [key for key in ("connector", "method", "path") if getattr(table, key) is None]
        if missing == ["connector", "method", "path"]:
            self._add(
                name,
                "has neither a function nor an operation",
                'write function = "module:function", or connector, method and path',
            )
            return None
        for key in missing:
            self._add(name, "is missing", f"an HTTP tool needs {key} = …", key)
        if missing or not self._connector_is(name, table.connector or "", HttpConnection):
            return None
        return self._http(name, table)

    def _scim(self, name: str, table: ToolTable, operation: str) -> str | None:
        for key in (*HTTP_ONLY, *SCIM_BRINGS):
            if key in table.model_fields_set:
                self._add(name, "means nothing for a SCIM operation", "remove it, or remove operation", key)
        if table.connector is None:
            self._add(name, "is missing", "a SCIM operation needs connector = …", "connector")
            return None
        if not self._connector_is(name, table.connector, ScimConnection):
            return None
        if self._scim_operation(table) is None:
            declare = f"declare [connectors.{table.connector}.revoke_sessions]"
            self._add(name, f"its connector has no {operation}", declare, "operation")
            return None
        return operation

    def _scim_operation(self, table: ToolTable) -> ScimOperation | None:
        """Return the operation of a SCIM connector that a tool names; None when there is none."""
        connection = self._remotes.connections.get(table.connector or "")
        return connection.operations.get(table.operation or "") if isinstance(connection, ScimConnection) else None

    def _http(self, name: str, table: ToolTable) -> HttpOperation | None:
        headers = headers_of(table.headers, ("tools", name, "headers"), self._problems)
        header = table.idempotency_header
        if header is None and table.effect == _KEYED:
            header = KEY_HEADER
        try:
            operation = HttpOperation(
                method=table.method or "GET",
                path=table.path or "",
                query=None if table.query is None else tuple(table.query),
                body=tuple(table.body) if isinstance(table.body, list) else table.body,
                headers=headers,
                idempotency_header=header or None,
                outcomes=_outcomes(table.outcomes),
                result=table.result,
            )
        except OptionError as error:
            self._add(name, error.message)
            return None
        return operation if self._fits(name, table, operation) else None

    def _fits(self, name: str, table: ToolTable, operation: HttpOperation) -> bool:
        """Check what operation, connector and effect say about each other."""
        connection = self._remotes.connections.get(table.connector or "")
        outside = operation.host is not None and not (
            isinstance(connection, HttpConnection) and connection.allows(operation.host)
        )
        if outside:
            self._add(name, f"{operation.host} is not among the hosts of its connector", "add it to hosts", "path")
            return False
        if table.effect == _KEYED and operation.idempotency_header is None:
            self._add(
                name, "a keyed tool must send its key", f'write "{KEY_HEADER}", or another effect', "idempotency_header"
            )
            return False
        return self._arguments_have_places(name, table.arguments or {}, operation)

    def _arguments_have_places(self, name: str, schema: Mapping[str, Any], operation: HttpOperation) -> bool:
        named = schema.get("properties", {})
        known = set(named) if isinstance(named, Mapping) else set()
        stray = sorted(argument for argument in known if not operation.uses(argument))
        unfilled = (
            [] if schema.get("additionalProperties", True) else sorted({*operation.template.names} - known - {ABOUT})
        )
        for argument in stray:
            wrong = f"no place in the request for the argument {argument!r}"
            self._add(name, wrong, "name it in path, query or body", "arguments")
        for argument in unfilled:
            self._add(name, f"does not know {argument!r}, which the path needs", "add it to properties", "arguments")
        return not (stray or unfilled)

    def _contract(self, name: str, table: ToolTable, means: Means) -> Tool | None:
        brought = self._scim_operation(table)
        schema = brought.arguments_schema if brought else self._schema(name, table, means)
        if schema is None:
            return None
        try:
            return Tool(
                name=name,
                requires=_required(name, table),
                effect=brought.effect if brought else Effect(table.effect),
                description=table.description or (brought.description if brought else ""),
                version=table.version,
                timeout=table.timeout or self._operations["intent.execute"].seconds,
                attempts=table.attempts,
                backoff_base=table.backoff_base,
                backoff_cap=table.backoff_cap,
                lifetime=table.lifetime,
                key_retention=table.key_retention,
                destructive=table.destructive,
                lookup=table.lookup,
                settle_delay=table.settle_delay,
                compensate=table.compensate,
                revert=table.revert,
                cost=table.cost,
                arguments_schema=schema or None,
                binding=self._binding(table, means),
                resource=brought.resource if brought else table.resource,
            )
        except OptionError as error:
            self._add(name, error.message)
            return None

    def _binding(self, table: ToolTable, means: Means) -> str:
        connection = self._remotes.connections.get(table.connector or "")
        match connection, means:
            case HttpConnection(), HttpOperation():
                return f"{connection.base_url} {means.binding}"
            case ScimConnection(), str():
                return connection.binding(means)
            case _:
                return ""

    def _schema(self, name: str, table: ToolTable, means: Means) -> dict[str, Any] | None:
        """Return the schema of the arguments, empty when there is none, or None after adding what is wrong."""
        if table.arguments is None and callable(means):
            return self._derived(name, means)
        return table.arguments or {}

    def _good_schema(self, name: str, table: ToolTable) -> bool:
        wrong = schema_problems(table.arguments or {})
        for problem in wrong:
            self._add(name, f"is no usable JSON Schema: {problem}", key="arguments")
        return not wrong

    def _derived(self, name: str, function: Callable[..., Any]) -> dict[str, Any] | None:
        try:
            return schema_of(function)
        except OptionError as error:
            self._add(name, error.message, key="function")
            return None

    def _connector_is(self, name: str, connector: str, kind: type[Connection]) -> bool:
        if connector in self._remotes.broken:
            return False
        found = self._remotes.connections.get(connector)
        if found is None:
            near = suggestion(connector, self._remotes.connections) or f"declare it with [connectors.{connector}]"
            self._add(name, f"there is no connector {shown(connector)}", near, "connector")
        elif not isinstance(found, kind):
            self._add(
                name,
                f"the connector {shown(connector)} is of another kind; this tool is {_WORDS[kind]}",
                key="connector",
            )
        return isinstance(found, kind)

    def _add(self, name: str, wrong: str, write: str = "", key: str = "") -> None:
        self._problems.add(("tools", name, key) if key else ("tools", name), wrong, write)


def _outcomes(table: OutcomesTable) -> Outcomes:
    return Outcomes(
        succeeded=tuple(table.succeeded),
        not_applied=tuple(table.not_applied),
        in_doubt=tuple(table.in_doubt),
        retryable=tuple(table.retryable),
    )


def _required(name: str, table: ToolTable) -> tuple[str, ...]:
    """Return what a tool depends on, first what carries it out: its guard, and its health, are what attempts go by."""
    first = table.connector or (table.requires[0] if table.requires else name.partition(".")[0])
    return (first, *(other for other in table.requires if other != first))
