"""A server as a process of its own, for tests that send signals: ``serving_process.py FOLDER SECONDS [GRACE]``.

`crm.wait` takes SECONDS, `crm.block` too and cannot be stopped, `mail.send` takes SECONDS and cannot be repeated. What
each does is a line in FOLDER/effects. One action runs at a time for `crm.one`. It prints its address, then, when it has
stopped, whether that was in order.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from switchgear.adapters.systemd import Notifier, notify_options
from switchgear.assembly.gear import Switchgear
from switchgear.control.development_issuer import DevelopmentIssuer
from switchgear.execution.contract import Call
from switchgear.surfaces.rest import RestLimits, run_server


def register(gear: Switchgear, folder: Path, seconds: float) -> None:
    """Register the tools. They take `seconds`, or until there is a file `gate`; one blocks."""

    async def taking_time() -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if (folder / "gate").exists():
                break
            await asyncio.sleep(min(seconds, 0.01))

    def note(call: Call) -> str:
        with (folder / "effects").open("a") as effects:
            effects.write(f"{call.intent_id}\n")
        return "done"

    @gear.tool("crm.wait", effect="keyed")
    async def wait(call: Call) -> str:
        await taking_time()
        return note(call)

    @gear.tool("crm.block", effect="opaque")
    def block(call: Call) -> str:
        time.sleep(seconds)
        return note(call)

    @gear.tool("mail.send", effect="opaque", requires=("mail",))
    async def send(call: Call) -> str:
        await taking_time()
        return note(call)

    @gear.tool("crm.one", effect="keyed", requires=("one",))
    async def one(call: Call) -> str:
        await taking_time()
        return note(call)

    gear.engine.queue.set_places("one", 1)


async def main(folder: Path, seconds: float, grace: float) -> None:
    """Serve until a signal stops it."""
    issuer = DevelopmentIssuer.load(folder / "key")
    options = notify_options(os.environ, pid=os.getpid())
    async with Switchgear.open(store=f"sqlite:///{folder / 'gear.db'}") as gear:
        register(gear, folder, seconds)
        in_order = await run_server(
            gear,
            "127.0.0.1",
            0,
            _say,
            verifier=issuer.verifier(),
            limits=RestLimits(grace=grace),
            notifier=None if options is None else Notifier(options),
        )
    _say(f"in order: {in_order}")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else 10.0))
