"""The demo, put together: upstream, gear, traffic and view start, run, settle, and are judged.

Everything started here has ended when `run_demo` returns or raises.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx2
from rich.console import Console

from switchgear.ledger.events import read
from switchgear.ledger.export import ExportReader
from switchgear.surfaces.cli.demo.audit import audit, unfinished
from switchgear.surfaces.cli.demo.catalogue import ACCOUNT
from switchgear.surfaces.cli.demo.effects import read_effects
from switchgear.surfaces.cli.demo.follower import Follower
from switchgear.surfaces.cli.demo.schedule import Schedule
from switchgear.surfaces.cli.demo.settings import write_settings
from switchgear.surfaces.cli.demo.story import Story
from switchgear.surfaces.cli.demo.summary import Run, Summary, summary_of
from switchgear.surfaces.cli.demo.traffic import Answers, Tenant, Traffic
from switchgear.surfaces.cli.demo.upstream import Upstream, UpstreamPlan
from switchgear.surfaces.cli.demo.view import Scene, show
from switchgear.surfaces.cli.ledger import verified_file
from switchgear.surfaces.cli.services import Grant, Place, Services
from switchgear.surfaces.cli.serving import loaded

TENANTS = (("acme", 14.0), ("globex", 8.0))
"""Names, and requests a second."""

_PERMISSIONS = ("intents:submit", "intents:read", "intents:cancel", "breakers:read", "ledger:read", "platform:read")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SETTLE_SECONDS_MAX = 20.0
_SETTLE_LOOK_SECONDS = 0.1
_TOKEN_SPARE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run the demo. `port` 0 takes any free one for the gear. `folder` takes all its files."""

    seconds: float
    seed: int
    port: int
    folder: Path

    @property
    def effect_log(self) -> Path:
        """The upstream's own log."""
        return self.folder / "crm-effects.jsonl"

    def export(self, tenant: str) -> Path:
        """Where the exported chain of `tenant` goes."""
        return self.folder / f"ledger-{tenant}.jsonl"


async def run_demo(plan: Plan, services: Services, console: Console | None) -> Summary:
    """Run the demo and return its verdict. `console` shows it meanwhile; None shows nothing."""
    started = time.monotonic()
    upstream = Upstream(
        UpstreamPlan(
            port=free_port(),
            log=plan.effect_log,
            output=plan.folder / "crm-output.txt",
            schedule=Schedule(plan.seconds),
            seed=plan.seed,
        )
    )
    port = plan.port or free_port()
    place = Place(loaded(write_settings(plan.folder, crm_url=upstream.url, port=port, seconds=plan.seconds)))
    tenants = [Tenant(name, _token(services, place, name, plan.seconds), rate) for name, rate in TENANTS]
    answers = Answers()
    async with (
        services.embed(place) as url,
        upstream,
        httpx2.AsyncClient(base_url=url, trust_env=False) as http,
    ):
        follower = Follower(tenants, http)
        scene = Scene(plan.seconds, [tenant.name for tenant in tenants], upstream, follower, answers)
        streams = [Traffic(tenant, http, answers, random.Random(f"{plan.seed} {tenant.name}")) for tenant in tenants]
        with _signals(lambda: _say_stopping(follower, console)) as stopping:
            async with _meanwhile(upstream, scene, console):
                await _send(streams, plan.seconds, stopping.sending)
            stopping.sending.set()
            await _settled(upstream, follower, stopping.waiting)
        for tenant in tenants:
            await follower.export(tenant, plan.export(tenant.name))
    run = Run(
        seconds=time.monotonic() - started,
        seed=plan.seed,
        folder=plan.folder,
        story=told(plan),
        answers=answers,
        breaker=tuple(follower.breaker_states),
        kills=upstream.kills,
        chains={name: verified_file(plan.export(name)) for name, _ in TENANTS},
    )
    finding = audit(run.story, answers.all, list(read_effects(plan.effect_log)))
    if not stopping.interrupted:
        left = unfinished(run.story, [name for name, _ in TENANTS])
        finding = replace(finding, problems=(*finding.problems, *left))
    return summary_of(run, finding)


def told(plan: Plan) -> Story:
    """Return the story of the exported chains: what the audit rests on."""
    story = Story()
    for name, _ in TENANTS:
        with plan.export(name).open(encoding="utf-8") as lines:
            for entry in ExportReader(lines):
                recorded = read(entry)
                story.tell(
                    name,
                    {
                        "stream": recorded.stream,
                        "type": recorded.type,
                        "at": recorded.at,
                        "facts": recorded.facts,
                    },
                )
    return story


def free_port() -> int:
    """Return a port of loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class _Stopping:
    """When to stop sending, and when not even to wait for what is still open."""

    say: Callable[[], None]
    sending: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    interrupted: bool = False

    def asked(self) -> None:
        """Stop the one and say so, and if that has stopped already, the other."""
        self.interrupted = True
        if self.sending.is_set():
            self.waiting.set()
        else:
            self.sending.set()
            self.say()


async def _send(streams: list[Traffic], seconds: float, stop: asyncio.Event) -> None:
    """Send until the time is up or somebody asks to stop, then wait for the answers."""
    timer = asyncio.get_running_loop().call_later(seconds, stop.set)
    try:
        async with asyncio.TaskGroup() as sending:
            for stream in streams:
                sending.create_task(stream.send_until(stop))
    finally:
        timer.cancel()


@contextlib.asynccontextmanager
async def _meanwhile(upstream: Upstream, scene: Scene, console: Console | None) -> AsyncIterator[None]:
    """Run the schedule, the follower and the view inside; end them after it.

    What fails in one ends the demo.
    """
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(upstream.follow_schedule()), tasks.create_task(scene.follower.follow())]
        if console is not None:
            running.append(tasks.create_task(show(scene, console)))
        try:
            yield
        finally:
            for task in running:
                task.cancel()


async def _settled(upstream: Upstream, follower: Follower, hurry: asyncio.Event) -> None:
    """Let the gear finish what it can, with a healthy upstream, within a bound; what is left open is reported."""
    await upstream.recover()
    until = time.monotonic() + _SETTLE_SECONDS_MAX
    await follower.look()
    while follower.story.unsettled() and time.monotonic() < until and not hurry.is_set():
        await asyncio.sleep(_SETTLE_LOOK_SECONDS)
        await follower.look()


def stopping_text(queued: int) -> str:
    """Return what the first Ctrl-C is answered with, while `queued` actions are not settled."""
    what = "1 queued action" if queued == 1 else f"{queued} queued actions"
    return f"stopping: letting {what} end (at most {_SETTLE_SECONDS_MAX:g} s); Ctrl-C again to skip"


def _say_stopping(follower: Follower, console: Console | None) -> None:
    if console is not None:
        console.print(stopping_text(follower.story.unsettled()), soft_wrap=True)


@contextlib.contextmanager
def _signals(say: Callable[[], None]) -> Iterator[_Stopping]:
    """Make the first SIGINT or SIGTERM end the traffic and the second the waiting; the summary still comes.

    `say` is called at the first.
    """
    loop, stopping = asyncio.get_running_loop(), _Stopping(say)
    for number in _SIGNALS:
        loop.add_signal_handler(number, stopping.asked)
    try:
        yield stopping
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _token(services: Services, place: Place, tenant: str, seconds: float) -> str:
    grant = Grant(tenant, (ACCOUNT,), f"service:{tenant}-orders", _PERMISSIONS, seconds + _TOKEN_SPARE_SECONDS)
    return services.issue_token(place.configuration, grant)
