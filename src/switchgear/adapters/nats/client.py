"""`GuardedNats`: what users hold. Each method is one operation, bounded by its row of the central table."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from switchgear.adapters.gate import missing
from switchgear.adapters.nats.consumers import Consumer
from switchgear.adapters.nats.deliveries import ConsumerOptions
from switchgear.adapters.nats.kv import Bucket
from switchgear.adapters.nats.link import Link, LinkOptions, State
from switchgear.adapters.nats.streams import EnsuredStream, ensure_stream
from switchgear.adapters.nats.subscriptions import Handler, Subscription, SubscriptionOptions, unsubscribed
from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.effects import Effect
from switchgear.core.operations import OPERATIONS, Operation
from switchgear.guard.guard import Guard
from switchgear.policies.checks import require_seconds

try:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js.api import Header, KeyValueConfig, PubAck, StreamConfig
except ModuleNotFoundError as error:
    raise missing(error, "nats", "nats") from error


class GuardedNats:
    """A NATS client under a guard. Use it with ``async with``, or call `connect` and `close`.

    guard    protects every operation; give it no `Timeout` shorter than the operations have.
    servers  one address or several.
    options  those of `LinkOptions`: reconnect_attempts, reconnect_wait, connect_seconds, drain_seconds, and `client`
             for other options of the client.

    While the connection is lost, operations fail at once with the client's ``ConnectionReconnectingError``, and
    subscriptions come back with it. Once `reconnect_attempts` are used up, `state` is "closed", and `connect` starts
    anew, without the subscriptions. Raises `OptionError` for options that cannot work.
    """

    def __init__(
        self,
        guard: Guard,
        servers: str | Sequence[str] = "nats://127.0.0.1:4222",
        *,
        operations: Mapping[str, Operation] = OPERATIONS,
        clock: Clock = SYSTEM_CLOCK,
        **options: Any,  # those of LinkOptions, which checks them
    ) -> None:
        """Prepare; nothing is opened."""
        addresses = (servers,) if isinstance(servers, str) else tuple(servers)
        self._link = Link(guard, LinkOptions(servers=addresses, operations=operations, **options), clock)
        self._subscriptions: list[Subscription] = []

    async def __aenter__(self) -> Self:
        """Connect."""
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def connect(self) -> None:
        """Connect to one of the servers. Does nothing when there is a connection.

        Raises `DeadlineExceeded` with `TIMEOUT_NATS_CONNECT` and ``sent=False``, and the client's own errors.
        """
        await self._link.connect()

    async def close(self) -> None:
        """End the subscriptions, finish what is under way within `drain_seconds`, and close."""
        subscriptions, self._subscriptions = self._subscriptions, []
        seconds = self._link.options.drain_seconds
        await asyncio.gather(*(subscription.stop(seconds=seconds) for subscription in subscriptions))
        await self._link.close()

    @property
    def state(self) -> State:
        """How the connection stands: new, connected, reconnecting or closed."""
        return self._link.state

    @property
    def client(self) -> Client:
        """The client itself, unguarded. Raises its own error when there is no connection now."""
        return self._link.client

    async def publish(
        self,
        subject: str,
        payload: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        confirm: bool = True,
    ) -> None:
        """Publish to whoever listens now. `confirm` waits for a round trip, so that the server has the message.

        It is never repeated. Raises `DeadlineExceeded` with `TIMEOUT_PUBLISH`: it may have been published.
        """

        async def work() -> None:
            client = self._link.client
            await client.publish(subject, payload, headers=_copied(headers))
            if confirm:
                await self._link.confirm(client)

        await self._link.run("publish", work, effect=Effect.OPAQUE)

    async def publish_to_stream(
        self,
        subject: str,
        payload: bytes = b"",
        *,
        message_id: str | None = None,
        stream: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> PubAck:
        """Publish to a stream and wait until the server has stored the message.

        With a `message_id` (Nats-Msg-Id) it may be repeated: within the stream's duplicate window the server stores
        it once, and says so in ``duplicate``. Without one it is sent once. `stream` is the stream that must take it.
        Raises `DeadlineExceeded` with `TIMEOUT_PUBLISH`: it may have been stored.
        """
        said = _copied(headers) or {}
        if message_id is not None:
            said[Header.MSG_ID] = message_id

        async def work() -> PubAck:
            return await self._link.streams.publish(subject, payload, stream=stream, headers=dict(said) or None)

        return await self._link.run("publish", work, effect=Effect.OPAQUE if message_id is None else Effect.KEYED)

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        effect: Effect | str = Effect.OPAQUE,
        seconds: float | None = None,
    ) -> Msg:
        """Ask whoever answers on `subject` and return the answer.

        `effect` says what asking twice does: "read_only", "keyed" and "natural" requests may be repeated. `seconds`
        replaces those of the operation. Raises `DeadlineExceeded` with `TIMEOUT_REQUEST`: it may have been handled.
        """
        operation = self._link.options.operations["request"]
        if seconds is not None:
            require_seconds("request(seconds)", seconds, example=2.0)
        longest = 2 * (seconds or operation.seconds)

        async def work() -> Msg:
            return await self._link.client.request(subject, payload, timeout=longest, headers=_copied(headers))

        return await self._link.run("request", work, effect=Effect(effect), seconds=seconds)

    async def subscribe(
        self,
        subject: str,
        handler: Handler,
        *,
        queue_group: str = "",
        **options: Any,  # those of SubscriptionOptions, which checks them
    ) -> Subscription:
        """Hand every message on `subject` to `handler`, an async function. Members of a `queue_group` share them.

        `options` are those of `SubscriptionOptions`. Raises `DeadlineExceeded` with `TIMEOUT_SUBSCRIBE`.
        """
        subscription = Subscription(subject, handler, SubscriptionOptions(**options), self._link.clock)

        async def work() -> None:
            client = self._link.client
            source = await client.subscribe(subject, queue=queue_group, cb=subscription.offer)
            try:
                await self._link.confirm(client)
            except BaseException:
                await unsubscribed(source)
                raise
            subscription.start(source)

        await self._link.run("subscribe", work, effect=Effect.OPAQUE)
        self._subscriptions.append(subscription)
        return subscription

    async def ensure_streams(self, *wanted: StreamConfig) -> list[EnsuredStream]:
        """Make sure of streams, one after the other; doing it again changes nothing.

        What you say in a configuration is compared and, where the server allows, changed. Raises `OptionError` where
        it does not, `DeadlineExceeded` with `TIMEOUT_STREAM_ENSURE`.
        """
        return [await ensure_stream(self._link, each) for each in wanted]

    async def consumer(
        self,
        stream: str,
        durable: str,
        *,
        subject: str | None = None,
        **options: Any,  # those of ConsumerOptions, which checks them
    ) -> Consumer:
        """Make sure of a durable pull consumer and return it. `subject` narrows what it gets.

        `options` are those of `ConsumerOptions`. Raises `DeadlineExceeded` with `TIMEOUT_STREAM_ENSURE`.
        """
        made = Consumer(self._link, stream, durable, ConsumerOptions(**options))
        await made.open(subject)
        return made

    async def bucket(self, name: str, *, config: KeyValueConfig | None = None) -> Bucket:
        """Return a key-value bucket, made by `config` (or defaults) when it is missing.

        Raises `DeadlineExceeded` with `TIMEOUT_STREAM_ENSURE`.
        """
        made = Bucket(self._link, name)
        await made.ensure(KeyValueConfig(bucket=name) if config is None else config)
        return made


def _copied(headers: Mapping[str, str] | None) -> dict[str, str] | None:
    """Return a copy that the client may write to."""
    return dict(headers) if headers else None
