"""Drives an ASGI application without a server: one request, its answer, a client that can go, and what it asks."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from switchgear.adapters.asgi import SwitchgearMiddleware
from switchgear.adapters.asgi.protocol import Application, Message, Receive, Scope, Send
from switchgear.core.clock import VirtualClock
from switchgear.guard.limiter import RateLimiter
from switchgear.policies.rate_limit import RateLimit


@dataclass
class Reply:
    """What was sent, so far."""

    messages: list[Message] = field(default_factory=list)

    @property
    def status(self) -> int:
        """The status sent; there has to be exactly one."""
        (start,) = [message for message in self.messages if message["type"] == "http.response.start"]
        return int(start["status"])

    @property
    def headers(self) -> dict[str, str]:
        """The header fields sent, each at most once."""
        (start,) = [message for message in self.messages if message["type"] == "http.response.start"]
        fields = [(name.decode(), value.decode()) for name, value in start["headers"]]
        assert len(dict(fields)) == len(fields), fields
        return dict(fields)

    @property
    def body(self) -> bytes:
        """The body sent."""
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document sent."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.headers["content-length"] == str(len(self.body))
        document: dict[str, Any] = json.loads(self.body)
        return document


class Exchange:
    """One request in flight."""

    def __init__(self, app: Application, path: str, headers: dict[str, str], body: tuple[bytes, ...]) -> None:
        """Start it as a task."""
        self.reply = Reply()
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        for position, part in enumerate(body, 1):
            self._messages.put_nowait({"type": "http.request", "body": part, "more_body": position < len(body)})
        fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        scope: Scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": fields}
        self.task = asyncio.ensure_future(app(scope, self._messages.get, self._send))

    def push(self, part: bytes, *, more: bool = False) -> None:
        """Send a further part of the body."""
        self._messages.put_nowait({"type": "http.request", "body": part, "more_body": more})

    @property
    def unread(self) -> int:
        """How many messages nobody has received yet."""
        return self._messages.qsize()

    def hang_up(self) -> None:
        """Let the client go."""
        self._messages.put_nowait({"type": "http.disconnect"})

    async def _send(self, message: Message) -> None:
        self.reply.messages.append(message)


def begin(app: Application, path: str = "/", *, body: tuple[bytes, ...] = (b"",), **headers: str) -> Exchange:
    """Start a request; underscores in the names of `headers` stand for hyphens."""
    return Exchange(app, path, {name.replace("_", "-"): value for name, value in headers.items()}, body)


async def ask(app: Application, path: str = "/", **headers: str) -> Reply:
    """Make a request and return its reply."""
    exchange = begin(app, path, body=(b"",), **headers)
    await exchange.task
    return exchange.reply


class Service:
    """An application that counts what reaches it, and can be held, told to fail, or asked what it read."""

    def __init__(self) -> None:
        """Answer 200 at once. A status of 0 is no answer at all."""
        self.reached = 0
        self.status = 200
        self.headers: list[tuple[bytes, bytes]] = []
        self.error: BaseException | None = None
        self.error_after_start = False
        self.held: asyncio.Event | None = None
        self.held_body: asyncio.Event | None = None
        self.read: list[Message] = []
        self.reads = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        self.reached += 1
        if self.held is not None:
            await self.held.wait()
        if self.error is not None and self.error_after_start is False:
            raise self.error
        if self.reads:
            self.read.append(await receive())
            while self.read[-1].get("more_body"):
                self.read.append(await receive())
        if self.status == 0:
            return
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        if self.error is not None:
            raise self.error
        if self.held_body is not None:
            await self.held_body.wait()
        await send({"type": "http.response.body", "body": b"done"})


def tenant_of(scope: Scope) -> str | None:
    """Read the tenant as a test's verifier left it."""
    return dict(scope["headers"]).get(b"verified-tenant", b"").decode() or None


def route_of(scope: Scope) -> str | None:
    """Name the route by the first part of the path."""
    return f"GET /{scope['path'].split('/')[1]}"


class Front:
    """The middleware over a service, on a clock."""

    def __init__(self, service: Service, clock: VirtualClock, **options: Any) -> None:
        """Build it with `options`; `levels` make its limiter."""
        if "levels" in options:
            options["limits"] = RateLimiter(options.pop("levels"), clock=clock)
            options.setdefault("tenant_of", tenant_of)
        self.limits: RateLimiter | None = options.get("limits")
        self.app = SwitchgearMiddleware(service, clock=clock, **options)


TENANTS: dict[str, Any] = {"tenant": RateLimit(2, per=10.0)}
