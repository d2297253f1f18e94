"""The gear as one principal sees it in Python: submit, look up, wait. Everything goes through `control`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from switchgear.assembly.backups import BackupDesk
from switchgear.assembly.budgets import BudgetDesk
from switchgear.assembly.dependencies import DependencyDesk
from switchgear.assembly.kill_switches import KillSwitchDesk
from switchgear.assembly.sagas import SagaDesk, SagaHandle
from switchgear.assembly.time_boxes import TimeBoxDesk
from switchgear.control.dead_letters import Requeued
from switchgear.control.doubts import DoubtsView
from switchgear.control.intent_views import IntentView
from switchgear.control.ledger_views import EventView
from switchgear.control.replays import BulkReplay, ReplayFilter, ReplayView
from switchgear.control.use_cases import Control
from switchgear.core.codes import Code
from switchgear.core.errors import DeadlineExceeded
from switchgear.core.outcome import Outcome
from switchgear.core.scope import Principal
from switchgear.execution.sagas.definition import step_of
from switchgear.execution.transitions import ANSWERED

RESULT_TIMEOUT = 60.0


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

    async def submit(  # noqa: PLR0913 - what a caller may say of an action, each by name
        self,
        tool: str,
        arguments: dict[str, Any] | None = None,
        *,
        key: str | None = None,
        deadline: float | None = None,
        time_box: float | None = None,
        not_before: float | None = None,
        delay: float | None = None,
        priority: str | None = None,
        correlation: str | None = None,
    ) -> IntentHandle:
        """Submit an action and return once it is durably accepted.

        The same `key` with the same arguments finds the same intent. `deadline` is seconds from now. With `time_box`
        the tool's revert undoes it so many seconds after it left (see `time_boxes`). It does not leave before
        `not_before`, seconds since the epoch, or `delay`, seconds from now. Of what this tenant has waiting, the
        higher `priority` goes first: "critical_plus", "critical" (default), "sheddable_plus", "sheddable"; the last
        two are denied with QUEUE_EXPIRED when they wait too long. Raises a `Rejected` that says why it was refused,
        `StoreError` when it could not be recorded.
        """
        view = await self._control.intents.submit(
            self.principal,
            tool=tool,
            arguments=arguments or {},
            account=self.account,
            key=key,
            deadline=deadline,
            time_box=time_box,
            not_before=not_before,
            delay=delay,
            priority=priority,
            correlation=correlation,
        )
        return IntentHandle(self._control, self.principal, view)

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

    async def intents(
        self, *, state: str | None = None, before: str | None = None, limit: int = 50
    ) -> list[IntentHandle]:
        """Return this tenant's intents, newest first: `limit` (1 to 200) of one state, older than the id `before`."""
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
        self.view = await self._control.intents.show(self._principal, self.id)
        return self.view

    async def result(self, timeout: float = RESULT_TIMEOUT) -> Outcome:
        """Return the outcome once the intent is settled: final, or in doubt; at once when it needs approval.

        Raises `DeadlineExceeded` after `timeout` seconds; the intent itself goes on.
        """
        self.view = await self._control.intents.wait(self._principal, self.id, timeout)
        if self.view.state not in ANSWERED:
            raise DeadlineExceeded(
                f"the intent is still {self.view.state}; it goes on",
                sent=self.view.attempts > 0,
                operation="intent.result",
            )
        return self.outcome

    @property
    def outcome(self) -> Outcome:
        """The outcome as last seen; its `state` says whether it is final. A dead letter's is what it had come to."""
        code = Code(self.view.code) if self.view.code else None
        return Outcome(
            self.view.ended or self.view.state,
            self.view.value,
            code,
            self.view.message,
            self.view.attempts,
            self.view.replayed,
        )

    async def cancel(self, reason: str = "") -> IntentView:
        """Cancel it if it has not left, else ask for it. Raises `Conflict` when it has ended otherwise."""
        self.view = await self._control.intents.cancel(self._principal, self.id, reason=reason)
        return self.view

    async def approve(self) -> IntentView:
        """Approve what this handle last saw of it. Raises `Denied` when you may not, `Conflict` when it is too late.

        What has changed since is refused with APPROVAL_STALE: `refresh`, look, and approve that.
        """
        seen = "" if self.view.approval is None else self.view.approval.digest
        self.view = await self._control.approvals.approve(self._principal, self.id, channel="python", digest=seen)
        return self.view

    async def reject(self, reason: str) -> IntentView:
        """Say no to it, which ends it. Raises `Denied` when you may not, `Conflict` when nobody is asked any more."""
        self.view = await self._control.approvals.reject(self._principal, self.id, channel="python", reason=reason)
        return self.view

    async def withdraw(self, reason: str = "") -> IntentView:
        """Take your own approval of it back. Raises `Conflict` when it has left already."""
        self.view = await self._control.approvals.withdraw(self._principal, self.id, channel="python", reason=reason)
        return self.view

    async def resolve(self, verdict: str, *, evidence: str, value: object = None) -> IntentView:
        """Say what became of it while it is in doubt: `applied` with its `value`, `not_applied`, or `abandon`.

        Where it is destructive, a second person must say the same. Raises `Denied` for agents, `Conflict` when it is
        not in doubt.
        """
        self.view = await self._control.doubts.resolve(
            self._principal, self.id, verdict=verdict, evidence=evidence, value=value
        )
        return self.view

    async def replay(self, *, mode: str, reason: str, wait: float = 0.0) -> ReplayView:
        """Look at it again (`verify`), let it go on (`resume`), or do what has no effect now anew (`re-execute`).

        Waits up to `wait` seconds (at most 60) for the end. How it ended is in the answer: `result` or `cause`. Raises
        `Conflict` while another replay of it is under way.
        """
        replay = await self._control.replays.replay(self._principal, self.id, mode=mode, reason=reason, wait=wait)
        self.view = replay.intent
        return replay

    async def requeue(self) -> IntentView:
        """Let a dead letter run again, with the same keys. Raises `Conflict` while an attempt may have been applied."""
        self.view = await self._control.dead_letters.requeue(self._principal, self.id)
        return self.view

    async def discard(self, reason: str) -> IntentView:
        """Put a dead letter away for good. Raises `Conflict` when it is none."""
        self.view = await self._control.dead_letters.discard(self._principal, self.id, reason=reason)
        return self.view

    async def events(self) -> list[EventView]:
        """Return the ledger's entries of this intent, in order."""
        page = await self._control.intents.events(self._principal, self.id)
        items = page.items
        while page.next_after is not None:
            page = await self._control.intents.events(self._principal, self.id, after=page.next_after)
            items += page.items
        return items
