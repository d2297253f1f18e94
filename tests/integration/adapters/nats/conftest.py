"""A server for each module, and a client for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from switchgear.adapters.nats import GuardedNats
from tests.integration.adapters.nats.server import client_of, nats_server
from tests.integration.adapters.real_server import RealServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """Run one server for the module."""
    with nats_server(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture
async def nats(server: RealServer) -> AsyncIterator[GuardedNats]:
    """Connect a client, and remove the streams afterwards."""
    async with client_of(server) as connected:
        yield connected
        streams = connected.client.jetstream()
        for info in await streams.streams_info():
            await streams.delete_stream(str(info.config.name))
