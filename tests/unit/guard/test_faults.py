"""Fault injection in a guard: off unless switched on, innermost, so that every other policy meets a fault as real."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing
from typing import Any

import pytest

from switchgear import Breaker, Bulkhead, DeadlineExceeded, Fault, Faults, Guard, Hedge, Retry, RetryExhausted, Timeout
from switchgear.core.errors import OptionError
from switchgear.testing import VirtualClock
from tests.turns import turns


class Upstream:
    """A healthy dependency that counts its calls."""

    def __init__(self) -> None:
        """Start without calls."""
        self.calls = 0

    def blocking(self) -> str:
        """Answer."""
        self.calls += 1
        return "answer"

    async def asynchronous(self) -> str:
        """Answer in a task."""
        return self.blocking()

    def stream(self) -> Generator[str]:
        """Give the answer as an item."""
        yield self.blocking()

    async def async_stream(self) -> AsyncGenerator[str]:
        """Give the answer as an item, in a task."""
        yield self.blocking()


KINDS = pytest.mark.parametrize("kind", ["blocking", "asynchronous", "stream", "async_stream"])
ERROR = Fault("error", rate=1.0, error=ConnectionError("injected"))


def faulty(*rules: Fault, on: bool = True, clock: VirtualClock | None = None, **policies: Any) -> Guard:
    """Return a guard with faults, switched on or not."""
    guard = Guard("api", faults=Faults(*rules), clock=clock or VirtualClock(), **policies)
    guard.inject_faults(on=on)
    return guard


async def answer_of(guarded: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the call gives
    """Return the answer of a call, or the first item of an iteration."""
    made = guarded()
    if inspect.isgenerator(made):
        items = list(made)
        return items.pop(0)
    if inspect.isasyncgen(made):
        items = [item async for item in made]
        return items.pop(0)
    return await made if inspect.isawaitable(made) else made


# -- The switch --------------------------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("decorated", [False, True])
async def test_nothing_is_injected_until_it_is_switched_on(kind: str, decorated: bool) -> None:  # noqa: FBT001 - a column
    """A guard with faults is an ordinary guard until somebody says so, and again once it is switched off."""
    upstream = Upstream()
    guard = faulty(ERROR, on=False)
    function = getattr(upstream, kind)
    guarded = guard(function) if decorated else lambda: guard.call(function)
    assert await answer_of(guarded) == "answer"
    guard.inject_faults()
    with pytest.raises(ConnectionError, match="injected"):
        await answer_of(guarded)
    guard.inject_faults(on=False)
    assert await answer_of(guarded) == "answer"
    assert (upstream.calls, guard.statistics().failures) == (2, 1)


def test_a_guard_without_faults_cannot_be_switched() -> None:
    """Switching on what is not there is an error, not a silence."""
    with pytest.raises(OptionError, match="faults="):
        Guard("api").inject_faults()


@KINDS
async def test_keyed_members_share_the_switch(kind: str) -> None:
    """Faults are those of the guard and of all its keys, also of a decorated function that finds its key."""
    upstream = Upstream()
    guard = faulty(ERROR)
    guarded = guard.decorate(key_by=lambda: "a")(getattr(upstream, kind))
    with pytest.raises(ConnectionError):
        await answer_of(guarded)
    assert guard.key("a").statistics().failures == 1


# -- Every kind --------------------------------------------------------------------------------------------------


def test_each_injected_error_is_a_new_one() -> None:
    """Calls share no error object, so no traceback grows."""
    guard = faulty(ERROR)
    errors = [guard.outcome(int).error for _ in range(2)]
    assert errors[0] is not errors[1]
    assert [str(error) for error in errors] == ["injected", "injected"]


@KINDS
async def test_latency_comes_before_the_call(kind: str) -> None:
    """The call is made after the wait, and the wait is part of its duration: slow for the breaker."""
    clock, upstream = VirtualClock(), Upstream()
    breaker = Breaker(slow_rate=1.0, slow_after=1.0, minimum_calls=1)
    guard = faulty(Fault("latency", rate=1.0, seconds=2.0), clock=clock, breaker=breaker)
    task = asyncio.ensure_future(answer_of(lambda: guard.call(getattr(upstream, kind))))
    await clock.elapse(1.99)
    assert upstream.calls == (0 if "async" in kind else 1)  # a blocking wait moves the clock by itself
    await clock.elapse(0.01)
    assert await task == "answer"
    assert (guard.state, guard.statistics().slow) == ("open", 1)


@KINDS
@pytest.mark.parametrize("bound", ["timeout", "deadline", "using"])
async def test_a_hang_ends_by_the_timeout_or_deadline(kind: str, bound: str) -> None:
    """A hang never calls, and is ended by whatever bounds the attempt; nothing stays behind."""
    clock, upstream = VirtualClock(), Upstream()
    policies: dict[str, Any] = {"timeout": Timeout(2.0)} if bound != "deadline" else {"deadline": 2.0}
    guard = faulty(Fault("hang", rate=1.0), clock=clock, bulkhead=Bulkhead(1), **policies)
    if bound == "using":
        guard = guard.using(deadline=1.0)
    task = asyncio.ensure_future(answer_of(lambda: guard.call(getattr(upstream, kind))))
    await clock.elapse(2.5)
    with pytest.raises(DeadlineExceeded):
        await task
    statistics = guard.statistics()
    assert (upstream.calls, statistics.in_flight, statistics.abandoned) == (0, 0, 0)
    assert (statistics.failures, statistics.timeouts) == ((1, 1) if bound == "timeout" else (0, 0))


def test_a_hang_without_a_bound_is_refused() -> None:
    """Where nothing would end it, the guard says so at birth."""
    with pytest.raises(OptionError, match="hang"):
        Guard("api", faults=Faults(Fault("hang", rate=1.0)))


@pytest.mark.parametrize("kind", ["blocking", "asynchronous"])
async def test_a_wrong_result_comes_after_the_call(kind: str) -> None:
    """The dependency is called, its answer altered, and the call is a success."""
    upstream = Upstream()
    guard = faulty(Fault("wrong_result", rate=1.0, result=lambda real: f"not {real}"))
    assert await answer_of(lambda: guard.call(getattr(upstream, kind))) == "not answer"
    assert (upstream.calls, guard.statistics().successes) == (1, 1)


@pytest.mark.parametrize("kind", ["blocking", "asynchronous"])
async def test_an_answer_that_is_lost_is_a_failure_of_a_call_that_was_made(kind: str) -> None:
    """A function for the wrong result that raises stands for an answer that never arrived."""

    def lose(_real: object) -> object:
        raise ConnectionError("lost")

    upstream = Upstream()
    guard = faulty(Fault("wrong_result", rate=1.0, result=lose))
    with pytest.raises(ConnectionError, match="lost"):
        await answer_of(lambda: guard.call(getattr(upstream, kind)))
    assert (upstream.calls, guard.statistics().failures) == (1, 1)


# -- Whom it meets -----------------------------------------------------------------------------------------------


@KINDS
async def test_faults_meet_whom_they_are_meant_for(kind: str) -> None:
    """Tenant and operation of the terms choose; a function's own name is its operation when none is said."""
    upstream = Upstream()
    function = getattr(upstream, kind)
    by_tenant = faulty(Fault("error", rate=1.0, error=ConnectionError, tenants=["acme"]))
    by_name = faulty(Fault("error", rate=1.0, error=ConnectionError, operations=[f"Upstream.{kind}", "search"]))
    with pytest.raises(ConnectionError):
        await answer_of(lambda: by_tenant.using(tenant="acme").call(function))
    with pytest.raises(ConnectionError):
        await answer_of(lambda: by_name.call(function))
    with pytest.raises(ConnectionError):
        await answer_of(lambda: by_name.using(operation="search").call(function))
    assert await answer_of(lambda: by_tenant.using(tenant="other").call(function)) == "answer"
    assert await answer_of(lambda: by_tenant.call(function)) == "answer"
    assert await answer_of(lambda: by_name.using(operation="other").call(function)) == "answer"


def test_a_limit_ends_the_faults_and_the_same_seed_repeats_them() -> None:
    """Rules with a limit hit so many calls; two guards with one seed hit the same calls."""
    guard = faulty(Fault("error", rate=1.0, error=ConnectionError, limit=2))
    assert [guard.outcome(int).succeeded for _ in range(4)] == [False, False, True, True]
    runs = [[faulty_run.outcome(int).succeeded for _ in range(50)] for faulty_run in (_half(), _half())]
    assert runs[0] == runs[1]
    assert 10 < sum(runs[0]) < 40


def _half() -> Guard:
    return faulty(Fault("error", rate=0.5, error=ConnectionError))


def test_reconfigure_keeps_what_the_rules_have_hit() -> None:
    """Another policy in force changes neither the count of a rule nor the switch."""
    guard = faulty(Fault("error", rate=1.0, error=ConnectionError, limit=2))
    assert not guard.outcome(int).succeeded
    guard.reconfigure(retry=None)
    assert [guard.outcome(int).succeeded for _ in range(3)] == [False, True, True]


# -- Who sees it -------------------------------------------------------------------------------------------------


def test_the_breaker_opens_on_faults() -> None:
    """An injected error is a failure of the dependency for the breaker."""
    guard = faulty(ERROR, breaker=Breaker(failures=3))
    for _ in range(3):
        guard.outcome(int)
    assert guard.state == "open"


@KINDS
async def test_retry_meets_a_fault_in_each_attempt(kind: str) -> None:
    """Each attempt draws its own fault, so a limited one is retried away and a lasting one exhausts."""
    upstream = Upstream()
    retry = Retry(attempts=3, on=OSError, base=0.0)
    passing = faulty(Fault("error", rate=1.0, error=ConnectionError, limit=2), retry=retry)
    assert await answer_of(lambda: passing.call(getattr(upstream, kind))) == "answer"
    assert (upstream.calls, passing.statistics().retries) == (1, 2)
    with pytest.raises(RetryExhausted):
        await answer_of(lambda: faulty(ERROR, retry=retry).call(getattr(upstream, kind)))


async def test_a_hedge_gets_round_a_hang() -> None:
    """Each copy draws for itself: one hangs, the next one answers."""
    clock, upstream = VirtualClock(), Upstream()
    guard = faulty(
        Fault("hang", rate=1.0, limit=1), clock=clock, timeout=Timeout(9.0), hedge=Hedge(after=1.0), effect="read_only"
    )
    task = asyncio.ensure_future(guard.call(upstream.asynchronous))
    await clock.elapse(1.0)
    assert await task == "answer"
    await clock.elapse(0.0)
    assert (guard.statistics().ignored, guard.statistics().in_flight) == (1, 0)


async def test_a_hang_is_cancelled_like_a_call() -> None:
    """The caller's cancellation ends an injected wait, and says nothing about the dependency."""
    guard = faulty(Fault("hang", rate=1.0), timeout=Timeout(5.0), breaker=Breaker(failures=1))
    task = asyncio.ensure_future(guard.call(Upstream().asynchronous))
    await turns(3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (guard.state, guard.statistics().ignored) == ("closed", 1)


# -- Generators stay generators ----------------------------------------------------------------------------------


async def test_an_async_generator_with_faults_is_still_one() -> None:
    """What is sent and thrown in reaches the generator, and closing the outer closes the inner at once."""
    seen: list[object] = []

    async def echo() -> AsyncGenerator[object, object]:
        item: object = "start"
        try:
            while True:
                try:
                    item = yield item
                except ValueError as error:
                    item = f"caught {error}"
        finally:
            await turns()
            seen.append("closed")

    guard = faulty(Fault("error", rate=1.0, error=ConnectionError, operations=["other"]))
    async with aclosing(guard.call(echo)) as generator:
        assert await anext(generator) == "start"
        assert await generator.asend("sent") == "sent"
        assert await generator.athrow(ValueError("thrown")) == "caught thrown"
        assert seen == []
    assert seen == ["closed"]
    assert (guard.statistics().ignored, guard.statistics().in_flight) == (1, 0)


def test_a_generator_with_faults_is_still_one() -> None:
    """The same for blocking generators, and the value that it returns is kept."""

    def echo() -> Generator[object, object, str]:
        item = yield "start"
        try:
            yield item
        except ValueError as error:
            return f"caught {error}"
        return "not reached"

    guard = faulty(Fault("error", rate=1.0, error=ConnectionError, operations=["other"]))
    generator = guard.call(echo)
    assert (next(generator), generator.send("sent")) == ("start", "sent")
    with pytest.raises(StopIteration) as caught:
        generator.throw(ValueError("thrown"))
    assert caught.value.value == "caught thrown"
