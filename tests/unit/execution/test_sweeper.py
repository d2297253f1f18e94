"""What the sweeper does with what is held: released once nothing holds it, and told anew when something else does."""

from __future__ import annotations

from dataclasses import dataclass

from switchgear.core.codes import Code
from switchgear.core.errors import Rejected
from switchgear.execution.intent import Intent
from switchgear.execution.transitions import State
from switchgear.gates.gate import NO_CONDITIONS, Conditions, GateRequest
from switchgear.ledger.events import read
from tests.unit.execution.rig import Rig, running


@dataclass
class Holding:
    """A gate that holds everything, or what was accepted under one contract, with a code; or nothing."""

    code: Code | None
    agreed: str | None = None

    def check(self, request: GateRequest) -> Conditions:
        """Raise what it is told to."""
        if self.code is not None and self.agreed in (None, request.agreed):
            raise Rejected(f"because of {self.code}", code=self.code)
        return NO_CONDITIONS


async def held_codes(rig: Rig, intent: Intent) -> list[str]:
    """Return the code of each record that the intent is held."""
    entries = [read(entry) for entry in await rig.store.stream(intent.tenant, intent.id)]
    return [entry.facts["code"] for entry in entries if entry.type == "intent.held"]


async def test_what_is_held_says_what_it_waits_for_now() -> None:
    """The tool was gone and came back changed: one more event says so, no look repeats it, and it still goes on."""
    gate = Holding(Code.TOOL_CHANGED)
    async with running(start=False, dispatch_gates=(gate,)) as rig:
        rig.tool()
        intent = await rig.submit()
        rig.engine.registry._tools.clear()  # noqa: SLF001 - as after a restart without the tool
        rig.engine.start()
        await rig.clock.elapse(3.0)
        assert await held_codes(rig, intent) == ["TOOL_UNREGISTERED"]
        rig.tool()
        await rig.clock.elapse(5.0)
        held = await rig.engine.intent("acme", intent.id)
        assert (held.state, held.waiting_for, held.message) == (State.HELD, "TOOL_CHANGED", "because of TOOL_CHANGED")
        assert await held_codes(rig, intent) == ["TOOL_UNREGISTERED", "TOOL_CHANGED"]
        gate.code = None
        assert (await rig.settled(intent)).state is State.SUCCEEDED


async def test_what_holds_one_contract_does_not_hold_another() -> None:
    """Two actions of one tool are not alike when they were accepted under different contracts."""
    gate = Holding(Code.TOOL_CHANGED)
    async with running(dispatch_gates=(gate,)) as rig:
        old = rig.tool()
        first = await rig.submit(key="1")
        await rig.clock.elapse(0.01)
        rig.engine.registry._tools.clear()  # noqa: SLF001 - as after a restart with a changed tool
        rig.tool(version="2")
        second = await rig.submit(key="2")
        await rig.clock.elapse(0.01)
        gate.agreed = old.contract
        assert (await rig.settled(second)).state is State.SUCCEEDED
        assert (await rig.engine.intent("acme", first.id)).state is State.HELD


async def test_after_an_outage_what_was_held_goes_on_slowly_at_first() -> None:
    """A dependency that has just recovered is not met by everything that waited for it; in the end all of it went."""
    gate = Holding(Code.DESTRUCTIVE_BLOCKED)
    async with running(dispatch_gates=(gate,)) as rig:
        tool = rig.tool()
        intents = [await rig.submit(key=str(number)) for number in range(60)]
        await rig.clock.elapse(0.5)
        gate.code = None
        rig.engine.reconsider(tool.dependency)
        gone = []
        for _ in range(8):
            await rig.clock.elapse(1.0)
            found = [await rig.engine.intent("acme", intent.id) for intent in intents]
            gone.append(sum(intent.state is State.SUCCEEDED for intent in found))
        assert gone[0] == 1
        assert gone[1] <= 20
        assert gone[-1] == len(intents)
