"""Time-boxes through the use cases: who may end one, and what a box that lasts keeps from being erased."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from msgspec import structs

from switchgear.assembly import Switchgear
from switchgear.assembly.acting import Acting
from switchgear.assembly.handles import IntentHandle
from switchgear.control.time_box_views import TimeBoxView
from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Denied, Invalid, NotApplied, StoreError
from switchgear.core.ids import created_at
from switchgear.execution.contract import Call
from switchgear.execution.recorder import INTENTS
from switchgear.execution.time_boxes import box as boxes
from switchgear.execution.time_boxes.box import EXTENSIONS_MAX, TimeBox
from switchgear.storage.abilities import Entry
from tests.unit.control.test_damage import damaged


@pytest.fixture
async def gear() -> AsyncIterator[Switchgear]:
    """A running gear in memory with a tool that can be reverted."""
    async with Switchgear.open(store="memory://") as gear:

        @gear.tool("door.lock", effect="natural", resource="door/{name}")
        async def lock(_call: Call, name: str) -> str:
            return name

        @gear.tool("door.unlock", effect="natural", resource="door/{name}", revert="door.lock")
        async def unlock(_call: Call, name: str) -> dict[str, str]:
            return {"name": name, "prior": "locked", "now": "open"}

        yield gear


def acting(gear: Switchgear, actor: str = "person:ann") -> Acting:
    """Return the gear as one caller sees it."""
    return gear.acting_as(tenant="acme", account="main", actor=actor)


async def unlocked(acme: Acting, key: str = "k") -> IntentHandle:
    """Unlock a door for an hour."""
    intent = await acme.submit("door.unlock", {"name": "front"}, key=key, revert_after=3600)
    await intent.result(timeout=60)
    return intent


async def no_box(acme: Acting, name: str, words: str) -> None:
    """Check that whatever is wanted of the time-box `name` is refused with these words."""
    boxes = acme.time_boxes
    changes = (
        boxes.revert(name, reason="r"),
        boxes.extend(name, seconds=60, reason="r"),
        boxes.close(name, reason="r"),
    )
    for asking in (boxes.show(name), boxes.events(name), *changes):
        with pytest.raises(Denied, match=words) as refusal:
            await asking
        assert (refusal.value.code, refusal.value.state) == (Code.NOT_FOUND, "none")


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


async def seen(gear: Switchgear, box_id: str) -> TimeBoxView:
    """Return a box as it is shown: alone, in the list, and with its action, where it is the same."""
    acme = acting(gear)
    alone = await acme.time_boxes.show(box_id)
    listed = next(box for box in (await acme.time_boxes.list(limit=200)).items if box.id == box_id)
    assert alone == listed == (await acme.intent(alone.intent)).view.time_box
    return alone


async def test_a_box_says_who_extended_and_ended_it_when_and_why(gear: Switchgear) -> None:
    """Each extension with what it moved, and the early revert; the newest last."""
    intent = await unlocked(acting(gear))
    before = await seen(gear, intent.id)
    assert (before.changes, before.captured) == ([], {"prior": "locked", "now": "open"})
    await acting(gear, "person:ben").time_boxes.extend(intent.id, seconds=60, reason="not finished")
    await acting(gear, "agent:triage").time_boxes.revert(intent.id, reason="finished")
    await gear.run_until_idle()
    box = await seen(gear, intent.id)
    extended, ended = box.changes
    assert (extended.kind, extended.by, extended.reason) == ("extended", "person:ben", "not finished")
    assert (extended.seconds, extended.reverts_at) == (60.0, before.reverts_at + 60)
    assert (ended.kind, ended.by, ended.reason, ended.seconds) == ("revert_begun", "agent:triage", "finished", None)
    assert before.opened_at <= extended.at <= ended.at
    assert (box.revert_state, box.revert_attempts, box.revert_code, box.unreadable) == ("succeeded", 1, None, [])


async def test_a_box_says_who_closed_it_and_why(gear: Switchgear) -> None:
    """That an action stays for good is somebody's decision, and has a name."""
    intent = await unlocked(acting(gear))
    await acting(gear, "person:ben").time_boxes.close(intent.id, reason="moved out")
    assert [(change.kind, change.by, change.reason) for change in (await seen(gear, intent.id)).changes] == [
        ("closed", "person:ben", "moved out")
    ]


async def test_a_box_says_what_its_revert_met(gear: Switchgear) -> None:
    """The revert's own code, message and attempts, beside why a person was called."""

    @gear.tool("door.weld", effect="natural", resource="door/{name}")
    async def weld(_call: Call, name: str) -> None:
        raise NotApplied(f"{name} is gone", code=Code.CHANGED_MEANWHILE)

    @gear.tool("door.cut", effect="natural", resource="door/{name}", revert="door.weld")
    async def cut(_call: Call, name: str) -> str:
        return name

    acme = acting(gear)
    intent = await acme.submit("door.cut", {"name": "front"}, key="k", revert_after=3600)
    await intent.result(timeout=60)
    begun = await acme.time_boxes.revert(intent.id, reason="finished")
    await (await acme.intent(begun.revert or "")).result(timeout=60)
    await gear.run_until_idle()
    box = await seen(gear, intent.id)
    assert (box.state, box.captured) == ("needs_operator", None)
    assert (box.revert_attempts, box.revert_code, "front is gone" in box.revert_message) == (
        1,
        "CHANGED_MEANWHILE",
        True,
    )


async def test_what_was_captured_is_for_who_may_read_intents(gear: Switchgear) -> None:
    """It is a part of the action's value, which needs a permission of its own."""
    intent = await unlocked(acting(gear))
    principal = acting(gear).principal
    guard = replace(principal, permissions=frozenset({"time_boxes:read"}))
    assert (await gear.control.time_boxes.show(guard, intent.id)).captured is None
    assert (await gear.control.time_boxes.show(principal, intent.id)).captured is not None


async def test_what_was_captured_goes_with_an_erasure(gear: Switchgear) -> None:
    """Once a box has ended, nothing of the value is left in its view either."""
    acme = acting(gear)
    intent = await unlocked(acme)
    await acme.time_boxes.close(intent.id, reason="moved out")
    await gear.control.keeping.erase(acme.principal, intent.id, reason="request 17")
    assert (await seen(gear, intent.id)).captured is None


async def test_the_box_of_a_generation_shows_what_that_one_captured(gear: Switchgear) -> None:
    """What was executed anew has a box of its own; the value of the newest one is not the first one's."""
    acme = acting(gear)
    intent = await unlocked(acme)
    await acme.time_boxes.revert(intent.id, reason="finished")
    await gear.run_until_idle()
    await intent.replay(mode="re-execute", reason="again", wait=10.0)
    first, second = await acme.time_boxes.show(intent.id), await acme.time_boxes.show(f"{intent.id}.2")
    assert (first.state, first.captured) == ("reverted", None)
    assert (second.state, second.captured) == ("open", {"prior": "locked", "now": "open"})


async def test_the_events_of_a_box_are_its_own(gear: Switchgear) -> None:
    """In order, page by page, and of no other stream; another tenant's box has none."""
    intent = await unlocked(acting(gear))
    desk = acting(gear).time_boxes
    await desk.extend(intent.id, seconds=60, reason="not finished")
    await desk.close(intent.id, reason="moved out")
    events = await desk.events(intent.id)
    assert [event.type for event in events] == ["time_box.opened", "time_box.extended", "time_box.closed"]
    assert {event.stream for event in events} == {f"time_box.{intent.id}"}
    first = await gear.control.time_boxes.events(acting(gear).principal, intent.id, limit=2)
    assert (len(first.items), first.next_after) == (2, events[1].seq)
    rival = gear.acting_as(tenant="rival", account="main", actor="person:ann")
    with pytest.raises(Denied):
        await rival.time_boxes.events(intent.id)


async def test_a_damaged_box_is_named_and_hides_no_other(gear: Switchgear) -> None:
    """In the list, where it is left out and counted; asked for alone it says LEDGER_CORRUPT."""
    acme = acting(gear)
    lost, kept = await unlocked(acme, "a"), await unlocked(acme, "b")
    await damaged(gear, boxes.SPACE, lost.id)
    page = await acme.time_boxes.list()
    assert ([box.id for box in page.items], page.unreadable) == ([kept.id], [lost.id])
    with pytest.raises(StoreError) as error:
        await acme.time_boxes.show(lost.id)
    assert error.value.code is Code.LEDGER_CORRUPT
    await damaged(gear, boxes.SPACE, kept.id)
    page = await acme.time_boxes.list()
    assert (page.items, set(page.unreadable)) == ([], {lost.id, kept.id})


async def test_a_damaged_revert_is_named_and_hides_no_box(gear: Switchgear) -> None:
    """Everything else of the box is shown."""
    acme = acting(gear)
    intent = await unlocked(acme)
    begun = await acme.time_boxes.revert(intent.id, reason="finished")
    await gear.run_until_idle()
    await damaged(gear, INTENTS, begun.revert or "")
    box = await seen(gear, intent.id)
    assert (box.state, box.revert, box.revert_state, box.unreadable) == ("reverted", begun.revert, None, ["revert"])


async def test_a_damaged_entry_is_named_and_hides_no_other_change(
    gear: Switchgear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What somebody did and can be read is shown; that something cannot is said."""
    intent = await unlocked(acting(gear))
    desk = acting(gear).time_boxes
    await desk.extend(intent.id, seconds=60, reason="not finished")
    await desk.extend(intent.id, seconds=60, reason="still not finished")
    entries = gear.engine.time_boxes.desk.entries

    async def with_damage(box: TimeBox) -> AsyncIterator[Entry]:
        read = [entry async for entry in entries(box)]
        for entry in (read[0], structs.replace(read[1], body=b"", hash=b""), read[2]):
            yield entry

    monkeypatch.setattr(gear.engine.time_boxes.desk, "entries", with_damage)
    box = await seen(gear, intent.id)
    assert [(change.reason, change.seconds) for change in box.changes] == [("still not finished", None)]
    assert box.unreadable == ["events"]


async def test_every_change_of_many_is_shown(gear: Switchgear) -> None:
    """The view needs no maximum of its own: a box is extended only so many times."""
    intent = await unlocked(acting(gear))
    desk = acting(gear).time_boxes
    for number in range(EXTENSIONS_MAX):
        await desk.extend(intent.id, seconds=1, reason=f"reason {number}")
    with pytest.raises(Conflict, match="100 times"):
        await desk.extend(intent.id, seconds=1, reason="once more")
    box = await desk.show(intent.id)
    assert [change.reason for change in box.changes] == [f"reason {number}" for number in range(EXTENSIONS_MAX)]
    assert len(await desk.events(intent.id)) == EXTENSIONS_MAX + 1


async def test_who_asks_for_a_box_that_is_none_is_told_what_the_id_is(gear: Switchgear) -> None:
    """The id of an action is no typing error: what the action is, and why it has no box, is said to who may see it."""
    acme = acting(gear)
    lasting = await acme.submit("door.lock", {"name": "side"}, key="lasting")
    await lasting.result(timeout=60)
    box = await unlocked(acme)
    reverting = (await acme.time_boxes.revert(box.id, reason="finished")).revert
    later = await acme.submit("door.unlock", {"name": "attic"}, key="later", revert_after=60, delay=3600)
    await no_box(acme, lasting.id, "it is an action of door.lock, which is succeeded and was submitted without one")
    await no_box(acme, str(reverting), f"it is what reverts {box.id}")
    await no_box(acme, later.id, "has no time-box yet: it begins when the action leaves")
    await later.cancel()
    await no_box(acme, later.id, "it is an action of door.unlock, which is cancelled and began none")


async def test_what_an_id_is_stays_with_who_may_see_it(gear: Switchgear) -> None:
    """Law 9: another tenant, and who may not read actions, hear of no such thing; an id of nothing is one."""
    intent = await acting(gear).submit("door.lock", {"name": "side"}, key="k")
    acme = acting(gear).principal
    blind = replace(acme, permissions=acme.permissions - {"intents:read"})
    other = gear.acting_as(tenant="other", account="main", actor="person:ann").principal
    for who, name in ((blind, intent.id), (other, intent.id), (acme, f"int_{'0' * 32}")):
        with pytest.raises(Denied, match=f"there is no time-box '{name}'") as refusal:
            await gear.control.time_boxes.show(who, name)
        assert refusal.value.state == ""
