"""Turns the tables of connectors and dependencies into what the lower rooms understand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from switchgear.assembly.configuration.checking import checked, right_part
from switchgear.assembly.configuration.depending import DeclaredDependency, dependency_of, look_at_probe
from switchgear.assembly.configuration.guarding import GuardOptions, guard_options
from switchgear.assembly.configuration.headers import headers_of
from switchgear.assembly.configuration.problems import Part, Problems, dotted, shown, suggestion
from switchgear.assembly.configuration.sections import (
    DependencyTable,
    FunctionConnectorTable,
    HttpConnectorTable,
    RemoteTable,
    RevokeSessionsTable,
    ScimConnectorTable,
    Section,
)
from switchgear.connectors.http import HttpConnection, HttpOperation
from switchgear.connectors.scim import ScimConnection
from switchgear.core.errors import OptionError
from switchgear.core.operations import Operation

_KINDS: dict[str, type[Section]] = {
    "http": HttpConnectorTable,
    "scim": ScimConnectorTable,
    "function": FunctionConnectorTable,
}


@dataclass(frozen=True, slots=True)
class FunctionConnection:
    """A connector of Python functions, with at most `threads_max` blocking ones at once."""

    threads_max: int


Connection = HttpConnection | ScimConnection | FunctionConnection


@dataclass(slots=True)
class Remotes:
    """What tools may lean on: connections by name, guards by dependency, and every name that was declared.

    `watched` holds the dependencies whose health is known. `broken` holds declared connectors that could not be read,
    so that their tools are not blamed.
    """

    connections: dict[str, Connection] = field(default_factory=dict)
    guards: dict[str, GuardOptions] = field(default_factory=dict)
    declared: set[str] = field(default_factory=set)
    watched: list[DeclaredDependency] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)


def remotes_of(
    raw: Mapping[str, Any], operations: Mapping[str, Operation], folder: Path, problems: Problems
) -> Remotes:
    """Read ``[connectors.…]`` and ``[dependencies.…]``. Paths and modules of probes count from `folder`."""
    remotes = Remotes()
    for name, table in named_tables(raw, "connectors", problems).items():
        remotes.declared.add(name)
        connection = _connection(name, table, remotes, operations, problems)
        if connection is None:
            remotes.broken.add(name)
        else:
            remotes.connections[name] = connection
    for name, table in named_tables(raw, "dependencies", problems).items():
        remotes.declared.add(name)
        found = checked(DependencyTable, table, ("dependencies", name), problems)
        if found is not None:
            _guard(name, found.guard, ("dependencies", name, "guard"), remotes, problems)
            watched = dependency_of(name, found, folder, problems)
            remotes.watched += [] if watched is None else [watched]
        elif (rest := right_part(DependencyTable, table)) is not None:
            look_at_probe(name, rest, folder, problems)
    return remotes


def named_tables(raw: Mapping[str, Any], section: str, problems: Problems) -> Mapping[str, Any]:
    """Return the tables of a section that holds one table a name."""
    tables = raw.get(section, {})
    if not isinstance(tables, Mapping):
        problems.add((section,), f"must hold tables, not {shown(tables)}", f"write [{section}.NAME]")
        return {}
    return tables


def _connection(
    name: str, table: object, remotes: Remotes, operations: Mapping[str, Operation], problems: Problems
) -> Connection | None:
    key = ("connectors", name)
    kind = table.get("kind") if isinstance(table, Mapping) else None
    if isinstance(table, Mapping) and (not isinstance(kind, str) or kind not in _KINDS):
        wrong = "is missing" if kind is None else f"cannot be {shown(kind)}"
        near = suggestion(kind, _KINDS) if isinstance(kind, str) else ""
        problems.add((*key, "kind"), wrong, near or 'write kind = "http", kind = "scim" or kind = "function"')
        return None
    found = checked(_KINDS[str(kind or "http")], table, key, problems)
    if isinstance(found, HttpConnectorTable):
        _guard(name, found.guard, (*key, "guard"), remotes, problems)
        return _http(name, found, operations["http.connect"].seconds, problems)
    if isinstance(found, ScimConnectorTable):
        _guard(name, found.guard, (*key, "guard"), remotes, problems)
        return _scim(name, found, operations["http.connect"].seconds, problems)
    if isinstance(found, FunctionConnectorTable):
        _guard(name, found.guard, (*key, "guard"), remotes, problems)
        return FunctionConnection(found.threads_max)
    return None


def _scim(name: str, table: ScimConnectorTable, connect_timeout: float, problems: Problems) -> ScimConnection | None:
    connection = _http(name, table, connect_timeout, problems)
    if connection is None:
        return None
    try:
        return ScimConnection(http=connection, revoke_sessions=_revocation(table.revoke_sessions))
    except OptionError as error:
        problems.add(("connectors", name, "revoke_sessions"), error.message)
        return None


def _revocation(table: RevokeSessionsTable | None) -> HttpOperation | None:
    if table is None:
        return None
    return HttpOperation(method=table.method, path=table.path, query=(), body="none", result="none")


def _http(name: str, table: RemoteTable, connect_timeout: float, problems: Problems) -> HttpConnection | None:
    headers = headers_of(table.headers, ("connectors", name, "headers"), problems)
    try:
        return HttpConnection(
            name=name,
            base_url=table.base_url,
            hosts=tuple(table.hosts),
            headers=headers,
            private_addresses=table.private_addresses,
            response_bytes_max=table.response_limit_bytes,
            connections_max=table.connections_max,
            connect_timeout=connect_timeout,
        )
    except OptionError as error:
        problems.add(("connectors", name), error.message)
        return None


def _guard(
    name: str, table: Mapping[str, Any] | None, key: Sequence[Part], remotes: Remotes, problems: Problems
) -> None:
    if table is None:
        return
    if name in remotes.guards:
        other = dotted(("connectors", name, "guard"))
        problems.add(key, f"{other} guards the same dependency", "keep one of the two")
        return
    remotes.guards[name] = guard_options(table, key, problems)
