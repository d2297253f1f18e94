"""Every way to a destructive effect, one entry each in `PATHS`. Each keeps the rule: ask again after a wait.

A path is given a reason, and destroys what the reason names. It raises what the gate raises. The entry is all that a
new way needs to be in every drill.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from switchgear.health.destructive import destructive
from switchgear.health.findings import Confirmed
from switchgear.health.gate import DestructiveGate

Reason = Confirmed[tuple[str, ...]]
"""Whoever is named in it has died, and may be removed."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where something is destroyed: the gate, what it has to ask, and the effect. `pause` is a wait, `work` blocks."""

    gate: DestructiveGate
    operation: str
    requires: tuple[str, ...]
    destroy: Callable[[str], None]
    pause: Callable[[], Awaitable[None]]
    work: Callable[[], None]

    def marked(self, function: Callable[..., Any], *, installed: bool = False) -> Any:  # noqa: ANN401 - of any kind
        """Return `function` behind the gate of this site, or behind whichever is installed."""
        gate = None if installed else self.gate
        return destructive(requires=self.requires, operation=self.operation, gate=gate)(function)


Path = Callable[[Site, Reason], Awaitable[None]]
PATHS: dict[str, Path] = {}
"""Every path by its name."""


def _path(name: str) -> Callable[[Path], Path]:
    def enter(path: Path) -> Path:
        PATHS[name] = path
        return path

    return enter


@_path("with-block")
async def _block(site: Site, reason: Reason) -> None:
    for victim in reason.value:
        with site.gate.destructive(site.operation, requires=site.requires, because=reason):
            site.destroy(victim)
        await site.pause()


@_path("with-block, asked again after a wait")
async def _block_after_waits(site: Site, reason: Reason) -> None:
    with site.gate.destructive(site.operation, requires=site.requires, because=reason) as permit:
        for victim in reason.value:
            await site.pause()
            permit.check()
            site.destroy(victim)


@_path("each()")
async def _each(site: Site, reason: Reason) -> None:
    with site.gate.destructive(site.operation, requires=site.requires, because=reason) as permit:
        for victim in permit.each(reason.value):
            site.destroy(victim)
            site.work()


@_path("each(), async")
async def _each_async(site: Site, reason: Reason) -> None:
    async def victims() -> AsyncIterator[str]:
        for victim in reason.value:
            await site.pause()
            yield victim

    with site.gate.destructive(site.operation, requires=site.requires, because=reason) as permit:
        async for victim in permit.each(victims()):
            site.destroy(victim)


@_path("decorator")
async def _decorated(site: Site, reason: Reason) -> None:
    def delete(_reason: Reason, victim: str) -> None:
        site.destroy(victim)
        site.work()

    marked = site.marked(delete)
    for victim in reason.value:
        marked(reason, victim)
        await site.pause()


@_path("decorator, installed gate")
async def _installed(site: Site, reason: Reason) -> None:
    def delete(_reason: Reason, victim: str) -> None:
        site.destroy(victim)

    marked = site.marked(delete, installed=True)
    for victim in reason.value:
        with site.gate.installed():
            marked(reason, victim)
        await site.pause()


@_path("decorator, method")
async def _method(site: Site, reason: Reason) -> None:
    class Sessions:
        @site.marked
        def delete(self, _reason: Reason, victim: str) -> None:
            site.destroy(victim)

    sessions: Any = Sessions()
    for victim in reason.value:
        sessions.delete(reason, victim)
        await site.pause()


@_path("decorator, async")
async def _decorated_async(site: Site, reason: Reason) -> None:
    async def delete(reason: Reason) -> None:
        for victim in reason.value:
            site.destroy(victim)
            await site.pause()
            marked.check(reason)

    marked = site.marked(delete)
    begins_later = marked(reason)  # it is asked at its first step, not now
    try:
        await site.pause()
        await begins_later
    finally:
        begins_later.close()


@_path("generator")
async def _generator(site: Site, reason: Reason) -> None:
    def sweep(reason: Reason) -> Iterator[str]:
        for victim in reason.value:
            site.destroy(victim)
            yield victim

    for _ in site.marked(sweep)(reason):
        await site.pause()


@_path("generator, async")
async def _async_generator(site: Site, reason: Reason) -> None:
    async def sweep(reason: Reason) -> AsyncIterator[str]:
        for victim in reason.value:
            site.destroy(victim)
            yield victim

    async for _ in site.marked(sweep)(reason):
        await site.pause()
