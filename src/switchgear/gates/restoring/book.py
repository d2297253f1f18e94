"""What is known of the mark of a restored store. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from switchgear.ledger.values import read_value

SPACE = "restore"
KEY = "mark"
STREAM = "ledger.restore"
BACKUPS = "ledger.backups"
RESTORED, THAWED, BACKED_UP = "ledger.restored", "ledger.thawed", "ledger.backed_up"
FROZEN_FACET, THAWED_FACET = "frozen", "thawed"


class Mark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """That a store came from a backup. Times are seconds since the epoch; `sha256` is that of the backup, in hex.

    `thawed_at` is when an operator let it go on, None while nobody has.
    """

    backup_at: float
    restored_at: float
    sha256: str
    thawed_at: float | None = None


UNREADABLE = Mark(backup_at=0.0, restored_at=0.0, sha256="")
"""In place of a mark that cannot be understood: frozen, since nobody can tell."""


@dataclass(slots=True)
class RestoreBook:
    """What memory knows of the mark. It is frozen until it was read, and when it cannot be read."""

    mark: Mark | None = None
    read: bool = False

    @property
    def frozen(self) -> bool:
        """Whether nothing may be executed."""
        return not self.read or (self.mark is not None and self.mark.thawed_at is None)


_decode = msgspec.json.Decoder(Mark).decode


def encoded_mark(mark: Mark) -> bytes:
    """Return the row value of a mark."""
    return msgspec.json.encode(mark)


def decoded_mark(value: bytes) -> Mark:
    """Return what the row says. Raises `StoreError` (LEDGER_CORRUPT) when it cannot be read."""
    return read_value(_decode, value, "the mark of a restored store")
