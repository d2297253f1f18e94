"""Mutexes: they may be taken again by the thread that holds them, and are free in a forked child.

A signal handler, or an object's end, may come into a section that its own thread is in already, such as that of a
guard; and a child of `fork` has none of the threads that may have held a mutex at that moment. So there are no other
locks in this package.

A handler that raises never leaves one locked: no signal is handled between taking a mutex and beginning what its
``with`` protects, nor between the end of that and giving it back.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock
from weakref import WeakSet

ONE_THREAD_AT_A_TIME = sys.implementation.name == "cpython" and getattr(sys, "_is_gil_enabled", lambda: True)()
"""Whether straight sections hold: CPython with its lock, which no thread gives up between two plain bytecodes."""

if sys.version_info >= (3, 14):

    class Mutex(RLock):
        """Is taken by reading an attribute: CPython 3.14 handles signals after calling `__enter__` (its issue 148874).

        It does so when C was called, and not when a function in Python has returned. Giving back is left to C.
        """

        __slots__ = ()
        _taken = property(RLock.acquire)

        def __enter__(self) -> bool:
            """Take it, and handle no signal until the caller goes on."""
            taken: bool = self._taken
            return taken

else:
    Mutex = RLock

_ALL: WeakSet[Mutex] = WeakSet()


def new_mutex() -> Mutex:
    """Return a mutex that a forked child finds free."""
    mutex = Mutex()
    _ALL.add(mutex)
    return mutex


def is_own(mutex: Mutex) -> bool:
    """Return whether this very thread holds `mutex`, as `threading.Condition` asks it."""
    owned: bool = mutex._is_owned()  # type: ignore[attr-defined] # noqa: SLF001 - there is no other way
    return owned


def _free_all() -> None:
    for mutex in _ALL:
        mutex._at_fork_reinit()  # type: ignore[attr-defined] # noqa: SLF001 - what `threading` does with its own


os.register_at_fork(after_in_child=_free_all)
