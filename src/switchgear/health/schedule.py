"""When a dependency is probed next. Pure: moments, the breaker's state and the random draw are arguments.

Traffic that succeeds saves the probe. While it recovers, from an outage or from being slow, or is in doubt, probes come
quickly, so that it is decided within one probe interval. While it is unhealthy they back off, and come no later than
the end of the breaker's cooldown, since that is when calls are let in again.
"""

from __future__ import annotations

from dataclasses import dataclass

from switchgear.health.dependency import Dependency
from switchgear.health.evidence import Source
from switchgear.health.machine import HealthMachine
from switchgear.health.standing import Health
from switchgear.policies.breaker import BreakerState

_DOUBLINGS_MAX = 60


@dataclass(frozen=True, slots=True)
class BreakerView:
    """What the breaker of the guard in front of a dependency says: its state, and seconds until it lets a call in."""

    state: BreakerState = "closed"
    retry_after: float | None = None


NO_BREAKER = BreakerView()
"""What is known of the breaker when nobody watches one."""


def next_probe(machine: HealthMachine, breaker: BreakerView, now: float, draw: float, *, spared: bool = True) -> float:
    """Return the monotonic second of the next probe, for a `draw` in [0, 1). It may lie before `now`: at once.

    `spared` says whether calls that succeed spare probes. It is worked out anew after each observation, and each change
    of the breaker.
    """
    options, line = machine.dependency, machine.line(Source.PROBE)
    if line.state is Health.UNHEALTHY:
        waited = line.seen_at + _backed_off(options, line.bad, draw)
        return _driven(waited, line.seen_at + options.recheck_every, breaker, now)
    if _is_urgent(machine):
        return line.seen_at + options.recheck_every
    regular = line.seen_at + _varied(options.probe_every, options, draw)
    return max(regular, _spared_until(machine, breaker)) if spared else regular


def _is_urgent(machine: HealthMachine) -> bool:
    """Return whether an answer would decide something.

    Nobody knows, it recovers, it is degraded and has begun to answer quickly again, or there is a doubt to look into.
    """
    probes, calls = machine.line(Source.PROBE), machine.line(Source.CALL)
    if machine.state is Health.UNKNOWN or probes.state is Health.RECOVERING or probes.bad:
        return True
    if probes.state is Health.DEGRADED and probes.quick:
        return True
    return 0 < calls.bad < machine.dependency.down_after and probes.seen_at < calls.seen_at


def _spared_until(machine: HealthMachine, breaker: BreakerView) -> float:
    """Return until when right answers to calls spare the probe: as long after each as probes are apart."""
    line = machine.line(Source.CALL)
    spares = breaker.state == "closed" and line.state is Health.HEALTHY
    return line.positive_at + machine.dependency.probe_every if spares else float("-inf")


def _backed_off(options: Dependency, bad: int, draw: float) -> float:
    """Return the seconds to wait after `bad` probes in a row: doubled for each since it became unhealthy."""
    doublings = min(_DOUBLINGS_MAX, max(0, bad - options.down_after))
    return min(options.backoff_max, _varied(options.probe_every * 2.0**doublings, options, draw))


def _varied(seconds: float, options: Dependency, draw: float) -> float:
    return seconds * (1 + options.jitter * (2 * draw - 1))


def _driven(waited: float, soonest: float, breaker: BreakerView, now: float) -> float:
    """Return when to probe what is unhealthy: when the breaker lets calls in again, if that is sooner."""
    if breaker.state == "half_open":
        return min(waited, soonest)
    if breaker.state == "open" and breaker.retry_after is not None:
        return min(waited, max(soonest, now + breaker.retry_after))
    return waited
