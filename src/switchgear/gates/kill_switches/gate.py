"""The gate that stops actions while a kill switch is on, at admission and again before each attempt.

It decides from memory: `keeper` tells it what each scope has set, and at which version. That version goes, as a
condition, into the append that writes `accepted` or `dispatched`, so nothing is recorded past a switch that was
tripped meanwhile. What it was not told, cannot know or has not heard of for too long is closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import Rejected
from switchgear.core.scope import PLATFORM_TENANT, TENANTS_AT_HAND
from switchgear.gates.gate import Conditions, GateRequest, OneAnswer, Stage
from switchgear.gates.kill_switches.switches import (
    GLOBAL,
    KEY,
    NO_SWITCHES,
    SELF_PROBE,
    SPACE,
    TARGET_KINDS,
    Mode,
    Switch,
    Switches,
)
from switchgear.health.obstacles import switch_on, switch_unreadable
from switchgear.storage.abilities import Expect

NOT_READ = "the kill switches have not been read yet"
_PROBED = Switch(f"tool:{SELF_PROBE}", Mode.FREEZE, "", ("switchgear",), 0.0)


@dataclass(frozen=True, slots=True)
class Standing:
    """What one scope has set, at the version of its row (0: none was ever set), laid out for looking up."""

    version: int
    switches: Switches
    all: Switch | None
    by_tenant: Mapping[str, Switch]
    by_connector: Mapping[str, Switch]
    by_tool: Mapping[str, Switch]

    def strictest(self, request: GateRequest) -> Switch | None:
        """Return the strictest switch that covers `request`, or None."""
        found = self.by_tool.get(request.tool)
        if self.all is not None:
            found = _stricter(self.all, found)
        if self.by_tenant:
            found = _stricter(found, self.by_tenant.get(request.tenant))
        if self.by_connector:
            for name in request.requires:
                found = _stricter(found, self.by_connector.get(name))
        return found


class KillSwitchGate(OneAnswer):
    """One per engine, and the first of its gates. Closed until it is told what is set."""

    def __init__(self, clock: Clock, *, stale_after: float | None = None) -> None:
        """Close when what is known is older than `stale_after` seconds; None where nobody else writes the store."""
        self._clock = clock
        self._stale_after = stale_after
        self._heard_at = clock.monotonic()
        self._scopes: dict[str, Standing] = {}
        self._platform = _standing(PLATFORM_TENANT, 0, NO_SWITCHES)
        self._conditions: dict[str, Conditions] = {}
        self._closed: dict[str, str] = {PLATFORM_TENANT: NOT_READ}
        self.broken: str | None = None
        """How it was found not to stop what it must; from then on it lets nothing through."""

    @property
    def closed(self) -> Mapping[str, str]:
        """The scopes that cannot be relied on, each with why. The platform's closes everything."""
        return self._closed

    @property
    def scopes(self) -> Mapping[str, Standing]:
        """What is known of each scope that ever set a switch."""
        return self._scopes

    @property
    def stale(self) -> bool:
        """Whether nothing was heard of the store for too long."""
        return self._stale_after is not None and self._clock.monotonic() - self._heard_at > self._stale_after

    def readable_for(self, tenant: str) -> bool:
        """Return whether it can be told what is on for a tenant."""
        broken = self.broken is not None or self.stale
        return not (broken or PLATFORM_TENANT in self._closed or tenant in self._closed)

    def switches_of(self, scope: str) -> Switches:
        """Return what is known to be on in a scope."""
        known = self._scopes.get(scope)
        return known.switches if known is not None else NO_SWITCHES

    def version_of(self, scope: str) -> int:
        """Return the version that a scope is known at, 0 when it never set a switch."""
        known = self._scopes.get(scope)
        return known.version if known is not None else 0

    def heard(self) -> None:
        """Take note that the store was read just now."""
        self._heard_at = self._clock.monotonic()

    def learn(self, scope: str, version: int, switches: Switches) -> None:
        """Go by what was read of a scope. A version below the one known closes it: something was taken back."""
        known = self.version_of(scope)
        if version < known:
            self.close(scope, f"the version went back from {known} to {version}")
        else:
            self.set(scope, version, switches)

    def set(self, scope: str, version: int, switches: Switches) -> None:
        """Go by what was just written of a scope, or read and found to be right."""
        standing = _standing(scope, version, switches)
        self._scopes[scope] = standing
        if scope == PLATFORM_TENANT:
            self._platform = standing
        self._conditions.clear()
        self._closed.pop(scope, None)

    def close(self, scope: str, why: str) -> None:
        """Refuse everything of a scope, or of all for the platform's, until it is learned again."""
        self._closed[scope] = why

    def check(self, request: GateRequest) -> Conditions:
        """Let pass what no switch stops, on condition that none is changed meanwhile.

        Raises `Rejected`: KILL_SWITCH_ACTIVE, or KILL_SWITCH_UNREADABLE when nobody can tell.
        """
        found = self._strictest(request)
        if found is not None and (found.mode is Mode.FREEZE or request.stage is Stage.ADMISSION):
            raise _active(found)
        return self._conditions.get(request.tenant) or self._conditions_of(request.tenant)

    def frozen(self, request: GateRequest) -> bool:
        """Return whether a switch freezes an attempt that has left already. Safe from any thread: it keeps nothing.

        Raises `Rejected` (KILL_SWITCH_UNREADABLE) when nobody can tell.
        """
        found = self._strictest(request)
        return found is not None and found.mode is Mode.FREEZE

    def _strictest(self, request: GateRequest) -> Switch | None:
        """Return the strictest switch that covers `request`. Raises `Rejected` when nobody can tell."""
        tenant = request.tenant
        if self._closed or self._stale_after is not None or self.broken:
            self._check_readable(tenant)
        found = self._platform.strictest(request)
        own = self._scopes.get(tenant)
        return found if own is None else _stricter(found, own.strictest(request))

    def _check_readable(self, tenant: str) -> None:
        if not self.readable_for(tenant):
            raise Rejected(switch_unreadable(), code=Code.KILL_SWITCH_UNREADABLE, policy="kill_switch", retry_after=1.0)

    def _conditions_of(self, tenant: str) -> Conditions:
        """Return what a pass of this tenant rests on; made once while nothing changes."""
        versions = {scope: self.version_of(scope) for scope in (PLATFORM_TENANT, tenant)}
        expects = tuple(Expect(SPACE, scope, KEY, version) for scope, version in versions.items())
        if len(self._conditions) >= TENANTS_AT_HAND:
            self._conditions.clear()
        facts = {"kill_switch": [expect.version for expect in expects]}
        found = self._conditions[tenant] = Conditions(expects, facts=facts)
        return found


def _standing(scope: str, version: int, switches: Switches) -> Standing:
    """Lay out the switches of a scope; the platform's always freeze the self-probe."""
    on = dict(switches.on)
    if scope == PLATFORM_TENANT:
        on[_PROBED.target] = _PROBED
    by: dict[str, dict[str, Switch]] = {kind: {} for kind in TARGET_KINDS}
    for target, switch in on.items():
        kind, _, name = target.partition(":")
        if target != GLOBAL:
            by[kind][name] = switch
    return Standing(version, switches, on.get(GLOBAL), by["tenant"], by["connector"], by["tool"])


def _stricter(one: Switch | None, other: Switch | None) -> Switch | None:
    if one is None or (other is not None and other.mode is Mode.FREEZE):
        return other if other is not None else one
    return one


def _active(switch: Switch) -> Rejected:
    kind, _, name = switch.target.partition(":")
    return Rejected(
        switch_on(switch.target, str(switch.mode)),
        code=Code.KILL_SWITCH_ACTIVE,
        policy="kill_switch",
        dependency=name if kind == "connector" else "",
        state=str(switch.mode),
    )
