"""Permits: admission and outcome as two steps, for callers who make the call themselves.

`Permit` settles at most once. `PermitScope` is what ``guard.permit()`` returns: its body is the call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from math import inf
from types import TracebackType
from typing import cast

from switchgear.core.deadline import CURRENT
from switchgear.core.outcome import Verdict
from switchgear.guard import passing
from switchgear.guard.admission import enter, enter_async
from switchgear.guard.attempts import cut_off, settle_cut, settle_error
from switchgear.guard.bounding import Bound, deadline_in
from switchgear.guard.expiry import Armed
from switchgear.guard.holding import Back, Hold
from switchgear.guard.member import Member
from switchgear.guard.plan import Plan
from switchgear.guard.terms import Terms
from switchgear.policies.refusal import Refusal


class Permit:
    """One admitted call. Settle it once; settling again does nothing.

    The duration that counts as slow runs from the permit to its settlement. A permit that is never settled
    keeps its place in the bulkhead, so settle it in every path.
    """

    __slots__ = ("_ends", "_hold")

    def __init__(self, hold: Hold, ends: float) -> None:
        """Settle what `hold` holds. Made by a guard, not by users. `ends` is the caller's deadline."""
        self._hold = hold
        self._ends = ends

    @property
    def settled(self) -> bool:
        """Whether an outcome has been given."""
        return not self._hold.held

    def succeed(self) -> None:
        """Say that the dependency did its work."""
        passing.succeed(self._hold)

    def fail(self, error: BaseException | None = None, *, slow: bool = False) -> None:
        """Say that the dependency failed. With an `error`, ``on=`` and ``ignore=`` of the breaker judge it.

        `slow` counts the call as slow whatever its duration; say so for a timeout. Raises `TypeError` for an `error`
        that is none, such as a text; it is a failure all the same.
        """
        if not self._hold.held:
            return
        if error is None:
            self._settle(Verdict.FAILURE, slow=slow)
        elif not isinstance(cast("object", error), BaseException):
            self._settle(Verdict.FAILURE, slow=slow)
            raise _no_exception(error)
        elif slow:
            verdict = Verdict.FAILURE  # also when the question of `on=` or `ignore=` raises itself
            try:
                verdict = self._plan.judge(error, past_deadline=self._plan.monotonic() >= self._ends)
            finally:
                self._settle(verdict, slow=True)
        else:
            settle_error(self._hold, error, self._hold.since, self._ends)

    def ignore(self) -> None:
        """Say that the call tells nothing about the dependency: cancelled, or a fault of our own."""
        self._settle(Verdict.IGNORED)

    def refund(self) -> None:
        """Say that nothing left the process: the rate limit gets its cost back, and there is no verdict."""
        self._settle(Verdict.IGNORED, back="call")

    def time_out(self, *, by_timeout: bool) -> None:
        """Say that the attempt was cut off: by the guard's `Timeout`, or by a deadline of the caller."""
        settle_cut(self._hold, self._hold.since, by_timeout=by_timeout)

    @property
    def _plan(self) -> Plan:
        return self._hold.member.plan

    def _settle(self, verdict: Verdict, *, slow: bool = False, back: Back = "nothing") -> None:
        if not self._hold.held:
            return
        now = self._plan.monotonic()
        self._hold.settle(verdict, inf if slow else now - self._hold.since, now, back=back)


class BodyPermit(Permit):
    """The permit of a ``with`` body. What is said of the outcome is kept until the body ends, as is its place."""

    __slots__ = ("_said",)

    def __init__(self, hold: Hold, ends: float) -> None:
        """Start now, with what `hold` holds."""
        hold.since = hold.member.plan.monotonic()
        super().__init__(hold, ends)
        self._said: Callable[[], None] | None = None

    @property
    def settled(self) -> bool:
        """Whether an outcome has been given."""
        return self._said is not None

    def succeed(self) -> None:
        """Say that the dependency did its work."""
        self._say(super().succeed)

    def fail(self, error: BaseException | None = None, *, slow: bool = False) -> None:
        """Say that the dependency failed, as `Permit.fail` does."""
        if error is not None and not isinstance(cast("object", error), BaseException):
            self._say(partial(super().fail, slow=slow))
            raise _no_exception(error)
        self._say(partial(super().fail, error, slow=slow))

    def ignore(self) -> None:
        """Say that the call tells nothing about the dependency."""
        self._say(super().ignore)

    def refund(self) -> None:
        """Say that nothing left the process."""
        self._say(super().refund)

    def end(self, error: BaseException | None) -> None:
        """Settle at the end of the body: as was said, else by the `error` that ends it."""
        if self._said is not None:
            self._said()
        elif error is not None:
            super().fail(error)
        elif self._plan.monotonic() > self._hold.since + self._plan.timeout_seconds:
            self.time_out(by_timeout=True)
        else:
            super().succeed()

    def _say(self, outcome: Callable[[], None]) -> None:
        self._said = self._said or outcome


def _no_exception(given: object) -> TypeError:
    return TypeError(f"permit.fail takes the exception that ended the call, or nothing, not {given!r}")


def permit_now(member: Member, terms: Terms) -> Permit:
    """Return a permit without ever waiting. Raises `Rejected` when the call is not let in at once."""
    hold = Hold(member, terms)
    try:
        plan = member.plan
        now = plan.monotonic()
        if not passing.admitted(hold, now):
            _admit(hold, now)
        scope = CURRENT.get()
        permit = Permit(hold, inf if scope is None else scope.moment_on(plan.clock))
    except BaseException:
        hold.give_back()
        raise
    return permit


def _admit(hold: Hold, now: float) -> None:
    """Ask to be let in. Raises `Rejected` when that would take a wait, or more."""
    refusal = hold.admit(now)
    member = hold.member
    if refusal is not None:
        raise member.refuse(refusal, now)
    if member.news:
        member.deliver()


class PermitScope:
    """Admits on entering, settles on leaving; for ``with`` and ``async with``. Use it once.

    The guard's deadline and, in tasks, its `Timeout` hold for the body, which ends in `DeadlineExceeded` then.
    The body of a blocking ``with`` cannot be stopped: running past the `Timeout` counts as failed and slow, no
    more. Entering raises `Rejected` or `DeadlineExceeded`.
    """

    __slots__ = ("_armed", "_bound", "_ends", "_hold", "_permit", "_when")

    def __init__(self, member: Member, terms: Terms) -> None:
        """Prepare; nothing is taken before entering."""
        self._hold = Hold(member, terms)
        self._bound = Bound()
        self._permit: BodyPermit | None = None
        self._armed: Armed | None = None
        self._ends = inf
        self._when = inf

    def __enter__(self) -> Permit:
        """Get in, blocking this thread if there is something to wait for."""
        self._check_unused()
        try:
            refusal, now = self._ask()
            if refusal is not None:
                enter(self._hold, refusal, now, self._ends, sent=False)
            permit = self._begin()
        except BaseException:
            self._leave()
            raise
        return permit

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Settle by what was said, or by how the body ended."""
        try:
            self._bound.end()
            self._entered.end(error)
        finally:
            self._leave()

    async def __aenter__(self) -> Permit:
        """Get in, suspending this task if there is something to wait for."""
        self._check_unused()
        try:
            refusal, now = self._ask()
            if refusal is not None:
                await enter_async(self._hold, refusal, now, self._ends, sent=False)
            permit = self._begin()
            plan = self._hold.member.plan
            self._when = plan.monotonic() + plan.timeout_seconds
            if min(self._when, self._ends) < inf:
                self._armed = Armed(plan.timers, min(self._when, self._ends))
        except BaseException:
            self._leave()
            raise
        return permit

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Settle by what was said, or by how the body ended. Raises `DeadlineExceeded` when we ended it."""
        try:
            cut = self._armed is not None and self._armed.disarm()
            self._bound.end()
            if cut and isinstance(error, asyncio.CancelledError):
                by_timeout = self._when <= self._ends
                self._entered.time_out(by_timeout=by_timeout)
                raise cut_off(self._hold.member, by_timeout=by_timeout) from error
            self._entered.end(error)
        finally:
            self._leave()

    @property
    def _entered(self) -> BodyPermit:
        if self._permit is None:
            raise RuntimeError("a permit is left before it was entered")
        return self._permit

    def _check_unused(self) -> None:
        if self._permit is not None:
            raise RuntimeError("a permit can be used once; ask the guard for a new one")

    def _ask(self) -> tuple[Refusal | None, float]:
        """Start the deadline and ask to be let in."""
        plan = self._hold.member.plan
        clock = plan.clock
        scope = self._bound.begin(deadline_in(self._hold.terms.seconds_within(plan.deadline), clock))
        self._ends = inf if scope is None else scope.moment_on(clock)
        now = clock.monotonic()
        if now >= self._ends:
            raise self._hold.member.too_late(sent=False)
        return self._hold.admit(now), now

    def _begin(self) -> Permit:
        if self._hold.member.news:
            self._hold.member.deliver()
        self._permit = BodyPermit(self._hold, self._ends)
        self.__class__ = EnteredScope
        return self._permit

    def _leave(self) -> None:
        """Put the caller's deadline back in force, and give back what an interrupt left held."""
        self._bound.end()
        if self._hold.held or self._hold.on_its_way:
            self._hold.give_back()
        self.__class__ = PermitScope


class EnteredScope(PermitScope):
    """A scope whose body runs.

    When an interrupt comes at the very start of `__exit__`, nothing of ours runs. Then it is dropped as it is, with the
    traceback of the error, and gives back what it holds. A scope that was left is none of these any more, since an
    error that is raised while an object ends goes nowhere, and it might be an interrupt.
    """

    __slots__ = ()

    def __del__(self) -> None:
        """Give back what is held."""
        self._bound.end()
        self._hold.drop(0.0)
