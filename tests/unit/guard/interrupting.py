"""Raises at one chosen point of a call, of all those at which CPython lets an interrupt in; then at the next one.

CPython asks for interrupts at the start of a function, after a call of something in C, and at a jump backwards. A
tracer sees these points in the package and raises there, so that no run depends on luck. For the tests of interrupts.
"""

import dis
import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Self

import switchgear
from switchgear import Guard, SwitchgearError
from switchgear.core.deadline import CURRENT, current_deadline
from switchgear.guard.permit import Permit
from switchgear.testing import VirtualClock

CALLED = dis.opmap["RESUME"]
ASKING = {CALLED, *(dis.opmap[name] for name in ("CALL", "CALL_FUNCTION_EX", "JUMP_BACKWARD"))}
ASKING |= {dis.opmap[name] for name in ("CALL_KW",) if name in dis.opmap}  # CPython 3.13 has it
PACKAGE = str(Path(switchgear.__file__).parent)
POINTS_MAX = 5_000
POLL_SECONDS = 0.002
POLLS_MAX = 2_000

Check = Callable[[], None]
Scene = Callable[[], tuple[Callable[[], object], Check]]
"""Makes a new guard. Gives a call, and the check that has to hold when the call was interrupted."""


class Alarm(BaseException):
    """What a handler raises, as Ctrl-C does."""


class Interrupter:
    """Raises `Alarm` at the point number `at` of what runs inside.

    `everywhere` raises after calls of functions written in Python as well. CPython does not ask there, unless a
    debugger evaluates the frames.
    """

    def __init__(self, at: int, *, everywhere: bool = False) -> None:
        """Prepare."""
        self.fired = False
        self.where = ""
        self._left = at
        self._everywhere = everywhere
        self._before: Any = None
        self._begin = self._begin_frame  # one object each: CPython 3.11 keeps no hold of a tracer while it calls it
        self._go_on = self._go_on_in_frame
        self._codes: dict[CodeType, bytes] = {}
        self._last: dict[FrameType, int] = {}

    def __enter__(self) -> Self:
        """Start."""
        self._before = sys.gettrace()
        own: Any = inspect.currentframe()
        own.f_trace_opcodes = True  # CPython 3.12 looks at that when tracing begins, whichever frame it is of
        sys.settrace(self._begin)
        return self

    def __exit__(self, *_error: object) -> None:
        """End, and let go of the frames."""
        sys.settrace(self._before)
        self._last.clear()

    def _begin_frame(self, frame: FrameType, _event: str, _argument: object) -> Callable[..., Any] | None:
        if not frame.f_code.co_filename.startswith(PACKAGE) or ends_an_object(frame):
            return None
        frame.f_trace = self._go_on  # before the next: CPython 3.13 tells opcodes to a frame with a tracer alone
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True
        self._last[frame] = CALLED
        return self._go_on

    def _go_on_in_frame(self, frame: FrameType, event: str, _argument: object) -> Callable[..., Any]:
        if event == "opcode":
            code = self._codes.get(frame.f_code) or self._codes.setdefault(frame.f_code, frame.f_code.co_code)
            last, self._last[frame] = self._last.get(frame), code[frame.f_lasti]
            if last in ASKING:
                self._point(frame)
        else:  # it returns or raises, so what comes next does not follow from the last instruction
            self._last.pop(frame, None)
            inline = event == "return" and frame.f_code.co_name != "__init__"  # a class is called by way of C
            if inline and frame.f_back is not None and not self._everywhere:
                self._last.pop(frame.f_back, None)
        return self._go_on

    def _point(self, frame: FrameType) -> None:
        self._left -= 1
        if self._left == 0:
            self.fired = True
            self.where = f"{frame.f_code.co_qualname}, line {frame.f_lineno}"
            raise Alarm  # which ends the tracing


def ends_an_object(frame: FrameType | None) -> bool:
    """Return whether an object is ending: what is raised there goes nowhere, in any Python program."""
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


def at_every_point(scene: Scene, *, everywhere: bool = False) -> Iterator[str]:
    """Make the call of a new `scene` again and again, each time interrupted at its next point; then check.

    Yield where it was interrupted, until a call gets through.
    """
    for at in range(1, POINTS_MAX):
        call, check = scene()
        interrupter = Interrupter(at, everywhere=everywhere)
        with suppress(Alarm), interrupter:
            call()
        if not interrupter.fired:
            return
        try:
            check()
        except BaseException as error:
            error.add_note(f"interrupted at point {at}: {interrupter.where}")
            raise
        yield interrupter.where
    raise AssertionError("more points than a call can have")


class Clock(VirtualClock):
    """A clock for one guard. Who waits in its queue gets the place of `holder`, if there is one to give way."""

    def __init__(self) -> None:
        """Start with nobody who holds a place."""
        super().__init__()
        self.holder: Permit | None = None
        self.gives_way = False

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Let time pass."""
        if self.gives_way and self.holder is not None:
            self.holder.succeed()
        return super().wait(event, seconds)


def work() -> str:
    """Be a dependency that is up."""
    return "done"


def failing() -> None:
    """Be a dependency that is down."""
    raise OSError("down")


def items() -> Iterator[int]:
    """Be a dependency that gives two items."""
    yield 1
    yield 2


def scene(policies: dict[str, Any], prepare: Callable[[Guard, Clock], None], act: Callable[[Guard], object]) -> Scene:
    """Return a scene of one guard: how it is made and prepared, and what is done with it."""

    def new() -> tuple[Callable[[], None], Check]:
        CURRENT.set(None)
        clock = Clock()
        guard = Guard("api", clock=clock, **policies)
        prepare(guard, clock)

        def make() -> None:
            with suppress(OSError, SwitchgearError):
                act(guard)

        return make, lambda: check(guard, clock)

    return new


def check(guard: Guard, clock: Clock) -> None:
    """Assert that nothing is held, and that the guard works on."""
    if clock.holder is not None:
        clock.holder.succeed()
    until(lambda: not guard.statistics().in_flight)
    assert current_deadline() is None
    assert_idle(guard)
    clock.advance(1_000.0)
    guard.permit_nowait().succeed()
    assert guard.call(work) == "done"
    assert guard.state == "closed"
    assert_idle(guard)
    member = guard._member  # noqa: SLF001 - calls go straight again
    assert member.straight_plan is member.plan or not member.plan.allows_straight


def assert_idle(guard: Guard) -> None:
    """Assert that nobody is in or waits, and that the books are right."""
    statistics = guard.statistics()
    assert (statistics.in_flight, statistics.waiting, statistics.abandoned) == (0, 0, 0)
    assert statistics.calls == statistics.successes + statistics.failures + statistics.ignored
    member = guard._member  # noqa: SLF001 - what is proved
    assert not member.awake or member.places is None or not member.places.taken


def until(condition: Callable[[], bool]) -> None:
    """Wait, in real time and not for long, until a worker has done what it is at."""
    for _ in range(POLLS_MAX):
        if condition():
            return
        threading.Event().wait(POLL_SECONDS)
