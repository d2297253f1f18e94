"""`HealthMachine`: where one dependency stands, from what calls, probes and operators say. Pure: `now` is an argument.

Calls and probes are judged apart, each by its own streaks (`line`). The standing is the worse of those that speak, so
green probes do not clear failing traffic. What fell silent does not speak. From unknown, and after an outage, it goes
through recovering: one lucky answer never makes it healthy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, inf
from typing import Self

from switchgear.health.dependency import Dependency
from switchgear.health.evidence import Evidence, Polarity, Source
from switchgear.health.line import Line, heard, moved, silent_at
from switchgear.health.standing import Cause, Health, Standing
from switchgear.health.transitions import TRANSITIONS, Move

_CHANGES_KEPT = 128
_CHANGES_OF_AN_OUTAGE = 3
_DOUBLINGS_MAX = 3
_WORST_FIRST = (Health.UNHEALTHY, Health.RECOVERING, Health.DEGRADED, Health.HEALTHY)
_NOUNS = {Source.CALL: "traffic", Source.PROBE: "probes"}


@dataclass(frozen=True, slots=True)
class Change:
    """A dependency stands elsewhere since the monotonic second `at`. `reason` says why, for people."""

    before: Health
    after: Health
    at: float
    reason: str
    flapping: bool


class HealthMachine:
    """Where one dependency stands. One that flaps needs more right answers in a row, up to eight times as many.

    due         the monotonic second at which time alone changes something, inf when it does not.
    is_doubted  whether the youngest evidence of a source is not positive, or much of what it looked at failed.
    """

    __slots__ = ("_changes", "_lines", "_operator", "_since", "_state", "_youngest", "dependency", "due", "is_doubted")

    def __init__(self, dependency: Dependency, now: float) -> None:
        """Start unknown at `now` (monotonic seconds)."""
        self.dependency = dependency
        self._lines = {Source.CALL: Line(), Source.PROBE: Line()}
        self._operator: Evidence | None = None
        self._state = Health.UNKNOWN
        self._since = now
        self._changes: deque[float] = deque(maxlen=_CHANGES_KEPT)
        self._look()

    def observe(self, evidence: Evidence, now: float) -> tuple[Change, ...]:
        """Take an observation. Return what changed, by the passing of time and by it.

        One that is older than the freshness, or than another of its source, says nothing. Evidence of an operator that
        is not positive holds until a positive one withdraws it; that alone makes nothing better.
        """
        changes = self.elapse(now)
        if evidence.source is Source.OPERATOR:
            return changes + self._command(evidence, now)
        line, at = self._lines[evidence.source], min(evidence.at, now)
        if at < line.seen_at or now - at >= self.dependency.freshness:
            return changes
        self._lines[evidence.source] = heard(line, evidence, at, self.dependency, self.needed(now))
        return changes + self._turn(now)

    def elapse(self, now: float) -> tuple[Change, ...]:
        """Let time do its work until `now`: what was not heard of for too long falls silent, in order."""
        changes: tuple[Change, ...] = ()
        while (moment := self.due) <= now:
            for source, line in tuple(self._lines.items()):
                if silent_at(line, source, self.dependency) <= moment:
                    self._silence(source, line)
            changes += self._turn(moment)
        return changes

    def as_of(self, now: float) -> HealthMachine:
        """Return the machine as time alone will have left it at `now`: this one, or a copy that has moved on."""
        if now < self.due:
            return self
        copied = self._copy()
        copied.elapse(now)
        return copied

    def standing(self, now: float, next_look: float | None = None) -> Standing:
        """Return where it stands at `now`, changing nothing. `next_look` is when it is looked at again, if known."""
        if now >= self.due:
            return self.as_of(now).standing(now, next_look)
        youngest = self._youngest
        return Standing(
            name=self.dependency.name,
            state=self._state,
            critical=self.dependency.critical,
            age=None if youngest == -inf else max(0.0, now - youngest),
            state_age=max(0.0, now - self._since),
            reason=self._reason(now),
            retry_after=None if next_look is None else max(0.0, next_look - now),
            flapping=self.is_flapping(now),
            doubted=self.is_doubted,
            cause=self._cause(now),
        )

    def line(self, source: Source) -> Line:
        """Return what calls, or probes, have said as of the last `observe` or `elapse`."""
        return self._lines[source]

    @property
    def state(self) -> Health:
        """The state as of the last `observe` or `elapse`."""
        return self._state

    def is_flapping(self, now: float) -> bool:
        """Return whether it changed its state too often lately."""
        return len(self._changes) > self.dependency.flap_changes and self._excess(now) > 0

    def needed(self, now: float) -> int:
        """Return how many right answers in a row make it healthy at `now`: twice as many for each outage too many."""
        doublings = min(_DOUBLINGS_MAX, ceil(self._excess(now) / _CHANGES_OF_AN_OUTAGE))
        return self.dependency.up_after << max(0, doublings)

    def _excess(self, now: float) -> int:
        since = now - self.dependency.flap_window
        return sum(at > since for at in self._changes) - self.dependency.flap_changes

    def _command(self, evidence: Evidence, now: float) -> tuple[Change, ...]:
        if evidence.polarity is not Polarity.POSITIVE:
            self._operator = evidence
        elif self._operator is not None:
            self._operator = None
            self._recheck()
        return self._turn(now)

    def _silence(self, source: Source, line: Line) -> None:
        self._lines[source] = moved(line, Move.SILENT)
        if line.state is Health.UNHEALTHY:
            self._recheck()

    def _recheck(self) -> None:
        """Have every source confirm anew: who said that it was down says nothing now, which is not a right answer."""
        sources, _ = TRANSITIONS[Move.RECHECKED]
        for source, line in self._lines.items():
            if line.state in sources:
                self._lines[source] = moved(line, Move.RECHECKED)

    def _look(self) -> None:
        """Work out what readers ask for, after a line has changed."""
        lines = self._lines
        self.due = min(silent_at(line, source, self.dependency) for source, line in lines.items())
        self.is_doubted = any(line.bad or line.failing for line in lines.values())
        self._youngest = max(line.positive_at for line in lines.values())

    def _turn(self, moment: float) -> tuple[Change, ...]:
        self._look()
        before, after = self._state, self._verdict()[0]
        if before is after:
            return ()
        self._state, self._since = after, moment
        self._changes.append(moment)
        return (Change(before, after, moment, self._reason(moment), self.is_flapping(moment)),)

    def _verdict(self) -> tuple[Health, Source]:
        """Return the worst that a source says, and which. A first answer speaks only when nobody has decided."""
        if self._operator is not None:
            return Health.UNHEALTHY, Source.OPERATOR
        for wanted in (True, False):
            for state in _WORST_FIRST:
                for source, line in self._lines.items():
                    if line.state is state and line.decided is wanted:
                        return state, source
        return Health.UNKNOWN, Source.PROBE

    def _reason(self, now: float) -> str:
        state, source = self._verdict()
        if self._operator is not None:
            return f"taken out by an operator: {self._operator.detail}"
        doubting = self._doubting(state)
        if doubting is not None:
            return f"{_NOUNS[doubting]}: {_doubt_in_words(self._lines[doubting], self.dependency)}"
        if state is Health.UNKNOWN:
            return self._silence_in_words()
        return f"{_NOUNS[source]}: {_IN_WORDS[state](self._lines[source], self.needed(now))}"

    def _doubting(self, state: Health) -> Source | None:
        """Return the source that is in doubt while the standing is not unhealthy anyway."""
        doubted = [source for source, line in self._lines.items() if line.bad]
        return doubted[0] if doubted and state is not Health.UNHEALTHY else None

    def _cause(self, now: float) -> Cause | None:
        """Return the observation behind `_reason`."""
        state, source = self._verdict()
        if self._operator is not None:
            told = self._operator
            return Cause(Source.OPERATOR, told.polarity, max(0.0, now - told.at), told.detail)
        source = self._doubting(state) or source
        line = self._lines[source]
        return (
            None if line.polarity is None else Cause(source, line.polarity, max(0.0, now - line.seen_at), line.detail)
        )

    def _silence_in_words(self) -> str:
        if self._youngest == -inf:
            return "no right answer was ever seen"
        return f"no right answer for {self.dependency.freshness:g} s or longer"

    def _copy(self) -> Self:
        copied = object.__new__(type(self))
        copied.dependency, copied._operator = self.dependency, self._operator
        copied._state, copied._since = self._state, self._since
        copied._lines, copied._changes = self._lines.copy(), self._changes.copy()
        copied._look()
        return copied


_FAILURES = {Polarity.NEGATIVE: "answered wrongly", Polarity.ABSENT: "no answer"}


def _failure_in_words(line: Line) -> str:
    words = _FAILURES[line.polarity or Polarity.ABSENT]
    return f"{words}: {line.detail}" if line.detail else words


def _doubt_in_words(line: Line, options: Dependency) -> str:
    return f"in doubt, {line.bad} of {options.down_after} in a row: {_failure_in_words(line)}"


_IN_WORDS: Mapping[Health, Callable[[Line, int], str]] = {
    Health.HEALTHY: lambda line, _needed: line.detail or "right answers",
    Health.DEGRADED: lambda line, _needed: ": ".join(filter(None, ("slow or partly failing", line.detail))),
    Health.RECOVERING: lambda line, needed: f"{line.answers} of {needed} right answers in a row",
    Health.UNHEALTHY: lambda line, _needed: _failure_in_words(line),
}
