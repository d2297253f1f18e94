"""A whole engine on a memory store and a virtual clock, with a connector that answers by script."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Unpack, cast

from switchgear.assembly.gear import ToolOptions
from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import StoreError
from switchgear.core.ids import IdSource
from switchgear.core.scope import Scope
from switchgear.execution.admission import Submission
from switchgear.execution.attempt import Ended
from switchgear.execution.contract import Call, Result, Succeeded, Tool
from switchgear.execution.destruction import Destruction
from switchgear.execution.doubts import DoubtOptions
from switchgear.execution.engine import Engine, EngineGates, EngineGuards, EngineLimits, Sources
from switchgear.execution.intent import Intent
from switchgear.gates.gate import Gate, GateRequest
from switchgear.gates.required import RequiredDependencies
from switchgear.guard import Guard
from switchgear.health.standing import Health, Standing, Standings
from switchgear.ledger.chain import seal
from switchgear.ledger.events import EventEncoder, read
from switchgear.storage.abilities import Append, Appended, Committed, Store, Unknown
from switchgear.storage.opening import open_store
from tests.turns import turns

Answer = Result | BaseException | Callable[[Call], Awaitable[Result]]
ACME = Scope("acme", "main", "service:orders")
GLOBEX = Scope("globex", "main", "service:orders")
_SLOW_TURNS = 30


@dataclass
class Board:
    """Where dependencies stand, as told: what is not in `states` is healthy. A state that is an error is raised."""

    states: dict[str, Health | Exception] = field(default_factory=dict)
    asked: int = 0
    red_from: int | None = None
    """From the how many-th question on everything is unhealthy."""

    def standing(self, name: str, /) -> Standing:
        """Return where `name` stands."""
        self.asked += 1
        state = self.states.get(name, Health.HEALTHY)
        if self.red_from is not None and self.asked >= self.red_from:
            state = Health.UNHEALTHY
        if isinstance(state, Exception):
            raise state
        return Standing(
            name=name, state=state, critical=True, age=1.0, state_age=4.0, reason="a secret", retry_after=7.5
        )


class NoStops:
    """Kill switches that stop nothing, or everything once `on` is true, or cannot be read while it is an error."""

    def __init__(self) -> None:
        """Begin with none on."""
        self.on: bool | Exception = False

    def frozen(self, _request: GateRequest) -> bool:
        """Say what was told."""
        if isinstance(self.on, Exception):
            raise self.on
        return self.on


NO_STOPS = NoStops()


@dataclass
class Script:
    """A connector that gives its answers in order and counts effects per downstream key."""

    answers: list[Answer] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    effects: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    async def execute(self, call: Call) -> Result:
        """Answer the next of the script, or succeed once it is used up."""
        self.calls.append(call)
        answer = self.answers.pop(0) if self.answers else Succeeded("done")
        if isinstance(answer, BaseException):
            raise answer
        result = await answer(call) if callable(answer) else answer
        if isinstance(result, Succeeded):
            self.effects[call.idempotency_key] += 1
        return result

    async def close(self) -> None:
        """Nothing to release."""


async def hang(_call: Call) -> Result:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


def none_takes_over(_ended: Ended) -> None:
    """Fail: the carrier of an attempt that nobody has cancelled goes on by itself."""
    raise AssertionError("nobody is needed to take over")


@dataclass
class Rig:
    """An engine with its parts in reach."""

    engine: Engine
    store: Flaky
    clock: VirtualClock
    script: Script
    guards: dict[str, Guard]

    def tool(
        self,
        name: str = "crm.update",
        effect: Effect = Effect.KEYED,
        requires: tuple[str, ...] = ("crm",),
        **options: Unpack[ToolOptions],
    ) -> Tool:
        """Register a tool on the script."""
        tool = Tool(name=name, effect=effect, requires=requires, **options)
        self.engine.registry.register(tool, self.script)
        if self.engine.destruction is not None:
            self.engine.destruction.register(tool)
        return tool

    async def submit(
        self, tool: str = "crm.update", *, key: str | None = "k1", scope: Scope = ACME, **arguments: object
    ) -> Intent:
        """Submit and return the accepted intent."""
        submission = Submission(scope=scope, tool=tool, arguments=arguments, key=key)
        return (await self.engine.submit(submission)).intent

    async def settled(self, intent: Intent, seconds: float = 300.0, step: float = 1.0) -> Intent:
        """Let virtual time pass until the intent is settled."""
        found = intent
        for _ in range(int(seconds / step)):
            await self.clock.elapse(step)
            found = await self.engine.intent(intent.tenant, intent.id)
            if found.settled:
                return found
        raise AssertionError(f"still {found.state}")

    async def kinds(self, intent: Intent) -> list[str]:
        """Return the types of the intent's events, without their prefix."""
        entries = await self.store.stream(intent.tenant, intent.id)
        return [read(entry).type.removeprefix("intent.") for entry in entries]


def engine_on(  # noqa: PLR0913 - one parameter a part of the rig
    store: Flaky,
    clock: VirtualClock,
    *,
    guards: dict[str, Guard],
    gates: tuple[Gate, ...] = (),
    dispatch_gates: tuple[Gate, ...] = (),
    limits: EngineLimits | None = None,
    doubts: DoubtOptions | None = None,
    standings: Standings | None = None,
    seed: int = 1,
) -> Engine:
    """Return an engine on `store`; nothing runs yet. With `standings`, what is destructive is gated by them."""
    destruction = None if standings is None else Destruction(standings, NO_STOPS, clock=clock)
    destructive = () if destruction is None else (destruction.gate,)

    def guard_of(name: str) -> Guard:
        return guards.setdefault(name, Guard(name, clock=clock))

    def own_guard_of(name: str, tenant: str) -> Guard | None:
        keyed = guards.get(f"own {name}")
        return None if keyed is None else keyed.key(tenant)

    rng = random.Random(seed)
    return Engine(
        store=cast("Store", store),
        guards=EngineGuards(guard_of, own_guard_of),
        gates=EngineGates(admission=gates, dispatch=(*destructive, RequiredDependencies(guard_of), *dispatch_gates)),
        limits=limits or EngineLimits(),
        sources=Sources(clock, IdSource(clock, rng), rng, EventEncoder(rng.randbytes)),
        doubts=doubts,
        destruction=destruction,
    )


@asynccontextmanager
async def running(
    *,
    guards: dict[str, Guard] | None = None,
    gates: tuple[Gate, ...] = (),
    dispatch_gates: tuple[Gate, ...] = (),
    limits: EngineLimits | None = None,
    doubts: DoubtOptions | None = None,
    clock: VirtualClock | None = None,
    standings: Standings | None = None,
    start: bool = True,
) -> AsyncIterator[Rig]:
    """Run an engine on a fresh memory store."""
    clock = clock or VirtualClock()
    store = Flaky(await open_store("memory://", seal=seal, clock=clock))
    pool = guards if guards is not None else {}
    engine = engine_on(
        store,
        clock,
        guards=pool,
        gates=gates,
        dispatch_gates=dispatch_gates,
        limits=limits,
        doubts=doubts,
        standings=standings,
    )
    if start:
        engine.start()
    try:
        yield Rig(engine, store, clock, Script(), pool)
    finally:
        stopping = asyncio.ensure_future(engine.stop(0.0))
        while not stopping.done():
            await clock.elapse(1.0)
        await stopping
        await store.close()


class Flaky:
    """A store whose appends fail as told: `plan` has one word per append to come, in order.

    ``ok``; ``down`` and ``full``: nothing written, and it says so; ``lost``: nothing written, no acknowledgement;
    ``late``: written, no acknowledgement; ``slow``: written, and acknowledged some turns of the loop later.
    """

    def __init__(self, store: Store) -> None:
        """Pass everything on until told otherwise."""
        self._store = store
        self.plan: list[str] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        """Everything else is the store's own."""
        return getattr(self._store, name)

    async def append(self, append: Append) -> Appended:
        """Append, or fail as the plan says."""
        fate = self.plan.pop(0) if self.plan else "ok"
        if fate == "down":
            raise StoreError("disk full", code=Code.LEDGER_UNAVAILABLE)
        if fate == "full":
            raise StoreError("too many wait", code=Code.QUEUE_FULL)
        if fate == "lost":
            return Unknown(append.id, "lost")
        outcome = await self._store.append(append)
        if fate == "slow":
            await turns(_SLOW_TURNS)
        return Unknown(append.id, "late") if fate == "late" and isinstance(outcome, Committed) else outcome
