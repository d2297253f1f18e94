"""An engine with its gates, keepers and guards, put together as a gear puts them together, on a store of a simulation.

It stands below the composition root, so it is put together once more here; what the parts do is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

from switchgear.core.clock import Clock
from switchgear.core.ids import IdSource
from switchgear.execution.budget_keeper import BudgetKeeper
from switchgear.execution.contract import Connector, Tool
from switchgear.execution.destruction import Destruction
from switchgear.execution.doubts import DoubtOptions
from switchgear.execution.engine import Engine, EngineGates, EngineGuards, EngineLimits, Sources
from switchgear.execution.leases.lease import LeaseOptions
from switchgear.gates.approval import ApprovalGate
from switchgear.gates.budget import BudgetGate
from switchgear.gates.budget_book import BudgetBook
from switchgear.gates.contracts.book import ContractBook
from switchgear.gates.contracts.gate import ContractGate
from switchgear.gates.contracts.keeper import ContractKeeper
from switchgear.gates.gate import Gate, Stage
from switchgear.gates.kill_switches.gate import KillSwitchGate
from switchgear.gates.kill_switches.keeper import KillSwitchKeeper
from switchgear.gates.kill_switches.probe import SelfProbe
from switchgear.gates.kill_switches.switches import SPACE
from switchgear.gates.required import RequiredDependencies
from switchgear.gates.tenants import TenantLimits
from switchgear.guard import Guard
from switchgear.health.board import HealthBoard
from switchgear.health.probe import Probe
from switchgear.health.prober import Prober
from switchgear.health.standing import Health
from switchgear.health.telling import HealthChanged
from switchgear.lab.simulation.catalogue import BUDGETS, DEPENDENCIES, ESCALATE_AFTER, PATIENT_TOOLS, RULES, TOOLS
from switchgear.ledger.events import EventEncoder
from switchgear.policies.breaker import Breaker
from switchgear.policies.bulkhead import Bulkhead
from switchgear.policies.rate_limit import RateLimit
from switchgear.storage.abilities import Store

_PROBE_EVERY = 60.0
_PLACES = 3
_LIMITS = EngineLimits(slots=8, lane_places=_PLACES, queue_max=400, queue_tenant_max=200, queue_age_max=60.0)
LEASES = LeaseOptions(shared=True, ttl=30.0, margin=6.0)
"""Those of engines that share a store."""
_STALE_AFTER = 40.0


@dataclass(frozen=True, slots=True)
class Machinery:
    """One engine and what belongs to it. Nothing runs before `begin`."""

    engine: Engine
    kill_switches: KillSwitchKeeper
    probe: SelfProbe
    budgets: BudgetKeeper
    contracts: ContractKeeper
    guards: dict[str, Guard]
    prober: Prober
    tools: tuple[Tool, ...] = TOOLS

    def register(self, connector: Connector, share: float, chance: Random) -> None:
        """Register the tools that are not there yet, each with a chance of `share`; the lookup that others name always.

        A gear refuses a tool whose lookup is not registered.
        """
        lookups = {tool.lookup for tool in self.tools}
        for tool in self.tools:
            known = self.engine.registry.get(tool.name) is not None
            if not known and (tool.name in lookups or chance.random() < share):
                self.engine.registry.register(tool, connector)
                self.contracts.book.register(tool.name, tool.contract, tool.version)
                self.engine.queue.set_places(tool.dependency, _PLACES)

    async def begin(self) -> None:
        """Read everything back, recover, and start. Raises `StoreError` when the ledger cannot be written."""
        await self.kill_switches.load()
        self.probe.prove()
        await self.budgets.load()
        await self.contracts.load()
        await self.engine.recover()
        self.budgets.start()
        self.engine.start()

    async def end(self, grace: float) -> None:
        """Stop in order."""
        await self.engine.stop(grace)
        self.prober.close()
        await self.budgets.stop()
        await self.contracts.record()


def machinery(
    store: Store, clock: Clock, chance: Random, probes: Mapping[str, Probe], *, shared: bool = False
) -> Machinery:
    """Return a new engine on `store`, which others use as well when it is `shared`, and which asks `probes`."""
    sources = Sources(clock, IdSource(clock, chance), chance, EventEncoder(chance.randbytes))
    guards = _guards(clock)
    stale_after = _STALE_AFTER if shared else None
    gate, book, contracts = KillSwitchGate(clock, stale_after=stale_after), BudgetBook(), ContractBook()
    limits = replace(_LIMITS, leases=LEASES) if shared else _LIMITS
    board = HealthBoard(DEPENDENCIES.values(), clock=clock, random=chance)
    destruction = Destruction(board, gate, clock=clock)
    for tool in TOOLS:
        destruction.register(tool)
    gates = (gate, ContractGate(contracts), BudgetGate(BUDGETS, book))
    engine = _engine(store, guards, gates, sources, limits, destruction)
    ids, encoder = sources.ids, sources.encoder
    ask = {Stage.ADMISSION: engine.admission.ask, Stage.DISPATCH: engine.kernel.ask}
    made = Machinery(
        engine=engine,
        kill_switches=KillSwitchKeeper(gate, store, clock=clock, ids=ids, encoder=encoder, stale_after=stale_after),
        probe=SelfProbe(gate, ask, clock=clock, every=_PROBE_EVERY),
        budgets=BudgetKeeper(BUDGETS, book, store=store, clock=clock, ids=ids, encoder=encoder),
        contracts=ContractKeeper(contracts, store, clock=clock, ids=ids, encoder=encoder),
        guards=guards,
        prober=Prober(board, probes),
        tools=PATIENT_TOOLS if shared else TOOLS,
    )
    _join(made)
    board.subscribe(lambda event: _reconsider(engine, event))
    return made


def _join(made: Machinery) -> None:
    engine = made.engine
    engine.keep_fresh(SPACE, made.kill_switches.refresh)
    for loop in (made.kill_switches.run, made.probe.run, made.contracts.run, made.prober.run):
        engine.run_beside(loop)
    engine.recorder.watch_counts(made.budgets)


def _reconsider(engine: Engine, event: HealthChanged) -> None:
    """Have the engine look again at what was held for a dependency that is well again."""
    if event.after is Health.HEALTHY:
        engine.reconsider(event.name)


def _engine(
    store: Store,
    guards: dict[str, Guard],
    gates: tuple[Gate, Gate, Gate],
    sources: Sources,
    limits: EngineLimits,
    destruction: Destruction,
) -> Engine:
    stop, changed, budget = gates
    approval = ApprovalGate(RULES)  # the last: nobody is asked about what is refused
    return Engine(
        store=store,
        guards=EngineGuards(guards.__getitem__),
        gates=EngineGates(
            admission=(stop, changed, TenantLimits(5.0, 40.0, sources.clock), budget, approval),
            dispatch=(
                stop,
                changed,
                destruction.gate,
                RequiredDependencies(guards.__getitem__),
                budget,
                approval,
            ),
        ),
        destruction=destruction,
        limits=limits,
        sources=sources,
        doubts=DoubtOptions(escalate_after=ESCALATE_AFTER),
    )


def _guards(clock: Clock) -> dict[str, Guard]:
    crm = Guard(
        "crm",
        breaker=Breaker(failure_rate=0.7, minimum_calls=6, window=20.0, cooldown=15.0, ramp=5.0),
        rate_limit=RateLimit(5, per=1.0, burst=5),
        bulkhead=Bulkhead(_PLACES),
        clock=clock,
    )
    mail = Guard("mail", breaker=Breaker(failures=3, cooldown=15.0), clock=clock)
    others = {name: Guard(name, clock=clock) for name in ("idp", "shop", "directory")}
    return {"crm": crm, "mail": mail, **others}
