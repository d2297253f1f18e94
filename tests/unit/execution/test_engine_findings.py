"""Rules of the engine that were once broken, each named for the rule."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from switchgear.core.clock import SYSTEM_CLOCK, VirtualClock
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Invalid, QueueFull, RateLimited
from switchgear.core.outcome import Verdict
from switchgear.execution.admission import Submission
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Uncertain
from switchgear.execution.engine import EngineLimits
from switchgear.execution.intent import Change, Intent
from switchgear.execution.kernel import Kernel
from switchgear.execution.outcomes import Outcomes
from switchgear.execution.refold import Refold
from switchgear.execution.sending import Sending
from switchgear.execution.time_boxes.box import SPACE, BoxState, TimeBox
from switchgear.execution.time_boxes.desk import BoxDesk
from switchgear.execution.transitions import Kind, State
from switchgear.gates.tenants import TenantLimits
from switchgear.guard import Guard
from switchgear.policies.breaker import Breaker
from switchgear.policies.bulkhead import Bulkhead
from tests.turns import turns
from tests.unit.execution.rig import ACME, GLOBEX, Rig, hang, running

READING = 1e-4
"""Seconds that a reading of the creeping clock takes."""
SILENCE = Uncertain(Code.TIMEOUT_INTENT_EXECUTE, "no answer")


class Creeping(VirtualClock):
    """Goes on by itself with each reading, as time does between two lines of a program."""

    def monotonic(self) -> float:
        """Return the virtual seconds, a little later each time."""
        self._now += READING
        return self._now


class Standstill(VirtualClock):
    """Stands still for a while when its wall is read, once it is told to: a process that was stopped there."""

    before = after = 0.0
    """Seconds before the next reading of the wall, and after it."""

    def time(self) -> float:
        """Return the wall time between the two standstills."""
        self._now, self.before = self._now + self.before, 0.0
        read = super().time()
        self._now, self.after = self._now + self.after, 0.0
        return read


def opened(name: str, rig: Rig, cooldown: float) -> Guard:
    """Return a guard whose breaker has just opened."""
    guard = rig.guards[name] = Guard(name, breaker=Breaker(failures=1, cooldown=cooldown, jitter=0.0), clock=rig.clock)
    guard.permit_nowait().fail()
    return guard


async def test_law_3_a_keyed_write_is_not_repeated_once_the_remote_may_have_forgotten_its_key() -> None:
    """A repeat that had to wait longer than the remote remembers would be a second effect: it stays in doubt."""
    async with running() as rig:
        rig.tool(key_retention=60.0, timeout=5.0)

        async def lost_while_the_breaker_opens(_call: Call) -> Result:
            opened("crm", rig, cooldown=120.0)
            return SILENCE

        rig.script.answers = [lost_while_the_breaker_opens]
        intent = await rig.submit()
        await rig.clock.elapse(400.0)
        found = await rig.engine.intent("acme", intent.id)
        assert (found.state, len(rig.script.calls)) == (State.IN_DOUBT, 1)
        assert "forgotten" in found.message


async def test_what_was_cancelled_before_it_left_never_leaves() -> None:
    """A dispatch on record whose call was never made ends as cancelled when that was asked for."""
    async with running(start=False) as rig:
        rig.tool()
        intent = await rig.submit()
        rig.store.plan = ["late", "lost", "lost"]
        rig.engine.start()
        while rig.store.plan:
            await rig.clock.elapse(0.0, turns=1)
        asked = await rig.engine.cancel("acme", intent.id, reason="", actor="person:kim")
        assert asked.cancel_requested or asked.state is State.CANCELLED
        done = await rig.settled(intent)
        assert (done.state, rig.script.calls) == (State.CANCELLED, [])


async def test_an_open_dependency_holds_up_only_those_who_require_it() -> None:
    """A tool that needs crm and mail waits for mail; a tool that needs crm alone does not wait for either."""
    async with running() as rig:
        rig.tool("crm.both", requires=("crm", "mail"))
        rig.tool("crm.alone")
        opened("mail", rig, cooldown=600.0)
        both, alone = await rig.submit("crm.both"), await rig.submit("crm.alone", scope=GLOBEX)
        await rig.clock.elapse(5.0)
        assert (await rig.engine.intent("globex", alone.id)).state is State.SUCCEEDED
        waiting = await rig.engine.intent("acme", both.id)
        assert (waiting.state, waiting.waiting_for) == (State.READY, "DEPENDENCY_UNHEALTHY")


async def test_a_refusal_charges_nothing() -> None:
    """Neither a full queue nor a repeat uses up what a tenant may submit."""
    async with running() as plain:
        gate = TenantLimits(0.001, 3.0, plain.clock)
        async with running(gates=(gate,), clock=plain.clock, limits=EngineLimits(queue_max=1)) as rig:
            rig.tool()
            rig.script.answers = [hang]
            first = await rig.submit(key="a")
            for _ in range(5):
                assert (await rig.submit(key="a")).id == first.id
                with pytest.raises(QueueFull):
                    await rig.submit(key="b")
            rig.engine.queue.release(first.id)
            await rig.submit(key="c")
            rig.engine.queue.release((await rig.submit(key="c")).id)
            await rig.submit(key="d")
            rig.engine.queue.release((await rig.submit(key="d")).id)
            with pytest.raises(RateLimited):
                await rig.submit(key="e")


class StrangeError(BaseException):
    """Something that no `except Exception` catches."""


@pytest.mark.parametrize("error", [StrangeError("odd"), GeneratorExit(), SystemExit(3)])
async def test_whatever_a_connector_raises_is_doubt_and_leaks_nothing(error: BaseException) -> None:
    """A place, a permit and a probe come back, and the intent is named as in doubt."""
    async with running() as rig:
        rig.guards["crm"] = Guard("crm", bulkhead=Bulkhead(1), clock=rig.clock)
        rig.tool(effect=Effect.OPAQUE)
        rig.script.answers = [error]
        done = await rig.settled(await rig.submit())
        assert (done.state, len(rig.engine.queue), rig.guards["crm"].statistics().in_flight) == (State.IN_DOUBT, 0, 0)


@pytest.mark.parametrize("answer", [Succeeded(object()), Succeeded("\ud800"), Succeeded("x" * 2_000_000)])
async def test_a_success_that_cannot_be_kept_is_a_success(answer: Result) -> None:
    """The value is replaced by the reason; what happened stays what happened."""
    async with running() as rig:
        rig.tool()
        rig.script.answers = [answer]
        done = await rig.settled(await rig.submit())
        assert done.state is State.SUCCEEDED
        assert "unrecorded" in done.value


async def test_a_connector_that_returns_no_result_is_uncertain() -> None:
    """A connector's own defect is doubt about the effect, not an intent that hangs."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE)
        rig.script.answers = [None]  # type: ignore[list-item]  # that is the point
        assert (await rig.settled(await rig.submit())).code == "INTERNAL"


async def test_an_attempt_that_runs_into_its_timeout_is_a_failure_and_slow() -> None:
    """The guard learns of a timeout as such; of the submitter's own shorter deadline it learns nothing."""
    async with running() as rig:
        guard = rig.guards["crm"] = Guard(
            "crm", breaker=Breaker(slow_rate=0.9, slow_after=60.0, window=600.0, minimum_calls=50), clock=rig.clock
        )
        rig.tool(effect=Effect.OPAQUE, timeout=5.0)
        rig.tool("crm.short", effect=Effect.OPAQUE, timeout=50.0, lifetime=3.0)
        rig.script.answers = [hang, hang]
        await rig.settled(await rig.submit())
        counts = guard.statistics()
        assert (counts.failures, counts.slow, counts.timeouts) == (1, 1, 1)
        await rig.settled(await rig.submit("crm.short"))
        counts = guard.statistics()
        assert (counts.failures, counts.ignored) == (1, 1)


async def test_a_success_known_while_stopping_is_recorded_as_such() -> None:
    """An answer that comes when the engine cuts off is still the answer."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE)

        async def answers_when_cancelled(_call: Call) -> Result:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return Succeeded("in time")
            raise AssertionError("unreachable")

        rig.script.answers = [answers_when_cancelled]
        intent = await rig.submit()
        await rig.clock.elapse(0.1)
        stopping = asyncio.ensure_future(rig.engine.stop(1.0))
        await rig.clock.elapse(3.0)
        await stopping
        found = await rig.engine.intent("acme", intent.id)
        assert (found.state, found.value) == (State.SUCCEEDED, "in time")


async def test_stopping_answers_those_who_are_submitting() -> None:
    """A submission under way when the engine stops is acknowledged or refused with a code, never torn off."""
    async with running() as rig:
        rig.tool()
        submitting = asyncio.ensure_future(rig.submit())
        await turns()
        stopping = asyncio.ensure_future(rig.engine.stop(0.0))
        await rig.clock.elapse(3.0)
        await stopping
        assert (await submitting).state is State.DISPATCHED
        (row,) = await rig.store.page("intent", "acme", facet=None, before=None, limit=9)
        assert row.facet == State.SUCCEEDED


async def test_a_refusal_that_never_left_is_refunded() -> None:
    """What a connector refused before anything left says nothing of the dependency and costs nothing."""
    async with running() as rig:
        guard = rig.guards["crm"] = Guard("crm", breaker=Breaker(failures=1), clock=rig.clock)
        rig.tool(attempts=1)
        rig.script.answers = [Refused(Code.EGRESS_DENIED, "no", retryable=False, verdict=Verdict.IGNORED)]
        assert (await rig.settled(await rig.submit())).state is State.DEAD_LETTERED
        assert (guard.statistics().calls, guard.state) == (0, "closed")


async def test_law_11_an_intent_with_many_events_folds_to_its_row() -> None:
    """Folding reads every page of a stream, and gives the same state hash each time."""
    async with running(start=False) as rig:
        rig.tool()
        intent = await rig.submit()
        for _ in range(250):
            intent = await rig.engine.recorder.record(intent, (Change(Kind.DEFERRED),), actor="test")
        first, again = [await Refold(rig.store).intents("acme") for _ in range(2)]
        assert (first.first_different, first.intents, first.state_hash) == (None, 1, again.state_hash)


async def test_an_engine_that_has_lost_a_loop_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect in a loop is noted, so that readiness can tell."""
    async with running() as rig:
        rig.tool()
        monkeypatch.setattr(rig.engine.queue, "next_moment", None)
        await rig.submit()
        await rig.clock.elapse(1.0)
        assert rig.engine.defect is not None
        assert "TypeError" in rig.engine.defect


async def test_a_connector_that_finishes_as_it_is_cut_off_by_its_deadline_keeps_its_word() -> None:
    """The connector's own, more exact result is used when it comes with the cancellation."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE, timeout=2.0)

        async def refused_when_cancelled(_call: Call) -> Result:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return Refused(Code.DEPENDENCY_FAILED, "never sent", retryable=False, verdict=Verdict.FAILURE)
            raise AssertionError("unreachable")

        rig.script.answers = [refused_when_cancelled]
        assert (await rig.settled(await rig.submit())).state is State.DEAD_LETTERED


async def test_law_11_the_sweeper_records_nothing_of_what_the_kernel_carries() -> None:
    """A due intent that is taken up between the look and the record is the kernel's alone: one record, one ticket."""
    async with running(start=False) as rig:
        rig.tool(lifetime=3.0)
        intents = [await rig.submit(key=f"k{number}") for number in range(20)]
        rig.clock.advance(3.0)
        sweeper = rig.engine._sweeper  # noqa: SLF001 - the race needs both at one moment
        sweeping = asyncio.ensure_future(sweeper.sweep())
        rig.engine.start()
        await rig.clock.elapse(5.0)
        await sweeping
        for intent in intents:
            assert await rig.kinds(intent) == ["accepted", "expired"]
        assert (await Refold(rig.store).intents("acme")).first_different is None


async def test_law_3_two_tickets_of_one_intent_are_one_call() -> None:
    """Whatever queues an intent twice, one carrier carries it: the other's refusal is no proof that nothing left."""
    async with running() as rig:
        rig.tool(effect=Effect.OPAQUE)

        async def slow(_call: Call) -> Result:
            await rig.clock.sleep_async(5.0)
            return Succeeded()

        rig.script.answers = [slow, slow]
        intent = await rig.submit()
        rig.engine.kernel.enqueue(intent)
        rig.engine.kernel.enqueue(intent)
        done = await rig.settled(intent)
        assert (done.state, len(rig.script.calls)) == (State.SUCCEEDED, 1)


async def test_arguments_that_leave_no_room_for_an_outcome_are_refused() -> None:
    """What could be accepted but never concluded is not accepted."""
    async with running() as rig:
        rig.tool()
        with pytest.raises(Invalid) as refusal:
            await rig.submit(text="x" * 1_100_000)
        assert refusal.value.code is Code.PAYLOAD_TOO_LARGE
        done = await rig.settled(await rig.submit(text="\x01" * 170_000))
        assert done.state is State.SUCCEEDED


async def test_law_10_what_failed_to_dispatch_is_forgotten_once_it_is_settled() -> None:
    """The note that nothing left does not outlive the intent."""
    async with running(start=False) as rig:
        rig.tool(lifetime=5.0)
        intent = await rig.submit()
        rig.store.plan = ["down"] * 30
        rig.engine.start()
        await rig.clock.elapse(4.0)
        rig.store.plan = []
        await rig.settled(intent)
        assert rig.engine.kernel._unsent == set()  # noqa: SLF001 - the bound


async def test_a_release_that_nobody_acknowledged_is_found_and_carried_out() -> None:
    """A held intent whose release is on record, though its acknowledgement was lost, does not wait for ever."""
    async with running(start=False) as rig:
        rig.tool()
        intent = await rig.submit()
        rig.engine.registry._tools.clear()  # noqa: SLF001 - as after a restart without the tool
        rig.engine.start()
        await rig.clock.elapse(1.5)
        rig.store.plan = ["late", "lost", "lost"]
        rig.tool()
        assert (await rig.settled(intent)).state is State.SUCCEEDED


_ODD_CODE = cast("Code", "NO_SUCH_CODE")
_ODD_WISH = cast("float", "soon")


@pytest.mark.parametrize("effect", [Effect.OPAQUE, Effect.KEYED, Effect.READ_ONLY])
@pytest.mark.parametrize(
    "result",
    [
        Refused(_ODD_CODE, "", retryable=False, verdict=Verdict.SUCCESS),
        Refused(Code.TOOL_FAILED, "no", retryable=True, verdict=Verdict.SUCCESS, retry_after=_ODD_WISH),
        Refused(Code.TOOL_FAILED, "no", retryable=True, verdict=Verdict.SUCCESS, retry_after=float("nan")),
        Refused(Code.TOOL_FAILED, cast("str", None), retryable=True, verdict=Verdict.SUCCESS),
        Uncertain(_ODD_CODE, "lost"),
        Uncertain(Code.IN_DOUBT, "lost", retry_after=float("inf")),
        Uncertain(Code.IN_DOUBT, "lost", cast("Verdict", "bad")),
    ],
    ids=["code", "wish", "nan", "message", "doubtful code", "endless wish", "verdict"],
)
async def test_law_4_a_result_that_says_something_else_is_doubt_and_strands_nothing(
    result: Result, effect: Effect
) -> None:
    """A connector that does not keep its contract cannot leave an action dispatched for ever, named by nobody."""
    async with running() as rig:
        rig.tool(effect=effect)
        rig.script.answers = [result] * 9
        intent = await rig.settled(await rig.submit())
        assert intent.state is (State.IN_DOUBT if effect.writes else State.FAILED)
        assert "a result that is none" in intent.message
        assert rig.engine.kernel.in_flight == 0


async def test_law_4_a_doubt_that_could_only_wait_for_its_deadline_is_named_at_once() -> None:
    """A remote that asks for an hour, of an action that has a minute, hides no doubt behind a retry."""
    async with running() as rig:
        rig.tool(lifetime=60.0)
        rig.script.answers = [Uncertain(Code.DEPENDENCY_FAILED, "lost", retry_after=3_600.0)]
        intent = await rig.submit()
        await rig.clock.elapse(2.0)
        assert (await rig.engine.intent("acme", intent.id)).state is State.IN_DOUBT


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e300, -1.0])
async def test_law_1_whoever_waits_for_ever_waits_for_a_bounded_time(seconds: float) -> None:
    """Endless is as long as anybody may wait; what is no time is none. Neither is an error of Python's."""
    outcomes: Outcomes[Intent] = Outcomes(SYSTEM_CLOCK)
    async with running() as rig:
        rig.tool()
        done = await rig.settled(await rig.submit())
    waiting = asyncio.ensure_future(outcomes.wait(done.id, seconds))
    await turns()
    assert waiting.done() is not (seconds > 0)
    outcomes.announce(done)
    assert await waiting is (done if seconds > 0 else None)


async def test_what_becomes_due_between_two_looks_at_the_clock_is_not_forgotten() -> None:
    """The kernel never sleeps past an intent that came up after it had looked for one, and before it asked until when.

    Which of its readings that is depends on the moment, so each delay of a row of them is tried by itself.
    """
    async with running(clock=Creeping()) as rig:
        rig.tool()
        for number in range(60):
            submission = Submission(
                scope=ACME, tool="crm.update", arguments={}, key=f"k{number}", delay=number * READING / 2
            )
            intent = (await rig.engine.submit(submission)).intent
            await rig.clock.elapse(0.5)
            found = await rig.engine.intent("acme", intent.id)
            assert found.state is State.SUCCEEDED, f"after {submission.delay} s"


async def test_law_11_a_box_is_not_void_because_memory_is_behind_the_record() -> None:
    """A box that looks while the dispatch is on record, and memory not told of it yet, does not take it for undone."""
    async with running() as rig:
        rig.tool("idp.lock", requires=("idp",), revert="idp.unlock")
        rig.tool("idp.unlock", effect=Effect.NATURAL, requires=("idp",))
        submission = Submission(scope=ACME, tool="idp.lock", arguments={}, key="k", time_box=60.0, delay=5.0)
        intent = (await rig.engine.submit(submission)).intent
        rig.store.plan = ["slow"]
        await rig.clock.elapse(5.0, turns=0)
        while await rig.store.get(SPACE, "acme", intent.downstream_key) is None:
            await turns(1)
        rig.engine.time_boxes.note(rig.engine.recorder.live[intent.id])
        await rig.clock.elapse(10.0)
        box = await rig.engine.time_boxes.get("acme", intent.downstream_key)
        assert (box.state, box.version) == (BoxState.OPEN, 1)
        await rig.clock.elapse(60.0)
        assert [call.tool for call in rig.script.calls] == ["idp.lock", "idp.unlock"]


async def test_law_11_what_a_box_becomes_after_its_revert_rests_on_the_revert_as_it_is_on_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once a revert is there, it decides; so that is what the append names, and not the action."""
    given: list[Intent | None] = []
    record = BoxDesk.record

    async def noted(*told: Any, **named: Any) -> TimeBox | None:
        given.append(named["given"])
        return await record(*told, **named)

    monkeypatch.setattr(BoxDesk, "record", noted)
    async with running() as rig:
        rig.tool("idp.lock", requires=("idp",), revert="idp.unlock")
        rig.tool("idp.unlock", effect=Effect.NATURAL, requires=("idp",))
        gone = Refused(Code.DEPENDENCY_FAILED, "gone", retryable=False, verdict=Verdict.FAILURE)
        rig.script.answers = [Succeeded(None), gone]
        submission = Submission(scope=ACME, tool="idp.lock", arguments={}, key="k", time_box=60.0)
        intent = (await rig.engine.submit(submission)).intent
        await rig.clock.elapse(90.0)
        box = await rig.engine.time_boxes.get("acme", intent.downstream_key)
        assert box.state is BoxState.NEEDS_OPERATOR
        assert [one.id for one in given if one is not None] == [box.revert]


async def test_a_standstill_between_the_faces_of_the_clock_lets_nothing_begin_early() -> None:
    """What waits for its time waits for all of it, wherever the process is stopped while its time is worked out."""
    clock = Standstill()
    async with running(clock=clock) as rig:
        rig.tool()
        submission = Submission(scope=ACME, tool="crm.update", arguments={}, key="k", delay=40.0)
        intent = (await rig.engine.submit(submission)).intent
        rig.engine.queue.release(intent.id)
        rig.engine.queue.reserve(intent.id, intent.tenant, bounded=False)
        clock.before = 10.0
        rig.engine.kernel.enqueue(intent)
        assert intent.not_before is not None
        await clock.elapse(intent.not_before - clock.time() - 0.5)
        assert not rig.script.calls
        await clock.elapse(1.0)
        assert len(rig.script.calls) == 1


async def test_a_standstill_between_the_faces_of_the_clock_gives_no_attempt_more_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An attempt ends with the life of its intent, wherever the process is stopped while that is worked out."""
    clock = Standstill()
    made = Kernel._sending  # noqa: SLF001 - a standstill within it is what is tried

    def stopped(*given: Any) -> Sending:
        clock.after = 10.0
        return made(*given)

    monkeypatch.setattr(Kernel, "_sending", stopped)
    async with running(clock=clock) as rig:
        rig.tool(timeout=30.0)
        submission = Submission(scope=ACME, tool="crm.update", arguments={}, key="k", lifetime=20.0)
        intent = (await rig.engine.submit(submission)).intent
        await clock.elapse(0.1)
        (call,) = rig.script.calls
        assert call.deadline.remaining() <= intent.deadline_at - clock.time() + 1e-6
