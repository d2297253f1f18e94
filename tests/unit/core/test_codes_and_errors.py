"""The closed enumeration and its table; the error tree: facts, text, JSON, pickling, copying."""

import copy
import json
import pickle

import pytest

from switchgear.core import errors
from switchgear.core.codes import FACTS, Code, ExitCode
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
)
from switchgear.core.operations import OPERATIONS, operations_with

EVERY_ERROR: list[SwitchgearError] = [
    SwitchgearError("text"),
    CircuitOpen("text", policy="breaker", dependency="api", state="open", retry_after=1.5),
    RateLimited(code=Code.RATE_LIMITED_TENANT, retry_after=None, decision="reject"),
    QueueFull(code=Code.BULKHEAD_FULL),
    Overloaded(),
    Invalid("wrong"),
    Conflict(code=Code.IDEMPOTENCY_CONFLICT),
    Denied(code=Code.NOT_FOUND),
    DestructiveBlocked("held", dependency="redis", state="unknown", retry_after=2.0, operation="sweep", done=3),
    Rejected(code=Code.KILL_SWITCH_ACTIVE),
    DeadlineExceeded("late", sent=True, operation="kv.get", dependency="api"),
    RetryExhausted("gone", attempts=3, history=("one", "two"), dependency="api"),
    InDoubt(),
    NotApplied("no"),
    StoreError(code=Code.STORE_IN_USE),
    OptionError("write that"),
]


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_its_row(code: Code) -> None:
    """The table is complete and its rows make sense."""
    facts = FACTS[code]
    assert code == code.name
    assert facts.meaning.endswith(".")
    assert facts.advice.endswith(".")
    assert facts.decision in ("reject", "defer")
    assert 400 <= facts.http_status <= 599
    assert facts.exit_code is not ExitCode.OK


def test_the_table_holds_nothing_else() -> None:
    """No row without a code."""
    assert set(FACTS) == set(Code)


def test_the_list_above_holds_every_error() -> None:
    """A new error class has to join these tests."""
    known = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SwitchgearError)}
    assert known == {type(error) for error in EVERY_ERROR}


def same(first: SwitchgearError, second: SwitchgearError) -> bool:
    """Return whether two errors carry the same."""
    return (type(first), first.to_dict(), str(first)) == (type(second), second.to_dict(), str(second))


@pytest.mark.parametrize("error", EVERY_ERROR, ids=lambda error: type(error).__name__)
def test_every_error_survives_pickling_copying_and_json(error: SwitchgearError) -> None:
    """Class, code, facts and cause arrive on the other side."""
    error.__cause__ = ValueError("cause")
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        revived = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 - our own bytes
        assert same(revived, error)
        assert repr(revived.__cause__) == repr(error.__cause__)
    assert same(copy.copy(error), error)
    assert json.loads(json.dumps(error.to_dict()))["code"] == error.code


def test_a_refusal_says_everything_in_a_line() -> None:
    """Code, dependency, state and when to come back."""
    error = CircuitOpen(dependency="api", state="open", retry_after=12.0)
    assert str(error).startswith("CIRCUIT_OPEN [api: open]: ")
    assert str(error).endswith("Retry after 12 s.")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1200.0, " Retry after 1200 s."),
        (45_960.4, " Retry after 45960 s."),
        (999.7, " Retry after 1000 s."),
        (12.345, " Retry after 12.3 s."),
        (0.05, " Retry after 0.05 s."),
        (0.0001, " Retry after 0.0001 s."),
        (0.00001, ""),
        (0.0, ""),
        (0, ""),
        (None, ""),
    ],
)
def test_a_refusal_says_plain_seconds(seconds: float | None, words: str) -> None:
    """Nobody has to read a power of ten, and nobody is told to wait no time; the fact itself is kept as it is."""
    error = CircuitOpen("shut", dependency="api", state="open", retry_after=seconds)
    assert str(error) == f"CIRCUIT_OPEN [api: open]: shut{words}"
    assert error.facts()["retry_after"] == seconds


def test_every_error_names_its_place() -> None:
    """Deadlines and exhausted retries say whose they are, as refusals do."""
    late = DeadlineExceeded("late", sent=True, operation="kv.get", dependency="api")
    assert str(late) == "DEADLINE_EXCEEDED [api: kv.get]: late"
    assert str(DeadlineExceeded("late", sent=True)) == "DEADLINE_EXCEEDED: late"
    assert str(RetryExhausted("gone", attempts=3, dependency="api")) == "RETRY_EXHAUSTED [api]: gone"


@pytest.mark.parametrize("error", EVERY_ERROR, ids=lambda error: type(error).__name__)
def test_every_error_shows_its_text(error: SwitchgearError) -> None:
    """In a list of gathered results, or a log, an error is more than the name of its class."""
    assert repr(error) == f"{type(error).__name__}({str(error)!r})"


def test_the_tree_is_what_callers_catch() -> None:
    """One parent for all, one for refusals; deadline errors are timeouts, option errors are value errors."""
    assert all(isinstance(error, SwitchgearError) for error in EVERY_ERROR)
    assert issubclass(DeadlineExceeded, TimeoutError)
    assert issubclass(OptionError, ValueError)
    assert not issubclass(DeadlineExceeded, Rejected)


def test_operations_have_codes_of_their_own() -> None:
    """Each built-in operation names its breach; seconds can be overridden, nonsense cannot."""
    assert {operation.code for operation in OPERATIONS.values()} == {
        code for code in Code if code.startswith("TIMEOUT_")
    }
    assert operations_with({"kv.get": 2})["kv.get"].seconds == 2.0
    for wrong in ({"kv.gte": 1.0}, {"kv.get": 0.0}, {"kv.get": float("nan")}):
        with pytest.raises(OptionError):
            operations_with(wrong)
