"""Proves on a schedule that the gate still stops things, at both places where it is asked.

A made-up action that is always frozen goes through the very gates that real ones go through. If it is not refused,
the gate closes for everybody, until somebody has looked and the process is started again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from switchgear.core.clock import Clock
from switchgear.core.codes import Code
from switchgear.core.effects import Effect
from switchgear.core.errors import Rejected
from switchgear.core.scope import PLATFORM_TENANT
from switchgear.gates.gate import Conditions, GateRequest, Stage
from switchgear.gates.kill_switches.gate import KillSwitchGate
from switchgear.gates.kill_switches.switches import SELF_PROBE

_log = logging.getLogger("switchgear.kill_switches")

Ask = Callable[[GateRequest], Conditions]
"""Asks all gates of one place, as a real action does."""


class SelfProbe:
    """Tries the gates of an engine. `proven_at` is when they last held, in seconds since the epoch; None never."""

    def __init__(self, gate: KillSwitchGate, ask: Mapping[Stage, Ask], *, clock: Clock, every: float) -> None:
        """Try what `ask` has for each stage, every so many seconds (above 0); `gate` breaks if they let it through."""
        self._gate = gate
        self._ask = dict(ask)
        self._clock = clock
        self._every = every
        self.proven_at: float | None = None

    async def run(self) -> None:
        """Try again and again, for ever."""
        while True:
            await self._clock.sleep_async(self._every)
            self.prove()

    def prove(self) -> None:
        """Try once at each stage. A gate that is closed anyway proves nothing."""
        codes = self.refusals()
        for stage, code in codes.items():
            if code not in _HOLDS and self._gate.broken is None:
                self._gate.broken = f"the self-probe was not stopped at {stage}"
                _log.critical("nothing is started any more: %s", self._gate.broken)
        if set(codes.values()) == {Code.KILL_SWITCH_ACTIVE}:
            self.proven_at = self._clock.time()

    def refusals(self) -> dict[Stage, Code | None]:
        """Return for each stage the code that the made-up action is refused with now, None when it gets through."""
        return {stage: self._refusal(stage, ask) for stage, ask in self._ask.items()}

    def _refusal(self, stage: Stage, ask: Ask) -> Code | None:
        try:
            ask(self._request(stage))
        except Rejected as refusal:
            return refusal.code
        return None

    def _request(self, stage: Stage) -> GateRequest:
        now = self._clock.time()
        return GateRequest(
            stage=stage,
            intent_id=SELF_PROBE,
            tenant=PLATFORM_TENANT,
            account="platform",
            actor="switchgear",
            tool=SELF_PROBE,
            contract="",
            requires=(SELF_PROBE,),
            effect=Effect.READ_ONLY,
            destructive=False,
            cost=0,
            payload="",
            at=now,
            deadline_at=now,
        )


_HOLDS = (Code.KILL_SWITCH_ACTIVE, Code.KILL_SWITCH_UNREADABLE)
