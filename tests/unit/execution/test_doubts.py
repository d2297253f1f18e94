"""The engine looks after what is in doubt: lookups, ageing, restarts, and each item alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import cast

import pytest

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Conflict, Invalid, OptionError, StoreError
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Tool, Uncertain
from switchgear.execution.doubts import DoubtOptions
from switchgear.execution.engine import Decided, Engine
from switchgear.execution.intent import Change, Intent
from switchgear.execution.recorder import NOTHING_ELSE, Also
from switchgear.execution.refold import Refold
from switchgear.execution.resolving import Finding, Says
from switchgear.execution.transitions import Kind, State
from switchgear.ledger.chain import seal
from switchgear.storage.abilities import Store
from switchgear.storage.opening import open_store
from tests.unit.execution.rig import GLOBEX, Answer, Flaky, Rig, Script, engine_on, hang, running
from tests.unit.execution.test_resolving import doubtful as doubtful_intent

SILENCE = Uncertain(Code.TIMEOUT_INTENT_EXECUTE, "no answer")
NOT_THERE = Refused(Code.NOT_FOUND, "no such order", retryable=False, verdict=Verdict.SUCCESS)
BROKEN = Refused(Code.TOOL_FAILED, "bad request", retryable=False, verdict=Verdict.SUCCESS)
FIND = Tool(name="crm.find", requires=("crm",), effect=Effect.READ_ONLY, backoff_base=0.1)


def order(effect: Effect = Effect.RECONCILABLE, **options: object) -> Tool:
    """Return a tool that can be looked up."""
    facts = {"name": "crm.order", "requires": ("crm",), "effect": effect, "lookup": "crm.find", "settle_delay": 5.0}
    return Tool(**{**facts, "backoff_base": 0.1, **options})  # type: ignore[arg-type] # options of a tool


def looked_up(rig: Rig, *answers: Answer, **options: object) -> Script:
    """Register a tool whose first attempt is lost, and the lookup that gives `answers`."""
    looking = Script(list(answers))
    rig.script.answers = [SILENCE]
    rig.engine.registry.register(FIND, looking)
    rig.engine.registry.register(order(**options), rig.script)  # type: ignore[arg-type] # options of a tool
    return looking


async def until(rig: Rig, intent: Intent, *states: State, seconds: float = 2_000.0) -> Intent:
    """Let virtual time pass until the intent is in one of `states`."""
    found = await rig.engine.intent(intent.tenant, intent.id)
    for _ in range(int(seconds)):
        if found.state in states:
            return found
        await rig.clock.elapse(1.0)
        found = await rig.engine.intent(intent.tenant, intent.id)
    raise AssertionError(f"still {found.state}")


async def resolve(engine: Engine, intent: Intent, says: Says = Says.APPLIED, by: str = "person:ann") -> Intent:
    """Say what became of an intent."""
    finding = Finding(says=says, evidence="looked", by=by)
    return await engine.change(
        intent.tenant, intent.id, lambda seen: Decided(engine.doubts.resolved(seen, finding)), actor=by
    )


async def test_a_lookup_settles_what_was_applied() -> None:
    """The lookup is a read of its own, told the key that the remote got; its value is the outcome."""
    async with running() as rig:
        looking = looked_up(rig, Succeeded({"order": 7}))
        intent = await rig.submit("crm.order", amount=20)
        done = await until(rig, intent, State.SUCCEEDED)
        (call,) = looking.calls
        assert (done.value, done.attempt, len(rig.script.calls)) == ({"order": 7}, 1, 1)
        assert (call.about, call.purpose, call.arguments) == (intent.id, "lookup", {"amount": 20})
        assert await rig.kinds(intent) == ["accepted", "dispatched", "in_doubt", "reconciling", "succeeded"]


async def test_a_lookup_waits_for_the_settle_delay() -> None:
    """SEMANTICS §7: "not there" counts only once what was sent can have arrived."""
    async with running() as rig:
        looking = looked_up(rig, Succeeded(None), settle_delay=30.0)
        await rig.submit("crm.order")
        await rig.clock.elapse(29.0)
        assert looking.calls == []
        await rig.clock.elapse(8.0)
        assert len(looking.calls) == 1


@pytest.mark.parametrize("answer", [Succeeded(None), NOT_THERE])
async def test_what_was_not_applied_runs_again_with_the_same_key(answer: Result) -> None:
    """The doubt is gone, so a retry is safe, whatever the effect."""
    async with running() as rig:
        looked_up(rig, answer)
        done = await until(rig, await rig.submit("crm.order"), State.SUCCEEDED)
        first, second = rig.script.calls
        assert first.idempotency_key == second.idempotency_key
        assert (done.attempt, done.doubtful) == (2, False)


async def test_a_doubt_after_a_doubt_is_looked_up_anew() -> None:
    """Each doubt has all its lookups."""
    async with running() as rig:
        looking = looked_up(rig, BROKEN, Succeeded(None), BROKEN, Succeeded("there"))
        rig.script.answers = [SILENCE, SILENCE]
        done = await until(rig, await rig.submit("crm.order"), State.SUCCEEDED)
        assert (done.value, done.attempt, done.lookups, len(looking.calls)) == ("there", 2, 2, 4)


@pytest.mark.parametrize(
    "answer", [BROKEN, Succeeded([]), hang, RuntimeError("defect")], ids=["refused", "empty", "silent", "raises"]
)
async def test_lookups_in_vain_are_repeated_ever_later_and_then_a_person_is_called(answer: Answer) -> None:
    """A lookup that says nothing is no evidence; after the last one a person decides, and nothing ran again."""
    async with running(doubts=DoubtOptions(lookups_max=3, escalate_after=100_000.0)) as rig:
        looked_up(rig, *[answer] * 30)
        intent = await rig.submit("crm.order")
        found = await until(rig, intent, State.NEEDS_OPERATOR)
        kinds = await rig.kinds(intent)
        assert kinds.count("reconciling") == 3
        assert kinds[-3:] == ["reconciling", "in_doubt", "needs_operator"]
        assert (found.code, len(rig.script.calls)) == ("TIMEOUT_INTENT_EXECUTE", 1)


async def test_a_lookup_that_a_person_cancels_is_one_in_vain() -> None:
    """Its end is told to the action that it looks up, whatever end it is."""
    async with running() as rig:
        looked_up(rig, hang)
        intent = await rig.submit("crm.order")
        found = await until(rig, intent, State.RECONCILING)
        await rig.engine.cancel("acme", found.lookup or "", reason="no", actor="person:ann")
        again = await until(rig, intent, State.IN_DOUBT)
        assert (again.lookups, again.lookup) == (1, None)


async def test_a_lookup_has_no_longer_than_until_a_person_is_called() -> None:
    """A remote that is down for days does not keep a doubt from a person for days."""
    async with running(doubts=DoubtOptions(lookups_max=1, escalate_after=60.0)) as rig:
        looked_up(
            rig,
            *[Refused(Code.DEPENDENCY_FAILED, "down", retryable=True, verdict=Verdict.IGNORED, retry_after=1_000.0)]
            * 9,
        )
        intent = await rig.submit("crm.order")
        found = await until(rig, intent, State.NEEDS_OPERATOR, seconds=200.0)
        assert (found.state, found.doubtful) == (State.NEEDS_OPERATOR, True)


@pytest.mark.parametrize(
    ("effect", "lookup", "happened", "end", "calls"),
    [
        (Effect.READ_ONLY, None, SILENCE, State.SUCCEEDED, 2),
        (Effect.KEYED, None, SILENCE, State.SUCCEEDED, 2),
        (Effect.NATURAL, None, SILENCE, State.NEEDS_OPERATOR, 1),
        (Effect.RECONCILABLE, None, SILENCE, State.NEEDS_OPERATOR, 1),
        (Effect.OPAQUE, None, SILENCE, State.NEEDS_OPERATOR, 1),
        (Effect.KEYED, "crm.find", SILENCE, State.SUCCEEDED, 2),
        (Effect.NATURAL, "crm.find", SILENCE, State.SUCCEEDED, 1),
        (Effect.RECONCILABLE, "crm.find", SILENCE, State.SUCCEEDED, 1),
        (Effect.OPAQUE, "crm.find", SILENCE, State.SUCCEEDED, 1),
        (Effect.READ_ONLY, None, BROKEN, State.FAILED, 1),
        (Effect.KEYED, "crm.find", BROKEN, State.DEAD_LETTERED, 1),
        (Effect.NATURAL, "crm.find", BROKEN, State.DEAD_LETTERED, 1),
        (Effect.RECONCILABLE, "crm.find", BROKEN, State.DEAD_LETTERED, 1),
        (Effect.OPAQUE, "crm.find", BROKEN, State.DEAD_LETTERED, 1),
        (Effect.OPAQUE, None, OSError("reset"), State.NEEDS_OPERATOR, 1),
        (Effect.RECONCILABLE, "crm.find", OSError("reset"), State.SUCCEEDED, 1),
        (Effect.OPAQUE, None, hang, State.NEEDS_OPERATOR, 1),
        (Effect.RECONCILABLE, "crm.find", hang, State.SUCCEEDED, 1),
    ],
)
async def test_each_effect_class_has_one_rule(
    effect: Effect,
    lookup: str | None,
    happened: Answer,
    end: State,
    calls: int,
) -> None:
    """Effect class × what happened × what follows. The lookup of this table finds that it was applied."""
    async with running() as rig:
        looked_up(rig, Succeeded("there"), effect=effect, lookup=lookup)
        rig.script.answers = [happened]
        intent = await rig.submit("crm.order")
        done = await until(rig, intent, State.SUCCEEDED, State.FAILED, State.DEAD_LETTERED, State.NEEDS_OPERATOR)
        assert (done.state, len(rig.script.calls)) == (end, calls)
        assert (await Refold(cast("Store", rig.store)).intents("acme")).first_different is None


async def test_an_old_doubt_calls_a_person_once(caplog: pytest.LogCaptureFixture) -> None:
    """Law 4: unknown is alarmed: id, tenant, tool and age, at the configured age and never again."""
    async with running(doubts=DoubtOptions(escalate_after=120.0)) as rig:
        rig.tool(effect=Effect.OPAQUE)
        rig.script.answers = [SILENCE]
        intent = await rig.submit()
        await rig.clock.elapse(119.0)
        assert (await rig.engine.intent("acme", intent.id)).state is State.IN_DOUBT
        with caplog.at_level(logging.WARNING, "switchgear.doubts"):
            await rig.clock.elapse(1_000.0)
            await rig.engine.cancel("acme", intent.id, reason="", actor="person:ann")
            await rig.clock.elapse(1_000.0)
        (record,) = caplog.records
        assert all(word in record.getMessage() for word in (intent.id, "acme", "crm.update", "120 s"))
        assert (await rig.kinds(intent)).count("needs_operator") == 1


async def test_what_no_rule_settles_is_escalated_by_the_age_of_its_first_doubt() -> None:
    """A keyed action that was tried in vain is as old as its first attempt without an answer."""
    async with running(doubts=DoubtOptions(escalate_after=300.0)) as rig:
        rig.tool(effect=Effect.KEYED, backoff_base=100.0, backoff_cap=100.0)
        rig.script.answers = [SILENCE] * 3
        intent = await rig.submit()
        found = await until(rig, intent, State.NEEDS_OPERATOR)
        assert rig.clock.time() - (found.doubt_since or 0.0) == pytest.approx(300.0, abs=2.0)


async def test_the_report_counts_by_tenant_and_state() -> None:
    """Alarms read it: how many, and how old the oldest is; what is settled is gone from it."""
    async with running(doubts=DoubtOptions(escalate_after=100.0)) as rig:
        rig.tool(effect=Effect.OPAQUE)
        rig.script.answers = [SILENCE] * 3
        old = await rig.submit(key="a")
        await rig.clock.elapse(150.0)
        await rig.submit(key="b")
        await rig.submit(key="c", scope=GLOBEX)
        await rig.clock.elapse(10.0)
        report = rig.engine.doubts.report()
        acme, globex = report.of("acme"), report.of("globex")
        assert (acme.in_doubt, acme.needs_operator, globex.in_doubt, globex.count) == (1, 1, 1, 1)
        assert (report.count, report.complete) == (3, True)
        assert report.oldest_age == pytest.approx(160.0, abs=2.0)
        await resolve(rig.engine, old)
        after = rig.engine.doubts.report()
        assert (after.count, after.of("acme").needs_operator) == (2, 0)
        assert after.of("nobody").count == 0
        assert after.oldest_age == pytest.approx(10.0, abs=2.0)


async def test_no_doubt_has_no_age() -> None:
    """Zero, not nothing: a gauge has a value."""
    async with running() as rig:
        report = rig.engine.doubts.report()
        assert (report.count, report.oldest_age, report.tenants) == (0, 0.0, ())


async def test_one_that_cannot_be_settled_never_stops_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that cannot be read, or a defect, is logged and looked at again; all others are settled."""
    async with running(doubts=DoubtOptions(escalate_after=50.0)) as rig:
        rig.tool(effect=Effect.OPAQUE)
        rig.script.answers = [SILENCE] * 5
        intents = [await rig.submit(key=f"k{number}") for number in range(5)]
        await rig.clock.elapse(5.0)
        latest, broken = rig.engine.recorder.latest, intents[1].id

        async def defective(tenant: str, intent_id: str) -> Intent | None:
            if intent_id == broken:
                raise RuntimeError("defect")
            return await latest(tenant, intent_id)

        monkeypatch.setattr(rig.engine.recorder, "latest", defective)
        await rig.clock.elapse(100.0)
        monkeypatch.setattr(rig.engine.recorder, "latest", latest)
        states = [(await rig.engine.intent("acme", intent.id)).state for intent in intents]
        assert states == [State.NEEDS_OPERATOR, State.IN_DOUBT] + [State.NEEDS_OPERATOR] * 3
        await rig.clock.elapse(100.0)
        assert (await rig.engine.intent("acme", broken)).state is State.NEEDS_OPERATOR
        assert rig.engine.defect is None


@pytest.mark.parametrize("unfit", [Kind.RECONCILING, Kind.SUCCEEDED])
async def test_what_no_store_can_hold_calls_a_person(unfit: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trying it again would not help, and the others go on."""
    async with running() as rig:
        looked_up(rig, Succeeded("there"))
        intent = await rig.submit("crm.order")
        record = rig.engine.recorder.record

        async def too_large(
            of: Intent, changes: Sequence[Change], *, actor: str, also: Also = NOTHING_ELSE, at: float | None = None
        ) -> Intent:
            if of.id == intent.id and changes[0].kind is unfit:
                raise Invalid("too large", code=Code.PAYLOAD_TOO_LARGE)
            return await record(of, changes, actor=actor, also=also, at=at)

        monkeypatch.setattr(rig.engine.recorder, "record", too_large)
        found = await until(rig, intent, State.NEEDS_OPERATOR)
        assert "what follows cannot be recorded" in found.message
        assert rig.engine.defect is None


@pytest.mark.parametrize("fates", [["down"], ["full"], ["late"], ["lost", "lost", "lost"], ["down"] * 20])
async def test_a_ledger_that_stumbles_delays_a_lookup_and_loses_nothing(fates: list[str]) -> None:
    """What cannot be recorded now is done again; there is one lookup on record, and one outcome."""
    async with running() as rig:
        looking = looked_up(rig, Succeeded("there"))
        intent = await rig.submit("crm.order")
        await rig.clock.elapse(4.0)
        rig.store.plan = list(fates)
        done = await until(rig, intent, State.SUCCEEDED)
        assert (done.value, len(rig.script.calls)) == ("there", 1)
        assert (await rig.kinds(intent)).count("reconciling") == 1
        assert len(looking.calls) == 1


async def test_a_tool_that_is_registered_later_is_looked_up_then() -> None:
    """A gear that has just started learns its tools one by one."""
    async with running() as rig:
        looked_up(rig, Succeeded("there"))
        intent = await rig.submit("crm.order")
        await rig.clock.elapse(2.0)
        later = engine_on(rig.store, rig.clock, guards={}, seed=2)
        await rig.engine.stop(0.0)
        await later.recover()
        later.start()
        await rig.clock.elapse(2.0)
        later.registry.register(FIND, Script([Succeeded("found")]))
        later.registry.register(order(), rig.script)
        await rig.clock.elapse(120.0)
        assert (await later.intent("acme", intent.id)).value == "found"
        await stop(later, rig.clock)


@pytest.mark.parametrize("jump", [-10_000.0, 10_000.0])
async def test_a_wall_clock_that_jumps_neither_hurries_a_lookup_nor_puts_it_off(jump: float) -> None:
    """The settle delay is measured on the clock that never jumps."""
    async with running() as rig:
        looking = looked_up(rig, Succeeded("there"), settle_delay=50.0)
        await rig.submit("crm.order")
        await rig.clock.elapse(10.0)
        rig.clock.jump_wall(jump)
        await rig.clock.elapse(30.0)
        assert looking.calls == []
        await rig.clock.elapse(30.0)
        assert len(looking.calls) == 1


async def test_law_10_more_doubts_than_memory_holds_are_settled_all_the_same() -> None:
    """What does not fit is read back from the store, page by page, and the report says that it is not complete."""
    async with running(doubts=DoubtOptions(kept_max=3, escalate_after=60.0)) as rig:
        rig.tool(effect=Effect.OPAQUE)
        rig.script.answers = [SILENCE] * 20
        intents = [await rig.submit(key=f"k{number}") for number in range(20)]
        await rig.clock.elapse(10.0)
        assert (rig.engine.doubts.report().count, rig.engine.doubts.report().complete) == (3, False)
        await rig.clock.elapse(3_000.0)
        assert {(await rig.engine.intent("acme", intent.id)).state for intent in intents} == {State.NEEDS_OPERATOR}


async def test_a_doubt_that_was_left_out_is_found_when_nothing_else_happens() -> None:
    """The one that had a place is settled by a person; the other one is not forgotten for it."""
    async with running(doubts=DoubtOptions(kept_max=1, escalate_after=300.0)) as rig:
        rig.tool(effect=Effect.OPAQUE)
        rig.script.answers = [SILENCE] * 2
        first, second = await rig.submit(key="a"), await rig.submit(key="b")
        await rig.clock.elapse(5.0)
        await resolve(rig.engine, first)
        await until(rig, second, State.NEEDS_OPERATOR, seconds=420.0)


async def test_what_has_had_its_lookups_gets_no_more_after_a_restart() -> None:
    """A bound that was lowered meanwhile is the bound."""
    async with running(doubts=DoubtOptions(lookups_max=5)) as rig:
        looking = looked_up(rig, *[BROKEN] * 9)
        intent = await rig.submit("crm.order")
        await rig.clock.elapse(30.0)
        assert len(looking.calls) == 2
        await stop(rig.engine, rig.clock)
        later = engine_on(rig.store, rig.clock, guards={}, doubts=DoubtOptions(lookups_max=2), seed=2)
        later.registry.register(FIND, looking)
        later.registry.register(order(), rig.script)
        await later.recover()
        later.start()
        await rig.clock.elapse(900.0)
        assert (await later.intent("acme", intent.id)).state is State.NEEDS_OPERATOR
        assert len(looking.calls) == 2
        await stop(later, rig.clock)


async def test_a_lookup_of_before_says_nothing_about_now() -> None:
    """Its end may be told twice; only the lookup under way counts."""
    async with running() as rig:
        looked_up(rig, hang, hang)
        intent = await rig.submit("crm.order")
        first = await until(rig, intent, State.RECONCILING)
        await rig.engine.cancel("acme", first.lookup or "", reason="", actor="person:ann")
        await until(rig, intent, State.IN_DOUBT)
        second = await until(rig, intent, State.RECONCILING)
        rig.engine.family.note(await rig.engine.intent("acme", first.lookup or ""))
        await rig.clock.elapse(1.0)
        assert await rig.engine.intent("acme", intent.id) == second


async def test_a_lookup_that_ended_before_a_restart_counts_at_once() -> None:
    """What was found out is not looked for again, and not waited for."""
    async with running() as rig:
        looking = looked_up(rig, Succeeded("there"))
        rig.engine.family.serve("lookup", _nobody)
        intent = await rig.submit("crm.order")
        await rig.clock.elapse(20.0)
        assert (await rig.engine.intent("acme", intent.id)).state is State.RECONCILING
        await stop(rig.engine, rig.clock)
        later = engine_on(rig.store, rig.clock, guards={}, seed=2)
        await later.recover()
        later.start()
        await rig.clock.elapse(1.0)
        assert (await later.intent("acme", intent.id)).value == "there"
        assert len(looking.calls) == 1
        await stop(later, rig.clock)


async def test_a_doubt_about_an_unknown_tool_waits_for_its_age() -> None:
    """That its tool is not there yet is no reason to call a person."""
    async with running(doubts=DoubtOptions(escalate_after=300.0)) as rig:
        looked_up(rig)
        intent = await rig.submit("crm.order")
        await rig.clock.elapse(1.0)
        await stop(rig.engine, rig.clock)
        later = engine_on(rig.store, rig.clock, guards={}, doubts=DoubtOptions(escalate_after=300.0), seed=2)
        await later.recover()
        later.start()
        await rig.clock.elapse(290.0)
        assert (await later.intent("acme", intent.id)).state is State.IN_DOUBT
        await rig.clock.elapse(20.0)
        assert (await later.intent("acme", intent.id)).state is State.NEEDS_OPERATOR
        await stop(later, rig.clock)


async def test_a_tool_that_has_become_destructive_needs_two_persons() -> None:
    """What the tool is now counts as well as what it was when the action was accepted."""
    async with running() as rig:
        rig.engine.registry.register(order(lookup=None, destructive=True), rig.script)
        seen = doubtful_intent(tool="crm.order")
        finding = Finding(says=Says.APPLIED, evidence="looked", by="person:ann")
        assert rig.engine.doubts.resolved(seen, finding)[-1].kind is Kind.RESOLUTION_PROPOSED
        other = rig.engine.doubts.resolved(doubtful_intent(tool="crm.other"), finding)
        assert other[-1].kind is Kind.SUCCEEDED


async def _nobody(_lookup: Intent) -> None:
    """Be told, and do nothing."""


@pytest.mark.parametrize("options", [{"escalate_after": 0.0}, {"escalate_after": float("inf")}, {"lookups_max": 0}])
def test_options_that_cannot_work_are_refused(options: dict[str, float]) -> None:
    """At birth, with the name of the option."""
    with pytest.raises(OptionError, match=next(iter(options))):
        DoubtOptions(**options)  # type: ignore[arg-type] # that is the point


async def test_a_word_while_a_lookup_is_under_way_is_refused() -> None:
    """One of the two decides, and the person is told to wait."""
    async with running() as rig:
        looked_up(rig, hang)
        intent = await rig.submit("crm.order")
        await until(rig, intent, State.RECONCILING)
        with pytest.raises(Conflict, match="a lookup is finding out"):
            await resolve(rig.engine, intent)


async def test_a_word_ends_the_looking_up() -> None:
    """What a person has settled is not looked up any more."""
    async with running() as rig:
        looking = looked_up(rig, *[BROKEN] * 9)
        intent = await rig.submit("crm.order")
        await rig.clock.elapse(10.0)
        assert (await resolve(rig.engine, intent, Says.ABANDON)).state is State.DEAD_LETTERED
        await rig.clock.elapse(2_000.0)
        assert (len(looking.calls), len(rig.script.calls)) == (1, 1)


async def test_what_a_person_says_was_not_applied_runs_again() -> None:
    """It takes a place in the queue and goes on as after any attempt that was not applied."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE)
        rig.script.answers = [SILENCE]
        intent = await rig.settled(await rig.submit())
        assert (await resolve(rig.engine, intent, Says.NOT_APPLIED)).state is State.READY
        done = await rig.settled(intent)
        assert (done.state, len(rig.script.calls), len(rig.engine.queue)) == (State.SUCCEEDED, 2, 0)


async def test_what_a_person_said_is_done_although_the_ledger_did_not_acknowledge() -> None:
    """Law 2: what is on record goes on by itself; nobody has to look at it again, and it takes no second place."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE)
        rig.script.answers = [SILENCE]
        intent = await rig.settled(await rig.submit())
        rig.store.plan = ["late", "lost", "lost"]
        with pytest.raises(StoreError):
            await resolve(rig.engine, intent, Says.NOT_APPLIED)
        await rig.clock.elapse(10.0)
        done = await rig.engine.intent("acme", intent.id)
        assert (done.state, len(rig.script.calls), len(rig.engine.queue)) == (State.SUCCEEDED, 2, 0)


async def stop(engine: Engine, clock: VirtualClock) -> None:
    """Stop an engine, letting time pass."""
    stopping = asyncio.ensure_future(engine.stop(0.0))
    while not stopping.done():
        await clock.elapse(1.0)
    await stopping


async def crash() -> None:
    """End every task but this one on the spot."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class Lives:
    """One store over several lives of an engine, each with the same tools."""

    def __init__(self, store: Flaky, clock: VirtualClock) -> None:
        """Start with no engine."""
        self.store = store
        self.clock = clock
        self.orders = Script([SILENCE])
        self.looking = Script()
        self.count = 0

    async def begin(self) -> Engine:
        """Start an engine on what is there."""
        self.count += 1
        engine = engine_on(self.store, self.clock, guards={}, seed=self.count)
        engine.registry.register(FIND, self.looking)
        engine.registry.register(order(), self.orders)
        await engine.recover()
        engine.start()
        return engine


@pytest.mark.parametrize("appends", range(1, 10))
@pytest.mark.parametrize("found", [Succeeded("there"), Succeeded(None)])
async def test_a_crash_after_any_append_loses_no_lookup(appends: int, found: Result) -> None:
    """Law 4: whatever is on record when the engine dies, the next one goes on and comes to the same end."""
    clock = VirtualClock()
    lives = Lives(Flaky(await open_store("memory://", seal=seal, clock=clock)), clock)
    lives.looking.answers = [found] * 3
    engine = await lives.begin()
    dead = asyncio.Event()
    append = lives.store.append

    async def append_until_death(one: object) -> object:
        nonlocal appends
        if dead.is_set():
            await asyncio.Event().wait()
        outcome = await append(one)  # type: ignore[arg-type] # passed on
        appends -= 1
        if not appends:
            dead.set()
            await asyncio.Event().wait()  # it is on record, and nobody here ever learns
        return outcome

    lives.store.append = append_until_death  # type: ignore[method-assign, assignment] # the disk of a dying machine
    rig = Rig(engine, lives.store, clock, lives.orders, {})
    submitting = asyncio.ensure_future(rig.submit("crm.order"))
    for _ in range(30):
        await clock.elapse(1.0)
    submitting.cancel()
    await crash()
    lives.store.append = append  # type: ignore[method-assign] # the next machine
    engine = await lives.begin()
    rig = Rig(engine, lives.store, clock, lives.orders, {})
    intent = await rig.submit("crm.order")
    done = await until(rig, intent, State.SUCCEEDED)
    assert done.value == ("there" if found.value else "done")  # type: ignore[union-attr] # both succeeded
    assert sum(lives.orders.effects.values()) == (0 if found.value else 1)  # type: ignore[union-attr] # as above
    assert (await Refold(cast("Store", lives.store)).intents("acme")).first_different is None
    await stop(engine, clock)
    await lives.store.close()


async def test_a_late_answer_cannot_write() -> None:
    """Leases and fencing: an attempt that answers once its intent was moved on changes nothing any more."""
    async with running() as rig:
        answer = asyncio.Event()

        async def late(call: Call) -> Result:
            await answer.wait()
            return Succeeded(f"late {call.attempt}")

        rig.tool(effect=Effect.OPAQUE, timeout=1_000.0)
        rig.script.answers = [late]
        intent = await rig.submit()
        await rig.clock.elapse(1.0)
        other = engine_on(rig.store, rig.clock, guards={}, seed=2)
        other.registry.register(order(), rig.script)
        await other.recover()
        assert (await other.intent("acme", intent.id)).state is State.IN_DOUBT
        settled = await resolve(other, intent, Says.ABANDON)
        answer.set()
        await rig.clock.elapse(5.0)
        found = await other.recorder.reload("acme", intent.id)
        assert found == settled
        assert rig.engine.kernel.in_flight == 0


async def test_a_late_answer_is_not_taken_for_that_of_a_later_attempt() -> None:
    """The epoch of the attempt counts: another engine's attempt of the same intent is not its own."""
    async with running() as rig:
        answers = {1: asyncio.Event(), 2: asyncio.Event()}

        async def late(call: Call) -> Result:
            await answers[call.attempt].wait()
            return Succeeded(f"attempt {call.attempt}")

        rig.tool(effect=Effect.KEYED, timeout=1_000.0, backoff_base=0.1)
        rig.script.answers = [late, late]
        intent = await rig.submit()
        await rig.clock.elapse(1.0)
        other = engine_on(rig.store, rig.clock, guards={}, seed=2)
        other.registry.register(rig.engine.registry.get("crm.update").tool, rig.script)  # type: ignore[union-attr] # it is
        await other.recover()
        other.start()
        await rig.clock.elapse(5.0)
        assert [call.attempt for call in rig.script.calls] == [1, 2]
        answers[1].set()
        await rig.clock.elapse(5.0)
        assert (await other.recorder.reload("acme", intent.id)).state is State.DISPATCHED  # type: ignore[union-attr] # it is
        answers[2].set()
        await rig.clock.elapse(5.0)
        assert (await other.intent("acme", intent.id)).value == "attempt 2"
        await stop(other, rig.clock)
