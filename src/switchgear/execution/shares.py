"""What each tenant may take of the queue: its weight, its slots, its rate. Options, and how the rate is counted.

Not for how fast a tenant may submit: that is a gate at admission. Here it is how fast what waits may leave.
"""

from __future__ import annotations

from dataclasses import dataclass

from switchgear.policies.checks import refused, require_count, require_number

WEIGHT_MIN = 0.001
WEIGHT_MAX = 1000.0
_ROUNDING_SECONDS = 1e-9  # what a clock may be off by when a tenant comes back after its wait
_PRUNED_FROM = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One tenant's share of what leaves the queue.

    weight  its part of a dependency that several wait for, against the weights of the others; 0.001 to 1,000.
    slots   the most of its intents that run at once for one dependency; None: as many as the dependency has.
    rate    its attempts a second over all dependencies, above 0; up to one second's worth at once, and at least one.
            None: no bound.

    Raises `OptionError` for what cannot be.
    """

    weight: float = 1.0
    slots: int | None = None
    rate: float | None = None

    def __post_init__(self) -> None:
        """Check the bounds."""
        require_number("Share(weight)", self.weight, least=WEIGHT_MIN, example=4)
        if self.weight > WEIGHT_MAX:
            raise refused("Share(weight)", f"needs a number of at most {WEIGHT_MAX:g}", self.weight, "Share(weight=4)")
        if self.slots is not None:
            require_count("Share(slots)", self.slots, example=10)
        if self.rate is not None:
            require_number("Share(rate)", self.rate, above=0, example=50)


EQUAL_SHARE = Share()
"""The share of a tenant that nothing is said about."""


class Paces:
    """When each tenant with a rate may go on: the generic cell rate algorithm (ITU-T I.371) with cost 1."""

    def __init__(self) -> None:
        """Start with every tenant at rest."""
        self._arrivals: dict[str, float] = {}
        self._pruned_at = _PRUNED_FROM

    def moment(self, tenant: str, rate: float) -> float:
        """Return the monotonic second from which the tenant's next attempt may leave; it may have passed."""
        burst = max(1.0, rate)
        return self._arrivals.get(tenant, 0.0) - (burst - 1.0) / rate - _ROUNDING_SECONDS

    def charge(self, tenant: str, rate: float, now: float) -> None:
        """Count an attempt that leaves now."""
        self._arrivals[tenant] = max(self._arrivals.get(tenant, now), now) + 1.0 / rate
        if len(self._arrivals) > self._pruned_at:
            self._arrivals = {name: arrival for name, arrival in self._arrivals.items() if arrival > now}
            self._pruned_at = 2 * len(self._arrivals) + _PRUNED_FROM

    def refund(self, tenant: str, rate: float) -> None:
        """Take back the count of an attempt that did not leave after all."""
        if tenant in self._arrivals:
            self._arrivals[tenant] -= 1.0 / rate
