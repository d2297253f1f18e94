"""Tells the service manager how this process stands: ``sd_notify``, over the socket that it names.

Standard library only. It sends words and knows nothing of a gear. Where no manager asks, there is no `Notifier`. A
manager that cannot be told is logged once and never harms: what it does then is its own affair.

Source: sd_notify(3) and sd_watchdog_enabled(3), systemd.
"""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from switchgear.core.errors import OptionError

_log = logging.getLogger("switchgear.systemd")

STATUS_CHARACTERS_MAX = 200
"""The longest status that is told; more is cut off."""
_MICROSECONDS = 1_000_000
_MICROSECONDS_SENT = re.compile(r"[1-9][0-9]{0,19}")
_ABSTRACT = "@"


@dataclass(frozen=True, slots=True)
class NotifyOptions:
    """Where the manager listens, and how often it wants to hear that the process is alive.

    `address` is an absolute path, or a name in the abstract namespace after ``@``. `watchdog_every` is half of the time
    after which the manager gives up, in seconds above 0; None when it does not watch. Raises `OptionError` for others.
    """

    address: str
    watchdog_every: float | None = None

    def __post_init__(self) -> None:
        """Check both."""
        if self.address[:1] not in ("/", _ABSTRACT) or len(self.address) == 1:
            raise OptionError(f"NOTIFY_SOCKET is an absolute path or a name after @, not {self.address!r}")
        if self.watchdog_every is not None and not 0 < self.watchdog_every < float("inf"):
            raise OptionError(f"watchdog_every is seconds above 0, not {self.watchdog_every!r}")


def notify_options(environment: Mapping[str, str], *, pid: int) -> NotifyOptions | None:
    """Return what the manager asks of the process `pid` in its `environment`; None when there is no manager.

    A watchdog that is meant for another process, or whose time is no number, is none. Raises `OptionError` for an
    address that cannot be one.
    """
    address = environment.get("NOTIFY_SOCKET")
    if not address:
        return None
    return NotifyOptions(address, _watchdog_every(environment, pid))


def _watchdog_every(environment: Mapping[str, str], pid: int) -> float | None:
    meant_for, microseconds = environment.get("WATCHDOG_PID", str(pid)), environment.get("WATCHDOG_USEC", "")
    if meant_for != str(pid) or not _MICROSECONDS_SENT.fullmatch(microseconds):
        return None
    return int(microseconds) / _MICROSECONDS / 2


class Notifier:
    """Sends to one service manager. Nothing it does waits, and nothing it does raises."""

    def __init__(self, options: NotifyOptions) -> None:
        """Send to where `options` says. Opens a socket; connects to nothing."""
        self.watchdog_every = options.watchdog_every
        name = options.address
        self._address = f"\0{name[1:]}" if name.startswith(_ABSTRACT) else name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(0.0)
        self._failed = False

    def __enter__(self) -> Self:
        """Return this notifier."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the socket."""
        self._socket.close()

    def ready(self, status: str = "") -> None:
        """Say that the start has ended."""
        self._send("READY=1", status)

    def stopping(self, status: str = "") -> None:
        """Say that the process is about to end."""
        self._send("STOPPING=1", status)

    def alive(self) -> None:
        """Say that the process is alive, for the watchdog."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Say in words how it stands, in one line of at most 200 characters."""
        self._send("", text)

    def _send(self, assignment: str, status: str = "") -> None:
        told = " ".join(status.splitlines())[:STATUS_CHARACTERS_MAX]
        lines = [line for line in (assignment, f"STATUS={told}" if told else "") if line]
        try:
            self._socket.sendto("\n".join(lines).encode(errors="replace"), self._address)
        except OSError as error:
            if not self._failed:
                _log.warning("the service manager cannot be told: %s", error)
            self._failed = True
        else:
            self._failed = False
