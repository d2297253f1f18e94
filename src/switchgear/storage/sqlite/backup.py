"""Copies the database of a running store: one snapshot, a bounded number of pages at a time, in a thread of its own.

The copy is what the last commit before it left, however much is appended meanwhile; the writer never waits for it.
The file is on the disk before its manifest is written. A copy that does not end well is removed.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from switchgear.core.errors import Invalid, StoreError
from switchgear.storage.abilities import Head, Manifest, Progress
from switchgear.storage.manifest import file_digest, manifest_path, write_manifest
from switchgear.storage.sqlite import reader
from switchgear.storage.sqlite.connecting import Connect, copying_connection, reading_connection
from switchgear.storage.sqlite.schema import read_earlier
from switchgear.storage.sqlite.statements import statements
from switchgear.storage.sqlite.translate import translated

PAGES_AT_ONCE = 256
"""Pages of one step, so that a step is short, and stopping waits for one step at most."""

PAUSE_SECONDS = 0.005
"""Pause after each step, in which disk and processor are the writer's alone."""

_PRIVATE = 0o600
_RETRY_SECONDS = 0.05
_IDLE_STEPS_MAX = 100


class Backups:
    """The backups of one store, one at a time. Used on the store's event loop."""

    def __init__(self, source: Path, connect: Connect) -> None:
        """Copy from the database `source`, with connections of `connect`."""
        self._source = source
        self._connect = connect
        self._copying: Copying | None = None
        self._copied: asyncio.Future[Manifest] | None = None
        self._closed = False

    async def make(self, target: Path, created_at: float, progress: Callable[[Progress], None] | None) -> Manifest:
        """Copy to `target` in a thread. Raises as `storage.abilities.Backup.backup` says."""
        if self._closed:
            raise StoreError("the store is closed")
        if self._copying is not None:
            raise Invalid(f"a backup to {self._copying.target} is under way already; one at a time")
        report = partial(_report, asyncio.get_running_loop(), progress)
        copying = self._copying = Copying(self._source, target, self._connect, report, threading.Event())
        self._copied = asyncio.ensure_future(asyncio.to_thread(copying.run, created_at))
        self._copied.add_done_callback(self._ended)
        try:
            return await asyncio.shield(self._copied)
        except asyncio.CancelledError:
            copying.stopping.set()
            raise

    async def close(self) -> None:
        """End the backup that is under way, at its next step, and refuse others."""
        self._closed = True
        if self._copying is not None and self._copied is not None:
            self._copying.stopping.set()
            await asyncio.wait([self._copied])

    def _ended(self, copied: asyncio.Future[Manifest]) -> None:
        """Make room for the next backup. What one ended with whose caller has gone is told to nobody."""
        self._copying = None
        if not copied.cancelled():
            copied.exception()


class Stopped(Exception):
    """The copy was told to stop."""


@dataclass(slots=True)
class Copying:
    """One copy under way, in its thread. It ends at its next step once `stopping` is set."""

    source: Path
    target: Path
    connect: Connect
    report: Callable[[Progress], None]
    stopping: threading.Event
    _left: int = -1
    _idle_steps: int = 0

    def run(self, created_at: float) -> Manifest:
        """Copy, bring the copy to the disk, and write its manifest.

        Raises `Invalid` when there is something at the target already, `StoreError` when source or target fail or the
        copy was stopped. Nothing is left behind then.
        """
        self._claim()
        try:
            heads = self._copy()
            size, digest = file_digest(self.target, self._check_stopped)
            _sync(self.target)
            manifest = Manifest(created_at, size, digest, tuple(heads))
            write_manifest(self.target, manifest)
        except BaseException as error:
            self._remove()
            raise self._translated(error) from error
        return manifest

    def _claim(self) -> None:
        """Make the target, readable by its owner only; refuse one that is there."""
        for path in (self.target, manifest_path(self.target)):
            if path.exists():
                raise Invalid(f"{path} exists already; a backup never overwrites, name another file")
        try:
            os.close(os.open(self.target, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE))
        except FileExistsError as error:
            raise Invalid(f"{self.target} exists already; a backup never overwrites, name another file") from error
        except OSError as error:
            raise StoreError(f"{self.target} cannot be made: {error.strerror}") from error

    def _copy(self) -> list[Head]:
        """Copy one snapshot and return where its chains end."""
        with closing(reading_connection(str(self.source), self.connect)) as source:
            read_earlier(source)
            source.execute(statements()["begin_reading"])
            heads = reader.heads(source)
            with closing(copying_connection(str(self.target), self.connect)) as target:
                source.backup(target, pages=PAGES_AT_ONCE, progress=self._stepped, sleep=_RETRY_SECONDS)
        return heads

    def _stepped(self, _status: int, left: int, pages: int) -> None:
        self._check_stopped()
        self._idle_steps = self._idle_steps + 1 if left == self._left else 0
        self._left = left
        if self._idle_steps > _IDLE_STEPS_MAX:
            raise StoreError(f"{self.target}: the copy does not get on; another program holds one of the files locked")
        self.report(Progress(pages - left, pages))
        self._leave_room()

    def _leave_room(self) -> None:
        """Bring the step to the disk, so that there is no long sync at the end, and pause: the writer comes first."""
        _sync(self.target)
        self.stopping.wait(PAUSE_SECONDS)

    def _check_stopped(self) -> None:
        if self.stopping.is_set():
            raise Stopped

    def _remove(self) -> None:
        for path in (self.target, manifest_path(self.target)):
            with suppress(OSError):
                path.unlink()

    def _translated(self, error: BaseException) -> BaseException:
        if isinstance(error, Stopped):
            return StoreError(f"the backup to {self.target} was stopped, and nothing is left of it")
        if isinstance(error, sqlite3.Error):
            return translated(error, f"{self.source} to {self.target}")
        if isinstance(error, OSError):
            return StoreError(f"{self.target}: {error.strerror}")
        return error


def _report(loop: asyncio.AbstractEventLoop, progress: Callable[[Progress], None] | None, done: Progress) -> None:
    """Have `progress` called on the loop, from the thread of the copy."""
    if progress is not None:
        with suppress(RuntimeError):  # the loop was closed without closing the store: nobody is left to be told
            loop.call_soon_threadsafe(progress, done)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
