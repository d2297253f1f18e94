"""Metrics read from guards when somebody asks: the table, the sums of keyed members, both client libraries."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, generate_latest

from switchgear.adapters.metrics import MEASURES, OTHER, GuardReader, GuardRegistry, MemberSums, values_of
from switchgear.adapters.opentelemetry import observe
from switchgear.adapters.prometheus import GuardCollector
from switchgear.core.clock import VirtualClock
from switchgear.core.codes import Code
from switchgear.core.errors import OptionError, Rejected
from switchgear.guard import Guard, Statistics
from switchgear.policies.breaker import Breaker
from switchgear.policies.bulkhead import Bulkhead
from tests.effort import examples

ATTEMPTS = "switchgear.guard.attempts"


def guard_of(name: str = "crm", **options: Any) -> Guard:
    """Return a guard with a breaker that opens at the second failure, on a clock that stands still."""
    return Guard(name, breaker=Breaker(failures=2, cooldown=10.0), clock=VirtualClock(), **options)


def fail(guard: Guard, times: int = 2) -> None:
    """Let calls fail."""
    for _ in range(times):
        guard.permit_nowait().fail()


def statistics(key: str | None = None, **numbers: Any) -> Statistics:
    """Return a record with these numbers and no others."""
    usual: dict[str, Any] = {field.name: 0 for field in fields(Statistics) if field.default is MISSING}
    usual |= {
        "refused": {},
        "would_refuse": {},
        "state": "closed",
        "retry_after": 0.0,
        "failure_rate": None,
        "slow_rate": None,
    }
    return Statistics(**{**usual, "name": "crm", "key": key, **numbers})


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return a registry of its own."""
    return CollectorRegistry()


def test_prometheus_gets_every_number_with_its_labels(registry: CollectorRegistry) -> None:
    """Verdicts, refusals by code, state and transitions are told of each guard, under the names of the reference."""
    guard = guard_of(bulkhead=Bulkhead(4))
    registry.register(GuardCollector([guard, guard_of("search")]))
    guard.permit_nowait().succeed()
    running = guard.permit_nowait()
    fail(guard)
    with pytest.raises(Rejected):
        guard.permit_nowait()
    lines = generate_latest(registry).decode().splitlines()
    for line in (
        'switchgear_guard_attempts_total{guard="crm",key="",verdict="success"} 1.0',
        'switchgear_guard_attempts_total{guard="crm",key="",verdict="failure"} 2.0',
        'switchgear_guard_attempts_total{guard="search",key="",verdict="failure"} 0.0',
        'switchgear_guard_refused_total{code="CIRCUIT_OPEN",guard="crm",key=""} 1.0',
        'switchgear_guard_in_flight{guard="crm",key=""} 1.0',
        'switchgear_guard_breaker_state{guard="crm",key="",state="open"} 1.0',
        'switchgear_guard_breaker_state{guard="crm",key="",state="closed"} 0.0',
        'circuit_breaker_opened_total{circuit="crm",key=""} 1.0',
        'circuit_breaker_blocked_total{circuit="crm",key=""} 1.0',
        'switchgear_guard_keys{guard="crm",key=""} 0.0',
    ):
        assert line in lines, line
    running.ignore()


def test_registering_reads_no_guard(registry: CollectorRegistry) -> None:
    """Guards are read at the scrape, not before."""

    class Untouched(GuardRegistry):
        def __iter__(self) -> Iterator[Guard]:
            raise AssertionError("read too soon")

    registry.register(GuardCollector(Untouched()))


def test_reading_takes_no_probe_and_changes_nothing(registry: CollectorRegistry) -> None:
    """A scrape in half-open leaves the probe to a call."""
    clock = VirtualClock()
    guard = Guard("crm", breaker=Breaker(failures=1, cooldown=10.0, jitter=0.0), clock=clock)
    registry.register(GuardCollector([guard]))
    guard.permit_nowait().fail()
    clock.advance(10.0)
    before = guard.statistics()
    assert 'state="half_open"} 1.0' in generate_latest(registry).decode()
    assert guard.statistics() == before
    guard.permit_nowait().succeed()
    assert guard.state == "closed"


def test_a_registry_forgets_guards_that_nobody_holds() -> None:
    """Metrics keep no guard alive, and what is gone is no series."""
    kept, dropped = guard_of("kept"), guard_of("dropped")
    guards = GuardRegistry(kept)
    assert guards.add(dropped) is dropped
    reader = GuardReader(guards)
    assert {name for name, _ in reader.read()} == {"kept", "dropped"}
    del dropped
    gc.collect()
    assert {name for name, _ in reader.read()} == {"kept"}


def test_keyed_members_are_summed_unless_asked_for() -> None:
    """Without `keys_max` no key is a label; the guard itself has the empty key."""
    guard = guard_of()
    for number in range(50):
        guard.key(f"tenant-{number}").permit_nowait().succeed()
    fail(guard.key("tenant-7"))
    places = GuardReader([guard]).read()
    assert set(places) == {("crm", ""), ("crm", OTHER)}
    total = places["crm", OTHER]
    assert (total[ATTEMPTS, "success"], total[ATTEMPTS, "failure"]) == (50.0, 2.0)
    assert total["switchgear.guard.breaker_state", "open"] == 1.0
    assert total["switchgear.guard.breaker_state", "closed"] == 49.0
    assert places["crm", ""]["switchgear.guard.keys", ""] == 50.0
    assert ("switchgear.guard.keys", "") not in total


def test_keyed_members_are_shown_up_to_a_maximum() -> None:
    """The ones seen first are shown while they live; all others are one series, however many they are."""
    guard = guard_of()
    reader = GuardReader([guard], keys_max=2)
    for key in ("a", "b", "c", "d"):
        guard.key(key).permit_nowait().succeed()
    for _ in range(2):
        places = reader.read()
        assert set(places) == {("crm", ""), ("crm", "a"), ("crm", "b"), ("crm", OTHER)}
        assert places["crm", OTHER][ATTEMPTS, "success"] == 2.0


def test_a_key_that_is_called_as_the_sum_is_part_of_it() -> None:
    """A tenant cannot take the sum's place by its name."""
    sums = MemberSums(5)
    shown = sums.read([statistics(OTHER, successes=3), statistics("a", successes=1)])
    assert (set(shown), shown[OTHER][ATTEMPTS, "success"]) == ({"a", OTHER}, 3.0)


def test_guards_of_one_name_are_added_up(registry: CollectorRegistry) -> None:
    """A name that is used twice gives one series, not an exposition that Prometheus refuses."""
    one, two = guard_of(), guard_of()
    registry.register(GuardCollector([one, two]))
    one.permit_nowait().succeed()
    two.permit_nowait().succeed()
    lines = generate_latest(registry).decode().splitlines()
    assert lines.count('switchgear_guard_attempts_total{guard="crm",key="",verdict="success"} 2.0') == 1


Step = dict[str, int]


@settings(max_examples=examples(60))
@given(
    keys_max=st.integers(0, 3),
    steps=st.lists(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 5)), min_size=2, max_size=12),
)
def test_no_counter_ever_falls_while_its_series_lives(keys_max: int, steps: list[Step]) -> None:
    """Members come, count, go and come again; the sum and every series that goes on only rise, within the maximum."""
    sums, counted = MemberSums(keys_max), dict[str, int]()
    before: Mapping[str, float] = {}
    for step in steps:
        counted = {key: counted.get(key, 0) + more for key, more in step.items()}
        shown = sums.read([statistics(key, successes=count) for key, count in counted.items()])
        assert len(shown.keys() - {OTHER}) <= keys_max
        now = {key: values[ATTEMPTS, "success"] for key, values in shown.items() if (ATTEMPTS, "success") in values}
        assert all(value >= before[key] for key, value in now.items() if key in before)
        assert OTHER in now or OTHER not in before
        before = now


def test_a_member_made_anew_between_two_readings_loses_nothing() -> None:
    """What it had counted before stays in the sum."""
    sums = MemberSums(0)
    sums.read([statistics("a", successes=10, refused={Code.CIRCUIT_OPEN: 4})])
    again = sums.read([statistics("a", successes=3)])[OTHER]
    assert again[ATTEMPTS, "success"] == 13.0
    assert again["switchgear.guard.refused", "CIRCUIT_OPEN"] == 4.0


def test_a_member_never_moves_between_the_sum_and_a_series_of_its_own() -> None:
    """A place that gets free goes to a member that is new; one that was in the sum stays in it."""
    sums = MemberSums(1)
    sums.read([statistics("a", successes=1), statistics("b", successes=5)])
    shown = sums.read([statistics("b", successes=5)])
    assert (set(shown), shown[OTHER][ATTEMPTS, "success"]) == ({OTHER}, 5.0)
    shown = sums.read([statistics("b", successes=5), statistics("c", successes=2)])
    assert (set(shown), shown["c"][ATTEMPTS, "success"]) == ({"c", OTHER}, 2.0)


def test_ratios_are_told_where_they_mean_something() -> None:
    """A share over no window is missing, and shares are never added up."""
    assert ("switchgear.guard.failure_ratio", "") not in values_of(statistics())
    assert values_of(statistics(failure_rate=0.25))["switchgear.guard.failure_ratio", ""] == 0.25
    total = MemberSums(0).read([statistics("a", failure_rate=0.5), statistics("b", failure_rate=0.5)])[OTHER]
    assert ("switchgear.guard.failure_ratio", "") not in total


def points(reader: InMemoryMetricReader, name: str) -> dict[tuple[tuple[str, Any], ...], float]:
    """Return what was collected of one instrument, by attributes."""
    collected: Any = reader.get_metrics_data()
    (metric,) = (
        metric
        for resource in collected.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
    )
    return {tuple(sorted(point.attributes.items())): point.value for point in metric.data.data_points}


def test_opentelemetry_gets_every_number_with_its_attributes() -> None:
    """The same table under names with dots; each collection reads anew, and all instruments share the reading."""
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    guard = guard_of()
    readings: list[int] = []

    class Counting(GuardRegistry):
        def __iter__(self) -> Iterator[Guard]:
            readings.append(1)
            return super().__iter__()

    observe(provider.get_meter("test"), Counting(guard), keys_max=1)
    guard.key("acme").permit_nowait().succeed()
    fail(guard)
    attempts = points(reader, ATTEMPTS)
    assert attempts[("guard", "crm"), ("key", "acme"), ("verdict", "success")] == 1
    assert attempts[("guard", "crm"), ("verdict", "failure")] == 2
    assert points(reader, "circuit_breaker_opened")[(("circuit", "crm"),)] == 1
    guard.key("acme").permit_nowait().succeed()
    assert points(reader, ATTEMPTS)[("guard", "crm"), ("key", "acme"), ("verdict", "success")] == 2
    assert len(readings) == 3
    provider.shutdown()


def test_names_are_told_once_and_counters_of_the_breaker_keep_theirs() -> None:
    """The names that dashboards rely on are unique, and the three of the breaker are as the rules have them."""
    names = [measure.name for measure in MEASURES]
    assert len(set(names)) == len(names)
    circuits = {measure.name for measure in MEASURES if measure.guard_label == "circuit"}
    assert circuits == {"circuit_breaker_opened", "circuit_breaker_closed", "circuit_breaker_blocked"}


def test_every_measure_is_documented_as_it_is() -> None:
    """The table of the how-to has a row for each, with its kind and label."""
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "see-metrics.md").read_text(encoding="utf-8")
    for measure in MEASURES:
        label = f"`{measure.label}` " if measure.label else ""
        assert f"| `{measure.name}` | {measure.kind} | {label}|" in page, measure.name


def test_every_number_of_the_statistics_is_told() -> None:
    """A counter that is added to the record is not forgotten here."""
    told = {
        "name", "key", "calls", "state", "retry_after"  # labels, the sum of others, the state's measure, of the moment
    } | {
        "successes", "failures", "ignored", "refused", "would_refuse", "retries", "hedges", "fallbacks", "slow",
        "timeouts", "abandoned", "abandoned_total", "events_dropped", "in_flight", "waiting", "failure_rate",
        "slow_rate", "circuit_breaker_opened", "circuit_breaker_closed", "circuit_breaker_blocked", "listener_errors",
        "keys", "keys_evicted", "keys_overflowed", "concurrency_limit", "retry_budget",
    }  # fmt: skip
    assert set(Statistics.__dataclass_fields__) == told


def test_options_that_cannot_work_are_refused_at_birth() -> None:
    """A maximum below zero means nothing, and what is no guard must not wait for the first scrape to say so."""
    guard = guard_of()
    for guards, words in (
        (guard, r"\[github, crm\]"),
        ("crm", r"\[github, crm\]"),
        (None, r"\[github, crm\]"),
        (["crm"], r'Guard\("github"\)'),
        ([guard, None], r'Guard\("github"\)'),
        ([guard, guard], "twice"),
    ):
        wrong: Any = guards
        with pytest.raises(OptionError, match=words):
            GuardCollector(wrong)
        with pytest.raises(OptionError, match=words):
            observe(MeterProvider().get_meter("test"), wrong)
    meter: Any = MeterProvider()
    with pytest.raises(OptionError, match="get_meter"):
        observe(meter, [guard])
    name: Any = "crm"
    with pytest.raises(OptionError, match="not from 'crm'"):
        GuardRegistry(name)
    with pytest.raises(OptionError, match="not from 'crm'"):
        GuardRegistry().add(name)
    with pytest.raises(OptionError, match="keys_max"):
        GuardCollector([], keys_max=-1)
