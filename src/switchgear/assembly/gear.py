"""`Switchgear`: one running gear. Opens the store, builds the parts, closes them in reverse order."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack

from switchgear.assembly.acting import Acting
from switchgear.assembly.configuration import Configuration, default, load
from switchgear.assembly.guards import GuardPool
from switchgear.assembly.transitions import TransitionLog
from switchgear.connectors.function import FunctionConnector, schema_of
from switchgear.control.use_cases import TENANT_PERMISSIONS, Control
from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.effects import Effect
from switchgear.core.errors import OptionError
from switchgear.core.ids import IdSource
from switchgear.core.scope import Principal
from switchgear.execution.contract import Connector, Tool
from switchgear.execution.engine import Engine, EngineLimits, Sources
from switchgear.execution.recovery import Recovered
from switchgear.gates.required import RequiredDependencies
from switchgear.gates.tenants import TenantLimits
from switchgear.ledger.chain import seal
from switchgear.ledger.events import EventEncoder
from switchgear.storage.abilities import Store
from switchgear.storage.opening import open_store

F = TypeVar("F", bound=Callable[..., Any])


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
        self._transitions = TransitionLog(store, clock=clock, ids=self._ids, encoder=self._encoder)
        self.guards.subscribe(self._transitions.note)
        self.engine = self._engine(rng)
        self.control = Control(engine=self.engine, store=store, guards=self.guards.all)
        self.recovered = Recovered()

    @staticmethod
    def open(
        path: str | Path | None = None,
        *,
        store: str | None = None,
        start: bool = True,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
    ) -> AbstractAsyncContextManager[Switchgear]:
        """Open a gear from a configuration file, or on `store` alone (``sqlite:///gear.db``, ``memory://``).

        Use it with ``async with``. `start=False` accepts work but carries nothing out until `run_until_idle`.
        Raises `OptionError` for a configuration that cannot work, `StoreError` (STORE_IN_USE) when another engine
        owns the store.
        """
        if (path is None) == (store is None):
            raise OptionError(
                'open a gear by its file, Switchgear.open("switchgear.toml"), or on a store alone, '
                'Switchgear.open(store="sqlite:///gear.db"); not both: the file\'s [store] url names its store'
            )
        configuration = load(path) if path is not None else default(store=store)
        return _opened(configuration, start=start, clock=clock, rng=rng)

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
        **options: Unpack[ToolOptions],
    ) -> Callable[[F], F]:
        """Register the decorated function as a tool. It is called as ``function(call, **arguments)``.

        `requires` names its dependencies, the first being the one whose guard it goes through (default: the part of
        `name` before the first dot). `schema` is JSON Schema for the arguments (default: from the signature).
        Further options are those of `ToolOptions`. Raises `OptionError`.
        """
        if unknown := sorted(set(options) - set(ToolOptions.__annotations__)):
            known = ", ".join(sorted(ToolOptions.__annotations__))
            raise OptionError(
                f"gear.tool({name!r}) has no option {unknown[0]!r}; known are effect, requires, schema, {known}"
            )

        def register(function: F) -> F:
            tool = Tool(
                name=name,
                effect=_effect(name, effect),
                requires=requires or (name.partition(".")[0],),
                arguments_schema=schema if schema is not None else schema_of(function),
                **options,
            )
            self._functions.register(name, function)
            self.register(tool, self._functions)
            return function

        return register

    def register(self, tool: Tool, connector: Connector) -> None:
        """Register a tool whose attempts `connector` makes."""
        self.engine.registry.register(tool, connector)
        for dependency in tool.requires:
            self.guards.of(dependency)
        if (places := self.guards.places_of(tool.dependency)) is not None:
            self.engine.queue.set_places(tool.dependency, places)

    def acting_as(self, *, tenant: str, account: str, actor: str) -> Acting:
        """Return this gear as one explicit principal sees it, with every permission within its tenant."""
        principal = Principal(tenant, actor, frozenset({account}), frozenset(TENANT_PERMISSIONS))
        return Acting(self.control, principal, account)

    async def run_until_idle(self, timeout: float = 60.0) -> None:
        """Return once nothing is ready or running. Raises `DeadlineExceeded` after `timeout` seconds."""
        await self.engine.run_until_idle(timeout)

    async def drain(self, grace: float | None = None) -> None:
        """Refuse new work and let what is dispatched end within `grace` seconds (default: the configured grace)."""
        await self.engine.stop(self.configuration.engine.shutdown_grace if grace is None else grace)

    async def begin(self, *, start: bool) -> None:
        """Register the configured tools, pick up what is open, and start. Called once, by `open`."""
        for tool, connector in self.configuration.build_tools(clock=self.clock):
            self._adopt(connector)
            self.register(tool, connector)
        self.recovered = await self.engine.recover()
        self._transitions.start()
        if start:
            self.engine.start()

    async def end(self) -> None:
        """Stop in reverse order; what fails on the way is raised after the rest is closed. Called once, by `open`."""
        async with AsyncExitStack() as closing:
            for connector in self._connectors:
                closing.push_async_callback(connector.close)
            closing.push_async_callback(self._transitions.stop)
            if not self.stopping:
                closing.push_async_callback(self.drain)

    def _adopt(self, connector: Connector) -> None:
        if connector not in self._connectors:
            self._connectors.append(connector)

    def _engine(self, rng: random.Random) -> Engine:
        settings = self.configuration.engine
        limits = self.configuration.limits
        return Engine(
            store=self.store,
            guard_of=self.guards.of,
            admission_gates=(TenantLimits(limits.tenant_rate, limits.tenant_burst, self.clock),),
            dispatch_gates=(RequiredDependencies(self.guards.of),),
            limits=EngineLimits(
                slots=settings.slots,
                queue_max=settings.queue_max,
                queue_tenant_max=settings.queue_tenant_max,
            ),
            sources=Sources(self.clock, self._ids, rng, self._encoder),
        )


@asynccontextmanager
async def _opened(
    configuration: Configuration, *, start: bool, clock: Clock, rng: random.Random | None
) -> AsyncIterator[Switchgear]:
    store = await open_store(configuration.store.url, seal=seal, clock=clock, timeouts=configuration.operations)
    async with AsyncExitStack() as closing:
        closing.push_async_callback(store.close)
        gear = Switchgear(configuration, store, clock, rng)
        closing.push_async_callback(gear.end)
        await gear.begin(start=start)
        yield gear


def _effect(name: str, effect: Effect | str) -> Effect:
    try:
        return Effect(effect)
    except ValueError:
        known = ", ".join(Effect)
        raise OptionError(f"tool {name!r}: there is no effect {effect!r}; write one of {known}") from None
