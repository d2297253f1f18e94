"""Trace context of a request (W3C Trace Context): read `traceparent`, or begin a trace."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"(?P<version>[0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?P<more>-.*)?\Z")


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace that a request belongs to, and our own span in it. Ids are lower-case hex."""

    trace_id: str
    span_id: str
    flags: str

    @property
    def header(self) -> str:
        """Return the `traceparent` that names our span."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def trace_of(traceparent: str | None) -> Trace:
    """Continue the trace of `traceparent`; begin a sampled one when it is None or not well formed.

    A malformed header is no error: the specification has it ignored.
    """
    found = _TRACEPARENT.match(traceparent or "")
    if found is None or not _allowed(found):
        drawn = secrets.token_hex(24)
        return Trace(drawn[:32], drawn[32:], "01")
    return Trace(found[2], secrets.token_hex(8), found[4])


def _allowed(found: re.Match[str]) -> bool:
    known = found["version"] != "ff" and not (found["version"] == "00" and found["more"])
    return known and any(digit != "0" for digit in found[2]) and any(digit != "0" for digit in found[3])
