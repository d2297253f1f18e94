"""Use cases about the ledger of a tenant: list, head, verify, export. They only read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar

from switchgear.control.ledger_views import (
    EventPage,
    HeadView,
    VerificationView,
    event_page,
    head_view,
    verification_view,
)
from switchgear.control.paging import check_limit
from switchgear.control.permissions import Permissions
from switchgear.core.errors import Invalid
from switchgear.core.scope import Principal
from switchgear.execution.refold import Refold
from switchgear.ledger.export import export_lines
from switchgear.storage.abilities import Store


class Ledger:
    """What can be asked about the chain of the caller's tenant."""

    permissions: ClassVar[Permissions] = Permissions(tenant=("ledger:read",))

    def __init__(self, store: Store) -> None:
        """Read from `store`."""
        self._store = store

    async def list(self, principal: Principal, *, after: int = 0, limit: int = 100) -> EventPage:
        """Return the tenant's ledger in order: `limit` entries (1 to 200) above sequence `after`."""
        principal.require("ledger:read")
        check_limit(limit)
        if after < 0:
            raise Invalid("after is a sequence number of at least 0")
        return event_page(await self._store.entries(principal.tenant, after_seq=after, limit=limit + 1), limit)

    async def head(self, principal: Principal) -> HeadView:
        """Return the end of the tenant's chain."""
        principal.require("ledger:read")
        return head_view(await self._store.head(principal.tenant))

    async def verify(self, principal: Principal) -> VerificationView:
        """Verify the tenant's chain, fold it again, and compare with what is stored."""
        principal.require("ledger:read")
        refold = Refold(self._store)
        chain = await refold.chain(principal.tenant)
        fold = await refold.intents(principal.tenant)
        return verification_view(principal.tenant, chain, fold, await refold.budgets(principal.tenant))

    async def export(self, principal: Principal) -> AsyncIterator[bytes]:
        """Return the tenant's chain as JSON Lines that `ledger verify` checks offline."""
        principal.require("ledger:read")
        return _encoded(export_lines(self._store, principal.tenant))


async def _encoded(lines: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async for line in lines:
        yield f"{line}\n".encode()
