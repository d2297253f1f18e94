"""Counts the syncs that a commit costs beyond its own: those of the checkpoints of the write-ahead log.

A commit syncs the log once. When the log is long enough it is moved into the database, which syncs the log and the
database, and the next commit begins the log anew, which syncs its header. The header counts these beginnings
(sqlite.org/walformat.html, "Checkpoint sequence number"); it is read, and nothing else of the file is touched.
"""

from __future__ import annotations

import os

SYNCS_OF_A_CHECKPOINT = 3
"""The log before it is moved, the database after it, and the header of the log that begins anew."""

_SEQUENCE_AT, _SEQUENCE_BYTES = 12, 4


class LogMeter:
    """Watches the log of one database file. It is read when somebody asks, and not once a commit."""

    __slots__ = ("_closed", "_descriptor", "_path", "_sequence", "_syncs")

    def __init__(self, database: str) -> None:
        """Remember where the log stands now; a log that is not there yet will begin with the first commit."""
        self._path = f"{database}-wal"
        self._descriptor = -1
        self._closed = False
        self._syncs = 0
        self._sequence = self._read()

    def syncs(self) -> int:
        """Return the syncs of checkpoints since this was made."""
        found, known = self._read(), self._sequence
        if found is not None and found != known:
            begun = found if known is None else max(1, found - known)
            self._syncs += SYNCS_OF_A_CHECKPOINT * begun + (known is None)  # a first log costs its header
            self._sequence = found
        return self._syncs

    def close(self) -> None:
        """Look for the last time, and let go of the file."""
        self.syncs()
        self._closed = True
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _read(self) -> int | None:
        """Return the checkpoint sequence of the log, or None while there is no log."""
        if self._closed:
            return None
        try:
            if self._descriptor < 0:
                self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            found = os.pread(self._descriptor, _SEQUENCE_BYTES, _SEQUENCE_AT)
        except OSError:
            return None  # only a figure is lost; what is wrong with the file is met by the statements
        return int.from_bytes(found, "big") if len(found) == _SEQUENCE_BYTES else None
