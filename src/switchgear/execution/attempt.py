"""Makes one attempt of a connector, bounded by its deadline, and always comes to a result that can be recorded.

The attempt is made in the task of its carrier, in a context of its own. So whatever cancels it cancels the carrier:
the deadline, a stop, the tool itself. A carrier that was cancelled does not go on. What is known is handed to a fresh
task, which nobody else knows, and the old one ends without touching anything; no cancellation need be undone, and none
strikes the kernel. An attempt that does not react to its cancellation is abandoned after a grace and counted: the fresh
task goes on, and what the old one brings later is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any

import msgspec
from msgspec.structs import replace

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.deadline import CURRENT
from switchgear.core.errors import DestructiveBlocked
from switchgear.core.outcome import Verdict
from switchgear.execution.apart import apart
from switchgear.execution.contract import Call, Connector, Refused, Result, Succeeded, Uncertain
from switchgear.execution.family import REVERT
from switchgear.execution.watched import WATCHED, Watched
from switchgear.guard.expiry import Timers

CANCEL_GRACE = 1.0
"""Seconds that a cancelled attempt has to end."""

VALUE_BYTES_MAX = 1_048_576
"""The longest value, as JSON, that is kept with an outcome."""

MESSAGE_CHARACTERS_MAX = 2_000
"""The longest message that is kept with an outcome."""

_to_json = msgspec.json.Encoder().encode
_UNSENT = Refused(Code.LEDGER_UNAVAILABLE, "it never left", retryable=True, verdict=Verdict.IGNORED)


def _always() -> bool:
    return True


def _never() -> bool:
    return False


class TakenOver(Exception):
    """A fresh task does the rest: this one holds nothing any more, and ends."""


@dataclass(slots=True)
class AttemptCounts:
    """How many attempts timed out, and how many of them had to be abandoned."""

    timed_out: int = 0
    abandoned: int = 0


class Ended(msgspec.Struct, frozen=True):
    """How an attempt ended. `timed_out` says that its deadline cut it off, `unsent` that it never began."""

    result: Result
    timed_out: bool = False
    unsent: bool = False


HandOn = Callable[[Ended], object]
"""Has a fresh task go on with how an attempt ended."""


class _Running(msgspec.Struct, eq=False):
    """An attempt that is being made in `task`, for `call`. `hand_on` is called in `context`.

    `cancels` counts how often it was cancelled from here.
    """

    _attempts: Attempts
    task: asyncio.Task[Any]
    call: Call
    hand_on: HandOn
    context: Context
    abandoned: bool = False
    cancels: int = 0
    cut_off: bool = False

    def cancel(self) -> None:
        """Be told by the clock that the deadline has come."""
        self._attempts.expire(self)


class Attempts:
    """Makes attempts on a clock and keeps hold of those that are being made."""

    def __init__(
        self, clock: Clock, *, may_leave: Callable[[], bool] = _always, torn_off: Callable[[], bool] = _never
    ) -> None:
        """Start with none. `may_leave` is asked in the moment in which an attempt begins.

        `torn_off` is asked about a cancellation that is not from here: whether all carriers end, with nobody to go on.
        """
        self._clock = clock
        self._timers = Timers(clock)
        self._may_leave = may_leave
        self._torn_off = torn_off
        self._running: dict[_Running, None] = {}  # in the order in which they began, as they end when cut off
        self.closed = False
        self.counts = AttemptCounts()

    async def run(self, connector: Connector, call: Call, hand_on: HandOn) -> Ended:
        """Make one attempt in the running task, which makes no other, and return what is known of it.

        Once that task has been cancelled `hand_on` is told instead, at the latest a grace after the deadline, and
        `TakenOver` raised as soon as the connector has ended. Raises `CancelledError` when the task is torn off.
        """
        expiries = self._timers.expiries()
        task = asyncio.current_task(expiries.loop)
        assert task is not None, "an attempt is made in the task of its carrier"
        running = _Running(self, task, call, hand_on, copy_context())
        self._running[running] = None
        forget = expiries.watch(call.deadline.moment_on(self._clock), running)
        result: Result | None = None
        try:
            result = await apart(copy_context(), _attempt(connector, call, self._may_leave, task))
        except asyncio.CancelledError:
            pass  # whoever it is from
        finally:
            forget()
            self._running.pop(running, None)
        if running.abandoned:
            raise TakenOver
        ended = self._unanswered(running) if result is None else Ended(result, unsent=result is _UNSENT)
        if not task.cancelling():
            return ended
        if task.cancelling() > running.cancels and self._torn_off():
            raise asyncio.CancelledError
        hand_on(ended)
        raise TakenOver

    def cut_off(self) -> None:
        """Cancel every running attempt, and let none begin any more: this process is ending."""
        self.closed = True
        for running in list(self._running):
            running.cut_off = True
            self._cancel(running)

    def expire(self, running: _Running) -> None:
        """Cancel an attempt whose deadline has come."""
        self.counts.timed_out += 1
        self._cancel(running)

    def _cancel(self, running: _Running) -> None:
        """Cancel an attempt, and wait no longer than the grace."""
        running.cancels += 1
        running.task.cancel()
        self._clock.call_at(self._clock.monotonic() + CANCEL_GRACE, partial(self._abandon, running))

    def _abandon(self, running: _Running) -> None:
        """Go on without an attempt that has ignored its cancellation; nothing when it has ended."""
        if running in self._running:
            del self._running[running]
            running.abandoned = True
            running.context.run(running.hand_on, self._unanswered(running, deaf=True))

    def _unanswered(self, running: _Running, *, deaf: bool = False) -> Ended:
        """Return how an attempt ended that came to no result: without one, or, if it is `deaf`, not at all."""
        call = running.call
        if running.cut_off:
            reason = "the engine stopped before an answer came"
            return Ended(Uncertain(Code.SHUTTING_DOWN, reason, Verdict.IGNORED))
        if not deaf and call.deadline.moment_on(self._clock) > self._clock.monotonic():
            return Ended(Uncertain(Code.DEPENDENCY_FAILED, "the attempt was cancelled from within"))
        too_late = Code.TIMEOUT_REVERT if call.purpose == REVERT else Code.TIMEOUT_INTENT_EXECUTE
        if deaf:
            self.counts.abandoned += 1
            reason = "no answer in time; the attempt ignored its cancellation"
            return Ended(Uncertain(too_late, reason), timed_out=True)
        return Ended(Uncertain(too_late, "no answer in time"), timed_out=True)


def recordable(result: object) -> Result:
    """Return `result` as the ledger can keep it: a value that fits into JSON and its bound, a bounded message."""
    match result:
        case Succeeded():
            problem = unfit(result.value)
            return replace(result, value={"unrecorded": problem}) if problem else result
        case Refused() | Uncertain() if problem := _garbled(result):
            return Uncertain(Code.INTERNAL, f"the connector returned a result that is none: {problem}")
        case Refused() | Uncertain():
            return replace(result, message=_bounded(result.message))
        case _:
            return Uncertain(Code.INTERNAL, f"the connector returned {type(result).__name__}, which is no result")


def unfit(value: object) -> str:
    """Return why the ledger has no room for `value`, in words; empty when it has.

    What counts is its length as JSON there: escapes can make it several times what a remote sent.
    """
    try:
        size = len(_to_json(value))
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        return _bounded(f"the value does not fit into JSON: {error}")
    return f"the value takes {size} bytes as JSON, and {VALUE_BYTES_MAX} is the most" if size > VALUE_BYTES_MAX else ""


def _garbled(result: Refused | Uncertain) -> str:
    """Return which member of a result is not what the contract says, in words; empty when all are."""
    wanted: dict[str, type] = {"code": Code, "message": str, "verdict": Verdict}
    for name, kind in wanted.items():
        if not isinstance(getattr(result, name), kind):
            return f"its {name} is no {kind.__name__}"
    wish: object = result.retry_after
    if wish is not None and not (isinstance(wish, (int, float)) and isfinite(wish)):
        return "its retry_after is no number of seconds"
    return ""


async def _attempt(connector: Connector, call: Call, may_leave: Callable[[], bool], task: asyncio.Task[Any]) -> Result:
    """Make one attempt in `task`, in a context of its own, and return what it came to."""
    CURRENT.set(call.deadline)
    WATCHED.set(Watched(task, call.deadline))
    try:
        if not may_leave() or call.deadline.remaining() <= 0:
            return _UNSENT  # this process stood still meanwhile: what was checked before may hold no longer
        if call.permits is not None and (held := _held_back(call)) is not None:
            return held
        return recordable(await connector.execute(call))
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - outermost driver: whatever is raised, something may have left
        return Uncertain(Code.DEPENDENCY_FAILED, _described(error))


def _held_back(call: Call) -> Refused | None:
    """Return the refusal of what is destructive and may not leave any more: when its permits were made it might."""
    try:
        call.check_leaving()
    except DestructiveBlocked as held:
        message, after = _bounded(held.message), held.retry_after
        return Refused(held.code, message, retryable=True, verdict=Verdict.IGNORED, retry_after=after)
    return None


def _described(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything; the type alone is a fair message
        text = ""
    return _bounded(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def _bounded(text: str) -> str:
    return text[:MESSAGE_CHARACTERS_MAX].encode("utf-8", "replace").decode("utf-8")
