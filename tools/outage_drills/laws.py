"""What must hold of a drill. Pure: facts in, broken laws out, each in words. An empty answer means that it holds.

The judge knows the true times of every outage, and what the board was told. It does not ask the board. How long what
was seen before an outage may still speak is worked out in `blind_seconds`: nothing can be known sooner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import inf

from switchgear.health.evidence import Source
from switchgear.health.standing import Health
from tools.outage_drills.facts import Changed, Effect, Facts, Observation, Outage, Refusal, Span
from tools.outage_drills.faults import BOUND_SECONDS_MAX, QUICK_SECONDS_MAX
from tools.outage_drills.lines import ROUNDING_SECONDS, Lines, worst_run

END_SECONDS = 1.0
"""How long a prober waits for a probe that it has cancelled."""
Law = Callable[[Facts], Sequence[str]]
TICK_SECONDS = 1.0
"""How often a prober looks at the traffic, at the latest."""
_GAP_MAX = 1.5
_DOUBLINGS_MAX = 3
_DOWN = {Health.UNHEALTHY, Health.UNKNOWN}


def blind_seconds(outage: Outage, facts: Facts, at: float) -> float:
    """Return how long after its begin an outage may go unnoticed, as judged at the moment `at`.

    A right answer that was asked for before the outage says nothing any more once it is `freshness` old: that bound
    holds whatever else happens. While somebody probes, the next question is asked within one probe interval and its
    jitter of the last right answer, whether that came to a probe or to a call, and is given up after `probe_timeout`;
    a probe that cannot be cancelled is waited for a moment longer. Where nobody looked, only freshness counts.

    An outage that only calls meet is known by calls alone, two of them: what succeeded just before it hides the first.
    """
    one = facts.dependencies[outage.dependency]
    looked = one.probe_every * (1 + one.jitter) + one.probe_timeout
    looked += (END_SECONDS if outage.stubborn else 0.0) + facts.slack
    is_blind = any(span.meets(outage.begin - looked, at) for span in facts.blind)
    if outage.only == "calls":
        call = _GAP_MAX * facts.calls_every[outage.dependency] + BOUND_SECONDS_MAX + QUICK_SECONDS_MAX
        return inf if is_blind else 2 * call + TICK_SECONDS
    return one.freshness if is_blind else min(one.freshness, looked)


def told(facts: Facts) -> list[str]:
    """From the first answer that was wrong or did not come, nothing is destroyed until the outage is over.

    Where only calls meet it, they have to go on failing: what was told longer ago than `freshness` says nothing.
    """
    broken: list[str] = []
    outages = [outage for outage in facts.outages if outage.breaks]
    known: dict[int, float] = {}
    for one in facts.journal:
        if isinstance(one, Observation) and not one.positive:
            known |= {place: one.received for place, outage in enumerate(outages) if _speaks_of(one, outage)}
        elif isinstance(one, Effect):
            broken += [
                f"{_effect(one)} though {_outage(outages[place])} had been noticed"
                for place, since in known.items()
                if _rests_on(one, outages[place]) and one.at < since + _lasting(outages[place], facts)
            ]
    return broken


def _lasting(outage: Outage, facts: Facts) -> float:
    return inf if outage.only is None else facts.dependencies[outage.dependency].freshness


def unnoticed(facts: Facts) -> list[str]:
    """Once what was seen before an outage is too old to speak, nothing is destroyed until the outage is over.

    Of an outage that only calls meet, the board has been told by then. `told` has the rest.
    """
    effects = facts.effects
    return [
        f"{_effect(one)}, {one.at - outage.begin:.3f} s into {_outage(outage)}, which {bound:.3f} s make known"
        for outage in facts.outages
        if outage.breaks
        for one in effects
        if _rests_on(one, outage)
        for bound in (blind_seconds(outage, facts, one.at),)
        if one.at >= outage.begin + bound + ROUNDING_SECONDS and not _is_told_by_calls(outage, one, facts)
    ]


def _is_told_by_calls(outage: Outage, effect: Effect, facts: Facts) -> bool:
    seen = (one for one in facts.journal if isinstance(one, Observation) and not one.positive)
    return outage.only is not None and any(_speaks_of(one, outage) and one.received <= effect.at for one in seen)


def unfounded(facts: Facts) -> list[str]:
    """Every effect rests on right answers: fresh, as many as it takes, and no doubt since. Before and after outages."""
    lines = Lines(facts.dependencies)
    broken = []
    for one in facts.journal:
        if isinstance(one, Observation):
            lines.take(one)
        elif isinstance(one, Effect):
            broken += [
                f"{_effect(one)} without evidence for {name}"
                for name in one.requires
                if not lines.may_vouch(name, one.at)
            ]
    return broken


def unreasoned(facts: Facts) -> list[str]:
    """Every effect has a confirmed reason that is no older than allowed, and its victim had died when it was given."""
    return [
        f"{_effect(one)}: {words}"
        for one in facts.effects
        for words in (
            "" if one.confirmed else "the reason was inferred",
            "" if one.at - one.asked <= facts.reason_max_age + ROUNDING_SECONDS else "the reason was stale",
            "" if facts.died.get(one.victim, inf) <= one.at else "the victim lives",
        )
        if words
    ]


def unheeded(facts: Facts) -> list[str]:
    """Nothing is destroyed while the kill switch is on or cannot be read, nor while a person holds a dependency."""
    broken = [
        f"{_effect(one)} although the kill switch did not say off"
        for one in facts.effects
        if any(span.begin <= one.at < span.end for span in facts.switched)
    ]
    held: set[str] = set()
    for one in facts.journal:
        if isinstance(one, Observation) and one.source is Source.OPERATOR:
            held = held - {one.dependency} if one.positive else held | {one.dependency}
        elif isinstance(one, Effect):
            broken += [
                f"{_effect(one)} although a person had taken {name} out" for name in one.requires if name in held
            ]
    return broken


def disordered(facts: Facts) -> list[str]:
    """Return whatever came back in another order: healthy follows recovering or degraded, never an outage."""
    broken, stood = [], dict.fromkeys(facts.dependencies, Health.UNKNOWN)
    for one in facts.journal:
        if not isinstance(one, Changed):
            continue
        if one.before is not stood[one.dependency]:
            broken.append(f"{one.dependency} was told to leave {one.before}, and stood {stood[one.dependency]}")
        if one.before in _DOWN and one.after in {Health.HEALTHY, Health.DEGRADED}:
            broken.append(f"{one.dependency} went from {one.before} straight to {one.after} at {one.at:.3f}")
        stood[one.dependency] = one.after
    return broken


# -- Coming back -----------------------------------------------------------------------------------------------


def repair_seconds(outage: Outage, facts: Facts) -> float:
    """Return how long after its end an outage may still be felt: one probe interval, and the ramp.

    The interval is the one in force at that moment: backed off by the probes that had failed. A question that was
    asked before the end may still have to be given up. The ramp is the right answers that it takes, one after the
    other; up to eight times as many of a dependency that flaps.
    """
    one = facts.dependencies[outage.dependency]
    failed = worst_run(facts.journal, outage.dependency, outage.end)
    interval = min(one.backoff_max, one.probe_every * 2.0 ** max(0, failed - one.down_after) * (1 + one.jitter))
    needed = one.up_after << _doublings(outage, facts)
    ramp = needed * (max(one.recheck_every, QUICK_SECONDS_MAX) + facts.slack / 10)
    return max(interval, one.probe_timeout + END_SECONDS) + ramp + facts.slack


def repairs(facts: Facts) -> Iterator[tuple[Outage, float, float]]:
    """Yield each outage whose repair nothing else disturbed, with seconds until healthy (inf: never), and the bound."""
    for outage in facts.outages:
        bound, healthy = repair_seconds(outage, facts), _healthy_at(outage, facts)
        if not _is_disturbed(outage, bound, min(healthy, outage.end + bound), facts):
            yield outage, healthy - outage.end, bound


def late(facts: Facts) -> list[str]:
    """Return what was repaired, and was not healthy within one probe interval and the ramp."""
    return [
        f"{_outage(outage)} was over at {outage.end:.3f}, and felt for {seconds:.3f} s where {bound:.3f} s are enough"
        for outage, seconds, bound in repairs(facts)
        if seconds > bound + ROUNDING_SECONDS
    ]


def held_for_nothing(facts: Facts) -> list[str]:
    """Nothing is held back for a dependency that has been well for longer than a repair takes."""
    felt = [(outage, outage.end + repair_seconds(outage, facts)) for outage in facts.outages]
    return [
        f"{one.path} was held back at {one.at:.3f} for {one.dependency}, which is {one.state} without a cause"
        for one in facts.refusals
        if one.state in set(Health) and _is_well(one, facts, felt)
    ]


FORBIDDEN: Mapping[str, Law] = {
    "told": told,
    "unnoticed": unnoticed,
    "unfounded": unfounded,
    "unreasoned": unreasoned,
    "unheeded": unheeded,
    "disordered": disordered,
    "late": late,
}
"""Every law by the word for what breaks it; all hold on any machine, however busy."""
LAWS: Mapping[str, Law] = {**FORBIDDEN, "held for nothing": held_for_nothing}
"""These hold where time is virtual. A machine that has other work may miss an answer, and hold something back."""


def judged(facts: Facts, by: Mapping[str, Law] = LAWS) -> dict[str, Sequence[str]]:
    """Return every law that broke, by its name, in words."""
    return {name: found for name, law in by.items() if (found := law(facts))}


def _speaks_of(one: Observation, outage: Outage) -> bool:
    """Return whether an observation tells of an outage. Who alone can meet it has to be the one who tells."""
    met = outage.only is None or (outage.only == "calls") is (one.source is Source.CALL)
    return met and one.dependency == outage.dependency and outage.begin <= one.received < outage.end


def _rests_on(one: Effect, outage: Outage) -> bool:
    return outage.dependency in one.requires and outage.begin <= one.at < outage.end


def _is_disturbed(outage: Outage, bound: float, until: float, facts: Facts) -> bool:
    """Return whether something else keeps a dependency from coming back, or from being seen to, `until` it did."""
    others = [other for other in facts.outages if other.dependency == outage.dependency and other is not outage]
    holds = [span for name, span in facts.held if name == outage.dependency]
    again = any(Span(other.begin, other.end).meets(outage.begin, until) for other in others)
    noise = any(span.meets(outage.begin - 2 * bound, until) for span in (*facts.blind, *holds))
    return again or noise or outage.end + bound > facts.ended or outage.dependency in facts.calls_every


def _healthy_at(outage: Outage, facts: Facts) -> float:
    """Return from when on it stood healthy after the outage, at least from its end."""
    healthy, since = False, -inf
    for one in facts.journal:
        if isinstance(one, Changed) and one.dependency == outage.dependency:
            if one.at > outage.end and healthy:
                break
            healthy, since = one.after is Health.HEALTHY, one.at
    return max(since, outage.end) if healthy else inf


def _is_well(one: Refusal, facts: Facts, felt: Sequence[tuple[Outage, float]]) -> bool:
    """Return whether the dependency that a refusal names has had nothing to recover from. `felt`: outages, how long."""
    name = one.dependency
    if name in facts.calls_every or name not in facts.dependencies:
        return False
    before = [until for outage, until in felt if outage.dependency == name and outage.begin <= one.at]
    patience = max(before, default=_from_nothing(name, facts))
    spans = [*facts.blind, *(span for held, span in facts.held if held == name)]
    recovered = 2 * _from_nothing(name, facts)
    return one.at > patience + ROUNDING_SECONDS and not any(span.meets(one.at - recovered, one.at) for span in spans)


def _from_nothing(name: str, facts: Facts) -> float:
    """Return the seconds that it takes to know a dependency that is well, of which nothing was known."""
    one = facts.dependencies[name]
    return max(one.backoff_max, one.freshness) + BOUND_SECONDS_MAX + END_SECONDS + facts.slack + 8 * one.up_after


def _doublings(outage: Outage, facts: Facts) -> int:
    """Return how often the right answers that it takes are doubled at most: not at all unless it flaps."""
    one = facts.dependencies[outage.dependency]
    changes = sum(isinstance(item, Changed) and item.dependency == outage.dependency for item in facts.journal)
    return 0 if changes <= one.flap_changes else _DOUBLINGS_MAX


def _effect(one: Effect) -> str:
    return f"{one.victim} was destroyed over {one.path} at {one.at:.3f}"


def _outage(one: Outage) -> str:
    return f"{one.fault} of {one.dependency} ({one.begin:.3f} to {one.end:.3f})"


def in_words(broken: Mapping[str, Iterable[str]], *, most: int = 5) -> list[str]:
    """Return the broken laws in words, at most so many of each law."""
    return [f"{law}: {words}" for law, found in broken.items() for words in list(found)[:most]]
