"""`UnixClient` and `AsyncUnixClient`: thin blocking and asynchronous parts over one exchange."""

from __future__ import annotations

import asyncio
import socket
from os import PathLike
from pathlib import Path
from typing import Any

from switchgear.adapters.gate import Gate, bounded
from switchgear.adapters.unix_socket.exchange import (
    CONNECT_RETRY_SECONDS,
    READ_BYTES,
    Exchange,
    UnixOptions,
    decoded,
    encoded,
    placed,
    row_of,
)
from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.effects import Effect
from switchgear.core.errors import DeadlineExceeded
from switchgear.guard.guard import Guard


class _Base:
    """What both clients are made of."""

    def __init__(
        self,
        path: str | PathLike[str],
        guard: Guard,
        *,
        clock: Clock = SYSTEM_CLOCK,
        **options: Any,  # those of UnixOptions, which checks them
    ) -> None:
        """Prepare; nothing is opened. `options` are those of `UnixOptions`."""
        self._options = UnixOptions(path=Path(path), **options)
        self._gate = Gate(guard, row_of)
        self._clock = clock
        self._name = guard.name

    def _exchange(self, message: bytes) -> Exchange:
        return Exchange(self._options, message, self._clock, self._name)


class UnixClient(_Base):
    """Sends requests to a unix socket, blocking, under a guard. From any thread; each request has its connection."""

    def request(self, value: object, *, effect: Effect | str = Effect.OPAQUE) -> Any:
        """Send a JSON value and return the JSON value of the answer.

        `effect` says what sending it twice does; only "read_only", "keyed" and "natural" requests may be repeated.
        Raises `DeadlineExceeded` with `TIMEOUT_UNIX_CONNECT` (nothing left) or `TIMEOUT_UNIX_REQUEST` (it may be
        carried out), `BrokenAnswer`, `OSError`, and `Invalid` for a value that is too large.
        """
        return self._send(encoded(value), effect, as_json=True)

    def request_bytes(self, message: bytes, *, effect: Effect | str = Effect.OPAQUE) -> bytes:
        """Send a message of bytes and return the answer, as `request` does."""
        answer: bytes = self._send(message, effect, as_json=False)
        return answer

    def _send(self, message: bytes, effect: Effect | str, *, as_json: bool) -> Any:
        try:
            return self._gate.call(
                self._attempt, message, effect=Effect(effect), operation="unix.request", as_json=as_json
            )
        except DeadlineExceeded as error:
            raise placed(error) from error.__cause__

    def _attempt(self, message: bytes, *, as_json: bool) -> object:
        exchange = self._exchange(message)
        with self._connected(exchange) as connection:
            answer = self._exchanged(exchange, connection)
        return decoded(answer) if as_json else answer

    def _connected(self, exchange: Exchange) -> socket.socket:
        ends = exchange.ends("unix.connect")
        while (connection := exchange.connected()) is None:
            exchange.remaining("unix.connect", ends)
            self._clock.sleep(CONNECT_RETRY_SECONDS)
        return connection

    def _exchanged(self, exchange: Exchange, connection: socket.socket) -> bytes:
        ends = exchange.ends("unix.request")
        try:
            connection.settimeout(exchange.remaining("unix.request", ends))
            connection.sendall(exchange.outgoing)
            answer = None
            while answer is None:
                connection.settimeout(exchange.remaining("unix.request", ends))
                answer = exchange.receive(connection.recv(READ_BYTES))
        except TimeoutError as error:
            if isinstance(error, DeadlineExceeded):
                raise
            raise exchange.late("unix.request") from error
        return answer


class AsyncUnixClient(_Base):
    """Sends requests to a unix socket from tasks, under a guard. Each request has its connection."""

    async def request(self, value: object, *, effect: Effect | str = Effect.OPAQUE) -> Any:
        """Send a JSON value and return that of the answer, as `UnixClient.request` does."""
        return await self._send(encoded(value), effect, as_json=True)

    async def request_bytes(self, message: bytes, *, effect: Effect | str = Effect.OPAQUE) -> bytes:
        """Send a message of bytes and return the answer, as `UnixClient.request_bytes` does."""
        answer: bytes = await self._send(message, effect, as_json=False)
        return answer

    async def _send(self, message: bytes, effect: Effect | str, *, as_json: bool) -> Any:
        try:
            return await self._gate.call_async(
                self._attempt, message, effect=Effect(effect), operation="unix.request", as_json=as_json
            )
        except DeadlineExceeded as error:
            raise placed(error) from error.__cause__

    async def _attempt(self, message: bytes, *, as_json: bool) -> object:
        exchange = self._exchange(message)
        operation = self._options.operations["unix.request"]
        with await self._connected(exchange) as connection:
            work = self._exchanged(exchange, connection)
            answer = await bounded(operation, work, clock=self._clock, dependency=self._name)
        return decoded(answer) if as_json else answer

    async def _connected(self, exchange: Exchange) -> socket.socket:
        ends = exchange.ends("unix.connect")
        while (connection := exchange.connected()) is None:
            exchange.remaining("unix.connect", ends)
            await self._clock.sleep_async(CONNECT_RETRY_SECONDS)
        return connection

    async def _exchanged(self, exchange: Exchange, connection: socket.socket) -> bytes:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(connection, exchange.outgoing)
        answer = None
        while answer is None:
            answer = exchange.receive(await loop.sock_recv(connection, READ_BYTES))
        return answer
