"""Reads along through REST while the demo runs: the ledgers of both tenants, and the breakers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2

from switchgear.surfaces.cli.demo.story import Story
from switchgear.surfaces.cli.demo.traffic import Tenant

_LOOK_SECONDS = 0.25
_PAGE = 200


class Follower:
    """What is known so far: `story` of the ledgers and `breakers` as last seen."""

    def __init__(self, tenants: Sequence[Tenant], http: httpx2.AsyncClient) -> None:
        """Read with the tenants' own tokens over `http`."""
        self._tenants = tenants
        self._http = http
        self._after = dict.fromkeys((tenant.name for tenant in tenants), 0)
        self.story = Story()
        self.breakers: list[dict[str, Any]] = []
        self.breaker_states: list[str] = []

    async def follow(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Read everything that is new."""
        for tenant in self._tenants:
            await self._read_ledger(tenant)
        answer = await self._get(self._tenants[0], "/v1/breakers")
        self.breakers = answer["items"]
        self._note_states()

    async def export(self, tenant: Tenant, file: Path) -> None:
        """Write the tenant's exported chain to `file`."""
        async with self._http.stream("GET", "/v1/ledger/export", headers=_bearer(tenant)) as response:
            response.raise_for_status()
            with file.open("wb") as stream:
                async for chunk in response.aiter_bytes():
                    stream.write(chunk)

    async def _read_ledger(self, tenant: Tenant) -> None:
        while True:
            after = self._after[tenant.name]
            page = await self._get(tenant, "/v1/ledger", after=after, limit=_PAGE)
            for entry in page["items"]:
                self.story.tell(tenant.name, entry)
                self._after[tenant.name] = entry["seq"]
            if page["next_after"] is None:
                return

    async def _get(self, tenant: Tenant, path: str, **parameters: int) -> dict[str, Any]:
        response = await self._http.get(path, params=parameters, headers=_bearer(tenant))
        response.raise_for_status()
        document: dict[str, Any] = response.json()
        return document

    def _note_states(self) -> None:
        for breaker in self.breakers:
            if not self.breaker_states or self.breaker_states[-1] != breaker["state"]:
                self.breaker_states.append(breaker["state"])


def _bearer(tenant: Tenant) -> dict[str, str]:
    return {"Authorization": f"Bearer {tenant.token}"}
