"""Use cases about the ledger of a tenant: list, head, verify, export. They only read.

What belongs to no tenant is in the platform's chain. Whoever has ``platform:read`` may read that one instead, and each
such reading is recorded in it first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, ClassVar

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
from switchgear.control.readings import Readings
from switchgear.core.errors import Invalid
from switchgear.core.scope import PLATFORM_TENANT, Principal
from switchgear.execution.refold import Refold
from switchgear.ledger.export import export_lines
from switchgear.storage.abilities import Store


class Ledger:
    """What can be asked about the chain of the caller's tenant, or with `platform` about that of the platform.

    The latter raises `Denied` (PERMISSION_DENIED) without ``platform:read``, and `StoreError` when the reading could
    not be recorded.
    """

    permissions: ClassVar[Permissions] = Permissions(tenant=("ledger:read",), platform=("platform:read",))

    def __init__(self, store: Store, readings: Readings) -> None:
        """Read from `store`; record in `readings` who reads the platform's chain."""
        self._store = store
        self._readings = readings

    async def list(
        self, principal: Principal, *, after: int = 0, limit: int = 100, platform: bool = False
    ) -> EventPage:
        """Return the chain in order: `limit` entries (1 to 200) above sequence `after`."""
        principal.require("ledger:read")
        check_limit(limit)
        if after < 0:
            raise Invalid("after is a sequence number of at least 0")
        tenant = await self._tenant(principal, {"asked": "list", "after": after, "limit": limit}, platform=platform)
        return event_page(await self._store.entries(tenant, after_seq=after, limit=limit + 1), limit)

    async def head(self, principal: Principal, *, platform: bool = False) -> HeadView:
        """Return the end of the chain."""
        return head_view(await self._store.head(await self._tenant(principal, {"asked": "head"}, platform=platform)))

    async def verify(self, principal: Principal, *, platform: bool = False) -> VerificationView:
        """Verify the chain, fold it again, and compare with what is stored."""
        tenant = await self._tenant(principal, {"asked": "verify"}, platform=platform)
        refold = Refold(self._store)
        chain = await refold.chain(tenant)
        fold = await refold.intents(tenant)
        return verification_view(tenant, chain, fold, await refold.budgets(tenant))

    async def export(self, principal: Principal, *, platform: bool = False) -> AsyncIterator[bytes]:
        """Return the chain as JSON Lines that `ledger verify` checks offline."""
        tenant = await self._tenant(principal, {"asked": "export"}, platform=platform)
        return _encoded(export_lines(self._store, tenant))

    async def _tenant(self, principal: Principal, facts: dict[str, Any], *, platform: bool) -> str:
        """Return whose chain is read, once it is on record where that is not the caller's own."""
        principal.require("ledger:read")
        if not platform or principal.tenant == PLATFORM_TENANT:
            return principal.tenant
        principal.require("platform:read")
        await self._readings.record(principal, facts)
        return PLATFORM_TENANT


async def _encoded(lines: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async for line in lines:
        yield f"{line}\n".encode()
