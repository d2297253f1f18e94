"""The two ends of connections through a fault proxy, as raw blocking sockets that the test holds itself."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from switchgear.testing import FaultProxy, FaultProxyThread
from switchgear.testing.fault_proxy import BUFFER_BYTES_MAX, CONNECTIONS_MAX
from switchgear.testing.fault_proxy_listener import Address
from switchgear.testing.fault_proxy_words import HEALTHY, Fault

SECONDS_MAX = 60.0
"""How long an end waits for what has to come."""

SILENCE_SECONDS = 0.03
"""How long an end waits for what must not come. A proxy that is wrong needs a thousandth of it."""


@dataclass(slots=True)
class Ends:
    """A proxy, and what listens behind it."""

    proxy: FaultProxyThread
    upstream: socket.socket
    opened: list[socket.socket]

    def connect(self) -> socket.socket:
        """Return a new connection of a client."""
        address = self.proxy.address
        client = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET, socket.SOCK_STREAM)
        self.opened.append(client)
        client.settimeout(SECONDS_MAX)
        client.connect(address)
        return client

    def accept(self) -> socket.socket:
        """Return what arrives at the upstream."""
        server, _ = self.upstream.accept()
        self.opened.append(server)
        server.settimeout(SECONDS_MAX)
        return server

    def both(self) -> tuple[socket.socket, socket.socket]:
        """Return both ends of a new connection."""
        client = self.connect()
        return client, self.accept()


def listening(kind: str, folder: Path) -> tuple[socket.socket, Address]:
    """Return a socket that listens as an upstream of this kind, and its address."""
    upstream = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET, socket.SOCK_STREAM)
    upstream.settimeout(SECONDS_MAX)
    upstream.bind(str(folder / "up.sock") if kind == "unix" else ("127.0.0.1", 0))
    upstream.listen()
    return upstream, upstream.getsockname()


@contextmanager
def ends_of(
    kind: str,
    folder: Path,
    *,
    fault: Fault = HEALTHY,
    connections_max: int = CONNECTIONS_MAX,
    buffer_bytes_max: int = BUFFER_BYTES_MAX,
) -> Iterator[Ends]:
    """Open an upstream of this kind and a proxy before it. Every socket is closed at the end."""
    upstream, address = listening(kind, folder)
    opened = [upstream]
    try:
        with FaultProxy.in_thread(
            address, fault=fault, seed=7, connections_max=connections_max, buffer_bytes_max=buffer_bytes_max
        ) as proxy:
            yield Ends(proxy, upstream, opened)
    finally:
        for one in opened:
            one.close()


def receive(end: socket.socket, size: int) -> bytes:
    """Return exactly `size` bytes, or what came before the end of the stream."""
    found = b""
    while len(found) < size and (more := end.recv(size - len(found))):
        found += more
    return found


def is_silent(end: socket.socket) -> bool:
    """Return whether neither bytes nor an end come now."""
    end.settimeout(SILENCE_SECONDS)
    try:
        end.recv(1)
    except TimeoutError:
        return True
    finally:
        end.settimeout(SECONDS_MAX)
    return False


def how_connecting_ends(ends: Ends) -> str:
    """Return how a new connection ends. A reset may come so soon that connecting itself reports it."""
    try:
        return how_it_ends(ends.connect())
    except ConnectionResetError:
        return "reset"


def how_it_ends(end: socket.socket) -> str:
    """Return how the stream ends for who reads on: "end" or "reset"."""
    try:
        while end.recv(4_096):
            pass
    except ConnectionResetError:
        return "reset"
    return "end"
