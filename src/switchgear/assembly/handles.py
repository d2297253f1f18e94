"""Handles on what one principal has on record: an intent or a saga as last seen, and what may be done with it.

Everything goes through `control`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

from msgspec import structs

from switchgear.control.intent_views import IntentView, outcome_of
from switchgear.control.intents import Seen
from switchgear.control.ledger_views import EventPage, EventView
from switchgear.control.replays import ReplayView
from switchgear.control.sagas import SagaView
from switchgear.control.use_cases import Control
from switchgear.core.errors import DeadlineExceeded, shown_seconds
from switchgear.core.outcome import Outcome
from switchgear.core.scope import Principal
from switchgear.execution.transitions import ANSWERED

RESULT_TIMEOUT = 60.0
"""How long a result is waited for unless the caller says otherwise, in seconds."""


class IntentHandle:
    """An intent as last seen. `refresh` and `result` look again. What answered a repeat says so ever after."""

    def __init__(self, control: Control, principal: Principal, seen: Seen | IntentView) -> None:
        """Show what was `seen` until looked at again."""
        self._control = control
        self._principal = principal
        self._seen = seen

    @property
    def view(self) -> IntentView:
        """What was seen last."""
        if isinstance(self._seen, Seen):
            self._seen = self._seen.view
        return self._seen

    @view.setter
    def view(self, view: IntentView) -> None:
        self._seen = structs.replace(view, replayed=True) if self._seen.replayed else view

    @property
    def id(self) -> str:
        """The id that it is found by."""
        return self._seen.intent.id if isinstance(self._seen, Seen) else self._seen.id

    @property
    def state(self) -> str:
        """The state when last looked at."""
        return str(self._seen.intent.state) if isinstance(self._seen, Seen) else self._seen.state

    def __repr__(self) -> str:
        """Show id, tool and state."""
        return f"<IntentHandle {self.id} {self.view.tool} {self.state}>"

    async def refresh(self) -> IntentView:
        """Look again and return what is seen."""
        self.view = await self._control.intents.show(self._principal, self.id)
        return self.view

    async def result(self, timeout: float = RESULT_TIMEOUT) -> Outcome:
        """Return the outcome once the intent is settled: final, or in doubt; at once when it needs approval.

        Raises `DeadlineExceeded` after `timeout` seconds, with what holds it back or when it starts. The intent itself
        goes on.
        """
        seen = await self._control.intents.wait(self._principal, self.id, timeout)
        seen.replayed = self._seen.replayed
        self._seen = seen
        if seen.intent.state not in ANSWERED:
            raise _unsettled(self.view, seen.starts_in)
        return seen.outcome

    @property
    def outcome(self) -> Outcome:
        """The outcome as last seen; its `state` says whether it is final. A dead letter's is what it had come to."""
        if isinstance(self._seen, Seen):
            return self._seen.outcome
        return outcome_of(self._seen, self._seen.attempts, replayed=self._seen.replayed)

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

        Where it is destructive, a second person must say the same; one who says something else settles nothing, which
        `resolution.awaits` of the view tells. Raises `Denied` for agents, `Conflict` when it is not in doubt.
        """
        self.view = await self._control.doubts.resolve(
            self._principal, self.id, verdict=verdict, evidence=evidence, value=value
        )
        return self.view

    async def force(self, *, reason: str, seconds: float) -> IntentView:
        """Let it leave once within `seconds` (at most 3,600), whatever dependency does not vouch for it now.

        For what the destructive gate holds. Raises `Denied` for agents and for whoever asked for it, `Conflict` when
        the gate does not hold it, `Invalid` for the reason or the seconds.
        """
        self.view = await self._control.forced.force(self._principal, self.id, reason=reason, seconds=seconds)
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
        return await every_event(lambda after: self._control.intents.events(self._principal, self.id, after=after))


def _unsettled(view: IntentView, starts_in: float | None) -> DeadlineExceeded:
    """Return the error of who has waited long enough for what `view` shows: it names what holds it back now.

    `starts_in` is in how many seconds it may leave; None when it does not wait for a time.
    """
    held = view.obstacle
    why = "" if held is None else f", {held.code}: {held.message}"
    if starts_in is not None:
        again = "its next attempt is" if view.attempts else "it starts"
        why = f", and {again} in {shown_seconds(starts_in)} s"
    return DeadlineExceeded(
        f"the intent is still {view.state}{why}; it goes on",
        sent=view.attempts > 0,
        operation="intent.result",
        dependency="" if held is None else held.dependency,
    )


class SagaHandle:
    """A saga as last seen. `refresh` and `result` look again. What answered a repeat says so ever after."""

    def __init__(self, control: Control, principal: Principal, view: SagaView) -> None:
        """Show `view` until looked at again."""
        self._control = control
        self._principal = principal
        self._view = view

    @property
    def view(self) -> SagaView:
        """What was seen last."""
        return self._view

    @view.setter
    def view(self, view: SagaView) -> None:
        self._view = dataclasses.replace(view, replayed=True) if self._view.replayed else view

    def __repr__(self) -> str:
        """Show id and state."""
        return f"<SagaHandle {self.id} {self.state}>"

    @property
    def id(self) -> str:
        """The id that it is found by."""
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
        return await every_event(lambda after: self._control.sagas.events(self._principal, self.id, after=after))


async def every_event(page_after: Callable[[int], Awaitable[EventPage]]) -> list[EventView]:
    """Return the entries of all pages. `page_after` gives the page above a sequence."""
    page = await page_after(0)
    items = page.items
    while page.next_after is not None:
        page = await page_after(page.next_after)
        items += page.items
    return items
