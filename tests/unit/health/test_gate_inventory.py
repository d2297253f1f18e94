"""The inventory: every destructive operation, what it requires, where it is, and what became of it."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import pytest

from switchgear.core.codes import Code
from switchgear.core.errors import DestructiveBlocked, OptionError
from switchgear.core.mutexes import is_own
from switchgear.health import (
    OPERATIONS_MAX,
    Blocked,
    Confirmed,
    DestructiveGate,
    Health,
    Inventory,
    Operation,
    OperationRecord,
    destructive,
    operations,
)
from switchgear.health import inventory as module
from tests.unit.health.gate_rig import REQUIRES, AllHealthy, Rig


@destructive(requires=REQUIRES)
def listed_at_import(dead: Confirmed[str]) -> str:
    """Delete."""
    return dead.value


def test_a_marked_function_is_listed_from_its_import_on() -> None:
    """Nobody has to call it, and no gate has to be there; the process has one inventory for all."""
    name = f"{__name__}.listed_at_import"
    where = f"{__name__}:listed_at_import"
    (record,) = [record for record in operations() if record.name == name]
    assert record == OperationRecord(name, REQUIRES, where, 0, 0, None)
    assert record in DestructiveGate(AllHealthy()).inventory()


def test_a_block_is_listed_from_its_first_use_on() -> None:
    """With where it was entered; looked at, it changes nothing."""
    rig = Rig()
    assert rig.gate.inventory() == ()
    for _ in range(2):
        rig.destroy(rig.confirmed())
    where = "tests.unit.health.gate_rig:Rig.destroy"
    assert rig.gate.inventory() == (OperationRecord("sessions.delete", REQUIRES, where, 2, 0, None),)


def test_the_last_refusal_is_kept_with_when_and_why() -> None:
    """The person on call sees what was held back, since when and for what; of several, the last."""
    rig = Rig()
    rig.switch = True
    for _ in range(2):
        with pytest.raises(DestructiveBlocked):
            rig.destroy(rig.confirmed())
        rig.clock.advance(10.0)
        rig.switch = False
        rig.board.states["redis"] = Health.UNHEALTHY
    (record,) = rig.gate.inventory()
    assert (record.passed, record.blocked) == (0, 2)
    assert record.last_blocked == Blocked(
        at=1_700_000_010.0,
        code=Code.DESTRUCTIVE_BLOCKED,
        dependency="redis",
        state="unhealthy",
        retry_after=4.0,
        message=(
            "sessions.delete was not begun: redis does not vouch for it, being unhealthy for 12 s (it is unhealthy)."
        ),
    )
    rig.board.states["redis"] = Health.HEALTHY
    rig.destroy(rig.confirmed())
    (after,) = rig.gate.inventory()
    assert (after.passed, after.blocked, after.last_blocked) == (1, 2, record.last_blocked)


def test_a_refusal_half_way_counts_as_one() -> None:
    """An operation that was let begin and then held back is in both counts."""
    rig = Rig()
    with rig.gate.destructive("x", requires=REQUIRES, because=rig.confirmed()) as permit:
        rig.switch = True
        with pytest.raises(DestructiveBlocked):
            permit.check()
    (record,) = rig.gate.inventory()
    assert (record.passed, record.blocked) == (1, 1)


def test_operations_are_sorted_by_name() -> None:
    """Two looks at it can be compared line by line."""
    inventory = Inventory()
    for name in ("b", "c", "a"):
        inventory.register(name, ("redis",), "here")
    assert [record.name for record in inventory.records()] == ["a", "b", "c"]


def test_records_are_frozen() -> None:
    """A record says how it stood, for ever."""
    rig = Rig()
    rig.destroy(rig.confirmed())
    (record,) = rig.gate.inventory()
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.passed = 0  # type: ignore[misc] # what is refused


def test_one_name_has_one_set_of_requirements() -> None:
    """A second place that asks for less would be the way past the first."""
    rig = Rig()
    rig.destroy(rig.confirmed())
    with pytest.raises(OptionError, match=r"sessions\.delete requires .*api_socket.* at .*Rig\.destroy"):
        rig.gate.destructive("sessions.delete", requires=("redis",), because=rig.confirmed())
    (record,) = rig.gate.inventory()
    assert record.requires == REQUIRES
    rig.gate.destructive("sessions.delete", requires=list(REQUIRES), because=rig.confirmed())


@pytest.mark.parametrize("name", ["", None, 7])
def test_an_operation_has_a_name(name: str) -> None:
    """The inventory is read by people."""
    with pytest.raises(OptionError, match="has a name"):
        Inventory().register(name, ("redis",), "here")


def test_the_inventory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names made of what is deleted would fill the memory: one too many is refused, and not done."""
    monkeypatch.setattr(module, "OPERATIONS_MAX", 3)
    rig = Rig()
    for number in range(3):
        rig.gate.destructive(f"delete.{number}", requires=REQUIRES, because=rig.confirmed())
    for _ in range(2):
        with pytest.raises(OptionError, match="name an operation for what it does"):
            rig.gate.destructive("delete.3", requires=REQUIRES, because=rig.confirmed())
    rig.gate.destructive("delete.0", requires=REQUIRES, because=rig.confirmed())
    assert len(rig.gate.inventory()) == 3
    assert OPERATIONS_MAX == 10_000


class Watched(dict[str, Operation]):
    """Says of each look-up and of each addition whether this thread had the inventory for itself."""

    def __init__(self, inventory: Inventory) -> None:
        """Watch an inventory that is empty."""
        super().__init__()
        self.alone: list[bool] = []
        self._mutex = inventory._mutex  # noqa: SLF001 - whether it is held cannot be seen from outside

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as that of a dictionary
        """Look up."""
        self.alone.append(is_own(self._mutex))
        return super().get(name, default)

    def __setitem__(self, name: str, operation: Operation) -> None:
        """Add."""
        self.alone.append(is_own(self._mutex))
        super().__setitem__(name, operation)


def test_looking_up_and_adding_are_one_step() -> None:
    """Two threads that come at once make one operation: whoever looks has the inventory until it has added."""
    inventory = Inventory()
    inventory.known = watched = Watched(inventory)
    inventory.register("delete", ("redis",), "here")
    inventory.register("delete", ("redis",), "here")
    assert watched.alone == [True, True, True]


def test_threads_register_one_operation() -> None:
    """Two first uses at once make one operation."""
    inventory = Inventory()
    found: list[object] = []

    def work() -> None:
        found.extend(inventory.register(f"delete.{number}", ("redis",), "here") for number in range(50))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 400
    assert len(set(map(id, found))) == 50
