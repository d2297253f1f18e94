"""What a process does for an engine that has it to itself. It changes the interpreter for everything in it."""

from __future__ import annotations

import gc
import sys

YOUNG_MAX = 10_000
"""Young objects are searched for garbage when so many more have come than gone. CPython's own number is 700 until 3.12,
then 2,000: few actions."""
SWITCH_SECONDS = 1e-4
"""For how long a thread that computes keeps another one waiting. CPython's own 5 ms are many actions."""


def dedicate_process() -> None:
    """Set this process up for many actions in flight that are submitted in it, once the gear is open.

    The threads that write and read the store then need not wait long for a loop that is busy.
    """
    collect_garbage_seldom()
    sys.setswitchinterval(SWITCH_SECONDS)


def collect_garbage_seldom() -> None:
    """Let no garbage collection look through what is here by now, nor again and again through what is under way.

    Each such look would hold up every action, and what an action leaves behind is no cyclic garbage. A server does this
    alone: what it does for a request is so much more than its records that quicker threads only interrupt it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, *gc.get_threshold()[1:])
