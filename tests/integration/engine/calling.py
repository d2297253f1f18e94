"""What the tests of disks that fail share: a client that submits to an engine of a calm scene, and asks what it has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tools.kill_rounds.evidence import STORE, RemoteLog, opened, verified
from tools.kill_rounds.scene import Scene
from tools.kill_rounds.submitting import ACCOUNT, TENANTS

TENANT = TENANTS[0]
SECONDS_MAX = 120.0


@dataclass(slots=True)
class Caller:
    """One caller of one tenant. `acknowledged` is what it was told: ids by reference."""

    scene: Scene
    acknowledged: dict[str, str] = field(default_factory=dict)

    async def submit(self, ref: str, tool: str = "keyed", *, wait: bool = False, padding: int = 0) -> httpx2.Response:
        """Submit the action `ref`, with so much `padding` to record, and keep what was acknowledged."""
        headers = {"Idempotency-Key": f'"{ref}"'} | ({"Prefer": "wait=10"} if wait else {})
        body = {"tool": f"remote.{tool}", "arguments": {"ref": ref, "padding": "x" * padding}, "account": ACCOUNT}
        response = await self._request("POST", "/v1/intents", json=body, headers=headers)
        if response.is_success:
            self.acknowledged[ref] = response.json()["id"]
        return response

    async def submit_many(self, name: str, count: int, *, padding: int = 0) -> None:
        """Submit so many actions and wait for each to succeed."""
        refs = [f"{name}{number:03}" for number in range(count)]
        for start in range(0, count, 16):
            answers = await asyncio.gather(*(self.submit(ref, wait=True, padding=padding) for ref in refs[start:][:16]))
            assert [answer.json()["state"] for answer in answers] == ["succeeded"] * len(answers)

    async def show(self, ref: str) -> httpx2.Response:
        """Ask for the intent that was acknowledged for `ref`."""
        return await self.get(f"/v1/intents/{self.acknowledged[ref]}")

    async def get(self, path: str) -> httpx2.Response:
        """Ask for something."""
        return await self._request("GET", path)

    async def until_all(self, refs: Iterable[str], states: frozenset[str]) -> None:
        """Return once all of `refs` are in one of `states`. Raises `TimeoutError` when that takes too long."""
        async with asyncio.timeout(SECONDS_MAX):
            for ref in refs:
                await self._until(ref, states)

    async def _until(self, ref: str, states: frozenset[str]) -> None:
        while True:
            if (await self.show(ref)).json()["state"] in states:
                return
            await asyncio.sleep(0.05)

    async def _request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        headers = options.pop("headers", {}) | {"Authorization": f"Bearer {self.scene.tokens[TENANT]}"}
        return await self.scene.client.request(method, f"{self.scene.engine.url}{path}", headers=headers, **options)


async def start(scene: Scene) -> None:
    """Start the engine and wait until it is ready."""
    scene.engine.start()
    await scene.engine.wait_ready()


def at_remote(scene: Scene) -> RemoteLog:
    """Return what the remote has seen."""
    log = RemoteLog(scene.log)
    log.read_on()
    return log


async def problems(scene: Scene) -> list[str]:
    """Verify the store of an engine that has stopped; return what is wrong, in words."""
    async with opened(scene.folder) as store:
        return await verified(store, await store.tenants())


def sizes(folder: Path) -> int:
    """Return the size of the longest file of the store, in bytes."""
    return max(path.stat().st_size for path in folder.glob(f"{STORE}*"))
