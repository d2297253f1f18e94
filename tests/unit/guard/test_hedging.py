"""Hedging in a guard: copies of calls declared safe, of which the first answer counts and no trace is left."""

import asyncio
import gc
import weakref
from contextlib import suppress
from typing import Any

import pytest

from switchgear import (
    Breaker,
    Bulkhead,
    CircuitOpen,
    Code,
    DeadlineExceeded,
    Guard,
    Hedge,
    RateLimit,
    Retry,
    RetryBudget,
    RetryExhausted,
    Timeout,
)
from switchgear.core.errors import OptionError
from switchgear.guard import Event
from switchgear.testing import VirtualClock
from tests.turns import turns


class Copies:
    """A dependency whose calls end when the test says so."""

    def __init__(self) -> None:
        """Start without calls."""
        self.ends: list[asyncio.Future[str]] = []
        self.cancelled = 0

    async def call(self) -> str:
        """Wait for the end that the test gives."""
        self.ends.append(asyncio.get_running_loop().create_future())
        try:
            return await self.ends[-1]
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


def hedged(clock: VirtualClock, **policies: Any) -> Guard:
    """Return a guard for reads that sends another copy after a second."""
    given: dict[str, Any] = {"hedge": Hedge(after=1.0), "effect": "read_only", **policies}
    return Guard("api", clock=clock, **given)


async def settled() -> None:
    """Let every task run to where it waits, and see that none is left but this one."""
    await turns(5)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def check_balance(guard: Guard, **counts: int) -> None:
    """Assert that nothing is held, that the books balance, and what they say."""
    statistics = guard.statistics()
    assert (statistics.in_flight, statistics.waiting) == (0, 0)
    assert statistics.calls == statistics.successes + statistics.failures + statistics.ignored
    assert {name: getattr(statistics, name) for name in counts} == counts


# -- Which calls -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", [None, "opaque", "reconcilable"])
def test_a_hedge_needs_calls_that_were_declared_safe(effect: str | None) -> None:
    """A guard that hedges is refused at birth unless a second call was declared to do no harm."""
    with pytest.raises(OptionError, match="effect="):
        Guard("api", hedge=Hedge(after=1.0), effect=effect)


@pytest.mark.parametrize(("effect", "copies"), [("read_only", 2), ("keyed", 2), ("natural", 2)])
async def test_a_copy_is_sent_when_the_first_takes_long(effect: str, copies: int) -> None:
    """The second copy of a safe call sets out exactly when it is due."""
    clock, upstream = VirtualClock(), Copies()
    task = asyncio.create_task(hedged(clock).using(effect=effect).call(upstream.call))
    await clock.elapse(0.99)
    assert len(upstream.ends) == 1
    await clock.elapse(0.01)
    assert len(upstream.ends) == copies
    upstream.ends[0].set_result("answer")
    assert await task == "answer"
    await settled()


@pytest.mark.parametrize("effect", ["opaque", "reconcilable"])
async def test_a_call_that_is_not_safe_is_never_hedged(effect: str) -> None:
    """A call with terms that forbid it is made once, however long it takes."""
    clock, upstream = VirtualClock(), Copies()
    guard = hedged(clock)
    task = asyncio.create_task(guard.using(effect=effect).call(upstream.call))
    await clock.elapse(100.0)
    assert len(upstream.ends) == 1
    upstream.ends[0].set_result("answer")
    assert await task == "answer"
    check_balance(guard, calls=1, hedges=0)


# -- Who wins ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("winner", [0, 1])
async def test_the_first_answer_counts_and_the_loser_is_ignored(winner: int) -> None:
    """The other copy is cancelled, says nothing about the dependency, and leaves no place, timer or task behind."""
    clock, upstream = VirtualClock(), Copies()
    guard = hedged(clock, timeout=Timeout(30.0), bulkhead=Bulkhead(2), breaker=Breaker(failures=1))
    task = asyncio.create_task(guard.call(upstream.call))
    await clock.elapse(1.0)
    upstream.ends[winner].set_result(f"copy {winner}")
    assert await task == f"copy {winner}"
    await settled()
    check_balance(guard, calls=2, successes=1, ignored=1, hedges=1, failures=0)
    assert (upstream.cancelled, guard.state) == (1, "closed")


async def test_two_answers_at_once_are_one_answer() -> None:
    """When both copies answer in the same turn, the caller gets one answer, and both count as successes."""
    clock, upstream = VirtualClock(), Copies()
    guard = hedged(clock)
    task = asyncio.create_task(guard.call(upstream.call))
    await clock.elapse(1.0)
    for end in upstream.ends:
        end.set_result("answer")
    assert await task == "answer"
    await settled()
    check_balance(guard, calls=2, successes=2, ignored=0)


async def test_a_loser_holds_its_place_until_it_has_really_ended() -> None:
    """A copy that takes its time to end is told once, is not waited for, and gives its place back at its end."""
    clock, tidy = VirtualClock(), asyncio.Event()
    guard = hedged(clock, bulkhead=Bulkhead(2))
    sent: list[int] = []

    async def call() -> int:
        sent.append(len(sent))
        if len(sent) == 2:
            return 2
        try:
            await asyncio.Event().wait()
        finally:
            await tidy.wait()
        return 1

    task = asyncio.create_task(guard.call(call))
    await clock.elapse(1.0)
    assert await task == 2
    assert guard.statistics().in_flight == 1
    gc.collect()
    tidy.set()
    await settled()
    check_balance(guard, ignored=1, successes=1)


async def test_attempts_bounds_the_copies() -> None:
    """Three copies set out a second after one another, and never a fourth."""
    clock, upstream = VirtualClock(), Copies()
    guard = hedged(clock, hedge=Hedge(after=1.0, attempts=3))
    task = asyncio.create_task(guard.call(upstream.call))
    seen = []
    for _ in range(5):
        await clock.elapse(1.0)
        seen.append(len(upstream.ends))
    assert seen == [2, 3, 3, 3, 3]
    upstream.ends[2].set_result("third")
    assert await task == "third"
    await settled()
    check_balance(guard, hedges=2, ignored=2)


# -- Copies that fail --------------------------------------------------------------------------------------------


async def test_a_failure_waits_for_the_copies_under_way() -> None:
    """One copy that fails is no failure of the call while another may still answer."""
    clock, upstream = VirtualClock(), Copies()
    guard = hedged(clock)
    task = asyncio.create_task(guard.call(upstream.call))
    await clock.elapse(1.0)
    upstream.ends[0].set_exception(ConnectionError("first"))
    await clock.elapse(0.0)
    assert not task.done()
    upstream.ends[1].set_result("second")
    assert await task == "second"
    check_balance(guard, failures=1, successes=1)


async def test_the_first_error_counts_when_every_copy_fails() -> None:
    """The caller gets the very error that came first, unchanged."""
    clock, upstream = VirtualClock(), Copies()
    guard = hedged(clock)
    task = asyncio.create_task(guard.call(upstream.call))
    await clock.elapse(1.0)
    first = ValueError("first")
    upstream.ends[1].set_exception(first)
    await clock.elapse(0.0)
    upstream.ends[0].set_exception(ConnectionError("second"))
    with pytest.raises(ValueError, match="first") as caught:
        await task
    assert caught.value is first
    check_balance(guard, failures=2)


async def test_an_early_failure_does_not_send_the_next_copy() -> None:
    """Hedging is for calls that take long: without `on` a failure before the copy is due ends the call."""
    clock = VirtualClock()
    guard = hedged(clock)
    with pytest.raises(ConnectionError):
        await guard.call(_failing)
    check_balance(guard, calls=1, hedges=0)


async def _failing() -> None:
    raise ConnectionError("down")


async def test_on_sends_the_next_copy_at_once() -> None:
    """An error that `on` names starts the next copy without any wait, as far as `attempts` allows."""
    clock = VirtualClock()
    guard = hedged(clock, hedge=Hedge(after=1.0, attempts=3, on=ConnectionError))
    with pytest.raises(ConnectionError):
        await guard.call(_failing)
    check_balance(guard, calls=3, failures=3, hedges=2)
    assert clock.monotonic() == 1_000.0


async def test_a_cancelled_error_of_the_call_itself_passes() -> None:
    """A call that ends itself as cancelled is no answer and no failure: the error passes, the other copy ends."""
    clock, upstream = VirtualClock(), Copies()
    guard = hedged(clock, breaker=Breaker(failures=1))
    task = asyncio.create_task(guard.call(upstream.call))
    await clock.elapse(1.0)
    upstream.ends[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settled()
    check_balance(guard, ignored=2)
    assert guard.state == "closed"


# -- Admission and budget ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policies", "code"),
    [
        ({"bulkhead": Bulkhead(1)}, Code.BULKHEAD_FULL),
        ({"rate_limit": RateLimit(1, per=100.0)}, Code.RATE_LIMITED_CONNECTOR),
    ],
)
@pytest.mark.parametrize("fails", [False, True])
async def test_each_copy_passes_admission(policies: dict[str, Any], code: Code, fails: bool) -> None:  # noqa: FBT001 - a column
    """A copy that is refused changes nothing for the one under way: its answer, or its error, is the call's."""
    clock, upstream = VirtualClock(), Copies()
    guard = hedged(clock, **policies)
    task = asyncio.create_task(guard.call(upstream.call))
    await clock.elapse(1.0)
    assert len(upstream.ends) == 1
    assert sum(guard.statistics().refused.values()) == 1
    if fails:
        upstream.ends[0].set_exception(ConnectionError("down"))
        with pytest.raises(ConnectionError):
            await task
    else:
        upstream.ends[0].set_result("answer")
        assert await task == "answer"
    check_balance(guard, calls=1)
    assert guard.statistics().refused == {code: 1}


async def test_a_refused_first_copy_is_a_refusal_of_the_call() -> None:
    """When no copy has left, the refusal itself is the answer, with its facts."""
    clock = VirtualClock()
    guard = hedged(clock, breaker=Breaker(mode="forced_open"))
    with pytest.raises(Exception, match="forced open") as caught:
        await guard.call(_failing)
    assert getattr(caught.value, "code", None) is Code.CIRCUIT_OPEN
    check_balance(guard, calls=0, hedges=0)


async def test_a_copy_in_the_queue_that_lost_leaves_the_queue() -> None:
    """A copy that still waits for a place when the answer comes stands in the queue no longer."""
    clock, upstream = VirtualClock(), Copies()
    guard = hedged(clock, bulkhead=Bulkhead(1, queue=4))
    task = asyncio.create_task(guard.call(upstream.call))
    await clock.elapse(1.0)
    assert guard.statistics().waiting == 1
    upstream.ends[0].set_result("answer")
    assert await task == "answer"
    await settled()
    check_balance(guard)
    guard.permit_nowait().succeed()


@pytest.mark.parametrize("probes", [1, 3])
async def test_a_thousand_hedged_calls_in_half_open_admit_only_the_probes(probes: int) -> None:
    """Half-open: of 1,000 hedged calls from tasks, and 1,000 permits from 8 threads, only the probes get through."""
    clock, upstream = VirtualClock(), Copies()
    guard = hedged(
        clock, breaker=Breaker(failures=1, cooldown=10.0, jitter=0.0, probes=probes), hedge=Hedge(after=0.1, attempts=3)
    )
    guard.permit_nowait().fail()
    clock.advance(10.0)
    tasks = [asyncio.create_task(guard.call(upstream.call)) for _ in range(1_000)]
    await clock.elapse(0.0)

    admitted = await asyncio.gather(*(asyncio.to_thread(_asked, guard) for _ in range(8)))
    await clock.elapse(1.0)
    assert (len(upstream.ends), sum(admitted)) == (probes, 0)
    for end in upstream.ends:
        end.set_result("answer")
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(end, CircuitOpen) for end in ends) == 1_000 - probes
    await settled()
    check_balance(guard)
    assert guard.state == "closed"


def _asked(guard: Guard) -> int:
    """Return how many of 125 permits were given."""
    given = 0
    for _ in range(125):
        with suppress(CircuitOpen):
            guard.permit_nowait()
            given += 1
    return given


async def test_copies_draw_on_the_retry_budget() -> None:
    """With an empty budget there are no more copies; the call itself goes on."""
    clock, upstream = VirtualClock(), Copies()
    budget = RetryBudget(ratio=0.0, floor=0.1, window=10.0)
    guard = hedged(clock, retry=Retry(on=OSError, budget=budget))
    for copies in (2, 3):
        task = asyncio.create_task(guard.call(upstream.call))
        await clock.elapse(1.5)
        assert len(upstream.ends) == copies
        upstream.ends[-1].set_result("answer")
        assert await task == "answer"
    check_balance(guard, hedges=1)


async def test_retry_stands_round_the_copies() -> None:
    """Only when every copy has failed is there another attempt, after the back-off, and it is hedged again."""
    clock, upstream = VirtualClock(), Copies()
    retry = Retry(attempts=2, on=OSError, backoff="constant", base=5.0, budget=None)
    guard = hedged(clock, retry=retry)
    task = asyncio.create_task(guard.call(upstream.call))
    for sent in (2, 4):
        await clock.elapse(1.0)
        assert len(upstream.ends) == sent
        for end in upstream.ends[-2:]:
            end.set_exception(ConnectionError("down"))
        await clock.elapse(5.0)
    with pytest.raises(RetryExhausted) as caught:
        await task
    assert (caught.value.attempts, len(caught.value.history)) == (2, 2)
    check_balance(guard, calls=4, hedges=2, retries=1)


# -- Time and cancellation ---------------------------------------------------------------------------------------


async def test_the_callers_cancellation_ends_every_copy() -> None:
    """Whoever loses interest leaves nothing running, and nothing that speaks against the dependency."""
    clock, upstream = VirtualClock(), Copies()
    guard = hedged(clock, breaker=Breaker(failures=1), timeout=Timeout(60.0))
    task = asyncio.create_task(guard.call(upstream.call))
    await clock.elapse(1.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settled()
    assert upstream.cancelled == 2
    check_balance(guard, ignored=2, failures=0)


async def test_the_timeout_bounds_each_copy_for_itself() -> None:
    """A copy sent later has the whole `Timeout` before it."""
    clock, upstream = VirtualClock(), Copies()
    guard = hedged(clock, timeout=Timeout(2.0))
    task = asyncio.create_task(guard.call(upstream.call))
    await clock.elapse(2.0)
    assert (upstream.cancelled, task.done()) == (1, False)
    await clock.elapse(0.5)
    upstream.ends[1].set_result("answer")
    assert await task == "answer"
    check_balance(guard, timeouts=1, failures=1, successes=1)


async def test_the_deadline_bounds_all_copies_together() -> None:
    """At the deadline every copy ends as ignored, and the caller is told that something had left."""
    clock, upstream = VirtualClock(), Copies()
    guard = hedged(clock, deadline=1.5)
    task = asyncio.create_task(guard.call(upstream.call))
    await clock.elapse(1.5)
    with pytest.raises(DeadlineExceeded) as caught:
        await task
    assert caught.value.sent
    await settled()
    check_balance(guard, ignored=2, hedges=1)


async def test_no_copy_sets_out_at_the_deadline() -> None:
    """What cannot end in time does not begin: a copy that is due at the deadline stays at home."""
    clock, upstream = VirtualClock(), Copies()
    guard = hedged(clock, deadline=1.0)
    task = asyncio.create_task(guard.call(upstream.call))
    await clock.elapse(1.0)
    with pytest.raises(DeadlineExceeded):
        await task
    check_balance(guard, hedges=0, calls=1)


async def test_a_copy_that_waited_does_not_hide_that_another_had_left() -> None:
    """When one copy stood in the queue at the deadline and another had left, the error says that something left."""
    clock, upstream = VirtualClock(), Copies()
    guard = hedged(clock, deadline=3.0, bulkhead=Bulkhead(1, queue=2))
    task = asyncio.create_task(guard.call(upstream.call))
    await clock.elapse(1.0)
    await clock.elapse(2.0)
    with pytest.raises(DeadlineExceeded) as caught:
        await task
    assert caught.value.sent
    await settled()
    check_balance(guard)


async def test_a_percentile_has_to_be_learned_first() -> None:
    """Nothing is hedged before `minimum_calls` are known; then a copy is due when calls use to have ended."""
    clock, upstream = VirtualClock(), Copies()
    guard = hedged(clock, hedge=Hedge(percentile=0.9, minimum_calls=5))
    for _ in range(5):
        task = asyncio.create_task(guard.call(upstream.call))
        await clock.elapse(2.0)
        upstream.ends[-1].set_result("answer")
        await task
    assert len(upstream.ends) == 5
    task = asyncio.create_task(guard.call(upstream.call))
    await clock.elapse(1.8)
    assert len(upstream.ends) == 6
    await clock.elapse(0.4)
    assert len(upstream.ends) == 7
    upstream.ends[5].set_result("answer")
    await task
    check_balance(guard, hedges=1)


async def test_listeners_hear_of_copies_even_when_one_raises() -> None:
    """Each copy but the first is an event, and a listener that raises does not reach the call."""
    clock, upstream = VirtualClock(), Copies()
    guard = hedged(clock)
    heard: list[Event] = []

    def broken(_event: Event) -> None:
        raise RuntimeError("listener")

    guard.subscribe(broken)
    guard.subscribe(heard.append)
    task = asyncio.create_task(guard.call(upstream.call))
    clock.jump_wall(-3600.0)
    await clock.elapse(1.0)
    upstream.ends[1].set_result("answer")
    assert await task == "answer"
    assert [(event.kind, event.monotonic) for event in heard] == [("hedged", 1_001.0)]
    assert guard.statistics().listener_errors == 1


async def test_an_error_dies_with_its_last_reference() -> None:
    """The error of a race is kept alive by nothing but who holds it."""
    guard = hedged(VirtualClock(), hedge=Hedge(after=1.0, on=ConnectionError))
    errors: list[weakref.ref[BaseException]] = []

    class Down(ConnectionError):
        """An error that can be referred to weakly."""

    async def call() -> None:
        error = Down()
        errors.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    gc.disable()
    try:
        with suppress(ConnectionError):
            await guard.call(call)
        await settled()
        assert [error() for error in errors] == [None, None]
    finally:
        gc.enable()
