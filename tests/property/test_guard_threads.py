"""Laws of the guard under threads: any mix of outcomes from many threads adds up, and no limit is exceeded."""

import random
import threading

import pytest

from switchgear import Breaker, Bulkhead, Guard, RateLimit, Rejected
from switchgear.guard import Permit
from switchgear.testing import VirtualClock


@pytest.mark.parametrize("seed", range(5))
def test_any_mix_of_threads_adds_up(seed: int) -> None:
    """Eight threads take, hold and settle permits in any order: nothing is lost, doubled or over a limit."""
    clock = VirtualClock()
    guard = Guard(
        "api",
        breaker=Breaker(failure_rate=0.7, minimum_calls=20, window=10.0, cooldown=0.5, probes=2),
        bulkhead=Bulkhead(5),
        rate_limit=RateLimit(2_000, burst=3_000),
        clock=clock,
    )
    totals = {"let in": 0, "refused": 0, "refunded": 0}
    lock = threading.Lock()
    highest = 0

    def settle(permit: Permit, draw: random.Random) -> str:
        outcome = draw.choice(["succeed", "succeed", "fail", "ignore", "refund"])
        getattr(permit, outcome)()
        return outcome

    def work(number: int) -> None:
        nonlocal highest
        draw = random.Random(f"{seed}-{number}")
        for _ in range(300):
            try:
                permit = guard.permit_nowait()
            except Rejected:
                with lock:
                    totals["refused"] += 1
                    clock.advance(0.01)
                continue
            with lock:
                highest = max(highest, guard.statistics().in_flight)
            refunded = settle(permit, draw) == "refund"
            with lock:
                totals["refunded" if refunded else "let in"] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    statistics = guard.statistics()
    assert sum(totals.values()) == 2_400
    assert statistics.calls == totals["let in"] == statistics.successes + statistics.failures + statistics.ignored
    assert statistics.rejected == totals["refused"]
    assert highest <= 5
    assert (statistics.in_flight, statistics.waiting) == (0, 0)
