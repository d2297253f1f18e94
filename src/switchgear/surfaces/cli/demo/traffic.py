"""Two tenants sending through REST, and a note of every answer.

It retries nothing: that is the gear's work.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx2

from switchgear.surfaces.cli.demo.catalogue import Catalogue, Wish

_AT_ONCE_MAX = 64
_BURST_EVERY = 40
_BURST = 60
_ANSWER_SECONDS_MAX = 20.0
_CHANGE_OF_MIND_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request.

    `intent` when it was accepted, `code` when it was refused; both empty: lost.
    """

    tenant: str
    wish: Wish
    status: int
    intent: str
    code: str
    replayed: bool


@dataclass(slots=True)
class Answers:
    """Every answer of the run."""

    all: list[Answer] = field(default_factory=list)
    cancels: Counter[str] = field(default_factory=Counter)

    def note(self, answer: Answer) -> None:
        """Keep one answer."""
        self.all.append(answer)

    def note_cancel(self, what: str) -> None:
        """Count a wish to cancel: asked, lost, or the code that it was refused with."""
        self.cancels[what] += 1

    def refused(self) -> Counter[str]:
        """Return how many requests were refused, by code."""
        return Counter(answer.code for answer in self.all if answer.code)

    def accepted(self) -> int:
        """Return how many requests were answered with an intent, repeats included."""
        return sum(bool(answer.intent) for answer in self.all)

    def repeats(self) -> int:
        """Return how many of those found an earlier intent."""
        return sum(answer.replayed for answer in self.all)

    def lost(self) -> int:
        """Return how many requests got no answer at all."""
        return sum(not answer.intent and not answer.code for answer in self.all)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant of the demo, its token, and how many requests a second it sends."""

    name: str
    token: str
    rate: float


class Traffic:
    """One tenant's stream of requests."""

    def __init__(self, tenant: Tenant, http: httpx2.AsyncClient, answers: Answers, rng: random.Random) -> None:
        """Send as `tenant` over `http` and note every answer in `answers`."""
        self._tenant = tenant
        self._http = http
        self._answers = answers
        self._rng = rng
        self._book = Catalogue(tenant.name, rng)
        self._places = asyncio.Semaphore(_AT_ONCE_MAX)

    async def send_until(self, stop: asyncio.Event) -> None:
        """Send at the tenant's rate, with a burst now and then, until `stop`; return when all is answered."""
        async with asyncio.TaskGroup() as sending:
            turn = 0
            while not stop.is_set():
                turn += 1
                for _ in range(_BURST if turn % _BURST_EVERY == 0 else 1):
                    await self._places.acquire()
                    sending.create_task(self._send(self._book.draw()))
                await _pause(stop, self._rng.expovariate(self._tenant.rate))

    async def _send(self, wish: Wish) -> None:
        try:
            await asyncio.gather(*(self._ask(wish) for _ in range(wish.copies)))
        finally:
            self._places.release()

    async def _ask(self, wish: Wish) -> None:
        body = {"tool": wish.tool, "arguments": wish.arguments, "account": wish.account}
        headers = self._bearer() if wish.authorised else {}
        if wish.key is not None:
            headers["Idempotency-Key"] = json.dumps(wish.key)
        try:
            response = await self._http.post("/v1/intents", json=body, headers=headers, timeout=_ANSWER_SECONDS_MAX)
        except httpx2.HTTPError:
            self._answers.note(Answer(self._tenant.name, wish, 0, "", "", replayed=False))
            return
        answer = answer_of(self._tenant.name, wish, response.status_code, response.json())
        self._answers.note(answer)
        if answer.intent:
            self._book.accepted(wish)
        if answer.intent and wish.withdrawn:
            await self._withdraw(answer.intent)

    async def _withdraw(self, intent: str) -> None:
        """Ask to cancel an action a little later; what comes of it depends on how far it is, and is on record."""
        await asyncio.sleep(self._rng.uniform(0.0, _CHANGE_OF_MIND_SECONDS))
        try:
            response = await self._http.post(
                f"/v1/intents/{intent}/cancel", json={"reason": "changed their mind"}, headers=self._bearer()
            )
        except httpx2.HTTPError:
            self._answers.note_cancel("lost")
            return
        self._answers.note_cancel("asked" if response.is_success else str(response.json().get("code")))

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._tenant.token}"}


def answer_of(tenant: str, wish: Wish, status: int, document: dict[str, Any]) -> Answer:
    """Return what a response says."""
    if status < HTTPStatus.BAD_REQUEST:
        return Answer(tenant, wish, status, document["id"], "", replayed=bool(document["replayed"]))
    return Answer(tenant, wish, status, "", str(document.get("code", status)), replayed=False)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return  # time is up, which is what was asked for
