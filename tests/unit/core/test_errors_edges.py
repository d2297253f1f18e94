"""Errors at their edges: what each fact is called, which text is made of what, and what is refused."""

from typing import Any

import pytest

from switchgear.core.codes import FACTS, Code
from switchgear.core.errors import (
    CircuitOpen,
    Conflict,
    DeadlineExceeded,
    Denied,
    DestructiveBlocked,
    InDoubt,
    Invalid,
    NotApplied,
    OptionError,
    Overloaded,
    QueueFull,
    RateLimited,
    Rejected,
    RetryExhausted,
    StoreError,
    SwitchgearError,
    mark_unsent,
    may_have_left,
)


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (SwitchgearError("no"), {"code": "INTERNAL", "message": "INTERNAL: no"}),
        (
            Rejected("no", policy="account", dependency="api", state="open", retry_after=2.0, decision="reject"),
            {
                "code": "INTERNAL",
                "message": "INTERNAL [api: open]: no Retry after 2 s.",
                "policy": "account",
                "dependency": "api",
                "state": "open",
                "retry_after": 2.0,
                "decision": "reject",
            },
        ),
        (
            DestructiveBlocked("no", dependency="redis", state="unknown", operation="sweep", done=3),
            {
                "code": "DESTRUCTIVE_BLOCKED",
                "message": "DESTRUCTIVE_BLOCKED [redis: unknown]: no",
                "policy": "destructive",
                "dependency": "redis",
                "state": "unknown",
                "retry_after": None,
                "decision": "defer",
                "operation": "sweep",
                "done": 3,
            },
        ),
        (
            DeadlineExceeded("no", sent=False, operation="kv.get", dependency="api"),
            {
                "code": "DEADLINE_EXCEEDED",
                "message": "DEADLINE_EXCEEDED [api: kv.get]: no",
                "sent": False,
                "operation": "kv.get",
                "dependency": "api",
            },
        ),
        (
            RetryExhausted("no", attempts=2, history=("a", "b"), dependency="api"),
            {
                "code": "RETRY_EXHAUSTED",
                "message": "RETRY_EXHAUSTED [api]: no",
                "attempts": 2,
                "history": ["a", "b"],
                "dependency": "api",
            },
        ),
        (
            NotApplied("no", retryable=True, retry_after=1.0),
            {"code": "TOOL_FAILED", "message": "TOOL_FAILED: no", "retryable": True, "retry_after": 1.0},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_dictionary_of_an_error_has_these_names(error: SwitchgearError, facts: dict[str, Any]) -> None:
    """REST, MCP and the command line show exactly these keys."""
    assert error.to_dict() == facts


def test_what_is_not_said_has_a_plain_default() -> None:
    """Facts that nobody gave are empty; the message is then the meaning of the code."""
    refused = Rejected()
    assert (refused.policy, refused.dependency, refused.state, refused.retry_after) == ("", "", "", None)
    assert (refused.message, refused.decision) == ("", FACTS[Code.INTERNAL].decision)
    late = DeadlineExceeded(sent=True)
    assert (late.message, late.operation, late.dependency) == ("", "", "")
    spent = RetryExhausted(attempts=1)
    assert (spent.message, spent.history, spent.dependency) == ("", (), "")
    kept = NotApplied()
    assert (kept.message, kept.retryable, kept.retry_after) == ("", False, None)
    assert SwitchgearError().message == ""
    for error in (refused, late, spent, kept, SwitchgearError()):
        assert str(error) == f"{error.code}: {FACTS[error.code].meaning}"


def test_a_code_that_is_given_takes_the_place_of_the_usual_one() -> None:
    """Each class takes a code; the decision follows it unless it is given as well."""
    assert SwitchgearError(code=Code.IN_DOUBT).code is Code.IN_DOUBT
    assert DeadlineExceeded(code=Code.TIMEOUT_KV_GET, sent=True).code is Code.TIMEOUT_KV_GET
    assert RetryExhausted(code=Code.RETRY_BUDGET_EMPTY, attempts=1).code is Code.RETRY_BUDGET_EMPTY
    assert NotApplied(code=Code.NOT_FOUND).code is Code.NOT_FOUND
    refused = Rejected(code=Code.RATE_LIMITED_TENANT)
    assert (refused.code, refused.decision) == (Code.RATE_LIMITED_TENANT, "defer")
    assert Rejected(code=Code.RATE_LIMITED_TENANT, decision="reject").decision == "reject"


def test_each_class_has_its_usual_code() -> None:
    """Catching by class and reading the code agree."""
    usual: dict[type[SwitchgearError], Code] = {
        SwitchgearError: Code.INTERNAL,
        CircuitOpen: Code.CIRCUIT_OPEN,
        RateLimited: Code.RATE_LIMITED_CONNECTOR,
        QueueFull: Code.QUEUE_FULL,
        Overloaded: Code.SHED_OVERLOAD,
        Invalid: Code.INVALID_ARGUMENT,
        Conflict: Code.ILLEGAL_TRANSITION,
        Denied: Code.PERMISSION_DENIED,
        DestructiveBlocked: Code.DESTRUCTIVE_BLOCKED,
        DeadlineExceeded: Code.DEADLINE_EXCEEDED,
        RetryExhausted: Code.RETRY_EXHAUSTED,
        InDoubt: Code.IN_DOUBT,
        NotApplied: Code.TOOL_FAILED,
        StoreError: Code.LEDGER_UNAVAILABLE,
        OptionError: Code.INVALID_CONFIGURATION,
    }
    assert {kind: kind.code for kind in usual} == usual


def test_an_open_breaker_needs_only_what_differs() -> None:
    """A driver in a hurry makes the refusal without its constructor: the rest stands on the class, and is the same."""
    quick = CircuitOpen.__new__(CircuitOpen)
    quick.dependency, quick.retry_after = "api", 3.0
    made = CircuitOpen(policy="breaker", dependency="api", state="open", retry_after=3.0)
    assert quick.to_dict() == made.to_dict()
    assert not vars(quick)


@pytest.mark.parametrize("given", ["soon", b"1", [1]])
def test_not_applied_takes_seconds_only(given: Any) -> None:  # noqa: ANN401 - any value at all
    """A header's text is refused where it is written, not where it would be waited for."""
    with pytest.raises(OptionError) as refused:
        NotApplied(retry_after=given)
    assert refused.value.message == f"NotApplied(retry_after=) is seconds as a number, not {given!r}"
    assert NotApplied(retry_after=2).retry_after == 2
    assert NotApplied(retry_after=0.5).retry_after == 0.5


def test_an_error_may_have_left_unless_it_says_otherwise() -> None:
    """Only an error that says so, by mark or by fact, is known to have sent nothing."""
    plain = OSError("gone")
    assert may_have_left(plain) is True
    mark_unsent(plain)
    assert may_have_left(plain) is False
    assert may_have_left(DeadlineExceeded(sent=True)) is True
    assert may_have_left(DeadlineExceeded(sent=False)) is False
