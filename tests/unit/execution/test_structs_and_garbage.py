"""What garbage collection does not look at must not lead to what runs: a ring through it would never be freed."""

from __future__ import annotations

import gc
import importlib
import pkgutil
import weakref
from collections.abc import Iterator

import msgspec
import pytest

import switchgear
from switchgear.execution.departing import Departure
from switchgear.lab.simulation.run import simulate
from switchgear.lab.simulation.world import World
from switchgear.testing import SimulatedClock


def untracked() -> list[type[msgspec.Struct]]:
    """Return every structure of the package that is declared with ``gc=False``."""
    for module in pkgutil.walk_packages(switchgear.__path__, "switchgear."):
        importlib.import_module(module.name)
    return [kind for kind in _below(msgspec.Struct) if kind.__module__.startswith("switchgear.") and _unseen(kind)]


def _below(kind: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


def _unseen(kind: type[msgspec.Struct]) -> bool:
    return not kind.__struct_config__.gc


def leads_to_more_than_data(kind: type[msgspec.Struct]) -> bool:
    """Return whether a field holds, at any depth, an object that is no plain data."""
    return "CustomType" in repr(msgspec.inspect.type_info(kind))


def test_what_the_collector_does_not_see_is_plain_data() -> None:
    """`gc=False` is for leaves: text, numbers, and structures of them. Anything else may lead back to it."""
    found = untracked()
    assert found
    assert [kind.__name__ for kind in found if leads_to_more_than_data(kind)] == []


def test_the_rule_would_find_what_leads_to_a_running_engine() -> None:
    """A departure holds permits and a connector, and these lead to everything: it has to stay seen."""
    assert leads_to_more_than_data(Departure)


def test_an_engine_that_crashed_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens and loses many engines in one process keeps none but the last, nor their tasks.

    The last loop of a thread is kept by its shared timer until there is another.
    """
    worlds: list[weakref.ref[World]] = []
    birth = World.__init__

    def noted(world: World, seed: int, clock: SimulatedClock) -> None:
        birth(world, seed, clock)
        worlds.append(weakref.ref(world))

    monkeypatch.setattr(World, "__init__", noted)
    for seed in range(1, 5):
        simulate(seed)
    gc.collect()
    assert [world() for world in worlds[:-1]] == [None, None, None]
