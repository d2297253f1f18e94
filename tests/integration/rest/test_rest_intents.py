"""Submitting, following and cancelling intents over REST, against a real gear."""

from __future__ import annotations

import asyncio
import time

import pytest

from switchgear.surfaces.rest import Traffic
from tests.integration.rest.support import READ, SLOW, UPDATE, Clients, Upstream, until


async def test_an_accepted_intent_is_202_with_its_location(client: Clients) -> None:
    """DESIGN: accepted durably, then acknowledged with 202; `Location` is where to follow it."""
    acme = client()
    response = await acme.post("/v1/intents", json=UPDATE, headers={"Idempotency-Key": '"order-17"'})
    view = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == f"/v1/intents/{view['id']}"
    assert "preference-applied" not in response.headers
    assert "idempotency-replayed" not in response.headers
    assert (view["key"], view["tool"], view["replayed"]) == ("order-17", "crm.update", False)
    followed = await acme.get(response.headers["location"])
    assert (followed.status_code, followed.json()["id"]) == (200, view["id"])


async def test_waiting_gets_the_outcome(client: Clients) -> None:
    """`Prefer: wait` answers 200 as soon as the state is final."""
    response = await client().post("/v1/intents", json=READ, headers={"Prefer": "wait=10"})
    view = response.json()
    assert response.status_code == 200
    assert response.headers["preference-applied"] == "wait=10"
    assert (view["state"], view["final"]) == ("succeeded", True)
    assert view["value"] == {"id": "7", "tenant": "acme"}


async def test_waiting_too_short_is_202(client: Clients, upstream: Upstream) -> None:
    """Law 1: the wait ends with its seconds, and says how far the intent is."""
    headers = {"Prefer": "wait=1", "Idempotency-Key": "k"}
    response = await client().post("/v1/intents", json=SLOW, headers=headers)
    assert response.status_code == 202
    assert response.headers["preference-applied"] == "wait=1"
    assert response.json()["state"] == "dispatched"
    upstream.gate.set()


async def test_a_repeat_finds_the_first(client: Clients, upstream: Upstream) -> None:
    """Law 3: one key, one effect; the stored outcome is marked replayed."""
    acme = client()
    headers = {"Idempotency-Key": '"order-17"', "Prefer": "wait=10"}
    first = await acme.post("/v1/intents", json=UPDATE, headers=headers)
    again = await acme.post("/v1/intents", json=UPDATE, headers={"Idempotency-Key": "order-17"})
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == {**first.json(), "replayed": True}
    assert len(upstream.effects) == 1


async def test_an_intent_is_found_by_its_key(client: Clients) -> None:
    """What became of the action with this key: one question, whatever quotes the header had; no answer is no action."""
    acme = client()
    key = 'order "17" & more=?'
    headers = {"Idempotency-Key": '"order \\"17\\" & more=?"', "Prefer": "wait=10"}
    first = (await acme.post("/v1/intents", json=UPDATE, headers=headers)).json()
    for account in ({}, {"account": "main"}):
        found = await acme.get("/v1/intents/by-key", params={"tool": "crm.update", "key": key, **account})
        assert (found.status_code, found.json()) == (200, first)
        assert found.headers["content-location"] == f"/v1/intents/{first['id']}"
    for other in ({"key": "order-18"}, {"tool": "crm.slow"}, {"tool": "crm.gone"}, {"key": "\u200b"}):
        missing = await acme.get("/v1/intents/by-key", params={"tool": "crm.update", "key": key, **other})
        assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")


async def test_a_look_by_key_may_wait_for_the_outcome(client: Clients, traffic: Traffic, upstream: Upstream) -> None:
    """Who knows the key alone can wait for what becomes of it, as who knows the id."""
    acme = client()
    await acme.post("/v1/intents", json=SLOW, headers={"Idempotency-Key": "k"})
    params, headers = {"tool": "crm.slow", "key": "k"}, {"Prefer": "wait=30"}
    look = asyncio.create_task(acme.get("/v1/intents/by-key", params=params, headers=headers))
    await until(lambda: traffic.waiting == 1)
    upstream.gate.set()
    answer = await look
    assert (answer.status_code, answer.json()["state"]) == (200, "succeeded")
    assert answer.headers["preference-applied"] == "wait=30"


async def test_a_repeat_of_an_open_intent_is_202_and_marked(client: Clients, upstream: Upstream) -> None:
    """SEMANTICS §7: same payload once accepted gives the same intent, 202 while it is open."""
    acme = client()
    first = await acme.post("/v1/intents", json=SLOW, headers={"Idempotency-Key": "k"})
    again = await acme.post("/v1/intents", json=SLOW, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.headers["idempotency-replayed"]) == (202, "true")
    assert (again.json()["id"], again.json()["replayed"]) == (first.json()["id"], True)
    upstream.gate.set()


async def test_a_look_may_wait_for_the_outcome(client: Clients, traffic: Traffic, upstream: Upstream) -> None:
    """`Prefer: wait` on the intent itself: the answer comes when it is settled, and says that it was waited for."""
    acme = client()
    shown = (await acme.post("/v1/intents", json=SLOW, headers={"Idempotency-Key": "k"})).headers["location"]
    look = asyncio.create_task(acme.get(shown, headers={"Prefer": "wait=30"}))
    await until(lambda: traffic.waiting == 1)
    assert not look.done()
    upstream.gate.set()
    answer = await look
    assert (answer.status_code, answer.json()["state"], answer.json()["value"]) == (200, "succeeded", "done")
    assert answer.headers["preference-applied"] == "wait=30"


async def test_a_look_too_short_shows_how_far_it_is(client: Clients, upstream: Upstream) -> None:
    """Law 1: the wait ends with its seconds, and the answer is still the intent, with 200."""
    acme = client()
    shown = (await acme.post("/v1/intents", json=SLOW, headers={"Idempotency-Key": "k"})).headers["location"]
    await upstream.reached.wait()
    answer = await acme.get(shown, headers={"Prefer": "wait=1"})
    assert (answer.status_code, answer.json()["state"], answer.json()["final"]) == (200, "dispatched", False)
    assert answer.headers["preference-applied"] == "wait=1"


@pytest.mark.parametrize("wait", ["wait=x", "wait=-1", "wait=1.5"])
async def test_a_wait_that_cannot_be_read_is_400(client: Clients, wait: str) -> None:
    """A look with a wish that means nothing is refused, as a submission with it is."""
    acme = client()
    done = await acme.post("/v1/intents", json=READ, headers={"Prefer": "wait=10"})
    refused = await acme.get(done.headers["location"], headers={"Prefer": wait})
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_ARGUMENT")


async def test_a_look_at_what_is_final_or_foreign_waits_for_nothing(client: Clients) -> None:
    """What is final is shown at once; law 9: another tenant's intent does not exist, however long one waits."""
    acme = client()
    shown = (await acme.post("/v1/intents", json=READ, headers={"Prefer": "wait=10"})).headers["location"]
    answer = await acme.get(shown, headers={"Prefer": "wait=30"})
    assert (answer.json()["final"], "preference-applied" in answer.headers) == (True, False)
    foreign = await client("rival").get(shown, headers={"Prefer": "wait=30"})
    assert (foreign.status_code, foreign.json()["code"]) == (404, "NOT_FOUND")


async def test_doubt_ends_a_look(client: Clients) -> None:
    """Law 4: who looks at what is in doubt is told so at once, by a wait that has ended."""
    acme = client()
    body = {"tool": "mail.send", "arguments": {}, "account": "main"}
    first = await acme.post("/v1/intents", json=body, headers={"Idempotency-Key": "k", "Prefer": "wait=10"})
    answer = await acme.get(first.headers["location"], headers={"Prefer": "wait=30"})
    assert (answer.status_code, answer.json()["state"]) == (200, "in_doubt")
    assert answer.headers["preference-applied"] == "wait=30"


async def test_a_repeat_may_wait_for_the_first(client: Clients, upstream: Upstream) -> None:
    """A repeat that waits gets the outcome of the first, still marked as a repeat."""
    acme = client()
    await acme.post("/v1/intents", json=SLOW, headers={"Idempotency-Key": "k"})
    upstream.gate.set()
    headers = {"Idempotency-Key": "k", "Prefer": "wait=10"}
    again = await acme.post("/v1/intents", json=SLOW, headers=headers)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert (again.json()["replayed"], again.json()["value"]) == (True, "done")


async def test_another_payload_under_the_key_is_422(client: Clients) -> None:
    """SEMANTICS §7: the same key with another payload is IDEMPOTENCY_CONFLICT."""
    acme = client()
    headers = {"Idempotency-Key": "k"}
    await acme.post("/v1/intents", json=UPDATE, headers=headers)
    other = {**UPDATE, "arguments": {"contact_id": "8"}}
    refused = await acme.post("/v1/intents", json=other, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "IDEMPOTENCY_CONFLICT")


async def test_an_effect_needs_a_key(client: Clients) -> None:
    """SEMANTICS §7: missing where required is 400."""
    refused = await client().post("/v1/intents", json=UPDATE)
    assert (refused.status_code, refused.json()["code"]) == (400, "IDEMPOTENCY_KEY_REQUIRED")


async def test_a_failed_action_is_an_answer(client: Clients) -> None:
    """The request succeeded even where the action did not: 200, and the body says what became of it."""
    body = {"tool": "crm.refuse", "arguments": {}, "account": "main"}
    headers = {"Idempotency-Key": "k", "Prefer": "wait=10"}
    response = await client().post("/v1/intents", json=body, headers=headers)
    assert response.status_code == 200
    assert (response.json()["state"], response.json()["code"]) == ("dead_lettered", "TOOL_FAILED")


async def test_doubt_ends_a_wait_and_is_not_an_outcome(client: Clients) -> None:
    """Law 4: in doubt is a state of its own; it ends the wait and is answered with 202."""
    body = {"tool": "mail.send", "arguments": {}, "account": "main"}
    headers = {"Idempotency-Key": "k", "Prefer": "wait=10"}
    response = await client().post("/v1/intents", json=body, headers=headers)
    assert response.status_code == 202
    assert (response.json()["state"], response.json()["final"]) == ("in_doubt", False)


async def test_waiting_needs_the_permission_to_read(client: Clients) -> None:
    """A token that may only submit is answered without waiting: an accepted action is never reported refused."""
    submitter = client(scope=("intents:submit",))
    response = await submitter.post("/v1/intents", json=READ, headers={"Prefer": "wait=10"})
    assert response.status_code == 202
    assert "preference-applied" not in response.headers


async def test_the_list_goes_on_with_its_cursor(client: Clients) -> None:
    """Law 10: a page is bounded, and the cursor reaches every intent exactly once, newest first."""
    acme = client()
    sent = [(await acme.post("/v1/intents", json=READ)).json()["id"] for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await acme.get("/v1/intents", params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == sorted(sent, reverse=True)


async def test_the_list_can_be_narrowed_to_a_state(client: Clients) -> None:
    """`state` shows only intents in that state."""
    acme = client()
    await acme.post("/v1/intents", json=READ, headers={"Prefer": "wait=10"})
    done = (await acme.get("/v1/intents", params={"state": "succeeded"})).json()["items"]
    assert [item["state"] for item in done] == ["succeeded"]
    assert (await acme.get("/v1/intents", params={"state": "failed"})).json()["items"] == []


async def test_events_tell_the_life_of_an_intent(client: Clients) -> None:
    """Law 2: `dispatched` is recorded before the outcome, and both are there to read."""
    acme = client()
    view = (await acme.post("/v1/intents", json=READ, headers={"Prefer": "wait=10"})).json()
    events = (await acme.get(f"/v1/intents/{view['id']}/events")).json()["items"]
    assert [event["type"] for event in events] == ["intent.accepted", "intent.dispatched", "intent.succeeded"]
    assert all(event["stream"] == view["id"] for event in events)


async def test_a_dispatched_intent_is_only_asked_to_cancel(client: Clients, upstream: Upstream) -> None:
    """SEMANTICS §7: after dispatch a cancel never hides an outcome."""
    acme = client()
    view = (await acme.post("/v1/intents", json=SLOW, headers={"Idempotency-Key": "k"})).json()
    await upstream.reached.wait()
    cancelled = await acme.post(f"/v1/intents/{view['id']}/cancel", json={"reason": "changed my mind"})
    assert (cancelled.status_code, cancelled.json()["cancel_requested"]) == (200, True)
    upstream.gate.set()
    headers = {"Idempotency-Key": "k", "Prefer": "wait=10"}
    ended = await acme.post("/v1/intents", json=SLOW, headers=headers)
    assert ended.json()["state"] == "succeeded"


async def test_cancelling_what_has_ended_is_a_conflict(client: Clients) -> None:
    """An outcome is not undone by a cancel."""
    acme = client()
    view = (await acme.post("/v1/intents", json=READ, headers={"Prefer": "wait=10"})).json()
    refused = await acme.post(f"/v1/intents/{view['id']}/cancel", json={"reason": "late"})
    assert (refused.status_code, refused.json()["code"]) == (409, "ILLEGAL_TRANSITION")


async def test_the_trace_of_the_caller_is_recorded_and_returned(client: Clients) -> None:
    """SEMANTICS §7: envelopes carry the trace; the answer continues it."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "X-Correlation-ID": "batch/7"}
    response = await client().post("/v1/intents", json=READ, headers=headers)
    assert response.json()["trace"] == trace
    assert response.headers["traceparent"].split("-")[1] == trace


@pytest.mark.parametrize("deadline", [30.5, 60, 86_400])
async def test_a_deadline_is_seconds_from_now(client: Clients, deadline: float) -> None:
    """The submitter's deadline bounds the intent."""
    before = time.time()
    view = (await client().post("/v1/intents", json={**READ, "deadline": deadline})).json()
    assert before + deadline <= view["deadline_at"] <= time.time() + deadline


async def test_a_start_may_be_scheduled(client: Clients) -> None:
    """A delay and a moment mean the same; a priority is kept; both starts, or one after the deadline, are refused."""
    acme = client()
    body = {**READ, "delay": 600, "priority": "sheddable_plus"}
    before = time.time()
    view = (await acme.post("/v1/intents", json=body)).json()
    assert before + 600 <= view["not_before"] <= time.time() + 600
    assert (view["state"], view["priority"]) == ("ready", "sheddable_plus")
    moment = view["created_at"] + 900.25
    assert (await acme.post("/v1/intents", json={**READ, "not_before": moment})).json()["not_before"] == moment
    for wrong in ({"delay": 1, "not_before": moment}, {"delay": 60, "deadline": 60}, {"priority": "urgent"}):
        answer = await acme.post("/v1/intents", json={**READ, **wrong})
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_ARGUMENT")


async def test_every_answer_is_kept_out_of_caches(client: Clients) -> None:
    """A tenant's answer must not be stored by anything on the way, nor be guessed into another type."""
    response = await client().get("/v1/intents")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
