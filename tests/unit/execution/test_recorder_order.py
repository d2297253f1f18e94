"""Answers of the ledger about one intent may overtake each other: the late one is old news, and changes nothing."""

from __future__ import annotations

import asyncio

import pytest

from switchgear.execution.intent import Change
from switchgear.execution.transitions import Kind, State
from switchgear.storage.abilities import Append, Appended
from tests.unit.execution.rig import Rig, hang, running


class Overtaken:
    """Holds back the acknowledgement of one append until it is let go."""

    def __init__(self, rig: Rig) -> None:
        """Stand before the store of `rig`, for the next append only."""
        self._append = rig.store.append
        self.let_go = asyncio.Event()
        self.written = asyncio.Event()
        self._held = False

    async def append(self, append: Append) -> Appended:
        """Write at once, and acknowledge the first append late."""
        first, self._held = not self._held, True
        outcome = await self._append(append)
        if first:
            self.written.set()
            await self.let_go.wait()
        return outcome


async def test_a_late_acknowledgement_does_not_bring_back_what_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wish to cancel is written, and acknowledged after the outcome: the outcome stands, in memory as on record."""
    async with running() as rig:
        rig.script.answers = [hang]
        rig.tool(timeout=1_000.0)
        intent = await rig.submit()
        await rig.clock.elapse(0.1)
        recorder = rig.engine.recorder
        dispatched = recorder.live[intent.id]
        overtaken = Overtaken(rig)
        monkeypatch.setattr(rig.store, "append", overtaken.append)
        wish = Change(Kind.CANCEL_REQUESTED, {"cancel_requested": True, "by": "person:ann"})
        late = asyncio.ensure_future(recorder.record(dispatched, (wish,), actor="person:ann"))
        await overtaken.written.wait()
        seen = await recorder.reload(intent.tenant, intent.id)
        assert seen is not None
        ended = await recorder.record(seen, (Change(Kind.SUCCEEDED, {}, {"value": 1}),), actor="switchgear")
        overtaken.let_go.set()
        assert (await late).version < ended.version
        assert intent.id not in recorder.live
        latest = await recorder.latest(intent.tenant, intent.id)
        assert latest is not None
        assert latest.state is State.SUCCEEDED
