"""A server on loopback or on a unix socket that answers each connection by a script, and the scripts."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

Script: TypeAlias = Callable[[socket.socket], None]


@contextmanager
def scripted(script: Script, path: Path | None = None) -> Iterator[int]:
    """Run a server on `path`, or on a free port of loopback, which is given."""
    listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    listener.bind(str(path) if path else ("127.0.0.1", 0))
    listener.listen(16)
    port = 0 if path else int(listener.getsockname()[1])
    threading.Thread(target=_accept, args=(listener, script), daemon=True).start()
    try:
        yield port
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _accept(listener: socket.socket, script: Script) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(connection, script), daemon=True).start()


def _serve(connection: socket.socket, script: Script) -> None:
    with connection, contextlib.suppress(OSError):
        script(connection)


def answering(answer: bytes) -> Script:
    """Read a request, answer, close."""

    def script(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(answer)

    return script


def greeting(answer: bytes) -> Script:
    """Answer before anything was asked, and keep the connection."""

    def script(connection: socket.socket) -> None:
        connection.sendall(answer)
        connection.recv(1)

    return script


def silent(connection: socket.socket) -> None:
    """Take everything and answer nothing until the other side goes."""
    while connection.recv(65_536):
        pass


def closing(connection: socket.socket) -> None:
    """Read a request and close."""
    connection.recv(65_536)


def resetting(connection: socket.socket) -> None:
    """Read a request and reset the connection."""
    connection.recv(65_536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def trickling(start: bytes) -> Script:
    """Begin an answer, and go on byte by byte without end; never silent for long."""

    def script(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(start)
        ended = threading.Event()
        while not ended.wait(0.02):
            connection.sendall(b"x")

    return script
