"""Calls for the tests of connectors."""

from __future__ import annotations

from collections.abc import Mapping

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.deadline import Deadline
from switchgear.execution.contract import Call


def call_of(
    tool: str = "tool",
    *,
    seconds: float = 5.0,
    clock: Clock = SYSTEM_CLOCK,
    tenant: str = "acme",
    key: str = "key-1",
    arguments: Mapping[str, object] | None = None,
    **named: object,
) -> Call:
    """Return a call, with arguments in one or the other way, that has `seconds` left on `clock`."""
    deadline = Deadline(clock.monotonic() + seconds, clock)
    return Call(
        "int_1", tool, tenant, "main", "service:test", {**(arguments or {}), **named}, key, 1, deadline, "trace-1"
    )
