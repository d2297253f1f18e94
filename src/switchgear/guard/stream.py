"""The books of a guarded iteration, and its steps: what both drivers of generators share.

Only `Step.run` makes a call. How to wait between attempts, and how to go on with a generator, is the drivers' own.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Generator
from contextvars import Token
from functools import partial
from math import inf
from types import TracebackType
from typing import Any, Literal, Self

from switchgear.core.deadline import CURRENT, Deadline
from switchgear.core.outcome import Verdict
from switchgear.guard.attempts import Tries, cut_off
from switchgear.guard.expiry import Armed
from switchgear.guard.member import Member, Ticket
from switchgear.guard.terms import Terms
from switchgear.guard.workers import OutOfTime, call_in_worker
from switchgear.policies.refusal import Refusal

Source = Generator[Any, Any, Any]


class Stream:
    """The books of one guarded iteration: what it holds, and how that is given back, once.

    `value` is what the generator returned, `sent` whether something may have left, `left_behind` whether a blocking
    step still runs somewhere, `ticket` what the iteration was let in with.
    """

    __slots__ = ("_active", "_budget", "_holds", "ended", "left_behind", "member", "terms", "ticket", "tries", "value")

    def __init__(self, member: Member, terms: Terms) -> None:
        """Start now, holding nothing; all steps together have the budget of `terms` from here."""
        clock = member.plan.clock
        self.member = member
        self.terms = terms
        self.tries = Tries(member, terms)
        self.value: Any = None
        self.ended = self.left_behind = self._holds = False
        self._budget = None if terms.budget is None else Deadline(clock.monotonic() + terms.budget, clock)
        self.ticket: Ticket = None
        self._active = 0.0

    def __del__(self) -> None:
        """Give everything back when nobody closed the generator, such as after its loop was closed."""
        self.drop()

    @property
    def sent(self) -> bool:
        """Whether an attempt or a step has been made."""
        return self.tries.begun or self.tries.made > 0

    def step(self, end: type[BaseException]) -> Step:
        """Return the next step; `end` is what the generator raises at its end."""
        return Step(self, end)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function` with the faults of the guard, where there are any."""
        injector = self.member.plan.injector
        return function if injector is None else injector.around(self.terms, function)

    def scope(self) -> Deadline | None:
        """Return the tighter of the caller's deadline and our own."""
        outer, own = CURRENT.get(), self._budget
        if own is None or (outer is not None and outer.moment_on(own.clock) <= own.expires_at):
            return outer
        return own

    def go_to(self, member: Member) -> None:
        """Go on in the member that let the iteration in, where the one of its key was forgotten meanwhile."""
        self.member = member
        self.tries.at(member)

    def hold(self, ticket: Ticket) -> None:
        """Take what admission gave."""
        self.ticket = ticket
        self._holds = True

    def went(self, seconds: float) -> None:
        """Note a step that gave an item: from now on nothing can be repeated, nor taken back."""
        self._active += seconds
        self.tries.begun = True

    def finish(self, seconds: float, value: object) -> None:
        """Settle an iteration that came to its end, `seconds` after its last step began."""
        member = self.member
        self._holds = False
        self.ended = True
        self.value = value
        member.settle(self.ticket, Verdict.SUCCESS, self._active + seconds, member.plan.monotonic())

    def fail(self, error: BaseException, started: float | None, ends: float, *, cut: bool) -> float:
        """Settle a step that raised. Return the seconds to wait before another attempt; else raise."""
        self._holds = False
        began = started if started is None or cut else started - self._active
        try:
            return self.tries.after(error, self.ticket, began, ends, self.terms.cost, cut=cut)
        finally:
            del error  # it must not be kept alive by the frames that it passed

    def drop(self) -> None:
        """Give back what is still held: closed before its end, an iteration says nothing about the dependency."""
        if self._holds:
            self._holds = False
            self.member.drop(self.ticket, self._active)


class Step:
    """One step of an iteration as a ``with`` block, in which its deadline and context are active.

    `delay` is set when the step failed and another attempt may be made after so many seconds.
    """

    __slots__ = ("_armed", "_end", "_started", "_stream", "_token", "delay", "ends", "now")

    def __init__(self, stream: Stream, end: type[BaseException]) -> None:
        """Prepare; `end` is what tells of the end of the iteration."""
        self._stream = stream
        self._end = end
        self._started: float | None = None
        self._armed: Armed | None = None
        self._token: Token[Deadline | None] | None = None
        self.delay: float | None = None
        self.ends = inf
        self.now = 0.0

    def __enter__(self) -> Self:
        """Put the deadline in force."""
        scope = self._stream.scope()
        clock = self._stream.member.plan.clock
        self._token = CURRENT.set(scope)
        self.ends = inf if scope is None else scope.moment_on(clock)
        self.now = clock.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Note how the step ended. An error passes, ours in place of one that we caused, unless there is a `delay`."""
        try:
            cut = self._was_cut(error)
            started = self.now if self._started is None else self._started
            if error is None or isinstance(error, self._end):
                seconds = self._stream.member.plan.monotonic() - started
                if error is None:
                    self._stream.went(seconds)
                else:
                    self._stream.finish(seconds, getattr(error, "value", None))
            else:
                self.delay = self._stream.fail(error, self._started, self.ends, cut=cut)
            return error is not None
        except BaseException as raised:
            if raised is error:
                return False
            raise
        finally:
            self._reset()
            del error

    def ask(self) -> Refusal | None:
        """Ask to be let in. Return a refusal that can be waited out; raises any other, and `DeadlineExceeded`."""
        stream, member = self._stream, self._stream.member
        stream.left_behind = False
        if self.now >= self.ends:
            raise member.too_late(sent=stream.sent)
        member, admitted = member.admit(self.now, stream.terms)
        stream.go_to(member)
        if not isinstance(admitted, Refusal):
            self.let_in(admitted, self.now)
            return None
        if member.is_final(admitted, stream.terms):
            raise member.refuse(admitted, self.now)
        return admitted

    def let_in(self, ticket: Ticket, now: float) -> None:
        """Start the step with what admission gave."""
        self._stream.hold(ticket)
        self._started = now

    def go_on(self) -> None:
        """Start a step after the first. Raises `DeadlineExceeded` when the time is over."""
        self._started = self.now
        if self.now >= self.ends:
            raise self._stream.member.too_late(sent=True, during="between two steps")

    def arm(self) -> None:
        """Bound the step in this task."""
        if (when := self._when()) < inf:
            self._armed = Armed(self._stream.member.plan.timers, when)

    def run(self, source: Source, call: Callable[[Any], Any], value: object) -> Any:  # noqa: ANN401 - an item
        """Make the step in this thread, or, when it is bounded, in a worker."""
        when, stream = self._when(), self._stream
        member, ticket = stream.member, stream.ticket
        try:
            if when == inf:
                return call(value)
            left_behind = partial(_end_left_behind, member, ticket, source)
            return call_in_worker(call, (value,), {}, member.plan.clock, when, left_behind)
        except OutOfTime as late:
            stream.left_behind = late.still_runs
            if not late.still_runs:
                source.close()
            raise
        finally:
            del value  # an error must not be kept alive by the frames that it passed

    def _when(self) -> float:
        started = self.now if self._started is None else self._started
        return min(started + self._stream.member.plan.timeout_seconds, self.ends)

    def _was_cut(self, error: BaseException | None) -> bool:
        """End the bound. Return whether it was what ended the step."""
        fired = self._armed is not None and self._armed.disarm()
        return (fired and isinstance(error, CancelledError)) or isinstance(error, OutOfTime)

    def _reset(self) -> None:
        """Put the caller's deadline back in force."""
        token, self._token = self._token, None
        if token is None:
            return
        try:
            CURRENT.reset(token)
        except ValueError:
            return  # a step dropped half-way, and ended in another context: there is nothing to put back here


class Closing(Step):
    """The step that closes an iteration before its end. `Timeout` alone bounds it, since a deadline may be over."""

    __slots__ = ()

    def __init__(self, stream: Stream) -> None:
        """Prepare."""
        super().__init__(stream, GeneratorExit)

    def __enter__(self) -> Self:
        """Put the deadline in force for what is called inside."""
        super().__enter__()
        self.ends = inf
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        """Give back what is held. Errors pass; raises `DeadlineExceeded` when closing ran into the `Timeout`."""
        try:
            if self._was_cut(error):
                raise cut_off(self._stream.member, by_timeout=True) from error
            return False
        finally:
            self._stream.drop()
            self._reset()


def _end_left_behind(member: Member, ticket: Ticket, source: Source) -> None:
    """Close a generator whose step was left behind and has now come back, then free its place."""
    try:
        source.close()
    except BaseException as error:  # noqa: BLE001 - in a worker, where nobody is left to hear of it
        member.log("abandoned", f"a generator left behind raised {error!r} when it was closed")
    finally:
        member.end_abandoned(ticket)
