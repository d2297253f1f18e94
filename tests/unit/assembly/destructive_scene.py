"""A gear with destructive tools on a virtual clock, whose dependency can be turned red in the middle of a story."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from switchgear import Code, NotApplied, Rejected, Switchgear
from switchgear.assembly.acting import Acting, IntentHandle
from switchgear.execution.contract import Call
from switchgear.health import Dependency
from switchgear.testing import VirtualClock

VAULT = Dependency("vault", kind="function", freshness=1e6, up_after=2, down_after=1)
_FILE = """
[store]
url = "memory://"

[[approvals]]
name = "purges"
tool = "vault.purge"
"""


class Scene:
    """One gear. `destroyed` is what was destroyed since the turn, by tool."""

    def __init__(self, gear: Switchgear, clock: VirtualClock, *, red: bool) -> None:
        """Begin with a vault that is well; at the turn it goes down if `red`."""
        self.gear = gear
        self.clock = clock
        self.destroyed: list[str] = []
        self.plan: dict[str, list[Exception]] = {}
        self._red = red
        self._turned = False
        self.ann = self._person("person:ann")
        self.ben = self._person("person:ben")

    def well(self) -> None:
        """Have the vault vouch: a green probe does not clear failing traffic, so both say so."""
        for source in ("probe", "call"):
            for _ in range(VAULT.up_after):
                self.gear.health.observe("vault", "positive", source)

    def down(self) -> None:
        """Have the vault not vouch any more."""
        self.gear.health.observe("vault", "negative", "probe")

    def turn(self) -> None:
        """From here on nothing may be destroyed, if the scene is red; everything else is as before."""
        self._turned = True
        (self.down if self._red else self.well)()

    async def go(self, seconds: float = 30.0) -> None:
        """Let time pass."""
        await self.clock.elapse(seconds)

    async def during(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever the work gives
        """Return what `work` comes to while time passes."""
        task = asyncio.ensure_future(work)
        while not task.done():
            await self.clock.elapse(1.0)
        return await task

    async def submit(self, tool: str = "vault.delete", key: str = "k", **options: Any) -> IntentHandle:
        """Have Ann submit an action."""
        return await self.ann.submit(tool, {}, key=key, **options)

    def call(self, call: Call) -> dict[str, str]:
        """Carry a call out, as planned for its tool."""
        if plan := self.plan.get(call.tool):
            raise plan.pop(0)
        if self._turned and call.permits is not None:  # those of destructive tools have permits
            self.destroyed.append(call.tool)
        return {"did": call.tool}

    def _person(self, actor: str) -> Acting:
        return self.gear.acting_as(tenant="acme", account="main", actor=actor)


def refused() -> NotApplied:
    """Return a definite refusal of a remote."""
    return NotApplied("no", code=Code.TOOL_FAILED, retryable=False)


def later() -> Rejected:
    """Return a refusal that says to come back in 20 seconds, and nothing about the remote."""
    return Rejected("later", code=Code.SHED_OVERLOAD, retry_after=20.0, decision="defer")


@asynccontextmanager
async def scene(folder: Path, *, red: bool) -> AsyncIterator[Scene]:
    """Run a gear whose vault is well at first."""
    file = folder / "switchgear.toml"
    file.write_text(_FILE, encoding="utf-8")
    clock = VirtualClock()
    async with Switchgear.open(file, clock=clock) as gear:
        gear.dependency(VAULT)
        made = Scene(gear, clock, red=red)
        made.well()
        _register(made)
        yield made
        await clock.elapse(1.0)
        stopping = gear.drain(0.0)
        await made.during(stopping)


def _register(made: Scene) -> None:
    """Register the tools: what destroys is of every effect, and everything else that may lead to it."""
    destructive: dict[str, dict[str, Any]] = {
        "vault.delete": {"effect": "opaque", "attempts": 1},
        "vault.retry": {"effect": "keyed", "attempts": 3, "backoff_base": 5.0},
        "vault.purge": {"effect": "keyed"},
        "vault.drop": {"effect": "opaque", "attempts": 3},
        "vault.look": {"effect": "read_only"},
    }
    for name, options in destructive.items():
        _tool(made, name, requires=("vault",), destructive=True, **options)
    _tool(made, "crm.order", effect="reconcilable", lookup="vault.look", settle_delay=1.0)
    _tool(made, "crm.reserve", effect="keyed", compensate="vault.retry")
    _tool(made, "crm.send", effect="keyed", attempts=1)
    _tool(made, "idp.disable", effect="keyed", revert="vault.retry")


def _tool(made: Scene, name: str, **options: Any) -> None:
    @made.gear.tool(name, **options)
    async def run(call: Call) -> dict[str, str]:
        return made.call(call)
