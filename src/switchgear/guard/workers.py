"""Threads for blocking calls that must end in time.

A running thread cannot be stopped. So a blocking call that is bounded by a timeout or deadline runs in a worker
thread, with a copy of the context of its caller, and its caller stops waiting when the time is over. The worker
then tells when the call really ended. Workers are daemons and are used again; there are at most 1,000.
"""

from __future__ import annotations

import contextvars
import os
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from switchgear.core.clock import Clock, SystemClock
from switchgear.core.codes import Code
from switchgear.core.errors import Overloaded
from switchgear.core.mutexes import Mutex

WORKERS_MAX = 1_000
_IDLE_SECONDS = 10.0
_SIMULATED_GRACE_SECONDS = 0.25


class OutOfTime(Exception):
    """The caller has stopped waiting: its time is over, or an `interruption` came, such as Ctrl-C.

    `still_runs` says whether the call was left behind. Never leaves the guard.
    """

    def __init__(self, *, still_runs: bool, interruption: BaseException | None = None) -> None:
        """Keep the facts."""
        super().__init__(still_runs, interruption)
        self.still_runs = still_runs
        self.interruption = interruption


def start_in_worker(function: Callable[[], object], clock: Clock) -> None:
    """Call `function` in a worker with a copy of this context, and wait for nothing. It is to raise nothing.

    Raises `Overloaded` when all workers are taken.
    """
    _WORKERS.submit(Job(function, (), {}, _nothing), clock)


def wait_for(event: threading.Event, clock: Clock, seconds: float) -> None:
    """Wait in the time of `clock` until `event` is set, at most `seconds`.

    On a simulated clock what runs in workers gets a moment of real time first.
    """
    if not isinstance(clock, SystemClock):
        event.wait(_SIMULATED_GRACE_SECONDS)
    clock.wait(event, seconds)


class Job:
    """One blocking call for a worker.

    `handed_over` says that a worker has it or will take it, `left` that its caller stopped waiting while it ran. A
    worker then calls what was given as `when_ended`, at its real end.
    """

    __slots__ = (
        "_call",
        "_context",
        "_done",
        "_ended_at",
        "_error",
        "_lock",
        "_result",
        "_when_ended",
        "handed_over",
        "left",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        when_ended: Callable[[], object],
    ) -> None:
        """Call `function` later; `when_ended` runs after a call that was left behind."""
        self._call: tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]] | None = (function, args, kwargs)
        self._context = contextvars.copy_context()
        self._done = threading.Event()
        self._lock = Mutex()
        self.handed_over = self.left = False
        self._ended_at = 0.0
        self._error: BaseException | None = None
        self._result: Any = None
        self._when_ended = when_ended

    def run(self, clock: Clock) -> None:
        """Make the call, in a worker."""
        assert self._call is not None  # a job runs once
        function, args, kwargs = self._call
        self._call = None
        try:
            self._result = self._context.run(function, *args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller, who raises it
            self._error = error
        self._ended_at = clock.monotonic()
        with self._lock:
            self._done.set()
            left = self.left
        if left:
            self._when_ended()

    def make(self, clock: Clock, expires_at: float) -> Any:
        """Have the call made in a worker and wait for it until `expires_at`; return or raise what it did.

        Raises `OutOfTime` when it still runs then, or turns out to have ended later, or an interrupt ends the waiting;
        `Overloaded` when all workers are taken. `left` is set before anything else once it is left behind.
        """
        try:
            _WORKERS.submit(self, clock)
            self._wait(clock, expires_at)
            left = self._leave()
        except BaseException as interruption:
            if self.handed_over and self._leave():
                raise OutOfTime(still_runs=True, interruption=interruption) from None
            raise
        if left or self._ended_at > expires_at:
            raise OutOfTime(still_runs=left)
        if self._error is not None:
            self._raise()
        return self._result

    def _leave(self) -> bool:
        """Stop waiting. Return whether the call still runs."""
        with self._lock:
            self.left = self.left or not self._done.is_set()
        return self.left

    def _raise(self) -> NoReturn:
        """Raise what the call raised, without keeping it alive in a cycle."""
        error, self._error = self._error, None
        assert error is not None  # asked for before
        try:
            raise error
        finally:
            del error

    def _wait(self, clock: Clock, expires_at: float) -> None:
        """Wait in the time of `clock`. On a simulated one a quick call gets a moment of real time first."""
        wait_for(self._done, clock, expires_at - clock.monotonic())


Inbox = queue.SimpleQueue["tuple[Job, Clock] | None"]
"""Where a worker finds its next job, or None: that it is not wanted any more."""


class _Workers:
    """The threads of this process, idle ones on a stack."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every thread."""
        self._lock = Mutex()
        self._idle: list[Inbox] = []
        self._count = 0

    def submit(self, job: Job, clock: Clock) -> None:
        """Hand `job` to an idle worker, or to a new one."""
        inbox: Inbox | None = None
        try:
            with self._lock:
                if self._idle:
                    inbox = self._idle[-1]
                    del self._idle[-1]
            if inbox is None:
                inbox = self._new_worker()
            job.handed_over = True  # and no interrupt comes before it is
            inbox.put((job, clock))
        except BaseException:
            if inbox is not None and not job.handed_over:
                self._put_back(inbox)
            raise

    def _put_back(self, inbox: Inbox) -> None:
        with self._lock:
            self._idle.append(inbox)

    def _new_worker(self) -> Inbox:
        with self._lock:
            free = self._count < WORKERS_MAX
            self._count += free
        if not free:
            raise _no_thread(f"all {WORKERS_MAX} worker threads are taken by blocking calls")
        inbox: Inbox = queue.SimpleQueue()
        try:
            self._start(inbox)
        except BaseException:
            inbox.put(None)  # should it have started nevertheless
            with self._lock:
                self._count -= 1
            raise
        return inbox

    def _start(self, inbox: Inbox) -> None:
        thread = threading.Thread(target=self._work, args=(inbox,), name="switchgear-call", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise _no_thread(f"no worker thread could be started: {error}") from error

    def _work(self, inbox: Inbox) -> None:
        while (work := self._next(inbox)) is not None:
            job, clock = work
            job.run(clock)
            del job, work
            with self._lock:
                self._idle.append(inbox)

    def _next(self, inbox: Inbox) -> tuple[Job, Clock] | None:
        """Wait for work. None when there was none for a while and nobody can hand any over any more, or at once."""
        try:
            return inbox.get(timeout=_IDLE_SECONDS)
        except queue.Empty:
            pass
        with self._lock:
            if inbox in self._idle:
                self._idle.remove(inbox)
                self._count -= 1
                return None
        return inbox.get()  # a job is on its way


def _nothing() -> None:
    """Do nothing at the end of a call that nobody waits for anyway."""


def _no_thread(reason: str) -> Overloaded:
    return Overloaded(reason, code=Code.SHED_OVERLOAD, policy="timeout", retry_after=1.0)


_WORKERS = _Workers()


def _forget_threads_of_parent() -> None:
    """Start anew in a forked child, where the parent's threads do not exist."""
    _WORKERS.reset()


os.register_at_fork(after_in_child=_forget_threads_of_parent)
