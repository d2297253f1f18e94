"""A Python function as a tool: what it returns or raises decides what is known of the action."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import msgspec
import pytest

from switchgear.connectors.bounds import TOO_LATE
from switchgear.connectors.function import FunctionConnector
from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.deadline import CURRENT, Deadline
from switchgear.core.errors import (
    CircuitOpen,
    DeadlineExceeded,
    InDoubt,
    Invalid,
    NotApplied,
    OptionError,
    RetryExhausted,
)
from switchgear.core.outcome import Verdict
from switchgear.execution.attempt import VALUE_BYTES_MAX, Attempts, Ended, TakenOver
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Uncertain
from switchgear.execution.watched import WATCHED, Watched
from tests.turns import turns
from tests.unit.connectors.calling import call_of

FAILURE, IGNORED, SUCCESS = Verdict.FAILURE, Verdict.IGNORED, Verdict.SUCCESS


@pytest.fixture
async def connector() -> AsyncIterator[FunctionConnector]:
    """Return a connector with two threads that is closed afterwards."""
    made = FunctionConnector(threads_max=2, waiting_max=1)
    yield made
    await made.close()


def _raising(error: BaseException, *, blocking: bool) -> Callable[..., Any]:
    async def in_loop(call: object) -> None:
        """Fail."""
        raise error

    def in_thread(call: object) -> None:
        """Fail."""
        raise error

    return in_thread if blocking else in_loop


class _Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


ROWS: list[tuple[BaseException, Result]] = [
    (
        NotApplied("no such contact"),
        Refused(Code.TOOL_FAILED, "no such contact", retryable=False, verdict=SUCCESS),
    ),
    (
        NotApplied("token revoked", code=Code.TENANT_UNAUTHENTICATED),
        Refused(Code.TENANT_UNAUTHENTICATED, "token revoked", retryable=False, verdict=SUCCESS, of_tenant=True),
    ),
    (
        NotApplied("busy", retryable=True, retry_after=2.0),
        Refused(Code.TOOL_FAILED, "busy", retryable=True, verdict=FAILURE, retry_after=2.0),
    ),
    (
        CircuitOpen("open", retry_after=3.0),
        Refused(Code.CIRCUIT_OPEN, "open", retryable=True, verdict=IGNORED, retry_after=3.0),
    ),
    (Invalid("wrong"), Refused(Code.INVALID_ARGUMENT, "wrong", retryable=False, verdict=IGNORED)),
    (
        DeadlineExceeded("late", sent=False),
        Refused(Code.DEADLINE_EXCEEDED, "late", retryable=True, verdict=IGNORED),
    ),
    (DeadlineExceeded("late", sent=True), Uncertain(Code.DEADLINE_EXCEEDED, "late")),
    (InDoubt("who knows"), Uncertain(Code.IN_DOUBT, "who knows")),
    (
        ConnectionRefusedError("nobody there"),
        Refused(Code.DEPENDENCY_FAILED, "ConnectionRefusedError: nobody there", retryable=True, verdict=FAILURE),
    ),
    (
        RetryExhausted("thrice", attempts=3),
        Uncertain(Code.DEPENDENCY_FAILED, "RetryExhausted: RETRY_EXHAUSTED: thrice"),
    ),
    (TimeoutError("its own"), Uncertain(Code.DEPENDENCY_FAILED, "TimeoutError: its own")),
    (ConnectionResetError("reset"), Uncertain(Code.DEPENDENCY_FAILED, "ConnectionResetError: reset")),
    (ValueError("a\nb\x00c"), Uncertain(Code.DEPENDENCY_FAILED, "ValueError: a b c")),
    (KeyError(), Uncertain(Code.DEPENDENCY_FAILED, "KeyError")),
    (_Unspeakable(), Uncertain(Code.DEPENDENCY_FAILED, "_Unspeakable")),
    (SystemExit(3), Uncertain(Code.DEPENDENCY_FAILED, "SystemExit: 3")),
]


@pytest.mark.parametrize("blocking", [False, True])
@pytest.mark.parametrize(("error", "expected"), ROWS)
async def test_every_exception_has_one_meaning(
    connector: FunctionConnector, error: BaseException, expected: Result, *, blocking: bool
) -> None:
    """The table of exceptions holds alike for blocking and async functions."""
    connector.register("tool", _raising(error, blocking=blocking))
    assert await connector.execute(call_of()) == expected


async def test_a_function_gets_the_call_and_its_arguments(connector: FunctionConnector) -> None:
    """A function sees tenant, key, deadline and attempt, and its arguments by name."""

    async def function(call: Call, contact: str, amount: int = 1) -> dict[str, Any]:
        return {"seen": [call.tenant, call.idempotency_key, call.attempt, contact, amount]}

    connector.register("tool", function)
    result = await connector.execute(call_of(contact="7"))
    assert result == Succeeded({"seen": ["acme", "key-1", 1, "7", 1]})


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None),
        ((1, 2), [1, 2]),
        ({1: "a"}, {"1": "a"}),
        (2**60, 2**60),
        (float("nan"), {"unrecorded": None}),
        ("\ud800", {"unrecorded": None}),
        (object, {"unrecorded": None}),
    ],
)
async def test_what_happened_is_a_success_whatever_it_returned(
    connector: FunctionConnector, value: object, kept: object
) -> None:
    """A value that does not fit into JSON is replaced by a note; it never turns into doubt."""
    connector.register("tool", lambda call: value)
    result = await connector.execute(call_of())
    assert isinstance(result, Succeeded)
    if kept == {"unrecorded": None}:
        assert list(result.value) == ["unrecorded"]
        assert "does not fit into JSON" in result.value["unrecorded"]
    else:
        assert result.value == kept


@pytest.mark.parametrize("blocking", [False, True])
@pytest.mark.parametrize(("more", "kept"), [(0, True), (1, False)])
async def test_a_value_that_the_ledger_has_no_room_for_is_noted(
    connector: FunctionConnector, more: int, *, blocking: bool, kept: bool
) -> None:
    """A value is kept up to its limit, counted as it is written; a larger one happened all the same."""
    escaped = (VALUE_BYTES_MAX - 2) // 6  # a control character takes six bytes as JSON
    value = "\x01" * escaped + "x" * ((VALUE_BYTES_MAX - 2) % 6 + more)

    async def in_loop(call: Call) -> str:
        return value

    connector.register("tool", (lambda call: value) if blocking else in_loop)
    note = {"unrecorded": f"the value takes {VALUE_BYTES_MAX + 1} bytes as JSON, and {VALUE_BYTES_MAX} is the most"}
    assert await connector.execute(call_of()) == Succeeded(value if kept else note)


@pytest.mark.parametrize(
    ("error", "characters"),
    [(NotApplied("x" * 9_000), 2_000), (InDoubt("x" * 9_000), 2_000), (ValueError(" " * 9_000 + "x" * 9_000), 300)],
)
async def test_a_tool_s_own_words_have_more_room(
    connector: FunctionConnector, error: Exception, characters: int
) -> None:
    """What a function says itself has more room than a foreign error's text, and neither is endless."""
    connector.register("tool", _raising(error, blocking=False))
    result = await connector.execute(call_of())
    assert isinstance(result, Refused | Uncertain)
    assert len(result.message) <= characters
    assert result.message.endswith("…")


@pytest.mark.parametrize("arguments", [{}, {"contact": "7", "more": 1}, {"call": 1, "contact": "7"}])
async def test_arguments_that_do_not_bind_are_refused_for_good(
    connector: FunctionConnector, arguments: dict[str, Any]
) -> None:
    """A call that cannot be made is refused before the function runs."""
    connector.register("tool", lambda call, contact: pytest.fail("it ran"))
    result = await connector.execute(call_of(arguments=arguments))
    assert isinstance(result, Refused)
    assert (result.code, result.retryable, result.verdict) == (Code.INVALID_ARGUMENT, False, IGNORED)


async def test_an_unregistered_tool_is_refused(connector: FunctionConnector) -> None:
    """A connector without the function says so instead of failing."""
    result = await connector.execute(call_of("unknown"))
    assert isinstance(result, Refused)
    assert result.code is Code.TOOL_UNREGISTERED


def test_a_name_is_given_once() -> None:
    """Two functions cannot share a tool's name."""
    connector = FunctionConnector()
    connector.register("tool", lambda call: None)
    with pytest.raises(OptionError, match="has a function already"):
        connector.register("tool", lambda call: None)


async def test_an_async_function_is_ended_at_its_deadline(connector: FunctionConnector) -> None:
    """A function that waits too long is cancelled and leaves the action uncertain."""
    clock, cancelled = VirtualClock(), asyncio.Event()

    async def function(call: object) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    connector.register("tool", function)
    running = asyncio.create_task(connector.execute(call_of(seconds=2.0, clock=clock)))
    await clock.elapse(1.9)
    assert not running.done()
    await clock.elapse(0.2)
    assert await running == Uncertain(Code.TIMEOUT_INTENT_EXECUTE, "the function did not end in its time")
    assert cancelled.is_set()


@pytest.mark.parametrize("blocking", [False, True])
async def test_an_attempt_ends_the_same_whoever_sets_the_timer(connector: FunctionConnector, *, blocking: bool) -> None:
    """A connector that leaves its deadline to the engine's watch tells of it what it would tell of its own."""
    clock, begun, release = VirtualClock(), threading.Event(), threading.Event()

    def in_thread(call: object) -> None:
        begun.set()
        release.wait(60.0)

    async def in_loop(call: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    connector.register("tool", in_thread if blocking else in_loop)
    attempts, call = Attempts(clock), call_of(seconds=2.0, clock=clock)
    taken_over = list[Ended]()
    running = asyncio.create_task(attempts.run(connector, call, taken_over.append))
    await turns()
    assert await asyncio.to_thread(begun.wait, 60.0)
    await clock.elapse(2.1)
    with pytest.raises(TakenOver):
        await running
    release.set()
    message = "the function did not end in its time" + " and still runs" * blocking
    assert taken_over == [Ended(Uncertain(Code.TIMEOUT_INTENT_EXECUTE, message))]
    assert (attempts.counts.timed_out, attempts.counts.abandoned) == (1, 0)


async def test_a_function_that_is_watched_ends_with_its_watcher_alone(connector: FunctionConnector) -> None:
    """It sets no timer, and a cancellation is only its deadline when that has come."""
    clock = VirtualClock()
    connector.register("tool", _waiting_for(asyncio.Event()))
    call = call_of(seconds=2.0, clock=clock)

    async def watched() -> Result:
        WATCHED.set(Watched(asyncio.current_task(), call.deadline))
        return await connector.execute(call)

    early, late = (asyncio.create_task(watched()) for _ in range(2))
    await turns()
    early.cancel()
    await clock.elapse(3.0)
    assert early.cancelled()
    assert not late.done()
    late.cancel()
    assert await late == Uncertain(Code.TIMEOUT_INTENT_EXECUTE, "the function did not end in its time")


async def test_what_nobody_watches_ends_at_its_deadline_by_itself(connector: FunctionConnector) -> None:
    """Behind a shield, or with a nearer deadline than the attempt's, an engine cancels somebody else, or later."""
    clock, cut = VirtualClock(), list[str]()

    async def waits(_call: Call) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cut.append("cut")

    connector.register("tool", waits)
    nearer = Deadline(clock.monotonic() + 1.0, clock)

    class Wrapping:
        """Passes a call on to the functions in another task, then with less time."""

        async def execute(self, call: Call) -> Result:
            """Do one of the two."""
            if call.attempt > 1:
                return await connector.execute(msgspec.structs.replace(call, deadline=nearer))
            return await asyncio.shield(connector.execute(call))

        async def close(self) -> None:
            """Hold nothing."""

    attempts, call, taken_over = Attempts(clock), call_of(seconds=2.0, clock=clock), list[Ended]()
    later = msgspec.structs.replace(call, attempt=2)
    shielded, hasty = (asyncio.create_task(attempts.run(Wrapping(), one, taken_over.append)) for one in (call, later))
    await clock.elapse(1.5)
    assert hasty.done()
    assert cut == ["cut"]
    await clock.elapse(1.0)
    assert isinstance(shielded.exception(), TakenOver)
    assert len(taken_over) == 1
    assert cut == ["cut", "cut"]


@pytest.mark.parametrize("blocking", [False, True])
async def test_a_function_does_not_begin_after_its_deadline(connector: FunctionConnector, *, blocking: bool) -> None:
    """A call whose time is up runs nothing."""
    clock = VirtualClock()
    connector.register("tool", _raising(AssertionError("it ran"), blocking=blocking))
    assert await connector.execute(call_of(seconds=0.0, clock=clock)) == TOO_LATE


async def test_the_caller_s_cancellation_passes(connector: FunctionConnector) -> None:
    """Cancelling an attempt before its deadline is cancellation, not a result."""
    connector.register("tool", _waiting_for(asyncio.Event()))
    running = asyncio.create_task(connector.execute(call_of()))
    await turns()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_cancellation_from_inside_is_doubt(connector: FunctionConnector) -> None:
    """A function that raises CancelledError by itself does not cancel the kernel."""
    connector.register("tool", _raising(asyncio.CancelledError(), blocking=False))
    assert isinstance(await connector.execute(call_of()), Uncertain)


async def test_a_cancellation_at_the_deadline_still_gives_a_result(connector: FunctionConnector) -> None:
    """When the kernel cancels at the same deadline, the more exact word of the connector is kept."""
    clock = VirtualClock()
    connector.register("tool", _waiting_for(asyncio.Event()))
    call = call_of(seconds=1.0, clock=clock)
    running = asyncio.create_task(connector.execute(call))
    clock.call_at(call.deadline.expires_at, running.cancel)
    await clock.elapse(1.0)
    assert isinstance(await running, Uncertain)


async def test_a_blocking_function_that_is_late_is_abandoned_and_counted(connector: FunctionConnector) -> None:
    """A thread cannot be stopped: the attempt is uncertain, its place stays taken until it ends."""
    clock, begun, release = VirtualClock(), threading.Semaphore(0), threading.Event()

    def function(call: object) -> None:
        begun.release()
        release.wait(30)

    connector.register("tool", function)
    first = asyncio.create_task(connector.execute(call_of(seconds=1.0, clock=clock)))
    second = asyncio.create_task(connector.execute(call_of(seconds=1.0, clock=clock)))
    third = asyncio.create_task(connector.execute(call_of(seconds=1.0, clock=clock)))
    for _ in ("both", "threads"):  # one that has not begun is refused, since nothing of it has left
        assert await asyncio.to_thread(begun.acquire, timeout=30)
    fourth = await connector.execute(call_of(seconds=1.0, clock=clock))
    await clock.elapse(1.0)
    try:
        results = await asyncio.gather(first, second, third)
        assert [type(result) for result in results] == [Uncertain, Uncertain, Refused]
        assert isinstance(results[2], Refused)
        assert results[2].code is Code.DEADLINE_EXCEEDED
        assert connector.abandoned == 2
        assert isinstance(fourth, Refused)
        assert fourth.code is Code.BULKHEAD_FULL
    finally:
        release.set()


async def test_a_place_comes_back_when_the_function_ends(connector: FunctionConnector) -> None:
    """More calls than threads are served one after the other."""
    connector.register("tool", lambda call: threading.current_thread().name)
    for _ in range(10):
        assert isinstance(await connector.execute(call_of()), Succeeded)


async def test_threads_see_the_context_of_the_call(connector: FunctionConnector) -> None:
    """The deadline in force is visible inside a blocking function."""
    connector.register("tool", lambda call: CURRENT.get() is call.deadline)
    call = call_of()
    token = CURRENT.set(call.deadline)
    try:
        assert await connector.execute(call) == Succeeded(value=True)
    finally:
        CURRENT.reset(token)


async def test_a_blocking_function_that_returns_an_awaitable_is_told_to_be_async(
    connector: FunctionConnector,
) -> None:
    """A forgotten ``async`` is doubt with a hint, and no coroutine is left behind."""
    inner = _waiting_for(asyncio.Event())

    def forgotten(call: object) -> object:
        return inner(call)

    connector.register("tool", forgotten)
    result = await connector.execute(call_of())
    assert isinstance(result, Uncertain)
    assert "async def" in result.message


async def test_messages_are_bounded(connector: FunctionConnector) -> None:
    """A foreign error text cannot fill the ledger."""
    connector.register("tool", _raising(ValueError("x" * 10_000), blocking=False))
    result = await connector.execute(call_of())
    assert isinstance(result, Uncertain)
    assert len(result.message) == 300


def _waiting_for(event: asyncio.Event) -> Callable[..., Any]:
    async def function(call: object) -> None:
        await event.wait()

    return function


def _lazy(_call: object) -> Iterator[int]:
    """Do nothing until somebody asks for the first item."""
    yield 1


async def _lazy_in_loop(_call: object) -> AsyncIterator[int]:
    """Do nothing until somebody asks for the first item."""
    yield 1


class _LazyObject:
    def __call__(self, _call: object) -> Iterator[int]:
        """Do nothing until somebody asks for the first item."""
        yield 1


@pytest.mark.parametrize(
    "function",
    [_lazy, _lazy_in_loop, functools.partial(_lazy), _LazyObject()],
    ids=["function", "in the loop", "partial", "object"],
)
def test_a_function_that_yields_is_no_tool(connector: FunctionConnector, function: Callable[..., Any]) -> None:
    """To call it does nothing, and that would be on record as a success."""
    with pytest.raises(OptionError, match="yields"):
        connector.register("crm.lazy", function)


async def _work(_call: object) -> None:
    """Do it, if anybody waits."""


async def _hands_on(call: object) -> object:
    """Forget to await."""
    return _work(call)


def _hands_on_items(call: object) -> object:
    """Forget to take the items."""
    return _lazy(call)


def _hands_on_later_items(call: object) -> object:
    """Forget them as well."""
    return _lazy_in_loop(call)


@pytest.mark.parametrize("function", [_hands_on, _hands_on_items, _hands_on_later_items])
async def test_work_that_is_still_to_be_done_is_no_success(
    connector: FunctionConnector, function: Callable[..., Any]
) -> None:
    """What came back is known to nobody to have happened."""
    connector.register("crm.hands_on", function)
    result = await connector.execute(call_of("crm.hands_on"))
    assert isinstance(result, Uncertain)
    assert "TypeError" in result.message
