"""Intents that serve other intents: how a child is born, and who is told when it is settled.

A child is an ordinary intent with `parent` and `purpose`. It is born in the append that its parent's change is written
in, so there is exactly one, and no key. What its end means for the parent is the business of who serves its purpose.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from switchgear.core.canonical import digest
from switchgear.core.errors import StoreError
from switchgear.execution.contract import Tool
from switchgear.execution.intent import Intent
from switchgear.execution.parts import ACTOR, Parts
from switchgear.execution.recorder import Birth, StaleError

_log = logging.getLogger("switchgear.family")
_TRY_AGAIN_SECONDS = 1.0

LOOKUP = "lookup"
"""Finds out whether its parent, which is in doubt, happened."""
REVERT = "revert"
"""Undoes its parent when its time-box ends."""
STEP = "step"
"""Does one step of a saga."""
COMPENSATE = "compensate"
"""Undoes one step of a saga."""

Served = Callable[[Intent], Awaitable[None]]


class Parent(Protocol):
    """What an intent can serve: another intent, or what has a life of its own, such as a saga."""

    @property
    def id(self) -> str:
        """Its id, and the name of its stream."""

    @property
    def tenant(self) -> str:
        """Whose it is."""

    @property
    def account(self) -> str:
        """For which account."""

    @property
    def trace(self) -> str:
        """The trace of the request that it came from."""

    @property
    def correlation(self) -> str:
        """What it belongs to."""


def child(parts: Parts, parent: Intent, tool: Tool, arguments: Mapping[str, Any], *, purpose: str) -> Birth:
    """Return the birth of an intent that looks up or undoes `parent`, for the same tenant and account."""
    return serving(parts, parent, tool, arguments, purpose=purpose, about=parent.downstream_key)


def serving(
    parts: Parts,
    parent: Parent,
    tool: Tool,
    arguments: Mapping[str, Any],
    *,
    purpose: str,
    about: str | None = None,
    actor: str = ACTOR,
) -> Birth:
    """Return the birth of an intent that serves `parent`, for the same tenant and account.

    `about` is the downstream key of what it looks up or undoes. It acts as the engine, unless `actor` says otherwise.
    Raises `Invalid` when the arguments cannot be recorded, or lack what names the tool's resource.
    """
    now = parts.clock.time()
    facts: dict[str, Any] = {
        "id": parts.ids.next("int"),
        "tenant": parent.tenant,
        "account": parent.account,
        "actor": actor,
        "tool": tool.name,
        "effect": str(tool.effect),
        "contract": tool.contract,
        "digest": digest(dict(arguments)),
        "key": None,
        "attempts_max": tool.attempts,
        "key_retention": tool.key_retention,
        "deadline_at": now + tool.lifetime,
        "cost": tool.cost,
        "trace": parent.trace,
        "correlation": parent.correlation,
        "causation": parent.id,
        "parent": parent.id,
        "purpose": purpose,
    }
    rarer = {"about": about, "destructive": tool.destructive or None, "resource": tool.resource_of(arguments)}
    facts |= {name: value for name, value in rarer.items() if value is not None}
    return Birth(facts, {"arguments": dict(arguments)})


class Family:
    """Tells those who serve a purpose that an intent of it is settled: at least once, and one at a time an intent."""

    def __init__(self, parts: Parts) -> None:
        """Start with nobody who serves."""
        self._parts = parts
        self._served: dict[str, Served] = {}
        self._settled: dict[str, Intent] = {}
        self._wake = asyncio.Event()
        self.idle = asyncio.Event()
        """Set while there is nothing to tell."""
        self.idle.set()

    def serve(self, purpose: str, served: Served) -> None:
        """Have `served` told of every settled intent of `purpose`. It may be told twice of the same one."""
        self._served[purpose] = served

    def note(self, intent: Intent) -> None:
        """Take note of an intent that is settled."""
        if intent.purpose in self._served:
            self._settled[intent.id] = intent
            self.idle.clear()
            self._wake.set()

    async def run(self) -> None:
        """Tell what was noted, for ever. What cannot be recorded now is told again."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.tell()
            if self._settled:
                await self._parts.clock.sleep_async(_TRY_AGAIN_SECONDS)
                self._wake.set()

    async def tell(self) -> None:
        """Tell what was noted so far. Each is told alone: one that fails waits for the next time."""
        for intent in list(self._settled.values()):
            try:
                await self._served[intent.purpose or ""](intent)
            except (StoreError, StaleError) as error:
                _log.warning("what intent %s came to is told again later: %s", intent.id, error)
                continue
            if self._settled.get(intent.id) is intent:
                del self._settled[intent.id]
        if not self._settled:
            self.idle.set()
