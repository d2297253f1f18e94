"""Kill switches against everything at once: submissions, dispatches and trips in flight, faults, several keepers.

The ledger is the witness: its log has one order, and no dispatch that a freeze covers stands in it between the trip
and the release, whatever was decided before on older knowledge.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterable
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.core.clock import VirtualClock
from switchgear.core.effects import Effect
from switchgear.core.errors import Rejected, StoreError
from switchgear.core.ids import IdSource
from switchgear.core.scope import PLATFORM_TENANT, Scope
from switchgear.execution.admission import Submission
from switchgear.execution.contract import Tool
from switchgear.execution.engine import Engine
from switchgear.gates.kill_switches.gate import KillSwitchGate
from switchgear.gates.kill_switches.keeper import KillSwitchKeeper
from switchgear.gates.kill_switches.switches import (
    NO_SWITCHES,
    RELEASED,
    SPACE,
    STREAM,
    TRIPPED,
    Mode,
    folded,
    release,
    touches,
    trip,
)
from switchgear.guard import Guard
from switchgear.ledger.chain import seal
from switchgear.ledger.events import EventEncoder, read
from switchgear.testing import FaultyStore, StoreFaults
from tests.effort import examples
from tests.unit.execution.rig import ACME, GLOBEX, Flaky, Script, engine_on

TOOLS = {"crm.update": ("crm",), "crm.read": ("crm", "mail"), "mail.send": ("mail",)}
TARGETS = {
    PLATFORM_TENANT: ("global", "tenant:acme", "connector:mail", "tool:crm.update"),
    "acme": ("tenant:acme", "connector:crm", "tool:mail.send"),
}
OPERATORS = ("person:ada", "person:bob", "person:eve")


class Race:
    """One life of an engine under fire, drawn from a seed."""

    def __init__(self, seed: int) -> None:
        """Draw everything from `seed`."""
        self.rng = random.Random(seed)
        self.clock = VirtualClock()
        faults = StoreFaults(sync_seconds=(0.0, 0.3), slow=0.05, unacknowledged=0.1, lost=0.05, disk_full=0.02)
        self.store = FaultyStore(seal, clock=self.clock, random=self.rng, faults=faults)
        self.script = Script()
        self.keepers: list[KillSwitchKeeper] = []

    async def run(self) -> None:
        """Start, submit, trip and release at once for a while; then ask the witness."""
        engine = await self.engine()
        doing: list[asyncio.Task[None]] = []
        for number in range(self.rng.randrange(10, 40)):
            work = self.submit(engine, number) if self.rng.random() < 0.7 else self.turn()
            doing.append(asyncio.ensure_future(work))
            await self.clock.elapse(self.rng.choice([0.0, 0.01, 0.2, 1.5]), turns=5)
        await self.clock.elapse(60.0, turns=3)
        await asyncio.gather(*doing)
        await self.judge()
        stop = asyncio.ensure_future(engine.stop(0.0))
        while not stop.done():
            await self.clock.elapse(1.0)
        await self.store.close()

    async def engine(self) -> Engine:
        """Start an engine whose gate follows the store, with a second keeper beside it that nobody tells."""
        gate = KillSwitchGate(self.clock)
        for one in (gate, KillSwitchGate(self.clock)):
            ids = IdSource(self.clock, random.Random(self.rng.random()))
            encoder = EventEncoder(self.rng.randbytes)
            self.keepers.append(KillSwitchKeeper(one, self.store, clock=self.clock, ids=ids, encoder=encoder))
            await self.keepers[-1].load()
        guards: dict[str, Guard] = {}
        engine = engine_on(
            cast("Flaky", self.store), self.clock, guards=guards, gates=(gate,), dispatch_gates=(gate,), seed=1
        )
        engine.keep_fresh(SPACE, self.keepers[0].refresh)
        engine.run_beside(self.keepers[0].run)
        for name, requires in TOOLS.items():
            engine.registry.register(Tool(name=name, requires=requires, effect=Effect.KEYED), self.script)
        engine.start()
        return engine

    async def submit(self, engine: Engine, number: int) -> None:
        """Submit something; a refusal is an answer."""
        scope = self.rng.choice([ACME, GLOBEX])
        submission = Submission(scope=scope, tool=self.rng.choice(list(TOOLS)), arguments={}, key=f"k{number}")
        with contextlib.suppress(Rejected, StoreError):
            await engine.submit(submission)

    async def turn(self) -> None:
        """Trip or release something, as one of two keepers and one of three people."""
        tenant = self.rng.choice(list(TARGETS))
        target, by = self.rng.choice(TARGETS[tenant]), self.rng.choice(OPERATORS)
        mode = self.rng.choice([Mode.FREEZE, Mode.FREEZE, Mode.STOP_NEW])
        scope, keeper = Scope(tenant, "kill_switches", by), self.rng.choice(self.keepers)
        with contextlib.suppress(Rejected, StoreError):
            if self.rng.random() < 0.6:
                await keeper.change(scope, lambda on, at: trip(on, target, mode, reason="r", by=by, at=at))
            else:
                await keeper.change(scope, lambda on, _: release(on, target, reason="r", by=by, single_operator=False))

    async def judge(self) -> None:
        """Read the log of all chains in its one order, and check every dispatch against what was on then."""
        entries = [entry for tenant in await self.store.tenants() for entry in await self.store.entries(tenant)]
        on: dict[str, dict[str, str]] = {}
        tools: dict[str, str] = {}
        for event in map(read, sorted(entries, key=lambda entry: entry.position)):
            here = on.setdefault(event.tenant, {})
            if event.type == TRIPPED:
                here[event.facts["target"]] = event.facts["mode"]
            elif event.type == RELEASED:
                del here[event.facts["target"]]
            elif event.type == "intent.accepted":
                tools[event.stream] = event.facts["tool"]
                assert not covering(event.tenant, tools[event.stream], on, Mode)
            elif event.type == "intent.dispatched":
                assert not covering(event.tenant, tools[event.stream], on, (Mode.FREEZE,))
        await self.compare(self.keepers[0].gate)

    async def compare(self, gate: KillSwitchGate) -> None:
        """What the gate knows at a version is what the events up to there come to."""
        for tenant in TARGETS:
            events = [read(entry) for entry in await self.store.stream(tenant, STREAM)]
            if tenant not in gate.closed:
                known = folded(events[: gate.version_of(tenant)]) or NO_SWITCHES
                assert not gate.switches_of(tenant).differ_from(known)


def covering(tenant: str, tool: str, on: dict[str, dict[str, str]], modes: Iterable[Mode]) -> list[str]:
    """Return the switches of the platform and the tenant that cover an action, in one of `modes`."""
    wanted = {str(mode) for mode in modes}
    return [
        target
        for scope in (PLATFORM_TENANT, tenant)
        for target, mode in on.get(scope, {}).items()
        if mode in wanted and touches(target, tenant=tenant, tool=tool, requires=TOOLS[tool])
    ]


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, 2**32))
def test_law_6_nothing_is_recorded_past_a_kill_switch(seed: int) -> None:
    """Neither an acceptance nor a dispatch that a switch stops stands behind its trip in the log."""
    asyncio.run(Race(seed).run())
