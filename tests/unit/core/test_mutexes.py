"""Mutexes: what a signal handler raises finds them taken inside their section, or not at all."""

from __future__ import annotations

import dis
import re
import signal
import sys
import threading
from _thread import interrupt_main
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FunctionType

import pytest

import switchgear
from switchgear.core.mutexes import Mutex, is_own, new_mutex
from tests.unit.guard.bytecode import SWITCHING
from tests.unit.guard.interrupting import Alarm

ROUNDS = 50


@contextmanager
def signals_that_raise() -> Iterator[list[int]]:
    """Have SIGALRM raise; yield the list of those that did."""
    caught: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        caught.append(number)
        raise Alarm

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        yield caught
    finally:
        signal.signal(signal.SIGALRM, before)


def interrupt_and_give_back(mutex: Mutex, is_held: threading.Event, is_wanted: threading.Event) -> None:
    """Hold the mutex until it is wanted; then have a signal wait for the main thread, and give the mutex back."""
    with mutex:
        is_held.set()
        is_wanted.wait()
        interrupt_main(signal.SIGALRM)


def enter(mutex: Mutex, is_wanted: threading.Event) -> None:
    """Enter a section whose mutex somebody else holds."""
    is_wanted.set()
    with mutex:
        pass


def test_an_interrupt_as_a_mutex_is_got_leaves_it_free() -> None:
    """A signal that came while a thread waited for the mutex is handled in the section, which gives it back."""
    mutex = new_mutex()
    with signals_that_raise() as caught:
        for _ in range(ROUNDS):
            is_held, is_wanted = threading.Event(), threading.Event()
            other = threading.Thread(target=interrupt_and_give_back, args=(mutex, is_held, is_wanted))
            other.start()
            is_held.wait()
            with suppress(Alarm):
                enter(mutex, is_wanted)
                other.join()  # where it is raised at the latest
            other.join()
            assert not is_own(mutex)
    assert len(caught) == ROUNDS


def test_a_mutex_may_be_taken_again_and_is_free_afterwards() -> None:
    """Sections of one thread stand in each other, by `with` or by hand, and end in any way."""
    mutex = new_mutex()
    with suppress(Alarm), mutex:
        assert mutex.acquire(timeout=1.0)
        with mutex as taken:
            assert (taken, is_own(mutex)) == (True, True)
        mutex.release()
        raise Alarm
    assert not is_own(mutex)


def test_there_are_no_other_locks() -> None:
    """Any other may be left locked by an interrupt, be waited for by its own thread, or stay locked in a fork."""
    source = Path(switchgear.__file__).parent
    texts = {path: path.read_text() for path in source.rglob("*.py") if path.name != "mutexes.py"}
    assert not [path for path, text in texts.items() if re.search(r"\bthreading\.R?Lock\b|import.*\bR?Lock\b", text)]


@pytest.mark.skipif(sys.version_info < (3, 14), reason="before, `with` enters without a call")
def test_taking_a_mutex_asks_for_no_signal_and_giving_it_back_is_left_to_c() -> None:
    """No instruction between the start of `__enter__` and its end lets a handler run; `__exit__` has no start."""
    enter, leave = Mutex.__enter__, Mutex.__exit__
    assert isinstance(enter, FunctionType)
    names = [instruction.opname for instruction in dis.get_instructions(enter)]
    assert names.pop(0) == "RESUME"
    assert not [name for name in names if name.startswith(SWITCHING)]
    assert not isinstance(leave, FunctionType)
