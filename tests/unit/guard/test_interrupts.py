"""Interrupts: a signal handler may raise between any two bytecodes of the main thread."""

import signal
import threading
from contextlib import suppress

from switchgear import Breaker, Bulkhead, CircuitOpen, Guard, QueueFull


class Alarm(BaseException):
    """What a handler raises, as Ctrl-C does."""


def failing() -> None:
    """Be a dependency that is down."""
    raise OSError("down")


def test_an_interrupted_section_leaves_no_mutex_behind() -> None:
    """A signal may raise anywhere; the next call must neither hang nor fail."""
    guard = Guard("api", breaker=Breaker(failures=1_000_000), bulkhead=Bulkhead(64))
    caught = 0

    def interrupt(_number: int, _frame: object) -> None:
        raise Alarm

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for turn in range(1_000):
            signal.setitimer(signal.ITIMER_REAL, 0.00002 + turn % 50 * 0.000003)
            try:
                for _ in range(200):
                    with suppress(OSError, CircuitOpen, QueueFull):
                        guard.call(failing)
            except Alarm:
                caught += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    free: list[bool] = []
    mutex = guard._member.mutex  # noqa: SLF001 - what is proved

    def look() -> None:
        free.append(mutex.acquire(timeout=1.0))
        if free[0]:
            mutex.release()

    other = threading.Thread(target=look)
    other.start()
    other.join()
    assert free == [True]
    assert caught
    assert guard.statistics().name == "api"
