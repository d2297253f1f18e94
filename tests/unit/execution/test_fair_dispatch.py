"""What leaves when: a tenant's own guard, priorities, age in the queue, scheduled starts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Invalid
from switchgear.core.outcome import Verdict
from switchgear.execution.admission import Submission
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Uncertain
from switchgear.execution.engine import EngineLimits
from switchgear.execution.intent import Intent
from switchgear.execution.shares import Share
from switchgear.execution.transitions import State
from switchgear.guard import Guard
from switchgear.policies.breaker import Breaker
from switchgear.policies.rate_limit import RateLimit
from tests.unit.execution.rig import ACME, GLOBEX, Rig, engine_on, running

TURNED_AWAY = Refused(Code.TOOL_FAILED, "401", retryable=False, verdict=Verdict.SUCCESS, of_tenant=True)
UNWELL = Uncertain(Code.DEPENDENCY_FAILED, "500")
INVALID = Refused(Code.TOOL_FAILED, "422", retryable=False, verdict=Verdict.SUCCESS)
ONE_AT_A_TIME = EngineLimits(lane_places=1)


def own_breaker(rig: Rig, failures: int = 2) -> Guard:
    """Give tenants a breaker of their own for the CRM, and return the guard whose keys they are."""
    guard = Guard("crm", breaker=Breaker(failures=failures, cooldown=30.0, jitter=0.0), clock=rig.clock)
    rig.guards["own crm"] = guard
    return guard


async def submit(rig: Rig, key: str, **options: Any) -> Intent:
    """Submit for acme with what a surface may say."""
    submission = Submission(scope=ACME, tool="crm.update", arguments={}, key=key)
    return (await rig.engine.submit(structs.replace(submission, **options))).intent


async def test_refused_credentials_hold_up_their_tenant_alone() -> None:
    """After so many refusals nothing more of that tenant is sent for a while; the others go on, the rest waits."""
    async with running() as rig:
        rig.tool()
        own = own_breaker(rig)
        rig.script.answers = [TURNED_AWAY, TURNED_AWAY]
        for key in ("a", "b"):
            await rig.settled(await rig.submit(key=key))
        waiting = await rig.submit(key="c")
        await rig.clock.elapse(1.0)
        other = await rig.settled(await rig.submit(key="c", scope=GLOBEX))
        assert (own.key("acme").state, own.key("globex").state, other.state) == ("open", "closed", State.SUCCEEDED)
        assert (await rig.engine.intent("acme", waiting.id)).waiting_for == "CIRCUIT_OPEN"
        assert rig.engine.lane_paused_for("crm.update", "acme") == "CIRCUIT_OPEN"
        assert rig.engine.lane_paused_for("crm.update", "globex") is rig.engine.lane_paused_for("crm.update") is None
        assert rig.engine.lane_paused_for("crm.nothing", "acme") is None
        assert (await rig.settled(waiting)).state is State.SUCCEEDED
        assert own.key("acme").state == "closed"


async def test_an_answer_that_credentials_let_through_clears_them() -> None:
    """A 422 says that the tenant was let in; a failing dependency says nothing about it."""
    async with running() as rig:
        rig.tool(attempts=1, effect=Effect.OPAQUE)
        own = own_breaker(rig)
        answers: list[Result] = [TURNED_AWAY, INVALID, TURNED_AWAY, UNWELL, UNWELL]
        for number, answer in enumerate(answers):
            rig.script.answers = [answer]
            await rig.settled(await rig.submit(key=f"k{number}"))
        assert own.key("acme").state == "closed"
        counts = own.key("acme").statistics()
        assert (counts.failures, counts.successes, counts.in_flight) == (2, 1, 0)


async def test_a_tenants_own_limit_pauses_its_line_and_charges_nobody_else() -> None:
    """What its own guard refuses has cost the shared one nothing, and is offered again when it says so."""
    async with running() as rig:
        rig.tool()
        rig.guards["own crm"] = Guard("crm", rate_limit=RateLimit(1, per=10.0), clock=rig.clock)
        shared = rig.guards["crm"] = Guard("crm", rate_limit=RateLimit(2, per=1_000.0), clock=rig.clock)
        first = await rig.settled(await rig.submit(key="a"))
        second = await rig.submit(key="b")
        await rig.clock.elapse(1.0)
        assert (await rig.engine.intent("acme", second.id)).waiting_for == "RATE_LIMITED_TENANT"
        assert shared.statistics().calls == 1
        settled = await rig.settled(second)
        assert (first.state, settled.state, len(rig.script.calls)) == (State.SUCCEEDED, State.SUCCEEDED, 2)


async def test_what_the_shared_guard_refuses_costs_the_tenants_own_nothing() -> None:
    """Both let an attempt in, or neither is charged."""
    async with running() as rig:
        rig.tool()
        own = rig.guards["own crm"] = Guard("crm", rate_limit=RateLimit(1, per=1_000.0), clock=rig.clock)
        shared = rig.guards["crm"] = Guard(
            "crm", breaker=Breaker(failures=1, cooldown=5.0, jitter=0.0), clock=rig.clock
        )
        shared.permit_nowait().fail()
        settled = await rig.settled(await rig.submit())
        assert (settled.state, own.key("acme").statistics().in_flight) == (State.SUCCEEDED, 0)


async def test_a_call_that_never_left_costs_the_tenants_own_guard_nothing() -> None:
    """A refusal of ours before anything left gives the tenant its cost back."""
    async with running() as rig:
        rig.tool()
        rig.guards["own crm"] = Guard("crm", rate_limit=RateLimit(1, per=1_000.0), clock=rig.clock)
        unsent = Refused(Code.BULKHEAD_FULL, "no thread", retryable=True, verdict=Verdict.IGNORED)
        rig.script.answers = [unsent, Succeeded("done")]
        assert (await rig.settled(await rig.submit())).state is State.SUCCEEDED


async def test_the_more_important_leaves_first() -> None:
    """Of one tenant's own, by class; among tenants, by weight."""
    limits = replace(ONE_AT_A_TIME, shares={"globex": Share(weight=2.0)})
    async with running(start=False, limits=limits) as rig:
        rig.tool()
        for key, priority in (("s", "sheddable"), ("c", None), ("p", "critical_plus")):
            await submit(rig, key, priority=priority)
        for key in ("x", "y", "z"):
            await rig.submit(key=key, scope=GLOBEX)
        rig.engine.start()
        await rig.clock.elapse(5.0)
        order = [(call.tenant, (await rig.engine.intent(call.tenant, call.intent_id)).key) for call in rig.script.calls]
        assert order == [
            ("acme", "p"),
            ("globex", "x"),
            ("globex", "y"),
            ("acme", "c"),
            ("globex", "z"),
            ("acme", "s"),
        ]


async def test_what_is_sheddable_and_too_old_is_denied() -> None:
    """It ends as denied with QUEUE_EXPIRED, nothing of it was sent, and the rest waits on."""
    async with running(limits=EngineLimits(queue_age_max=10.0)) as rig:
        rig.tool()
        rig.engine.queue.pause("crm", rig.clock.monotonic() + 60.0, "CIRCUIT_OPEN")
        shed = await submit(rig, "s", priority="sheddable")
        kept = await submit(rig, "c")
        rig.store.plan = ["down"]  # the first denial cannot be recorded: it is denied at the next look
        settled = await rig.settled(shed)
        assert (settled.state, settled.code, rig.script.calls) == (State.DENIED, "QUEUE_EXPIRED", [])
        assert 10.0 < rig.clock.time() - shed.created_at < 14.0
        assert (await rig.settled(kept)).state is State.SUCCEEDED
        assert len(rig.engine.queue) == 0


async def test_what_may_have_happened_is_never_shed() -> None:
    """A sheddable action whose attempt is in doubt waits on, until its repeat settles it."""
    async with running(limits=EngineLimits(queue_age_max=10.0)) as rig:
        rig.tool()

        async def lost(_call: Call) -> Result:
            rig.engine.queue.pause("crm", rig.clock.monotonic() + 60.0, "CIRCUIT_OPEN")
            return UNWELL

        rig.script.answers = [lost]
        settled = await rig.settled(await submit(rig, "s", priority="sheddable"))
        assert (settled.state, settled.attempt) == (State.SUCCEEDED, 2)


async def test_an_action_leaves_at_its_time_and_not_before() -> None:
    """A moment and a delay mean the same; until then it takes a place and nothing else."""
    async with running() as rig:
        rig.tool()
        now = rig.clock.time()
        later = await submit(rig, "a", not_before=now + 100.0)
        sooner = await submit(rig, "b", delay=50.0)
        past = await submit(rig, "c", not_before=now - 100.0)
        await rig.clock.elapse(1.0)
        assert ((await rig.engine.intent("acme", past.id)).state, len(rig.script.calls)) == (State.SUCCEEDED, 1)
        await rig.clock.elapse(48.0)
        assert len(rig.script.calls) == 1
        assert (await rig.settled(sooner)).ended is None
        assert 50.0 <= rig.clock.time() - now <= 53.0
        assert (await rig.settled(later)).state is State.SUCCEEDED
        assert 100.0 <= rig.clock.time() - now <= 103.0


async def test_a_scheduled_start_survives_a_restart() -> None:
    """Another engine on the same store carries it out, at its time."""
    async with running() as rig:
        rig.tool()
        now = rig.clock.time()
        intent = await submit(rig, "a", delay=500.0, priority="sheddable")
        await rig.engine.stop(0.0)
        second = engine_on(rig.store, rig.clock, guards={}, seed=2)
        for tool in rig.engine.registry:
            second.registry.register(tool, rig.script)
        assert (await second.recover()).queued == 1
        second.start()
        await rig.clock.elapse(499.0)
        assert rig.script.calls == []
        await rig.clock.elapse(3.0)
        found = await second.intent("acme", intent.id)
        assert (found.state, found.priority, rig.clock.time() - now) == (State.SUCCEEDED, "sheddable", 502.0)
        await second.stop(0.0)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"delay": 5.0, "not_before": 5.0}, "not both"),
        ({"delay": -1.0}, "at least 0"),
        ({"not_before": math.nan}, "at least 0"),
        ({"not_before": 1.7e12}, "below"),
        ({"delay": 60.0, "lifetime": 60.0}, "after its deadline"),
        ({"delay": 100_000.0}, "after its deadline"),
        ({"priority": "urgent"}, "critical_plus"),
    ],
)
async def test_a_start_or_priority_that_cannot_be_is_refused(options: dict[str, Any], word: str) -> None:
    """What would never leave, or at no moment, is told so at once; nothing is recorded and no place is kept."""
    async with running() as rig:
        rig.tool()
        with pytest.raises(Invalid, match=word):
            await submit(rig, "a", **options)
        assert len(rig.engine.queue) == 0
