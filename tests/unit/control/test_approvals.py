"""Approvals as every surface offers them, on a gear in memory: who may, within which tenant, and through what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from switchgear.assembly import Switchgear
from switchgear.assembly.handles import IntentHandle
from switchgear.control.use_cases import TENANT_PERMISSIONS
from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Denied, Invalid
from switchgear.core.scope import Principal
from switchgear.execution.contract import Call

MISSING = "int_" + "0" * 32
RULES = """
[store]
url = "memory://"

[[approvals]]
name = "refunds"
tool = "bank.refund"
"""


@asynccontextmanager
async def gated(folder: Path, quorum: int = 1) -> AsyncIterator[Switchgear]:
    """Run a gear whose refunds need approval."""
    file = folder / "switchgear.toml"
    file.write_text(f"{RULES}quorum = {quorum}\n", encoding="utf-8")
    async with Switchgear.open(file) as gear:

        @gear.tool("bank.refund", effect="keyed")
        async def refund(call: Call, amount: int) -> int:
            return amount

        yield gear


async def asked(gear: Switchgear, tenant: str = "acme") -> IntentHandle:
    """Submit what needs approval."""
    acting = gear.acting_as(tenant=tenant, account="main", actor="service:orders")
    return await acting.submit("bank.refund", {"amount": 7}, key="k")


async def seen_by(gear: Switchgear, actor: str, intent: IntentHandle, tenant: str = "acme") -> IntentHandle:
    """Return the intent as somebody else has it before them."""
    return await gear.acting_as(tenant=tenant, account="main", actor=actor).intent(intent.id)


async def facts_of(intent: IntentHandle, kind: str) -> dict[str, Any]:
    """Return the facts of the only event of a type."""
    (found,) = [event for event in await intent.events() if event.type == kind]
    return dict(found.facts)


async def test_a_person_sees_everything_approves_it_and_it_happens(tmp_path: Path) -> None:
    """Submit answers at once; the approver has the full arguments and the digest; the ledger has who and how."""
    async with gated(tmp_path) as gear:
        intent = await asked(gear)
        pending = await intent.result(timeout=60.0)
        assert (pending.state, pending.code) == ("pending_approval", Code.APPROVAL_REQUIRED)
        people = gear.acting_as(tenant="acme", account="main", actor="user:ada")
        (waiting,) = await people.intents(state="pending_approval")
        assert waiting.view.approval is not None
        assert (waiting.view.arguments, waiting.view.actor) == ({"amount": 7}, "service:orders")
        await waiting.approve()
        assert (await intent.result()).value == 7
        assert intent.view.approval is not None
        assert (intent.view.approval.granted_by, intent.view.approval.used) == (["user:ada"], True)
        given = await facts_of(intent, "intent.approval_given")
        assert given == {"by": "user:ada", "channel": "python", "approval": waiting.view.approval.digest}


async def test_a_no_ends_it_and_whoever_asked_reads_why(tmp_path: Path) -> None:
    """The reason is the message of the outcome."""
    async with gated(tmp_path) as gear:
        intent = await asked(gear)
        await (await seen_by(gear, "user:ada", intent)).reject("wrong account")
        ended = await intent.result()
        assert (ended.state, ended.code, ended.message) == ("rejected", Code.APPROVAL_REJECTED, "wrong account")


async def test_a_yes_is_for_what_was_seen(tmp_path: Path) -> None:
    """A handle approves what it last saw; what it has never seen it cannot approve."""
    async with gated(tmp_path) as gear:
        intent = await asked(gear)
        who = Principal("acme", "user:ada", frozenset({"main"}), frozenset(TENANT_PERMISSIONS))
        with pytest.raises(Conflict) as refusal:
            await gear.control.approvals.approve(who, intent.id, channel="rest", digest="0" * 64)
        assert refusal.value.code is Code.APPROVAL_STALE
        assert (await intent.refresh()).state == "pending_approval"


@pytest.mark.parametrize(
    ("actor", "code"),
    [("service:orders", Code.PERMISSION_DENIED), ("agent:seven", Code.PERMISSION_DENIED), ("user:ada", None)],
)
async def test_permission_alone_does_not_make_an_approver(tmp_path: Path, actor: str, code: Code | None) -> None:
    """Whoever asked, and an agent, are refused whatever their token allows."""
    async with gated(tmp_path) as gear:
        intent = await asked(gear)
        handle = await seen_by(gear, actor, intent)
        if code is None:
            assert (await handle.approve()).state == "ready"
            return
        for said in (handle.approve(), handle.reject("no")):
            with pytest.raises(Denied) as refusal:
                await said
            assert refusal.value.code is code


async def test_law_9_a_foreign_intent_and_a_missing_one_are_the_same_answer(tmp_path: Path) -> None:
    """What waits for another tenant's approval does not exist, word for word."""
    async with gated(tmp_path) as gear:
        foreign = await asked(gear, "globex")
        who = Principal("acme", "user:ada", frozenset({"main"}), frozenset(TENANT_PERMISSIONS))
        approvals = gear.control.approvals
        for name, more in (("approve", {}), ("reject", {"reason": "no"}), ("withdraw", {})):
            answers = []
            for intent_id in (foreign.id, MISSING):
                with pytest.raises(Denied) as refusal:
                    await getattr(approvals, name)(who, intent_id, channel="rest", **more)
                answers.append(str(refusal.value.to_dict()).replace(intent_id, "ID"))
            assert answers[0] == answers[1]
        assert (await foreign.refresh()).state == "pending_approval"


async def test_a_yes_can_be_taken_back_while_others_are_missing(tmp_path: Path) -> None:
    """Until the quorum is there, and until it leaves."""
    async with gated(tmp_path, quorum=2) as gear:
        intent = await asked(gear)
        ada, bob = await seen_by(gear, "user:ada", intent), await seen_by(gear, "user:bob", intent)
        await ada.approve()
        await ada.withdraw("thought again")
        assert (await bob.approve()).state == "pending_approval"
        assert (await ada.approve()).state == "ready"
        await intent.result()
        with pytest.raises(Conflict):
            await ada.withdraw()


async def test_a_channel_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    """What goes on record is one of a few words."""
    async with gated(tmp_path) as gear:
        intent = await asked(gear)
        who = Principal("acme", "user:ada", frozenset({"main"}), frozenset(TENANT_PERMISSIONS))
        with pytest.raises(Invalid):
            await gear.control.approvals.approve(who, intent.id, channel="pigeon")
