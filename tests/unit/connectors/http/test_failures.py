"""Each error of the client library is translated by one table; every row of it is here."""

from __future__ import annotations

import httpx2
import pytest

from switchgear.connectors.http.failures import FAILURES, failure_of, late
from switchgear.core.codes import Code
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Refused, Uncertain

FAILURE, IGNORED = Verdict.FAILURE, Verdict.IGNORED

NOTHING_LEFT = {
    httpx2.ConnectTimeout: (Code.TIMEOUT_HTTP_CONNECT, True, FAILURE),
    httpx2.ConnectError: (Code.DEPENDENCY_FAILED, True, FAILURE),
    httpx2.PoolTimeout: (Code.BULKHEAD_FULL, True, IGNORED),
    httpx2.UnsupportedProtocol: (Code.EGRESS_DENIED, False, IGNORED),
    httpx2.InvalidURL: (Code.INVALID_ARGUMENT, False, IGNORED),
    httpx2.ProxyError: (Code.DEPENDENCY_FAILED, True, FAILURE),
}
MAY_HAVE_LEFT = (
    httpx2.ReadTimeout,
    httpx2.WriteTimeout,
    httpx2.ReadError,
    httpx2.WriteError,
    httpx2.CloseError,
    httpx2.RemoteProtocolError,
    httpx2.LocalProtocolError,
    httpx2.DecodingError,
)


def test_the_table_is_covered_here() -> None:
    """A new row needs a new test."""
    assert set(FAILURES) == {*NOTHING_LEFT, *MAY_HAVE_LEFT}


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("kind", NOTHING_LEFT)
def test_errors_before_sending_are_refusals(kind: type[Exception], *, left: bool) -> None:
    """What never connected was not applied."""
    result = failure_of(kind("text"), left=left)
    assert isinstance(result, Refused)
    assert (result.code, result.retryable, result.verdict) == NOTHING_LEFT[kind]
    assert result.message == f"{kind.__name__}: text"


@pytest.mark.parametrize("kind", MAY_HAVE_LEFT)
def test_errors_after_sending_are_doubt(kind: type[Exception]) -> None:
    """Once a byte may have left, an error leaves doubt."""
    result = failure_of(kind("text"), left=True)
    assert result == Uncertain(Code.DEPENDENCY_FAILED, f"{kind.__name__}: text", FAILURE)


@pytest.mark.parametrize("kind", MAY_HAVE_LEFT)
def test_the_same_errors_before_a_byte_left_are_refusals(kind: type[Exception]) -> None:
    """A connection that broke before the request was written applied nothing."""
    result = failure_of(kind("text"), left=False)
    assert isinstance(result, Refused)
    assert (result.retryable, result.verdict) == (True, FAILURE)


def test_an_unlisted_error_is_doubt() -> None:
    """What the table does not know may have happened."""
    assert isinstance(failure_of(httpx2.TooManyRedirects("text"), left=True), Uncertain)


@pytest.mark.parametrize(
    ("left", "connecting", "expected"),
    [
        (True, True, (Uncertain, Code.TIMEOUT_INTENT_EXECUTE, FAILURE)),
        (False, True, (Refused, Code.DEADLINE_EXCEEDED, FAILURE)),
        (False, False, (Refused, Code.DEADLINE_EXCEEDED, IGNORED)),
    ],
)
def test_a_deadline_says_how_far_it_came(expected: tuple[object, ...], *, left: bool, connecting: bool) -> None:
    """Late after sending is doubt; late on the way is a failure of the dependency; late before is neither."""
    result = late(left=left, connecting=connecting)
    assert not hasattr(result, "value")
    assert (type(result), result.code, result.verdict) == expected
