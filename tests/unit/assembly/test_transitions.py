"""Transitions on record: in order, in the background, and counted where the ledger did not keep them."""

from __future__ import annotations

import asyncio
import logging

import pytest

from switchgear.assembly.transitions import TransitionLog
from switchgear.core.clock import VirtualClock
from switchgear.core.ids import IdSource
from switchgear.core.scope import PLATFORM_TENANT
from switchgear.ledger.chain import seal
from switchgear.ledger.events import EventEncoder, read
from switchgear.storage.abilities import Append, Appended, Unknown
from switchgear.storage.memory import MemoryStore
from tests.turns import turns


class Deaf(MemoryStore):
    """A store that does not acknowledge its first append, and did not keep it."""

    def __init__(self) -> None:
        """Start deaf."""
        super().__init__(seal)
        self.deaf = True

    async def append(self, append: Append) -> Appended:
        """Lose the first one."""
        if self.deaf:
            self.deaf = False
            return Unknown(append.id, "lost")
        return await super().append(append)


class Slow(MemoryStore):
    """A store that takes its time for each append."""

    def __init__(self) -> None:
        """Let nothing pass yet."""
        super().__init__(seal)
        self.reached, self.gate = asyncio.Event(), asyncio.Event()

    async def append(self, append: Append) -> Appended:
        """Wait, then append."""
        self.reached.set()
        await self.gate.wait()
        return await super().append(append)


async def test_a_stop_cuts_off_nothing_that_is_being_recorded() -> None:
    """A transition that has left the buffer is on record when the stop is over, and so is what was noted after it."""
    store, clock = Slow(), VirtualClock()
    transitions = TransitionLog(store, clock=clock, ids=IdSource(clock), encoder=EventEncoder())
    transitions.start()
    transitions.note("crm", "breaker.opened", {})
    await store.reached.wait()
    transitions.note("crm", "breaker.half_open", {})
    stopping = asyncio.create_task(transitions.stop())
    await turns()
    store.gate.set()
    await stopping
    kept = [read(entry).type for entry in await store.entries(PLATFORM_TENANT)]
    assert kept == ["breaker.opened", "breaker.half_open"]


async def test_what_the_ledger_does_not_acknowledge_is_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing fails silently: a transition that may be missing is in the log, and in the next one on record."""
    caplog.set_level(logging.WARNING)
    store, clock = Deaf(), VirtualClock()
    transitions = TransitionLog(store, clock=clock, ids=IdSource(clock), encoder=EventEncoder())
    for kind in ("breaker.opened", "breaker.half_open"):
        transitions.note("crm", kind, {})
        await transitions.stop()
    (kept,) = [read(entry) for entry in await store.entries(PLATFORM_TENANT)]
    assert (kept.type, kept.facts["dropped_before"]) == ("breaker.half_open", 1)
    assert "breaker.opened of breaker:crm was not recorded" in caplog.text


async def test_what_cannot_be_recorded_takes_nothing_with_it(caplog: pytest.LogCaptureFixture) -> None:
    """Text that is none, in what a probe said, is counted and told; what was noted beside it is on record."""
    caplog.set_level(logging.WARNING)
    store, clock = MemoryStore(seal), VirtualClock()
    transitions = TransitionLog(store, clock=clock, ids=IdSource(clock), encoder=EventEncoder())
    transitions.start()
    transitions.note("crm", "breaker.opened", {"reason": "bad \udcff byte"})
    transitions.note("crm", "breaker.half_open", {})
    await turns()
    transitions.note("crm", "breaker.closed", {})
    await transitions.stop()
    kept = [read(entry) for entry in await store.entries(PLATFORM_TENANT)]
    assert [one.type for one in kept] == ["breaker.half_open", "breaker.closed"]
    assert kept[0].facts["dropped_before"] == 1
    assert "breaker.opened of breaker:crm was not recorded" in caplog.text
