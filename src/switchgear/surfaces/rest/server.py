"""Run the REST server: listen, serve, and stop in order.

First SIGTERM or SIGINT: not ready at once, new submissions are refused with SHUTTING_DOWN, everything else
is still answered while what is dispatched ends, at most for the grace; then connections close. Second signal:
stop now. Either way nothing acknowledged is lost: that is in the ledger.
"""

from __future__ import annotations

import asyncio
import math
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext

import structlog
import uvicorn
from starlette.types import ASGIApp

from switchgear.adapters.systemd import Notifier
from switchgear.assembly.configuration import Configuration
from switchgear.assembly.gear import Switchgear
from switchgear.control.access import TokenVerifier
from switchgear.core.clock import SYSTEM_CLOCK
from switchgear.core.errors import OptionError
from switchgear.surfaces.rest.app import create_app
from switchgear.surfaces.rest.limits import RestLimits
from switchgear.surfaces.rest.protocol import protocol_with
from switchgear.surfaces.rest.races import first_of
from switchgear.surfaces.rest.supervision import Supervision
from switchgear.surfaces.rest.traffic import Traffic

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_CLOSE_SECONDS = 2
_LOG = structlog.get_logger("switchgear.rest")


async def run_server(
    gear: Switchgear,
    host: str,
    port: int,
    ready: Callable[[str], object],
    *,
    verifier: TokenVerifier,
    limits: RestLimits | None = None,
    notifier: Notifier | None = None,
) -> bool:
    """Serve `gear` on `host` and `port` (0 for any free one) until a signal stops it.

    `ready` gets the address, such as ``http://127.0.0.1:8420``, once requests are accepted. Without `limits`
    those of the gear's configuration hold. `notifier` tells the service manager when it has started, that it is alive,
    and when it stops.
    Return True when it stopped in order, False when a second signal cut that short. The gear stays open; its
    owner closes it. Raises `OptionError` when the address cannot be bound.
    """
    limits = limits or limits_of(gear.configuration)
    traffic = Traffic(limits, documentation=gear.configuration.server.documentation)
    app = create_app(gear.control, verifier, traffic=traffic)
    await gear.control.readiness.self_test.run()
    supervision = Supervision(gear, traffic, notifier)

    def listening(url: str) -> None:
        ready(url)
        supervision.listening()

    with _signals_stop(traffic):
        async with supervision.telling():
            in_order = await serve(app, traffic, host=host, port=port, ready=listening, drain=gear.drain)
            if not in_order:
                gear.stop_now()  # the drain may not have begun: whoever closes the gear is not to wait for it then
            return in_order


def limits_of(configuration: Configuration) -> RestLimits:
    """Return the bounds that a configuration sets. Raises `OptionError` for one that cannot work."""
    server = configuration.server
    return RestLimits(
        body_limit_bytes=server.body_limit_bytes,
        header_limit_bytes=server.header_limit_bytes,
        requests_max=server.requests_max,
        waits_max=server.waits_max,
        waits_tenant_max=server.waits_tenant_max,
        connections_max=server.connections_max,
        wait_max=server.wait_max,
        header_timeout=server.header_timeout,
        body_timeout=server.body_timeout,
        keep_alive=server.keep_alive,
        grace=configuration.engine.shutdown_grace,
    )


async def serve(
    app: ASGIApp,
    traffic: Traffic,
    *,
    host: str,
    port: int,
    ready: Callable[[str], object],
    drain: Callable[[float], Awaitable[object]],
) -> bool:
    """Serve `app` until `traffic` is asked to stop. `drain` gets the seconds of grace. No signal is looked at.

    Return whether it stopped in order. Raises `OptionError` when the address cannot be bound.
    """
    server = _Server(_configured(app, traffic))
    with _listen(host, port) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await first_of(server.wait_started(), _ended(serving))
        if not serving.done():
            ready(_url(host, listener))
        await first_of(traffic.wait_stopping(), _ended(serving))
        drained = await first_of(_drain(traffic, drain), traffic.wait_stop_now())
        server.stop(now=not drained)
        await serving
    return bool(drained)


class _Server(uvicorn.Server):
    """A uvicorn server that says when it listens and leaves signals to us."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._listening = asyncio.Event()

    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override] # a context manager too: one that does nothing
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening.set()

    async def wait_started(self) -> None:
        await self._listening.wait()

    def stop(self, *, now: bool) -> None:
        self.should_exit = True
        self.force_exit = now


def _configured(app: ASGIApp, traffic: Traffic) -> uvicorn.Config:
    limits = traffic.limits
    return uvicorn.Config(
        app,
        http=protocol_with(limits, traffic.documentation),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=limits.connections_max,
        timeout_keep_alive=math.ceil(limits.keep_alive),
        timeout_graceful_shutdown=_CLOSE_SECONDS,
    )


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OptionError(f"cannot listen on {host}, port {port}: {reason}; choose another --port") from error


def _url(host: str, listener: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


@contextmanager
def _signals_stop(traffic: Traffic) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, traffic.stop)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def _drain(traffic: Traffic, drain: Callable[[float], Awaitable[object]]) -> bool:
    """Let accepted writes and dispatched work end. True when both did what they could within one grace."""
    grace, begun = traffic.limits.grace, SYSTEM_CLOCK.monotonic()
    _LOG.info("stopping", grace=grace)
    await traffic.wait_settled(grace)
    await drain(max(0.0, grace - (SYSTEM_CLOCK.monotonic() - begun)))
    return True


async def _ended(serving: asyncio.Task[None]) -> None:
    await asyncio.wait({serving})
