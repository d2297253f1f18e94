"""Fallback round a call: the outermost layer of a guard, for functions only. And the outcome of a call as a value."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, cast

from switchgear.guard.drivers import Arguments, Keywords
from switchgear.guard.fitting import Call, is_misfit
from switchgear.guard.member import Member
from switchgear.guard.terms import Terms
from switchgear.policies.fallback import Fallback

Driver = Callable[..., Any]
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class CallOutcome(Generic[R]):
    """How a call ended, as a value.

    value   what it gave, or the answer of the fallback; None when it failed.
    error   what it raised; with a fallback's answer, the error that it stands in for. None when it succeeded.
    source  "call", or "fallback" when the value is not the dependency's own.
    """

    value: R | None
    error: Exception | None = None
    source: Literal["call", "fallback"] = "call"

    @property
    def succeeded(self) -> bool:
        """Whether there is a value, be it the fallback's."""
        return self.error is None or self.source == "fallback"

    def unwrap(self) -> R:
        """Return the value, or raise the error of a call that failed."""
        error = self.error
        if error is None or self.succeeded:
            return cast("R", self.value)
        try:
            raise error
        finally:
            del self, error  # an error must not be kept alive by the frames that it passed


class FallingBack:
    """Makes a call through the drivers inside, and answers with the fallback where it applies."""

    __slots__ = ("_drive", "_drive_async")

    def __init__(self, drive: Driver, drive_async: Driver) -> None:
        """Stand round these drivers."""
        self._drive = drive
        self._drive_async = drive_async

    def drive(self, member: Member, terms: Terms, function: Driver, args: Arguments, kwargs: Keywords) -> object:
        """Make a blocking call."""
        return self.outcome(member, terms, function, args, kwargs).unwrap()

    async def drive_async(
        self, member: Member, terms: Terms, function: Driver, args: Arguments, kwargs: Keywords
    ) -> object:
        """Make a call of an async function."""
        return (await self.outcome_async(member, terms, function, args, kwargs)).unwrap()

    def outcome(
        self, member: Member, terms: Terms, function: Driver, args: Arguments, kwargs: Keywords
    ) -> CallOutcome[Any]:
        """Make a blocking call, and return how it ended. What is no `Exception` is raised."""
        try:
            return CallOutcome(self._drive(member, terms, function, args, kwargs))
        except Exception as error:  # noqa: BLE001 - it becomes a value, which is what was asked for
            fallback = _applying(member, terms, error, (function, args, kwargs))
            if fallback is None:
                return CallOutcome(None, error)
            try:
                answer = fallback.value if fallback.function is None else fallback.function(error)
                _refuse_awaitable(fallback, answer)
            except Exception as own:  # noqa: BLE001 - as above; it carries `error` as its context
                return CallOutcome(None, own)
            return _answered(member, answer, error)

    async def outcome_async(
        self, member: Member, terms: Terms, function: Driver, args: Arguments, kwargs: Keywords
    ) -> CallOutcome[Any]:
        """Make a call of an async function, and return how it ended."""
        try:
            return CallOutcome(await self._drive_async(member, terms, function, args, kwargs))
        except Exception as error:  # noqa: BLE001 - it becomes a value, which is what was asked for
            fallback = _applying(member, terms, error, (function, args, kwargs))
            if fallback is None:
                return CallOutcome(None, error)
            try:
                answer = fallback.value if fallback.function is None else fallback.function(error)
                if fallback.function is not None and inspect.isawaitable(answer):
                    answer = await answer
            except Exception as own:  # noqa: BLE001 - as above; it carries `error` as its context
                return CallOutcome(None, own)
            return _answered(member, answer, error)


def _applying(member: Member, terms: Terms, error: Exception, call: Call) -> Fallback | None:
    """Return the fallback that answers after `error`, if one does. None hides a call that does not fit its function."""
    fallback = member.plan.fallback
    if fallback is None or not terms.only_reads(member.plan.effect) or is_misfit(error, call):
        return None
    return fallback if fallback.applies(error) else None


def _answered(member: Member, answer: object, error: Exception) -> CallOutcome[Any]:
    member.count_fallback()
    return CallOutcome(answer, error, "fallback")


def _refuse_awaitable(fallback: Fallback, answer: object) -> None:
    """Raise `TypeError` for a function whose answer nobody here can await."""
    if fallback.function is None or not inspect.isawaitable(answer):
        return
    if inspect.iscoroutine(answer):
        answer.close()
    raise TypeError(
        f"Fallback(function={fallback.function!r}) is asynchronous, and the call is blocking; "
        "write a blocking function, or guard an async one"
    )
