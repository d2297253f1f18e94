"""One prober for several processes of a machine: a file lock says who, and a file beside it what was found.

`Lease` is the protocol, for whoever has a better place to agree in; `FileLease` needs a local file system and POSIX.
Who follows believes nothing that was in the file when it began to look, and dates what is new by when it last looked:
so the file that a dead process left behind says nothing.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.health.ageing import Ageing
from switchgear.health.evidence import Polarity

logger = logging.getLogger("switchgear.health")

REPORTS_KEPT = 10
"""Reports of one dependency that stand in the file at most."""
FILE_BYTES_MAX = 4_000_000
"""Bytes of the file that are read at most; a larger one says nothing."""
_PRIVATE = 0o600
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Report:
    """What one probe found, and how many seconds it took."""

    name: str
    polarity: Polarity
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Found:
    """A report of somebody else, at most `age` seconds old."""

    report: Report
    age: float


class Lease(Protocol):
    """The right to probe, which one process of several has. Nothing here may block for long."""

    def acquire(self) -> bool:
        """Return whether this process has it now, taking it if it is free."""

    def release(self) -> None:
        """Give it back. Without it this does nothing."""

    def publish(self, report: Report) -> None:
        """Let the others know. Only who has the lease calls this."""

    def news(self) -> list[Found]:
        """Return what the one who has it published since the last call, oldest first; nothing at the first."""


class FileLease:
    """The lease of the processes of one machine and user that name the same `path`.

    The lock is on `path`, the reports are in a file beside it. The folder must exist, and belong to this user alone.
    The system releases the lock with the process, however it ends.
    """

    def __init__(self, path: Path | str, *, clock: Clock = SYSTEM_CLOCK) -> None:
        """Name the files. Nothing is opened yet."""
        self._path = Path(path)
        self._reports_path = self._path.with_name(self._path.name + ".reports")
        self._clock = clock
        self._now = Ageing(clock).now
        self._descriptor: int | None = None
        self._owner = 0
        self._token = secrets.token_hex(8)
        self._serial = 0
        self._kept: dict[str, deque[tuple[int, float, Report]]] = {}
        self._looked_at: float | None = None
        self._seen: tuple[str, int] = ("", 0)
        self._stamp: tuple[int, int, int] | None = None
        self._complained = False

    def acquire(self) -> bool:
        """Return whether this process holds the lock, taking it if it is free. Raises `OSError` for a bad path."""
        if self._descriptor is not None and self._owner == os.getpid():
            return True
        self._forget_descriptor()  # after a fork it is the parent's
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _PRIVATE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor, self._owner = descriptor, os.getpid()
        self._token = secrets.token_hex(8)
        return True

    def release(self) -> None:
        """Give the lock back. The files stay: removing them would race with the next holder."""
        self._forget_descriptor()

    def publish(self, report: Report) -> None:
        """Write the latest reports into a new file, and put it in the old one's place. A failure is logged."""
        self._serial += 1
        made_at = self._now() - report.seconds
        self._kept.setdefault(report.name, deque(maxlen=REPORTS_KEPT)).append((self._serial, made_at, report))
        try:
            self._write()
            self._complained = False
        except OSError as error:
            self._complain(f"reports of probes cannot be written: {error}")

    def news(self) -> list[Found]:
        """Return what is new in the file since the last call, dated no younger than it can be."""
        now, since = self._now(), self._looked_at
        try:
            read = self._read()
        except FileNotFoundError:
            read = None
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._complain(f"reports of probes cannot be read: {type(error).__name__}: {error}")
            return []  # what is new at the next look may be as old as the last look that saw anything
        self._looked_at = now
        if read is None:
            return []
        token, written_seconds_ago, entries = read
        known = self._seen[1] if self._seen[0] == token else 0
        self._seen = (token, max((serial for serial, _, _ in entries), default=known))
        if since is None:
            return []
        return [
            Found(report, max(now - since, written_seconds_ago + age))
            for serial, age, report in entries
            if serial > known
        ]

    def _write(self) -> None:
        now, wall = self._now(), self._clock.time()
        entries = sorted(entry for kept in self._kept.values() for entry in _rows(kept, now))
        text = json.dumps({"version": _VERSION, "by": self._token, "reports": entries}).encode()
        new = self._reports_path.with_name(f"{self._reports_path.name}.{os.getpid()}")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, _PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
        os.utime(new, (wall, wall))
        new.replace(self._reports_path)

    def _read(self) -> tuple[str, float, list[tuple[int, float, Report]]] | None:
        """Return who wrote the file, how long ago, and its entries; None when it is the one that was read last."""
        descriptor = os.open(self._reports_path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            facts = os.fstat(file.fileno())
            stamp = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
            if stamp == self._stamp:
                return None
            if facts.st_uid != os.geteuid() or facts.st_mode & _OTHERS_MAY_WRITE or facts.st_size > FILE_BYTES_MAX:
                raise ValueError("it belongs to somebody else, others may write it, or it is too large")
            body: dict[str, Any] = json.loads(file.read(FILE_BYTES_MAX))
            self._stamp = stamp
        if body["version"] != _VERSION:
            raise ValueError(f"its version is {body['version']!r}, not {_VERSION}")
        written_seconds_ago = max(
            0.0, self._clock.time() - facts.st_mtime
        )  # a clock that was set back makes nothing younger
        return str(body["by"]), written_seconds_ago, [_entry(row) for row in body["reports"]]

    def _forget_descriptor(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _complain(self, text: str) -> None:
        """Log the first failure after a success, and no more."""
        if not self._complained:
            logger.warning("%s: %s", self._reports_path, text)
        self._complained = True


def _rows(kept: deque[tuple[int, float, Report]], now: float) -> Iterator[list[Any]]:
    for serial, made_at, report in kept:
        yield [serial, now - made_at, report.name, str(report.polarity), report.detail, report.seconds]


def _entry(row: list[Any]) -> tuple[int, float, Report]:
    serial, age, name, polarity, detail, seconds = row
    if not (isinstance(serial, int) and float(age) >= 0):
        raise ValueError(f"an entry is numbered and has an age, not {row!r}")
    return serial, float(age), Report(str(name), Polarity(polarity), str(detail), float(seconds))
