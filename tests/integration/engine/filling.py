"""A process that fills its own disk: ``filling.py FOLDER`` submits by the Python API until it is refused.

Then it makes room, submits what was refused again, and prints as JSON what became of everything.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from switchgear import Switchgear
from switchgear.core.errors import StoreError
from switchgear.execution.contract import Call

ROOM_BYTES = 600_000
PADDING = "x" * 5_000
REFUSALS = 20


def limit_files(size: int) -> None:
    """Let no file of this process grow beyond `size` bytes; -1 for no limit."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


async def fill(gear: Switchgear, effects: Counter[str]) -> dict[str, Any]:
    """Meet a full disk, make room, and tell what happened."""
    acme = gear.acting_as(tenant="acme", account="main", actor="service:test")
    intents, refused, codes, number = {}, list[str](), set[str](), 0
    limit_files(ROOM_BYTES)
    while len(refused) < REFUSALS:
        ref, number = f"r{number}", number + 1
        try:
            intents[ref] = await acme.submit("remote.note", {"ref": ref, "padding": PADDING}, key=ref)
        except StoreError as error:
            codes.add(str(error.code))
            refused.append(ref)
    acknowledged, unrecorded = len(intents), [ref for ref in refused if effects[ref]]
    limit_files(-1)
    for ref in refused:
        intents[ref] = await acme.submit("remote.note", {"ref": ref, "padding": PADDING}, key=ref)
    await gear.run_until_idle(120.0)
    verification = await gear.control.ledger.verify(acme.principal)
    return {
        "acknowledged": acknowledged,
        "codes": sorted(codes),
        "left_unrecorded": unrecorded,
        "states_at_the_end": sorted({(await intent.refresh()).state for intent in intents.values()}),
        "effects_at_the_end": sorted({effects[ref] for ref in intents}),
        "problem": verification.problem,
    }


async def main(folder: Path) -> None:
    """Run a gear with one opaque tool in `folder`."""
    effects: Counter[str] = Counter()
    async with Switchgear.open(store=f"sqlite:///{folder}/gear.db") as gear:

        @gear.tool("remote.note")
        async def note(call: Call, ref: str, padding: str) -> None:
            effects[ref] += 1

        found = await fill(gear, effects)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
