"""Laws of dependency health: whatever is observed and however time passes, only fresh right answers vouch."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.health.dependency import Dependency
from switchgear.health.evidence import Evidence, Polarity, Source
from switchgear.health.machine import HealthMachine
from switchgear.health.schedule import NO_BREAKER, next_probe
from switchgear.health.standing import Health
from tests.effort import examples

DAY = 86_400.0
REDIS = Dependency("redis", kind="redis", degraded_after=1.0)
JUDGED = (Source.CALL, Source.PROBE)

OBSERVATIONS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.5, 1.0, 5.0, 10.0, 29.5, 30.0, 31.0, 200.0]),
        st.sampled_from([*[Source.CALL] * 3, *[Source.PROBE] * 3, Source.OPERATOR]),
        st.sampled_from([*[Polarity.POSITIVE] * 3, Polarity.NEGATIVE, Polarity.ABSENT]),
        st.sampled_from([0.1, 2.0]),
    ),
    max_size=60,
)


@dataclass
class Witness:
    """What was observed, remembered as plainly as can be."""

    rows: dict[Source, list[tuple[float, Polarity]]] = field(default_factory=lambda: {source: [] for source in JUDGED})
    held: bool = False

    def note(self, source: Source, polarity: Polarity, at: float) -> None:
        """Remember one observation."""
        if source is Source.OPERATOR:
            self.held = polarity is not Polarity.POSITIVE
        else:
            self.rows[source].append((at, polarity))

    def may_vouch(self, now: float) -> bool:
        """Return whether anything could justify a destruction: the weakest condition there is."""
        fresh = {source: [row for row in rows if now - row[0] < REDIS.freshness] for source, rows in self.rows.items()}
        youngest = [rows[-1][1] for rows in fresh.values() if rows]
        in_a_row = [len(rows) >= REDIS.up_after for rows in self.rows.values() if rows]
        return not self.held and bool(youngest) and set(youngest) == {Polarity.POSITIVE} and any(in_a_row)


@given(OBSERVATIONS, st.sampled_from([0.0, 1.0, 29.0, 30.0, 1_000.0]))
def test_law_5_only_fresh_right_answers_vouch(
    observed: list[tuple[float, Source, Polarity, float]], rest: float
) -> None:
    """Silence, errors, stale answers and people never authorise: whatever came before, and at every moment since."""
    machine, witness, now = HealthMachine(REDIS, 0.0), Witness(), 0.0
    for wait, source, polarity, seconds in observed:
        for part in (wait / 2, wait / 2):
            now += part
            assert not machine.standing(now).vouches or witness.may_vouch(now)
        machine.observe(Evidence(polarity, source, now, seconds=seconds), now)
        witness.note(source, polarity, now)
        assert not machine.standing(now).vouches or witness.may_vouch(now)
    now += rest
    assert not machine.standing(now).vouches or witness.may_vouch(now)


@given(OBSERVATIONS)
def test_recovery_has_one_order(observed: list[tuple[float, Source, Polarity, float]]) -> None:
    """Healthy follows recovering or degraded; unhealthy and unknown are never followed by either."""
    machine, now, path = HealthMachine(REDIS, 0.0), 0.0, [Health.UNKNOWN]
    for wait, source, polarity, seconds in observed:
        now += wait
        for change in machine.observe(Evidence(polarity, source, now, seconds=seconds), now):
            assert change.before is path[-1]
            path.append(change.after)
    answering = {Health.HEALTHY, Health.DEGRADED}
    down = {Health.UNHEALTHY, Health.UNKNOWN}
    assert not [pair for pair in itertools.pairwise(path) if pair[0] in down and pair[1] in answering]


@given(OBSERVATIONS, st.floats(0.0, 400.0))
def test_reading_is_the_same_as_waiting(observed: list[tuple[float, Source, Polarity, float]], rest: float) -> None:
    """A reader sees at any moment what whoever lets time pass would see, and changes nothing by it."""
    read, waited, now = HealthMachine(REDIS, 0.0), HealthMachine(REDIS, 0.0), 0.0
    for wait, source, polarity, seconds in observed:
        now += wait
        read.standing(now)
        waited.elapse(now)
        evidence = Evidence(polarity, source, now, seconds=seconds)
        assert read.observe(evidence, now)[-1:] == waited.observe(evidence, now)[-1:] or read.state is waited.state
    now += rest
    seen = read.standing(now)
    waited.elapse(now)
    assert seen == waited.standing(now)


OUTAGES = st.lists(
    st.tuples(
        st.floats(600.0, 20_000.0),
        st.floats(1.0, 7_200.0),
        st.sampled_from([Polarity.NEGATIVE, Polarity.ABSENT]),
    ),
    min_size=1,
    max_size=12,
)


@dataclass
class Day:
    """24 hours of probes in which a dependency goes away and comes back as scripted."""

    script: list[tuple[float, float, Polarity]]
    seed: float
    machine: HealthMachine = field(default_factory=lambda: HealthMachine(REDIS, 0.0))
    told: list[tuple[float, Health, Health]] = field(default_factory=list)
    probes: int = 0

    def run(self) -> Day:
        """Probe whenever the schedule says so."""
        now, draw = 0.0, self.seed
        while now < DAY:
            now = max(now, next_probe(self.machine, NO_BREAKER, now, draw))
            evidence = Evidence(self.answer(now), Source.PROBE, now)
            changes = self.machine.observe(evidence, now)
            self.told += [(change.at, change.before, change.after) for change in changes]
            self.probes += 1
            draw = (draw * 31 + 0.17) % 1.0
        return self

    def outages(self) -> list[tuple[float, float, Polarity]]:
        """Return the outages as (from, until, polarity)."""
        found, start = [], 0.0
        for quiet, length, polarity in self.script:
            start += quiet
            found.append((start, start + length, polarity))
            start += length
        return found

    def answer(self, now: float) -> Polarity:
        """Return what a probe gets at `now`."""
        down = [polarity for since, until, polarity in self.outages() if since <= now < until]
        return down[0] if down else Polarity.POSITIVE

    def healthy_from(self, moment: float) -> float:
        """Return when it was healthy again after `moment`, inf for never."""
        states = [(at, after) for at, _, after in self.told if at >= moment]
        return next((at for at, after in states if after is Health.HEALTHY), inf)


@settings(max_examples=examples(20))
@given(OUTAGES, st.floats(0.0, 0.999))
def test_a_day_of_outages(script: list[tuple[float, float, Polarity]], seed: float) -> None:
    """Each outage that was seen is left through recovering, in bounded time, and the same way each time."""
    day = Day(script, seed).run()
    assert day.told == Day(script, seed).run().told
    assert day.told[:2] == [
        (0.0, Health.UNKNOWN, Health.RECOVERING),
        (REDIS.recheck_every, Health.RECOVERING, Health.HEALTHY),
    ]
    allowed = [
        (Health.HEALTHY, Health.UNHEALTHY),
        (Health.HEALTHY, Health.DEGRADED),
        (Health.DEGRADED, Health.UNHEALTHY),
        (Health.DEGRADED, Health.HEALTHY),
        (Health.UNHEALTHY, Health.RECOVERING),
        (Health.RECOVERING, Health.HEALTHY),
        (Health.RECOVERING, Health.UNHEALTHY),
    ]
    assert {(before, after) for _, before, after in day.told[2:]} <= set(allowed)
    slowest = REDIS.backoff_max + 16 * REDIS.recheck_every + REDIS.probe_every * 1.1
    ends = [until for _, until, _ in day.outages() if until + slowest < DAY]
    unseen = REDIS.down_after * REDIS.recheck_every + REDIS.probe_every * 1.1
    for (since, until, _), following in itertools.zip_longest(day.outages(), day.outages()[1:]):
        seen = until - since > unseen
        undisturbed = following is None or following[0] > until + slowest
        if until in ends and seen and undisturbed:
            assert day.healthy_from(until) <= until + slowest
    assert day.probes < DAY / REDIS.probe_every * 1.5 + 100 * len(script)
