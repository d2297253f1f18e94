"""The callers: they submit to whatever engine runs, and outlive it. What was acknowledged to them is kept here.

A caller that got no answer repeats with the same key, as callers do; now and then one repeats what was acknowledged.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx2

TENANTS = ("t1", "t2", "t3")
ACCOUNT = "main"
TOOLS = ("read", "keyed", "keyed", "natural", "natural", "reconcilable", "opaque", "opaque")
"""The tools that are drawn from, with how often."""
SLOTS = 3
"""How many values there are for natural actions of a tenant to set: few, so that they meet."""
CALLERS = 24
ACTIONS_MAX = 80
"""The most new actions between two kills."""
OPEN_STATES = ("pending_approval", "ready", "held", "dispatched", "reconciling")
"""The states of what still moves by itself."""
DOUBT_STATES = ("in_doubt", "needs_operator")
LOOKED_UP = "remote.reconcilable"
"""The tool whose doubts are settled by lookups."""
SECONDS_MAX = 30.0
"""How long a caller waits for an answer."""
_REPEATS = 0.1
_WAITS = 0.25
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Action:
    """Something to be done once. `ref` names it at the remote, and its key is made of it."""

    ref: str
    tenant: str
    tool: str
    slot: int

    @property
    def body(self) -> dict[str, Any]:
        """The request that submits it."""
        arguments = {"ref": self.ref} | ({"slot": self.slot} if self.tool == "natural" else {})
        return {"tool": f"remote.{self.tool}", "arguments": arguments, "account": ACCOUNT}


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What a caller was told: the id of the intent, and its outcome when it waited for one (else None)."""

    action: Action
    intent: str
    outcome: str | None = None
    value: Any = None


@dataclass(slots=True)
class Callers:
    """All callers of a run. Their record of acknowledgements is in memory, and in `record` for whoever is curious."""

    tokens: Mapping[str, str]
    rng: random.Random
    record: Path
    client: httpx2.AsyncClient
    acknowledged: dict[str, Acknowledged] = field(default_factory=dict)
    unanswered: dict[str, Action] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    changed: list[str] = field(default_factory=list)
    """What a repeat was told otherwise than the first time."""
    _made: int = 0
    _answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self, url: str) -> None:
        """Submit to the engine at `url`, all callers at once: first what is unanswered, then new actions."""
        self._answered.clear()
        todo = [*self.unanswered.values(), *self._repeats(), *(self._new() for _ in range(ACTIONS_MAX))]
        await self._submit_all(url, todo)

    async def first_answer(self) -> None:
        """Return once a caller has had an answer since `work` began. Raises `TimeoutError` when none gets one."""
        async with asyncio.timeout(SECONDS_MAX):
            await self._answered.wait()

    async def repeat_unanswered(self, url: str) -> None:
        """Submit again what was never answered."""
        await self._submit_all(url, list(self.unanswered.values()))

    async def _submit_all(self, url: str, todo: list[Action]) -> None:
        todo.reverse()
        await asyncio.gather(*(self._one_caller(url, todo) for _ in range(CALLERS)))

    async def _one_caller(self, url: str, todo: list[Action]) -> None:
        """Submit one action after the other, until there is none or the engine is gone."""
        while todo:
            action = todo.pop()
            if action.ref not in self.acknowledged:
                self.unanswered[action.ref] = action
            try:
                self._heard(action, await self._submit(url, action))
            except httpx2.HTTPError:
                return

    async def _submit(self, url: str, action: Action) -> httpx2.Response:
        headers = self._authorization(action.tenant) | {"Idempotency-Key": f'"key-{action.ref}"'}
        if self.rng.random() < _WAITS:
            headers["Prefer"] = "wait=1"
        return await self.client.post(f"{url}/v1/intents", json=action.body, headers=headers)

    def _heard(self, action: Action, response: httpx2.Response) -> None:
        """Keep what was answered. A refusal acknowledges nothing."""
        self._answered.set()
        answer = response.json()
        if not response.is_success:
            self.refused[str(answer.get("code"))] += 1
            return
        final = answer["final"]
        told = Acknowledged(
            action, answer["id"], answer["state"] if final else None, answer["value"] if final else None
        )
        self._compare(self.acknowledged.get(action.ref), told)
        self.acknowledged[action.ref] = told
        self.unanswered.pop(action.ref, None)
        with self.record.open("a") as file:
            file.write(json.dumps(asdict(told)) + "\n")

    def _compare(self, before: Acknowledged | None, now: Acknowledged) -> None:
        if before is None:
            return
        if before.intent != now.intent:
            self.changed.append(f"{now.action.ref} was intent {before.intent}, and then {now.intent}")
        if before.outcome is not None and (before.outcome, before.value) != (now.outcome, now.value):
            self.changed.append(f"{now.action.ref} was told {before.outcome}, and then {now.outcome}")

    def _repeats(self) -> list[Action]:
        known = list(self.acknowledged.values())
        return [self.rng.choice(known).action for _ in range(int(ACTIONS_MAX * _REPEATS))] if known else []

    def _new(self) -> Action:
        self._made += 1
        tenant = self.rng.choice(TENANTS)
        return Action(f"{tenant}-{self._made:06}", tenant, self.rng.choice(TOOLS), self.rng.randrange(SLOTS))

    # --- what the end of a run asks the engine ---

    async def moving(self, url: str) -> bool:
        """Return whether anything is seen to move by itself: what waits for its lookup, and what is open.

        It is asked state by state, so what moves on meanwhile may be missed once.
        """
        if any(item["tool"] == LOOKED_UP for item in await self._listed(url, ("in_doubt",))):
            return True
        for tenant, state in itertools.product(TENANTS, OPEN_STATES):
            if (await self._page(url, tenant, state, 1))["items"]:
                return True
        return False

    async def listed_in_doubt(self, url: str) -> set[str]:
        """Return the ids of all intents that the engine lists as in doubt, by REST."""
        return {item["id"] for item in await self._listed(url, DOUBT_STATES)}

    async def _listed(self, url: str, states: tuple[str, ...]) -> list[dict[str, Any]]:
        """Return all intents in these states, page by page."""
        items: list[dict[str, Any]] = []
        for tenant, state in itertools.product(TENANTS, states):
            cursor, more = None, True
            while more:
                page = await self._page(url, tenant, state, _PAGE, cursor)
                items += page["items"]
                cursor = page["next_cursor"]
                more = cursor is not None
        return items

    async def _page(self, url: str, tenant: str, state: str, limit: int, cursor: str | None = None) -> dict[str, Any]:
        query: dict[str, Any] = {"state": state, "limit": limit} | ({} if cursor is None else {"cursor": cursor})
        response = await self.client.get(f"{url}/v1/intents", params=query, headers=self._authorization(tenant))
        response.raise_for_status()
        page: dict[str, Any] = response.json()
        return page

    def _authorization(self, tenant: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[tenant]}"}
