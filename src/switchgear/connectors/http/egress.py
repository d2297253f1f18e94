"""Lets requests out to listed hosts only, and checks the very address that is connected to.

A name is resolved here, its addresses are checked, and the connection goes to a checked one, so a name that changes
its mind between check and use (DNS rebinding) gains nothing. TLS still verifies the name. There are no redirects,
cookies, proxies or credentials from the environment at this level: each would be a way around the list.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Awaitable, Callable

import httpx2

from switchgear.connectors.http.specification import HttpConnection
from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.errors import Denied

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""(host, port) → addresses, best first. Raises `OSError` when there are none."""

RESOLUTION_SECONDS = 30.0
"""How long the addresses of a name are kept."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


async def resolve_by_system(host: str, port: int) -> list[str]:
    """Ask the operating system, in a thread."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class EgressTransport(httpx2.AsyncBaseTransport):
    """Sends a request to a checked address of its host, trying one address after the other within the connect time.

    Raises `Denied` (EGRESS_DENIED) before anything leaves when scheme, host or address is not allowed.
    """

    def __init__(self, connection: HttpConnection, clock: Clock, resolve: Resolve = resolve_by_system) -> None:
        """Open nothing yet."""
        self._connection = connection
        self._clock = clock
        self._resolve = resolve
        self._known: dict[str, tuple[float, list[str]]] = {}  # bounded by the list of hosts
        self._transports: dict[str, httpx2.AsyncHTTPTransport] = {}  # as above; TLS sessions never cross names

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Check, resolve, check again, send."""
        url = request.url
        if url.scheme not in ("http", "https") or not self._connection.allows(url.host):
            raise denied(self._connection.name, f"{url.scheme}://{url.host} is not on the list of hosts")
        before = time.monotonic()  # real time bounds a real network; the call's deadline bounds it on its own clock
        addresses = await self._addresses(url.host, url.port or (443 if url.scheme == "https" else 80))
        return await self._send(request, addresses, before + self._connection.connect_timeout)

    async def aclose(self) -> None:
        """Close the pools."""
        for transport in self._transports.values():
            await transport.aclose()

    async def _send(self, request: httpx2.Request, addresses: list[str], connect_until: float) -> httpx2.Response:
        transport = self._transport(request.url.host)
        for address in addresses[:-1]:
            try:
                return await transport.handle_async_request(_towards(request, address, connect_until))
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        try:
            return await transport.handle_async_request(_towards(request, addresses[-1], connect_until))
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            self._known.pop(request.url.host, None)
            raise

    def _transport(self, host: str) -> httpx2.AsyncHTTPTransport:
        if host not in self._transports:
            limits = httpx2.Limits(max_connections=self._connection.connections_max)
            self._transports[host] = httpx2.AsyncHTTPTransport(limits=limits)
        return self._transports[host]

    async def _addresses(self, host: str, port: int) -> list[str]:
        if _literal(host) is not None:
            return [host]
        now = self._clock.monotonic()
        known = self._known.get(host)
        if known is None or known[0] <= now:
            known = self._known[host] = (now + RESOLUTION_SECONDS, await self._resolved(host, port))
        return known[1]

    async def _resolved(self, host: str, port: int) -> list[str]:
        try:
            async with asyncio.timeout(self._connection.connect_timeout):
                addresses = await self._resolve(host, port)
        except TimeoutError:
            raise httpx2.ConnectTimeout(f"resolving {host} took too long") from None
        except OSError as error:
            raise httpx2.ConnectError(f"{host} cannot be resolved: {error}") from None
        if not addresses:
            raise httpx2.ConnectError(f"{host} has no address")
        for address in addresses:
            self._check(host, address)
        return addresses

    def _check(self, host: str, address: str) -> None:
        parsed = _literal(address)
        if parsed is None:
            raise denied(self._connection.name, f"{host} leads to something that is no address")
        named_loopback = (host == "localhost" or host.endswith(".localhost")) and parsed.is_loopback
        if not (is_public(parsed) or named_loopback or self._connection.private_addresses):
            raise denied(
                self._connection.name,
                f"{host} leads to the private address {address}; if that is meant, write private_addresses = true",
            )


def denied(connector: str, message: str) -> Denied:
    """Return the refusal of a way out."""
    return Denied(message, code=Code.EGRESS_DENIED, policy="egress", dependency=connector)


def is_public(address: _Address) -> bool:
    """Whether an address is reachable on the public internet, looking through IPv4 inside IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            address = inner
    return address.is_global and not address.is_multicast


def _literal(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _towards(request: httpx2.Request, address: str, connect_until: float) -> httpx2.Request:
    left = max(0.001, connect_until - time.monotonic())
    extensions = {**request.extensions, "timeout": {"connect": left}, "sni_hostname": request.url.host}
    url = request.url if address == request.url.host else request.url.copy_with(host=address)
    return httpx2.Request(request.method, url, headers=request.headers, stream=request.stream, extensions=extensions)
