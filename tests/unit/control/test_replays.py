"""Replays as a caller asks for them: of one action, of another tenant's, and of many."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from switchgear.assembly import Switchgear
from switchgear.assembly.acting import Acting
from switchgear.control.replays import ReplayFilter
from switchgear.core.errors import Conflict, Denied, Invalid, NotApplied
from switchgear.execution.contract import Call

REFUSED: set[str] = set()
SILENT: set[str] = set()


class RefusedError(Exception):
    """The remote says no."""


@pytest.fixture
async def gear() -> AsyncIterator[Switchgear]:
    """A running gear with a tool that does as the sets above say."""
    REFUSED.clear()
    SILENT.clear()
    async with Switchgear.open(store="memory://") as gear:

        @gear.tool("crm.order", effect="opaque", attempts=1)
        async def order(call: Call, name: str) -> str:
            if name in SILENT:
                raise TimeoutError(name)
            if name in REFUSED:
                raise NotApplied(name)
            return name

        @gear.tool("crm.read", effect="read_only", attempts=1)
        async def look(call: Call, name: str) -> str:
            if name in REFUSED:
                raise RefusedError(name)
            return name

        yield gear


def acme(gear: Switchgear) -> Acting:
    """Return one tenant's view of the gear."""
    return gear.acting_as(tenant="acme", account="main", actor="person:ann")


async def read_in_vain(gear: Switchgear, *names: str) -> list[str]:
    """Read what is refused, and return the ids of the failed actions."""
    REFUSED.update(names)
    ids = []
    for name in names:
        handle = await acme(gear).submit("crm.read", {"name": name})
        assert (await handle.result(10.0)).state == "failed"
        ids.append(handle.id)
    REFUSED.clear()
    return ids


async def test_a_replay_answers_with_its_end_and_its_intent(gear: Switchgear) -> None:
    """Over Python as over REST: result or cause, and the action as it is then."""
    (failed,) = await read_in_vain(gear, "a")
    handle = await acme(gear).intent(failed)
    replay = await handle.replay(mode="re-execute", reason="the remote is back", wait=10.0)
    assert (replay.result, replay.cause, replay.ended) == ("executed", None, True)
    assert (replay.requested_by, replay.mode) == ("person:ann", "re-execute")
    assert (handle.state, handle.view.value, handle.view.generation) == ("succeeded", "a", 2)
    verified = await handle.replay(mode="verify", reason="audit")
    assert verified.result == "verified"


async def test_law_9_a_missing_and_a_foreign_intent_are_the_same_answer(gear: Switchgear) -> None:
    """404 for both, word for word, and nothing on record."""
    (foreign,) = await read_in_vain(gear, "a")
    globex = gear.acting_as(tenant="globex", account="main", actor="person:eve")
    answers = []
    for intent_id in (foreign, "int_" + "0" * 32):
        with pytest.raises(Denied) as refusal:
            await gear.control.replays.replay(globex.principal, intent_id, mode="verify", reason="because")
        answers.append(str(refusal.value.to_dict()).replace(intent_id, "ID"))
    assert answers[0] == answers[1]


async def test_many_are_replayed_one_after_the_other(gear: Switchgear) -> None:
    """Newest first, each alone, and the cursor goes on."""
    ids = await read_in_vain(gear, "a", "b", "c")
    first = await acme(gear).replay_intents(mode="re-execute", reason="it is back", state="failed", limit=2, rate=1_000)
    assert [(item.id, item.result) for item in first.items] == [(ids[2], "executed"), (ids[1], "executed")]
    assert (first.stopped, first.next_cursor) == (None, ids[1])
    rest = await acme(gear).replay_intents(
        mode="verify", reason="audit", tool="crm.read", before=first.next_cursor, rate=1_000
    )
    assert [(item.id, item.result) for item in rest.items] == [(ids[0], "verified")]
    assert rest.next_cursor is None


async def test_many_stop_at_the_first_that_comes_in_doubt(gear: Switchgear) -> None:
    """What follows is not tried: first find out what became of this one."""
    acting = acme(gear)
    REFUSED.update("abc")
    for name in "abc":
        await (await acting.submit("crm.order", {"name": name}, key=name)).result(10.0)
    REFUSED.clear()
    SILENT.add("b")
    done = await acting.replay_intents(mode="re-execute", reason="it is back", tool="crm.order", rate=1_000)
    assert [(item.result, item.cause) for item in done.items] == [("executed", None), (None, "in_doubt")]
    assert done.stopped == "in_doubt"
    assert done.next_cursor == done.items[-1].id


async def test_one_that_cannot_be_replayed_never_stops_the_others(gear: Switchgear) -> None:
    """What is in doubt already is named and passed over; the one behind it is replayed."""
    acting = acme(gear)
    SILENT.add("b")
    for name in ("a", "b"):
        await (await acting.submit("crm.order", {"name": name}, key=name)).result(10.0)
    done = await acting.replay_intents(mode="resume", reason="drill", since=0.0, rate=1_000)
    assert [(item.result, item.cause) for item in done.items] == [(None, "in_doubt"), ("already_executed", None)]
    assert done.stopped is None


@pytest.mark.parametrize(
    "options",
    [
        {"state": "asleep"},
        {"state": "held", "rate": 0.0},
        {"state": "held", "rate": 1e9},
        {"tool": "x", "limit": 0},
    ],
)
def test_a_bulk_is_bounded(options: dict[str, object]) -> None:
    """Places, rates and states that cannot be are refused."""
    with pytest.raises(Invalid):
        ReplayFilter(**options)  # type: ignore[arg-type]  # that is the point


async def test_nobody_executes_everything_anew_by_leaving_something_out(gear: Switchgear) -> None:
    """Looking at everything is harmless; to do everything once more, say what."""
    (failed,) = await read_in_vain(gear, "a")
    nothing = await acme(gear).replay_intents(mode="re-execute", reason="drill")
    assert (nothing.items, nothing.stopped) == ([], "unfiltered")
    looked = await acme(gear).replay_intents(mode="verify", reason="drill")
    assert [(item.id, item.result) for item in looked.items] == [(failed, "verified")]


@pytest.mark.parametrize(("mode", "reason", "wait"), [("again", "x", 0.0), ("verify", " ", 0.0), ("verify", "x", 61.0)])
async def test_a_replay_that_cannot_be_is_refused(gear: Switchgear, mode: str, reason: str, wait: float) -> None:
    """Bad wishes are answers with the reason."""
    (failed,) = await read_in_vain(gear, "a")
    with pytest.raises(Invalid):
        await (await acme(gear).intent(failed)).replay(mode=mode, reason=reason, wait=wait)


async def test_a_second_bulk_at_once_is_refused(gear: Switchgear) -> None:
    """One a tenant, so that its rate is the rate."""
    control = gear.control.replays
    control._under_way.add("acme")  # noqa: SLF001 - as if one were under way
    with pytest.raises(Conflict):
        await acme(gear).replay_intents(mode="verify", reason="audit", state="failed")
