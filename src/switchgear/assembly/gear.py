"""`Switchgear`: one running gear. Opens the store, builds the parts, closes them in reverse order."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack

from switchgear.assembly.acting import Acting, PlatformActing
from switchgear.assembly.backups import check_is_no_backup, folder_of, store_folder
from switchgear.assembly.configuration import Configuration, default, load
from switchgear.assembly.dependencies import DependencyKeeping, DependencyOptions
from switchgear.assembly.destruction import check_declared
from switchgear.assembly.guards import GuardPool
from switchgear.assembly.kill_switches import KillSwitching
from switchgear.assembly.ledger_keeping import LedgerKeeper
from switchgear.assembly.lookups import lookup_tool
from switchgear.assembly.machine import MachineGauge
from switchgear.assembly.process import dedicate_process
from switchgear.assembly.self_test import join_self_test
from switchgear.assembly.transitions import TransitionLog
from switchgear.connectors.function import FunctionConnector, schema_of
from switchgear.control.backups import Backups
from switchgear.control.budgets import Budgets
from switchgear.control.dependencies import Dependencies
from switchgear.control.health import Monitoring
from switchgear.control.health_parts import HealthLimits, dependency_parts
from switchgear.control.readings import Readings
from switchgear.control.use_cases import PERMISSIONS, TENANT_PERMISSIONS, Control
from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.effects import Effect
from switchgear.core.errors import OptionError
from switchgear.core.ids import IdSource
from switchgear.core.scope import PLATFORM_TENANT, Principal
from switchgear.execution.budget_keeper import BudgetKeeper
from switchgear.execution.contract import Connector, Tool
from switchgear.execution.contract_parts import parts_of
from switchgear.execution.destruction import Destruction
from switchgear.execution.doubts import DoubtOptions
from switchgear.execution.engine import Engine, EngineGates, EngineGuards, EngineLimits, Sources
from switchgear.execution.lookups import check_lookup
from switchgear.execution.recovery import Recovered
from switchgear.gates.approval import ApprovalGate
from switchgear.gates.budget import BudgetGate
from switchgear.gates.budget_book import BudgetBook
from switchgear.gates.contracts.book import ContractBook
from switchgear.gates.contracts.gate import ContractGate
from switchgear.gates.contracts.keeper import ContractKeeper
from switchgear.gates.gate import Gate
from switchgear.gates.required import RequiredDependencies
from switchgear.gates.restoring.book import RestoreBook
from switchgear.gates.restoring.gate import RestoreGate
from switchgear.gates.restoring.keeper import RestoreKeeper
from switchgear.gates.tenants import TenantLimits
from switchgear.health.board import HealthBoard
from switchgear.health.dependency import Dependency, Kind
from switchgear.health.inventory import OperationRecord, operations
from switchgear.health.modes import Modes
from switchgear.health.probe import Probe
from switchgear.ledger.chain import seal
from switchgear.ledger.events import EventEncoder
from switchgear.policies.checks import refused
from switchgear.storage.abilities import Store
from switchgear.storage.opening import open_store

F = TypeVar("F", bound=Callable[..., Any])
P = TypeVar("P", bound=Callable[..., object])


class ToolOptions(TypedDict, total=False):
    """Bounds and facts of a tool that have defaults; see `switchgear.execution.contract.Tool`. Times are seconds."""

    description: str
    version: str
    timeout: float
    attempts: int
    backoff_base: float
    backoff_cap: float
    lifetime: float
    key_retention: float
    cost: int
    settle_delay: float
    destructive: bool
    resource: str
    compensate: str
    revert: str


class _Recording(TypedDict):
    """What everything that records is given: whose time, whose ids, and how an event becomes an entry."""

    clock: Clock
    ids: IdSource
    encoder: EventEncoder


class Switchgear:
    """A gear: store, engine, guards and tools behind one face. Made by `Switchgear.open`."""

    def __init__(self, configuration: Configuration, store: Store, clock: Clock, rng: random.Random | None) -> None:
        """Put the parts together on an open store; nothing runs yet. Use `open` instead."""
        self.configuration = configuration
        self.clock = clock
        self.store = store
        self._encoder = EventEncoder() if rng is None else EventEncoder(rng.randbytes)
        rng = rng or random.Random(os.urandom(32))  # noqa: S311 - jitter and ids; the salts above are the system's
        self._ids = IdSource(clock, rng)
        self._functions = FunctionConnector()
        self._connectors: list[Connector] = [self._functions]
        self.guards = GuardPool(configuration.guards, clock, rng)
        recording: _Recording = {"clock": clock, "ids": self._ids, "encoder": self._encoder}
        self._transitions = TransitionLog(store, **recording)
        self.guards.subscribe(self._transitions.note)
        self.health = HealthBoard(clock=clock, random=rng)
        """Where every declared dependency stands."""
        self.modes = Modes(self.health, random=rng)
        """Pollers and background loops that follow the dependencies."""
        self._budget_book = BudgetBook()
        self._budget_keeper = BudgetKeeper(configuration.budgets, self._budget_book, store=store, **recording)
        self._kill_switching = KillSwitching(configuration.kill_switches, store, configuration.store.url, **recording)
        self._contracts = ContractKeeper(ContractBook(), store, **recording)
        self._restores = RestoreKeeper(RestoreBook(), store, **recording)
        self._begun = False
        self.destruction = Destruction(self.health, self._kill_switching.gate, clock=clock)
        self._dependencies = DependencyKeeping(self.health, self.modes, self.guards, self.destruction)
        self.engine = self._engine(rng)
        self.engine.run_beside(self._contracts.run)
        self._dependencies.join(self.engine, self._transitions)
        self.engine.recorder.watch_counts(self._budget_keeper)
        self.control = Control.over(
            engine=self.engine,
            store=store,
            guards=self.guards.all,
            dependencies=Dependencies(self.engine, self.health, self._destructive),
            kill_switches=self._kill_switching.join(self.engine),
            budgets=Budgets(self._budget_keeper, store),
            contracts=self._contracts,
            readings=Readings(store, **recording),
            backups=Backups(self.engine, store, self._restores, folder=folder_of(configuration.store), clock=clock),
            keeping=LedgerKeeper(configuration.ledger, store, **recording).join(self.engine),
            monitoring=_monitoring(configuration, clock),
            single_operator=configuration.kill_switches.single_operator,
        )
        self.control.health.include(lambda: dependency_parts(self.health.standings()))
        join_self_test(self.control, self.engine, self._kill_switching)
        self.recovered = Recovered()

    @staticmethod
    def open(
        path: str | Path | Configuration | None = None,
        *,
        store: str | None = None,
        start: bool = True,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> AbstractAsyncContextManager[Switchgear]:
        """Open a gear from a configuration file, or on `store` alone (``sqlite:///gear.db``, ``memory://``).

        `path` may also be a configuration that was read from a file already: then no file is read. Use it with
        ``async with``. `start=False` accepts work but carries nothing out until `run_until_idle`.
        Raises `OptionError` for a configuration that cannot work, `StoreError` (STORE_IN_USE) when another engine
        owns the store, (LEDGER_UNAVAILABLE) when it cannot be written: an engine that cannot record does not start.
        """
        if (path is None) == (store is None):
            raise OptionError(
                'open a gear by its file, Switchgear.open("switchgear.toml"), or on a store alone, '
                'Switchgear.open(store="sqlite:///gear.db"); not both: the file\'s [store] url names its store'
            )
        if isinstance(path, str) and "://" in path:
            raise _url_as_path(path)
        if not isinstance(path, Configuration):
            path = load(path) if path is not None else default(store=store)
        return _opened(path, start=start, clock=clock, rng=rng)

    @staticmethod
    def dedicate_process() -> None:
        """Set this process up for many actions in flight that are submitted in it. Call it once the gear is open.

        Garbage is looked for seldom and threads change quickly, for everything in the process: it should have little
        else to do.
        """
        dedicate_process()

    @property
    def stopping(self) -> bool:
        """Whether this gear takes no new work any more."""
        return self.engine.admission.stopping

    def tool(
        self,
        name: str,
        *,
        effect: Effect | str = Effect.OPAQUE,
        requires: tuple[str, ...] = (),
        schema: Mapping[str, Any] | None = None,
        lookup: str | Callable[..., Any] | None = None,
        **options: Unpack[ToolOptions],
    ) -> Callable[[F], F]:
        """Register the decorated function as a tool. It is called as ``function(call, **arguments)``.

        `requires` names its dependencies, the first being the one whose guard it goes through (default: the part of
        `name` before the first dot). `schema` is JSON Schema for the arguments (default: from the signature).
        `lookup` finds out whether an action in doubt happened: a function that takes the same arguments and returns
        None when it did not, or the name of a read-only tool that is registered already.
        Further options are those of `ToolOptions`. Raises `OptionError`.
        """
        _check_is_name(name)
        if unknown := sorted(set(options) - set(ToolOptions.__annotations__)):
            known = ", ".join(sorted(ToolOptions.__annotations__))
            raise OptionError(
                f"gear.tool({name!r}) has no option {unknown[0]!r}; known are effect, requires, schema, lookup, {known}"
            )

        def register(function: F) -> F:
            tool = Tool(
                name=name,
                effect=_effect(name, effect),
                requires=requires or (name.partition(".")[0],),
                arguments_schema=schema if schema is not None else schema_of(function),
                **options,
            )
            self._check_vouched(tool)
            tool = self._with_lookup(tool, lookup)
            self._functions.register(name, function)
            self.register(tool, self._functions)
            return function

        return register

    def register(self, tool: Tool, connector: Connector) -> None:
        """Register a tool whose attempts `connector` makes.

        Raises `OptionError` when its name is taken, when its lookup is no read-only tool that is registered, and in a
        gear that runs when it is destructive and requires a dependency that nobody declared.
        """
        check_lookup(self.engine.registry, tool)
        self._check_vouched(tool)
        self.engine.registry.register(tool, connector)
        self.destruction.register(tool)
        self._contracts.book.register(tool.name, tool.contract, tool.version, parts_of(tool))
        for dependency in tool.requires:
            self.guards.of(dependency)
        if (places := self.guards.places_of(tool.dependency)) is not None:
            self.engine.queue.set_places(tool.dependency, places)

    def dependency(self, dependency: Dependency, *, probe: Probe | None = None) -> None:
        """Know how a dependency stands from now on: by calls of tools through its guard, and by `probe`.

        Without either, nothing is known of it. The same one again, without a probe, changes nothing. Raises
        `OptionError` for another of its name, and for a second probe.
        """
        self._dependencies.declare(dependency, probe)

    def probe(
        self, name: str, *, kind: Kind | str = Kind.FUNCTION, **options: Unpack[DependencyOptions]
    ) -> Callable[[P], P]:
        """Declare the dependency `name`, which is probed by the decorated function, async or not.

        It is called without arguments, only reads, and returns True, or a short detail for people, when the dependency
        is well. Anything else is a no. Options are those of `Dependency`. Raises `OptionError`.
        """
        return self._dependencies.decorator(Dependency(name, kind=kind, **options))

    def acting_as(self, *, tenant: str, account: str, actor: str) -> Acting:
        """Return this gear as one explicit principal sees it, with every permission within its tenant."""
        principal = Principal(tenant, actor, frozenset({account}), frozenset(TENANT_PERMISSIONS))
        return Acting(self.control, principal, account)

    def acting_as_platform(self, *, actor: str) -> PlatformActing:
        """Return what the platform itself may do over all tenants, as one explicit `actor`."""
        return PlatformActing(self.control, Principal(PLATFORM_TENANT, actor, frozenset(), frozenset(PERMISSIONS)))

    async def run_until_idle(self, timeout: float = 60.0) -> None:
        """Return once nothing is ready or running. Raises `DeadlineExceeded` after `timeout` seconds.

        Raises `OptionError` for a destructive tool that requires a dependency which nobody declared.
        """
        self._check_declared()
        await self.engine.run_until_idle(timeout)

    async def drain(self, grace: float | None = None) -> None:
        """Refuse new work and let what is dispatched end within `grace` seconds (default: the configured grace)."""
        await self.engine.stop(self.configuration.engine.shutdown_grace if grace is None else grace)

    def stop_now(self) -> None:
        """Refuse new work and wait for nothing: the next start finds in doubt what was under way."""
        self.engine.stop_now()

    async def begin(self, *, start: bool) -> None:
        """Register what is configured, pick up what is open, and start. Called once, by `open`."""
        for declared in self.configuration.dependencies:
            probe = declared.build_probe(self.configuration.credentials.read, clock=self.clock)
            self.dependency(declared.dependency, probe=probe)
        built = self.configuration.build_tools(clock=self.clock)
        for tool, connector in sorted(built, key=lambda one: one[0].lookup is not None):  # what looks up comes first
            self._adopt(connector)
            self.register(tool, connector)
        if start:
            self._check_declared()
        await self._kill_switching.begin()
        await self._budget_keeper.load()
        await self._contracts.load()
        await self._recover()
        await self.control.readiness.self_test.run()
        self._transitions.start()
        self._budget_keeper.start()
        if start:
            self.engine.start()

    async def end(self) -> None:
        """Stop in reverse order; what fails on the way is raised after the rest is closed. Called once, by `open`."""
        async with AsyncExitStack() as closing:
            closing.callback(self.engine.admission.close)
            for connector in self._connectors:
                closing.push_async_callback(connector.close)
            closing.push_async_callback(self._transitions.stop)
            closing.callback(self._dependencies.close)
            closing.push_async_callback(self._contracts.record)
            closing.push_async_callback(self._budget_keeper.stop)
            if not self.engine.stopped:
                closing.push_async_callback(self.drain)

    def _destructive(self) -> tuple[OperationRecord, ...]:
        """Return every destructive operation: functions of the process, and tools of this gear."""
        return (*operations(), *self.destruction.inventory.records())

    def _check_declared(self) -> None:
        """From now on every dependency is known that a destructive tool requires. Raises `OptionError`."""
        check_declared(self.engine.registry, self.health.names)
        self._begun = True

    def _check_vouched(self, tool: Tool) -> None:
        if self._begun:
            check_declared([tool], self.health.names)

    def _with_lookup(self, tool: Tool, lookup: str | Callable[..., Any] | None) -> Tool:
        """Return `tool` with its lookup, which is registered as a tool of its own when it is a function."""
        if lookup is None or isinstance(lookup, str):
            return replace(tool, lookup=lookup)
        looking = lookup_tool(tool, lookup)
        self._functions.register(looking.name, lookup)
        self.register(looking, self._functions)
        return replace(tool, lookup=looking.name)

    async def _recover(self) -> None:
        """Pick up what is open; a store that came from a backup rests until an operator thaws it."""
        await self._restores.load()
        if self._restores.book.frozen:
            self._restores.tell()
            await self.engine.leases.join()
            self.engine.rest()
        else:
            self.recovered = await self.engine.recover()

    def _adopt(self, connector: Connector) -> None:
        if connector not in self._connectors:
            self._connectors.append(connector)

    def _engine(self, rng: random.Random) -> Engine:
        settings = self.configuration.engine
        limits = self.configuration.limits
        stop = self._kill_switching.gate  # the first: what is stopped charges no limit
        restored = RestoreGate(self._restores.book)
        changed = ContractGate(self._contracts.book)
        wanted: list[Gate] = []  # what is not configured is not asked
        if self.configuration.budgets.all:
            wanted.append(BudgetGate(self.configuration.budgets, self._budget_book))
        if self.configuration.approvals:  # the last: nobody is asked about what is refused
            wanted.append(ApprovalGate(self.configuration.approvals))
        return Engine(
            store=self.store,
            guards=EngineGuards(self.guards.of, self.guards.own_of),
            gates=EngineGates(
                admission=(
                    stop,
                    restored,
                    changed,
                    TenantLimits(limits.tenant_rate, limits.tenant_burst, self.clock),
                    *wanted,
                ),
                dispatch=(
                    stop,
                    restored,
                    changed,
                    self.destruction.gate,
                    RequiredDependencies(self.guards.of),
                    *wanted,
                ),
            ),
            destruction=self.destruction,
            limits=EngineLimits(
                slots=settings.slots,
                queue_max=settings.queue_max,
                queue_tenant_max=settings.queue_tenant_max,
                queue_age_max=settings.queue_age_max,
                share=limits.share_of(None),
                shares={name: limits.share_of(name) for name in limits.tenants},
            ),
            sources=Sources(self.clock, self._ids, rng, self._encoder),
            doubts=DoubtOptions(escalate_after=settings.escalate_after, lookups_max=settings.lookups_max),
        )


@asynccontextmanager
async def _opened(
    configuration: Configuration, *, start: bool, clock: Clock, rng: random.Random | None
) -> AsyncIterator[Switchgear]:
    check_is_no_backup(configuration.store)
    store = await open_store(configuration.store.url, seal=seal, clock=clock, timeouts=configuration.operations)
    async with AsyncExitStack() as closing:
        closing.push_async_callback(store.close)
        await store.check()
        gear = Switchgear(configuration, store, clock, rng)
        closing.push_async_callback(gear.end)
        await gear.begin(start=start)
        yield gear


def _monitoring(configuration: Configuration, clock: Clock) -> Monitoring:
    """Return how this gear is measured. Kill switches are proven thrice before it is late."""
    late = max(HealthLimits().proven_warn_age, 3 * configuration.kill_switches.self_probe_every)
    gauge = MachineGauge(store_folder(configuration.store))
    return Monitoring(measure=gauge.measure, clock=clock, limits=HealthLimits(proven_warn_age=late))


def _url_as_path(url: str) -> OptionError:
    """Return the error for the URL of a store in place of a file; somebody else's may hold a password."""
    scheme = url.partition("://")[0]
    shown = url if scheme in ("sqlite", "memory") else f"{scheme}://…"
    return OptionError(f'{shown} names a store and no configuration file; write store="{shown}"')


def _check_is_name(name: object) -> None:
    """Raise `OptionError` for what stands where the name does: mostly a function, under ``@gear.tool`` alone."""
    if not isinstance(name, str):
        example = '@gear.tool("crm.update", effect="keyed")'
        raise refused("gear.tool", "needs the name of the tool first", name, example)


def _effect(name: str, effect: Effect | str) -> Effect:
    try:
        return Effect(effect)
    except ValueError:
        known = ", ".join(Effect)
        raise OptionError(f"tool {name!r}: there is no effect {effect!r}; write one of {known}") from None
