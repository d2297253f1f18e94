"""A process that accepts many actions, backs its store up while it carries them out, and goes on until it is killed.

It says on standard output what it has accepted, and when the backup stands.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from switchgear import Switchgear
from switchgear.execution.contract import Call

ACTIONS = 240


def apply_effect(folder: Path, key: str) -> None:
    """Append one effect durably: a line in the remote's log, which is its memory too."""
    handle = os.open(folder / "effects.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{key}\n".encode())
    os.fsync(handle)
    os.close(handle)


def remembers(folder: Path, key: str) -> bool:
    """Say whether the remote applied this key before."""
    log = folder / "effects.log"
    return log.exists() and key in log.read_text().split()


def add_tools(gear: Switchgear, folder: Path) -> None:
    """Register a keyed tool whose remote honours its key, an opaque one, and a read. Each takes its time."""

    @gear.tool("remote.keyed", effect="keyed", backoff_base=0.01)
    async def keyed(call: Call) -> None:
        await asyncio.sleep(0.02)
        if not remembers(folder, call.idempotency_key):
            apply_effect(folder, call.idempotency_key)

    @gear.tool("remote.opaque")
    async def opaque(call: Call) -> None:
        await asyncio.sleep(0.02)
        apply_effect(folder, call.idempotency_key)

    @gear.tool("remote.read", effect="read_only")
    async def read(call: Call) -> str:
        return call.tenant


async def main() -> None:
    """Run as told: ``backing_up.py FOLDER``."""
    folder = Path(sys.argv[1])
    async with Switchgear.open(store=f"sqlite:///{folder}/gear.db") as gear:
        add_tools(gear, folder)
        acme = gear.acting_as(tenant="acme", account="main", actor="service:test")

        async def one(number: int) -> None:
            tool = ("remote.keyed", "remote.opaque")[number % 2]
            intent = await acme.submit(tool, {}, key=f"k{number}")
            os.write(1, f"ACK {intent.id} {tool}\n".encode())

        await asyncio.gather(*(one(number) for number in range(ACTIONS)))
        await gear.store.backup(folder / "backup.db", created_at=time.time())
        os.write(1, b"BACKUP\n")
        await asyncio.gather(*(one(number) for number in range(ACTIONS, 2 * ACTIONS)))
        await asyncio.sleep(60)
        raise RuntimeError("nobody killed this process")


if __name__ == "__main__":
    asyncio.run(main())
