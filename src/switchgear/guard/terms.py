"""Terms: what one call says of itself, apart from the function and its arguments.

What its guard says of all its calls stands in the plan, which may change; the methods put the two together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from switchgear.core.effects import Effect
from switchgear.core.scope import TENANTS_AT_HAND
from switchgear.policies.checks import refused, require_number, require_seconds, require_word
from switchgear.policies.places import PRIORITIES, Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a call costs, for whom it is, what it does to the world, and how long it may take.

    cost       units of the rate limit, at least 0.
    priority   one of `PRIORITIES`.
    tenant     who the call is for, or None.
    effect     what a second call would do; None for what the guard says.
    deadline_seconds   for the whole call, from its start; None for no bound.
    operation  the name that fault injection and reports use, or None for the function's own.
    once       that this is one copy of a call, which somebody else repeats.
    """

    cost: float = 1.0
    priority: Priority = "critical"
    tenant: str | None = None
    effect: Effect | None = None
    deadline_seconds: float | None = None
    operation: str | None = None
    once: bool = False

    def effect_beside(self, declared: Effect | None) -> Effect | None:
        """Return the effect of the call, where `declared` is that of its guard; None when nobody said."""
        return declared if self.effect is None else self.effect

    def repeats(self, declared: Effect | None) -> bool:
        """Return whether `Retry` may call again: not when the effect was declared and forbids it."""
        effect = self.effect_beside(declared)
        return not self.once and (effect is None or effect.repeats)

    def is_safe(self, declared: Effect | None) -> bool:
        """Return whether the call was declared safe to be made twice at once."""
        effect = self.effect_beside(declared)
        return effect is not None and effect.repeats

    def only_reads(self, declared: Effect | None) -> bool:
        """Return whether the call was declared to change nothing."""
        return self.effect_beside(declared) is Effect.READ_ONLY

    def seconds_within(self, longest: float | None) -> float | None:
        """Return the seconds for the whole call, where its guard gives it the `longest`; None for no bound."""
        own = self.deadline_seconds
        return longest if own is None else own if longest is None else min(own, longest)

    def narrowed(self, **changes: Any) -> Terms:
        """Return these terms with what `changes` says; None leaves a term as it is. A deadline only tightens.

        Raises `OptionError` for terms that cannot be.
        """
        said = {name: _CHECKED[name](value) for name, value in changes.items() if value is not None}
        if self.deadline_seconds is not None and "deadline_seconds" in said:
            said["deadline_seconds"] = min(self.deadline_seconds, said["deadline_seconds"])
        return replace(self, **said) if said else self


NO_TERMS = Terms()
"""What a call says of which nothing is said."""


@lru_cache(maxsize=TENANTS_AT_HAND)
def plain_terms(cost: float | None, tenant: str | None) -> Terms:
    """Return the terms of a call of which nothing else is said; the same ones are asked for over and over.

    Raises `OptionError` for terms that cannot be.
    """
    return Terms(
        cost=NO_TERMS.cost if cost is None else checked_cost(cost),
        tenant=None if tenant is None else _checked_tenant(tenant),
    )


def checked_cost(cost: float) -> float:
    """Return `cost` as float. Raises `OptionError` unless it is a number of at least 0."""
    require_number("using(cost)", cost, least=0, example=3)
    return float(cost)


def checked_effect(effect: Effect | str) -> Effect:
    """Return `effect` as such. Raises `OptionError` for a word that names none."""
    require_word("effect", effect, tuple(str(known) for known in Effect), write='effect="read_only"')
    return Effect(effect)


def _checked_deadline(seconds: float) -> float:
    require_seconds("using(deadline)", seconds, example=2.0)
    return float(seconds)


def _checked_priority(priority: str) -> str:
    require_word("using(priority)", priority, PRIORITIES, write='using(priority="sheddable")')
    return priority


def _checked_tenant(tenant: str) -> str:
    return _checked_text("using(tenant)", tenant, 'using(tenant="acme")')


def _checked_operation(operation: str) -> str:
    return _checked_text("using(operation)", operation, 'using(operation="find_contact")')


def _checked_text(option: str, text: str, write: str) -> str:
    if not text or not isinstance(text, str):
        raise refused(option, "takes a text of at least one character", text, write)
    return text


_CHECKED: dict[str, Any] = {
    "cost": checked_cost,
    "priority": _checked_priority,
    "tenant": _checked_tenant,
    "effect": checked_effect,
    "deadline_seconds": _checked_deadline,
    "operation": _checked_operation,
}
