"""The NATS probe against real servers: paused, killed, without JetStream, locked, and with a bucket that takes keys."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.js.api import KeyValueConfig
from nats.js.kv import KeyValue

from switchgear.adapters.nats import NatsProbe
from switchgear.health.evidence import Polarity
from switchgear.health.probe import ProbeFailed
from tests.integration.adapters.nats.server import nats_server
from tests.integration.adapters.real_server import RealServer
from tests.integration.health.asking import PATIENCE_SECONDS, SECONDS, until_positive, verdict
from tests.ports import free_port

pytestmark = pytest.mark.integration


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RealServer]:
    """Run a server for one test, which may spoil it."""
    with nats_server(tmp_path) as running:
        yield running


@contextmanager
def server_with(folder: Path, *arguments: str) -> Iterator[RealServer]:
    """Run a server with other arguments."""

    def command(port: int, _: Path) -> list[str]:
        return ["-a", "127.0.0.1", "-p", str(port), *arguments]

    running = RealServer("nats-server", command, folder)
    running.start()
    try:
        yield running
    finally:
        running.kill()


def probe_of(server: RealServer, **options: object) -> NatsProbe:
    """Return a probe that is patient, or as `options` say."""
    return NatsProbe(f"nats://127.0.0.1:{server.port}", **{"timeout": PATIENCE_SECONDS, **options})  # type: ignore[arg-type] # some of its own


async def test_a_server_that_works(server: RealServer) -> None:
    """Server and JetStream answer, each time over a connection that is closed again."""
    probe = probe_of(server)
    for _ in range(3):
        assert await probe() == "answers, JetStream too"
    assert await probe_of(server, jetstream=False)() == "answers"


async def test_a_paused_server_is_silent_until_it_goes_on(server: RealServer) -> None:
    """The kernel still accepts connections; nothing that answers is behind them."""
    probe = probe_of(server, timeout=SECONDS)
    await until_positive(probe)
    server.pause()
    assert await verdict(probe) is Polarity.ABSENT
    server.resume()
    await until_positive(probe)


async def test_a_server_that_is_paused_in_the_middle_is_silent(
    server: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also between connecting and asking: the bound holds, and the connection is given up."""
    real = Client.flush

    async def paused_before(client: Client, timeout: int = 10) -> None:
        server.pause()
        await real(client, timeout)

    monkeypatch.setattr(Client, "flush", paused_before)
    try:
        assert await verdict(probe_of(server, timeout=SECONDS)) is Polarity.ABSENT
    finally:
        server.resume()


async def test_a_caller_that_gives_up_first_is_obeyed(server: RealServer) -> None:
    """A probe that is cancelled ends, also while it waits for a server that is paused."""
    server.pause()
    asking = asyncio.ensure_future(NatsProbe(f"nats://127.0.0.1:{server.port}", timeout=30.0)())
    await asyncio.sleep(0.05)
    asking.cancel()
    async with asyncio.timeout(PATIENCE_SECONDS / 2):
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_a_killed_server_is_silent_until_it_is_back(server: RealServer, caplog: pytest.LogCaptureFixture) -> None:
    """A refused connection is absent well before the bound, and quietly; the next question finds it back."""
    probe = probe_of(server)
    server.kill()
    began = time.monotonic()
    with caplog.at_level(logging.WARNING), pytest.raises(ConnectionError, match=r"Connect|refused"):
        await probe()
    assert time.monotonic() - began < PATIENCE_SECONDS / 2
    assert caplog.text == ""
    server.start()
    await until_positive(probe)


async def test_a_server_without_jetstream_is_negative(tmp_path: Path) -> None:
    """It answers, and cannot do what is needed of it."""
    with server_with(tmp_path) as server:
        with pytest.raises(ProbeFailed, match="ServiceUnavailable"):
            await probe_of(server)()
        assert await verdict(probe_of(server, jetstream=False)) is Polarity.POSITIVE


async def test_a_server_that_wants_a_password_is_negative(tmp_path: Path) -> None:
    """It answers, and not to us. The options of the client are passed on, and nothing of them is shown."""
    with server_with(tmp_path, "--user", "me", "--pass", "hush") as server:
        with pytest.raises(ProbeFailed, match=r"(?i)authorization") as caught:
            await probe_of(server)()
        assert "hush" not in str(caught.value)
        assert await probe_of(server, jetstream=False, client={"user": "me", "password": "hush"})() == "answers"


async def test_a_bucket_takes_one_key_and_gives_it_back(server: RealServer) -> None:
    """However often it asks, there is one key of its own. A bucket that is missing is negative, and is not made."""
    probe = probe_of(server, bucket="probes")
    with pytest.raises(ProbeFailed, match="BucketNotFoundError"):
        await probe()
    client = Client()
    await client.connect(f"nats://127.0.0.1:{server.port}")
    try:
        bucket = await client.jetstream().create_key_value(KeyValueConfig(bucket="probes", ttl=60))
        for _ in range(3):
            assert await probe() == "answers, and a key that was written reads back"
        assert await bucket.keys() == [probe.key]
    finally:
        await client.close()


async def test_a_key_that_reads_back_as_another_is_negative(
    server: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reads back has to be what was written, this time."""
    client = Client()
    await client.connect(f"nats://127.0.0.1:{server.port}")
    try:
        await client.jetstream().create_key_value(KeyValueConfig(bucket="probes"))
    finally:
        await client.close()
    real = KeyValue.put

    async def other(bucket: KeyValue, key: str, _: bytes) -> int:
        return await real(bucket, key, b"other")

    monkeypatch.setattr(KeyValue, "put", other)
    with pytest.raises(ProbeFailed, match="does not read back"):
        await probe_of(server, bucket="probes")()


async def test_a_bucket_that_is_full_is_negative(server: RealServer) -> None:
    """JetStream answers, and takes no more."""
    client = Client()
    await client.connect(f"nats://127.0.0.1:{server.port}")
    try:
        streams = client.jetstream()
        await streams.create_key_value(KeyValueConfig(bucket="full", max_value_size=4))
    finally:
        await client.close()
    with pytest.raises(ProbeFailed):
        await probe_of(server, bucket="full")()


async def test_one_server_of_several_is_enough(server: RealServer) -> None:
    """The client's way through the list of servers is the probe's."""
    servers = [f"nats://127.0.0.1:{free_port()}", f"nats://127.0.0.1:{server.port}"]
    assert await NatsProbe(servers, timeout=PATIENCE_SECONDS, client={"dont_randomize": True})()


async def test_another_service_on_the_port_is_not_positive(tmp_path: Path) -> None:
    """Who says something else than NATS is no NATS server."""

    async def other(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(other, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        assert await verdict(NatsProbe(f"nats://127.0.0.1:{port}", timeout=PATIENCE_SECONDS)) is Polarity.NEGATIVE
