"""Makes the probe of a declared dependency. Secrets are read when it asks, and again when they have changed.

Constructing one opens nothing. Clients that need an extra are imported here, when a file names their kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from switchgear.assembly.configuration.probing import (
    DeclaredProbe,
    DiskProbeTable,
    FunctionProbeTable,
    HttpProbeTable,
    MemoryProbeTable,
    NatsProbeTable,
    RedisProbeTable,
    SqlProbeTable,
    TcpProbeTable,
    UnixSocketProbeTable,
)
from switchgear.assembly.configuration.sections import Section
from switchgear.connectors.credentials import Reference
from switchgear.core.clock import Clock
from switchgear.core.errors import OptionError
from switchgear.health.probe import Probe, ProbeFailed
from switchgear.health.probes.disk import DiskProbe
from switchgear.health.probes.function import FunctionProbe
from switchgear.health.probes.http import HttpProbe
from switchgear.health.probes.memory import MemoryProbe
from switchgear.health.probes.sql import SqlProbe
from switchgear.health.probes.tcp import TcpProbe
from switchgear.health.probes.unix_socket import UnixSocketProbe

Secrets = Callable[[], Mapping[str, str]]
"""Returns the secrets of a probe by header or key, as they are now. Raises `ProbeFailed` for one that is not there."""


def made(declared: DeclaredProbe, read: Callable[[Reference], str], *, seconds: float, clock: Clock) -> Probe:
    """Return the probe, which takes `seconds` at most and gets its secrets from `read`.

    Raises `OptionError` for options that cannot work, and where the client that it needs is not installed.
    """
    maker = _MAKERS[type(declared.table)]
    return maker(declared, lambda: _read(declared.secrets, read), {"timeout": seconds, "clock": clock})


def _read(secrets: Mapping[str, str | Reference], read: Callable[[Reference], str]) -> dict[str, str]:
    try:
        return {
            name: value if isinstance(value, str) else value.prefix + read(value) for name, value in secrets.items()
        }
    except OptionError as error:  # it names the place, never the value
        raise ProbeFailed(error.message) from error


class _Secretive:
    """A probe that has to be made anew when its secrets have changed."""

    def __init__(self, make: Callable[[Mapping[str, str]], Probe], secrets: Secrets) -> None:
        """Make it once without any, so that wrong options are found."""
        self._make, self._secrets = make, secrets
        self._known: Mapping[str, str] = {}
        self._probe = make({})

    async def __call__(self) -> str | None:
        """Ask once."""
        now = self._secrets()
        if now != self._known:
            self._known, self._probe = now, self._make(now)
        return await self._probe()


def _http(declared: DeclaredProbe, secrets: Secrets, options: dict[str, Any]) -> Probe:
    table = declared.table
    assert isinstance(table, HttpProbeTable)  # by the table of makers
    path = None if table.unix_socket is None else declared.path(table.unix_socket)
    right = frozenset(table.statuses) or range(200, 300)
    return _Secretive(
        lambda headers: HttpProbe(table.url, statuses=right, headers=headers, unix_socket=path, **options), secrets
    )


def _tcp(declared: DeclaredProbe, _secrets: Secrets, options: dict[str, Any]) -> Probe:
    table = declared.table
    assert isinstance(table, TcpProbeTable)  # by the table of makers
    expects = None if table.expects is False else table.expects.encode()
    return TcpProbe(table.host, table.port, expects=expects, send=table.send.encode(), **options)


def _unix_socket(declared: DeclaredProbe, _secrets: Secrets, options: dict[str, Any]) -> Probe:
    table = declared.table
    assert isinstance(table, UnixSocketProbeTable)  # by the table of makers
    return UnixSocketProbe(declared.path(table.path), request=table.request, **options)


def _redis(declared: DeclaredProbe, secrets: Secrets, options: dict[str, Any]) -> Probe:
    table = declared.table
    assert isinstance(table, RedisProbeTable)  # by the table of makers
    try:
        from switchgear.adapters.redis import RedisUrlProbe  # noqa: PLC0415 - needs an extra
    except ModuleNotFoundError as error:
        raise OptionError(str(error)) from error
    who = {} if table.username is None else {"username": table.username}
    return RedisUrlProbe(table.url, sign_in=lambda: {**who, **secrets()}, namespace=table.namespace, **options)


def _nats(declared: DeclaredProbe, secrets: Secrets, options: dict[str, Any]) -> Probe:
    table = declared.table
    assert isinstance(table, NatsProbeTable)  # by the table of makers
    try:
        from switchgear.adapters.nats.probe import NatsProbe  # noqa: PLC0415 - needs an extra
    except ModuleNotFoundError as error:
        raise OptionError(str(error)) from error
    who = {} if table.user is None else {"user": table.user}

    def make(given: Mapping[str, str]) -> Probe:
        client = {**who, **given}
        return NatsProbe(table.servers, jetstream=table.jetstream, bucket=table.bucket, client=client, **options)

    return _Secretive(make, secrets)


def _sql(declared: DeclaredProbe, _secrets: Secrets, options: dict[str, Any]) -> Probe:
    table = declared.table
    assert isinstance(table, SqlProbeTable)  # by the table of makers
    if table.path is not None:
        return SqlProbe.sqlite(declared.path(table.path), **options)
    assert declared.function is not None  # the reader wants one of the two
    return SqlProbe(declared.function, statement=table.statement, **options)


def _function(declared: DeclaredProbe, _secrets: Secrets, options: dict[str, Any]) -> Probe:
    assert declared.function is not None  # the reader found it
    return FunctionProbe(declared.function, **options)


def _disk(declared: DeclaredProbe, _secrets: Secrets, options: dict[str, Any]) -> Probe:
    table = declared.table
    assert isinstance(table, DiskProbeTable)  # by the table of makers
    return DiskProbe(declared.path(table.folder), free_bytes_min=table.free_bytes_min, write=table.write, **options)


def _memory(declared: DeclaredProbe, _secrets: Secrets, _options: dict[str, Any]) -> Probe:
    table = declared.table
    assert isinstance(table, MemoryProbeTable)  # by the table of makers
    return MemoryProbe(available_bytes_min=table.available_bytes_min)


_MAKERS: Mapping[type[Section], Callable[[DeclaredProbe, Secrets, dict[str, Any]], Probe]] = {
    HttpProbeTable: _http,
    TcpProbeTable: _tcp,
    UnixSocketProbeTable: _unix_socket,
    RedisProbeTable: _redis,
    NatsProbeTable: _nats,
    SqlProbeTable: _sql,
    FunctionProbeTable: _function,
    DiskProbeTable: _disk,
    MemoryProbeTable: _memory,
}
