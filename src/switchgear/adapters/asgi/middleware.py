"""`SwitchgearMiddleware`: a deadline, limits and shedding for each request, in front of any ASGI application.

The order is: tenant, deadline, limits, guard, application. What is refused costs nothing: a charge is given back when
the request does not reach the application. Connections that are no HTTP requests pass untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AsyncExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from switchgear.adapters.asgi.checks import (
    checked_paths,
    require_callable,
    require_documentation,
    require_header_name,
    require_header_value,
    require_kind,
    require_limiter,
    require_name,
    require_reader,
    require_tenants,
)
from switchgear.adapters.asgi.exchange import Exchange, Interruption
from switchgear.adapters.asgi.headers import SHOWN, checked_shown, limit_fields, wished_seconds
from switchgear.adapters.asgi.problems import is_defect, problem_answer
from switchgear.adapters.asgi.protocol import Application, Fields, Receive, Scope, Send
from switchgear.core.clock import SYSTEM_CLOCK, Clock
from switchgear.core.codes import Code
from switchgear.core.deadline import deadline
from switchgear.core.errors import DeadlineExceeded, Denied, OptionError, SwitchgearError
from switchgear.guard import Guard
from switchgear.guard.limiter import Charge, RateLimiter
from switchgear.policies.checks import require_seconds
from switchgear.policies.levels import Level

NameOf = Callable[[Scope], str | None]
"""Reads a name of a request, or None when it has none."""


class SwitchgearMiddleware:
    """Refuse what is too much or too late before the application works on it.

    app              the ASGI application behind it.
    limits           a limiter: its tenant level by `tenant_of`, its tool level by `route_of`, its global level.
    tenant_of        reads the tenant from what verified it, never from path, query or body. None: there are none.
    route_of         names the route, from a small set: ``"GET /orders"``, not the path. None: no tool level.
    anonymous        the name under which all requests without a tenant are limited together; None refuses them with
                     TENANT_UNAUTHENTICATED.
    guard            lets a request in, or sheds it: its bulkhead, queue, shedding and deadline. An answer of 500 and
                     above counts as a failure. Retry, hedge and fallback do not apply.
    priority_of      reads the priority class that the guard's shedding goes by; None from it is the usual one.
    deadline_header  in which callers say how many seconds they wait; ``grpc-timeout`` is read as well. None reads
                     neither.
    deadline_max     seconds from the request to the start of its answer, above 0, default 60; callers can only ask for
                     less. It is in force for all guards inside. None bounds only callers that ask for it.
    exempt           paths that pass untouched: whole ones, or all below one that ends in ``/``.
    shown            the levels that ``RateLimit`` headers tell.
    challenge        what ``WWW-Authenticate`` says with TENANT_UNAUTHENTICATED.
    documentation    where the pages are published that the ``type`` of a problem leads to, such as
                     ``https://docs.example.com/switchgear``; None makes it a name for ``switchgear explain``.
    clock            to be replaced in tests.

    Refusals are problem documents (RFC 9457) with status and facts by their code, and ``Retry-After``. An error of
    Switchgear that leaves the application before it answered is told in the same way; any other error passes.
    Raises `OptionError` for options that cannot work.
    """

    __slots__ = (
        "_app",
        "_challenge",
        "_clock",
        "_documentation",
        "_exempt",
        "_guard",
        "_limits",
        "_readers",
        "_shown",
        "_time",
    )

    def __init__(  # noqa: PLR0913 - all by keyword, as frameworks pass the options of middleware
        self,
        app: Application,
        *,
        limits: RateLimiter | None = None,
        tenant_of: NameOf | None = None,
        route_of: NameOf | None = None,
        anonymous: str | None = None,
        guard: Guard | None = None,
        priority_of: NameOf | None = None,
        deadline_header: str | None = "X-Request-Timeout",
        deadline_max: float | None = 60.0,
        exempt: Collection[str] = (),
        shown: tuple[Level, ...] = SHOWN,
        challenge: str = "Bearer",
        documentation: str | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Check the options."""
        require_callable(_option("app"), app, example="SwitchgearMiddleware(app), with an ASGI application")
        require_header_value(_option("challenge"), challenge, example="Bearer")
        require_documentation(_option("documentation"), documentation)
        self._app = app
        self._limits = limits
        self._guard = guard
        self._readers = _Readers(tenant_of, route_of, anonymous, priority_of)
        self._time = _Time(deadline_header, deadline_max)
        self._exempt = checked_paths(exempt)
        self._shown = checked_shown(shown)
        self._challenge = challenge
        self._documentation = documentation
        self._clock = clock
        if limits is not None:
            require_limiter(_option("limits"), limits)
            _check_names(limits, self._readers)
        if guard is not None:
            require_kind(_option("guard"), guard, Guard, example='Guard("inbound", bulkhead=Bulkhead(32))')
        elif priority_of is not None:
            raise OptionError("priority_of= is for the shedding of a guard; give guard= as well")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or self._is_exempt(scope["path"]):
            await self._app(scope, receive, send)
            return
        exchange = Exchange(receive, send)
        try:
            await self._serve(scope, exchange)
        except SwitchgearError as error:
            if exchange.started or is_defect(error):
                raise
            await exchange.answer(problem_answer(error, self._challenge, self._documentation))
        finally:
            exchange.close()

    async def _serve(self, scope: Scope, exchange: Exchange) -> None:
        """Serve a request, or raise why not."""
        caller = self._readers.read(scope)
        seconds = self._time.seconds(scope)
        if seconds is not None and seconds <= 0:
            raise DeadlineExceeded("the caller gives no time", sent=False, operation="request")
        visit = _Visit(exchange, caller, self._charge(caller, exchange))
        try:
            with self._bounded(seconds, visit):
                await self._enter(scope, visit)
        finally:
            visit.leave()
        if visit.interruption.reason == "deadline" and not exchange.started:
            raise DeadlineExceeded(f"no answer began within {seconds:g} s", sent=visit.entered, operation="request")

    def _charge(self, caller: _Caller, exchange: Exchange) -> Charge | None:
        """Charge the limits and have the answer tell them, a refusal's as well."""
        limits = self._limits
        if limits is None:
            return None

        def fields(retry_after: float | None) -> Fields:
            standings = limits.standings(tenant=caller.tenant, tool=caller.route)
            return limit_fields(standings, self._shown, retry_after)

        exchange.fields = fields
        return limits.check(tenant=caller.tenant, tool=caller.route)

    @contextmanager
    def _bounded(self, seconds: float | None, visit: _Visit) -> Iterator[None]:
        """Cut the block off when no answer has begun within `seconds`; None is for ever."""
        if seconds is None:
            with visit.interruption:
                yield
            return
        visit.ends = self._clock.monotonic() + seconds
        timer = self._clock.call_at(visit.ends, lambda: visit.interruption.cut("deadline"))
        visit.exchange.on_start = timer.cancel
        try:
            with visit.interruption:
                yield
        finally:
            timer.cancel()

    async def _enter(self, scope: Scope, visit: _Visit) -> None:
        """Get in, by the guard if there is one, and let the application work."""
        if self._guard is None:
            await self._work(scope, visit)
            return
        async with AsyncExitStack() as stack:
            end_listening = visit.exchange.listen(lambda: visit.interruption.cut("disconnect"))
            stack.callback(end_listening)
            permit = await stack.enter_async_context(visit.caller.at(self._guard).permit())
            end_listening()
            await self._work(scope, visit)
            status = visit.exchange.status
            if status is None:
                permit.ignore()
            elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                permit.fail()

    async def _work(self, scope: Scope, visit: _Visit) -> None:
        """Let the application work, with the deadline in force for the guards inside it."""
        visit.entered = True
        exchange = visit.exchange
        with nullcontext() if visit.ends is None else self._left_until(visit.ends):
            await self._app(scope, exchange.receive, exchange.send)

    def _left_until(self, ends: float) -> deadline:
        return deadline(max(0.0, ends - self._clock.monotonic()), clock=self._clock)

    def _is_exempt(self, path: str) -> bool:
        whole, below = self._exempt
        return path in whole or (path.startswith(below) and ".." not in path.split("/"))


@dataclass(frozen=True, slots=True)
class _Caller:
    """Who asks, for what, and how important it is."""

    tenant: str | None
    route: str | None
    priority: str | None

    def at(self, guard: Guard) -> Guard:
        """Return the guard for this caller's calls."""
        said: dict[str, Any] = {"tenant": self.tenant, "priority": self.priority}
        terms = {name: value for name, value in said.items() if value is not None}
        return guard.using(**terms) if terms else guard


@dataclass(frozen=True, slots=True)
class _Readers:
    """How a request says who asks."""

    tenant_of: NameOf | None
    route_of: NameOf | None
    anonymous: str | None
    priority_of: NameOf | None

    def __post_init__(self) -> None:
        """Check the readers."""
        for name in ("tenant_of", "route_of", "priority_of"):
            require_reader(_option(name), getattr(self, name), example=f'{name}=lambda scope: scope.get("{name[:-3]}")')
        require_name(_option("anonymous"), self.anonymous, example="anonymous")

    def read(self, scope: Scope) -> _Caller:
        """Return who asks. Raises `Denied` (TENANT_UNAUTHENTICATED) when that has to be known and is not."""
        return _Caller(self._tenant(scope), _read(self.route_of, scope), _read(self.priority_of, scope))

    def _tenant(self, scope: Scope) -> str | None:
        if self.tenant_of is None:
            return self.anonymous
        tenant = self.tenant_of(scope) or self.anonymous
        if tenant is None:
            raise Denied("the request has no tenant", code=Code.TENANT_UNAUTHENTICATED, policy="tenant")
        return tenant


@dataclass(frozen=True, slots=True)
class _Time:
    """How long a request may take: what the caller says, and at most `deadline_max`."""

    deadline_header: str | None
    deadline_max: float | None

    def __post_init__(self) -> None:
        """Check the header and the bound."""
        require_header_name(_option("deadline_header"), self.deadline_header, example="X-Request-Timeout")
        if self.deadline_max is not None:
            require_seconds("SwitchgearMiddleware(deadline_max)", self.deadline_max, example=60.0)

    def seconds(self, scope: Scope) -> float | None:
        """Return the seconds of a request; None when nothing bounds it. Raises `Invalid` for a header in disorder."""
        wish = None if self.deadline_header is None else wished_seconds(scope["headers"], self.deadline_header)
        return min((seconds for seconds in (wish, self.deadline_max) if seconds is not None), default=None)


class _Visit:
    """One request on its way: who asks, its charge, when it `ends` by the clock, whether it reached the application."""

    __slots__ = ("_charge", "caller", "ends", "entered", "exchange", "interruption")

    def __init__(self, exchange: Exchange, caller: _Caller, charge: Charge | None) -> None:
        self.exchange = exchange
        self.caller = caller
        self.interruption = Interruption()
        self.ends: float | None = None
        self.entered = False
        self._charge = charge

    def leave(self) -> None:
        """Give the charge back when nothing was done for it."""
        if self._charge is not None and not self.entered:
            self._charge.refund()


def _read(reader: NameOf | None, scope: Scope) -> str | None:
    return None if reader is None else reader(scope)


def _check_names(limits: RateLimiter, readers: _Readers) -> None:
    """Raise `OptionError` for a level that no request could ever name."""
    require_tenants(limits, readers.tenant_of, readers.anonymous, reads="scope")
    if "tool" in limits.levels and readers.route_of is None:
        raise OptionError("limits with a tool level need route_of=, a function of the scope")
    if "connector" in limits.levels:
        raise OptionError("requests have no connector; write the limits at the level of tenant, tool or global")


def _option(name: str) -> str:
    return f"SwitchgearMiddleware({name})"
