"""What the adapters for brokers, sockets and tools share: a guard together with a table of what errors say.

A client raises errors of its own. A row of the adapter's table says what each one tells about the dependency and
whether anything may have left. `Gate` makes the guard learn exactly that, while the caller gets the client's own
error. `bounded` gives an operation of the central table its seconds and its code.

Nothing here knows a client, and nothing here decides what an error means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from switchgear.core.clock import Clock
from switchgear.core.effects import Effect
from switchgear.core.errors import DeadlineExceeded, OptionError, Rejected, SwitchgearError, mark_unsent
from switchgear.core.operations import Operation
from switchgear.core.outcome import Verdict
from switchgear.guard.guard import Guard

R = TypeVar("R")

VIEWS_MAX = 1_000
"""Views of a guard that a gate keeps at most, one for each effect and operation."""


@dataclass(frozen=True, slots=True)
class Row:
    """What an error says: the verdict on the dependency, and whether anything may have left this process."""

    verdict: Verdict
    may_have_left: bool = True


WORKS = Row(Verdict.SUCCESS)
"""The dependency did its work: it answered, and the answer is no."""
FAILED = Row(Verdict.FAILURE)
"""The dependency failed. What was asked may have happened."""
UNREACHED = Row(Verdict.FAILURE, may_have_left=False)
"""The dependency failed before anything left."""
UNSAID = Row(Verdict.IGNORED)
"""The answer says nothing about the health of the dependency."""
NOT_SENT = Row(Verdict.IGNORED, may_have_left=False)
"""A mistake or a limit on this side: nothing left, and the guard's rate limit gets its cost back."""

RowOf = Callable[[Exception], Row]


def row_in(rows: Mapping[type[Exception], Row], error: Exception) -> Row:
    """Return the row of the nearest parent class of `error`; `FAILED` when none is listed."""
    return next((rows[kind] for kind in type(error).__mro__ if kind in rows), FAILED)


class Gate:
    """A guard, and what the errors of one client say."""

    __slots__ = ("_row_of", "_views", "guard")

    def __init__(self, guard: Guard, row_of: RowOf) -> None:
        """Use `guard` for every call; `row_of` reads the adapter's table. Raises `OptionError` for another thing."""
        if not isinstance(guard, Guard):
            raise OptionError(f'an adapter takes a Guard, not {guard!r}; write for example Guard("cache")')
        self.guard = guard
        self._row_of = row_of
        self._views: dict[tuple[Effect, str], Guard] = {}

    def call(
        self,
        function: Callable[..., Any],
        /,
        *args: Any,
        effect: Effect,
        operation: str,
        **kwargs: Any,
    ) -> Any:
        """Make a blocking call. Its `effect` says whether it may be retried, `operation` what reports call it.

        Raises the client's own errors, and those of the guard.
        """
        try:
            result = self._view(effect, operation).call(self._attempt, function, args, kwargs)
        except (_Silent, _NotSent) as carrier:
            result = _Answered(carrier.error)
        return _opened(result)

    async def call_async(
        self,
        function: Callable[..., Awaitable[Any]],
        /,
        *args: Any,
        effect: Effect,
        operation: str,
        **kwargs: Any,
    ) -> Any:
        """Make an asynchronous call, as `call` does."""
        try:
            result = await self._view(effect, operation).call(self._attempt_async, function, args, kwargs)
        except (_Silent, _NotSent) as carrier:
            result = _Answered(carrier.error)
        return _opened(result)

    def require_passing(self) -> None:
        """Raise `Rejected` when the guard would not let a call in now. Takes and charges nothing."""
        self.guard.permit_nowait(cost=0).refund()

    def report(self, error: Exception) -> None:
        """Tell the guard of an error that happened outside any call, such as while waiting for messages."""
        if self._row_of(error).verdict is not Verdict.FAILURE:
            return
        try:
            permit = self.guard.permit_nowait(cost=0)
        except Rejected:
            return  # an open breaker has nothing to learn from one more failure
        permit.fail(error)

    def _view(self, effect: Effect, operation: str) -> Guard:
        """Return the guard with the terms of a call. So many are kept; others are made each time."""
        found = self._views.get((effect, operation))
        if found is None:
            found = self.guard.using(effect=effect.or_stricter(self.guard.effect), operation=operation)
            if len(self._views) < VIEWS_MAX:
                self._views[effect, operation] = found
        return found

    def _attempt(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object:
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the table has a row for every error; what fails is raised again
            return self._judged(error)

    async def _attempt_async(
        self, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> object:
        try:
            return await function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - as `_attempt`
            return self._judged(error)

    def _judged(self, error: Exception) -> _Answered:
        """Return an error that is an answer; raise any other in the form that tells the guard its row."""
        if isinstance(error, OptionError):
            return _Answered(error)  # the caller's mistake, whoever found it
        if isinstance(error, SwitchgearError):
            raise error
        row = self._row_of(error)
        if row.verdict is Verdict.SUCCESS:
            return _Answered(error)
        if row.verdict is Verdict.FAILURE:
            if not row.may_have_left:
                mark_unsent(error)
            raise error
        raise _Silent(error) if row.may_have_left else _NotSent(error)


async def bounded(operation: Operation, work: Awaitable[R], *, clock: Clock, dependency: str) -> R:
    """Wait for `work` at most the operation's seconds.

    Raises `DeadlineExceeded` with the operation's code and ``sent=True``. The caller's cancellation and a
    `TimeoutError` of the work itself pass unchanged.
    """
    loop = asyncio.get_running_loop()
    scope = asyncio.timeout(None)
    try:
        async with scope:
            timer = clock.call_at(clock.monotonic() + operation.seconds, lambda: scope.reschedule(loop.time()))
            try:
                return await work
            finally:
                timer.cancel()
    except TimeoutError as error:
        if not scope.expired():
            raise
        raise late(operation, dependency, sent=True) from error


def late(operation: Operation, dependency: str, *, sent: bool) -> DeadlineExceeded:
    """Return the error of an operation that took longer than its seconds."""
    return DeadlineExceeded(
        f"took longer than {operation.seconds:g} s",
        code=operation.code,
        sent=sent,
        operation=operation.name,
        dependency=dependency,
    )


def missing(error: ModuleNotFoundError, module: str, extra: str) -> ModuleNotFoundError:
    """Return `error` in words that say what to install; an error about another module than `module` unchanged."""
    if (error.name or "").partition(".")[0] != module:
        return error
    return ModuleNotFoundError(
        f'this adapter needs {module!r}; install it with: pip install "switchgear[{extra}]"', name=error.name
    )


@dataclass(frozen=True, slots=True)
class _Answered:
    """An error that is a success for the guard."""

    error: Exception


class _Silent(BaseException):
    """Carries an error through the guard that says nothing. No `Exception`, so the guard ignores it."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class _NotSent(Rejected):
    """Carries an error through the guard that says that nothing left: the guard refunds the call."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error), policy="adapter")
        self.error = error


def _opened(result: object) -> object:
    if isinstance(result, _Answered):
        raise result.error
    return result
