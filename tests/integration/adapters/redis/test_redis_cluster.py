"""Cluster clients under a guard, blocking and asynchronous, against a real cluster of one node on loopback."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import redis.asyncio.cluster
import redis.cluster
from redis.exceptions import ClusterCrossSlotError, RedisClusterException

from switchgear.adapters.redis import guarded
from switchgear.core.clock import VirtualClock
from switchgear.core.errors import CircuitOpen, OptionError, RetryExhausted
from switchgear.guard.guard import Guard
from switchgear.policies.breaker import Breaker
from switchgear.policies.retry import Retry
from switchgear.policies.timeout import Timeout
from tests.integration.adapters.real_server import RealServer
from tests.integration.adapters.redis.breaking_proxy import BreakingProxy, breaking_proxy
from tests.integration.adapters.redis.server import redis_cluster, wait_for_cluster

pytestmark = pytest.mark.integration

Either: TypeAlias = Any
"""A client of either kind, or what it gives: the same names, awaited or not."""

KINDS = {"blocking": redis.cluster.RedisCluster, "async": redis.asyncio.cluster.RedisCluster}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """Run one cluster for the module."""
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> Either:
    """Try both clients."""
    return KINDS[request.param]


@pytest.fixture
async def open_clients() -> AsyncIterator[list[Either]]:
    """Close every client at the end."""
    clients: list[Either] = []
    yield clients
    for client in clients:
        if isinstance(client, redis.asyncio.cluster.RedisCluster):
            await client.nodes_manager.aclose("startup_nodes")  # the client leaves them to the garbage collector
        await value(client.aclose() if hasattr(client, "aclose") else client.close())


async def value(result: Either) -> Either:
    """Return what a client gives, awaited where it has to be."""
    return await result if inspect.isawaitable(result) else result


def through(proxy: BreakingProxy) -> dict[str, Either]:
    """Return the options of a client that reaches the node through the proxy."""
    return {"host": "127.0.0.1", "port": proxy.port, "address_remap": lambda _: ("127.0.0.1", proxy.port)}


async def test_an_answer_is_a_success_whatever_it_says(
    server: RealServer, kind: Either, open_clients: list[Either]
) -> None:
    """Each command is one call, one that goes to every node as well; WRONGTYPE comes from a server that works."""
    guard = Guard("cache", breaker=Breaker(failures=2), clock=VirtualClock())
    client = guarded(kind(host="127.0.0.1", port=server.port), guard)
    open_clients.append(client)
    await value(client.set("text", "abc"))
    assert await value(client.get("text")) == b"abc"
    assert await value(client.dbsize()) >= 1
    for _ in range(3):
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            await value(client.lpush("text", "x"))
    assert (guard.state, guard.statistics().successes, guard.statistics().failures) == ("closed", 6, 0)


async def test_a_command_that_a_cluster_cannot_take_is_no_failure(
    server: RealServer, kind: Either, open_clients: list[Either]
) -> None:
    """Keys of several slots: the blocking client sends nothing, the other gets an answer that says no."""
    guard = Guard("cache", breaker=Breaker(failures=1), clock=VirtualClock())
    client = guarded(kind(host="127.0.0.1", port=server.port), guard)
    open_clients.append(client)
    with pytest.raises((RedisClusterException, ClusterCrossSlotError)):
        await value(client.rename("a", "b"))
    assert (guard.state, guard.statistics().failures) == ("closed", 0)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [("get", ("key",), 3), ("incr", ("key",), 1), ("set", ("key", 1), 1), ("expire", ("key", 60), 3)],
)
async def test_a_read_is_repeated_and_a_write_is_not(
    server: RealServer,
    kind: Either,
    open_clients: list[Either],
    name: str,
    arguments: tuple[object, ...],
    expected: int,
) -> None:
    """What may have happened is not sent again, unless it was declared; and the client adds no attempts of its own."""
    guard = Guard("cache", retry=Retry(attempts=3, on=redis.RedisError, base=0.0), clock=VirtualClock())
    with breaking_proxy(server.port, breaks=100, only=b"\r\n" + name.upper().encode()) as proxy:
        client = guarded(kind(**through(proxy)), guard, repeatable=("EXPIRE",))
        open_clients.append(client)
        with pytest.raises(RetryExhausted if expected > 1 else redis.ConnectionError):
            await value(getattr(client, name)(*arguments))
    assert (proxy.requests, guard.statistics().failures) == (expected, expected)


async def test_a_dead_cluster_opens_the_breaker_and_a_new_one_closes_it(
    kind: Either, open_clients: list[Either], tmp_path: Path
) -> None:
    """Refused calls do not even try; after the cooldown a probe finds the cluster again."""
    clock = VirtualClock()
    guard = Guard("cache", breaker=Breaker(failures=2, cooldown=30.0, jitter=0.0), clock=clock)
    with redis_cluster(tmp_path) as server:
        client = guarded(kind(host="127.0.0.1", port=server.port), guard)
        open_clients.append(client)
        await value(client.incr("n"))
        server.kill()
        for _ in range(2):
            with pytest.raises((redis.ConnectionError, RedisClusterException)):
                await value(client.incr("n"))
        with pytest.raises(CircuitOpen):
            await value(client.incr("n"))
        server.start()
        wait_for_cluster(server.port)
        clock.advance(30.0)
        assert await value(client.incr("n")) == 1
    assert guard.state == "closed"


async def test_subscriptions_are_under_the_guard(server: RealServer, kind: Either, open_clients: list[Either]) -> None:
    """Subscribing is a call; waiting for messages is none."""
    guard = Guard("cache", clock=VirtualClock())
    client = guarded(kind(host="127.0.0.1", port=server.port), guard)
    open_clients.append(client)
    await value(client.ping())
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    open_clients.insert(0, pubsub)
    before = guard.statistics().successes
    await value(pubsub.subscribe("news"))
    assert guard.statistics().successes == before + 1
    with redis.Redis(port=server.port) as node:
        while node.pubsub_numsub("news")[0][1] != 1:  # bounded by the time of a test
            pass
    await value(client.publish("news", "hello"))
    message = None
    while message is None:  # first comes the confirmation, which is skipped
        message = await value(pubsub.get_message(timeout=1.0))
    assert message["data"] == b"hello"
    assert guard.statistics().successes == before + 2


async def test_pipelines_and_transactions_are_refused(
    server: RealServer, kind: Either, open_clients: list[Either]
) -> None:
    """The client would send their writes again by itself."""
    client = guarded(kind(host="127.0.0.1", port=server.port), Guard("cache"))
    open_clients.append(client)
    for transaction in (None, True):
        with pytest.raises(OptionError, match="no pipeline"):
            client.pipeline(transaction)
    with pytest.raises(OptionError, match="no pipeline"):
        await value(client.transaction(lambda _: None, "key"))


async def test_a_cluster_client_that_nothing_bounds_is_refused(
    server: RealServer, kind: Either, open_clients: list[Either]
) -> None:
    """Every wait is bounded: by the client's socket timeout or by the guard. One client has one guard."""
    client = kind(host="127.0.0.1", port=server.port, socket_timeout=None)
    open_clients.append(client)
    with pytest.raises(OptionError, match="nothing ends a call of cache in time"):
        guarded(client, Guard("cache"))
    guarded(client, Guard("cache", timeout=Timeout(5.0)))
    with pytest.raises(OptionError, match="guarded already"):
        guarded(client, Guard("cache"))
    assert await value(client.ping())
