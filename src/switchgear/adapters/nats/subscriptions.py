"""Subscriptions whose handlers cannot hurt each other.

Each subscription has a bounded queue and workers of its own. Taking a message from the client never waits, so a slow
handler fills its own queue and nothing else. What happens when the queue is full is named and counted. A raising
handler is counted and logged; the next message comes all the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from switchgear.adapters.gate import bounded, missing
from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import DeadlineExceeded, OptionError
from switchgear.core.operations import Operation
from switchgear.policies.checks import require_count, require_seconds

try:
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription as ClientSubscription
    from nats.errors import Error as NatsError
except ModuleNotFoundError as error:
    raise missing(error, "nats", "nats") from error

Handler = Callable[[Msg], Awaitable[object]]
WhenFull = Literal["drop_newest", "drop_oldest"]

_LOG = logging.getLogger("switchgear.adapters.nats")
_END_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionOptions:
    """How one subscription works.

    pending_max      messages that wait for the handler at most, at least 1; default 1,000.
    when_full        "drop_newest" (default) or "drop_oldest". Either is counted.
    concurrency      handlers that run at once, at least 1; default 1, which keeps the order.
    handler_seconds  seconds a handler may take, above 0; default 30. One that takes longer is cancelled and counted.

    Raises `OptionError` for options that cannot work.
    """

    pending_max: int = 1_000
    when_full: WhenFull = "drop_newest"
    concurrency: int = 1
    handler_seconds: float = 30.0

    def __post_init__(self) -> None:
        """Check the options."""
        require_count("subscribe(pending_max)", self.pending_max, example=1_000)
        require_count("subscribe(concurrency)", self.concurrency, example=1)
        require_seconds("subscribe(handler_seconds)", self.handler_seconds, example=30.0)
        if self.when_full not in ("drop_newest", "drop_oldest"):
            raise OptionError(f'subscribe(when_full) is "drop_newest" or "drop_oldest", not {self.when_full!r}')


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionStatistics:
    """How a subscription stands. `dropped` counts messages that found the queue full."""

    received: int
    handled: int
    failed: int
    dropped: int
    pending: int


class Subscription:
    """One subject and its handler. Made by `GuardedNats.subscribe`."""

    def __init__(self, subject: str, handler: Handler, options: SubscriptionOptions, clock: Clock) -> None:
        """Prepare; nothing runs yet."""
        self.subject = subject
        self._handler = handler
        self._options = options
        self._clock = clock
        self._operation = Operation(f"handler of {subject}", options.handler_seconds, Code.DEADLINE_EXCEEDED)
        self._queue: asyncio.Queue[Msg] = asyncio.Queue(options.pending_max)
        self._received = self._handled = self._failed = self._dropped = 0
        self._workers: list[asyncio.Task[None]] = []
        self._source: ClientSubscription | None = None
        self._ending = False

    def start(self, source: ClientSubscription) -> None:
        """Begin to handle what `source` delivers."""
        self._source = source
        self._workers = [asyncio.ensure_future(self._work()) for _ in range(self._options.concurrency)]

    async def offer(self, message: Msg) -> None:
        """Take a message from the client. Never waits."""
        self._received += 1
        if self._queue.full():
            self._count_dropped()
            if self._options.when_full == "drop_newest":
                return
            self._queue.get_nowait()
            self._queue.task_done()
        self._queue.put_nowait(message)

    def statistics(self) -> SubscriptionStatistics:
        """Return a frozen record of how it stands."""
        return SubscriptionStatistics(
            received=self._received,
            handled=self._handled,
            failed=self._failed,
            dropped=self._dropped,
            pending=self._queue.qsize(),
        )

    async def stop(self, *, seconds: float = 5.0) -> None:
        """Take nothing more, let the handlers finish what waits within `seconds`, then end them.

        Raises `RuntimeError` inside a handler of its own, which it would wait for.
        """
        if asyncio.current_task() in self._workers:
            raise RuntimeError(f"a handler of {self.subject} cannot wait for itself; stop it from outside")
        source, self._source = self._source, None
        if source is not None:
            await unsubscribed(source)
        finishing = Operation(f"stop of {self.subject}", seconds, Code.DEADLINE_EXCEEDED)
        try:
            if self._workers:
                await bounded(finishing, self._queue.join(), clock=self._clock, dependency=self.subject)
        except DeadlineExceeded:
            _LOG.warning("%s: stopped with %d messages unhandled", self.subject, self._queue.qsize())
        finally:
            await self._end_workers()

    async def _end_workers(self) -> None:
        """Cancel the handlers. One that swallows that is left behind after a moment."""
        workers, self._workers = self._workers, []
        if not workers:
            return
        self._ending = True
        for worker in workers:
            worker.cancel()
        ending = Operation(f"end of the handlers of {self.subject}", _END_SECONDS, Code.DEADLINE_EXCEEDED)
        try:
            await bounded(ending, asyncio.wait(workers), clock=self._clock, dependency=self.subject)
        except DeadlineExceeded:
            left = sum(not worker.done() for worker in workers)
            _LOG.error("%s: %d handlers do not end when they are cancelled", self.subject, left)

    async def _work(self) -> None:
        while not self._ending:
            message = await self._queue.get()
            try:
                await bounded(self._operation, self._handler(message), clock=self._clock, dependency=self.subject)
                self._handled += 1
            except Exception as error:  # noqa: BLE001 - the outermost driver of a handler: it counts and logs
                self._failed += 1
                if is_worth_a_line(self._failed):
                    _LOG.error("%s: handler failed, %d so far", self.subject, self._failed, exc_info=error)
            finally:
                self._queue.task_done()

    def _count_dropped(self) -> None:
        self._dropped += 1
        if is_worth_a_line(self._dropped):
            _LOG.warning(
                "%s: queue full, %d messages dropped so far (%s)", self.subject, self._dropped, Code.QUEUE_FULL
            )


async def unsubscribed(source: ClientSubscription) -> None:
    """Tell the server, if there is one: a subscription ends with its connection anyway."""
    try:
        await source.unsubscribe()
    except NatsError as error:
        _LOG.debug("%s: unsubscribed without the server: %s", source.subject, error)


def is_worth_a_line(count: int) -> bool:
    """Return whether the `count`-th event of a kind is logged: the first, second, fourth, eighth and so on."""
    return count & (count - 1) == 0
