"""What a guard tells about itself: events for listeners, statistics as a frozen record, throttled log lines.

Nothing here decides. Listeners are called outside every lock, one at a time and in order; one that raises is
counted and logged, and never reaches the call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from switchgear.core.codes import Code
from switchgear.core.errors import shown_seconds
from switchgear.policies.breaker import BreakerState

logger = logging.getLogger("switchgear.guard")

EventKind = Literal["opened", "half_opened", "closed", "refused", "would_refuse", "fell_back", "hedged"]

_TRANSITIONS = ("opened", "half_opened", "closed")
_LOG_EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a guard.

    kind         "opened", "half_opened", "closed" (transitions of the breaker); of one call "refused",
                 "would_refuse" (a dry run), "fell_back" and "hedged".
    guard        the guard's name; `key` its keyed member, or None.
    state        the breaker's state afterwards.
    generation   rises with each transition, so that a reader can tell the order.
    at           seconds since the epoch; `monotonic` on the guard's clock, for differences.
    retry_after  seconds until a call may be let in, or None when waiting does not help.
    code         the code of the refusal, for "refused" and "would_refuse" only.
    """

    kind: EventKind
    guard: str
    key: str | None
    state: BreakerState
    generation: int
    at: float
    monotonic: float
    retry_after: float | None = None
    code: Code | None = None

    @property
    def is_transition(self) -> bool:
        """Whether the breaker changed its state."""
        return self.kind in _TRANSITIONS


Listener = Callable[[Event], object]


@dataclass(frozen=True, slots=True)
class Statistics:
    """How a guard stands. Reading it changes nothing and takes no probe.

    calls         attempts let in that have ended or run; each attempt of a retry counts, a refund does not.
    successes, failures, ignored   ended attempts by verdict.
    refused       refused calls by code; `rejected` is their sum.
    retries       attempts after the first of a call.
    slow          ended attempts above `slow_after`, and timeouts. `timeouts`: attempts that ran into
                  `Timeout`.
    in_flight     attempts that run now, abandoned ones included; `waiting` stand in the queue
                  for a place.
    abandoned     blocking calls left behind that still run; `abandoned_total` counts all there ever were.
    state, retry_after   of the breaker: "closed" and 0.0 when there is none.
    failure_rate, slow_rate   over the breaker's window; None below the minimum of calls or without a window.
    circuit_breaker_opened, circuit_breaker_closed, circuit_breaker_blocked   transitions and refusals of the
                                                                              breaker.
    listener_errors   exceptions that listeners raised, and what logging is made of.
    events_dropped    events that no listener got, because more than 1,000 of them waited for slow ones.
    keys, keys_evicted, keys_overflowed   keyed members held, dropped, and calls for a key that had to share.
    would_refuse  by code, the refusals that a dry run or a breaker that only observes did not carry out.
    hedges, fallbacks   further copies of a call that were sent, and calls that ended with the fallback's value.
    concurrency_limit   calls that may run at once now: the bulkhead's limit, or what shedding has found; None without
                        either.
    retry_budget        repeats of cost 1 that the retry budget would let through now; None without one.
    """

    name: str
    key: str | None
    calls: int
    successes: int
    failures: int
    ignored: int
    refused: Mapping[Code, int]
    retries: int
    slow: int
    timeouts: int
    in_flight: int
    waiting: int
    abandoned: int
    abandoned_total: int
    state: BreakerState
    retry_after: float | None
    failure_rate: float | None
    slow_rate: float | None
    circuit_breaker_opened: int
    circuit_breaker_closed: int
    circuit_breaker_blocked: int
    listener_errors: int
    events_dropped: int = 0
    keys: int = 0
    keys_evicted: int = 0
    keys_overflowed: int = 0
    would_refuse: Mapping[Code, int] = field(default_factory=dict)
    hedges: int = 0
    fallbacks: int = 0
    concurrency_limit: int | None = None
    retry_budget: float | None = None

    @property
    def rejected(self) -> int:
        """How many calls were refused, whatever the code."""
        return sum(self.refused.values())


class Meter:
    """The listeners and the log of one guard, shared by its keyed members."""

    __slots__ = ("_quiet_until", "_suppressed", "listener_errors", "listeners")

    def __init__(self) -> None:
        """Start without listeners."""
        self.listeners: tuple[Listener, ...] = ()
        self.listener_errors = 0
        self._quiet_until: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Add a listener. Return the function that removes it again."""
        self.listeners = (*self.listeners, listener)

        def unsubscribe() -> None:
            ours = [place for place, kept in enumerate(self.listeners) if kept is listener]
            self.listeners = tuple(kept for place, kept in enumerate(self.listeners) if place not in ours[:1])

        return unsubscribe

    def publish(self, event: Event) -> None:
        """Log a transition and tell every listener."""
        if event.is_transition:
            self._log_transition(event)
        for listener in self.listeners:
            try:
                listener(event)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - whatever a listener raises must not reach the call
                self.listener_errors += 1
                self.log(logging.ERROR, "listener", event.monotonic, f"listener of {event.guard} raised {error!r}")

    def log(self, level: int, topic: str, now: float, text: str, fields: Mapping[str, object] | None = None) -> None:
        """Write a line, at most one each five seconds for a topic; say how many were left out.

        `fields` go into the record for structured logs, beside `left_out`.
        """
        if now < self._quiet_until.get(topic, now):
            self._suppressed[topic] = self._suppressed.get(topic, 0) + 1
            return
        self._quiet_until[topic] = now + _LOG_EVERY_SECONDS
        left_out = self._suppressed.pop(topic, 0)
        more = f" ({left_out} like this left out)" if left_out else ""
        try:
            logger.log(level, "%s%s", text, more, extra={**(fields or {}), "left_out": left_out})
        except Exception:  # noqa: BLE001 - a filter or record factory that raises must not reach the call
            self.listener_errors += 1

    def _log_transition(self, event: Event) -> None:
        name = event.guard if event.key is None else f"{event.guard}[{ascii(event.key)[1:-1]}]"
        wait = (
            f", probes in {shown_seconds(event.retry_after)} s" if event.kind == "opened" and event.retry_after else ""
        )
        level = logging.WARNING if event.kind == "opened" else logging.INFO
        fields = {
            "event": event.kind,
            "guard": event.guard,
            "key": event.key,
            "state": event.state,
            "generation": event.generation,
            "retry_after": event.retry_after,
        }
        self.log(level, event.kind, event.monotonic, f"breaker of {name} {event.kind.replace('_', '-')}{wait}", fields)
