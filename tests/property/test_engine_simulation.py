"""The whole engine from one seed: slow, lost and failing answers, a ledger that stumbles, crashes at any moment.

After each run an oracle checks the laws: nothing acknowledged is lost, no key has two effects, what is called a
success happened, what is called a failure did not, and the ledger folds to what is stored.
"""

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
from switchgear.execution.admission import Submission
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Tool, Uncertain
from switchgear.execution.engine import Engine
from switchgear.execution.intent import State
from switchgear.execution.refold import Refold
from switchgear.ledger.chain import seal
from switchgear.storage.opening import open_store
from tests.unit.execution.rig import ACME, GLOBEX, Flaky, engine_on

EFFECTS = {"crm.read": Effect.READ_ONLY, "crm.keyed": Effect.KEYED, "crm.opaque": Effect.OPAQUE}


@dataclass
class Remote:
    """A remote that is slow, fails before or after it applied, and honours keys where it says so."""

    rng: random.Random
    clock: VirtualClock
    applied: Counter[str] = field(default_factory=Counter)

    async def execute(self, call: Call) -> Result:
        """Answer by chance."""
        await self.clock.sleep_async(self.rng.choice([0.0, 0.1, 2.0]))
        fate = self.rng.random()
        if fate < 0.15:
            return Refused(Code.DEPENDENCY_FAILED, "busy", retryable=True, verdict=Verdict.SUCCESS)
        if fate < 0.2:
            return Refused(Code.TOOL_FAILED, "never", retryable=False, verdict=Verdict.SUCCESS)
        if fate < 0.3:
            return Uncertain(Code.DEPENDENCY_FAILED, "lost on the way")
        self._apply(call)
        await self.clock.sleep_async(self.rng.choice([0.0, 0.1, 9.0]))
        return Uncertain(Code.DEPENDENCY_FAILED, "answer lost") if fate < 0.4 else Succeeded(call.attempt)

    def _apply(self, call: Call) -> None:
        effect = EFFECTS[call.tool]
        if effect is Effect.OPAQUE or (effect is Effect.KEYED and call.idempotency_key not in self.applied):
            self.applied[call.idempotency_key] += 1

    async def close(self) -> None:
        """Nothing to release."""


class Simulation:
    """Submits, lets time pass and crashes by chance; then lets everything settle and asks the oracle."""

    def __init__(self, seed: int) -> None:
        """Draw everything from `seed`."""
        self.rng = random.Random(seed)
        self.clock = VirtualClock()
        self.remote = Remote(self.rng, self.clock)
        self.acknowledged: dict[tuple[str, str, str], str] = {}
        self.starts = 0

    async def run(self) -> None:
        """Run one life of the store, over several lives of the engine."""
        store = Flaky(await open_store("memory://", seal=seal, clock=self.clock))
        engine = await self.start(store)
        for _ in range(self.rng.randrange(5, 25)):
            step = self.rng.random()
            if step < 0.6:
                await self.submit(engine)
            elif step < 0.65:
                await self.cancel(engine)
            elif step < 0.72:
                store.plan = self.rng.choices(["ok", "down", "lost", "late"], k=4)
            elif step < 0.8:
                await self.crash()
                engine = await self.start(store)
            await self.clock.elapse(self.rng.choice([0.0, 0.05, 1.0, 4.0]), turns=5)
        store.plan = []
        await self.clock.elapse(400.0, turns=5)
        await self.judge(engine, store)
        await self.crash()
        await store.close()

    async def start(self, store: Flaky) -> Engine:
        """Start an engine on what the one before left behind."""
        plan, store.plan = store.plan, []
        self.starts += 1
        engine = engine_on(store, self.clock, guards={}, seed=self.rng.randrange(1 << 30))
        for name, effect in EFFECTS.items():
            tool = Tool(name=name, effect=effect, requires=("crm",), timeout=5.0, attempts=3)
            engine.registry.register(tool, self.remote)
        await engine.recover()
        engine.start()
        store.plan = plan
        return engine

    async def crash(self) -> None:
        """End every task but this one on the spot: nothing gets to say goodbye."""
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def submit(self, engine: Engine) -> None:
        """Submit one action, sometimes one that was submitted before, and remember what was acknowledged."""
        scope = self.rng.choice([ACME, GLOBEX])
        tool, key = self.rng.choice(list(EFFECTS)), f"k{self.rng.randrange(8)}"
        submitting = asyncio.ensure_future(
            engine.submit(Submission(scope=scope, tool=tool, arguments={"key": key}, key=key))
        )
        await self.clock.elapse(0.0, turns=5)
        if not submitting.done():
            return
        try:
            admitted = submitting.result()
        except (StoreError, Rejected):
            return
        known = self.acknowledged.setdefault((scope.tenant, tool, key), admitted.intent.id)
        assert known == admitted.intent.id, "one key, two intents"

    async def cancel(self, engine: Engine) -> None:
        """Cancel something that was acknowledged, if it can still be."""
        if not self.acknowledged:
            return
        (tenant, _, _), intent_id = self.rng.choice(list(self.acknowledged.items()))
        cancelling = asyncio.ensure_future(engine.cancel(tenant, intent_id, reason="drill", actor="person:kim"))
        await self.clock.elapse(0.0, turns=5)
        if cancelling.done() and (error := cancelling.exception()) is not None:
            assert isinstance(error, StoreError | Rejected), error

    async def judge(self, engine: Engine, store: Flaky) -> None:
        """Check the laws."""
        assert max(self.remote.applied.values(), default=0) <= 1, "an effect twice for one key"
        for (tenant, tool, _), intent_id in self.acknowledged.items():
            intent = await engine.intent(tenant, intent_id)
            assert intent.settled, f"{intent.state} after 400 quiet seconds"
            happened, writes = self.remote.applied[intent_id], EFFECTS[tool].writes
            if intent.state is State.SUCCEEDED:
                assert happened == writes, "called a success and did not happen"
            elif intent.state is not State.IN_DOUBT:
                assert happened == 0, f"called {intent.state} and happened"
        for tenant in ("acme", "globex"):
            refold = Refold(store)
            assert (await refold.chain(tenant)).problem == ""
            assert (await refold.intents(tenant)).first_different is None
        assert len(engine.queue) == 0, "a place was leaked"


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_no_seed_breaks_the_laws(seed: int) -> None:
    """Law 2, 3, 4 and 11 hold over crashes, stumbling ledgers and every kind of answer."""
    asyncio.run(Simulation(seed).run())
