"""Use cases about breakers: list the guards of the dependencies. Nobody closes a breaker by hand, so nothing writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from switchgear.control.permissions import Permissions
from switchgear.core.scope import PLATFORM_TENANT, Principal
from switchgear.execution.engine import Engine
from switchgear.guard import Guard


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerView:
    """A dependency's guard: breaker state, and what is left of its cooldown.

    `tenant_state` and `tenant_retry_after` are those of the breaker that the caller's tenant has of its own there, None
    where it has none. The counts are over all tenants: None where the caller may not see them.
    """

    dependency: str
    state: str
    retry_after: float | None
    tenant_state: str | None = None
    tenant_retry_after: float | None = None
    failure_rate: float | None = None
    calls: int | None = None
    successes: int | None = None
    failures: int | None = None
    refused: int | None = None
    opened: int | None = None
    in_flight: int | None = None
    queued: int | None = None


class Breakers:
    """What can be asked about the guards of the dependencies."""

    permissions: ClassVar[Permissions] = Permissions(tenant=("breakers:read",), platform=("platform:read",))

    def __init__(self, engine: Engine, guards: Callable[[], Iterable[Guard]]) -> None:
        """Look at what `guards` returns, and at the queue of `engine`."""
        self._engine = engine
        self._guards = guards

    def list(self, principal: Principal) -> Sequence[BreakerView]:
        """Return every dependency's guard by name.

        State and `retry_after` are for every tenant. Counts are over all tenants, so they need ``platform:read``.
        """
        principal.require("breakers:read")
        whole = "platform:read" in principal.permissions
        guards = sorted(self._guards(), key=lambda guard: guard.name)
        return [self._view(guard, principal.tenant, whole=whole) for guard in guards]

    def _view(self, guard: Guard, tenant: str, *, whole: bool) -> BreakerView:
        view = breaker_view(guard, self._engine.queue.waiting(guard.name) if whole else None)
        own = None if tenant == PLATFORM_TENANT else self._engine.own_guard_of(guard.name, tenant)
        return view if own is None else replace(view, tenant_state=own.state, tenant_retry_after=own.retry_after)


def breaker_view(guard: Guard, queued: int | None) -> BreakerView:
    """Return a dependency's guard; with counts over all tenants when `queued`, how many intents wait, is given."""
    counts = guard.statistics()
    public = BreakerView(dependency=guard.name, state=guard.state, retry_after=counts.retry_after)
    if queued is None:
        return public
    return replace(
        public,
        failure_rate=counts.failure_rate,
        calls=counts.calls,
        successes=counts.successes,
        failures=counts.failures,
        refused=counts.rejected,
        opened=counts.circuit_breaker_opened,
        in_flight=counts.in_flight,
        queued=queued,
    )
