"""Which action touched a resource last: one row a resource, written in the append of each dispatch that names one.

The version of that row orders the writes. A natural write that is repeated names the version that its own first
dispatch left, so the append fails when a later action has come in between.
"""

from __future__ import annotations

from typing import Any

from msgspec import structs

from switchgear.execution.intent import Intent
from switchgear.execution.recorder import Also
from switchgear.storage.abilities import Store, Write

RESOURCES = "resource"


class Resources:
    """Claims resources for dispatches."""

    def __init__(self, store: Store) -> None:
        """Read versions from `store`."""
        self._store = store

    async def claimed(self, intent: Intent, facts: dict[str, Any], also: Also) -> Also:
        """Return `also` with the claim of the intent's resource, and add its version to `facts`.

        An intent that names none is left as it is. Raises `StoreError` when the row cannot be read.
        """
        if intent.resource is None or not intent.effect.writes:
            return also
        version = intent.resource_version if intent.unresolved else await self._version(intent.tenant, intent.resource)
        facts["resource_version"] = version + 1
        claim = Write(RESOURCES, intent.resource, version, intent.id.encode())
        return structs.replace(also, writes=(*also.writes, claim))

    async def _version(self, tenant: str, resource: str) -> int:
        row = await self._store.get(RESOURCES, tenant, resource)
        return 0 if row is None else row.version
