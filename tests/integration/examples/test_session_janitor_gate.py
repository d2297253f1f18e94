"""The last line of the guarded janitor: a good reason is not enough while anybody is not well."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from examples.session_janitor.janitor import API_SOCKET, REDIS, Dependencies, Janitor
from examples.session_janitor.settings import Settings
from switchgear import DestructiveBlocked
from switchgear.health import Confirmed, Health
from switchgear.health.findings import Finding
from switchgear.testing import FaultProxy
from switchgear.testing.fault_proxy_words import half_open, partition
from tests.integration.examples.sessions import World, world

pytestmark = pytest.mark.integration

CHANGE_SECONDS_MAX = 60.0
T = TypeVar("T")


@dataclass
class Inside:
    """A janitor inside this process, which looks at the world through two proxies and takes no turns of its own."""

    world: World
    redis_proxy: FaultProxy
    api_proxy: FaultProxy
    dependencies: Dependencies
    janitor: Janitor

    async def until(self, name: str, state: Health) -> None:
        """Wait until the board says that `name` is in `state`."""
        await self.dependencies.health.board.wait_until_async(name, state, timeout=CHANGE_SECONDS_MAX)


@asynccontextmanager
async def inside(folder: Path) -> AsyncIterator[Inside]:
    """Run a world and its proxies, and probe it until both are healthy."""
    with world(folder) as made:
        upstream = ("127.0.0.1", made.redis.port)
        async with FaultProxy(upstream) as redis_proxy, FaultProxy(str(made.runner.path)) as api_proxy:
            settings = Settings(
                redis_port=redis_proxy.port,
                api_socket=api_proxy.path,
                every=1.0,
                timeout=1.0,
                probe_every=0.5,
                ramp=0.0,
            )
            dependencies = Dependencies(settings)
            made_inside = Inside(made, redis_proxy, api_proxy, dependencies, Janitor(dependencies, settings))
            async with aclosing(dependencies), dependencies.health:
                for name in (REDIS, API_SOCKET):
                    await made_inside.until(name, Health.HEALTHY)
                yield made_inside


async def confirmed(ask: Callable[[], Awaitable[Finding[T]]]) -> Confirmed[T]:
    """Ask until the answer, which is yes, comes in time."""
    ends = time.monotonic() + CHANGE_SECONDS_MAX
    while not isinstance(found := await ask(), Confirmed):
        assert time.monotonic() < ends, found
    return found


async def test_a_process_is_not_ended_through_a_socket_whose_answers_are_lost(tmp_path: Path) -> None:
    """The request would arrive and be carried out; nobody vouches for who carries it out, so it is not sent."""
    async with inside(tmp_path) as scene:
        scene.world.close("ada")
        scene.api_proxy.fault = half_open()
        await scene.until(API_SOCKET, Health.UNHEALTHY)
        closed = await confirmed(lambda: scene.janitor.closed("ada"))
        with pytest.raises(DestructiveBlocked) as caught:
            await scene.janitor.end(closed)
        assert (caught.value.dependency, caught.value.state) == (API_SOCKET, "unhealthy")
        assert caught.value.retry_after is not None
        assert "ada" in scene.world.live_processes()
        scene.api_proxy.heal()
        await scene.until(API_SOCKET, Health.HEALTHY)
        await scene.janitor.end(await confirmed(lambda: scene.janitor.closed("ada")))
        assert "ada" not in scene.world.live_processes()


async def test_a_record_is_not_forgotten_over_a_partition(tmp_path: Path) -> None:
    """A deletion sent into a partition would arrive when it is over, however much later: it is not sent."""
    async with inside(tmp_path) as scene:
        scene.world.add_ended("dead")
        scene.redis_proxy.fault = partition()
        await scene.until(REDIS, Health.UNHEALTHY)
        ended = await confirmed(lambda: scene.janitor.ended("dead"))
        with pytest.raises(DestructiveBlocked) as caught:
            await scene.janitor.forget(ended)
        assert (caught.value.dependency, caught.value.state) == (REDIS, "unhealthy")
        scene.redis_proxy.heal()
        await scene.until(REDIS, Health.HEALTHY)
        assert scene.world.client.hget("sessions", "dead") == "open"
        await scene.janitor.forget(await confirmed(lambda: scene.janitor.ended("dead")))
        assert scene.world.client.hget("sessions", "dead") is None


async def test_what_is_alive_or_unheard_of_is_no_reason(tmp_path: Path) -> None:
    """A process that runs, one that nobody knows, an open record and a missing one: none of them confirms anything."""
    async with inside(tmp_path) as scene:
        for finding in (
            await scene.janitor.ended("ada"),
            await scene.janitor.ended("nobody"),
            await scene.janitor.closed("ada"),
            await scene.janitor.closed("nobody"),
        ):
            assert not isinstance(finding, Confirmed)
            assert finding.why == "negative"
