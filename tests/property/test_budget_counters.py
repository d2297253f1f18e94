"""Budgets from one seed: lost answers and acknowledgements, crashes, people who resolve, requeue and run again.

After each run the counters are what the events make of them, reserved is settled plus held, no limit was passed, and
what is held is exactly what is in doubt or under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Sequence
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Rejected, SwitchgearError
from switchgear.core.ids import IdSource
from switchgear.core.outcome import Verdict
from switchgear.execution.admission import Submission
from switchgear.execution.budget_keeper import BudgetKeeper
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Tool, Uncertain
from switchgear.execution.decide import Backoff, Moment
from switchgear.execution.engine import Decided, Engine
from switchgear.execution.intent import Change, Intent
from switchgear.execution.recorder import INTENTS, StaleError, intent_of
from switchgear.execution.refold import Refold
from switchgear.execution.reservation import budget_counters
from switchgear.execution.resolving import Finding, Says, resolved
from switchgear.execution.transitions import DOUBTFUL, FINAL, Kind, State
from switchgear.gates.budget import Budget, BudgetGate, Budgets
from switchgear.gates.budget_book import BudgetBook
from switchgear.gates.budget_names import HELD, USED, Period
from switchgear.ledger.chain import seal
from switchgear.ledger.events import EventEncoder, Recorded, read
from switchgear.storage.abilities import Store
from switchgear.storage.opening import open_store
from tests.effort import examples
from tests.unit.execution.rig import ACME, Flaky, engine_on

EFFECTS = {"crm.read": Effect.READ_ONLY, "crm.keyed": Effect.KEYED, "crm.opaque": Effect.OPAQUE}
LIFETIMES = {"crm.read": 20.0, "crm.keyed": 900.0, "crm.opaque": 900.0}
LIMITS = {"hourly": 7, "total": 60, "tools": 9}
BUDGETS = Budgets(
    [
        Budget(name="hourly", limit=LIMITS["hourly"], period=Period.HOUR),
        Budget(name="total", limit=LIMITS["total"], period=Period.TOTAL, tool="crm.[ko]*"),
        Budget(name="tools", limit=LIMITS["tools"], period=Period.DAY, each=("tool",)),
    ]
)


class Remote:
    """A remote that answers by chance."""

    def __init__(self, rng: random.Random, clock: VirtualClock) -> None:
        """Draw from `rng`."""
        self.rng = rng
        self.clock = clock

    async def execute(self, _call: Call) -> Result:
        """Answer after a while, lose the answer, refuse, or never come back."""
        await self.clock.sleep_async(self.rng.choice([0.0, 0.1, 2.0, 600.0]))
        fate = self.rng.random()
        if fate < 0.2:
            return Refused(Code.DEPENDENCY_FAILED, "busy", retryable=True, verdict=Verdict.SUCCESS)
        if fate < 0.3:
            return Refused(Code.TOOL_FAILED, "never", retryable=False, verdict=Verdict.SUCCESS)
        return Uncertain(Code.DEPENDENCY_FAILED, "lost") if fate < 0.5 else Succeeded(1)

    async def close(self) -> None:
        """Nothing to release."""


class Life:
    """One life of a store, over several lives of the engine."""

    def __init__(self, seed: int) -> None:
        """Draw everything from `seed`."""
        self.rng = random.Random(seed)
        self.clock = VirtualClock()
        self.ids: list[str] = []
        self.engine: Engine
        self.keeper: BudgetKeeper
        self.store: Flaky

    async def run(self) -> None:
        """Do this and that, then ask the oracle, while all stands still and again when all has settled."""
        self.store = Flaky(await open_store("memory://", seal=seal, clock=self.clock))
        await self.start()
        steps = (self.submit, self.submit, self.submit, self.speak, self.cancel, self.stumble, self.restart)
        for _ in range(self.rng.randrange(5, 35)):
            await self.rng.choice(steps)()
            await self.clock.elapse(self.rng.choice([0.0, 0.05, 1.0, 4.0, 60.0, 60.0, 400.0]), turns=5)
        await self.judge()
        self.store.plan = []
        await self.clock.elapse(950.0, turns=3)
        await self.judge()
        assert self.engine.defect is None
        await self.crash()
        await self.store.close()

    async def start(self) -> None:
        """Start an engine on what the one before left behind."""
        plan, self.store.plan = self.store.plan, []
        book = BudgetBook()
        gate = BudgetGate(BUDGETS, book)
        quotes = (gate,) if self.rng.random() < 0.5 else ()
        seed = self.rng.randrange(1 << 30)
        self.engine = engine_on(self.store, self.clock, guards={}, gates=quotes, dispatch_gates=(gate,), seed=seed)
        self.keeper = BudgetKeeper(
            BUDGETS,
            book,
            store=cast("Store", self.store),
            clock=self.clock,
            ids=IdSource(self.clock, random.Random(seed + 1)),
            encoder=EventEncoder(),
        )
        self.engine.recorder.watch_counts(self.keeper)
        remote = Remote(self.rng, self.clock)
        for number, (name, effect) in enumerate(EFFECTS.items()):
            tool = Tool(
                name=name, effect=effect, requires=("crm",), timeout=5.0, cost=number + 1, lifetime=LIFETIMES[name]
            )
            self.engine.registry.register(tool, remote)
        await self.keeper.load()
        await self.engine.recover()
        self.keeper.start()
        self.engine.start()
        self.store.plan = plan

    async def restart(self) -> None:
        """Crash, and start again."""
        await self.crash()
        await self.start()

    async def crash(self) -> None:
        """End every task but this one on the spot."""
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def stumble(self) -> None:
        """Have the ledger fail in some way for a while."""
        self.store.plan = self.rng.choices(["ok", "down", "full", "lost", "late", "slow"], k=6)

    async def submit(self) -> None:
        """Submit one action."""
        tool = self.rng.choice(list(EFFECTS))
        submission = Submission(scope=ACME, tool=tool, arguments={}, key=f"k{len(self.ids)}-{self.rng.random()}")
        submitting = asyncio.ensure_future(self.engine.submit(submission))
        await self.clock.elapse(0.0, turns=5)
        if submitting.done() and submitting.exception() is None:
            self.ids.append(submitting.result().intent.id)

    async def cancel(self) -> None:
        """Cancel something."""
        await self.tried(lambda intent_id: self.engine.cancel("acme", intent_id, reason="drill", actor="person:kim"))

    async def speak(self) -> None:
        """Say what became of something in doubt, requeue a dead letter, or run something final again."""
        says = self.rng.choice(list(Says))

        def decision(intent: Intent) -> Decided:
            if intent.state in (State.IN_DOUBT, State.NEEDS_OPERATOR):
                finding = Finding(says=says, evidence="looked", by="person:kim")
                moment = Moment(self.clock.time(), 0.5)
                return Decided(resolved(intent, finding, Backoff(0.5, 1.0), moment, destructive=False))
            later = {"deadline_at": self.clock.time() + 900.0}
            if intent.state is State.DEAD_LETTERED and not intent.unresolved:
                return Decided((Change(Kind.REQUEUED, {**later, "attempts_max": intent.attempt + 3}),))
            again = intent.state in FINAL and intent.state is not State.DISCARDED
            return Decided((Change(Kind.REEXECUTED, later),)) if again else Decided()

        await self.tried(lambda intent_id: self.engine.change("acme", intent_id, decision, actor="person:kim"))

    async def tried(self, doing: object) -> None:
        """Do something to any intent; it may be refused."""
        if not self.ids:
            return
        task = asyncio.ensure_future(doing(self.rng.choice(self.ids)))  # type: ignore[operator] # a callable of above
        await self.clock.elapse(0.0, turns=5)
        if task.done():
            with contextlib.suppress(SwitchgearError, Rejected, StaleError):
                task.result()

    async def judge(self) -> None:
        """Check what must always hold of counters."""
        events = [read(entry) for entry in await self.store.entries("acme", limit=10_000)]
        stored = {
            (space, one.key): one.value for space in (USED, HELD) for one in await self.store.counters(space, "acme")
        }
        assert stored == budget_counters(events), "the counters are not what the events make of them"
        reserved, settled = _by_hand(events)
        for key, units in reserved.items():
            held_now = stored[HELD, key]
            assert stored[USED, key] == settled[key] + held_now, "used is not settled plus held"
            assert units >= settled[key] + held_now, "more was settled or held than was ever reserved"
        refold = Refold(cast("Store", self.store))
        assert await refold.budgets("acme") == ()
        assert (await refold.intents("acme")).first_different is None
        held: Counter[tuple[str, str]] = Counter()
        for row in await self.store.page(INTENTS, "acme", limit=1_000):
            intent = intent_of(row)
            for key, units in intent.reserved.items():
                held[HELD, key] += units
            if intent.state in DOUBTFUL and intent.effect.writes:
                assert intent.reserved, f"{intent.id} is in doubt and holds nothing"
            if intent.final:
                assert not intent.reserved, f"{intent.id} is {intent.state} and holds something"
        assert {place: value for place, value in stored.items() if place[0] == HELD and value} == dict(held)
        for (space, key), value in stored.items():
            assert value >= 0, "given back more than was taken"
            assert value <= LIMITS.get(key.partition("/")[0], value), f"{space} of {key} passed its limit"
        alarms = Counter((event.type, event.stream) for event in events if event.type.startswith("budget."))
        assert set(alarms.values()) <= {1}, "an alarm was raised twice"


def _by_hand(events: Sequence[Recorded]) -> tuple[Counter[str], Counter[str]]:
    """Return what was ever reserved and what was settled for good, by key, without the rules under test."""
    reserved: Counter[str] = Counter()
    settled: Counter[str] = Counter()
    open_now: dict[str, dict[str, int]] = {}
    for event in events:
        word = event.type.removeprefix("intent.")
        if word == "dispatched" and "reserved" in event.facts:
            assert event.stream not in open_now, "an action in doubt was charged again"
            open_now[event.stream] = event.facts["reserved"]
            reserved.update(event.facts["reserved"])
        elif word == "not_applied" and "reservation_kept" not in event.facts:
            open_now.pop(event.stream, None)
        elif word in {"succeeded", "abandoned", "expired", "cancelled", "denied", "rejected"}:
            settled.update(open_now.pop(event.stream, {}))
    return reserved, settled


@settings(max_examples=examples(40), deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_reserved_is_settled_plus_held_whatever_happens(seed: int) -> None:
    """Counters equal the fold over the events over crashes, doubt, resolve, abandon, requeue and running again."""
    asyncio.run(Life(seed).run())
