"""An action is shown whole: what became of a doubt about it, what it belongs to, what caused it. To its tenant only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from switchgear import Switchgear
from switchgear.assembly.acting import Acting
from switchgear.assembly.handles import IntentHandle
from switchgear.control.belongings import ALONE, belongings_of
from switchgear.control.intent_views import IntentView
from switchgear.core.errors import Denied, NotApplied
from switchgear.execution.contract import Call
from switchgear.execution.sagas.book import SAGAS
from switchgear.execution.time_boxes import box as boxes
from switchgear.health import Dependency
from switchgear.storage.abilities import Append, Write

RESERVE = {"tool": "hotel.reserve", "name": "reserve", "arguments": {"room": "7"}}
REFUSE = {"tool": "hotel.refuse", "arguments": {"room": "7"}}


@pytest.fixture
async def gear() -> AsyncIterator[Switchgear]:
    """A running gear in memory, with tools that are undone, reverted, looked up, and those that never answer."""
    async with Switchgear.open(store="memory://") as gear:
        gear.dependency(Dependency("user", kind="http"))
        for _ in range(2):
            gear.health.observe("user", "positive", "probe")
        _register(gear)
        yield gear


def _register(gear: Switchgear) -> None:
    @gear.tool("mail.send", effect="opaque", attempts=1)
    async def send(_call: Call) -> None:
        raise TimeoutError("no answer")

    @gear.tool("user.delete", effect="opaque", destructive=True)
    async def delete(_call: Call) -> None:
        raise TimeoutError("no answer")

    @gear.tool("door.lock", effect="natural", resource="door/{name}")
    async def lock(_call: Call, name: str) -> str:
        return name

    @gear.tool("door.unlock", effect="natural", resource="door/{name}", revert="door.lock")
    async def unlock(_call: Call, name: str) -> str:
        return name

    @gear.tool("hotel.release", effect="keyed")
    async def release(_call: Call, room: str) -> str:
        return room

    @gear.tool("hotel.reserve", effect="keyed", compensate="hotel.release")
    async def reserve(_call: Call, room: str) -> dict[str, str]:
        return {"id": room}

    @gear.tool("hotel.refuse", effect="keyed", attempts=1)
    async def refuse(_call: Call, room: str) -> None:
        raise NotApplied(f"no room {room}")


def acting(gear: Switchgear, actor: str = "person:ann", tenant: str = "acme") -> Acting:
    """Return the gear as one caller sees it."""
    return gear.acting_as(tenant=tenant, account="main", actor=actor)


async def doubtful(acme: Acting, tool: str = "mail.send", key: str = "k") -> IntentHandle:
    """Submit what never answers, and wait until it is in doubt."""
    handle = await acme.submit(tool, {}, key=key)
    assert (await handle.result(timeout=60)).state == "in_doubt"
    return handle


async def seen_everywhere(gear: Switchgear, intent_id: str) -> IntentView:
    """Return an intent as it is shown: alone, in a list, and after a wait, where it is the same."""
    acme = acting(gear)
    alone = (await acme.intent(intent_id)).view
    listed = next(handle.view for handle in await acme.intents(limit=200) if handle.id == intent_id)
    waited = await gear.control.intents.wait(acme.principal, intent_id, 0.0)
    assert alone == listed == waited.view
    return alone


@pytest.mark.parametrize(
    ("verdict", "state"), [("applied", "succeeded"), ("not_applied", "dead_lettered"), ("abandon", "dead_lettered")]
)
async def test_a_resolution_is_shown_with_who_when_and_why(gear: Switchgear, verdict: str, state: str) -> None:
    """Whatever was said: the word, the person, the evidence, and the doubt that it ended."""
    handle = await doubtful(acting(gear))
    doubt = handle.view
    answered = await handle.resolve(verdict, evidence="asked the postmaster")
    view = await seen_everywhere(gear, handle.id)
    assert view == answered
    assert view.resolution is not None
    said = view.resolution
    assert (view.state, said.verdict, said.by, said.evidence) == (state, verdict, "person:ann", "asked the postmaster")
    assert (said.awaits, said.next_step, said.lookup, len(said.words)) == (None, None, None, 1)
    assert said.at >= (said.doubt.since or 0.0)
    assert (said.doubt.since, said.doubt.code, said.doubt.message) == (doubt.doubt_since, doubt.code, doubt.message)


async def test_what_awaits_a_second_person_says_so_and_on_which_evidence(gear: Switchgear) -> None:
    """The second one reads what the first has found and would record; then both stand there."""
    ann, ben = acting(gear), acting(gear, "person:ben")
    handle = await doubtful(ann, "user.delete")
    await handle.resolve("applied", evidence="gone from the list", value={"id": 7})
    asked = (await seen_everywhere(gear, handle.id)).resolution
    assert asked is not None
    assert (asked.awaits, asked.verdict, asked.by) == ("second_person", "applied", "person:ann")
    assert (asked.evidence, asked.proposed_value) == ("gone from the list", {"id": 7})
    assert asked.doubt.since == handle.view.doubt_since
    await (await ben.intent(handle.id)).resolve("applied", evidence="404", value={"id": 7})
    said = (await seen_everywhere(gear, handle.id)).resolution
    assert said is not None
    first, second = said.words
    assert (said.awaits, said.by, said.evidence, said.proposed_value) == (None, "person:ben", "404", None)
    assert (first.by, first.at, first.evidence) == ("person:ann", asked.at, "gone from the list")
    assert (second.by, second.evidence, second.verdict) == ("person:ben", "404", "applied")


async def test_a_disagreement_is_an_answer_of_its_own(gear: Switchgear) -> None:
    """No verdict: who said what on which evidence, in the view and as events; a third person ends it."""
    ann, ben = acting(gear), acting(gear, "person:ben")
    handle = await doubtful(ann, "user.delete")
    await handle.resolve("applied", evidence="gone from the list", value={"id": 7})
    view = await (await ben.intent(handle.id)).resolve("not_applied", evidence="still in the backup")
    assert view == await seen_everywhere(gear, handle.id)
    said = view.resolution
    assert said is not None
    assert (view.state, said.verdict, said.by, said.evidence, said.awaits) == (
        *("needs_operator", None, None, None, "agreement"),
    )
    assert [(word.by, word.verdict, word.evidence, word.proposed_value) for word in said.words] == [
        ("person:ann", "applied", "gone from the list", {"id": 7}),
        ("person:ben", "not_applied", "still in the backup", None),
    ]
    assert said.next_step is not None
    assert "person:ann says applied and person:ben says not_applied" in said.next_step
    kim = await acting(gear, "person:kim").intent(handle.id)
    settled = (await kim.resolve("applied", evidence="asked the owner", value={"id": 7})).resolution
    assert settled is not None
    assert (settled.verdict, settled.awaits, [word.by for word in settled.words]) == (
        *("applied", None, ["person:ann", "person:ben", "person:kim"]),
    )
    told = [event.facts for event in await handle.events() if "verdict" in event.facts]
    assert [fact.get("awaits") for fact in told] == ["second_person", "agreement", None]
    assert told[-1]["proposed_by"] == "person:ann"
    assert (await gear.control.ledger.verify(ann.principal)).ok


async def test_new_evidence_of_the_same_person_is_on_record(gear: Switchgear) -> None:
    """It is shown instead of the old one, both are events, and it settles nothing."""
    handle = await doubtful(acting(gear), "user.delete")
    await handle.resolve("applied", evidence="gone from the list")
    view = await handle.resolve("applied", evidence="and 404 for /users/7")
    assert view.resolution is not None
    assert (view.resolution.awaits, view.resolution.evidence) == ("second_person", "and 404 for /users/7")
    told = [event.payload["evidence"] for event in await handle.events() if "verdict" in event.facts]
    assert told == ["gone from the list", "and 404 for /users/7"]


async def test_what_a_lookup_found_out_names_the_lookup(gear: Switchgear) -> None:
    """No person said it, so none is named; the lookup says what it serves, and as what."""
    looked_up = asyncio.Event()

    async def find(call: Call) -> object:
        looked_up.set()
        return {"key": call.about}

    @gear.tool("crm.order", effect="reconcilable", lookup=find, settle_delay=0.01)
    async def order(_call: Call) -> None:
        raise TimeoutError("no answer")

    handle = await acting(gear).submit("crm.order", {}, key="k")
    await looked_up.wait()
    await gear.run_until_idle()
    said = (await seen_everywhere(gear, handle.id)).resolution
    assert said is not None
    assert (said.verdict, said.by, said.evidence, said.doubt.code is not None) == ("applied", None, None, True)
    assert said.lookup is not None
    cause = (await seen_everywhere(gear, said.lookup)).causation
    assert cause is not None
    assert (cause.kind, cause.intent, cause.saga) == ("lookup", handle.id, None)


async def test_erased_evidence_is_not_shown_any_more(gear: Switchgear) -> None:
    """What a person said goes with the payloads; that it was said, by whom and when, stays, and the fold agrees."""
    ann, ben = acting(gear), acting(gear, "person:ben")
    handle = await doubtful(ann, "user.delete")
    await handle.resolve("applied", evidence="nowhere in the list")
    await (await ben.intent(handle.id)).resolve("applied", evidence="nowhere in the list")
    await gear.control.keeping.erase(ann.principal, handle.id, reason="request 17")
    said = (await seen_everywhere(gear, handle.id)).resolution
    assert said is not None
    assert [(word.by, word.evidence) for word in said.words] == [("person:ann", None), ("person:ben", None)]
    assert (said.by, said.evidence) == ("person:ben", None)
    assert b"nowhere" not in msgspec.json.encode(await seen_everywhere(gear, handle.id))
    assert (await gear.control.ledger.verify(ann.principal)).ok


async def test_an_action_names_its_time_box_and_the_revert_its_action(gear: Switchgear) -> None:
    """Until when it holds, how often that was moved, what reverts it, and who began that early."""
    acme = acting(gear)
    handle = await acme.submit("door.unlock", {"name": "front"}, key="k", revert_after=3600)
    await handle.result(timeout=60)
    await acme.time_boxes.extend(handle.id, seconds=60, reason="not finished")
    box = (await seen_everywhere(gear, handle.id)).time_box
    assert box is not None
    assert (box.state, box.extensions, box.revert, box.begun_by) == ("open", 1, None, None)
    assert box.reverts_at == pytest.approx(box.opened_at + 3660)
    begun = await acting(gear, "person:ben").time_boxes.revert(handle.id, reason="finished")
    revert = await acme.intent(begun.revert or "")
    await revert.result(timeout=60)
    await gear.run_until_idle()
    box = (await seen_everywhere(gear, handle.id)).time_box
    assert box is not None
    assert (box.revert, box.begun_by, box.begun_early) == (revert.id, "person:ben", True)
    cause = (await seen_everywhere(gear, revert.id)).causation
    assert cause is not None
    assert (cause.kind, cause.intent) == ("revert", handle.id)


async def test_a_step_names_its_saga_and_what_undoes_it_names_both(gear: Switchgear) -> None:
    """From either action one gets to the other, and to the saga."""
    saga = await acting(gear).saga([RESERVE, REFUSE], key="k")
    step = (await saga.result(timeout=60)).steps[0]
    assert step.intent is not None
    assert step.compensation is not None
    for intent, kind, about in ((step.intent, "step", None), (step.compensation, "compensate", step.intent)):
        view = await seen_everywhere(gear, intent)
        assert view.saga is not None
        assert view.causation is not None
        assert (view.saga.id, view.saga.saga_state, view.saga.step) == (saga.id, "compensated", "reserve")
        assert (view.saga.intent, view.saga.compensation) == (step.intent, step.compensation)
        assert (view.purpose, view.causation.kind, view.causation.intent) == (kind, kind, about)
        assert view.causation.saga == saga.id


async def test_an_execution_anew_names_its_generation_and_who_asked(gear: Switchgear) -> None:
    """What a replay does has a cause of its own; a mere look at it is none, and does not hide it."""
    handle = await acting(gear).submit("hotel.refuse", {"room": "7"}, key="k")
    await handle.result(timeout=60)
    before = await seen_everywhere(gear, handle.id)
    assert (before.generation, before.replay, before.causation) == (1, None, None)
    await handle.replay(mode="re-execute", reason="the hotel is back", wait=10.0)
    view = await seen_everywhere(gear, handle.id)
    assert view.replay is not None
    assert view.causation is not None
    assert (view.generation, view.replay.mode, view.replay.requested_by) == (2, "re-execute", "person:ann")
    assert (view.causation.kind, view.causation.intent, view.causation.by) == ("replay", handle.id, "person:ann")
    await handle.replay(mode="verify", reason="audit", wait=10.0)
    view = await seen_everywhere(gear, handle.id)
    assert view.replay is not None
    assert view.causation is not None
    assert (view.replay.mode, view.causation.kind, view.causation.by) == ("verify", "replay", None)


async def test_a_new_doubt_and_a_new_generation_begin_without_a_word(gear: Switchgear) -> None:
    """What was said of an earlier doubt is no word on this one."""
    handle = await doubtful(acting(gear))
    await handle.resolve("not_applied", evidence="asked the postmaster")
    assert handle.view.resolution is not None
    await handle.replay(mode="re-execute", reason="again", wait=10.0)
    view = await seen_everywhere(gear, handle.id)
    assert (view.state, view.generation, view.resolution) == ("in_doubt", 2, None)


async def test_law_9_what_an_action_belongs_to_is_its_tenant_s_alone(gear: Switchgear) -> None:
    """Neither the action nor what it belongs to exists for somebody else."""
    saga = await acting(gear).saga([RESERVE, REFUSE], key="k")
    step = (await saga.result(timeout=60)).steps[0]
    rival = acting(gear, tenant="rival")
    for intent in (step.intent, step.compensation):
        with pytest.raises(Denied):
            await rival.intent(intent or "")
    assert await rival.intents() == []
    found = await gear.engine.intent("acme", step.intent or "")
    assert (await belongings_of(gear.engine, found)).saga is not None
    foreign = msgspec.structs.replace(found, tenant="rival")
    assert await belongings_of(gear.engine, foreign) == ALONE, "a parent that is another tenant's is not read"


@pytest.mark.parametrize(("space", "named"), [(boxes.SPACE, "time_box"), (SAGAS, "saga")])
async def test_what_is_damaged_is_named_and_hides_no_action(gear: Switchgear, space: str, named: str) -> None:
    """One row that cannot be read leaves the action, and the list that it stands in, to be read."""
    acme = acting(gear)
    held = await acme.submit("door.unlock", {"name": "front"}, key="k", revert_after=3600)
    await held.result(timeout=60)
    saga = await acme.saga([RESERVE], key="k")
    step = (await saga.result(timeout=60)).steps[0].intent or ""
    key, about = (held.id, held.id) if space == boxes.SPACE else (saga.id, step)
    row = await gear.store.get(space, "acme", key)
    assert row is not None
    damage = Write(space, key, row.version, b"{}", row.facet)
    await gear.store.append(Append("apd_" + "0" * 32, "acme", (), (damage,)))
    view = await seen_everywhere(gear, about)
    assert (view.state, view.time_box, view.saga, view.unreadable) == ("succeeded", None, None, [named])
