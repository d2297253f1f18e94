"""The Redis probe with both kinds of client, against real servers that are paused, killed, full, read-only and busy."""

from __future__ import annotations

import inspect
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import redis
import redis.asyncio
import redis.asyncio.cluster
import redis.cluster

from switchgear.adapters.redis import RedisProbe
from switchgear.health.evidence import Polarity
from switchgear.health.probe import ProbeFailed
from tests.integration.adapters.real_server import STARTED_WITHIN_SECONDS, RealServer
from tests.integration.adapters.redis.server import redis_cluster, redis_server
from tests.integration.health.asking import PATIENCE_SECONDS, SECONDS, until_positive, verdict
from tests.ports import free_port

pytestmark = pytest.mark.integration

KINDS = {"blocking": redis.Redis, "async": redis.asyncio.Redis}
CLUSTERS = {"blocking": redis.cluster.RedisCluster, "async": redis.asyncio.cluster.RedisCluster}

Either: TypeAlias = Any
"""A client of either kind: the same names, awaited or not."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RealServer]:
    """Run a server for one test, which may spoil it."""
    with redis_server(tmp_path) as running:
        yield running


@pytest.fixture
def admin(server: RealServer) -> Iterator[redis.Redis]:
    """Connect somebody who changes the server."""
    with redis.Redis(port=server.port) as connected:
        yield connected


@asynccontextmanager
async def client_of(kind: str, server: RealServer, seconds: float) -> AsyncIterator[Either]:
    """Give a client that waits so long for an answer; it is closed at the end."""
    made = KINDS[kind](port=server.port, socket_timeout=seconds)
    try:
        yield made
    finally:
        closed = made.aclose() if hasattr(made, "aclose") else made.close()
        if inspect.isawaitable(closed):
            await closed


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    """Try each kind of client."""
    return str(request.param)


@pytest.fixture
async def client(kind: str, server: RealServer) -> AsyncIterator[Either]:
    """Give a client that is patient."""
    async with client_of(kind, server, PATIENCE_SECONDS) as made:
        yield made


@pytest.fixture
def probe(client: Either) -> RedisProbe:
    """Give a probe that is patient."""
    return RedisProbe(client, timeout=PATIENCE_SECONDS)


@pytest.fixture
async def hasty(kind: str, server: RealServer) -> AsyncIterator[RedisProbe]:
    """Give a probe that gives up soon."""
    async with client_of(kind, server, SECONDS) as made:
        yield RedisProbe(made, timeout=SECONDS)


async def test_a_server_that_works(probe: RedisProbe, admin: redis.Redis) -> None:
    """The key is the probe's own, goes by itself, and is the only one however often it asks."""
    for _ in range(3):
        assert await probe() == "answers, and a key that was written reads back"
    assert admin.keys() == [probe.key.encode()]
    assert probe.key.startswith("switchgear:probe:")
    assert 0 < admin.ttl(probe.key) <= 60


async def test_nothing_destructive_is_sent(probe: RedisProbe, admin: redis.Redis) -> None:
    """A probe pings, writes what expires, and reads; it deletes nothing."""
    admin.config_resetstat()
    await probe()
    sent = {name.removeprefix("cmdstat_").partition("|")[0] for name in admin.info("commandstats")}
    assert sent <= {"ping", "set", "get", "config", "info", "client", "hello"}


async def test_a_paused_server_is_silent_until_it_goes_on(server: RealServer, hasty: RedisProbe) -> None:
    """Connections stay while nothing answers: that is absent. Afterwards no answer is taken for that of another."""
    await until_positive(hasty)
    server.pause()
    assert await verdict(hasty) is Polarity.ABSENT
    server.resume()
    await until_positive(hasty)
    for _ in range(5):
        assert await verdict(hasty) is not Polarity.NEGATIVE


async def test_the_bound_is_the_probes_own(server: RealServer) -> None:
    """An asynchronous client that waits without end is ended by the probe."""
    client = redis.asyncio.Redis(port=server.port, socket_timeout=None, socket_connect_timeout=None)
    try:
        probe = RedisProbe(client, timeout=SECONDS)
        await until_positive(probe)
        server.pause()
        with pytest.raises(TimeoutError, match="no answer within"):
            await probe()
        server.resume()
        await until_positive(probe)
    finally:
        await client.aclose()


async def test_a_killed_server_is_silent_until_it_is_back(server: RealServer, probe: RedisProbe) -> None:
    """A refused connection is absent at once, well before the bound; the first question afterwards finds it back."""
    await probe()
    server.kill()
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            await probe()
        assert time.monotonic() - began < PATIENCE_SECONDS / 2
    server.start()
    assert await probe()


async def test_a_server_out_of_memory_is_negative(probe: RedisProbe, admin: redis.Redis) -> None:
    """It answers PING, and refuses every write."""
    admin.config_set("maxmemory", 1)
    with pytest.raises(ProbeFailed, match="OutOfMemoryError"):
        await probe()
    admin.config_set("maxmemory", 0)
    assert await probe()


async def test_a_read_only_replica_is_negative(probe: RedisProbe, admin: redis.Redis) -> None:
    """It answers PING and reads, and refuses every write."""
    admin.replicaof("127.0.0.1", free_port())
    with pytest.raises(ProbeFailed, match="ReadOnlyError"):
        await probe()
    admin.replicaof("NO", "ONE")
    assert await probe()


async def test_a_server_that_cannot_save_is_negative(probe: RedisProbe, admin: redis.Redis, tmp_path: Path) -> None:
    """It goes on reading, and refuses writes as long as the last snapshot failed."""
    admin.ping()  # a server listens before it has looked for what to load
    (tmp_path / "dump.rdb").mkdir()
    admin.config_set("save", "3600 1")
    admin.bgsave()
    wait_for_failed_snapshot(admin)
    with pytest.raises(ProbeFailed, match="MISCONF"):
        await probe()


def wait_for_failed_snapshot(admin: redis.Redis) -> None:
    """Wait until the server knows that it cannot save."""
    ends = time.monotonic() + STARTED_WITHIN_SECONDS
    while admin.info("persistence")["rdb_last_bgsave_status"] == "ok":
        assert time.monotonic() < ends, "the snapshot does not fail"
        time.sleep(0.02)


async def test_a_server_without_its_replicas_is_negative(probe: RedisProbe, admin: redis.Redis) -> None:
    """NOREPLICAS refuses writes in the words of a plain error."""
    admin.config_set("min-replicas-to-write", 1)
    with pytest.raises(ProbeFailed, match="NOREPLICAS"):
        await probe()


async def test_a_server_that_wants_a_password_is_negative(
    probe: RedisProbe, admin: redis.Redis, server: RealServer
) -> None:
    """It answers, and not to us."""
    admin.config_set("requirepass", "hush")
    with pytest.raises(ProbeFailed, match="AuthenticationError"):
        await probe()


async def test_a_server_without_room_for_a_client_is_negative(probe: RedisProbe, admin: redis.Redis) -> None:
    """What it says when it closes the door is an answer."""
    admin.config_set("maxclients", 1)
    with pytest.raises(ProbeFailed, match="max number of clients"):
        await probe()


async def test_a_key_that_somebody_else_writes_is_negative(
    probe: RedisProbe, admin: redis.Redis, monkeypatch: pytest.MonkeyPatch, client: Either
) -> None:
    """What reads back has to be what was written, this time."""
    admin.set("other", "old")
    real = client.get
    monkeypatch.setattr(client, "get", lambda _: real("other"))
    with pytest.raises(ProbeFailed, match="does not read back"):
        await probe()


@pytest.mark.parametrize("kind", sorted(CLUSTERS))
async def test_a_cluster_is_asked_for_one_key(tmp_path: Path, kind: str) -> None:
    """A client of a cluster is taken too: the node of the key takes writes, or is silent."""
    with redis_cluster(tmp_path) as node:
        client: Either = CLUSTERS[kind](host="127.0.0.1", port=node.port, socket_timeout=SECONDS)
        probe = RedisProbe(client, timeout=SECONDS)
        try:
            await until_positive(probe)
            node.pause()
            assert await verdict(probe) is Polarity.ABSENT
            node.resume()
            await until_positive(probe)
            node.kill()
            assert await verdict(probe) is Polarity.ABSENT
        finally:
            closed = client.aclose() if hasattr(client, "aclose") else client.close()
            if inspect.isawaitable(closed):
                await closed
