"""An application of somebody's own with a gear in it, as a process: ``embedding_process.py FOLDER``.

Its tool takes until there is a file FOLDER/gate. It prints its address once it takes requests.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI

from switchgear.assembly.gear import Switchgear
from switchgear.execution.contract import Call
from switchgear.surfaces.rest import gear_lifespan, gear_of


def application(folder: Path) -> FastAPI:
    """Return the application."""

    def tools(gear: Switchgear) -> None:
        @gear.tool("crm.wait", effect="keyed")
        async def wait(_call: Call) -> str:
            while not (folder / "gate").exists():  # noqa: ASYNC110 - who opens it is another process
                await asyncio.sleep(0.01)
            return "done"

    app = FastAPI(lifespan=gear_lifespan(store=f"sqlite:///{folder / 'gear.db'}", tools=tools))

    @app.post("/orders")
    async def order(gear: Annotated[Switchgear, Depends(gear_of)]) -> str:
        acme = gear.acting_as(tenant="acme", account="main", actor="test")
        return (await acme.submit("crm.wait", key="k")).id

    @app.get("/orders/{intent_id}")
    async def state(intent_id: str, gear: Annotated[Switchgear, Depends(gear_of)]) -> str:
        acme = gear.acting_as(tenant="acme", account="main", actor="test")
        return (await acme.intent(intent_id)).state

    return app


def main(folder: Path) -> None:
    """Serve on a free port until a signal stops it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        uvicorn.Server(uvicorn.Config(application(folder), log_config=None)).run(sockets=[listener])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
