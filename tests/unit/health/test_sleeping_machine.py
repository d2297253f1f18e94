"""A machine that slept: its monotonic clock stood still, and nothing that was said before is fresh any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from switchgear import Guard
from switchgear.core.errors import DestructiveBlocked
from switchgear.guard.meter import Statistics
from switchgear.health.ageing import Ageing
from switchgear.health.board import HealthBoard
from switchgear.health.dependency import Dependency
from switchgear.health.findings import Confirmed, Witness
from switchgear.health.gate import DestructiveGate
from switchgear.health.inventory import Inventory
from switchgear.health.prober import Prober
from switchgear.health.standing import Health
from switchgear.health.traffic import TrafficWatch
from switchgear.testing import SimulatedClock, VirtualClock, run_simulated

HOUR = 3_600.0


class Machine:
    """A board on which Redis is healthy, a witness, a gate, and a clock that can sleep."""

    def __init__(self, clock: VirtualClock | None = None) -> None:
        """Start awake."""
        self.clock = clock or VirtualClock()
        self.board = HealthBoard([Dependency("redis", kind="redis")], clock=self.clock)
        self.gate = DestructiveGate(self.board, inventory=Inventory(), clock=self.clock)
        self.answer()

    def answer(self) -> None:
        """Have Redis found well, often enough."""
        for _ in range(2):
            self.board.observe("redis", "positive", "probe")

    def confirmed(self) -> Confirmed[str]:
        """Return a reason that is in order."""
        found = Witness("redis", self.board, clock=self.clock).ask(lambda: "dead", says=lambda _reply: True)
        assert isinstance(found, Confirmed)
        return found

    def sleep(self, seconds: float = HOUR) -> None:
        """Stand still: only the wall clock goes on."""
        self.clock.jump_wall(seconds)

    @property
    def state(self) -> Health:
        """Where Redis stands."""
        return self.board.standing("redis").state


@pytest.fixture
def machine() -> Machine:
    """Return a machine on which all is well."""
    return Machine()


def test_what_was_well_before_a_sleep_is_unknown_after_it(machine: Machine) -> None:
    """Law 5: evidence of before a sleep is as old as the sleep was long, though no monotonic second has passed."""
    machine.sleep()
    assert machine.state is Health.UNKNOWN
    age = machine.board.standing("redis").age
    assert age is not None
    assert age >= HOUR


def test_a_reason_of_before_a_sleep_is_stale(machine: Machine) -> None:
    """Law 5: what was confirmed before a sleep destroys nothing after it, however well everything is by then."""
    reason = machine.confirmed()
    machine.sleep()
    machine.answer()
    assert machine.state is Health.HEALTHY
    block = machine.gate.destructive("sessions.delete", requires=("redis",), because=reason)
    with pytest.raises(DestructiveBlocked, match="stale"), block:
        pytest.fail("destroyed because of an hour-old reply")


def test_a_loop_goes_no_further_after_a_sleep(machine: Machine) -> None:
    """The gate is asked before each item, so a sleep in the middle ends the loop."""
    with machine.gate.destructive("sessions.delete", requires=("redis",), because=machine.confirmed()) as permit:
        items = permit.each("abc")
        assert next(items) == "a"
        machine.sleep()
        with pytest.raises(DestructiveBlocked, match="1 done"):
            next(items)


def test_it_is_well_again_once_it_answers_again(machine: Machine) -> None:
    """A sleep blocks nothing for longer than it takes to ask again."""
    machine.sleep()
    machine.answer()
    assert machine.state is Health.HEALTHY


def test_a_sleep_behind_a_clock_that_was_set_back_is_noticed(machine: Machine) -> None:
    """A clock that goes back makes nothing younger, and hides no sleep that comes later."""
    machine.clock.jump_wall(-HOUR)
    assert machine.board.standing("redis").vouches
    machine.sleep()
    assert machine.state is Health.UNKNOWN


def test_small_leaps_add_up() -> None:
    """Many short sleeps are as good as a long one."""
    clock = VirtualClock()
    ageing = Ageing(clock)
    began = ageing.now()
    for _ in range(20):
        clock.jump_wall(0.3)
        ageing.now()
    assert 5.4 <= ageing.now() - began <= 6.0


def test_calls_of_before_a_sleep_say_nothing_after_it(machine: Machine) -> None:
    """Calls that succeeded before a sleep, and are looked at after it, are old."""
    guard = Guard("redis", clock=machine.clock)
    watch = TrafficWatch(machine.board, guard)
    for _ in range(3):
        guard.call(lambda: None)
        machine.sleep()
        watch.tick()
    assert machine.state is Health.UNKNOWN


def test_calls_that_end_while_they_are_counted_are_no_younger_than_that(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that ends between the count and the look at the clock is dated by what came first."""
    guard = Guard("redis", clock=machine.clock)
    watch = TrafficWatch(machine.board, guard)

    def late(self: Guard, totals: Callable[[Guard], Statistics] = Guard.totals) -> Statistics:
        """Count, then be left standing for an hour by the system: another thread's call ends just before that."""
        counted = totals(self)
        guard.call(lambda: None)
        machine.clock.advance(HOUR)
        return counted

    for _ in range(3):
        with monkeypatch.context() as patch:
            patch.setattr(Guard, "totals", late)
            watch.tick()
        watch.tick()
    assert machine.state is Health.UNKNOWN


def test_an_answer_that_a_sleep_came_between_is_none() -> None:
    """A probe that was asked before a sleep and read after it says nothing about now."""

    async def main() -> None:
        board = HealthBoard([Dependency("redis", kind="redis")], clock=clock)

        async def probe() -> None:
            await clock.sleep_async(0.1)
            clock.jump_wall(HOUR)

        prober = Prober(board, {"redis": probe})
        running = asyncio.ensure_future(prober.run())
        await clock.sleep_async(20.0)
        assert board.standing("redis").age is None
        prober.close()
        await running

    clock = SimulatedClock()
    run_simulated(main(), clock=clock)
