"""Sagas as one principal sees them in Python: a handle on one, and a desk to look at many."""

from __future__ import annotations

from switchgear.control.ledger_views import EventView
from switchgear.control.sagas import SagaView
from switchgear.control.use_cases import Control
from switchgear.core.errors import DeadlineExceeded
from switchgear.core.scope import Principal

RESULT_TIMEOUT = 60.0


class SagaHandle:
    """A saga as last seen. `refresh` and `result` look again."""

    def __init__(self, control: Control, principal: Principal, view: SagaView) -> None:
        """Show `view` until looked at again."""
        self._control = control
        self._principal = principal
        self.view = view

    def __repr__(self) -> str:
        """Show id and state."""
        return f"<SagaHandle {self.id} {self.state}>"

    @property
    def id(self) -> str:
        """The saga's id."""
        return self.view.id

    @property
    def state(self) -> str:
        """The state when last looked at."""
        return self.view.state

    async def refresh(self) -> SagaView:
        """Look again and return what is seen."""
        self.view = await self._control.sagas.show(self._principal, self.id)
        return self.view

    async def result(self, timeout: float = RESULT_TIMEOUT) -> SagaView:
        """Return the saga once it is at its end, or stuck so that a person is needed.

        Raises `DeadlineExceeded` after `timeout` seconds; the saga itself goes on.
        """
        self.view = await self._control.sagas.wait(self._principal, self.id, timeout)
        if not (self.view.final or self.view.stuck):
            raise DeadlineExceeded(
                f"the saga is still {self.view.state}; it goes on", sent=True, operation="saga.result"
            )
        return self.view

    async def cancel(self, reason: str = "") -> SagaView:
        """Begin no further step and undo what succeeded. Raises `Conflict` when it is too late for that."""
        self.view = await self._control.sagas.cancel(self._principal, self.id, reason=reason)
        return self.view

    async def resume(self, how: str, *, reason: str) -> SagaView:
        """Let a stuck saga go on: ``retry`` begins anew what is missing, ``done`` says that it was done by hand.

        Raises `Denied` for agents, `Conflict` when it is not stuck, or when a retry could be a second effect.
        """
        self.view = await self._control.sagas.resume(self._principal, self.id, how=how, reason=reason)
        return self.view

    async def events(self) -> list[EventView]:
        """Return the ledger's entries of this saga, in order; its intents have entries of their own."""
        page = await self._control.sagas.events(self._principal, self.id)
        items = page.items
        while page.next_after is not None:
            page = await self._control.sagas.events(self._principal, self.id, after=page.next_after)
            items += page.items
        return items


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
        """Return this tenant's sagas, newest first: `limit` (1 to 200) of one state, older than the id `before`."""
        page = await self._control.sagas.list(self._principal, state=state, cursor=before, limit=limit)
        return [SagaHandle(self._control, self._principal, view) for view in page.items]
