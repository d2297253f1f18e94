"""A fault proxy: it stands between a client and a real server, and breaks their connections as told, TCP or unix.

It lives on real time and real sockets, for tests with real servers. Code that can be given a fake is tested quicker
and more exactly with `FakeUpstream`. The words of the faults are in `fault_proxy_words`; what passes when is decided in
`fault_proxy_line`.

A proxy accepts before it asks the upstream. So an upstream that is not there is seen as a reset, not as a refusal;
`refuse()` is what refuses.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from random import Random, SystemRandom
from types import TracebackType
from typing import Self, TypeVar

from switchgear.policies.checks import require_count, require_seconds
from switchgear.testing.errors import SimulationError
from switchgear.testing.fault_proxy_connection import ProxiedConnection, close_by_reset
from switchgear.testing.fault_proxy_counts import ProxyCounts, Tally
from switchgear.testing.fault_proxy_line import Line
from switchgear.testing.fault_proxy_listener import Address, Listener, Place, address_of, check_loopback, reach
from switchgear.testing.fault_proxy_words import HEALTHY, Fault, each_way, refuses

CONNECTIONS_MAX = 1_024
"""Connections open at once unless another bound is given."""

BUFFER_BYTES_MAX = 65_536
"""Bytes that wait in each direction of each connection unless another bound is given."""

WAIT_SECONDS = 30.0
"""How long `wait_until` waits unless told otherwise."""

_SEEDS = 2**32
_THREAD_SECONDS_MAX = 10.0  # for the thread to begin, answer or end

T = TypeVar("T")


class FaultProxy:
    """Stands between a client and `upstream` while it is entered: ``async with FaultProxy(("127.0.0.1", 6379)) as p``.

    upstream          host and port, or the path of a unix socket. It need not be there yet.
    listen            the same for clients, on loopback only. Port 0 takes a free one. None is like the upstream: a
                      free port of 127.0.0.1, or a path in a folder of its own, which is removed at the end.
    fault             the fault in force at first; `fault` may be set at any moment.
    seed              of all that is drawn: jitter, flipped bits, which connections are struck. None draws one. It
                      stands in `repr`, and in a note on an error that leaves the block.
    connections_max   open at once (at least 1). One more is reset on arrival, and counted.
    buffer_bytes_max  waiting in each direction of each connection (at least 1). A sender beyond it has to wait.

    To be used from the event loop it was entered on; blocking code takes `in_thread`. Entered once.
    Raises `OptionError` for options that cannot work; entering raises `OSError` when the address is taken.
    """

    def __init__(
        self,
        upstream: Place,
        *,
        listen: Place | None = None,
        fault: Fault = HEALTHY,
        seed: int | None = None,
        connections_max: int = CONNECTIONS_MAX,
        buffer_bytes_max: int = BUFFER_BYTES_MAX,
    ) -> None:
        """Check the options. Nothing is opened yet."""
        require_count("FaultProxy(connections_max)", connections_max, example=CONNECTIONS_MAX)
        require_count("FaultProxy(buffer_bytes_max)", buffer_bytes_max, example=BUFFER_BYTES_MAX)
        self._upstream = address_of("FaultProxy(upstream)", upstream)
        self._listen = self._place_to_listen(listen)
        self._faults, self._fault = each_way(fault), fault
        self.seed = SystemRandom().randrange(_SEEDS) if seed is None else seed
        self._connections_max = connections_max
        self._buffer_bytes_max = buffer_bytes_max
        self._changed = asyncio.Event()
        self._tally = Tally(self._changed.set)
        self._connections: dict[asyncio.Task[None], ProxiedConnection] = {}
        self._listener: Listener | None = None
        self._is_closed = False

    @classmethod
    def in_thread(
        cls,
        upstream: Place,
        *,
        listen: Place | None = None,
        fault: Fault = HEALTHY,
        seed: int | None = None,
        connections_max: int = CONNECTIONS_MAX,
        buffer_bytes_max: int = BUFFER_BYTES_MAX,
    ) -> FaultProxyThread:
        """Return a proxy for blocking code, with the same options: ``with FaultProxy.in_thread(…) as proxy``.

        It runs in a thread of its own, on a loop of its own.
        """
        proxy = cls(
            upstream,
            listen=listen,
            fault=fault,
            seed=seed,
            connections_max=connections_max,
            buffer_bytes_max=buffer_bytes_max,
        )
        return FaultProxyThread(proxy)

    # -- While it is entered -----------------------------------------------------------------------------------

    @property
    def address(self) -> Address:
        """Where clients connect: host and port, or a path. Raises `SimulationError` before it was entered."""
        if self._listener is None:
            raise SimulationError("the fault proxy is not open; write async with FaultProxy(…) as proxy")
        return self._listener.address

    @property
    def port(self) -> int:
        """The port that clients connect to. Raises `SimulationError` when it is a path."""
        if isinstance(self.address, str):
            raise SimulationError(f"the fault proxy has no port; it listens at {self.address}")
        return self.address[1]

    @property
    def path(self) -> str:
        """The path of the unix socket that clients connect to. Raises `SimulationError` when it is a port."""
        if not isinstance(self.address, str):
            raise SimulationError(f"the fault proxy has no path; it listens at {self.address}")
        return self.address

    @property
    def fault(self) -> Fault:
        """The fault in force. Setting it switches live connections at once, what is on its way included.

        Raises `OptionError` for what is no fault, and `OSError` when it is to listen again and cannot.
        """
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        self._faults, self._fault = each_way(fault), fault
        if self._listener is not None and not self._is_closed:
            self._set_listening(self._listener)
            now = asyncio.get_running_loop().time()
            for connection in tuple(self._connections.values()):
                connection.switch(self._faults, now)

    def heal(self) -> None:
        """End every fault. What was held passes; connections that lost bytes are reset."""
        self.fault = HEALTHY

    @property
    def counts(self) -> ProxyCounts:
        """What went through so far."""
        return self._tally.counts()

    async def wait_until(
        self, condition: Callable[[ProxyCounts], bool], *, timeout: float = WAIT_SECONDS
    ) -> ProxyCounts:
        """Wait until `condition` holds of the counts, and return them. Raises `TimeoutError` after `timeout` seconds.

        It is asked after each change, so no test has to sleep until something has arrived.
        """
        require_seconds("wait_until(timeout)", timeout, example=WAIT_SECONDS)
        try:
            async with asyncio.timeout(timeout):
                while not condition(counts := self.counts):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            raise TimeoutError(f"not within {timeout} s; there are {self.counts}") from error
        return counts

    async def __aenter__(self) -> Self:
        """Listen."""
        if self._listener is not None:
            raise SimulationError("a fault proxy is entered once; make a new one")
        self._listener = Listener(self._listen, self._accept)
        self._set_listening(self._listener)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop listening, end every connection abruptly, and wait until all sockets are closed."""
        self._is_closed = True
        if self._listener is not None:
            self._listener.close()
        if error is not None:
            error.add_note(repr(self))
        for connecting in tuple(self._connections):
            connecting.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def __repr__(self) -> str:
        """Show both ends, the fault and the seed."""
        listening = self._listen if self._listener is None else self._listener.address
        return f"FaultProxy({self._upstream!r}, listen={listening!r}, fault={self._fault!r}, seed={self.seed})"

    # -- What the listener calls -------------------------------------------------------------------------------

    def _accept(self, accepted: socket.socket) -> None:
        self._tally.connections += 1
        if len(self._connections) < self._connections_max:
            self._begin(accepted)
        else:
            self._tally.turned_away += 1
            close_by_reset(accepted)
            accepted.close()
        self._changed.set()

    def _begin(self, accepted: socket.socket) -> None:
        connection = self._new_connection(self._tally.connections)
        task = asyncio.ensure_future(connection.serve(accepted, reach(self._upstream)))
        self._connections[task] = connection
        self._tally.open += 1
        task.add_done_callback(lambda done: self._ended(done, accepted))

    def _ended(self, task: asyncio.Task[None], accepted: socket.socket) -> None:
        """Forget a connection. A task that was cancelled before its first step has not closed its socket."""
        del self._connections[task]
        self._tally.open -= 1
        accepted.close()
        self._changed.set()
        if not task.cancelled():
            task.result()  # what went wrong in it is told to the loop

    def _new_connection(self, number: int) -> ProxiedConnection:
        luck = self._random(number, "luck").random()
        up, down = (
            Line(
                faults,
                random=self._random(number, direction),
                luck=luck,
                buffer_bytes_max=self._buffer_bytes_max,
            )
            for direction, faults in (("up", self._faults.up), ("down", self._faults.down))
        )
        return ProxiedConnection(up, down, self._tally)

    def _random(self, number: int, purpose: str) -> Random:
        """Return what draws for one purpose in one connection, so that no connection changes what another one meets."""
        return Random(f"{self.seed} {number} {purpose}")

    def _set_listening(self, listener: Listener) -> None:
        if refuses(self._fault):
            listener.refuse()
        else:
            listener.listen()

    def _place_to_listen(self, listen: Place | None) -> Address:
        if listen is None:
            return "" if isinstance(self._upstream, str) else ("127.0.0.1", 0)
        address = address_of("FaultProxy(listen)", listen)
        check_loopback(address)
        return address


class FaultProxyThread:
    """A `FaultProxy` for blocking code, made by `FaultProxy.in_thread`. It runs while it is entered.

    Every member does what that of `FaultProxy` does, and may be used from any thread. Entering raises what entering the
    proxy raises.
    """

    def __init__(self, proxy: FaultProxy) -> None:
        """Take a proxy that was not entered yet."""
        self._proxy = proxy
        self.seed = proxy.seed
        self._began: Future[None] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fault-proxy")
        self._ended: Future[None] | None = None

    @property
    def address(self) -> Address:
        """Where clients connect."""
        return self._proxy.address

    @property
    def port(self) -> int:
        """The port that clients connect to."""
        return self._proxy.port

    @property
    def path(self) -> str:
        """The path of the unix socket that clients connect to."""
        return self._proxy.path

    @property
    def fault(self) -> Fault:
        """The fault in force. When setting it returns, live connections have been switched."""
        return self._proxy.fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        async def switch() -> None:
            self._proxy.fault = fault

        self._ask(switch())

    def heal(self) -> None:
        """End every fault."""
        self.fault = HEALTHY

    @property
    def counts(self) -> ProxyCounts:
        """What went through so far."""
        return self._proxy.counts

    def wait_until(self, condition: Callable[[ProxyCounts], bool], *, timeout: float = WAIT_SECONDS) -> ProxyCounts:
        """Wait until `condition` holds of the counts; it is asked in the thread of the proxy."""
        return self._ask(self._proxy.wait_until(condition, timeout=timeout), seconds=timeout)

    def __enter__(self) -> Self:
        """Start the thread, and wait until the proxy listens."""
        self._ended = self._thread.submit(asyncio.run, self._serve())
        wait((self._began, self._ended), timeout=_THREAD_SECONDS_MAX, return_when=FIRST_COMPLETED)
        if not self._began.done():
            self._thread.shutdown(wait=False)
            self._ended.result(timeout=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the proxy, and wait until its thread has ended."""
        if error is not None:
            error.add_note(repr(self._proxy))
        self._thread.shutdown(wait=False)
        if self._loop is not None and self._ended is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._ended.result(timeout=_THREAD_SECONDS_MAX)

    def __repr__(self) -> str:
        """Show the proxy."""
        return f"FaultProxyThread({self._proxy!r})"

    async def _serve(self) -> None:
        async with self._proxy:
            self._loop = asyncio.get_running_loop()
            self._began.set_result(None)
            await self._stop.wait()

    def _ask(self, question: Coroutine[object, object, T], *, seconds: float = 0.0) -> T:
        """Return what a coroutine returns on the loop of the proxy."""
        if self._loop is None:
            question.close()
            raise SimulationError("the fault proxy is not open; write with FaultProxy.in_thread(…) as proxy")
        asked = asyncio.run_coroutine_threadsafe(question, self._loop)
        return asked.result(timeout=seconds + _THREAD_SECONDS_MAX)
