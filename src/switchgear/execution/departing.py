"""What can leave at once leaves in the append that accepts it: one record less, and one wait less.

Nothing is weaker for it. Every gate is asked as at admission and as before an attempt, but for those whose answer to
both is one, and those that have nothing to say of its tool; what they rely on goes into the one append, and only once
that is durable is the action acknowledged and the attempt made. What has to wait for anything (a place, a time, a
resource, a pause, a probe) is queued instead.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol

import msgspec

from switchgear.execution.intent import Change, Intent
from switchgear.execution.lines import Ticket
from switchgear.execution.permits import Permits
from switchgear.execution.registry import Registered
from switchgear.gates.gate import Conditions, GateRequest


class Departure(msgspec.Struct, frozen=True):
    """An intent that is cleared to leave: its place in the queue and its permits are taken.

    `change` is what is recorded of it, on `conditions`, those of its admission among them. It leads to what runs, so
    garbage is looked for behind it.
    """

    change: Change
    conditions: Conditions
    registered: Registered
    ticket: Ticket
    permits: Permits


class Departures(Protocol):
    """Who clears intents for leaving at once, and carries them on."""

    def departure(
        self, intent: Intent, registered: Registered, admitted: GateRequest, conditions: Conditions
    ) -> Departure | None:
        """Clear a new intent of a registered tool; None when it has to queue. Else comes one of the other two, always.

        It was let in as `admitted`, on these `conditions`, in this very turn of the loop.
        """

    def carry(self, intent: Intent, departure: Departure) -> Coroutine[Any, Any, None]:
        """Return what carries an intent on that is on record as dispatched. The running task has its slot from now on.

        It awaits that right after: no frame stands between, and nothing else gives the slot back.
        """

    def call_off(self, departure: Departure, *, unsure: bool) -> None:
        """Give everything back: it never left. `unsure` says that it may be on record as dispatched all the same."""


def may_leave_at_once(intent: Intent) -> bool:
    """Return whether an intent has nothing to wait for and nothing to look up before it leaves."""
    return intent.not_before is None and intent.time_box is None and intent.resource is None


def dispatch_facts(
    intent: Intent, registered: Registered, conditions: Conditions, owner: str, at: float
) -> dict[str, Any]:
    """Return what is recorded of an intent that is dispatched by `owner`, at `at` in seconds since the epoch."""
    facts: dict[str, Any] = {
        "attempt": intent.attempt + 1,
        "epoch": intent.version + 1,
        "owner": owner,
        "contract": registered.tool.contract,
        "digest": intent.digest,
        "downstream_key": intent.downstream_key,
        "first_sent_at": intent.first_sent_at or at,
        **conditions.facts,
    }
    if conditions.reserved:
        facts["reserved"] = dict(conditions.reserved)
    return facts
