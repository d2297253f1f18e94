"""The middleware and the FastAPI dependency behind a real server on loopback, asked by a real client."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx2
import pytest
import uvicorn
from fastapi import Depends, FastAPI, Request
from fastapi.responses import StreamingResponse

from switchgear.adapters.asgi import SwitchgearMiddleware
from switchgear.adapters.asgi.protocol import Scope
from switchgear.adapters.fastapi import install, limited
from switchgear.guard import Guard
from switchgear.guard.limiter import Charge, RateLimiter
from switchgear.policies.bulkhead import Bulkhead
from switchgear.policies.rate_limit import RateLimit

pytestmark = pytest.mark.integration


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[httpx2.AsyncClient]:  # noqa: ANN401 - servers take any application
    """Serve `app` on a free port of loopback, and give a client for it."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    task = asyncio.ensure_future(server.serve())
    await until(lambda: server.started or task.done())
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        await task


async def until(reached: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something holds, within bounds."""
    async with asyncio.timeout(seconds):
        while not reached():  # noqa: ASYNC110 - what is waited for happens in the server, which sets no event
            await asyncio.sleep(0.01)


def tenant_of(scope: Scope) -> str | None:
    """Read the tenant as a test's verifier left it."""
    return dict(scope["headers"]).get(b"verified-tenant", b"").decode() or None


class Held:
    """A FastAPI application whose route can be held."""

    def __init__(self) -> None:
        """Let requests through until told otherwise."""
        self.free = asyncio.Event()
        self.free.set()
        self.reached = 0
        self.app = FastAPI()
        self.app.post("/echo")(self.echo)
        self.app.get("/stream")(self.stream)

    async def echo(self, request: Request) -> dict[str, int]:
        """Tell how long the body is, once free."""
        self.reached += 1
        await self.free.wait()
        return {"bytes": len(await request.body())}

    async def stream(self) -> StreamingResponse:
        """Send a first part at once, and a second when free."""

        async def parts() -> AsyncIterator[bytes]:
            yield b"first "
            await self.free.wait()
            yield b"second"

        return StreamingResponse(parts())


async def test_limits_are_told_and_kept_over_http() -> None:
    """A client sees both fields on each answer, and a refusal with `Retry-After` and every fact."""
    held = Held()
    limits = RateLimiter({"tenant": RateLimit(2, per=100.0)})
    held.app.add_middleware(SwitchgearMiddleware, limits=limits, tenant_of=tenant_of, exempt=("/docs",))
    async with serving(held.app) as client:
        replies = [await client.post("/echo", headers={"verified-tenant": "acme"}) for _ in range(3)]
        assert [reply.status_code for reply in replies] == [200, 200, 429]
        assert replies[0].headers["ratelimit-policy"] == '"tenant";q=2;w=100'
        assert [reply.headers["ratelimit"][:12] for reply in replies] == [
            '"tenant";r=1',
            '"tenant";r=0',
            '"tenant";r=0',
        ]
        refused = replies[2]
        assert refused.headers["content-type"] == "application/problem+json"
        assert 45 <= int(refused.headers["retry-after"]) <= 50
        assert refused.json()["code"] == "RATE_LIMITED_TENANT"
        assert (await client.post("/echo")).json()["code"] == "TENANT_UNAUTHENTICATED"
        assert (await client.get("/docs")).status_code == 200


async def test_a_client_that_hangs_up_in_the_queue_gives_everything_back() -> None:
    """The real server tells of the closed connection, and charge and place are returned before anything ran."""
    held, guard = Held(), Guard("edge", bulkhead=Bulkhead(1, queue=8))
    limits = RateLimiter({"tenant": RateLimit(10, per=1000.0)})
    app = SwitchgearMiddleware(held.app, limits=limits, tenant_of=tenant_of, guard=guard)
    held.free.clear()
    async with serving(app) as client:
        headers = {"verified-tenant": "acme"}
        first = asyncio.ensure_future(client.post("/echo", headers=headers, content=b"x" * 1000))
        await until(lambda: held.reached == 1)
        impatient = [asyncio.ensure_future(client.post("/echo", headers=headers, content=b"y")) for _ in range(3)]
        patient = asyncio.ensure_future(client.post("/echo", headers=headers, content=b"z" * 200_000))
        await until(lambda: guard.statistics().waiting == 4)
        for task in impatient:
            task.cancel()
        await until(lambda: guard.statistics().waiting == 1)
        held.free.set()
        assert (await first).json() == {"bytes": 1000}
        assert (await patient).json() == {"bytes": 200_000}
        await until(lambda: guard.statistics().in_flight == 0)
    assert held.reached == 2
    assert limits.standings(tenant="acme")[0].remaining == pytest.approx(8.0, abs=0.2)


async def test_overload_is_answered_at_once() -> None:
    """Above the guard's places every request gets 503 with its code, while the ones inside finish."""
    held, guard = Held(), Guard("edge", bulkhead=Bulkhead(2))
    held.app.add_middleware(SwitchgearMiddleware, guard=guard)
    held.free.clear()
    async with serving(held.app) as client:
        inside = [asyncio.ensure_future(client.post("/echo")) for _ in range(2)]
        await until(lambda: held.reached == 2)
        refused = await asyncio.gather(*(client.post("/echo") for _ in range(10)))
        assert {reply.status_code for reply in refused} == {503}
        assert {reply.json()["dependency"] for reply in refused} == {"edge"}
        held.free.set()
        assert [reply.status_code for reply in await asyncio.gather(*inside)] == [200, 200]


async def test_the_deadline_of_a_caller_bounds_the_wait_for_an_answer() -> None:
    """504 in time as a problem document; an answer that began goes on to its end."""
    held = Held()
    held.app.add_middleware(SwitchgearMiddleware, deadline_max=5.0)
    held.free.clear()
    async with serving(held.app) as client:
        late = await client.post("/echo", headers={"X-Request-Timeout": "0.05"})
        assert (late.status_code, late.json()["code"]) == (504, "DEADLINE_EXCEEDED")
        stream = asyncio.ensure_future(client.get("/stream", headers={"X-Request-Timeout": "0.05"}))
        await asyncio.sleep(0.2)
        held.free.set()
        assert (await stream).text == "first second"


async def test_a_blocking_route_does_not_hold_up_the_answer() -> None:
    """Its thread cannot be stopped, but the caller is told in time."""
    app, free = FastAPI(), threading.Event()
    app.get("/report")(lambda: free.wait(200.0))
    app.add_middleware(SwitchgearMiddleware, deadline_max=0.05)
    async with serving(app) as client:
        try:
            async with asyncio.timeout(60.0):
                assert (await client.get("/report")).status_code == 504
        finally:
            free.set()


async def test_the_dependency_limits_routes_over_http() -> None:
    """A limited route tells and keeps its limits, and gives its charge to the route."""
    app = FastAPI()
    install(app)
    limiter = RateLimiter({"tool": RateLimit(2, per=100.0)})
    charge_two = limited(limiter, cost=2)

    @app.get("/report/{name}")
    async def report(name: str, charge: Annotated[Charge, Depends(charge_two)]) -> str:
        if name == "none":
            charge.refund()
        return name

    async with serving(app) as client:
        assert (await client.get("/report/none")).status_code == 200
        told = await client.get("/report/a")
        assert (told.status_code, told.headers["ratelimit-policy"]) == (200, '"tool";q=2;w=100')
        refused = await client.get("/report/b")
        assert (refused.status_code, refused.json()["dependency"]) == (429, "GET /report/{name}")
