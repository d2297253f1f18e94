"""Cancel a call at every point where it can be suspended, and look at what is left each time.

`drive_to_suspension` stops the whole loop at one suspension of one call. `cancel_everywhere` does that with each of
them, from a fresh start every time. Both need a `SimulatedLoop`: nothing else runs between stop and cancellation.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Literal, TypeVar

from switchgear.testing.errors import SimulationError
from switchgear.testing.frames import place_of
from switchgear.testing.simulation import SimulatedClock, SimulatedLoop

R = TypeVar("R")

Call = Coroutine[Any, Any, R]
Moment = Literal["before", "waiting", "woken"]

POINTS_MAX = 1_000
"""Suspensions of one call that are explored at most."""

_SETTLE_SECONDS = 3_600.0
_CALL_SECONDS_MAX = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Cancellation:
    """One cancellation that was tried.

    point   the suspension of the call, from 1; 0 is before its first step.
    moment  "waiting": in the middle of the wait; "woken": what it waited for has come, but it does not run yet;
            "before" at point 0.
    place   function, file and line of the suspension.
    """

    point: int
    moment: Moment
    place: str

    def __str__(self) -> str:
        """Say where and when."""
        return f"cancelled at suspension {self.point}, {self.moment}, in {self.place}"


def drive_to_suspension(loop: SimulatedLoop, call: Call[R], point: int = 1) -> asyncio.Task[R]:
    """Run `loop` until `call` is suspended for the `point`-th time, and stop there. Return the task of the call.

    Nothing has run since the suspension. Look around, cancel the task, and go on with
    ``loop.run_until_complete(task)``. Raises `SimulationError` when the call ended before.
    """

    def suspended(number: int, _future: asyncio.Future[Any] | None) -> None:
        if number == point:
            loop.stop()

    def ended(_task: asyncio.Task[R]) -> None:
        loop.stop()

    watched = _Watched(call, suspended)
    task = loop.create_task(watched.run())
    task.add_done_callback(ended)
    loop.run_forever()
    task.remove_done_callback(ended)
    if watched.suspensions < point:
        how = "was cancelled" if task.cancelled() else f"ended with {task.exception() or task.result()!r}"
        raise SimulationError(f"the call was suspended {watched.suspensions} times, not {point}, and {how}")
    return task


def cancel_everywhere(
    make_call: Callable[[SimulatedClock], Call[Any]],
    check: Callable[[Cancellation], object],
    *,
    seed: int | None = None,
    points_max: int = POINTS_MAX,
) -> tuple[Cancellation, ...]:
    """Cancel a call at each of its suspensions, each time in a new simulation. Return what was tried, in order.

    make_call  makes everything anew on the clock it is given, and returns the call. It runs on the loop, so it may
               start rivals with `asyncio.create_task`.
    check      is called on the loop, virtual hours after each cancellation; sync or async. It raises for what leaked.
    seed       shuffles what is ready, as in `SimulatedLoop`.

    Each suspension is tried twice: in the middle of the wait, and in the instant in which what it waited for has
    come, which is when a granted place gets lost. Raises `AssertionError`, and whatever `check` raises with a note
    that names the place: when the call does not end in the cancellation; when something of it, as a forgotten
    deadline, cancels its task again later; when it has more than `points_max` suspensions.
    """
    tried = [_explore(make_call, check, seed, 0, "before")]
    for point in range(1, points_max + 1):
        waiting = _explore(make_call, check, seed, point, "waiting")
        if waiting is None:
            return tuple(one for one in tried if one is not None)
        tried += [waiting, _explore(make_call, check, seed, point, "woken")]
    raise AssertionError(f"the call has more than {points_max} suspensions")


def _explore(
    make_call: Callable[[SimulatedClock], Call[Any]],
    check: Callable[[Cancellation], object],
    seed: int | None,
    point: int,
    moment: Moment,
) -> Cancellation | None:
    """Try one cancellation. Return None when the call never comes there."""
    with asyncio.Runner(loop_factory=lambda: SimulatedLoop(seed=seed)) as runner:
        return runner.run(_Trial(point, moment).run(make_call, check))


class _Watched(Generic[R]):
    """An awaitable that drives a coroutine and tells of each of its suspensions just before it happens."""

    def __init__(self, call: Call[R], suspended: Callable[[int, asyncio.Future[Any] | None], object]) -> None:
        """Tell `suspended` the number, from 1, and what is waited for: a future, or None for a mere turn."""
        self.call = call
        self.suspensions = 0
        self._suspended = suspended

    async def run(self) -> R:
        """Drive the call to its end."""
        return await self

    def __await__(self) -> Generator[Any, Any, R]:
        """Pass on what the coroutine waits for, unseen by it and by the task."""
        resume: Callable[[], Any] = partial(self.call.send, None)
        while True:
            try:
                future = resume()
            except StopIteration as stop:
                value: R = stop.value
                return value
            self.suspensions += 1
            self._suspended(self.suspensions, future)
            resume = yield from self._pause(future)

    def _pause(self, future: asyncio.Future[Any] | None) -> Generator[Any, Any, Callable[[], Any]]:
        """Suspend. Return how the coroutine goes on."""
        try:
            yield future
        except BaseException as error:  # noqa: BLE001 - it belongs to the coroutine
            raised = error
            return lambda: self.call.throw(raised)
        return lambda: self.call.send(None)


class _Trial:
    """One cancellation, in a simulation of its own."""

    def __init__(self, point: int, moment: Moment) -> None:
        """Cancel at `point`."""
        self._point = point
        self._moment = moment
        self._place = "the start"
        self._watched: _Watched[Any] | None = None
        self._host: asyncio.Task[None] | None = None
        self._cancelled = False
        self._end = ""

    async def run(
        self, make_call: Callable[[SimulatedClock], Call[Any]], check: Callable[[Cancellation], object]
    ) -> Cancellation | None:
        """Make the call, cancel it, wait an hour, and check."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)  # `_explore` made it
        self._watched = _Watched(make_call(loop.clock), self._suspended)
        self._host = loop.create_task(self._call())
        if self._point == 0:
            self._cancel()
        await asyncio.wait({self._host}, timeout=_CALL_SECONDS_MAX)
        await asyncio.sleep(1.0)  # so that timers of this very moment have done their work
        if not self._cancelled:
            await self._give_up()
            return None
        await asyncio.sleep(_SETTLE_SECONDS)
        cancellation = Cancellation(self._point, self._moment, self._place)
        try:
            self._check_end()
            result = check(cancellation)
            if inspect.isawaitable(result):
                await result
        except BaseException as error:
            error.add_note(str(cancellation))
            raise
        return cancellation

    async def _call(self) -> None:
        """Make the call, and live on for an hour, so that what cancels this task later is seen."""
        assert self._watched is not None  # set by `run`
        try:
            await self._watched
        except asyncio.CancelledError:
            if not self._cancelled:
                raise
            self._end = "cancelled"
        except Exception as error:  # noqa: BLE001 - whatever it is, `_check_end` tells of it
            self._end = f"raised {error!r}"
        else:
            self._end = "returned"
        assert self._host is not None  # this very task
        if self._cancelled:
            self._host.uncancel()
        if self._host.cancelling():
            self._end = "left its task cancelling"
        await asyncio.sleep(_SETTLE_SECONDS)

    def _suspended(self, number: int, future: asyncio.Future[Any] | None) -> None:
        """Cancel at the point: now, so that the task is cancelled as it begins to wait, or when its wait is over."""
        if number != self._point or self._watched is None:
            return
        self._place = place_of(self._watched.call)
        if self._moment == "waiting":
            self._cancel()
        elif future is not None:
            future.add_done_callback(lambda _: self._cancel())

    def _cancel(self) -> None:
        """Cancel the call, unless it ended meanwhile, which a shuffled loop makes possible."""
        assert self._host is not None  # it runs
        if not self._end:
            self._cancelled = self._host.cancel()

    def _check_end(self) -> None:
        """Check that the call passed the cancellation on, and that nothing cancelled its task afterwards."""
        assert self._host is not None  # it was started
        assert self._watched is not None  # as it
        if self._point == 0:
            self._watched.call.close()
            return
        assert self._end == "cancelled", f"the call does not pass the cancellation on: it {self._end}"
        assert self._host.done(), "the task of the call does not end"
        assert not self._host.cancelled(), "something cancelled the task of the call after the call had ended"

    async def _give_up(self) -> None:
        """End a call that was not cancelled: it has fewer suspensions, or waits there for what never comes."""
        assert self._host is not None  # it was started
        loop = asyncio.get_running_loop()
        stuck = self._moment == "woken" or (isinstance(loop, SimulatedLoop) and loop.timers == 0)
        assert self._end or stuck, f"the call runs for more than {_CALL_SECONDS_MAX:g} virtual seconds"
        self._host.cancel()
        await asyncio.wait({self._host})
