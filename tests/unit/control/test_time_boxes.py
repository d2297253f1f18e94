"""Time-boxes through the use cases: who may end one, and what a box that lasts keeps from being erased."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from switchgear.assembly import Switchgear
from switchgear.assembly.acting import Acting
from switchgear.assembly.handles import IntentHandle
from switchgear.core.errors import Conflict, Denied, Invalid
from switchgear.core.ids import created_at
from switchgear.execution.contract import Call


@pytest.fixture
async def gear() -> AsyncIterator[Switchgear]:
    """A running gear in memory with a tool that can be reverted."""
    async with Switchgear.open(store="memory://") as gear:

        @gear.tool("door.lock", effect="natural", resource="door/{name}")
        async def lock(_call: Call, name: str) -> str:
            return name

        @gear.tool("door.unlock", effect="natural", resource="door/{name}", revert="door.lock")
        async def unlock(_call: Call, name: str) -> str:
            return name

        yield gear


def acting(gear: Switchgear, actor: str = "person:ann") -> Acting:
    """Return the gear as one caller sees it."""
    return gear.acting_as(tenant="acme", account="main", actor=actor)


async def unlocked(acme: Acting, key: str = "k") -> IntentHandle:
    """Unlock a door for an hour."""
    intent = await acme.submit("door.unlock", {"name": "front"}, key=key, revert_after=3600)
    await intent.result(timeout=60)
    return intent


async def test_an_agent_reverts_and_extends_but_does_not_close(gear: Switchgear) -> None:
    """That an action stays for good is for a person to decide."""
    intent = await unlocked(acting(gear))
    agent = acting(gear, "agent:triage").time_boxes
    await agent.extend(intent.id, seconds=60, reason="not finished")
    with pytest.raises(Denied, match="an agent cannot decide"):
        await agent.close(intent.id, reason="looks fine")
    assert (await agent.revert(intent.id, reason="finished")).state == "reverting"


async def test_what_a_revert_needs_is_not_erased(gear: Switchgear) -> None:
    """Arguments and value of an action stay until its time-box has ended; then they can go."""
    acme = acting(gear)
    intent = await unlocked(acme)
    keeping = gear.control.keeping
    with pytest.raises(Conflict, match="time-box still needs"):
        await keeping.erase(acme.principal, intent.id, reason="request 17")
    await acme.time_boxes.close(intent.id, reason="moved out")
    await keeping.erase(acme.principal, intent.id, reason="request 17")


async def test_a_box_that_lasts_is_not_archived(gear: Switchgear) -> None:
    """What is folded from a box's stream stays in the store until the box has ended."""
    acme = acting(gear)
    intent = await unlocked(acme)
    opened = next(entry for entry in await gear.store.entries("acme") if entry.stream.startswith("time_box."))
    keeping = gear.control.keeping
    assert (await keeping.archivable(acme.principal, before=100)).last_seq < opened.seq
    await acme.time_boxes.close(intent.id, reason="moved out")
    assert (await keeping.archivable(acme.principal, before=100)).last_seq > opened.seq


@pytest.mark.parametrize(("state", "cursor"), [("lost", None), (None, "int_1"), (None, "x")])
async def test_a_list_from_nowhere_is_refused(gear: Switchgear, state: str | None, cursor: str | None) -> None:
    """A state that is none, and a cursor that no page gave out."""
    with pytest.raises(Invalid):
        await acting(gear).time_boxes.list(state=state, before=cursor)


async def test_a_box_is_as_old_as_its_intent(gear: Switchgear) -> None:
    """It carries the intent's id, and its end counts from when the action left."""
    intent = await unlocked(acting(gear))
    box = await acting(gear).time_boxes.show(intent.id)
    assert box.reverts_at == box.opened_at + 3600
    assert created_at(box.id) <= box.opened_at + 1
