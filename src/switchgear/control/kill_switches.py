"""Use cases about kill switches: list, trip, release.

Whoever has ``platform:kill`` acts for the platform, and what it sets holds for every tenant. Anybody else sets
switches of its own tenant, which nobody else is touched by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import ClassVar

from switchgear.control.permissions import Permissions
from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import Denied, Invalid
from switchgear.core.scope import PLATFORM_TENANT, Principal, Scope
from switchgear.execution.engine import Engine
from switchgear.execution.intent import Intent
from switchgear.execution.resolving import AGENT
from switchgear.execution.transitions import State
from switchgear.gates.kill_switches.gate import KillSwitchGate
from switchgear.gates.kill_switches.keeper import KillSwitchKeeper
from switchgear.gates.kill_switches.probe import SelfProbe
from switchgear.gates.kill_switches.switches import (
    GLOBAL,
    Mode,
    Switch,
    Switches,
    checked_reason,
    checked_target,
    release,
    touches,
    trip,
)

IN_FLIGHT_SHOWN_MAX = 100
"""Most intents in flight that an answer names."""
MODES = tuple(str(mode) for mode in Mode)
"""How much a switch can stop."""
_ACCOUNT = "kill_switches"
_SIMILAR_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitchView:
    """A switch that is on. `scope` is ``platform`` or ``tenant``; `at` is when it was tripped, in epoch seconds.

    `tools` counts the tools known here that it covers: 0 may be a slip of the pen. A tenant is not told why and by
    whom the platform tripped one: `reason` and `by` are None there.
    """

    target: str
    mode: str
    scope: str
    at: float
    tools: int
    reason: str | None
    by: Sequence[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitchList:
    """The switches that are on, and whether they can be relied on.

    `last_proven_at` (epoch seconds) and `last_proven_ago` (seconds) say when a made-up action was last seen to be
    stopped; None when it never was. `readable` is False when nothing is started since nobody can tell.
    """

    items: Sequence[KillSwitchView]
    readable: bool
    last_proven_at: float | None
    last_proven_ago: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlightView:
    """An intent that had been dispatched and is not settled: no switch can stop it any more."""

    id: str
    tenant: str
    tool: str
    dispatched_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrippedView:
    """A switch as it is on now, and what it came too late for: how many intents, and the first 100 of them.

    `similar` names targets that are near to one that covers no tool known here, which may be a slip of the pen.
    """

    switch: KillSwitchView
    similar: Sequence[str]
    in_flight_count: int
    in_flight: Sequence[InFlightView]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedView:
    """A switch that is off now. `held` intents that it covered wait, and go on by and by if nothing else holds them."""

    target: str
    scope: str
    held: int


class KillSwitches:
    """What can be asked about kill switches."""

    permissions: ClassVar[Permissions] = Permissions(
        tenant=("kill:read", "kill:trip", "kill:release"), platform=("platform:kill",)
    )

    def __init__(
        self, engine: Engine, keeper: KillSwitchKeeper, probe: SelfProbe, *, clock: Clock, single_operator: bool
    ) -> None:
        """Ask `keeper` and `probe`; find in `engine` what is in flight. `single_operator` lets one person do both."""
        self._engine = engine
        self._keeper = keeper
        self._probe = probe
        self._clock = clock
        self._single_operator = single_operator

    @property
    def readable(self) -> bool:
        """Whether it can be told what the platform has set. When not, nothing is started for anybody."""
        return self._gate.readable_for(PLATFORM_TENANT)

    @property
    def proven_ago(self) -> float | None:
        """How many seconds ago a made-up action was last seen to be stopped; None when it never was."""
        proven_at = self._probe.proven_at
        return None if proven_at is None else max(0.0, self._clock.time() - proven_at)

    @property
    def _gate(self) -> KillSwitchGate:
        return self._keeper.gate

    def list(self, principal: Principal) -> KillSwitchList:
        """Return the switches that are on for the caller: its tenant's, and the platform's that cover it."""
        principal.require("kill:read")
        return KillSwitchList(
            items=list(self._seen_by(principal)),
            readable=self._gate.readable_for(principal.tenant),
            last_proven_at=self._probe.proven_at,
            last_proven_ago=self.proven_ago,
        )

    async def trip(self, principal: Principal, target: str, *, mode: str, reason: str) -> TrippedView:
        """Set a switch. Once this returns, nothing that it stops is recorded any more, so nothing leaves.

        `mode` is one of `MODES`; `reason` has 1 to 500 characters. Setting it again changes nothing; a freeze is not
        weakened. Raises `Invalid`, `Denied` (PERMISSION_DENIED), `Conflict`, `Rejected` (KILL_SWITCH_UNREADABLE), and
        `StoreError` when it is not known to be recorded.
        """
        principal.require("kill:trip")
        checked_reason(reason)
        wanted, scope = _mode(mode), _scope(principal, checked_target(target))
        switches = await self._keeper.change(
            scope, lambda on, at: trip(on, target, wanted, reason=reason, by=principal.actor, at=at)
        )
        flying = [intent for intent in self._covered(scope.tenant, target) if intent.state is State.DISPATCHED]
        if scope.tenant == PLATFORM_TENANT and flying:
            await self._keeper.record_reading(scope, target, len(flying))
        return TrippedView(
            switch=self._view(scope.tenant, switches.on[target]),
            similar=[] if self._tools_of(target) else self._similar(target),
            in_flight_count=len(flying),
            in_flight=[_in_flight(intent) for intent in flying[:IN_FLIGHT_SHOWN_MAX]],
        )

    async def release(self, principal: Principal, target: str, *, reason: str) -> ReleasedView:
        """Take a switch off. What it held goes on by itself, at a bounded rate.

        Raises `Denied` (PERMISSION_DENIED for an agent and for who tripped it, NOT_FOUND when it is not on), and
        further as `trip` does.
        """
        principal.require("kill:release")
        checked_reason(reason)
        scope = _scope(principal, checked_target(target))
        if principal.actor.startswith(AGENT):
            raise Denied("an agent may trip a kill switch, never release one", policy="kill_switch")
        alone = self._single_operator
        await self._keeper.change(
            scope, lambda on, _: release(on, target, reason=reason, by=principal.actor, single_operator=alone)
        )
        held = sum(intent.state is State.HELD for intent in self._covered(scope.tenant, target))
        return ReleasedView(target=target, scope=_word(scope.tenant), held=held)

    def _seen_by(self, principal: Principal) -> Iterator[KillSwitchView]:
        """Return what is on for a caller; only the platform sees why, by whom, and switches of other tenants."""
        whole = _is_platform(principal)
        for switch in _sorted(self._gate.switches_of(PLATFORM_TENANT)):
            kind, _, name = switch.target.partition(":")
            if whole or kind != "tenant" or name == principal.tenant:
                yield self._view(PLATFORM_TENANT, switch, whole=whole)
        if principal.tenant != PLATFORM_TENANT:
            for switch in _sorted(self._gate.switches_of(principal.tenant)):
                yield self._view(principal.tenant, switch)

    def _view(self, scope: str, switch: Switch, *, whole: bool = True) -> KillSwitchView:
        return KillSwitchView(
            target=switch.target,
            mode=str(switch.mode),
            scope=_word(scope),
            at=switch.at,
            tools=self._tools_of(switch.target),
            reason=switch.reason if whole else None,
            by=list(switch.by) if whole else None,
        )

    def _tools_of(self, target: str) -> int:
        tenant = target.partition(":")[2]  # all tools are covered for a tenant
        tools = self._engine.registry
        return sum(touches(target, tenant=tenant, tool=tool.name, requires=tool.requires) for tool in tools)

    def _similar(self, target: str) -> Sequence[str]:
        """Return the tools or connectors known here whose names are near to that of a target."""
        kind, _, name = target.partition(":")
        tools = list(self._engine.registry)
        known = {"tool": {tool.name for tool in tools}, "connector": {one for tool in tools for one in tool.requires}}
        return [f"{kind}:{near}" for near in get_close_matches(name, sorted(known.get(kind, ())), n=_SIMILAR_MAX)]

    def _covered(self, scope: str, target: str) -> Iterator[Intent]:
        """Return the live intents that a target covers, those of one tenant unless the scope is the platform's."""
        for intent in self._engine.recorder.live.values():
            if scope not in (PLATFORM_TENANT, intent.tenant):
                continue
            known = self._engine.registry.get(intent.tool)
            requires = known.tool.requires if known is not None else ()
            if touches(target, tenant=intent.tenant, tool=intent.tool, requires=requires):
                yield intent


def _is_platform(principal: Principal) -> bool:
    return principal.tenant == PLATFORM_TENANT or "platform:kill" in principal.permissions


def _scope(principal: Principal, target: str) -> Scope:
    """Return the scope that the caller sets `target` in. Raises `Denied` when a tenant reaches beyond itself."""
    if _is_platform(principal):
        principal.require("platform:kill")
        return Scope(PLATFORM_TENANT, _ACCOUNT, principal.actor)
    kind, _, name = target.partition(":")
    if target == GLOBAL or (kind == "tenant" and name != principal.tenant):
        message = "this needs the permission 'platform:kill'; a tenant stops itself, and its connectors and tools"
        raise Denied(message, code=Code.PERMISSION_DENIED, policy="permission")
    return Scope(principal.tenant, _ACCOUNT, principal.actor)


def _mode(text: str) -> Mode:
    if text not in MODES:
        raise Invalid(f"there is no mode {text[:50]!r}; write one of {', '.join(MODES)}", policy="kill_switch")
    return Mode(text)


def _word(scope: str) -> str:
    return "platform" if scope == PLATFORM_TENANT else "tenant"


def _sorted(switches: Switches) -> Sequence[Switch]:
    return [switches.on[target] for target in sorted(switches.on)]


def _in_flight(intent: Intent) -> InFlightView:
    return InFlightView(id=intent.id, tenant=intent.tenant, tool=intent.tool, dispatched_at=intent.updated_at)
