"""A dependency that answers, or fails, as its outages have it, in virtual time. It knows the truth and tells nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from switchgear.core.clock import Clock
from tools.outage_drills.facts import Asker, Outage
from tools.outage_drills.faults import FAULTS, QUICK_SECONDS_MAX, Moment


@dataclass(frozen=True, slots=True)
class Scripted:
    """Answers every question right and quickly, but for its outages. Who asks before one and waits into it meets it."""

    outages: Sequence[Outage]
    clock: Clock
    rng: Random

    async def probed(self) -> str:
        """Answer a probe."""
        await self.asked("probes")
        return "answers"

    async def called(self) -> None:
        """Answer a call."""
        await self.asked("calls")

    async def asked(self, asker: Asker) -> None:
        """Return when a right answer comes; raise what comes instead."""
        await self.clock.sleep_async(self.rng.uniform(0.001, QUICK_SECONDS_MAX))
        outage = self._outage(asker)
        if outage is not None:
            moment = Moment(self.clock, self.rng, outage.end, probing=asker == "probes")
            await FAULTS[outage.fault].script(moment)

    def _outage(self, asker: Asker) -> Outage | None:
        now = self.clock.monotonic()
        met = (one for one in self.outages if one.only in (None, asker) and one.begin <= now < one.end)
        return next(met, None)
