"""A real nats-server with JetStream on disk, and what the tests of the adapter share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from nats.aio.msg import Msg
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.api import StorageType, StreamConfig

from switchgear.adapters.nats import Delivery, GuardedNats
from switchgear.core.errors import DeadlineExceeded
from switchgear.guard.guard import Guard
from switchgear.policies.breaker import Breaker
from tests.integration.adapters.real_server import RealServer

T = TypeVar("T")
Option: TypeAlias = Any
"""An option of a client or consumer, each of a type of its own."""

ORDERS = StreamConfig(name="orders", subjects=["orders.>"], storage=StorageType.FILE)


@contextmanager
def nats_server(folder: Path) -> Iterator[RealServer]:
    """Run a server that stores under `folder`."""
    server = RealServer("nats-server", _arguments, folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def _arguments(port: int, folder: Path) -> list[str]:
    return ["-js", "-a", "127.0.0.1", "-p", str(port), "-sd", str(folder / "store")]


def client_of(server: RealServer, guard: Guard | None = None, **options: Option) -> GuardedNats:
    """Return a client that gives up soon."""
    options = {"reconnect_wait": 0.05, "reconnect_attempts": 200, "drain_seconds": 1.0, **options}
    return GuardedNats(guard or Guard("nats", breaker=Breaker()), f"nats://127.0.0.1:{server.port}", **options)


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for is no event, but a state of the client
            await asyncio.sleep(0.01)


async def eventually(work: Callable[[], Awaitable[T]]) -> T:
    """Return what `work` gives once it ends in time: its bound is short for the sake of the test, the machine slow."""
    async with asyncio.timeout(60.0):
        while True:
            with suppress(DeadlineExceeded, NatsTimeoutError):
                return await work()


class Collector:
    """A handler that keeps what it gets."""

    def __init__(self) -> None:
        self.data: list[bytes] = []

    async def __call__(self, message: Msg | Delivery) -> None:
        """Keep the data."""
        self.data.append(message.data)
