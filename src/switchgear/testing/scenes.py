"""The scenes in which the conformance suite for policies cancels a call: alone, in a crowd, as a probe, failing.

For `PolicyConformance` only. Nothing here knows which policy it meets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from random import Random
from typing import Any

from switchgear.core.clock import Clock
from switchgear.core.errors import Rejected, SwitchgearError
from switchgear.testing.exploring import Cancellation
from switchgear.testing.leaks import GuardLike, assert_idle, capacity_of
from switchgear.testing.simulation import SimulatedClock, SimulatedLoop, run_simulated

RIVALS_MAX = 20
_FAILURES_MAX = 100
_WORK_SECONDS = 0.5
_PAUSES_SECONDS = (0.001, 0.3, 0.5, 1.0, 3.0, 10.0)

Samples = list[tuple[float, int]]
"""Moments, and how many calls a guard let in then."""


class Scene:
    """A guard, others who use it, and the call that is going to be cancelled.

    `prepare` sets the scene and says whether the calls in it succeed. After the cancellation, no more failures may be
    counted than when the call is left alone. After a rest of `rest_seconds` the guard must let in as many calls as
    before, or at least one when its capacity is not fixed. And when nothing of the call has left, then the guard must
    let in as many calls, at any moment from then on, as if there had been no call.
    """

    def __init__(
        self,
        make_guard: Callable[[Clock, Random], GuardLike],
        prepare: Callable[[Scene], None],
        rest_seconds: float,
        *,
        capacity_is_fixed: bool,
    ) -> None:
        """Take what the suite gives."""
        self._make_guard = make_guard
        self._prepare = prepare
        self._capacity_is_fixed = capacity_is_fixed
        self._before = 0
        self._failures_most = 0
        self._refunded: list[tuple[Cancellation, Samples]] = []
        self._rest_seconds = rest_seconds
        self.succeeds = True

    def make_call(self, clock: SimulatedClock) -> Coroutine[Any, Any, object]:
        """Set the scene anew and return the call."""
        self.clock = clock
        self.guard = self._make_guard(clock, Random(0))
        self._before = capacity_of(self.guard)
        self._rivals: list[asyncio.Task[None]] = []
        self._samples: Samples = []
        self._sent = False
        self._prepare(self)
        return self._call()

    async def leave_alone(self, clock: SimulatedClock) -> None:
        """Let the call end by itself, to see how many failures that makes."""
        with suppress(SwitchgearError, ConnectionError):
            await self.make_call(clock)
        await asyncio.gather(*self._rivals)
        self._failures_most = self.guard.statistics().failures

    def check(self, cancellation: Cancellation) -> None:
        """Check what is left hours after the cancellation, when everybody else has gone as well."""
        self._refunded.append((cancellation, self._samples))
        assert_idle(self.guard)
        failures = self.guard.statistics().failures
        assert failures <= self._failures_most, (
            f"{self.guard.name} counts {failures} failures, and {self._failures_most} without the cancellation"
        )
        self.clock.advance(self._rest_seconds)
        after = capacity_of(self.guard)
        assert after > 0, f"after the cancellation and a rest, {self.guard.name} lets no call in"
        if self._capacity_is_fixed and self.succeeds:
            assert after == self._before, f"{self.guard.name} let in {self._before} calls at once, and now {after}"

    def check_refunds(self) -> None:
        """Check that calls of which nothing left took nothing: the guard stood as in a world without them."""
        for cancellation, samples in self._refunded if self._capacity_is_fixed else ():
            clock = SimulatedClock()
            untouched = run_simulated(self._sample_without_call(clock, [at for at, _ in samples]), clock=clock)
            assert samples == untouched, (
                f"the call was {cancellation}, and nothing of it had left; yet afterwards the guard lets in as many "
                f"calls at these moments: {samples}, and without the call: {untouched}"
            )

    def crowd(self) -> None:
        """Let others take every place before the call, or twenty of them."""
        for _ in range(min(self._before, RIVALS_MAX)):
            self._rivals.append(asyncio.create_task(self._be_rival()))

    def break_down(self) -> None:
        """Let calls fail until the guard refuses, then rest: if it has a breaker, the next call is a probe."""
        self.succeeds = False
        break_down(self.guard)
        self.clock.advance(self._rest_seconds)

    async def _call(self) -> object:
        """Make the call, and when it ends before anything left, look how the guard stands from then on."""
        try:
            return await self.guard.call(self._work_of_call)
        finally:
            if not self._sent:
                self._rivals.append(asyncio.create_task(self._sample()))

    async def _sample(self) -> None:
        for pause in _PAUSES_SECONDS:
            await self.clock.sleep_async(pause)
            self._samples.append((self.clock.monotonic(), capacity_of(self.guard)))

    async def _sample_without_call(self, clock: SimulatedClock, moments: list[float]) -> Samples:
        """Set the scene anew without the call, and look at the guard at the same moments."""
        self.make_call(clock).close()
        samples = []
        for moment in moments:
            await clock.sleep_async(moment - clock.monotonic())
            samples.append((moment, capacity_of(self.guard)))
        return samples

    async def _work_of_call(self) -> None:
        self._sent = True
        await self._work()

    async def _be_rival(self) -> None:
        with suppress(SwitchgearError, ConnectionError):
            await self.guard.call(self._work)

    async def _work(self) -> None:
        """Take some time, in two waits."""
        await self.clock.sleep_async(_WORK_SECONDS)
        await asyncio.sleep(0)
        if not self.succeeds:
            raise ConnectionError("broken")


def _alone(_scene: Scene) -> None:
    """Let nobody else be there."""


def _failing(scene: Scene) -> None:
    """Let the call fail, so that it may be tried again."""
    scene.succeeds = False


SCENES: Mapping[str, Callable[[Scene], None]] = {
    "alone": _alone,
    "in a crowd": Scene.crowd,
    "as a probe": Scene.break_down,
    "failing": _failing,
}
"""Every scene, by what it shows."""


def break_down(guard: GuardLike) -> None:
    """Let calls fail until the guard refuses, or a hundred of them."""
    with suppress(Rejected):
        for _ in range(_FAILURES_MAX):
            guard.permit_nowait().fail()


async def count_timers(guard: GuardLike, clock: SimulatedClock, rounds: int, *, crowded: bool) -> int:
    """Cancel `rounds` calls in the middle of their first wait. Return how many timers more run than before."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)  # the suite runs on it
    permits = [guard.permit_nowait() for _ in range(min(capacity_of(guard), RIVALS_MAX) if crowded else 0)]
    before = loop.timers
    for _ in range(rounds):
        call = asyncio.create_task(guard.call(clock.sleep_async, _WORK_SECONDS))
        await clock.sleep_async(_PAUSES_SECONDS[0])
        call.cancel()
        await asyncio.wait({call})
        with suppress(asyncio.CancelledError, SwitchgearError, ConnectionError):
            call.result()
    for permit in permits:
        permit.ignore()
    return loop.timers - before
