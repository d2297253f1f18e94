"""Laws of approvals under races: whatever people do at one moment, in whatever order the ledger takes it.

Each seed is one interleaving of two yeses, a no, a yes taken back, a cancel and the expiry, over a ledger that answers
late, on virtual time. A failing seed is in the name of the test.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from switchgear.core.errors import Rejected
from switchgear.execution import consent
from switchgear.execution.consent import Channel, Word
from switchgear.execution.engine import Decided
from switchgear.execution.intent import Change, Intent, accepted, evolve
from switchgear.execution.refold import Refold
from switchgear.execution.transitions import Kind, State
from switchgear.gates.approval import ApprovalGate, ApprovalRule
from switchgear.ledger.events import Recorded, read
from switchgear.storage.abilities import Append, Appended
from tests.unit.execution.rig import Rig, running

QUORUM = 2
EXPIRES = 1.0
ENDS = (State.SUCCEEDED, State.REJECTED, State.CANCELLED, State.EXPIRED)
_Says = Callable[[Intent, Word], tuple[Change, ...]]


def slow_down(rig: Rig, draw: random.Random) -> None:
    """Let each append take some time before and after it is written."""
    at_once = rig.store.append

    async def slowly(append: Append) -> Appended:
        await rig.clock.sleep_async(draw.random() * 0.4)
        outcome = await at_once(append)
        await rig.clock.sleep_async(draw.random() * 0.2)
        return outcome

    rig.store.append = slowly  # type: ignore[method-assign]  # the same store, only slower


def people(rig: Rig, intent: Intent) -> dict[str, Callable[[], Awaitable[Intent]]]:
    """Return what people do, by name."""

    async def say(by: str, says: _Says, reason: str = "") -> Intent:
        word = await rig.engine.consents.word(intent, by=by, channel=Channel.REST, reason=reason)
        return await rig.engine.change("acme", intent.id, lambda now: Decided(says(now, word)), actor=by)

    return {
        "ada says yes": lambda: say("user:ada", consent.given),
        "bob says yes": lambda: say("user:bob", consent.given),
        "cyd says yes": lambda: say("user:cyd", consent.given),
        "ada takes it back": lambda: say("user:ada", consent.taken_back),
        "dan says no": lambda: say("user:dan", consent.refused, "no"),
        "requester cancels": lambda: rig.engine.cancel("acme", intent.id, reason="no more", actor=intent.actor),
    }


async def act(rig: Rig, intent: Intent, draw: random.Random) -> dict[str, Intent | Rejected]:
    """Have a random part of the people act, each at a random moment, and return what each was told."""
    told: dict[str, Intent | Rejected] = {}

    async def one(name: str, does: Callable[[], Awaitable[Intent]], after: float) -> None:
        await rig.clock.sleep_async(after)
        try:
            told[name] = await does()
        except Rejected as refusal:
            told[name] = refusal

    chosen = [(name, does) for name, does in people(rig, intent).items() if draw.random() < 0.6]
    acting = [asyncio.ensure_future(one(name, does, draw.random() * 1.2)) for name, does in chosen]
    for _ in range(80):
        await rig.clock.elapse(0.1)
    await asyncio.gather(*acting)
    return told


def checked_fold(events: list[Recorded], intent: Intent) -> Intent:
    """Fold the events again, and check at each dispatch that enough yeses stood and were in time."""
    first, *later = events
    facts: dict[str, Any] = dict(first.facts)
    state = accepted(facts, dict(first.payload or {}), first.at)
    for event in later:
        if event.type == Kind.DISPATCHED:
            assert state.approval is not None
            assert state.approval.complete
            assert {grant.by for grant in state.approval.granted} <= {"user:ada", "user:bob", "user:cyd"}
            assert event.at < state.approval.expires_at
            assert event.facts["approval"] == state.approval.digest
        payload = None if event.payload is None else dict(event.payload)
        state = evolve(state, Change(Kind(event.type), dict(event.facts), payload), event.at)
    assert state.state is intent.state
    return state


@pytest.mark.parametrize("seed", range(100))
async def test_of_all_that_people_do_at_once_the_ledger_takes_one_order(seed: int) -> None:
    """An effect has its quorum standing when it leaves; a no and a cancel that were acknowledged have no effect."""
    draw = random.Random(seed)
    gate = ApprovalGate([ApprovalRule(name="all", quorum=QUORUM, expires=EXPIRES)])
    async with running(gates=(gate,), dispatch_gates=(gate,)) as rig:
        rig.tool(lifetime=60.0)
        intent = await rig.submit()
        slow_down(rig, draw)
        told = await act(rig, intent, draw)
        ended = await rig.engine.intent("acme", intent.id)
        ended = ended if ended.settled else await rig.settled(ended)
        assert ended.state in ENDS
        assert len(rig.script.calls) == (ended.state is State.SUCCEEDED)
        entries = [read(entry) for entry in await rig.store.stream("acme", intent.id)]
        checked_fold(entries, ended)
        if isinstance(told.get("dan says no"), Intent):
            assert (ended.state, rig.script.calls) == (State.REJECTED, [])
        cancelled = told.get("requester cancels")
        if isinstance(cancelled, Intent) and cancelled.state is State.CANCELLED:
            assert (ended.state, rig.script.calls) == (State.CANCELLED, [])
        assert (await Refold(rig.store).intents("acme")).first_different is None


async def test_the_races_reach_every_end() -> None:
    """The law above would hold of races that always end alike; these do not."""
    reached = set()
    for seed in range(100):
        draw = random.Random(seed)
        gate = ApprovalGate([ApprovalRule(name="all", quorum=QUORUM, expires=EXPIRES)])
        async with running(gates=(gate,), dispatch_gates=(gate,)) as rig:
            rig.tool(lifetime=60.0)
            intent = await rig.submit()
            slow_down(rig, draw)
            await act(rig, intent, draw)
            reached.add((await rig.engine.intent("acme", intent.id)).state)
        if reached >= set(ENDS):
            return
    raise AssertionError(f"only {reached} were reached")
