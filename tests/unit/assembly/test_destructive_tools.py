"""Destructive tools in a gear: their dependencies have to be declared, and they are listed."""

from __future__ import annotations

import pytest

from switchgear import OptionError, Switchgear
from switchgear.assembly.destruction import check_declared
from switchgear.execution.contract import Call, Tool
from switchgear.health import Confirmed, Dependency, Witness
from switchgear.testing import VirtualClock

SAYS = r"'vault'.*gear\.dependency\(Dependency\('vault', kind=\"function\"\)\)"


def register(gear: Switchgear) -> None:
    """Register a destructive tool."""

    @gear.tool("vault.delete", destructive=True)
    async def delete(_call: Call) -> str:
        return "deleted"


async def test_a_tool_that_could_never_run_is_refused_with_what_to_write() -> None:
    """Nothing could vouch for a dependency that nobody declared, so the tool is refused in a gear that runs."""
    async with Switchgear.open(store="memory://") as gear:
        with pytest.raises(OptionError, match=SAYS):
            register(gear)
        assert gear.engine.registry.get("vault.delete") is None
        gear.dependency(Dependency("vault", kind="function"))
        register(gear)


async def test_before_a_gear_runs_a_dependency_may_still_be_declared() -> None:
    """Order does not matter before the start; at the start all must be there."""
    async with Switchgear.open(store="memory://", start=False) as gear:
        register(gear)
        with pytest.raises(OptionError, match=SAYS):
            await gear.run_until_idle(1.0)
        gear.dependency(Dependency("vault", kind="function"))
        await gear.run_until_idle(1.0)


@pytest.mark.parametrize("requires", [("a",), ("b", "a"), ("a", "b")])
def test_every_dependency_is_looked_at(requires: tuple[str, ...]) -> None:
    """One that is missing is enough, first or not; of tools that do not destroy none is asked for."""
    with pytest.raises(OptionError, match="'a'"):
        check_declared([Tool(name="x.y", requires=requires, destructive=True)], {"b"})
    check_declared([Tool(name="x.y", requires=requires, destructive=True)], {"a", "b"})
    check_declared([Tool(name="x.y", requires=requires)], set())


async def test_the_tools_of_a_gear_are_in_its_inventory() -> None:
    """What requires what, from its registration on."""
    async with Switchgear.open(store="memory://") as gear:
        gear.dependency(Dependency("vault", kind="function"))
        register(gear)
        (record,) = gear.destruction.inventory.records()
        assert (record.name, record.requires, record.where) == ("vault.delete", ("vault",), "tool:vault.delete")


async def test_the_kill_switches_of_the_gear_stop_a_tool_between_two_items() -> None:
    """What a person trips while a tool deletes holds before its next item; what was done is no refusal."""
    clock = VirtualClock()
    async with Switchgear.open(store="memory://", clock=clock) as gear:
        gear.dependency(Dependency("vault", kind="function", freshness=1e6))
        for _ in range(3):
            gear.health.observe("vault", "positive", "probe")
        witness, deleted = Witness("vault", gear.health, clock=clock), list[int]()

        @gear.tool("vault.delete", destructive=True)
        async def delete(call: Call) -> int:
            ended = await witness.ask(_ended, says=lambda reply: reply == "ended")
            assert isinstance(ended, Confirmed)
            with call.destructive(because=ended) as permit:
                for item in permit.each([1, 2, 3]):
                    deleted.append(item)
                    if item == 2:
                        await acme.kill_switches.trip("tool:vault.delete", reason="stop")
            return len(deleted)

        acme = gear.acting_as(tenant="acme", account="main", actor="person:ann")
        intent = await acme.submit("vault.delete", {}, key="k")
        await clock.elapse(5.0)
        view = await intent.refresh()
        assert (deleted, view.state, view.code) == ([1, 2], "in_doubt", "KILL_SWITCH_ACTIVE")


async def _ended() -> str:
    return "ended"
