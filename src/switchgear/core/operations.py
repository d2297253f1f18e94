"""The central table of timeouts: built-in operation, default seconds, code of a breach.

A user's own operation is not listed here; it fails as `DEADLINE_EXCEEDED` and carries its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from switchgear.core.codes import Code
from switchgear.core.errors import OptionError


@dataclass(frozen=True, slots=True)
class Operation:
    """A built-in operation. `seconds` bounds one try of it, above 0; `code` names its breach."""

    name: str
    seconds: float
    code: Code


OPERATIONS: Mapping[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation("nats.connect", 10.0, Code.TIMEOUT_NATS_CONNECT),
        Operation("kv.get", 5.0, Code.TIMEOUT_KV_GET),
        Operation("kv.put", 5.0, Code.TIMEOUT_KV_PUT),
        Operation("stream.ensure", 10.0, Code.TIMEOUT_STREAM_ENSURE),
        Operation("publish", 5.0, Code.TIMEOUT_PUBLISH),
        Operation("subscribe", 10.0, Code.TIMEOUT_SUBSCRIBE),
        Operation("request", 5.0, Code.TIMEOUT_REQUEST),
        Operation("consume", 10.0, Code.TIMEOUT_CONSUME),
        Operation("unix.connect", 5.0, Code.TIMEOUT_UNIX_CONNECT),
        Operation("unix.request", 30.0, Code.TIMEOUT_UNIX_REQUEST),
        Operation("mcp.request", 30.0, Code.TIMEOUT_MCP_REQUEST),
        Operation("intent.execute", 30.0, Code.TIMEOUT_INTENT_EXECUTE),
        Operation("revert", 30.0, Code.TIMEOUT_REVERT),
        Operation("http.connect", 5.0, Code.TIMEOUT_HTTP_CONNECT),
        Operation("journal.append", 10.0, Code.TIMEOUT_JOURNAL_APPEND),
        Operation("journal.read", 10.0, Code.TIMEOUT_JOURNAL_READ),
    )
}


def operations_with(overrides: Mapping[str, float]) -> dict[str, Operation]:
    """Return the table with seconds replaced by `overrides`.

    Raises `OptionError` for an unknown operation or seconds that are not above 0.
    """
    table = dict(OPERATIONS)
    for name, seconds in overrides.items():
        if name not in table:
            raise OptionError(f"unknown operation {name!r}; known are {', '.join(sorted(table))}")
        if not 0 < seconds < float("inf"):
            raise OptionError(f"operation {name!r} needs seconds above 0, not {seconds!r}")
        table[name] = Operation(name, float(seconds), table[name].code)
    return table
