"""The bad day of the demo's upstream: which fault rules when, as a table, scaled to the length of the demo.

Pure: it maps elapsed seconds to a phase. The upstream acts on it, the demo shows it and kills the process
when the phase says so. Both read the same table, so they agree without talking.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One stretch of the schedule.

    `share` is its part of the whole, above 0. `latency` is the most seconds an answer is held back.
    `fail_before` and `fail_after` are the chances, 0 to 1, that a request fails before or after its effect
    was applied. `requests_per_second` above 0 limits the upstream, which then answers 429. `dead` means that
    there is no process.
    """

    name: str
    share: float
    latency: float = 0.02
    fail_before: float = 0.0
    fail_after: float = 0.0
    requests_per_second: float = 0.0
    dead: bool = False


PHASES = (
    Phase(name="calm", share=0.14),
    Phase(name="slow", share=0.14, latency=1.2),
    Phase(name="failing", share=0.16, fail_before=0.35, fail_after=0.3),
    Phase(name="calm again", share=0.12),
    Phase(name="rate limiting", share=0.14, requests_per_second=4.0),
    Phase(name="dead", share=0.12, dead=True),
    Phase(name="recovering", share=0.08, latency=0.15, fail_before=0.1),
    Phase(name="well", share=0.10),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The phases laid over `seconds` of demo, above 0."""

    seconds: float

    def phase_at(self, elapsed: float) -> Phase:
        """Return the phase at `elapsed` seconds; before the start the first, after the end the last."""
        end = 0.0
        for phase in PHASES:
            end += phase.share * self.seconds
            if elapsed < end:
                return phase
        return PHASES[-1]
