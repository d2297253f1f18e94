"""Replays over REST, against a real gear."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2
import pytest

from tests.integration.rest.support import UPDATE, Clients, Upstream

REFUSE = {"tool": "crm.refuse", "arguments": {}, "account": "main"}
SEND = {"tool": "mail.send", "arguments": {}, "account": "main"}
VERIFY = {"mode": "verify", "reason": "audit"}


async def submitted(client: httpx2.AsyncClient, body: Mapping[str, object], key: str = "k") -> str:
    """Submit, wait until it is settled, and return its id."""
    headers = {"Idempotency-Key": key, "Prefer": "wait=10"}
    return str((await client.post("/v1/intents", json=body, headers=headers)).json()["id"])


async def test_replaying_a_success_touches_no_connector(client: Clients, upstream: Upstream) -> None:
    """200 with the result in each mode; the upstream has seen one call."""
    acme = client()
    intent = await submitted(acme, UPDATE)
    results = []
    for mode in ("verify", "resume", "re-execute"):
        answer = await acme.post(f"/v1/intents/{intent}/replay", json={"mode": mode, "reason": "audit"})
        assert answer.status_code == 200
        results.append((answer.json()["result"], answer.json()["cause"]))
    assert results == [("verified", None), ("already_executed", None), ("already_executed", None)]
    assert len(upstream.effects) == 1


async def test_a_replay_that_fails_is_an_answer(client: Clients) -> None:
    """It has been recorded, so it is no error: the cause says why, and the wish to wait was heard."""
    acme = client()
    intent = await submitted(acme, REFUSE)
    answer = await acme.post(
        f"/v1/intents/{intent}/replay",
        json={"mode": "re-execute", "reason": "once more"},
        headers={"Prefer": "wait=10"},
    )
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait=10")
    assert (answer.json()["cause"], answer.json()["intent"]["generation"]) == ("error", 2)
    events = (await acme.get(f"/v1/intents/{intent}/events")).json()["items"]
    asked = next(event for event in events if event["type"] == "REPLAY_REQUESTED")
    assert asked["facts"]["requested_by"] == "service:acme"
    assert asked["payload"] == {"replay_reason": "once more"}


async def test_what_is_in_doubt_is_not_sent_again(client: Clients) -> None:
    """Law 4, over REST."""
    acme = client()
    intent = await submitted(acme, SEND)
    answer = await acme.post(f"/v1/intents/{intent}/replay", json={"mode": "resume", "reason": "once more"})
    assert (answer.status_code, answer.json()["cause"], answer.json()["intent"]["attempts"]) == (200, "in_doubt", 1)


async def test_a_missing_and_a_foreign_intent_are_404(client: Clients) -> None:
    """Law 9: another tenant's action does not exist."""
    foreign = await submitted(client(), UPDATE)
    answers = []
    for intent in (foreign, "int_" + "0" * 32):
        answer = await client("globex").post(f"/v1/intents/{intent}/replay", json=VERIFY)
        answers.append((answer.status_code, answer.json()["code"]))
    assert answers == [(404, "NOT_FOUND")] * 2


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"mode": "verify"},
        {"mode": "again", "reason": "x"},
        {"mode": "verify", "reason": ""},
        {"mode": "verify", "reason": " "},
        {"mode": "verify", "reason": "x", "by": "person:ann"},
    ],
)
async def test_a_replay_that_cannot_be_is_400(client: Clients, body: dict[str, object]) -> None:
    """Nobody says who they are in the body, and nothing is replayed without a reason."""
    acme = client()
    intent = await submitted(acme, UPDATE)
    assert (await acme.post(f"/v1/intents/{intent}/replay", json=body)).status_code == 400
    events = (await acme.get(f"/v1/intents/{intent}/events")).json()["items"]
    assert not [event for event in events if event["type"].startswith("REPLAY_")]


async def test_many_are_replayed_page_by_page(client: Clients) -> None:
    """The cursor goes on, and each item says how it ended."""
    acme = client()
    ids = [await submitted(acme, UPDATE, f"k{number}") for number in range(3)]
    wish = {**VERIFY, "state": "succeeded", "limit": 2, "rate": 1_000}
    first = (await acme.post("/v1/replays", json=wish)).json()
    assert [item["id"] for item in first["items"]] == ids[:0:-1]
    rest = (await acme.post("/v1/replays", json={**wish, "cursor": first["next_cursor"]})).json()
    assert [(item["id"], item["result"]) for item in rest["items"]] == [(ids[0], "verified")]
    assert (rest["stopped"], rest["next_cursor"]) == (None, None)
    anew = (await acme.post("/v1/replays", json={**VERIFY, "mode": "re-execute"})).json()
    assert (anew["items"], anew["stopped"]) == ([], "unfiltered")
