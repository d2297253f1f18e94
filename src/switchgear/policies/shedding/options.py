"""Shedding: what may be learned about the limit, who may use how much of it, and who waits. Options only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType

from switchgear.core.errors import OptionError
from switchgear.policies.checks import refused, require_count, require_number, require_seconds, require_share
from switchgear.policies.places import PRIORITIES, Priority
from switchgear.policies.signatures import options

SHEDDABLE: frozenset[Priority] = frozenset(("sheddable_plus", "sheddable"))
"""The classes whose calls are given up when they have waited too long."""

_SHARES: Mapping[Priority, float] = MappingProxyType(
    {"critical_plus": 1.0, "critical": 0.95, "sheddable_plus": 0.8, "sheddable": 0.6}
)
_INITIAL = 20
_AGED = "Shedding(queue=64, queue_age=1.0)"
_WEIGHTED = 'Shedding(queue=64, weights={"acme": 2.0})'


@options("Shedding(maximum=64)")
@dataclass(frozen=True, slots=True, kw_only=True)
class Shedding:
    """Let as many calls run at once as the dependency can take, and refuse or queue the rest by priority.

    The limit is found from the durations of calls [Netflix concurrency-limits, gradient2]:

    initial          limit to start with; default 20, or what of it `minimum` and `maximum` allow.
    minimum          calls the limit never falls below, at least 1; default 1.
    maximum          calls the limit never exceeds; default 200. A fixed limit is ``minimum == maximum``.
    smoothing        share of a new estimate that is taken over at once, above 0 to 1; default 0.2.
    tolerance        how many times its usual duration a call may take before the limit falls, at least 1; default 1.5.
    headroom         calls by which the limit may grow while durations are as usual, above 0; default 4.
    window           seconds of calls, and at least 10 calls, behind each estimate; default 1.
    long_window      seconds the usual duration reaches back, at least `window`; default 60. While calls are slower
                     than tolerated the limit dips so often, for a few calls, to find the usual duration anew.

    What the dependency turns away is held back here [Google SRE, "Handling Overload"]:

    throttle         K, at least 1: requests let out for each one accepted, 2 in the book; default: no throttling.
    throttle_window  seconds of requests behind that decision; default 120.

    Who gets a place:

    shares           class to share of the limit: a call gets a place while fewer than that share are taken, in all,
                     and one place at least; default critical_plus 1, critical 0.95, sheddable_plus 0.8, sheddable 0.6.
    queue            waiters, at least 0; default 0: refuse at once.
    max_wait         seconds a call may wait, above 0; default 30. The deadline of the call may end it sooner.
    queue_age        seconds, below `max_wait`, after which a sheddable waiter gives up, and while any waiter is older
                     than that, arrivals of its class and below are refused; default: no bound but `max_wait`.
    weights          tenant to weight, at least 1: places that pass to it for each one that passes to a tenant of
                     weight 1, when both wait in one class; default 1 each.

    Raises `OptionError` for options that cannot work.
    """

    initial: int | None = None
    minimum: int = 1
    maximum: int = 200
    smoothing: float = 0.2
    tolerance: float = 1.5
    headroom: float = 4.0
    window: float = 1.0
    long_window: float = 60.0
    throttle: float | None = None
    throttle_window: float = 120.0
    shares: Mapping[Priority, float] = field(default_factory=dict, hash=False)
    queue: int = 0
    max_wait: float = 30.0
    queue_age: float | None = None
    weights: Mapping[str, float] = field(default_factory=dict, hash=False)
    start: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the options and resolve the defaults."""
        _check_limit(self)
        _check_gradient(self)
        _check_throttle(self)
        _check_queue(self)
        start = min(max(_INITIAL, self.minimum), self.maximum) if self.initial is None else self.initial
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "shares", MappingProxyType(_whole_shares(self.shares)))
        object.__setattr__(self, "weights", MappingProxyType(_checked_weights(self.weights)))

    def patience(self, priority: Priority) -> float:
        """Return the seconds a call of that class may wait: `max_wait`, or `queue_age` when it is sheddable."""
        if self.queue_age is None or priority not in SHEDDABLE:
            return self.max_wait
        return self.queue_age


def _check_limit(options: Shedding) -> None:
    require_count("Shedding(minimum)", options.minimum, example=4)
    require_count("Shedding(maximum)", options.maximum, example=200)
    if options.minimum > options.maximum:
        raise OptionError(
            f"Shedding(minimum={options.minimum}) is above maximum={options.maximum}; "
            f"write for example Shedding(minimum={options.minimum}, maximum={options.minimum}) for a fixed limit"
        )
    if options.initial is None:
        return
    require_count("Shedding(initial)", options.initial, example=20)
    if not options.minimum <= options.initial <= options.maximum:
        raise OptionError(
            f"Shedding(initial={options.initial}) is not between minimum={options.minimum} and "
            f"maximum={options.maximum}; leave initial out, "
            f"and write for example Shedding(minimum={options.minimum}, maximum={options.maximum})"
        )


def _check_gradient(options: Shedding) -> None:
    require_share("Shedding(smoothing)", options.smoothing, example=0.2)
    require_number("Shedding(tolerance)", options.tolerance, least=1, example=1.5)
    require_number("Shedding(headroom)", options.headroom, above=0, example=4.0)
    require_seconds("Shedding(window)", options.window, example=1.0)
    require_seconds("Shedding(long_window)", options.long_window, example=60.0)
    if options.long_window < options.window:
        raise OptionError(
            f"Shedding(long_window={options.long_window!r}) is below window={options.window!r}; "
            f"write for example Shedding(window={options.window!r}, long_window={60 * options.window!r})"
        )


def _check_throttle(options: Shedding) -> None:
    if options.throttle is not None:
        require_number("Shedding(throttle)", options.throttle, least=1, example=2.0)
    require_seconds("Shedding(throttle_window)", options.throttle_window, example=120.0)


def _check_queue(options: Shedding) -> None:
    require_count("Shedding(queue)", options.queue, least=0, example=64)
    require_seconds("Shedding(max_wait)", options.max_wait, example=5.0)
    for write, asked in ((_AGED, options.queue_age is not None), (_WEIGHTED, bool(options.weights))):
        if asked and not options.queue:
            name = write.rpartition(", ")[2].partition("=")[0]
            raise OptionError(f"Shedding({name}) needs a queue beside it; write for example {write}")
    if options.queue_age is None:
        return
    require_seconds("Shedding(queue_age)", options.queue_age, write=_AGED)
    if options.queue_age >= options.max_wait:
        raise OptionError(
            f"Shedding(queue_age={options.queue_age!r}) is not below max_wait={options.max_wait!r}, "
            "so nobody gets that old; write for example "
            f"Shedding(queue={options.queue}, max_wait={options.max_wait!r}, queue_age={options.max_wait / 2!r})"
        )


def _whole_shares(shares: object) -> dict[Priority, float]:
    """Return the share of each class, the highest class first."""
    if not isinstance(shares, Mapping) or not set(shares) <= set(PRIORITIES):
        wants = f"takes a share for each of {', '.join(PRIORITIES)}"
        raise refused("Shedding(shares)", wants, shares, _line_of("sheddable"))
    whole: dict[Priority, float] = {priority: shares.get(priority, _SHARES[priority]) for priority in PRIORITIES}
    for priority, share in whole.items():
        require_share(f"Shedding(shares) for {priority}", share, write=_line_of(priority))
    for higher, lower in pairwise(PRIORITIES):
        if whole[higher] < whole[lower]:
            raise OptionError(
                f"Shedding(shares) gives {lower} {whole[lower]!r} of the limit and {higher} only {whole[higher]!r}, "
                f"and a higher class never gets less; write for example {_line_in_order(whole)}"
            )
    return whole


def _line_of(priority: Priority) -> str:
    """Return a line to write for the share of one class: its default is right beside the others."""
    return f'Shedding(shares={{"{priority}": {_SHARES[priority]!r}}})'


def _line_in_order(whole: Mapping[Priority, float]) -> str:
    """Return a line to write in which no class has less than one below it."""
    ranks = {priority: rank for rank, priority in enumerate(PRIORITIES)}
    raised = {priority: max(whole[below] for below in PRIORITIES[rank:]) for priority, rank in ranks.items()}
    said = (f'"{priority}": {share!r}' for priority, share in raised.items() if share != _SHARES[priority])
    return f"Shedding(shares={{{', '.join(said)}}})"


def _checked_weights(weights: object) -> dict[str, float]:
    if not isinstance(weights, Mapping):
        raise refused("Shedding(weights)", "takes a number for each tenant", weights, _WEIGHTED)
    for tenant, weight in weights.items():
        if not tenant or not isinstance(tenant, str):
            raise refused("Shedding(weights)", "names each tenant by a text", tenant, _WEIGHTED)
        write = f"Shedding(queue=64, weights={{{tenant!r}: 2.0}})"
        require_number(f"Shedding(weights) for tenant {tenant!r}", weight, least=1, write=write)
    return dict(weights)
