"""Time-boxed actions on a whole engine with a scripted connector and a virtual clock."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Conflict, Denied, Invalid, Overloaded, Rejected, StoreError
from switchgear.core.outcome import Verdict
from switchgear.execution.admission import Submission
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Tool, Uncertain
from switchgear.execution.decide import Backoff
from switchgear.execution.doubts import DoubtOptions
from switchgear.execution.engine import Decided
from switchgear.execution.intent import Intent
from switchgear.execution.resolving import Finding, Says, resolved
from switchgear.execution.time_boxes import driver
from switchgear.execution.time_boxes.box import SPACE, STREAM_PREFIX, TimeBox, decoded_box, encoded_box, folded_box
from switchgear.execution.time_boxes.due import AT_ONCE
from switchgear.gates.gate import NO_CONDITIONS, Conditions, GateRequest, Stage
from switchgear.ledger.events import read
from tests.unit.execution.rig import ACME, GLOBEX, Answer, Rig, engine_on, hang, running

TERM = 600.0
_TOOL_WAIT = 6.0
NO = Refused(Code.TOOL_FAILED, "no", retryable=False, verdict=Verdict.SUCCESS)
LOST = Uncertain(Code.DEPENDENCY_FAILED, "reset")
CHANGED = Succeeded({"prior": {"active": True}, "now": {"active": False}})
UNDO_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["user"],
    "additionalProperties": False,
    "properties": {"user": {"type": "string"}, "prior": {}, "now": {}},
}


def tools(effect: Effect = Effect.OPAQUE, **options: Any) -> tuple[Tool, Tool]:
    """Return a tool that contains a user, and the one that undoes it."""
    return (
        Tool(name="idp.lock", effect=effect, requires=("idp",), revert="idp.unlock", **options),
        Tool(name="idp.unlock", effect=Effect.NATURAL, requires=("idp",), arguments_schema=UNDO_SCHEMA, attempts=1),
    )


def register(rig: Rig, effect: Effect = Effect.OPAQUE, **options: Any) -> None:
    """Register both tools on the rig's script."""
    for tool in tools(effect, **options):
        rig.engine.registry.register(tool, rig.script)


async def lock(rig: Rig, *answers: Answer, seconds: float | None = TERM, key: str = "k", user: str = "ada") -> Intent:
    """Submit a time-boxed lock that is answered by `answers`, and let it settle."""
    rig.script.answers += answers
    submission = Submission(
        scope=ACME, tool="idp.lock", arguments={"user": user, "why": "phished"}, key=key, time_box=seconds
    )
    intent = (await rig.engine.submit(submission)).intent
    await rig.clock.elapse(0.01)
    return await rig.engine.intent("acme", intent.id)


async def box_of(rig: Rig, intent: Intent) -> TimeBox:
    """Return the intent's box."""
    return await rig.engine.time_boxes.get("acme", intent.downstream_key)


async def events_of(rig: Rig, intent: Intent) -> list[str]:
    """Return the types of the events of an intent's box, without their prefix; and check its row against them."""
    entries = [read(entry) for entry in await rig.store.stream("acme", STREAM_PREFIX + intent.downstream_key)]
    row = await rig.store.get(SPACE, "acme", intent.downstream_key)
    folded = folded_box(entries)
    assert (folded is None) == (row is None)
    assert folded is None or encoded_box(folded) == row.value, "law 11: the row is what the events say"
    return [entry.type.removeprefix("time_box.") for entry in entries]


def reverts(rig: Rig) -> list[Call]:
    """Return the calls of the reverting tool."""
    return [call for call in rig.script.calls if call.tool == "idp.unlock"]


async def resolve(rig: Rig, intent: Intent, says: Says, value: object = None) -> None:
    """Have a person say what became of an intent in doubt."""
    finding = Finding(says=says, evidence="looked", by="ada", value=value)

    def decision(now: Intent) -> Decided:
        moment = rig.engine.doubts._parts.moment()  # noqa: SLF001 - the only way to a moment of this engine
        return Decided(resolved(now, finding, Backoff(0.1, 0.1), moment, destructive=False))

    await rig.engine.change("acme", intent.id, decision, actor="ada")


async def test_at_its_end_an_action_is_reverted_with_what_it_captured() -> None:
    """The revert gets the arguments that its tool knows, and what the action said of before and after."""
    async with running() as rig:
        register(rig)
        intent = await lock(rig, CHANGED)
        assert intent.state == "succeeded"
        assert (await box_of(rig, intent)).reverts_at == pytest.approx(intent.created_at + TERM, abs=1)
        await rig.clock.elapse(TERM - 2)
        assert not reverts(rig)
        await rig.clock.elapse(3)
        (call,) = reverts(rig)
        assert call.arguments == {"user": "ada", "prior": {"active": True}, "now": {"active": False}}
        assert (call.purpose, call.about) == ("revert", intent.downstream_key)
        assert await events_of(rig, intent) == ["opened", "reverting", "reverted"]
        assert rig.engine.time_boxes.lasting == 0
        assert (await rig.engine.intent("acme", call.intent_id)).priority == "critical_plus"


async def test_the_box_is_in_the_append_that_writes_dispatched() -> None:
    """No action with a time-box is ever on record as dispatched without its end."""
    async with running() as rig:
        register(rig)
        intent = await lock(rig, hang)
        dispatched = list(await rig.store.stream("acme", intent.id))[-1]
        (opened,) = await rig.store.stream("acme", STREAM_PREFIX + intent.downstream_key)
        assert read(dispatched).type == "intent.dispatched"
        assert opened.append_id == dispatched.append_id


async def test_what_was_not_applied_has_no_box_any_more_in_the_append_that_says_so() -> None:
    """A void box reverts nothing, and a later attempt opens it again."""
    async with running() as rig:
        register(rig)
        again = Refused(Code.DEPENDENCY_FAILED, "busy", retryable=True, verdict=Verdict.FAILURE)
        intent = await lock(rig, again, CHANGED)
        voided = (await rig.store.stream("acme", STREAM_PREFIX + intent.downstream_key))[-1]
        assert voided.append_id in {entry.append_id for entry in await rig.store.stream("acme", intent.id)}
        await rig.settled(intent)
        assert await events_of(rig, intent) == ["opened", "voided", "opened"]
        failed = await lock(rig, NO, key="other")
        await rig.clock.elapse(2 * TERM)
        assert await events_of(rig, failed) == ["opened", "voided"]
        assert len(reverts(rig)) == 1


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), 32 * 86_400.0])
async def test_a_time_box_has_bounds(seconds: float) -> None:
    """Above 0 and at most 31 days."""
    async with running() as rig:
        register(rig)
        with pytest.raises(Invalid, match="revert_after"):
            await lock(rig, seconds=seconds)


async def test_only_what_can_be_reverted_has_a_time_box() -> None:
    """A tool without a revert, or whose revert is not known here, is refused before anything is recorded."""
    async with running() as rig:
        forward, undo = tools()
        rig.engine.registry.register(forward, rig.script)
        with pytest.raises(Invalid, match="not registered here"):
            await lock(rig)
        rig.engine.registry.register(undo, rig.script)
        submission = Submission(scope=ACME, tool="idp.unlock", arguments={"user": "a"}, key="k", time_box=1.0)
        with pytest.raises(Invalid, match="names no tool that reverts it"):
            await rig.engine.submit(submission)


async def test_law_3_the_same_key_with_another_time_box_is_a_conflict() -> None:
    """How long an action holds is part of what was asked for."""
    async with running() as rig:
        register(rig)
        first = await lock(rig, CHANGED)
        assert (await lock(rig)).id == first.id
        for seconds in (None, 2 * TERM):
            with pytest.raises(Conflict) as refusal:
                await lock(rig, seconds=seconds)
            assert refusal.value.code is Code.IDEMPOTENCY_CONFLICT


async def test_a_full_house_takes_no_more_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law 10: at the maximum a new one is refused at the door."""
    monkeypatch.setattr(driver, "BOXES_MAX", 1)
    async with running() as rig:
        register(rig)
        await lock(rig, CHANGED)
        with pytest.raises(Overloaded) as refusal:
            await lock(rig, key="second")
        assert refusal.value.code is Code.QUEUE_FULL


async def test_what_changed_meanwhile_is_for_a_person() -> None:
    """A revert that its tool refuses for good is not repeated; the box says why, and a person can try or close it."""
    async with running() as rig:
        register(rig)
        touched = Refused(Code.TOOL_FAILED, "changed meanwhile", retryable=False, verdict=Verdict.SUCCESS)
        intent = await lock(rig, CHANGED, touched, touched)
        await rig.clock.elapse(2 * TERM)
        box = await box_of(rig, intent)
        assert (box.state, box.code, box.message) == ("needs_operator", "TOOL_FAILED", "changed meanwhile")
        assert len(reverts(rig)) == 1
        await rig.engine.time_boxes.revert("acme", box.id, by="ada", reason="looked at it")
        await rig.clock.elapse(1)
        assert len(reverts(rig)) == 2
        closed = await rig.engine.time_boxes.close("acme", box.id, by="ada", reason="stays out")
        assert closed.state == "closed"
        await rig.clock.elapse(2 * TERM)
        assert await events_of(rig, intent) == [
            *("opened", "reverting", "needs_operator"),
            *("reverting", "needs_operator", "closed"),
        ]


async def test_a_revert_that_runs_out_of_time_says_so() -> None:
    """TIMEOUT_REVERT: nobody is left to wonder why the action still holds."""
    async with running() as rig:
        forward, undo = tools()
        rig.engine.registry.register(forward, rig.script)
        rig.engine.registry.register(with_options(undo, lifetime=5.0, backoff_base=100.0), rig.script)
        busy = Refused(Code.DEPENDENCY_FAILED, "busy", retryable=True, verdict=Verdict.FAILURE, retry_after=60.0)
        intent = await lock(rig, CHANGED, busy)
        await rig.clock.elapse(TERM + 10)
        box = await box_of(rig, intent)
        assert (box.state, box.code) == ("needs_operator", "TIMEOUT_REVERT")


async def test_a_revert_that_does_not_answer_says_so() -> None:
    """An attempt of a revert that runs out of its time has a code of its own, and is in doubt like any write."""
    async with running() as rig:
        register(rig)
        intent = await lock(rig, CHANGED, hang)
        await rig.clock.elapse(TERM + 40)
        revert = await rig.engine.time_boxes.revert_of(await box_of(rig, intent))
        assert revert is not None
        assert (revert.state, revert.code) == ("in_doubt", "TIMEOUT_REVERT")


async def test_an_outage_at_the_end_is_waited_out() -> None:
    """However few attempts its tool has, a revert gets ten before a person is called."""
    async with running() as rig:
        register(rig)
        busy = Refused(Code.DEPENDENCY_FAILED, "busy", retryable=True, verdict=Verdict.IGNORED)
        intent = await lock(rig, CHANGED, *[busy] * 9)
        await rig.clock.elapse(2 * TERM)
        assert (await box_of(rig, intent)).state == "reverted"
        assert len(reverts(rig)) == 10


async def test_law_4_an_action_in_doubt_is_never_reverted_nor_forgotten() -> None:
    """At its end a person is called; once somebody has said that it happened, the overdue revert runs."""
    async with running() as rig:
        register(rig)
        intent = await lock(rig, LOST)
        assert intent.state == "in_doubt"
        await rig.clock.elapse(TERM + 10)
        box = await box_of(rig, intent)
        assert (box.state, box.code, box.unsettled) == ("needs_operator", "IN_DOUBT", True)
        assert not reverts(rig)
        await resolve(rig, intent, Says.APPLIED, {"prior": 1, "now": 2})
        await rig.clock.elapse(1)
        (call,) = reverts(rig)
        assert call.arguments == {"user": "ada", "prior": 1, "now": 2}
        assert await events_of(rig, intent) == ["opened", "needs_operator", "reverting", "reverted"]


async def test_an_action_in_doubt_that_did_not_happen_voids_its_box() -> None:
    """Whoever finds out: the append that says so voids the box."""
    async with running() as rig:
        register(rig, attempts=1)
        intent = await lock(rig, LOST)
        await rig.clock.elapse(TERM + 10)
        await resolve(rig, intent, Says.NOT_APPLIED)
        await rig.clock.elapse(2 * TERM)
        assert await events_of(rig, intent) == ["opened", "needs_operator", "voided"]
        assert not reverts(rig)


async def test_an_abandoned_action_stays_with_a_person() -> None:
    """Nobody will find out whether it happened, so its box is not void, and is not reverted by itself."""
    async with running() as rig:
        register(rig)
        intent = await lock(rig, LOST)
        await resolve(rig, intent, Says.ABANDON)
        assert await events_of(rig, intent) == ["opened"]
        await rig.clock.elapse(2 * TERM)
        assert (await box_of(rig, intent)).state == "needs_operator"
        await rig.engine.time_boxes.close("acme", intent.downstream_key, by="ada", reason="undone by hand")
        assert not reverts(rig)


async def test_a_lookup_settles_the_doubt_before_a_person_is_called() -> None:
    """While a lookup can tell, the box waits for it, also beyond its end."""
    async with running(doubts=DoubtOptions(escalate_after=10 * TERM)) as rig:
        looking = Tool(name="idp.look", effect=Effect.READ_ONLY, requires=("idp",))
        rig.engine.registry.register(looking, rig.script)
        register(rig, Effect.RECONCILABLE, lookup="idp.look", settle_delay=2 * TERM)
        intent = await lock(rig, LOST, Succeeded({"prior": 1, "now": 2}))
        await rig.clock.elapse(TERM + 10)
        assert (await box_of(rig, intent)).state == "open"
        assert rig.engine.time_boxes.overdue == 1
        await rig.clock.elapse(3 * TERM)
        assert await events_of(rig, intent) == ["opened", "reverting", "reverted"]


async def test_a_revert_in_doubt_goes_to_a_person_and_ends_the_box_when_it_happened() -> None:
    """The revert is an intent like others: what a person says of it is what becomes of the box."""
    async with running(doubts=DoubtOptions(escalate_after=60.0)) as rig:
        register(rig)
        intent = await lock(rig, CHANGED, LOST)
        await rig.clock.elapse(TERM + 10)
        box = await box_of(rig, intent)
        assert box.state == "reverting"
        await rig.clock.elapse(120)
        box = await box_of(rig, intent)
        assert box.state == "needs_operator"
        with pytest.raises(Conflict, match="settled first"):
            await rig.engine.time_boxes.revert("acme", box.id, by="ada", reason="again")
        revert = await rig.engine.intent("acme", box.revert or "")
        await resolve(rig, revert, Says.APPLIED)
        await rig.clock.elapse(1)
        assert (await box_of(rig, intent)).state == "reverted"


async def test_early_revert_and_extension_are_recorded_with_who_and_why() -> None:
    """Who ended a containment before its time, or made it longer, is on record with a reason."""
    async with running() as rig:
        register(rig)
        intent = await lock(rig, CHANGED)
        boxes = rig.engine.time_boxes
        await boxes.extend("acme", intent.id, TERM, by="user:eve", reason="still looking")
        await rig.clock.elapse(TERM + 10)
        assert not reverts(rig)
        await boxes.revert("acme", intent.id, by="user:ada", reason="false alarm")
        await boxes.revert("acme", intent.id, by="user:ada", reason="false alarm")
        await rig.clock.elapse(1)
        assert len(reverts(rig)) == 1
        assert await events_of(rig, intent) == ["opened", "extended", "reverting", "reverted"]
        entries = [read(one) for one in await rig.store.stream("acme", STREAM_PREFIX + intent.id)]
        assert [(one.actor, (one.payload or {}).get("reason")) for one in entries[1:3]] == [
            ("user:eve", "still looking"),
            ("user:ada", "false alarm"),
        ]
        assert entries[2].facts["begun_early"] is True


@pytest.mark.parametrize("seconds", [0.0, -5.0, float("nan"), 31 * 86_400.0])
async def test_an_extension_is_bounded(seconds: float) -> None:
    """Nobody extends into the past, or beyond 31 days from now."""
    async with running() as rig:
        register(rig)
        intent = await lock(rig, CHANGED)
        with pytest.raises(Invalid, match="an extension"):
            await rig.engine.time_boxes.extend("acme", intent.id, seconds, by="a", reason="b")


async def test_what_has_ended_is_left_alone() -> None:
    """A reverted box is neither extended, closed nor reverted again; no reason, no change."""
    async with running() as rig:
        register(rig)
        intent = await lock(rig, CHANGED)
        boxes = rig.engine.time_boxes
        with pytest.raises(Invalid, match="a reason has"):
            await boxes.revert("acme", intent.id, by="a", reason=" ")
        await boxes.revert("acme", intent.id, by="a", reason="b")
        with pytest.raises(Conflict):
            await boxes.close("acme", intent.id, by="a", reason="b")
        await rig.clock.elapse(1)
        for refused in (
            boxes.revert("acme", intent.id, by="a", reason="b"),
            boxes.extend("acme", intent.id, 5.0, by="a", reason="b"),
            boxes.close("acme", intent.id, by="a", reason="b"),
        ):
            with pytest.raises(Conflict):
                await refused


async def test_an_unsettled_action_is_neither_reverted_early_nor_closed() -> None:
    """Nothing is undone of which nobody knows whether it happened."""
    async with running() as rig:
        register(rig)
        intent = await lock(rig, LOST)
        for refused in (
            rig.engine.time_boxes.revert("acme", intent.id, by="a", reason="b"),
            rig.engine.time_boxes.close("acme", intent.id, by="a", reason="b"),
        ):
            with pytest.raises(Conflict, match="settled first"):
                await refused


async def test_law_9_a_foreign_box_does_not_exist() -> None:
    """Another tenant's box and none at all are the same answer."""
    async with running() as rig:
        register(rig)
        intent = await lock(rig, CHANGED)
        with pytest.raises(Denied) as refusal:
            await rig.engine.time_boxes.revert(GLOBEX.tenant, intent.id, by="a", reason="b")
        assert refusal.value.code is Code.NOT_FOUND


async def test_a_clock_that_jumps_back_postpones_nothing() -> None:
    """The box ends after as many seconds of this process as it was to last."""
    async with running() as rig:
        register(rig)
        await lock(rig, CHANGED)
        await rig.clock.elapse(60)
        rig.clock.jump_wall(-10 * TERM)
        await rig.clock.elapse(TERM - 70)
        assert not reverts(rig)
        await rig.clock.elapse(20)
        assert len(reverts(rig)) == 1


async def test_a_clock_that_is_set_back_and_right_again_shortens_nothing() -> None:
    """Only what is ahead of everything seen before is a leap."""
    async with running() as rig:
        register(rig)
        await lock(rig, CHANGED)
        rig.clock.jump_wall(-10 * TERM)
        await rig.clock.elapse(60)
        await lock(rig, CHANGED, key="during")
        rig.clock.jump_wall(10 * TERM)
        await rig.clock.elapse(TERM - 70)
        assert not reverts(rig)
        await rig.clock.elapse(80)
        assert len(reverts(rig)) == 2


async def test_a_clock_that_leaps_ahead_is_no_stampede() -> None:
    """What is overdue all at once is let through in batches with a pause between, the oldest first."""
    async with running() as rig:
        register(rig)
        for number in range(3 * AT_ONCE):
            await lock(rig, CHANGED, key=f"k{number}", seconds=TERM + number, user=f"u{number}")
        rig.script.answers.clear()
        rig.clock.jump_wall(10 * TERM)
        while not reverts(rig):
            await rig.clock.elapse(0.05)
        await rig.clock.elapse(0.05)
        assert {call.arguments["user"] for call in reverts(rig)} == {f"u{number}" for number in range(AT_ONCE)}
        await rig.clock.elapse(0.1)
        assert len(reverts(rig)) == AT_ONCE
        await rig.clock.elapse(2)
        assert len(reverts(rig)) == 3 * AT_ONCE


async def test_each_box_is_alone() -> None:
    """A box whose row cannot be read, one that is refused and one that hangs: the others are reverted."""
    async with running() as rig:
        register(rig)

        async def by_user(call: Call) -> Result:
            if call.arguments["user"] == "refused":
                return NO
            return await hang(call) if call.arguments["user"] == "hangs" else CHANGED

        broken = await lock(rig, CHANGED, key="broken", user="broken")
        for user in ("refused", "hangs", "good"):
            await lock(rig, CHANGED, key=user, user=user)
        rig.script.answers = [by_user] * 20
        plain = rig.engine.time_boxes.desk.get

        async def damaged(tenant: str, box_id: str) -> TimeBox | None:
            if box_id == broken.id:
                decoded_box(box_id, b"{")
            return await plain(tenant, box_id)

        rig.engine.time_boxes.desk.get = damaged  # type: ignore[method-assign]  # damage of one row, for this test
        await rig.clock.elapse(TERM + 5)
        assert [call.arguments["user"] for call in reverts(rig)] == ["refused", "hangs", "good"]


class Freeze:
    """A gate that holds reverts before they leave while it is on."""

    on = True

    def check(self, request: GateRequest) -> Conditions:
        """Refuse reverts at dispatch."""
        if self.on and request.stage is Stage.DISPATCH and request.tool == "idp.unlock":
            raise Rejected(code=Code.KILL_SWITCH_ACTIVE, policy="kill_switch", state="freeze")
        return NO_CONDITIONS


async def test_a_freeze_holds_a_revert_loudly(caplog: pytest.LogCaptureFixture) -> None:
    """It waits with its reason, is logged, and runs once the switch is off."""
    freeze = Freeze()
    async with running(dispatch_gates=(freeze,)) as rig:
        register(rig)
        intent = await lock(rig, CHANGED)
        await rig.clock.elapse(TERM + 5)
        box = await box_of(rig, intent)
        revert = await rig.engine.time_boxes.revert_of(box)
        assert (box.state, revert and revert.state, revert and revert.code) == (
            *("reverting", "held", "KILL_SWITCH_ACTIVE"),
        )
        assert "overdue and held" in caplog.text
        freeze.on = False
        await rig.clock.elapse(5)
        assert (await box_of(rig, intent)).state == "reverted"


async def test_overdue_reverts_run_first_at_start_the_oldest_first() -> None:
    """After a stop beyond their end, boxes are reverted before anything else leaves."""
    async with running() as rig:
        register(rig)
        for number in range(4):
            await lock(rig, CHANGED, key=f"k{number}", seconds=TERM - number, user=f"u{number}")
        await rig.engine.stop(0.0)
        waiting = engine_on(rig.store, rig.clock, guards=rig.guards, seed=2)
        for tool in tools():
            waiting.registry.register(tool, rig.script)
        submission = Submission(scope=ACME, tool="idp.lock", arguments={"user": "new"}, key="new")
        await waiting.submit(submission)
        await rig.clock.elapse(2 * TERM)
        rig.script.calls.clear()
        again = engine_on(rig.store, rig.clock, guards=rig.guards, seed=3)
        for tool in tools():
            again.registry.register(tool, rig.script)
        await again.recover()
        again.start()
        await rig.clock.elapse(1)
        assert [call.arguments["user"] for call in rig.script.calls] == ["u3", "u2", "u1", "u0", "new"]
        await stopped(rig, again)


async def test_a_revert_whose_birth_was_not_acknowledged_runs_once() -> None:
    """A lost acknowledgement neither loses the revert nor doubles it."""
    async with running() as rig:
        register(rig)
        intent = await lock(rig, CHANGED)
        rig.store.plan = ["late", "lost", "lost"]
        await rig.clock.elapse(TERM + 30)
        assert len(reverts(rig)) == 1
        assert await events_of(rig, intent) == ["opened", "reverting", "reverted"]


async def test_an_early_revert_that_was_not_acknowledged_goes_on() -> None:
    """Whoever asked is told that it is not known; what is on record is carried out, and not only at the end."""
    async with running() as rig:
        register(rig)
        intent = await lock(rig, CHANGED)
        rig.store.plan = ["late", "lost", "lost"]
        with pytest.raises(StoreError):
            await rig.engine.time_boxes.revert("acme", intent.id, by="user:ada", reason="false alarm")
        await rig.clock.elapse(5)
        assert len(reverts(rig)) == 1
        assert await events_of(rig, intent) == ["opened", "reverting", "reverted"]


async def test_a_ledger_that_is_away_at_the_end_only_delays() -> None:
    """What cannot be recorded does not leave, and is tried again."""
    async with running() as rig:
        register(rig)
        intent = await lock(rig, CHANGED)
        rig.store.plan = ["down"] * 5
        await rig.clock.elapse(TERM + 30)
        assert len(reverts(rig)) == 1
        assert (await box_of(rig, intent)).state == "reverted"


async def test_a_tool_that_comes_late_is_waited_for() -> None:
    """After a restart a revert waits until its tool is registered, and says so."""
    async with running() as rig:
        register(rig)
        intent = await lock(rig, CHANGED)
        await rig.engine.stop(0.0)
        await rig.clock.elapse(2 * TERM)
        again = engine_on(rig.store, rig.clock, guards=rig.guards, seed=3)
        await again.recover()
        again.start()
        await rig.clock.elapse(5)
        assert not reverts(rig)
        for tool in tools():
            again.registry.register(tool, rig.script)
        await rig.clock.elapse(_TOOL_WAIT)
        assert len(reverts(rig)) == 1
        assert (await again.time_boxes.get("acme", intent.id)).state == "reverted"
        await stopped(rig, again)


async def test_arguments_that_never_fit_the_revert_are_for_a_person() -> None:
    """A revert that cannot even be asked for does not disappear."""
    async with running() as rig:
        forward, undo = tools()
        rig.engine.registry.register(forward, rig.script)
        strict = {**UNDO_SCHEMA, "required": ["user", "prior"]}
        rig.engine.registry.register(with_options(undo, arguments_schema=strict), rig.script)
        intent = await lock(rig, Succeeded(None))
        await rig.clock.elapse(TERM + 5)
        box = await box_of(rig, intent)
        assert (box.state, box.code) == ("needs_operator", "INVALID_ARGUMENT")


def with_options(tool: Tool, **options: Any) -> Tool:
    """Return `tool` with other options."""
    return replace(tool, **options)


async def stopped(rig: Rig, engine: Any) -> None:  # noqa: ANN401 - an engine
    """Stop a second engine on the rig's clock."""
    stopping = asyncio.ensure_future(engine.stop(0.0))
    while not stopping.done():
        await rig.clock.elapse(1.0)
    await stopping
