"""Puts the drivers of one guard together: what a call of each kind goes through, from the outside in.

Fallback, deadline, retry, hedge, admission, attempt timeout, faults, call. What a guard has not is not in its drivers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from switchgear.core.deadline import deadline
from switchgear.guard.callables import ASYNC, BLOCKING
from switchgear.guard.drivers import Arguments, Keywords, drive, drive_async
from switchgear.guard.generators import drive_async_generator, drive_generator
from switchgear.guard.member import Member
from switchgear.guard.plan import Plan
from switchgear.guard.specialise import bound_driver, straight_driver
from switchgear.guard.terms import Terms

Driver = Callable[..., Any]
"""Takes member, terms, function, arguments and keywords. What goes in decides what comes out: see `Guard.call`."""


class Drivers:
    """The drivers of one guard, by the kind of the function: blocking, async, generator, async generator."""

    __slots__ = ("_plan", "_within", "drive", "drive_async", "of_kind")

    def __init__(self, plan: Plan) -> None:
        """Put them together for `plan`."""
        self._plan = plan
        self._within: Drivers | None = None
        self._take(straight_driver(plan, asynchronous=False) or drive, straight_driver(plan, asynchronous=True))

    def for_terms(self, terms: Terms) -> Drivers:
        """Return these drivers, or those that begin with a deadline when `terms` have a budget."""
        if terms.budget is None:
            return self
        if self._within is None:
            within = object.__new__(Drivers)
            within._plan, within._within = self._plan, None
            within._take(_within(self.drive), _within_async(self.drive_async))
            self._within = within
        return self._within

    def bound(self, member: Member, terms: Terms, function: Driver, kind: int) -> Driver | None:
        """Return `function` guarded in one frame, if these drivers are no more than that."""
        if terms.budget is not None or kind not in {BLOCKING, ASYNC}:
            return None
        return bound_driver(member, terms, function, asynchronous=kind == ASYNC)

    def _take(self, blocking: Driver, asynchronous: Driver | None) -> None:
        self.drive = blocking
        self.drive_async = asynchronous or drive_async
        self.of_kind: tuple[Driver, ...] = (self.drive, self.drive_async, drive_generator, drive_async_generator)


def _within(inner: Driver) -> Driver:
    def drive_within(member: Member, terms: Terms, function: Driver, args: Arguments, kwargs: Keywords) -> object:
        with deadline(terms.budget or 0.0, clock=member.plan.clock):
            return inner(member, terms, function, args, kwargs)  # type: ignore[no-any-return]

    return drive_within


def _within_async(inner: Driver) -> Driver:
    async def drive_within(member: Member, terms: Terms, function: Driver, args: Arguments, kwargs: Keywords) -> object:
        with deadline(terms.budget or 0.0, clock=member.plan.clock):
            return await inner(member, terms, function, args, kwargs)  # type: ignore[no-any-return]

    return drive_within
