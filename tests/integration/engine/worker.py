"""A process that runs a gear on a file and submits actions until it is killed, or finishes what is open.

Its remote is a folder: an effect is a line appended and synced to `effects.log`. The keyed remote looks there first,
so a repeat has no second effect, as a good remote does.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from switchgear import Switchgear
from switchgear.execution.contract import Call


def apply_effect(folder: Path, key: str) -> None:
    """Append one effect durably."""
    handle = os.open(folder / "effects.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{key}\n".encode())
    os.fsync(handle)
    os.close(handle)


def remembers(folder: Path, key: str) -> bool:
    """Say whether the keyed remote applied this key before. Its log is its memory, so a kill cannot part the two."""
    log = folder / "effects.log"
    return log.exists() and key in log.read_text().split()


def add_tools(gear: Switchgear, folder: Path) -> None:
    """Register one tool of each class that matters here."""

    @gear.tool("remote.read", effect="read_only", backoff_base=0.01)
    async def read(call: Call) -> str:
        await asyncio.sleep(0.002)
        return call.tenant

    @gear.tool("remote.keyed", effect="keyed", backoff_base=0.01)
    async def keyed(call: Call) -> None:
        await asyncio.sleep(0.002)
        if not remembers(folder, call.idempotency_key):
            apply_effect(folder, call.idempotency_key)
        await asyncio.sleep(0.002)

    @gear.tool("remote.opaque")
    async def opaque(call: Call) -> None:
        await asyncio.sleep(0.002)
        apply_effect(folder, call.idempotency_key)
        await asyncio.sleep(0.002)


async def submit_for_ever(gear: Switchgear, start: int) -> None:
    """Submit in waves and say on standard output what was acknowledged."""
    acme = gear.acting_as(tenant="acme", account="main", actor="service:test")

    async def one(number: int) -> None:
        tool = ("remote.read", "remote.keyed", "remote.opaque")[number % 3]
        intent = await acme.submit(tool, {}, key=f"k{number}")
        os.write(1, f"ACK k{number} {intent.id} {tool}\n".encode())

    number = start
    while number < start + 5_000:
        await asyncio.gather(*(one(n) for n in range(number, number + 8)))
        number += 8
    raise RuntimeError("nobody killed this process")


async def main() -> None:
    """Run as told: ``worker.py FOLDER submit START`` or ``worker.py FOLDER finish``."""
    folder, mode = Path(sys.argv[1]), sys.argv[2]
    async with Switchgear.open(store=f"sqlite:///{folder}/gear.db") as gear:
        add_tools(gear, folder)
        if mode == "submit":
            await submit_for_ever(gear, int(sys.argv[3]))
        await gear.run_until_idle(120.0)


if __name__ == "__main__":
    asyncio.run(main())
