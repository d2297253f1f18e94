"""The outages that the janitors of the example are put through: what happens, to whom, and how it is repaired."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

from switchgear.testing import FaultProxy, FaultProxyThread
from switchgear.testing.fault_proxy_words import Fault, blackhole, half_open, latency, partition, reset
from tests.integration.examples.sessions import World

Target = Literal["redis", "api_socket"]
SLOW_SECONDS = 3.0
"""Well above the seconds that the janitors of the tests wait for an answer."""


@dataclass(frozen=True)
class Outage:
    """Something that happens to a dependency.

    words   what happens, as the page says it.
    target  to whom.
    fault   what happens to its connections, None when something happens to its process.
    begin   what happens to its process, and `repair` what ends that.
    is_seen    whether the dependency is unhealthy meanwhile; one that is back at once, but empty, is not.
    """

    words: str
    target: Target
    fault: Fault | None = None
    begin: Callable[[World], None] = lambda _: None
    repair: Callable[[World], None] = lambda _: None
    is_seen: bool = True
    forgets: bool = False

    def __str__(self) -> str:
        """Show what happens to whom."""
        return f"{self.target} {self.words}"


def _of_connections(target: Target) -> list[Outage]:
    faults: dict[str, Fault] = {
        "partitioned": partition(),
        "in a black hole": blackhole(),
        "half open": half_open(),
        "reset": reset(),
        "slow": latency(SLOW_SECONDS),
    }
    return [Outage(words, target, fault) for words, fault in faults.items()]


def _restart_redis(world: World) -> None:
    world.redis.kill()
    world.redis.start()


def _restart_runner(world: World) -> None:
    world.runner.kill()
    world.runner.start()


OUTAGES: list[Outage] = [
    Outage("killed", "api_socket", None, lambda w: w.runner.kill(), lambda w: w.runner.start(), forgets=True),
    Outage("paused", "api_socket", None, lambda w: w.runner.pause(), lambda w: w.runner.resume()),
    Outage("restarted empty", "api_socket", None, _restart_runner, is_seen=False, forgets=True),
    *_of_connections("api_socket"),
    Outage("killed", "redis", None, lambda w: w.redis.kill(), lambda w: w.redis.start(), forgets=True),
    Outage("paused", "redis", None, lambda w: w.redis.pause(), lambda w: w.redis.resume()),
    Outage("restarted empty", "redis", None, _restart_redis, is_seen=False, forgets=True),
    *_of_connections("redis"),
]


@dataclass
class Stage:
    """A world, and the proxies through which a janitor reaches it."""

    world: World
    proxies: dict[Target, FaultProxyThread]

    @property
    def words(self) -> list[str]:
        """The words of the command line of a janitor: quick, so that a test is."""
        return [
            self.proxies["api_socket"].path,
            *("--redis-port", str(self.proxies["redis"].port)),
            *("--every", "0.05", "--timeout", "1.0", "--probe-every", "0.5", "--ramp", "0.2"),
        ]

    def begin(self, outage: Outage) -> None:
        """Let it happen."""
        if outage.fault is not None:
            self.proxies[outage.target].fault = outage.fault
        outage.begin(self.world)

    def repair(self, outage: Outage) -> None:
        """End it. The sessions are all there again, as they report themselves."""
        self.proxies[outage.target].heal()
        outage.repair(self.world)
        self.world.populate()


@contextmanager
def stage(world: World) -> Iterator[Stage]:
    """Put a proxy before Redis and one before the runner."""
    with ExitStack() as stack:
        proxies: dict[Target, FaultProxyThread] = {
            "redis": stack.enter_context(FaultProxy.in_thread(("127.0.0.1", world.redis.port))),
            "api_socket": stack.enter_context(FaultProxy.in_thread(str(world.runner.path))),
        }
        yield Stage(world, proxies)
