"""Permits: admission and outcome as two steps, for callers who make the call themselves.

`Permit` settles at most once. `PermitScope` is what ``guard.permit()`` returns: its body is the call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from math import inf
from types import TracebackType

from switchgear.core.deadline import CURRENT, deadline
from switchgear.core.outcome import Verdict
from switchgear.guard.attempts import cut_off, settle_cut, settle_error
from switchgear.guard.entry import enter, enter_async
from switchgear.guard.expiry import Armed
from switchgear.guard.member import Member, Ticket
from switchgear.guard.terms import Terms
from switchgear.policies.refusal import Refusal


class Permit:
    """One admitted call. Settle it once; settling again does nothing.

    The duration that counts as slow runs from the permit to its settlement. A permit that is never settled
    keeps its place in the bulkhead, so settle it in every path.
    """

    __slots__ = ("_ends", "_member", "_settled", "_started", "_terms", "_ticket")

    def __init__(self, member: Member, ticket: Ticket, terms: Terms, ends: float) -> None:
        """Start now. Made by a guard, not by users. `ends` is the caller's deadline."""
        self._member = member
        self._ticket = ticket
        self._terms = terms
        self._ends = ends
        self._settled = False
        self._started = member.plan.monotonic()

    @property
    def settled(self) -> bool:
        """Whether an outcome has been given."""
        return self._settled

    def succeed(self) -> None:
        """Say that the dependency did its work."""
        if self._once():
            self._settle(Verdict.SUCCESS, slow=False)

    def fail(self, error: BaseException | None = None, *, slow: bool = False) -> None:
        """Say that the dependency failed. With an `error`, ``on=`` and ``ignore=`` of the breaker judge it.

        `slow` counts the call as slow whatever its duration; say so for a timeout.
        """
        if not self._once():
            return
        if error is None:
            self._settle(Verdict.FAILURE, slow=slow)
        elif slow:
            verdict = Verdict.FAILURE  # also when the question of `on=` or `ignore=` raises itself
            try:
                verdict = self._member.plan.judge(error, past_deadline=self._past_deadline())
            finally:
                self._settle(verdict, slow=True)
        else:
            settle_error(self._member, self._ticket, error, self._started, self._ends, self._terms.cost)

    def ignore(self) -> None:
        """Say that the call tells nothing about the dependency: cancelled, or a fault of our own."""
        if self._once():
            self._settle(Verdict.IGNORED, slow=False)

    def refund(self) -> None:
        """Say that nothing left the process: the rate limit gets its cost back, and there is no verdict."""
        if not self._once():
            return
        with self._member.mutex, self._member:
            now = self._member.plan.monotonic()
            self._member.refund_locked(self._ticket, self._terms.cost, now, now - self._started)
        self._deliver()

    def time_out(self, *, by_timeout: bool) -> None:
        """Say that the attempt was cut off: by the guard's `Timeout`, or by a deadline of the caller."""
        if self._once():
            settle_cut(self._member, self._ticket, self._started, by_timeout=by_timeout, still_runs=False)

    def _past_deadline(self) -> bool:
        return self._member.plan.monotonic() >= self._ends

    def _settle(self, verdict: Verdict, *, slow: bool) -> None:
        now = self._member.plan.monotonic()
        self._member.settle(self._ticket, verdict, inf if slow else now - self._started, now)

    def _deliver(self) -> None:
        if self._member.news:
            self._member.deliver()

    def _once(self) -> bool:
        first, self._settled = not self._settled, True
        return first


class BodyPermit(Permit):
    """The permit of a ``with`` body. What is said of the outcome is kept until the body ends, as is its place."""

    __slots__ = ("_said",)

    def __init__(self, member: Member, ticket: Ticket, terms: Terms, ends: float) -> None:
        """Start now."""
        super().__init__(member, ticket, terms, ends)
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
        elif self._member.plan.monotonic() > self._started + self._member.plan.timeout_seconds:
            self.time_out(by_timeout=True)
        else:
            super().succeed()

    def _say(self, outcome: Callable[[], None]) -> None:
        self._said = self._said or outcome


class PermitScope:
    """Admits on entering, settles on leaving; for ``with`` and ``async with``. Use it once.

    The guard's deadline and, in tasks, its `Timeout` hold for the body, which ends in `DeadlineExceeded` then.
    The body of a blocking ``with`` cannot be stopped: running past the `Timeout` counts as failed and slow, no
    more. Entering raises `Rejected` or `DeadlineExceeded`.
    """

    __slots__ = ("_armed", "_deadline", "_ends", "_member", "_permit", "_terms", "_when")

    def __init__(self, member: Member, terms: Terms) -> None:
        """Prepare; nothing is taken before entering."""
        self._member = member
        self._terms = terms
        self._deadline = None if terms.budget is None else deadline(terms.budget, clock=member.plan.clock)
        self._permit: BodyPermit | None = None
        self._armed: Armed | None = None
        self._ends = inf
        self._when = inf

    def __enter__(self) -> Permit:
        """Get in, blocking this thread if there is something to wait for."""
        try:
            ticket, now = self._ask()
            if isinstance(ticket, Refusal):
                ticket, _ = enter(self._member, ticket, self._terms, now, self._ends, sent=False)
        except BaseException:
            self._close()
            raise
        return self._begin(ticket)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Settle by what was said, or by how the body ended."""
        entered = self._entered
        self._close()
        entered.end(error)

    async def __aenter__(self) -> Permit:
        """Get in, suspending this task if there is something to wait for."""
        try:
            ticket, now = self._ask()
            if isinstance(ticket, Refusal):
                ticket, _ = await enter_async(self._member, ticket, self._terms, now, self._ends, sent=False)
        except BaseException:
            self._close()
            raise
        permit = self._begin(ticket)
        plan = self._member.plan
        self._when = plan.monotonic() + plan.timeout_seconds
        if min(self._when, self._ends) < inf:
            self._armed = Armed(plan.timers, min(self._when, self._ends))
        return permit

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Settle by what was said, or by how the body ended. Raises `DeadlineExceeded` when we ended it."""
        cut = self._armed is not None and self._armed.disarm()
        self._close()
        if cut and isinstance(error, asyncio.CancelledError):
            by_timeout = self._when <= self._ends
            self._entered.time_out(by_timeout=by_timeout)
            raise cut_off(self._member, by_timeout=by_timeout) from error
        self._entered.end(error)

    @property
    def _entered(self) -> BodyPermit:
        if self._permit is None:
            raise RuntimeError("a permit is left before it was entered")
        return self._permit

    def _ask(self) -> tuple[Ticket | Refusal, float]:
        """Start the deadline and ask to be let in."""
        if self._permit is not None:
            raise RuntimeError("a permit can be used once; ask the guard for a new one")
        if self._deadline is not None:
            self._deadline.__enter__()
        clock = self._member.plan.clock
        scope = CURRENT.get()
        self._ends = inf if scope is None else scope.moment_on(clock)
        now = clock.monotonic()
        if now >= self._ends:
            raise self._member.too_late(sent=False)
        self._member, ticket = self._member.admit(now, self._terms)
        return ticket, now

    def _begin(self, ticket: Ticket) -> Permit:
        if self._member.news:
            self._member.deliver()
        self._permit = BodyPermit(self._member, ticket, self._terms, self._ends)
        return self._permit

    def _close(self) -> None:
        """Leave the deadline's scope."""
        if self._deadline is not None:
            self._deadline.__exit__(None, None, None)
            self._deadline = None
