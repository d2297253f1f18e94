"""Makes one call into one request. Every argument has a place, or the call is refused: nothing is dropped.

Only a lookup, which gets the arguments of the action that it looks up, leaves out what it has no place for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from switchgear.connectors.credentials import Credentials, HeaderValue, PerTenant, Reference, is_header_value
from switchgear.connectors.http.specification import ABOUT, HttpConnection, HttpOperation
from switchgear.connectors.http.template import scalar_text
from switchgear.core.canonical import canonical_json
from switchgear.core.errors import Invalid, OptionError
from switchgear.execution.contract import Call
from switchgear.execution.family import LOOKUP


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request ready to leave. `secrets` must not show up in anything that is recorded."""

    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    content: bytes | None
    secrets: tuple[str, ...] = field(repr=False)


def prepare(connection: HttpConnection, operation: HttpOperation, call: Call, credentials: Credentials) -> Prepared:
    """Return the request of `call`: the same call makes the same bytes every time.

    Raises `Invalid` for arguments that have no place or do not fit theirs, and `OptionError` for a credential that
    cannot be read.
    """
    given = _given(operation, call)
    rest = {name: value for name, value in given.items() if name not in operation.template.names}
    path = operation.template.fill(given)
    query = _query(operation, rest)
    content = _content(operation, rest)
    if rest:
        raise Invalid(f"no place in the request for the argument {min(rest)!r}", policy="arguments")
    secrets: list[str] = []
    headers = _headers(connection, operation, call, credentials, secrets)
    if content is not None:
        headers.setdefault("content-type", "application/json")
    return Prepared(operation.method, connection.url(operation, path) + query, headers, content, tuple(secrets))


def _given(operation: HttpOperation, call: Call) -> Mapping[str, object]:
    """Return the arguments of `call`, and as ``about`` the key of the action that it looks up or undoes.

    A lookup gets the arguments of that action, and uses those that it has a place for.
    """
    if call.about is None:
        return call.arguments
    given = {ABOUT: call.about, **call.arguments} if operation.names(ABOUT) else dict(call.arguments)
    if call.purpose != LOOKUP:
        return given
    return {name: value for name, value in given.items() if operation.uses(name)}


def _query(operation: HttpOperation, rest: dict[str, object]) -> str:
    """Take the query's arguments out of `rest` and return them, with their question mark."""
    names = operation.query
    if names is None:
        names = tuple(rest) if operation.body == "none" else ()
    pairs = [pair for name in sorted(names) for pair in _pairs(name, rest.pop(name, None))]
    return f"?{'&'.join(pairs)}" if pairs else ""


def _pairs(name: str, value: object) -> list[str]:
    """Return ``name=value``, once for each item of a list; None is left out."""
    items = value if isinstance(value, (list, tuple)) else (value,)
    texts = [scalar_text(name, item) for item in items if item is not None]
    return [f"{quote(name, safe='')}={quote(text, safe='')}" for text in texts]


def _content(operation: HttpOperation, rest: dict[str, object]) -> bytes | None:
    """Take the body's arguments out of `rest` and return them as canonical JSON."""
    if operation.body == "none":
        return None
    names = tuple(rest) if not isinstance(operation.body, tuple) else operation.body
    return canonical_json({name: rest.pop(name) for name in names if name in rest})


def _headers(
    connection: HttpConnection,
    operation: HttpOperation,
    call: Call,
    credentials: Credentials,
    secrets: list[str],
) -> dict[str, str]:
    headers = {"accept": "application/json, */*;q=0.1"}
    for declared in (connection.headers, operation.headers):
        headers |= {name.lower(): _value(name, v, call, credentials, secrets) for name, v in declared.items()}
    if operation.idempotency_header is not None:
        if not call.idempotency_key or not is_header_value(call.idempotency_key):
            raise Invalid("the idempotency key must be visible ASCII to be sent in a header", policy="idempotency")
        headers[operation.idempotency_header.lower()] = call.idempotency_key
    return headers


def _value(name: str, value: HeaderValue, call: Call, credentials: Credentials, secrets: list[str]) -> str:
    if isinstance(value, PerTenant):
        value = _of_tenant(name, value.tenants, call.tenant)
    if not isinstance(value, Reference):
        return value
    secret = credentials.read(value)
    secrets.append(secret)
    return value.prefix + secret


def _of_tenant(name: str, tenants: Mapping[str, str | Reference], tenant: str) -> str | Reference:
    if tenant not in tenants:
        raise OptionError(f"header {name!r} has no value for this tenant; add it under tenants")
    return tenants[tenant]
