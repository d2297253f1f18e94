"""Who may write: one engine on a store of its own, several on one that they share, and one that wakes up late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import ceil, nan
from typing import cast

import pytest

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.deadline import Deadline
from switchgear.core.effects import Effect
from switchgear.core.errors import OptionError, Overloaded, StoreError
from switchgear.core.scope import PLATFORM_TENANT
from switchgear.execution.admission import Submission
from switchgear.execution.attempt import Attempts
from switchgear.execution.contract import Call, Result, Succeeded, Tool
from switchgear.execution.engine import Engine, EngineLimits
from switchgear.execution.intent import Intent
from switchgear.execution.leases.keeper import LostEngine
from switchgear.execution.leases.lease import Instant, Lease, LeaseOptions
from switchgear.execution.leases.rows import BEATS, ENGINES, LIVE, LOST, SETTLED
from switchgear.execution.leases.watch import Watch
from switchgear.execution.outcomes import LOOK_EVERY, looks
from switchgear.execution.transitions import State
from switchgear.guard import Guard
from switchgear.ledger.chain import seal
from switchgear.ledger.events import read
from switchgear.storage.abilities import Store
from switchgear.storage.memory import MemoryStore
from tests.unit.execution.rig import ACME, Flaky, Script, engine_on, hang, none_takes_over, running

SHARED = LeaseOptions(shared=True, ttl=15.0, margin=3.0)
FOR_LONG = ["down"] * 10_000
TOOL = Tool(name="crm.update", effect=Effect.KEYED, requires=("crm",))
LETTER = Tool(name="mail.send", effect=Effect.OPAQUE, requires=("mail",), timeout=500.0, lifetime=5_000.0)


# --- what one engine knows of its own right ---


@pytest.mark.parametrize(
    ("monotonic", "wall", "fenced"),
    [
        (0.0, 0.0, False),
        (11.9, 11.9, False),
        (12.0, 12.0, True),
        (0.0, 12.0, True),
        (12.0, 0.0, True),
        (5.0, -1_000.0, False),
        (5.0, 1_000.0, True),
    ],
)
def test_an_engine_stops_before_anybody_may_call_it_lost(monotonic: float, wall: float, *, fenced: bool) -> None:
    """It is fenced `margin` before `ttl`, by whichever of its clocks went further: one may stand still in a suspend."""
    clock = VirtualClock()
    lease = Lease("eng_a", SHARED, clock)
    lease.joined(lease.now())
    clock.advance(monotonic)
    clock.jump_wall(wall - monotonic)
    assert lease.fenced is fenced


def test_what_counts_is_when_a_beat_was_sent() -> None:
    """Others may have seen a beat as soon as it was sent, however late its acknowledgement came."""
    clock = VirtualClock()
    lease = Lease("eng_a", SHARED, clock)
    sent = lease.now()
    clock.advance(11.0)
    lease.joined(sent)
    clock.advance(1.0)
    assert lease.fenced


def test_an_engine_that_has_not_joined_sends_nothing_on_a_shared_store() -> None:
    """Nobody could see that it is there, so what it dispatched would be taken over at once."""
    assert Lease("eng_a", SHARED, VirtualClock()).fenced
    assert not Lease("eng_a", LeaseOptions(), VirtualClock()).fenced


def test_lost_is_for_good() -> None:
    """No beat brings the right back, on any kind of store."""
    for options in (SHARED, LeaseOptions()):
        lease = Lease("eng_a", options, VirtualClock())
        lease.joined(lease.now())
        assert lease.lose("first").code is Code.LEDGER_UNAVAILABLE
        lease.lose("second")
        lease.heard(Instant(9e9, 9e9))
        assert (lease.fenced, lease.lost) == (True, "first")


@pytest.mark.parametrize(("ttl", "margin"), [(0.0, 1.0), (-1.0, 1.0), (float("inf"), 1.0), (10.0, 0.0), (10.0, 5.1)])
def test_a_lease_that_cannot_be_is_refused(ttl: float, margin: float) -> None:
    """A bound that is none is found when it is written down."""
    with pytest.raises(OptionError):
        LeaseOptions(ttl=ttl, margin=margin)


# --- when another one counts as lost ---


@pytest.mark.parametrize(
    ("looks", "overdue"),
    [
        ([((1, 1), 0.0, 0.0)], False),
        ([((1, 1), 0.0, 0.0), ((1, 1), 15.0, 15.0)], False),
        ([((1, 1), 0.0, 0.0), ((1, 1), 15.1, 15.1)], True),
        ([((1, 1), 0.0, 9.0), ((1, 1), 20.0, 20.0)], False),
        ([((1, 1), 0.0, 0.0), ((1, 1), 14.0, 99.0)], False),
        ([((1, 1), 0.0, 0.0), ((1, 2), 15.1, 15.1), ((1, 2), 30.0, 30.0)], False),
        ([((1, 1), 0.0, 0.0), ((2, 1), 15.1, 15.1)], False),
    ],
    ids=["first", "just", "over", "read late", "slow look", "beats", "changed"],
)
def test_an_engine_is_lost_when_nothing_of_it_changed(
    looks: list[tuple[tuple[int, int], float, float]], *, overdue: bool
) -> None:
    """From the end of the look that saw a sign first to the beginning of this one, more than `ttl` has to pass."""
    watch = Watch(15.0)
    assert [watch.overdue("eng_a", sign, began=began, read=read) for sign, began, read in looks][-1] is overdue


# --- engines ---


@dataclass
class Two:
    """Two engines, or more, on one store, each with a line of its own to it and to the remote."""

    memory: MemoryStore
    clock: VirtualClock
    engines: list[Engine] = field(default_factory=list)
    lines: list[Flaky] = field(default_factory=list)
    scripts: list[Script] = field(default_factory=list)

    async def add(self, options: LeaseOptions = SHARED, *, start: bool = True) -> Engine:
        """Put another engine beside those that are there."""
        line, script = Flaky(cast("Store", self.memory)), Script()
        guards: dict[str, Guard] = {}
        seed = len(self.engines) + 1
        limits = EngineLimits(leases=options)
        engine = engine_on(line, self.clock, guards=guards, limits=limits, seed=seed)
        for tool in (TOOL, LETTER):
            engine.registry.register(tool, script)
        self.engines.append(engine)
        self.lines.append(line)
        self.scripts.append(script)
        await engine.recover()
        if start:
            engine.start()
        return engine

    def cut_off(self, number: int) -> None:
        """Let nothing of an engine reach the store any more."""
        self.lines[number].plan = list(FOR_LONG)

    def heal(self, number: int) -> None:
        """Let everything reach it again."""
        self.lines[number].plan = []

    async def facets(self) -> dict[str, str]:
        """Return where each engine stands on record."""
        rows = await self.memory.scan(ENGINES, (LIVE, LOST, SETTLED))
        return {row.key: row.facet for row in rows}

    async def intent(self, intent: Intent) -> Intent:
        """Return an intent as the last engine sees it."""
        return await self.engines[-1].intent(intent.tenant, intent.id)

    async def kinds(self, intent: Intent) -> list[str]:
        """Return the types of the intent's events, without their prefix."""
        entries = await self.memory.stream(intent.tenant, intent.id)
        return [read(entry).type.removeprefix("intent.") for entry in entries]

    @property
    def calls(self) -> list[int]:
        """How many calls each engine has made."""
        return [len(script.calls) for script in self.scripts]


@asynccontextmanager
async def several() -> AsyncIterator[Two]:
    """Run engines on one memory store."""
    two = Two(MemoryStore(seal), VirtualClock())
    try:
        yield two
    finally:
        for number in range(len(two.engines)):
            two.heal(number)
        stopping = asyncio.ensure_future(asyncio.wait([asyncio.ensure_future(one.stop(0.0)) for one in two.engines]))
        while not stopping.done():
            await two.clock.elapse(1.0)


async def submit(engine: Engine, tool: str = "crm.update", *, key: str = "k1", delay: float | None = None) -> Intent:
    """Submit and return the accepted intent."""
    submission = Submission(scope=ACME, tool=tool, arguments={}, key=key, delay=delay, lifetime=1_000.0)
    return (await engine.submit(submission)).intent


async def test_the_next_owner_of_a_store_makes_the_last_one_lost_at_once() -> None:
    """On a store with one owner nobody waits: who joins marks all others, and none of their appends commits."""
    async with several() as two:
        first = await two.add(LeaseOptions())
        second = await two.add(LeaseOptions())
        assert await two.facets() == {first.recorder.owner: LOST, second.recorder.owner: LIVE}
        with pytest.raises(StoreError, match="may not write any more"):
            await submit(first)
        await two.clock.elapse(0.1)
        assert first.defect is not None
        assert LostEngine.__name__ in first.defect
        with pytest.raises(Overloaded) as refusal:
            await submit(first)
        assert refusal.value.code is Code.SHUTTING_DOWN
        assert (refusal.value.state, refusal.value.retry_after) == ("lost", None)
        assert f"engine {second.recorder.owner} took over at 20" in str(refusal.value)
        assert "this engine writes no more: restart it, or ask the other one" in str(refusal.value)
        assert "Retry after" not in str(refusal.value)
        assert (await submit(second)).state is State.DISPATCHED


async def test_who_follows_need_not_be_known_for_an_engine_to_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """That it is lost counts at once, also where nobody can read who took its place."""
    async with several() as two:
        first = await two.add(LeaseOptions())
        await two.add(LeaseOptions())

        async def unread(*_: object) -> None:
            raise StoreError("the disk is gone")

        monkeypatch.setattr(two.lines[0], "get", unread, raising=False)
        with pytest.raises(StoreError):
            await submit(first)
        with pytest.raises(Overloaded, match="another engine has taken its place, and this engine writes no more"):
            await submit(first)


async def test_an_engine_that_stops_is_not_called_lost() -> None:
    """Its end is its own: it says when to come back, as long as it only stops."""
    async with several() as two:
        engine = await two.add()
        stopping = asyncio.ensure_future(engine.stop(0.0))
        await two.clock.elapse(10.0)
        await stopping
        with pytest.raises(Overloaded) as refusal:
            await submit(engine)
        assert (refusal.value.state, refusal.value.retry_after) == ("stopping", 1.0)


async def test_an_engine_with_a_store_of_its_own_writes_one_row_and_never_beats() -> None:
    """What nobody watches costs nothing."""
    async with several() as two:
        await two.add(LeaseOptions())
        before = two.memory.statistics().committed
        await two.clock.elapse(120.0)
        assert (
            two.memory.statistics().committed == before == 2
        )  # it joins, and makes sure that nothing before it is under way
        assert not await two.memory.scan(BEATS, (LIVE,))


async def test_an_engine_joins_only_when_that_is_durable() -> None:
    """A lost acknowledgement is settled, and one that stays away stops the start."""
    for plan, joins in ((["late"], True), (["lost"], True), (["lost"] * 3, False), (["late", "lost", "late"], True)):
        async with several() as two:
            engine = await two.add(LeaseOptions(), start=False)
            engine.recorder.lease.expects = ()
            two.lines[0].plan = list(plan)
            engine.recorder.lease.owner = f"eng_{len(plan)}"
            if joins:
                await engine.leases.join()
            else:
                with pytest.raises(StoreError):
                    await engine.leases.join()
            assert engine.recorder.lease.held is joins


async def test_nobody_picks_up_what_a_live_engine_has() -> None:
    """Neither a start beside it nor a look at its intents makes a second engine carry them."""
    async with several() as two:
        first = await two.add()
        intent = await submit(first, delay=40.0)
        second = await two.add()
        assert (await second.intent("acme", intent.id)).owner == first.recorder.owner
        assert len(second.queue) == 0
        await two.clock.elapse(60.0)
        assert (await two.intent(intent)).state is State.SUCCEEDED
        assert two.calls == [1, 0]
        assert await two.facets() == {first.recorder.owner: LIVE, second.recorder.owner: LIVE}


async def test_a_lost_engine_is_followed_and_cannot_write_when_it_wakes_up_late() -> None:
    """Ready goes on elsewhere, what was dispatched is in doubt, and the late outcome goes nowhere."""
    async with several() as two:
        first = await two.add()
        answer = asyncio.Event()

        async def late(_call: Call) -> Result:
            await answer.wait()
            return Succeeded("late")

        two.scripts[0].answers = [late]
        letter = await submit(first, "mail.send")
        ready = await submit(first, key="k2", delay=30.0)
        await two.clock.elapse(1.0)
        second = await two.add()
        two.cut_off(0)
        await two.clock.elapse(13.0)
        assert first.recorder.lease.fenced
        assert (await two.facets())[first.recorder.owner] == LIVE
        await two.clock.elapse(27.0)
        assert (await two.facets())[first.recorder.owner] == SETTLED
        doubt = await two.intent(letter)
        assert (doubt.state, doubt.owner) == (State.IN_DOUBT, second.recorder.owner)
        done = await two.intent(ready)
        assert (done.state, two.calls) == (State.SUCCEEDED, [1, 1])
        assert await two.kinds(ready) == ["accepted", "adopted", "dispatched", "succeeded"]
        two.heal(0)
        answer.set()
        await two.clock.elapse(10.0)
        assert await two.kinds(letter) == ["accepted", "dispatched", "adopted", "in_doubt"]
        assert "LostEngine" in (first.defect or "")
        assert first.kernel.in_flight == 0


async def test_a_call_that_has_not_begun_when_the_lease_is_over_never_leaves() -> None:
    """Its dispatch is on record and acknowledged late: somebody else may be about to go on with it."""
    async with several() as two:
        first = await two.add()
        intent = await submit(first, "mail.send", delay=2.0)
        lease = first.recorder.lease
        await two.clock.elapse(1.0)
        real = two.lines[0].append

        async def slow(append: object) -> object:
            outcome = await real(append)  # type: ignore[arg-type] # passed on as it came
            await two.clock.sleep_async(13.0)
            return outcome

        two.lines[0].append = slow  # type: ignore[method-assign, assignment] # a line that became slow
        await two.clock.elapse(14.5)
        assert "dispatched" in await two.kinds(intent)
        assert (two.calls, lease.lost) == ([0], None)
        two.lines[0].append = real  # type: ignore[method-assign] # and quick again
        await two.clock.elapse(40.0)
        assert (await two.intent(intent)).state is State.SUCCEEDED
        assert (await two.kinds(intent))[:4] == ["accepted", "dispatched", "not_applied", "retry_scheduled"]
        assert ((await two.intent(intent)).attempt, two.calls) == (1, [1])


@pytest.mark.parametrize(("leaves", "seconds"), [(True, 5.0), (True, -1.0), (False, 5.0)])
async def test_an_attempt_begins_only_while_it_may(*, leaves: bool, seconds: float) -> None:
    """The last look is in the very step in which the connector is called: nothing can come in between."""
    clock, script = VirtualClock(), Script()
    deadline = Deadline(clock.monotonic() + seconds, clock)
    call = Call("int_1", "crm.update", "acme", "main", "service:a", {}, "int_1", 1, deadline, "")
    ended = await Attempts(clock, may_leave=lambda: leaves).run(script, call, none_takes_over)
    assert ended.unsent is not (leaves and seconds > 0)
    assert len(script.calls) == (not ended.unsent)


async def test_a_lost_acknowledgement_of_a_beat_is_no_loss() -> None:
    """The next beat goes on from the version that is there, and the engine lives on."""
    async with several() as two:
        first = await two.add()
        two.lines[0].plan = ["late", "lost", "down"]
        await two.clock.elapse(60.0)
        assert (first.defect, first.recorder.lease.fenced) == (None, False)


@pytest.mark.parametrize("fate", ["late", "lost"])
async def test_a_takeover_that_nobody_acknowledged_is_finished(fate: str) -> None:
    """Whether it was on record or not, the next look goes on with what was meant."""
    async with several() as two:
        first = await two.add()
        intent = await submit(first, delay=60.0)
        second = await two.add()
        two.cut_off(0)
        real = second.recorder.record

        async def unheard(known: Intent, *rest: object, **named: object) -> Intent:
            two.lines[1].plan = [fate, "lost", "lost"]
            second.recorder.record = real  # type: ignore[method-assign] # once is enough
            return await real(known, *rest, **named)  # type: ignore[arg-type] # passed on as it came

        second.recorder.record = unheard  # type: ignore[method-assign, assignment] # the store falls silent
        await two.clock.elapse(90.0)
        assert (await two.intent(intent)).state is State.SUCCEEDED
        assert two.calls == [0, 1]


async def test_who_stops_in_order_is_followed_at_once() -> None:
    """It says that it has ended, so nobody waits until it would be overdue."""
    async with several() as two:
        first = await two.add()
        second = await two.add()
        intent = await submit(first, delay=20.0)
        stopping = asyncio.ensure_future(first.stop(0.0))
        while not stopping.done():
            await two.clock.elapse(0.1)
        await two.clock.elapse(SHARED.beat_every + 0.1)
        assert (await two.intent(intent)).owner == second.recorder.owner
        assert (await two.facets())[first.recorder.owner] == SETTLED
        await two.clock.elapse(20.0)
        assert two.calls == [0, 1]


async def test_who_follows_a_lost_engine_may_be_lost_as_well() -> None:
    """The third goes on with what the first had and the second could not write down."""
    async with several() as two:
        first = await two.add()
        intent = await submit(first, delay=50.0)
        second = await two.add()
        two.cut_off(0)
        await two.clock.elapse(10.0)
        adopt = second.leases._heirs  # noqa: SLF001 - it hangs in the middle of taking over

        class Hanging:
            async def adopt(self, _owner: str) -> bool:
                await asyncio.Event().wait()
                return True

        second.leases._heirs = Hanging()  # noqa: SLF001 - as above
        await two.clock.elapse(20.0)
        assert (await two.facets())[first.recorder.owner] == LOST
        two.cut_off(1)
        third = await two.add()
        await two.clock.elapse(60.0)
        assert adopt is not None
        assert (await two.intent(intent)).state is State.SUCCEEDED
        assert two.calls == [0, 0, 1]
        assert await two.facets() == {
            first.recorder.owner: SETTLED,
            second.recorder.owner: SETTLED,
            third.recorder.owner: LIVE,
        }


async def test_what_a_person_changes_elsewhere_goes_on_there() -> None:
    """The engine that had it notices and gives its place back; nothing is carried twice."""
    async with several() as two:
        first = await two.add()
        second = await two.add()
        intent = await submit(first, delay=100.0)
        await second.cancel("acme", intent.id, reason="not needed", actor="person:kim")
        assert (await first.intent("acme", intent.id)).state is State.CANCELLED
        assert len(first.queue) == 0
        other = await submit(first, key="k2", delay=100.0)
        await second.cancel("acme", other.id, reason="not needed", actor="person:kim")
        await two.clock.elapse(2 * SHARED.beat_every)
        assert len(first.queue) == 0


async def test_a_cancel_elsewhere_never_takes_what_is_under_way() -> None:
    """Its outcome is for the engine that sent it, and the cancel hides nothing."""
    async with several() as two:
        first = await two.add()
        second = await two.add()
        answer = asyncio.Event()

        async def slow(_call: Call) -> Result:
            await answer.wait()
            return Succeeded("done")

        two.scripts[0].answers = [slow]
        intent = await submit(first, "mail.send")
        await two.clock.elapse(1.0)
        asked = await second.cancel("acme", intent.id, reason="late", actor="person:kim")
        assert (asked.state, asked.owner, asked.cancel_requested) == (State.DISPATCHED, first.recorder.owner, True)
        answer.set()
        await two.clock.elapse(1.0)
        assert (await two.intent(intent)).state is State.SUCCEEDED


async def test_one_key_is_one_intent_over_several_engines() -> None:
    """Whichever door a repeat comes in by, it finds the first."""
    async with several() as two:
        first, second = await two.add(), await two.add()
        one, other = await asyncio.gather(submit(first), submit(second))
        assert one.id == other.id
        await two.clock.elapse(2.0)
        assert sum(two.calls) == 1


async def test_the_platform_has_no_chain_of_leases() -> None:
    """Beats and rows of engines are settings, not history: the ledger does not grow by them."""
    async with several() as two:
        await two.add()
        await two.clock.elapse(60.0)
        assert not await two.memory.entries(PLATFORM_TENANT)
        assert len(await two.memory.scan(BEATS, (LIVE,))) == 1


async def test_a_slot_whose_attempt_was_abandoned_and_wakes_up_late_cannot_write() -> None:
    """Several workers of one process are its slots: what ignored its cancellation is in doubt, and stays so."""
    async with running() as rig:
        rig.tool("mail.send", Effect.OPAQUE, ("mail",), timeout=5.0)
        answer = asyncio.Event()

        async def deaf(_call: Call) -> Result:
            while not answer.is_set():
                try:
                    await answer.wait()
                except asyncio.CancelledError:
                    continue
            return Succeeded("late")

        rig.script.answers = [deaf]
        intent = await rig.submit("mail.send")
        doubt = await rig.settled(intent)
        assert (doubt.state, rig.engine.kernel.attempts.counts.abandoned) == (State.IN_DOUBT, 1)
        answer.set()
        await rig.clock.elapse(5.0)
        after = await rig.engine.intent("acme", intent.id)
        assert (after.state, after.version, after.value) == (State.IN_DOUBT, doubt.version, None)
        assert await rig.kinds(intent) == ["accepted", "dispatched", "in_doubt"]
        assert rig.engine.kernel.in_flight == 0


async def test_hanging_calls_of_a_lost_engine_are_cut_off() -> None:
    """What it may not record any more it need not wait for."""
    async with several() as two:
        first = await two.add(LeaseOptions())
        two.scripts[0].answers = [hang]
        await submit(first, "mail.send")
        await two.clock.elapse(1.0)
        assert first.kernel.in_flight == 1
        await two.add(LeaseOptions())
        with pytest.raises(StoreError):
            await submit(first, key="k2")
        await two.clock.elapse(5.0)
        assert first.kernel.in_flight == 0


async def test_who_waits_at_one_engine_hears_of_what_another_settles() -> None:
    """Nobody tells of that, so the record is looked at every few seconds, and not at the end of the wait alone."""
    async with several() as two:
        first, second = await two.add(), await two.add()
        intent = await submit(first, delay=7.0)
        waiting = asyncio.ensure_future(second.wait("acme", intent.id, 600.0))
        await two.clock.elapse(5.0 + LOOK_EVERY)
        assert waiting.done()
        assert (await waiting).state is State.SUCCEEDED


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("seconds", [0.1, LOOK_EVERY, 12.3])
def test_looks_take_as_long_as_was_asked_for(seconds: float, *, shared: bool) -> None:
    """Neither more nor less, and an engine that has its store alone looks once."""
    steps = list(looks(seconds, shared=shared))
    assert sum(steps) == pytest.approx(seconds)
    assert len(steps) == (ceil(seconds / LOOK_EVERY) if shared else 1)
    assert len(list(looks(nan, shared=shared))) == 1
