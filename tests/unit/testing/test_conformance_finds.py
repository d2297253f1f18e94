"""Deliberately broken machines: the conformance suite for policies turns red on each, in the test that is for it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from switchgear import Breaker, Bulkhead, CircuitOpen, Code, Guard, RateLimit, Rejected
from switchgear.core.clock import Clock
from switchgear.testing import GuardLike, PolicyConformance
from switchgear.testing.leaks import Counts, PermitLike


class Sound:
    """A guard behind a thin wall, through which everything passes unchanged. The broken ones change one thing."""

    def __init__(self, guard: Guard, clock: Clock) -> None:
        """Stand before `guard`."""
        self.guard = guard
        self.clock = clock
        self.name = guard.name

    @property
    def state(self) -> str:
        """The breaker's state."""
        return self.guard.state

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as `Guard.call`
        """Make a call."""
        if not inspect.iscoroutinefunction(function):
            return self.guard.call(function, *args, **kwargs)
        return self.call_async(function, *args)

    async def call_async(self, function: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401 - as `Guard.call`
        """Make an async call."""
        return await self.guard.call(function, *args)

    def permit_nowait(self) -> PermitLike:
        """Let a call in."""
        return self.guard.permit_nowait()

    def statistics(self) -> Counts:
        """Return how it stands."""
        return self.guard.statistics()

    def subscribe(self, listener: Callable[[object], object]) -> Callable[[], None]:
        """Add a listener."""
        return self.guard.subscribe(listener)


class LeaksWhenCancelled(Sound):
    """Forgets the place of a call that is cancelled."""

    async def call_async(self, function: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401 - as above
        """Settle only calls that return or raise."""
        permit = self.guard.permit_nowait()
        try:
            result = await function(*args)
        except ConnectionError:
            permit.fail()
            raise
        permit.succeed()
        return result


class BlamesTheDependency(Sound):
    """Counts the caller's cancellation as a failure."""

    async def call_async(self, function: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401 - as above
        """Say of everything but success that it failed."""
        permit = self.guard.permit_nowait()
        try:
            result = await function(*args)
        except BaseException:
            permit.fail()
            raise
        permit.succeed()
        return result


class Swallows(Sound):
    """Keeps the caller's cancellation to itself."""

    async def call_async(self, function: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401 - as above
        """Return None for a call that was cancelled."""
        try:
            return await self.guard.call(function, *args)
        except asyncio.CancelledError:
            return None


class ForgetsItsTimer(Sound):
    """Leaves a deadline running that cancels the task of the caller later."""

    async def call_async(self, function: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401 - as above
        """Disarm the deadline of calls that end by themselves only."""
        task = asyncio.current_task()
        assert task is not None
        timer = self.clock.call_at(self.clock.monotonic() + 5.0, task.cancel)
        result = await self.guard.call(function, *args)
        timer.cancel()
        return result


class KeepsPlaces(Sound):
    """Holds on to the place of a call that failed."""

    def permit_nowait(self) -> PermitLike:
        """Return a permit whose `fail` does nothing."""
        return self.Stubborn(self.guard.permit_nowait())

    class Stubborn:
        """A permit that hears no failure."""

        def __init__(self, permit: PermitLike) -> None:
            """Pass the rest on."""
            self.succeed, self.ignore, self.refund = permit.succeed, permit.ignore, permit.refund

        def fail(self) -> None:
            """Do nothing."""


class KeepsTokens(Sound):
    """Takes no refund."""

    def permit_nowait(self) -> PermitLike:
        """Return a permit whose refund is an ignored call."""
        permit = self.guard.permit_nowait()
        return self.Stingy(permit)

    class Stingy:
        """A permit that gives nothing back."""

        def __init__(self, permit: PermitLike) -> None:
            """Pass the rest on."""
            self.succeed, self.fail, self.ignore = permit.succeed, permit.fail, permit.ignore
            self.refund = permit.ignore


class ListensToListeners(Sound):
    """Lets what a listener raises reach the call."""

    def __init__(self, guard: Guard, clock: Clock) -> None:
        """Have no listeners."""
        super().__init__(guard, clock)
        self.listeners: list[Callable[[object], object]] = []

    def subscribe(self, listener: Callable[[object], object]) -> Callable[[], None]:
        """Add a listener."""
        self.listeners.append(listener)
        return self.listeners.clear

    def permit_nowait(self) -> PermitLike:
        """Tell every listener, then let the call in."""
        for listener in self.listeners:
            listener("a call comes in")
        return super().permit_nowait()


class HidesListenerErrors(Sound):
    """Neither tells listeners nor counts what they raise."""

    def subscribe(self, listener: Callable[[object], object]) -> Callable[[], None]:
        """Add nothing."""
        return lambda: None


class ReadsTheWallClock(Sound):
    """Refuses in some hours of the day."""

    def permit_nowait(self) -> PermitLike:
        """Look at the wall."""
        if self.clock.time() < 1e9:
            raise CircuitOpen(policy="night", dependency=self.name, state="asleep")
        return super().permit_nowait()


class TakesTokensToLook(Sound):
    """Uses up what it only should read."""

    def statistics(self) -> Counts:
        """Take a token."""
        with suppress(Rejected):
            self.guard.permit_nowait().succeed()
        return super().statistics()


class SaysNothing(Sound):
    """Refuses without facts."""

    def permit_nowait(self) -> PermitLike:
        """Drop the facts."""
        try:
            return super().permit_nowait()
        except Rejected as error:
            raise CircuitOpen from error


class Lies(Sound):
    """Refuses for a time that nobody can wait."""

    def permit_nowait(self) -> PermitLike:
        """Say to come back never."""
        try:
            return super().permit_nowait()
        except Rejected as error:
            error.retry_after = float("inf")
            raise


class Unpicklable(CircuitOpen):
    """An error that stays where it is."""

    def __init__(self, **facts: Any) -> None:  # those of `Rejected`
        """Hold what no other process can."""
        super().__init__(**facts)
        self.message = "held"

    def __reduce__(self) -> tuple[Any, ...]:
        """Lose the facts on the way."""
        return (CircuitOpen, ("lost",))


class StaysHere(Sound):
    """Refuses with an error that loses its facts in another process."""

    def permit_nowait(self) -> PermitLike:
        """Raise the wrong error."""
        try:
            return super().permit_nowait()
        except Rejected as error:
            raise Unpicklable(policy=error.policy, dependency=error.dependency, state=error.state) from None


class RunsWhatItRefuses(Sound):
    """Makes the call, and then refuses it."""

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as above
        """Run first."""
        if not inspect.iscoroutinefunction(function):
            function(*args)
        return super().call(function, *args, **kwargs)


class SharesOneError(Sound):
    """Refuses with the same error every time."""

    ERROR = CircuitOpen(code=Code.CIRCUIT_OPEN, policy="breaker", dependency="api", state="open", retry_after=1.0)

    def permit_nowait(self) -> PermitLike:
        """Raise the one error."""
        try:
            return super().permit_nowait()
        except Rejected:
            raise self.ERROR from None

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as above
        """Raise the one error."""
        try:
            return super().call(function, *args, **kwargs)
        except Rejected:
            raise self.ERROR from None


class CountsNoRefusals(Sound):
    """Lets calls in that it should refuse."""

    def permit_nowait(self) -> PermitLike:
        """Refuse nothing."""
        return KeepsPlaces.Stubborn(Guard("other").permit_nowait())


def suite_of(machine: Callable[[Guard, Clock], GuardLike]) -> PolicyConformance:
    """Return the suite for a machine in front of a guard with a breaker, a limit and a bulkhead."""

    class Suite(PolicyConformance):
        def make_guard(self, clock: Clock, random: Random) -> GuardLike:
            guard = Guard(
                "api",
                breaker=Breaker(failures=20, cooldown=5.0, jitter=0.0),
                rate_limit=RateLimit(1, burst=6),
                bulkhead=Bulkhead(4),
                clock=clock,
                random=random,
            )
            return machine(guard, clock)

        def make_refusing_guard(self, clock: Clock, random: Random) -> GuardLike:
            guard = Guard("api", breaker=Breaker(failures=1, cooldown=5.0), clock=clock, random=random)
            guard.permit_nowait().fail()
            return machine(guard, clock)

    return Suite()


TESTS = [name for name in dir(PolicyConformance) if name.startswith("test_")]


@pytest.mark.parametrize("name", TESTS)
def test_a_sound_machine_passes(name: str) -> None:
    """The wall itself breaks nothing, so what is found below is what was broken."""
    getattr(suite_of(Sound), name)()


@pytest.mark.parametrize(
    ("machine", "name", "says"),
    [
        (LeaksWhenCancelled, "cancellation_leaks_nothing_wherever_it_comes", "1 places are still held"),
        (BlamesTheDependency, "cancellation_leaks_nothing_wherever_it_comes", "counts 1 failures, and 0 without"),
        (Swallows, "cancellation_leaks_nothing_wherever_it_comes", "does not pass the cancellation on"),
        (ForgetsItsTimer, "cancellation_leaks_nothing_wherever_it_comes", "cancelled the task of the call after"),
        (KeepsPlaces, "every_end_gives_its_place_back", "1 places are still held"),
        (KeepsTokens, "a_refund_takes_everything_back", "RATE_LIMITED"),
        (ListensToListeners, "a_raising_listener_never_reaches_the_call", "a listener that raises"),
        (HidesListenerErrors, "a_raising_listener_never_reaches_the_call", "was not counted"),
        (ReadsTheWallClock, "wall_clock_jumps_change_nothing", "asleep"),
        (TakesTokensToLook, "reading_changes_nothing", "RATE_LIMITED"),
        (SaysNothing, "a_refusal_says_why_and_lets_nothing_out", "names no policy"),
        (Lies, "a_refusal_says_why_and_lets_nothing_out", "odd retry_after"),
        (StaysHere, "a_refusal_survives_pickling", "became CircuitOpen"),
        (RunsWhatItRefuses, "a_refusal_says_why_and_lets_nothing_out", "a refused call has run"),
        (SharesOneError, "a_refusal_says_why_and_lets_nothing_out", "share one error"),
        (CountsNoRefusals, "a_refusal_says_why_and_lets_nothing_out", "did not refuse"),
    ],
)
def test_a_broken_machine_is_found(machine: type[Sound], name: str, says: str) -> None:
    """Each break turns its test red, with words that say what is wrong."""
    with pytest.raises((AssertionError, Rejected, RuntimeError)) as caught:
        getattr(suite_of(machine), f"test_{name}")()
    assert says in f"{caught.value} {caught.value.__cause__}"


def test_the_suite_asks_for_a_guard() -> None:
    """Who forgets to say what is tested is told so."""
    with pytest.raises(NotImplementedError, match="say how to make"):
        PolicyConformance().test_a_refund_takes_everything_back()
