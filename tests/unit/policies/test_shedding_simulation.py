"""The limit against an upstream that takes twenty calls at once: it is found, and found again after a slow phase.

Everything is computed: a hundred clients call again as soon as they may, and a call takes half a second, times how
far the upstream is beyond its capacity when it begins.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random

import pytest

from switchgear.core.outcome import Verdict
from switchgear.policies.shedding import Shedding, SheddingMachine

CAPACITY, CLIENTS, BASE_SECONDS = 20, 100, 0.5


def simulate(
    options: Shedding, seconds: float, slowness: Callable[[float], float] = lambda _: 1.0
) -> list[tuple[float, int]]:
    """Return the limit after each call, with the second in which that was."""
    machine: SheddingMachine[object] = SheddingMachine(options)  # type: ignore[type-var]  # nobody waits here
    now, limits = 0.0, list[tuple[float, int]]()
    calls: list[tuple[float, float]] = []
    while now < seconds:
        while len(calls) < CLIENTS and machine.admit(now, "critical_plus", None, 0.5) is None:
            took = BASE_SECONDS * slowness(now) * max(1.0, machine.taken / CAPACITY)
            heappush(calls, (now + took, now))
        now, began = heappop(calls)
        machine.release(now, now - began, Verdict.SUCCESS)
        limits.append((now, machine.limit))
    return limits


def between(limits: list[tuple[float, int]], start: float, end: float) -> list[int]:
    """Return the limits from one second to another, dips left out: they are no estimates."""
    found = sorted(limit for now, limit in limits if start <= now < end)
    return found[len(found) // 10 :]


@pytest.mark.parametrize("initial", [1, 20, 200])
@pytest.mark.parametrize("tolerance", [1.1, 1.5])
def test_the_limit_converges_near_the_capacity(initial: int, tolerance: float) -> None:
    """Wherever it starts, within two minutes it is where calls take `tolerance` as long, plus the headroom."""
    found = between(simulate(Shedding(initial=initial, tolerance=tolerance), 400.0), 200.0, 400.0)
    assert found[0] >= CAPACITY
    assert found[-1] <= CAPACITY * tolerance + 5


def test_an_overload_that_lasts_does_not_become_the_usual() -> None:
    """After an hour of demand for five times the capacity the limit is where it was after two minutes."""
    limits = simulate(Shedding(), 3_600.0)
    early, late = between(limits, 120.0, 240.0), between(limits, 3_480.0, 3_600.0)
    assert max(late) <= max(early) + 1
    assert min(late) >= CAPACITY


def test_the_limit_recovers_after_a_slow_phase() -> None:
    """Three minutes of calls five times as slow lower the limit; three minutes after them it is back."""
    limits = simulate(Shedding(), 600.0, lambda now: 5.0 if 100.0 <= now < 280.0 else 1.0)
    before, during, after = between(limits, 60.0, 100.0), between(limits, 120.0, 160.0), between(limits, 460.0, 600.0)
    assert min(during) < min(before) * 0.7
    assert min(after) >= CAPACITY
    assert max(after) <= max(before) + 1


def test_a_dependency_that_is_slower_for_good_is_not_held_down() -> None:
    """When fewer calls are no quicker, the new duration is learned, and the limit comes back to the capacity."""
    limits = simulate(Shedding(), 500.0, lambda now: 4.0 if now >= 100.0 else 1.0)
    assert min(between(limits, 300.0, 500.0)) >= CAPACITY


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_scattered_durations_do_not_carry_the_limit_away(seed: int) -> None:
    """Durations that vary by half up and down (log-normal) keep it between half the capacity and twice."""
    random = Random(seed)
    limits = simulate(Shedding(), 400.0, lambda _: random.lognormvariate(0.0, 0.5))
    found = between(limits, 100.0, 400.0)
    assert found[0] >= CAPACITY / 2
    assert found[-1] <= CAPACITY * 2
