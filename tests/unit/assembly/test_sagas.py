"""Sagas in Python: a handle on one, a desk for many, and how a tool names what undoes it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from switchgear.assembly import Switchgear
from switchgear.assembly.acting import Acting
from switchgear.core.errors import Conflict, DeadlineExceeded, Denied, Invalid, NotApplied
from switchgear.execution.contract import Call

RESERVE = {"tool": "hotel.reserve", "name": "reserve", "arguments": {"room": "7"}}
CHARGE = {"tool": "hotel.charge", "arguments": {"booking": {"$step": "reserve", "path": "id"}}}
REFUSE = {"tool": "hotel.refuse"}


@pytest.fixture
async def acme() -> AsyncIterator[Acting]:
    """One tenant of a gear in memory, with a hotel that releases what it reserved."""
    async with Switchgear.open(store="memory://") as gear:

        @gear.tool("hotel.release", effect="keyed")
        async def release(_call: Call, room: str) -> None:
            if room == "stuck":
                raise NotApplied("the hotel does not answer")

        @gear.tool("hotel.reserve", effect="keyed", compensate="hotel.release")
        async def reserve(_call: Call, room: str) -> dict[str, str]:
            return {"id": f"booking-{room}"}

        @gear.tool("hotel.charge", effect="keyed")
        async def charge(_call: Call, booking: str) -> str:
            return booking

        @gear.tool("hotel.refuse", effect="keyed")
        async def refuse(_call: Call) -> None:
            raise NotApplied("no")

        yield gear.acting_as(tenant="acme", account="main", actor="service:trips")


async def test_a_handle_waits_for_the_end_and_shows_the_ledger(acme: Acting) -> None:
    """The same key is the same saga; its events are on record in order."""
    saga = await acme.saga([RESERVE, CHARGE], key="trip-1")
    assert (await saga.result(timeout=60)).state == "completed"
    again = await acme.saga([RESERVE, CHARGE], key="trip-1")
    assert (again.id, again.view.replayed, again.state) == (saga.id, True, "completed")
    assert [(await one.result()).replayed for one in (saga, again)] == [False, True]
    types = [event.type for event in await saga.events()]
    assert (types[0], types[-1]) == ("saga.accepted", "saga.completed")
    charged = await acme.intent(str(saga.view.steps[1].intent))
    assert charged.view.value == "booking-7"
    with pytest.raises(Conflict):
        await saga.cancel("too late")


async def test_a_stuck_saga_is_an_answer_and_is_resumed(acme: Acting) -> None:
    """Whoever waits is told that a person is needed; the desk lists what is stuck."""
    saga = await acme.saga([{**RESERVE, "arguments": {"room": "stuck"}}, REFUSE], key="trip-2")
    stuck = await saga.result(timeout=60)
    assert (stuck.state, stuck.stuck and stuck.stuck.step) == ("stuck", "reserve")
    assert [found.id for found in await acme.sagas.list(state="stuck")] == [saga.id]
    assert (await saga.resume("done", reason="called the hotel")).state == "compensated"
    found = await acme.sagas.get(saga.id)
    assert (await found.refresh()).final
    assert repr(found) == f"<SagaHandle {saga.id} compensated>"


async def test_pages_of_sagas_go_on_with_the_last_id(acme: Acting) -> None:
    """Newest first, each once."""
    ids = [(await acme.saga([REFUSE], key=f"k{number}")).id for number in range(3)]
    first = await acme.sagas.list(limit=2)
    rest = await acme.sagas.list(limit=2, before=first[-1].id)
    assert [found.id for found in (*first, *rest)] == ids[::-1]


async def test_a_wait_that_is_too_short_says_that_the_saga_goes_on(acme: Acting) -> None:
    """It is no failure of the saga."""
    saga = await acme.saga([RESERVE, CHARGE], key="trip-3")
    with pytest.raises(DeadlineExceeded, match="it goes on"):
        await saga.result(timeout=0)
    assert (await saga.result(timeout=60)).final


async def test_what_cannot_be_is_refused_in_words(acme: Acting) -> None:
    """A typing error in a step, a tool that is not there, a saga that is not there."""
    with pytest.raises(Invalid, match="a step has no 'arg'"):
        await acme.saga([{"tool": "hotel.reserve", "arg": {}}], key="k")
    with pytest.raises(Denied):
        await acme.saga([{"tool": "hotel.other"}], key="k")
    with pytest.raises(Denied):
        await acme.sagas.get("sga_" + "0" * 32)
