"""The ledger of sagas: archived and erased only once they are at their end, and what is left still folds."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from switchgear import Switchgear
from switchgear.assembly.acting import Acting
from switchgear.core.errors import Conflict, Denied, NotApplied
from switchgear.core.scope import Principal
from switchgear.execution.contract import Call
from switchgear.execution.sagas.book import SAGAS, encoded, folded_saga
from switchgear.ledger.folding import stream_entries
from switchgear.ledger.verify import verify_chain

ALL = frozenset({"ledger:archive", "ledger:erase"})
OPERATOR = Principal("acme", "user:ops", frozenset({"main"}), ALL)
RESERVE = {"tool": "hotel.reserve", "arguments": {"room": "7"}}
REFUSE = {"tool": "hotel.refuse", "arguments": {"room": "7"}}


@pytest.fixture
async def gear() -> AsyncIterator[Switchgear]:
    """A gear whose hotel never releases what it reserved."""
    async with Switchgear.open(store="memory://") as gear:

        @gear.tool("hotel.refuse", effect="keyed")
        async def refuse(_call: Call, room: str) -> None:
            raise NotApplied(f"no room {room}")

        @gear.tool("hotel.reserve", effect="keyed", compensate="hotel.refuse")
        async def reserve(_call: Call, room: str) -> dict[str, str]:
            return {"id": room}

        yield gear


@pytest.fixture
def acme(gear: Switchgear) -> Acting:
    """One tenant."""
    return gear.acting_as(tenant="acme", account="main", actor="service:trips")


async def test_an_open_saga_keeps_its_data_and_its_history(gear: Switchgear, acme: Acting) -> None:
    """A stuck saga may still need what it and its steps hold: nothing of it is erased or archived."""
    saga = await acme.saga([RESERVE, REFUSE], key="k")
    stuck = await saga.result(timeout=60)
    keeping = gear.control.keeping
    for name, words in ((saga.id, "a saga that is stuck still needs"), (str(stuck.steps[0].intent), "its saga still")):
        with pytest.raises(Conflict, match=words):
            await keeping.erase(OPERATOR, name, reason="asked for")
    first = (await saga.events())[0].seq
    assert (await keeping.archivable(OPERATOR, before=10_000)).last_seq < first


async def test_what_has_ended_is_erased_and_still_folds(gear: Switchgear, acme: Acting) -> None:
    """Arguments and messages are gone from rows and entries; states, steps and the chain stay."""
    saga = await acme.saga([RESERVE, REFUSE], key="k")
    await saga.result(timeout=60)
    await saga.resume("done", reason="called the hotel")
    assert (await saga.refresh()).message == "no room 7"
    await gear.control.keeping.erase(OPERATOR, saga.id, reason="asked for")
    bare = await saga.refresh()
    assert (bare.state, bare.message) == ("compensated", "[erased]")
    assert [step.arguments for step in bare.steps] == [{"[erased]": True}] * 2
    row = await gear.store.get(SAGAS, "acme", saga.id)
    assert row is not None
    again = await folded_saga(stream_entries(gear.store, "acme", saga.id))
    assert again is not None
    assert encoded(again) == row.value
    assert (await verify_chain(gear.store, "acme")).problem == ""


async def test_a_saga_that_is_not_there_cannot_be_erased(gear: Switchgear) -> None:
    """Law 9: nor can another tenant's, in the same words."""
    with pytest.raises(Denied):
        await gear.control.keeping.erase(OPERATOR, "sga_" + "0" * 32, reason="asked for")
