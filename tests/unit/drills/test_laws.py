"""The judge of the outage drills is judged: each law is silent on a right drill, and speaks of a way to break it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from switchgear.health.dependency import Dependency
from switchgear.health.evidence import Source
from switchgear.health.standing import Health
from tools.outage_drills import laws
from tools.outage_drills.facts import Changed, Effect, Facts, Happening, Observation, Outage, Refusal, Span
from tools.outage_drills.lines import Line

REDIS = Dependency("redis", kind="redis", jitter=0.0, down_after=2, probe_every=2.0, probe_timeout=1.0, freshness=10.0)
OUTAGE = Outage("redis", "reset", 100.0, 120.0, breaks=True)
EFFECT = Effect(99.0, "each()", ("redis",), "session", "redis", 95.0)
BOUND = 3.0


def seen(at: float, *, positive: bool = True, source: Source = Source.PROBE) -> Observation:
    """Return an observation that was made at once."""
    return Observation("redis", source, positive, at, at)


WELL: tuple[Happening, ...] = (
    seen(90.0),
    Changed(90.0, "redis", Health.UNKNOWN, Health.RECOVERING),
    seen(91.0),
    Changed(91.0, "redis", Health.RECOVERING, Health.HEALTHY),
    seen(99.0),
)
DOWN: tuple[Happening, ...] = (
    seen(101.0, positive=False),
    seen(102.0, positive=False),
    Changed(102.0, "redis", Health.HEALTHY, Health.UNHEALTHY),
)
BACK: tuple[Happening, ...] = (
    seen(121.0),
    Changed(121.0, "redis", Health.UNHEALTHY, Health.RECOVERING),
    seen(121.5),
    Changed(121.5, "redis", Health.RECOVERING, Health.HEALTHY),
)


def facts(*journal: Happening, outage: Outage = OUTAGE, **more: object) -> Facts:
    """Return a drill of one dependency and one outage."""
    found = Facts({"redis": REDIS}, 30.0, outages=[outage], journal=list(journal), died={"session": 1.0}, ended=300.0)
    for name, value in more.items():
        setattr(found, name, value)
    return found


def effect(at: float, **more: object) -> Effect:
    """Return an effect of that moment, with a reason that was young."""
    return replace(EFFECT, at=at, asked=at - 1.0, **more)  # type: ignore[arg-type] # of whatever field


RIGHT = facts(*WELL, EFFECT, effect(100.5), *DOWN, *BACK, effect(122.0))


def test_a_right_drill_breaks_no_law() -> None:
    """What happens before anybody could know, and after it is known to be well again, is right."""
    assert laws.judged(RIGHT) == {}


BREAKS: dict[str, tuple[Callable[[Facts], Sequence[str]], Facts]] = {
    "an effect after the first wrong answer": (laws.told, facts(*WELL, DOWN[0], effect(101.1))),
    "an effect when it must be known": (laws.unnoticed, facts(*WELL, effect(100.01 + BOUND))),
    "an effect when nothing is fresh, and nobody looked": (
        laws.unnoticed,
        facts(*WELL, effect(110.01), blind=[Span(99.5, 119.0)]),
    ),
    "calls that failed were not told of": (
        laws.unnoticed,
        facts(*WELL, effect(119.0), outage=replace(OUTAGE, only="calls"), calls_every={"redis": 1.0}),
    ),
    "an effect before there is evidence": (laws.unfounded, facts(WELL[0], effect(90.5))),
    "an effect on one lucky answer": (laws.unfounded, facts(*WELL, *DOWN, BACK[0], effect(121.1))),
    "an effect on what went stale": (laws.unfounded, facts(*WELL, effect(99.01 + REDIS.freshness))),
    "an effect while calls fail": (
        laws.unfounded,
        facts(*WELL, seen(99.2, positive=False, source=Source.CALL), effect(99.3)),
    ),
    "an inferred reason": (laws.unreasoned, facts(replace(EFFECT, confirmed=False))),
    "a stale reason": (laws.unreasoned, facts(replace(EFFECT, asked=60.0))),
    "a victim that lives": (laws.unreasoned, facts(replace(EFFECT, victim="other"))),
    "the kill switch was on": (laws.unheeded, facts(EFFECT, switched=[Span(98.0, 100.0)])),
    "a person had taken it out": (laws.unheeded, facts(seen(98.0, positive=False, source=Source.OPERATOR), EFFECT)),
    "healthy right after an outage": (
        laws.disordered,
        facts(*WELL, *DOWN, Changed(121.0, "redis", Health.UNHEALTHY, Health.HEALTHY)),
    ),
    "a change that was not told": (laws.disordered, facts(*WELL, *DOWN[:-1], BACK[1])),
    "never healthy again": (laws.late, facts(*WELL, *DOWN)),
    "healthy again too late": (
        laws.late,
        facts(*WELL, *DOWN, *(replace(one, at=one.at + 20) for one in BACK if isinstance(one, Changed))),
    ),
    "held back for nothing": (
        laws.held_for_nothing,
        facts(*WELL, *DOWN, *BACK, Refusal(250.0, "each()", ("redis",), "redis", "unknown")),
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_law_is_seen(name: str) -> None:
    """Each law speaks of what breaks it."""
    law, found = BREAKS[name]
    assert law(found)


@pytest.mark.parametrize("law", laws.LAWS)
def test_every_law_has_a_way_to_break_it(law: str) -> None:
    """No law is without a test that it can speak."""
    assert laws.LAWS[law] in {tried for tried, _ in BREAKS.values()}


def test_how_long_an_outage_may_go_unnoticed() -> None:
    """One probe interval with its jitter and one timeout, where somebody looks; freshness, where nobody does."""
    assert laws.blind_seconds(OUTAGE, RIGHT, 103.0) == pytest.approx(BOUND)
    assert laws.blind_seconds(replace(OUTAGE, stubborn=True), RIGHT, 103.0) == pytest.approx(BOUND + laws.END_SECONDS)
    blind = facts(blind=[Span(101.0, 102.0)])
    assert laws.blind_seconds(OUTAGE, blind, 103.0) == REDIS.freshness


def test_a_slow_machine_loosens_no_freshness() -> None:
    """Slack is for what is promised: right answers are too old at the same moment on every machine."""
    assert laws.blind_seconds(OUTAGE, facts(slack=60.0), 103.0) == REDIS.freshness


def test_moments_that_only_rounding_parts_are_one() -> None:
    """Who fell silent in the moment of the next answer has fallen silent, however the sum was rounded."""
    line = Line(bad=2, was_down=True, seen_at=13.215189349704579)
    options = replace(REDIS, freshness=1.9949999999999999, probe_every=0.5, probe_timeout=0.5)
    line.take(Observation("redis", Source.CALL, positive=True, at=14.7, received=15.210189349704578), options)
    assert not line.was_down
