"""Waiting for a state: it ends when the state is there, and says where a dependency stands when it is not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from switchgear import deadline
from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.errors import DeadlineExceeded, OptionError
from switchgear.health import Dependency, Health, HealthBoard
from switchgear.health.telling import Listener
from switchgear.testing import SimulatedClock, VirtualClock, run_simulated


class Board(HealthBoard):
    """One that counts who listens."""

    listening = 0

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Count one more until it ends."""
        self.listening += 1
        stop = super().subscribe(listener)

        def end() -> None:
            self.listening -= 1
            stop()

        return end


def _board(clock: Clock = SYSTEM_CLOCK) -> Board:
    redis = Dependency("redis", kind="redis", freshness=30.0, probe_every=10.0)
    return Board([redis, Dependency("crm", kind="http")], clock=clock)


def _observe_well(board: HealthBoard) -> None:
    for _ in range(2):
        board.observe("redis", "positive", "probe")


def test_it_returns_at_once_where_it_stands_so_already() -> None:
    """No time passes, and no prober is needed."""
    clock = VirtualClock(start=0.0)
    board = _board(clock)
    assert board.wait_until("redis", "unknown", timeout=5.0).state is Health.UNKNOWN
    assert clock.monotonic() == 0.0


def test_time_that_is_up_is_an_error_that_says_where_it_stands() -> None:
    """Whoever waited in vain need not ask again why."""
    clock = VirtualClock(start=0.0)
    with pytest.raises(
        DeadlineExceeded, match=r"\[redis: wait_until\]: is unknown and not healthy .* 5 s \(no "
    ) as late:
        _board(clock).wait_until("redis", timeout=5.0)
    assert clock.monotonic() == 5.0
    assert (late.value.dependency, late.value.sent) == ("redis", False)


def test_a_change_ends_the_wait_of_a_thread() -> None:
    """The observation of another thread is heard at once; one of another dependency is none."""
    board = _board()
    found: list[Health] = []
    thread = threading.Thread(target=lambda: found.append(board.wait_until("redis", timeout=30.0).state))
    thread.start()
    board.observe("crm", "positive", "probe")
    _observe_well(board)
    thread.join(10.0)
    assert found == [Health.HEALTHY]


def test_a_change_ends_the_wait_of_a_task() -> None:
    """In the very moment in which it is observed."""
    clock = SimulatedClock(start=0.0)

    async def main() -> None:
        board = _board(clock)
        waiting = asyncio.create_task(board.wait_until_async("redis", Health.HEALTHY, timeout=30.0))
        await clock.sleep_async(7.5)
        _observe_well(board)
        assert (await waiting).vouches
        assert clock.monotonic() == 7.5

    run_simulated(main(), clock=clock)


def test_a_state_that_only_time_brings_is_seen_without_a_prober() -> None:
    """What was seen grows old, which nobody observes."""
    clock = VirtualClock(start=0.0)
    board = _board(clock)
    _observe_well(board)
    assert board.wait_until("redis", "unknown", timeout=60.0).state is Health.UNKNOWN
    assert 30.0 <= clock.monotonic() <= 31.0


def test_the_deadline_in_force_bounds_it() -> None:
    """Everything inside a deadline ends with it."""
    clock = VirtualClock(start=0.0)
    with deadline(2.0, clock=clock), pytest.raises(DeadlineExceeded):
        _board(clock).wait_until("redis", timeout=60.0)
    assert clock.monotonic() == 2.0


def test_nobody_listens_after_it() -> None:
    """A wait that was cancelled, or that timed out, leaves nothing behind on the board."""
    clock = SimulatedClock(start=0.0)

    async def main() -> None:
        board = _board(clock)
        waiting = asyncio.create_task(board.wait_until_async("redis", timeout=30.0))
        await clock.sleep_async(1.0)
        assert board.listening == 1
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        with pytest.raises(DeadlineExceeded):
            await board.wait_until_async("redis", timeout=1.0)
        assert board.listening == 0

    run_simulated(main(), clock=clock)


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan"), None])
def test_every_wait_is_bounded(timeout: float) -> None:
    """There is no waiting for ever."""
    with pytest.raises(OptionError, match=r"board\.wait_until"):
        _board().wait_until("redis", timeout=timeout)


def test_what_was_not_declared_is_not_waited_for() -> None:
    """It would stay unknown until the time is up."""
    with pytest.raises(OptionError, match="no dependency 'ldap'"):
        _board().wait_until("ldap", timeout=5.0)
    with pytest.raises(ValueError, match="well"):
        _board().wait_until("redis", "well", timeout=5.0)
