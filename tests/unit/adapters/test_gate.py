"""The gate: what each kind of row makes the guard learn, and what the caller gets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from switchgear.adapters.gate import (
    FAILED,
    NOT_SENT,
    UNREACHED,
    UNSAID,
    VIEWS_MAX,
    WORKS,
    Gate,
    Row,
    bounded,
    missing,
    row_in,
)
from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import CircuitOpen, DeadlineExceeded, OptionError, RateLimited, RetryExhausted
from switchgear.core.operations import OPERATIONS
from switchgear.guard.guard import Guard
from switchgear.policies.breaker import Breaker
from switchgear.policies.rate_limit import RateLimit
from switchgear.policies.retry import Retry
from tests.turns import turns


class Trouble(Exception):
    """An error of some client."""


def raising(error: Exception, calls: list[int] | None = None) -> Callable[[], None]:
    """Return a function that raises `error` and counts."""

    def function() -> None:
        if calls is not None:
            calls.append(1)
        raise error

    return function


def raising_async(error: Exception) -> Callable[[], Awaitable[None]]:
    """Return an async function that raises `error`."""

    async def function() -> None:
        raise error

    return function


def made(gate: Gate, trouble: Trouble, kind: str) -> None:
    """Make a call that raises, of one kind."""
    if kind == "blocking":
        gate.call(raising(trouble), effect=Effect.READ_ONLY, operation="look")
    else:
        asyncio.run(gate.call_async(raising_async(trouble), effect=Effect.READ_ONLY, operation="look"))


ROWS = [
    (WORKS, (1, 0, 0), 1),
    (FAILED, (0, 1, 0), 1),
    (UNREACHED, (0, 1, 0), 2),
    (UNSAID, (0, 0, 1), 1),
    (NOT_SENT, (0, 0, 0), 2),
]


@pytest.mark.parametrize(("row", "counts", "left"), ROWS)
@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_each_row_is_what_the_guard_learns(row: Row, counts: tuple[int, int, int], left: int, kind: str) -> None:
    """The caller gets the client's very error; the guard gets the verdict; only what never left is refunded."""
    clock = VirtualClock()
    guard = Guard("remote", breaker=Breaker(failures=5), rate_limit=RateLimit(2, per=1000.0, burst=2), clock=clock)
    gate = Gate(guard, lambda _: row)
    trouble = Trouble("no")
    with pytest.raises(Trouble) as caught:
        made(gate, trouble, kind)
    statistics = guard.statistics()
    assert caught.value is trouble
    assert (statistics.successes, statistics.failures, statistics.ignored) == counts
    for _ in range(left):
        gate.call(lambda: None, effect=Effect.READ_ONLY, operation="look")
    with pytest.raises(RateLimited):
        gate.call(lambda: None, effect=Effect.READ_ONLY, operation="look")


@pytest.mark.parametrize("effect", list(Effect))
def test_only_what_may_run_twice_is_repeated(effect: Effect) -> None:
    """Reads, keyed and natural calls are retried as the guard says; opaque and reconcilable ones are made once."""
    repeats = effect in (Effect.READ_ONLY, Effect.KEYED, Effect.NATURAL)
    guard = Guard("remote", retry=Retry(attempts=3, on=Trouble, base=0.0), clock=VirtualClock())
    calls: list[int] = []
    with pytest.raises(RetryExhausted if repeats else Trouble):
        Gate(guard, lambda _: FAILED).call(raising(Trouble(), calls), effect=effect, operation="work")
    assert len(calls) == (3 if repeats else 1)


@pytest.mark.parametrize("row", [WORKS, UNSAID, NOT_SENT])
def test_an_answer_is_never_retried(row: Row) -> None:
    """An error that is an answer would be the same the second time."""
    guard = Guard("remote", retry=Retry(attempts=3, on=Exception, base=0.0), clock=VirtualClock())
    calls: list[int] = []
    with pytest.raises(Trouble):
        Gate(guard, lambda _: row).call(raising(Trouble(), calls), effect=Effect.READ_ONLY, operation="look")
    assert len(calls) == 1


def test_an_option_that_cannot_work_blames_nobody() -> None:
    """Whoever found the mistake, it is the caller's."""
    guard = Guard("remote", breaker=Breaker(failures=1))
    with pytest.raises(OptionError):
        Gate(guard, lambda _: FAILED).call(raising(OptionError("no")), effect=Effect.READ_ONLY, operation="look")
    assert guard.state == "closed"


def test_views_are_kept_up_to_a_bound() -> None:
    """Endless names of operations fill nothing, and every call is still made."""
    gate = Gate(Guard("remote"), lambda _: FAILED)
    for number in range(VIEWS_MAX + 10):
        assert gate.call(lambda: "done", effect=Effect.OPAQUE, operation=f"operation {number}") == "done"
    assert len(gate._views) == VIEWS_MAX  # noqa: SLF001 - the bound is what is tested


def test_errors_outside_calls_open_the_breaker_and_an_open_one_is_felt() -> None:
    """A connection lost while waiting counts; then nothing may be connected anew, and nothing is charged."""
    guard = Guard("remote", breaker=Breaker(failures=2), clock=VirtualClock())
    gate = Gate(guard, lambda error: FAILED if isinstance(error, Trouble) else WORKS)
    gate.require_passing()
    gate.report(ValueError())
    gate.report(Trouble())
    gate.report(Trouble())
    gate.report(Trouble())
    with pytest.raises(CircuitOpen):
        gate.require_passing()
    assert guard.statistics().failures == 2


def test_the_nearest_class_decides() -> None:
    """A row for a parent covers its children, unless they have a row; nothing known is a failure."""
    rows = {OSError: FAILED, ConnectionError: UNREACHED, ValueError: WORKS}
    assert row_in(rows, ConnectionRefusedError()) is UNREACHED
    assert row_in(rows, TimeoutError()) is FAILED
    assert row_in(rows, UnicodeError()) is WORKS
    assert row_in(rows, KeyError()) is FAILED


async def test_an_operation_has_its_seconds_and_its_code() -> None:
    """A breach says which operation, and that something may have left."""
    clock = VirtualClock()
    never = asyncio.Event()
    waiting = asyncio.ensure_future(bounded(OPERATIONS["kv.get"], never.wait(), clock=clock, dependency="nats"))
    await clock.elapse(4.9)
    assert not waiting.done()
    await clock.elapse(0.2)
    with pytest.raises(DeadlineExceeded) as caught:
        await waiting
    assert (caught.value.code, caught.value.operation, caught.value.sent) == (Code.TIMEOUT_KV_GET, "kv.get", True)


async def test_cancellation_and_own_timeouts_pass_an_operation_unchanged() -> None:
    """Only our own bound becomes a code."""
    clock = VirtualClock()

    async def own() -> None:
        raise TimeoutError("of the work")

    with pytest.raises(TimeoutError, match="of the work") as caught:
        await bounded(OPERATIONS["kv.get"], own(), clock=clock, dependency="nats")
    assert not isinstance(caught.value, DeadlineExceeded)
    waiting = asyncio.ensure_future(
        bounded(OPERATIONS["kv.get"], asyncio.Event().wait(), clock=clock, dependency="nats")
    )
    await turns()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_a_missing_client_is_named_with_what_to_install() -> None:
    """The message has the command; an error about something else is not touched."""
    error = missing(ModuleNotFoundError("No module named 'redis'", name="redis.backoff"), "redis", "redis")
    assert str(error) == "this adapter needs 'redis'; install it with: pip install \"switchgear[redis]\""
    other = ModuleNotFoundError("No module named 'ssl'", name="ssl")
    assert missing(other, "redis", "redis") is other
