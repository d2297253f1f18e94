"""Interrupts: a signal handler, or who has the thread's id, may raise wherever CPython asks. No place is lost."""

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from switchgear import Breaker, Bulkhead, CircuitOpen, Guard, QueueFull, RateLimit, Retry, Shedding, Timeout
from switchgear.guard.permit import permit_now
from switchgear.guard.workers import _WORKERS
from tests.unit.guard.interrupting import Alarm, Clock, assert_idle, at_every_point, failing, items, scene, until, work

PROBED = Breaker(failures=1, cooldown=1.0, jitter=0.0)
WINDOWED = Breaker(failure_rate=0.5, minimum_calls=2, window=10.0, cooldown=1.0, jitter=0.0)

ALL: dict[str, Any] = {"breaker": WINDOWED, "bulkhead": Bulkhead(1), "rate_limit": RateLimit(90)}
OF_TWO: dict[str, Any] = ALL | {"breaker": replace(WINDOWED, tenants=2)}

Prepare = Callable[[Guard, Clock], None]
Act = Callable[[Guard], object]


def call(guard: Guard) -> object:
    """Make a call."""
    return guard.call(work)


def call_down(guard: Guard) -> object:
    """Make a call that fails."""
    return guard.call(failing)


def call_decorated(guard: Guard) -> object:
    """Make a call through a decorated function."""
    return guard(work)()


def permit(guard: Guard) -> None:
    """Make a call as the body of a permit."""
    with guard.permit():
        work()


def permit_down(guard: Guard) -> None:
    """Make a call that fails as the body of a permit."""
    with guard.permit():
        failing()


def permit_said(guard: Guard) -> None:
    """Say in the body how the call ended."""
    with guard.permit() as entered:
        entered.fail()


def iterate(guard: Guard) -> object:
    """Read a generator to its end."""
    return list(guard.call(items))


def take(guard: Guard) -> None:
    """Take a permit without waiting, for somebody else to settle."""
    clock: Any = guard._member.plan.clock  # noqa: SLF001 - the clock of the scene
    clock.holder = permit_now(guard._member, guard._terms)  # noqa: SLF001 - what `permit_nowait` is to call


def nowait(outcome: str, tenant: str | None = None, changes: dict[str, Any] | None = None) -> Act:
    """Return what takes a permit without waiting and settles it so, after the guard was reconfigured in between."""

    def act(guard: Guard) -> None:
        member, terms = guard._member, guard.using(tenant=tenant)._terms  # noqa: SLF001 - as in `take`
        permit = permit_now(member, terms)
        try:
            if changes is not None:
                guard.reconfigure(**changes)
            getattr(permit, outcome)()
        finally:
            permit.ignore()

    return act


def fresh(_guard: Guard, _clock: Clock) -> None:
    """Leave the guard as it was made."""


def warm(guard: Guard, _clock: Clock) -> None:
    """Have a call behind it, so that the next one goes straight."""
    guard.call(work)


def warm_for_later(guard: Guard, clock: Clock) -> None:
    """Have the drivers of a guard without a breaker put together, which is done once a process, and is long."""
    Guard("other", clock=clock, **{name: policy for name, policy in ALL.items() if name != "breaker"}).call(work)
    warm(guard, clock)


def tripped(guard: Guard, clock: Clock) -> None:
    """Be half-open: the next call is the probe."""
    guard.permit_nowait().fail()
    clock.advance(1.0)


def full(guard: Guard, clock: Clock) -> None:
    """Have no place free; the next call waits in the queue until its time is over."""
    clock.holder = guard.permit_nowait()


def full_once(guard: Guard, clock: Clock) -> None:
    """Have no place free; a dry run lets the next call in all the same."""
    warm(guard, clock)
    full(guard, clock)


def giving_way(guard: Guard, clock: Clock) -> None:
    """Have no place free until the next call waits in the queue."""
    full(guard, clock)
    clock.gives_way = True


SCENES: dict[str, tuple[dict[str, Any], Prepare, Act]] = {
    "bulkhead": ({"bulkhead": Bulkhead(1)}, fresh, call),
    "bulkhead, straight": ({"bulkhead": Bulkhead(1)}, warm, call),
    "bulkhead, decorated": ({"bulkhead": Bulkhead(1)}, warm, call_decorated),
    "bulkhead, an error": ({"bulkhead": Bulkhead(1)}, warm, call_down),
    "probe": ({"breaker": PROBED}, tripped, call),
    "probe, an error": ({"breaker": PROBED}, tripped, call_down),
    "window": ({"breaker": WINDOWED, "bulkhead": Bulkhead(1)}, warm, call_down),
    "limit": ({"rate_limit": RateLimit(10)}, fresh, call),
    "probe, place and limit": ({"breaker": PROBED, "bulkhead": Bulkhead(1), "rate_limit": RateLimit(9)}, tripped, call),
    "shedding": ({"shedding": Shedding(minimum=1, maximum=1)}, fresh, call),
    "shedding, an error": ({"shedding": Shedding(minimum=1, maximum=1)}, fresh, call_down),
    "permit": ({"breaker": PROBED, "bulkhead": Bulkhead(1)}, tripped, permit),
    "permit, an error": ({"bulkhead": Bulkhead(1)}, fresh, permit_down),
    "permit, said": ({"bulkhead": Bulkhead(1), "deadline": 5.0}, fresh, permit_said),
    "permit, at once": ({"breaker": PROBED, "bulkhead": Bulkhead(1)}, tripped, take),
    "nowait, succeed": (ALL, warm, nowait("succeed")),
    "nowait, fail": (ALL, warm, nowait("fail")),
    "nowait, refund": (ALL, warm, nowait("refund")),
    "nowait, ignore": (ALL, warm, nowait("ignore")),
    "nowait, tenant": (OF_TWO, warm, nowait("succeed", "acme")),
    "nowait, tenant fails": (OF_TWO, warm, nowait("fail", "acme")),
    "nowait, limit lowered": ({"bulkhead": Bulkhead(3)}, warm, nowait("succeed", None, {"bulkhead": Bulkhead(1)})),
    "nowait, of two, of one": (OF_TWO, warm, nowait("succeed", "acme", {"breaker": WINDOWED})),
    "nowait, of one, of two": (ALL, warm, nowait("succeed", "acme", {"breaker": OF_TWO["breaker"]})),
    "nowait, no breaker now": (OF_TWO, warm_for_later, nowait("succeed", "acme", {"breaker": None})),
    "nowait, dry run": (ALL | {"dry_run": True}, full_once, nowait("succeed")),
    "nowait, warm-up": (
        {"rate_limit": RateLimit(9_000, burst=9_000, warm_up=5.0), "bulkhead": Bulkhead(1)},
        warm,
        nowait("succeed"),
    ),
    "nowait, shedding": ({"shedding": Shedding(minimum=1, maximum=1)}, warm, nowait("succeed")),
    "nowait, asleep": (ALL, fresh, nowait("succeed")),
    "retry": ({"bulkhead": Bulkhead(1), "retry": Retry(attempts=2, on=OSError)}, warm, call_down),
    "generator": ({"breaker": PROBED, "bulkhead": Bulkhead(1)}, tripped, iterate),
    "turn": ({"bulkhead": Bulkhead(1), "rate_limit": RateLimit(1, wait=5.0)}, warm, call),
    "queue, granted": ({"bulkhead": Bulkhead(1, queue=1)}, giving_way, call),
    "queue, permit": ({"bulkhead": Bulkhead(1, queue=1)}, giving_way, permit),
    "queue, expired": ({"bulkhead": Bulkhead(1, queue=1, max_wait=1.0)}, full, call),
}
IN_WORKERS: dict[str, tuple[dict[str, Any], Prepare, Act]] = {
    "timeout": ({"bulkhead": Bulkhead(1), "timeout": Timeout(5.0)}, fresh, call),
    "timeout, an error": ({"bulkhead": Bulkhead(1), "timeout": Timeout(5.0)}, fresh, call_down),
    "deadline": ({"breaker": PROBED, "bulkhead": Bulkhead(1), "deadline": 5.0}, tripped, call),
    "generator": ({"bulkhead": Bulkhead(1), "timeout": Timeout(5.0)}, fresh, iterate),
}


@pytest.mark.parametrize("name", SCENES)
def test_an_interrupt_at_any_point_loses_no_place_and_no_probe(name: str) -> None:
    """Wherever CPython may raise in a blocking call: places, probes and books are right, and the guard works on."""
    assert len(list(at_every_point(scene(*SCENES[name])))) > 2


@pytest.mark.parametrize("name", [name for name in SCENES if "queue" not in name])
def test_an_interrupt_after_any_call_loses_no_place_and_no_probe(name: str) -> None:
    """The same where a debugger makes CPython ask after calls of Python functions too."""
    assert len(list(at_every_point(scene(*SCENES[name]), everywhere=True))) > 2


@pytest.mark.parametrize("name", IN_WORKERS)
def test_an_interrupt_while_a_worker_makes_the_call_loses_no_place(name: str) -> None:
    """A call that is left behind by an interrupt keeps its place until it ends, and no longer; so does the worker."""
    busy = busy_workers()
    assert len(list(at_every_point(scene(*IN_WORKERS[name])))) > 2
    until(lambda: busy_workers() <= busy)
    assert busy_workers() <= busy


def test_signals_that_raise_leave_nothing_held() -> None:
    """Under a storm of real signals that raise anywhere, no mutex and no place is left behind."""
    guard = Guard("api", breaker=Breaker(failures=1_000_000), bulkhead=Bulkhead(64))
    caught = 0

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal caught
        caught += 1
        raise Alarm

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for turn in range(1_000):
            with suppress(Alarm):
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.00002 + turn % 50 * 0.000003)
                    for _ in range(200):
                        with suppress(OSError, CircuitOpen, QueueFull):
                            guard.call(failing if turn % 2 else work)
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert caught
    assert mutex_is_free(guard)
    assert_idle(guard)


def busy_workers() -> int:
    """Return how many workers are neither idle nor gone."""
    return _WORKERS._count - len(_WORKERS._idle)  # noqa: SLF001 - what is proved


def mutex_is_free(guard: Guard) -> bool:
    """Return whether another thread can take the mutex."""
    free: list[bool] = []
    mutex = guard._member.mutex  # noqa: SLF001 - what is proved

    def look() -> None:
        free.append(mutex.acquire(timeout=1.0))
        if free[0]:
            mutex.release()

    other = threading.Thread(target=look)
    other.start()
    other.join()
    return free == [True]
