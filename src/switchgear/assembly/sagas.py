"""Sagas as one principal sees them in Python: a desk to look at many. Everything goes through `control`."""

from __future__ import annotations

from switchgear.assembly.handles import SagaHandle
from switchgear.control.use_cases import Control
from switchgear.core.scope import Principal


class SagaDesk:
    """The sagas of one tenant. One is submitted by `Acting.saga`."""

    def __init__(self, control: Control, principal: Principal) -> None:
        """Ask through `control`."""
        self._control = control
        self._principal = principal

    async def get(self, saga_id: str) -> SagaHandle:
        """Return a saga of this tenant. Raises `Denied` (NOT_FOUND)."""
        return SagaHandle(self._control, self._principal, await self._control.sagas.show(self._principal, saga_id))

    async def list(self, *, state: str | None = None, before: str | None = None, limit: int = 50) -> list[SagaHandle]:
        """Return this tenant's sagas, newest first: `limit` (1 to 200) of one state, older than the id `before`.

        One that is damaged is left out, and named in the log.
        """
        page = await self._control.sagas.list(self._principal, state=state, cursor=before, limit=limit)
        return [SagaHandle(self._control, self._principal, view) for view in page.items]
