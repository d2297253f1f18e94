"""Dependencies of a whole gear in memory, under a virtual clock: probed, recorded, shown, and followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from switchgear import Denied, OptionError, Switchgear
from switchgear.core.scope import PLATFORM_TENANT, Principal
from switchgear.execution.contract import Call
from switchgear.health import Dependency
from switchgear.health.inventory import PROCESS
from switchgear.health.prober import Prober
from switchgear.ledger.events import Recorded, read
from switchgear.testing import VirtualClock


class Remote:
    """Something that is well until `down` is set."""

    def __init__(self) -> None:
        """Start well."""
        self.down = False
        self.asked = 0

    async def probe(self) -> str:
        """Answer, or fail as a server that is gone does."""
        self.asked += 1
        if self.down:
            raise ConnectionRefusedError("connection refused")
        return "answers"


@pytest.fixture
def clock() -> VirtualClock:
    """Return a clock that is moved by hand."""
    return VirtualClock()


@pytest.fixture
async def gear(clock: VirtualClock) -> AsyncIterator[Switchgear]:
    """A running gear in memory."""
    async with Switchgear.open(store="memory://", clock=clock) as gear:
        yield gear


async def recorded(gear: Switchgear, name: str) -> list[Recorded]:
    """Return what the platform's chain has about a dependency, once it is written."""
    return [read(entry) for entry in await gear.store.stream(PLATFORM_TENANT, f"dependency:{name}")]


async def test_an_outage_is_seen_recorded_and_over_within_one_probe_interval(
    gear: Switchgear, clock: VirtualClock
) -> None:
    """Unhealthy, recovering, healthy, in that order; each is an entry that says when it is looked at again."""
    redis = Remote()
    gear.dependency(Dependency("redis", kind="redis", critical=True), probe=redis.probe)
    await clock.elapse(3.0)
    assert gear.health.standing("redis").vouches
    redis.down = True
    await clock.elapse(30.0)
    assert gear.health.standing("redis").state == "unhealthy"
    retry_after = gear.health.standing("redis").retry_after
    assert retry_after is not None
    redis.down = False
    await clock.elapse(retry_after + 10.0)
    assert gear.health.standing("redis").vouches
    entries = await recorded(gear, "redis")
    told = ["recovering", "healthy", "unhealthy", "recovering", "healthy"]
    assert [entry.type for entry in entries] == [f"dependency.{state}" for state in told]
    down = entries[2].facts
    assert (down["before"], down["critical"], down["flapping"]) == ("healthy", True, False)
    assert down["retry_after"] > 0


async def test_why_it_changed_can_be_erased(gear: Switchgear, clock: VirtualClock) -> None:
    """The reason may quote a server, so it stands beside the hashed body."""
    redis = Remote()
    redis.down = True
    gear.dependency(Dependency("redis", kind="redis"), probe=redis.probe)
    await clock.elapse(30.0)
    entry = (await recorded(gear, "redis"))[-1]
    assert "refused" in str(entry.payload)
    assert "refused" not in str(entry.facts)


async def test_a_function_is_a_probe(gear: Switchgear, clock: VirtualClock) -> None:
    """The decorator declares what the function asks about; None is no yes."""
    answers: list[object] = [True, "well", None, None, None]

    @gear.probe("api_socket", kind="unix_socket", critical=True, down_after=3)
    async def api_socket() -> object:
        return answers.pop(0) if answers else None

    await clock.elapse(1.0)
    assert gear.health.standing("api_socket").vouches
    await clock.elapse(20.0)
    assert gear.health.standing("api_socket").state == "unhealthy"


async def test_calls_of_tools_say_how_their_dependency_stands(gear: Switchgear, clock: VirtualClock) -> None:
    """Declared before or after its guard was made: what comes of attempts is evidence, without any probe."""
    gear.dependency(Dependency("crm", kind="http"))

    @gear.tool("crm.read", effect="read_only")
    async def read_contact(_call: Call) -> str:
        return "read"

    @gear.tool("mail.read", effect="read_only")
    async def read_mail(_call: Call) -> str:
        return "read"

    gear.dependency(Dependency("mail", kind="http"))
    acme = gear.acting_as(tenant="acme", account="main", actor="service:orders")
    for _ in range(3):
        for tool in ("crm.read", "mail.read"):
            await acme.submit(tool)
        await clock.elapse(1.5)
    assert [gear.health.standing(name).state for name in ("crm", "mail")] == ["healthy", "healthy"]


async def test_law_5_what_destroys_is_no_witness_of_what_it_requires(gear: Switchgear, clock: VirtualClock) -> None:
    """A destructive tool that succeeds without its dependency does not keep an outage from being found."""
    redis, removed = Remote(), list[float]()
    gear.dependency(Dependency("redis", kind="redis"), probe=redis.probe)

    @gear.tool("sessions.purge", effect="natural", requires=("redis",), destructive=True)
    async def purge(_call: Call) -> None:
        removed.append(clock.monotonic())

    acme = gear.acting_as(tenant="acme", account="main", actor="service:janitor")
    await clock.elapse(3.0)
    for second in range(20):
        await acme.submit("sessions.purge", key=f"well-{second}")
        await clock.elapse(1.0)
    assert len(removed) == 20
    redis.down, down_at = True, clock.monotonic()
    for second in range(60):
        await acme.submit("sessions.purge", key=f"down-{second}")
        await clock.elapse(1.0)
    assert removed[-1] - down_at <= 11.0


async def test_law_5_without_a_probe_it_needs_calls_of_others(gear: Switchgear, clock: VirtualClock) -> None:
    """What destroys cannot keep alive what another call once said: when that has gone stale, it is held."""
    gear.dependency(Dependency("redis", kind="redis", freshness=20.0))
    removed = list[float]()

    @gear.tool("sessions.count", effect="read_only", requires=("redis",))
    async def count(_call: Call) -> int:
        return 1

    @gear.tool("sessions.purge", effect="natural", requires=("redis",), destructive=True)
    async def purge(_call: Call) -> None:
        removed.append(clock.monotonic())

    acme = gear.acting_as(tenant="acme", account="main", actor="service:janitor")
    for _ in range(4):
        await acme.submit("sessions.count")
        await clock.elapse(1.5)
    counted_at = clock.monotonic()
    for second in range(40):
        await acme.submit("sessions.purge", key=f"purge-{second}")
        await clock.elapse(1.0)
    assert removed
    assert removed[-1] - counted_at <= 20.0
    assert gear.health.standing("redis").state == "unknown"


@pytest.mark.parametrize("what", ["function", "tool", "nothing"])
async def test_law_5_calls_of_others_spare_no_probe_of_what_destruction_rests_on(
    gear: Switchgear, clock: VirtualClock, what: str
) -> None:
    """A tool, or a function marked destructive in this process: a gear knows by itself what either rests on."""
    name, remote = f"under_{what}", Remote()
    gear.dependency(Dependency(name, kind="redis"), probe=remote.probe)
    if what == "function":
        PROCESS.register("tests.relied_on.delete", (name,), "tests")

    @gear.tool(f"{name}.purge", destructive=what == "tool")
    async def purge(_call: Call) -> None:
        pass

    @gear.tool(f"{name}.count", effect="read_only")
    async def count(_call: Call) -> int:
        return 1

    acme = gear.acting_as(tenant="acme", account="main", actor="service:janitor")
    for _ in range(40):
        await acme.submit(f"{name}.count")
        await clock.elapse(1.5)
    assert (remote.asked >= 5) is (what != "nothing")


async def test_a_gear_that_has_ended_hears_of_no_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inventory of a process outlives its gears and keeps none of them."""
    async with Switchgear.open(store="memory://"):
        pass
    told = list[str]()
    monkeypatch.setattr(Prober, "rely_on", lambda _prober, name: told.append(name))
    PROCESS.register("tests.ended.delete", ("ended",), "tests")
    assert told == []


async def test_what_destroys_is_a_witness_against_what_it_requires(gear: Switchgear, clock: VirtualClock) -> None:
    """Its successes say nothing, its failures all: only what vouches needs a witness."""
    gear.dependency(Dependency("redis", kind="redis", down_after=1))
    broken = list[bool]()

    @gear.tool("sessions.count", effect="read_only", requires=("redis",))
    async def count(_call: Call) -> int:
        return 1

    @gear.tool("sessions.purge", effect="opaque", requires=("redis",), destructive=True, attempts=1)
    async def purge(_call: Call) -> None:
        if broken:
            raise ConnectionResetError

    acme = gear.acting_as(tenant="acme", account="main", actor="service:janitor")
    for _ in range(4):
        await acme.submit("sessions.count")
        await clock.elapse(1.5)
    broken.append(True)
    await acme.submit("sessions.purge", key="broken")
    await clock.elapse(1.5)
    assert gear.health.standing("redis").state == "unhealthy"
    for _ in range(2):  # as many as it takes: a failure takes no success of others away
        await acme.submit("sessions.count")
        await clock.elapse(1.5)
    assert gear.health.standing("redis").state == "healthy"


async def test_a_breaker_that_opens_makes_it_unhealthy_at_once(gear: Switchgear, clock: VirtualClock) -> None:
    """Green probes do not clear failing traffic."""
    crm = Remote()
    gear.dependency(Dependency("crm", kind="http"), probe=crm.probe)

    @gear.tool("crm.read", effect="read_only", attempts=1)
    async def read_contact(_call: Call) -> str:
        raise RuntimeError("it fails")

    await clock.elapse(2.0)
    assert gear.health.standing("crm").vouches
    for tenant in ("acme", "beta"):
        acting = gear.acting_as(tenant=tenant, account="main", actor="service:orders")
        for _ in range(10):
            await acting.submit("crm.read")
    await clock.elapse(0.5)
    assert gear.guards.of("crm").state == "open"
    assert gear.health.standing("crm").state == "unhealthy"


async def test_law_9_a_tenant_sees_where_it_stands_and_not_why(gear: Switchgear, clock: VirtualClock) -> None:
    """The reason may tell of others, so it is the platform's; a name that is not there is not found."""
    redis = Remote()
    redis.down = True
    gear.dependency(Dependency("redis", kind="redis", critical=True), probe=redis.probe)
    await clock.elapse(10.0)
    tenant = gear.acting_as(tenant="acme", account="main", actor="person:ada").dependencies
    (seen,) = tenant.list()
    assert (seen.name, seen.state) == ("redis", "unhealthy")
    assert seen.retry_after is not None
    assert {seen.kind, seen.critical, seen.age, seen.reason, seen.flapping, seen.vouches} == {None}
    platform = gear.acting_as_platform(actor="person:ops").dependencies
    whole = platform.show("redis")
    assert (whole.kind, whole.critical, whole.vouches, whole.flapping) == ("redis", True, False, False)
    assert "refused" in str(whole.reason)
    for desk in (tenant, platform):
        with pytest.raises(Denied) as missing:
            desk.show("mail")
        assert missing.value.code == "NOT_FOUND"


async def test_law_9_functions_of_the_process_are_the_platforms(gear: Switchgear) -> None:
    """Tenants see the destructive tools, which are the same for all; the rest tells what others did."""
    PROCESS.register("tests.sessions.delete", ("redis",), "tests")
    gear.dependency(Dependency("crm", kind="function"))

    @gear.tool("crm.purge", destructive=True)
    async def purge(_call: Call) -> None:
        pass

    tenant = gear.acting_as(tenant="acme", account="main", actor="person:ada").dependencies.destructive()
    platform = gear.acting_as_platform(actor="person:ops").dependencies.destructive()
    assert [(one.operation, one.requires, one.where, one.blocked) for one in tenant] == [
        ("crm.purge", ["crm"], None, None)
    ]
    found = {one.operation: one for one in platform}
    assert found["crm.purge"].requires == ["crm"]
    assert (found["tests.sessions.delete"].where, found["tests.sessions.delete"].blocked) == ("tests", 0)
    assert list(found) == sorted(found)


async def test_health_tells_of_dependencies_and_does_not_fail_by_them(gear: Switchgear, clock: VirtualClock) -> None:
    """Law 12: an outage of a dependency is no failure of this process."""
    redis = Remote()
    redis.down = True
    gear.dependency(Dependency("redis", kind="redis", critical=True), probe=redis.probe)
    await clock.elapse(10.0)
    ops = Principal(PLATFORM_TENANT, "person:ops", frozenset(), frozenset({"platform:read"}))
    report = await gear.control.health.report(ops)
    (check,) = report.checks["dependencies:health"]
    assert (check.component_id, check.observed_value, check.status) == ("redis", "unhealthy", "fail")
    assert report.status == "warn"
    assert (await gear.control.readiness.check()).ready
    assert "redis" not in str(await gear.control.health.report())


async def test_a_loop_follows_its_dependency(gear: Switchgear, clock: VirtualClock) -> None:
    """`gear.modes` paces pollers by the board of the gear, and ends them with it."""
    redis = Remote()
    gear.dependency(Dependency("redis", kind="redis"), probe=redis.probe)
    poller = gear.modes.register("sessions.sync", depends_on=("redis",), every=5.0)
    await clock.elapse(3.0)
    assert await anext(poller) == 1
    redis.down = True
    await clock.elapse(40.0)
    turn = asyncio.ensure_future(anext(poller, None))
    await clock.elapse(20.0)
    assert (turn.done(), poller.statistics().mode) == (False, "paused")
    await gear.end()
    assert await turn is None


async def test_one_dependency_has_one_meaning_and_one_probe(gear: Switchgear) -> None:
    """The same one again changes nothing; another, or a second probe, is a mistake."""
    redis = Remote()
    gear.dependency(Dependency("redis", kind="redis"), probe=redis.probe)
    gear.dependency(Dependency("redis", kind="redis"))
    with pytest.raises(OptionError, match="declared already"):
        gear.dependency(Dependency("redis", kind="redis", critical=True))
    with pytest.raises(OptionError, match="has a probe already"):
        gear.dependency(Dependency("redis", kind="redis"), probe=redis.probe)


async def test_a_gear_that_is_not_started_probes_while_it_is_told_to_run(clock: VirtualClock) -> None:
    """`run_until_idle` runs it all, and twice if asked twice."""
    redis = Remote()
    async with Switchgear.open(store="memory://", start=False, clock=clock) as gear:

        @gear.tool("math.double", effect="read_only")
        def double(_call: Call, number: int) -> int:
            return 2 * number

        gear.dependency(Dependency("redis", kind="redis"), probe=redis.probe)
        acme = gear.acting_as(tenant="acme", account="main", actor="person:ada")
        assert redis.asked == 0
        for round_ in (1, 2):
            await acme.submit("math.double", {"number": 1}, delay=15.0)
            await gear.run_until_idle()
            assert redis.asked > round_
        assert gear.health.standing("redis").vouches


async def test_what_the_file_declares_is_probed(tmp_path: Path, clock: VirtualClock) -> None:
    """A table with a kind, and a function beside the file."""
    (tmp_path / "asking_of_test_dependencies.py").write_text("def is_well():\n    return 'fine'\n", encoding="utf-8")
    file = tmp_path / "switchgear.toml"
    file.write_text(
        '[store]\nurl = "memory://"\n[dependencies.redis]\nkind = "redis"\ncritical = true\n'
        'probe = { function = "asking_of_test_dependencies:is_well" }\n'
        '[dependencies.mail]\nkind = "http"\nprobe = false\n',
        encoding="utf-8",
    )
    async with Switchgear.open(file) as gear:
        assert gear.health.names == ("mail", "redis")
        assert gear.health.dependency("redis") == Dependency("redis", kind="redis", critical=True)
