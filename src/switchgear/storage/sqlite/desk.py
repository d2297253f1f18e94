"""A desk: requests from the event loop to one thread in batches, answers back in one hop per batch.

What one turn of the loop asks for travels in trays. A full one leaves before the turn is over, so that a burst does not
keep the thread waiting; the last one leaves when it is. The thread drains whatever has come meanwhile, up to a bound:
batches grow with load, and none waits for a timer. Answers come in the order of the requests, so only requests travel
to the thread, and only answers back. Knows nothing of databases.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from queue import SimpleQueue
from typing import Generic, TypeVar

from switchgear.core.clock import Clock, Timer
from switchgear.core.codes import Code
from switchgear.core.errors import StoreError

_logger = logging.getLogger("switchgear.storage")

Request = TypeVar("Request")
Answer = TypeVar("Answer")

_Waiting = tuple[float, Request, "asyncio.Future[Answer]"]
"""When a request is late, the request, and what answers it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskOptions:
    """Bounds of a desk.

    `seconds` (above 0) bounds each request, `waiting_max` (at least 1) how many may wait, `tray_max` (at least 1) how
    many travel at once, `batch_max` (at least 1) how many the thread takes at once.
    """

    name: str
    seconds: float
    waiting_max: int
    tray_max: int
    batch_max: int

    def __post_init__(self) -> None:
        """Check the bounds."""
        if not self.seconds > 0 or min(self.waiting_max, self.tray_max, self.batch_max) < 1:
            raise ValueError(f"the bounds of a desk must be above 0: {self}")


class Desk(Generic[Request, Answer]):
    """One thread behind an event loop.

    `handle` runs in the thread: a batch of requests to as many answers; an answer that is an exception is raised to
    the one who asked. `late` runs in the loop, and says what a request that takes too long is answered. `tidy` runs in
    the thread once a batch is answered, while the loop deals with the answers; what it raises is only logged.
    """

    def __init__(
        self,
        options: DeskOptions,
        handle: Callable[[list[Request]], Sequence[Answer | Exception]],
        late: Callable[[Request], Answer | Exception],
        clock: Clock,
        tidy: Callable[[], None] | None = None,
    ) -> None:
        """Start the thread. Call it on the event loop that will ask."""
        self._options = options
        self._handle = handle
        self._late = late
        self._clock = clock
        self._tidy = tidy
        self._loop = asyncio.get_running_loop()
        self._future: Callable[[], asyncio.Future[Answer]] = self._loop.create_future
        self._tray: list[Request] = []
        self._due = 0.0
        self._inbox: SimpleQueue[list[Request] | None] = SimpleQueue()
        self._waiting: list[_Waiting[Request, Answer]] = []
        self._overdue = 0
        self._timer: Timer | None = None
        self._closed = False
        self._ended = self._loop.create_future()
        threading.Thread(target=self._work, name=options.name, daemon=True).start()

    def ask(self, request: Request) -> asyncio.Future[Answer]:
        """Hand in `request`; the future answers. Cancelling it detaches: the request is still worked on.

        Raises `StoreError` when too many wait (QUEUE_FULL), and once closed.
        """
        waiting, tray, options = self._waiting, self._tray, self._options
        if self._closed:
            raise StoreError("the store is closed")
        if len(waiting) >= options.waiting_max:
            raise self._full()
        if not tray:
            self._begin_tray()
        tray.append(request)
        future = self._future()
        waiting.append((self._due, request, future))
        if len(tray) >= options.tray_max:
            self._send()
        return future

    async def close(self) -> None:
        """Work off what was accepted, then end the thread. Closing twice waits for the same end.

        Raises `StoreError` when the thread has not ended after the seconds of one request.
        """
        if not self._closed:
            self._closed = True
            self._send()
            self._inbox.put(None)
        overdue = self._clock.call_at(self._clock.monotonic() + self._options.seconds, self._end_overdue)
        try:
            await asyncio.shield(self._ended)
        finally:
            overdue.cancel()

    def _full(self) -> StoreError:
        return StoreError(
            f"{len(self._waiting)} requests already wait for the store ({self._options.name})", code=Code.QUEUE_FULL
        )

    def _begin_tray(self) -> None:
        """Begin a tray: what is put in is late together, and leaves when it is full or this turn of the loop ends."""
        self._due = self._clock.monotonic() + self._options.seconds
        self._loop.call_soon(self._send)
        if self._timer is None:
            self._timer = self._clock.call_at(self._due, self._sweep)

    def _send(self) -> None:
        if self._tray:
            self._inbox.put(self._tray)
            self._tray = []

    def _sweep(self) -> None:
        """Answer what is late, which stays in line for the answer that nobody will hear; wait for the next one."""
        self._timer = None
        now = self._clock.monotonic()
        late = list(takewhile(lambda job: job[0] <= now, self._waiting[self._overdue :]))
        self._overdue += len(late)
        _settle(late, [self._late(request) for _, request, _ in late])
        if self._overdue < len(self._waiting):
            self._timer = self._clock.call_at(self._waiting[self._overdue][0], self._sweep)

    def _end_overdue(self) -> None:
        if not self._ended.done():
            self._ended.set_exception(StoreError(f"{self._options.name} is still at work and was left behind"))

    # --- in the thread ---

    def _work(self) -> None:
        backlog: list[Request] = []
        while self._fill(backlog):
            batch = backlog[: self._options.batch_max]
            del backlog[: len(batch)]
            self._post(self._deliver, self._handled(batch))
            self._tidied()
        self._post(self._end)

    def _fill(self, backlog: list[Request]) -> bool:
        """Wait for work, then take what else is there. Return whether there is any; not when closed."""
        if not backlog:
            tray = self._inbox.get()
            if tray is None:
                return False
            backlog.extend(tray)
        while len(backlog) < self._options.batch_max and not self._inbox.empty():
            tray = self._inbox.get()
            if tray is None:
                self._inbox.put(None)  # seen again once the backlog is empty; nothing comes after it
                break
            backlog.extend(tray)
        return True

    def _handled(self, requests: list[Request]) -> Sequence[Answer | Exception]:
        try:
            answers = _one_each(requests, self._handle(requests))
        except Exception as error:  # noqa: BLE001 - the outermost driver: a defect reaches those who wait
            return [_defect(error) for _ in requests]
        return answers

    def _tidied(self) -> None:
        if self._tidy is not None:
            try:
                self._tidy()
            except Exception:
                _logger.exception("a defect in %s, of which nobody else is told", self._options.name)

    def _post(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            # The loop was closed without closing the store, so nobody is left to be told.
            if not self._loop.is_closed():
                raise

    # --- back on the loop ---

    def _deliver(self, answers: Sequence[Answer | Exception]) -> None:
        answered = self._waiting[: len(answers)]
        del self._waiting[: len(answers)]
        self._overdue = max(0, self._overdue - len(answers))
        _settle(answered, answers)

    def _end(self) -> None:
        if self._timer is not None:  # everybody is answered; who is left behind is still told that it is late
            self._timer.cancel()
        if not self._ended.done():
            self._ended.set_result(None)


def _settle(waiting: list[_Waiting[Request, Answer]], answers: Sequence[Answer | Exception]) -> None:
    """Answer those who still wait: not those who were cancelled, or told already that it is late."""
    for (_, _, future), answer in zip(waiting, answers, strict=True):
        if future.done():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)


def _one_each(requests: Sequence[object], answers: Sequence[Answer | Exception]) -> Sequence[Answer | Exception]:
    """Return the answers. Raises `ValueError` when one would be taken for the answer to another request."""
    if len(answers) != len(requests):
        raise ValueError(f"each request has its answer: not {len(answers)} to {len(requests)} requests")
    return answers


def _defect(error: Exception) -> StoreError:
    defect = StoreError(f"a defect in the store: {error!r}", code=Code.INTERNAL)
    defect.__cause__ = error
    return defect
