"""What each wire reads from a request of its client: where it goes, and whether it may be sent again."""

from __future__ import annotations

import asyncio
import inspect
import io
from collections.abc import AsyncIterator, Callable, Iterator
from types import ModuleType
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests
import yarl

from switchgear.adapters import aiohttp as aiohttp_guard
from switchgear.adapters import httpx as httpx_guard
from switchgear.adapters import httpx2 as httpx2_guard
from switchgear.adapters import requests as requests_guard
from switchgear.core.errors import CircuitOpen, OptionError
from switchgear.guard.guard import Guard
from switchgear.policies.breaker import Breaker
from switchgear.policies.retry import Retry

Send = Callable[..., int]


def _httpx(client: ModuleType, adapter: ModuleType) -> Send:
    def send(guard: Guard, url: str, method: str = "PUT", **options: Any) -> int:
        attempts: list[object] = []

        def act(request: object) -> object:
            attempts.append(request)
            return client.Response(503)

        transport = adapter.GuardedTransport(guard, client.MockTransport(act), key_by="host")
        with client.Client(transport=transport) as session:
            session.request(method, url, **options)
        return len(attempts)

    return send


def _aiohttp(guard: Guard, url: str, method: str = "PUT", **options: Any) -> int:
    attempts: list[object] = []

    async def handler(request: aiohttp.ClientRequest) -> aiohttp.ClientResponse:
        attempts.append(request)
        raise aiohttp.ServerDisconnectedError

    async def ask() -> None:
        data = _parts(options["content"]) if inspect.isgenerator(options.get("content")) else options.get("content")
        request = aiohttp.ClientRequest(
            method, yarl.URL(url), data=data, headers=options.get("headers"), loop=asyncio.get_running_loop()
        )
        try:
            await aiohttp_guard.guarded(guard, key_by="host")(request, handler)
        except CircuitOpen:
            raise
        except Exception:  # noqa: BLE001 - only the attempts count here
            assert attempts

    asyncio.run(ask())
    return len(attempts)


async def _parts(content: Iterator[bytes]) -> AsyncIterator[bytes]:
    for part in content:
        yield part


def _requests(guard: Guard, url: str, method: str = "PUT", **options: Any) -> int:
    attempts: list[object] = []

    class Failing(requests.adapters.BaseAdapter):
        def send(self, *args: object, **kwargs: object) -> requests.Response:
            attempts.append(args)
            response = requests.Response()
            response.status_code = 503
            response.raw = io.BytesIO()
            return response

    request = requests.Request(method, url, data=options.get("content"), headers=options.get("headers")).prepare()
    requests_guard.GuardedAdapter(guard, Failing(), key_by="host").send(request)
    return len(attempts)


SENDERS: dict[str, Send] = {
    "httpx2": _httpx(httpx2, httpx2_guard),
    "httpx": _httpx(httpx, httpx_guard),
    "aiohttp": _aiohttp,
    "requests": _requests,
}


@pytest.fixture(params=SENDERS)
def send(request: pytest.FixtureRequest) -> Send:
    """Return a sender through each client in turn; it returns how many attempts there were."""
    return SENDERS[request.param]


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://example.org/a", "example.org"),
        ("http://EXAMPLE.org:80/b", "example.org"),
        ("https://example.org/c", "example.org"),
        ("https://example.org:443/", "example.org"),
        ("http://example.org:8080/", "example.org:8080"),
        ("https://user:secret@example.org/", "example.org"),
    ],
)
def test_the_key_is_the_endpoint(send: Send, url: str, key: str) -> None:
    """Host, and port where it is not the scheme's own; never a path or a secret."""
    guard = Guard("remote", breaker=Breaker(failures=1, cooldown=60.0))
    send(guard, url)
    assert guard.key(key).state == "open"
    assert guard.statistics().keys == 1


@pytest.mark.parametrize("client", [httpx2, httpx], ids=lambda client: client.__name__)
async def test_httpx_opens_and_closes_what_sends(client: ModuleType) -> None:
    """The transport inside is entered, left and closed with the one outside."""
    adapter = {httpx2: httpx2_guard, httpx: httpx_guard}[client]
    blocking, awaited = _Inner(client), _Inner(client)
    with client.Client(transport=adapter.GuardedTransport(Guard("remote"), blocking)) as session:
        assert session.get("http://test").status_code == 200
    async with client.AsyncClient(transport=adapter.AsyncGuardedTransport(Guard("remote"), awaited)) as session:
        assert (await session.get("http://test")).status_code == 200
    adapter.GuardedTransport(Guard("remote"), blocking).close()
    await adapter.AsyncGuardedTransport(Guard("remote"), awaited).aclose()
    assert blocking.seen == awaited.seen == ["enter", "send", "leave", "close"]


class _Inner:
    """A transport that notes what happens to it."""

    def __init__(self, client: ModuleType) -> None:
        self.seen: list[str] = []
        self._client = client

    def __enter__(self) -> None:
        self.seen.append("enter")

    def __exit__(self, *_: object) -> None:
        self.seen.append("leave")

    async def __aenter__(self) -> None:
        self.seen.append("enter")

    async def __aexit__(self, *_: object) -> None:
        self.seen.append("leave")

    def handle_request(self, _request: object) -> object:
        self.seen.append("send")
        return self._client.Response(200)

    async def handle_async_request(self, _request: object) -> object:
        self.seen.append("send")
        return self._client.Response(200)

    def close(self) -> None:
        self.seen.append("close")

    async def aclose(self) -> None:
        self.seen.append("close")


@pytest.mark.parametrize(
    ("options", "attempts"),
    [
        ({}, 2),
        ({"content": b"bytes"}, 2),
        ({"content": io.BytesIO(b"file")}, 1),
        ({"content": (part for part in [b"iterator"])}, 1),
        ({"method": "POST", "content": b"bytes"}, 1),
        ({"method": "POST", "content": b"bytes", "headers": {"idempotency-key": "k"}}, 2),
        ({"method": "POST", "content": io.BytesIO(b"file"), "headers": {"Idempotency-Key": "k"}}, 1),
        ({"method": "GET", "content": (part for part in [b"iterator"])}, 1),
    ],
    ids=["empty", "bytes", "file", "iterator", "post", "keyed", "keyed file", "get with iterator"],
)
def test_what_is_sent_again(send: Send, options: dict[str, Any], attempts: int) -> None:
    """Only bytes can be sent a second time; a stream never is, whatever the method or the key."""
    guard = Guard("remote", retry=Retry(attempts=2, on=(Exception,), base=0.0, cap=0.0))
    assert send(guard, "http://example.org/", **options) == attempts


def test_a_retry_that_means_none_of_the_clients_errors_is_refused() -> None:
    """The built-in ConnectionError is not the client's: nothing would ever be retried, and nobody would know."""
    deaf = Guard("api", retry=Retry(on=(ConnectionError, TimeoutError)))
    makers: list[Callable[[Guard], object]] = [
        httpx2_guard.GuardedTransport,
        httpx_guard.AsyncGuardedTransport,
        requests_guard.GuardedAdapter,
        aiohttp_guard.guarded,
    ]
    for make in makers:
        with pytest.raises(OptionError, match=r"Retry\(on=\("):
            make(deaf)
        make(Guard("api", retry=Retry(on=Exception)))
        make(Guard("api", retry=Retry(on=lambda _error: True)))
