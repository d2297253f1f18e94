"""A wall clock that is set wrong makes the engine more careful, and never makes two effects of one key."""

from __future__ import annotations

import asyncio
import logging

import pytest

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.execution import decide
from switchgear.execution.clock_watch import ClockWatch
from switchgear.execution.contract import Call, Result, Tool, Uncertain
from switchgear.execution.decide import Backoff, Moment
from switchgear.execution.intent import Intent
from switchgear.execution.replay import Mode, ReplayRequest
from switchgear.execution.transitions import State
from switchgear.storage.abilities import Append, Appended
from tests.unit.execution.rig import Rig, engine_on, running
from tests.unit.execution.sagas.test_driver import SEND, prepared
from tests.unit.execution.sagas.test_driver import submit as submit_saga
from tests.unit.execution.test_intent import intent

RETENTION = 100.0
SILENCE = Uncertain(Code.DEPENDENCY_FAILED, "no answer")


@pytest.mark.parametrize(
    ("leaps", "unsure"),
    [
        ((), 0.0),
        ((30.0,), 30.0),
        ((-30.0,), 30.0),
        ((-30.0, 30.0), 30.0),
        ((30.0, -40.0), 40.0),
        ((-10.0, -10.0, -10.0), 30.0),
        ((0.002, -0.002, 0.002), 0.002),
    ],
)
def test_unsure_is_how_far_the_wall_clock_has_strayed(leaps: tuple[float, ...], unsure: float) -> None:
    """Between two moments that were read, the wall clock is off by no more; a clock that was set right says nothing."""
    clock = VirtualClock()
    watch = ClockWatch(clock)
    for leap in leaps:
        clock.advance(50.0)
        clock.jump_wall(leap)
        assert watch.time() == clock.time()
    assert watch.unsure == pytest.approx(unsure, abs=1e-6)
    assert watch.read() == (clock.time(), watch.unsure)


def test_a_leap_that_nothing_was_read_in_does_not_count() -> None:
    """No record of that time exists, so nothing counts from it."""
    clock = VirtualClock()
    watch = ClockWatch(clock)
    clock.jump_wall(-500.0)
    clock.jump_wall(500.0)
    assert watch.read().unsure == 0.0


@pytest.mark.parametrize(("ahead", "unsure"), [(-1_000.0, 0.0), (0.0, 0.0), (40.0, 40.0)])
def test_a_record_that_is_still_to_come_shows_a_step_back(ahead: float, unsure: float) -> None:
    """What an engine before this one has recorded cannot lie ahead, unless the wall clock was set back since."""
    clock = VirtualClock()
    watch = ClockWatch(clock)
    watch.on_record(clock.time() + ahead)
    assert watch.unsure == pytest.approx(unsure, abs=1e-6)


def test_a_leap_is_told_once_and_a_slew_never(caplog: pytest.LogCaptureFixture) -> None:
    """An operator learns why keys are kept longer; milliseconds are no news."""
    clock = VirtualClock()
    watch = ClockWatch(clock)
    with caplog.at_level(logging.WARNING, "switchgear.clock"):
        for _ in range(20):
            clock.jump_wall(0.01)
            watch.time()
        assert not caplog.records
        clock.jump_wall(-60.0)
        for _ in range(3):
            watch.time()
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("passed", "unsure", "goes"),
    [
        (0.0, 0.0, True),
        (84.9, 0.0, True),
        (85.1, 0.0, False),
        (0.0, 84.9, True),
        (0.0, 85.1, False),
        (50.0, 34.9, True),
        (50.0, 35.1, False),
        (-4.9, 5.0, True),
        (-5.1, 5.1, False),
    ],
)
def test_law_3_a_repeat_goes_only_while_the_remote_surely_knows_the_key(
    passed: float, unsure: float, *, goes: bool
) -> None:
    """Retention of 100 s, less the attempt (10 s), the slack (5 s), and what the clock may be off."""
    tool = Tool(name="crm.update", requires=("crm",), timeout=10.0)
    sent = {"first_sent_at": 500.0, "key_retention": RETENTION, "contract": tool.contract}
    doubtful = intent(state=State.READY, doubtful=True, **sent)
    assert (decide.no_repeat(doubtful, tool, 500.0 + passed, unsure) is None) is goes


@pytest.mark.parametrize(("unsure", "again"), [(0.0, True), (44.9, True), (45.1, False)])
def test_law_3_a_doubt_is_not_scheduled_again_when_the_key_may_be_forgotten(unsure: float, *, again: bool) -> None:
    """50 s after the first sending, as the wall clock has it."""
    doubtful = intent(state=State.IN_DOUBT, attempt=1, doubtful=True, first_sent_at=500.0, key_retention=RETENTION)
    found = decide.repeat_in_doubt(doubtful, Backoff(1.0, 1.0), Moment(550.0, 0.5, unsure))
    assert bool(found) is again


async def _lost(rig: Rig, leap: float) -> Intent:
    """Return an intent in doubt whose first attempt was sent before the wall clock leapt."""
    rig.tool(attempts=1, key_retention=RETENTION, timeout=5.0)
    rig.script.answers = [SILENCE]
    doubtful = await rig.settled(await rig.submit())
    rig.clock.jump_wall(leap)
    return doubtful


async def _resume(rig: Rig, intent: Intent) -> None:
    request = ReplayRequest(mode=Mode.RESUME, reason="drill", by="person:ann", trace=rig.engine.replays.trace())
    await rig.engine.replays.replay(await rig.engine.intent(intent.tenant, intent.id), request)
    await rig.clock.elapse(30.0)


@pytest.mark.parametrize(
    ("leap", "after", "calls"),
    [
        (0.0, 50.0, 2),
        (0.0, 120.0, 1),
        (-60.0, 20.0, 1),  # it could still go, and nobody can be sure
        (-60.0, 120.0, 1),
        (-90.0, 120.0, 1),
        (-4.0, 50.0, 2),
        (60.0, 10.0, 1),
    ],
)
async def test_law_3_a_clock_that_was_set_back_makes_no_key_young_again(leap: float, after: float, calls: int) -> None:
    """The remote has forgotten the key after 100 s, whatever the wall clock says."""
    async with running() as rig:
        doubtful = await _lost(rig, leap)
        await rig.clock.elapse(after)
        await _resume(rig, doubtful)
        assert len(rig.script.calls) == calls


async def test_law_3_a_clock_that_is_set_back_before_a_start_is_seen_by_the_newest_entry() -> None:
    """The engine before has recorded what is still to come: by so much the time since may be wrong."""
    async with running() as rig:
        doubtful = await _lost(rig, 0.0)
        await rig.engine.stop(0.0)
        rig.clock.jump_wall(-60.0)
        again = engine_on(rig.store, rig.clock, guards=rig.guards, seed=2)
        known = rig.engine.registry.get("crm.update")
        assert known is not None
        again.registry.register(known.tool, rig.script)
        await again.recover()
        assert again.recorder.watch.unsure == pytest.approx(60.0, abs=2.0)
        again.start()
        await rig.clock.elapse(95.0)
        request = ReplayRequest(mode=Mode.RESUME, reason="drill", by="person:ann", trace=again.replays.trace())
        await again.replays.replay(await again.intent("acme", doubtful.id), request)
        await rig.clock.elapse(30.0)
        assert len(rig.script.calls) == 1
        stopping = asyncio.ensure_future(again.stop(0.0))
        await rig.clock.elapse(5.0)
        await stopping


async def test_law_3_a_repeat_whose_record_took_too_long_never_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was decided before the ledger took its time is decided again before anything leaves."""
    async with running() as rig:
        doubtful = await _lost(rig, 0.0)
        append, slow = rig.store.append, True

        async def slowly(sent: Append) -> Appended:
            nonlocal slow
            if slow and any(b"intent.dispatched" in event.body for event in sent.events):
                slow = False
                rig.clock.jump_wall(200.0)
            return await append(sent)

        monkeypatch.setattr(rig.store, "append", slowly)
        await _resume(rig, doubtful)
        found = await rig.engine.intent("acme", doubtful.id)
        assert (len(rig.script.calls), found.state) == (1, State.IN_DOUBT)
        assert "forgotten" in found.message


@pytest.mark.parametrize(
    ("leap", "after", "free"),
    [
        (0.0, 98.0, False),
        (0.0, 101.0, True),
        (90.0, 20.0, False),
        (90.0, 98.0, False),
        (90.0, 101.0, True),
        (5_000.0, 98.0, False),
        (-50.0, 101.0, False),  # it could be, and the wall clock does not show it yet
        (-50.0, 201.0, True),
    ],
)
async def test_law_3_a_clock_that_leaps_ahead_frees_no_key(leap: float, after: float, *, free: bool) -> None:
    """A key is free when its retention is surely over: 100 s after its intent has ended."""
    async with running() as rig:
        rig.tool(key_retention=RETENTION)
        first = await rig.settled(await rig.submit())
        rig.clock.jump_wall(leap)
        await rig.clock.elapse(after)
        assert ((await rig.submit()).id != first.id) is free


@pytest.mark.parametrize(("leap", "free"), [(0.0, True), (5_000.0, False)])
async def test_law_3_a_clock_that_leaps_ahead_frees_no_key_of_a_saga(leap: float, *, free: bool) -> None:
    """The keys of sagas are kept by the same rule."""
    async with running() as rig:
        prepared(rig, retention=RETENTION)
        first = (await submit_saga(rig, SEND)).saga
        await rig.clock.elapse(30.0)
        rig.clock.jump_wall(leap)
        await rig.clock.elapse(RETENTION - 40.0 if leap else RETENTION)
        assert ((await submit_saga(rig, SEND)).saga.id != first.id) is free


@pytest.mark.parametrize("leap", [0.0, -60.0, 60.0])
async def test_law_3_a_replay_never_shortens_the_retention_of_a_key(leap: float) -> None:
    """A replay of what has ended counts as its newest event, and moves the end of retention forward only."""
    async with running() as rig:
        rig.tool(key_retention=RETENTION)
        first = await rig.settled(await rig.submit())
        rig.clock.jump_wall(leap)
        await rig.clock.elapse(1.0)
        request = ReplayRequest(mode=Mode.VERIFY, reason="drill", by="person:ann", trace=rig.engine.replays.trace())
        replayed = await rig.engine.replays.replay(first, request)
        assert replayed.intent.updated_at >= first.updated_at


async def test_a_first_attempt_goes_however_wrong_the_clock_is() -> None:
    """Nothing is in doubt before it, so no clock is needed."""
    async with running() as rig:
        rig.tool(key_retention=RETENTION)

        async def leap(_call: Call) -> Result:
            rig.clock.jump_wall(-500.0)
            return Uncertain(Code.DEPENDENCY_FAILED, "no answer")

        rig.script.answers = [leap]
        intent = await rig.submit()
        await rig.clock.elapse(60.0)
        assert (await rig.engine.intent("acme", intent.id)).state is State.IN_DOUBT
        again = await rig.settled(await rig.submit(key="k2"))
        assert again.state is State.SUCCEEDED
