"""Dead letters: what failed or was given up, kept until a person requeues or discards it. Pure decisions.

Nothing leaves this place by itself. Listing them, and requeuing many, is the business of `control`.
"""

from __future__ import annotations

from switchgear.core.codes import Code
from switchgear.core.errors import Conflict, Rejected
from switchgear.execution.intent import Change, Intent
from switchgear.execution.parts import Parts
from switchgear.execution.registry import Registered
from switchgear.execution.transitions import Kind, State
from switchgear.ledger.erasure import is_erased
from switchgear.ledger.reasons import check_reason


class DeadLetters:
    """Says what a person's wish about a dead letter comes to, by the tools and the clock of one engine."""

    def __init__(self, parts: Parts) -> None:
        """Work with the parts of one engine."""
        self._parts = parts

    def requeued(self, intent: Intent, *, by: str, delay: float = 0.0) -> tuple[Change, ...]:
        """Return what sets `intent` going again, `delay` seconds from now. Raises as `requeue` does."""
        known = self._parts.registry.get(intent.tool)
        return (requeue(intent, known, by=by, now=self._parts.clock.time(), delay=delay),)


def requeue(intent: Intent, known: Registered | None, *, by: str, now: float, delay: float = 0.0) -> Change:
    """Return the record that a dead letter runs again after `delay` seconds, with the same keys.

    It gets the attempts and the lifetime of its tool anew. Raises `Conflict` when it is no dead letter, when its
    arguments were erased, or while some attempt of it may have been applied; `Rejected` (TOOL_UNREGISTERED) when its
    tool is not known here.
    """
    _check_dead(intent)
    if intent.unresolved:
        message = "an attempt of it may have been applied, so it never runs again by requeuing; discard it"
        raise Conflict(message, policy="dead_letters", state=str(intent.state))
    if is_erased(intent.arguments):
        message = "its arguments were erased, so it cannot be sent again; discard it"
        raise Conflict(message, policy="dead_letters", state=str(intent.state))
    if known is None:
        raise Rejected(code=Code.TOOL_UNREGISTERED, policy="dead_letters", state=str(intent.state))
    facts = {
        "by": by,
        "attempts_max": intent.attempt + known.tool.attempts,
        "interruptions": 0,
        "deadline_at": now + delay + known.tool.lifetime,
    }
    if delay > 0:
        facts["not_before"] = now + delay
    return Change(Kind.REQUEUED, facts)


def discarded(intent: Intent, *, by: str, reason: str) -> tuple[Change, ...]:
    """Return what puts a dead letter away for good; nothing when that was done already.

    Raises `Invalid` for a reason that is missing or longer than 500 characters, `Conflict` when it is no dead letter.
    """
    check_reason(reason)
    if intent.state is State.DISCARDED:
        return ()
    _check_dead(intent)
    return (Change(Kind.DISCARDED, {"by": by, "code": intent.code}, {"message": reason}),)


def _check_dead(intent: Intent) -> None:
    if intent.state is not State.DEAD_LETTERED:
        raise Conflict(f"an intent that is {intent.state} is no dead letter", state=str(intent.state))
