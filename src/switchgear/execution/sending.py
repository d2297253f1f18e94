"""An attempt that is being made: the call that is sent, and what is needed to go on with how it ends, in any task."""

from __future__ import annotations

import msgspec

from switchgear.core.deadline import Deadline
from switchgear.execution.contract import Call
from switchgear.execution.destruction import AttemptPermits
from switchgear.execution.intent import Intent
from switchgear.execution.lines import Ticket
from switchgear.execution.owning import owned
from switchgear.execution.permits import Permits
from switchgear.execution.registry import Registered
from switchgear.execution.transitions import State


class Sending(msgspec.Struct, frozen=True):
    """One attempt at `intent`. `allowed` is what it may destroy, None when it destroys nothing.

    `hurried` says that it has less time than its tool and guard would give it: the intent's own deadline comes first.
    """

    call: Call
    ticket: Ticket
    intent: Intent
    registered: Registered
    permits: Permits
    allowed: AttemptPermits | None
    hurried: bool

    def is_still(self, current: Intent) -> bool:
        """Return whether this is still the attempt on record: a late answer is for no other."""
        sent = self.intent
        named = (current.generation, current.attempt, current.owner)
        return current.state is State.DISPATCHED and named == (sent.generation, sent.attempt, sent.owner)


def call_of(intent: Intent, deadline: Deadline, allowed: AttemptPermits | None) -> Call:
    """Return what a connector is told of an attempt at `intent`."""
    return Call(
        intent_id=intent.id,
        tool=intent.tool,
        tenant=intent.tenant,
        account=intent.account,
        actor=intent.actor,
        arguments=owned(intent.arguments),
        idempotency_key=intent.downstream_key,
        attempt=intent.attempt,
        deadline=deadline,
        trace=intent.trace_now,
        purpose=intent.purpose,
        about=intent.about,
        permits=allowed,
    )
