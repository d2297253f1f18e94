"""The pytest plugin: fixtures for time, upstream and guards, and a marker that runs a test in simulated time.

    virtual_clock     a `VirtualClock`
    simulated_loop    a `SimulatedLoop`, closed at the end of the test
    simulation_seed   the seed of that loop: None, or what the marker says; parametrize it to try many
    switchgear_clock  the clock of the test: that of the simulated loop where the test has one, else `virtual_clock`
    fake_upstream     a `FakeUpstream` on that clock; script it with `then`
    guard_factory     makes guards on that clock with repeatable randomness, and checks at the end that they are idle

``@pytest.mark.simulated(seed=7)`` runs an ``async def`` test on the simulated loop, whatever other plugin is there;
``seeds=50`` runs it once for each seed from 0 on. This is the one module of the kit that imports pytest.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any, Protocol

import pytest

from switchgear.core.clock import VirtualClock
from switchgear.guard import Guard
from switchgear.policies.signatures import signature_of
from switchgear.testing.leaks import assert_idle
from switchgear.testing.simulation import SimulatedLoop
from switchgear.testing.upstream import FakeUpstream

_MARKER = "simulated(seed=None, seeds=0): run this async test in simulated time; with `seeds`, once for each seed"


class GuardFactory(Protocol):
    """What `guard_factory` is: `Guard`, with clock and randomness of the test."""

    def __call__(self, name: str = "guarded", *, idle_at_end: bool = True, **options: Any) -> Guard:  # those of `Guard`
        """Return a guard. `idle_at_end=False` is for tests that leave calls running on purpose."""


@pytest.fixture
def virtual_clock() -> VirtualClock:
    """Give a clock that stands still until it is told to move."""
    return VirtualClock()


@pytest.fixture
def simulation_seed(request: pytest.FixtureRequest) -> int | None:
    """Give the seed of the simulated loop: None, which keeps asyncio's order, or what the marker says."""
    marker = request.node.get_closest_marker("simulated")
    seed: int | None = None if marker is None else marker.kwargs.get("seed")
    return seed


@pytest.fixture
def simulated_loop(simulation_seed: int | None) -> Iterator[SimulatedLoop]:
    """Give an event loop in virtual time. Tasks that are left at the end are cancelled."""
    with asyncio.Runner(loop_factory=partial(SimulatedLoop, seed=simulation_seed)) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, SimulatedLoop)  # it was just made so
        yield loop


@pytest.fixture
def switchgear_clock(request: pytest.FixtureRequest) -> VirtualClock:
    """Give the clock of this test: of its simulated loop if it has one, else the virtual clock."""
    if "simulated_loop" in request.fixturenames:
        loop: SimulatedLoop = request.getfixturevalue("simulated_loop")
        return loop.clock
    clock: VirtualClock = request.getfixturevalue("virtual_clock")
    return clock


@pytest.fixture
def fake_upstream(switchgear_clock: VirtualClock) -> FakeUpstream:
    """Give a dependency that succeeds until ``fake_upstream.then(…)`` says otherwise."""
    return FakeUpstream(clock=switchgear_clock)


@pytest.fixture
def guard_factory(switchgear_clock: VirtualClock) -> Iterator[GuardFactory]:
    """Give a maker of guards. At the end of the test, each must be idle."""
    made: list[Guard] = []

    def make(name: str = "guarded", *, idle_at_end: bool = True, **options: Any) -> Guard:  # those of `Guard`
        guard = Guard(name, **{"clock": switchgear_clock, "random": Random(0), **options})
        if idle_at_end:
            made.append(guard)
        return guard

    yield make
    for guard in made:
        assert_idle(guard)


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of the marker."""
    config.addinivalue_line("markers", _MARKER)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a marked test once for each of its seeds."""
    marker = metafunc.definition.get_closest_marker("simulated")
    if marker is None:
        return
    unknown = set(marker.kwargs) - {"seed", "seeds"}
    if marker.args or unknown:
        raise pytest.UsageError(f"{metafunc.definition.nodeid}: the marker is simulated(seed=None, seeds=0)")
    if marker.kwargs.get("seeds"):
        _use(metafunc.fixturenames, "simulation_seed")
        metafunc.parametrize("simulation_seed", range(marker.kwargs["seeds"]))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give a marked test its loop."""
    if isinstance(item, pytest.Function) and item.get_closest_marker("simulated") is not None:
        _use(item.fixturenames, "simulated_loop")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a marked test on its loop. Return None for all others, which are not for this plugin."""
    if pyfuncitem.get_closest_marker("simulated") is None:
        return None
    test = _coroutine_function(pyfuncitem)
    loop = pyfuncitem.funcargs["simulated_loop"]
    assert isinstance(loop, SimulatedLoop)  # `pytest_itemcollected` asked for it
    parameters = signature_of(test).parameters
    loop.run_until_complete(test(**{name: pyfuncitem.funcargs[name] for name in parameters}))
    return True


def _use(fixtures: list[str], name: str) -> None:
    """Add a fixture to those of a test."""
    if name not in fixtures:
        fixtures.append(name)


def _coroutine_function(item: pytest.Function) -> Callable[..., Any]:
    """Return the test as it was written, behind what other plugins for async tests have put round it."""
    found: Callable[..., Any] = inspect.unwrap(item.obj, stop=inspect.iscoroutinefunction)
    if not inspect.iscoroutinefunction(found):
        raise pytest.UsageError(f"{item.nodeid}: the marker `simulated` is for `async def` tests")
    return found
