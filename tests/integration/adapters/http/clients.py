"""The clients under test, each with one guard switched on, behind one small blocking interface.

The asynchronous clients run on a loop of their own, so that one suite of tests serves all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeVar

import aiohttp
import httpx
import httpx2
import requests

from switchgear.adapters import aiohttp as aiohttp_guard
from switchgear.adapters import httpx as httpx_guard
from switchgear.adapters import httpx2 as httpx2_guard
from switchgear.adapters import requests as requests_guard
from switchgear.guard.guard import Guard

T = TypeVar("T")

PATIENCE_SECONDS = 50.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a caller of the client got."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True, kw_only=True)
class Asking:
    """One request. `once` sends the body as a stream that can be read only once; `timeout` is the client's own."""

    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    once: bool = False
    timeout: float = PATIENCE_SECONDS


class Subject(ABC):
    """A client with a pool of so many connections, and what its errors are called."""

    pool = 1
    any_error: type[Exception]
    connect_error: type[Exception]
    timeout_error: type[Exception]
    may_have_left: Callable[[BaseException], bool]

    @abstractmethod
    def open(self, guard: Guard, **options: Any) -> None:
        """Make the client."""

    @abstractmethod
    def send(self, url: str, asking: Asking) -> Reply:
        """Send a request and read its body."""

    @abstractmethod
    def first_part(self, url: str) -> bytes:
        """Send a GET, read the first part of the body as a stream, and leave the rest."""

    @abstractmethod
    def close(self) -> None:
        """Close the client."""

    def rest(self) -> None:
        """Let a moment pass."""
        time.sleep(0.01)


class HttpxBlocking(Subject):
    """`httpx2.Client` or `httpx.Client`."""

    def __init__(self, client: ModuleType, adapter: ModuleType) -> None:
        """Take the module of the client and that of its adapter."""
        self._client, self._adapter = client, adapter
        self.any_error, self.connect_error = client.HTTPError, client.ConnectError
        self.timeout_error, self.may_have_left = client.ReadTimeout, adapter.may_have_left

    def open(self, guard: Guard, **options: Any) -> None:
        """Make the client."""
        inner = self._client.HTTPTransport(limits=self._client.Limits(max_connections=self.pool))
        self._session = self._client.Client(
            transport=self._adapter.GuardedTransport(guard, inner, **options), trust_env=False
        )

    def send(self, url: str, asking: Asking) -> Reply:
        """Send a request and read its body."""
        content = iter([asking.body]) if asking.once and asking.body is not None else asking.body
        answer = self._session.request(
            asking.method, url, headers=asking.headers, content=content, timeout=asking.timeout
        )
        return Reply(answer.status_code, answer.headers, answer.content)

    def first_part(self, url: str) -> bytes:
        """Read the first part of the body."""
        with self._session.stream("GET", url) as answer:
            part: bytes = next(answer.iter_raw())
            return part

    def close(self) -> None:
        """Close the client."""
        self._session.close()


class Asynchronous(Subject):
    """A client on a loop of its own."""

    def __init__(self) -> None:
        """Make the loop."""
        self.runner = asyncio.Runner()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work on the loop, with the deadline that is in force here."""
        return self.runner.run(work, context=contextvars.copy_context())

    def send(self, url: str, asking: Asking) -> Reply:
        """Send a request and read its body."""
        return self.run(self.send_async(url, asking))

    def first_part(self, url: str) -> bytes:
        """Read the first part of the body."""
        return self.run(self.first_part_async(url))

    def rest(self) -> None:
        """Let a moment pass on the loop."""
        self.run(asyncio.sleep(0.01))

    def close(self) -> None:
        """Close the client and the loop."""
        self.run(self.close_async())
        self.runner.close()

    @abstractmethod
    async def send_async(self, url: str, asking: Asking) -> Reply:
        """Send a request and read its body."""

    @abstractmethod
    async def first_part_async(self, url: str) -> bytes:
        """Read the first part of the body."""

    @abstractmethod
    async def close_async(self) -> None:
        """Close the client."""


class HttpxAsync(Asynchronous):
    """`httpx2.AsyncClient` or `httpx.AsyncClient`."""

    def __init__(self, client: ModuleType, adapter: ModuleType) -> None:
        """Take the module of the client and that of its adapter."""
        super().__init__()
        self._client, self._adapter = client, adapter
        self.any_error, self.connect_error = client.HTTPError, client.ConnectError
        self.timeout_error, self.may_have_left = client.ReadTimeout, adapter.may_have_left

    def open(self, guard: Guard, **options: Any) -> None:
        """Make the client."""
        inner = self._client.AsyncHTTPTransport(limits=self._client.Limits(max_connections=self.pool))
        self._session = self._client.AsyncClient(
            transport=self._adapter.AsyncGuardedTransport(guard, inner, **options), trust_env=False
        )

    async def send_async(self, url: str, asking: Asking) -> Reply:
        """Send a request and read its body."""
        content = _once(asking.body) if asking.once and asking.body is not None else asking.body
        answer = await self._session.request(
            asking.method, url, headers=asking.headers, content=content, timeout=asking.timeout
        )
        return Reply(answer.status_code, answer.headers, answer.content)

    async def first_part_async(self, url: str) -> bytes:
        """Read the first part of the body."""
        async with self._session.stream("GET", url) as answer:
            part: bytes = await anext(answer.aiter_raw())
            return part

    async def close_async(self) -> None:
        """Close the client."""
        await self._session.aclose()


class Aiohttp(Asynchronous):
    """`aiohttp.ClientSession`."""

    any_error = aiohttp.ClientError
    connect_error = aiohttp.ClientConnectorError
    timeout_error = aiohttp.SocketTimeoutError
    may_have_left = staticmethod(aiohttp_guard.may_have_left)

    def open(self, guard: Guard, **options: Any) -> None:
        """Make the client."""
        self.run(self._open(aiohttp_guard.guarded(guard, **options)))

    async def _open(self, middleware: aiohttp.ClientMiddlewareType) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self.pool),
            middlewares=[middleware],
            timeout=aiohttp.ClientTimeout(total=PATIENCE_SECONDS),
        )

    async def send_async(self, url: str, asking: Asking) -> Reply:
        """Send a request and read its body."""
        data = _once(asking.body) if asking.once and asking.body is not None else asking.body
        timeout = aiohttp.ClientTimeout(PATIENCE_SECONDS, sock_connect=asking.timeout, sock_read=asking.timeout)
        async with self._session.request(
            asking.method, url, headers=asking.headers, data=data, timeout=timeout
        ) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    async def send_with_total(self, url: str, seconds: float) -> int:
        """Send a GET with the client's ``total`` timeout; return the status."""
        async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=seconds)) as answer:
            return answer.status

    async def first_part_async(self, url: str) -> bytes:
        """Read the first part of the body."""
        async with self._session.get(url) as answer:
            return await answer.content.readany()

    async def close_async(self) -> None:
        """Close the client."""
        await self._session.close()


class Requests(Subject):
    """`requests.Session`."""

    any_error = requests.RequestException
    connect_error = requests.ConnectionError
    timeout_error = requests.ReadTimeout
    may_have_left = staticmethod(requests_guard.may_have_left)

    def open(self, guard: Guard, **options: Any) -> None:
        """Make the client."""
        inner = requests.adapters.HTTPAdapter(pool_connections=2, pool_maxsize=self.pool, pool_block=True)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount("http://", requests_guard.GuardedAdapter(guard, inner, **options))

    def send(self, url: str, asking: Asking) -> Reply:
        """Send a request and read its body."""
        data = iter([asking.body]) if asking.once and asking.body is not None else asking.body
        answer = self._session.request(asking.method, url, headers=asking.headers, data=data, timeout=asking.timeout)
        return Reply(answer.status_code, answer.headers, answer.content)

    def first_part(self, url: str) -> bytes:
        """Read the first part of the body."""
        with self._session.get(url, stream=True, timeout=PATIENCE_SECONDS) as answer:
            part: bytes = next(answer.raw.stream(1024))
            return part

    def close(self) -> None:
        """Close the client."""
        self._session.close()


SUBJECTS: dict[str, Callable[[], Subject]] = {
    "httpx2 blocking": lambda: HttpxBlocking(httpx2, httpx2_guard),
    "httpx2 async": lambda: HttpxAsync(httpx2, httpx2_guard),
    "httpx blocking": lambda: HttpxBlocking(httpx, httpx_guard),
    "httpx async": lambda: HttpxAsync(httpx, httpx_guard),
    "aiohttp": Aiohttp,
    "requests": Requests,
}


@contextlib.contextmanager
def opened(name: str) -> Iterator[Callable[..., Subject]]:
    """Yield a function that makes the client with a guard; close all that were made."""
    made: list[Subject] = []

    def make(guard: Guard, *, pool: int = 1, **options: Any) -> Subject:
        subject = SUBJECTS[name]()
        subject.pool = pool
        made.append(subject)
        subject.open(guard, **options)
        return subject

    yield make
    for subject in made:
        subject.close()


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
