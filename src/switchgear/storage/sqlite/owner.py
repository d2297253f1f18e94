"""One engine per file: a lock beside the database that the system releases with the process, however it ends.

The lock is on a file of its own, because closing any other handle of a database drops SQLite's own locks on it.
Needs a local file system; POSIX only.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from switchgear.core.codes import Code
from switchgear.core.errors import StoreError

_SUFFIX = ".owner"
_PRIVATE = 0o600


class OwnerLock:
    """The right to write one database file, held from construction until `release`."""

    __slots__ = ("_descriptor",)

    def __init__(self, database: Path) -> None:
        """Take the lock of `database` at once.

        Raises `StoreError`: STORE_IN_USE when somebody holds it, LEDGER_UNAVAILABLE when it cannot be made.
        """
        path = database.with_name(database.name + _SUFFIX)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
        except OSError as error:
            raise StoreError(f"{path} cannot be made: {error.strerror}. Its directory must be writable.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _read_holder(descriptor)
            os.close(descriptor)
            raise _in_use(database, holder) from error
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back. The file stays, empty: removing it would race with the next owner."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1


def _read_holder(descriptor: int) -> str:
    return os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()


def _in_use(database: Path, holder: str) -> StoreError:
    who = f"process {holder}" if holder else "another process"
    return StoreError(
        f"{database} is in use by {who}. Stop that engine, talk to it over its REST address, or open another file.",
        code=Code.STORE_IN_USE,
    )
