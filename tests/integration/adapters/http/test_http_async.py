"""What only asynchronous clients can meet: cancellation, hedges, and the total timeout of aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from switchgear.core.errors import RetryExhausted
from switchgear.guard.guard import Guard
from switchgear.policies.breaker import Breaker
from switchgear.policies.retry import Retry
from tests.integration.adapters.http.clients import Aiohttp, Asking, Asynchronous, opened
from tests.integration.adapters.http.conformance import Make, breaking, retrying
from tests.integration.adapters.http.server import Server, answer, full_port, hang_up, silence

pytestmark = pytest.mark.integration


@pytest.fixture
def server() -> Iterator[Server]:
    """Run the scripted server."""
    with Server() as running:
        yield running


@pytest.fixture(params=["httpx2 async", "httpx async", "aiohttp"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Return the maker of each asynchronous client in turn."""
    with opened(request.param) as maker:
        yield maker


@pytest.fixture
def aiohttp_maker() -> Iterator[Make]:
    """Return the maker of the aiohttp client."""
    with opened("aiohttp") as maker:
        yield maker


def test_the_callers_cancellation_passes(make: Make, server: Server) -> None:
    """A cancelled request is cancelled, says nothing about the dependency, and leaks no connection."""
    guard = retrying(3, breaker=Breaker(failures=1, cooldown=60.0))
    subject = _asynchronous(make(guard))
    server.script[:] = [silence()]

    async def cancelled() -> None:
        task = asyncio.create_task(subject.send_async(server.url, Asking()))
        assert await asyncio.to_thread(server.arrived.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    subject.run(cancelled())
    assert (guard.state, guard.statistics().ignored, server.count) == ("closed", 1, 1)
    assert subject.send(server.url, Asking()).status == 200


def test_many_requests_at_once(make: Make, server: Server) -> None:
    """Concurrent requests do not mix up their answers, retried ones among them."""
    subject = _asynchronous(make(retrying(10)))
    server.script[:] = [answer(503), answer(200), answer(500), answer(200), answer(429)] * 4

    async def crowd() -> list[int]:
        replies = await asyncio.gather(*(subject.send_async(server.url, Asking()) for _ in range(20)))
        return [reply.status for reply in replies]

    assert subject.run(crowd()) == [200] * 20


def test_the_total_timeout_is_a_failure(aiohttp_maker: Make, server: Server) -> None:
    """When the client's own `total` is over, the guard hears of a failure, not of a cancellation."""
    guard = breaking()
    subject = _aiohttp(aiohttp_maker(guard))
    server.script[:] = [silence()]
    with pytest.raises(TimeoutError) as caught:
        subject.run(subject.send_with_total(server.url, 1.0))
    assert guard.state == "open"
    assert subject.may_have_left(caught.value)


def test_the_total_timeout_while_connecting_is_a_failure(aiohttp_maker: Make) -> None:
    """It is so too before there is a connection, when the client cancels the task."""
    guard = breaking()
    subject = _aiohttp(aiohttp_maker(guard))
    with full_port() as url, pytest.raises(TimeoutError):
        subject.run(subject.send_with_total(url, 0.2))
    assert guard.state == "open"


def test_the_total_timeout_is_not_retried(aiohttp_maker: Make, server: Server) -> None:
    """It bounds all attempts together, so none is made after it."""
    guard = Guard("remote", retry=Retry(attempts=5, on=(Exception,), base=5.0, backoff="constant"))
    subject = _aiohttp(aiohttp_maker(guard))
    server.script[:] = [silence()]
    with pytest.raises(TimeoutError):
        subject.run(subject.send_with_total(server.url, 1.0))
    assert (server.count, guard.statistics().retries, guard.statistics().failures) == (1, 0, 1)


def test_the_total_timeout_ends_back_off(aiohttp_maker: Make, server: Server) -> None:
    """It also ends a call that waits between two attempts."""
    guard = Guard("remote", retry=Retry(attempts=5, on=(Exception,), base=5.0, backoff="constant"))
    subject = _aiohttp(aiohttp_maker(guard))
    server.script[:] = [answer(503)]
    with pytest.raises(TimeoutError):
        subject.run(subject.send_with_total(server.url, 1.0))
    assert server.count == 1
    assert subject.send(server.url, Asking()).status == 200


@pytest.mark.parametrize(("attempts", "calls"), [(1, 2), (2, 2), (3, 3)])
def test_aiohttp_repeats_by_itself(aiohttp_maker: Make, server: Server, attempts: int, calls: int) -> None:
    """A broken GET is repeated once by aiohttp, through the guard again; not when the guard has repeated it."""
    guard = retrying(attempts)
    subject = aiohttp_maker(guard)
    server.script[:] = [hang_up()] * 6
    with pytest.raises((subject.any_error, RetryExhausted)):
        subject.send(server.url, Asking())
    assert (server.count, guard.statistics().calls) == (calls, calls)


def _asynchronous(subject: object) -> Asynchronous:
    assert isinstance(subject, Asynchronous)
    return subject


def _aiohttp(subject: object) -> Aiohttp:
    assert isinstance(subject, Aiohttp)
    return subject
