"""The gear as one principal sees it in Python: submit, look up, wait. Everything goes through `control`."""

from __future__ import annotations

from typing import Any

from switchgear.control.use_cases import Control
from switchgear.control.views import EventView, IntentView
from switchgear.core.codes import Code
from switchgear.core.errors import DeadlineExceeded
from switchgear.core.outcome import Outcome
from switchgear.core.scope import Principal

RESULT_TIMEOUT = 60.0


class Acting:
    """One principal acting on one account. Made by `Switchgear.acting_as`."""

    def __init__(self, control: Control, principal: Principal, account: str) -> None:
        """Act through `control`."""
        self._control = control
        self.principal = principal
        self.account = account

    async def submit(
        self,
        tool: str,
        arguments: dict[str, Any] | None = None,
        *,
        key: str | None = None,
        deadline: float | None = None,
        correlation: str | None = None,
    ) -> IntentHandle:
        """Submit an action and return once it is durably accepted.

        The same `key` with the same arguments finds the same intent. `deadline` is seconds from now. Raises a
        `Rejected` that says why it was refused, `StoreError` when it could not be recorded.
        """
        view = await self._control.submit(
            self.principal,
            tool=tool,
            arguments=arguments or {},
            account=self.account,
            key=key,
            deadline=deadline,
            correlation=correlation,
        )
        return IntentHandle(self._control, self.principal, view)

    async def intent(self, intent_id: str) -> IntentHandle:
        """Return an intent of this tenant. Raises `Denied` (NOT_FOUND)."""
        return IntentHandle(self._control, self.principal, await self._control.show(self.principal, intent_id))

    async def intents(
        self, *, state: str | None = None, before: str | None = None, limit: int = 50
    ) -> list[IntentHandle]:
        """Return this tenant's intents, newest first: `limit` (1 to 200) of one state, older than the id `before`."""
        page = await self._control.intents(self.principal, state=state, cursor=before, limit=limit)
        return [IntentHandle(self._control, self.principal, view) for view in page.items]


class IntentHandle:
    """An intent as last seen. `refresh` and `result` look again."""

    def __init__(self, control: Control, principal: Principal, view: IntentView) -> None:
        """Show `view` until looked at again."""
        self._control = control
        self._principal = principal
        self.view = view

    def __repr__(self) -> str:
        """Show id, tool and state."""
        return f"<IntentHandle {self.id} {self.view.tool} {self.state}>"

    @property
    def id(self) -> str:
        """The intent's id."""
        return self.view.id

    @property
    def state(self) -> str:
        """The state when last looked at."""
        return self.view.state

    async def refresh(self) -> IntentView:
        """Look again and return what is seen."""
        self.view = await self._control.show(self._principal, self.id)
        return self.view

    async def result(self, timeout: float = RESULT_TIMEOUT) -> Outcome:
        """Return the outcome once the intent is settled: final, or in doubt.

        Raises `DeadlineExceeded` after `timeout` seconds; the intent itself goes on.
        """
        self.view = await self._control.wait(self._principal, self.id, timeout)
        if not (self.view.final or self.view.state == "in_doubt"):
            raise DeadlineExceeded(
                f"the intent is still {self.view.state}; it goes on",
                sent=self.view.attempts > 0,
                operation="intent.result",
            )
        return self.outcome

    @property
    def outcome(self) -> Outcome:
        """The outcome as last seen; its `state` says whether it is final."""
        code = Code(self.view.code) if self.view.code else None
        return Outcome(
            self.view.state, self.view.value, code, self.view.message, self.view.attempts, self.view.replayed
        )

    async def cancel(self, reason: str = "") -> IntentView:
        """Cancel it if it has not left, else ask for it. Raises `Conflict` when it has ended otherwise."""
        self.view = await self._control.cancel(self._principal, self.id, reason=reason)
        return self.view

    async def events(self) -> list[EventView]:
        """Return the ledger's entries of this intent, in order."""
        page = await self._control.events(self._principal, self.id)
        items = page.items
        while page.next_after is not None:
            page = await self._control.events(self._principal, self.id, after=page.next_after)
            items += page.items
        return items
