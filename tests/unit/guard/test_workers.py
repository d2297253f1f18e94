"""Worker threads for bounded blocking calls: used again, ended when idle, forgotten after a fork."""

import os
import threading

import pytest

from switchgear import Guard, Timeout
from switchgear.guard import workers


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> object:
    """Give the test a set of workers of its own."""
    mine = workers._Workers()  # noqa: SLF001 - the threads of a process have no other handle
    monkeypatch.setattr(workers, "_WORKERS", mine)
    return mine


def test_a_worker_is_used_again(fresh: workers._Workers) -> None:
    """Calls one after the other need one thread, not one each."""
    guard = Guard("api", timeout=Timeout(20.0))
    threads = set()
    for _ in range(10):
        threads.add(guard.call(threading.current_thread))
        while not fresh._idle:  # noqa: SLF001 - until the worker is back
            threading.Event().wait(0.001)
    assert len(threads) == 1


@pytest.mark.usefixtures("fresh")
def test_an_idle_worker_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads do not outlive their use for long, and a later call gets a new one."""
    monkeypatch.setattr(workers, "_IDLE_SECONDS", 0.001)
    guard = Guard("api", timeout=Timeout(20.0))
    thread = guard.call(threading.current_thread)
    thread.join(60)
    assert not thread.is_alive()
    assert guard.call(int) == 0


def test_a_forked_child_starts_with_threads_of_its_own(fresh: workers._Workers) -> None:
    """After a fork the parent's idle workers do not exist; the child does not wait for them."""
    guard = Guard("api", timeout=Timeout(20.0))
    guard.call(int)
    inboxes = fresh._idle  # noqa: SLF001 - what a fork copies
    workers._forget_threads_of_parent()  # noqa: SLF001 - what runs in the child
    assert fresh._idle is not inboxes  # noqa: SLF001 - as above
    assert guard.call(os.getpid) == os.getpid()
