"""Kill switches in one gear: their parts put together, and their face in Python."""

from __future__ import annotations

from switchgear.assembly.configuration.sections import KillSwitchSettings
from switchgear.control.kill_switches import KillSwitches, KillSwitchList, ReleasedView, TrippedView
from switchgear.control.use_cases import Control
from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.ids import IdSource
from switchgear.core.scope import Principal
from switchgear.execution.engine import Engine
from switchgear.gates.gate import Stage
from switchgear.gates.kill_switches.gate import KillSwitchGate
from switchgear.gates.kill_switches.keeper import KillSwitchKeeper
from switchgear.gates.kill_switches.probe import SelfProbe
from switchgear.gates.kill_switches.switches import SPACE
from switchgear.ledger.events import EventEncoder
from switchgear.storage.abilities import Store

_OWN_STORES = ("memory:", "sqlite:")
"""Stores that only one engine writes to, so that what it knows is never stale."""


class KillSwitching:
    """Gate, keeper and self-probe of one gear."""

    def __init__(
        self,
        settings: KillSwitchSettings,
        store: Store,
        url: str,
        *,
        clock: Clock,
        ids: IdSource,
        encoder: EventEncoder,
    ) -> None:
        """Keep the switches in `store`, which was opened by `url`; nothing is read yet, so the gate is closed."""
        stale_after = None if url.startswith(_OWN_STORES) else settings.stale_after
        self._settings = settings
        self._clock = clock
        self.gate = KillSwitchGate(clock, stale_after=stale_after)
        self._keeper = KillSwitchKeeper(
            self.gate, store, clock=clock, ids=ids, encoder=encoder, stale_after=stale_after
        )

    def join(self, engine: Engine) -> KillSwitches:
        """Have `engine` keep the switches fresh and proven, and return their use cases. The gate is its first."""
        ask = {Stage.ADMISSION: engine.admission.ask, Stage.DISPATCH: engine.kernel.ask}
        self._probe = SelfProbe(self.gate, ask, clock=self._clock, every=self._settings.self_probe_every)
        engine.keep_fresh(SPACE, self._keeper.refresh)
        engine.run_beside(self._keeper.run)
        engine.run_beside(self._probe.run)
        alone = self._settings.single_operator
        return KillSwitches(engine, self._keeper, self._probe, clock=self._clock, single_operator=alone)

    def refusal_at(self, stage: Stage) -> Code | None:
        """Try now whether the gates at `stage` stop what is frozen. Return their code, None when it gets through."""
        return self._probe.refusals()[stage]

    async def begin(self) -> None:
        """Read what is set, and prove that it stops things. What cannot be read stays closed, and is read again."""
        await self._keeper.load()
        self._probe.prove()


class KillSwitchDesk:
    """Kill switches as one principal sees them. A target is global, tenant:NAME, connector:NAME or tool:NAME."""

    def __init__(self, control: Control, principal: Principal) -> None:
        """Act through `control`."""
        self._control = control
        self._principal = principal

    def list(self) -> KillSwitchList:
        """Return the switches that are on for this principal, and when they were last proven to work."""
        return self._control.kill_switches.list(self._principal)

    async def trip(self, target: str, *, reason: str, mode: str = "freeze") -> TrippedView:
        """Set a switch, and return it with what had left already.

        `mode` is ``freeze`` or ``stop_new``. Raises `Denied`, `Invalid`, `Conflict`, and `StoreError` when it is not
        known to be recorded.
        """
        return await self._control.kill_switches.trip(self._principal, target, mode=mode, reason=reason)

    async def release(self, target: str, *, reason: str) -> ReleasedView:
        """Take a switch off that somebody else tripped. Raises `Denied`, `Invalid`, `StoreError`."""
        return await self._control.kill_switches.release(self._principal, target, reason=reason)
