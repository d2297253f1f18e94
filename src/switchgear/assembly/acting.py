"""The gear as one principal sees it in Python: submit, look up, wait. Everything goes through `control`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from switchgear.assembly.backups import BackupDesk
from switchgear.assembly.budgets import BudgetDesk
from switchgear.assembly.dependencies import DependencyDesk
from switchgear.assembly.handles import IntentHandle, SagaHandle
from switchgear.assembly.kill_switches import KillSwitchDesk
from switchgear.assembly.ledgers import LedgerDesk
from switchgear.assembly.sagas import SagaDesk
from switchgear.assembly.time_boxes import TimeBoxDesk
from switchgear.assembly.tools import ToolDesk
from switchgear.control.dead_letters import Requeued
from switchgear.control.doubts import DoubtsView
from switchgear.control.replays import BulkReplay, ReplayFilter
from switchgear.control.use_cases import Control
from switchgear.core.scope import Principal
from switchgear.execution.sagas.definition import step_of

__all__ = ["Acting", "IntentHandle", "PlatformActing"]


class Acting:
    """One principal acting on one account. Made by `Switchgear.acting_as`."""

    def __init__(self, control: Control, principal: Principal, account: str) -> None:
        """Act through `control`."""
        self._control = control
        self.principal = principal
        self.account = account
        self.kill_switches = KillSwitchDesk(control, principal)
        self.dependencies = DependencyDesk(control, principal)
        self.budgets = BudgetDesk(control, principal)
        self.time_boxes = TimeBoxDesk(control, principal)
        self.sagas = SagaDesk(control, principal)
        self.tools = ToolDesk(control, principal)
        self.ledger = LedgerDesk(control, principal)

    async def submit(  # noqa: PLR0913 - what a caller may say of an action, each by name
        self,
        tool: str,
        arguments: dict[str, Any] | None = None,
        *,
        key: str | None = None,
        deadline: float | None = None,
        revert_after: float | None = None,
        not_before: float | None = None,
        delay: float | None = None,
        priority: str | None = None,
        correlation: str | None = None,
    ) -> IntentHandle:
        """Submit an action and return once it is durably accepted.

        The same `key` with the same arguments finds the same intent. `deadline` is seconds from now. With
        `revert_after` it has a time-box: the tool's revert undoes it so many seconds after it left (see
        `time_boxes`). It does not leave before `not_before`, seconds since the epoch, or `delay`, seconds from now. Of
        what this tenant has waiting, the higher `priority` goes first: "critical_plus", "critical" (default),
        "sheddable_plus", "sheddable"; the last two are denied with QUEUE_EXPIRED when they wait too long. Raises a
        `Rejected` that says why it was refused, `StoreError` when it could not be recorded.
        """
        seen = await self._control.intents.submit(
            self.principal,
            tool=tool,
            arguments=arguments or {},
            account=self.account,
            key=key,
            deadline=deadline,
            revert_after=revert_after,
            not_before=not_before,
            delay=delay,
            priority=priority,
            correlation=correlation,
        )
        return IntentHandle(self._control, self.principal, seen)

    async def saga(self, steps: Sequence[Mapping[str, Any]], *, key: str, correlation: str | None = None) -> SagaHandle:
        """Submit steps that are all done, in order, or all undone, and return once that is durably accepted.

        A step has `tool` and `arguments`; `name`, `undo` and `pivot` as it needs. The same `key` with the same steps
        finds the same saga. Raises a `Rejected` that says why it was refused, `StoreError` when it could not be
        recorded.
        """
        view = await self._control.sagas.submit(
            self.principal,
            steps=[step_of(step) for step in steps],
            account=self.account,
            key=key,
            correlation=correlation,
        )
        return SagaHandle(self._control, self.principal, view)

    async def intent(self, intent_id: str) -> IntentHandle:
        """Return an intent of this tenant. Raises `Denied` (NOT_FOUND)."""
        return IntentHandle(self._control, self.principal, await self._control.intents.show(self.principal, intent_id))

    async def intent_by_key(self, tool: str, key: str) -> IntentHandle:
        """Return what became of the submission of `tool` with this idempotency key, in this tenant and account.

        It is found for as long as it is on record, also after the key's retention; of several actions that had the key
        one after the other, the newest. Raises `Denied` (NOT_FOUND) when nothing was accepted with the key, `Conflict`
        (IDEMPOTENCY_IN_PROGRESS) while that is not sure yet.
        """
        view = await self._control.intents.show_by_key(self.principal, tool=tool, key=key, account=self.account)
        return IntentHandle(self._control, self.principal, view)

    async def intents(
        self, *, state: str | None = None, before: str | None = None, limit: int = 50
    ) -> list[IntentHandle]:
        """Return this tenant's intents, newest first: `limit` (1 to 200) of one state, older than the id `before`.

        One that is damaged is left out, and named in the log.
        """
        page = await self._control.intents.list(self.principal, state=state, cursor=before, limit=limit)
        return [IntentHandle(self._control, self.principal, view) for view in page.items]

    def doubts(self) -> DoubtsView:
        """Return how much of this tenant is in doubt, and since when."""
        return self._control.doubts.report(self.principal)

    async def dead_letters(
        self, *, tool: str | None = None, before: str | None = None, limit: int = 50
    ) -> list[IntentHandle]:
        """Return this tenant's dead letters, newest first: those of `tool` among `limit` (1 to 200) before `before`."""
        page = await self._control.dead_letters.list(self.principal, tool=tool, cursor=before, limit=limit)
        return [IntentHandle(self._control, self.principal, view) for view in page.items]

    async def replay_intents(
        self,
        *,
        mode: str,
        reason: str,
        state: str | None = None,
        tool: str | None = None,
        since: float | None = None,
        before: str | None = None,
        limit: int = 50,
        rate: float = 10.0,
    ) -> BulkReplay:
        """Replay many, newest first: at most `limit` (1 to 200) and `rate` a second, each after the one before.

        They are chosen by `state`, `tool` and `since` (seconds since the epoch). Stops at the first that comes to be in
        doubt. Raises `Invalid` and `Conflict`.
        """
        chosen = ReplayFilter(state=state, tool=tool, since=since, cursor=before, limit=limit, rate=rate)
        return await self._control.replays.replay_all(self.principal, chosen, mode=mode, reason=reason)

    async def requeue_dead_letters(
        self, *, tool: str | None = None, before: str | None = None, limit: int = 50, per_second: float = 10.0
    ) -> Requeued:
        """Let those run again that `dead_letters` would return, each alone, at most `per_second` of them a second."""
        return await self._control.dead_letters.requeue_all(
            self.principal, tool=tool, cursor=before, limit=limit, per_second=per_second
        )


class PlatformActing:
    """The platform acting over all tenants: what belongs to none of them. Made by `Switchgear.acting_as_platform`."""

    def __init__(self, control: Control, principal: Principal) -> None:
        """Act through `control`."""
        self.principal = principal
        self.kill_switches = KillSwitchDesk(control, principal)
        self.dependencies = DependencyDesk(control, principal)
        self.budgets = BudgetDesk(control, principal)
        self.backups = BackupDesk(control, principal)
        self.tools = ToolDesk(control, principal)
        self.ledger = LedgerDesk(control, principal)
