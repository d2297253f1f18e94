"""One record that is damaged hides no other: lists leave it out, and say which it was."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from switchgear import Switchgear
from switchgear.assembly.acting import Acting
from switchgear.control.damage import readable, unless_damaged
from switchgear.core.codes import Code
from switchgear.core.errors import NotApplied, StoreError
from switchgear.execution.contract import Call
from switchgear.execution.recorder import INTENTS
from switchgear.execution.sagas.book import SAGAS
from switchgear.execution.time_boxes.box import SPACE
from switchgear.storage.abilities import Append, Row, Write


async def damaged(gear: Switchgear, space: str, key: str, tenant: str = "acme") -> None:
    """Make a row unreadable."""
    row = await gear.store.get(space, tenant, key)
    assert row is not None
    damage = Write(space, key, row.version, b"{}", row.facet)
    await gear.store.append(Append(f"apd_{key[4:36]}", tenant, (), (damage,)))


@pytest.fixture
async def gear() -> AsyncIterator[Switchgear]:
    """A running gear in memory, with a tool that succeeds, one that fails, and one that is reverted."""
    async with Switchgear.open(store="memory://") as gear:

        @gear.tool("door.lock", effect="natural", resource="door/{name}")
        async def lock(_call: Call, name: str) -> str:
            return name

        @gear.tool("door.unlock", effect="natural", resource="door/{name}", revert="door.lock")
        async def unlock(_call: Call, name: str) -> str:
            return name

        @gear.tool("door.break", effect="keyed", attempts=1)
        async def broken(_call: Call) -> None:
            raise NotApplied("it holds")

        yield gear


async def submitted(acme: Acting, key: str, tool: str = "door.lock", **further: float) -> str:
    """Submit an action and return its id once it is settled."""
    arguments = {} if tool == "door.break" else {"name": key}
    handle = await acme.submit(tool, arguments, key=key, revert_after=further.get("revert_after"))
    await handle.result(timeout=60)
    return handle.id


async def saga(acme: Acting, key: str) -> str:
    """Run a saga of one step, and return its id."""
    handle = await acme.saga([{"tool": "door.lock", "arguments": {"name": key}}], key=key)
    await handle.result(timeout=60)
    return handle.id


MADE: dict[str, tuple[str, Callable[[Acting, str], Awaitable[str]]]] = {
    "intents": (INTENTS, submitted),
    "dead_letters": (INTENTS, lambda acme, key: submitted(acme, key, "door.break")),
    "sagas": (SAGAS, saga),
    "time_boxes": (SPACE, lambda acme, key: submitted(acme, key, "door.unlock", revert_after=3600.0)),
}


@pytest.mark.parametrize("name", MADE)
async def test_what_is_damaged_hides_nothing_else_in_a_list(
    gear: Switchgear, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left out, named on the page and in the log; also where all are damaged, and nothing else is left."""
    acme = gear.acting_as(tenant="acme", account="main", actor="person:ann")
    space, make = MADE[name]
    first, second = await make(acme, "a"), await make(acme, "b")
    use = getattr(gear.control, name)
    await damaged(gear, space, first)
    with caplog.at_level(logging.ERROR, "switchgear.control"):
        page = await use.list(acme.principal)
    assert second in {item.id for item in page.items}
    assert (first in {item.id for item in page.items}, page.unreadable) == (False, [first])
    assert first in caplog.text
    await damaged(gear, space, second)
    page = await use.list(acme.principal)
    assert set(page.unreadable) == {first, second}
    assert not {first, second} & {item.id for item in page.items}


async def test_python_lists_what_can_be_read(gear: Switchgear) -> None:
    """Handles of all others; the log names what is left out."""
    acme = gear.acting_as(tenant="acme", account="main", actor="person:ann")
    lost, kept = await submitted(acme, "a"), await submitted(acme, "b")
    await damaged(gear, INTENTS, lost)
    assert [handle.id for handle in await acme.intents()] == [kept]


def test_only_damage_is_left_out() -> None:
    """A store that cannot be read at all says so: nothing is taken for damaged that is not."""

    def away(_row: Row) -> None:
        raise StoreError("away", code=Code.LEDGER_UNAVAILABLE)

    with pytest.raises(StoreError):
        readable([Row(INTENTS, "acme", "int_1", 1, "ready", b"{}")], away)


async def test_only_damage_is_named() -> None:
    """A view says that a part of it is damaged, and not that the store is away."""

    async def fails(code: Code) -> None:
        raise StoreError("x", code=code)

    assert await unless_damaged(fails(Code.LEDGER_CORRUPT), "saga") == (None, ("saga",))
    with pytest.raises(StoreError):
        await unless_damaged(fails(Code.LEDGER_UNAVAILABLE), "saga")
