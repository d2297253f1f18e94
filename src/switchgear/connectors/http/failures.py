"""Errors of the client library → what is known of the action: one table, a test for each row.

A row says the most that may have happened. Whether a byte of the request really left is watched on the connection;
when none did, nothing was applied, whatever the error is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import httpx2

from switchgear.connectors.values import brief_error
from switchgear.core.codes import Code
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Refused, Result, Uncertain


@dataclass(frozen=True, slots=True)
class Row:
    """What an error says: whether something may have left, the code, what it says about the dependency."""

    may_have_left: bool
    code: Code
    verdict: Verdict = Verdict.FAILURE
    retryable: bool = True


_BROKEN = Row(may_have_left=True, code=Code.DEPENDENCY_FAILED)
_NOT_CONNECTED = Row(may_have_left=False, code=Code.DEPENDENCY_FAILED)

FAILURES: Mapping[type[Exception], Row] = {
    httpx2.ConnectTimeout: Row(may_have_left=False, code=Code.TIMEOUT_HTTP_CONNECT),
    httpx2.ConnectError: _NOT_CONNECTED,
    httpx2.PoolTimeout: Row(may_have_left=False, code=Code.BULKHEAD_FULL, verdict=Verdict.IGNORED),
    httpx2.UnsupportedProtocol: Row(
        may_have_left=False, code=Code.EGRESS_DENIED, verdict=Verdict.IGNORED, retryable=False
    ),
    httpx2.InvalidURL: Row(may_have_left=False, code=Code.INVALID_ARGUMENT, verdict=Verdict.IGNORED, retryable=False),
    httpx2.ProxyError: _NOT_CONNECTED,
    httpx2.ReadTimeout: _BROKEN,
    httpx2.WriteTimeout: _BROKEN,
    httpx2.ReadError: _BROKEN,
    httpx2.WriteError: _BROKEN,
    httpx2.CloseError: _BROKEN,
    httpx2.RemoteProtocolError: _BROKEN,
    httpx2.LocalProtocolError: _BROKEN,
    httpx2.DecodingError: _BROKEN,
}
"""Error → row. Any other error of the library is read as `_BROKEN`."""


def failure_of(error: Exception, *, left: bool) -> Result:
    """Return what `error` says. `left` is whether a byte of the request may have left."""
    row = next((FAILURES[kind] for kind in type(error).__mro__ if kind in FAILURES), _BROKEN)
    message = brief_error(error)
    if row.may_have_left and left:
        return Uncertain(row.code, message, row.verdict)
    return Refused(row.code, message, row.retryable, row.verdict)


def late(*, left: bool, connecting: bool) -> Result:
    """Return what is known when the deadline passed: `left` as above, `connecting` whether it was on its way there."""
    if left:
        return Uncertain(Code.TIMEOUT_INTENT_EXECUTE, "no answer in time")
    verdict = Verdict.FAILURE if connecting else Verdict.IGNORED
    message = "its deadline passed before anything left"
    return Refused(Code.DEADLINE_EXCEEDED, message, retryable=True, verdict=verdict)
