"""The breaker's machine: which phase is in force, and the moves between phases.

The phase a call was admitted in is its ticket. An outcome with the ticket of another phase is dropped, success
and failure alike, so a call from before the trip can neither close the breaker nor disturb its probes. Pure:
`now` and the draw for the jitter are arguments.
"""

from __future__ import annotations

from typing import NamedTuple

from switchgear.core.outcome import Verdict
from switchgear.policies.breaker.evidence import Evidence
from switchgear.policies.breaker.options import Breaker
from switchgear.policies.breaker.phases import ForcedOpenPhase, HalfOpenPhase, OpenPhase, Ramp
from switchgear.policies.breaker.windows import (
    BreakerState,
    ConsecutiveWindow,
    CountWindow,
    Move,
    TimeWindow,
    window_for,
)
from switchgear.policies.refusal import Refusal

Window = ConsecutiveWindow | CountWindow | TimeWindow
Phase = Window | OpenPhase | HalfOpenPhase | ForcedOpenPhase
"""The phase of a breaker. The one a call was admitted in is its ticket."""


_NO_JITTER = 0.5


class Change(NamedTuple):
    """A transition that happened: the new state, its generation, and for "open" the seconds until a probe."""

    state: BreakerState
    generation: int
    retry_after: float | None


class BreakerMachine:
    """One breaker.

    `passing` is True while every call is let in: `admit` need not be asked then. `changes` holds the
    transitions since somebody last emptied it. `opened` and `closed` count transitions, `blocked` the calls that a
    driver refused by itself while an open phase was in force. `observes` says that a refusal is not meant. Where
    several tenants are asked for, `evidence` is of whose calls failed lately; a driver in a hurry asks what it knows.
    """

    __slots__ = (
        "_blocked",
        "_failed_recoveries",
        "_options",
        "_ramp",
        "changes",
        "closed",
        "evidence",
        "opened",
        "passing",
        "phase",
    )

    def __init__(self, options: Breaker) -> None:
        """Start closed, unless forced open."""
        self._options = options
        self._failed_recoveries = 0
        self._ramp: Ramp | None = None
        self.evidence = _evidence_for(options)
        self.changes: tuple[Change, ...] = ()
        self.opened = self.closed = self._blocked = 0
        self.passing = options.mode != "forced_open"
        self.phase: Phase = window_for(options.thresholds, 0) if self.passing else ForcedOpenPhase()

    @property
    def observes(self) -> bool:
        """Whether a refusal is only to be noted."""
        return self._options.mode == "observe"

    @property
    def blocked(self) -> int:
        """How many calls a driver refused by itself."""
        return self._blocked + self.phase.blocked

    def admit(self, now: float, draw: float) -> Refusal | None:
        """Let a call in, or say no. The ticket of a call that is let in is `phase` right afterwards."""
        while (move := self.phase.due(now)) is not None:
            self.move(move, now, draw)
        if self._ramp is not None:
            if not self._ramp.over(now):
                return self._ramp.admit(now)
            self._ramp = None
            self.passing = True
        return self.phase.admit(now)

    def settle(
        self, ticket: Phase, verdict: Verdict, duration: float, now: float, draw: float, tenant: str | None = None
    ) -> None:
        """Take the outcome of a call that took `duration` seconds. Outcomes of another generation are dropped."""
        if ticket is not self.phase:
            return
        evidence = self.evidence
        if evidence is not None:
            evidence.hear(tenant, verdict, now)
        move = ticket.settle(verdict, duration, now)
        if move is None:
            return
        if move == "trip" and evidence is not None and not evidence.suffices(self._options.tenants, now):
            return
        self.move(move, now, draw)

    def reconfigure(self, options: Breaker, now: float) -> None:
        """Go on under other options, keeping what is remembered and how long an open phase lasts.

        A window of another kind or grain starts empty, in a new generation. Forcing it open, and disabling it, act at
        once; when it is forced open no longer, probes decide.
        """
        before, self._options = self._options, options
        if (options.tenants, options.evidence_seconds) != (before.tenants, before.evidence_seconds):
            self.evidence = _evidence_for(options)
        if options.mode in {"forced_open", "disabled"}:
            self._ramp = None  # one lets nobody in, the other everybody: neither a share of the calls
        if options.mode == "forced_open":
            if before.mode != "forced_open":
                self.passing = False
                self._enter(ForcedOpenPhase(self.phase.generation + 1), now)
        elif isinstance(self.phase, Window):
            self.phase = self.phase.under(options.thresholds)
            self.passing = self._ramp is None
        elif options.mode == "disabled":
            self._close(now)
        elif before.mode == "forced_open":
            self.move("probe", now, _NO_JITTER)
        elif isinstance(self.phase, HalfOpenPhase):
            move = self.phase.reconfigure(options)
            if move is not None:
                self.move(move, now, _NO_JITTER)

    def state(self, now: float) -> BreakerState:
        """Return the state as a call would meet it at `now`, changing nothing."""
        return "disabled" if self._options.mode == "disabled" else self.phase.state(now)

    def retry_after(self, now: float) -> float | None:
        """Return seconds until a call may be let in; 0 when at once, None when waiting does not help."""
        return self.phase.retry_after(now)

    def shares(self, now: float) -> tuple[float | None, float | None]:
        """Return the shares of failed and of slow calls; None where the window has too few calls or no rate."""
        thresholds = self._options.thresholds
        if thresholds.failures or not isinstance(self.phase, Window):
            return None, None
        rates = self.phase.rates(now)
        if rates.calls < thresholds.minimum_calls:
            return None, None
        return rates.failed / rates.calls, rates.slow / rates.calls

    def is_clean(self, now: float) -> bool:
        """Return whether it is closed, lets every call in, and remembers nothing bad."""
        if not self.passing or not isinstance(self.phase, Window):
            return False
        rates = self.phase.rates(now)
        return not rates.failed and not rates.slow

    def move(self, move: Move, now: float, draw: float) -> None:
        """Make a move that a phase asked for."""
        if move == "trip":
            self._open(now, draw)
        elif move == "relapse":
            self._failed_recoveries += 1
            self._open(now, draw)
        elif move == "lapse":
            self._open(self._round_end(now), draw)
        elif move == "probe":
            self._enter(HalfOpenPhase(self._options, self.phase.generation + 1, now), now)
        else:
            self._close(now)

    def _round_end(self, now: float) -> float:
        return min(now, self.phase.ends) if isinstance(self.phase, HalfOpenPhase) else now

    def _open(self, now: float, draw: float) -> None:
        if self._options.mode == "disabled":
            return
        self.opened += 1
        self.passing = False
        self._ramp = None
        cooldown = self._options.cooldown_after(self._failed_recoveries, draw)
        self._enter(OpenPhase(self.phase.generation + 1, now + cooldown), now)

    def _close(self, now: float) -> None:
        self.closed += 1
        self._failed_recoveries = 0
        ramps = self._options.ramp and self._options.mode != "disabled"
        self._ramp = Ramp(now, self._options.ramp) if ramps else None
        self.passing = self._ramp is None
        self._enter(window_for(self._options.thresholds, self.phase.generation + 1), now)

    def _enter(self, phase: Phase, now: float) -> None:
        self._blocked, self.phase = self._blocked + self.phase.blocked, phase
        self.changes = (*self.changes, Change(phase.state(now), phase.generation, phase.retry_after(now)))


def _evidence_for(options: Breaker) -> Evidence | None:
    return Evidence(options.evidence_seconds) if options.tenants > 1 else None
