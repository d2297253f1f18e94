"""Reads header values of the file: text, a reference, or one of these for each tenant. Values are never shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from switchgear.assembly.configuration.problems import Part, Problems
from switchgear.connectors.credentials import HeaderValue, PerTenant, Reference

_WRITE = 'write text, { env = "NAME" }, { file = "path" }, or { tenants = { acme = { env = "NAME" } } }'


def headers_of(table: Mapping[str, object], key: Sequence[Part], problems: Problems) -> dict[str, HeaderValue]:
    """Return the headers of one table; what is wrong is added to `problems`."""
    headers: dict[str, HeaderValue] = {}
    for name, raw in table.items():
        value = _value(raw, (*key, name), problems)
        if value is not None:
            headers[name] = value
    return headers


def _value(raw: object, key: Sequence[Part], problems: Problems) -> HeaderValue | None:
    if isinstance(raw, Mapping) and set(raw) == {"tenants"} and isinstance(raw["tenants"], Mapping):
        found = {
            tenant: _single(value, (*key, "tenants", tenant), problems) for tenant, value in raw["tenants"].items()
        }
        return PerTenant({tenant: value for tenant, value in found.items() if value is not None})
    return _single(raw, key, problems)


def _single(raw: object, key: Sequence[Part], problems: Problems) -> str | Reference | None:
    if isinstance(raw, str):
        return raw
    if isinstance(raw, Mapping) and all(isinstance(value, str) for value in raw.values()):
        kinds = set(raw) - {"prefix"}
        prefix = str(raw.get("prefix", ""))
        if kinds == {"env"} and raw["env"]:
            return Reference("env", str(raw["env"]), prefix)
        if kinds == {"file"} and raw["file"]:
            return Reference("file", str(raw["file"]), prefix)
    problems.add(key, "is no header value", _WRITE)
    return None
