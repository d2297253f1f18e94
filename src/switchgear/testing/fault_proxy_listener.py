"""Where a fault proxy listens: an address on loopback or a unix path, which it can stop listening on and keep.

What becomes of a connection that was accepted is not decided here.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from ipaddress import ip_address
from pathlib import Path

from switchgear.core.errors import OptionError
from switchgear.testing.fault_proxy_connection import Reach

Address = tuple[str, int] | str
"""Host and port, or the path of a unix socket."""

Place = tuple[str, int] | str | os.PathLike[str]
"""An `Address` as it may be given."""

BACKLOG = 128
_PORT_MAX = 65_535
_ACCEPTS_AT_ONCE_MAX = 64
_ACCEPT_AGAIN_SECONDS = 0.1


def address_of(option: str, place: object) -> Address:
    """Return what was given as an address. Raises `OptionError` for what is none."""
    match place:
        case (str(host), int(port)) if 0 <= port <= _PORT_MAX and not isinstance(port, bool):
            return host, port
        case str() | os.PathLike() if os.fspath(place):
            return os.fspath(place)
    raise OptionError(f'{option} is ("127.0.0.1", port) or the path of a unix socket, not {place!r}')


def check_loopback(address: Address) -> None:
    """Raise `OptionError` when others than this machine could connect to `address`."""
    if isinstance(address, str):
        return
    try:
        is_loopback = ip_address(address[0]).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise OptionError(
            f'FaultProxy(listen) is on loopback only, not {address[0]!r}; write for example listen=("127.0.0.1", 0)'
        )


def reach(address: Address) -> Reach:
    """Return what connects to `address` from the running loop."""
    loop = asyncio.get_running_loop()
    if isinstance(address, str):
        return lambda protocol: loop.create_unix_connection(protocol, address)
    return lambda protocol: loop.create_connection(protocol, *address)


class Listener:
    """Listens at `address` and hands every accepted socket over. Port 0 takes a free one; an empty path a new one.

    Raises `OSError` when the address is taken, or a path is too long for a socket.
    """

    def __init__(self, address: Address, accepted: Callable[[socket.socket], None]) -> None:
        """Take the address and listen. Needs a running loop, one that watches sockets."""
        self._loop = asyncio.get_running_loop()
        self._accepted = accepted
        self._folder: str | None = None
        if address == "":
            self._folder = tempfile.mkdtemp(prefix="fault-proxy-")
            address = str(Path(self._folder, "proxy.sock"))
        self.address = address
        self._again: asyncio.TimerHandle | None = None
        self._is_listening = False
        with ExitStack() as undo:
            undo.callback(self._remove_folder)
            self._socket = self._bound()
            undo.callback(self._unlink)
            undo.callback(self._socket.close)
            self.listen()
            undo.pop_all()

    def listen(self) -> None:
        """Listen, if it does not."""
        if not self._is_listening:
            self._socket.listen(BACKLOG)
            self._is_listening = True
            self._watch()

    def refuse(self) -> None:
        """Stop listening, and keep the address: who connects is refused, and nobody else can take it."""
        if self._is_listening:
            self._stop()
            self._unlink()
            self._socket = self._bound()

    def close(self) -> None:
        """Give the address back."""
        self._stop()
        self._unlink()
        self._remove_folder()

    def _bound(self) -> socket.socket:
        """Return a socket that has the address and does not listen yet."""
        own = socket.socket(_family(self.address), socket.SOCK_STREAM)
        try:
            own.settimeout(0)
            if not isinstance(self.address, str):
                own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            own.bind(self.address)
        except OSError:
            own.close()
            raise
        if not isinstance(self.address, str):
            self.address = own.getsockname()[:2]
        return own

    def _stop(self) -> None:
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self._is_listening = False

    def _watch(self) -> None:
        self._loop.add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        """Accept what waits. Without a file descriptor to spare, try again a little later, as asyncio does."""
        try:
            for _ in range(_ACCEPTS_AT_ONCE_MAX):
                accepted, _peer = self._socket.accept()
                accepted.settimeout(0)
                self._accepted(accepted)
        except (BlockingIOError, ConnectionAbortedError, InterruptedError):
            return
        except OSError:
            self._loop.remove_reader(self._socket)
            self._again = self._loop.call_later(_ACCEPT_AGAIN_SECONDS, self._watch)

    def _unlink(self) -> None:
        if isinstance(self.address, str):
            with suppress(FileNotFoundError):
                Path(self.address).unlink()

    def _remove_folder(self) -> None:
        if self._folder is not None:
            Path(self._folder).rmdir()


def _family(address: Address) -> socket.AddressFamily:
    if isinstance(address, str):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET
