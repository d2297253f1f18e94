"""The whole engine from one seed: slow, lost and failing answers, a ledger that stumbles, crashes at any moment.

After each run an oracle checks the laws: nothing acknowledged is lost, no key has two effects, what is called a
success happened, what is called a failure did not, and the ledger folds to what is stored.
"""

from __future__ import annotations

import asyncio
import contextlib
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
from switchgear.guard import Guard
from switchgear.ledger.chain import seal
from switchgear.policies.breaker import Breaker
from switchgear.policies.bulkhead import Bulkhead
from switchgear.policies.rate_limit import RateLimit
from switchgear.storage.opening import open_store
from tests.unit.execution.rig import ACME, GLOBEX, Flaky, engine_on

EFFECTS = {
    "crm.read": Effect.READ_ONLY,
    "crm.keyed": Effect.KEYED,
    "crm.opaque": Effect.OPAQUE,
    "crm.both": Effect.KEYED,
}
KEY_RETENTION = 90.0
QUIET = 1_000.0


@dataclass
class Remote:
    """A remote that is slow, fails before or after it applied, and honours keys where it says so."""

    rng: random.Random
    clock: VirtualClock
    applied: Counter[str] = field(default_factory=Counter)
    known: dict[str, float] = field(default_factory=dict)

    async def execute(self, call: Call) -> Result:
        """Answer by chance, or never."""
        await self.clock.sleep_async(self.rng.choice([0.0, 0.1, 2.0, 600.0]))
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
        effect, now = EFFECTS[call.tool], self.clock.monotonic()
        forgotten = now - self.known.get(call.idempotency_key, -KEY_RETENTION) >= KEY_RETENTION
        if effect is Effect.OPAQUE or (effect is Effect.KEYED and forgotten):
            self.applied[call.idempotency_key] += 1
            self.known[call.idempotency_key] = now

    async def close(self) -> None:
        """Nothing to release."""


class Simulation:
    """Submits, lets time pass and crashes by chance; then lets everything settle and asks the oracle."""

    def __init__(self, seed: int) -> None:
        """Draw everything from `seed`."""
        self.rng = random.Random(seed)
        self.clock = VirtualClock()
        self.remote = Remote(self.rng, self.clock)
        self.acknowledged: dict[str, tuple[str, str]] = {}
        self.keys: dict[tuple[str, str, str], str] = {}
        self.guards: dict[str, Guard] = {}

    async def run(self) -> None:
        """Run one life of the store, over several lives of the engine."""
        store = Flaky(await open_store("memory://", seal=seal, clock=self.clock))
        engine = await self.start(store)
        for _ in range(self.rng.randrange(5, 30)):
            step = self.rng.random()
            if step < 0.55:
                await self.submit(engine)
            elif step < 0.62:
                await self.cancel(engine)
            elif step < 0.65:
                self.trip("mail")
            elif step < 0.66:
                self.clock.jump_wall(self.rng.choice([-3_600.0, -2.0, 2.0]))
            elif step < 0.69:
                await self.stop(engine)
                engine = await self.start(store)
            elif step < 0.75:
                store.plan = self.rng.choices(["ok", "down", "full", "lost", "late"], k=4)
            elif step < 0.8:
                await self.crash()
                engine = await self.start(store)
            await self.clock.elapse(self.rng.choice([0.0, 0.05, 1.0, 4.0, 60.0]), turns=5)
        store.plan = []
        self.register(engine)
        await self.clock.elapse(QUIET, turns=3)
        await self.judge(engine, store)
        await self.crash()
        await store.close()

    async def start(self, store: Flaky) -> Engine:
        """Start an engine on what the one before left behind."""
        plan, store.plan = store.plan, []
        self.guards = {
            "crm": Guard(
                "crm",
                breaker=Breaker(failure_rate=0.6, minimum_calls=4, window=20.0, cooldown=20.0, ramp=5.0),
                rate_limit=RateLimit(5, per=1.0, burst=5),
                bulkhead=Bulkhead(3),
                clock=self.clock,
            ),
            "mail": Guard("mail", breaker=Breaker(failures=1, cooldown=30.0), clock=self.clock),
        }
        engine = engine_on(store, self.clock, guards=self.guards, seed=self.rng.randrange(1 << 30))
        engine.queue.set_places("crm", 3)
        if self.rng.random() < 0.8:
            self.register(engine)
        await engine.recover()
        engine.start()
        store.plan = plan
        return engine

    def register(self, engine: Engine) -> None:
        """Register the tools that are not there yet."""
        for name, effect in EFFECTS.items():
            if engine.registry.get(name) is None:
                requires = ("crm", "mail") if name == "crm.both" else ("crm",)
                tool = Tool(
                    name=name, effect=effect, requires=requires, timeout=5.0, attempts=3, key_retention=KEY_RETENTION
                )
                engine.registry.register(tool, self.remote)

    def trip(self, name: str) -> None:
        """Open a breaker, if it lets in the call that fails."""
        with contextlib.suppress(Rejected):
            self.guards[name].permit_nowait().fail()

    async def stop(self, engine: Engine) -> None:
        """Stop in order, while whatever is under way is under way."""
        stopping = asyncio.ensure_future(engine.stop(self.rng.choice([0.0, 3.0])))
        while not stopping.done():
            await self.clock.elapse(0.5, turns=5)
        await stopping

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
        earlier = self.keys.get((scope.tenant, tool, key))
        if earlier not in (None, admitted.intent.id):
            first = await engine.intent(scope.tenant, str(earlier))
            assert first.final, "a key was freed while its intent was open"
            assert first.updated_at + KEY_RETENTION <= self.clock.time(), "a key was freed before its retention"
        self.keys[scope.tenant, tool, key] = admitted.intent.id
        self.acknowledged[admitted.intent.id] = (scope.tenant, tool)

    async def cancel(self, engine: Engine) -> None:
        """Cancel something that was acknowledged, if it can still be."""
        if not self.acknowledged:
            return
        intent_id, (tenant, _) = self.rng.choice(list(self.acknowledged.items()))
        cancelling = asyncio.ensure_future(engine.cancel(tenant, intent_id, reason="drill", actor="person:kim"))
        await self.clock.elapse(0.0, turns=5)
        if cancelling.done() and (error := cancelling.exception()) is not None:
            assert isinstance(error, StoreError | Rejected), error

    async def judge(self, engine: Engine, store: Flaky) -> None:
        """Check the laws."""
        assert max(self.remote.applied.values(), default=0) <= 1, "an effect twice for one key"
        for intent_id, (tenant, tool) in self.acknowledged.items():
            intent = await engine.intent(tenant, intent_id)
            assert intent.settled, f"{intent.state} after {QUIET} quiet seconds"
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
        assert engine.defect is None
        assert {guard.statistics().in_flight for guard in self.guards.values()} == {0}, "a permit was leaked"


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_no_seed_breaks_the_laws(seed: int) -> None:
    """Law 2, 3, 4 and 11 hold over crashes, stumbling ledgers and every kind of answer."""
    asyncio.run(Simulation(seed).run())
