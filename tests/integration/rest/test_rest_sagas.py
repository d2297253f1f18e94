"""Sagas over REST, against a real gear on a SQLite file."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from switchgear.assembly.gear import Switchgear
from switchgear.core.errors import NotApplied
from switchgear.execution.contract import Call
from tests.integration.rest.support import Clients

KEY = {"Idempotency-Key": '"order-17"'}
RESERVE = {"tool": "hotel.reserve", "name": "reserve", "arguments": {"room": "7"}}
CHARGE = {"tool": "hotel.charge", "arguments": {"booking": {"$step": "reserve", "path": "id"}, "amount": 20}}


@pytest.fixture
def undone(gear: Switchgear) -> list[str]:
    """Register tools that can be undone, and return what was."""
    bookings: list[str] = []

    @gear.tool("hotel.release", effect="keyed")
    async def release(call: Call, room: str) -> None:
        assert call.about is not None
        if room == "stuck":
            raise NotApplied("the hotel does not answer")
        bookings.append(room)

    @gear.tool("hotel.reserve", effect="keyed", compensate="hotel.release")
    async def reserve(_call: Call, room: str) -> dict[str, str]:
        return {"id": f"booking-{room}"}

    @gear.tool("hotel.charge", effect="keyed")
    async def charge(_call: Call, booking: str, amount: int) -> str:
        if amount > 100:
            raise NotApplied("the card was refused")
        return f"{booking}: {amount}"

    return bookings


def body(*steps: Mapping[str, Any], account: str = "main") -> dict[str, Any]:
    """Return the body of a submission."""
    return {"steps": list(steps), "account": account}


async def ended(client: httpx2.AsyncClient, saga: str) -> dict[str, Any]:
    """Return the saga once it is at its end or stuck; the test's own time bounds the wait."""
    while True:
        view: dict[str, Any] = (await client.get(f"/v1/sagas/{saga}")).json()
        if view["final"] or view["stuck"]:
            return view
        await asyncio.sleep(0.01)


@pytest.mark.usefixtures("undone")
async def test_a_saga_is_accepted_at_once_and_found_where_the_answer_says(client: Clients) -> None:
    """202 with a location; a repeat is marked, and is 200 once the saga is at its end."""
    acme = client()
    accepted = await acme.post("/v1/sagas", json=body(RESERVE, CHARGE), headers=KEY)
    assert (accepted.status_code, accepted.json()["state"]) == (202, "running")
    saga = accepted.json()["id"]
    assert accepted.headers["location"] == f"/v1/sagas/{saga}"
    view = await ended(acme, saga)
    assert (view["state"], [step["phase"] for step in view["steps"]]) == ("completed", ["applied", "applied"])
    charged = (await acme.get(f"/v1/intents/{view['steps'][1]['intent']}")).json()
    assert (charged["value"], charged["parent"], charged["purpose"]) == ("booking-7: 20", saga, "step")
    again = await acme.post("/v1/sagas", json=body(RESERVE, CHARGE), headers=KEY)
    assert (again.status_code, again.json()["id"], again.headers["idempotency-replayed"]) == (200, saga, "true")
    other = await acme.post("/v1/sagas", json=body(RESERVE), headers=KEY)
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_CONFLICT")


async def test_what_succeeded_is_undone_and_on_record(client: Clients, undone: list[str]) -> None:
    """The view says why, the ledger says what, and in which order."""
    acme = client()
    dear = {**CHARGE, "arguments": {**CHARGE["arguments"], "amount": 900}}  # type: ignore[dict-item]  # it is one
    saga = (await acme.post("/v1/sagas", json=body(RESERVE, dear), headers=KEY)).json()["id"]
    view = await ended(acme, saga)
    assert (view["state"], view["code"], view["message"]) == ("compensated", "TOOL_FAILED", "the card was refused")
    assert undone == ["7"]
    events = (await acme.get(f"/v1/sagas/{saga}/events")).json()["items"]
    assert [event["type"].removeprefix("saga.") for event in events] == [
        "accepted",
        "step_started",
        "step_succeeded",
        "step_started",
        "step_failed",
        "compensation_started",
        "step_compensated",
        "compensated",
    ]


@pytest.mark.usefixtures("undone")
async def test_a_saga_is_waited_for_until_its_end(client: Clients) -> None:
    """`Prefer: wait` answers 200 with the end, and says that it was heard; a repeat is still marked as one."""
    acme = client()
    waiting = {**KEY, "Prefer": "wait=60"}
    answer = await acme.post("/v1/sagas", json=body(RESERVE, CHARGE), headers=waiting)
    assert (answer.status_code, answer.json()["state"], answer.json()["replayed"]) == (200, "completed", False)
    assert answer.headers["preference-applied"] == "wait=60"
    assert answer.headers["location"] == f"/v1/sagas/{answer.json()['id']}"
    again = await acme.post("/v1/sagas", json=body(RESERVE, CHARGE), headers=waiting)
    assert (again.status_code, again.json()["replayed"], again.headers["idempotency-replayed"]) == (200, True, "true")
    assert "preference-applied" not in again.headers  # it was at its end: nothing was waited for
    refused = await acme.post("/v1/sagas", json=body(RESERVE), headers={**KEY, "Prefer": "wait=long"})
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.usefixtures("undone")
async def test_a_wait_for_a_saga_ends_with_what_there_is(client: Clients, gear: Switchgear) -> None:
    """202 when the time is up or it is stuck; a look waits as well, and is 200 whatever it sees."""
    acme = client()
    gate = asyncio.Event()

    @gear.tool("hotel.dawdle", effect="keyed")
    async def dawdle(_call: Call) -> str:
        await gate.wait()
        return "done"

    step = {"tool": "hotel.dawdle"}
    running = await acme.post("/v1/sagas", json=body(step), headers={**KEY, "Prefer": "wait=1"})
    assert (running.status_code, running.json()["state"]) == (202, "running")
    assert running.headers["preference-applied"] == "wait=1"
    path = f"/v1/sagas/{running.json()['id']}"
    assert (await acme.get(path, headers={"Prefer": "wait=0"})).json()["state"] == "running"
    gate.set()
    seen = await acme.get(path, headers={"Prefer": "wait=60"})
    assert (seen.status_code, seen.json()["state"]) == (200, "completed")
    reserve = {**RESERVE, "arguments": {"room": "stuck"}}
    dear = {"tool": "hotel.charge", "arguments": {"booking": "x", "amount": 900}}
    stuck = await acme.post(
        "/v1/sagas", json=body(reserve, dear), headers={"Idempotency-Key": "stuck", "Prefer": "wait=60"}
    )
    assert (stuck.status_code, stuck.json()["state"]) == (202, "stuck")


@pytest.mark.usefixtures("undone")
async def test_who_may_not_read_sagas_is_not_waited_for(client: Clients) -> None:
    """A wait tells how a saga ends, so it needs the permission to look; the submission itself is answered at once."""
    with capture_logs() as lines:
        answer = await client(scope=("sagas:submit",)).post(
            "/v1/sagas", json=body(RESERVE, CHARGE), headers={**KEY, "Prefer": "wait=60"}
        )
    assert (answer.status_code, "preference-applied" in answer.headers) == (202, False)
    assert "wait ended early" not in [line["event"] for line in lines]


@pytest.mark.usefixtures("undone")
async def test_a_stuck_saga_is_listed_and_resumed(client: Clients) -> None:
    """It names its step and what to do; a person's word lets it go on."""
    acme = client()
    reserve = {**RESERVE, "arguments": {"room": "stuck"}}
    dear = {"tool": "hotel.charge", "arguments": {"booking": "x", "amount": 900}}
    saga = (await acme.post("/v1/sagas", json=body(reserve, dear), headers=KEY)).json()["id"]
    stuck = await ended(acme, saga)
    assert (stuck["state"], stuck["stuck"]["step"], stuck["stuck"]["intent"]) == ("stuck", "reserve", None)
    listed = (await acme.get("/v1/sagas", params={"state": "stuck"})).json()
    assert [item["id"] for item in listed["items"]] == [saga]
    said = await acme.post(f"/v1/sagas/{saga}/resume", json={"how": "done", "reason": "called the hotel"})
    assert said.status_code == 200
    view = await ended(acme, saga)
    assert (view["state"], view["stuck"]) == ("compensated", None)
    late = await acme.post(f"/v1/sagas/{saga}/cancel", json={"reason": "too late"})
    assert (late.status_code, late.json()["code"]) == (409, "ILLEGAL_TRANSITION")


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (body(), 400, "INVALID_ARGUMENT"),
        (body({"tool": "hotel.nothing"}), 404, "NOT_FOUND"),
        (body({**CHARGE, "arguments": {"booking": "x", "amount": 1}}, RESERVE), 400, "INVALID_ARGUMENT"),
        (body({**RESERVE, "unknown": 1}), 400, "INVALID_ARGUMENT"),
        (body(RESERVE, account="other"), 403, "PERMISSION_DENIED"),
    ],
)
@pytest.mark.usefixtures("undone")
async def test_a_saga_that_cannot_be_is_refused(client: Clients, sent: dict[str, Any], status: int, code: str) -> None:
    """Before anything is recorded, with the code that says why."""
    answer = await client().post("/v1/sagas", json=sent, headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.usefixtures("undone")
async def test_law_9_another_tenants_saga_does_not_exist(client: Clients) -> None:
    """Nothing of it is seen or changed."""
    saga = (await client().post("/v1/sagas", json=body(RESERVE), headers=KEY)).json()["id"]
    rival = client("rival")
    for method, tail, sent in (
        ("GET", "", None),
        ("GET", "/events", None),
        ("POST", "/cancel", {"reason": "x"}),
        ("POST", "/resume", {"how": "done", "reason": "x"}),
    ):
        answer = await rival.request(method, f"/v1/sagas/{saga}{tail}", json=sent)
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert (await rival.get("/v1/sagas")).json()["items"] == []
