"""The Redis adapter with the real client, blocking and asynchronous, against a real redis-server on loopback."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import redis
import redis.asyncio

from switchgear.adapters.redis import READ_ONLY_COMMANDS, guarded
from switchgear.core.clock import VirtualClock
from switchgear.core.errors import CircuitOpen, DeadlineExceeded, RetryExhausted
from switchgear.guard.guard import Guard
from switchgear.policies.breaker import Breaker
from switchgear.policies.retry import Retry
from switchgear.policies.timeout import Timeout
from tests.integration.adapters.real_server import RealServer
from tests.integration.adapters.redis.breaking_proxy import breaking_proxy
from tests.integration.adapters.redis.server import redis_server
from tests.integration.health.asking import PATIENCE_SECONDS
from tests.ports import free_port

pytestmark = pytest.mark.integration

Either: TypeAlias = Any
"""A client of either kind, or what it gives: the same names, awaited or not."""

KINDS = {"blocking": redis.Redis, "async": redis.asyncio.Redis}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """Run one server for the module."""
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
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
        await value(client.aclose() if hasattr(client, "aclose") else client.close())


async def value(result: Either) -> Either:
    """Return what a client gives, awaited where it has to be."""
    return await result if inspect.isawaitable(result) else result


def a_guard(**options: Either) -> Guard:
    """Return a guard that opens after two failures."""
    return Guard("cache", breaker=Breaker(failures=2, cooldown=30.0, jitter=0.0), clock=VirtualClock(), **options)


def reading_again() -> Retry:
    """Return a retry that would repeat anything that the client raises."""
    return Retry(attempts=3, on=redis.RedisError, base=0.0)


async def test_an_answer_is_a_success_whatever_it_says(
    server: RealServer, kind: Either, open_clients: list[Either]
) -> None:
    """WRONGTYPE comes from a server that works."""
    guard = a_guard()
    client = guarded(kind(port=server.port), guard)
    open_clients.append(client)
    await value(client.set("text", "abc"))
    assert await value(client.get("text")) == b"abc"
    for _ in range(3):
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            await value(client.lpush("text", "x"))
    assert (guard.state, guard.statistics().successes, guard.statistics().failures) == ("closed", 5, 0)


async def test_a_dead_server_opens_the_breaker_and_a_new_one_closes_it(
    kind: Either, open_clients: list[Either], tmp_path: Path
) -> None:
    """Refused calls do not even try; after the cooldown a probe finds the server again."""
    clock = VirtualClock()
    guard = Guard("cache", breaker=Breaker(failures=2, cooldown=30.0, jitter=0.0), clock=clock)
    with redis_server(tmp_path) as server:
        client = guarded(kind(port=server.port), guard)
        open_clients.append(client)
        await value(client.incr("n"))
        server.kill()
        for _ in range(2):
            with pytest.raises(redis.ConnectionError):
                await value(client.incr("n"))
        with pytest.raises(CircuitOpen):
            await value(client.incr("n"))
        server.start()
        clock.advance(30.0)
        assert await value(client.incr("n")) == 1
    assert guard.state == "closed"


async def test_a_read_is_repeated_and_a_write_is_not(
    server: RealServer, kind: Either, open_clients: list[Either]
) -> None:
    """What may have happened is not sent again, unless it was declared; and the client adds no attempts of its own."""
    calls = [("get", ("key",), 3), ("incr", ("key",), 1), ("set", ("key", 1), 1), ("expire", ("key", 60), 3)]
    for name, arguments, expected in calls:
        guard = Guard("cache", retry=reading_again(), clock=VirtualClock())
        with breaking_proxy(server.port, breaks=100) as proxy:
            client = guarded(kind(port=proxy.port, socket_timeout=PATIENCE_SECONDS), guard, repeatable=("EXPIRE",))
            open_clients.append(client)
            with pytest.raises(RetryExhausted if expected > 1 else redis.ConnectionError):
                await value(getattr(client, name)(*arguments))
        assert (name, proxy.requests, guard.statistics().failures) == (name, expected, expected)


async def test_a_pipeline_of_reads_is_repeated_whole(
    server: RealServer, kind: Either, open_clients: list[Either]
) -> None:
    """The client empties a pipeline when it executes; a repeat must send all of it again, in order."""
    guard = Guard("cache", retry=reading_again(), clock=VirtualClock())
    direct = redis.Redis(port=server.port)
    open_clients.append(direct)
    direct.mset({"a": "1", "b": "2"})
    with breaking_proxy(server.port, breaks=2) as proxy:
        client = guarded(kind(port=proxy.port, socket_timeout=PATIENCE_SECONDS), guard)
        open_clients.append(client)
        pipeline = client.pipeline(transaction=False)
        pipeline.get("a")
        pipeline.get("b")
        assert await value(pipeline.execute()) == [b"1", b"2"]
        assert await value(pipeline.execute()) == []
    assert (guard.statistics().failures, guard.statistics().successes, proxy.requests) == (2, 1, 3)


async def test_a_pipeline_with_a_write_is_sent_once(
    server: RealServer, kind: Either, open_clients: list[Either]
) -> None:
    """One write in it is enough."""
    guard = Guard("cache", retry=reading_again(), clock=VirtualClock())
    with breaking_proxy(server.port, breaks=9) as proxy:
        client = guarded(kind(port=proxy.port, socket_timeout=PATIENCE_SECONDS), guard)
        open_clients.append(client)
        pipeline = client.pipeline()
        pipeline.get("a")
        pipeline.incr("b")
        with pytest.raises(redis.ConnectionError):
            await value(pipeline.execute())
    assert proxy.requests == 1


async def test_transactions_under_watch_work(server: RealServer, kind: Either, open_clients: list[Either]) -> None:
    """A lost race is an answer, and the reads under WATCH belong to their connection."""
    guard = a_guard()
    client = guarded(kind(port=server.port), guard)
    direct = redis.Redis(port=server.port)
    open_clients.extend([client, direct])
    direct.set("balance", 1)
    pipeline = client.pipeline()
    await value(pipeline.watch("balance"))
    assert await value(pipeline.get("balance")) == b"1"
    direct.set("balance", 2)
    pipeline.multi()
    pipeline.set("balance", 3)
    with pytest.raises(redis.WatchError):
        await value(pipeline.execute())
    assert direct.get("balance") == b"2"
    assert guard.statistics().failures == 0


async def test_scripts_load_themselves(server: RealServer, kind: Either, open_clients: list[Either]) -> None:
    """NOSCRIPT is how the client learns that it has to load a script; it says nothing about the server."""
    guard = a_guard()
    client = guarded(kind(port=server.port), guard)
    open_clients.append(client)
    await value(client.script_flush())
    script = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    assert await value(script(keys=["scripted" + kind.__module__], args=[5])) == 5
    assert guard.statistics().failures == 0


async def test_a_timeout_is_a_failure_and_may_have_happened(
    server: RealServer, kind: Either, open_clients: list[Either]
) -> None:
    """The guard's own bound ends a call that blocks, says that it left, and the client is usable afterwards."""
    guard = Guard("cache", timeout=Timeout(0.2))
    client = guarded(kind(port=server.port), guard)
    open_clients.append(client)
    await _in_time(client.ping)
    before = guard.statistics().failures
    with pytest.raises(DeadlineExceeded) as caught:
        await value(client.blpop(["nothing"], timeout=60))
    assert caught.value.sent
    assert guard.statistics().failures == before + 1
    await _in_time(lambda: client.set("after", "ok"))
    assert await _in_time(lambda: client.get("after")) == b"ok"


async def _in_time(call: Callable[[], Either]) -> Either:
    """Return what a call gives once it ends within the short bound of its guard, however slow the machine is."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with suppress(DeadlineExceeded):
                return await value(call())


async def test_a_cancelled_command_leaves_no_answer_for_the_next(
    server: RealServer, open_clients: list[Either]
) -> None:
    """The caller's cancellation says nothing about the server, and answers never get mixed up."""
    guard = a_guard()
    client = guarded(redis.asyncio.Redis(port=server.port, max_connections=1), guard)
    open_clients.append(client)
    waiting = asyncio.ensure_future(client.blpop(["nothing"], timeout=600))
    with redis.Redis(port=server.port) as direct:
        await _until(lambda: direct.info("clients")["blocked_clients"] == 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await client.set("mine", "right")
    assert [await client.get("mine") for _ in range(3)] == [b"right"] * 3
    assert guard.statistics().failures == 0


async def test_messages_arrive_and_waiting_is_no_call(
    server: RealServer, kind: Either, open_clients: list[Either]
) -> None:
    """Subscribing is a call; an idle subscription neither counts nor holds a place."""
    guard = a_guard()
    client = guarded(kind(port=server.port), guard)
    open_clients.append(client)
    subscription = client.pubsub(ignore_subscribe_messages=True)
    await value(subscription.subscribe("news"))
    assert await _message(subscription) is None
    await value(client.publish("news", "hello"))
    assert (await _next_message(subscription))["data"] == b"hello"
    statistics = guard.statistics()
    assert (statistics.successes, statistics.failures, statistics.in_flight) == (2, 0, 0)
    await value(subscription.aclose() if hasattr(subscription, "aclose") else subscription.close())


async def test_a_lost_subscription_counts_waits_for_the_breaker_and_comes_back(
    kind: Either, open_clients: list[Either], tmp_path: Path
) -> None:
    """While the breaker is open nothing is connected; afterwards the client subscribes again by itself."""
    clock = VirtualClock()
    guard = Guard("cache", breaker=Breaker(failures=2, cooldown=30.0, jitter=0.0), clock=clock)
    with redis_server(tmp_path) as server:
        client = guarded(kind(port=server.port), guard)
        open_clients.append(client)
        subscription = client.pubsub(ignore_subscribe_messages=True)
        await value(subscription.subscribe("news"))
        assert await _message(subscription) is None
        server.kill()
        for _ in range(2):
            with pytest.raises(redis.ConnectionError):
                await _message(subscription)
        with pytest.raises(CircuitOpen):
            await _message(subscription)
        server.start()
        clock.advance(30.0)
        assert await _message(subscription) is None
        with redis.Redis(port=server.port) as direct:
            await _until(lambda: direct.pubsub_numsub("news")[0][1] == 1)
        await value(client.publish("news", "back"))
        assert (await _next_message(subscription))["data"] == b"back"
        await value(subscription.aclose() if hasattr(subscription, "aclose") else subscription.close())


async def _message(subscription: Either) -> Either:
    """Return the next message within a moment, None when there is none; confirmations of subscribing are skipped."""
    for _ in range(3):
        message = await value(subscription.get_message(timeout=0.1))
        if message is not None:
            return message
    return None


async def _next_message(subscription: Either) -> Either:
    """Return the next message, which is on its way."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            message = await _message(subscription)
            if message is not None:
                return message


async def _until(reached: Callable[[], bool]) -> None:
    """Wait until the server says so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not reached():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.01)


async def test_a_refused_connection_is_a_failure(kind: Either, open_clients: list[Either]) -> None:
    """Nobody listens."""
    guard = a_guard()
    client = guarded(kind(port=free_port()), guard)
    open_clients.append(client)
    with pytest.raises(redis.ConnectionError):
        await value(client.ping())
    assert guard.statistics().failures == 1


def test_clients_made_from_a_guarded_one_are_guarded(server: RealServer) -> None:
    """`client()` gives a client of the same class for one connection; its calls count as well."""
    guard = a_guard()
    client: Either = guarded(redis.Redis.from_url(f"redis://127.0.0.1:{server.port}/0"), guard)
    single = client.client()
    assert single.ping()
    assert guard.statistics().successes == 1
    single.close()
    client.close()


def test_every_command_that_a_server_flags_read_only_is_known(server: RealServer) -> None:
    """The data file is compared with a real server's answer to COMMAND."""
    with redis.Redis(port=server.port, protocol=2) as client:
        client.response_callbacks.clear()
        flagged = set(_read_only(client.execute_command("COMMAND")))
    assert flagged <= READ_ONLY_COMMANDS, sorted(flagged - READ_ONLY_COMMANDS)


def test_no_command_that_a_server_flags_as_write_is_called_read_only(server: RealServer) -> None:
    """A write in the data file would be sent twice."""
    with redis.Redis(port=server.port, protocol=2) as client:
        client.response_callbacks.clear()
        writes = set(_flagged(client.execute_command("COMMAND"), b"write"))
    assert not writes & READ_ONLY_COMMANDS


def _read_only(rows: list[Either]) -> Iterator[str]:
    return _flagged(rows, b"readonly")


def _flagged(rows: list[Either], flag: bytes) -> Iterator[str]:
    """Return the names of commands with a flag, from the answer as the server sends it."""
    for row in rows:
        if flag in row[2]:
            yield row[0].decode().upper().replace("|", " ")
        yield from _flagged(row[9] if len(row) > 9 else [], flag)
