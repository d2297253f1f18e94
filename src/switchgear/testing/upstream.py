"""A fake upstream: a dependency that plays a script, blocking and async, and remembers what really reached it.

It has no network and no thread. Its words are in `switchgear.testing.script`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from switchgear.core.clock import Clock
from switchgear.core.errors import OptionError
from switchgear.core.mutexes import new_mutex
from switchgear.policies.checks import require_count
from switchgear.testing.errors import SimulationError
from switchgear.testing.script import At, Behaviour, Capacity, Element, Outage, ok

CALLS_MAX = 1_000_000
"""Calls that a fake upstream receives unless another bound is given."""

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Received:
    """One call that reached the upstream.

    number     from 1, in order of arrival.
    at         seconds since the upstream was made.
    tenant, key, arguments   what the caller gave.
    behaviour  what the call met: the word of the script, "repeat" for a key whose effect was there already, or
               "full" when the queue was.
    applied    whether it had an effect.
    latency    seconds until the answer, the wait in the queue included.
    """

    number: int
    at: float
    tenant: str | None
    key: str | None
    arguments: tuple[object, ...]
    behaviour: str
    applied: bool
    latency: float


class FakeUpstream:
    """A scripted dependency. `call` blocks and `call_async` suspends; both play the same script.

    script        `Behaviour` elements are a sequence: the first call meets the first, and so on. When they are
                  used up, the latest `at` that has begun holds, else calls succeed with None. `outage`, `stall` and
                  `capacity` hold beside the sequence; an outage uses none of it up.
    clock         the clock to wait on, which is that of the guard under test.
    honours_keys  whether a key that had its effect is answered with the first value and has no second effect.
    calls_max     calls received at most, at least 1. One more is a `SimulationError`.

    Times in the script are seconds since the upstream was made. What a call meets is decided on arrival.
    Raises `OptionError` for a script that cannot be played. May be used from many threads.
    """

    def __init__(self, *script: Element, clock: Clock, honours_keys: bool = False, calls_max: int = CALLS_MAX) -> None:
        """Take the script; time starts now."""
        require_count("FakeUpstream(calls_max)", calls_max, example=CALLS_MAX)
        self._clock = clock
        self._started = clock.monotonic()
        self._honours_keys = honours_keys
        self._calls_max = calls_max
        self._lock = new_mutex()
        self._sequence: deque[Behaviour] = deque()
        self._standing: list[At] = []
        self._outages: list[Outage] = []
        self._capacity: Capacity | None = None
        self._work: deque[float] = deque()  # when each call that was taken on will be done
        self._calls: list[Received] = []
        self._effects: Counter[str] = Counter()
        self._first_answers: dict[str, Behaviour] = {}
        self._in_flight = self._in_flight_most = self._answered = self._abandoned = 0
        self.then(*script)

    def then(self, *script: Element) -> None:
        """Append to the script. A second `capacity` replaces the first."""
        with self._lock:
            for element in script:
                self._add(element)

    # -- Calling it ------------------------------------------------------------------------------------------

    def call(self, *arguments: object, tenant: str | None = None, key: str | None = None) -> object:
        """Make a blocking call: wait as the script says, then return the value or raise the error."""
        behaviour, latency = self._receive(arguments, tenant, key)
        with self._waiting():
            self._clock.sleep(latency)
        return _answer(behaviour)

    async def call_async(self, *arguments: object, tenant: str | None = None, key: str | None = None) -> object:
        """Make a call from a task, as `call` does from a thread. It always suspends, as a network does."""
        behaviour, latency = self._receive(arguments, tenant, key)
        with self._waiting():
            await self._clock.sleep_async(latency)
        return _answer(behaviour)

    # -- What it remembers -----------------------------------------------------------------------------------

    @property
    def calls(self) -> tuple[Received, ...]:
        """Every call that arrived, in order."""
        with self._lock:
            return tuple(self._calls)

    def effects(self, key: str) -> int:
        """Return how often a call with `key` had an effect. Above 1, something was executed twice."""
        with self._lock:
            return self._effects[key]

    @property
    def effects_by_key(self) -> Mapping[str, int]:
        """How often each key had an effect, for keys that had one."""
        with self._lock:
            return dict(self._effects)

    @property
    def in_flight(self) -> int:
        """How many callers wait for an answer now."""
        return self._in_flight

    @property
    def in_flight_most(self) -> int:
        """How many callers ever waited at once."""
        return self._in_flight_most

    @property
    def answered(self) -> int:
        """How many callers got their answer, value or error."""
        return self._answered

    @property
    def abandoned(self) -> int:
        """How many callers went away before it: cancelled, or out of time."""
        return self._abandoned

    # -- Playing the script ----------------------------------------------------------------------------------

    def _add(self, element: Element) -> None:
        if isinstance(element, Behaviour):
            self._sequence.append(element)
        elif isinstance(element, At):
            self._standing = sorted([*self._standing, element], key=lambda standing: standing.start)
        elif isinstance(element, Outage):
            self._outages = sorted([*self._outages, element], key=lambda one: one.start)
        elif isinstance(element, Capacity):
            self._capacity = element
        else:
            raise OptionError(f"a script is made of ok(), fail(), outage() and the like, not {element!r}")

    def _receive(self, arguments: tuple[object, ...], tenant: str | None, key: str | None) -> tuple[Behaviour, float]:
        """Decide what a call meets and remember it. Return the behaviour and the seconds until the answer."""
        with self._lock:
            if len(self._calls) >= self._calls_max:
                raise SimulationError(f"the upstream received {self._calls_max} calls, which is its bound")
            now = self._clock.monotonic() - self._started
            behaviour, latency = self._decide(now, key)
            if behaviour.applied and key is not None:
                self._effects[key] += 1
                self._first_answers.setdefault(key, behaviour)
            number = len(self._calls) + 1
            received = Received(number, now, tenant, key, arguments, behaviour.name, behaviour.applied, latency)
            self._calls.append(received)
            return behaviour, latency

    def _decide(self, now: float, key: str | None) -> tuple[Behaviour, float]:
        down = next((one.behaviour for one in self._outages if one.behaviour and one.covers(now)), None)
        if down is not None:
            return down, down.latency
        wait = self._queue(now)
        if wait is None:
            return _FULL, 0.0
        behaviour = self._next(now)
        first = self._first_answers.get(key or "") if self._honours_keys else None
        if first is not None:
            behaviour = Behaviour("repeat", first.value, latency=behaviour.latency, applied=False)
        return behaviour, wait + behaviour.latency

    def _next(self, now: float) -> Behaviour:
        """Take the next of the sequence, else what stands at `now`."""
        if self._sequence:
            return self._sequence.popleft()
        begun = [standing.behaviour for standing in self._standing if standing.start <= now]
        return begun[-1] if begun else _OK

    def _queue(self, now: float) -> float | None:
        """Return the seconds until a call of `now` is worked off, or None when the queue is full."""
        if self._capacity is None:
            return self._after_stalls(now) - now
        while self._work and self._work[0] <= now + _ROUNDING:
            self._work.popleft()
        if len(self._work) > self._capacity.queue:
            return None
        begins = self._after_stalls(max(now, self._work[-1] if self._work else now))
        self._work.append(begins + 1.0 / self._capacity.per_second)
        return self._work[-1] - now

    def _after_stalls(self, moment: float) -> float:
        """Return the first moment from `moment` on at which work is done."""
        for one in self._outages:
            if one.behaviour is None and one.covers(moment):
                moment = one.end
        return moment

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Count a caller that waits."""
        with self._lock:
            self._in_flight += 1
            self._in_flight_most = max(self._in_flight_most, self._in_flight)
        answered = False
        try:
            yield
            answered = True
        finally:
            with self._lock:
                self._in_flight -= 1
                self._answered += answered
                self._abandoned += not answered


def _answer(behaviour: Behaviour) -> object:
    error = behaviour.new_error()
    if error is not None:
        raise error
    return behaviour.value


_OK = ok()
_FULL = Behaviour("full", error=lambda: ConnectionRefusedError("the upstream's queue is full"), applied=False)
