"""Dead letters are never lost and never silently retried, whatever happens around them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Rejected, StoreError
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Tool, Uncertain
from switchgear.execution.dead_letters import discarded
from switchgear.execution.engine import Decided, Engine
from switchgear.execution.intent import Intent
from switchgear.execution.recorder import INTENTS
from switchgear.execution.resolving import Finding, Says
from switchgear.execution.transitions import DOUBTFUL, State
from switchgear.ledger.chain import seal
from switchgear.ledger.events import read
from switchgear.storage.opening import open_store
from tests.effort import examples
from tests.unit.execution.rig import Flaky, Rig, Script, engine_on

TOOL = Tool(name="crm.order", requires=("crm",), effect=Effect.OPAQUE, attempts=2, backoff_base=0.1)
PERSON = "person:ann"


@dataclass
class Remote:
    """Refuses, is silent, or succeeds by chance, and counts its calls by intent."""

    rng: random.Random
    calls: Counter[str] = field(default_factory=Counter)

    async def execute(self, call: Call) -> Result:
        """Answer by chance."""
        self.calls[call.intent_id] += 1
        fate = self.rng.random()
        if fate < 0.5:
            return Refused(Code.TOOL_FAILED, "no", retryable=self.rng.random() < 0.5, verdict=Verdict.SUCCESS)
        return Uncertain(Code.DEPENDENCY_FAILED, "silence") if fate < 0.8 else Succeeded("done")

    async def close(self) -> None:
        """Nothing to release."""


class Office:
    """People who look after dead letters, an engine that dies now and then, and what is known of each letter."""

    def __init__(self, seed: int) -> None:
        """Draw everything from `seed`."""
        self.rng = random.Random(seed)
        self.clock = VirtualClock()
        self.remote = Remote(self.rng)
        self.known: list[str] = []
        self.asked: Counter[str] = Counter()
        self.dead: dict[str, int] = {}
        """Letters as last seen dead, with the calls that there had been."""

    async def run(self) -> None:
        """Live for some steps, then judge."""
        self.store = Flaky(await open_store("memory://", seal=seal, clock=self.clock))
        await self.begin()
        for _ in range(self.rng.randrange(5, 40)):
            await self.step()
            await self.clock.elapse(self.rng.choice([0.0, 0.2, 5.0, 100.0]), turns=5)
            self.store.plan = []
            await self.look()
        await self.clock.elapse(2_000.0, turns=5)
        await self.look()
        await self.judge()
        await self.crash()
        await self.store.close()

    async def begin(self) -> None:
        """Start an engine on what is there."""
        self.engine: Engine = engine_on(self.store, self.clock, guards={}, seed=self.rng.randrange(1 << 30))
        self.engine.registry.register(TOOL, self.remote)
        await self.engine.recover()
        self.engine.start()

    async def crash(self) -> None:
        """End every task but this one on the spot."""
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def step(self) -> None:
        """Do one thing by chance."""
        if self.rng.random() < 0.3:
            self.store.plan = self.rng.choices(["ok", "down", "lost", "late"], k=3)
        choice = self.rng.random()
        if choice < 0.4 or not self.known:
            await self.submit()
        elif choice < 0.5:
            await self.crash()
            self.store.plan = []
            await self.begin()
        else:
            await self.act(self.rng.choice(self.known))

    async def submit(self) -> None:
        """Submit one action."""
        key = f"k{len(self.known)}"
        rig = Rig(self.engine, self.store, self.clock, Script(), {})
        submitting = asyncio.ensure_future(rig.submit("crm.order", key=key))
        await self.clock.elapse(20.0, turns=5)
        if submitting.done() and submitting.exception() is None:
            self.known.append(submitting.result().id)

    async def act(self, intent_id: str) -> None:
        """Requeue, discard or settle something; twice at once, now and then."""
        acts = [self.rng.choice((self.requeue, self.requeue, self.discard, self.settle)) for _ in range(2)]
        doing = [asyncio.ensure_future(act(intent_id)) for act in acts[: self.rng.randrange(1, 3)]]
        await self.clock.elapse(20.0, turns=5)
        for done in doing:
            error = done.exception() if done.done() else None
            assert error is None or isinstance(error, Rejected | StoreError), error

    async def requeue(self, intent_id: str) -> None:
        """Ask for a letter to run again."""
        self.asked[intent_id] += 1

        def decision(intent: Intent) -> Decided:
            return Decided(self.engine.dead_letters.requeued(intent, by=PERSON))

        await self.engine.change("acme", intent_id, decision, actor=PERSON)

    async def discard(self, intent_id: str) -> None:
        """Ask for a letter to be put away."""
        self.asked[intent_id] += 1

        def decision(intent: Intent) -> Decided:
            return Decided(discarded(intent, by=PERSON, reason="drill"))

        await self.engine.change("acme", intent_id, decision, actor=PERSON)

    async def settle(self, intent_id: str) -> None:
        """Say what became of a doubt, most often that nobody will find out."""
        says = self.rng.choice([Says.ABANDON, Says.ABANDON, Says.NOT_APPLIED])
        finding = Finding(says=says, evidence="drill", by=PERSON)

        def decision(intent: Intent) -> Decided:
            return Decided(self.engine.doubts.resolved(intent, finding))

        await self.engine.change("acme", intent_id, decision, actor=PERSON)

    async def look(self) -> None:
        """Look at every letter: one that nobody has asked about since is as it was."""
        for intent_id in self.known:
            intent = await self.engine.intent("acme", intent_id)
            if intent_id in self.dead and not self.asked[intent_id]:
                assert intent.state is State.DEAD_LETTERED, f"a dead letter has become {intent.state} by itself"
                assert self.remote.calls[intent_id] == self.dead[intent_id], "a dead letter was retried silently"
            self.dead.pop(intent_id, None)
            if intent.state is State.DEAD_LETTERED:
                self.dead[intent_id] = self.remote.calls[intent_id]
        self.asked.clear()

    async def judge(self) -> None:
        """Check that nothing is lost, and that each new life of a letter has a name to it."""
        rows = await self.store.page(INTENTS, "acme", limit=1_000)
        listed = await self.store.page(INTENTS, "acme", facet=State.DEAD_LETTERED, limit=1_000)
        assert set(self.known) <= {row.key for row in rows}, "something acknowledged is lost"
        assert set(self.dead) <= {row.key for row in listed}, "a dead letter is not listed"
        for intent_id in self.known:
            await self.judge_one(await self.engine.intent("acme", intent_id))

    async def judge_one(self, intent: Intent) -> None:
        """Check one intent and its history."""
        recorded = [read(entry) for entry in await self.store.stream("acme", intent.id)]
        kinds = [entry.type.removeprefix("intent.") for entry in recorded]
        assert intent.state not in DOUBTFUL or intent.unresolved
        assert intent.settled, f"{intent.state} after a long quiet time"
        assert self.remote.calls[intent.id] <= kinds.count("dispatched"), "something left without a record"
        for place, entry in enumerate(recorded):
            if entry.type == "intent.requeued":
                assert kinds[place - 1] == "dead_lettered"
                assert entry.facts["by"] == PERSON
                assert "abandoned" not in kinds[:place], "what may have been applied was requeued"


@settings(max_examples=examples(40), deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_a_dead_letter_is_never_lost_and_never_silently_retried(seed: int) -> None:
    """SEMANTICS §9: it stays until a person requeues or discards it, and what may have been applied never runs."""
    asyncio.run(Office(seed).run())


def test_the_drill_is_about_dead_letters() -> None:
    """A drill that made no letter, requeued or abandoned none would prove nothing."""
    seen: Counter[str] = Counter()
    for seed in range(8):
        office = Office(seed)
        asyncio.run(office.run())
        seen["letters"] += len(office.dead)
        seen["calls"] += sum(office.remote.calls.values())
    assert seen["letters"] > 3
    assert seen["calls"] > 15
