"""A gear inside an application of one's own: opened and closed with it; its health as routes of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI
from starlette.applications import Starlette

from switchgear.assembly.gear import Switchgear
from switchgear.control.development_issuer import DevelopmentIssuer
from switchgear.core.codes import Code
from switchgear.core.errors import OptionError, StoreError
from switchgear.execution.contract import Call
from switchgear.surfaces.rest import add_health_routes, gear_in, gear_lifespan, gear_of

PATHS = ("/livez", "/readyz", "/healthz")
SCRIPT = Path(__file__).with_name("embedding_process.py")


def tools(gear: Switchgear) -> None:
    """Register what the application acts with."""

    @gear.tool("crm.read", effect="read_only")
    async def read(_call: Call) -> str:
        return "read"


@asynccontextmanager
async def calling(app: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    """Call an application, whether it runs or not."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://host") as client:
        yield client


def running(app: Starlette) -> AbstractAsyncContextManager[Any]:
    """Run an application's lifespan, as a server does."""
    return app.router.lifespan_context(app)


async def test_the_gear_lives_as_long_as_the_application() -> None:
    """One line opens it before the first request and closes it after the last; a route gets it by its type."""
    app = FastAPI(lifespan=gear_lifespan(store="memory://", tools=tools))

    @app.post("/orders")
    async def order(gear: Annotated[Switchgear, Depends(gear_of)]) -> str:
        acme = gear.acting_as(tenant="acme", account="main", actor="service:orders")
        return str((await (await acme.submit("crm.read")).result()).value)

    async with calling(app) as client:
        async with running(app):
            gear = gear_in(app)
            assert (await client.post("/orders")).json() == "read"
        assert gear.stopping
        with pytest.raises(OptionError, match="no gear is open"):
            gear_in(app)


async def test_nothing_is_mounted_that_was_not_asked_for() -> None:
    """An application has the routes that it had."""
    app = FastAPI(lifespan=gear_lifespan(store="memory://"), openapi_url=None)
    async with running(app), calling(app) as client:
        assert [(await client.get(path)).status_code for path in PATHS] == [404, 404, 404]
    assert app.routes == []


@pytest.mark.parametrize("kind", [FastAPI, Starlette])
async def test_health_is_added_by_one_call(kind: type[Starlette]) -> None:
    """The three checks, for FastAPI and for Starlette; before the start and after the end it is not ready."""
    app = kind(lifespan=gear_lifespan(store="memory://"))
    add_health_routes(app)
    async with calling(app) as client:
        closed = [(await client.get(path)).status_code for path in PATHS]
        async with running(app):
            answers = [await client.get(path) for path in PATHS]
            await gear_in(app).drain(0.0)
            stopping = [(await client.get(path)).status_code for path in PATHS]
        gone = await client.get("/healthz")
    assert closed == [200, 503, 503]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[1].json()["parts"]["self_test"] == "ok"
    assert answers[2].headers["content-type"] == "application/health+json"
    assert stopping == [200, 503, 503]
    assert (gone.status_code, gone.json()["status"]) == (503, "fail")


async def test_the_platforms_token_sees_the_whole(tmp_path: Path) -> None:
    """With a verifier the rules are those of REST: names for the platform, a refusal for a bad token."""
    issuer = DevelopmentIssuer.create(tmp_path / "key")
    app = FastAPI(lifespan=gear_lifespan(store="memory://", tools=tools))
    add_health_routes(app, verifier=issuer.verifier())
    token = issuer.issue(tenant="acme", accounts=["main"], actor="person:ada", scope=("platform:read",))
    async with running(app), calling(app) as client:
        whole = await client.get("/healthz", headers={"Authorization": f"Bearer {token}"})
        refused = await client.get("/healthz", headers={"Authorization": "Bearer x"})
        anybody = await client.get("/healthz")
    assert whole.json()["checks"]["breakers:state"][0]["componentId"] == "crm"
    assert (refused.status_code, refused.json()["code"]) == (401, "TENANT_UNAUTHENTICATED")
    assert "crm" not in anybody.text


async def test_tools_may_be_registered_by_an_async_function() -> None:
    """What is awaitable is awaited: no tool is missing because somebody wrote `async`."""

    async def later(gear: Switchgear) -> None:
        tools(gear)

    app = Starlette(lifespan=gear_lifespan(store="memory://", tools=later))
    async with running(app):
        assert [tool.name for tool in gear_in(app).engine.registry] == ["crm.read"]


async def test_a_path_that_is_taken_is_said_so() -> None:
    """Two checks at one path would hide each other."""
    app = FastAPI(lifespan=gear_lifespan(store="memory://"))
    app.add_api_route("/readyz", lambda: "mine")
    with pytest.raises(OptionError, match="/readyz"):
        add_health_routes(app)


async def test_a_lifespan_of_ones_own_runs_inside() -> None:
    """It begins when the gear is open and ends before it closes; what it yields is the application's state."""
    seen: list[str] = []

    @asynccontextmanager
    async def own(app: Starlette) -> AsyncIterator[Mapping[str, Any]]:
        seen.append("open" if not gear_in(app).stopping else "stopping")
        yield {"pool": 7}
        seen.append("open" if not gear_in(app).stopping else "stopping")

    app = Starlette(lifespan=gear_lifespan(store="memory://", inside=own))
    async with running(app) as state:
        assert state == {"pool": 7}
    assert seen == ["open", "open"]


async def test_a_gear_that_cannot_be_opened_keeps_the_application_from_starting(tmp_path: Path) -> None:
    """Fail at the start, with the code: not at the first request."""
    url = f"sqlite:///{tmp_path / 'gear.db'}"
    app = FastAPI(lifespan=gear_lifespan(store=url))
    async with Switchgear.open(store=url):
        with pytest.raises(StoreError) as refusal:
            await running(app).__aenter__()
        assert refusal.value.code is Code.STORE_IN_USE


@pytest.mark.parametrize("options", [{}, {"path": "switchgear.toml", "store": "memory://"}])
def test_options_that_cannot_work_together_are_refused_at_once(options: dict[str, Any]) -> None:
    """Before the application runs, with what to write."""
    with pytest.raises(OptionError, match="gear_lifespan"):
        gear_lifespan(**options)


@contextmanager
def hosting(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the application in a process of its own; give the process and its address."""
    process = subprocess.Popen([sys.executable, str(SCRIPT), str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait(60.0)
        process.stdout.close()


async def is_serving(url: str) -> bool:
    """Whether a new connection is taken."""
    try:
        async with httpx2.AsyncClient(base_url=url) as stranger:
            await stranger.get("/orders/none")
    except httpx2.TransportError:
        return False
    return True


@pytest.mark.integration
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_host_that_is_stopped_lets_what_it_began_end(tmp_path: Path, number: signal.Signals) -> None:
    """SEMANTICS §12, in somebody else's server: what is dispatched ends within the grace, and is on record."""
    with hosting(tmp_path) as (process, url):
        async with httpx2.AsyncClient(base_url=url) as client:
            intent_id = (await client.post("/orders")).json()
            while (await client.get(f"/orders/{intent_id}")).json() != "dispatched":
                pass
            process.send_signal(number)
            while await is_serving(url):
                pass
        (tmp_path / "gate").touch()
        process.wait(60.0)
    async with Switchgear.open(store=f"sqlite:///{tmp_path / 'gear.db'}", start=False) as gear:
        acme = gear.acting_as(tenant="acme", account="main", actor="test")
        assert (await acme.intent(intent_id)).state == "succeeded"
