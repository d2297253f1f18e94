"""The use case of health, on a gear in memory under a virtual clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest

from switchgear.assembly import Switchgear
from switchgear.control.health import MEASURED_EVERY, Health, Monitoring
from switchgear.control.health_parts import Machine
from switchgear.control.health_views import HealthReport
from switchgear.core.scope import Principal
from switchgear.execution.contract import Call
from switchgear.health.report import Component, Status, worst
from switchgear.testing import VirtualClock

PLATFORM = Principal("acme", "person:ada", frozenset({"main"}), frozenset({"platform:read"}))
TENANT = Principal("acme", "person:bob", frozenset({"main"}), frozenset({"breakers:read"}))
MIB = 1 << 20


class Gauge:
    """A machine that is measured; `left` is what it has of disk and memory, `asked` how often it was."""

    def __init__(self) -> None:
        """Start with plenty."""
        self.left = 1 << 40
        self.asked = 0

    async def measure(self) -> Machine:
        """Return what there is."""
        self.asked += 1
        return Machine(disk_bytes=self.left, memory_bytes=self.left)


@pytest.fixture
def clock() -> VirtualClock:
    """Return a clock that stands still."""
    return VirtualClock()


@pytest.fixture
def gauge() -> Gauge:
    """Return a machine with plenty of everything."""
    return Gauge()


@pytest.fixture
async def gear(clock: VirtualClock) -> AsyncIterator[Switchgear]:
    """A gear in memory that is not started, with one tool."""
    async with Switchgear.open(store="memory://", start=False, clock=clock) as gear:

        @gear.tool("crm.read", effect="read_only")
        async def read(_call: Call) -> str:
            return "read"

        yield gear


@pytest.fixture
def health(gear: Switchgear, gauge: Gauge, clock: VirtualClock) -> Health:
    """Return the health of the gear on that machine."""
    return Health(
        gear.engine,
        gear.guards.all,
        gear.control.kill_switches,
        gear.control.readiness,
        Monitoring(measure=gauge.measure, clock=clock),
    )


def statuses(report: HealthReport) -> dict[str, str]:
    """Return the worst status of each key."""
    return {key: str(worst(check.status for check in checks)) for key, checks in report.checks.items()}


async def test_it_tells_of_all_that_the_semantics_name(health: Health) -> None:
    """SEMANTICS §12: disk, memory, breakers, queue ages, beside all parts of readiness."""
    report = await health.report(PLATFORM)
    named = {"disk:free", "memory:available", "breakers:state", "queue:age", "queue:taken", "ledger:state"}
    more = {"kill_switches:state", "kill_switches:last_proven", "engine:state", "doubts:age", "self_test:state"}
    assert named | more <= set(report.checks)
    assert (report.status, set(statuses(report).values())) == (Status.PASS, {"pass"})


async def test_a_disk_that_fills_up_is_told(health: Health, gauge: Gauge, clock: VirtualClock) -> None:
    """A warning does not fail, an end does."""
    gauge.left = 500 * MIB
    report = await health.report()
    found = statuses(report)
    assert (report.status, found["disk:free"], found["memory:available"]) == (Status.WARN, "warn", "pass")
    clock.advance(MEASURED_EVERY)
    gauge.left = 50 * MIB
    report = await health.report()
    found = statuses(report)
    assert (report.status, found["disk:free"], found["memory:available"]) == (Status.FAIL, "fail", "warn")


async def test_law_12_an_open_breaker_warns_and_the_gear_stays_ready(health: Health, gear: Switchgear) -> None:
    """Somebody else's outage is told, and takes nothing out of service."""
    guard = gear.guards.of("crm")
    for _ in range(10):
        guard.permit_nowait().fail()
    report = await health.report(PLATFORM)
    (crm,) = report.checks["breakers:state"]
    assert (crm.component_id, crm.observed_value, report.status) == ("crm", "open", Status.WARN)
    assert (await gear.control.readiness.check()).ready


@pytest.mark.parametrize("caller", [None, TENANT])
async def test_law_9_only_the_platform_sees_counts_and_names(
    health: Health, gear: Switchgear, caller: Principal | None
) -> None:
    """A tenant's token shows as much as none: how it stands."""
    acme = gear.acting_as(tenant="acme", account="main", actor="service:orders")
    await acme.submit("crm.read")
    assert "crm" not in (text := msgspec.json.encode(await health.report(caller)).decode()), text
    (taken,) = (await health.report(caller)).checks["queue:taken"]
    assert taken.observed_value is None
    (seen,) = (await health.report(PLATFORM)).checks["queue:taken"]
    assert seen.observed_value == 1


async def test_what_waits_grows_old(health: Health, gear: Switchgear, clock: VirtualClock) -> None:
    """The age of the first that waits is told by dependency, and is a warning after a minute."""
    acme = gear.acting_as(tenant="acme", account="main", actor="service:orders")
    await acme.submit("crm.read")
    clock.advance(61.0)
    (age,) = (await health.report(PLATFORM)).checks["queue:age"]
    assert (age.component_id, age.observed_value, age.status) == ("crm", 61.0, Status.WARN)


async def test_many_who_ask_cost_no_more_than_one(health: Health, gauge: Gauge, clock: VirtualClock) -> None:
    """Law 10: what is measured is shown for a second; anybody may ask as often as they like."""
    first = await health.report()
    clock.advance(MEASURED_EVERY / 2)
    assert (await health.report()) == first
    assert gauge.asked == 1
    clock.advance(MEASURED_EVERY)
    assert (await health.report()) != first
    assert gauge.asked == 2


async def test_further_components_join(health: Health) -> None:
    """Whoever knows of more adds it; the document is made in one place."""

    def dependencies() -> Iterator[Component]:
        yield Component(name="dependencies", measurement="state", status=Status.WARN, public=False, id="redis")

    await health.report()
    health.include(dependencies)
    assert statuses(await health.report())["dependencies:state"] == "warn"


async def test_a_gear_that_stops_fails(health: Health, gear: Switchgear) -> None:
    """Health follows readiness: nothing is accepted any more."""
    await gear.drain(0.0)
    report = await health.report()
    assert (report.status, statuses(report)["admission:state"]) == (Status.FAIL, "fail")
