"""A server as a process of its own, for tests that send signals: ``serving_process.py FOLDER SECONDS``.

Its tool `crm.wait` takes SECONDS. It prints its address, then, when it has stopped, whether that was in order.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from switchgear.assembly.gear import Switchgear
from switchgear.control.development_issuer import DevelopmentIssuer
from switchgear.execution.contract import Call
from switchgear.surfaces.rest import run_server


async def main(folder: Path, seconds: float) -> None:
    """Serve until a signal stops it."""
    issuer = DevelopmentIssuer.load(folder / "key")
    async with Switchgear.open(store=f"sqlite:///{folder / 'gear.db'}") as gear:

        @gear.tool("crm.wait", effect="keyed")
        async def wait(_call: Call) -> str:
            await asyncio.sleep(seconds)
            return "done"

        in_order = await run_server(gear, "127.0.0.1", 0, _say, verifier=issuer.verifier())
    _say(f"in order: {in_order}")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2])))
