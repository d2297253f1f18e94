"""Records that somebody read what belongs to no tenant of theirs, before it is shown to them.

Who may read it is for the use cases to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from switchgear.core.clock import Clock
from switchgear.core.ids import IdSource
from switchgear.core.scope import PLATFORM_TENANT, Principal, Scope
from switchgear.ledger.appending import append_record
from switchgear.ledger.events import EventEncoder
from switchgear.storage.abilities import Append, Store

LEDGER_READ = "platform.ledger_read"
_STREAM = "ledger.readings"
_ACCOUNT = "platform"


class Readings:
    """Writes to the platform's chain who has read it."""

    def __init__(self, store: Store, *, clock: Clock, ids: IdSource, encoder: EventEncoder) -> None:
        """Write to `store`."""
        self._store = store
        self._clock = clock
        self._ids = ids
        self._encoder = encoder

    async def record(self, principal: Principal, facts: Mapping[str, Any]) -> None:
        """Record that `principal` reads the platform's chain. Raises `StoreError` when that is not known to be kept."""
        scope = Scope(PLATFORM_TENANT, _ACCOUNT, principal.actor)
        told = {"tenant": principal.tenant, **facts}
        event = self._encoder.encode(LEDGER_READ, stream=_STREAM, scope=scope, at=self._clock.time(), facts=told)
        append = Append(self._ids.next("apd"), PLATFORM_TENANT, (event,))
        await append_record(self._store, append, "the ledger did not acknowledge that the platform's chain is read")
