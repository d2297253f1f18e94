"""A durable pull consumer: explicit acknowledgement, bounded in flight, poison messages ended and counted.

A message is acknowledged only after its handler has returned. Whatever goes wrong before that, the server delivers
it again: at least once, never at most once, so handlers must be able to see a message twice.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

from switchgear.adapters.gate import bounded, missing
from switchgear.adapters.nats.deliveries import ConsumerOptions, ConsumerStatistics, Delivery
from switchgear.adapters.nats.link import Link
from switchgear.adapters.nats.subscriptions import is_worth_a_line
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import NotApplied, OptionError, Rejected, SwitchgearError
from switchgear.core.operations import Operation

try:
    from nats import errors
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription as ClientSubscription
    from nats.js.api import AckPolicy, ConsumerConfig
except ModuleNotFoundError as error:
    raise missing(error, "nats", "nats") from error

_LOG = logging.getLogger("switchgear.adapters.nats")
_NANOSECONDS = 1_000_000_000
_GRACE_SECONDS = 1.0
_QUIET_SECONDS = 0.1
_PAUSE_SECONDS_MIN = 0.01
_EMPTY = frozenset({"404", "408"})


Handler = Callable[[Delivery], Awaitable[object]]


class Consumer:
    """One durable consumer of one stream. Made by `GuardedNats.consumer`."""

    def __init__(self, link: Link, stream: str, durable: str, options: ConsumerOptions) -> None:
        """Prepare; `open` makes it."""
        if options.wait + _GRACE_SECONDS >= link.options.operations["consume"].seconds:
            raise OptionError(f"consume(wait={options.wait!r}) has to be shorter than the operation consume")
        self._link = link
        self._stream = stream
        self._durable = durable
        self._options = options
        self._source: ClientSubscription | None = None
        self._source_of: Client | None = None
        self._inbox = ""
        self._pulls = 0
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._counts = dict.fromkeys(("received", "ack", "nak", "term", "unsettled"), 0)

    async def open(self, subject: str | None) -> None:
        """Make sure of the consumer on the server, and subscribe to what it delivers."""
        config = ConsumerConfig(
            durable_name=self._durable,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=self._options.ack_wait,
            max_ack_pending=self._options.in_flight,
            filter_subject=subject,
        )

        async def work() -> None:
            await self._link.streams.add_consumer(self._stream, config)
            await self._subscribed(self._link.client)

        await self._link.run("stream.ensure", work, effect=Effect.NATURAL)

    async def fetch(self, batch: int | None = None) -> list[Delivery]:
        """Return up to `batch` messages, none when there is nothing for `wait` seconds.

        Raises `DeadlineExceeded` with `TIMEOUT_CONSUME` and the client's own errors when the server cannot be asked.
        """
        wanted = min(batch or self._options.batch, self._options.in_flight)
        found = await self._link.run("consume", lambda: self._pull(wanted), effect=Effect.READ_ONLY)
        self._counts["received"] += len(found)
        return [Delivery(message) for message in found]

    async def run(self, handler: Handler) -> None:
        """Hand every message to `handler` until `stop`; return when the last handler has ended.

        A handler that returns acknowledges; one that raises gives the message back, or ends it: with
        ``NotApplied(retryable=False)``, or at `deliveries_max`. While the server cannot be asked, it waits and asks
        again. Cancelling it cancels the handlers; their messages come again.
        """
        try:
            while not self._stopping.is_set():
                await self._fill(handler)
            await asyncio.gather(*self._running)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def stop(self) -> None:
        """Ask `run` to take nothing more and to return."""
        self._stopping.set()

    def statistics(self) -> ConsumerStatistics:
        """Return a frozen record of how it stands."""
        counts = self._counts
        return ConsumerStatistics(
            received=counts["received"],
            acknowledged=counts["ack"],
            returned=counts["nak"],
            terminated=counts["term"],
            unsettled=counts["unsettled"],
            in_flight=len(self._running),
        )

    async def _fill(self, handler: Handler) -> None:
        """Take as many messages as there are places, or wait for a place."""
        room = self._options.in_flight - len(self._running)
        if room <= 0:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            return
        try:
            found = await self.fetch(min(room, self._options.batch))
        except (SwitchgearError, errors.Error, OSError) as error:
            await self._pause(error)
            return
        for delivery in found:
            task = asyncio.ensure_future(self._handle(handler, delivery))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _pause(self, error: Exception) -> None:
        _LOG.info("%s/%s: could not ask for messages: %s", self._stream, self._durable, error)
        asked = error.retry_after if isinstance(error, Rejected) else None
        seconds = self._options.retry_wait if asked is None else max(asked, _PAUSE_SECONDS_MIN)
        either = [
            asyncio.ensure_future(self._link.clock.sleep_async(seconds)),
            asyncio.ensure_future(self._stopping.wait()),
        ]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in either:
                each.cancel()

    async def _handle(self, handler: Handler, delivery: Delivery) -> None:
        operation = Operation(f"handler of {self._durable}", self._options.ack_wait, Code.DEADLINE_EXCEEDED)
        try:
            await bounded(operation, handler(delivery), clock=self._link.clock, dependency=self._stream)
        except Exception as error:  # noqa: BLE001 - the outermost driver of a handler: it gives back, counts and logs
            await self._settle(delivery, error)
        else:
            await self._settle(delivery, None)

    async def _settle(self, delivery: Delivery, error: Exception | None) -> None:
        """Tell the server. When that fails it delivers the message again, which is what it is for."""
        try:
            if error is None:
                await delivery.ack()
            elif self._is_hopeless(delivery, error):
                await delivery.term()
            else:
                await delivery.nak(self._delay(error))
        except (errors.Error, OSError) as trouble:
            self._counts["unsettled"] += 1
            _LOG.warning("%s: message %d could not be settled: %s", self._durable, delivery.sequence, trouble)
            return
        self._counts[delivery.settled] += 1
        if error is not None and is_worth_a_line(self._counts[delivery.settled]):
            _LOG.error("%s: message %d: %s", self._durable, delivery.sequence, delivery.settled, exc_info=error)

    def _is_hopeless(self, delivery: Delivery, error: Exception) -> bool:
        if isinstance(error, NotApplied) and not error.retryable:
            return True
        longest = self._options.deliveries_max
        return longest is not None and delivery.deliveries >= longest

    def _delay(self, error: Exception) -> float:
        asked = error.retry_after if isinstance(error, (NotApplied, Rejected)) else None
        return self._options.nak_delay if asked is None else max(0.0, asked)

    async def _pull(self, wanted: int) -> list[Msg]:
        """Return the first message that comes while the server holds the request, and what else is there with it.

        The server always answers a request that it holds. One that it does not hold it may leave unanswered, when
        all that it may deliver is in flight; then there is nothing more for now.
        """
        client = self._link.client
        source = await self._subscribed(client)
        held = {"batch": 1, "expires": int(self._options.wait * _NANOSECONDS)}
        found = await self._ask(client, source, held, self._options.wait + _GRACE_SECONDS)
        if not found or wanted == 1:
            return found
        try:
            more = {"batch": wanted - 1, "no_wait": True}
            return found + await self._ask(client, source, more, _QUIET_SECONDS)
        except (errors.Error, OSError) as error:
            _LOG.debug("%s/%s: the rest of a batch did not come: %s", self._stream, self._durable, error)
            return found

    async def _subscribed(self, client: Client) -> ClientSubscription:
        """Return where deliveries arrive; made anew for a connection that was made anew."""
        if self._source is None or self._source_of is not client:
            self._inbox = client.new_inbox()
            self._source = await client.subscribe(f"{self._inbox}.*")
            self._source_of = client
        return self._source

    async def _ask(
        self, client: Client, source: ClientSubscription, request: dict[str, int], seconds: float
    ) -> list[Msg]:
        """Send one request, and collect until its batch is full or the server says that there is no more."""
        self._pulls += 1
        inbox = f"{self._inbox}.{self._pulls}"
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._durable}"
        await client.publish(subject, json.dumps(request).encode(), reply=inbox)
        found: list[Msg] = []
        while len(found) < request["batch"]:
            try:
                message = await source.next_msg(timeout=seconds)
            except errors.TimeoutError:
                if found:
                    break  # some came; what is missing comes with the next request
                raise
            status = (message.headers or {}).get("Status") if not message.reply else None
            if status is None:
                found.append(message)
            elif message.subject == inbox:
                if not found:
                    _require_end(status, message)
                break
        return found


def _require_end(status: str, message: Msg) -> None:
    """Raise the client's error unless the status is the plain end of a request."""
    if status in _EMPTY:
        return
    text = (message.headers or {}).get("Description", "")
    if status == "409" and "Max" in text:
        return  # a limit of the consumer was reached: some messages are still unacknowledged
    raise errors.Error(f"the server refused to deliver: {status} {text}")
