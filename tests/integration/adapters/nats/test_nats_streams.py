"""Streams and consumers with the real client against a real nats-server, which is killed on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from nats.errors import ConnectionReconnectingError
from nats.errors import Error as NatsError
from nats.js.api import RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NoStreamResponseError

from switchgear.adapters.nats import Consumer, Delivery, GuardedNats
from switchgear.core.errors import DeadlineExceeded, NotApplied, OptionError
from switchgear.core.operations import operations_with
from switchgear.guard.guard import Guard
from switchgear.policies.breaker import Breaker
from tests.integration.adapters.nats.server import ORDERS, Collector, Option, client_of, eventually, nats_server, until
from tests.integration.adapters.real_server import RealServer

pytestmark = pytest.mark.integration


async def test_ensuring_streams_is_idempotent_and_compares(nats: GuardedNats) -> None:
    """Made once, then left alone; what you say differently is changed, what you do not say is kept."""
    assert [each.found for each in await nats.ensure_streams(ORDERS, ORDERS)] == ["created", "unchanged"]
    (changed,) = await nats.ensure_streams(ORDERS.evolve(max_msgs=10, subjects=["more.>", "orders.>"]))
    assert (changed.found, set(changed.changed)) == ("updated", {"max_msgs", "subjects"})
    (same,) = await nats.ensure_streams(ORDERS.evolve(subjects=["orders.>", "more.>"]))
    assert same.found == "unchanged"
    info = await nats.client.jetstream().stream_info("orders")
    assert (info.config.max_msgs, info.config.storage) == (10, StorageType.FILE)


async def test_a_stream_that_cannot_be_changed_is_said(nats: GuardedNats) -> None:
    """The server does not change the retention of a stream; the message names what differs."""
    await nats.ensure_streams(ORDERS, StreamConfig(name="taken", subjects=["taken"]))
    with pytest.raises(OptionError, match="subjects overlap"):
        await nats.ensure_streams(ORDERS.evolve(subjects=["orders.>", "taken"]))
    with pytest.raises(OptionError, match="stream orders differs in storage"):
        await nats.ensure_streams(ORDERS.evolve(storage=StorageType.MEMORY, retention=RetentionPolicy.LIMITS))
    with pytest.raises(OptionError, match="needs a name"):
        await nats.ensure_streams(StreamConfig())


async def test_many_clients_ensure_the_same_stream_at_once(server: RealServer, nats: GuardedNats) -> None:
    """Whoever comes second finds it."""
    async with client_of(server) as other:
        results = await asyncio.gather(*(each.ensure_streams(ORDERS) for each in [nats, other] * 5))
    assert {result[0].found for result in results} <= {"created", "unchanged"}


async def test_a_message_id_is_stored_once(nats: GuardedNats) -> None:
    """The server finds the repeat within its window and says so."""
    await nats.ensure_streams(ORDERS)
    first = await nats.publish_to_stream("orders.new", b"1", message_id="order-1", stream="orders")
    again = await nats.publish_to_stream("orders.new", b"1", message_id="order-1", headers={"a": "b"})
    assert (first.duplicate, again.duplicate, again.seq) == (None, True, first.seq)
    with pytest.raises(NoStreamResponseError):
        await nats.publish_to_stream("elsewhere", b"1")


async def test_what_was_acknowledged_survives_a_killed_server(tmp_path: Path) -> None:
    """A kill -9 in the middle of publishing, a restart, a reconnect: every acknowledged message is there, once."""
    acknowledged: list[str] = []
    with nats_server(tmp_path) as server:
        async with client_of(
            server, Guard("nats", breaker=Breaker(failures=10_000)), operations=operations_with({"publish": 1.0})
        ) as nats:
            await nats.ensure_streams(ORDERS)
            enough = asyncio.Event()

            async def publish(worker: int) -> None:
                for number in range(100_000):
                    if enough.is_set():
                        return
                    name = f"{worker}-{number}"
                    try:
                        await nats.publish_to_stream("orders.new", name.encode(), message_id=name)
                    except (DeadlineExceeded, ConnectionReconnectingError, NoStreamResponseError):
                        await asyncio.sleep(0.01)
                    else:
                        acknowledged.append(name)

            workers = [asyncio.ensure_future(publish(worker)) for worker in range(4)]
            await until(lambda: len(acknowledged) > 50)
            server.kill()
            await until(lambda: nats.state == "reconnecting")
            before = len(acknowledged)
            server.start()
            await until(lambda: len(acknowledged) > before + 50)
            enough.set()
            await asyncio.gather(*workers)
            stored = await _everything(nats, "orders")
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored)), "a message was stored twice"


async def _everything(nats: GuardedNats, stream: str) -> list[str]:
    consumer = await nats.consumer(stream, "reader", in_flight=256, batch=256, wait=0.5)
    there = (await nats.client.jetstream().stream_info(stream)).state.messages
    found: list[str] = []
    while len(found) < there:
        for delivery in await eventually(consumer.fetch):
            found.append(delivery.data.decode())
            await delivery.ack()
    return found


async def _running(
    nats: GuardedNats, handler: Callable[[Delivery], Awaitable[None]], **options: Option
) -> tuple[Consumer, asyncio.Task[None]]:
    """Start a consumer of the stream of orders; return it and its task."""
    options = {"wait": 0.3, "nak_delay": 0.0, **options}
    consumer = await nats.consumer("orders", "worker", **options)
    return consumer, asyncio.ensure_future(consumer.run(handler))


async def test_a_consumer_acknowledges_gives_back_and_gives_up(nats: GuardedNats) -> None:
    """Returning acknowledges, raising brings the message again, and what can never work is ended and counted."""
    await nats.ensure_streams(ORDERS)
    for name in ("fine", "shaky", "hopeless", "poison", "own"):
        await nats.publish_to_stream("orders.new", name.encode())
    seen: list[tuple[str, int]] = []

    async def handle(delivery: Delivery) -> None:
        name = delivery.data.decode()
        seen.append((name, delivery.deliveries))
        if name == "hopeless":
            raise NotApplied("never", retryable=False)
        if name == "poison" or (name == "shaky" and delivery.deliveries == 1):
            raise RuntimeError(name)
        if name == "own":
            await delivery.term()

    consumer, task = await _running(nats, handle, deliveries_max=3)
    await until(lambda: consumer.statistics().acknowledged == 2 and consumer.statistics().terminated == 3)
    await consumer.stop()
    await task
    assert sorted(seen) == [
        ("fine", 1),
        ("hopeless", 1),
        ("own", 1),
        ("poison", 1),
        ("poison", 2),
        ("poison", 3),
        ("shaky", 1),
        ("shaky", 2),
    ]
    info = await nats.client.jetstream().consumer_info("orders", "worker")
    assert (info.num_pending, info.num_ack_pending) == (0, 0)


async def test_a_consumer_is_bounded_in_flight(nats: GuardedNats) -> None:
    """Never more handlers at once than asked for, whatever waits."""
    await nats.ensure_streams(ORDERS)
    for number in range(30):
        await nats.publish_to_stream("orders.new", str(number).encode())
    running, most = 0, 0

    async def handle(_: Delivery) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1

    consumer, task = await _running(nats, handle, in_flight=4)
    await until(lambda: consumer.statistics().acknowledged == 30)
    await consumer.stop()
    await task
    assert most == 4


async def test_a_cancelled_consumer_leaves_its_messages_to_come_again(nats: GuardedNats) -> None:
    """What was not acknowledged is delivered again after ack_wait: at least once."""
    await nats.ensure_streams(ORDERS)
    await nats.publish_to_stream("orders.new", b"job")
    started = asyncio.Event()

    async def hang(_: Delivery) -> None:
        started.set()
        await asyncio.Event().wait()

    consumer, task = await _running(nats, hang, ack_wait=0.5)
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    again = await nats.consumer("orders", "worker", ack_wait=0.5, wait=2.0)
    delivery, *_ = await _deliveries(again, 1)  # a slow machine may get it more often
    assert delivery.data == b"job"
    assert delivery.deliveries > 1
    await delivery.ack()
    assert consumer.statistics().in_flight == 0


async def test_an_empty_stream_is_no_failure_and_a_dead_server_is(tmp_path: Path) -> None:
    """Nothing to deliver is an empty answer; no answer at all has its code."""
    guard = Guard("nats", breaker=Breaker(failures=100))
    with nats_server(tmp_path) as server:
        async with client_of(server, guard, operations=operations_with({"consume": 2.0})) as nats:
            await nats.ensure_streams(ORDERS)
            consumer = await nats.consumer("orders", "worker", wait=0.2)
            await eventually(lambda: _empty_without_a_failure(consumer, guard))
            server.kill()
            before = guard.statistics().failures
            with pytest.raises((DeadlineExceeded, ConnectionReconnectingError, TimeoutError)):
                await consumer.fetch()
            assert guard.statistics().failures == before + 1


async def _empty_without_a_failure(consumer: Consumer, guard: Guard) -> None:
    before = guard.statistics().failures
    assert await consumer.fetch() == []
    assert guard.statistics().failures == before


async def test_a_consumer_goes_on_after_the_server_came_back(tmp_path: Path) -> None:
    """While nobody can be asked it waits; then it takes what is there."""
    seen = Collector()
    with nats_server(tmp_path) as server:
        async with client_of(server) as nats:
            await nats.ensure_streams(ORDERS)
            consumer, task = await _running(nats, seen, retry_wait=0.05)
            server.kill()
            await until(lambda: nats.state == "reconnecting")
            server.start()
            await until(lambda: nats.state == "connected")
            await _published(nats, b"after")
            await until(lambda: seen.data == [b"after"])
            await consumer.stop()
            await task


async def _published(nats: GuardedNats, payload: bytes) -> None:
    """Publish as soon as the stream is up again."""
    async with asyncio.timeout(60.0):
        while True:
            try:
                await nats.publish_to_stream("orders.new", payload, message_id=payload.decode())
            except (NoStreamResponseError, DeadlineExceeded):
                await asyncio.sleep(0.05)
            else:
                return


async def test_a_consumer_goes_on_over_a_connection_that_was_made_anew(tmp_path: Path) -> None:
    """After the client gave up and was connected again, deliveries arrive where they are read."""
    seen = Collector()
    with nats_server(tmp_path) as server:
        nats = client_of(server, reconnect_attempts=2)
        await nats.connect()
        await nats.ensure_streams(ORDERS)
        consumer, task = await _running(nats, seen, retry_wait=0.05)
        server.kill()
        await until(lambda: nats.state == "closed")
        server.start()
        await nats.connect()
        await _published(nats, b"after")
        await until(lambda: seen.data == [b"after"])
        await consumer.stop()
        await task
        await nats.close()


async def test_stopping_a_consumer_that_pauses_does_not_wait_for_the_pause(tmp_path: Path) -> None:
    """The server is gone and the pause is long; stopping ends both."""
    with nats_server(tmp_path) as server:
        async with client_of(server) as nats:
            await nats.ensure_streams(ORDERS)
            consumer, task = await _running(nats, Collector(), retry_wait=1_000.0)
            server.kill()
            await until(lambda: nats.state == "reconnecting")
            await asyncio.sleep(0.1)
            await consumer.stop()
            await asyncio.wait_for(task, 60.0)


async def test_what_is_unacknowledged_holds_back_the_rest(nats: GuardedNats) -> None:
    """The server itself bounds what is in flight: there is nothing to fetch until something is settled."""
    await nats.ensure_streams(ORDERS)
    for name in (b"1", b"2", b"3"):
        await nats.publish_to_stream("orders.new", name)
    consumer = await nats.consumer("orders", "worker", in_flight=2, wait=0.2)
    first = await _deliveries(consumer, 2)
    assert [delivery.data for delivery in first] == [b"1", b"2"]
    assert await eventually(consumer.fetch) == []
    await first[0].in_progress()
    await first[0].nak(delay=60.0)
    await first[1].ack()
    await first[1].term()
    assert [delivery.settled for delivery in first] == ["nak", "ack"]
    assert [delivery.data for delivery in await _deliveries(consumer, 1)] == [b"3"]


async def _deliveries(consumer: Consumer, count: int) -> list[Delivery]:
    """Return so many deliveries, in as many fetches as a slow server takes."""
    found: list[Delivery] = []
    while len(found) < count:
        found += await eventually(consumer.fetch)
    return found


async def test_a_consumer_that_was_deleted_is_an_error(nats: GuardedNats) -> None:
    """Nothing is there to ask: that is no empty stream."""
    await nats.ensure_streams(ORDERS)
    consumer = await nats.consumer("orders", "worker", wait=5.0)
    fetching = asyncio.ensure_future(consumer.fetch())
    await asyncio.sleep(0.1)
    await nats.client.jetstream().delete_consumer("orders", "worker")
    with pytest.raises((NatsError, DeadlineExceeded)):
        await fetching
    with pytest.raises((NatsError, DeadlineExceeded)):
        await consumer.fetch()
