"""The guards of dependencies, made when first needed from configuration, shared by every tool that needs them.

Beside the guard that all tenants share stands one that each tenant has of its own, a key of a second guard: for what
is the tenant's alone, its credentials and its quota.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

from switchgear.assembly.configuration.guarding import DEFAULT_GUARD, GuardOptions
from switchgear.core.clock import Clock
from switchgear.core.scope import TENANTS_AT_HAND
from switchgear.guard import Event, Guard

Listener = Callable[[str, str, dict[str, Any]], None]
Made = Callable[[Guard], None]
_TRANSITIONS = ("opened", "half_opened", "closed")


class GuardPool:
    """One guard per dependency, and one per tenant and dependency. Dependencies are no more than tools name."""

    def __init__(self, options: Mapping[str, GuardOptions], clock: Clock, rng: random.Random) -> None:
        """Make guards by `options`; a dependency that is not in it gets the default guard."""
        self._options = options
        self._clock = clock
        self._random = rng
        self._guards: dict[str, Guard] = {}
        self._keyed: dict[str, Guard | None] = {}
        self._listeners: list[Listener] = []
        self._made: list[Made] = []
        self.of: Callable[[str], Guard] = cache(self._first_of)
        """Returns the guard of a dependency. Each action asks several times: from the second on without a frame."""

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with dependency, event type and facts of every breaker transition. It must not wait."""
        self._listeners.append(listener)

    def watch(self, made: Made) -> None:
        """Call `made` with the guard of every dependency, those there are and each that is made from now on."""
        self._made.append(made)
        for guard in self.all():
            made(guard)

    def own_of(self, dependency: str, tenant: str) -> Guard | None:
        """Return the guard that a tenant has of its own for a dependency; None where it is switched off.

        At most `TENANTS_AT_HAND` of one dependency are held; see `Guard.key`. None is forgotten while it is open.
        """
        if dependency not in self._keyed:
            self._keyed[dependency] = self._make_keyed(dependency)
        keyed = self._keyed[dependency]
        return None if keyed is None else keyed.key(tenant)

    def places_of(self, dependency: str) -> int | None:
        """Return how many attempts of a dependency may run at once; None when nothing bounds them."""
        bulkhead = self._options.get(dependency, DEFAULT_GUARD).bulkhead
        return None if bulkhead is None else bulkhead.limit

    def all(self) -> list[Guard]:
        """Return every guard made so far."""
        return list(self._guards.values())

    def _first_of(self, dependency: str) -> Guard:
        guard = self._guards.get(dependency)
        if guard is None:  # who is told of a guard may ask for it
            guard = self._guards[dependency] = self._make(dependency)
            for made in self._made:
                made(guard)
        return guard

    def _make(self, dependency: str) -> Guard:
        options = self._options.get(dependency, DEFAULT_GUARD)
        guard = Guard(
            dependency,
            timeout=options.timeout,
            breaker=options.breaker,
            rate_limit=options.rate_limit,
            bulkhead=options.bulkhead,
            clock=self._clock,
            random=self._random,
        )
        guard.subscribe(self._announce)
        return guard

    def _make_keyed(self, dependency: str) -> Guard | None:
        options = self._options.get(dependency, DEFAULT_GUARD)
        breaker, rate_limit = options.tenant_breaker, options.tenant_rate_limit
        if breaker is None and rate_limit is None:
            return None
        guard = Guard(
            dependency,
            breaker=breaker,
            rate_limit=rate_limit,
            keys_max=TENANTS_AT_HAND,
            clock=self._clock,
            random=self._random,
        )
        guard.subscribe(self._announce)
        return guard

    def _announce(self, event: Event) -> None:
        if event.kind in _TRANSITIONS:
            facts = {name: value for name, value in asdict(event).items() if name != "kind" and value is not None}
            for listener in self._listeners:
                listener(event.guard, f"breaker.{event.kind}", facts)
