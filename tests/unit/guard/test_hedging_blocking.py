"""Hedging of blocking calls: copies run in worker threads, which can be left behind but not stopped."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from switchgear import Breaker, Bulkhead, Code, DeadlineExceeded, Guard, Hedge, Overloaded, QueueFull
from switchgear.guard import hedging, workers
from switchgear.testing import VirtualClock


def hedged(clock: VirtualClock, **policies: Any) -> Guard:
    """Return a guard for reads that sends another copy after a second."""
    given: dict[str, Any] = {"hedge": Hedge(after=1.0), "effect": "read_only", **policies}
    return Guard("api", clock=clock, **given)


def check_balance(guard: Guard, **counts: int) -> None:
    """Assert that nothing is held, that the books balance, and what they say."""
    statistics = guard.statistics()
    assert (statistics.in_flight, statistics.waiting) == (0, 0)
    assert statistics.calls == statistics.successes + statistics.failures + statistics.ignored
    assert {name: getattr(statistics, name) for name in counts} == counts


class BlockingCopies:
    """A blocking dependency whose first call ends when the test says so, and whose second answers."""

    def __init__(self, second: Callable[[], str] = lambda: "second") -> None:
        """Start without calls."""
        self.release = threading.Event()
        self.started = 0
        self._second = second

    def call(self) -> str:
        """Block, if it is the first call."""
        self.started += 1
        if self.started > 1:
            return self._second()
        assert self.release.wait(20)
        return "first"


def wait_for_end(guard: Guard) -> None:
    """Wait until no call holds anything any more: the threads of copies that lost end on their own."""
    give_up = threading.Event()
    for _ in range(2_000):
        if guard.statistics().in_flight == 0:
            return
        give_up.wait(0.005)
    pytest.fail("a call never ended")


def test_a_blocking_copy_answers_and_the_loser_keeps_its_place_to_its_end() -> None:
    """A thread cannot be stopped: the copy that lost goes on holding its place, and settles itself."""
    upstream = BlockingCopies()
    guard = hedged(VirtualClock(), bulkhead=Bulkhead(2))
    assert guard.call(upstream.call) == "second"
    assert guard.statistics().in_flight == 1
    upstream.release.set()
    wait_for_end(guard)
    check_balance(guard, calls=2, successes=2, hedges=1)


@pytest.mark.parametrize(("policies", "second"), [({"bulkhead": Bulkhead(1)}, "never"), ({}, "fails")])
def test_a_blocking_copy_that_fails_waits_for_the_first(policies: dict[str, Any], second: str) -> None:
    """A further copy that is refused or fails is no answer while the first one is under way."""

    def fails() -> str:
        upstream.release.set()
        raise ConnectionError

    upstream = BlockingCopies(fails)
    guard = hedged(VirtualClock(), **policies)
    guard.subscribe(lambda event: upstream.release.set() if event.kind == "refused" else None)
    assert guard.call(upstream.call) == "first"
    wait_for_end(guard)
    check_balance(guard, failures=1 if second == "fails" else 0, successes=1)


def test_a_blocking_copy_that_finds_no_thread_is_a_lost_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """When every worker is taken, the copy under way still gives the answer."""
    upstream = BlockingCopies()
    start, started = workers.start_in_worker, []

    def scarce(function: Callable[[], object], clock: VirtualClock) -> None:
        started.append(function)
        if len(started) > 1:
            upstream.release.set()
            raise Overloaded("all worker threads are taken", code=Code.SHED_OVERLOAD, policy="timeout")
        start(function, clock)

    monkeypatch.setattr(hedging, "start_in_worker", scarce)
    guard = hedged(VirtualClock())
    assert guard.call(upstream.call) == "first"
    assert len(started) == 2


def test_blocking_calls_that_find_no_thread_at_all_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a thread for the first copy nothing has left, and the refusal says so."""

    def none_free(_function: object, _clock: object) -> None:
        raise Overloaded("all worker threads are taken", code=Code.SHED_OVERLOAD, policy="timeout")

    monkeypatch.setattr(hedging, "start_in_worker", none_free)
    guard = hedged(VirtualClock())
    with pytest.raises(Overloaded):
        guard.call(BlockingCopies().call)
    check_balance(guard, calls=0, hedges=0)


def test_on_sends_the_next_blocking_copy_at_once() -> None:
    """An error that `on` names starts the next copy at once; the first error is the call's."""
    clock = VirtualClock()
    guard = hedged(clock, hedge=Hedge(after=1.0, on=ConnectionError))
    calls: list[int] = []

    def call() -> None:
        calls.append(1)
        raise ConnectionError(f"copy {len(calls)}")

    with pytest.raises(ConnectionError, match="copy 1"):
        guard.call(call)
    check_balance(guard, calls=2, failures=2, hedges=1)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_what_is_no_exception_passes_through_a_blocking_race(interruption: type[BaseException]) -> None:
    """Ctrl-C inside a copy reaches the caller at once, and is neither hedged nor a failure."""
    guard = hedged(VirtualClock(), hedge=Hedge(after=1.0, on=Exception), breaker=Breaker(failures=1))

    def call() -> None:
        raise interruption

    with pytest.raises(interruption):
        guard.call(call)
    check_balance(guard, ignored=1, hedges=0)


def test_a_blocking_race_ends_at_the_deadline() -> None:
    """The caller does not wait beyond its deadline for copies that hang; they keep their places until they end."""
    upstream = BlockingCopies()
    guard = hedged(VirtualClock(), deadline=0.5)
    with pytest.raises(DeadlineExceeded) as caught:
        guard.call(upstream.call)
    assert caught.value.sent
    upstream.release.set()
    wait_for_end(guard)
    check_balance(guard, hedges=0, ignored=1)


@pytest.mark.parametrize("effect", ["opaque", "reconcilable"])
def test_a_blocking_call_that_is_not_safe_runs_in_the_callers_thread(effect: str) -> None:
    """Terms that forbid a second call make a hedging guard an ordinary one."""
    guard = hedged(VirtualClock())
    assert guard.using(effect=effect).call(threading.get_ident) == threading.get_ident()
    assert guard.call(threading.get_ident) != threading.get_ident()


def test_a_refused_copy_never_replaces_the_error_of_one_that_left() -> None:
    """The same for blocking copies: who called is told of the failure, not that nothing left."""
    release = threading.Event()
    guard = hedged(VirtualClock(), bulkhead=Bulkhead(1))
    guard.subscribe(lambda event: release.set() if event.kind == "refused" else None)

    def call() -> None:
        assert release.wait(20)
        raise ConnectionError("down")

    with pytest.raises(ConnectionError):
        guard.call(call)
    with pytest.raises(QueueFull):
        _refused_at_once(guard)


def _refused_at_once(guard: Guard) -> None:
    held = guard.permit_nowait()
    try:
        guard.call(int)
    finally:
        held.succeed()
