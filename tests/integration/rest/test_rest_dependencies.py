"""Dependencies over REST, with a real Redis that is killed and started again: seen, recorded, and over soon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from switchgear.assembly.gear import Switchgear
from switchgear.core.scope import PLATFORM_TENANT
from switchgear.ledger.events import Recorded, read
from tests.integration.adapters.real_server import RealServer
from tests.integration.adapters.redis.server import redis_server
from tests.integration.rest.support import Clients, Upstream, register_tools

pytestmark = pytest.mark.integration

PROBE_EVERY = 0.5
WITHIN_SECONDS = 60.0
PATIENCE_SECONDS = 30.0
"""How long a probe waits for a Redis that lives: a killed one refuses, and is seen at once."""
SLACK_SECONDS = 30.0
"""What a busy machine may take beyond what is promised."""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RealServer]:
    """Run a Redis for one test, which may kill it."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder) as running:
        yield running


@pytest.fixture
async def gear(tmp_path: Path, redis: RealServer, upstream: Upstream) -> AsyncIterator[Switchgear]:
    """Open a gear by a file that declares the Redis."""
    file = tmp_path / "switchgear.toml"
    file.write_text(
        f'[store]\nurl = "sqlite:///{tmp_path / "gear.db"}"\n'
        '[dependencies.redis]\nkind = "redis"\ncritical = true\ndown_after = 2\n'
        f"probe_every = {PROBE_EVERY}\nprobe_timeout = {PATIENCE_SECONDS}\n"
        f"backoff_max = {PROBE_EVERY}\nfreshness = 600.0\n"
        f'probe = {{ url = "redis://127.0.0.1:{redis.port}/0" }}\n',
        encoding="utf-8",
    )
    async with Switchgear.open(file) as opened:
        register_tools(opened, upstream)
        yield opened


async def shown(client: httpx2.AsyncClient, state: str) -> dict[str, Any]:
    """Return what REST says of the Redis once it says `state`."""
    ends = time.monotonic() + WITHIN_SECONDS
    while True:
        view: dict[str, Any] = (await client.get("/v1/dependencies/redis")).json()
        if view["state"] == state:
            return view
        assert time.monotonic() < ends, view
        await asyncio.sleep(0.02)


async def health(client: httpx2.AsyncClient) -> dict[str, Any]:
    """Return the report of `/healthz`."""
    report: dict[str, Any] = (await client.get("/healthz")).json()
    return report


async def recorded(gear: Switchgear) -> list[Recorded]:
    """Return what the ledger holds of the Redis."""
    return [read(entry) for entry in await gear.store.stream(PLATFORM_TENANT, "dependency:redis")]


async def test_an_outage_is_seen_over_rest_and_over_within_a_probe_interval(
    gear: Switchgear, redis: RealServer, client: Clients
) -> None:
    """unhealthy, recovering, healthy: on REST and in the ledger, with the time of the next look."""
    ops = client()
    assert (await shown(ops, "healthy"))["vouches"]
    redis.kill()
    down = await shown(ops, "unhealthy")
    assert (down["critical"], down["vouches"], "Error" in down["reason"]) == (True, False, True)
    assert 0 <= down["retry_after"] <= PROBE_EVERY
    redis.start()
    repaired = time.monotonic()
    await shown(ops, "healthy")
    assert time.monotonic() - repaired <= 2 * PROBE_EVERY + SLACK_SECONDS
    ends = time.monotonic() + WITHIN_SECONDS
    while len(entries := await recorded(gear)) < 5:
        assert time.monotonic() < ends, entries
        await asyncio.sleep(0.02)
    told = [entry.type.removeprefix("dependency.") for entry in entries]
    assert told == ["recovering", "healthy", "unhealthy", "recovering", "healthy"]
    assert entries[2].facts["retry_after"] <= PROBE_EVERY


async def test_law_9_a_tenant_sees_where_it_stands_and_not_why(client: Clients) -> None:
    """Why, and what became of destructive operations, needs `platform:read`."""
    tenant = client(scope=("dependencies:read",))
    await shown(client(), "healthy")
    (seen,) = (await tenant.get("/v1/dependencies")).json()["items"]
    assert {name for name, value in seen.items() if value is not None} <= {"name", "state", "state_age", "retry_after"}
    assert (await tenant.get("/v1/dependencies/crm")).status_code == 404
    assert (await client(scope=("breakers:read",)).get("/v1/dependencies")).status_code == 403
    assert (await tenant.get("/v1/destructive-operations")).json() == {"items": []}


async def test_health_names_it_to_the_platform_alone(redis: RealServer, client: Clients) -> None:
    """An outage of a dependency is a warning there, and no reason to be unready."""
    await shown(client(), "healthy")
    redis.kill()
    await shown(client(), "unhealthy")
    ends = time.monotonic() + WITHIN_SECONDS
    while (whole := await health(client("acme")))["status"] != "warn":  # a report is shown again for a second
        assert time.monotonic() < ends, whole
        await asyncio.sleep(0.02)
    anybody = await health(client(None))
    (check,) = whole["checks"]["dependencies:health"]
    assert (check["componentId"], check["status"], check["observedValue"]) == ("redis", "fail", "unhealthy")
    assert "redis" not in str(anybody)
    assert (await client(None).get("/readyz")).status_code == 200
