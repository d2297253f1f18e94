"""The phases of a breaker beside closed: open, half-open, forced open; and the ramp after closing.

A phase answers what it would do. It never changes the breaker: it asks for a move, and the machine makes it.
"""

from __future__ import annotations

from typing import ClassVar

from switchgear.core.codes import Code
from switchgear.core.outcome import Verdict
from switchgear.policies.breaker.options import Breaker
from switchgear.policies.breaker.windows import BreakerState, Move
from switchgear.policies.refusal import Refusal

_PROBE_HINT_SECONDS_MAX = 1.0
_RAMP_PERCENT = (10, 25, 50)
_HUNDRED = 100
_CODE = Code.CIRCUIT_OPEN


class OpenPhase:
    """Refuses until `until`, then asks for probes. A driver in a hurry refuses by itself, and counts in `blocked`."""

    __slots__ = ("blocked", "generation", "until")

    def __init__(self, generation: int, until: float) -> None:
        """Refuse until the monotonic second `until`."""
        self.generation = generation
        self.until = until
        self.blocked = 0

    def state(self, now: float) -> BreakerState:
        """Return "open"; "half_open" once the next call would be a probe."""
        return "open" if now < self.until else "half_open"

    def due(self, now: float) -> Move | None:
        """Return "probe" once the cooldown is over."""
        return None if now < self.until else "probe"

    def admit(self, now: float) -> Refusal | None:
        """Refuse, for what is left of the cooldown."""
        return Refusal("breaker", _CODE, "open", self.until - now)

    def settle(self, _verdict: Verdict, _duration: float, _now: float) -> Move | None:
        """Nothing is admitted in here, so nothing comes back."""
        return None

    def retry_after(self, now: float) -> float | None:
        """Return what is left of the cooldown, in seconds."""
        return max(0.0, self.until - now)


class HalfOpenPhase:
    """Lets a few probes in and waits for what they say."""

    blocked: ClassVar[int] = 0
    __slots__ = ("_ends", "_failed", "_in_flight", "_options", "_recorded", "_slow", "generation")

    def __init__(self, options: Breaker, generation: int, now: float) -> None:
        """Begin a round at `now`."""
        self._options = options
        self.generation = generation
        self._in_flight = self._recorded = self._failed = self._slow = 0
        self._ends = now + (options.cooldown if options.half_open_max is None else options.half_open_max)

    def reconfigure(self, options: Breaker) -> Move | None:
        """Go on under other options. Fewer probes may be enough at once."""
        self._options = options
        return self._judge() if self._recorded else None

    @property
    def ends(self) -> float:
        """The monotonic second at which the round is given up."""
        return self._ends

    def state(self, now: float) -> BreakerState:
        """Return "half_open"; "open" once the round has to be given up."""
        return "half_open" if self.due(now) is None else "open"

    def due(self, now: float) -> Move | None:
        """Return "lapse" when the round took too long. By default an idle round never does."""
        waited_for = self._options.half_open_max is not None or self._in_flight > 0
        return "lapse" if waited_for and now >= self._ends else None

    def admit(self, now: float) -> Refusal | None:
        """Let a probe in if a place is left."""
        if self._has_place:
            self._in_flight += 1
            if self._options.half_open_max is None:
                self._ends = now + self._options.cooldown
            return None
        return Refusal("breaker", _CODE, "half_open", self.retry_after(now), reason="every probe is taken")

    def settle(self, verdict: Verdict, duration: float, now: float) -> Move | None:
        """Record a probe. One that says nothing gives its place back."""
        if (late := self.due(now)) is not None:
            return late
        self._in_flight -= 1
        if verdict is Verdict.IGNORED:
            return None
        self._recorded += 1
        self._failed += verdict is Verdict.FAILURE
        self._slow += duration > self._options.thresholds.slow_after
        return self._judge()

    def retry_after(self, now: float) -> float | None:
        """Return 0 while a probe is wanted, else a short hint: nobody knows when the probes are back."""
        if self._has_place:
            return 0.0
        return max(0.0, min(_PROBE_HINT_SECONDS_MAX, self._options.cooldown, self._ends - now))

    @property
    def _has_place(self) -> bool:
        return self._in_flight + self._recorded < self._options.probes

    def _judge(self) -> Move | None:
        """Judge by the rate over all probes: bad as soon as that is certain, good when all are recorded."""
        probes, thresholds = self._options.probes, self._options.thresholds
        if (thresholds.failures and self._failed) or thresholds.exceeded(probes, self._failed, self._slow):
            return "relapse"
        return "recover" if self._recorded >= probes else None


class ForcedOpenPhase:
    """Refuses for ever: a mode for tests and drills."""

    blocked: ClassVar[int] = 0
    __slots__ = ("generation",)

    def __init__(self, generation: int = 0) -> None:
        """Refuse from now on."""
        self.generation = generation

    def state(self, _now: float) -> BreakerState:
        """Return "forced_open"."""
        return "forced_open"

    def due(self, _now: float) -> Move | None:
        """Time changes nothing."""
        return None

    def admit(self, _now: float) -> Refusal | None:
        """Refuse; waiting does not help."""
        return Refusal("breaker", _CODE, "forced_open", None, "reject", "the breaker is forced open")

    def settle(self, _verdict: Verdict, _duration: float, _now: float) -> Move | None:
        """Nothing is admitted in here, so nothing comes back."""
        return None

    def retry_after(self, _now: float) -> float | None:
        """Return None: waiting does not help."""
        return None


class Ramp:
    """Lets a growing share of calls in after closing, evenly spread, without drawing lots."""

    __slots__ = ("_credit", "_seconds", "_started")

    def __init__(self, started: float, seconds: float) -> None:
        """Begin at `started`; be through after `seconds`."""
        self._started = started
        self._seconds = seconds
        self._credit = _HUNDRED - _RAMP_PERCENT[0]

    def over(self, now: float) -> bool:
        """Return whether every call is let in again."""
        return now - self._started >= self._seconds

    def admit(self, now: float) -> Refusal | None:
        """Let in 10, 25, then 50 of a hundred calls; refuse the others until the next step."""
        step = max(0, int((now - self._started) / self._seconds * len(_RAMP_PERCENT)))
        self._credit += _RAMP_PERCENT[step]
        if self._credit >= _HUNDRED:
            self._credit -= _HUNDRED
            return None
        wait = self._started + (step + 1) * self._seconds / len(_RAMP_PERCENT) - now
        return Refusal(
            "breaker",
            _CODE,
            "closed",
            max(0.0, wait),
            reason="only a share of calls is let in after closing",
        )
