"""The ledger as one principal reads it in Python. Everything goes through `control`."""

from __future__ import annotations

from switchgear.control.ledger_views import EventPage, HeadView, VerificationView
from switchgear.control.use_cases import Control
from switchgear.core.scope import Principal


class LedgerDesk:
    """The chain of one principal's tenant: ``acme.ledger.list()``; for the platform its own."""

    def __init__(self, control: Control, principal: Principal) -> None:
        """Act through `control`."""
        self._control = control
        self._principal = principal

    async def list(self, *, after: int = 0, limit: int = 100) -> EventPage:
        """Return entries in order: `limit` (1 to 200) above the sequence `after`. Raises `Invalid`."""
        return await self._control.ledger.list(self._principal, after=after, limit=limit)

    async def head(self) -> HeadView:
        """Return the end of the chain."""
        return await self._control.ledger.head(self._principal)

    async def verify(self) -> VerificationView:
        """Verify the chain, fold it again, and compare with what is stored."""
        return await self._control.ledger.verify(self._principal)
