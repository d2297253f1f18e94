"""When a dependency is probed next, as a table."""

from __future__ import annotations

import pytest

from switchgear.health.dependency import Dependency
from switchgear.health.evidence import Evidence, Polarity, Source
from switchgear.health.machine import HealthMachine
from switchgear.health.schedule import NO_BREAKER, BreakerView, next_probe

MIDDLE = 0.5
REDIS = Dependency("redis", kind="redis")
HALF_OPEN = BreakerView("half_open", 0.0)


def _machine(probes: str, calls: str = "") -> tuple[HealthMachine, float]:
    """Return a machine that has seen a row of probes and then of calls, a second apart, and the last moment."""
    now, machine = 1_000.0, HealthMachine(REDIS, 1_000.0)
    for source, signs in ((Source.PROBE, probes), (Source.CALL, calls)):
        for sign in signs:
            now += 1.0
            polarity = Polarity.POSITIVE if sign == "+" else Polarity.ABSENT
            machine.observe(Evidence(polarity, source, now), now)
    return machine, now


def _wait(probes: str, calls: str = "", breaker: BreakerView = NO_BREAKER, draw: float = MIDDLE) -> float:
    machine, now = _machine(probes, calls)
    return next_probe(machine, breaker, now, draw) - now


@pytest.mark.parametrize(
    ("probes", "calls", "wait"),
    [
        ("++", "", 10.0),
        ("+", "", 1.0),
        ("++-", "", 1.0),
        ("++---", "", 10.0),
        ("++----", "", 20.0),
        ("++-----", "", 40.0),
        ("++------", "", 60.0),
        ("++" + "-" * 200, "", 60.0),
        ("++---+", "", 1.0),
        ("++---++", "", 10.0),
        ("++", "++", 10.0),
        ("++", "+" * 20, 10.0),
        ("++", "++-", -2.0),
        ("++", "++---", 5.0),
    ],
)
def test_what_was_seen_decides_when_to_look_again(probes: str, calls: str, wait: float) -> None:
    """Good traffic spares the probe, a doubt or a recovery brings it sooner, an outage backs it off."""
    assert _wait(probes, calls) == pytest.approx(wait)


def test_a_doubt_of_the_traffic_is_looked_into_once() -> None:
    """A failing call brings the probe sooner; once it has answered, it has said what it knows."""
    machine, now = _machine("++", "++-")
    assert next_probe(machine, NO_BREAKER, now, MIDDLE) <= now
    machine.observe(Evidence(Polarity.POSITIVE, Source.PROBE, now + 1.0), now + 1.0)
    assert next_probe(machine, NO_BREAKER, now, MIDDLE) == pytest.approx(now + 11.0)


def test_what_was_never_seen_is_probed_at_once() -> None:
    """Nobody waits for a first answer."""
    assert next_probe(HealthMachine(REDIS, 0.0), NO_BREAKER, 0.0, MIDDLE) == float("-inf")


def test_others_may_rely_on_the_probe() -> None:
    """Where other processes follow, our own traffic spares nothing."""
    machine, now = _machine("++", "+" * 5)
    assert next_probe(machine, NO_BREAKER, now, MIDDLE, spared=False) - now == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("probes", "breaker", "wait"),
    [
        ("++------", BreakerView("open", 5.0), 5.0),
        ("++------", BreakerView("open", 90.0), 60.0),
        ("++------", BreakerView("open", 0.1), 1.0),
        ("++------", BreakerView("forced_open", None), 60.0),
        ("++------", HALF_OPEN, 1.0),
        ("++------", BreakerView("closed", 0.0), 60.0),
    ],
)
def test_the_breaker_drives_the_probe(probes: str, breaker: BreakerView, wait: float) -> None:
    """It is probed when the breaker lets calls in again, if that is sooner, and never in a spin."""
    assert _wait(probes, breaker=breaker) == pytest.approx(wait)


def test_a_breaker_that_is_not_closed_spares_no_probe() -> None:
    """Only traffic that flows stands for a probe."""
    machine, now = _machine("++", "+" * 5)
    assert next_probe(machine, HALF_OPEN, now, MIDDLE) - now == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("probes", "least", "most"), [("++", 9.0, 11.0), ("++----", 18.0, 22.0), ("-" * 99, 54.0, 60.0)]
)
def test_the_wait_varies_within_its_bound(probes: str, least: float, most: float) -> None:
    """Processes that started together drift apart, and none waits longer than the maximum."""
    assert _wait(probes, draw=0.0) == pytest.approx(least) or probes == "-" * 99
    assert _wait(probes, draw=0.999999) == pytest.approx(most, abs=1e-3)


def test_what_was_slow_and_is_quick_again_is_decided_soon() -> None:
    """Coming back from degraded takes one probe interval and a few quick looks, as coming back from an outage does."""
    machine = HealthMachine(Dependency("redis", kind="redis", degraded_after=0.5), 0.0)
    waits = []
    for now, seconds in enumerate([0.1, 0.1, 1.0, 1.0, 1.0, 0.1, 0.1], start=1):
        machine.observe(Evidence(Polarity.POSITIVE, Source.PROBE, now, seconds=seconds), now)
        waits.append((str(machine.state), next_probe(machine, NO_BREAKER, now, MIDDLE) - now))
    assert waits[4:] == [("degraded", 10.0), ("degraded", 1.0), ("healthy", 10.0)]
