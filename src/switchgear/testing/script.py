"""The words in which a fake upstream is scripted. Values only; `FakeUpstream` plays them.

One call meets one `Behaviour`: `ok`, `slow`, `fail`, `rate_limited` or `hang`. Others hold for a time, in seconds
since the upstream was made: `at`, `outage`, `stall`; or always: `capacity`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

from switchgear.core.errors import OptionError
from switchgear.policies.checks import require_count, require_number, require_seconds

ErrorSource = BaseException | Callable[[], BaseException]
"""An error, of which each call gets a copy, or a class or function that makes one."""

HANG_SECONDS = 86_400.0
_TOO_MANY_REQUESTS = 429


class TooManyRequests(Exception):
    """The upstream refuses for a while, as with status 429. `retry_after` is seconds, or None when it does not say."""

    status = _TOO_MANY_REQUESTS

    def __init__(self, retry_after: float | None = None) -> None:
        """Keep the hint, which `Retry` obeys."""
        super().__init__(retry_after)
        self.retry_after = retry_after

    def __str__(self) -> str:
        """Say status and hint."""
        return f"{self.status}, retry after {self.retry_after} s"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one call meets. Made by `ok`, `slow`, `fail`, `rate_limited` and `hang`.

    name     the word of the script, for the record.
    value    what the call returns; `error` is what it raises instead.
    latency  seconds until then.
    applied  whether the call has its effect, which it has on arrival, whatever the caller gets to know.
    """

    name: str
    value: object = None
    error: ErrorSource | None = None
    latency: float = 0.0
    applied: bool = True

    def __post_init__(self) -> None:
        """Check latency and error."""
        require_seconds(f"{self.name}(latency)", self.latency, zero=True, example=0.2)
        if self.error is not None:
            self._check_error(self.error)

    def _check_error(self, source: ErrorSource) -> None:
        try:
            made = self.new_error()
        except TypeError as error:
            raise OptionError(
                f"{self.name}() cannot make {source!r} anew for each call; give a function without arguments that does"
            ) from error
        if not isinstance(made, BaseException):
            raise OptionError(f"{self.name}() takes an error, its class or a function that makes it, not {source!r}")

    def new_error(self) -> BaseException | None:
        """Return the error for one call, never the same one twice; None when there is none."""
        if isinstance(self.error, BaseException):
            return copy.copy(self.error).with_traceback(None)
        return None if self.error is None else self.error()


def ok(value: object = None, *, latency: float = 0.0) -> Behaviour:
    """Answer with `value` after `latency` seconds (at least 0)."""
    return Behaviour("ok", value, latency=latency)


def slow(seconds: float, value: object = None) -> Behaviour:
    """Answer with `value`, but only after `seconds` (at least 0)."""
    return Behaviour("slow", value, latency=seconds)


def fail(error: ErrorSource, *, latency: float = 0.0, applied: bool = False) -> Behaviour:
    """Raise `error` after `latency` seconds. `applied=True` is the lost answer: it failed, and yet it happened.

    `error` is an error, of which each call gets a copy, or a class or function that makes one; it is tried once,
    now. Raises `OptionError` for one that cannot be made anew.
    """
    return Behaviour("fail", error=error, latency=latency, applied=applied)


def rate_limited(retry_after: float | None, *, latency: float = 0.0) -> Behaviour:
    """Refuse with `TooManyRequests`, which asks to come back after `retry_after` seconds (None: it does not say)."""
    return Behaviour("rate_limited", error=lambda: TooManyRequests(retry_after), latency=latency, applied=False)


def hang(*, applied: bool = False) -> Behaviour:
    """Never answer. Whoever waits a whole day gets a `ConnectionResetError`, since every wait has an end."""
    return Behaviour("hang", error=ConnectionResetError, latency=HANG_SECONDS, applied=applied)


@dataclass(frozen=True, slots=True)
class At:
    """From `start` seconds on, calls meet `behaviour` when no other is left for them."""

    start: float
    behaviour: Behaviour

    def __post_init__(self) -> None:
        """Check the start."""
        require_seconds("at(start)", self.start, zero=True, example=10.0)


@dataclass(frozen=True, slots=True)
class Outage:
    """For `seconds` from `start` on, every call that arrives meets `behaviour`; None is a stall."""

    start: float
    seconds: float
    behaviour: Behaviour | None

    def __post_init__(self) -> None:
        """Check the times."""
        require_seconds("outage(start)", self.start, zero=True, example=10.0)
        require_seconds("outage(seconds)", self.seconds, example=5.0)

    @property
    def end(self) -> float:
        """The first second after it."""
        return self.start + self.seconds

    def covers(self, moment: float) -> bool:
        """Return whether it is in force at `moment`."""
        return self.start <= moment < self.end


@dataclass(frozen=True, slots=True)
class Capacity:
    """So many calls are worked off in a second, one after the other; the others wait, at most `queue` of them."""

    per_second: float
    queue: int

    def __post_init__(self) -> None:
        """Check rate and queue."""
        require_number("capacity(per_second)", self.per_second, above=0, example=100.0)
        require_count("capacity(queue)", self.queue, least=0, example=10_000)


Element = Behaviour | At | Outage | Capacity
"""What a script is made of."""


def at(start: float, behaviour: Behaviour) -> At:
    """Let calls meet `behaviour` from `start` seconds on, until a later `at`."""
    return At(start, behaviour)


def outage(start: float, seconds: float, behaviour: Behaviour | None = None) -> Outage:
    """Let every call that arrives in these `seconds` meet `behaviour`; by default they fail with `ConnectionError`."""
    return Outage(start, seconds, behaviour or fail(lambda: ConnectionError("the upstream is down")))


def stall(start: float, seconds: float) -> Outage:
    """Start no work for `seconds`: what arrives waits, and is worked off afterwards, whether or not anybody waits."""
    return Outage(start, seconds, None)


def capacity(per_second: float, *, queue: int = 10_000) -> Capacity:
    """Work off `per_second` calls a second (above 0), one after the other. At most `queue` wait (at least 0).

    One more is refused with `ConnectionRefusedError`.

    What has arrived is worked off also when its caller is gone, as real servers do.
    """
    return Capacity(per_second, queue)
