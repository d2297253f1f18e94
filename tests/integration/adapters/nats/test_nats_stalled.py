"""A real nats-server that stands still while its connections stay: no operation and no closing waits without end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.msg import Msg

from switchgear.adapters.nats import GuardedNats
from switchgear.adapters.nats.link import PENDING_BYTES_MAX
from switchgear.core.codes import Code
from switchgear.core.errors import DeadlineExceeded
from switchgear.core.operations import operations_with
from switchgear.guard.guard import Guard
from tests.integration.adapters.nats.server import client_of, nats_server, until

pytestmark = pytest.mark.integration

LARGE = b"x" * 1_000_000


@pytest.fixture
async def stalled(tmp_path: Path) -> AsyncIterator[GuardedNats]:
    """Connect a client, then let the server stand still; go on at the end."""
    with nats_server(tmp_path) as server:
        short = operations_with({"publish": 0.3, "request": 0.3})
        nats = client_of(server, Guard("nats"), operations=short, drain_seconds=0.2)
        await nats.connect()
        server.pause()
        try:
            yield nats
        finally:
            server.resume()
            await nats.close()


async def fill(nats: GuardedNats) -> int:
    """Publish without confirmation until the client takes no more; return how many it took."""
    for taken in range(100):
        try:
            await nats.publish("topic", LARGE, confirm=False)
        except DeadlineExceeded:
            return taken
    pytest.fail("the client takes without end")


async def test_what_waits_for_the_server_is_bounded(stalled: GuardedNats) -> None:
    """At the bound each operation waits its own seconds for room, and ends with its code: it never looks done."""
    async with asyncio.timeout(60):
        taken = await fill(stalled)
        assert stalled.client.pending_data_size <= PENDING_BYTES_MAX + len(LARGE) + 1_000
        assert taken * len(LARGE) > PENDING_BYTES_MAX
        for work in (stalled.publish("topic", LARGE), stalled.request("topic", b"")):
            with pytest.raises(DeadlineExceeded) as caught:
                await work
            assert caught.value.code in (Code.TIMEOUT_PUBLISH, Code.TIMEOUT_REQUEST)


async def test_closing_ends_although_the_server_takes_nothing(
    stalled: GuardedNats, caplog: pytest.LogCaptureFixture
) -> None:
    """What the server did not take is given up, and that is said."""
    async with asyncio.timeout(60):
        await fill(stalled)
        with caplog.at_level(logging.WARNING, "switchgear.adapters.nats"):
            await stalled.close()
    assert "cut off" in caplog.text
    assert stalled.state == "new"


async def test_many_unconfirmed_messages_arrive_at_a_server_that_works(tmp_path: Path) -> None:
    """The bound slows a producer down; it loses nothing and refuses nothing."""
    count = 0

    async def counted(_: Msg) -> None:
        nonlocal count
        count += 1

    with nats_server(tmp_path) as server:
        async with client_of(server) as nats:
            await nats.subscribe("topic", counted)
            for _ in range(40):
                await nats.publish("topic", LARGE[:500_000], confirm=False)
            await until(lambda: count == 40)


async def test_a_handler_that_swallows_its_cancellation_does_not_keep_the_client(
    nats: GuardedNats, caplog: pytest.LogCaptureFixture
) -> None:
    """Stopping cancels it once and goes on; its worker takes no further message."""
    begun, handled = asyncio.Event(), 0

    async def stubborn(_: Msg) -> None:
        nonlocal handled
        handled += 1
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    subscription = await nats.subscribe("topic", stubborn)
    for _ in range(3):
        await nats.publish("topic")
    await begun.wait()
    async with asyncio.timeout(60):
        await subscription.stop(seconds=0.1)
    assert handled == 1


async def test_a_handler_that_never_ends_is_left_behind_and_named(
    nats: GuardedNats, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing can end it; whoever stops the subscription is told and does not wait for ever."""
    begun, released = asyncio.Event(), asyncio.Event()

    async def endless(_: Msg) -> None:
        begun.set()
        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await released.wait()

    subscription = await nats.subscribe("topic", endless)
    await nats.publish("topic")
    await begun.wait()
    async with asyncio.timeout(60):
        await subscription.stop(seconds=0.1)
    assert "do not end when they are cancelled" in caplog.text
    released.set()


async def test_closing_a_watch_twice_does_nothing(nats: GuardedNats) -> None:
    """Also after the connection is closed."""
    bucket = await nats.bucket("twice")
    first, second = await bucket.watch(), await bucket.watch()
    await first.close()
    await first.close()
    await nats.close()
    await second.close()
    await nats.connect()
