"""What an engine has left open when it ends, as its server says in its last line."""

from __future__ import annotations

from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.execution.contract import Uncertain
from switchgear.execution.engine import LeftOpen
from switchgear.execution.transitions import State
from tests.unit.execution.rig import GLOBEX, running


async def test_what_is_left_is_counted_over_all_tenants() -> None:
    """In doubt is apart from what only has not ended; what has ended, or was put away, counts as neither."""
    async with running() as rig:
        rig.tool()
        rig.tool("mail.send", Effect.OPAQUE, attempts=1)
        rig.script.answers = [Uncertain(Code.DEPENDENCY_FAILED, "silence")]
        assert await rig.engine.left_open() == LeftOpen(0, 0)
        assert (await rig.settled(await rig.submit("mail.send", key="k0"))).state is State.IN_DOUBT
        assert (await rig.settled(await rig.submit(key="k1"))).state is State.SUCCEEDED
        assert await rig.engine.left_open() == LeftOpen(1, 0)


async def test_what_waits_is_unfinished() -> None:
    """An action whose time has not come yet goes on with the next start."""
    async with running(start=False) as rig:
        rig.tool()
        await rig.submit(key="k1")
        await rig.submit(key="k2", scope=GLOBEX)
        assert await rig.engine.left_open() == LeftOpen(0, 2)
