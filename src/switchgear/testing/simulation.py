"""An event loop in which time is virtual: when nothing is ready, it jumps to the next timer.

What is not simulated: threads, the garbage collector, and the order in which Python walks sets of tasks. Nothing
here fakes a network; `switchgear.testing.upstream` does.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context
from functools import partial
from hashlib import blake2b
from math import inf
from random import Random
from typing import Any, NoReturn, TypeVar, TypeVarTuple

from switchgear.core.clock import Timer, VirtualClock
from switchgear.core.errors import OptionError
from switchgear.policies.checks import refused, require_count, require_seconds
from switchgear.testing.errors import OutsideSimulation, SimulatedDeadlock, StepsExhausted
from switchgear.testing.frames import name_of, place_of

R = TypeVar("R")
Ts = TypeVarTuple("Ts")

STEPS_MAX = 1_000_000
"""Steps of a simulation unless another bound is given."""
_STEPS_TO_CLEAN_UP = 100_000
_RECENT = 10
_CREEP_LEAST = 0.02
"""The quickest reading, as a share of the slowest."""
_EARLY_EXAMPLE = "SimulatedClock(creep=5e-05, early=0.0015)"


class SimulatedClock(VirtualClock):
    """The clock of a `SimulatedLoop`: moves by itself when the loop has nothing else to do.

    ``Guard(clock=loop.clock)`` makes a guard live in simulated time. `sleep`, `wait` and `advance` stand for
    blocking work: time moves, and the timers that became due run afterwards.

    start   seconds that `monotonic` begins at
    wall    seconds since the Unix epoch that `time` begins at
    creep   seconds that a reading takes at most, as it takes some between two lines of a program: each one, of
            either face, is later than the one before it. 0.0: time stands still until it is moved.
    early   seconds that the timers of the loop fire too soon at most; those of uvloop do by up to 0.0015. Code that
            is woken too soon looks at the clock again, so this needs `creep`: else it would look for ever.
    random  draws both; without one, a seed of 0 does.

    Raises `OptionError` for seconds below 0, and for `early` without `creep`.
    """

    def __init__(
        self,
        start: float = 1_000.0,
        wall: float = 1_700_000_000.0,
        *,
        creep: float = 0.0,
        early: float = 0.0,
        random: Random | None = None,
    ) -> None:
        """Begin at `start`, with no timer."""
        super().__init__(start, wall)
        require_seconds("SimulatedClock(creep)", creep, zero=True, example=5e-05)
        require_seconds("SimulatedClock(early)", early, zero=True, write=_EARLY_EXAMPLE)
        if early and not creep:
            raise refused("SimulatedClock(early)", "needs a clock that creeps", early, _EARLY_EXAMPLE)
        self._creep = creep
        self._early = early
        self._random = random or Random(0)

    @property
    def now(self) -> float:
        """The virtual seconds, for whoever looks on: this reading takes no time."""
        return self._now

    def monotonic(self) -> float:
        """Return the virtual seconds. Reading them takes time on a clock that creeps."""
        if self._creep:
            self._now += self._creep * self._random.uniform(_CREEP_LEAST, 1.0)
        return self._now

    def time(self) -> float:
        """Return the virtual seconds since the epoch. Reading them takes time on a clock that creeps."""
        return self.monotonic() + self._wall_offset

    def fires_at(self, when: float) -> float:
        """Return when a timer for `when` fires on the loop of this clock: then, or a little too soon."""
        return when - self._early * self._random.random() if self._early else when

    async def sleep_async(self, seconds: float) -> None:
        """Suspend until `seconds` have passed, never less: somewhat more where timers may fire too soon."""
        await super().sleep_async(seconds + self._early if seconds > 0 else seconds)

    async def elapse(self, seconds: float, *, turns: int = 20) -> None:
        """Let `seconds` pass while everything else goes on, then give tasks `turns` turns."""
        await self.sleep_async(seconds)
        for _ in range(turns):
            await asyncio.sleep(0)

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Run `callback` on the loop of this clock when it reaches `when`; without one, as `VirtualClock` does."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return super().call_at(when, callback)
        if isinstance(loop, SimulatedLoop) and loop.clock is self:
            return loop.call_at(when, callback)
        return super().call_at(when, callback)


class SimulatedLoop(asyncio.BaseEventLoop):
    """An asyncio event loop in virtual time, for ``asyncio.Runner(loop_factory=SimulatedLoop)`` or by hand.

    seed       None keeps asyncio's own order, first come, first served. A number shuffles: each step is drawn
               from all callbacks that are ready, so that many seeds try many interleavings. Code must not rely
               on the order of callbacks that are ready together; what does is found this way.
    clock      the clock to move; default: a new one.
    steps_max  callbacks run at most, at least 1.

    The same seed and program give the same `trace_hash`. An error that leaves `run_until_complete` has a note
    with seed, steps, time and trace. Raises `OptionError` for a bound that cannot work.
    """

    _stopping: bool  # of the base class: set by `stop`

    def __init__(
        self, *, seed: int | None = None, clock: SimulatedClock | None = None, steps_max: int = STEPS_MAX
    ) -> None:
        """Start at the clock's present moment, with nothing to do."""
        super().__init__()
        try:
            require_count("SimulatedLoop(steps_max)", steps_max, example=STEPS_MAX)
        except OptionError:
            super().close()
            raise
        self.seed = seed
        self.clock = clock or SimulatedClock()
        self.steps = 0
        self._steps_end = steps_max
        self._draws = None if seed is None else Random(seed)
        self._soon: deque[_Ready] = deque()
        self._arrived: deque[_Callback] = deque()
        self._later: list[tuple[float, int, _TimedCallback]] = []
        self._serials = itertools.count(1)
        self._trace = blake2b(digest_size=16)
        self._recent: deque[str] = deque(maxlen=_RECENT)

    # -- What users look at ----------------------------------------------------------------------------------

    @property
    def trace_hash(self) -> str:
        """A digest of every step so far: its moment, its number and what ran."""
        return self._trace.hexdigest()

    @property
    def timers(self) -> int:
        """How many timers run."""
        return sum(not timer.cancelled() for _, _, timer in self._later)

    def time(self) -> float:
        """Return the virtual seconds, as the clock does."""
        return self.clock.monotonic()

    def run_until_complete(self, future: Generator[Any, None, R] | Awaitable[R]) -> R:
        """Run until `future` is done and return its result, as asyncio does."""
        try:
            return super().run_until_complete(future)
        except BaseException as error:
            error.add_note(
                f"simulated with seed={self.seed}, {self.steps} steps, "
                f"now={self.clock.now:.6f}, trace_hash={self.trace_hash}"
            )
            raise

    def close(self) -> None:
        """Forget everything that was to run."""
        super().close()
        self._soon.clear()
        self._arrived.clear()
        self._later.clear()

    # -- What asyncio calls ----------------------------------------------------------------------------------

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Run `callback` in one of the next steps."""
        handle = self._callback(callback, args, context)
        self._soon.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Run `callback` in one of the next steps. From another thread the loop must not have run dry meanwhile."""
        if asyncio._get_running_loop() is self:  # noqa: SLF001 - documented for authors of event loops
            return self.call_soon(callback, *args, context=context)
        handle = self._callback(callback, args, context)
        self._arrived.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run `callback` after `delay` virtual seconds."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run `callback` at the virtual second `when`; infinity is never."""
        self._refuse_when_closed()
        timer = _TimedCallback(when, callback, args, self, context)
        timer.serial = next(self._serials)
        if when < inf:
            heapq.heappush(self._later, (self.clock.fires_at(when), timer.serial, timer))
        return timer

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        """Do nothing: a cancelled timer is dropped when its moment comes."""

    def _run_once(self) -> None:
        """Run one callback. `run_forever` of the base class calls this until it is told to stop."""
        self._make_ready()
        while not self._soon:
            if self._stopping:
                return
            self._jump()
            self._make_ready()
        self._keep_bound()
        handle = self._draw()
        if not handle.cancelled():
            self._count(handle)
            handle._run()  # noqa: SLF001 - what an event loop does with a handle

    # -- Steps of a step -------------------------------------------------------------------------------------

    def _make_ready(self) -> None:
        """Collect what other threads handed in, and the timers that are due."""
        while self._arrived:
            self._soon.append(self._arrived.popleft())
        now = self.clock.now
        while self._later and self._later[0][0] <= now:
            self._soon.append(heapq.heappop(self._later)[2])

    def _jump(self) -> None:
        """Move time to the next timer."""
        while self._later and self._later[0][2].cancelled():
            heapq.heappop(self._later)
        if not self._later:
            raise SimulatedDeadlock(_waiting(self))
        self.clock.advance(max(0.0, self._later[0][0] - self.clock.now))

    def _draw(self) -> _Ready:
        """Take the first of what is ready, or with a seed any of it."""
        if self._draws is not None:
            position = self._draws.randrange(len(self._soon))
            self._soon[0], self._soon[position] = self._soon[position], self._soon[0]
        return self._soon.popleft()

    def _keep_bound(self) -> None:
        """Refuse more steps than allowed. The bound moves then, so that what still runs can be cancelled in order."""
        if self.steps >= self._steps_end:
            self._steps_end = self.steps + _STEPS_TO_CLEAN_UP
            raise StepsExhausted(self.steps, tuple(self._recent))

    def _count(self, handle: _Ready) -> None:
        """Note a step in the trace."""
        self.steps += 1
        line = f"{self.clock.now!r} {handle.serial} {handle.label()}"
        self._recent.append(line)
        self._trace.update(line.encode())

    def _callback(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None) -> _Callback:
        self._refuse_when_closed()
        handle = _Callback(callback, args, self, context)
        handle.serial = next(self._serials)
        return handle

    def _refuse_when_closed(self) -> None:
        if self.is_closed():
            raise RuntimeError("Event loop is closed")


class _Numbered:
    """What a trace says of a callback: its number in the order of asking, and what it runs."""

    __slots__ = ()
    serial: int
    _callback: Any

    def label(self) -> str:
        """Return the name of the task's coroutine that goes on, or of the function."""
        owner = getattr(self._callback, "__self__", None)
        return name_of(owner.get_coro() if isinstance(owner, asyncio.Task) else self._callback)


class _Callback(_Numbered, asyncio.Handle):
    """A callback that is ready."""

    __slots__ = ("serial",)


class _TimedCallback(_Numbered, asyncio.TimerHandle):
    """A callback that becomes ready at its moment."""

    __slots__ = ("serial",)


_Ready = _Callback | _TimedCallback


def run_simulated(
    main: Coroutine[Any, Any, R],
    *,
    seed: int | None = None,
    clock: SimulatedClock | None = None,
    steps_max: int = STEPS_MAX,
) -> R:
    """Run `main` on a new `SimulatedLoop` and return its result, as `asyncio.run` does on a real one.

    Tasks that are left are cancelled. Options, and what they raise, are those of `SimulatedLoop`. Raises
    `SimulatedDeadlock`, `StepsExhausted`, and whatever `main` raises.
    """
    with asyncio.Runner(loop_factory=partial(SimulatedLoop, seed=seed, clock=clock, steps_max=steps_max)) as runner:
        return runner.run(main)


def _waiting(loop: SimulatedLoop) -> tuple[str, ...]:
    """Say of each task that is not done what it is and where it waits, in the order of their names."""
    tasks = sorted(asyncio.all_tasks(loop), key=lambda task: (len(task.get_name()), task.get_name()))
    return tuple(f"{task.get_name()} {name_of(task.get_coro())} in {place_of(task.get_coro())}" for task in tasks)


def _refusal(operation: str) -> Callable[..., NoReturn]:
    def refuse(_loop: SimulatedLoop, *_args: object, **_kwargs: object) -> NoReturn:
        raise OutsideSimulation(operation)

    return refuse


OUTSIDE = (
    *("run_in_executor", "getaddrinfo", "getnameinfo", "add_signal_handler", "remove_signal_handler"),
    *("create_connection", "create_server", "create_unix_connection", "create_unix_server"),
    *("create_datagram_endpoint", "connect_accepted_socket", "start_tls", "sendfile"),
    *("sock_accept", "sock_connect", "sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into"),
    *("sock_sendall", "sock_sendto", "sock_sendfile", "add_reader", "remove_reader", "add_writer", "remove_writer"),
    *("connect_read_pipe", "connect_write_pipe", "subprocess_shell", "subprocess_exec"),
)
"""The methods of an event loop that a simulated one refuses."""

for _operation in OUTSIDE:
    setattr(SimulatedLoop, _operation, _refusal(_operation))
