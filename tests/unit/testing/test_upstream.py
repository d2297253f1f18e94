"""The fake upstream: it plays its script for threads and tasks alike, and remembers what reached it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import Random

import pytest

from switchgear import Bulkhead, Guard, OptionError, Retry, SwitchgearError, Timeout
from switchgear.testing import (
    FakeUpstream,
    SimulatedClock,
    SimulationError,
    TooManyRequests,
    VirtualClock,
    at,
    capacity,
    fail,
    hang,
    ok,
    outage,
    rate_limited,
    run_simulated,
    slow,
    stall,
)
from switchgear.testing.script import HANG_SECONDS, Behaviour, Element


def ends(upstream: FakeUpstream, clock: VirtualClock, calls: int) -> list[tuple[object, float]]:
    """Make blocking calls one after the other. Return what each ended in, and the seconds since the first began."""
    start = clock.monotonic()
    found: list[tuple[object, float]] = []
    for _ in range(calls):
        try:
            end = upstream.call()
        except Exception as error:  # noqa: BLE001 - whatever the script says
            end = type(error).__name__
        found.append((end, clock.monotonic() - start))
    return found


SCRIPTS: list[tuple[tuple[Element, ...], list[tuple[object, float]]]] = [
    ((), [(None, 0), (None, 0)]),
    ((ok(1), ok(2, latency=0.5)), [(1, 0), (2, 0.5), (None, 0.5)]),
    ((slow(3.0, "late"),), [("late", 3.0)]),
    ((fail(KeyError), fail(OSError("down"), latency=1.0)), [("KeyError", 0), ("OSError", 1.0)]),
    ((rate_limited(2.0),), [("TooManyRequests", 0)]),
    ((hang(),), [("ConnectionResetError", HANG_SECONDS)]),
    ((at(2.0, fail(OSError)), slow(3.0)), [(None, 3.0), ("OSError", 3.0)]),
    ((at(5.0, ok("b")), at(0.0, ok("a")), slow(4.0), slow(4.0)), [(None, 4.0), (None, 8.0), ("b", 8.0)]),
    ((outage(1.0, 1.0), slow(1.0), slow(1.0)), [(None, 1.0), ("ConnectionError", 1.0)]),
    ((outage(0.0, 1.0, slow(1.0, "old")), ok("next")), [("old", 1.0), ("next", 1.0)]),
    ((stall(0.0, 10.0), ok("then")), [("then", 10.0), (None, 10.0)]),
    ((capacity(4),), [(None, 0.25), (None, 0.5)]),
]


@pytest.mark.parametrize(("script", "expected"), SCRIPTS)
def test_a_script_is_played_as_written(script: tuple[Element, ...], expected: list[tuple[object, float]]) -> None:
    """Sequence, standing behaviour, outage, stall and capacity each say what a call meets, and when it ends."""
    clock = VirtualClock()
    assert ends(FakeUpstream(*script, clock=clock), clock, len(expected)) == expected


@pytest.mark.parametrize(("script", "expected"), SCRIPTS)
def test_tasks_meet_what_threads_meet(script: tuple[Element, ...], expected: list[tuple[object, float]]) -> None:
    """`call_async` plays the same script, in simulated time."""
    clock = SimulatedClock()

    async def main() -> list[tuple[object, float]]:
        upstream = FakeUpstream(*script, clock=clock)
        start = clock.monotonic()
        found: list[tuple[object, float]] = []
        for _ in expected:
            [end] = await asyncio.gather(upstream.call_async(), return_exceptions=True)
            name = type(end).__name__ if isinstance(end, BaseException) else end
            found.append((name, clock.monotonic() - start))
        return found

    assert run_simulated(main(), clock=clock) == expected


def test_an_outage_uses_up_nothing_of_the_sequence() -> None:
    """What stands in the sequence is met after the outage."""
    clock = VirtualClock()
    upstream = FakeUpstream(outage(0.0, 5.0), ok("kept"), clock=clock)
    assert ends(upstream, clock, 1)[0][0] == "ConnectionError"
    clock.advance(5.0)
    assert upstream.call() == "kept"


def test_every_call_gets_an_error_of_its_own() -> None:
    """No error is shared between calls, so none collects what others add to it."""
    clock = VirtualClock()
    upstream = FakeUpstream(at(0.0, fail(OSError("down"))), clock=clock)
    caught = []
    for _ in range(2):
        with pytest.raises(OSError, match="down") as one:
            upstream.call()
        caught.append(one.value)
    assert caught[0] is not caught[1]


def test_a_hint_is_obeyed_by_a_retry() -> None:
    """`rate_limited` speaks the language of `Retry`."""
    clock = VirtualClock()
    upstream = FakeUpstream(rate_limited(7.0), ok("in"), clock=clock)
    retry = Retry(attempts=2, on=TooManyRequests, base=0.0, cap=0.0)
    assert Guard("api", retry=retry, clock=clock).call(upstream.call) == "in"
    assert [call.at for call in upstream.calls] == [0.0, 7.0]
    assert str(TooManyRequests(7.0)) == "429, retry after 7.0 s"


# --- what it remembers ---


def test_calls_are_remembered_as_they_came() -> None:
    """Number, time, tenant, key, arguments, behaviour, effect and latency of each call are there."""
    clock = VirtualClock()
    upstream = FakeUpstream(slow(2.0), fail(KeyError), clock=clock)
    upstream.call("a", 1, tenant="acme", key="k")
    with pytest.raises(KeyError):
        upstream.call(tenant="zeta")
    first, second = upstream.calls
    assert (first.number, first.at, first.tenant, first.key, first.arguments) == (1, 0.0, "acme", "k", ("a", 1))
    assert (first.behaviour, first.applied, first.latency) == ("slow", True, 2.0)
    assert (second.number, second.at, second.tenant, second.key) == (2, 2.0, "zeta", None)
    assert (second.behaviour, second.applied) == ("fail", False)


def test_effects_are_counted_by_key() -> None:
    """A lost answer is an effect, a refusal is none; what has no key is counted for none."""
    clock = VirtualClock()
    upstream = FakeUpstream(fail(OSError, applied=True), ok(), rate_limited(None), ok(), clock=clock)
    for key in ("k", "k", "k", None):
        try:
            upstream.call(key=key)
        except (OSError, TooManyRequests):
            continue
    assert (upstream.effects("k"), upstream.effects("other")) == (2, 0)
    assert upstream.effects_by_key == {"k": 2}


def test_an_upstream_that_honours_keys_has_one_effect_for_each() -> None:
    """A repeat is answered with the first value, also when the first answer was lost."""
    clock = VirtualClock()
    upstream = FakeUpstream(ok("first"), ok("second"), ok("third"), clock=clock, honours_keys=True)
    assert [upstream.call(key=key) for key in ("a", "a", "b")] == ["first", "first", "third"]
    assert upstream.effects_by_key == {"a": 1, "b": 1}
    assert [call.behaviour for call in upstream.calls] == ["ok", "repeat", "ok"]


def test_who_goes_away_is_counted_and_the_effect_stays() -> None:
    """A caller that is cancelled was abandoned by nobody but itself: the upstream did its work."""
    clock = SimulatedClock()

    async def main() -> FakeUpstream:
        upstream = FakeUpstream(slow(10.0), slow(1.0), clock=clock)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await upstream.call_async(key="k")
        await upstream.call_async()
        return upstream

    upstream = run_simulated(main(), clock=clock)
    assert (upstream.answered, upstream.abandoned, upstream.in_flight) == (1, 1, 0)
    assert upstream.effects("k") == 1


def test_how_many_waited_at_once_is_known() -> None:
    """What a bulkhead promises can be read at the other end."""
    clock = SimulatedClock()

    async def main() -> FakeUpstream:
        upstream = FakeUpstream(at(0.0, slow(1.0)), clock=clock)
        guard = Guard("api", bulkhead=Bulkhead(3, queue=20), clock=clock)
        await asyncio.gather(*(guard.call(upstream.call_async) for _ in range(12)))
        return upstream

    upstream = run_simulated(main(), clock=clock)
    assert (upstream.in_flight_most, upstream.in_flight, len(upstream.calls)) == (3, 0, 12)


# --- capacity ---


def test_capacity_works_off_one_after_the_other() -> None:
    """At 10 a second, ten calls that come together end a tenth of a second apart."""
    clock = SimulatedClock()

    async def main() -> list[float]:
        upstream = FakeUpstream(capacity(10), clock=clock)
        start = clock.monotonic()

        async def one() -> float:
            await upstream.call_async()
            return round(clock.monotonic() - start, 6)

        return await asyncio.gather(*(one() for _ in range(10)))

    assert run_simulated(main(), clock=clock) == [round(0.1 * n, 6) for n in range(1, 11)]


def test_work_goes_on_for_callers_that_are_gone() -> None:
    """A caller that gives up leaves its work in the queue, which is how overload outlives its cause."""
    clock = SimulatedClock()

    async def main() -> float:
        upstream = FakeUpstream(capacity(1), clock=clock)
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await upstream.call_async()
        start = clock.monotonic()
        await upstream.call_async()
        return round(clock.monotonic() - start, 6)

    assert run_simulated(main(), clock=clock) == 5.5


def test_a_full_queue_refuses_the_connection() -> None:
    """The queue is bounded by count, and has places again when work is done."""
    clock = SimulatedClock()

    async def main() -> list[str]:
        upstream = FakeUpstream(capacity(1, queue=2), clock=clock)
        first = await asyncio.gather(*(upstream.call_async() for _ in range(5)), return_exceptions=True)
        await upstream.call_async()
        return [*(type(end).__name__ for end in first), upstream.calls[-1].behaviour]

    assert run_simulated(main(), clock=clock) == [*["NoneType"] * 3, *["ConnectionRefusedError"] * 2, "ok"]


def test_what_comes_in_a_stall_is_worked_off_after_it() -> None:
    """A stall fills the queue; capacity empties it."""
    clock = SimulatedClock()

    async def main() -> list[float]:
        upstream = FakeUpstream(capacity(2), stall(0.0, 10.0), clock=clock)
        start = clock.monotonic()

        async def one() -> float:
            await upstream.call_async()
            return clock.monotonic() - start

        return await asyncio.gather(*(one() for _ in range(3)))

    assert run_simulated(main(), clock=clock) == [10.5, 11.0, 11.5]


@pytest.mark.parametrize(("attempts", "recovers"), [(1, True), (3, False)])
def test_an_overload_outlives_its_cause_when_everybody_retries(attempts: int, *, recovers: bool) -> None:
    """The kit can show a metastable failure: 80 calls a second at a capacity of 100, and a stall of ten seconds.

    Those who come in the stall give up after a second, and their work is still worked off. Who tries three times makes
    so much of it that the queue never drains; who tries once lets it drain.
    """
    clock = SimulatedClock(start=0.0)

    async def main() -> int:
        upstream = FakeUpstream(capacity(100), stall(5.0, 10.0), clock=clock)
        retry = Retry(attempts=attempts, on=TimeoutError, base=0.05, cap=0.2)
        guard = Guard("api", timeout=Timeout(1.0), retry=retry, clock=clock, random=Random(0))
        late: list[float] = []

        async def one() -> None:
            with suppress(SwitchgearError):
                await guard.call(upstream.call_async)
                late.append(clock.monotonic())

        async with asyncio.TaskGroup() as group:
            for _ in range(75 * 80):
                group.create_task(one())
                await clock.sleep_async(1 / 80)
        return sum(moment > 70.0 for moment in late)

    goodput = run_simulated(main(), clock=clock)
    assert goodput > 300 if recovers else goodput == 0


# --- refused scripts ---


@pytest.mark.parametrize(
    "build",
    [
        lambda: ok(latency=-1.0),
        lambda: slow(float("nan")),
        lambda: fail("no error"),  # type: ignore[arg-type] # the wrong type is the point
        lambda: fail(lambda: "no error"),  # type: ignore[arg-type,return-value] # as above
        lambda: fail(UnicodeDecodeError),  # type: ignore[arg-type] # as above
        lambda: at(-1.0, ok()),
        lambda: outage(-1.0, 5.0),
        lambda: outage(0.0, 0.0),
        lambda: stall(0.0, -1.0),
        lambda: capacity(0),
        lambda: capacity(1, queue=-1),
        lambda: FakeUpstream("ok", clock=VirtualClock()),  # type: ignore[arg-type] # as above
        lambda: FakeUpstream(clock=VirtualClock(), calls_max=0),
    ],
)
def test_a_script_that_cannot_be_played_is_refused(build: Callable[[], object]) -> None:
    """Every word checks what it is told when it is written, not when it is played."""
    with pytest.raises(OptionError):
        build()


def test_the_record_is_bounded() -> None:
    """One call more than the bound is an error of the test, never a silent gap in the record."""
    upstream = FakeUpstream(clock=VirtualClock(), calls_max=2)
    upstream.call()
    upstream.call()
    with pytest.raises(SimulationError, match="2 calls"):
        upstream.call()


def test_behaviours_are_values() -> None:
    """Two words that say the same are equal, so that scripts can be compared and drawn."""
    assert ok(1) == ok(1) == Behaviour("ok", 1)
