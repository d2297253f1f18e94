"""What one source, calls or probes, says of one dependency: its streaks and the state that follows from them. Pure.

How the lines of several sources become one standing is the business of `machine`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf

from switchgear.health.dependency import RECENT, Dependency
from switchgear.health.evidence import Evidence, Polarity, Source
from switchgear.health.standing import Health
from switchgear.health.transitions import ANSWERING, TRANSITIONS, Move

_DETAIL_CHARACTERS_MAX = 200
_WINDOW = (1 << RECENT) - 1
_DECIDED = {Health.HEALTHY: True, Health.DEGRADED: True, Health.UNHEALTHY: True, Health.UNKNOWN: False}


@dataclass(frozen=True, slots=True)
class Line:
    """What a source has said so far.

    state        what follows from it.
    decided      whether it has been more than a first answer: healthy, degraded or unhealthy since it last was silent.
    answers, quick, bad   the latest observations in a row that were right, right and quick, and neither.
    failing      whether as much of the latest observation failed as makes it degraded, though some of it was right.
    recent       one bit for each of the latest ten observations: set when it was slow or missing.
    positive_at, seen_at  moments of the youngest right answer and of the youngest observation; -inf for never.
    polarity, detail      of the youngest observation.
    """

    state: Health = Health.UNKNOWN
    decided: bool = False
    answers: int = 0
    quick: int = 0
    bad: int = 0
    failing: bool = False
    recent: int = 0
    positive_at: float = -inf
    seen_at: float = -inf
    polarity: Polarity | None = None
    detail: str = ""


def heard(line: Line, evidence: Evidence, at: float, options: Dependency, needed: int) -> Line:
    """Return `line` after an observation made `at`; `needed` right answers in a row make it healthy."""
    positive = evidence.polarity is Polarity.POSITIVE
    quick = positive and _is_quick(evidence, options)
    counted = replace(
        line,
        answers=line.answers + 1 if positive else 0,
        quick=line.quick + 1 if quick else 0,
        bad=0 if positive else line.bad + 1,
        failing=positive and not evidence.failed < options.degraded_rate,
        recent=(line.recent << 1 | (not quick)) & _WINDOW,
        positive_at=at if positive else line.positive_at,
        seen_at=at,
        polarity=evidence.polarity,
        detail=evidence.detail[:_DETAIL_CHARACTERS_MAX],
    )
    move = _RULES[line.state](counted, options, needed)
    return counted if move is None else moved(counted, move)


def moved(line: Line, move: Move) -> Line:
    """Return `line` after `move`, as the table has it."""
    sources, target = TRANSITIONS[move]
    assert line.state in sources, f"{move} cannot happen in {line.state}"
    if move is Move.SILENT:
        return _after_silence(line)
    if move is Move.RECHECKED:
        return replace(line, state=target, answers=0, quick=0, recent=0)
    forgotten = 0 if target is Health.HEALTHY else line.recent
    return replace(line, state=target, decided=_DECIDED.get(target, line.decided), recent=forgotten)


def silent_at(line: Line, source: Source, options: Dependency) -> float:
    """Return the moment from which on the line says nothing any more, when nothing else is heard; inf for never.

    Right answers last for the freshness. That it is unhealthy lasts as long after traffic; after probes longer by the
    back-off, since they come that seldom then.
    """
    if line.state in ANSWERING:
        return line.positive_at + options.freshness
    if line.state is Health.UNHEALTHY and source is Source.PROBE:
        return line.seen_at + options.freshness + options.backoff_max
    return line.seen_at + options.freshness if line.bad else inf


def _after_silence(line: Line) -> Line:
    """Forget what is too old. Observations since the last right answer are younger than it, so their doubt stays."""
    nothing = Line(positive_at=line.positive_at)
    if line.state not in {Health.HEALTHY, Health.DEGRADED} or not line.bad:
        return nothing
    return replace(nothing, bad=line.bad, seen_at=line.seen_at, polarity=line.polarity, detail=line.detail)


def _is_quick(evidence: Evidence, options: Dependency) -> bool:
    if not evidence.failed < options.degraded_rate:
        return False
    return options.degraded_after is None or evidence.seconds is None or evidence.seconds <= options.degraded_after


def _when_unknown(line: Line, options: Dependency, _needed: int) -> Move | None:
    if line.bad >= options.down_after:
        return Move.FAILED
    return Move.ANSWERED if line.answers else None


def _when_unhealthy(line: Line, _options: Dependency, _needed: int) -> Move | None:
    return Move.ANSWERED if line.answers else None


def _when_recovering(line: Line, _options: Dependency, needed: int) -> Move | None:
    if line.bad:
        return Move.RELAPSED
    if line.quick >= needed:
        return Move.CONFIRMED
    return Move.WORN if line.answers >= needed and not line.quick else None


def _when_healthy(line: Line, options: Dependency, _needed: int) -> Move | None:
    if line.bad >= options.down_after:
        return Move.FAILED
    return Move.WORN if not line.quick and line.recent.bit_count() >= options.degrading else None


def _when_degraded(line: Line, options: Dependency, needed: int) -> Move | None:
    if line.bad >= options.down_after:
        return Move.FAILED
    return Move.STEADIED if line.quick >= needed else None


_RULES: Mapping[Health, Callable[[Line, Dependency, int], Move | None]] = {
    Health.UNKNOWN: _when_unknown,
    Health.UNHEALTHY: _when_unhealthy,
    Health.RECOVERING: _when_recovering,
    Health.HEALTHY: _when_healthy,
    Health.DEGRADED: _when_degraded,
}
