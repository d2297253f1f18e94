"""Budgets in a running engine: reserved at dispatch, settled with the outcome, held in doubt, and told about once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import pytest

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Rejected, StoreError
from switchgear.core.ids import IdSource
from switchgear.core.outcome import Verdict
from switchgear.core.scope import PLATFORM_TENANT
from switchgear.execution.budget_keeper import ALARMS, READ_AGAIN_AFTER, BudgetKeeper
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Uncertain
from switchgear.execution.decide import Backoff, Moment
from switchgear.execution.engine import Decided
from switchgear.execution.intent import Intent
from switchgear.execution.refold import Refold
from switchgear.execution.resolving import Finding, Says, resolved
from switchgear.execution.transitions import State
from switchgear.gates.budget import Budget, BudgetGate, Budgets
from switchgear.gates.budget_book import BudgetBook
from switchgear.gates.budget_names import HELD, USED, Period
from switchgear.ledger.events import EventEncoder, read
from switchgear.storage.abilities import Append, Appended, Count, Store, Write
from tests.turns import turns
from tests.unit.execution.rig import GLOBEX, Rig, running

MONTH = "agents/2023-11"
BUSY = Refused(Code.DEPENDENCY_FAILED, "busy", retryable=True, verdict=Verdict.SUCCESS)
NEVER = Refused(Code.TOOL_FAILED, "never", retryable=False, verdict=Verdict.SUCCESS)
LOST = Uncertain(Code.DEPENDENCY_FAILED, "lost")


@dataclass
class Budgeted:
    """An engine with a budget, and everything that belongs to it in reach."""

    rig: Rig
    keeper: BudgetKeeper
    book: BudgetBook

    async def stands(self, key: str = MONTH, tenant: str = "acme") -> tuple[int, int]:
        """Return what is used and held of a budget, as the store has it."""
        found = [await self.rig.store.counters(space, tenant, prefix=key) for space in (USED, HELD)]
        used, held = ({counter.key: counter.value for counter in one}.get(key, 0) for one in found)
        return used, held

    async def alarms(self, tenant: str = "acme") -> list[str]:
        """Return the alarms on record, in order."""
        recorded = [read(entry) for entry in await self.rig.store.entries(tenant)]
        return [event.type for event in recorded if event.type.startswith("budget.")]

    async def become(self, intent: Intent, state: State, seconds: float = 30.0) -> Intent:
        """Let time pass until an intent is in a state."""
        found = intent
        for _ in range(int(seconds)):
            found = await self.rig.engine.intent(intent.tenant, intent.id)
            if found.state is state:
                return found
            await self.rig.clock.elapse(1.0)
        raise AssertionError(f"still {found.state}")

    async def say(self, intent: Intent, says: Says) -> Intent:
        """Have a person say what became of an intent in doubt."""

        def decision(now: Intent) -> Decided:
            finding = Finding(says=says, evidence="looked", by="person:kim")
            return Decided(resolved(now, finding, Backoff(0.5, 1.0), self.moment(), destructive=False))

        return await self.rig.engine.change("acme", intent.id, decision, actor="person:kim")

    def moment(self) -> Moment:
        """Return now."""
        return Moment(self.rig.clock.time(), 0.5)


def kept(rig: Rig, budgets: Budgets, book: BudgetBook) -> BudgetKeeper:
    """Return a keeper of `book`, on the store of a rig."""
    ids = IdSource(rig.clock, random.Random(7))
    return BudgetKeeper(budgets, book, store=cast("Store", rig.store), clock=rig.clock, ids=ids, encoder=EventEncoder())


@asynccontextmanager
async def budgeted(*budgets: Budget, quotes: bool = True) -> AsyncIterator[Budgeted]:
    """Run an engine with `budgets`; without `quotes` they are looked at when something is about to leave, not before.

    At the end the counters must be what the events make of them.
    """
    book, every = BudgetBook(), Budgets(budgets)
    gate = BudgetGate(every, book)
    async with running(gates=(gate,) if quotes else (), dispatch_gates=(gate,)) as rig:
        keeper = kept(rig, every, book)
        rig.engine.recorder.watch_counts(keeper)
        await keeper.load()
        keeper.start()
        rig.tool(cost=2)
        rig.tool("crm.once", Effect.OPAQUE, cost=2, attempts=1)
        yield Budgeted(rig, keeper, book)
        for tenant in ("acme", "globex"):
            assert await Refold(cast("Store", rig.store)).budgets(tenant) == ()
        await keeper.stop()


AGENTS = Budget(name="agents", limit=5)


async def test_a_success_uses_what_it_costs() -> None:
    """Reserved in the append of the dispatch, settled in that of the outcome."""
    async with budgeted(AGENTS) as own:
        done = await own.rig.settled(await own.rig.submit())
        assert (done.state, done.reserved) == (State.SUCCEEDED, {})
        assert await own.stands() == (2, 0)
        (cost,) = await own.rig.store.counters(USED, "acme", prefix="*/2023-11-14/")
        assert (cost.key, cost.value) == ("*/2023-11-14/account=main/connector=crm/tool=crm.update", 2)


async def test_what_was_not_applied_costs_nothing_and_each_attempt_is_charged_anew() -> None:
    """A refused attempt gives its units back; the next one reserves its own."""
    async with budgeted(AGENTS) as own:
        own.rig.script.answers = [BUSY, BUSY]
        assert (await own.rig.settled(await own.rig.submit())).attempt == 3
        assert await own.stands() == (2, 0)
        own.rig.script.answers = [NEVER]
        assert (await own.rig.settled(await own.rig.submit(key="k2"))).state is State.DEAD_LETTERED
        assert await own.stands() == (2, 0)


async def test_a_repeat_in_doubt_is_charged_once() -> None:
    """The first attempt's units stay held until one attempt settles the doubt."""
    async with budgeted(AGENTS) as own:
        own.rig.script.answers = [LOST, LOST]
        assert (await own.rig.settled(await own.rig.submit())).attempt == 3
        assert await own.stands() == (2, 0)


@pytest.mark.parametrize(
    ("says", "used", "state"),
    [
        (Says.APPLIED, 2, State.SUCCEEDED),
        (Says.ABANDON, 2, State.DEAD_LETTERED),
        (Says.NOT_APPLIED, 0, State.DEAD_LETTERED),
    ],
)
async def test_units_are_held_while_in_doubt_until_a_person_says(says: Says, used: int, state: State) -> None:
    """Nothing is given back, and nothing is spent for good, before somebody knows; what is given up is used."""
    async with budgeted(AGENTS) as own:
        own.rig.script.answers = [LOST]
        doubtful = await own.rig.settled(await own.rig.submit("crm.once"))
        assert (doubtful.state, doubtful.reserved[MONTH]) == (State.IN_DOUBT, 2)
        assert await own.stands() == (2, 2)
        assert (await own.say(doubtful, says)).state is state
        assert await own.stands() == (used, 0)


async def test_a_budget_that_cannot_cover_it_refuses_at_the_door() -> None:
    """The quote says no before anything is recorded; another tenant has units of its own."""
    async with budgeted(AGENTS) as own:
        for key in ("k1", "k2"):
            await own.rig.settled(await own.rig.submit(key=key))
        with pytest.raises(Rejected) as refused:
            await own.rig.submit(key="k3")
        assert (refused.value.code, refused.value.retry_after) == (Code.BUDGET_EXCEEDED, 1_388_800.0 - _gone(own))
        assert (await own.rig.settled(await own.rig.submit(scope=GLOBEX))).state is State.SUCCEEDED


def _gone(own: Budgeted) -> float:
    return own.rig.clock.time() - VirtualClock().time()


async def test_several_budgets_are_charged_all_or_none() -> None:
    """One that is full leaves the others untouched."""
    wide, narrow = Budget(name="wide", limit=100), Budget(name="narrow", limit=3, period=Period.DAY)
    async with budgeted(wide, narrow, quotes=False) as own:
        await own.rig.settled(await own.rig.submit())
        await own.become(await own.rig.submit(key="k2"), State.HELD)
        assert await own.stands("wide/2023-11") == (2, 0)
        assert await own.stands("narrow/2023-11-14") == (2, 0)


async def test_what_is_held_goes_on_when_the_period_turns_and_not_before() -> None:
    """It keeps its place, is not let go only to be held again, and leaves by itself in the next hour."""
    async with budgeted(Budget(name="agents", limit=3, period=Period.HOUR), quotes=False) as own:
        await own.rig.settled(await own.rig.submit())
        waiting = await own.become(await own.rig.submit(key="k2"), State.HELD)
        assert (waiting.code, waiting.waiting_for) == ("BUDGET_EXCEEDED", "BUDGET_EXCEEDED")
        await own.rig.clock.elapse(600.0)
        kinds = await own.rig.kinds(waiting)
        assert kinds.count("held") == 1
        await own.rig.clock.elapse(2_300.0)
        done = await own.rig.settled(waiting)
        assert (done.state, kinds.count("released")) == (State.SUCCEEDED, 0)
        assert await own.stands("agents/2023-11-14T23") == (2, 0)


async def test_two_at_once_never_pass_a_limit_together() -> None:
    """The counter in the store decides, not what the gate knew; the one that lost the race waits quietly."""
    async with budgeted(Budget(name="agents", limit=3), quotes=False) as own:
        intents = await asyncio.gather(*(own.rig.submit(key=f"k{number}") for number in range(5)))
        await own.rig.clock.elapse(30.0)
        states = sorted([(await own.rig.engine.intent("acme", intent.id)).state for intent in intents])
        assert states == [State.HELD] * 4 + [State.SUCCEEDED]
        assert await own.stands() == (2, 0)
        for intent in intents:
            assert (await own.rig.kinds(intent)).count("held") <= 1


async def test_what_another_gave_back_lets_the_next_one_go() -> None:
    """A refusal by the store is forgotten once the counter has moved."""
    async with budgeted(Budget(name="agents", limit=3), quotes=False) as own:
        own.rig.script.answers = [LOST]
        doubtful = await own.rig.settled(await own.rig.submit("crm.once"))
        waiting = await own.become(await own.rig.submit(key="k2"), State.HELD)
        await own.say(doubtful, Says.NOT_APPLIED)
        assert (await own.rig.settled(waiting)).state is State.SUCCEEDED


async def test_counters_that_another_engine_moved_are_read_again_after_a_refusal() -> None:
    """What this engine knows heals by itself, so nothing waits for ever on old knowledge."""
    async with budgeted(Budget(name="agents", limit=3), quotes=False) as own:
        await own.rig.settled(await own.rig.submit())
        waiting = await own.become(await own.rig.submit(key="k2"), State.HELD)
        store = own.rig.store
        await store.append(Append("elsewhere", "acme", (), counts=(Count(USED, MONTH, -2),)))
        await own.rig.clock.elapse(READ_AGAIN_AFTER + 3.0)
        assert (await own.rig.settled(waiting)).state is State.SUCCEEDED
        await store.append(Append("elsewhere2", "acme", (), counts=(Count(USED, MONTH, 2),)))


async def test_alarms_are_raised_once_a_period() -> None:
    """At the soft share, and when it is spent; not again in the same period, and anew in the next."""
    async with budgeted(Budget(name="agents", limit=6, soft=0.5, period=Period.HOUR), quotes=False) as own:
        seen = []
        for number in range(4):
            await own.rig.submit(key=f"k{number}")
            await own.rig.clock.elapse(5.0)
            seen.append(await own.alarms())
        soft, spent = "budget.soft_limit", "budget.exhausted"
        assert seen == [[], [soft], [soft, spent], [soft, spent]]
        await own.rig.clock.elapse(3_600.0)
        for number in range(2):
            await own.rig.submit(key=f"n{number}")
        await own.rig.clock.elapse(5.0)
        assert await own.alarms() == [soft, spent, soft, spent]


async def test_an_alarm_says_what_it_is_about() -> None:
    """Whoever reads the chain finds budget, period, units and limit."""
    async with budgeted(Budget(name="agents", limit=4, soft=0.5, each=("account",))) as own:
        await own.rig.settled(await own.rig.submit())
        await own.rig.clock.elapse(3.0)
        (alarm,) = await own.rig.store.stream("acme", f"budget:{MONTH}/account=main")
        assert (read(alarm).account, dict(read(alarm).facts)) == (
            "main",
            {
                "budget": "agents",
                "key": f"{MONTH}/account=main",
                "period": "2023-11",
                "used": 2,
                "limit": 4,
                "soft": 0.5,
            },
        )


async def test_a_refusal_for_want_of_room_is_worth_the_alarm() -> None:
    """One unit that nothing fits into is as good as none; but what never fits says nothing of the budget."""
    async with budgeted(Budget(name="agents", limit=3)) as own:
        own.rig.tool("crm.huge", cost=9)
        with pytest.raises(Rejected):
            await own.rig.submit("crm.huge")
        await own.rig.clock.elapse(3.0)
        assert await own.alarms() == []
        await own.rig.settled(await own.rig.submit())
        with pytest.raises(Rejected):
            await own.rig.submit(key="k2")
        await own.rig.clock.elapse(3.0)
        assert await own.alarms() == ["budget.soft_limit", "budget.exhausted"]


async def test_a_new_engine_knows_what_was_spent_and_what_was_told() -> None:
    """After a restart the door refuses at once, and no alarm is raised twice."""
    async with budgeted(Budget(name="agents", limit=3, soft=0.5)) as own:
        await own.rig.settled(await own.rig.submit())
        await own.rig.clock.elapse(3.0)
        book, budgets = BudgetBook(), own.keeper.budgets
        later = kept(own.rig, budgets, book)
        await later.load()
        assert book.used("acme", MONTH) == 2
        await later.tend()
        assert await own.alarms() == ["budget.soft_limit"]


async def test_an_alarm_waits_for_a_ledger_that_is_away() -> None:
    """It is raised once the ledger is back, and what could not be read is read then."""
    async with budgeted(Budget(name="agents", limit=3, soft=0.5)) as own:
        await own.rig.settled(await own.rig.submit(), step=0.25)
        own.rig.store.plan = ["down", "lost"]
        await own.rig.clock.elapse(5.0)
        assert own.rig.store.plan == []
        assert await own.alarms() == ["budget.soft_limit"]
        own.rig.store.plan = ["down"]
        with pytest.raises(StoreError):
            await own.keeper.record_reading("person:kim", {})
        await own.keeper.record_reading("person:kim", {})
        assert read((await own.rig.store.entries(PLATFORM_TENANT))[-1]).type == "platform.budgets_read"


async def test_an_alarm_is_raised_although_nobody_can_tell_whether_it_was_before(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A damaged row is said so, and is no reason to keep silent, nor to look after budgets no more."""
    async with budgeted(Budget(name="agents", limit=3, soft=0.5)) as own:
        await own.rig.store.append(Append("apd_1", "acme", (), (Write(ALARMS, MONTH, 0, b"[not json"),)))
        await own.rig.settled(await own.rig.submit())
        await own.rig.clock.elapse(5.0)
        assert await own.alarms() == ["budget.soft_limit"]
        assert f"the alarms of budget {MONTH} cannot be read" in caplog.text


@pytest.mark.parametrize("fate", ["late", "lost"])
async def test_an_acknowledgement_that_was_lost_is_made_good(fate: str) -> None:
    """What may have been counted is read back: the book ends where the store is."""
    async with budgeted(AGENTS) as own:
        intent = await own.rig.submit()
        own.rig.store.plan = [fate] * 3
        assert (await own.rig.settled(intent)).state is State.SUCCEEDED
        await own.rig.clock.elapse(5.0)
        assert await own.stands() == (2, 0)
        assert own.book.used("acme", MONTH) == 2


async def test_what_a_cancelled_carrier_gave_back_is_heard_of() -> None:
    """A tool cancels its task late, at the ledger: the fresh task finds the outcome on record, and its units too."""
    async with budgeted(AGENTS) as own:
        real, go = own.rig.store.append, asyncio.Event()
        tasks: list[asyncio.Task[object]] = []

        async def refuses(_call: Call) -> Result:
            task = asyncio.current_task()
            assert task is not None
            tasks.append(task)
            return NEVER

        async def answer_late(what: Append) -> Appended:
            outcome = await real(what)
            await go.wait()
            return outcome

        async def append(what: Append) -> Appended:
            return await asyncio.shield(asyncio.ensure_future(answer_late(what) if tasks else real(what)))

        assert own.book.used("acme", MONTH) == 0
        await own.rig.clock.elapse(2.0)  # from now on the tenant is known, and read no more
        own.rig.store.append = append  # type: ignore[method-assign, assignment] # a store that is slow
        own.rig.script.answers = [refuses]
        intent = await own.rig.submit("crm.once")
        await turns(50)
        tasks[0].cancel()
        await turns(10)
        go.set()
        assert (await own.rig.settled(intent)).state is State.DEAD_LETTERED
        await own.rig.clock.elapse(2.0)
        assert await own.stands() == (0, 0)
        assert own.book.used("acme", MONTH) == 0


class SlowAnswers:
    """Has a store commit at once and answer only when told, where something is counted."""

    def __init__(self, rig: Rig) -> None:
        """Answer late from now on."""
        self._append = rig.store.append
        self._waiting: list[asyncio.Event] = []
        rig.store.append = self.append  # type: ignore[method-assign] # a store that is slow

    async def append(self, append: Append) -> Appended:
        """Commit, and wait to be told."""
        outcome = await self._append(append)
        if append.counts:
            self._waiting.append(asyncio.Event())
            await self._waiting[-1].wait()
        return outcome

    async def answer(self) -> None:
        """Answer what waits."""
        assert self._waiting, "something has been counted"
        while self._waiting:
            self._waiting.pop().set()
        await turns(20)


@pytest.mark.parametrize(("answer", "used"), [(Succeeded(1), 2), (NEVER, 0)])
async def test_what_was_committed_before_a_read_is_not_added_again(answer: Result, used: int) -> None:
    """Its answer comes after the read, which holds it already, be it charged or given back: no unit is lost by that."""
    async with budgeted(Budget(name="agents", limit=4)) as own:
        await own.rig.clock.elapse(2.0)
        own.rig.script.answers = [answer]
        store = SlowAnswers(own.rig)
        submitting = asyncio.ensure_future(own.rig.submit("crm.once"))
        for now in (2, used):  # as it is charged, and as it is settled
            await turns(20)
            own.keeper.lost("acme")
            await own.keeper.tend()
            assert own.book.used("acme", MONTH) == now
            await store.answer()
            assert own.book.used("acme", MONTH) == now
        await submitting
        assert await own.stands() == (used, 0)
        assert (await own.alarms(), own.book.take_refused()) == ([], [])


async def test_units_that_are_left_are_not_refused_for_a_read_in_between() -> None:
    """Half of the budget is spent once, and the other half is there for the next."""
    async with budgeted(Budget(name="agents", limit=4)) as own:
        await own.rig.clock.elapse(2.0)
        store = SlowAnswers(own.rig)
        first = asyncio.ensure_future(own.rig.submit())
        await turns(20)
        own.keeper.lost("acme")
        await own.keeper.tend()
        await store.answer()
        second = asyncio.ensure_future(own.rig.submit(key="k2"))
        await turns(20)
        await store.answer()
        assert {(await first).state, (await second).state} == {State.DISPATCHED}


async def test_a_counter_that_differs_from_its_events_is_found() -> None:
    """Law 11: the counters can be made again from the ledger, and are compared with it."""
    async with budgeted(AGENTS) as own:
        await own.rig.settled(await own.rig.submit())
        store = own.rig.store
        await store.append(Append("tampered", "acme", (), counts=(Count(USED, MONTH, -1),)))
        (problem,) = await Refold(cast("Store", store)).budgets("acme")
        assert problem == f"budget counters differ: budget.used of {MONTH} is 1, and its events make 2"
        await store.append(Append("mended", "acme", (), counts=(Count(USED, MONTH, 1),)))
