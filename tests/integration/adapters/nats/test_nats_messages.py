"""Connecting, publishing, asking and subscribing with the real client against a real nats-server on loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from nats.aio.msg import Msg
from nats.errors import ConnectionReconnectingError, MaxPayloadError, NoRespondersError

from switchgear.adapters.nats import GuardedNats
from switchgear.core.codes import Code
from switchgear.core.errors import CircuitOpen, DeadlineExceeded, OptionError
from switchgear.core.operations import operations_with
from switchgear.guard.guard import Guard
from switchgear.policies.breaker import Breaker
from tests.integration.adapters.nats.server import Collector, client_of, nats_server, until
from tests.integration.adapters.real_server import RealServer
from tests.ports import free_port

pytestmark = pytest.mark.integration


async def test_connecting_ends_in_time_and_says_that_nothing_left() -> None:
    """Nobody listens: the operation has its seconds, its code, and the client's last error as the cause."""
    guard = Guard("nats", breaker=Breaker(failures=1))
    nats = GuardedNats(
        guard,
        f"nats://127.0.0.1:{free_port()}",
        operations=operations_with({"nats.connect": 2.0}),
        reconnect_wait=0.05,
        reconnect_attempts=10_000,
    )
    with pytest.raises(DeadlineExceeded) as caught:
        await nats.connect()
    assert (caught.value.code, caught.value.sent) == (Code.TIMEOUT_NATS_CONNECT, False)
    assert isinstance(caught.value.__cause__, OSError)
    assert guard.state == "open"
    with pytest.raises(CircuitOpen):
        await nats.connect()
    assert nats.state == "new"


async def test_reconnects_are_bounded_and_connect_starts_anew(tmp_path: Path) -> None:
    """Once the attempts are used up the client is closed; connecting again is up to the user."""
    with nats_server(tmp_path) as server:
        nats = client_of(server, reconnect_attempts=3)
        await nats.connect()
        await nats.connect()
        server.kill()
        await until(lambda: nats.state == "closed")
        server.start()
        await nats.connect()
        await nats.publish("a", b"b")
        await nats.close()
    assert nats.state == "new"


async def test_connecting_at_once_from_many_tasks_makes_one_connection(server: RealServer) -> None:
    """The second one waits for the first and finds its connection."""
    guard = Guard("nats")
    nats = client_of(server, guard)
    await asyncio.gather(*(nats.connect() for _ in range(5)))
    assert guard.statistics().successes == 1
    await nats.close()


async def test_nothing_is_sent_while_reconnecting(tmp_path: Path) -> None:
    """Operations fail at once instead of lying in a buffer, count as failures, and work again afterwards."""
    guard = Guard("nats", breaker=Breaker(failures=100))
    with nats_server(tmp_path) as server:
        async with client_of(server, guard) as nats:
            received = Collector()
            await nats.subscribe("news", received)
            server.kill()
            await until(lambda: nats.state == "reconnecting")
            with pytest.raises(ConnectionReconnectingError):
                await nats.publish("news", b"lost")
            with pytest.raises(ConnectionReconnectingError):
                await nats.request("news", b"lost")
            assert guard.statistics().failures == 2
            server.start()
            await until(lambda: nats.state == "connected")
            await nats.publish("news", b"back")
            await until(lambda: received.data == [b"back"])


async def test_request_and_answer(nats: GuardedNats) -> None:
    """A request goes to whoever answers; nobody there is said at once; no answer has its code."""

    async def answer(message: Msg) -> None:
        await message.respond(b"you said " + message.data)

    await nats.subscribe("echo", answer)
    assert (await nats.request("echo", b"hello")).data == b"you said hello"
    with pytest.raises(NoRespondersError):
        await nats.request("nobody")
    await nats.subscribe("silent", Collector())
    with pytest.raises(DeadlineExceeded) as caught:
        await nats.request("silent", seconds=0.1)
    assert (caught.value.code, caught.value.sent, caught.value.operation) == (Code.TIMEOUT_REQUEST, True, "request")


async def test_a_message_that_is_too_large_never_leaves(nats: GuardedNats) -> None:
    """A limit of the server that the client knows is no failure of the server."""
    with pytest.raises(MaxPayloadError):
        await nats.publish("big", b"x" * 2_000_000)


async def test_a_slow_or_raising_handler_does_not_touch_another(nats: GuardedNats) -> None:
    """Each subscription has a queue and workers of its own; every message of the others arrives."""
    released = asyncio.Event()

    async def stuck(_: Msg) -> None:
        await released.wait()

    async def raising(_: Msg) -> None:
        raise RuntimeError("a defect in the handler")

    fine = Collector()
    slow = await nats.subscribe("topic", stuck, pending_max=10)
    broken = await nats.subscribe("topic", raising)
    good = await nats.subscribe("topic", fine)
    for number in range(50):
        await nats.publish("topic", str(number).encode(), confirm=number == 49)
    await until(lambda: good.statistics().handled == 50)
    await until(lambda: broken.statistics().failed == 50)
    assert fine.data == [str(number).encode() for number in range(50)]
    assert slow.statistics().received == 50
    assert slow.statistics().dropped >= 39
    released.set()
    await until(lambda: slow.statistics().handled + slow.statistics().dropped == 50)


@pytest.mark.parametrize(
    ("when_full", "kept"), [("drop_newest", [b"0", b"1", b"2"]), ("drop_oldest", [b"0", b"4", b"5"])]
)
async def test_what_a_full_queue_drops_is_named_and_counted(
    nats: GuardedNats, when_full: str, kept: list[bytes]
) -> None:
    """One message is with the handler, two wait, and the others are dropped by the policy."""
    released, seen = asyncio.Event(), list[bytes]()

    async def slow(message: Msg) -> None:
        seen.append(message.data)
        await released.wait()

    subscription = await nats.subscribe("topic", slow, pending_max=2, when_full=when_full)
    await nats.publish("topic", b"0")
    await until(lambda: seen == [b"0"])
    for number in range(1, 6):
        await nats.publish("topic", str(number).encode())
    await until(lambda: subscription.statistics().received == 6)
    released.set()
    await until(lambda: len(seen) == 3)
    assert (seen, subscription.statistics().dropped) == (kept, 3)


async def test_handlers_run_at_once_up_to_the_concurrency_and_end_in_time(nats: GuardedNats) -> None:
    """A hanging handler is cancelled after its seconds and counted; the place is used again."""
    running, most = 0, 0

    async def hang(_: Msg) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            await asyncio.Event().wait()
        finally:
            running -= 1

    subscription = await nats.subscribe("topic", hang, concurrency=2, handler_seconds=0.1)
    for _ in range(4):
        await nats.publish("topic")
    await until(lambda: subscription.statistics().failed == 4)
    assert most == 2


async def test_stopping_lets_waiting_messages_finish(nats: GuardedNats) -> None:
    """Nothing that was taken is lost on the way out, within the bound."""
    seen = Collector()
    subscription = await nats.subscribe("topic", seen)
    for number in range(20):
        await nats.publish("topic", str(number).encode())
    await subscription.stop()
    await nats.publish("topic", b"late")
    assert len(seen.data) == 20


async def test_a_handler_cannot_stop_its_own_subscription(nats: GuardedNats) -> None:
    """It would wait for itself; it is told so, and the subscription goes on."""
    said: list[str] = []

    async def stop_it(_: Msg) -> None:
        try:
            await subscription.stop()
        except RuntimeError as error:
            said.append(str(error))

    subscription = await nats.subscribe("topic", stop_it)
    await nats.publish("topic")
    await until(lambda: said == ["a handler of topic cannot wait for itself; stop it from outside"])


async def test_seconds_of_a_request_are_checked(nats: GuardedNats) -> None:
    """No wait is unbounded or negative."""
    for seconds in (0.0, -1.0, float("inf")):
        with pytest.raises(OptionError):
            await nats.request("echo", seconds=seconds)
