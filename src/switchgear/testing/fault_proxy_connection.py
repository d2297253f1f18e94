"""One connection through a fault proxy: two sockets, and a line in each direction, which decides what passes when.

A `ProxiedConnection` is one task from accept to the closing of both sockets. Nothing in it outlives that task.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from asyncio.trsock import TransportSocket
from collections.abc import Awaitable, Callable

from switchgear.testing.fault_proxy_counts import Tally
from switchgear.testing.fault_proxy_line import Ending, Line
from switchgear.testing.fault_proxy_words import PerDirection

CONNECT_SECONDS_MAX = 5.0
"""How long the upstream may take to accept."""

CHUNK_BYTES_MAX = 16_384
"""Bytes that are read from a socket at once."""

_LINGER_NOT = struct.pack("ii", 1, 0)

Reach = Callable[[Callable[[], asyncio.BufferedProtocol]], Awaitable[object]]
"""Connects to the upstream with a protocol of this class, or raises an `OSError`."""


def close_by_reset(own: socket.socket | TransportSocket) -> None:
    """Let closing `own` be a reset: what it still holds is dropped."""
    own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)


class ProxiedConnection:
    """Carries bytes between a client and the upstream, through the two lines."""

    def __init__(self, up: Line, down: Line, tally: Tally) -> None:
        """Take the lines; nothing is opened yet. Needs a running loop."""
        self._tally = tally
        self._over = asyncio.get_running_loop().create_future()
        self._ends_passed = 0
        self._is_in_order = False
        self._up, self._down = Flow(up, self, self._passed_up), Flow(down, self, self._passed_down)
        self._client = Side(source_of=self._up, sink_of=self._down)
        self._upstream = Side(source_of=self._down, sink_of=self._up)

    async def serve(self, accepted: socket.socket, reach: Reach) -> None:
        """Connect both sides and carry bytes until it is over. Both sockets are closed when this returns or raises."""
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: self._client, accepted)
            self._pump()
            if not self._over.done():
                await self._connect(reach)
            await self._over
        finally:
            self._leave()
            await self._client.wait_closed()
            await self._upstream.wait_closed()

    def switch(self, faults: PerDirection, now: float) -> None:
        """Let `faults` hold from `now` on, also for what is on its way."""
        self._up.line.switch(faults.up, now)
        self._down.line.switch(faults.down, now)
        self._pump()

    def abort(self) -> None:
        """Close both sockets abruptly, unless they are closing."""
        self._client.abort()
        self._upstream.abort()
        self._finish()

    def carry_out(self, ending: Ending, sink: Side) -> None:
        """End the connection, or tell `sink` that nothing more will come."""
        if ending is Ending.RESET:
            self._tally.resets += 1
            self.abort()
        elif ending is Ending.CUT:
            self._close()
        else:
            sink.end()
            self._ends_passed += 1
            if self._ends_passed == len((self._up, self._down)):
                self._close()

    @property
    def is_over(self) -> bool:
        """Whether both sockets are closed or closing."""
        return self._over.done()

    def lost(self) -> None:
        """End it if neither side is there any more."""
        if self._client.is_lost and self._upstream.is_lost:
            self.abort()

    async def _connect(self, reach: Reach) -> None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                await reach(lambda: self._upstream)
        except OSError:  # TimeoutError among them
            self._tally.unreachable += 1
            self._upstream.connection_lost(None)

    def _pump(self) -> None:
        self._up.pump()
        self._down.pump()

    def _leave(self) -> None:
        """Close what is still open. It may have been over before the upstream was connected."""
        if self._is_in_order:
            self._close()
        else:
            self.abort()

    def _close(self) -> None:
        self._is_in_order = True
        self._client.close()
        self._upstream.close()
        self._finish()

    def _finish(self) -> None:
        self._up.stop()
        self._down.stop()
        if not self._over.done():
            self._over.set_result(None)
        self._tally.changed()

    def _passed_up(self, passed_bytes: int, lost_bytes: int) -> None:
        self._tally.bytes_up += passed_bytes
        self._tally.lost_bytes_up += lost_bytes
        self._tally.changed()

    def _passed_down(self, passed_bytes: int, lost_bytes: int) -> None:
        self._tally.bytes_down += passed_bytes
        self._tally.lost_bytes_down += lost_bytes
        self._tally.changed()


class Flow:
    """One direction: does what its line says, and comes back when it says so."""

    source: Side
    sink: Side

    def __init__(self, line: Line, connection: ProxiedConnection, count: Callable[[int, int], None]) -> None:
        """Take the line. The sides introduce themselves."""
        self.line = line
        self.connection = connection
        self._count = count
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def receive(self, data: bytes) -> None:
        """Take bytes of the source."""
        self.line.push(data, self._loop.time())
        self.pump()

    def end(self, ending: Ending) -> None:
        """Take the end of the source."""
        self.line.end(ending, self._loop.time())
        self.pump()

    def pump(self) -> None:
        """Do all that is due. Then the source is read while there is room."""
        self.stop()
        while not self.connection.is_over and self._do_next():
            pass
        if not self.connection.is_over:
            self.source.keep_reading(wanted=self.line.room_bytes > 0)

    def stop(self) -> None:
        """Forget the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _do_next(self) -> bool:
        """Do one thing. Return whether there was something to do."""
        step = self.line.step(self._loop.time(), writable=self.sink.is_writable)
        if step.wake_at is not None:
            self._timer = self._loop.call_at(step.wake_at, self.pump)
            return False
        if step.data or step.lost:
            self._count(len(step.data), step.lost)  # first, so that who has received it finds it counted
        if step.data:
            self.sink.write(step.data)
        if step.ending is not None:
            self.connection.carry_out(step.ending, self.sink)
        return bool(step.data or step.lost or step.ending)


class Side(asyncio.BufferedProtocol):
    """One of the two sockets: the source of one flow, the sink of the other."""

    def __init__(self, *, source_of: Flow, sink_of: Flow) -> None:
        """Introduce itself to both flows."""
        self._inward, self._outward = source_of, sink_of
        source_of.source, sink_of.sink = self, self
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray(CHUNK_BYTES_MAX)
        self._is_blocked = self._has_ended = self.is_lost = False
        self._closed = asyncio.Event()

    @property
    def is_writable(self) -> bool:
        """Whether bytes may be written. What a lost side is written goes nowhere."""
        return self.is_lost or (self._transport is not None and not self._is_blocked)

    def write(self, data: bytes) -> None:
        """Hand bytes to the socket."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def end(self) -> None:
        """Say that nothing more will come."""
        if self._transport is not None and not self._transport.is_closing():
            try:
                self._transport.write_eof()
            except OSError:  # it was reset, and the loop has not found out yet
                self._transport.abort()

    def close(self) -> None:
        """Close in order."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close abruptly: on TCP with a reset. Does nothing while it closes."""
        if self._transport is not None and not self._transport.is_closing():
            close_by_reset(self._transport.get_extra_info("socket"))
            self._transport.abort()

    def keep_reading(self, *, wanted: bool) -> None:
        """Read on or pause. After the end there is nothing to read."""
        if self._transport is not None and not self._has_ended:
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    async def wait_closed(self) -> None:
        """Wait until the socket is closed, which takes a turn of the loop after `close` or `abort`."""
        if self._transport is not None:
            await self._closed.wait()

    # -- What the transport calls ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport. It says at once when the socket takes no more."""
        assert isinstance(transport, asyncio.Transport), "a stream socket"
        self._transport = transport
        transport.set_write_buffer_limits(high=0)
        self._outward.pump()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend room for as many bytes as the line has room for."""
        del sizehint
        return memoryview(self._buffer)[: self._inward.line.room_bytes]

    def buffer_updated(self, nbytes: int) -> None:
        """Pass on what was read."""
        self._inward.receive(bytes(self._buffer[:nbytes]))

    def eof_received(self) -> bool:
        """Pass the end on. The socket stays open for the other direction."""
        self._has_ended = True
        self._inward.end(Ending.END)
        return True

    def pause_writing(self) -> None:
        """Take no more for now."""
        self._is_blocked = True

    def resume_writing(self) -> None:
        """Take more again."""
        self._is_blocked = False
        self._outward.pump()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on that it is gone, unless that is our doing. Why it is gone is nothing that can be passed on."""
        del exc
        self.is_lost = True
        self._closed.set()
        if not self._inward.connection.is_over:
            self._inward.end(Ending.RESET)
            self._outward.pump()
            self._inward.connection.lost()
