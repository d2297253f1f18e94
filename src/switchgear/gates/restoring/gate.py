"""Stops every write while the store is frozen after a restore. Reads go on: they have no effect to double."""

from __future__ import annotations

from switchgear.core.codes import FACTS, Code
from switchgear.core.errors import Rejected
from switchgear.gates.gate import NO_CONDITIONS, Conditions, GateRequest, OneAnswer
from switchgear.gates.restoring.book import RestoreBook


class RestoreGate(OneAnswer):
    """The second of an engine's gates. One engine owns a store, and nothing freezes it while it runs."""

    def __init__(self, book: RestoreBook) -> None:
        """Go by `book`."""
        self._book = book

    def check(self, request: GateRequest) -> Conditions:
        """Raise `Rejected` (RESTORE_PENDING) for a write while the store is frozen."""
        if self._book.frozen and request.effect.writes:
            raise pending()
        return NO_CONDITIONS


def pending() -> Rejected:
    """Return the refusal of what has to wait until the store is thawed."""
    code = Code.RESTORE_PENDING
    return Rejected(FACTS[code].meaning, code=code, policy="restore", state="frozen")
