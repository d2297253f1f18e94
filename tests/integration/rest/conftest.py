"""A real gear on a SQLite file with function tools, and clients that reach it through the REST application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import httpx2
import pytest
import uvloop
from fastapi import FastAPI

from switchgear.assembly.gear import Switchgear
from switchgear.control.development_issuer import DevelopmentIssuer
from switchgear.control.use_cases import PERMISSIONS
from switchgear.surfaces.rest import RestLimits, Traffic, create_app
from tests.integration.rest.support import Clients, Tokens, Upstream, register_tools


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run what is about connections on the loop of the standard library and on that of `switchgear up`."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if item.path.stem in ("test_rest_protocol", "test_rest_server"):
        loops["uvloop"] = uvloop.new_event_loop
    return loops


@pytest.fixture
async def upstream() -> Upstream:
    """Return a fresh upstream on the test's loop."""
    return Upstream()


@pytest.fixture
async def gear(tmp_path: Path, upstream: Upstream) -> AsyncIterator[Switchgear]:
    """Open a gear on a new SQLite store, with one tool of each kind that the tests need."""
    async with Switchgear.open(store=f"sqlite:///{tmp_path / 'gear.db'}") as opened:
        register_tools(opened, upstream)
        yield opened
        upstream.gate.set()


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentIssuer:
    """Return the issuer that the application trusts."""
    return DevelopmentIssuer.create(tmp_path_factory.mktemp("issuer") / "key")


@pytest.fixture
def token(issuer: DevelopmentIssuer) -> Tokens:
    """Return a maker of tokens: `tenant`, `accounts`, `scope` can be given."""

    def issue(tenant: str = "acme", accounts: tuple[str, ...] = ("main",), scope: tuple[str, ...] = PERMISSIONS) -> str:
        return issuer.issue(tenant=tenant, accounts=accounts, actor=f"service:{tenant}", scope=scope)

    return issue


@pytest.fixture
def limits() -> RestLimits:
    """Return the bounds; a test module overrides this fixture to test them."""
    return RestLimits()


@pytest.fixture
async def traffic(limits: RestLimits) -> Traffic:
    """Return the traffic of the application."""
    return Traffic(limits)


@pytest.fixture
async def app(gear: Switchgear, issuer: DevelopmentIssuer, traffic: Traffic) -> FastAPI:
    """Return the REST application over the gear."""
    return create_app(gear.control, issuer.verifier(), traffic=traffic)


@pytest.fixture
async def client(app: FastAPI, token: Tokens) -> AsyncIterator[Clients]:
    """Return a maker of clients with the token of `tenant`, or with no token for None."""
    opened: list[httpx2.AsyncClient] = []

    def make(tenant: str | None = "acme", scope: tuple[str, ...] = PERMISSIONS) -> httpx2.AsyncClient:
        headers = {} if tenant is None else {"Authorization": f"Bearer {token(tenant, scope=scope)}"}
        transport = httpx2.ASGITransport(app=app)
        opened.append(httpx2.AsyncClient(transport=transport, base_url="http://rest", headers=headers))
        return opened[-1]

    yield make
    for one in opened:
        await one.aclose()
