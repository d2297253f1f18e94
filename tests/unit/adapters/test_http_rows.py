"""Each client's errors are translated by one table; every row of it is here, and goes through its adapter."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests
import urllib3
import yarl

from switchgear.adapters import aiohttp as aiohttp_guard
from switchgear.adapters import httpx as httpx_guard
from switchgear.adapters import httpx2 as httpx2_guard
from switchgear.adapters import requests as requests_guard
from switchgear.adapters.gate import FAILED, NOT_SENT, UNREACHED, Row
from switchgear.adapters.httpx_family import ROWS as HTTPX_ROWS
from switchgear.core.errors import OptionError, RetryExhausted
from switchgear.guard.guard import Guard
from switchgear.policies.rate_limit import RateLimit
from switchgear.policies.retry import Retry

FAMILY = {"httpx2": (httpx2, httpx2_guard), "httpx": (httpx, httpx_guard)}
EXPECTED_HTTPX: dict[Row, set[str]] = {
    UNREACHED: {"ConnectError", "ConnectTimeout", "ProxyError"},
    FAILED: {
        "ReadError",
        "ReadTimeout",
        "WriteError",
        "WriteTimeout",
        "CloseError",
        "RemoteProtocolError",
        "LocalProtocolError",
    },
    NOT_SENT: {"PoolTimeout", "UnsupportedProtocol", "InvalidURL"},
}
EXPECTED_AIOHTTP: dict[Row, set[Any]] = {
    UNREACHED: {
        aiohttp.ClientConnectorError,
        aiohttp.ClientConnectorDNSError,
        aiohttp.ClientConnectorSSLError,
        aiohttp.ClientConnectorCertificateError,
        aiohttp.ClientProxyConnectionError,
        aiohttp.ClientHttpProxyError,
        aiohttp.ConnectionTimeoutError,
        aiohttp.ServerFingerprintMismatch,
    },
    FAILED: {
        aiohttp.ClientOSError,
        aiohttp.ClientConnectionResetError,
        aiohttp.ClientConnectionError,
        aiohttp.ServerDisconnectedError,
        aiohttp.SocketTimeoutError,
        aiohttp.ClientPayloadError,
        aiohttp.ClientResponseError,
        aiohttp_guard.TotalTimeout,
    },
    NOT_SENT: {aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError},
}
_ERRORS = requests.exceptions
EXPECTED_REQUESTS: dict[Row, set[Any]] = {
    UNREACHED: {
        _ERRORS.ConnectTimeout,
        _ERRORS.ProxyError,
        urllib3.exceptions.NewConnectionError,
        urllib3.exceptions.NameResolutionError,
    },
    FAILED: {
        _ERRORS.ConnectionError,
        _ERRORS.SSLError,
        _ERRORS.Timeout,
        _ERRORS.ReadTimeout,
        _ERRORS.RetryError,
        _ERRORS.ChunkedEncodingError,
        _ERRORS.ContentDecodingError,
    },
    NOT_SENT: {
        _ERRORS.InvalidURL,
        _ERRORS.InvalidProxyURL,
        _ERRORS.InvalidSchema,
        _ERRORS.MissingSchema,
        _ERRORS.InvalidHeader,
        urllib3.exceptions.EmptyPoolError,
    },
}


def _error(kind: type[Exception]) -> Exception:
    """Return an error that is a `kind`, without what only its client can give it."""

    def text(_error: Exception) -> str:
        return "text"

    made: type[Exception] = type(
        kind.__name__, (kind,), {"__init__": lambda *_: None, "__str__": text, "__repr__": text}
    )
    return made()


def _pairs(expected: Mapping[Row, set[Any]]) -> list[tuple[Any, Row]]:
    return [(kind, row) for row, kinds in expected.items() for kind in sorted(kinds, key=str)]


def test_the_tables_are_covered_here() -> None:
    """A new row needs a new test."""
    assert list(HTTPX_ROWS.items()) != []
    assert dict(_pairs(EXPECTED_HTTPX)) == HTTPX_ROWS
    assert dict(_pairs(EXPECTED_AIOHTTP)) == aiohttp_guard.ROWS
    assert dict(_pairs(EXPECTED_REQUESTS)) == requests_guard.ROWS


@pytest.mark.parametrize("client", FAMILY)
@pytest.mark.parametrize(("name", "row"), _pairs(EXPECTED_HTTPX))
def test_httpx_blocking(client: str, name: str, row: Row) -> None:
    """A row decides what the guard hears; the caller gets the very error."""
    module, adapter = FAMILY[client]
    error = getattr(module, name)("text")

    class Failing(module.BaseTransport):  # type: ignore[misc,name-defined] # the base of whichever client
        def handle_request(self, request: object) -> object:
            raise error

    def send(guard: Guard) -> None:
        adapter.GuardedTransport(guard, Failing()).handle_request(module.Request("GET", "http://test"))

    _check(send, error, row, adapter.may_have_left)


@pytest.mark.parametrize("client", FAMILY)
@pytest.mark.parametrize(("name", "row"), _pairs(EXPECTED_HTTPX))
def test_httpx_async(client: str, name: str, row: Row) -> None:
    """The asynchronous transport reads the same table."""
    module, adapter = FAMILY[client]
    error = getattr(module, name)("text")

    class Failing(module.AsyncBaseTransport):  # type: ignore[misc,name-defined] # the base of whichever client
        async def handle_async_request(self, request: object) -> object:
            raise error

    def send(guard: Guard) -> None:
        transport = adapter.AsyncGuardedTransport(guard, Failing())
        asyncio.run(transport.handle_async_request(module.Request("GET", "http://test")))

    _check(send, error, row, adapter.may_have_left)


@pytest.mark.parametrize(("kind", "row"), _pairs(EXPECTED_AIOHTTP))
def test_aiohttp(kind: type[Exception], row: Row) -> None:
    """A row decides what the guard hears; the caller gets the very error."""
    error = _error(kind)

    async def ask(guard: Guard) -> None:
        async def handler(_request: aiohttp.ClientRequest) -> aiohttp.ClientResponse:
            raise error

        request = aiohttp.ClientRequest("GET", yarl.URL("http://test"), loop=asyncio.get_running_loop())
        await aiohttp_guard.guarded(guard)(request, handler)

    if kind is aiohttp_guard.TotalTimeout:
        error = TimeoutError("text")
    _check(lambda guard: asyncio.run(ask(guard)), error, row, aiohttp_guard.may_have_left)


@pytest.mark.parametrize(("kind", "row"), _pairs(EXPECTED_REQUESTS))
def test_requests(kind: type[Exception], row: Row) -> None:
    """A row decides what the guard hears; the caller gets the very error."""
    error = _error(kind)
    if issubclass(kind, urllib3.exceptions.NewConnectionError):
        pool = urllib3.HTTPConnectionPool("test")
        error = requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, "/", error))

    class Failing(requests.adapters.BaseAdapter):
        def send(self, *args: object, **kwargs: object) -> requests.Response:
            raise error

    def send(guard: Guard) -> None:
        request = requests.Request("GET", "http://test").prepare()
        requests_guard.GuardedAdapter(guard, Failing()).send(request)

    _check(send, error, row, requests_guard.may_have_left)


def _check(
    send: Callable[[Guard], None], error: Exception, row: Row, may_have_left: Callable[[BaseException], bool]
) -> None:
    """Send with a guard that lets one call through: only what never left gets its place back."""
    guard = Guard("remote", rate_limit=RateLimit(1, per=3600.0))
    caught = _raised(send, guard)
    assert caught is error or caught.__cause__ is error
    assert may_have_left(caught) is row.may_have_left
    statistics = guard.statistics()
    assert (statistics.failures, statistics.calls) == ((0, 0) if row is NOT_SENT else (1, 1))
    _check_retry(send, error, row)


def _check_retry(send: Callable[[Guard], None], error: Exception, row: Row) -> None:
    """A failure is retried when `on` means it; a mistake on this side never."""
    guard = Guard("remote", retry=Retry(attempts=2, on=(Exception,), base=0.0, cap=0.0))
    caught = _raised(send, guard)
    if row is NOT_SENT or isinstance(caught, aiohttp_guard.TotalTimeout):
        assert guard.statistics().retries == 0
    else:
        assert isinstance(caught, RetryExhausted)
        assert caught.__cause__ is error


def _raised(send: Callable[[Guard], None], guard: Guard) -> Exception:
    try:
        send(guard)
    except Exception as error:  # noqa: BLE001 - each row of the table in turn
        return error
    pytest.fail("nothing was raised")


@pytest.mark.parametrize("client", ["httpx2", "httpx", "aiohttp", "requests"])
def test_a_missing_client_is_named(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing an adapter without its client says what to install."""
    name = f"switchgear.adapters.{client}"
    monkeypatch.setitem(sys.modules, client, None)
    monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ModuleNotFoundError, match=rf'pip install "switchgear\[{client}\]"'):
        importlib.import_module(name)


MAKERS: dict[str, Callable[..., object]] = {
    "httpx2": httpx2_guard.GuardedTransport,
    "httpx2 async": httpx2_guard.AsyncGuardedTransport,
    "httpx": httpx_guard.GuardedTransport,
    "httpx async": httpx_guard.AsyncGuardedTransport,
    "aiohttp": aiohttp_guard.guarded,
    "requests": requests_guard.GuardedAdapter,
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize(
    "options",
    [
        {"key_by": "path"},
        {"key_by": 7},
        {"on_status": 503},
        {"on_status": "503"},
        {"on_status": [99]},
        {"on_status": [1000]},
    ],
)
def test_options_that_cannot_work(make: Callable[..., object], options: dict[str, Any]) -> None:
    """A mistake is told at birth."""
    with pytest.raises(OptionError):
        make(Guard("remote"), **options)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_it_needs_a_guard(make: Callable[..., object]) -> None:
    """A name is no guard, and the message says what to write."""
    with pytest.raises(OptionError, match="Guard"):
        make("remote")
