"""What people's words about approvals come to, by the clock and the store of one engine.

The decisions themselves are pure and stand in `consent`; who may be asked at all is decided in `control`.
"""

from __future__ import annotations

from switchgear.core.errors import Denied
from switchgear.execution.consent import Channel, Word
from switchgear.execution.intent import Intent
from switchgear.execution.parts import Parts
from switchgear.ledger.events import read

ANCESTORS_MAX = 16
"""How far up is looked for who asked for an intent. Nothing that the engine starts is nested so deeply."""


class Consents:
    """Makes a person's word about an intent, with the time and with who asked for that intent."""

    def __init__(self, parts: Parts) -> None:
        """Work with the parts of one engine."""
        self._parts = parts

    async def word(
        self, intent: Intent, *, by: str, channel: Channel, digest: str | None = None, reason: str = ""
    ) -> Word:
        """Return what `by` says about `intent` now, as `consent` decides about it.

        Raises `Denied` when it cannot be told who asked for the intent, `Invalid` for a reason that is too long.
        """
        asked_by = await self.askers(intent)
        return Word(by=by, channel=channel, asked_by=asked_by, at=self.now(), digest=digest, reason=reason)

    def now(self) -> float:
        """Return when a word is said that is said now, in seconds since the epoch."""
        return self._parts.clock.time()

    async def askers(self, intent: Intent) -> frozenset[str]:
        """Return who asked for an intent: its actor, and those of everything that it serves.

        Raises `Denied` when that cannot be told.
        """
        names = {intent.actor}
        parent = intent.parent
        for _ in range(ANCESTORS_MAX):
            if parent is None:
                return frozenset(names)
            above = await self._parts.recorder.latest(intent.tenant, parent)
            if above is None:
                return frozenset({*names, await self._beginner(intent.tenant, parent)})
            names.add(above.actor)
            parent = above.parent
        raise _nobody_knows(intent.id)

    async def _beginner(self, tenant: str, stream: str) -> str:
        """Return who began what has a life of its own but is no intent, such as a saga."""
        entries = await self._parts.store.stream(tenant, stream, limit=1)
        if not entries:
            raise _nobody_knows(stream)
        return read(entries[0]).actor


def _nobody_knows(name: str) -> Denied:
    return Denied(f"it cannot be told who asked for {name}, so nobody can approve it", policy="approval")
