"""A Python callable as a tool: ``function(call, **arguments)``, in the loop when it is async, else in a thread.

What an exception says about the action stands in one table, `FAILURES`. A function that makes several calls to a
remote must catch what the later ones raise: the table reads a refusal as "nothing was done".

A thread cannot be stopped. When the deadline passes the attempt is uncertain, the thread keeps its place until the
function really ends, and it is counted in `abandoned`. It never keeps the process from ending.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from switchgear.connectors.bounds import TOO_LATE, DeadlinePassed, bounded, has_come
from switchgear.connectors.signatures import load, name_of, parameters_of, schema_of
from switchgear.connectors.values import OWN_MESSAGE_MAX, as_json, brief, brief_error, is_plain, recordable, unrecorded
from switchgear.core.clock import SYSTEM_CLOCK
from switchgear.core.codes import Code
from switchgear.core.errors import (
    DeadlineExceeded,
    DestructiveBlocked,
    InDoubt,
    NotApplied,
    OptionError,
    Overloaded,
    Rejected,
    SwitchgearError,
)
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Uncertain
from switchgear.execution.watched import is_watched
from switchgear.guard.callables import PLAIN
from switchgear.guard.workers import start_in_worker
from switchgear.policies.signatures import signature_of

__all__ = ["FAILURES", "FunctionConnector", "failure_of", "load", "schema_of"]

THREADS_MAX = 64
WAITING_MAX = 1_000
_OUT_OF_TIME = Uncertain(Code.TIMEOUT_INTENT_EXECUTE, "the function did not end in its time")


@dataclass(frozen=True, slots=True)
class _Function:
    run: Callable[..., Any]
    signature: inspect.Signature
    is_async: bool
    needed: frozenset[str]
    known: frozenset[str]
    """The arguments that it must get, and those that it takes by their names."""

    @classmethod
    def of(cls, function: Callable[..., Any]) -> _Function:
        """Look at `function` once. Raises `OptionError` when it cannot be a tool."""
        if _yields(function):
            raise OptionError(f"{name_of(function)} yields: to call it does nothing yet; return what it has done")
        named = [one for one in parameters_of(function) if one.kind is not one.VAR_KEYWORD]
        needed = frozenset(one.name for one in named if one.default is one.empty)
        known = frozenset(one.name for one in named)
        return cls(function, signature_of(function), _is_async(function), needed, known)

    def misfit(self, call: Call) -> str | None:
        """Return why it cannot be called with these arguments, in Python's words; None when it can."""
        names = call.arguments.keys()
        if self.needed <= names <= self.known:
            return None
        try:
            self.signature.bind(call, **call.arguments)
        except TypeError as error:
            return brief(error)
        return None


class FunctionConnector:
    """Runs registered functions. Blocking ones share `threads_max` threads; at most `waiting_max` wait for one."""

    def __init__(self, *, threads_max: int = THREADS_MAX, waiting_max: int = WAITING_MAX) -> None:
        """Start no thread yet. Both bounds are at least 1."""
        if threads_max < 1 or waiting_max < 1:
            raise OptionError("a function connector needs threads_max and waiting_max of at least 1")
        self._functions: dict[str, _Function] = {}
        self._threads = _Threads(threads_max, waiting_max)

    @property
    def abandoned(self) -> int:
        """How many blocking functions were still running when their deadline passed."""
        return self._threads.abandoned

    def register(self, tool: str, function: Callable[..., Any]) -> None:
        """Let `function` execute the tool called `tool`.

        Raises `OptionError` when the name is taken or the function cannot be called as ``function(call, **arguments)``.
        """
        if tool in self._functions:
            raise OptionError(f"tool {tool!r} has a function already; give one of the two another name")
        self._functions[tool] = _Function.of(function)

    async def execute(self, call: Call) -> Result:
        """Run the function once and say what is known of it."""
        function = self._functions.get(call.tool)
        if function is None:
            message = f"no function is registered for the tool {call.tool!r}"
            return Refused(Code.TOOL_UNREGISTERED, message, retryable=False, verdict=Verdict.IGNORED)
        if (misfit := function.misfit(call)) is not None:
            return Refused(Code.INVALID_ARGUMENT, misfit, retryable=False, verdict=Verdict.IGNORED)
        if call.deadline.remaining() <= 0:
            return TOO_LATE
        if not function.is_async:
            return await self._threads.run(function.run, call)
        try:
            work = function.run(call, **call.arguments)
            value = await (work if is_watched(call.deadline) else bounded(call.deadline, work))
            return _succeeded(function.run, value)
        except (Exception, asyncio.CancelledError, SystemExit) as error:  # noqa: BLE001 - outermost driver of a foreign function
            return _broken_off(call, error)

    async def close(self) -> None:
        """Take no more work. Threads that still run are not waited for."""
        self._threads.close()


def _broken_off(call: Call, error: BaseException) -> Result:
    """Return what it means that a function in the loop raised `error`. Our own cancellation is raised again."""
    if isinstance(error, DeadlinePassed):
        return _OUT_OF_TIME
    if not isinstance(error, asyncio.CancelledError):
        return failure_of(error)
    if has_come(call.deadline):
        return _OUT_OF_TIME
    if _we_are_cancelled():
        raise error
    return Uncertain(Code.DEPENDENCY_FAILED, "the function was cancelled from inside")


class _Threads:
    """A bounded pool. A place is taken until the function really ends, also when nobody waits for it any more."""

    def __init__(self, threads_max: int, waiting_max: int) -> None:
        self._closed = False
        self._places = asyncio.Semaphore(threads_max)
        self._waiting_max = waiting_max
        self._waiting = 0
        self.abandoned = 0

    async def run(self, run: Callable[..., Any], call: Call) -> Result:
        if self._closed:
            return Refused(Code.SHUTTING_DOWN, "the connector is closed", retryable=True, verdict=Verdict.IGNORED)
        if self._places.locked() and self._waiting >= self._waiting_max:
            message = "all threads are taken, and enough calls wait for one"
            return Refused(Code.BULKHEAD_FULL, message, retryable=True, verdict=Verdict.IGNORED)
        try:
            await self._place(call)
        except DeadlinePassed:
            return TOO_LATE
        return await self._start(run, call)

    def close(self) -> None:
        self._closed = True

    async def _place(self, call: Call) -> None:
        self._waiting += 1
        try:
            await bounded(call.deadline, self._places.acquire())
        finally:
            self._waiting -= 1

    async def _start(self, run: Callable[..., Any], call: Call) -> Result:
        loop = asyncio.get_running_loop()
        future: Future[Result] = Future()
        future.add_done_callback(lambda _: _call_in(loop, self._places.release))
        try:
            start_in_worker(functools.partial(_fill, future, run, call), SYSTEM_CLOCK)
        except Overloaded as error:
            future.cancel()
            return Refused(Code.BULKHEAD_FULL, _text(error), retryable=True, verdict=Verdict.IGNORED)
        try:
            return await bounded(call.deadline, asyncio.wrap_future(future))
        except DeadlinePassed:
            return self._late(future)
        except asyncio.CancelledError:
            self._late(future)
            raise

    def _late(self, future: Future[Result]) -> Result:
        if future.cancel():
            return TOO_LATE
        if future.done():
            return future.result()
        self.abandoned += 1
        return Uncertain(Code.TIMEOUT_INTENT_EXECUTE, "the function did not end in its time and still runs")


def _fill(future: Future[Result], run: Callable[..., Any], call: Call) -> None:
    """Make the call, unless nobody waits for it any more."""
    if future.set_running_or_notify_cancel():
        future.set_result(_outcome(run, call))


def _outcome(run: Callable[..., Any], call: Call) -> Result:
    try:
        call.check_leaving()  # it may have waited long for its thread
        return _succeeded(run, run(call, **call.arguments))
    except BaseException as error:  # noqa: BLE001 - outermost driver: nothing may leave a thread but a result
        return failure_of(error)


def _check_done(run: Callable[..., Any], value: object) -> None:
    """Raise `TypeError` for a value that is work still to be done: nobody would do it, and it is no success."""
    if value.__class__ in PLAIN:
        return
    if inspect.isawaitable(value):
        _discard(value)
        raise TypeError(f"{name_of(run)} returned an awaitable; write it with async def, and await there")
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        raise TypeError(f"{name_of(run)} returned a generator that nobody runs; return what it has done")


def _succeeded(run: Callable[..., Any], value: object) -> Succeeded:
    """Keep what the function returned. Raises `TypeError` for what is still to be done.

    Else it happened, whatever came back; so a value that does not fit into JSON, or takes more than `VALUE_BYTES_MAX`
    bytes there, is replaced by a note, never by doubt.
    """
    if is_plain(value):
        return Succeeded(value)
    _check_done(run, value)
    try:
        return Succeeded(recordable(as_json(value)))
    except ValueError as error:
        return Succeeded(unrecorded(error))


_OF_TENANT = frozenset({Code.TENANT_UNAUTHENTICATED, Code.PERMISSION_DENIED, Code.RATE_LIMITED_TENANT})


def failure_of(error: BaseException) -> Result:
    """Return what an exception of a tool's function says about the action, by the table `FAILURES`."""
    for kind, translate in FAILURES.items():
        if isinstance(error, kind):
            return translate(error)
    return Uncertain(Code.DEPENDENCY_FAILED, brief_error(error))


def _not_applied(error: NotApplied) -> Result:
    verdict = Verdict.FAILURE if error.retryable else Verdict.SUCCESS
    of_tenant = error.code in _OF_TENANT
    return Refused(error.code, _text(error), error.retryable, verdict, error.retry_after, of_tenant=of_tenant)


def _rejected(error: Rejected) -> Result:
    return Refused(error.code, _text(error), error.decision == "defer", Verdict.IGNORED, error.retry_after)


def _blocked(error: DestructiveBlocked) -> Result:
    """Return what a refusal of the destructive gate says: nothing was done, unless items were done before it."""
    return Uncertain(error.code, _text(error), Verdict.IGNORED) if error.done else _rejected(error)


def _late(error: DeadlineExceeded) -> Result:
    if error.sent:
        return Uncertain(error.code, _text(error))
    return Refused(error.code, _text(error), retryable=True, verdict=Verdict.IGNORED)


def _doubtful(error: InDoubt) -> Result:
    return Uncertain(error.code, _text(error))


def _unreachable(error: ConnectionRefusedError) -> Result:
    return Refused(Code.DEPENDENCY_FAILED, brief_error(error), retryable=True, verdict=Verdict.FAILURE)


FAILURES: Mapping[type[Exception], Callable[..., Result]] = {
    NotApplied: _not_applied,
    DestructiveBlocked: _blocked,
    Rejected: _rejected,
    DeadlineExceeded: _late,
    InDoubt: _doubtful,
    ConnectionRefusedError: _unreachable,
}
"""Exception → what is known. Every other one, `RetryExhausted` included, is uncertain: DEPENDENCY_FAILED."""


def _text(error: SwitchgearError) -> str:
    return brief(error.message or error, characters_max=OWN_MESSAGE_MAX)


def _is_async(function: Callable[..., Any]) -> bool:
    return any(map(inspect.iscoroutinefunction, _called(function)))


def _yields(function: Callable[..., Any]) -> bool:
    called = _called(function)
    return any(map(inspect.isgeneratorfunction, called)) or any(map(inspect.isasyncgenfunction, called))


def _called(function: Callable[..., Any]) -> tuple[Any, Any]:
    """Return what is called in the end, behind partials, and the method by which it is if it is an object."""
    target: Any = function
    while isinstance(target, functools.partial):
        target = target.func
    return target, getattr(type(target), "__call__", None)  # noqa: B004 - the method itself is wanted, not whether it is there


def _we_are_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _discard(awaitable: object) -> None:
    if inspect.iscoroutine(awaitable):
        awaitable.close()


def _call_in(loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
    try:
        loop.call_soon_threadsafe(callback)
    except RuntimeError:  # the loop has closed: nobody counts any more
        return
