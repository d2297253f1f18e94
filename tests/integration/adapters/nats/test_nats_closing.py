"""A connection to NATS whose closing is interrupted is closed all the same, and nothing serves it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from nats.aio.client import Client
from nats.errors import NoRespondersError

from switchgear.adapters.nats import NatsProbe, link, probe
from tests.integration.adapters.nats.server import client_of
from tests.integration.adapters.real_server import RealServer
from tests.turns import turns

pytestmark = pytest.mark.integration

TURNS_TO_END = 5
"""How many turns the client's reader takes to notice the end of its connection."""


async def asked(server: RealServer) -> None:
    """Ask a server how it is, which opens a connection and closes it."""
    await NatsProbe(f"nats://127.0.0.1:{server.port}")()


async def connected(server: RealServer) -> None:
    """Use a connection, which then waits for answers too, and close it."""
    async with client_of(server) as guarded:
        with suppress(NoRespondersError):
            await guarded.request("nobody")


@pytest.mark.parametrize("later", range(5))
@pytest.mark.parametrize("use", [asked, connected])
async def test_closing_that_is_cancelled_leaves_nothing_open(
    server: RealServer, monkeypatch: pytest.MonkeyPatch, use: Callable[[RealServer], Awaitable[None]], later: int
) -> None:
    """Whoever waits may be cancelled at any turn of the closing: no connection and no task is left behind."""
    made: list[Client] = []

    class Watched(Client):
        """A client that has its user cancelled some turns after it begins to close."""

        async def close(self) -> None:
            made.append(self)
            cancelling.append(asyncio.ensure_future(cancel()))
            await super().close()

    async def cancel() -> None:
        await turns(later)
        using.cancel()

    cancelling: list[asyncio.Task[None]] = []
    monkeypatch.setattr(probe, "Client", Watched)
    monkeypatch.setattr(link, "Client", Watched)
    using = asyncio.ensure_future(use(server))
    await asyncio.wait([using])
    await asyncio.gather(*cancelling)
    await turns(TURNS_TO_END)
    (client,) = made
    assert client._transport._io_writer.is_closing()  # type: ignore[union-attr] # noqa: SLF001 - what is proved
    assert asyncio.all_tasks() == {asyncio.current_task()}
