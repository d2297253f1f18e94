"""Board, traffic, probes and pollers, put together."""

from __future__ import annotations

import asyncio

import pytest

from switchgear import Breaker, Guard
from switchgear.core.errors import OptionError
from switchgear.health import Dependency, Health, HealthWatch, Inventory
from switchgear.testing import SimulatedClock, run_simulated


async def _ping() -> str:
    return "pong"


def _fail() -> None:
    raise ConnectionError("refused")


def test_probes_and_calls_say_how_it_stands_and_a_poller_follows() -> None:
    """One object is enough: what is probed gets healthy, a breaker that opens is heard, loops take their turns."""
    clock = SimulatedClock(start=0.0)

    async def main() -> None:
        crm = Guard("crm-calls", breaker=Breaker(failures=1), clock=clock)
        watch = HealthWatch(clock=clock)
        watch.dependency(Dependency("redis", kind="redis"), probe=_ping)
        watch.dependency(Dependency("crm", kind="http"), guard=crm)
        poller = watch.modes.register("sync", depends_on=("redis",), every=1.0)
        async with watch:
            assert (await watch.board.wait_until_async("redis", timeout=10.0)).reason == "probes: pong"
            assert await anext(poller) == 1
            with pytest.raises(ConnectionError):
                crm.call(_fail)
            assert watch.board.standing("crm").state is Health.UNHEALTHY
        with pytest.raises(StopAsyncIteration):
            await anext(poller)
        assert watch.board.probe_in("redis") == float("inf")

    run_simulated(main(), clock=clock)


def test_a_blocking_program_has_it_in_a_thread() -> None:
    """Nothing of asyncio is needed around it."""
    watch = HealthWatch()
    watch.dependency(
        Dependency("redis", kind="redis", probe_every=0.05, probe_timeout=0.05, freshness=600.0), probe=_ping
    )
    with watch as same:
        assert same.board.wait_until("redis", "healthy", timeout=60.0).reason.startswith("probes")
    assert not [found for found in watch.modes.statistics() if found.mode != "closed"]


def test_an_error_inside_passes_and_ends_it() -> None:
    """It hides nothing of the program that it watches for."""

    async def main() -> None:
        watch = HealthWatch()
        watch.dependency(Dependency("redis", kind="redis"), probe=_ping)
        with pytest.raises(LookupError):
            async with watch:
                raise LookupError("of the program")
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_what_ended_the_prober_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing fails silently: a prober that has died is told at the end, and what it knew grows old until then."""
    monkeypatch.setattr("switchgear.health.prober.Prober._turn", _die)
    clock = SimulatedClock(start=0.0)

    async def main() -> None:
        watch = HealthWatch(clock=clock)
        watch.dependency(Dependency("redis", kind="redis"), probe=_ping)
        with pytest.raises(MemoryError):
            async with watch:
                await clock.sleep_async(1.0)

    run_simulated(main(), clock=clock)


@pytest.mark.parametrize("listed", [True, False], ids=["listed before", "listed meanwhile"])
def test_law_5_what_destroys_is_relied_on_by_itself(*, listed: bool) -> None:
    """Nobody has to say that a destructive operation rests on a dependency: calls spare its probes no longer."""
    clock, inventory, redis = SimulatedClock(start=0.0), Inventory(), Guard("redis")

    async def main() -> None:
        asked = list[float]()

        async def ping() -> str:
            asked.append(clock.monotonic())
            return "pong"

        watch = HealthWatch(inventory=inventory, clock=clock)
        watch.dependency(Dependency("redis", kind="redis"), guard=redis, probe=ping)
        if listed:
            inventory.register("sessions.delete", ("redis", "api_socket"), "tests")
        async with watch:
            await _calls(redis, clock)
            before = len(asked)
            if not listed:
                assert before <= 3
                inventory.register("sessions.delete", ("redis", "api_socket"), "tests")
            await _calls(redis, clock)
            assert len(asked) - before >= 5

    run_simulated(main(), clock=clock)


def test_a_watch_that_has_ended_hears_of_no_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inventory of a process outlives its watches and keeps none of them."""
    inventory = Inventory()
    with HealthWatch(inventory=inventory) as watch:
        pass
    told = list[str]()
    monkeypatch.setattr(watch.prober, "rely_on", told.append)
    inventory.register("sessions.delete", ("redis",), "tests")
    assert told == []


async def _calls(guard: Guard, clock: SimulatedClock) -> None:
    for _ in range(60):
        guard.permit_nowait().succeed()
        await clock.sleep_async(1.0)


def _die(_prober: object) -> float:
    raise MemoryError


def test_a_dependency_of_which_nothing_would_ever_be_known_is_refused() -> None:
    """Its pollers would stay paused, and nobody would know why."""
    with pytest.raises(OptionError, match="nothing would ever be known of 'redis'"):
        HealthWatch().dependency(Dependency("redis", kind="redis"))


def test_it_is_entered_once() -> None:
    """A second time it would probe nothing, without a word."""
    watch = HealthWatch()
    with watch:
        pass
    with pytest.raises(OptionError, match="once only"), watch:
        pass
