"""A proxy on loopback that breaks the first connections as soon as they have carried a request, and counts them."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class BreakingProxy:
    """Forwards to a port. The first `breaks` requests are read and answered with a closed connection.

    Only requests that hold the word `only` are broken and counted; by default any but the client's own greeting.
    """

    def __init__(self, target: int, breaks: int, only: bytes = b"") -> None:
        """Listen; connections are taken in a thread of their own."""
        self.requests = 0
        self._target = target
        self._breaks = breaks
        self._only = only
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(60.0)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, socket.create_connection(("127.0.0.1", self._target)) as upstream:
            threading.Thread(target=_answer, args=(upstream, connection), daemon=True).start()
            while request := connection.recv(65_536):
                if self._only in request and b"CLIENT" not in request and b"HELLO" not in request:
                    self.requests += 1
                    if self.requests <= self._breaks:
                        return
                upstream.sendall(request)


def _answer(upstream: socket.socket, connection: socket.socket) -> None:
    """Forward what the server says until one side ends."""
    with contextlib.suppress(OSError):
        while answer := upstream.recv(65_536):
            connection.sendall(answer)


@contextmanager
def breaking_proxy(target: int, *, breaks: int, only: bytes = b"") -> Iterator[BreakingProxy]:
    """Run a proxy."""
    proxy = BreakingProxy(target, breaks, only)
    try:
        yield proxy
    finally:
        proxy.close()
