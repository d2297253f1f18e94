"""REST and engine as one server, until a signal stops it or inside a running loop; development tokens.

It decides where to listen and whom to trust; serving itself is `switchgear.surfaces.rest`, everything else is
below.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from structlog.typing import EventDict, Processor

from switchgear.adapters.systemd import Notifier, notify_options
from switchgear.assembly.configuration import Configuration
from switchgear.assembly.gear import Switchgear
from switchgear.assembly.process import collect_garbage_seldom
from switchgear.control.access import TokenVerifier
from switchgear.control.development_issuer import DevelopmentIssuer, require_loopback
from switchgear.core.clock import SYSTEM_CLOCK
from switchgear.core.errors import StoreError
from switchgear.core.moments import moment_text
from switchgear.execution.engine import LeftOpen
from switchgear.execution.recovery import Recovered
from switchgear.launch.ending import ending_in_time
from switchgear.surfaces.cli.services import Grant, Place
from switchgear.surfaces.rest import Traffic, create_app, limits_of, run_server
from switchgear.surfaces.rest import serve as serve_app

_LOG = structlog.get_logger("switchgear.start")
_KEY_WITHOUT_A_FILE = Path("switchgear.development-key")
_FIELDS = frozenset(
    {"guard", "state", "dependency", "before", "after", "retry_after", "flapping", "left_out", "code", "backup_at"}
)
"""What a line of a guard, of a dependency or of a restored store carries beside its text: JSON has it by name."""


def serve(place: Place, ready: Callable[[str], None]) -> int:
    """Serve until a signal; return 0 when it stopped in order, 1 when a second signal cut that short."""
    with ending_in_time() as recorded, asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_serve(place, ready, recorded))


@asynccontextmanager
async def embed(place: Place) -> AsyncIterator[str]:
    """Serve inside the running loop for as long as the context lasts, and yield the base URL."""
    _prepare(place)
    async with Switchgear.open(place.configuration) as gear:
        tell_of_recovery(gear.recovered)
        verifier, host, port = _development(gear.configuration, place)
        limits, documentation = limits_of(gear.configuration), gear.configuration.server.documentation
        traffic = Traffic(limits, documentation=documentation)
        app = create_app(gear.control, verifier, traffic=traffic)
        await gear.control.readiness.self_test.run()
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(
            serve_app(app, traffic, host=host, port=port, ready=address.set_result, drain=gear.drain)
        )
        try:
            yield await _address(serving, address)
        finally:
            traffic.stop()
            await serving


def issue_token(configuration: Configuration, grant: Grant) -> str:
    """Return a development token, signed with the key beside the store of `configuration`."""
    return _issuer(configuration).issue(
        tenant=grant.tenant,
        accounts=grant.accounts,
        actor=grant.actor,
        scope=grant.permissions,
        seconds=grant.seconds,
        audience=configuration.access.audience,
    )


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the fast event loop; None, for the usual one, where that does not exist (Windows)."""
    if find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    return factory


def log_to_standard_error(configuration: Configuration) -> None:
    """Log as the configuration says: for people on a terminal, JSON lines elsewhere, unless it names one.

    What our own loggers say is written from that level on, of others' only warnings.
    """
    level = getattr(logging, configuration.log.level.upper())
    as_json = configuration.log.format == "json" or (configuration.log.format == "auto" and not sys.stderr.isatty())
    first: list[Processor] = [
        structlog.processors.add_log_level,
        _stamped,
    ]
    if as_json:
        first.append(structlog.processors.format_exc_info)
    last: Processor = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[*first, last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler()
    told: list[Processor] = [*first, structlog.stdlib.ExtraAdder(_FIELDS)] if as_json else first
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=last, foreign_pre_chain=told))
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
    logging.getLogger("switchgear").setLevel(level)


def tell_of_recovery(found: Recovered) -> None:
    """Log in one line what was open when this start found it; a warning where anything needs a look."""
    if found.in_doubt or found.unreadable:
        tell = _LOG.warning
    elif found.queued:
        tell = _LOG.info
    else:
        return
    tell("open work recovered", queued=found.queued, in_doubt=found.in_doubt, unreadable=found.unreadable)


def tell_of_warnings(configuration: Configuration) -> None:
    """Log what `switchgear check` warns of, one line each: whoever starts a server need not have asked it."""
    for warning in configuration.warnings():
        _LOG.warning("configuration", warning=warning)


def tell_of_end(left: LeftOpen | None, *, in_order: bool) -> None:
    """Log that it has stopped, and what it has `left` open on its store; None where that could not be counted.

    A warning where a second signal cut that short.
    """
    if in_order and left is not None:
        _LOG.info("stopped", in_doubt=left.in_doubt, unfinished=left.unfinished)
    elif in_order:
        _LOG.warning("stopped", in_doubt=None, unfinished=None, next="the ledger could not be read; look after a start")
    else:
        _LOG.warning("stopped at once", next="the next start goes on with what was under way, or finds it in doubt")


def _stamped(_: object, __: str, line: EventDict) -> EventDict:
    """Write on a line of the log when it was written."""
    line["timestamp"] = moment_text(SYSTEM_CLOCK.time())
    return line


async def _serve(place: Place, ready: Callable[[str], None], recorded: Callable[[int], None]) -> int:
    _prepare(place)
    async with Switchgear.open(place.configuration) as gear:
        tell_of_warnings(gear.configuration)
        tell_of_recovery(gear.recovered)
        verifier, host, port = _development(gear.configuration, place)
        limits = limits_of(gear.configuration)
        collect_garbage_seldom()
        with _service_manager() as notifier:
            in_order = await run_server(gear, host, port, ready, verifier=verifier, limits=limits, notifier=notifier)
        left = await _left_open(gear) if in_order else None
    code = 0 if in_order else 1
    tell_of_end(left, in_order=in_order)
    recorded(code)
    return code


async def _left_open(gear: Switchgear) -> LeftOpen | None:
    try:
        return await gear.engine.left_open()
    except StoreError:
        return None


@contextmanager
def _service_manager() -> Iterator[Notifier | None]:
    """Yield who tells the service manager that started this process; None when there is none."""
    options = notify_options(os.environ, pid=os.getpid())
    if options is None:
        yield None
    else:
        with Notifier(options) as notifier:
            yield notifier


async def _address(serving: asyncio.Task[bool], address: asyncio.Future[str]) -> str:
    """Return the address once it is served; raise what kept it from being served."""
    waited: set[asyncio.Future[Any]] = {serving, address}
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    return await address


def _prepare(place: Place) -> None:
    """Log as the configuration says before a store is opened, since opening it is told of as well.

    Raises `OptionError` off loopback: a server that is refused leaves no file behind.
    """
    require_loopback(_host(place.configuration, place))
    log_to_standard_error(place.configuration)


def _host(configuration: Configuration, place: Place) -> str:
    return place.host or configuration.server.host


def _development(configuration: Configuration, place: Place) -> tuple[TokenVerifier, str, int]:
    """Return a verifier of development tokens and where to listen. Raises `OptionError` off loopback."""
    host = _host(configuration, place)
    require_loopback(host)
    access = configuration.access
    verifier = _issuer(configuration).verifier(audience=access.audience, leeway=access.leeway)
    return verifier, host, configuration.server.port if place.port is None else place.port


def _issuer(configuration: Configuration) -> DevelopmentIssuer:
    """Return the issuer whose key lies beside the store, or in this folder when the store has no file."""
    url = urlsplit(configuration.store.url)
    path = unquote(url.path.removeprefix("/"))
    beside_file = url.scheme == "sqlite" and path
    key = DevelopmentIssuer.path_beside(Path(path)) if beside_file else _KEY_WITHOUT_A_FILE
    return DevelopmentIssuer.open(key)
