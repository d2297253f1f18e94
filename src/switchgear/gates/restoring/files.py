"""Makes a store of a backup: copies it, marks the copy as restored, and only then gives it its name.

For SQLite files, without an engine. A restore that breaks off leaves no store behind that could be opened unmarked.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import msgspec

from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.codes import Code
from switchgear.core.errors import Invalid, StoreError
from switchgear.core.ids import IdSource
from switchgear.gates.restoring.book import Mark, RestoreBook
from switchgear.gates.restoring.keeper import RestoreKeeper
from switchgear.ledger.chain import seal
from switchgear.ledger.events import EventEncoder
from switchgear.storage.abilities import Manifest
from switchgear.storage.manifest import checked_backup, manifest_path, sync_directory
from switchgear.storage.opening import open_store
from switchgear.storage.sqlite.owner import OwnerLock

_SUFFIX = ".restoring"
_BESIDE = ("-wal", "-shm", "-journal")
_LOCK = ".owner"
_PRIVATE = 0o600
_BYTES_AT_ONCE = 1024 * 1024


def restore(backup: Path, into: Path, *, clock: Clock = SYSTEM_CLOCK) -> Mark:
    """Make the new store `into` of `backup`, frozen, and return its mark. Call it where no loop runs.

    Raises `Invalid` when there is no such backup, or something is at `into` already; `StoreError`: LEDGER_CORRUPT when
    manifest and file do not fit, STORE_IN_USE while an engine has `into` open, else LEDGER_UNAVAILABLE.
    """
    into = into.resolve()
    if not backup.is_file():
        raise Invalid(f"there is no backup file {str(backup)!r}; name one that was made with `ledger backup`")
    if into.is_dir():
        raise Invalid(f"{into} is a folder; name a new file in it")
    manifest = checked_backup(backup)
    with _claimed(into), _fresh(into) as copy:
        _copy(backup, copy, manifest)
        mark = asyncio.run(_marked(copy, manifest, clock))
        if any(path.exists() for path in _beside(copy)):
            raise StoreError(f"{copy} was not closed whole")
        copy.rename(into)
        sync_directory(into.parent)
    return mark


@contextmanager
def _claimed(into: Path) -> Iterator[None]:
    """Hold the lock of the store to be, so that no engine makes or opens it meanwhile."""
    if not into.parent.is_dir():
        raise Invalid(f"there is no folder {into.parent}")
    lock = OwnerLock(into)
    try:
        for path in (into, manifest_path(into), *_beside(into)):
            if path.exists():
                raise Invalid(f"{path} exists already; a restore never overwrites, name another file")
        yield
    finally:
        lock.release()


@contextmanager
def _fresh(into: Path) -> Iterator[Path]:
    """Give the name of the copy, which nothing is left of in the end."""
    copy = into.with_name(into.name + _SUFFIX)
    _remove(copy)  # what a restore that broke off has left
    try:
        yield copy
    finally:
        _remove(copy)


def _copy(backup: Path, copy: Path, manifest: Manifest) -> None:
    """Copy to the disk, and check that what was copied is what the manifest describes."""
    hasher, size = hashlib.sha256(), 0
    try:
        descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE)
        with backup.open("rb") as source, os.fdopen(descriptor, "wb") as target:
            while piece := source.read(_BYTES_AT_ONCE):
                hasher.update(piece)
                size += len(piece)
                target.write(piece)
            target.flush()
            os.fsync(target.fileno())
    except OSError as error:
        raise StoreError(f"{copy} cannot be written: {error.strerror}") from error
    if (size, hasher.hexdigest()) != (manifest.bytes, manifest.sha256):
        raise StoreError(f"{backup} changed while it was copied", code=Code.LEDGER_CORRUPT)


async def _marked(copy: Path, manifest: Manifest, clock: Clock) -> Mark:
    """Open the copy once, and record that it is a restored one. A backup of a frozen store stays frozen since then."""
    store = await open_store(f"sqlite:///{quote(str(copy))}", seal=seal, clock=clock)
    try:
        book = RestoreBook()
        keeper = RestoreKeeper(book, store, clock=clock, ids=IdSource(clock), encoder=EventEncoder())
        await keeper.load()
        mark = Mark(backup_at=manifest.created_at, restored_at=clock.time(), sha256=manifest.sha256)
        if book.frozen and book.mark is not None:
            mark = msgspec.structs.replace(mark, backup_at=min(mark.backup_at, book.mark.backup_at))
        await keeper.mark(mark, manifest.heads)
    finally:
        await store.close()
    return mark


def _beside(file: Path) -> list[Path]:
    return [file.with_name(file.name + suffix) for suffix in _BESIDE]


def _remove(copy: Path) -> None:
    for path in (copy, *_beside(copy), copy.with_name(copy.name + _LOCK)):
        with suppress(FileNotFoundError):
            path.unlink()
