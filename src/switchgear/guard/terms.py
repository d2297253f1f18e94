"""Terms: what one call says of itself, apart from the function and its arguments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from switchgear.core.effects import Effect
from switchgear.core.errors import OptionError
from switchgear.policies.checks import require_number, require_seconds
from switchgear.policies.places import PRIORITIES, Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a call costs, for whom it is, what it does to the world, and how long it may take.

    cost       units of the rate limit, at least 0.
    priority   one of `PRIORITIES`.
    tenant     who the call is for, or None.
    effect     what a second call would do; None when it was not declared.
    budget     seconds for the whole call, or None.
    operation  the name that fault injection and reports use, or None for the function's own.
    once       that this is one copy of a call, which somebody else repeats.
    """

    cost: float = 1.0
    priority: Priority = "critical"
    tenant: str | None = None
    effect: Effect | None = None
    budget: float | None = None
    operation: str | None = None
    once: bool = False

    @property
    def repeats(self) -> bool:
        """Whether `Retry` may call again: not when the effect was declared and forbids it."""
        return not self.once and (self.effect is None or self.effect.repeats)

    @property
    def is_safe(self) -> bool:
        """Whether the call was declared safe to be made twice at once."""
        return self.effect is not None and self.effect.repeats

    @property
    def only_reads(self) -> bool:
        """Whether the call was declared to change nothing."""
        return self.effect is Effect.READ_ONLY

    def narrowed(self, **changes: Any) -> Terms:  # noqa: ANN401 - each term has a type of its own
        """Return these terms with what `changes` says; None leaves a term as it is. A budget only tightens.

        Raises `OptionError` for terms that cannot be.
        """
        said = {name: _CHECKED[name](value) for name, value in changes.items() if value is not None}
        if self.budget is not None and "budget" in said:
            said["budget"] = min(self.budget, said["budget"])
        return replace(self, **said) if said else self


def checked_cost(cost: float) -> float:
    """Return `cost` as float. Raises `OptionError` unless it is a number of at least 0."""
    require_number("using(cost)", cost, least=0, example=3)
    return float(cost)


def checked_effect(effect: Effect | str) -> Effect:
    """Return `effect` as such. Raises `OptionError` for a word that names none."""
    try:
        return Effect(effect)
    except ValueError:
        words = ", ".join(f'"{known}"' for known in Effect)
        raise OptionError(f"effect is one of {words}, not {effect!r}") from None


def _checked_budget(seconds: float) -> float:
    require_seconds("using(deadline)", seconds, example=2.0)
    return float(seconds)


def _checked_priority(priority: str) -> str:
    if priority not in PRIORITIES:
        raise OptionError(f"using(priority) is one of {', '.join(PRIORITIES)}, not {priority!r}")
    return priority


def _checked_text(text: str) -> str:
    if not text or not isinstance(text, str):
        raise OptionError(f"using(tenant) and using(operation) take a text of at least one character, not {text!r}")
    return text


_CHECKED: dict[str, Any] = {
    "cost": checked_cost,
    "priority": _checked_priority,
    "tenant": _checked_text,
    "effect": checked_effect,
    "budget": _checked_budget,
    "operation": _checked_text,
}
