"""The clients' own timeouts are cut to what remains, and given back for the body."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import httpx2
import pytest
import requests
import urllib3

from switchgear.adapters.httpx_family import Family
from switchgear.adapters.requests import GuardedAdapter, narrowed
from switchgear.guard.guard import Guard
from switchgear.policies.timeout import Timeout

_WAITS = ("connect", "read", "write", "pool")


@pytest.mark.parametrize("client", [httpx2, httpx], ids=lambda client: client.__name__)
@pytest.mark.parametrize("given", [{}, {"timeout": {"connect": 1.0, "read": 30.0, "write": None, "pool": 5.0}}])
def test_httpx(client: ModuleType, given: dict[str, Any]) -> None:
    """The attempt's request has the cut; the caller's request keeps its own; the body gets its own back."""
    request = client.Request("PUT", "http://test/path", headers={"X-Kind": "a"}, content=b"body", extensions=given)
    narrow, restore = Family(client).narrowed(request, 2.0)
    own = given.get("timeout", {})
    cut = narrow.extensions["timeout"]
    assert cut == {wait: min(own.get(wait) or 2.0, 2.0) for wait in _WAITS}
    assert request.extensions == given
    assert (narrow.method, narrow.url, narrow.headers, narrow.stream) == (
        request.method,
        request.url,
        request.headers,
        request.stream,
    )
    restore()
    assert cut == {wait: own.get(wait) for wait in _WAITS}


@pytest.mark.parametrize("client", [httpx2, httpx], ids=lambda client: client.__name__)
def test_httpx_without_a_bound(client: ModuleType) -> None:
    """Where nothing bounds the call, the very request is sent."""
    request = client.Request("GET", "http://test")
    narrow, restore = Family(client).narrowed(request, None)
    restore()
    assert narrow is request


@pytest.mark.parametrize(
    ("timeout", "expected"),
    [
        (None, (2.0, 2.0)),
        (1.0, (1.0, 1.0)),
        (30, (2.0, 2.0)),
        ((1.0, 30.0), (1.0, 2.0)),
        ((None, 0.5), (2.0, 0.5)),
    ],
)
def test_requests(timeout: Any, expected: tuple[float, float]) -> None:  # noqa: ANN401 - as the client has it
    """Seconds, a pair, or None."""
    assert narrowed(timeout, 2.0) == expected
    assert narrowed(timeout, None) is timeout


@pytest.mark.parametrize(
    ("timeout", "connect", "read"),
    [
        (urllib3.Timeout(connect=1.0, read=30.0), 1.0, 2.0),
        (urllib3.Timeout(total=0.5), 0.5, 0.5),
        (urllib3.Timeout(total=9.0, read=1.0), 2.0, 1.0),
    ],
)
def test_requests_with_a_timeout_of_urllib3(timeout: urllib3.Timeout, connect: float, read: float) -> None:
    """The client takes those too."""
    cut = narrowed(timeout, 2.0).clone()
    assert cut.connect_timeout == connect
    cut.start_connect()
    assert cut.read_timeout == pytest.approx(read, abs=0.1)


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [
        (None, None),
        (7, 7),
        ((1.0, 9.0), 9.0),
        (urllib3.Timeout(connect=1.0, read=30.0), 30.0),
        (urllib3.Timeout(total=20.0), 20.0),
        (urllib3.Timeout(), None),
    ],
)
def test_requests_gives_the_body_its_own_time(timeout: Any, seconds: float | None) -> None:  # noqa: ANN401 - as above
    """What was cut for the headers is lifted for the body."""
    sock = _Socket()

    class Connected(requests.adapters.BaseAdapter):
        def send(self, *args: Any, **kwargs: Any) -> requests.Response:
            response = requests.Response()
            response.status_code = 200
            response.raw = SimpleNamespace(connection=SimpleNamespace(sock=sock))
            return response

    request = requests.Request("GET", "http://test").prepare()
    GuardedAdapter(Guard("remote", timeout=Timeout(0.5)), Connected()).send(request, timeout=timeout)
    assert sock.seconds == [seconds]


class _Socket:
    """Notes the timeouts that it is given."""

    def __init__(self) -> None:
        self.seconds: list[float | None] = []

    def settimeout(self, seconds: float | None) -> None:
        self.seconds.append(seconds)


def test_requests_gets_what_it_was_called_with() -> None:
    """Everything but the timeout reaches the adapter that sends as it was given."""
    seen: list[dict[str, Any]] = []

    class Recording(requests.adapters.BaseAdapter):
        def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
            seen.append(kwargs)
            response = requests.Response()
            response.status_code = 200
            return response

        def close(self) -> None:
            seen.append({})

    adapter = GuardedAdapter(Guard("remote"), Recording())
    request = requests.Request("GET", "http://test").prepare()
    response = adapter.send(request, stream=True, timeout=7, verify="ca.pem", cert=("a", "b"), proxies={"http": "p"})
    adapter.close()
    assert seen == [
        {"stream": True, "timeout": 7, "verify": "ca.pem", "cert": ("a", "b"), "proxies": {"http": "p"}},
        {},
    ]
    assert vars(response)["connection"] is adapter
