"""Mutexes of the guard: they may be taken again by the thread that holds them, and are free in a forked child.

A signal handler, or an object's end, may call a guard from inside one of its own sections; and a child of `fork`
has none of the threads that may have held a mutex at that moment.
"""

from __future__ import annotations

import os
import threading
from weakref import WeakSet

_ALL: WeakSet[threading.RLock] = WeakSet()


def new_mutex() -> threading.RLock:
    """Return a mutex."""
    mutex = threading.RLock()
    _ALL.add(mutex)
    return mutex


def is_own(mutex: threading.RLock) -> bool:
    """Return whether this very thread holds `mutex`, as `threading.Condition` asks it."""
    owned: bool = mutex._is_owned()  # type: ignore[attr-defined] # noqa: SLF001 - there is no other way
    return owned


def _free_all() -> None:
    for mutex in _ALL:
        mutex._at_fork_reinit()  # type: ignore[attr-defined] # noqa: SLF001 - what `threading` does with its own


os.register_at_fork(after_in_child=_free_all)
