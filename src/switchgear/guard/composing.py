"""Puts the drivers of one guard together: what a call of each kind goes through, from the outside in.

Fallback, deadline, retry, hedge, admission, attempt timeout, faults, call. What a guard has not is not in its drivers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from switchgear.core.deadline import CURRENT
from switchgear.core.mutexes import new_mutex
from switchgear.guard.bounding import Bound, deadline_in, tighter
from switchgear.guard.callables import ASYNC, BLOCKING
from switchgear.guard.drivers import Arguments, Keywords, drive, drive_async
from switchgear.guard.fallbacks import FallingBack
from switchgear.guard.generators import drive_async_generator, drive_generator
from switchgear.guard.hedging import drive_hedged, drive_hedged_async
from switchgear.guard.injecting import Injector
from switchgear.guard.member import Member
from switchgear.guard.plan import Plan
from switchgear.guard.specialise import bound_driver, straight_driver
from switchgear.guard.terms import Terms

Driver = Callable[..., Any]
"""Takes member, terms, function, arguments and keywords. What goes in decides what comes out: see `Guard.call`."""

_MAKING = new_mutex()


class Drivers:
    """The drivers of one guard, by the kind of the function: blocking, async, generator, async generator.

    Those of terms with a deadline begin with one, whatever the plan says, and are found by `for_terms`.
    """

    __slots__ = ("_falling_back", "_is_plain", "_is_within", "_other", "_plan", "drive", "drive_async", "of_kind")

    def __init__(self, plan: Plan, *, is_within: bool = False, other: Drivers | None = None) -> None:
        """Put them together for `plan`; `other` are their counterparts."""
        self._is_within = is_within
        self._other = other
        self.put_together(plan)

    def take(self, plan: Plan) -> None:
        """Put the drivers together anew, and their counterparts, for another plan."""
        self.put_together(plan)
        if self._other is not None:
            self._other.put_together(plan)

    def put_together(self, plan: Plan) -> None:
        """Put the drivers together for `plan`, without their counterparts."""
        self._plan = plan
        layers = (plan.injector, plan.hedge, plan.fallback, plan.deadline)
        self._is_plain = all(layer is None for layer in layers)
        blocking = straight_driver(plan, asynchronous=False) or drive
        asynchronous = straight_driver(plan, asynchronous=True) or drive_async
        if plan.injector is not None:
            blocking, asynchronous = _faulty(blocking, plan.injector), _faulty(asynchronous, plan.injector)
        if plan.hedge is not None:
            blocking, asynchronous = drive_hedged(blocking), drive_hedged_async(asynchronous)
        if self._is_within or plan.deadline is not None:
            blocking, asynchronous = _within(blocking), _within_async(asynchronous)
        self._falling_back = FallingBack(blocking, asynchronous)
        if plan.fallback is not None:
            blocking, asynchronous = self._falling_back.drive, self._falling_back.drive_async
        self.drive = blocking
        self.drive_async = asynchronous
        self.of_kind: tuple[Driver, ...] = (blocking, asynchronous, drive_generator, drive_async_generator)

    def for_terms(self, terms: Terms) -> Drivers:
        """Return these drivers, or their counterparts, as the deadline of `terms` asks for."""
        if (terms.deadline_seconds is not None) is self._is_within:
            return self
        with _MAKING:
            if self._other is None:
                self._other = Drivers(self._plan, is_within=not self._is_within, other=self)
            return self._other

    def outcome(self, kind: int) -> Driver:
        """Return the driver that gives an outcome for functions of that kind. Raises `TypeError` for generators."""
        if kind not in {BLOCKING, ASYNC}:
            raise TypeError("outcome() takes a function, blocking or async; a generator has no single outcome")
        return self._falling_back.outcome if kind == BLOCKING else self._falling_back.outcome_async

    def bound(self, member: Member, terms: Terms, function: Driver, kind: int) -> Driver | None:
        """Return `function` guarded in one frame, if these drivers are no more than that."""
        if kind not in {BLOCKING, ASYNC} or terms.deadline_seconds is not None or not self._is_plain:
            return None
        through = self._through_async if kind == ASYNC else self._through
        return bound_driver(member, terms, function, through, asynchronous=kind == ASYNC)

    def _through(self, *call: Any) -> Any:
        """Make a blocking call of a function that was bound before, by the plan of now."""
        return (drive if self._is_plain else self.drive)(*call)

    def _through_async(self, *call: Any) -> Any:
        """Make a call of an async function that was bound before, by the plan of now."""
        return (drive_async if self._is_plain else self.drive_async)(*call)


def _faulty(inner: Driver, injector: Injector) -> Driver:
    def drive_faulty(member: Member, terms: Terms, function: Driver, args: Arguments, kwargs: Keywords) -> Any:
        return inner(member, terms, injector.around(terms, function), args, kwargs)

    return drive_faulty


def _within(inner: Driver) -> Driver:
    def drive_within(member: Member, terms: Terms, function: Driver, args: Arguments, kwargs: Keywords) -> object:
        outer = CURRENT.get()
        inside = tighter(outer, deadline_in(terms.seconds_within(member.plan.deadline), member.plan.clock))
        try:
            CURRENT.set(inside)
            return inner(member, terms, function, args, kwargs)
        finally:
            CURRENT.set(outer)  # in line: no interrupt comes before it

    return drive_within


def _within_async(inner: Driver) -> Driver:
    async def drive_within(member: Member, terms: Terms, function: Driver, args: Arguments, kwargs: Keywords) -> object:
        bound = Bound()
        try:
            bound.begin(deadline_in(terms.seconds_within(member.plan.deadline), member.plan.clock))
            return await inner(member, terms, function, args, kwargs)
        finally:
            bound.end()

    return drive_within
