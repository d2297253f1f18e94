"""The books of a guarded iteration, and its steps: what both drivers of generators share.

Only `Step.run` makes a call. How to wait between attempts, and how to go on with a generator, is the drivers' own.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Generator
from functools import partial
from math import inf
from types import TracebackType
from typing import Any, Literal, Self

from switchgear.core.deadline import Deadline
from switchgear.core.outcome import Verdict
from switchgear.guard.attempts import Tries, cut_off
from switchgear.guard.bounding import Bound, deadline_in
from switchgear.guard.expiry import Armed
from switchgear.guard.fitting import Call
from switchgear.guard.holding import Hold
from switchgear.guard.member import Member, Ticket
from switchgear.guard.terms import Terms
from switchgear.guard.workers import Job, OutOfTime
from switchgear.policies.refusal import Refusal

Source = Generator[Any, Any, Any]


class Stream:
    """The books of one guarded iteration: what it holds, and how that is given back, once.

    `value` is what the generator returned, `hold` what the iteration holds.
    """

    __slots__ = ("_active", "_bound", "_deadline", "ended", "hold", "terms", "tries", "value")

    def __init__(self, member: Member, terms: Terms, call: Call) -> None:
        """Start now, holding nothing; all steps together have the deadline of guard and `terms` from here."""
        clock = member.plan.clock
        self.hold = Hold(member, terms)
        self.terms = terms
        self.tries = Tries(member, terms, call)
        self.value: Any = None
        self.ended = False
        self._deadline = deadline_in(terms.seconds_within(member.plan.deadline), clock)
        self._bound = Bound()
        self._active = 0.0

    @property
    def member(self) -> Member:
        """Where the iteration is let in, which is another one when that of its key was forgotten meanwhile."""
        return self.hold.member

    @property
    def left_behind(self) -> bool:
        """Whether a blocking step still runs somewhere."""
        return self.hold.left_behind

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

    def bound(self) -> Deadline | None:
        """Put the tighter of the caller's deadline and our own in force, and return it."""
        return self._bound.begin(self._deadline)

    def unbound(self) -> None:
        """Put the caller's deadline back in force, if a step has left it otherwise."""
        self._bound.end()

    def went(self, seconds: float) -> None:
        """Note a step that gave an item: from now on nothing can be repeated, nor taken back."""
        self._active += seconds
        self.tries.begun = True

    def finish(self, seconds: float, value: object) -> None:
        """Settle an iteration that came to its end, `seconds` after its last step began."""
        self.ended = True
        self.value = value
        self.hold.settle(Verdict.SUCCESS, self._active + seconds, self.member.plan.monotonic())

    def fail(self, error: BaseException, started: float | None, ends: float, *, cut: bool) -> float:
        """Settle a step that raised. Return the seconds to wait before another attempt; else raise."""
        began = started if started is None or cut else started - self._active
        try:
            return self.tries.after(error, self.hold, began, ends, cut=cut)
        finally:
            del error  # it must not be kept alive by the frames that it passed

    def drop(self) -> None:
        """Give back what is still held: closed before its end, an iteration says nothing about the dependency."""
        if self.hold.on_its_way or self.hold.left_behind:
            self.hold.give_back()
        self.hold.drop(self._active)
        self.unbound()
        self.__class__ = Stream


class HeldStream(Stream):
    """The books of an iteration that was let in.

    Only these look at their end whether nobody has closed the generator, such as after its loop was closed. An error
    that is raised while an object ends goes nowhere, and it might be an interrupt.
    """

    __slots__ = ()

    def __del__(self) -> None:
        """Give everything back."""
        self.drop()


class Step:
    """One step of an iteration as a ``with`` block, in which its deadline and context are active.

    `delay` is set when the step failed and another attempt may be made after so many seconds.
    """

    __slots__ = ("_armed", "_end", "_started", "_stream", "delay", "ends", "now")

    def __init__(self, stream: Stream, end: type[BaseException]) -> None:
        """Prepare; `end` is what tells of the end of the iteration."""
        self._stream = stream
        self._end = end
        self._started: float | None = None
        self._armed: Armed | None = None
        self.delay: float | None = None
        self.ends = inf
        self.now = 0.0

    def __enter__(self) -> Self:
        """Put the deadline in force."""
        scope = self._stream.bound()
        clock = self._stream.member.plan.clock
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
            self._stream.unbound()
            del error

    def ask(self) -> Refusal | None:
        """Ask to be let in. Return a refusal that can be waited out; raises any other, and `DeadlineExceeded`."""
        stream, member = self._stream, self._stream.member
        if self.now >= self.ends:
            raise member.too_late(sent=stream.sent)
        refusal = stream.hold.admit(self.now)
        stream.tries.at(stream.member)
        if refusal is None:
            self.let_in(self.now)
        elif stream.member.is_final(refusal, stream.terms):
            raise stream.member.refuse(refusal, self.now)
        return refusal

    def let_in(self, now: float) -> None:
        """Start the step, having been let in."""
        self._stream.__class__ = HeldStream
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

    def run(self, source: Source, call: Callable[[Any], Any], value: object) -> Any:
        """Make the step in this thread, or, when it is bounded, in a worker."""
        when, stream = self._when(), self._stream
        member, ticket = stream.member, stream.hold.ticket
        try:
            if when == inf:
                return call(value)
            job = Job(call, (value,), {}, partial(_end_left_behind, member, ticket, source))
            stream.hold.job = job
            return job.make(member.plan.clock, when)
        except OutOfTime as late:
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


def _end_left_behind(member: Member, ticket: Ticket, source: Source) -> None:
    """Close a generator whose step was left behind and has now come back, then free its place."""
    try:
        source.close()
    except BaseException as error:  # noqa: BLE001 - in a worker, where nobody is left to hear of it
        member.log("abandoned", f"a generator left behind raised {error!r} when it was closed")
    finally:
        member.end_abandoned(ticket)
