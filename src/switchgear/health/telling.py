"""What is told of dependencies: an event for each change of state, and log lines of which there are never many.

Listeners are called outside every lock, one event after the other. One that raises is counted and logged once, and
hurts nobody.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

from switchgear.core.errors import shown_seconds
from switchgear.core.mutexes import new_mutex
from switchgear.health.standing import Health, Standing

logger = logging.getLogger("switchgear.health")

EVENTS_MAX = 10_000
"""Events that wait for slow listeners at most; what is above that is dropped and counted."""
_LOG_EVERY_SECONDS = 5.0
_LEVELS = {Health.UNHEALTHY: logging.WARNING, Health.UNKNOWN: logging.WARNING, Health.DEGRADED: logging.WARNING}


@dataclass(frozen=True, slots=True)
class HealthChanged:
    """A dependency stands elsewhere.

    name           of the dependency; `critical` as it was declared.
    before, after  its states.
    reason         why, for people.
    retry_after    seconds from then until it is looked at again, None when nobody knows.
    flapping       whether it changes its state too often.
    at             seconds since the epoch; `monotonic` of the board's seconds, for differences.
    """

    name: str
    critical: bool
    before: Health
    after: Health
    reason: str
    retry_after: float | None
    flapping: bool
    at: float
    monotonic: float


Listener = Callable[[HealthChanged], object]


class Teller:
    """The listeners and the log of one board."""

    __slots__ = (
        "_blamed",
        "_events",
        "_left_out",
        "_listeners",
        "_mutex",
        "_quiet_until",
        "_telling",
        "_unwritten",
        "events_dropped",
        "listener_errors",
    )

    def __init__(self) -> None:
        """Start without listeners."""
        self._mutex = new_mutex()
        self._events: deque[HealthChanged] = deque()
        self._telling = False
        self._listeners: tuple[tuple[Listener], ...] = ()
        self._blamed: set[int] = set()
        self._quiet_until: dict[str, float] = {}
        self._left_out: dict[str, int] = {}
        self._unwritten: dict[str, HealthChanged] = {}
        self.listener_errors = 0
        self.events_dropped = 0

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Add a listener. Return the function that removes it again."""
        entry = (listener,)  # one object for each subscription, also of the same listener
        with self._mutex:
            self._listeners = (*self._listeners, entry)

        def unsubscribe() -> None:
            with self._mutex:
                self._listeners = tuple(kept for kept in self._listeners if kept is not entry)
                self._blamed.discard(id(entry))

        return unsubscribe

    def keep(self, event: HealthChanged) -> None:
        """Keep an event until `tell`. May be called under a mutex, which gives events of one dependency their order."""
        with self._mutex:
            if len(self._events) >= EVENTS_MAX:
                self._events.popleft()
                self.events_dropped += 1
            self._events.append(event)

    def tell(self) -> None:
        """Tell all that is kept, unless somebody is at it, who then tells this as well. Call it outside every lock."""
        while (event := self._take()) is not None:
            try:
                self._log(event)
                self._tell_listeners(event)
            finally:
                self._telling = False

    def catch_up(self, now: float, standing: Callable[[str], Standing]) -> float:
        """Write what was left out of the log and still holds, so that its last line of a dependency is true.

        Return the monotonic second at which there is more to write, inf for never. Call it outside every lock.
        """
        with self._mutex:
            if self._telling:
                return now + _LOG_EVERY_SECONDS
            self._telling = True
        try:
            for event in tuple(self._unwritten.values()):
                if now >= self._quiet_until[_topic(event)]:
                    self._write_late(event, now, standing(event.name))
            due = min((self._quiet_until[_topic(event)] for event in self._unwritten.values()), default=inf)
        finally:
            self._telling = False
        self.tell()  # what others left to this thread meanwhile
        return due

    def _take(self) -> HealthChanged | None:
        with self._mutex:
            if self._telling or not self._events:
                return None
            self._telling = True
            return self._events.popleft()

    def _tell_listeners(self, event: HealthChanged) -> None:
        for entry in self._listeners:
            try:
                entry[0](event)
            except Exception as error:  # noqa: BLE001 - whatever a listener raises must not reach who observed
                self._blame(id(entry), error)

    def _blame(self, entry: int, error: Exception) -> None:
        self.listener_errors += 1
        if entry not in self._blamed:
            self._blamed.add(entry)
            logger.error("a listener to dependency health raised %r; it is counted from now on, not logged", error)

    def _log(self, event: HealthChanged) -> None:
        """Write a line, at most one each five seconds for a dependency and state; say how many were left out."""
        topic = _topic(event)
        if event.monotonic < self._quiet_until.get(topic, event.monotonic):
            self._left_out[topic] = self._left_out.get(topic, 0) + 1
            self._unwritten[event.name] = event
            return
        self._write(event, event.monotonic, self._left_out.pop(topic, 0))

    def _write_late(self, event: HealthChanged, now: float, standing: Standing) -> None:
        """Write the line of an event that was left out, as of now, unless it is over."""
        del self._unwritten[event.name]
        if standing.state is event.after:
            left_out = self._left_out.pop(_topic(event), 1) - 1  # this one is not left out any more
            current = replace(event, reason=standing.reason, retry_after=standing.retry_after)
            self._write(current, now, left_out)

    def _write(self, event: HealthChanged, now: float, left_out: int) -> None:
        self._quiet_until[_topic(event)] = now + _LOG_EVERY_SECONDS
        self._unwritten.pop(event.name, None)
        fields = {"event": "health_changed", "left_out": left_out, "dependency": event.name}
        fields |= {"before": str(event.before), "after": str(event.after), "retry_after": event.retry_after}
        fields |= {"flapping": event.flapping, "reason": event.reason}
        logger.log(_LEVELS.get(event.after, logging.INFO), "%s", _line(event, left_out), extra=fields)


def _topic(event: HealthChanged) -> str:
    return f"{event.name} {event.after}"


def _line(event: HealthChanged, left_out: int) -> str:
    flapping = " (flapping)" if event.flapping else ""
    again = "" if event.retry_after is None else f"; next look in {shown_seconds(event.retry_after)} s"
    more = f" ({left_out} like this left out)" if left_out else ""
    return f"{event.name} is {event.after}{flapping}, was {event.before}: {event.reason}{again}{more}"
