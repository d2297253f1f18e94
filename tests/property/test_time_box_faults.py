"""Laws of time-boxes, whatever ledger and remote do: nothing holds for ever unknown, nothing is reverted twice."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import StoreError
from switchgear.core.outcome import Verdict
from switchgear.execution.admission import Submission
from switchgear.execution.contract import Call, Refused, Result, Succeeded, Tool, Uncertain
from switchgear.execution.engine import Engine
from switchgear.execution.time_boxes.box import SPACE, STREAM_PREFIX, encoded_box, folded_box
from switchgear.ledger.events import read
from tests.effort import examples
from tests.unit.execution.rig import ACME, Rig, engine_on, running

TERM = 30.0
FATES = st.lists(st.sampled_from(["ok", "ok", "ok", "down", "lost", "late"]), max_size=30)
ANSWERS = st.lists(st.sampled_from(["done", "done", "busy", "no", "lost before", "lost after"]), max_size=8)
BUSY = Refused(Code.DEPENDENCY_FAILED, "busy", retryable=True, verdict=Verdict.IGNORED)
NO = Refused(Code.TOOL_FAILED, "no", retryable=False, verdict=Verdict.SUCCESS)


class Door:
    """A remote with one door, which may lose a request or an answer; afterwards it always answers."""

    def __init__(self, answers: list[str]) -> None:
        """Answer so, in order, and then well."""
        self.answers = answers
        self.open = False
        self.moves: list[str] = []

    async def execute(self, call: Call) -> Result:
        """Open or lock the door, or not."""
        answer = self.answers.pop(0) if self.answers else "done"
        if answer in ("busy", "no"):
            return BUSY if answer == "busy" else NO
        if answer != "lost before":
            self.open = call.tool == "door.unlock"
            self.moves.append(call.tool)
        return Succeeded({"prior": False}) if answer == "done" else Uncertain(Code.DEPENDENCY_FAILED, answer)

    async def close(self) -> None:
        """Nothing to release."""


def tools() -> list[Tool]:
    """Return what opens the door and what locks it: natural ones, that name the door."""
    natural = {"effect": Effect.NATURAL, "requires": ("door",), "resource": "door", "backoff_cap": 1.0}
    return [Tool(name="door.unlock", revert="door.lock", **natural), Tool(name="door.lock", **natural)]  # type: ignore[arg-type]  # one table for two


async def play(fates: list[str], answers: list[str], *, restart: bool) -> None:
    """Open the door for a while, with faults, and perhaps with a restart, and check what is true in the end."""
    door = Door(answers)
    async with running() as rig:
        register(rig.engine, door)
        rig.store.plan = fates
        submission = Submission(scope=ACME, tool="door.unlock", arguments={}, key="k", time_box=TERM)
        with suppress(StoreError):
            await rig.engine.submit(submission)
        await rig.clock.elapse(TERM - 10)
        if restart:
            await over_a_restart(rig, door)
        else:
            rig.store.plan = []
            await rig.clock.elapse(10 * TERM)
        await check(rig, door)


async def over_a_restart(rig: Rig, door: Door) -> None:
    """Stop the engine, let the time run out, and run another one."""
    await rig.engine.stop(0.0)
    rig.store.plan = []
    await rig.clock.elapse(TERM)
    another = engine_on(rig.store, rig.clock, guards=rig.guards, seed=2)
    register(another, door)
    await another.recover()
    another.start()
    await rig.clock.elapse(10 * TERM)
    await another.stop(0.0)


def register(engine: Engine, door: Door) -> None:
    """Register both tools."""
    for tool in tools():
        engine.registry.register(tool, door)


async def check(rig: Rig, door: Door) -> None:
    """Whoever opened the door has it locked again, or a person knows; rows are what their events say."""
    for row in await rig.store.page(SPACE, "acme"):
        events = [read(entry) for entry in await rig.store.stream("acme", STREAM_PREFIX + row.key)]
        folded = folded_box(events)
        assert folded is not None
        assert encoded_box(folded) == row.value
        assert row.facet in ("reverted", "voided", "needs_operator", "reverting"), row.facet
        reverts = [event.facts["revert"] for event in events if event.type == "time_box.reverting"]
        assert len(reverts) <= 1
        if row.facet == "reverted":
            assert not door.open
            assert door.moves[-1] == "door.lock"
        if row.facet == "voided":
            assert not door.moves
    if door.open:
        (row,) = await rig.store.page(SPACE, "acme")
        assert row.facet in ("needs_operator", "reverting")


@settings(max_examples=examples(60), deadline=None)
@given(fates=FATES, answers=ANSWERS, restart=st.booleans())
def test_nothing_holds_for_ever_and_nothing_is_reverted_twice(
    fates: list[str], answers: list[str], *, restart: bool
) -> None:
    """Lost acknowledgements, a ledger that is away, lost answers, refusals and a restart, in any order."""
    asyncio.run(play(fates, answers, restart=restart))
