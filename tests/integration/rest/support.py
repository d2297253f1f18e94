"""What the tests of REST share: the upstream that tools act on, the tools, and the types of the fixtures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx2

from switchgear.assembly.gear import Switchgear
from switchgear.core.errors import NotApplied
from switchgear.execution.contract import Call

Tokens = Callable[..., str]
Clients = Callable[..., httpx2.AsyncClient]

UPDATE = {"tool": "crm.update", "arguments": {"contact_id": "7", "email": "a@b.c"}, "account": "main"}
READ = {"tool": "crm.read", "arguments": {"contact_id": "7"}, "account": "main"}
SLOW = {"tool": "crm.slow", "arguments": {}, "account": "main"}


class Upstream:
    """What the tools act on: effects by key, and a gate that calls of `crm.slow` wait at."""

    def __init__(self) -> None:
        """Start with no effects and the gate shut."""
        self.effects: list[str] = []
        self.gate = asyncio.Event()
        self.reached = asyncio.Event()


def register_tools(gear: Switchgear, upstream: Upstream) -> None:
    """Register one tool of each kind that the tests need."""

    @gear.tool("crm.read", effect="read_only")
    async def read(call: Call, contact_id: str) -> dict[str, str]:
        return {"id": contact_id, "tenant": call.tenant}

    @gear.tool("crm.update", effect="keyed")
    async def update(call: Call, contact_id: str, email: str = "") -> dict[str, str]:
        upstream.effects.append(call.idempotency_key)
        return {"id": contact_id, "email": email}

    @gear.tool("crm.slow", effect="keyed")
    async def slow(call: Call) -> str:
        upstream.reached.set()
        await upstream.gate.wait()
        upstream.effects.append(call.idempotency_key)
        return "done"

    @gear.tool("crm.refuse", effect="keyed")
    async def refuse(_call: Call) -> None:
        raise NotApplied("no such contact")

    @gear.tool("mail.send", effect="opaque")
    async def send(_call: Call) -> None:
        raise ConnectionResetError("the line broke")


async def until(reached: Callable[[], bool]) -> None:
    """Give other tasks turns until `reached()` is true, for at most thirty seconds."""
    async with asyncio.timeout(30.0):
        while not reached():  # noqa: ASYNC110 - what is waited for are plain counts
            await asyncio.sleep(0.001)
