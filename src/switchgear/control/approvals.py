"""Use cases about approvals: say yes, say no, take a yes back. What waits is listed by `intents.list`."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from switchgear.control.intent_views import IntentView
from switchgear.control.permissions import Permissions
from switchgear.control.showing import shown_whole
from switchgear.core.errors import Invalid
from switchgear.core.scope import Principal
from switchgear.execution import consent
from switchgear.execution.consent import Channel, Word
from switchgear.execution.engine import Decided, Engine
from switchgear.execution.intent import Change, Intent

CHANNELS = tuple(str(channel) for channel in Channel)
"""Through what a person may speak, as the client says."""
DIGEST_PATTERN = "[0-9a-f]{64}"
"""What the digest of a request looks like."""

_Says = Callable[[Intent, Word], tuple[Change, ...]]


class Approvals:
    """What people can say about the intents of their tenant that need approval.

    Whoever asked for an intent has no say in it, and an agent never has. Each use case is decided on the intent as it
    is at that moment, so of two that contradict each other one is refused.
    """

    permissions: ClassVar[Permissions] = Permissions(tenant=("intents:approve",))

    def __init__(self, engine: Engine) -> None:
        """Ask `engine`."""
        self._engine = engine

    async def approve(
        self, principal: Principal, intent_id: str, *, channel: str, digest: str | None = None
    ) -> IntentView:
        """Say yes; the last of the quorum lets the intent go. Twice by one person counts once.

        `digest` is that of the approval which was seen; None leaves it open. Raises `Denied` (NOT_FOUND, or
        PERMISSION_DENIED for an agent and for whoever asked for it), `Conflict` (APPROVAL_STALE, APPROVAL_EXPIRED,
        ILLEGAL_TRANSITION).
        """
        return await self._say(principal, intent_id, consent.given, channel=channel, digest=digest)

    async def reject(self, principal: Principal, intent_id: str, *, channel: str, reason: str) -> IntentView:
        """Say no, which ends the intent. `reason` (1 to 500 characters) goes on record.

        Raises as `approve` does, and `Invalid` for the reason.
        """
        return await self._say(principal, intent_id, consent.refused, channel=channel, reason=reason)

    async def withdraw(self, principal: Principal, intent_id: str, *, channel: str, reason: str = "") -> IntentView:
        """Take one's own yes back, until an attempt leaves. The intent waits for approval again.

        Raises `Denied` (NOT_FOUND), `Conflict` (ILLEGAL_TRANSITION) once an attempt has left under it, `Invalid` for
        a reason beyond 500 characters.
        """
        return await self._say(principal, intent_id, consent.taken_back, channel=channel, reason=reason)

    async def _say(
        self,
        principal: Principal,
        intent_id: str,
        says: _Says,
        *,
        channel: str,
        digest: str | None = None,
        reason: str = "",
    ) -> IntentView:
        principal.require("intents:approve")
        spoken = _channel(channel)
        seen = await self._engine.intent(principal.tenant, intent_id)
        word = await self._engine.consents.word(seen, by=principal.actor, channel=spoken, digest=digest, reason=reason)
        after = await self._engine.change(
            principal.tenant, intent_id, lambda intent: Decided(says(intent, word)), actor=principal.actor
        )
        return await shown_whole(self._engine, principal, after)


def _channel(name: str) -> Channel:
    try:
        return Channel(name)
    except ValueError:
        raise Invalid(f"there is no channel {name[:50]!r}; channels are {', '.join(CHANNELS)}") from None
