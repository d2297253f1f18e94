"""Ends this process in time, whatever still runs in it: a tool that ignores its cancellation cannot keep it alive.

Only for a process that is a server and nothing else. Everything is on record by the time that this matters.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINGER_SECONDS_MAX = 5.0
"""How long what still runs may take to end once everything is on record."""


@contextmanager
def ending_in_time(seconds: float = LINGER_SECONDS_MAX) -> Iterator[Callable[[int], None]]:
    """Yield what is called with the exit code once all is recorded: the block has to be left `seconds` after that.

    A block that is not left by then ends with the process, at once and with that code.
    """
    timers: list[threading.Timer] = []

    def recorded(code: int) -> None:
        timer = threading.Timer(seconds, _end, (code,))
        timer.daemon = True
        timer.start()
        timers.append(timer)

    try:
        yield recorded
    finally:
        for timer in timers:
            timer.cancel()


def _end(code: int) -> None:
    sys.stderr.write("something ignores that it was cancelled; the process ends without it\n")
    sys.stderr.flush()
    os._exit(code)
