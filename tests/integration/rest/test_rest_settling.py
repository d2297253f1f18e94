"""Settling what is in doubt, and looking after dead letters, over REST against a real gear."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2
import pytest

from switchgear.assembly.gear import Switchgear
from switchgear.control.development_issuer import DevelopmentIssuer
from switchgear.control.use_cases import PERMISSIONS
from switchgear.execution.contract import Call
from switchgear.health import Dependency
from tests.integration.rest.support import Clients

SEND = {"tool": "mail.send", "arguments": {}, "account": "main"}
REFUSE = {"tool": "crm.refuse", "arguments": {}, "account": "main"}
SEEN = {"verdict": "applied", "evidence": "asked the postmaster", "value": {"id": 9}}


async def submitted(client: httpx2.AsyncClient, body: Mapping[str, object], key: str = "k") -> str:
    """Submit, wait until it is settled, and return its id."""
    headers = {"Idempotency-Key": key, "Prefer": "wait=10"}
    view = (await client.post("/v1/intents", json=body, headers=headers)).json()
    return str(view["id"])


async def test_a_word_with_evidence_settles_a_doubt(client: Clients) -> None:
    """The outcome is the value that was given, the evidence is in the ledger, and the count goes down."""
    acme = client()
    intent = await submitted(acme, SEND)
    counted = (await acme.get("/v1/doubts")).json()
    assert (counted["in_doubt"], counted["needs_operator"], counted["complete"]) == (1, 0, True)
    answer = await acme.post(f"/v1/intents/{intent}/resolve", json=SEEN)
    assert (answer.status_code, answer.json()["state"], answer.json()["value"]) == (200, "succeeded", {"id": 9})
    events = (await acme.get(f"/v1/intents/{intent}/events")).json()["items"]
    assert [event["type"] for event in events[-2:]] == ["intent.needs_operator", "intent.succeeded"]
    assert events[-1]["facts"]["resolved_by"] == "service:acme"
    assert events[-1]["payload"]["evidence"] == "asked the postmaster"
    assert (await acme.get("/v1/doubts")).json()["in_doubt"] == 0
    said = (await acme.get(f"/v1/intents/{intent}")).json()["resolution"]
    assert said == answer.json()["resolution"]
    assert (said["verdict"], said["by"], said["evidence"]) == ("applied", "service:acme", "asked the postmaster")
    assert (said["at"], said["awaits"], said["doubt"]["code"]) == (events[-1]["at"], None, "DEPENDENCY_FAILED")
    again = await acme.post(f"/v1/intents/{intent}/resolve", json=SEEN)
    assert (again.status_code, again.json()["code"]) == (409, "ILLEGAL_TRANSITION")


async def test_two_persons_who_disagree_get_an_answer_that_says_so(
    gear: Switchgear, client: Clients, issuer: DevelopmentIssuer
) -> None:
    """It is 200, since the word is on record: no verdict, both words, and how it ends."""
    gear.dependency(Dependency("user", kind="http"))
    for _ in range(2):
        gear.health.observe("user", "positive", "probe")

    @gear.tool("user.delete", effect="opaque", destructive=True)
    async def delete(_call: Call) -> None:
        raise TimeoutError("no answer")

    acme, answers = client(), []
    intent = await submitted(acme, {"tool": "user.delete", "arguments": {}, "account": "main"})
    for actor, verdict in (("person:ann", "applied"), ("person:ben", "not_applied")):
        token = issuer.issue(tenant="acme", accounts=("main",), actor=actor, scope=PERMISSIONS)
        body, person = {"verdict": verdict, "evidence": "looked"}, {"Authorization": f"Bearer {token}"}
        answers.append(await acme.post(f"/v1/intents/{intent}/resolve", json=body, headers=person))
    said = answers[-1].json()["resolution"]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert (said["verdict"], said["awaits"], [word["by"] for word in said["words"]]) == (
        *(None, "agreement", ["person:ann", "person:ben"]),
    )
    assert "person:ben says not_applied" in said["next_step"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"verdict": "applied"},
        {"verdict": "applied", "evidence": ""},
        {"verdict": "applied", "evidence": "x" * 2_001},
        {"verdict": "done", "evidence": "seen"},
        {"verdict": "abandon", "evidence": "seen", "value": 1},
        {"verdict": "applied", "evidence": "seen", "by": "person:ben"},
    ],
)
async def test_a_word_that_cannot_be_is_400_and_changes_nothing(client: Clients, body: dict[str, object]) -> None:
    """Nobody says who they are in the body, and nobody settles without evidence."""
    acme = client()
    intent = await submitted(acme, SEND)
    assert (await acme.post(f"/v1/intents/{intent}/resolve", json=body)).status_code == 400
    assert (await acme.get(f"/v1/intents/{intent}")).json()["state"] == "in_doubt"


async def test_dead_letters_are_listed_requeued_and_discarded(client: Clients) -> None:
    """Each with its reason; a requeued one runs and dies again by its own rules."""
    acme = client()
    first, second = await submitted(acme, REFUSE, "a"), await submitted(acme, REFUSE, "b")
    page = (await acme.get("/v1/dead-letters", params={"limit": 1})).json()
    assert [letter["id"] for letter in page["items"]] == [second]
    older = (await acme.get("/v1/dead-letters", params={"cursor": page["next_cursor"]})).json()
    assert [(letter["id"], letter["ended"], letter["code"]) for letter in older["items"]] == [
        (first, "failed", "TOOL_FAILED")
    ]
    assert (await acme.get("/v1/dead-letters", params={"tool": "crm.read"})).json()["items"] == []
    requeued = await acme.post(f"/v1/dead-letters/{first}/requeue")
    assert (requeued.status_code, requeued.json()["state"], requeued.json()["key"]) == (200, "ready", "a")
    gone = await acme.post(f"/v1/dead-letters/{second}/discard", json={"reason": "withdrawn"})
    assert (gone.json()["state"], gone.json()["message"]) == ("discarded", "withdrawn")
    again = await acme.post(f"/v1/dead-letters/{second}/requeue")
    assert (again.status_code, again.json()["code"]) == (409, "ILLEGAL_TRANSITION")


async def test_many_are_requeued_each_alone_and_not_all_at_once(client: Clients) -> None:
    """One that may have been applied stays, and is named with its reason; the others are spread over time."""
    acme = client()
    letters = [await submitted(acme, REFUSE, f"k{number}") for number in range(3)]
    doubtful = await submitted(acme, SEND, "d")
    await acme.post(f"/v1/intents/{doubtful}/resolve", json={"verdict": "abandon", "evidence": "nobody knows"})
    answer = (await acme.post("/v1/dead-letters/requeue", json={"per_second": 0.01})).json()
    assert answer["requeued"] == letters[::-1]
    assert [(letter["id"], letter["code"]) for letter in answer["refused"]] == [(doubtful, "ILLEGAL_TRANSITION")]
    assert "may have been applied" in answer["refused"][0]["message"]
    waiting = [(await acme.get(f"/v1/intents/{letter}")).json() for letter in letters[:2]]
    assert [view["state"] for view in waiting] == ["ready", "ready"]
    assert waiting[0]["not_before"] - waiting[1]["not_before"] == pytest.approx(100.0, abs=1.0)
    assert (await acme.post("/v1/dead-letters/requeue", json={"limit": 201})).status_code == 400


@pytest.mark.parametrize("path", ["intents/{}/resolve", "dead-letters/{}/requeue", "dead-letters/{}/discard"])
async def test_law_9_another_tenant_s_doubt_does_not_exist(client: Clients, path: str) -> None:
    """Neither to be settled, nor requeued, nor counted."""
    intent = await submitted(client("acme"), SEND)
    rival = client("rival")
    body = {"verdict": "applied", "evidence": "mine"} if "resolve" in path else {"reason": "mine"}
    answer = await rival.post(f"/v1/{path.format(intent)}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert (await rival.get("/v1/doubts")).json()["in_doubt"] == 0
    assert (await client("acme").get(f"/v1/intents/{intent}")).json()["state"] == "in_doubt"
