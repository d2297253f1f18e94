"""Hedging round an attempt: when a copy takes long another one is sent, and the first answer counts.

`Race` holds what both drivers share: which copies run, when the next one is due, and which outcome counts. Each copy
passes admission and the attempt's timeout for itself, and settles itself; one that lost is told to end, and settles as
ignored when it does. A blocking copy cannot be told, and is left to end in its thread.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

from switchgear.core.clock import Clock
from switchgear.core.deadline import CURRENT
from switchgear.core.errors import Overloaded
from switchgear.guard.attempts import Tries
from switchgear.guard.drivers import Arguments, Keywords
from switchgear.guard.fitting import Call, is_misfit
from switchgear.guard.member import Member
from switchgear.guard.plan import never_left
from switchgear.guard.repeats import hedge_delay, record_copy, withdraw
from switchgear.guard.terms import Terms
from switchgear.guard.workers import start_in_worker, wait_for

Driver = Callable[..., Any]
End = tuple[float, Any, BaseException | None]
"""How long a blocking copy took, what it gave, and what it raised."""

_LOOK_AGAIN_SECONDS = 60.0
_ENDING: set[asyncio.Task[Any]] = set()  # losers that have been told to end; the loop itself keeps no hold of them


class Race:
    """The copies of one attempt."""

    __slots__ = ("_call", "_ends", "_error", "_member", "_options", "due", "running", "sent")

    def __init__(self, member: Member, call: Call) -> None:
        """Start before the first copy of `call`."""
        options = member.plan.hedge
        assert options is not None  # only hedged calls race
        scope = CURRENT.get()
        self._member = member
        self._call = call
        self._options = options
        self._error: Exception | None = None
        self._ends = inf if scope is None else scope.moment_on(member.plan.clock)
        self.sent = self.running = 0
        self.due = inf

    def start(self) -> None:
        """Note that a copy sets out, and when the next one is due."""
        self.sent += 1
        self.running += 1
        if self.sent > 1:
            self._member.count_hedge()
        delay = None if self.sent >= self._options.attempts else hedge_delay(self._member)
        self.due = inf if delay is None else self._member.plan.monotonic() + delay

    @property
    def next_is_due(self) -> bool:
        """Whether another copy may set out now. Asking takes from the retry budget; without it there are no more."""
        now = self._member.plan.monotonic()
        if now < self.due:
            return False
        self.due = inf  # also at the deadline: nobody waits for a moment that has passed
        return now < self._ends and withdraw(self._member)

    @property
    def wait(self) -> float:
        """Seconds until the next copy is due, or the deadline; infinite when neither is to come."""
        return max(0.0, min(self.due, self._ends) - self._member.plan.monotonic())

    def won(self, duration: float) -> None:
        """Note a copy that has answered, after so many seconds."""
        record_copy(self._member, duration)

    def lost(self, error: BaseException, duration: float | None) -> None:
        """Note a copy that failed, after so many seconds or before it could run. Raises what ends the race with it.

        That is what is no `Exception`, and a call that does not fit its function, which nothing is learnt from.
        The first error is the one that counts, but that of a copy which never left gives way to one that did.
        """
        self.running -= 1
        misfit = is_misfit(error, self._call)
        if duration is not None and not misfit:
            record_copy(self._member, duration)
        if misfit or not isinstance(error, Exception):
            try:
                raise error
            finally:
                del error  # an error must not be kept alive by the frames that it passed
        if self._error is None or (never_left(self._error) and not never_left(error)):
            self._error = error
        if self._options.starts_next(error) and self.sent < self._options.attempts:
            self.due = -inf

    def finish(self) -> Exception:
        """Return the error of a race in which every copy failed."""
        error, self._error = self._error, None
        assert error is not None  # no copy is left, and none has answered
        return error


def drive_hedged(drive: Driver) -> Driver:
    """Return the blocking driver that hedges calls of `drive` that were declared safe, with `Retry` round the race."""

    def driver(member: Member, terms: Terms, function: Driver, args: Arguments, kwargs: Keywords) -> object:
        if not terms.is_safe(member.plan.effect):
            return drive(member, terms, function, args, kwargs)
        call = function, args, kwargs
        tries, once = Tries(member, terms, call), replace(terms, once=True)
        while True:
            try:
                return _race(drive, member, once, call)
            except Exception as error:  # noqa: BLE001 - decided on, and raised again, by `after_copies`
                delay = tries.after_copies(error, _ends(member))
            member.plan.clock.sleep(delay)
            tries.again()

    return driver


def drive_hedged_async(drive: Driver) -> Driver:
    """Return the driver that does for async functions what `drive_hedged` does."""

    async def driver(member: Member, terms: Terms, function: Driver, args: Arguments, kwargs: Keywords) -> object:
        if not terms.is_safe(member.plan.effect):
            return await drive(member, terms, function, args, kwargs)
        call = function, args, kwargs
        tries, once = Tries(member, terms, call), replace(terms, once=True)
        while True:
            try:
                return await _race_async(drive, member, once, call)
            except Exception as error:  # noqa: BLE001 - decided on, and raised again, by `after_copies`
                delay = tries.after_copies(error, _ends(member))
            await member.plan.clock.sleep_async(delay)
            tries.again()

    return driver


def _ends(member: Member) -> float:
    scope = CURRENT.get()
    return inf if scope is None else scope.moment_on(member.plan.clock)


async def _race_async(drive: Driver, member: Member, terms: Terms, call: Call) -> object:
    race = Race(member, call)
    clock = member.plan.clock
    stirred = asyncio.Event()
    copies: dict[asyncio.Task[Any], float] = {}
    copy: asyncio.Task[Any] | None
    error: BaseException | None

    def send() -> None:
        race.start()
        started = clock.monotonic()  # before the copy is made: a loop with eager tasks runs it at once
        copy = asyncio.ensure_future(drive(member, terms, *call))
        copies[copy] = started
        copy.add_done_callback(lambda _copy: stirred.set())

    try:
        send()
        while True:
            await _until(race, stirred, clock)
            for copy in [copy for copy in copies if copy.done()]:
                duration = clock.monotonic() - copies.pop(copy)
                error = copy.exception()
                if error is None:
                    race.won(duration)
                    return copy.result()
                race.lost(error, duration)
            if race.next_is_due:
                send()
            elif not copies:
                raise race.finish()
    finally:
        copy = error = None  # an error must not be kept alive by the frames that it passed
        for copy, started in copies.items():
            record_copy(member, clock.monotonic() - started)
            copy.cancel()
            _ENDING.add(copy)
            copy.add_done_callback(_forget)


async def _until(race: Race, stirred: asyncio.Event, clock: Clock) -> None:
    """Wait until a copy has ended, or the next one is due."""
    timer = clock.call_at(race.due, stirred.set) if clock.monotonic() < race.due < inf else None
    try:
        if timer is not None or race.due == inf:
            await stirred.wait()
        stirred.clear()
    finally:
        if timer is not None:
            timer.cancel()


def _forget(copy: asyncio.Task[Any]) -> None:
    """Let go of a copy that lost. What it raised at its end was looked at, and nobody asks for it."""
    _ENDING.discard(copy)
    if not copy.cancelled():
        copy.exception()


def _race(drive: Driver, member: Member, terms: Terms, call: Call) -> object:
    race = Race(member, call)
    clock = member.plan.clock
    ends: queue.SimpleQueue[End] = queue.SimpleQueue()
    stirred = threading.Event()

    def copy() -> None:
        started, result, failed = clock.monotonic(), None, None
        try:
            result = drive(member, terms, *call)
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller, who raises it
            failed = error
        ends.put((clock.monotonic() - started, result, failed))
        failed = None  # an error must not be kept alive by the frames that it passed
        stirred.set()

    def send() -> None:
        race.start()
        try:
            start_in_worker(copy, clock)
        except Overloaded as refused:  # no thread is free: this copy is lost, those under way go on
            race.lost(refused, None)

    send()
    while True:
        if race.running:
            wait_for(stirred, clock, min(race.wait, _LOOK_AGAIN_SECONDS))
        stirred.clear()
        if (answer := _answer(race, ends)) is not None:
            return answer[0]
        if race.next_is_due:
            send()
        elif not race.running:
            raise race.finish()


def _answer(race: Race, ends: queue.SimpleQueue[End]) -> tuple[object] | None:
    """Take note of the copies that have ended. Return the first answer, or None while there is none."""
    error: BaseException | None = None
    try:
        while not ends.empty():
            duration, result, error = ends.get()
            if error is None:
                race.won(duration)
                return (result,)
            race.lost(error, duration)
        return None
    finally:
        error = None  # an error must not be kept alive by the frames that it passed
