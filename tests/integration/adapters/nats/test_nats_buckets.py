"""Key-value buckets, and every code of a silent server, with the real client against a real nats-server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from nats.errors import ConnectionClosedError
from nats.js.api import KeyValueConfig, StreamConfig
from nats.js.errors import KeyWrongLastSequenceError

from switchgear.adapters.nats import GuardedNats, Watch
from switchgear.core.codes import Code
from switchgear.core.errors import DeadlineExceeded
from switchgear.core.operations import operations_with
from switchgear.guard.guard import Guard
from switchgear.policies.breaker import Breaker
from tests.integration.adapters.nats.server import ORDERS, client_of, eventually, until
from tests.integration.adapters.real_server import RealServer

pytestmark = pytest.mark.integration


async def test_a_bucket_gets_puts_and_compares(nats: GuardedNats) -> None:
    """A missing or deleted key is None; a lost race is the client's own error and no failure."""
    bucket = await nats.bucket("settings", config=KeyValueConfig(bucket="settings", history=3))
    again = await nats.bucket("settings")
    assert await bucket.get("mode") is None
    first = await bucket.put("mode", b"a")
    second = await again.update("mode", b"b", revision=first)
    with pytest.raises(KeyWrongLastSequenceError):
        await bucket.update("mode", b"c", revision=first)
    with pytest.raises(KeyWrongLastSequenceError):
        await bucket.create("mode", b"c")
    found = await bucket.get("mode")
    assert found is not None
    assert (found.value, found.revision) == (b"b", second)
    with pytest.raises(KeyWrongLastSequenceError):
        await bucket.delete("mode", revision=first)
    await bucket.delete("mode", revision=second)
    assert await bucket.get("mode") is None
    assert await bucket.create("mode", b"d") > second


async def test_only_one_of_many_wins_a_compare_and_set(nats: GuardedNats) -> None:
    """The server is the judge."""
    bucket = await nats.bucket("settings")
    revision = await bucket.put("owner", b"nobody")
    results = await asyncio.gather(
        *(bucket.update("owner", str(number).encode(), revision=revision) for number in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, int) for result in results) == 1


async def test_a_watch_gives_what_is_there_and_then_each_change(nats: GuardedNats) -> None:
    """First the present, then puts and deletions in order; closing ends the iteration."""
    bucket = await nats.bucket("settings")
    await bucket.put("a", b"1")
    await bucket.put("gone", b"1")
    await bucket.delete("gone")
    async with await bucket.watch() as watch:
        assert {key: entry.value for key, entry in (await watch.present()).items()} == {"a": b"1"}
        await bucket.put("b", b"2")
        await bucket.delete("a")
        changes: list[tuple[str, str]] = []
        async for entry in watch:
            changes.append((entry.key, entry.operation))
            if len(changes) == 2:
                break
        assert changes == [("b", "put"), ("a", "delete")]


async def test_a_watch_over_a_closed_connection_says_so(server: RealServer) -> None:
    """Nobody waits for ever for changes that cannot come; a closed watch just ends."""
    async with client_of(server) as nats:
        bucket = await nats.bucket("settings")
        await bucket.put("a", b"1")
        watch, closed = await bucket.watch(), await bucket.watch()
        reading = asyncio.ensure_future(_read_all(watch))
        ending = asyncio.ensure_future(_read_all(closed))
        await until(lambda: watch.is_current and closed.is_current)
        await closed.close()
        assert await ending == ["a"]
    with pytest.raises(ConnectionClosedError):
        await reading


async def _read_all(watch: Watch) -> list[str]:
    return [entry.key async for entry in watch]


async def test_each_operation_on_a_silent_server_has_its_code(server: RealServer) -> None:
    """The server stops answering in the middle: get and put end in time, each under its own name."""
    short = operations_with({"kv.get": 0.2, "kv.put": 0.2, "publish": 0.2, "stream.ensure": 0.2})
    guard = Guard("nats", breaker=Breaker(failures=100))
    async with client_of(server, guard, operations=short) as nats:
        bucket = await eventually(lambda: nats.bucket("silent"))
        await eventually(lambda: nats.ensure_streams(StreamConfig(name="quiet", subjects=["quiet"])))
        server.pause()
        try:
            operations: list[tuple[Code, Callable[[], Awaitable[object]]]] = [
                (Code.TIMEOUT_KV_GET, lambda: bucket.get("a")),
                (Code.TIMEOUT_KV_PUT, lambda: bucket.put("a", b"1")),
                (Code.TIMEOUT_PUBLISH, lambda: nats.publish("a")),
                (Code.TIMEOUT_PUBLISH, lambda: nats.publish_to_stream("quiet", b"")),
                (Code.TIMEOUT_STREAM_ENSURE, lambda: nats.ensure_streams(ORDERS)),
            ]
            for code, work in operations:
                with pytest.raises(DeadlineExceeded) as caught:
                    await work()
                assert (caught.value.code, caught.value.sent) == (code, True)
        finally:
            server.resume()
        assert await eventually(lambda: bucket.get("never")) is None
        await eventually(lambda: nats.publish("a"))
