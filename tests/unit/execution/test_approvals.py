"""Approvals in a whole engine: asked, given, used once, stale, expired, and what a crash leaves of them."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import TypedDict

import msgspec
import pytest

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Conflict, Denied, Overloaded, StoreError
from switchgear.core.ids import IdSource
from switchgear.core.outcome import Verdict
from switchgear.core.scope import Scope
from switchgear.execution import consent
from switchgear.execution.admission import Submission
from switchgear.execution.consent import Channel
from switchgear.execution.contract import Refused, Succeeded, Tool, Uncertain
from switchgear.execution.engine import Decided, Engine
from switchgear.execution.family import STEP, child
from switchgear.execution.intent import Change, Intent
from switchgear.execution.parts import Parts
from switchgear.execution.recorder import Also, Birth
from switchgear.execution.refold import Refold
from switchgear.execution.transitions import Kind, State
from switchgear.gates.approval import ApprovalGate, ApprovalRule
from switchgear.gates.gate import NO_CONDITIONS, Conditions, Gate, GateRequest
from switchgear.ledger.events import EventEncoder, read
from switchgear.storage.abilities import Append, Expect, Write
from tests.unit.execution.rig import ACME, Rig, engine_on, running

RULE = ApprovalRule(name="updates", tool="crm.*", expires=60.0)
BUSY = Refused(Code.DEPENDENCY_FAILED, "busy", retryable=True, verdict=Verdict.FAILURE)


class Gates(TypedDict):
    """The gates of an engine."""

    gates: tuple[Gate, ...]
    dispatch_gates: tuple[Gate, ...]


def gated(*rules: ApprovalRule) -> Gates:
    """Return the gates of an engine that goes by `rules`."""
    gate = ApprovalGate(rules or (RULE,))
    return {"gates": (gate,), "dispatch_gates": (gate,)}


async def approve(engine: Engine, intent: Intent, by: str = "user:ada", digest: str | None = None) -> Intent:
    """Have somebody say yes."""
    seen = await engine.intent(intent.tenant, intent.id)
    word = await engine.consents.word(seen, by=by, channel=Channel.REST, digest=digest)
    return await engine.change(intent.tenant, intent.id, lambda now: Decided(consent.given(now, word)), actor=by)


async def reject(engine: Engine, intent: Intent, by: str = "user:ada") -> Intent:
    """Have somebody say no."""
    word = await engine.consents.word(intent, by=by, channel=Channel.REST, reason="no")
    return await engine.change(intent.tenant, intent.id, lambda now: Decided(consent.refused(now, word)), actor=by)


async def withdraw(engine: Engine, intent: Intent, by: str = "user:ada") -> Intent:
    """Have somebody take a yes back."""
    word = await engine.consents.word(intent, by=by, channel=Channel.REST)
    return await engine.change(intent.tenant, intent.id, lambda now: Decided(consent.taken_back(now, word)), actor=by)


async def present(rig: Rig, intent: Intent) -> Intent:
    """Let a second pass, and return the intent as it is then."""
    await rig.clock.elapse(1.0)
    return await rig.engine.intent(intent.tenant, intent.id)


async def dispatches(rig: Rig, intent: Intent) -> list[dict[str, object]]:
    """Return the facts of the dispatches of an intent."""
    entries = [read(entry) for entry in await rig.store.stream(intent.tenant, intent.id)]
    return [dict(entry.facts) for entry in entries if entry.type == "intent.dispatched"]


async def test_nothing_leaves_before_it_is_approved_and_then_it_leaves_once() -> None:
    """Submit is answered at once with what waits; the yes lets it go; the dispatch names the approval it used."""
    async with running(**gated()) as rig:
        rig.tool()
        intent = await rig.submit(a=1)
        assert (intent.state, intent.waiting_for) == (State.PENDING_APPROVAL, "APPROVAL_REQUIRED")
        await rig.clock.elapse(10.0)
        assert rig.script.calls == []
        assert (await approve(rig.engine, intent)).state is State.READY
        done = await rig.settled(intent)
        assert (done.state, len(rig.script.calls)) == (State.SUCCEEDED, 1)
        assert await rig.kinds(done) == [
            "accepted",
            "approval_requested",
            "approval_given",
            "approved",
            "dispatched",
            "succeeded",
        ]
        assert intent.approval is not None
        assert (await dispatches(rig, done))[0]["approval"] == intent.approval.digest
        assert done.approval is not None
        assert done.approval.used
        assert (await Refold(rig.store).intents("acme")).first_different is None


async def test_no_caller_waits_for_a_person() -> None:
    """A wait is answered at once where approval is needed, also one that began before it was."""
    async with running(dispatch_gates=gated()["gates"], start=False) as rig:
        rig.tool()
        intent = await rig.submit()
        assert intent.state is State.READY
        waiting = asyncio.ensure_future(rig.engine.wait("acme", intent.id, 600.0))
        rig.engine.start()
        await rig.clock.elapse(1.0)
        assert waiting.done()
        assert waiting.result().state is State.PENDING_APPROVAL
        assert (await rig.engine.wait("acme", intent.id, 600.0)).state is State.PENDING_APPROVAL


async def test_a_quorum_is_different_people() -> None:
    """One person twice is one; the second person completes it."""
    async with running(**gated(replace(RULE, quorum=2))) as rig:
        rig.tool()
        intent = await rig.submit()
        for _ in range(3):
            assert (await approve(rig.engine, intent)).state is State.PENDING_APPROVAL
        assert (await approve(rig.engine, intent, "user:bob")).state is State.READY
        assert (await rig.settled(intent)).state is State.SUCCEEDED


async def test_a_retry_of_the_same_generation_goes_on_under_the_approval_it_used() -> None:
    """What people agreed to is the action, so an attempt that was refused is repeated, also after the expiry."""
    async with running(**gated(replace(RULE, expires=2.0))) as rig:
        rig.tool(attempts=3, backoff_base=20.0, backoff_cap=60.0)
        rig.script.answers = [BUSY, BUSY, Succeeded("done")]
        intent = await rig.submit()
        await approve(rig.engine, intent)
        done = await rig.settled(intent)
        facts = await dispatches(rig, done)
        assert (done.state, len(facts), len({fact["approval"] for fact in facts})) == (State.SUCCEEDED, 3, 1)


async def test_a_requeued_dead_letter_needs_a_fresh_approval() -> None:
    """An approval is used once: what ran out of attempts does not run again on the old yes."""
    async with running(**gated()) as rig:
        rig.tool(attempts=1)
        rig.script.answers = [BUSY]
        intent = await rig.submit()
        await approve(rig.engine, intent)
        dead = await rig.settled(intent)
        assert dead.state is State.DEAD_LETTERED
        await rig.engine.change(
            "acme", dead.id, lambda now: Decided(rig.engine.dead_letters.requeued(now, by="user:ada")), actor="user:ada"
        )
        waiting = await present(rig, dead)
        assert (waiting.state, len(rig.script.calls)) == (State.PENDING_APPROVAL, 1)
        assert waiting.approval is not None
        assert intent.approval is not None
        assert (waiting.approval.digest != intent.approval.digest, waiting.approval.granted) == (True, ())
        await approve(rig.engine, dead)
        assert (await rig.settled(dead)).state is State.SUCCEEDED


async def test_a_changed_contract_makes_an_approval_stale_and_another_is_asked_for() -> None:
    """What was approved is not what would leave now, so it does not leave; the old digest is refused."""
    async with running(**gated(), start=False) as rig:
        rig.tool()
        intent = await rig.submit()
        await approve(rig.engine, intent)
        changed = engine_on(rig.store, rig.clock, guards=rig.guards, seed=2, **gated())
        changed.registry.register(
            Tool(name="crm.update", effect=Effect.KEYED, requires=("crm",), version="2"), rig.script
        )
        await changed.recover()
        changed.start()
        await rig.clock.elapse(1.0)
        again = await changed.intent("acme", intent.id)
        assert (again.state, again.code, rig.script.calls) == (State.PENDING_APPROVAL, "APPROVAL_STALE", [])
        assert intent.approval is not None
        with pytest.raises(Conflict) as refusal:
            await approve(changed, intent, digest=intent.approval.digest)
        assert refusal.value.code is Code.APPROVAL_STALE
        assert (await approve(changed, intent)).state is State.READY
        await rig.clock.elapse(1.0)
        assert (await changed.intent("acme", intent.id)).state is State.SUCCEEDED
        await stopped(rig, changed)


async def test_changed_rules_make_an_approval_stale() -> None:
    """Today's rules apply at dispatch; what was approved under others is asked for again."""
    async with running(**gated(), start=False) as rig:
        tool = rig.tool()
        intent = await rig.submit()
        await approve(rig.engine, intent)
        stricter = engine_on(rig.store, rig.clock, guards=rig.guards, seed=2, **gated(replace(RULE, quorum=2)))
        stricter.registry.register(tool, rig.script)
        await stricter.recover()
        stricter.start()
        await rig.clock.elapse(1.0)
        again = await stricter.intent("acme", intent.id)
        assert again.approval is not None
        assert (again.state, again.code, again.approval.quorum) == (State.PENDING_APPROVAL, "APPROVAL_STALE", 2)
        await stopped(rig, stricter)


@pytest.mark.parametrize("given_first", [True, False])
async def test_a_crash_between_the_yes_and_the_dispatch_loses_neither(*, given_first: bool) -> None:
    """Another engine finds what waits as waiting, and what was approved as ready; it leaves once."""
    async with running(**gated(), start=False) as rig:
        tool = rig.tool()
        intent = await rig.submit()
        if given_first:
            await approve(rig.engine, intent)
        restarted = engine_on(rig.store, rig.clock, guards=rig.guards, seed=2, **gated())
        restarted.registry.register(tool, rig.script)
        await restarted.recover()
        restarted.start()
        await rig.clock.elapse(1.0)
        if not given_first:
            assert (await restarted.intent("acme", intent.id)).state is State.PENDING_APPROVAL
            await approve(restarted, intent)
            await rig.clock.elapse(1.0)
        assert (await restarted.intent("acme", intent.id)).state is State.SUCCEEDED
        assert dict(rig.script.effects) == {intent.id: 1}
        await stopped(rig, restarted)


@pytest.mark.parametrize("fate", ["late late late", "late lost lost", "lost lost lost", "down"])
async def test_a_yes_whose_record_is_not_acknowledged_counts_once_or_not_at_all(fate: str) -> None:
    """Whoever is told that it failed may say it again; nothing counts twice."""
    async with running(**gated()) as rig:
        rig.tool()
        intent = await rig.submit()
        rig.store.plan = fate.split()
        try:
            await approve(rig.engine, intent)
        except StoreError:
            rig.store.plan = []
            assert (await approve(rig.engine, intent)).approval is not None
        done = await rig.settled(intent)
        assert done.approval is not None
        assert ([grant.by for grant in done.approval.granted], done.state) == (["user:ada"], State.SUCCEEDED)
        assert dict(rig.script.effects) == {intent.id: 1}


async def test_a_yes_that_is_on_record_lets_go_though_nobody_was_told_so() -> None:
    """The answer was lost for good and nobody repeats: the engine finds out by itself, and the action leaves."""
    async with running(**gated()) as rig:
        rig.tool()
        intent = await rig.submit()
        rig.store.plan = ["late", "lost", "lost"]
        with pytest.raises(StoreError):
            await approve(rig.engine, intent)
        assert (await rig.settled(intent, seconds=10.0)).state is State.SUCCEEDED
        assert len(rig.script.calls) == 1


async def test_what_nobody_approves_in_time_expires() -> None:
    """The expiry of the rule ends it, with its code; a yes after that is refused."""
    async with running(**gated()) as rig:
        rig.tool()
        intent = await rig.submit()
        expired = await rig.settled(intent)
        assert (expired.state, expired.code) == (State.EXPIRED, "APPROVAL_EXPIRED")
        with pytest.raises(Conflict):
            await approve(rig.engine, intent)
        assert rig.script.calls == []


async def test_an_approval_that_was_not_used_in_time_is_asked_for_again() -> None:
    """What waited too long behind something else does not leave on an old yes."""
    async with running(**gated(), start=False) as rig:
        rig.tool()
        intent = await rig.submit()
        await approve(rig.engine, intent)
        rig.clock.advance(61.0)
        rig.engine.start()
        waiting = await present(rig, intent)
        assert (waiting.state, waiting.code, rig.script.calls) == (State.PENDING_APPROVAL, "APPROVAL_EXPIRED", [])
        await approve(rig.engine, intent, "user:bob")
        assert (await rig.settled(intent)).state is State.SUCCEEDED


async def test_an_approval_never_outlives_the_deadline() -> None:
    """There is no use in a yes to what would expire before it leaves."""
    async with running(**gated(replace(RULE, expires=9_000.0))) as rig:
        rig.tool(lifetime=30.0)
        intent = await rig.submit()
        assert intent.approval is not None
        assert intent.approval.expires_at == intent.deadline_at


async def test_a_yes_taken_back_before_it_leaves_stops_it() -> None:
    """The intent waits again, and another yes lets it go."""
    async with running(**gated(), start=False) as rig:
        rig.tool()
        intent = await rig.submit()
        await approve(rig.engine, intent)
        assert (await withdraw(rig.engine, intent)).state is State.PENDING_APPROVAL
        rig.engine.start()
        assert (await present(rig, intent)).state is State.PENDING_APPROVAL
        assert rig.script.calls == []
        await approve(rig.engine, intent, "user:bob")
        assert (await rig.settled(intent)).state is State.SUCCEEDED
        with pytest.raises(Conflict):
            await withdraw(rig.engine, intent, "user:bob")


async def test_law_4_a_no_after_an_attempt_in_doubt_leaves_it_in_doubt() -> None:
    """A repeat that a new rule asks approval for may be refused; what may have happened keeps its name."""
    gate = Switched(ApprovalGate([RULE]))
    async with running(dispatch_gates=(gate,)) as rig:
        rig.tool(backoff_base=5.0)
        rig.script.answers = [Uncertain(Code.SHUTTING_DOWN, "cut off", Verdict.IGNORED)]
        intent = await rig.submit()
        await rig.clock.elapse(0.0)
        gate.on = True
        await rig.clock.elapse(5.0)
        waiting = await rig.engine.intent("acme", intent.id)
        assert (waiting.state, waiting.unresolved) == (State.PENDING_APPROVAL, True)
        ended = await reject(rig.engine, waiting)
        assert (ended.state, ended.code) == (State.IN_DOUBT, "APPROVAL_REJECTED")
        await rig.clock.elapse(60.0)
        assert len(rig.script.calls) == 1


async def test_what_is_to_leave_later_still_leaves_later_once_it_is_approved() -> None:
    """Neither asking, nor a yes, nor taking it back makes a scheduled action leave before its time."""
    async with running(**gated()) as rig:
        rig.tool()
        at = rig.clock.time() + 30.0
        later = Submission(scope=ACME, tool="crm.update", arguments={}, key="k1", not_before=at)
        intent = (await rig.engine.submit(later)).intent
        await approve(rig.engine, intent)
        await withdraw(rig.engine, intent)
        assert (await approve(rig.engine, intent)).not_before == at
        await rig.clock.elapse(29.0)
        assert rig.script.calls == []
        assert (await rig.settled(intent)).state is State.SUCCEEDED


async def test_whoever_asked_for_the_parent_has_no_say_about_the_child() -> None:
    """A step of what somebody began is that person's wish too, though the engine submits it."""
    async with running(**gated(replace(RULE, tool="bank.*")), start=False) as rig:
        rig.tool()
        bank = rig.tool("bank.refund")
        parent = await rig.submit(scope=Scope("acme", "main", "user:boss"))
        parts = Parts(
            rig.store,
            rig.engine.recorder,
            rig.engine.registry,
            rig.engine.queue,
            rig.clock,
            IdSource(rig.clock, random.Random(3)),
            random.Random(4),
        )
        born = child(parts, parent, bank, {}, purpose=STEP)
        begun = {**born.facts, "id": "int_" + "1" * 32, "parent": "sga_1"}
        event = EventEncoder().encode("saga.begun", stream="sga_1", scope=Scope("acme", "main", "user:cyd"), at=1.0)
        also = Also(events=(event,), births=(born, Birth(begun, born.payload)))
        await rig.engine.recorder.record(parent, (Change(Kind.DEFERRED),), actor="switchgear", also=also)
        rig.engine.start()
        await rig.clock.elapse(1.0)
        for intent_id, asked_by in ((born.facts["id"], "user:boss"), (begun["id"], "user:cyd")):
            step = await rig.engine.intent("acme", intent_id)
            assert (step.state, step.actor) == (State.PENDING_APPROVAL, "switchgear")
            with pytest.raises(Denied):
                await approve(rig.engine, step, asked_by)
            assert (await approve(rig.engine, step)).state is State.READY
        orphan = msgspec.structs.replace(parent, id="int_9", parent="sga_9")
        with pytest.raises(Denied):
            await rig.engine.consents.word(orphan, by="user:ada", channel=Channel.REST)


async def test_what_the_other_gates_rely_on_must_hold_also_for_what_waits() -> None:
    """An action that needs approval is accepted under the same conditions as any other."""
    other = Relying(Expect("switch", "acme", "s", 0))
    async with running(gates=(other, *gated()["gates"])) as rig:
        rig.tool()
        assert (await rig.submit()).state is State.PENDING_APPROVAL
        moved = (Write("switch", "s", 0, b"1"),)
        await rig.store.append(Append("apd_1", "acme", (), moved))
        with pytest.raises(Overloaded):
            await rig.submit(key="k2")


class Relying:
    """A gate whose pass rests on a row."""

    def __init__(self, expect: Expect) -> None:
        """Rely on `expect`."""
        self.conditions = Conditions(expects=(expect,))

    def check(self, request: GateRequest) -> Conditions:
        """Let everything pass on that condition."""
        return self.conditions


class Switched:
    """A gate that lets everything pass until it is switched on."""

    def __init__(self, gate: ApprovalGate) -> None:
        """Start switched off."""
        self.gate = gate
        self.on = False

    def check(self, request: GateRequest) -> Conditions:
        """Ask the gate behind it, if it is on."""
        return self.gate.check(request) if self.on else NO_CONDITIONS


async def stopped(rig: Rig, engine: Engine) -> None:
    """Stop a second engine."""
    stopping = asyncio.ensure_future(engine.stop(0.0))
    await rig.clock.elapse(10.0)
    await stopping
