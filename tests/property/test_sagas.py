"""Laws of sagas: over crashes at every append and every kind of answer, all steps are done, or all are undone, once.

A remote counts what it did and what it undid. After each run an oracle compares that with what the record says.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Rejected, StoreError
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Tool, Uncertain
from switchgear.execution.engine import Decided, Engine
from switchgear.execution.intent import Intent
from switchgear.execution.refold import Refold
from switchgear.execution.resolving import Finding, Says
from switchgear.execution.sagas.book import SAGAS, encoded, folded_saga, saga_of
from switchgear.execution.sagas.decide import How
from switchgear.execution.sagas.definition import StepDefinition
from switchgear.execution.sagas.door import SagaSubmission
from switchgear.execution.sagas.saga import Saga, after_word
from switchgear.execution.sagas.transitions import OPEN, SagaState
from switchgear.execution.transitions import State
from switchgear.ledger.chain import seal
from switchgear.ledger.folding import stream_entries
from switchgear.storage.abilities import Append, Appended, Store
from switchgear.storage.opening import open_store
from tests.effort import examples
from tests.unit.execution.rig import ACME, Flaky, engine_on

TOOLS = {
    "crm.keyed": (Effect.KEYED, "crm.undo_keyed"),
    "crm.undo_keyed": (Effect.KEYED, None),
    "crm.opaque": (Effect.OPAQUE, "crm.undo_opaque"),
    "crm.undo_opaque": (Effect.OPAQUE, None),
    "crm.read": (Effect.READ_ONLY, None),
    "crm.final": (Effect.KEYED, None),
}
QUIET = 1_200.0


@dataclass
class Remote:
    """A remote that is slow and fails before or after it applied. It honours keys where it says so."""

    rng: random.Random
    clock: VirtualClock
    done: Counter[str] = field(default_factory=Counter)
    undone: Counter[str] = field(default_factory=Counter)
    keys: set[str] = field(default_factory=set)
    calm: bool = False
    never: frozenset[str] = frozenset()
    """Names of steps that are always refused."""

    async def execute(self, call: Call) -> Result:
        """Answer by chance, or at once while it is calm."""
        if call.arguments["name"] in self.never and call.purpose == "step":
            return Refused(Code.TOOL_FAILED, "never", retryable=False, verdict=Verdict.SUCCESS)
        if self.calm:
            self._apply(call)
            return Succeeded({"of": call.arguments["name"]})
        await self.clock.sleep_async(self.rng.choice([0.0, 0.1, 2.0, 600.0]))
        fate = self.rng.random()
        if fate < 0.15:
            return Refused(Code.DEPENDENCY_FAILED, "busy", retryable=True, verdict=Verdict.SUCCESS)
        if fate < 0.25:
            return Refused(Code.TOOL_FAILED, "never", retryable=False, verdict=Verdict.SUCCESS)
        if fate < 0.3:
            return Uncertain(Code.DEPENDENCY_FAILED, "lost on the way")
        self._apply(call)
        await self.clock.sleep_async(self.rng.choice([0.0, 0.1, 9.0]))
        return Uncertain(Code.DEPENDENCY_FAILED, "lost") if fate < 0.4 else Succeeded({"of": call.arguments["name"]})

    def _apply(self, call: Call) -> None:
        effect, _ = TOOLS[call.tool]
        if effect is Effect.READ_ONLY or (effect is Effect.KEYED and call.idempotency_key in self.keys):
            return
        self.keys.add(call.idempotency_key)
        counts = self.undone if call.purpose == "compensate" else self.done
        counts[call.arguments["name"]] += 1

    async def close(self) -> None:
        """Nothing to release."""


class Crashing(Flaky):
    """A store at whose n-th append from now the engine stands still, before or after that is written."""

    def __init__(self, store: Store) -> None:
        """Crash nowhere until told to."""
        super().__init__(store)
        self.crash_in: int | None = None
        self.written = False
        self.crashed = asyncio.Event()
        self.appends = 0

    async def append(self, append: Append) -> Appended:
        """Append, or stand still for ever."""
        self.appends += 1
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in < 0:
                if self.written:
                    await super().append(append)
                self.written = False
                self.crashed.set()
                await asyncio.Event().wait()
        return await super().append(append)


class World:
    """One store over several lives of an engine, with a remote that outlives them."""

    def __init__(self, seed: int) -> None:
        """Draw everything from `seed`."""
        self.rng = random.Random(seed)
        self.clock = VirtualClock()
        self.remote = Remote(self.rng, self.clock)
        self.acknowledged: dict[str, tuple[str, tuple[StepDefinition, ...]]] = {}

    async def open(self) -> None:
        """Open a fresh store."""
        self.store = Crashing(await open_store("memory://", seal=seal, clock=self.clock))

    async def start(self, *, register: bool = True) -> Engine:
        """Start an engine on what the one before left behind."""
        plan, self.store.plan, self.store.crash_in = self.store.plan, [], None
        self.store.crashed = asyncio.Event()
        engine = engine_on(cast("Flaky", self.store), self.clock, guards={}, seed=self.rng.randrange(1 << 30))
        if register:
            self.register(engine)
        await engine.recover()
        engine.start()
        self.store.plan = plan
        return engine

    def register(self, engine: Engine) -> None:
        """Register the tools that are not there yet."""
        for name, (effect, compensate) in TOOLS.items():
            if engine.registry.get(name) is None:
                tool = Tool(name=name, effect=effect, requires=("crm",), timeout=5.0, attempts=3, compensate=compensate)
                engine.registry.register(tool, self.remote)

    async def crash(self) -> None:
        """End every task but this one on the spot."""
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def submit(self, engine: Engine, key: str, steps: tuple[StepDefinition, ...]) -> None:
        """Submit a saga, and remember it when it is acknowledged."""
        wish = SagaSubmission(scope=ACME, steps=steps, key=key)
        submitting = asyncio.ensure_future(engine.sagas.submit(wish))
        await self.clock.elapse(0.0, turns=5)
        if not submitting.done():
            return
        try:
            admitted = submitting.result()
        except (StoreError, Rejected):
            return
        known = self.acknowledged.setdefault(key, (admitted.saga.id, steps))
        assert known[0] == admitted.saga.id, "one key, two sagas"

    async def settle(self, engine: Engine) -> None:
        """Let a calm remote and a person who knows the truth bring everything to its end."""
        self.remote.calm = True
        self.register(engine)
        for _ in range(8):
            await self.clock.elapse(QUIET, turns=3)
            unsettled = [saga_of(row) for row in await self.store.scan(SAGAS, sorted(OPEN))]
            for saga in unsettled:
                await self.help(engine, saga)
            if not unsettled:
                return

    async def help(self, engine: Engine, saga: Saga) -> None:
        """Say what became of what is in doubt, or what to do with a stuck saga."""
        if saga.under_way is not None:
            await self.resolve(engine, await engine.intent("acme", saga.under_way))
        elif saga.stuck is not None:
            how = How.RETRY if after_word(saga, How.RETRY) else How.DONE
            await engine.sagas.resume("acme", saga.id, how, reason="drill", actor="person:kim")

    async def resolve(self, engine: Engine, intent: Intent) -> None:
        """Say the truth about an intent in doubt."""
        if intent.state is not State.NEEDS_OPERATOR:
            return
        counts = self.remote.undone if intent.purpose == "compensate" else self.remote.done
        name = intent.arguments["name"]
        says, value = (Says.APPLIED, {"of": name}) if counts[name] else (Says.NOT_APPLIED, None)
        finding = Finding(by="person:kim", says=says, evidence="looked", value=value)

        def decision(current: Intent) -> Decided:
            return Decided(engine.doubts.resolved(current, finding))

        await engine.change("acme", intent.id, decision, actor="person:kim")

    async def judge(self, engine: Engine) -> list[SagaState]:
        """Check the laws and return how the acknowledged sagas ended."""
        ends = []
        assert max((*self.remote.done.values(), *self.remote.undone.values(), 0)) <= 1, "an effect twice"
        for saga_id, steps in self.acknowledged.values():
            saga = await engine.sagas.saga("acme", saga_id)
            self._judge_saga(saga, steps)
            ends.append(saga.state)
        for row in await self.store.page(SAGAS, "acme", limit=200):
            again = await folded_saga(stream_entries(cast("Store", self.store), "acme", row.key))
            assert again is not None, "a saga without its beginning"
            assert encoded(again) == row.value, "a row is not what its events say"
        refold = Refold(cast("Store", self.store))
        assert (await refold.chain("acme")).problem == ""
        assert (await refold.intents("acme")).first_different is None
        assert len(engine.queue) == 0, "a place was leaked"
        assert engine.defect is None
        return ends

    def _judge_saga(self, saga: Saga, steps: tuple[StepDefinition, ...]) -> None:
        assert saga.final, f"{saga.state} after all"
        for step in steps:
            done, undone = self.remote.done[step.label], self.remote.undone[step.label]
            if saga.state is SagaState.COMPLETED:
                assert (done, undone) == (TOOLS[step.tool][0].writes, 0), f"{step.label}: {done}, {undone}"
            else:
                assert done == undone, f"{step.label} of a {saga.state} saga: done {done}, undone {undone}"


def steps_of(key: str, *tools: str, pivot: int | None = None) -> tuple[StepDefinition, ...]:
    """Return steps that each take the name of the one before from its value."""
    names = [f"{key}/{position}" for position in range(len(tools))]
    return tuple(
        StepDefinition(
            tool=tool,
            name=names[position],
            arguments={
                "name": names[position],
                **({"after": {"$step": names[position - 1], "path": "of"}} if position else {}),
            },
            pivot=position == pivot,
        )
        for position, tool in enumerate(tools)
    )


APPENDS_LEAST = 4
"""A saga accepted, a step dispatched, its outcome, and what follows for the saga."""
SCENES = {
    "all succeed": (("crm.keyed", "crm.read", "crm.opaque", "crm.final"), None, SagaState.COMPLETED),
    "the last fails": (("crm.keyed", "crm.opaque", "crm.keyed"), "2", SagaState.COMPENSATED),
    "the first fails": (("crm.keyed", "crm.keyed"), "0", SagaState.COMPENSATED),
}


async def _crashed_at(scene: str, append: int, *, written: bool) -> bool:
    """Run a scene with a crash at one append, and return whether it came to that append at all."""
    tools, fails, end = SCENES[scene]
    world = World(1)
    await world.open()
    world.remote.calm = True
    world.remote.never = frozenset({f"k/{fails}"})
    engine = await world.start()
    world.store.crash_in, world.store.written = append, written
    steps = steps_of("k", *tools)
    await world.submit(engine, "k", steps)
    await world.clock.elapse(60.0)
    crashed = world.store.crashed.is_set()
    await world.crash()
    engine = await world.start()
    await world.submit(engine, "k", steps)  # the caller repeats: it was acknowledged, or it was not
    await world.settle(engine)
    ends = await world.judge(engine)
    assert ends == [end]
    await world.crash()
    await world.store.close()
    return crashed


@pytest.mark.parametrize("written", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scene", SCENES)
def test_a_crash_at_any_append_leaves_a_saga_done_or_undone(scene: str, written: bool) -> None:  # noqa: FBT001 - a case
    """Whatever append the process dies at, each effect happens once, and is undone once where it has to be."""
    append = 0
    while asyncio.run(_crashed_at(scene, append, written=written)):
        append += 1
    assert append >= APPENDS_LEAST, "the scene was over before anything could crash"


async def _life(seed: int) -> None:
    world = World(seed)
    rng = world.rng
    await world.open()
    engine = await world.start()
    submitted: dict[str, tuple[StepDefinition, ...]] = {}
    for _ in range(rng.randrange(4, 16)):
        chance = rng.random()
        if chance < 0.45:
            key = f"k{rng.randrange(5)}"
            steps = submitted.setdefault(key, _drawn(rng, key))
            await world.submit(engine, key, steps)
        elif chance < 0.6 and world.acknowledged:
            saga_id, _ = rng.choice(list(world.acknowledged.values()))
            cancelling = asyncio.ensure_future(engine.sagas.cancel("acme", saga_id, reason="drill", actor="person:kim"))
            await world.clock.elapse(0.0, turns=5)
            if cancelling.done() and (error := cancelling.exception()) is not None:
                assert isinstance(error, StoreError | Rejected), error
        elif chance < 0.75:
            world.store.plan = rng.choices(["ok", "down", "full", "lost", "late"], k=4)
        elif chance < 0.9:
            await world.crash()
            engine = await world.start(register=rng.random() < 0.8)
        await world.clock.elapse(rng.choice([0.0, 0.05, 1.0, 4.0, 60.0]), turns=5)
    world.store.plan = []
    await world.settle(engine)
    await world.judge(engine)
    await world.crash()
    await world.store.close()


def _drawn(rng: random.Random, key: str) -> tuple[StepDefinition, ...]:
    tools = rng.choices(["crm.keyed", "crm.opaque", "crm.read"], k=rng.randrange(1, 4))
    if rng.random() < 0.4:
        tools.append("crm.final")
    pivot = rng.randrange(len(tools)) if rng.random() < 0.3 else None
    return steps_of(key, *tools, pivot=pivot)


@settings(max_examples=examples(40), deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_no_seed_leaves_a_saga_half_done(seed: int) -> None:
    """Over crashes, stumbling ledgers, cancels and every kind of answer, a saga is all done or all undone."""
    asyncio.run(_life(seed))
