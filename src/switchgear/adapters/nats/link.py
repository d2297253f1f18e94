"""The connection behind all parts of the adapter: bounded to make, bounded in its reconnects, never silent.

`Link.run` is how every operation goes out: through the guard, with the seconds and the code of its row in the
central table. While the client reconnects, operations fail at once: nothing left, and nothing waits in a buffer to
be sent later when nobody expects it any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from switchgear.adapters.gate import Gate, bounded, late, missing
from switchgear.adapters.nats.outcomes import row_of
from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import DeadlineExceeded, OptionError
from switchgear.core.operations import OPERATIONS, Operation
from switchgear.guard.guard import Guard
from switchgear.policies.checks import require_count, require_seconds

try:
    from nats.aio.client import Client
    from nats.errors import ConnectionClosedError, ConnectionReconnectingError
    from nats.errors import Error as NatsError
    from nats.js import JetStreamContext
except ModuleNotFoundError as error:
    raise missing(error, "nats", "nats") from error

R = TypeVar("R")
State = Literal["new", "connected", "reconnecting", "closed"]

_LOG = logging.getLogger("switchgear.adapters.nats")
_ROUND_TRIP_SECONDS_MAX = 3600
_CLOSE_SECONDS = 1.0
PENDING_BYTES_MAX = 4_194_304
"""When more than this waits to be taken by the server, an operation first waits until it was, within its seconds."""

_OURS = frozenset(
    {
        "allow_reconnect",
        "closed_cb",
        "connect_timeout",
        "drain_timeout",
        "error_cb",
        "max_reconnect_attempts",
        "pending_size",
        "reconnect_time_wait",
        "servers",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOptions:
    """How to connect.

    servers             addresses, such as ``nats://broker:4222``; at least one.
    reconnect_attempts  tries for each server after a connection was lost, at least 1; default 60. Then it is closed.
    reconnect_wait      seconds between them, above 0; default 0.5.
    connect_seconds     seconds for one try to connect, above 0; default 2. All tries of a first connection together
                        are bounded by the operation ``nats.connect``.
    drain_seconds       seconds for what is under way when closing, above 0; default 5.
    operations          the table of operations, as `operations_with` makes it.
    client              other options of `nats.connect`, such as ``user`` or ``tls``.

    Raises `OptionError` for options that cannot work.
    """

    servers: tuple[str, ...]
    reconnect_attempts: int = 60
    reconnect_wait: float = 0.5
    connect_seconds: float = 2.0
    drain_seconds: float = 5.0
    operations: Mapping[str, Operation] = field(default_factory=lambda: OPERATIONS)
    client: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the options."""
        if not self.servers:
            raise OptionError('GuardedNats(servers) needs an address; write for example "nats://127.0.0.1:4222"')
        require_count("GuardedNats(reconnect_attempts)", self.reconnect_attempts, example=60)
        require_seconds("GuardedNats(reconnect_wait)", self.reconnect_wait, example=0.5)
        require_seconds("GuardedNats(connect_seconds)", self.connect_seconds, example=2.0)
        require_seconds("GuardedNats(drain_seconds)", self.drain_seconds, example=5.0)
        if taken := _OURS & set(self.client):
            raise OptionError(f"GuardedNats sets {', '.join(sorted(taken))} itself; use its own options for them")


class Link:
    """One connection under one guard. `closed` is set while there is none and none is being made again."""

    def __init__(self, guard: Guard, options: LinkOptions, clock: Clock) -> None:
        """Prepare; nothing is opened."""
        self.gate = Gate(guard, row_of)
        self.clock = clock
        self.options = options
        self.dependency = guard.name
        self.errors = 0
        self.closed = asyncio.Event()
        self._client: Client | None = None
        self._connecting = asyncio.Lock()
        self._confirmations: set[asyncio.Task[None]] = set()
        self._said = ""

    @property
    def state(self) -> State:
        """How the connection stands."""
        if self._client is None:
            return "new"
        if self._client.is_closed:
            return "closed"
        return "connected" if self._client.is_connected else "reconnecting"

    @property
    def client(self) -> Client:
        """The connected client. Raises the client's own error when there is no connection now."""
        if self._client is None or self._client.is_closed:
            raise ConnectionClosedError
        if not self._client.is_connected:
            raise ConnectionReconnectingError
        return self._client

    @property
    def streams(self) -> JetStreamContext:
        """The client's JetStream. Its own timeout is out of the way: ours ends every operation."""
        longest = max(operation.seconds for operation in self.options.operations.values())
        return self.client.jetstream(timeout=2 * longest)

    async def connect(self) -> None:
        """Connect, unless there is a connection. Raises `DeadlineExceeded` with `TIMEOUT_NATS_CONNECT`."""
        async with self._connecting:
            if self.state not in ("connected", "reconnecting"):
                await self._connect_guarded()

    async def _connect_guarded(self) -> None:
        try:
            await self.gate.call_async(self._connect, effect=Effect.READ_ONLY, operation="nats.connect")
        except DeadlineExceeded as error:
            if error.code is not Code.TIMEOUT_NATS_CONNECT:
                raise
            raise late(self.options.operations["nats.connect"], self.dependency, sent=False) from error.__cause__

    async def close(self) -> None:
        """Finish what is under way within `drain_seconds`, then close. Does nothing without a connection."""
        self.closed.set()
        client, self._client = self._client, None
        if client is None or client.is_closed:
            return
        operation = Operation("nats.close", self.options.drain_seconds, Code.DEADLINE_EXCEEDED)
        try:
            if client.is_connected:
                await bounded(operation, self.confirm(client), clock=self.clock, dependency=self.dependency)
        except (DeadlineExceeded, NatsError, OSError) as error:
            _LOG.warning("%s: closed before the server had everything: %s", self.dependency, error)
        finally:
            try:
                await self._cut(client)
            finally:
                await self._end_confirmations()

    async def _cut(self, client: Client) -> None:
        """Close the client's connection. When the server takes no more, what it did not take is given up."""
        operation = Operation("nats.close", _CLOSE_SECONDS, Code.DEADLINE_EXCEEDED)
        try:
            await bounded(operation, client.close(), clock=self.clock, dependency=self.dependency)
        except (DeadlineExceeded, OSError) as error:
            _LOG.warning("%s: cut off before the server took what was left: %s", self.dependency, error)
        finally:
            abort(client)

    async def confirm(self, client: Client) -> None:
        """Wait for a round trip: the server then has all that was published before.

        The client stops reading for good when a round trip that nobody waits for any more comes back after all. So
        a cancelled one is left to end by itself: by its answer, or when the connection is found dead.
        """
        trip = asyncio.ensure_future(client.flush(timeout=_ROUND_TRIP_SECONDS_MAX))
        self._confirmations.add(trip)
        trip.add_done_callback(self._confirmations.discard)
        await asyncio.shield(trip)

    async def _end_confirmations(self) -> None:
        for trip in self._confirmations:
            trip.cancel()
        await asyncio.gather(*self._confirmations, return_exceptions=True)

    async def run(
        self, name: str, work: Callable[[], Awaitable[R]], *, effect: Effect, seconds: float | None = None
    ) -> R:
        """Do `work` under the guard as the operation `name`, within its seconds or other `seconds`."""
        row = self.options.operations[name]
        if seconds is not None:
            row = replace(row, seconds=seconds)
        result: R = await self.gate.call_async(self._bounded, row, work, effect=effect, operation=name)
        return result

    async def _bounded(self, operation: Operation, work: Callable[[], Awaitable[R]]) -> R:
        return await bounded(operation, self._with_room(work), clock=self.clock, dependency=self.dependency)

    async def _with_room(self, work: Callable[[], Awaitable[R]]) -> R:
        """Do `work` once the server has taken what waits, if that is too much.

        The client has a bound of its own, but it waits there without end and swallows cancellation, so it is off.
        """
        client = self._client
        if client is not None and client.is_connected and client.pending_data_size > PENDING_BYTES_MAX:
            await self.confirm(client)
        return await work()

    async def _connect(self) -> None:
        client = Client()
        options = self.options
        seconds: dict[str, Any] = {  # the client's types say whole ones; it only waits so long, and takes any number
            "reconnect_time_wait": options.reconnect_wait,
            "connect_timeout": options.connect_seconds,
            "drain_timeout": options.drain_seconds,
        }
        connecting = client.connect(
            **options.client,
            **seconds,
            servers=list(options.servers),
            allow_reconnect=True,
            max_reconnect_attempts=options.reconnect_attempts,
            pending_size=0,  # nothing is buffered while the connection is lost; else see `_with_room`
            error_cb=self._on_error,
            closed_cb=self._on_closed,
        )
        try:
            await bounded(options.operations["nats.connect"], connecting, clock=self.clock, dependency=self.dependency)
        except BaseException as error:
            await self._cut(client)
            if isinstance(error, DeadlineExceeded) and client.last_error is not None:
                raise error from client.last_error
            raise
        self._client = client
        self.closed.clear()

    async def _on_closed(self) -> None:
        """Note that the client has given up."""
        self.closed.set()

    async def _on_error(self, error: Exception) -> None:
        """Count what the client reports beside any call, and log it when it changes."""
        self.errors += 1
        said = f"{type(error).__name__}: {error}"
        if said != self._said:
            self._said = said
            _LOG.warning("%s: %s", self.dependency, said)


def abort(client: Client) -> None:
    """End the connection and what serves it, without sending what is left. Once it is closed there is nothing to do.

    Closing that was interrupted is not taken up again by the client: it is closed, it says. So this comes after every
    closing. A web socket ends by its own timeout.
    """
    for task in _serving(client):
        task.cancel()
    writer = getattr(client._transport, "_io_writer", None)  # noqa: SLF001 - the client only offers to wait for the rest
    if writer is not None:
        writer.transport.abort()


def _serving(client: Client) -> list[asyncio.Task[Any]]:
    """Return the client's own tasks that the end of the connection does not end."""
    readers = [subscription._wait_for_msgs_task for subscription in client._subs.values()]  # noqa: SLF001 - as in `abort`
    tasks = [client._flusher_task, client._ping_interval_task, *readers]  # noqa: SLF001 - as above
    return [task for task in tasks if task is not None]
