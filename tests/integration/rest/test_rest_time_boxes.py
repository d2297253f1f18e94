"""Time-boxes over REST: opening one, looking, reverting early, extending, closing, and what is refused."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx2
import pytest

from switchgear.assembly.gear import Switchgear
from switchgear.control.use_cases import PERMISSIONS
from switchgear.core.errors import NotApplied
from switchgear.execution.contract import Call
from tests.integration.rest.support import Clients

REASON = {"reason": "because"}
SECONDS_MAX = 60.0


@pytest.fixture
def users(gear: Switchgear) -> dict[str, bool]:
    """Register a tool that takes users out of service, and the one that gives them back; ben is back by himself."""
    active = {"ada": True}

    @gear.tool("idp.restore", effect="natural", resource="user/{user}")
    async def restore(_call: Call, user: str, prior: bool) -> None:  # noqa: FBT001 - an argument of a tool
        if active[user]:
            raise NotApplied("changed meanwhile")
        active[user] = prior

    @gear.tool("idp.deactivate", effect="natural", resource="user/{user}", revert="idp.restore")
    async def deactivate(_call: Call, user: str) -> dict[str, bool]:
        prior, active[user] = active.get(user, True), user == "ben"
        return {"prior": prior}

    return active


async def boxed(acme: httpx2.AsyncClient, seconds: float = 3600.0, key: str = "k", user: str = "ada") -> dict[str, Any]:
    """Deactivate a user with a time-box, and return the box."""
    body = {"tool": "idp.deactivate", "arguments": {"user": user}, "account": "main", "revert_after": seconds}
    answer = await acme.post("/v1/intents", json=body, headers={"Idempotency-Key": key, "Prefer": "wait=10"})
    assert (answer.status_code, answer.json()["revert_after"]) == (200, seconds)
    box: dict[str, Any] = (await acme.get(f"/v1/time-boxes/{answer.json()['id']}")).json()
    return box


async def until(acme: httpx2.AsyncClient, box_id: str, state: str) -> dict[str, Any]:
    """Return the box once it is in `state`."""
    ends = time.monotonic() + SECONDS_MAX
    while True:
        box: dict[str, Any] = (await acme.get(f"/v1/time-boxes/{box_id}")).json()
        if box["state"] == state:
            return box
        assert time.monotonic() < ends, box
        await asyncio.sleep(0.02)


async def test_a_box_is_opened_listed_extended_and_reverted(client: Clients, users: dict[str, bool]) -> None:
    """The whole life over REST; repeating the revert changes nothing."""
    acme = client("acme")
    box = await boxed(acme)
    assert (box["state"], box["undo"], box["overdue"], users) == ("open", "idp.restore", False, {"ada": False})
    listed = (await acme.get("/v1/time-boxes", params={"state": "open"})).json()
    assert ([item["id"] for item in listed["items"]], listed["next_cursor"]) == ([box["id"]], None)
    later = (await acme.post(f"/v1/time-boxes/{box['id']}/extend", json={"seconds": 60, **REASON})).json()
    assert (later["reverts_at"], later["extensions"]) == (box["reverts_at"] + 60, 1)
    for _ in range(2):
        begun = await acme.post(f"/v1/time-boxes/{box['id']}/revert", json=REASON)
        assert begun.status_code in {200, 409}
    ended = await until(acme, box["id"], "reverted")
    assert (ended["revert_state"], users) == ("succeeded", {"ada": True})
    assert [(change["kind"], change["seconds"]) for change in ended["changes"]] == [
        *(("extended", 60.0), ("revert_begun", None)),
    ]
    assert {(change["by"], change["reason"]) for change in ended["changes"]} == {("service:acme", REASON["reason"])}
    assert (ended["captured"], ended["revert_attempts"], ended["unreadable"]) == ({"prior": True}, 1, [])
    assert (await acme.get(f"/v1/intents/{ended['intent']}")).json()["time_box"] == ended


@pytest.mark.usefixtures("users")
async def test_the_history_of_a_box_is_a_page_of_entries(client: Clients) -> None:
    """In order, as that of an action is; another tenant's looks like one that does not exist."""
    acme = client("acme")
    box = await boxed(acme)
    await acme.post(f"/v1/time-boxes/{box['id']}/close", json=REASON)
    path = f"/v1/time-boxes/{box['id']}/events"
    page = (await acme.get(path)).json()
    assert [entry["type"] for entry in page["items"]] == ["time_box.opened", "time_box.closed"]
    assert (page["items"][1]["payload"], page["next_after"]) == (REASON, None)
    after = (await acme.get(path, params={"after": page["items"][0]["seq"]})).json()
    assert after["items"] == page["items"][1:]
    assert (await client("rival").get(path)).status_code == 404


async def test_it_ends_by_itself(client: Clients, users: dict[str, bool]) -> None:
    """Nobody has to ask for it."""
    acme = client("acme")
    box = await boxed(acme, 0.1)
    await until(acme, box["id"], "reverted")
    assert users == {"ada": True}


@pytest.mark.usefixtures("users")
async def test_what_needs_a_person_says_so_and_is_closed(client: Clients) -> None:
    """The revert refused: the list names code and reason, and closing leaves things as they are."""
    acme = client("acme")
    box = await boxed(acme, 0.1, user="ben")
    called = await until(acme, box["id"], "needs_operator")
    assert (called["code"], called["message"], called["overdue"]) == ("TOOL_FAILED", "changed meanwhile", True)
    closed = (await acme.post(f"/v1/time-boxes/{box['id']}/close", json=REASON)).json()
    assert (closed["state"], closed["overdue"]) == ("closed", False)


@pytest.mark.usefixtures("users")
async def test_pages_go_on(client: Clients) -> None:
    """Newest first, and each box once."""
    acme = client("acme")
    made = [(await boxed(acme, key=f"k{number}"))["id"] for number in range(3)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await acme.get("/v1/time-boxes", params={"limit": "2", **cursor})).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == made[::-1]


@pytest.mark.parametrize(
    ("verb", "body", "status"),
    [
        ("extend", {"seconds": 0, **REASON}, 400),
        ("extend", {"seconds": 60}, 400),
        ("extend", {"seconds": 31 * 86_400, **REASON}, 400),
        ("revert", {"reason": ""}, 400),
        ("close", {}, 400),
    ],
)
@pytest.mark.usefixtures("users")
async def test_what_cannot_be_is_refused(client: Clients, verb: str, body: dict[str, Any], status: int) -> None:
    """Bounds of an extension, and a reason that is missing."""
    acme = client("acme")
    box = await boxed(acme)
    assert (await acme.post(f"/v1/time-boxes/{box['id']}/{verb}", json=body)).status_code == status


@pytest.mark.parametrize("seconds", [0, -1, 32 * 86_400, "long"])
async def test_a_time_box_out_of_bounds_is_refused(client: Clients, seconds: object) -> None:
    """Above 0 and at most 31 days, as a number."""
    body = {"tool": "crm.update", "arguments": {"contact_id": "7"}, "account": "main", "revert_after": seconds}
    answer = await client("acme").post("/v1/intents", json=body, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 400


async def test_a_tool_without_a_revert_has_no_time_box(client: Clients) -> None:
    """What cannot be undone is refused at the door."""
    body = {"tool": "crm.update", "arguments": {"contact_id": "7"}, "account": "main", "revert_after": 60}
    answer = await client("acme").post("/v1/intents", json=body, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.usefixtures("users")
async def test_law_9_another_tenants_box_does_not_exist(client: Clients) -> None:
    """Neither shown nor listed nor changed."""
    box = await boxed(client("acme"))
    globex = client("globex")
    assert (await globex.get(f"/v1/time-boxes/{box['id']}")).status_code == 404
    assert (await globex.get("/v1/time-boxes")).json()["items"] == []
    for verb, body in (("revert", REASON), ("close", REASON), ("extend", {"seconds": 1, **REASON})):
        assert (await globex.post(f"/v1/time-boxes/{box['id']}/{verb}", json=body)).status_code == 404


@pytest.mark.usefixtures("users")
async def test_to_look_is_not_to_change(client: Clients) -> None:
    """`time_boxes:read` and `time_boxes:change` are two permissions."""
    box = await boxed(client("acme"))
    looking = client("acme", scope=tuple(name for name in PERMISSIONS if name != "time_boxes:change"))
    assert (await looking.get(f"/v1/time-boxes/{box['id']}")).status_code == 200
    assert (await looking.post(f"/v1/time-boxes/{box['id']}/revert", json=REASON)).status_code == 403
