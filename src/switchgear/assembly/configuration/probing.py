"""Reads how a declared dependency is probed: one table a kind. The probes themselves are made elsewhere, when needed.

Secrets come by reference, as in headers of connectors. Paths and modules count from the folder of the file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from switchgear.assembly.configuration.checking import checked, right_part
from switchgear.assembly.configuration.headers import headers_of
from switchgear.assembly.configuration.problems import Part, Problems, shown
from switchgear.assembly.configuration.sections import Section
from switchgear.connectors.credentials import HeaderValue, PerTenant, Reference
from switchgear.connectors.signatures import load
from switchgear.core.errors import OptionError

_MIB = 1_048_576
_BY_REFERENCE = 'write { env = "NAME" } or { file = "path" }'
_SECRET: dict[str, Any] = {"write": 'password = { env = "NAME" }'}


class HttpProbeTable(Section):
    """One `GET`. Redirects are not followed."""

    url: str = Field(json_schema_extra={"write": 'url = "http://127.0.0.1:8080/healthz"'})
    """What is asked for. It holds no credentials."""
    statuses: list[int] = Field(default=[], json_schema_extra={"write": "statuses = [200, 204]"})
    """The right statuses. By default 200 to 299."""
    headers: dict[str, Any] = Field(default={}, json_schema_extra={"write": 'headers = { Accept = "text/plain" }'})
    """Sent with it, as at a connector; not one for each tenant."""
    unix_socket: str | None = Field(None, min_length=1)
    """The path of a socket to connect to, in place of the host in `url`."""


class TcpProbeTable(Section):
    """One connection, and what is said on it."""

    host: str = Field(min_length=1, json_schema_extra={"write": 'host = "127.0.0.1"'})
    """The host to connect to."""
    port: int = Field(ge=1, le=65_535, json_schema_extra={"write": "port = 6379"})
    """The port to connect to."""
    expects: str | Literal[False] = Field(json_schema_extra={"write": 'expects = "+PONG", or false'})
    """How the answer begins. `false`: a connection is enough, which a process that hangs still gives."""
    send: str = ""
    """What to send first; `\\r\\n` ends a line of most protocols."""


class UnixSocketProbeTable(Section):
    """One line of JSON to an API socket, answered by a line of JSON."""

    path: str = Field(min_length=1, json_schema_extra={"write": 'path = "/run/daemon.sock"'})
    """The socket."""
    request: dict[str, Any] = Field(json_schema_extra={"write": 'request = { do = "status" }'})
    """A request that only reads."""


class RedisProbeTable(Section):
    """PING, and a key of the probe's own that is written, read back, and ends by itself."""

    url: str = Field(min_length=1, json_schema_extra={"write": 'url = "redis://127.0.0.1:6379/0"'})
    """The server: `redis://`, `rediss://` or `unix://`. It holds no password."""
    username: str | None = Field(None, min_length=1)
    """Who asks. By default the server's default user."""
    password: object = Field(None, json_schema_extra=_SECRET)
    """`{ env = "NAME" }` or `{ file = "path" }`."""
    namespace: str = Field("switchgear:probe", min_length=1)
    """How the probe's key begins."""


class NatsProbeTable(Section):
    """A connection, a round trip, and JetStream."""

    servers: list[str] = Field(min_length=1, json_schema_extra={"write": 'servers = ["nats://127.0.0.1:4222"]'})
    """Addresses without credentials."""
    jetstream: bool = True
    """Whether JetStream has to answer too."""
    bucket: str | None = Field(None, min_length=1)
    """A key-value bucket made for probes, in which a key is written and read back."""
    user: str | None = Field(None, min_length=1)
    """Who asks."""
    password: object = Field(None, json_schema_extra=_SECRET)
    """`{ env = "NAME" }` or `{ file = "path" }`."""
    token: object = Field(None, json_schema_extra={"write": 'token = { env = "NAME" }'})
    """The same, for servers that want a token."""


class SqlProbeTable(Section):
    """One statement that reads. Either `path` or `connect` is given."""

    path: str | None = Field(None, min_length=1, json_schema_extra={"write": 'path = "orders.db"'})
    """A SQLite file, which is only read."""
    connect: str | None = Field(None, json_schema_extra={"write": 'connect = "module:function"'})
    """`"module:function"`, which returns a new connection of a driver of the Python database API."""
    statement: str = Field("SELECT 1", min_length=1)
    """What is asked through `connect`. It begins with SELECT or VALUES and changes nothing."""


class FunctionProbeTable(Section):
    """A Python function. Any kind may be probed by one."""

    function: str = Field(json_schema_extra={"write": 'function = "module:function"'})
    """`"module:function"`, called without arguments. True, or a text, is a yes; anything else is a no."""


class DiskProbeTable(Section):
    """What is free, and a small write that reaches the disk."""

    folder: str = Field(min_length=1, json_schema_extra={"write": 'folder = "/var/lib/orders"'})
    """A folder on it."""
    free_bytes_min: int = Field(256 * _MIB, ge=1)
    """Bytes that have to be free."""
    write: bool = True
    """Whether 4 KiB are written to a file without a name, and read back."""


class MemoryProbeTable(Section):
    """What is left to this process."""

    available_bytes_min: int = Field(256 * _MIB, ge=1)
    """Bytes that have to be left."""


PROBES: Mapping[str, type[Section]] = {
    "http": HttpProbeTable,
    "tcp": TcpProbeTable,
    "unix_socket": UnixSocketProbeTable,
    "redis": RedisProbeTable,
    "nats": NatsProbeTable,
    "sql": SqlProbeTable,
    "function": FunctionProbeTable,
    "disk": DiskProbeTable,
    "memory": MemoryProbeTable,
}
"""The table of each kind of dependency."""


@dataclass(frozen=True, slots=True)
class DeclaredProbe:
    """How a dependency is probed: its checked table, the function it names, and its secrets by key or header.

    `folder` is what paths count from.
    """

    table: Section
    folder: Path
    function: Callable[..., Any] | None = None
    secrets: Mapping[str, str | Reference] = field(default_factory=dict, repr=False)

    def path(self, name: str) -> Path:
        """Return a path of the table."""
        return self.folder / name


def probe_of(kind: str, raw: object, folder: Path, key: Sequence[Part], problems: Problems) -> DeclaredProbe | None:
    """Return the probe of a dependency, None for ``probe = false``. What is wrong is added to `problems`.

    With problems it is what could be read of it, for a look at the rest, and None when that is too little.
    """
    if raw is False:
        return None
    by_function = isinstance(raw, Mapping) and "function" in raw
    model = FunctionProbeTable if by_function else PROBES[kind]
    if raw is None and any(option.is_required() for option in model.model_fields.values()):
        problems.add(key, "is missing", f"write probe = {{ {_example(model)} }}, or probe = false")
        return None
    given = {} if raw is None else raw
    table = checked(model, given, key, problems) or right_part(model, given)
    if table is None:
        return None
    fits = _fits(table, key, problems)
    function = _function(table, folder, key, problems)
    secrets = _secrets(table, key, problems)
    needs_function = isinstance(table, FunctionProbeTable) or getattr(table, "connect", None) is not None
    return DeclaredProbe(table, folder, function, secrets) if fits and (function or not needs_function) else None


def _example(model: type[Section]) -> str:
    required = (option for option in model.model_fields.values() if option.is_required())
    extras: list[Any] = [option.json_schema_extra for option in required]
    return ", ".join(str(extra["write"]).partition(", or")[0] for extra in extras)


def _fits(table: Section, key: Sequence[Part], problems: Problems) -> bool:
    """Check what the model cannot say: one of two keys, and addresses without credentials."""
    if isinstance(table, SqlProbeTable) and (table.path is None) == (table.connect is None):
        if not problems.told_of(key):
            problems.add(key, "needs either path or connect", 'write path = "orders.db"')
        return False
    addresses = {"url": [getattr(table, "url", "")], "servers": getattr(table, "servers", [])}
    for name, given in addresses.items():
        if any("@" in urlsplit(address).netloc for address in given):
            problems.add((*key, name), "holds credentials", f"take them out, and {_SECRET['write']}")
            return False
    return True


def _function(table: Section, folder: Path, key: Sequence[Part], problems: Problems) -> Callable[..., Any] | None:
    name = "connect" if isinstance(table, SqlProbeTable) else "function"
    path = getattr(table, name, None)
    if path is None:
        return None
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    try:
        return load(path)
    except OptionError as error:
        problems.add((*key, name), error.message)
        return None


def _secrets(table: Section, key: Sequence[Part], problems: Problems) -> dict[str, str | Reference]:
    """Return headers, or password and token. A value for each tenant is none: a probe asks in nobody's name."""
    if isinstance(table, HttpProbeTable):
        found: Mapping[str, HeaderValue] = headers_of(table.headers, (*key, "headers"), problems)
        place: tuple[Part, ...] = (*key, "headers")
    else:
        given = {name: getattr(table, name) for name in ("password", "token") if getattr(table, name, None) is not None}
        for name in [name for name, value in given.items() if isinstance(value, str)]:
            problems.add((*key, name), f"must be a reference, not {shown('…')}", _BY_REFERENCE)
            del given[name]
        found, place = headers_of(given, key, problems), tuple(key)
    for name in (name for name, value in found.items() if isinstance(value, PerTenant)):
        problems.add((*place, name), "is for tenants, and a probe asks in nobody's name", _BY_REFERENCE)
    return {name: value for name, value in found.items() if not isinstance(value, PerTenant)}
