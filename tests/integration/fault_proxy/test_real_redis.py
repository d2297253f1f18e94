"""The fault proxy before a real Redis: what a client believes, and what the server did."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from switchgear.testing import (
    ConnectionFaults,
    FaultProxy,
    FaultProxyThread,
    PerDirection,
    half_open,
    latency,
    partition,
    refuse,
    reset,
)
from switchgear.testing.fault_proxy_words import Fault
from tests.integration.adapters.real_server import RealServer
from tests.integration.adapters.redis.server import redis_server

pytestmark = pytest.mark.integration

CLIENT_SECONDS = 0.5
SECONDS_MAX = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """A Redis of its own."""
    with redis_server(tmp_path_factory.mktemp("redis")) as started:
        yield started


@pytest.fixture
def proxy(server: RealServer, tmp_path: Path) -> Iterator[FaultProxyThread]:
    """A healthy proxy before it, on a unix socket."""
    with FaultProxy.in_thread(("127.0.0.1", server.port), listen=tmp_path / "r.sock") as opened:
        yield opened


@pytest.fixture
def client(proxy: FaultProxyThread) -> Iterator[redis.Redis]:
    """A client of the proxy that is connected, waits shortly and never tries again."""
    with redis.Redis(
        unix_socket_path=proxy.path,
        socket_timeout=CLIENT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        single_connection_client=True,
    ) as opened:
        until = time.monotonic() + SECONDS_MAX
        while not is_connected(opened):
            assert time.monotonic() < until
        yield opened


def is_connected(client: redis.Redis) -> bool:
    """Empty the server, and return whether it said so in the short time of the client."""
    try:
        return bool(client.flushall())
    except redis.TimeoutError:
        return False


def wait_for_effect(beside: redis.Redis, name: str, expected: int) -> None:
    """Wait until the server has done as much as `expected`, which may be on its way; it never does more."""
    until = time.monotonic() + SECONDS_MAX
    while (done := int(beside.get(name) or 0)) < expected:
        assert time.monotonic() < until
    assert done == expected


@pytest.mark.parametrize(
    ("fault", "error", "effects"),
    [
        (refuse(), redis.ConnectionError, 0),
        (reset(), redis.ConnectionError, 0),
        (partition(), redis.TimeoutError, 0),
        (half_open("up"), redis.TimeoutError, 0),
        (half_open("down"), redis.TimeoutError, 1),
        (PerDirection(down=latency(60.0)), redis.TimeoutError, 1),
        (PerDirection(down=ConnectionFaults(then="cut", after_bytes=1)), redis.ConnectionError, 1),
    ],
    ids=repr,
)
def test_an_error_says_nothing_of_the_effect(
    server: RealServer,
    proxy: FaultProxyThread,
    client: redis.Redis,
    fault: Fault,
    error: type[Exception],
    effects: int,
) -> None:
    """The same error may stand before an effect or before none, as the fault says; healed, all is well."""
    proxy.fault = fault
    with pytest.raises(error):
        client.incr("effects")
    with redis.Redis(port=server.port) as beside:
        wait_for_effect(beside, "effects", effects)
    proxy.heal()
    with redis.Redis(unix_socket_path=proxy.path) as again:
        assert again.ping()


def test_what_a_partition_held_is_done_when_its_sender_has_given_up(
    server: RealServer, proxy: FaultProxyThread, client: redis.Redis
) -> None:
    """A request that timed out may still be carried out, long after: a timeout is no evidence that it was not."""
    proxy.fault = partition()
    with pytest.raises(redis.TimeoutError):
        client.incr("late")
    client.close()
    proxy.heal()
    proxy.wait_until(lambda counts: counts.open == 0)
    with redis.Redis(port=server.port) as beside:
        wait_for_effect(beside, "late", 1)
