"""Requests reach listed hosts only, at addresses that may be reached."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import httpx2
import pytest

from switchgear.connectors.credentials import Credentials
from switchgear.connectors.http import HttpConnection, HttpConnector, HttpOperation
from switchgear.connectors.http.egress import EgressTransport, is_public
from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.errors import Denied, OptionError
from switchgear.core.outcome import Verdict
from switchgear.execution.contract import Refused
from tests.unit.connectors.calling import call_of


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - an address to refuse
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("2002:0a00:0001::", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::5db8:d822", True),
    ],
)
def test_private_addresses_are_recognised(address: str, *, public: bool) -> None:
    """Private, loopback, link-local, shared, multicast and IPv4 hidden in IPv6 are not public."""
    assert is_public(ipaddress.ip_address(address)) is public


async def _execute(base_url: str, addresses: list[str], *, private: bool = False) -> object:
    async def resolve(host: str, port: int) -> list[str]:
        return addresses

    connection = HttpConnection(name="crm", base_url=base_url, private_addresses=private, connect_timeout=60.0)
    connector = HttpConnector(connection, Credentials({}, Path()), resolve=resolve)
    connector.register("tool", HttpOperation(method="GET", path="/"))
    try:
        return await connector.execute(call_of())
    finally:
        await connector.close()


@pytest.mark.parametrize(
    ("base_url", "addresses"),
    [
        ("https://api.example.com", ["10.0.0.1"]),
        ("https://api.example.com", ["93.184.216.34", "127.0.0.1"]),
        ("https://api.example.com", ["169.254.169.254"]),
        ("https://api.example.com", ["::ffff:127.0.0.1"]),
        ("https://api.example.com", ["nonsense"]),
        ("http://localhost:1", ["10.0.0.1"]),
    ],
)
async def test_a_name_that_leads_inside_is_denied(base_url: str, addresses: list[str]) -> None:
    """One private address among the answers is enough: nothing is connected to."""
    result = await _execute(base_url, addresses)
    assert isinstance(result, Refused)
    assert (result.code, result.retryable, result.verdict) == (Code.EGRESS_DENIED, False, Verdict.IGNORED)


@pytest.mark.parametrize(
    ("base_url", "addresses", "private"),
    [
        ("http://crm:1", ["127.0.0.1"], True),
        ("http://localhost:1", ["::1", "127.0.0.1"], False),
        ("http://127.0.0.1:1", [], False),
    ],
)
async def test_private_addresses_that_are_meant_are_reached(
    base_url: str, addresses: list[str], *, private: bool
) -> None:
    """Allowed explicitly, loopback by name, or written out: the connection is tried."""
    result = await _execute(base_url, addresses, private=private)
    assert isinstance(result, Refused)
    assert result.code is Code.DEPENDENCY_FAILED


@pytest.mark.parametrize(
    "url", ["https://evil.example/", "https://api.example.com.evil.example/", "ftp://api.example.com/"]
)
async def test_a_host_or_scheme_off_the_list_is_denied(url: str) -> None:
    """The last door checks again, whatever made the request."""
    connection = HttpConnection(name="crm", base_url="https://api.example.com")
    transport = EgressTransport(connection, VirtualClock())
    with pytest.raises(Denied) as caught:
        await transport.handle_async_request(httpx2.Request("GET", url))
    assert caught.value.code is Code.EGRESS_DENIED


def test_an_operation_off_the_list_is_refused_when_registered() -> None:
    """A tool cannot name a host that its connector does not list."""
    connection = HttpConnection(name="crm", base_url="https://api.example.com")
    connector = HttpConnector(connection, Credentials({}, Path()))
    with pytest.raises(OptionError, match=r"other\.example"):
        connector.register("tool", HttpOperation(method="GET", path="https://other.example/x"))


async def test_a_name_without_addresses_was_not_reached() -> None:
    """A name that cannot be resolved is a refusal that may be retried."""
    result = await _execute("https://api.example.com", [])
    assert isinstance(result, Refused)
    assert (result.retryable, result.verdict) == (True, Verdict.FAILURE)
