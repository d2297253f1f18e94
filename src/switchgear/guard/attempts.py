"""What happens after an attempt has failed: the verdict is settled, then it is decided whether to try again.

Shared by the blocking and the asynchronous driver, which only wait differently. Nothing here sleeps.
"""

from __future__ import annotations

from math import inf
from typing import Self

from switchgear.core.codes import Code
from switchgear.core.errors import DeadlineExceeded, Rejected, RetryExhausted, may_have_left
from switchgear.core.outcome import Verdict
from switchgear.guard.fitting import Call, is_misfit
from switchgear.guard.holding import Back, Hold
from switchgear.guard.member import Member
from switchgear.guard.plan import never_left
from switchgear.guard.repeats import withdraw
from switchgear.guard.terms import Terms
from switchgear.guard.workers import OutOfTime
from switchgear.policies.hints import hint_of
from switchgear.policies.retry import Retry

_HISTORY_MAX = 100

Then = float | BaseException
"""Seconds to wait before the next attempt, or the error to raise."""


def settle_error(hold: Hold, error: BaseException, started: float, ends: float, *, refunds: bool = True) -> None:
    """Settle an attempt that ended with `error`. One that never left is refunded, unless `refunds` is False.

    Where the question of ``on=`` or ``ignore=`` raises itself, the attempt has failed, and that error goes on.
    """
    plan = hold.member.plan
    now = plan.monotonic()
    if isinstance(error, GeneratorExit):  # a dropped coroutine, perhaps ended by the garbage collector
        hold.drop(now - started)
        return
    verdict = Verdict.FAILURE
    try:
        verdict = plan.judge(error, past_deadline=now >= ends)
    finally:
        hold.settle(verdict, now - started, now, back=_back(error) if refunds else "nothing")


def _back(error: BaseException) -> Back:
    """Return what a call that ended with `error` is given back."""
    if never_left(error):
        return "call"
    return "nothing" if may_have_left(error) else "cost"


def settle_misfit(hold: Hold, started: float) -> None:
    """Take back a call that does not fit its function: as if it had never been let in."""
    now = hold.member.plan.monotonic()
    hold.settle(Verdict.IGNORED, now - started, now, back="call")


def settle_cut(hold: Hold, started: float, *, by_timeout: bool) -> None:
    """Settle an attempt that we cut off: by its `Timeout`, which is a failure, or by a deadline, which says nothing."""
    now = hold.member.plan.monotonic()
    verdict = Verdict.FAILURE if by_timeout else Verdict.IGNORED
    hold.settle(verdict, inf if by_timeout else now - started, now, timed_out=by_timeout)


def cut_off(member: Member, *, by_timeout: bool) -> DeadlineExceeded:
    """Return the error for an attempt that we cut off."""
    if not by_timeout:
        return member.too_late(sent=True, during="during an attempt")
    seconds = member.plan.timeout_seconds
    return DeadlineExceeded(f"an attempt took longer than {seconds:g} s", sent=True, dependency=member.label)


class Tries:
    """The attempts of one call, from the first error on. Each `after_…` returns what to do `Then`.

    The error returned is the very error given when it passes unchanged. `made` counts attempts that were let
    in, by `member`. Once a generator has `begun` to give items, nothing is repeated or refunded. A call that does not
    fit its function is neither repeated nor counted.
    """

    __slots__ = (
        "_failed_last",
        "_history",
        "_last",
        "_previous",
        "_refusals",
        "_refused_by",
        "_repeats",
        "_retry",
        "begun",
        "call",
        "made",
        "member",
    )

    def __init__(self, member: Member, terms: Terms, call: Call) -> None:
        """Start before the first error of `call`."""
        self.member = member
        self.call = call
        self._retry = None if terms.once else member.plan.retry
        self._repeats = terms.repeats(member.plan.effect)
        self._history: list[str] = []
        self._last: BaseException | None = None
        self._previous = 0.0
        self._refusals = 0
        self._refused_by = ""
        self._failed_last = False
        self.begun = False
        self.made = 0

    def at(self, member: Member) -> Self:
        """Return itself, for attempts that `member` lets in from now on."""
        self.member = member
        return self

    def again(self) -> None:
        """Count that another attempt is made, unless the last one was only refused at the door."""
        if self._failed_last:
            self.member.count_retry()

    def after(self, error: BaseException, hold: Hold, started: float | None, ends: float, *, cut: bool) -> float:
        """Settle an attempt that ended in `error`. Return the seconds to wait before the next; else raise.

        `started` is None when the attempt was not let in. `cut` says that we ended it: the error is then ours
        to replace. An error that is not to be retried is raised unchanged.
        """
        then: Then
        if started is None:
            then = self._after_refusal(error, ends)
        elif cut:
            then = self._after_cut(hold, error, started, ends)
        elif self.begun:
            settle_error(hold, error, started, ends, refunds=False)
            then = error
        elif is_misfit(error, self.call):
            settle_misfit(hold, started)
            then = error
        else:
            settle_error(hold, error, started, ends)
            then = self._after_refusal(error, ends) if never_left(error) else self._next(error, ends)
        try:
            return self._go(then)
        finally:
            del then, error  # an error must not be kept alive by the frames that it passed

    def after_copies(self, error: BaseException, ends: float) -> float:
        """Return the seconds to wait after an attempt whose copies have all been settled; else raise."""
        try:
            if is_misfit(error, self.call):
                raise error
            return self._go(self._after_refusal(error, ends) if never_left(error) else self._next(error, ends))
        finally:
            del error

    def _go(self, then: Then) -> float:
        """Return the seconds to wait, or raise: the call is over then, and remembers no error."""
        if not isinstance(then, BaseException):
            return then
        self._last = None
        try:
            raise then
        finally:
            del then  # an error must not be kept alive by the frames that it passed

    def _after_refusal(self, error: BaseException, ends: float) -> Then:
        """Go on after an attempt that was not let in, or that was refused further inside: nothing left.

        A refusal is waited out when a deadline is in force and it fits; that uses up one attempt. When an
        earlier attempt has left, the call as a whole is no mere refusal, and ends as `RetryExhausted`.
        """
        if not isinstance(error, Rejected):
            return self._too_late(error) if never_left(error) and self._last is not None else error
        self._failed_last = False
        self._refusals += 1
        self._refused_by = str(error.code)
        retry = self._retry
        if retry is not None and self._fits(retry, error.retry_after, ends):
            return error.retry_after or 0.0
        if retry is None or self._last is None:
            return error
        return self._exhausted(self._last, f"stopped after {self.made} of {retry.attempts} attempts by {error.code}")

    def _too_late(self, error: BaseException) -> BaseException:
        """Say of the whole call that something has left, though `error` says of its last attempt that nothing did."""
        late = self.member.too_late(sent=True, during="before another attempt could start")
        late.__cause__ = error
        return late

    def _after_cut(self, hold: Hold, error: BaseException, started: float, ends: float) -> Then:
        """Go on after an attempt that we ended. A blocking one may still run."""
        by_timeout = started + self.member.plan.timeout_seconds <= ends
        left = error if isinstance(error, OutOfTime) else None
        interruption = None if left is None else left.interruption
        settle_cut(hold, started, by_timeout=by_timeout and interruption is None)
        if interruption is not None:
            return interruption
        failure = cut_off(self.member, by_timeout=by_timeout)
        failure.__cause__ = error if left is None else None
        return self._next(failure, ends)

    def _next(self, error: BaseException, ends: float) -> Then:
        retry = self._retry
        self.made += 1
        self._failed_last = True
        self._last = error
        if retry is None or self.begun or not retry.retries(error) or self._is_over(error, ends):
            return error
        if not self._repeats and may_have_left(error):
            return error
        self._remember(error)
        if self._used_up(retry):
            return self._exhausted(error, self._count(retry))
        wait = self._wait(retry, error)
        if wait is None:
            return error
        then = self._if_in_time(wait, error, ends)
        if not isinstance(then, BaseException) and not withdraw(self.member, error):
            return self._exhausted(error, "the retry budget is empty", Code.RETRY_BUDGET_EMPTY)
        return then

    def _is_over(self, error: BaseException, ends: float) -> bool:
        """Return whether the deadline of the whole call is what ended the attempt."""
        return isinstance(error, DeadlineExceeded) and self.member.plan.monotonic() >= ends

    def _fits(self, retry: Retry, wait: float | None, ends: float) -> bool:
        if wait is None or ends == inf or self._used_up(retry):
            return False
        return wait <= retry.hint_max and self.member.plan.monotonic() + wait < ends

    def _used_up(self, retry: Retry) -> bool:
        return self.made + self._refusals >= retry.attempts

    def _wait(self, retry: Retry, error: BaseException) -> float | None:
        """Return the seconds to wait, or None when the other side says not to come back, or too late."""
        plan = self.member.plan
        hint = hint_of(error, plan.clock.time())
        if hint is not None and not 0 <= hint <= retry.hint_max:
            return None
        self._previous = retry.wait(self.made + self._refusals, plan.random.random(), self._previous)
        return self._previous if hint is None else max(hint, self._previous)

    def _if_in_time(self, wait: float, error: BaseException, ends: float) -> Then:
        """Return `wait`, or the error for a wait that would outlast the deadline."""
        member = self.member
        if member.plan.monotonic() + wait < ends:
            return wait
        late = member.too_late(sent=True, during=f"before attempt {self.made + 1}, after {_text(error)}")
        late.__cause__ = error
        return late

    def _remember(self, error: BaseException) -> None:
        if len(self._history) < _HISTORY_MAX:
            self._history.append(_text(error))

    def _count(self, retry: Retry) -> str:
        """Say how the attempts were used up. A refusal that was waited out used one without being made."""
        if not self._refusals:
            return f"{self.made} attempts failed"
        return f"{self.made} of {retry.attempts} attempts failed, {self._refusals} refused by {self._refused_by}"

    def _exhausted(self, last: BaseException, how: str, code: Code | None = None) -> BaseException:
        if code is None and self.made + self._refusals == 1:
            return last
        exhausted = RetryExhausted(
            f"{how}; the last failed with {_text(last)}",
            code=code,
            attempts=self.made,
            history=tuple(self._history),
            dependency=self.member.label,
        )
        exhausted.__cause__ = last
        return exhausted


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
