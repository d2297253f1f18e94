"""Errors of the client library → what is known of the action: a test for each row.

What an error says about the dependency, and whether anything may have left, is the adapters' table of this client.
This one adds the code, and whether another attempt may help. A row says the most that may have happened. Whether a
byte of the request really left is watched on the connection; when none did, nothing was applied, whatever the error is
called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import httpx2

from switchgear.adapters.gate import FAILED
from switchgear.adapters.gate import Row as Meaning
from switchgear.adapters.httpx_family import ROWS
from switchgear.connectors.values import brief_error
from switchgear.core.codes import Code
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Refused, Result, Uncertain


@dataclass(frozen=True, slots=True)
class Row:
    """What an error says in the words of the adapters, its code, and whether another attempt may help."""

    says: Meaning
    code: Code = Code.DEPENDENCY_FAILED
    retryable: bool = True


_BROKEN = Row(FAILED)
_SPECIAL: Mapping[str, tuple[Code, bool]] = {  # code, and whether another attempt may help
    "ConnectTimeout": (Code.TIMEOUT_HTTP_CONNECT, True),
    "PoolTimeout": (Code.BULKHEAD_FULL, True),
    "UnsupportedProtocol": (Code.EGRESS_DENIED, False),
    "InvalidURL": (Code.INVALID_ARGUMENT, False),
}

FAILURES: Mapping[type[Exception], Row] = {
    **{getattr(httpx2, name): Row(says, *_SPECIAL.get(name, ())) for name, says in ROWS.items()},
    httpx2.DecodingError: _BROKEN,
}
"""Error → row. Any other error of the library is read as `_BROKEN`."""


def failure_of(error: Exception, *, left: bool) -> Result:
    """Return what `error` says. `left` is whether a byte of the request may have left."""
    row = next((FAILURES[kind] for kind in type(error).__mro__ if kind in FAILURES), _BROKEN)
    message = brief_error(error)
    if row.says.may_have_left and left:
        return Uncertain(row.code, message, row.says.verdict)
    return Refused(row.code, message, row.retryable, row.says.verdict)


def late(*, left: bool, connecting: bool) -> Result:
    """Return what is known when the deadline passed: `left` as above, `connecting` whether it was on its way there."""
    if left:
        return Uncertain(Code.TIMEOUT_INTENT_EXECUTE, "no answer in time")
    verdict = Verdict.FAILURE if connecting else Verdict.IGNORED
    message = "its deadline passed before anything left"
    return Refused(Code.DEADLINE_EXCEEDED, message, retryable=True, verdict=verdict)
